"""The form of a send while it is filled in: whose it is, for which organisation, what was typed, which documents have come."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends
from sqlmodel import select
from starlette.datastructures import FormData
from starlette.requests import Request

from api.problems import fault_of
from api.tenants import organisation_named, where
from api.web.acts import pieces as papers
from api.web.acts.form import values_of
from api.web.acts.pieces import Attached
from api.web.acts.sheet import NAME
from api.web.mails import documents, typed
from api.web.mails.typed import Typed
from api.web.rows import Button, button
from api.web.visitor import Visitor
from core.blobs import TooLarge
from core.errors import Conflict, NeedsOperator, NotFound, Unavailable, UsageError
from core.identifiers import new_id
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.engine.keys import made_with
from flows.engine.models import Dossier, DossierFile
from flows.mail.flow import MAIL
from flows.mail.keeping import DOCUMENT, dossier_of, files_of, mail_of, recipients_of, require_sender
from flows.mail.kinds import BUILT_IN, NOTIFICATION, SECURED, Kind, kind_of
from flows.mail.models import Mail, MailRecipient

REFUSED = (UsageError, TooLarge, Conflict, NeedsOperator, NotFound, Unavailable)
KINDS = (SECURED.name, NOTIFICATION.name)
"""Kinds that are written here; a convocation begins with its meeting."""
_MOST_FILES, _MOST_FIELDS = 60, 5000


async def _filled(request: Request) -> Any:
    async with request.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS) as form:
        yield form


Filled = Annotated[FormData, Depends(_filled)]


@dataclass(frozen=True, slots=True)
class Kept:
    """A draft as it is kept."""

    mail: Mail
    dossier: Dossier
    recipients: tuple[MailRecipient, ...]
    documents: tuple[DossierFile, ...]

    @property
    def is_draft(self) -> bool:
        """Nothing of it has left, and it may be changed."""
        return self.dossier.state == MAIL.start


@dataclass(frozen=True, slots=True)
class MailSheet:
    """A form.

    Attributes:
        organisation: for which it is filled in.
        id: names it to its uploads, and is the key of the draft that is made of it: that draft, once there is one.
        values: what was typed.
        filled: the same with names that stand several times, and files; empty for a page that is only opened.
        kept: its draft; None while there is none.
    """

    platform: Platform
    visitor: Visitor
    organisation: Organisation
    id: str
    values: Mapping[str, str] = field(default_factory=dict)
    filled: FormData = field(default_factory=FormData)
    kept: Kept | None = None

    @property
    def address(self) -> str:
        """Where the form stands."""
        return f"/courriers/{self.kept.mail.dossier_id}/brouillon" if self.kept else "/courriers/nouveau"

    @property
    def place(self) -> str:
        """What its uploads are sent for."""
        return documents.place_of(self.id)

    @property
    def base(self) -> str:
        """Names the documents that its draft has; empty while there is none."""
        named = "".join(one.id for one in self.kept.documents) if self.kept else ""
        return hashlib.sha256(named.encode()).hexdigest()[:16] if named else ""

    @property
    def deed(self) -> str:
        """The button that was pressed, as the form tells it."""
        return self.values.get("do", "")

    @property
    def pressed(self) -> Button:
        """The same, with the rank of the document that it belongs to."""
        return button(self.deed)

    @property
    def moved(self) -> bool:
        """Another organisation was chosen than the one whose groups and templates it shows."""
        return self.values.get("montre", self.organisation.id) != self.organisation.id

    def kinds(self) -> dict[str, Kind]:
        """Return the kinds that may be chosen, as the organisation has them."""
        with self.platform.database.reading(PLATFORM) as session:
            return {name: kind_of(session, self.platform.secrets, self.organisation.id, name) for name in KINDS}

    def typed(self, kinds: Mapping[str, Kind]) -> Typed:
        """Return what was typed, or what the draft holds when nothing was sent yet; with what the book knows of it."""
        if self.kept and not self.filled:
            said = typed.of_draft(self.kept.mail, self.kept.recipients)
        else:
            told = self.values.get("kind", "")
            said = typed.of_values(self.values, kinds.get(told) or kinds[SECURED.name], fresh=not self.filled)
        before = self.kept.recipients if self.kept else ()
        typed.know(self.platform, self.visitor.principal, self.organisation.id, said, before)
        return said

    def pieces(self) -> list[Attached]:
        """Return its documents in their order, once the button that was pressed has done what it does to them."""
        kept = self.kept.documents if self.kept else ()
        # A page that was left before the draft was kept once more does not know its documents: they stay.
        form = FormData() if self.values.get("base", "") != self.base else self.filled
        return documents.of_form(self.platform, self.visitor.principal, self.place, form, kept, self.pressed)

    def keep_files(self) -> dict[str, str]:
        """Keep the files that came with it; return what is wrong with them, by anchor."""
        try:
            papers.keep(self.platform, self.visitor.principal, self.organisation.id, self.place, self.filled)
        except REFUSED as error:
            return {"document": fault_of(error).detail}
        return {}


def opened(platform: Platform, visitor: Visitor, organisation_id: str, name: str, values: Mapping[str, str]) -> MailSheet:
    """Return the form of a send that is begun, for an organisation or for the first one by name."""
    organisations = where(platform, visitor.principal, Right.DEPOSIT)
    here = next((one for one in organisations if one.id == organisation_id), organisations[0])
    return MailSheet(platform, visitor, here, name, values)


def sent(platform: Platform, visitor: Visitor, filled: FormData) -> MailSheet:
    """Return the form of a send that is begun, as a visitor sent it.

    Raises:
        Forbidden: it comes from elsewhere, or the visitor may not send for the organisation.
        NotFound: there is no such organisation.
    """
    values = values_of(filled)
    visitor.check(values.get("csrf"))
    organisation = organisation_named(platform, visitor.principal, values.get("organisation", ""))
    visitor.principal.require(Right.DEPOSIT, organisation.id)
    told = values.get("saisie", "")
    name = told if NAME.fullmatch(told) else new_id()
    own = select(Dossier.id).where(made_with(organisation.id, name))
    with platform.database.reading(visitor.principal) as session:
        made = session.exec(own.where(Dossier.flow == MAIL.name, Dossier.state == MAIL.start)).first()
    kept = kept_of(platform, visitor, made) if made else None
    return MailSheet(platform, visitor, organisation, name, values, filled, kept)


def of_draft(platform: Platform, visitor: Visitor, send_id: str, filled: FormData | None = None) -> MailSheet:
    """Return the form of a send that is kept, as it is or as a visitor sent it.

    Raises:
        Forbidden: it comes from elsewhere, or the visitor may not send for the organisation.
        NotFound: there is no such send.
    """
    values = values_of(filled) if filled is not None else {}
    if filled is not None:
        visitor.check(values.get("csrf"))
    kept = kept_of(platform, visitor, send_id)
    with platform.database.reading(PLATFORM) as session:
        organisation = session.get_one(Organisation, kept.mail.organisation_id)
    return MailSheet(platform, visitor, organisation, send_id, values, filled or FormData(), kept)


def kept_of(platform: Platform, visitor: Visitor, send_id: str) -> Kept:
    """Return a send to whoever may send it: they need not be allowed to read the others.

    Raises:
        NotFound: there is none of that identifier, or the visitor does not see it; Forbidden: they may not send it.
    """
    with platform.database.reading(visitor.principal) as session:
        mail = mail_of(session, send_id)
        require_sender(visitor.principal, mail)
        return Kept(
            mail,
            dossier_of(session, send_id),
            tuple(recipients_of(session, send_id)),
            tuple(files_of(session, send_id, DOCUMENT)),
        )


def home_of(kept: Kept) -> str:
    """Return where a send stands that is not written here: it has left, or it convenes a meeting."""
    convenes = kept.is_draft and kept.mail.kind not in KINDS and kept.mail.kind in BUILT_IN
    return f"/courriers/seances/{kept.mail.dossier_id}" if convenes else f"/courriers/{kept.mail.dossier_id}"
