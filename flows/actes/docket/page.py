"""The docket of an act in words: one page of sections, from which the document is made."""

from __future__ import annotations

from collections.abc import Iterator

from babel.numbers import format_decimal

from core.messages import Catalogue, current_locale
from flows.actes.docket.content import Docket, Exchanged, File, Sent
from flows.actes.wording import message_label
from signing.docket.page import day_in_words, minute_in_words
from signing.report.content import Page, Row, Section, Tone, plain

_t = Catalogue("flows.actes.docket")


def page_of(docket: Docket) -> Page:
    """Return a docket in the words of the current locale."""
    received = day_in_words(docket.received)
    state = "cancelled" if docket.cancelled else "asked" if docket.asked else "received"
    return Page(
        language=current_locale(),
        title=_t("title", number=plain(docket.number)),
        verdict=_t(f"state.{state}", received=received, cancelled=day_in_words(docket.cancelled) if docket.cancelled else ""),
        tone=Tone.GOOD if state == "received" else Tone.DOUBT,
        meaning=_t(f"meaning.{state}", identifier=plain(docket.identifier), moment=minute_in_words(docket.at)),
        reasons=(),
        sections=(
            Section(_t("section.act"), tuple(_act(docket))),
            Section(_t("section.transmission"), tuple(_transmission(docket))),
            Section(_t("section.files"), tuple(map(_sent, docket.files))),
            Section(_t("section.exchanged"), tuple(map(_exchanged, docket.exchanged))),
            Section(_t("section.proof"), tuple(_proof(docket))),
        ),
        notes=(_t("note.proof"), _t("note.times")),
    )


def _act(docket: Docket) -> Iterator[Row]:
    code = ".".join(map(str, docket.matieres))
    yield Row(_t("row.number"), (plain(docket.number),))
    yield Row(_t("row.subject"), (plain(docket.subject),))
    yield Row(_t("row.nature"), (plain(docket.nature),))
    yield Row(_t("row.matiere"), (plain(f"{code} – {docket.matiere}" if docket.matiere else code),))
    yield Row(_t("row.decided"), (day_in_words(docket.decided),))
    yield Row(_t("row.identifier"), (plain(docket.identifier),))
    if docket.previous:
        yield Row(_t("row.previous"), (plain(docket.previous),))
    if docket.paper:
        yield Row(_t("row.paper"), (_t("paper"),))


def _transmission(docket: Docket) -> Iterator[Row]:
    organisation = _t("organisation", name=docket.organisation, siren=docket.siren) if docket.siren else docket.organisation
    yield Row(_t("row.organisation"), (plain(organisation),))
    actor = f"sender.{docket.actor}"
    unnamed = _t(actor) if actor in _t else _t("sender.other")
    yield Row(_t("row.sender"), (plain(docket.sender) if docket.sender else unnamed,))
    yield Row(_t("row.deposited"), (minute_in_words(docket.deposited),))
    yield Row(_t("row.sent"), (minute_in_words(docket.sent),))
    yield Row(_t("row.received"), (day_in_words(docket.received), _t("told", moment=minute_in_words(docket.told))), Tone.GOOD)
    if docket.asked:
        yield Row(_t("row.asked"), (minute_in_words(docket.asked),))
    if docket.cancelled:
        yield Row(_t("row.cancelled"), (day_in_words(docket.cancelled),), Tone.DOUBT)
    if docket.classification:
        yield Row(_t("row.classification"), (day_in_words(docket.classification),))


def _sent(one: Sent) -> Row:
    name, digest = _told(one.file)
    lines = [name, plain(f"{one.type_label} ({one.type})" if one.type_label else one.type), digest]
    if one.signature:
        signed, digest = _told(one.signature)
        lines += [_t("file.signed", name=signed), digest]
    return Row(_t("file.annex", rank=one.rank) if one.rank else _t("file.main"), tuple(lines))


def _told(file: File) -> tuple[str, str]:
    size = format_decimal(file.size, locale=current_locale())
    return _t("file", name=plain(file.name), size=size), file.sha256


def _exchanged(one: Exchanged) -> Row:
    lines = [_t("exchanged", label=message_label(one.code), code=one.code, way=_t("way.out" if one.outgoing else "way.in"))]
    if one.day and one.day != one.letter:
        lines.append(_t("exchanged.day", day=day_in_words(one.day)))
    if one.letter:
        lines.append(_t("exchanged.letter", day=day_in_words(one.letter)))
    return Row(minute_in_words(one.at), (*lines, *(plain(name) for name in one.files)))


def _proof(docket: Docket) -> Iterator[Row]:
    yield Row(_t("row.receipt"), _told(docket.receipt))
    if docket.envelope:
        yield Row(_t("row.envelope"), _told(docket.envelope))
    yield Row(_t("row.dossier"), (docket.dossier_id,))
