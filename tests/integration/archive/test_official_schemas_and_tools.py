"""What we write is what others expect: the official schemas, an expert's usual tools, the sample packages of other systems."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import pytest
import xmlschema
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

import archive.kinds
from archive.examination import examine
from archive.ingest.inspection import check_package
from archive.kinds.act import ActFile, ActRole, Exchange, act_package
from archive.kinds.document import DocumentRole, document_package
from archive.kinds.invoice import InvoiceRole, invoice_package
from archive.kinds.mail import MailRole, mail_package
from archive.kinds.pes import PesRole, pes_package
from archive.kinds.publication import PublicationRole, publication_package
from archive.kinds.sale import SaleRecord, SaleRole, sale_package
from archive.package import Package, PackageFile
from archive.proof.evidence import prove
from schemas.actes.codes import MessageCode
from schemas.seda import schema
from schemas.seda.model import Agency, Transfer, Version
from schemas.seda.reader import read_manifest
from schemas.seda.writer import write_transfer
from schemas.seda.writer_1_0 import write_transfer_1_0
from tests.archive_samples import AT, RECORD, Notary
from tests.integration.schemas.seda_documents import official_walked
from tests.unit.archive.test_act_package import RECORD as ACT
from tests.unit.archive.test_document_package import RECORD as DOCUMENT
from tests.unit.archive.test_invoice_package import RECORD as INVOICE
from tests.unit.archive.test_mail_package import RECORD as MAIL
from tests.unit.archive.test_publication_package import RECORD as ONLINE

Kind = Callable[[Path, Sequence[PackageFile], Version], Package]

SALE = SaleRecord(
    transfer="TABELLION-01JABCDEFGHJKMNPQRSTVWXYZ9",
    dossier="01JABCDEFGHJKMNPQRSTVWXYZ9",
    at=AT,
    archival_agency=Agency("AD-99"),
    transferring_agency=Agency("TABELLION"),
    producer=Agency("214009995", "SIREN"),
    producer_name="Commune de Sainte-Énimie-lès-Prés",
    chorus_id=10_000_001,
    deposit="D-1",
    number="V-2026/7",
    recipient="21400999500017",
    recipient_name="Communauté des Prés",
    issued=date(2026, 1, 5),
    came=date(2026, 1, 6),
    ended=date(2026, 2, 27),
    gross=Decimal("99.90"),
    status="Mise en paiement",
)
TO_ONE = replace(MAIL, recipients=MAIL.recipients[:1])
KINDS: dict[str, tuple[type[StrEnum], Kind]] = {
    "act": (ActRole, lambda target, files, version: act_package(target, ACT, [_of_act(file) for file in files], version=version)),
    "document": (DocumentRole, lambda target, files, version: document_package(target, DOCUMENT, files, version=version)),
    "invoice": (InvoiceRole, lambda target, files, version: invoice_package(target, INVOICE, files, version=version)),
    "mail": (MailRole, lambda target, files, version: mail_package(target, TO_ONE, files, version=version)),
    "pes": (PesRole, lambda target, files, version: pes_package(target, RECORD, files, version=version)),
    "publication": (PublicationRole, lambda target, files, version: publication_package(target, ONLINE, files, version=version)),
    "sale": (SaleRole, lambda target, files, version: sale_package(target, SALE, files, version=version)),
}
EXCHANGED = {
    ActRole.ENVELOPE: Exchange(MessageCode.ACTE, AT),
    ActRole.ACKNOWLEDGEMENT: Exchange(MessageCode.AR_ACTE, AT, AT.date()),
    ActRole.MESSAGE: Exchange(MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE, AT, AT.date()),
}


def _of_act(file: PackageFile) -> ActFile:
    return ActFile(file.role, file.path, file.media_type, file.name, exchange=EXCHANGED.get(ActRole(file.role)))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def every_file(kind: str, tmp_path: Path) -> list[PackageFile]:
    """One file of each role that a record of the kind knows, one of them empty."""
    made = []
    for rank, role in enumerate(KINDS[kind][0]):
        path = tmp_path / f"file-{role}"
        path.write_text(f"{role} d’été" if rank else "", encoding="utf-8")
        # A return belongs to a recipient, whose number its name bears.
        name = f"{role}-01 d’été.pdf" if kind == "mail" else f"{role} d’été.pdf"
        made.append(PackageFile(role, path, "application/pdf", name))
    return made


def test_no_kind_of_record_is_left_out() -> None:
    assert KINDS.keys() == {
        module.stem for module in Path(archive.kinds.__file__).parent.glob("*.py") if "_package(" in module.read_text()
    }


@pytest.mark.parametrize("version", list(Version))
def test_the_package_of_every_kind_is_valid_for_the_official_schema_and_ours_and_holds_what_it_says(
    kind: str, version: Version, every_file: list[PackageFile], shared: Path, tmp_path: Path
) -> None:
    package = KINDS[kind][1](tmp_path / "aip.zip", every_file, version)
    schemas = shared / "official/seda"
    with zipfile.ZipFile(package.path) as zipped:
        tree = etree.parse(zipped.extract("manifest.xml", tmp_path))
    for validator in (schema.load(schemas, version.value), schema.own(version.value)):
        assert validator.validate(tree), validator.error_log
    for installed in (schemas, None):
        assert check_package(package.path, schemas=installed) == []
    manifest = read_manifest(tmp_path / "manifest.xml")
    assert len(manifest.objects) == len(every_file)
    known = {identifier for identifier, _ in manifest.identifiers}
    assert {reference for reference, _ in manifest.references} <= known
    with zipfile.ZipFile(package.path) as zipped:
        for item in manifest.objects:
            content = zipped.read(item.uri or "")
            assert (item.algorithm, item.digest) == ("SHA-256", hashlib.sha256(content).hexdigest())
            assert int(item.size or "0") == len(content)


def test_a_second_validator_agrees_on_every_kind(
    kind: str, every_file: list[PackageFile], second: xmlschema.XMLSchema, tmp_path: Path
) -> None:
    package = KINDS[kind][1](tmp_path / "aip.zip", every_file, Version.V2_2)
    with zipfile.ZipFile(package.path) as zipped:
        second.validate(zipped.extract("manifest.xml", tmp_path))


@pytest.fixture(scope="module")
def second(shared: Path) -> xmlschema.XMLSchema:
    return official_walked(shared / "official/seda", "2.2")


def test_every_kind_can_be_handed_to_a_service_that_takes_nothing_later_than_1_0(
    kind: str, every_file: list[PackageFile], shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(transfer: Transfer, target: Path, version: Version) -> None:
        write_transfer(transfer, target, version)
        write_transfer_1_0(transfer, tmp_path / "bordereau.xml")

    monkeypatch.setattr("archive.package.write_transfer", write)
    package = KINDS[kind][1](tmp_path / "aip.zip", every_file, Version.V2_1)
    validator = schema.load(shared / "official/seda", "1.0")
    assert validator.validate(etree.parse(tmp_path / "bordereau.xml")), validator.error_log
    sound, damaged = tmp_path / "sound.zip", tmp_path / "damaged.zip"
    with zipfile.ZipFile(package.path) as zipped:
        contents = {name: zipped.read(name) for name in zipped.namelist() if name != "manifest.xml"}
    for target, more in ((sound, b""), (damaged, b"!")):
        with zipfile.ZipFile(target, "w") as zipped:
            zipped.write(tmp_path / "bordereau.xml", "manifest.xml")
            for name, data in contents.items():
                zipped.writestr(name, data + more)
    schemas = shared / "official/seda"
    assert check_package(sound, schemas=schemas) == []
    assert {problem.rule for problem in check_package(damaged, schemas=schemas)} == {"SEDA-207"}
    assert len(check_package(damaged)) == 2 * len(every_file)  # the digest and the size of each


@pytest.mark.parametrize("installed", [False, True])
def test_sample_packages_of_other_systems_are_judged_as_expected(shared: Path, installed: bool) -> None:
    corpus, schemas = shared / "corpus/archive", shared / "official/seda" if installed else None
    verdicts = {}
    for line in (corpus / "expected.jsonl").read_text().splitlines():
        expected = json.loads(line)
        if expected["kind"] == "sip":
            report = examine(corpus / expected["file"], schemas=schemas)
            verdicts[expected["file"]] = (report.verdict.value, expected["check"])
            assert {problem.rule for problem in report.problems} >= set(expected["rules"])
    assert len(verdicts) > 30
    assert {name: pair for name, pair in verdicts.items() if pair[0] != pair[1]} == {}


def test_an_expert_can_follow_the_guide_with_usual_tools(notary: Notary, package: Package, tmp_path: Path):
    missing = [tool for tool in ("unzip", "xxd", "openssl", "sha256sum") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"absent from this machine: {', '.join(missing)}")
    evidence = notary.evidence(package, index=70, size=77)
    prove(evidence, tmp_path / "evidence.zip")
    folder = tmp_path / "expert"
    subprocess.run(["unzip", "-q", tmp_path / "evidence.zip", "-d", folder], check=True)
    guide = (folder / "README.txt").read_text()
    commands = "\n".join(line.strip() for line in guide.splitlines() if line.startswith("    "))
    run = subprocess.run(["sh", "-ec", commands], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    expected = re.findall(r"Valeur attendue\s*: ([0-9a-f]{64})", guide)
    assert len(expected) == 3
    assert all(run.stdout.count(value) >= 1 for value in expected)
    assert run.stdout.count(evidence.head.root.hex()) == 2
    assert "Verification: OK" in run.stdout + run.stderr
    assert "FAILED" not in run.stdout


def test_openssl_refuses_the_token_over_another_head(notary: Notary, package: Package, tmp_path: Path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is absent from this machine")
    evidence = notary.evidence(package)
    (tmp_path / "token.der").write_bytes(evidence.token)
    (tmp_path / "head.json").write_bytes(evidence.head.canonical() + b" ")
    (tmp_path / "root.pem").write_bytes(notary.tsa.anchor.public_bytes(Encoding.PEM))
    command = "openssl ts -verify -data head.json -in token.der -token_in -CAfile root.pem"
    run = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert run.returncode != 0
