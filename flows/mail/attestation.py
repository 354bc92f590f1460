"""The attestation of a send: what its statements prove, and what they do not, for people; tagged PDF.

It sums statements up and is no proof itself: it names each by its digest. One for a recipient shows no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from babel.numbers import format_decimal

from core import clock
from core.messages import Catalogue, current_locale
from flows.mail.events import EventKind
from flows.mail.keeping import TAKEN
from flows.mail.models import NoticeState, RecipientState
from flows.mail.proof import digest_of
from signing.docket.page import day_in_words
from signing.report.content import Page, Row, Section, Tone, moment_in_words, plain
from signing.report.pdf import as_pdf

_t = Catalogue("flows.mail")
Told = Mapping[str, Any]
_TONES = {
    RecipientState.WITHDRAWN.value: Tone.GOOD,
    RecipientState.ANSWERED.value: Tone.GOOD,
    RecipientState.FAILED.value: Tone.BAD,
    RecipientState.REFUSED.value: Tone.BAD,
    RecipientState.EXPIRED.value: Tone.DOUBT,
    RecipientState.DELAYED.value: Tone.DOUBT,
}
_INDICATIONS = frozenset({EventKind.OPENED, EventKind.DELIVERED})
_ACTS = frozenset({EventKind.REFUSED, EventKind.NOT_ME, EventKind.EXPIRED, EventKind.ANSWERED, EventKind.CANCELLED})
"""What proves something of a recipient by itself, beside the withdrawal."""
_TAKEN_OVER = 250
"""Reply code of a server that answers for a message from then on (RFC 5321, 4.2.5)."""
_UNPROVED = ("identity", "mailbox", "reading", "hours", "service")


def of_recipient(told: Told, made: datetime | None = None) -> bytes:
    """Return the attestation of one recipient as a tagged PDF, in the current locale; the same statement gives the same bytes.

    Args:
        told: the statement of the recipient.
        made: the document's own date.

    Raises:
        SandboxError: it could not be composed.
        Unavailable: too many wait for their turn.
    """
    return as_pdf(recipient_page(told), made)


def of_send(told: Mapping[str | None, Told], made: datetime | None = None) -> bytes:
    """Return the attestation of the whole send; see ``of_recipient``.

    Args:
        told: every statement of the send (``proof.statements``).
        made: the document's own date.
    """
    return as_pdf(send_page(told), made)


def recipient_page(told: Told) -> Page:
    """Return the attestation of one recipient in the words of the current locale."""
    recipient = told["recipient"]
    state, address = recipient["state"], plain(recipient["address"])
    sections = (
        Section(_t("proof.section.proved"), tuple(_proved(told))),
        Section(_t("proof.section.unproved"), tuple(_unproved(told))),
        Section(_t("proof.section.send"), (*_send(told), *_who(recipient))),
        Section(_t("proof.section.documents"), tuple(_documents(told))),
        Section(_t("proof.section.messages"), tuple(map(_notice, told["notices"]))),
        Section(_t("proof.section.returns"), tuple(map(_return, told["returns"]))),
        Section(_t("proof.section.answer"), (*_answers(told), *_attendance(told))),
        Section(_t("proof.section.history"), tuple(map(_event, told["events"]))),
        Section(_t("proof.section.statement"), (Row(_t("proof.row.statement"), (digest_of(told),)),)),
    )
    return Page(
        language=current_locale(),
        title=_t("proof.title.recipient", subject=plain(told["message"]["subject"])),
        verdict=_t(f"proof.state.{state}"),
        tone=_TONES.get(state, Tone.PLAIN),
        meaning=_t(f"proof.meaning.{state}", address=address, until=_day(recipient["withdraw_until"])),
        reasons=(),
        sections=tuple(one for one in sections if one.rows),
        notes=(_t("proof.note.summary"), _t("proof.note.private")),
    )


def send_page(told: Mapping[str | None, Told]) -> Page:
    """Return the attestation of the whole send in the words of the current locale."""
    whole = told[None]
    ones = [one for recipient_id, one in told.items() if recipient_id is not None]
    taken = sum(one["recipient"]["state"] in TAKEN for one in ones)
    sections = (
        Section(_t("proof.section.recipients"), tuple(map(_stands, ones))),
        Section(_t("proof.section.unproved"), tuple(_unproved(whole))),
        Section(_t("proof.section.send"), tuple(_send(whole))),
        Section(_t("proof.section.documents"), tuple(_documents(whole))),
        Section(_t("proof.section.history"), tuple(map(_event, whole["events"]))),
        Section(_t("proof.section.statement"), tuple(_statements(told))),
    )
    return Page(
        language=current_locale(),
        title=_t("proof.title.send", subject=plain(whole["message"]["subject"])),
        verdict=_t("proof.taken", taken=taken, count=len(ones)),
        tone=Tone.GOOD if taken == len(ones) else Tone.PLAIN,
        meaning=_t("proof.meaning.send"),
        reasons=(),
        sections=tuple(one for one in sections if one.rows),
        notes=(_t("proof.note.summary"), _t("proof.note.private")),
    )


def _proved(told: Told) -> list[Row]:
    """Return what the statement proves of one recipient, in order: taken in, handed over, withdrawn or not."""
    known = [(event["at"], _act(told, event)) for event in told["events"]]
    for notice in told["notices"]:
        known += [(one["at"], _handed(notice, one)) for one in notice["evidence"]]
    return [Row(_moment(at), *said) for at, said in sorted(known, key=lambda one: one[0]) if said]


def _handed(notice: Told, attempt: Told) -> tuple[tuple[str, ...], Tone] | None:
    """Return what an attempt proves: that a server answers for the message; None when it does not."""
    if attempt.get("code") != _TAKEN_OVER and "report" not in attempt:
        return None
    key = "proof.proved.reported" if "report" in attempt else "proof.proved.handed"
    said = _t(key, host=plain(attempt.get("host", "")), to=plain(notice["address"]), code=attempt.get("code", ""))
    return (said,), Tone.GOOD


def _act(told: Told, event: Told) -> tuple[tuple[str, ...], Tone] | None:
    """Return what an event proves, and how that is to be taken; None when it proves nothing of the recipient."""
    facts, kind = event.get("facts", {}), event["kind"]
    places = {
        "address": plain(facts.get("address") or told["recipient"]["address"]),
        "until": _day(told["recipient"]["withdraw_until"]),
    }
    if kind == EventKind.ACCEPTED and "address" in facts:
        return (_t("proof.proved.accepted", **places),), Tone.PLAIN
    if kind in _ACTS:
        reason = (plain(str(facts["reason"])),) if facts.get("reason") else ()
        return (_t(f"proof.proved.{kind}", **places), *reason, *_from(facts)), Tone.PLAIN
    if kind != EventKind.WITHDRAWN:
        return None
    lines = [_t("proof.proved.withdrawn", **places), _t(f"proof.level.{facts.get('level', told['recipient']['level'])}")]
    if facts.get("name"):
        lines.append(_t("proof.named", name=plain(facts["name"])))
    if facts.get("documents"):
        lines.append(_t("proof.shown", names=plain(", ".join(one["name"] for one in facts["documents"]))))
    if facts.get("late"):
        lines.append(_t("proof.late", **places))
    return (*lines, *_from(facts)), Tone.GOOD


def _unproved(told: Told) -> Iterator[Row]:
    level = told["recipient"]["level"] if "recipient" in told else told["send"]["terms"].get("level", 0)
    for what in _UNPROVED:
        key = f"proof.unproved.identity.{level}" if what == "identity" else f"proof.unproved.{what}"
        yield Row(_t(f"proof.row.{what}"), (_t(key),))


def _send(told: Told) -> Iterator[Row]:
    send = told["send"]
    number = send["organisation_number"]
    shown = {
        "organisation": f"{send['organisation']} ({number})" if number else send["organisation"],
        "sender": send["sender"],
        "subject": told["message"]["subject"],
        "kind": _t(f"proof.kind.{send['kind']}"),
        "regime": _t(f"proof.regime.{send['terms']['regime']}") if send["terms"] else "",
        "sent": _moment(send["sent"]),
        "until": _day(send["withdraw_until"]),
        "cancelled": " – ".join(filter(None, (_moment(send["cancelled"]), send["reason"]))) if send["cancelled"] else "",
        "purged": _moment(send["purged"]),
        "dossier": send["id"],
    }
    for name, value in shown.items():
        if value:
            yield Row(_t(f"proof.row.{name}"), (plain(value),))


def _who(recipient: Told) -> Iterator[Row]:
    yield Row(_t("proof.row.recipient"), (_name(recipient), _t(f"proof.place.{recipient['place']}")))
    if recipient["consent"]:
        said = _t("proof.consent", day=_day(recipient["consent"]), reference=plain(recipient["consent_reference"] or "–"))
        yield Row(_t("proof.row.consent"), (said,))


def _documents(told: Told) -> Iterator[Row]:
    yield Row(_t("proof.row.message"), (_t("proof.sha256", digest=told["message"]["sha256"]),))
    for one in told["documents"]:
        yield Row(_t(f"proof.row.{one['role']}"), _file(one))


def _file(one: Told) -> tuple[str, ...]:
    size = _t("proof.size", size=format_decimal(one["size"], locale=current_locale()))
    return plain(one["name"]), size, _t("proof.sha256", digest=one["sha256"])


def _notice(one: Told) -> Row:
    stem = one["occasion"].partition("-")[0]
    key = f"proof.occasion.{stem}"
    lines = [_t(key if key in _t else "proof.occasion.other", occasion=one["occasion"]), plain(one["address"])]
    lines.append(_t(f"proof.notice.{one['state']}", moment=_moment(one["accepted"]) or "–"))
    for attempt in one["evidence"]:
        said = [str(attempt[key]) for key in ("at", "host", "code", "text", "tls") if attempt.get(key) not in {None, ""}]
        lines.append(plain(" – ".join([*said, *([_t("proof.notice.unknown")] if attempt.get("unknown") else [])])))
    if one["message_id"]:
        lines.append(plain(f"Message-ID {one['message_id']}"))
    if one["sha256"]:
        lines.append(_t("proof.sha256", digest=one["sha256"]))
    tone = Tone.GOOD if one["state"] == NoticeState.ACCEPTED.value else Tone.PLAIN
    return Row(_moment(one["accepted"] or one["left"]) or _t("proof.notice.unsent"), tuple(lines), tone)


def _return(one: Told) -> Row:
    key = f"proof.return.{one['what']}"
    said = " ".join(filter(None, (one["status"], one["diagnostic"])))
    lines = (_t(key if key in _t else "proof.return.unknown"), plain(said), _t("proof.sha256", digest=one["sha256"]))
    return Row(_moment(one["received"]), tuple(filter(None, lines)))


def _answers(told: Told) -> Iterator[Row]:
    for one in told["answers"]:
        text = _t("proof.answer.destroyed") if one["text"] is None else one["text"] or _t("proof.answer.empty")
        yield Row(_moment(one["at"]), tuple(map(plain, text.splitlines())))
        yield from (Row(_t("proof.row.answer"), _file(file)) for file in one["files"])


def _attendance(told: Told) -> Iterator[Row]:
    seat = told["attendance"]
    if seat:
        yield Row(_t("proof.row.presence"), (_t(f"proof.presence.{seat['presence']}"), _moment(seat["answered"]) or "–"))
        for one in seat["questions"]:
            yield Row(plain(one["question"]), (_t(f"proof.said.{one['answer']}"), _moment(one["at"])))


def _event(one: Told) -> Row:
    lines = [_t(f"proof.event.{one['kind']}")]
    facts = one.get("facts")
    if facts is None:
        lines.append(_t("proof.withheld", digest=one["sha256"]))
    elif one["kind"] in _INDICATIONS:
        lines.append(_t("proof.indication.machine" if facts.get("automatic") else "proof.indication"))
    elif one["kind"] == EventKind.DOWNLOADED:
        lines.append(plain(str(facts.get("name", ""))))
    return Row(_moment(one["at"]), (*filter(None, lines), *_from(facts or {})))


def _from(facts: Told) -> tuple[str, ...]:
    """Return from where somebody acted."""
    said = [_t(f"proof.from.{key}", value=plain(str(facts[key]))) for key in ("ip", "agent", "language", "tls") if facts.get(key)]
    return (" – ".join(said),) if said else ()


def _stands(one: Told) -> Row:
    """Return where a recipient stands, with the two moments that count."""
    recipient = one["recipient"]
    lines = [_t(f"proof.state.{recipient['state']}"), _t(f"proof.place.{recipient['place']}")]
    handed = [notice["accepted"] for notice in one["notices"] if notice["accepted"]]
    if handed:
        lines.append(_t("proof.first_handed", moment=_moment(min(handed))))
    if recipient["withdrawn"]:
        lines.append(_t("proof.first_withdrawn", moment=_moment(recipient["withdrawn"])))
    if recipient["trouble"] and recipient["state"] in {RecipientState.FAILED.value, RecipientState.DELAYED.value}:
        lines.append(plain(recipient["trouble"]))
    return Row(_name(recipient), tuple(lines), _TONES.get(recipient["state"], Tone.PLAIN))


def _statements(told: Mapping[str | None, Told]) -> Iterator[Row]:
    for recipient_id, one in told.items():
        label = _t("proof.row.whole") if recipient_id is None else plain(one["recipient"]["address"])
        yield Row(label, (digest_of(one),))


def _name(recipient: Told) -> str:
    address = plain(recipient["address"])
    return f"{plain(recipient['name'])} <{address}>" if recipient["name"] else address


def _moment(moment: str | None) -> str:
    return moment_in_words(clock.from_iso(moment)) if moment else ""


def _day(day: str | None) -> str:
    return day_in_words(date.fromisoformat(day)) if day else "–"
