"""What a report says, in words: one list of sections, from which the page, the document and the terminal are made.

What comes from the file (names, roles) is a stranger's: characters that steer a terminal or turn the direction of writing are
replaced, and endless values are cut.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from babel.dates import format_datetime
from babel.numbers import format_decimal

from core import clock
from core.messages import Catalogue, current_locale
from signing.report.facts import FileFacts, Report
from signing.trust import TrustState
from signing.verdicts import Belief, SignatureVerdict, TimestampVerdict

_t = Catalogue("signing.report")
_LONGEST = 2000
_STAMP = "RFC3161"
_MOMENT = {"fr": "d MMMM y, H 'h' mm 'min' ss 's' (ZZZZ)", "en": "d MMMM y, HH:mm:ss (ZZZZ)"}
_STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class Tone(StrEnum):
    """How a value is to be taken; always said in words too."""

    PLAIN = "plain"
    GOOD = "good"
    DOUBT = "doubt"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Row:
    """A label and its value, which may take several lines."""

    label: str
    lines: tuple[str, ...]
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table; the last ones of most tables are totals, which stand out."""

    cells: tuple[str, ...]
    total: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Figures in columns; each line has as many cells as the head.

    Attributes:
        title: what the lines are.
        head: what the columns are; the first ``words`` of them hold words, the others figures.
    """

    title: str
    head: tuple[str, ...]
    words: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a title, then tables."""

    title: str
    rows: tuple[Row, ...]
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report.

    Attributes:
        language: ``fr`` or ``en``.
        title: what it is.
        verdict: the answer, in a few words.
        tone: of the answer.
        meaning: what the answer means, in a sentence.
        reasons: what concerns the file as a whole.
        sections: the signatures, then the circumstances.
        notes: how to read it.
    """

    language: str
    title: str
    verdict: str
    tone: Tone
    meaning: str
    reasons: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]


_TONES = {
    Belief.VALID: Tone.GOOD,
    Belief.INDETERMINATE: Tone.DOUBT,
    Belief.UNSIGNED: Tone.DOUBT,
    Belief.INVALID: Tone.BAD,
}
_TRUST_TONES = {TrustState.TRUSTED: Tone.GOOD, TrustState.UNKNOWN: Tone.DOUBT, TrustState.EXPIRED: Tone.DOUBT}


def page_of(report: Report) -> Page:
    """Return a report in the words of the current locale."""
    verdict = report.verdict
    count = len(verdict.signatures)
    signatures = [section_of(signature, rank, count) for rank, signature in enumerate(verdict.signatures, 1)]
    return Page(
        language=current_locale(),
        title=_t("title", file=plain(report.file.name)),
        verdict=verdict_in_words(verdict.verdict),
        tone=_TONES[verdict.verdict],
        meaning=_t(f"meaning.{verdict.verdict.value}"),
        reasons=_plain_lines(verdict.reasons),
        sections=(*signatures, _file(report), _circumstances(report)),
        notes=(_t("note.paris"), _t("note.report")),
    )


def tone_of(belief: Belief) -> Tone:
    """Return how a verdict is to be taken."""
    return _TONES[belief]


def verdict_in_words(belief: Belief) -> str:
    """Return a verdict in a few words."""
    return _t(f"verdict.{belief.value}")


def section_of(signature: SignatureVerdict, rank: int, count: int) -> Section:
    """Return what is told of one signature: the verdict, the four answers, the remarks."""
    rows = [
        Row(_t("row.verdict"), (verdict_in_words(signature.verdict),), _TONES[signature.verdict]),
        Row(_t("row.signer"), (plain(signature.signer) if signature.signer else _t("signer.unknown"),)),
        _intact(signature),
        _covers(signature),
        Row(_t("row.trust"), (_trust(signature.trust),), _TRUST_TONES.get(signature.trust, Tone.BAD)),
        _time(signature),
        *(_timestamp(stamp) for stamp in signature.timestamps),
        Row(_t("row.format"), (plain(" ".join(filter(None, (signature.format, signature.level)))),)),
    ]
    if signature.qualification:
        rows.append(Row(_t("row.qualification"), (plain(signature.qualification),)))
    if signature.reasons:
        rows.append(Row(_t("row.reasons"), _plain_lines(signature.reasons)))
    return Section(_t("section.signature", rank=rank, count=count), tuple(rows))


def plain(text: str) -> str:
    """Return a stranger's text without what would steer a terminal or turn the writing, and no longer than two thousand signs."""
    kept = "".join("\ufffd" if unicodedata.category(sign) in _STEERING else sign for sign in text[: _LONGEST + 1])
    return kept if len(kept) <= _LONGEST else kept[:_LONGEST] + "…"


