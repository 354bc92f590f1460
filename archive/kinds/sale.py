"""What is said of an invoice that the organisation issued in its archive transfer, once it was paid or rejected.

What lives here: the transfer of such an invoice. What does not: received ones (`archive.kinds.invoice`), the files themselves,
the decision to archive, the package (`archive.package`), how long it is kept (`archive.retention.rules`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import partial
from itertools import count
from pathlib import Path

from archive.package import Described, Package, PackageFile, build_package, group_of
from archive.retention.defaults import BUSINESS, ISSUED_INVOICES
from archive.retention.rules import AccessDelay, RetentionRule
from archive.transfer import RecordFacts, check_roles, transfer_of
from core.messages import Catalogue, speaking
from schemas.seda.model import ArchiveUnit, Dates, Keyword, KeywordType, Level, Transfer, Version

_messages = Catalogue("archive")
_LONGEST_TITLE = 1000


class SaleRole(StrEnum):
    """What a file is in the record of an issued invoice; in the order in which they stand there."""

    INVOICE = "invoice"
    ANSWER = "answer"
    REPORT = "report"
    ACCOUNT = "account"
    LIFE = "life"
    EXCHANGES = "exchanges"
    JOURNAL = "journal"


_ONCE = (SaleRole.INVOICE, SaleRole.REPORT, SaleRole.LIFE, SaleRole.EXCHANGES, SaleRole.JOURNAL)
_NAMED = frozenset({SaleRole.INVOICE, SaleRole.ANSWER})
_RANKS = {role.value: rank for rank, role in enumerate(SaleRole)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleRecord(RecordFacts):
    """The facts of an issued invoice whose life at Chorus Pro is over; ``at`` is when that was known.

    Attributes:
        chorus_id: what Chorus Pro knows it by, on our side.
        deposit: number of the deposit that brought it there; empty when that never showed.
        number: of the invoice.
        recipient: SIRET of the buyer; ``recipient_name`` in words.
        service, engagement, contract: references that it bore; empty when there was none.
        issued: the day it bears; None when it bears none.
        came: the day on which it was received here.
        ended: the day on which it was paid or rejected: the clock of every rule starts there.
        gross: with taxes, in ``currency``; None when it is not known.
        status: its last status at Chorus Pro, in words.
    """

    chorus_id: int
    deposit: str
    number: str
    recipient: str
    recipient_name: str
    came: date
    ended: date
    status: str
    service: str = ""
    engagement: str = ""
    contract: str = ""
    issued: date | None = None
    gross: Decimal | None = None
    currency: str = "EUR"
    retention: RetentionRule = ISSUED_INVOICES
    access: AccessDelay = BUSINESS

    @property
    def title(self) -> str:
        """The title of the record, in French: number, day, recipient."""
        with speaking("fr"):
            day = f"{self.issued or self.came:%d/%m/%Y}"
            title = _messages("sale.title", number=self.number, day=day, recipient=self.recipient_name or self.recipient)
        return title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…"

    @property
    def clock(self) -> date:
        """The day on which its life was over."""
        return self.ended


def sale_package(target: Path, record: SaleRecord, files: Sequence[PackageFile], *, version: Version = Version.V2_2) -> Package:
    """Build the package of an issued invoice.

    Args:
        target: the package to write.
        record: its facts.
        files: one invoice as it left, one report of its check, one life, one evidence of the calls, one journal extract; reports
            of deposits and pieces of answers, if any. They are put in order here.
        version: of SEDA.

    Raises:
        UsageError: a file is missing, or there is one too many.
    """
    ordered = sorted(files, key=lambda file: _RANKS.get(file.role, len(_RANKS)))
    return build_package(target, ordered, partial(sale_transfer, record), at=record.at, version=version)


def sale_transfer(record: SaleRecord, files: Sequence[Described]) -> Transfer:
    """Return the transfer of an issued invoice.

    Raises:
        UsageError: a file is missing, one too many, or of a role that it has not.
    """
    check_roles("sale", SaleRole, _ONCE, files)
    with speaking("fr"):  # the manifest is read by French archivists, whoever asks for it
        return transfer_of(record, _file(record, files), files, start=_messages("invoice.rule.start"))


def _file(record: SaleRecord, files: Sequence[Described]) -> ArchiveUnit:
    return ArchiveUnit(
        identifier="AU1",
        level=Level.FILE,
        title=record.title,
        description=_described(record),
        document_type=_messages("invoice.genre"),
        originating_identifier=record.number,
        transferring_identifier=record.dossier,
        language="fra",
        keywords=tuple(_keywords(record)),
        originating_agency=record.producer,
        submission_agency=record.transferring_agency,
        dates=Dates(received=record.came, start=min(record.issued or record.came, record.ended), end=record.ended),
        events=record.events,
        units=tuple(_items(record, files)),
    )


def _described(record: SaleRecord) -> str:
    amount = _messages("invoice.amount.none")
    if record.gross is not None:
        amount = _messages("invoice.amount", amount=f"{record.gross:.2f}".replace(".", ","), currency=record.currency)
    return _messages(
        "sale.description",
        number=record.number,
        recipient=f"{record.recipient_name} ({record.recipient})" if record.recipient_name else record.recipient,
        amount=amount,
        chorus=record.chorus_id,
        deposit=record.deposit or "–",
        status=record.status,
        day=f"{record.ended:%d/%m/%Y}",
    )


def _keywords(record: SaleRecord) -> Iterator[Keyword]:
    yield Keyword(record.producer_name, KeywordType.CORPORATE_NAME, record.producer.identifier)
    yield Keyword(record.recipient_name or record.recipient, KeywordType.CORPORATE_NAME, record.recipient or None)
    yield Keyword(_messages("pes.keyword.subject"), KeywordType.SUBJECT)
    yield Keyword(_messages("invoice.genre"), KeywordType.GENRE)
    references = {
        "chorus": str(record.chorus_id),
        "number": record.number,
        "service": record.service,
        "engagement": record.engagement,
        "contract": record.contract,
    }
    for name, value in references.items():
        if value:
            yield Keyword(_messages(f"invoice.keyword.{name}", value=value), KeywordType.NAME, value)


def _items(record: SaleRecord, files: Sequence[Described]) -> Iterator[ArchiveUnit]:
    for number, (file, item) in zip(count(2), files, strict=False):
        role = SaleRole(file.role)
        named = role in _NAMED
        yield ArchiveUnit(
            identifier=f"AU{number}",
            level=Level.ITEM,
            title=file.name if named else _messages(f"sale.{role.value}"),
            description=_messages(f"sale.{role.value}") if named else None,
            dates=Dates(received=record.came) if role is SaleRole.INVOICE else Dates(created=record.at),
            groups=(group_of(item),),
        )
