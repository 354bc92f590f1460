"""What is found in the files of a transfer: their formats, their signatures, and what they have to do with each other."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path

import fido
import pikepdf
import pytest

from archive.ingest import formats, signatures
from archive.ingest.accepted_formats import check_format
from archive.ingest.business import Business
from archive.ingest.formats import Found
from archive.ingest.models import ArchiveAgreement
from archive.ingest.rules import check_rules, kept_by
from core import sandbox
from core.database import Database
from core.errors import Misconfigured
from core.organisations import OrganisationKind, add_organisation
from core.principal import PLATFORM
from core.problems import Problem, Severity
from schemas.pes.sample import Sample, write_sample
from schemas.seda.model import FinalAction
from schemas.seda.reader import Manifest, ManifestObject, read_manifest
from signing.verdicts import Belief, FileVerdict
from tests.office import pdf
from tests.transfers import LETTER, Sip

CONF = Path(fido.CONFIG_DIR)


def codes(problems: list[Problem]) -> list[str]:
    return [problem.rule.removeprefix("SEDA-") for problem in problems]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "lettre").write_bytes(b"<?xml version='1.0'?><lettre/>")
    (folder / "json").write_bytes(b'{"a": 1}')
    (folder / "plain").write_bytes(pdf("arrêté"))
    with pikepdf.open(folder / "plain") as document:
        document.save(folder / "locked", encryption=pikepdf.Encryption(owner="o", user="u", R=6))
        with document.open_metadata() as metadata:
            metadata["pdfaid:part"], metadata["pdfaid:conformance"] = "2", "B"
        document.save(folder / "claiming")
    (folder / "broken").write_bytes(b"%PDF-1.4\nrien\n%%EOF\n")
    return folder


def test_a_format_is_what_a_signature_says_and_what_a_pdf_claims_is_told_as_a_claim(files: Path) -> None:
    names = ["lettre", "json", "plain", "locked", "claiming", "broken"]
    found = formats.identify(files, names)
    assert found["lettre"] == Found(puids=("fmt/101",))
    # By the end of its name fido would have said fmt/1311: a guess is no answer.
    assert found["json"] == Found()
    assert found["plain"].puid in {"fmt/17", "fmt/18"}
    assert found["plain"].claim == ""
    assert (found["claiming"].pdf, found["claiming"].claim) == (True, "PDF/A-2b")
    assert (found["locked"].encrypted, found["broken"].broken) == (True, True)


def test_signatures_that_an_operator_installed_take_the_place_of_those_of_the_software(files: Path, tmp_path: Path) -> None:
    own = tmp_path / "pronom"
    shutil.copytree(CONF, own)
    renamed = (own / "formats-v109.xml").read_text(encoding="utf-8").replace("<puid>fmt/101</puid>", "<puid>fmt/9101</puid>")
    (own / "formats-v109.xml").write_text(renamed, encoding="utf-8")
    assert formats.identify(files, ["lettre"], own)["lettre"].puid == "fmt/9101"


def test_a_folder_of_signatures_that_lacks_a_file_is_said_and_not_passed_over(files: Path, tmp_path: Path) -> None:
    own = tmp_path / "pronom"
    own.mkdir()
    for missing in ("versions.xml", "formats-v109.xml"):
        with pytest.raises(Misconfigured, match="TABELLION_FORMATS_DIR"):
            formats.identify(files, ["lettre"], own)
        if missing == "versions.xml":
            shutil.copyfile(CONF / "versions.xml", own / "versions.xml")


def test_a_file_that_breaks_its_reader_leaves_the_others_known(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sandbox.call

    def call(function: str, argument: dict[str, list[str]], **bounds: object) -> object:
        if "json" in argument["names"]:
            raise sandbox.Died
        return real(function, argument, **bounds)  # type: ignore[arg-type]

    monkeypatch.setattr(sandbox, "call", call)
    found = formats.identify(files, ["lettre", "json"])
    assert (found["lettre"].puid, found["json"]) == ("fmt/101", Found(broken=True))


AGREEMENT = ArchiveAgreement(
    organisation_id="", identifier="A", label="A", transferring_agency="A", starts=date(2026, 1, 1), created_by=""
)


def item(puid: str | None) -> ManifestObject:
    return ManifestObject("BDO1", 3, "content/a", "SHA-256", "0" * 64, "1", "a", None, puid)


@pytest.mark.parametrize(
    ("found", "declared", "terms", "told"),
    [
        (Found(puids=("fmt/18",)), "fmt/18", {}, []),
        (Found(puids=("fmt/18",)), "fmt/101", {}, [("SEDA-205", Severity.WARNING)]),
        (Found(puids=("fmt/18",)), "fmt/101", {"declared_formats": True}, [("SEDA-205", Severity.ERROR)]),
        (Found(puids=("fmt/18",)), None, {"formats": ["fmt/95"]}, [("SEDA-307", Severity.ERROR)]),
        (Found(puids=("fmt/18", "fmt/95")), None, {"formats": ["fmt/95"]}, []),
        (Found(), "fmt/817", {}, []),
        (Found(), "fmt/817", {"formats": ["fmt/817"]}, [("SEDA-205", Severity.WARNING)]),
        (Found(), "fmt/999", {"formats": ["fmt/817"]}, [("SEDA-204", Severity.ERROR)]),
        (Found(encrypted=True), None, {}, [("SEDA-204", Severity.ERROR)]),
        (Found(broken=True), None, {}, [("SEDA-204", Severity.WARNING)]),
    ],
)
def test_a_format_is_held_against_the_declared_one_and_against_the_agreement(
    found: Found, declared: str | None, terms: dict[str, object], told: list[tuple[str, Severity]]
) -> None:
    agreement = ArchiveAgreement(**AGREEMENT.model_dump() | terms)
    assert [(one.rule, one.severity) for one in check_format(item(declared), found, agreement)] == told


def manifest(folder: Path, **changes: object) -> Manifest:
    path = folder / "manifest.xml"
    path.write_bytes(Sip(**changes).manifest(folder))  # type: ignore[arg-type]
    return read_manifest(path)


def receipt(number: str = "DEL2026_07") -> bytes:
    return (
        f'<a:ARActe xmlns:a="http://www.interieur.gouv.fr/ACTES#v1.1-20040216" a:IDActe="034-218500992-20260212-{number}-DE" '
        'a:DateReception="2026-02-13"/>'
    ).encode()


def acquit(name: str, state: str = "1") -> bytes:
    return (
        '<n:PES_ACQUIT xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/retour/v2"><Enveloppe><Parametres>'
        f'<NomFic V="{name}"/></Parametres></Enveloppe><ACQUIT><ElementACQUIT><DomaineAck V="5"/><EtatAck V="{state}"/>'
        "</ElementACQUIT></ACQUIT></n:PES_ACQUIT>"
    ).encode()


ACT = ("034-218500992-20260212-DEL2026_07-DE-1-1_1.pdf", b"%PDF-1.4")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([ACT, ("ar.xml", receipt())], []),
        ([ACT], ["211"]),
        ([ACT, ("ar.xml", receipt("DEL2026_08"))], ["203"]),
        ([("lettre.pdf", b"%PDF-1.4"), ("notes.xml", b"<notes/>"), ("faux.xml", b"<a")], []),
        ([("flux.xml", b"PES"), ("acquit.xml", acquit("FLUX-1"))], []),
        ([("flux.xml", b"PES")], ["211"]),
        ([("flux.xml", b"PES"), ("acquit.xml", acquit("FLUX-2"))], ["203"]),
        ([("flux.xml", b"PES"), ("acquit.xml", acquit("FLUX-1", "0"))], ["203"]),
        ([("acquit.xml", b"<!DOCTYPE a><a/>")], []),
    ],
)
def test_an_act_has_its_own_acknowledgement_and_a_pes_its_own_acquit(
    files: list[tuple[str, bytes]], told: list[str], tmp_path: Path
) -> None:
    business = Business()
    for rank, (name, data) in enumerate(files):
        path = tmp_path / f"{rank}"
        path.write_bytes(data)
        if data == b"PES":
            write_sample(Sample("FLUX-1"), path)
        business.look(f"content/{name}", name, path)
    assert codes(business.problems(manifest(tmp_path))) == told


def test_signatures_are_told_and_refuse_only_where_the_agreement_asks_for_valid_ones() -> None:
    def one(belief: Belief) -> signatures.Verified:
        return signatures.Verified("content/a.pdf", None, FileVerdict(belief))

    found = [one(Belief.VALID), one(Belief.INVALID), one(Belief.INDETERMINATE)]
    assert codes(signatures.problems_of(found, needed=False)) == ["310", "311"]
    assert {problem.severity for problem in signatures.problems_of(found, needed=False)} == {Severity.WARNING}
    assert {problem.severity for problem in signatures.problems_of(found, needed=True)} == {Severity.ERROR}
    assert codes(signatures.problems_of([], needed=True)) == ["305"]
    assert signatures.problems_of([], needed=False) == []


def test_a_detached_signature_is_over_the_file_whose_name_it_continues(tmp_path: Path) -> None:
    signature = tmp_path / "s"
    signature.write_bytes(bytes.fromhex("3080060b")[:2] + bytes.fromhex("06092a864886f70d010702a080308002010131003080"))
    for others, data in (({"c/a.pdf", "c/a.pdf.p7s"}, "c/a.pdf"), ({"c/a.pdf.p7s", "c/b.pdf"}, None)):
        assert signatures.data_of("c/a.pdf.p7s", signature, others) == data
    assert signatures.data_of("c/a.p7s", signature, {"c/a.pdf", "c/a.p7s"}) == "c/a.pdf"
    found = signatures.verified("c/a.p7s", signature, None, None)
    assert found is None or found.belief is Belief.INDETERMINATE


@pytest.fixture
def organisation(database: Database) -> str:
    with database.writing(PLATFORM) as session:
        return add_organisation(session, "Archives", OrganisationKind.PLATFORM).id


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_package_is_kept_as_long_as_the_part_of_it_that_is_kept_longest(
    database: Database, organisation: str, tmp_path: Path
) -> None:
    whole = Sip(appraisal=("APP-COMPTA-10ANS", date(2020, 1, 1))).manifest(tmp_path)
    shorter = (
        b"<Management><AppraisalRule><Rule>APP-ACTES-1AN</Rule><StartDate>2025-01-01</StartDate>"
        b"<FinalAction>%s</FinalAction></AppraisalRule></Management>"
    )
    path = tmp_path / "manifest.xml"
    with database.reading(PLATFORM) as session:
        for action, kept in ((b"Destroy", FinalAction.DESTROY), (b"Keep", FinalAction.KEEP)):
            path.write_bytes(whole.replace(b'<ArchiveUnit id="AU1">', b'<ArchiveUnit id="AU1">' + shorter % action))
            found = kept_by(session, organisation, read_manifest(path))
            assert (found.appraisal.identifier, found.starts) == ("APP-COMPTA-10ANS", date(2020, 1, 1))
            assert found.appraisal.final_action is kept
        blocked = b"<Management><AppraisalRule><PreventInheritance>true</PreventInheritance></AppraisalRule></Management>"
        path.write_bytes(whole.replace(b'<ArchiveUnit id="AU1">', b'<ArchiveUnit id="AU1">' + blocked))
        found = kept_by(session, organisation, read_manifest(path))
        assert (found.appraisal.final_action, found.starts) == (FinalAction.KEEP, None)
        path.write_bytes(whole.replace(b"<StartDate>2020-01-01</StartDate>", b"", 1))
        assert kept_by(session, organisation, read_manifest(path)).starts is None


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_is_never_open_keeps_a_package_closed_whatever_long_delay_a_part_of_it_has(
    database: Database, organisation: str, tmp_path: Path
) -> None:
    never = b"<Management><AccessRule><Rule>AR062</Rule><StartDate>1900-01-01</StartDate></AccessRule></Management>"
    whole = Sip().manifest(tmp_path).replace(b"<Rule>AR048</Rule>", b"<Rule>AR061</Rule>")
    assert b"AR061" in whole
    path = tmp_path / "manifest.xml"
    path.write_bytes(whole.replace(b'<ArchiveUnit id="AU1">', b'<ArchiveUnit id="AU1">' + never))
    with database.reading(PLATFORM) as session:
        found = kept_by(session, organisation, read_manifest(path))
    assert found.access.identifier == "AR062"


OPEN, LONGER, NEVER = (
    f"<AccessRule><Rule>{code}</Rule><StartDate>2020-01-01</StartDate></AccessRule>" for code in ("AR038", "AR039", "AR062")
)
PREVENTED = "<PreventInheritance>true</PreventInheritance></AccessRule>"
DAY = date(2020, 1, 1)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("whole", "first", "second", "kept", "told"),
    [
        ("", OPEN, "", ("AR048", None), "AU3"),
        ("", NEVER, "", ("AR062", None), "AU3"),
        ("", "", "", ("AR048", None), "AU2"),
        ("", OPEN, OPEN, ("AR038", DAY), None),
        (OPEN, "", "", ("AR038", DAY), None),
        (OPEN, "", f"<AccessRule>{PREVENTED}", ("AR048", None), "AU3"),
        (OPEN, "", "<AccessRule><RefNonRuleId>AR038</RefNonRuleId></AccessRule>", ("AR048", None), "AU3"),
        (OPEN, "", LONGER.replace("</AccessRule>", PREVENTED), ("AR039", DAY), None),
    ],
)
def test_a_part_without_an_access_rule_keeps_the_whole_package_closed_and_is_named(
    database: Database,
    organisation: str,
    tmp_path: Path,
    whole: str,
    first: str,
    second: str,
    kept: tuple[str, date | None],
    told: str | None,
) -> None:
    data = Sip(files={"content/avis.xml": LETTER, "content/dossier.xml": LETTER + b" "}).manifest(tmp_path).decode()
    data = re.sub("<AccessRule>.*</AccessRule>", whole, data, flags=re.DOTALL)
    data = re.sub('<ArchiveUnit id="AU1">.*?(?=<ArchiveUnit)', "", data, flags=re.DOTALL)  # the two side by side
    data = re.sub("</ArchiveUnit>(?=\\s*</DescriptiveMetadata>)", "", data)
    for unit, rule in (("AU2", first), ("AU3", second)):
        data = data.replace(f'<ArchiveUnit id="{unit}">', f'<ArchiveUnit id="{unit}"><Management>{rule}</Management>')
    path = tmp_path / "manifest.xml"
    path.write_text(data)
    with database.reading(PLATFORM) as session:
        found = kept_by(session, organisation, read_manifest(path))
        problems = check_rules(session, organisation, read_manifest(path), date(2026, 3, 2))
    assert (found.access.identifier, found.hidden) == kept
    expected = [("SEDA-203", Severity.WARNING, told)] if told else []
    assert [(problem.rule, problem.severity, problem.path) for problem in problems] == expected


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_hold_and_a_rule_of_storage_are_told_before_the_package_is_taken(
    database: Database, organisation: str, tmp_path: Path
) -> None:
    sound = Sip().manifest(tmp_path)
    hold = b"<HoldRule><Rule>GEL-CONTENTIEUX</Rule><HoldEndDate>2027-12-31</HoldEndDate></HoldRule>"
    none = b"<HoldRule><PreventInheritance>true</PreventInheritance></HoldRule>"
    storage = b"<StorageRule><Rule>X</Rule><FinalAction>Copy</FinalAction></StorageRule>"
    path = tmp_path / "manifest.xml"
    for rule, told in ((hold, "HoldRule"), (none, None), (storage, "StorageRule")):
        path.write_bytes(sound.replace(b"</AccessRule>", b"</AccessRule>" + rule))
        with database.reading(PLATFORM) as session:
            problems = check_rules(session, organisation, read_manifest(path), date(2026, 3, 2))
        warned = [problem.path for problem in problems if problem.severity is Severity.WARNING]
        assert warned == ([told] if told else [])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_rules_of_another_category_impossible_days_and_holds_that_end_before_they_start_are_told(
    database: Database, organisation: str, tmp_path: Path
) -> None:
    sound = Sip().manifest(tmp_path)
    hold = (
        b"<HoldRule><Rule>GEL-CONTENTIEUX</Rule><StartDate>2026-05-01</StartDate><HoldEndDate>2026-04-01</HoldEndDate></HoldRule>"
    )
    reuse = b"<ReuseRule><Rule>X</Rule></ReuseRule>"
    path = tmp_path / "manifest.xml"
    with database.reading(PLATFORM) as session:
        for data, found in (
            (sound, []),
            (sound.replace(b"APP-CORRESP-5ANS", b"AR048"), ["AR048"]),
            (sound.replace(b"<StartDate>2026-02-21", b"<StartDate>0999-02-21", 1), ["0999-02-21"]),
            (sound.replace(b"</AccessRule>", b"</AccessRule>" + hold), ["2026-04-01", "GEL-CONTENTIEUX"]),
            (sound.replace(b"</AccessRule>", b"</AccessRule>" + reuse), [None]),
            (sound.replace(b"<FinalAction>Destroy</FinalAction>", b""), [None]),
        ):
            path.write_bytes(data)
            problems = check_rules(session, organisation, read_manifest(path), date(2026, 3, 2))
            assert [problem.found for problem in problems] == found
            assert set(codes(problems)) <= {"203"}
