"""What software asks: whether it is let in, where transactions stand, what the préfecture sent, which acts there are."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Any

from fastapi.responses import Response
from sqlmodel import Session, col, func, select

from api.acts import finding
from api.s2low import statuses
from api.s2low.calls import Call, Transaction, as_json, authority, octets_of, text, transaction_of, type_of
from api.s2low.models import S2lowTransaction
from api.s2low.numbers import mark_read, message_numbered, numbers_of, read_number
from api.s2low.statuses import LABELS, LETTERS, Status, receipt_of
from core import clock
from core.errors import NeedsOperator, UsageError
from core.messages import Catalogue
from core.organisations import Organisation
from core.principal import PLATFORM, Right
from flows.actes import knowledge
from flows.actes.act import Act
from flows.actes.flow import ACTES
from flows.actes.following import ANSWERS
from flows.actes.models import ActesMessage
from flows.engine import reading
from flows.engine.models import Dossier
from flows.helios.flow import HELIOS
from schemas.actes.codes import NATURES, MessageCode

_t = Catalogue("api.s2low")
_ACT = MessageCode.ACTE.value
_ANSWERS = frozenset(code for codes in ANSWERS.values() for code in codes)
_UNREAD_AT_ONCE = 1000
_LIMIT, _LARGEST_LIMIT = 100, 500
_MONTHS = 12
_EARLIEST = date(1900, 1, 1)


def let_in(_call: Call) -> Response:
    """Answer whoever is let in."""
    return text("OK")


def info(call: Call) -> Response:
    """Tell who asks, and for whom."""
    organisation, known = call.account.organisation, None
    with suppress(NeedsOperator):  # it may ask before it is ready to send
        known = knowledge.collectivite_of(call.platform, organisation.id)
    actor = call.account.principal.actor
    return as_json(
        {
            "user_info": {"id": actor.partition(":")[2], "login": call.account.login, "authority_id": authority(call)},
            "authority_info": {
                "id": authority(call),
                "authority_type_id": known.nature if known else None,
                "status": 1,
                "name": organisation.name,
                "siren": organisation.siren,
                "department": known.department if known else None,
                "district": known.arrondissement if known else None,
            },
        }
    )


def status(call: Call) -> Response:
    """Tell where a transaction stands, with the State's acknowledgement, or with what is wrong."""
    found = transaction_of(call, call.query.get("transaction", ""))
    told = found.status
    if told is Status.ERROR:
        return text("OK", told.value, _trouble(found))
    receipt = _receipt(found)
    return text("OK", told.value, then=octets_of(call, receipt) if receipt else b"")


def _receipt(found: Transaction) -> str | None:
    """Return the digest of the State's acknowledgement of a transaction."""
    if found.is_act:
        kept = found.whole.file(finding.RECEIPT)
        return kept.sha256 if kept and found.status is not Status.CANCELLED else None
    receipt = receipt_of(found.message, found.whole.messages) if found.message.outgoing else None
    return receipt.sha256 if receipt else None


def _trouble(found: Transaction) -> str:
    dossier = found.whole.seen.dossier
    if not found.is_act:
        return str(found.message.facts.get("anomaly", {}).get("detail", ""))
    return "\n".join(problem["message"] for problem in dossier.problems) or _t(f"state.{dossier.state}")


def related(found: Transaction, numbers: dict[str, int]) -> Response:
    """Tell the transactions that came after an act: a letter, or in its place the answers to it; then cancellations."""
    lines = (f"{type_of(one)}-{found.status_of(one).value}-{numbers[one.id]}" for one in following(found))
    return text(*lines)


def following(found: Transaction) -> list[ActesMessage]:
    """Return what follows an act, a letter giving way to the answers to it."""
    answered = {one.answers_id for one in found.whole.messages if _is_answer(one)}
    return [
        one
        for one in found.whole.messages
        if (one.code in LETTERS and one.id not in answered) or _is_answer(one) or one.code == MessageCode.ANNULATION.value
    ]


