"""Finding a send and its parts, and holding them; whoever holds several rows takes them in one order.

The order: recipients by identifier, their notices, the mail, the dossier, what is scheduled. Two who work on one send then wait
for each other, and never both.
"""

from __future__ import annotations

from sqlmodel import Session, col, select

from core.errors import NotFound
from core.messages import Catalogue
from core.principal import Principal, Right
from flows.engine.models import Dossier, DossierFile
from flows.mail.kinds import BUILT_IN, Kind
from flows.mail.models import Mail, MailNotice, MailRecipient, RecipientState

_messages = Catalogue("flows.mail")

DOCUMENT, ADDITION, ANSWER, PROOF, SHEET = "document", "addition", "answer", "proof", "sheet"
"""Roles of the files of a send; SHEET: what those were shown who approved it in the parapheur."""

TAKEN = frozenset({RecipientState.WITHDRAWN, RecipientState.ANSWERED})
ENDED = TAKEN | {RecipientState.REFUSED, RecipientState.EXPIRED, RecipientState.REVOKED}
"""States that a recipient does not leave by themselves."""


def mail_of(session: Session, dossier_id: str, *, hold: bool = False) -> Mail:
    """Return a send by its dossier.

    Args:
        session: any.
        dossier_id: of the send.
        hold: keep others from changing it until the transaction ends.

    Raises:
        NotFound: there is none, or the session does not see it.
    """
    wanted = select(Mail).where(Mail.dossier_id == dossier_id)
    found = session.exec(wanted.with_for_update().execution_options(populate_existing=True) if hold else wanted).first()
    if found is None:
        raise NotFound(_messages("mail.unknown"))
    return found


def dossier_of(session: Session, dossier_id: str, *, hold: bool = False) -> Dossier:
    """Return the dossier of a send; see ``mail_of``.

    Raises:
        NotFound: there is none, or the session does not see it.
    """
    wanted = select(Dossier).where(Dossier.id == dossier_id, Dossier.flow == "mail")
    found = session.exec(wanted.with_for_update().execution_options(populate_existing=True) if hold else wanted).first()
    if found is None:
        raise NotFound(_messages("mail.unknown"))
    return found


def recipients_of(session: Session, dossier_id: str, *, hold: bool = False) -> list[MailRecipient]:
    """Return the recipients of a send, in the order in which they were named."""
    wanted = select(MailRecipient).where(MailRecipient.dossier_id == dossier_id)
    if hold:
        wanted = wanted.order_by(col(MailRecipient.id)).with_for_update().execution_options(populate_existing=True)
    return sorted(session.exec(wanted), key=lambda one: (one.rank, one.id))


def recipient_of(session: Session, recipient_id: str, *, hold: bool = False) -> MailRecipient:
    """Return a recipient; see ``mail_of``.

    Raises:
        NotFound: there is none, or the session does not see it.
    """
    wanted = select(MailRecipient).where(MailRecipient.id == recipient_id)
    found = session.exec(wanted.with_for_update().execution_options(populate_existing=True) if hold else wanted).first()
    if found is None:
        raise NotFound(_messages("recipient.unknown"))
    return found


def notices_of(session: Session, recipient_id: str) -> list[MailNotice]:
    """Return the messages to a recipient, oldest first."""
    return list(session.exec(select(MailNotice).where(MailNotice.recipient_id == recipient_id).order_by(col(MailNotice.id))))


def files_of(session: Session, dossier_id: str, *roles: str) -> list[DossierFile]:
    """Return the files of these roles, oldest first; all of them when none is named."""
    wanted = select(DossierFile).where(DossierFile.dossier_id == dossier_id)
    if roles:
        wanted = wanted.where(col(DossierFile.role).in_(roles))
    return list(session.exec(wanted.order_by(col(DossierFile.created), col(DossierFile.id))))


def terms_of(mail: Mail) -> Kind:
    """Return the terms under which a send was accepted; those of the built-in kind while it is a draft."""
    return Kind.model_validate(mail.terms) if mail.terms else BUILT_IN[mail.kind]


def require_sender(principal: Principal, mail: Mail | MailRecipient) -> None:
    """Go on only if the principal may send for the organisation of a send.

    Raises:
        Forbidden: they may not.
    """
    principal.require(Right.DEPOSIT, mail.organisation_id)
