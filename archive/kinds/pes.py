"""What is said of a PES in its archive transfer: the units, the keywords and the rules of an accounting flow.

What lives here: the transfer of a flow that the public accountant has acknowledged, with its proofs. What does not: the files
themselves, the decision to archive (a flow refused by Hélios is no accounting record), the package (`archive.package`).

One group of records per flow, the signed PES below it, and below the PES what proves it: acknowledgment, verification of
signatures, journal (levels as in the profiles of archive services for PES: RecordGrp, File, Item).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import partial
from pathlib import Path

from archive.numbers import MOST, Run
from archive.package import Described, Package, PackageFile, build_package, group_of
from archive.retention.defaults import ACCOUNTING
from archive.retention.rules import RetentionRule
from archive.transfer import RecordFacts, check_roles, transfer_of
from core.errors import UsageError
from core.messages import Catalogue, speaking
from schemas.seda.model import (
    ArchiveUnit,
    DataObject,
    Dates,
    Keyword,
    KeywordType,
    Level,
    Transfer,
    Version,
)

_messages = Catalogue("archive")
_LONGEST_TITLE = 1000


class PesRole(StrEnum):
    """What a file is in the record of a PES."""

    PES = "pes"
    SIGNATURE_REPORT = "signature-report"
    ACQUIT = "acquit"
    JOURNAL = "journal"


_OBLIGATORY_ONCE = (PesRole.PES, PesRole.JOURNAL)
_ITEMS = (PesRole.ACQUIT, PesRole.SIGNATURE_REPORT, PesRole.JOURNAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class PesRecord(RecordFacts):
    """The facts of an acknowledged PES; ``at`` is when sealing was decided.

    Attributes:
        nom_fic: ``NomFic``, which Hélios knows the flow by.
        cod_col: ``CodCol``.
        cod_bud: ``CodBud``.
        budget: ``LibelleColBud``, when it is there.
        domains: ``PES_DepenseAller``… as found in the flow.
        exercises: years of the accounts.
        bordereaux: ``IdBord`` of each bordereau.
        mandats: ``IdPce`` of each pièce of dépense, as runs, bounded (`archive.numbers`); ``titres`` those of recette.
        issued: ``DteStr`` of the PES.
        acknowledged: ``DteStr`` of the PES_ACQUIT: the clock of every rule starts there.
    """

    nom_fic: str
    cod_col: str
    cod_bud: str
    issued: date
    acknowledged: date
    budget: str | None = None
    domains: tuple[str, ...] = ()
    exercises: tuple[int, ...] = ()
    bordereaux: tuple[str, ...] = ()
    mandats: tuple[Run, ...] = ()
    titres: tuple[Run, ...] = ()
    retention: RetentionRule = ACCOUNTING

    @property
    def title(self) -> str:
        """The title of the record, in French: domains, date, budget."""
        with speaking("fr"):
            what = ", ".join(dict.fromkeys(self.domains)) or "PES_Aller"
            budget = f"{self.budget} ({self.cod_col}{self.cod_bud})" if self.budget else self.cod_col + self.cod_bud
            title = _messages("pes.title", what=what, date=f"{self.issued:%d/%m/%Y}", budget=budget)
        return title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…"

    @property
    def clock(self) -> date:
        """The day of the acquit."""
        return self.acknowledged


def pes_package(target: Path, record: PesRecord, files: Sequence[PackageFile], *, version: Version = Version.V2_2) -> Package:
    """Build the package of an acknowledged PES.

    Args:
        target: the package to write.
        record: its facts.
        files: one PES, exactly as it was sent; one acknowledgment or more; one journal extract; reports on signatures.
        version: of SEDA.

    Raises:
        UsageError: a file is missing, or there is one too many.
    """
    return build_package(target, files, partial(pes_transfer, record), at=record.at, version=version)


def pes_transfer(record: PesRecord, files: Sequence[Described]) -> Transfer:
    """Return the transfer of an acknowledged PES.

    Raises:
        UsageError: a file is missing, one too many, or of a role that a PES has not.
    """
    if not check_roles("pes", PesRole, _OBLIGATORY_ONCE, files)[PesRole.ACQUIT]:
        raise UsageError(_messages("pes.no_acquit"))
    with speaking("fr"):  # the manifest is read by French archivists, whoever asks for it
        return transfer_of(record, _flow(record, files), files, start=_messages("pes.rule.start"))


def _flow(record: PesRecord, files: Sequence[Described]) -> ArchiveUnit:
    return ArchiveUnit(
        identifier="AU1",
        level=Level.RECORD_GROUP,
        title=record.title,
        originating_identifier=record.nom_fic,
        transferring_identifier=record.dossier,
        language="fra",
        keywords=_keywords(record),
        originating_agency=record.producer,
        submission_agency=record.transferring_agency,
        dates=Dates(start=min(record.issued, record.acknowledged), end=record.acknowledged),
        events=record.events,
        units=(_pes(record, files),),
    )


def _keywords(record: PesRecord) -> tuple[Keyword, ...]:
    account = record.cod_col + record.cod_bud
    return (
        Keyword(record.producer_name, KeywordType.CORPORATE_NAME, record.producer.identifier),
        Keyword(_messages("pes.keyword.subject"), KeywordType.SUBJECT),
        Keyword(_messages("pes.keyword.genre"), KeywordType.GENRE),
        Keyword(_messages("pes.keyword.account", account=account), KeywordType.NAME, account),
        *(Keyword(_messages("pes.keyword.exercise", year=year), KeywordType.NAME, str(year)) for year in record.exercises),
        *(Keyword(_messages("pes.keyword.bordereau", number=number), KeywordType.NAME, number) for number in record.bordereaux),
        *_pieces("mandat", record.mandats),
        *_pieces("titre", record.titres),
    )


def _pieces(kind: str, runs: Sequence[Run]) -> Iterator[Keyword]:
    """Yield the keywords of numbers of pièces: a bounded number, the last of which says what is left."""
    for run in runs[:MOST]:
        several = "s" if run.last > run.first else ""
        words = _messages(f"pes.keyword.{kind}{several}", first=run.first, last=run.last)
        yield Keyword(words, KeywordType.NAME, run.reference)
    if rest := runs[MOST:]:
        yield Keyword(_messages(f"pes.keyword.{kind}s.some", first=rest[0].first, last=rest[-1].last), KeywordType.NAME)


def _pes(record: PesRecord, files: Sequence[Described]) -> ArchiveUnit:
    (pes,) = (item for file, item in files if file.role == PesRole.PES)
    items = [(PesRole(file.role), item) for file, item in files if file.role != PesRole.PES]
    ordered = sorted(items, key=lambda pair: _ITEMS.index(pair[0]))
    return ArchiveUnit(
        identifier="AU2",
        level=Level.FILE,
        title=_messages("pes.flow", name=record.nom_fic),
        document_type="PES_Aller",
        dates=Dates(transacted=record.issued),
        units=tuple(_item(record, rank, role, item) for rank, (role, item) in enumerate(ordered, start=3)),
        groups=(group_of(pes),),
    )


def _item(record: PesRecord, rank: int, role: PesRole, item: DataObject) -> ArchiveUnit:
    dates = Dates(received=record.acknowledged) if role is PesRole.ACQUIT else Dates(created=record.at)
    return ArchiveUnit(
        identifier=f"AU{rank}",
        level=Level.ITEM,
        title=_messages(f"pes.{role.value}"),
        document_type="PES_ACQUIT" if role is PesRole.ACQUIT else None,
        dates=dates,
        groups=(group_of(item),),
    )
