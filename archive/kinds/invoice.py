"""What is said of a received invoice in its archive transfer: the invoice, who said that it was due, what was told and to whom.

What lives here: the transfer of an invoice of Chorus Pro whose life there is over, paid or rejected. What does not: the files
themselves, the decision to archive, the package (`archive.package`), how long it is kept (`archive.retention.rules`).

One file per invoice, and below it an item for each document: the invoice as it came, in each of its cycles, then what proves its
life: dockets of the visa, manifests of the hand-over, the sheet that sums it up, its history at Chorus Pro, evidence of every
call, journal.
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
from archive.retention.defaults import BUSINESS, RECEIVED_INVOICES
from archive.retention.rules import AccessDelay, RetentionRule
from archive.transfer import RecordFacts, check_roles, transfer_of
from core.errors import UsageError
from core.messages import Catalogue, speaking
from schemas.seda.model import ArchiveUnit, Dates, Keyword, KeywordType, Level, Transfer, Version

_messages = Catalogue("archive")
_LONGEST_TITLE = 1000


class InvoiceRole(StrEnum):
    """What a file is in the record of an invoice; in the order in which they stand there."""

    ORIGINAL = "original"
    READABLE = "readable"
    PIECE = "piece"
    PIVOT = "pivot"
    REPORT = "report"
    DOCKET = "docket"
    HANDOVER = "handover"
    SHEET = "sheet"
    LIFE = "life"
    EXCHANGES = "exchanges"
    JOURNAL = "journal"


_ONCE = (InvoiceRole.SHEET, InvoiceRole.LIFE, InvoiceRole.EXCHANGES, InvoiceRole.JOURNAL)
_RECEIVED = frozenset({InvoiceRole.ORIGINAL, InvoiceRole.READABLE, InvoiceRole.PIECE, InvoiceRole.PIVOT})
_RANKS = {role.value: rank for rank, role in enumerate(InvoiceRole)}


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRecord(RecordFacts):
    """The facts of an invoice whose life at Chorus Pro is over; ``at`` is when that was known.

    Attributes:
        chorus_id: what Chorus Pro knows it by.
        number: as its supplier wrote it.
        supplier: identifier, mostly a SIRET; ``supplier_name`` in words.
        recipient: SIRET of the structure it was for.
        service, engagement, contract, mandate: references that it bore or was given; empty when there was none.
        issued: the day it bears; None when it bears none.
        came: the day on which it came to Chorus Pro, or here.
        ended: the day on which it was paid or rejected: the clock of every rule starts there.
        gross: with taxes, in ``currency``; None when it is not known.
        status: its last status at Chorus Pro, in words.
        said: sentences: who approved it, what Chorus Pro was told, what was handed over.
    """

    chorus_id: int
    number: str
    supplier: str
    supplier_name: str
    recipient: str
    came: date
    ended: date
    status: str
    service: str = ""
    engagement: str = ""
    contract: str = ""
    mandate: str = ""
    issued: date | None = None
    gross: Decimal | None = None
    currency: str = "EUR"
    said: tuple[str, ...] = ()
    retention: RetentionRule = RECEIVED_INVOICES
    access: AccessDelay = BUSINESS

    @property
    def title(self) -> str:
        """The title of the record, in French: number, day, supplier."""
        with speaking("fr"):
            day = f"{self.issued or self.came:%d/%m/%Y}"
            title = _messages("invoice.title", number=self.number, day=day, supplier=self.supplier_name or self.supplier)
        return title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…"

    @property
    def clock(self) -> date:
        """The day on which its life was over."""
        return self.ended


def invoice_package(
    target: Path, record: InvoiceRecord, files: Sequence[PackageFile], *, version: Version = Version.V2_2
) -> Package:
    """Build the package of an invoice.

    Args:
        target: the package to write.
        record: its facts.
        files: one pivot or more, as they came; the original, readable and supporting documents; reports, dockets and manifests
            of the hand-over; one sheet, one history, the evidence of the calls, one journal extract. They are put in order here.
        version: of SEDA.

    Raises:
        UsageError: a file is missing, or there is one too many.
    """
    ordered = sorted(files, key=lambda file: _RANKS.get(file.role, len(_RANKS)))
    return build_package(target, ordered, partial(invoice_transfer, record), at=record.at, version=version)


def invoice_transfer(record: InvoiceRecord, files: Sequence[Described]) -> Transfer:
    """Return the transfer of an invoice.

    Raises:
        UsageError: a file is missing, one too many, or of a role that an invoice has not.
    """
    if not check_roles("invoice", InvoiceRole, _ONCE, files)[InvoiceRole.PIVOT]:
        raise UsageError(_messages("invoice.none"))
    with speaking("fr"):  # the manifest is read by French archivists, whoever asks for it
        return transfer_of(record, _file(record, files), files, start=_messages("invoice.rule.start"))


def _file(record: InvoiceRecord, files: Sequence[Described]) -> ArchiveUnit:
    return ArchiveUnit(
        identifier="AU1",
        level=Level.FILE,
        title=record.title,
        description=" ".join((_described(record), *record.said)),
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


def _described(record: InvoiceRecord) -> str:
    amount = _messages("invoice.amount.none")
    if record.gross is not None:
        amount = _messages("invoice.amount", amount=f"{record.gross:.2f}".replace(".", ","), currency=record.currency)
    return _messages(
        "invoice.description",
        number=record.number,
        supplier=f"{record.supplier_name} ({record.supplier})" if record.supplier_name else record.supplier,
        amount=amount,
        chorus=record.chorus_id,
        status=record.status,
        day=f"{record.ended:%d/%m/%Y}",
    )


def _keywords(record: InvoiceRecord) -> Iterator[Keyword]:
    yield Keyword(record.producer_name, KeywordType.CORPORATE_NAME, record.producer.identifier)
    yield Keyword(record.supplier_name or record.supplier, KeywordType.CORPORATE_NAME, record.supplier or None)
    yield Keyword(_messages("pes.keyword.subject"), KeywordType.SUBJECT)
    yield Keyword(_messages("invoice.genre"), KeywordType.GENRE)
    references = {
        "chorus": str(record.chorus_id),
        "number": record.number,
        "recipient": record.recipient,
        "service": record.service,
        "engagement": record.engagement,
        "contract": record.contract,
        "mandate": record.mandate,
    }
    for name, value in references.items():
        if value:
            yield Keyword(_messages(f"invoice.keyword.{name}", value=value), KeywordType.NAME, value)


def _items(record: InvoiceRecord, files: Sequence[Described]) -> Iterator[ArchiveUnit]:
    for number, (file, item) in zip(count(2), files, strict=False):
        role = InvoiceRole(file.role)
        named = role in _RECEIVED
        yield ArchiveUnit(
            identifier=f"AU{number}",
            level=Level.ITEM,
            title=file.name if named else _messages(f"invoice.{role.value}"),
            description=_messages(f"invoice.{role.value}") if named else None,
            dates=Dates(received=record.came) if named else Dates(created=record.at),
            groups=(group_of(item),),
        )
