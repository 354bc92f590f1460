"""A PES from the finance software to its sealed record, with the State's simulators; what the shape could change, on each."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from zipfile import ZipFile

import pytest
from sqlmodel import select

from archive.finding import search
from archive.models import Record
from archive.proof.proving import write_evidence
from archive.proof.verification import EvidenceVerdict, verify_evidence
from core.errors import Conflict, Unavailable
from core.journal import JournalEntry
from core.principal import PLATFORM, Principal, Right
from flows.engine.models import DossierFile
from flows.helios.models import HeliosResponse
from schemas.pes.sample import Authority
from signing.pes.seal import seal
from signing.trust import TrustStore
from tests.conftest import on_one_shape
from tests.town import Town
from tests.waiting import wait_until


def record_of(town: Town, dossier_id: str) -> Record:
    with town.platform.database.reading(PLATFORM) as session:
        return session.exec(select(Record).where(Record.dossier_id == dossier_id)).one()


def files_of(town: Town, dossier_id: str) -> dict[str, DossierFile]:
    with town.platform.database.reading(PLATFORM) as session:
        return {kept.role: kept for kept in session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier_id))}


def evidence_of(town: Town, record: Record, target: Path) -> Path:
    def written() -> bool:
        try:
            write_evidence(town.platform, PLATFORM, record.id, target)
        except Unavailable:
            return False
        return True

    wait_until(written)
    return target


def test_an_unsigned_pes_is_sealed_sent_acknowledged_archived_and_proved(town: Town, tmp_path: Path) -> None:
    with town.at_work():
        dossier = town.push("PES_JOURNEY")
        town.wait_for(dossier, "archived")
        record = record_of(town, dossier)
        proof = evidence_of(town, record, tmp_path / "proof.zip")
    (delivered,) = town.played.gateway.received()
    files = files_of(town, dossier)
    assert delivered.sha256 == files["signed"].sha256 != files["pes"].sha256
    report = verify_evidence(proof, trust=TrustStore.from_folder(town.played.trust_dir))
    assert report.verdict is EvidenceVerdict.VALID, report.as_json()
    with ZipFile(proof) as evidence, ZipFile(evidence.open("package.zip")) as package:
        contents = {hashlib.sha256(package.read(name)).hexdigest() for name in package.namelist()}
    assert {files["signed"].sha256, files["acquit"].sha256, files["report"].sha256} <= contents
    assert town.platform.objects.sealed_versions(record.key) == 1


def test_a_pes_that_arrives_signed_leaves_byte_for_byte_as_it_came(town: Town) -> None:
    unsigned = town.pes("PES_SIGNED")
    ours = town.played.seal()
    signed = unsigned.with_name("signed.xml")
    seal(unsigned, signed, ours.signer(), ours.context())
    with town.at_work():
        dossier = town.deposit(signed)
        town.wait_for(dossier, "archived")
    (delivered,) = town.played.gateway.received()
    assert delivered.sha256 == hashlib.sha256(signed.read_bytes()).hexdigest()


@on_one_shape
def test_a_pes_with_faults_is_rejected_with_every_problem_and_nothing_leaves(town: Town) -> None:
    path = town.pes("PES_FAULTY")
    text = (
        path.read_text("iso-8859-1").replace('<CodCol V="123"/>', '<CodCol V="000"/>').replace('<IdVer V="2"/>', '<IdVer V="1"/>')
    )
    path.write_text(text, "iso-8859-1")
    with town.at_work():
        ended = town.wait_for(town.deposit(path), "rejected")
    rules = {problem["rule"] for problem in ended.problems}
    assert {"R06", "R16"} <= rules
    assert all(problem["message"] and problem["mend"] for problem in ended.problems)
    assert town.played.gateway.received() == []


@on_one_shape
@pytest.mark.parametrize(("comments", "ends"), [(1, "archived"), (2, "rejected")])
def test_a_pes_whose_header_comes_so_late_that_no_acquit_would_find_it_is_rejected(town: Town, comments: int, ends: str) -> None:
    path = town.pes("PES_TARDIF")
    late = b"<!--" + b"x" * 700_000 + b"-->"
    path.write_bytes(path.read_bytes().replace(b"<Enveloppe>", late * comments + b"<Enveloppe>", 1))
    with town.at_work():
        ended = town.wait_for(town.deposit(path), "archived", "rejected")
    assert (ended.state, [one["rule"] for one in ended.problems]) == (ends, ["R08"] if comments == 2 else [])


@on_one_shape
def test_a_pes_of_another_entity_is_rejected_with_rule_r13(town: Town) -> None:
    with town.at_work():
        ended = town.wait_for(town.push("PES_FOREIGN", authority=Authority()), "rejected")
    assert [problem["rule"] for problem in ended.problems if problem["severity"] == "error"] == ["R13"]


def test_the_same_pes_twice_is_one_dossier_and_another_of_its_name_is_a_duplicate(town: Town) -> None:
    path = town.pes("PES_TWICE")
    first = town.deposit(path)
    assert town.deposit(path) == first
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(Conflict, match="Doublon") as refused:
        town.deposit(path)
    assert refused.value.existing == first


def test_a_rejected_pes_can_be_mended_and_pushed_again_under_its_name(town: Town) -> None:
    path = town.pes("PES_MENDED")
    good = path.read_bytes()
    path.write_bytes(good.replace(b'<CodCol V="123"/>', b'<CodCol V="000"/>'))
    with town.at_work():
        town.wait_for(town.deposit(path), "rejected")
        path.write_bytes(good)
        town.wait_for(town.deposit(path), "archived")


@on_one_shape
@pytest.mark.parametrize(
    ("suffix", "state", "answer"),
    [("KOXSD", "refused", "refused"), ("KOSIG", "refused", "refused"), ("DOUBLON", "refused", "refused")],
)
def test_a_pes_that_helios_refuses_ends_refused_with_the_acquit_and_no_record(
    town: Town, suffix: str, state: str, answer: str
) -> None:
    with town.at_work():
        dossier = town.push(f"PES_{suffix}")
        ended = town.wait_for(dossier, state)
    assert ended.facts["acquit"]["answer"] == answer
    assert "acquit" in files_of(town, dossier)
    with town.platform.database.reading(PLATFORM) as session:
        assert session.exec(select(Record)).all() == []


@on_one_shape
def test_a_pes_accepted_in_part_is_archived_with_its_details(town: Town) -> None:
    with town.at_work():
        dossier = town.push("PES_PARTIEL_PARTIEL", bordereaux=2)
        ended = town.wait_for(dossier, "archived")
    assert ended.facts["acquit"]["answer"] == "partial"


@on_one_shape
def test_a_pes_whose_year_and_days_name_their_time_zone_is_archived_as_any_other(town: Town) -> None:
    path = town.pes("PES_FUSEAU")
    text = path.read_text("iso-8859-1")
    for old, new in (('<Exer V="2026"/>', '<Exer V="2026Z"/>'), ("2026-03-02", "2026-03-02+01:00")):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "iso-8859-1")
    with town.at_work():
        town.wait_for(town.deposit(path), "archived")


@on_one_shape
def test_a_mandat_is_found_in_the_archive_by_its_number(town: Town) -> None:
    path = town.pes("PES_MANDATS", pieces=3)
    path.write_text(re.sub(r'<IdPce V="(\d)"', r'<IdPce V="0123\1"', path.read_text("iso-8859-1")), "iso-8859-1")
    with town.at_work():
        dossier = town.deposit(path)
        town.wait_for(dossier, "archived")
    record = record_of(town, dossier)
    clerk = Principal("person:a", {town.organisation.id: frozenset({Right.READ})})
    for asked, found in (("mandat 1232", [record.id]), ("1233", [record.id]), ("1234", []), ("titre 1232", [])):
        lines = search.find(town.platform, clerk, search.Wanted(text=asked)).lines
        assert [line.record.id for line in lines] == found, asked


CONTRACT = "<PES_Marche><EnTeteMarche><IdVer V='2'/></EnTeteMarche><Marches><Marche/></Marches></PES_Marche>"
INVOICE = "<PES_Facture><IdVer V='2'/><FactureIndiv/></PES_Facture>"


@on_one_shape
def test_a_pes_without_any_bordereau_goes_its_way_to_the_archive(town: Town) -> None:
    sent = {}
    for name, body in {"PES_PJ_SEULE": None, "PES_MARCHE": CONTRACT, "PES_FACTURE": INVOICE}.items():
        path = town.pes(name)
        text = path.read_text("iso-8859-1")
        start, end = text.index("<PES_DepenseAller>"), text.index("<PES_PJ>" if body is None else "</n:PES_Aller>")
        path.write_text(text[:start] + (body or "") + text[end:], "iso-8859-1")
        sent[name] = town.deposit(path)
    with town.at_work():
        for dossier in sent.values():
            town.wait_for(dossier, "archived")


@on_one_shape
def test_an_acquit_of_no_known_flow_is_kept_for_a_person(town: Town) -> None:
    with town.at_work():
        town.wait_for(town.push("PES_AUTRECODCOL_AUTRECODCOL"), "sent")

        def quarantined() -> bool:
            with town.platform.database.reading(PLATFORM) as session:
                return any(response.flaw for response in session.exec(select(HeliosResponse)))

        wait_until(quarantined)


@on_one_shape
def test_a_second_acquit_is_kept_and_changes_nothing(town: Town) -> None:
    with town.at_work():
        dossier = town.push("PES_DEUX_DEUXACQUITS")
        town.wait_for(dossier, "archived")
        wait_until(lambda: "acquit.later" in files_of(town, dossier))
    assert town.dossier(dossier).state == "archived"
    with town.platform.database.reading(PLATFORM) as session:
        again = session.exec(select(JournalEntry.facts).where(JournalEntry.kind == "helios.acquit_again")).one()
    assert (again["answer"], again["refused"]) == ("accepted", [])


@on_one_shape
def test_no_name_and_no_address_of_a_person_enters_the_journal(town: Town) -> None:
    with town.at_work():
        town.wait_for(town.push("PES_PRIVATE"), "archived")
    with town.platform.database.reading(PLATFORM) as session:
        leaves = [json.loads(entry.leaf()) for entry in session.exec(select(JournalEntry))]
    text = json.dumps(leaves)
    assert "PAPETERIE" not in text
    assert "FR76" not in text


BOMB = b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY a%d "%s">' % (rank, b"&a%d;" % (rank - 1) * 10 if rank else b"&a;" * 10) for rank in range(12)
)
BAD_DOCUMENTS = {
    "a letter": (b"Madame, Monsieur,", {"R01"}),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), {"R01"}),
    "a DOCTYPE": (b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE x SYSTEM "file:///etc/passwd"><x>&y;</x>', {"R02"}),
    "an entity bomb": (BOMB + b"]><b>&a11;</b>", {"R02"}),
    "an unknown encoding": (b'<?xml version="1.0" encoding="martian"?><x/>', {"R03"}),
    "another document": (b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<letter/>', {"R05"}),
    "a name without end": (
        b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<n:PES_Aller xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller">'
        b'<Enveloppe><Parametres><NomFic V="%s"/></Parametres></Enveloppe><EnTetePES><CodCol V="123"/></EnTetePES></n:PES_Aller>'
        % (b"X" * 5_000),
        {"R06"},
    ),
    "ten thousand levels": (b'<?xml version="1.0" encoding="ISO-8859-1"?>\n' + b"<a>" * 10_000 + b"</a>" * 10_000, {"R01"}),
}


@on_one_shape
def test_whatever_is_sent_is_answered_with_its_rule_and_never_breaks_a_worker(town: Town) -> None:
    with town.at_work():
        ended = {}
        for name, (content, _) in BAD_DOCUMENTS.items():
            path = town.folder / f"{name}.xml"
            path.write_bytes(content)
            ended[name] = town.deposit(path)
        for name, (_, rules) in BAD_DOCUMENTS.items():
            dossier = town.wait_for(ended[name], "rejected")
            found = {problem["rule"] for problem in dossier.problems}
            assert rules <= found, f"{name}: {sorted(found)}"
            assert all(problem["message"] for problem in dossier.problems)
    assert town.played.gateway.received() == []
