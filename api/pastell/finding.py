"""Documents: one with all that is told of it, and the list of those of an entity."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import literal
from sqlmodel import Session, col, select

from api.pastell import words
from api.pastell.calls import Call, Refusal
from api.pastell.models import PastellDocument
from api.pastell.standing import in_sql, last_action
from core import clock
from core.database import UtcDateTime
from core.errors import NotFound
from core.organisations import Organisation
from flows.engine.models import Dossier, DossierFile
from flows.mail.keeping import ADDITION, DOCUMENT, TAKEN, files_of, recipients_of
from flows.mail.kinds import CONVOCATION
from flows.mail.models import Mail, MailAnswer, MailNotice, MailRecipient

_MOST, _DEFAULT = 1000, 100
_NOT_DONE = ("etatTransit", "state_begin", "state_end", "notEtatTransit")
_INDEXED = tuple(name for name, field in words.FIELDS.items() if field.get("index"))
_DAY_FIRST = re.compile(r"^([0-9]{2})/([0-9]{2})/([0-9]{4})")
_FIRST_YEAR = 1900


@dataclass(frozen=True, slots=True)
class Document:
    """A send as a document of an entity.

    Attributes:
        row: what the interface keeps of it; None when it was written elsewhere.
        files: those that were sent, then those added since.
    """

    id_e: int
    entity: Organisation
    dossier: Dossier
    mail: Mail
    recipients: tuple[MailRecipient, ...]
    row: PastellDocument | None
    files: tuple[DossierFile, ...] = ()
    notices: tuple[MailNotice, ...] = ()
    answers: tuple[MailAnswer, ...] = ()

    @property
    def state(self) -> str:
        """Where it stands."""
        return last_action(self.dossier, self.mail, Counter(one.state for one in self.recipients), self.row)

    @property
    def taken(self) -> int:
        """How many recipients have withdrawn it."""
        return sum(one.state in TAKEN for one in self.recipients)

    @property
    def numbered(self) -> dict[int, DossierFile]:
        """Its files, in their order, by the number under which software knows them.

        Files that were changed elsewhere since, or were never numbered, follow each other, as do those added after it was sent.
        """
        count = sum(one.role != ADDITION for one in self.files)
        numbers = self.row.numbers if self.row is not None and len(self.row.numbers) == count else list(range(count))
        return dict(zip(itertools.chain(numbers, itertools.count(max(numbers, default=-1) + 1)), self.files, strict=False))


def document_of(call: Call, entity: Organisation, id_d: str) -> Document:
    """Return a document of an entity.

    Raises:
        NotFound: it has none of that identifier.
    """
    number = call.number_of(entity)
    with call.platform.database.reading(call.principal) as session:
        found = session.exec(_documents(entity).where(Dossier.id == id_d)).first()
        if found is None:
            raise NotFound(words.NO_DOCUMENT.format(id_d=id_d[:40], id_e=number))
        dossier, mail = found
        files = files_of(session, dossier.id, DOCUMENT, ADDITION)
        return Document(
            number,
            entity,
            dossier,
            mail,
            tuple(recipients_of(session, dossier.id)),
            session.get(PastellDocument, dossier.id),
            tuple(sorted(files, key=lambda one: one.role == ADDITION)),
            tuple(session.exec(select(MailNotice).where(MailNotice.dossier_id == dossier.id).order_by(col(MailNotice.id)))),
            tuple(session.exec(select(MailAnswer).where(MailAnswer.dossier_id == dossier.id))),
        )


def documents_of(call: Call, entity: Organisation) -> list[Document]:
    """Return the documents of an entity that a call asks for, in the order that it asks for, without their files."""
    offset, limit = call.number("offset", 0, 10**9), call.number("limit", _DEFAULT, _MOST)
    wanted, stands = in_sql(_documents(entity, Dossier.id), entity.id)
    if text := call.value("search").strip():
        wanted = wanted.where(col(Mail.subject).icontains(text, autoescape=True))
    if state := call.value("lastetat"):
        wanted = wanted.where(stands.action == state)
    _refuse_not_done(call)
    if (first := _bound(call, "last_state_begin", whole=timedelta())) is not None:
        wanted = wanted.where(stands.since >= literal(first, UtcDateTime()))
    if (last := _bound(call, "last_state_end", whole=timedelta(days=1))) is not None:
        wanted = wanted.where(stands.since < literal(last, UtcDateTime()))
    key: Any = col(Mail.subject) if call.value("tri") == "titre" else stands.since
    ascending = call.value("sens_tri").upper() == "ASC"
    order = (key.asc(), col(Dossier.id).asc()) if ascending else (key.desc(), col(Dossier.id).desc())
    number = call.number_of(entity)
    with call.platform.database.reading(call.principal) as session:
        identifiers = list(session.exec(wanted.order_by(*order).offset(offset).limit(limit)))
        sends = {
            dossier.id: (dossier, mail)
            for dossier, mail in session.exec(_documents(entity).where(col(Dossier.id).in_(identifiers)))
        }
        recipients = _by_dossier(session, MailRecipient, identifiers)
        rows = {one.dossier_id: one for (one,) in _by_dossier(session, PastellDocument, identifiers).values()}
    known = (one for one in identifiers if one in sends)  # one may have been given up in between
    return [Document(number, entity, *sends[one], tuple(recipients.get(one, ())), rows.get(one)) for one in known]


def _refuse_not_done(call: Call) -> None:
    """Go on only without a filter, or a sort, that would be passed over.

    Raises:
        Refusal: one is asked for.
    """
    for name in (*_NOT_DONE, *(_INDEXED if call.value("type") else ())):
        if call.value(name, f"{name}[]").strip():
            raise Refusal(words.NOT_FILTERED.format(name=name))
    if call.value("tri") in _INDEXED:
        raise Refusal(words.NOT_FILTERED.format(name="tri"))


def _bound(call: Call, name: str, *, whole: timedelta) -> datetime | None:
    """Return a bound of moments, in local time, day first or year first; None where none is given, or none is reached.

    Args:
        call: what is asked.
        name: of the bound.
        whole: what a day alone adds; a bound to the second takes its second in, where a day is taken in.

    Raises:
        Refusal: it is no moment.
    """
    given = call.value(name).strip()
    if not given:
        return None
    written = _DAY_FIRST.sub(r"\3-\2-\1", given)
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise Refusal(words.NOT_A_DATE.format(name=name, found=given[:20])) from error
    if not _FIRST_YEAR <= found.year < date.max.year:  # nothing was then, or nothing will be
        return datetime(_FIRST_YEAR if found.year < _FIRST_YEAR else date.max.year - 1, 1, 1, tzinfo=UTC)
    moment = found if found.tzinfo else found.replace(tzinfo=clock.PARIS)
    return moment + (whole if ":" not in written else min(whole, timedelta(seconds=1)))


def _documents(entity: Organisation, *columns: Any) -> Any:
    """Return the query of the documents of an entity: convocations are none of the type, what was given up is none at all."""
    return (
        select(*(columns or (Dossier, Mail)))
        .select_from(Dossier)
        .join(Mail, col(Mail.dossier_id) == col(Dossier.id))
        .where(Dossier.flow == "mail", Dossier.organisation_id == entity.id, Dossier.state != "abandoned")
        .where(Mail.kind != CONVOCATION.name)
    )


def _by_dossier(session: Session, table: Any, identifiers: Sequence[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in session.exec(select(table).where(col(table.dossier_id).in_(identifiers))):
        found.setdefault(one.dossier_id, []).append(one)
    return found
