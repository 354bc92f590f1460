"""A package from outside, on real parts: acknowledged, checked, accepted or refused, sealed as it came, answered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlmodel import select

from archive.elimination.states import ELIMINATED
from archive.ingest import agreements
from archive.places import statements
from archive.places.places import fetch
from core import journal
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.identifiers import new_id
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.settings import Settings
from flows.engine.models import Dossier, DossierFile, Step
from flows.engine.work import KeptFile, Work
from flows.transfers import archiving, deciding
from schemas.seda.replies import read_reply
from tests.clamd import MARK, SIGNATURE, Clamd
from tests.conftest import on_one_shape
from tests.transfers import ARCHIVES, LETTER, PRODUCER, SENDER, Desk, Sip

pytestmark = on_one_shape


@pytest.fixture
def desk(platform: Platform, mairie: Organisation, tmp_path: Path) -> Iterator[Desk]:
    with Desk.opened(platform, mairie, tmp_path) as desk:
        yield desk


SIP = Sip()


def test_a_transfer_is_acknowledged_accepted_by_an_archivist_sealed_as_it_came_and_answered(desk: Desk, tmp_path: Path) -> None:
    package = SIP.zip(tmp_path)
    dossier_id = desk.hand(package)
    waiting = desk.run(dossier_id)
    assert (waiting.state, waiting.parked, waiting.title) == ("to_accept", None, "Correspondance du maire")
    # No agreement and no antivirus: both are told, neither refuses.
    assert desk.told(dossier_id) == ["SEDA-300", "SEDA-101"]
    received = read_reply(desk.file(dossier_id, "acknowledgement"))
    assert (received.kind, received.transfer_identifier) == ("Acknowledgement", SIP.identifier)
    deciding.accept(desk.platform, desk.archivist, dossier_id, "Bien reçu.")
    assert desk.run(dossier_id).state == "archived"
    (record,) = desk.records()
    assert (record.kind, record.dossier_id, record.title) == ("transfer", dossier_id, "Correspondance du maire")
    assert (record.rule, record.final_action, record.keep_until) == ("APP-CORRESP-5ANS v1", "Destroy", date(2031, 2, 21))
    assert (record.access, record.open_from, record.producer) == ("AR048 v1", date(2076, 2, 21), PRODUCER)
    target = tmp_path / "sealed.zip"
    fetch(desk.platform, record, target)
    assert target.read_bytes() == package
    reply = read_reply(desk.file(dossier_id, "reply"))
    assert (reply.accepted, reply.code, reply.archive_identifier) == (True, "001", record.id)
    assert (reply.transfer_identifier, reply.comments) == (SIP.identifier, ("Bien reçu.",))


def test_what_the_journal_cannot_hold_of_a_transfer_stands_under_lock_beside_it(desk: Desk, tmp_path: Path) -> None:
    dossier_id = desk.hand(SIP.zip(tmp_path))
    desk.run(dossier_id)
    deciding.accept(desk.platform, desk.archivist, dossier_id, "Versement attendu de M. Modèle")
    desk.run(dossier_id)
    kept = {(kind, identifier): data for kind, identifier, data in statements.read_all(desk.platform)}
    told = json.loads(kept["transfer", dossier_id])
    assert told["comment"] == "Versement attendu de M. Modèle"
    assert told["package_sha256"] == desk.records()[0].sha256
    assert json.loads(told["report"])["files"][0]["puids"] == ["fmt/101"]
    assert [json.loads(leaf)["kind"] for leaf in told["journal"]][-1] == "transfer.accepted"
    with desk.platform.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).where(JournalEntry.dossier_id == dossier_id)).all()
    assert entries
    assert not any("Modèle" in entry.leaf().decode() or "Correspondance" in entry.leaf().decode() for entry in entries)


def test_an_archivist_refuses_with_a_code_and_a_reason_and_the_mended_transfer_may_follow(desk: Desk, tmp_path: Path) -> None:
    dossier_id = desk.hand(SIP.zip(tmp_path))
    desk.run(dossier_id)
    with pytest.raises(UsageError, match="pourquoi"):
        deciding.refuse(desk.platform, desk.archivist, dossier_id, "203", " ")
    with pytest.raises(UsageError, match="000"):
        deciding.refuse(desk.platform, desk.archivist, dossier_id, "000", "non")
    deciding.refuse(desk.platform, desk.archivist, dossier_id, "203", "Il manque le plan de classement.")
    assert desk.run(dossier_id).state == "rejected"
    reply = read_reply(desk.file(dossier_id, "reply"))
    assert (reply.accepted, reply.code, reply.comments) == (False, "203", ("Il manque le plan de classement.",))
    assert desk.records() == []
    again = desk.hand(SIP.but(title="Correspondance classée").zip(tmp_path))
    assert again != dossier_id
    assert desk.run(again).state == "to_accept"


@pytest.mark.parametrize("named", [SIP.identifier, ARCHIVES, SENDER])
def test_a_name_that_no_answer_can_hold_is_refused_and_nobody_has_to_look(desk: Desk, tmp_path: Path, named: str) -> None:
    manifest = SIP.manifest(tmp_path).replace(named.encode(), b"x" * 40_000)
    refused = desk.run(desk.hand(SIP.zip(tmp_path, **{"manifest.xml": manifest})))
    assert (refused.state, refused.parked, "SEDA-101" in desk.told(refused.id)) == ("rejected", None, True)


def test_an_agreement_of_a_name_without_end_is_refused_in_an_answer_that_does_not_repeat_it(desk: Desk, tmp_path: Path) -> None:
    manifest = SIP.but(agreement="ACCORD-X").manifest(tmp_path).replace(b"ACCORD-X", b"x" * 40_000)
    refused = desk.run(desk.hand(SIP.zip(tmp_path, **{"manifest.xml": manifest})))
    assert (refused.state, refused.parked) == ("rejected", None)
    assert (read_reply(desk.file(refused.id, "reply")).code, desk.told(refused.id)[0]) == ("300", "SEDA-300")


def test_who_does_not_manage_the_archives_there_decides_nothing(desk: Desk, tmp_path: Path) -> None:
    dossier_id = desk.hand(SIP.zip(tmp_path))
    desk.run(dossier_id)
    reader = Principal("person:01LECTEUR", {desk.organisation.id: frozenset({Right.READ, Right.DEPOSIT})})
    elsewhere = Principal("person:01AUTRE", {"01AILLEURS": frozenset(Right)})
    with pytest.raises(Forbidden):
        deciding.accept(desk.platform, reader, dossier_id)
    with pytest.raises(NotFound):
        deciding.accept(desk.platform, elsewhere, dossier_id)
    deciding.accept(desk.platform, desk.archivist, dossier_id)
    with pytest.raises(Conflict):
        deciding.refuse(desk.platform, desk.archivist, dossier_id, "203", "trop tard")


def test_the_same_transfer_packed_again_makes_no_second_archive_and_another_of_its_name_is_refused(
    desk: Desk, tmp_path: Path
) -> None:
    first = desk.hand(SIP.zip(tmp_path))
    assert desk.hand(SIP.zip(tmp_path)) == first
    assert desk.run(first).state == "to_accept"
    repacked = desk.hand(SIP.tar(tmp_path), "versement.tar.gz")
    assert desk.run(repacked).state == "duplicate"
    assert desk.dossier(repacked).facts["same_as"] == first
    other = desk.hand(SIP.but(title="Autre chose").zip(tmp_path))
    assert desk.run(other).state == "rejected"
    assert first in [one["found"] for one in desk.dossier(other).problems]
    elsewhere = desk.hand(SIP.but(sender="218500993").zip(tmp_path))
    assert desk.run(elsewhere).state == "to_accept"


def test_what_repeated_a_transfer_that_was_refused_since_is_a_new_one_and_only_then(desk: Desk, tmp_path: Path) -> None:
    first, packed = desk.hand(SIP.zip(tmp_path)), SIP.tar(tmp_path)
    assert desk.run(first).state == "to_accept"
    repacked = desk.hand(packed, "versement.tar.gz")
    assert desk.run(repacked).state == "duplicate"
    assert (desk.hand(packed, "versement.tar.gz"), desk.hand(SIP.zip(tmp_path))) == (repacked, first)
    deciding.refuse(desk.platform, desk.archivist, first, "300", "L’accord n’est pas encore ouvert.")
    assert desk.run(first).state == "rejected"
    again = desk.hand(packed, "versement.tar.gz")
    assert again != repacked
    assert desk.run(again).state == "to_accept"
    assert desk.hand(packed, "versement.tar.gz") == again
    zipped = desk.hand(SIP.zip(tmp_path))
    assert (zipped == first, desk.run(zipped).state, desk.dossier(zipped).facts["same_as"]) == (False, "duplicate", again)


def test_what_the_checks_refused_is_taken_as_it_is_once_the_cause_has_gone(desk: Desk, tmp_path: Path) -> None:
    package = SIP.but(agreement="ACCORD-1").zip(tmp_path)
    refused = desk.hand(package)
    assert desk.run(refused).state == "rejected"
    desk.agree()
    taken = desk.hand(package)
    assert (taken == refused, desk.run(taken).state) == (False, "to_accept")


def test_what_was_eliminated_may_be_handed_over_again_as_it_was_or_packed_otherwise(desk: Desk, tmp_path: Path) -> None:
    package, sealed = SIP.zip(tmp_path), desk.hand(SIP.zip(tmp_path))
    desk.run(sealed)
    deciding.accept(desk.platform, desk.archivist, sealed)
    assert desk.run(sealed).state == "archived"
    repeat = desk.hand(SIP.tar(tmp_path), "versement.tar.gz")
    assert desk.run(repeat).state == "duplicate"
    with desk.platform.database.writing(PLATFORM) as session:
        told = {"organisation_id": desk.organisation.id, "dossier_id": sealed, "actor": "platform"}
        journal.write(session, kind=ELIMINATED, **told, facts={"record": desk.records()[0].id, "elimination": new_id()})
    again = desk.hand(SIP.tar(tmp_path), "versement.tar.gz")
    assert (again == repeat, desk.run(again).state) == (False, "to_accept")
    other = desk.hand(package)
    assert (other == sealed, desk.run(other).state, desk.dossier(other).facts["same_as"]) == (False, "duplicate", again)
    assert desk.hand(package) == other


def test_an_automatic_agreement_seals_what_passes_without_a_remark(desk: Desk, tmp_path: Path, antivirus: Clamd) -> None:
    scanned = replace(desk, platform=replace(desk.platform, settings=_with(desk.platform.settings, antivirus.tcp)))
    desk.engine.platform = scanned.platform
    agreement = desk.agree(automatic=True, archival_agency=ARCHIVES, formats=["fmt/101"])
    dossier_id = desk.hand(SIP.but(agreement="ACCORD-1").zip(tmp_path))
    assert desk.run(dossier_id).state == "archived"
    assert desk.told(dossier_id) == []
    assert (desk.transfer(dossier_id).agreement_id, desk.transfer(dossier_id).code) == (agreement, "000")
    assert read_reply(desk.file(dossier_id, "reply")).code == "000"
    infected = {"content/lettre.xml": LETTER, "content/note.txt": MARK}
    bad = desk.hand(SIP.but(agreement="ACCORD-1", identifier="VERS-2", files=infected).zip(tmp_path))
    assert desk.run(bad).state == "rejected"
    assert ("content/note.txt", SIGNATURE) in [(one["path"], one["found"]) for one in desk.dossier(bad).problems]


def test_while_no_antivirus_answers_a_transfer_waits(desk: Desk, tmp_path: Path) -> None:
    desk.engine.platform = replace(desk.platform, settings=_with(desk.platform.settings, "tcp://127.0.0.1:9"))
    dossier_id = desk.hand(SIP.zip(tmp_path))
    dossier = desk.run(dossier_id)
    assert (dossier.state, dossier.parked) == ("acknowledged", None)
    with desk.platform.database.reading(PLATFORM) as session:
        step = session.exec(select(Step).where(Step.dossier_id == dossier_id)).one()
    assert step.failures == 1
    assert step.trouble


def _with(settings: Settings, address: str) -> Settings:
    return settings.model_copy(update={"antivirus": address})


def test_everything_that_an_agreement_forbids_is_told_at_once(desk: Desk, tmp_path: Path) -> None:
    past = date(2026, 1, 31)
    desk.agree(
        transferring_agency="218500999",
        archival_agency="AD-99",
        originating_agencies=["218500998"],
        formats=["fmt/95"],
        signatures=True,
        signed_manifest=True,
        digests=["SHA-512"],
        largest=100,
        largest_file=10,
        volume=100,
        ends=past,
    )
    dossier_id = desk.hand(SIP.but(agreement="ACCORD-1").zip(tmp_path))
    assert desk.run(dossier_id).state == "rejected"
    told = {one["rule"] for one in desk.dossier(dossier_id).problems}
    expected = {"301", "302", "303", "304", "305", "306", "307", "308", "309", "312"}
    assert told == {f"SEDA-{code}" for code in expected}
    reply = read_reply(desk.file(dossier_id, "reply"))
    assert not reply.accepted
    assert len(reply.details) == 11


def test_a_quota_counts_the_transfers_of_the_year_that_were_not_refused(desk: Desk, tmp_path: Path) -> None:
    desk.agree(most=1)
    named = SIP.but(agreement="ACCORD-1")
    first = desk.hand(named.zip(tmp_path))
    assert desk.run(first).state == "to_accept"
    second = desk.hand(named.but(identifier="VERS-2").zip(tmp_path))
    assert desk.run(second).state == "rejected"
    assert desk.told(second)[0] == "SEDA-301"
    deciding.refuse(desk.platform, desk.archivist, first, "203", "à reprendre")
    third = desk.hand(named.but(identifier="VERS-3").zip(tmp_path))
    assert desk.run(third).state == "to_accept"


def test_an_agreement_that_is_closed_unknown_or_not_named_is_told(desk: Desk, tmp_path: Path) -> None:
    unknown = desk.hand(SIP.but(agreement="ACCORD-9").zip(tmp_path))
    assert desk.run(unknown).state == "rejected"
    agreement = desk.agree()
    unnamed = desk.hand(SIP.zip(tmp_path))
    assert desk.run(unnamed).state == "rejected"
    with desk.platform.database.writing(desk.archivist) as session:
        agreements.close(session, desk.archivist, agreement)
    closed = desk.hand(SIP.but(agreement="ACCORD-1").zip(tmp_path))
    assert desk.run(closed).state == "rejected"
    assert [desk.told(one)[0] for one in (unknown, unnamed, closed)] == ["SEDA-300"] * 3


def test_a_rule_that_nobody_knows_refuses_a_transfer(desk: Desk, tmp_path: Path) -> None:
    dossier_id = desk.hand(SIP.but(access="AR999").zip(tmp_path))
    assert desk.run(dossier_id).state == "rejected"
    assert [(one["rule"], one["found"]) for one in desk.dossier(dossier_id).problems] == [("SEDA-203", "AR999")]


def test_a_damaged_package_is_refused_with_all_that_is_wrong_and_the_answer_says_so(desk: Desk, tmp_path: Path) -> None:
    package = SIP.zip(tmp_path, **{"content/lettre.xml": LETTER + b" ", "content/de-trop.txt": b"?"})
    dossier_id = desk.hand(package)
    assert desk.run(dossier_id).state == "rejected"
    assert sorted(one["rule"] for one in desk.dossier(dossier_id).problems) == ["SEDA-101", "SEDA-207", "SEDA-207"]
    assert read_reply(desk.file(dossier_id, "reply")).code in {"101", "207"}
    nothing = desk.hand(b"rien du tout", "rien.zip")
    assert desk.run(nothing).state == "rejected"
    assert desk.told(nothing) == ["SEDA-101"]


def test_a_dry_run_checks_and_goes_no_further_whatever_it_finds(desk: Desk, tmp_path: Path) -> None:
    tried = desk.hand(SIP.zip(tmp_path), dry_run="true")
    assert desk.run(tried).state == "tried"
    bad = desk.hand(SIP.but(access="AR999").zip(tmp_path), dry_run="true")
    assert desk.run(bad).state == "tried"
    assert "SEDA-203" in desk.told(bad)
    # A dry run takes no identifier: the transfer itself may follow.
    real = desk.hand(SIP.zip(tmp_path))
    assert real != tried
    assert desk.run(real).state == "to_accept"


def test_a_second_try_of_the_sealing_finds_what_the_first_one_locked(desk: Desk, tmp_path: Path) -> None:
    dossier_id = desk.hand(SIP.tar(tmp_path, "w:bz2"), "versement.tar.bz2")
    desk.run(dossier_id)
    deciding.accept(desk.platform, desk.archivist, dossier_id)
    with desk.platform.database.reading(PLATFORM) as session:
        own = session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier_id)).all()
    files = tuple(KeptFile(one.role, one.name, one.media_type, one.sha256, one.size) for one in own)
    folder = tmp_path / "work"
    folder.mkdir()

    def note(_kind: str, **facts: object) -> None:
        with desk.platform.database.writing(PLATFORM) as session:
            dossier = session.get_one(Dossier, dossier_id)
            dossier.facts = dossier.facts | facts

    # As if the process had died after the lock, before the record was written.
    work = Work(desk.platform, dossier_id, desk.organisation.id, "", "accepted", {}, files, folder, 1, note)
    archiving.seal(work)
    assert desk.records() == []
    assert desk.run(dossier_id).state == "archived"
    (record,) = desk.records()
    assert record.sha256 == hashlib.sha256(desk.file(dossier_id, "package").read_bytes()).hexdigest()
    assert desk.platform.objects.sealed_versions(record.key) == 1
