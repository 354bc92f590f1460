"""The sheet of an invoice: its life on one page, for whoever audits the expense. It sums up, and is no proof itself."""

from __future__ import annotations

from collections.abc import Iterator

from babel.numbers import format_decimal

from connectors.chorus.statuses import Status, reason_word, word
from core.messages import Catalogue, current_locale
from flows.invoices.lived import APPROVALS, Decision, Life
from flows.invoices.models import Handover, HandoverState
from signing.docket.content import Happened
from signing.docket.page import day_in_words, minute_in_words, who_in_words
from signing.report.content import Page, Row, Section, Tone, plain
from signing.report.pdf import as_pdf

_t = Catalogue("flows.invoices")
_TONES = {Status.PAID: Tone.GOOD, Status.REJECTED: Tone.BAD}
_OUTCOMES = {"told": Tone.GOOD, "dropped": Tone.DOUBT, "refused": Tone.BAD}
_TAKEN = {HandoverState.TAKEN.value: Tone.GOOD, HandoverState.REFUSED.value: Tone.BAD}


def pdf(life: Life) -> bytes:
    """Return the sheet of an invoice as a tagged PDF, in the current locale; the same life gives the same bytes.

    Raises:
        SandboxError: it could not be composed.
        Unavailable: too many wait for their turn.
    """
    return as_pdf(page_of(life), life.until)


def page_of(life: Life) -> Page:
    """Return the sheet of an invoice in the words of the current locale."""
    invoice = life.invoice
    sections = (
        Section(_t("sheet.section.invoice"), tuple(_invoice(life))),
        Section(_t("sheet.section.visas"), (*map(_visa, life.visas), *_accepted(life))),
        Section(_t("sheet.section.decisions"), tuple(map(_decision, life.decisions))),
        Section(_t("sheet.section.statuses"), tuple(_statuses(life))),
        Section(_t("sheet.section.handovers"), tuple(map(_handover, life.handovers))),
    )
    return Page(
        language=current_locale(),
        title=_t("sheet.title", number=plain(invoice.number)),
        verdict=plain(word(invoice.status)),
        tone=_TONES.get(Status(invoice.status), Tone.PLAIN) if invoice.status in set(Status) else Tone.PLAIN,
        meaning=_t("sheet.meaning", moment=minute_in_words(life.until)),
        reasons=(),
        sections=tuple(one for one in sections if one.rows),
        notes=(_t("sheet.note.proof"), _t("sheet.note.times")),
    )


def sentences(life: Life) -> Iterator[str]:
    """Yield what an auditor asks first, in sentences of the current locale; desks are named, people are not."""
    for visa in life.visas:
        if visa.kind in APPROVALS:
            yield _t("sheet.said.approved", moment=minute_in_words(visa.at), desk=plain(visa.who.desk or "–"))
    for one in life.decisions:
        if one.outcome == "told" and one.closed is not None:
            yield _t("sheet.said.told", status=plain(word(one.status)), moment=minute_in_words(one.closed))
    for handover in life.handovers:
        yield _t("sheet.said.handed", moment=minute_in_words(handover.offered), state=_t(f"sheet.handover.{handover.state}"))


def _invoice(life: Life) -> Iterator[Row]:
    invoice = life.invoice
    supplier = f"{invoice.supplier_name} ({invoice.supplier})" if invoice.supplier_name else invoice.supplier
    amount = "" if invoice.gross is None else f"{format_decimal(invoice.gross, '#,##0.00', current_locale())} {invoice.currency}"
    told = {
        "organisation": life.organisation,
        "number": invoice.number,
        "supplier": supplier,
        "issued": day_in_words(invoice.issued) if invoice.issued else "",
        "deposited": minute_in_words(invoice.deposited) if invoice.deposited else "",
        "amount": amount,
        "service": " – ".join(filter(None, (invoice.service_code, invoice.service_name))),
        "engagement": invoice.engagement,
        "contract": invoice.contract,
        "mandate": invoice.mandate,
        "chorus": f"{invoice.chorus_id} ({invoice.environment})",
        "available": minute_in_words(invoice.available) if invoice.available else "",
        "dossier": invoice.dossier_id,
    }
    for name, value in told.items():
        if value:
            yield Row(_t(f"sheet.row.{name}"), (plain(value),))


def _visa(one: Happened) -> Row:
    lines = [_t(f"sheet.visa.{one.kind}"), who_in_words(one.who)]
    if one.note:
        lines.append(_t("sheet.quoted", words=_line(one.note)))
    tone = Tone.GOOD if one.kind in APPROVALS else Tone.BAD if one.kind == "rejected" else Tone.PLAIN
    return Row(minute_in_words(one.at), tuple(lines), tone)


def _accepted(life: Life) -> Iterator[Row]:
    for at, who in life.accepted:
        yield Row(minute_in_words(at), (_t("sheet.accepted"), who_in_words(who)), Tone.DOUBT)


def _decision(one: Decision) -> Row:
    moment = minute_in_words(one.closed) if one.closed else ""
    lines = [
        _t(f"sheet.outcome.{one.outcome}", moment=moment),
        _t("sheet.asked", moment=minute_in_words(one.asked), who=who_in_words(one.who)),
    ]
    if one.mandate:
        lines.append(_t("sheet.mandate", number=plain(one.mandate)))
    if one.reason:
        lines.append(_t("sheet.quoted", words=_line(one.reason)))
    if one.reason_code:
        lines.append(_t("sheet.code", code=one.reason_code, label=plain(reason_word(one.reason_code))))
    if one.trouble and one.outcome != "told":
        lines.append(_line(one.trouble))
    return Row(plain(word(one.status)), tuple(lines), _OUTCOMES.get(one.outcome, Tone.PLAIN))


def _statuses(life: Life) -> Iterator[Row]:
    for step in life.steps:
        lines = [plain(word(step.code))]
        if step.comment.strip():
            lines.append(_t("sheet.quoted", words=_line(step.comment)))
        yield Row(minute_in_words(step.moment), tuple(lines))


def _handover(one: Handover) -> Row:
    moment = minute_in_words(one.answered) if one.answered else ""
    lines = [
        _t(f"sheet.answer.{one.state}", moment=moment),
        _t("sheet.handed", moment=minute_in_words(one.offered), channel=_t(f"sheet.channel.{one.channel}")),
        _t("sheet.delivery", name=plain(one.delivery)),
    ]
    if one.sha256:
        lines.append(_t("sheet.sha256", digest=one.sha256))
    if one.software_reference:
        lines.append(_t("sheet.reference", reference=plain(one.software_reference)))
    if one.reason:
        lines.append(_t("sheet.quoted", words=_line(one.reason)))
    return Row(_t("sheet.cycle", cycle=one.cycle), tuple(lines), _TAKEN.get(one.state, Tone.PLAIN))


def _line(words: str) -> str:
    return plain(" ".join(words.split()))