def _is_answer(message: ActesMessage) -> bool:
    """Tell whether a message is an answer that somebody asked for; what is acknowledged by itself is no transaction."""
    return message.outgoing and MessageCode(message.code) in _ANSWERS


def unread(call: Call) -> Response:
    """List the letters of the préfecture that software did not say that it had read, oldest first."""
    call.account.require(Right.READ)
    with reading.opened(call.platform.database, call.account.principal) as session:
        letters = session.exec(
            select(ActesMessage)
            .outerjoin(S2lowTransaction, col(S2lowTransaction.message_id) == col(ActesMessage.id))
            .where(ActesMessage.organisation_id == call.account.organisation.id, col(ActesMessage.code).in_(LETTERS))
            .where(col(S2lowTransaction.read).is_(None))
            .order_by(col(ActesMessage.id))
            .limit(_UNREAD_AT_ONCE)
        ).all()
        around = _around(session, {letter.dossier_id for letter in letters})
    numbers = numbers_of(call.platform, [message for messages in around.values() for message in messages])
    return as_json([_letter(letter, around[letter.dossier_id], numbers) for letter in letters])


def _around(session: Session, dossiers: set[str]) -> dict[str, list[ActesMessage]]:
    """Return the acts, letters and answers of dossiers, oldest first, the act first."""
    found: dict[str, list[ActesMessage]] = {}
    wanted = select(ActesMessage).where(col(ActesMessage.dossier_id).in_(dossiers)).order_by(col(ActesMessage.id))
    for message in session.exec(wanted):
        found.setdefault(message.dossier_id, []).append(message)
    return found


def _letter(letter: ActesMessage, messages: list[ActesMessage], numbers: dict[str, int]) -> dict[str, str]:
    act = next(one for one in messages if one.code == _ACT)
    return {
        "id": str(numbers[letter.id]),
        "type": type_of(letter),
        "related_transaction_id": str(numbers[act.id]),
        "number": letter.id_acte.split("-")[3],
        "unique_id": letter.id_acte,
        "last_status_id": str(statuses.of_message(letter, messages).value),
    }


def read(call: Call) -> Response:
    """Note that a letter was read; whoever only looks changes nothing for the others."""
    call.account.require(Right.DEPOSIT)
    number = read_number(call.query.get("transaction_id", ""))
    with call.platform.database.writing(call.account.principal) as session:
        mark_read(session, message_numbered(session, call.account.organisation.id, number))
    return as_json({"result": "ok"})


def acts(call: Call) -> Response:
    """List the acts of a status, newest first."""
    call.account.require(Right.READ)
    wanted = _int(call, "status_id", 0)
    offset, limit = max(_int(call, "offset", 0), 0), min(max(_int(call, "limit", _LIMIT), 1), _LARGEST_LIMIT)
    conditions = _conditions(call, wanted, _day(call, "min"), _day(call, "max"))
    with reading.opened(call.platform.database, call.account.principal) as session:
        rows = session.exec(
            select(Dossier, ActesMessage)
            .join(ActesMessage, (col(ActesMessage.dossier_id) == col(Dossier.id)) & (col(ActesMessage.code) == _ACT))
            .where(*conditions)
            .order_by(col(Dossier.created).desc(), col(Dossier.id).desc())
            .offset(offset)
            .limit(limit)
        ).all()
    numbers = numbers_of(call.platform, [message for _, message in reversed(rows)])
    listed = [_line(numbers[message.id], Act.from_facts(dossier.facts)) for dossier, message in rows]
    asked = {"status_id": wanted, "authority_id": authority(call), "offset": offset, "limit": limit}
    return as_json({**asked, "transactions": listed})


def _line(number: int, act: Act) -> dict[str, str]:
    return {
        "id": str(number),
        "subject": act.subject,
        "number": act.number,
        "date": act.decision_date.isoformat(),
        "nature_descr": NATURES[act.nature].label,
        "classification": ".".join(map(str, act.matieres)),
        "type": "1",
    }