def moment_in_words(moment: datetime) -> str:
    """Return a moment by the clocks of Paris, to the second, with their distance from UTC."""
    return format_datetime(clock.in_paris(moment), _MOMENT[current_locale()], clock.PARIS, current_locale())


def _plain_lines(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(plain(line) for line in dict.fromkeys(lines))


def _intact(signature: SignatureVerdict) -> Row:
    key, tone = ("intact.yes", Tone.GOOD) if signature.intact else ("intact.no", Tone.BAD)
    return Row(_t("row.intact"), (_t(key),), tone)


def _covers(signature: SignatureVerdict) -> Row:
    covers = plain(signature.covers)
    word, _, rest = covers.partition(" ")
    if covers == "nothing":
        return Row(_t("row.covers"), (_t("covers.nothing"),), Tone.BAD)
    known = f"covers.{word}" in _t
    return Row(_t("row.covers"), (_t(f"covers.{word}", name=rest).strip() if known else covers,))


def _trust(state: TrustState) -> str:
    return _t(f"trust.{state.value}")


def _time(signature: SignatureVerdict) -> Row:
    proofs = [stamp.time for stamp in signature.timestamps if stamp.proves and stamp.time]
    lines = []
    if signature.format == _STAMP and signature.signing_time:
        return Row(_t("row.time"), (_t("time.stamped", moment=moment_in_words(signature.signing_time)),))
    if signature.signing_time:
        lines.append(_t("time.claimed", moment=moment_in_words(signature.signing_time)))
    if proofs:
        lines.append(_t("time.proved", moment=moment_in_words(min(proofs))))
    else:
        lines.append(_t("time.unproved"))
    return Row(_t("row.time"), tuple(lines), Tone.GOOD if proofs else Tone.DOUBT)


def _timestamp(stamp: TimestampVerdict) -> Row:
    authority = plain(stamp.authority) if stamp.authority else _t("signer.unknown")
    lines = [authority if stamp.time is None else _t("timestamp.of", authority=authority, moment=moment_in_words(stamp.time))]
    lines.append(_t("timestamp.valid" if stamp.valid else "timestamp.invalid"))
    lines.append(_t("timestamp.trust", state=_trust(stamp.trust)))
    if stamp.reason:
        lines.append(plain(stamp.reason))
    return Row(_t("row.timestamp"), tuple(lines), Tone.GOOD if stamp.proves else Tone.DOUBT)


def _file(report: Report) -> Section:
    rows = [*_file_rows(report.file)]
    if report.detached:
        rows += _file_rows(report.detached, data=True)
    return Section(_t("section.file"), tuple(rows))


def _file_rows(file: FileFacts, *, data: bool = False) -> list[Row]:
    size = format_decimal(file.size, locale=current_locale())
    return [
        Row(_t("row.data" if data else "row.file"), (plain(file.name),)),
        Row(_t("row.size"), (_t("size", size=size),)),
        Row(_t("row.sha256"), (file.sha256,)),
    ]


def _circumstances(report: Report) -> Section:
    name, number = report.software
    rows = [Row(_t("row.made"), (moment_in_words(report.made),))]
    if report.at != report.made:
        rows.append(Row(_t("row.at"), (moment_in_words(report.at),)))
    key = "store.some" if report.anchors or report.services else "store.none"
    rows += [
        Row(_t("row.store"), (_t(key, anchors=report.anchors, services=report.services, lists=report.revocations),)),
        Row(_t("row.software"), (f"{name.capitalize()} {number}",)),
        Row(_t("row.report"), (report.sha256,)),
    ]
    return Section(_t("section.circumstances"), tuple(rows))
