"""Transfers beside a disk that fails, a checker of PDF/A, and an archivist who decides of several at once."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
from sqlmodel import select

from archive.ingest import zips
from core import clock
from core.errors import Conflict, NotFound, UsageError
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Step
from flows.transfers import deciding
from tests.checker import checker
from tests.conftest import on_one_shape
from tests.office import pdf
from tests.transfers import Desk, Sip

pytestmark = on_one_shape
SIP = Sip()


@pytest.fixture
def desk(platform: Platform, mairie: Organisation, tmp_path: Path) -> Iterator[Desk]:
    with Desk.opened(platform, mairie, tmp_path) as desk:
        yield desk


def test_while_our_disk_fails_a_transfer_waits_and_is_tried_again(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    dossier_id = desk.hand(SIP.zip(tmp_path))
    with monkeypatch.context() as broken:
        broken.setattr(zips, "opened", failing)
        waiting = desk.run(dossier_id)
    assert (waiting.state, waiting.parked, waiting.problems) == ("received", None, [])
    with desk.platform.database.writing(PLATFORM) as session:
        step = session.exec(select(Step).where(Step.dossier_id == dossier_id)).one()
        assert "disque" in (step.trouble or "")
        step.due = clock.now()
        session.add(step)
    assert desk.run(dossier_id).state == "to_accept"


def test_pdfa_is_verified_where_the_operator_has_a_checker_and_told_as_a_claim_elsewhere(desk: Desk, tmp_path: Path) -> None:
    files = {"content/sain.pdf": archivable(b"sain"), "content/faux.pdf": archivable(b"BROKEN")}
    sip = SIP.but(files=files, puids={}, agreement="ACCORD-1")
    desk.agree(pdfa="verified")
    told = desk.hand(sip.zip(tmp_path))
    assert desk.run(told).state == "to_accept"
    assert desk.told(told).count("SEDA-204") == 2  # nobody verified what the agreement wants verified: an archivist decides
    deciding.accept(desk.platform, desk.archivist, told)
    desk.run(told)
    assert "annoncé, non vérifié" in desk.file(told, "reply").read_text(encoding="utf-8")
    place = tmp_path / "verapdf"
    place.mkdir()
    desk.engine.platform = replace(
        desk.platform, settings=desk.platform.settings.model_copy(update={"pdfa_checker": checker(place)})
    )
    refused = desk.hand(sip.but(identifier="VERS-2").zip(tmp_path))
    assert desk.run(refused).state == "rejected"
    (problem,) = desk.dossier(refused).problems
    assert (problem["rule"], problem["path"]) == ("SEDA-205", "content/faux.pdf")
    assert problem["found"] == "ISO 19005-2:2011, 6.2.11.4.1, test 1 ; ISO 19005-2:2011, 6.6.2.1, test 3"
    assert "PDF/A-2b, conforme selon veraPDF 1.28.2" in desk.file(refused, "reply").read_text(encoding="utf-8")


def archivable(mark: bytes) -> bytes:
    """Return a PDF that says it is PDF/A-2b, with a mark for the checker."""
    whole = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf("arrêté"))) as document:
        with document.open_metadata() as metadata:
            metadata["pdfaid:part"], metadata["pdfaid:conformance"] = "2", "B"
        document.save(whole)
    return whole.getvalue() + b"\n%" + mark + b"\n"


def test_several_transfers_are_decided_of_at_once_each_by_itself(desk: Desk, tmp_path: Path) -> None:
    ids = [desk.hand(SIP.but(identifier=f"VERS-{rank}").zip(tmp_path)) for rank in range(3)]
    for one in ids:
        desk.run(one)
    deciding.refuse(desk.platform, desk.archivist, ids[1], "203", "à part")
    with pytest.raises(UsageError, match="pourquoi"):
        deciding.refuse_each(desk.platform, desk.archivist, ids, "203", "")
    with pytest.raises(UsageError, match="au moins un"):
        deciding.accept_each(desk.platform, desk.archivist, [])
    found = deciding.accept_each(desk.platform, desk.archivist, [*ids, "01INCONNU", ids[0]], "Lot de mars")
    assert [one.dossier_id for one in found] == [*ids, "01INCONNU"]
    assert [type(one.trouble) for one in found] == [type(None), Conflict, type(None), NotFound]
    assert [desk.dossier(one).state for one in ids] == ["accepted", "declined", "accepted"]
    assert [desk.transfer(one).comment for one in ids] == ["Lot de mars", "à part", "Lot de mars"]
