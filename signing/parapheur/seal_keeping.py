"""The server's seal as its administrator sees it: whose key, until when; put in place, taken away. Never its secret."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr
from sqlmodel import Session

from core import journal
from core.configuration import Configuration, configuration_of, configure
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.principal import Principal, Right
from core.secrets import SecretBox
from signing.keys import KeyRefused, Pkcs12Signer, name_of
from signing.parapheur import circuits
from signing.parapheur.models import StepKind
from signing.parapheur.sealing import SEAL, ServerSeal

_messages = Catalogue("signing.parapheur")


@dataclass(frozen=True, slots=True)
class Shown:
    """A seal in force.

    Attributes:
        own: it is the organisation's own, and not that of one above it.
        holder: whose key it is; empty when it cannot serve, ``trouble`` says why then.
        expires: the end of its certificate.
    """

    own: bool
    quality: str
    city: str
    postal_code: str
    holder: str = ""
    issuer: str = ""
    expires: datetime | None = None
    trouble: str = ""


def shown(session: Session, box: SecretBox, organisation_id: str) -> Shown | None:
    """Return the seal in force, without its secrets; None when there is none.

    Args:
        session: of the platform: the seal of an organisation above counts.
        box: opens the configuration.
        organisation_id: whose seal.
    """
    try:
        kept = configuration_of(session, box, organisation_id, SEAL, ServerSeal)
    except NotFound:
        return None
    own = session.get(Configuration, (organisation_id, SEAL)) is not None
    said = (own, kept.quality, kept.city, kept.postal_code)
    try:
        certificate = kept.signer().certificate
    except KeyRefused as error:
        return Shown(*said, trouble=str(error))
    return Shown(*said, name_of(certificate), certificate.issuer.rfc4514_string(), certificate.not_valid_after_utc)


@dataclass(frozen=True, slots=True)
class NewSeal:
    """A seal to put in place; without a file, only what the seal says changes."""

    pkcs12: bytes
    password: str
    quality: str
    city: str
    postal_code: str


def keep(session: Session, box: SecretBox, principal: Principal, organisation_id: str, wanted: NewSeal) -> None:
    """Put a seal in place, once its key was opened and found fit.

    Raises:
        Forbidden: the principal does not administer the organisation.
        UsageError: no file and no seal of its own yet; a file that is no PKCS#12, another password, a key that must not sign.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    kept = session.get(Configuration, (organisation_id, SEAL))
    if wanted.pkcs12:
        Pkcs12Signer.load(wanted.pkcs12, wanted.password)
        file, password = SecretStr(base64.b64encode(wanted.pkcs12).decode()), SecretStr(wanted.password)
    elif kept is not None:
        before = configuration_of(session, box, organisation_id, SEAL, ServerSeal)
        file, password = before.pkcs12, before.password
    else:
        raise UsageError(_messages("seal.file"))
    said = {"quality": wanted.quality, "city": wanted.city, "postal_code": wanted.postal_code}
    configure(session, box, organisation_id, SEAL, ServerSeal(pkcs12=file, password=password, **said))
    _note(session, principal, organisation_id, "configuration.changed")


def withdraw(session: Session, principal: Principal, organisation_id: str) -> None:
    """Take the organisation's own seal away.

    Raises:
        Forbidden: the principal does not administer the organisation.
        NotFound: it has none of its own.
        Conflict: circuits in force ask for a seal; the message says which.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    kept = session.get(Configuration, (organisation_id, SEAL))
    if kept is None:
        raise NotFound(_messages("seal.none"))
    if users := users_of(session, organisation_id):
        raise Conflict(_messages("seal.used", users=", ".join(users)))
    session.delete(kept)
    _note(session, principal, organisation_id, "configuration.withdrawn")


def users_of(session: Session, organisation_id: str) -> list[str]:
    """Return the names of the circuits in force that ask for a seal."""
    found = circuits.all_current(session, organisation_id)
    return [one.name for one in found if any(step.kind is StepKind.SEAL for step in circuits.steps_of(one))]


def _note(session: Session, principal: Principal, organisation_id: str, kind: str) -> None:
    journal.write(session, organisation_id=organisation_id, kind=kind, actor=principal.actor, facts={"configuration": SEAL})
