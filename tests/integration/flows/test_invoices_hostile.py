"""What suppliers send beside their invoices: kept all of it, marked where it is dangerous, and never a reason to refuse."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pikepdf
import pytest

from connectors.chorus import simulated_received
from flows.engine.models import Dossier
from flows.invoices import checking, view
from schemas.invoices import pieces
from tests.clamd import MARK, Clamd, clamd
from tests.invoices import InvoicesTown, pivot
from tests.pades_documents import paper

pytestmark = pytest.mark.parametrize("shape", ["embedded"], indirect=True)
Send = Callable[..., Dossier]
PDF = "application/pdf"
PROGRAM = b"MZ" + bytes(200)
DOCTYPE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><CPPFacturePivot>&b;</CPPFacturePivot>'


def active() -> bytes:
    """A PDF that would run code when it is opened."""
    document = pikepdf.new()
    document.add_blank_page()
    document.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
    made = io.BytesIO()
    document.save(made)
    return made.getvalue()


def zipped(octets: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("piece.bin", octets)
    return made.getvalue()


@pytest.fixture
def sent(invoices: InvoicesTown, monkeypatch: pytest.MonkeyPatch) -> Send:
    """Receive an invoice whose pivot is made of given octets, or of pieces."""

    def receive(*parts: tuple[str, str, str, bytes], octets: bytes | None = None) -> Dossier:
        (known,) = invoices.arrive()
        content = pivot(*parts, chorus_id=known) if octets is None else octets
        monkeypatch.setattr(simulated_received, "write_pivot", lambda *given: given[-1].write(content))
        with invoices.at_work():
            return invoices.wait_for_invoice(known, "handed")

    return receive


INVOICE = ("Facture.pdf", "01", PDF)


def test_a_program_among_the_pieces_is_kept_and_marked(invoices: InvoicesTown, sent: Send) -> None:
    dossier = sent((*INVOICE, paper()), ("bon.exe", "02", "application/octet-stream", PROGRAM))
    (piece,) = invoices.files(dossier.id, "piece")
    assert dossier.facts["marks"] == {piece.sha256: "executable"}
    told = [one for one in dossier.facts["warnings"] if one["rule"] == "MARK"]
    assert [(one["path"], one["severity"]) for one in told] == [("bon.exe", "warning")]


def test_a_pdf_that_would_run_code_is_marked_before_people_open_it(invoices: InvoicesTown, sent: Send) -> None:
    dossier = sent((*INVOICE, paper()), ("bon.pdf", "02", PDF, active()))
    (piece,) = invoices.files(dossier.id, "piece")
    assert dossier.facts["marks"] == {piece.sha256: "script"}


def test_an_invoice_that_would_run_code_is_marked_too(invoices: InvoicesTown, sent: Send) -> None:
    dossier = sent((*INVOICE, active()))
    assert dossier.facts["marks"] == {invoices.files(dossier.id, "original")[0].sha256: "script"}


def test_a_piece_that_is_not_what_it_is_called_is_marked(invoices: InvoicesTown, sent: Send) -> None:
    dossier = sent((*INVOICE, paper()), ("plan.png", "02", "image/png", paper()))
    assert list(dossier.facts["marks"].values()) == ["type"]
    assert invoices.files(dossier.id, "piece")[0].media_type == PDF


def test_a_bomb_stays_in_the_pivot_and_is_told(
    invoices: InvoicesTown,
    sent: Send,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pieces, "MOST_OCTETS", 1 << 20)
    dossier = sent((*INVOICE, paper()), ("plan.zip", "02", "application/zip", zipped(bytes(3 << 20))))
    assert not invoices.files(dossier.id, "piece")
    assert [one["path"] for one in dossier.facts["warnings"] if one["rule"] == "PIECE"] == ["plan.zip"]


@pytest.mark.parametrize(
    "octets", [DOCTYPE, b"<html>rien</html>", b"\x00\x01\x02", b"<CPPFacturePivot><CPPFactures/></CPPFacturePivot>"]
)
def test_a_pivot_that_cannot_be_read_is_handed_over_as_it_is(invoices: InvoicesTown, sent: Send, octets: bytes) -> None:
    dossier = sent(octets=octets)
    kept, original = invoices.files(dossier.id, "pivot")[0], invoices.files(dossier.id, "original")[0]
    assert kept.sha256 == original.sha256
    assert dossier.facts["warnings_in_all"] >= 1
    assert {one["severity"] for one in dossier.facts["warnings"]} == {"warning"}
    assert invoices.files(dossier.id, "readable"), "Chorus Pro made a PDF of it"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\factures\\bon.pdf", "bon.pdf"),
        ("bon\u202efdp.exe", "bon fdp.exe"),
        ("...", "piece-2"),
        ("é" * 300 + ".pdf", "é" * 196 + ".pdf"),
    ],
)
def test_the_name_of_a_piece_is_as_it_was_written_without_what_misleads(
    invoices: InvoicesTown,
    sent: Send,
    written: str,
    kept: str,
) -> None:
    dossier = sent((*INVOICE, paper()), (written, "02", PDF, b"%PDF-1.4 autre"))
    assert [one.name for one in invoices.files(dossier.id, "piece")] == [kept]


def test_the_report_and_the_page_of_an_invoice_without_data_are_those_of_its_pivot(
    invoices: InvoicesTown,
    sent: Send,
    tmp_path: Path,
) -> None:
    dossier = sent((*INVOICE, paper()))
    shown = view.read(invoices.octets(invoices.files(dossier.id, "view")[0], tmp_path))
    assert (shown.invoice.number, shown.invoice.seller.name) == ("F-1", "Papeterie du Lavoir")
    report = json.loads(invoices.octets(invoices.files(dossier.id, "report")[0], tmp_path))
    assert report["pivot"]["document"] == "pivot"
    assert not any("factur-x" in one["message"].lower() for one in report["problems"]), "a plain PDF is no fault"


class TestWithAnAntivirus:
    @pytest.fixture
    def settings_changes(self, settings_changes: dict[str, object], antivirus: Clamd) -> dict[str, object]:
        return settings_changes | {"antivirus": antivirus.unix}

    def test_an_infected_piece_is_kept_and_marked(self, invoices: InvoicesTown, sent: Send) -> None:
        dossier = sent((*INVOICE, paper()), ("bon.pdf", "02", PDF, b"%PDF-1.4 " + MARK))
        (piece,) = invoices.files(dossier.id, "piece")
        assert dossier.facts["marks"] == {piece.sha256: "virus"}

    def test_an_infected_invoice_is_opened_by_nobody(self, sent: Send, monkeypatch: pytest.MonkeyPatch) -> None:
        opened: list[Path] = []
        monkeypatch.setattr(checking, "examine_invoice", lambda path, **_: opened.append(path))
        monkeypatch.setattr(checking, "look", lambda path, _: opened.append(path))
        dossier = sent((*INVOICE, b"%PDF-1.4 " + MARK))
        assert list(dossier.facts["marks"].values()) == ["virus"]
        assert not opened


class TestWithAnAntivirusOfSmallSize:
    @pytest.fixture
    def settings_changes(self, settings_changes: dict[str, object]) -> Iterator[dict[str, object]]:
        with clamd(MaxFileSize="100K") as running:
            yield settings_changes | {"antivirus": running.unix}

    def test_what_it_does_not_look_at_is_marked_and_holds_up_nothing(self, invoices: InvoicesTown, sent: Send) -> None:
        large = b"texte " * 50_000
        dossier = sent((*INVOICE, paper()), ("plan.txt", "02", "text/plain", large))
        (piece,) = invoices.files(dossier.id, "piece")
        assert dossier.facts["marks"] == {piece.sha256: "unscanned"}
