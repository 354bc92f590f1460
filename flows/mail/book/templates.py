"""Templates of messages: what a send begins with, and the words between braces that stand for what is known only then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from core.database import ScopedSession
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from flows.mail.book import reach
from flows.mail.book.models import MailTemplate
from flows.mail.kinds import BUILT_IN

_messages = Catalogue("flows.mail.book")
VARIABLES = ("collectivite", "service", "objet", "nom", "date")
"""Name of the organisation, of the service that sends, the subject, the recipient's name, the day of the sending."""
LONGEST_NAME, LONGEST_SUBJECT, LONGEST_BODY = 120, 200, 50_000
_VARIABLE = re.compile(r"\{([^{}\n]{1,40})\}")


def variables(text: str) -> tuple[str, ...]:
    """Return what stands between braces in a text, each once, in order."""
    return tuple(dict.fromkeys(_VARIABLE.findall(text)))


def unknown(text: str) -> tuple[str, ...]:
    """Return what stands between braces, and is none of ``VARIABLES``."""
    return tuple(name for name in variables(text) if name not in VARIABLES)


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text whose variables have the values given; one without a value stays as it is written, braces and all.

    A value is put in as it is: it is not looked at for variables of its own.
    """
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


@dataclass(frozen=True, slots=True)
class Told:
    """A template as somebody writes it."""

    name: str
    kind: str
    subject: str
    body: str = ""


def check(told: Told) -> Told:
    """Return a template without the spaces around its name and its subject.

    Raises:
        UsageError: a text is missing, too long or on several lines; an unknown kind; an unknown variable.
    """
    name, subject = " ".join(told.name.split()), " ".join(told.subject.split())
    body = told.body.replace("\r\n", "\n").strip()
    for text, most, key in ((name, LONGEST_NAME, "name"), (subject, LONGEST_SUBJECT, "subject")):
        if not text or len(text) > most or not text.isprintable():
            raise UsageError(_messages(f"template.{key}", most=most))
    if len(body) > LONGEST_BODY:
        raise UsageError(_messages("template.body", most=LONGEST_BODY, found=len(body)))
    if told.kind not in BUILT_IN:
        raise UsageError(_messages("template.kind"))
    if "objet" in variables(subject):
        raise UsageError(_messages("template.circular"))
    if strange := unknown(f"{subject}\n{body}"):
        written = ", ".join(f"{{{one}}}" for one in strange)
        raise UsageError(
            _messages("template.unknown_variable", found=written, known=", ".join(f"{{{one}}}" for one in VARIABLES))
        )
    return Told(name, told.kind, subject, body)


def keep(platform: Platform, principal: Principal, organisation_id: str, told: Told, template_id: str = "") -> MailTemplate:
    """Keep a template, or write another content into one.

    Args:
        platform: its parts.
        principal: who keeps it.
        organisation_id: whose it is.
        told: its content.
        template_id: the one that is rewritten; a new one when it is empty.

    Raises:
        NotFound: no such template; see ``reach.require``; Forbidden: see there.
        UsageError: see ``check``.
        Conflict: there is one of that name.
    """
    reach.require(principal, organisation_id)
    checked = check(told)
    values = {"name": checked.name, "kind": checked.kind, "subject": checked.subject, "body": checked.body}
    try:
        with platform.database.writing(principal) as session:
            kept = (
                _own(session, principal, template_id) if template_id else MailTemplate(organisation_id=organisation_id, **values)
            )
            kept.sqlmodel_update(values)
            session.add(kept)
    except IntegrityError as error:
        raise Conflict(_messages("template.there", name=checked.name)) from error
    return kept


def delete(platform: Platform, principal: Principal, template_id: str) -> None:
    """Delete a template; what was written from it stays.

    Raises:
        NotFound: no such template; Forbidden: see ``reach.require``.
    """
    with platform.database.writing(principal) as session:
        session.delete(_own(session, principal, template_id))


def _own(session: ScopedSession, principal: Principal, template_id: str) -> MailTemplate:
    found = session.exec(select(MailTemplate).where(MailTemplate.id == template_id)).first()
    if found is None:
        raise NotFound(_messages("template.none"))
    reach.require(principal, found.organisation_id)
    return found


def reached(platform: Platform, principal: Principal, organisation_id: str) -> list[MailTemplate]:
    """Return the templates that an organisation may begin with, its own and those from above, by name.

    Raises:
        Forbidden: see ``reach.opened``.
    """
    with reach.opened(platform, principal, organisation_id) as session:
        from_above = col(MailTemplate.organisation_id).in_(reach.above(session, organisation_id))
        return list(session.exec(select(MailTemplate).where(from_above).order_by(col(MailTemplate.name), col(MailTemplate.id))))