def count(call: Call) -> Response:
    """Count the acts of a status."""
    call.account.require(Right.READ)
    wanted = _int(call, "status_id", 0)
    with reading.opened(call.platform.database, call.account.principal) as session:
        found = session.exec(select(func.count()).select_from(Dossier).where(*_conditions(call, wanted, None, None))).one()
    return as_json({"status_id": wanted, "authority_id": authority(call), "nb_transactions": str(found)})


def _conditions(call: Call, wanted: int, first: date | None, last: date | None) -> list[Any]:
    conditions: list[Any] = [
        Dossier.flow == ACTES.name,
        Dossier.organisation_id == call.account.organisation.id,
        col(Dossier.state).in_(statuses.states_of(wanted)),
    ]
    if first is not None:
        conditions.append(col(Dossier.created) >= _midnight(first))
    if last is not None and last < date.max:
        conditions.append(col(Dossier.created) < _midnight(last + timedelta(days=1)))
    return conditions


def known_statuses(_call: Call) -> Response:
    """List every status with its name."""
    return as_json([{"id": str(number), "name": name} for number, name in LABELS.items()])


def by_authority(call: Call) -> Response:
    """Count the acts that came in a month, by organisation, for all that a token is good for; last month unless told."""
    return _by_authority(call, ACTES.name)


def pes_by_authority(call: Call) -> Response:
    """Count the PES that came in a month, as ``by_authority``."""
    return _by_authority(call, HELIOS.name)


def _by_authority(call: Call, flow: str) -> Response:
    call.account.require(Right.READ)
    last_month = clock.in_paris(clock.now()).date().replace(day=1) - timedelta(days=1)
    year, month = _int(call, "year", last_month.year), _int(call, "month", last_month.month)
    if not (date.min.year < year < date.max.year and 1 <= month <= _MONTHS):
        raise UsageError(_t("date.invalid", found=f"{year}-{month}"))
    first = date(year, month, 1)
    after = date(year + month // _MONTHS, month % _MONTHS + 1, 1)
    organisations = {one.id: one for one in _organisations(call) if one.siren}
    with reading.opened(call.platform.database, call.account.principal) as session:
        counted = session.exec(
            select(Dossier.organisation_id, func.count())
            .where(Dossier.flow == flow, col(Dossier.organisation_id).in_(organisations))
            .where(col(Dossier.created) >= _midnight(first), col(Dossier.created) < _midnight(after))
            .group_by(col(Dossier.organisation_id))
        ).all()
    totals = Counter({one.siren: 0 for one in organisations.values()})
    for organisation_id, number in counted:
        totals[organisations[organisation_id].siren] += number
    names = {one.siren: one.name for one in reversed(organisations.values())}
    return as_json(
        {
            "result": "ok",
            "message": "",
            "authority_group_id": authority(call),
            "min_date": first.isoformat(),
            "max_date": (after - timedelta(days=1)).isoformat(),
            "nbTransactionPerAuthorities": {
                siren: {"authority_id": int(siren or 0), "name": names[siren], "nb_transactions": number}
                for siren, number in totals.items()
            },
        }
    )


def _organisations(call: Call) -> list[Organisation]:
    held = [one for one in call.account.principal.organisations if call.account.principal.may(Right.READ, one)]
    with call.platform.database.reading(PLATFORM) as session:
        found = session.exec(select(Organisation).where(col(Organisation.id).in_(held)).order_by(Organisation.path))
        return list(found)


def _int(call: Call, name: str, default: int) -> int:
    given = call.query.get(name, "").strip()
    if not given:
        return default
    if not given.removeprefix("-").isdigit() or not given.isascii() or len(given) > len(str(date.max.year)) + 5:
        raise UsageError(_t("number.invalid", name=name, found=given[:20]))
    return int(given)


def _day(call: Call, bound: str) -> date | None:
    """Return a bound of the days of deposit, by either of its names."""
    given = call.query.get(f"{bound}_submission_date") or call.query.get(f"{bound}_date") or ""
    try:
        return date.fromisoformat(given.strip()) if given.strip() else None
    except ValueError as error:
        raise UsageError(_t("date.invalid", found=given[:20])) from error


def _midnight(day: date) -> datetime:
    return datetime.combine(max(day, _EARLIEST), time(), clock.PARIS)
