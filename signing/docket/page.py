"""A docket in words: one page of sections, from which the document and the page on screen are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from core import clock
from core.messages import Catalogue, current_locale
from signing.docket.content import Asked, Docket, Field, Happened, Listed, Who
from signing.parapheur import metadata
from signing.parapheur.metadata import Value
from signing.parapheur.models import DocumentKind, FolderState, TaskState
from signing.report.content import Page, Row, Section, Tone, plain, section_of, tone_of, verdict_in_words
from signing.verdicts import FileVerdict

_t = Catalogue("signing.docket")
_MOMENT = {"fr": "d MMMM y 'à' H 'h' mm", "en": "d MMMM y 'at' HH:mm"}
_STATES = {FolderState.FINISHED: Tone.GOOD, FolderState.REJECTED: Tone.BAD, FolderState.ERASED: Tone.BAD}
_TASKS = {TaskState.DONE: Tone.GOOD, TaskState.REJECTED: Tone.BAD}
_NOTED = {"rejected", "bypassed"}


def page_of(docket: Docket, *, printed: bool = False) -> Page:
    """Return a docket in the words of the current locale.

    Args:
        docket: it.
        printed: it stands behind a print of the documents, whose signatures cannot be verified there.
    """
    return Page(
        language=current_locale(),
        title=_t("title", title=plain(docket.title)),
        verdict=_t(f"state.{docket.state.value}"),
        tone=_STATES.get(docket.state, Tone.PLAIN),
        meaning=_t(f"meaning.{docket.state.value}", moment=minute_in_words(docket.at)),
        reasons=_reasons(docket, printed=printed),
        sections=tuple(section for section in _sections(docket) if section.rows),
        notes=(*((_t("note.printed"),) if printed else ()), _t("note.private"), _t("note.proof")),
    )


def in_words(field: Field) -> str:
    """Return the value of a metadata as people write it; one that does not read as its kind, as it is kept."""
    try:
        value = metadata.read(field.value, field.kind)
    except ValueError:
        return plain(field.value)
    return plain(_value(value))


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return _t("yes" if value else "no")
    if isinstance(value, date):
        return day_in_words(value)
    if isinstance(value, Decimal):  # as many decimals as were typed: an amount has two, even when the last is zero
        places = -min(0, int(value.as_tuple().exponent))
        return format_decimal(value, "#,##0" + "." * bool(places) + "0" * places, current_locale())
    return value


def _reasons(docket: Docket, *, printed: bool) -> tuple[str, ...]:
    last = docket.events[-1] if docket.events else None
    said = []
    if docket.state is FolderState.REJECTED and last is not None and last.note:
        said.append(_t("reason.rejected", who=who_in_words(last.who), note=_line(last.note)))
    if docket.broken_at is not None:
        said.append(_t("reason.broken", number=docket.broken_at))
    if docket.unborne:
        said.append(_t("reason.unborne", number=docket.unborne[0]))
    if printed:
        said.append(_t("reason.printed"))
    return tuple(said)


def _sections(docket: Docket) -> Iterator[Section]:
    yield Section(_t("section.folder"), tuple(_folder(docket)))
    yield Section(_t("section.documents"), tuple(_documents(docket)))
    yield Section(_t("section.circuit"), tuple(_asked(one) for one in docket.asked))
    for listed in docket.documents:
        yield from _signatures(docket, listed)
    yield Section(_t("section.history"), tuple(_happened(one) for one in docket.events))
    yield Section(_t("section.proof"), tuple(_proof(docket)))


def _folder(docket: Docket) -> Iterator[Row]:
    yield Row(_t("row.organisation"), (plain(docket.organisation),))
    if docket.kind:
        yield Row(_t("row.kind"), (plain(" – ".join(docket.kind)),))
    yield Row(_t("row.emitter"), (plain(docket.emitter),))
    yield Row(_t("row.created"), (minute_in_words(docket.created),))
    if docket.due:
        yield Row(_t("row.due"), (day_in_words(docket.due),))
    yield Row(_t("row.visibility"), (_t(f"visibility.{docket.visibility.value}"),))
    if docket.external_id:
        yield Row(_t("row.external"), (plain(docket.external_id),))
    for field in docket.fields:
        yield Row(plain(field.name), (in_words(field),))


def _documents(docket: Docket) -> Iterator[Row]:
    ranks, names = dict.fromkeys(DocumentKind, 0), {one.id: one.name for one in docket.documents}
    for one in docket.documents:
        ranks[one.kind] += 1
        lines = [plain(one.name), _t("document.size", size=format_decimal(one.size, locale=current_locale()))]
        if one.signs in names:
            lines.insert(1, _t("document.signs", name=plain(names[one.signs])))
        lines.append(_t("document.sha256", digest=one.sha256))
        if one.source_sha256 != one.sha256:
            lines.append(_t("document.source", digest=one.source_sha256))
        yield Row(_t(f"document.{one.kind.value}", rank=ranks[one.kind]), tuple(lines))


def _asked(one: Asked) -> Row:
    lines = [plain(one.desk)]
    done = _t(f"task.{one.state.value}")
    if one.who is not None and one.closed is not None:
        at_home = replace(one.who, desk=None) if one.who.desk == one.desk else one.who
        lines += [_t("asked.done", done=done, moment=minute_in_words(one.closed)), who_in_words(at_home)]
    else:
        lines.append(done)
    return Row(_t("asked", rank=one.rank, kind=_t(f"kind.{one.kind.value}")), tuple(lines), _TASKS.get(one.state, Tone.PLAIN))


def _signatures(docket: Docket, listed: Listed) -> Iterator[Section]:
    checked = listed.checked
    if checked is None:
        return
    title = _t("section.signatures", name=plain(listed.name))
    if checked.verdict is not None and checked.verdict.signatures:
        yield Section(title, tuple(_verdicts(checked.verdict)))
    elif not any(one.signs == listed.id for one in docket.documents):
        found = _t("signatures.problem", reason=plain(checked.problem)) if checked.problem else _t("signatures.none")
        yield Section(title, (Row(_t("signatures"), (found,)),))


def _verdicts(verdict: FileVerdict) -> Iterator[Row]:
    """Return a row for each signature, its answers apart: whether it is intact, what it covers, whose it is, since when.

    What concerns the file as a whole comes first: all signatures may hold where a part of the file has none.
    """
    if verdict.reasons:
        lines = [verdict_in_words(verdict.verdict), *map(plain, verdict.reasons)]
        yield Row(_t("signatures"), tuple(lines), tone_of(verdict.verdict))
    count = len(verdict.signatures)
    for rank, signature in enumerate(verdict.signatures, 1):
        lines = []
        for row in section_of(signature, rank, count).rows:
            mark = "" if row.label.endswith("?") else _t("colon")
            lines += [f"{row.label}{mark} {'. '.join(line.rstrip('.') for line in row.lines)}."]
        yield Row(_t("signature", rank=rank, count=count), tuple(lines), tone_of(signature.verdict))


def _happened(one: Happened) -> Row:
    key = f"event.{one.kind}"
    what = _t(key, desk=plain(one.toward or "")) if key in _t else _t("event.other", kind=plain(one.kind))
    lines = [_t("happened", number=one.number, what=what), who_in_words(one.who)]
    if one.note:
        lines.append(_t("note", note=_line(one.note)))
    return Row(minute_in_words(one.at), tuple(lines), Tone.BAD if one.kind in _NOTED else Tone.PLAIN)


def _proof(docket: Docket) -> Iterator[Row]:
    holds = docket.broken_at is None and not docket.unborne
    yield Row(_t("row.chain"), (_t("chain.holds" if holds else "chain.broken"),), Tone.GOOD if holds else Tone.BAD)
    if docket.events:
        yield Row(_t("row.digest"), (docket.events[-1].digest,))
    if docket.entry:
        yield Row(_t("row.entry"), (docket.entry,))
    yield Row(_t("row.dossier"), (docket.dossier_id,))


def who_in_words(who: Who) -> str:
    """Return who acted, at which desk and in whose place, in the current locale."""
    name = plain(who.person) if who.person else _t(f"who.{who.actor}" if f"who.{who.actor}" in _t else "who.other")
    if who.absent:
        return _t("who.absent", name=name, desk=plain(who.desk or ""), absent=plain(who.absent))
    return _t("who.desk", name=name, desk=plain(who.desk)) if who.desk else name


def _line(note: str) -> str:
    """Return a note in one line: what it says counts here, not how it was laid out."""
    return plain(" ".join(note.split()))


def day_in_words(day: date) -> str:
    """Return a day as letters and dockets write it."""
    return _first(format_date(day, "long", current_locale()))


def minute_in_words(moment: datetime) -> str:
    """Return a moment to the minute, on the clocks of metropolitan France."""
    return _first(format_datetime(clock.in_paris(moment), _MOMENT[current_locale()], clock.PARIS, current_locale()))


def _first(text: str) -> str:
    """Write the first day of a month as French does."""
    return f"1er{text[1:]}" if text.startswith("1 ") and current_locale() == "fr" else text
