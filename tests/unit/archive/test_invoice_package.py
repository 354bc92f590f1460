"""The package of a received invoice: every document of its life, under the rule of accounts, hidden as business secrets are."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from archive.ingest.inspection import check_package
from archive.kinds.invoice import InvoiceRecord, InvoiceRole, invoice_package
from archive.package import PackageFile
from archive.retention.defaults import RECEIVED_INVOICES
from archive.retention.referential import rules_for
from archive.retention.rules import RetentionRule
from core.database import Database
from core.errors import UsageError
from core.messages import speaking
from core.migrations import upgrade
from core.organisations import OrganisationKind, add_organisation
from core.principal import PLATFORM
from schemas.seda.model import Agency, Event, FinalAction
from schemas.seda.reader import Manifest, read_manifest
from tests.referential import choose

AT = datetime(2026, 11, 28, 9, 15, tzinfo=UTC)
RECORD = InvoiceRecord(
    transfer="tabellion-01JABCDEFGHJKMNPQRSTVWXYZ0",
    dossier="01JABCDEFGHJKMNPQRSTVWXYZ0",
    at=AT,
    archival_agency=Agency("21400999500017", "SIRET"),
    transferring_agency=Agency("21400999500017", "SIRET"),
    producer=Agency("21400999500017", "SIRET"),
    producer_name="Commune de Valmorin",
    chorus_id=10_000_001,
    number="F-2026/118",
    supplier="99912345800013",
    supplier_name="Papeterie du Lavoir",
    recipient="21400999500017",
    service="TECH",
    engagement="ENG-7",
    mandate="1204",
    issued=date(2026, 10, 5),
    came=date(2026, 10, 7),
    ended=date(2026, 11, 27),
    gross=Decimal("1234.50"),
    status="Mise en paiement",
    said=("Service fait visé le 12 octobre 2026 à 9 h 00 (Direction générale).",),
    events=(Event(AT, "invoices.ended", "01JEVENT"),),
)


def file(folder: Path, role: str, name: str, media_type: str = "application/pdf") -> PackageFile:
    path = folder / f"{role}-{name}"
    path.write_text(f"{role} {name}")
    return PackageFile(role, path, media_type, name)


@pytest.fixture
def files(tmp_path: Path) -> list[PackageFile]:
    """In no order: they are put in order."""
    return [
        file(tmp_path, InvoiceRole.JOURNAL, "journal.jsonl", "application/x-ndjson"),
        file(tmp_path, InvoiceRole.EXCHANGES, "echanges.jsonl", "application/x-ndjson"),
        file(tmp_path, InvoiceRole.LIFE, "vie.json", "application/json"),
        file(tmp_path, InvoiceRole.SHEET, "fiche.pdf"),
        file(tmp_path, InvoiceRole.DOCKET, "bordereau.pdf"),
        file(tmp_path, InvoiceRole.PIVOT, "pivot.xml", "application/xml"),
        file(tmp_path, InvoiceRole.PIECE, "bon de livraison.pdf"),
        file(tmp_path, InvoiceRole.ORIGINAL, "facture.pdf"),
    ]


def manifest_of(package: Path, folder: Path) -> tuple[Manifest, str]:
    with zipfile.ZipFile(package) as zipped:
        path = Path(zipped.extract("manifest.xml", folder))
    return read_manifest(path), path.read_text()


def test_a_package_holds_the_invoice_first_and_then_what_proves_its_life(files: list[PackageFile], tmp_path: Path) -> None:
    package = invoice_package(tmp_path / "p.zip", RECORD, files)
    assert check_package(package.path) == []
    manifest, _ = manifest_of(package.path, tmp_path)
    first, *others = manifest.units
    assert (first.level, first.title) == ("File", "Facture F-2026/118 du 05/10/2026 – Papeterie du Lavoir")
    assert {one.parent for one in others} == {"AU1"}
    assert [one.title for one in others][:3] == ["facture.pdf", "bon de livraison.pdf", "pivot.xml"]
    assert [one.title for one in others][3:] == [
        "Bordereau du visa «\u00a0service fait\u00a0»",
        "Fiche de suivi de la facture",
        "Vie de la facture\u00a0: statuts de Chorus Pro, décisions dites, remises",
        "Traces des échanges avec Chorus Pro",
        "Extrait du journal des événements",
    ]


def test_the_manifest_says_what_the_invoice_is_and_what_happened_to_it(files: list[PackageFile], tmp_path: Path) -> None:
    _, text = manifest_of(invoice_package(tmp_path / "p.zip", RECORD, files).path, tmp_path)
    for said in (
        "Papeterie du Lavoir (99912345800013), 1234,50 EUR",
        "sous l’identifiant 10000001",
        "Service fait visé le 12 octobre 2026",
        "Mandat 1204",
        "Engagement ENG-7",
        f"Structure destinataire {RECORD.recipient}",
        "APP-FACTURES-10ANS",
        "27/11/2036",
        "AR039",
    ):
        assert said in text
    assert "Marché" not in text


def test_an_invoice_without_day_name_or_amount_has_its_record_too(files: list[PackageFile], tmp_path: Path) -> None:
    bare = replace(RECORD, issued=None, supplier_name="", gross=None, number="F" * 1200)
    _, text = manifest_of(invoice_package(tmp_path / "p.zip", bare, files).path, tmp_path)
    assert len(bare.title) == 1000
    assert "sans montant connu" in text


def test_the_same_invoice_makes_the_same_package_whatever_the_order_and_the_language(
    files: list[PackageFile], tmp_path: Path
) -> None:
    first = invoice_package(tmp_path / "1.zip", RECORD, files)
    with speaking("en"):
        again = invoice_package(tmp_path / "2.zip", RECORD, files[::-1])
    assert first.sha256 == again.sha256


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: [one for one in files if one.role != InvoiceRole.PIVOT], "pivot"),
        (lambda files: [one for one in files if one.role != InvoiceRole.SHEET], "Fiche de suivi"),
        (lambda files: [*files, next(one for one in files if one.role == InvoiceRole.JOURNAL)], "il y en a 2"),
        (lambda files: [*files, replace(files[0], role="photo")], "photo"),
    ],
)
def test_a_package_that_lacks_something_or_has_too_much_is_refused(
    files: list[PackageFile], tmp_path: Path, change: object, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        invoice_package(tmp_path / "p.zip", RECORD, change(files))  # type: ignore[operator]
    assert not (tmp_path / "p.zip").exists()


def test_the_archivist_may_fix_how_long_invoices_are_kept(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/db.sqlite3")
    upgrade(database)
    own = RetentionRule(
        identifier="FACT", years=12, final_action=FinalAction.KEEP, label="factures : douze ans", source="service d’archives"
    )
    with database.writing(PLATFORM) as session:
        commune = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE)
        assert rules_for(session, commune.id, "invoices").appraisal == RECEIVED_INVOICES
        choose(session, commune, "invoices", own)
        assert rules_for(session, commune.id, "invoices").appraisal == own
    database.close()
