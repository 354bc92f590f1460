"""The sheet of a send for those who approve it: what will be said, to whom, with which documents; a tagged PDF.

It shows what the sender sees. It is read in the parapheur, and never by a recipient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from babel.numbers import format_decimal

from core.messages import Catalogue, current_locale
from flows.engine.work import KeptFile
from flows.mail.kinds import Kind
from flows.mail.models import Mail, MailRecipient, Place
from signing.report.content import Page, Row, Section, Tone, plain
from signing.report.pdf import as_pdf

_t = Catalogue("flows.mail")
_PIECE = 1500
"""Characters of a line: a longer one would be cut (``plain``), and a message is shown whole."""


def pdf(mail: Mail, kind: Kind, recipients: Sequence[MailRecipient], documents: Sequence[KeptFile], made: datetime) -> bytes:
    """Return the sheet of a send in the current locale; the same send gives the same bytes.

    Args:
        mail: which is to leave.
        kind: the terms under which it was accepted.
        recipients: in their order.
        documents: what goes with it.
        made: the document's own date.

    Raises:
        SandboxError: it could not be composed.
        Unavailable: too many wait for their turn.
    """
    return as_pdf(page_of(mail, kind, recipients, documents), made)


def page_of(mail: Mail, kind: Kind, recipients: Sequence[MailRecipient], documents: Sequence[KeptFile]) -> Page:
    """Return the sheet of a send in the words of the current locale."""
    sections = (
        Section(_t("visa.section.send"), tuple(_send(mail, kind))),
        Section(_t("visa.section.message"), (Row(_t("visa.row.message"), tuple(_lines(mail.body)) or ("–",)),)),
        Section(_t("visa.section.recipients"), tuple(_recipients(recipients))),
        Section(_t("visa.section.documents"), tuple(map(_document, documents))),
    )
    return Page(
        language=current_locale(),
        title=_t("visa.title", subject=plain(mail.subject)),
        verdict=_t("visa.verdict"),
        tone=Tone.PLAIN,
        meaning=_t("visa.meaning", count=len(recipients)),
        reasons=(),
        sections=tuple(one for one in sections if one.rows),
        notes=(_t("visa.note"),),
    )


def _send(mail: Mail, kind: Kind) -> Iterator[Row]:
    shown = {
        "subject": mail.subject,
        "sender": mail.sender,
        "reply_to": mail.reply_to,
        "kind": _t(f"proof.kind.{mail.kind}"),
        "regime": _t(f"proof.regime.{kind.regime.value}"),
        "delay": _t("visa.delay", days=kind.withdraw_days),
        "dossier": mail.dossier_id,
    }
    for name, value in shown.items():
        if value:
            yield Row(_t(f"visa.row.{name}"), (plain(value),))


def _lines(body: str) -> Iterator[str]:
    for line in body.splitlines():
        pieces = [line[start : start + _PIECE] for start in range(0, len(line), _PIECE)]
        yield from map(plain, pieces or [" "])


def _recipients(recipients: Sequence[MailRecipient]) -> Iterator[Row]:
    for place in Place:
        said = tuple(
            plain(f"{one.name} <{one.address}>" if one.name else one.address) for one in recipients if one.place == place.value
        )
        if said:
            yield Row(_t(f"visa.place.{place.value}"), said)


def _document(one: KeptFile) -> Row:
    size = _t("proof.size", size=format_decimal(one.size, locale=current_locale()))
    return Row(plain(one.name), (size, _t("proof.sha256", digest=one.sha256)))
