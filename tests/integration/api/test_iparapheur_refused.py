"""What the check refuses of a folder of the legacy SOAP service: software is told, at once or later, and sends another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.iparapheur import creation
from connectors.iparapheur import messages as wire
from connectors.iparapheur.messages import ArchiveAction, Code, DocAnnexe, Document
from connectors.iparapheur.simulated_typology import EMITTER, MANAGER
from core.errors import Conflict
from core.s3_server import S3Server
from signing.parapheur import actions
from signing.parapheur.history import Said
from signing.parapheur.models import FolderState
from tests.integration.api.iparapheur_software import PDF, Caller, act, create
from tests.iparapheur_platform import AtWork, Town, at_work
from tests.pades_documents import paper, signed_elsewhere
from tests.waiting import wait_until

DOSSIER = "ARR-2026-001"
SAID = "ne peut pas être admise"


@pytest.fixture(scope="module")
def running(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtWork]:
    with at_work(s3, tmp_path_factory.mktemp("refused")) as opened:
        yield opened


@pytest.fixture
def town(running: AtWork) -> Town:
    return running.town()


@pytest.fixture
def software(town: Town, tmp_path: Path) -> Caller:
    return Caller(town.address, EMITTER, town.token, tmp_path)


@pytest.fixture(scope="module")
def changed(running: AtWork) -> bytes:
    """A signed document that was changed since."""
    signed = signed_elsewhere(paper(), running.played.authority.seal("Camille", bits=2048))
    touched = signed.replace(b"/Rotate 0", b"/Rotate 9", 1)
    assert touched != signed
    return touched


def refusal(who: Caller, asked: wire.CreerDossierRequest) -> str:
    notice = who.ask(asked, wire.CreerDossierResponse).notice
    assert notice.code is Code.KO
    return notice.message


def found(who: Caller, **wanted: Any) -> list[tuple[str, str]]:
    entries = who.ask(wire.RechercherDossiersRequest(**wanted), wire.RechercherDossiersResponse).entries
    return [(one.name, one.status) for one in entries]


def test_a_document_that_was_changed_since_its_signature_is_refused_with_the_reason_and_nothing_is_created(
    software: Caller, tmp_path: Path, changed: bytes
) -> None:
    altered = act(tmp_path, changed)
    beside = tmp_path / "annexe.pdf"
    beside.write_bytes(changed)
    annex = DocAnnexe("Annexe.pdf", Document(beside, f"{PDF};charset=binary"), PDF, "UTF-8")
    sound = tmp_path / "sain"
    sound.mkdir()
    for asked, name in ((altered, "acte.pdf"), (replace(act(sound), annexes=(annex,)), "Annexe.pdf")):
        told = refusal(software, replace(asked, dossier_id=DOSSIER))
        assert name in told and SAID in told
    assert found(software) == []
    assert create(software, replace(act(tmp_path), dossier_id=DOSSIER)) == DOSSIER


@pytest.fixture
def refused(town: Town, software: Caller, tmp_path: Path, changed: bytes, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that was sent, and whose document the check has refused then: trust and time may change in between."""
    with monkeypatch.context() as patched:
        patched.setattr(creation, "pdf_problems", lambda *_, **__: [])
        create(software, replace(act(tmp_path, changed), dossier_id=DOSSIER))
    dossier = town._folder(DOSSIER).dossier_id
    wait_until(lambda: town._state(dossier) == "rejected", seen=lambda: town._state(dossier))
    return dossier


@pytest.mark.usefixtures("refused")
def test_a_refusal_that_comes_after_is_told_as_a_rejection_and_a_mended_document_follows_under_the_same_name(
    town: Town, software: Caller, tmp_path: Path
) -> None:
    last = software.history(DOSSIER)[-1]
    assert (last.status, SAID in last.annotation) == ("RejetVisa", True)
    assert found(software, status="RejetVisa") == found(software) == [(DOSSIER, "RejetVisa")]
    assert found(software, status="EnCoursVisa") == []
    with pytest.raises(Conflict, match=SAID):
        town._approve(town.principal(MANAGER), town._task(MANAGER, DOSSIER), Said("Vu"))
    erased = software.ask(wire.EffacerDossierRejeteRequest(DOSSIER), wire.EffacerDossierRejeteResponse).notice
    assert (erased.code, erased.message) == (Code.OK, f"Dossier {DOSSIER} supprimé du Parapheur.")
    assert found(software) == []
    assert create(software, replace(act(tmp_path), dossier_id=DOSSIER)) == DOSSIER
    town.act(MANAGER, DOSSIER, "visa")
    assert software.history(DOSSIER)[-1].status == "Archive"


def test_a_desk_may_reject_what_was_refused_and_its_own_words_stand(town: Town, software: Caller, refused: str) -> None:
    town._reject(town.principal(MANAGER), town._task(MANAGER, DOSSIER), Said("Mauvais fichier"))
    assert town._state(refused) == "rejected"
    last = software.history(DOSSIER)[-1]
    assert (last.status, last.annotation) == ("RejetVisa", "Mauvais fichier")
    early = software.ask(wire.ArchiverDossierRequest(DOSSIER, ArchiveAction.KEEP), wire.ArchiverDossierResponse).notice
    assert early.code is Code.KO
    erased = software.ask(wire.EffacerDossierRejeteRequest(DOSSIER), wire.EffacerDossierRejeteResponse).notice
    assert erased.code is Code.OK


@pytest.mark.usefixtures("refused")
def test_what_a_desk_had_approved_before_the_refusal_is_no_archive_and_can_be_erased(town: Town, software: Caller) -> None:
    who, task = town.principal(MANAGER), town._task(MANAGER, DOSSIER)
    with town.platform.database.writing(who) as session:  # as it would have been before the check
        actions.approve(session, who, task.id)
    assert town._folder(DOSSIER).state == FolderState.FINISHED
    assert software.history(DOSSIER)[-1].status == "RejetVisa"
    assert found(software, status="Archive") == []
    assert found(software, status="RejetVisa") == [(DOSSIER, "RejetVisa")]
    erased = software.ask(wire.EffacerDossierRejeteRequest(DOSSIER), wire.EffacerDossierRejeteResponse).notice
    assert erased.code is Code.OK
    assert found(software) == []
