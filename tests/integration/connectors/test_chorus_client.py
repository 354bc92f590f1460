"""Our side of Chorus Pro against the simulated one: to find, to read, to download, to change statuses, to deposit."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from chorus_gateways import START, Side, opened
from lxml import etree

from connectors.chorus import client, errors, simulated_deposits
from connectors.chorus.answers import Format, Kind
from connectors.chorus.client import Chorus
from connectors.chorus.searching import Search
from connectors.chorus.simulated_documents import Shape, pieces_of
from connectors.chorus.simulated_store import ordinary
from connectors.chorus.simulated_world import CCAS, COMMUNE, PUBLIC_INVOICES
from connectors.chorus.statuses import Outcome, outcome
from core.configuration import revealed

FACTURX = "IN_DP_E2_CII_FACTURX"


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    with opened(tmp_path / "chorus") as both:
        yield both


@pytest.fixture
def chorus(side: Side) -> Chorus:
    return side.client()


def found(chorus: Chorus, search: Search | None = None) -> list[str]:
    return [one.number for page in chorus.received(search or Search()) for one in page.invoices]


def test_a_new_account_is_tried(chorus: Chorus) -> None:
    chorus.health()
    assert Decimal("20.0") in chorus.tax_rates()
    assert [(one.id, one.identifier) for one in chorus.structures()] == [(COMMUNE, "21400999500017"), (CCAS, "26400999400015")]
    assert chorus.account_expiry() == date(2027, 6, 30)
    detail = chorus.structure(COMMUNE)
    assert (detail.service_required, detail.engagement_required, detail.tells_payment) == (True, False, True)


def test_all_services_come_and_not_the_first_page_alone(chorus: Chorus) -> None:
    desks = chorus.services(COMMUNE)
    assert len(desks) == 25
    assert [one.code for one in desks if not one.active] == ["CULTURE"]
    assert PUBLIC_INVOICES in {one.code for one in desks}


def test_nothing_found_is_an_empty_list_and_not_an_error(side: Side, chorus: Chorus) -> None:
    assert found(chorus, Search(kinds=tuple(Kind))) == []
    assert [one.code for one in side.evidence] == [20000, 20000, 20007, 20007]


def test_invoices_of_every_kind_are_found_each_once_page_after_page(
    side: Side, chorus: Chorus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE", 5)
    side.simulator.emit(8, number="A")
    for kind in ("FACTURE_TRAVAUX", "MOE", "MOA"):
        side.simulator.emit(kind=kind, number=kind)
    pages = list(chorus.received(Search(kinds=tuple(Kind))))
    assert [(one.kind, one.number, one.pages, one.total) for one in pages] == [
        (Kind.INVOICE, 1, 2, 8),
        (Kind.INVOICE, 2, 2, 8),
        (Kind.WORKS_PAYMENT, 1, 1, 1),
        (Kind.WORKS_MOE, 1, 1, 1),
        (Kind.WORKS_MOA, 1, 1, 1),
    ]
    numbers = [one.number for page in pages for one in page.invoices]
    assert len(numbers) == len(set(numbers)) == 11
    assert numbers[-3:] == ["FACTURE_TRAVAUX", "MOE", "MOA"]


def test_an_invoice_as_the_search_tells_it(side: Side, chorus: Chorus) -> None:
    (known,) = side.simulator.emit(desk=102, number="F1", engagement="E1", market="M1", net=100_01, gross=120_01)
    ((invoice,),) = (page.invoices for page in chorus.received(Search(kinds=(Kind.INVOICE,))))
    assert (invoice.id, invoice.number, invoice.status, invoice.type) == (known, "F1", "MISE_A_DISPOSITION", "FACTURE")
    assert (invoice.net, invoice.gross, invoice.payable) == (Decimal("100.01"), Decimal("120.01"), Decimal("120.01"))
    assert (invoice.issued, invoice.deposited, invoice.moved) == (date(2026, 10, 1), START, START)
    assert (invoice.structure, invoice.recipient) == (COMMUNE, "21400999500017")
    assert (invoice.service, invoice.service_code, invoice.engagement, invoice.market) == (102, "TECH", "E1", "M1")
    assert (invoice.supplier, invoice.downloaded) == ("99912345800013", False)


def test_every_condition_of_a_search(side: Side, chorus: Chorus, tmp_path: Path) -> None:
    emit = side.simulator.emit
    emit(number="september", moment=datetime(2026, 9, 30, 21, 59, 59, tzinfo=UTC))
    emit(number="october", moment=datetime(2026, 9, 30, 22, 0, tzinfo=UTC))
    emit(number="ccas", body=CCAS, gross=500_00)
    (treated,) = emit(number="tech", desk=102)
    chorus.treat(treated, "SERVICE_FAIT")
    first = date(2026, 10, 1)
    assert found(chorus, Search(moved_from=first)) == ["october", "ccas", "tech"]
    assert found(chorus, Search(moved_to=date(2026, 9, 30))) == ["september"]
    assert found(chorus, Search(deposited_from=first, deposited_to=first, structure=COMMUNE)) == ["october", "tech"]
    assert found(chorus, Search(structure=CCAS)) == ["ccas"]
    assert found(chorus, Search(service=102)) == ["tech"]
    assert found(chorus, Search(statuses=("SERVICE_FAIT", "MANDATEE"))) == ["tech"]
    assert found(chorus, Search(number="ccas")) == ["ccas"]
    assert found(chorus, Search(gross_from=Decimal("120.01"))) == ["ccas"]
    assert found(chorus, Search(gross_to=Decimal(120))) == ["september", "october", "tech"]
    chorus.download(treated, Format.PDF, tmp_path / "read.pdf")
    assert found(chorus, Search(downloaded=True)) == ["tech"]
    assert found(chorus, Search(downloaded=False)) == ["september", "october", "ccas"]


def test_another_account_sees_nothing_of_it(side: Side, tmp_path: Path) -> None:
    (known,) = side.simulator.emit()
    other = side.client("TECH_2@cpro.fr")
    assert found(other, Search(structure=COMMUNE)) == []
    with pytest.raises(errors.ChorusRefused):
        other.history(known)
    with pytest.raises(errors.ChorusRefused):
        other.download(known, Format.PIVOT, tmp_path / "pivot.xml")
    with pytest.raises(errors.ChorusRefused):
        other.treat(known, "SERVICE_FAIT")
    assert side.simulator.invoice(known).status == "MISE_A_DISPOSITION"
    assert not (tmp_path / "pivot.xml").exists()


@pytest.mark.parametrize("shape", Shape)
def test_a_pivot_comes_whole_with_all_its_pieces(side: Side, chorus: Chorus, tmp_path: Path, shape: Shape) -> None:
    (known,) = side.simulator.emit(shape=shape.value, pieces=2, desk=102, number="F&1")
    pivot = chorus.download(known, Format.PIVOT, tmp_path / "pivot.xml")
    octets = pivot.path.read_bytes()
    assert (pivot.media, pivot.size) == ("application/xml", len(octets))
    assert pivot.sha256 == hashlib.sha256(octets).hexdigest()
    tree = etree.fromstring(octets)
    assert tree.findtext(".//DonneesFacture/Id") == "F&1"
    assert tree.findtext(".//IdCPRO") == str(known)
    made = pieces_of(side.simulator.invoice(known), side.simulator.portal.world)
    assert [
        (one.findtext("TypePJ"), one.findtext("NomPJ"), base64.b64decode(one.findtext("Contenu") or ""))
        for one in tree.iter("PJ")
    ] == [(one.role, one.name, b"".join(one.octets())) for one in made]
    assert side.simulator.invoice(known).downloaded == 1


def test_what_people_read_is_a_pdf_or_a_zip(side: Side, chorus: Chorus, tmp_path: Path) -> None:
    (alone,) = side.simulator.emit()
    (supported,) = side.simulator.emit(pieces=2, number="F/2")
    assert chorus.download(alone, Format.PDF, tmp_path / "alone").media == "application/pdf"
    assert chorus.download(supported, Format.PDF, tmp_path / "without", supporting=False).media == "application/pdf"
    assert chorus.download(supported, Format.PDF, tmp_path / "with").media == "application/zip"
    with zipfile.ZipFile(tmp_path / "with") as archive:
        assert archive.namelist() == ["F-2.pdf", "Bon_de_livraison_1.pdf", "Bon_de_livraison_2.pdf"]


MEASURED = """
import re, sys
from pathlib import Path
from connectors.chorus.answers import Format
from connectors.chorus.client import Chorus
from connectors.chorus.settings import ChorusAccount, ChorusOperator
def peak():
    return int(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1])
operator, account, invoice, target = sys.argv[1:]
chorus = Chorus(ChorusOperator.model_validate_json(operator), ChorusAccount.model_validate_json(account), lambda _: None)
chorus.health()
before = peak()
print(chorus.download(int(invoice), Format.PIVOT, Path(target)).size, peak() - before)
"""


def test_a_large_invoice_is_never_in_memory(side: Side, tmp_path: Path) -> None:
    (known,) = side.simulator.emit(pieces=1, weight=15 << 20)
    settings = [json.dumps(revealed(one.model_dump())) for one in (side.simulator.operator(), side.simulator.account())]
    arguments = [sys.executable, "-c", MEASURED, *settings, str(known), str(tmp_path / "pivot.xml")]
    told = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=120).stdout.split()
    size, grown = int(told[0]), int(told[1]) << 10
    assert size > 20 << 20
    assert grown < 8 << 20, f"{grown >> 20} MiB more for an invoice of {size >> 20} MiB"


def test_what_chorus_does_not_give_is_said(side: Side, chorus: Chorus, tmp_path: Path) -> None:
    (known,) = side.simulator.emit(pieces=1, weight=121 << 20)
    with pytest.raises(errors.AnswerTooLarge, match="120"):
        chorus.download(known, Format.PIVOT, tmp_path / "pivot.xml")
    assert not (tmp_path / "pivot.xml").exists()


def test_a_life_from_availability_to_payment(side: Side, chorus: Chorus) -> None:
    (known,) = side.simulator.emit()
    side.clock.forward(minutes=5)
    assert "SERVICE_FAIT" in chorus.possible_statuses("MISE_A_DISPOSITION")
    treated = chorus.treat(known, "SERVICE_FAIT")
    assert (treated.id, treated.status, treated.moment) == (known, "SERVICE_FAIT", side.clock.moment)
    chorus.treat(known, "MANDATEE", mandate="2026-12")
    assert side.simulator.invoice(known).mandate == "2026-12"
    side.simulator.move(known, "MISE_EN_PAIEMENT")
    history = chorus.history(known)
    assert history.status == "MISE_EN_PAIEMENT"
    assert [one.code for one in history.steps] == side.simulator.statuses(known)
    assert [one.moment for one in history.steps][:3] == [START] * 3
    assert chorus.possible_statuses("MISE_EN_PAIEMENT") == ()


def test_what_helios_did_behind_our_back_is_told_as_a_refusal(side: Side, chorus: Chorus) -> None:
    (known,) = side.simulator.emit()
    side.simulator.move(known, "MISE_EN_PAIEMENT")
    with pytest.raises(errors.ChorusRefused) as refused:
        chorus.treat(known, "MANDATEE", mandate="1")
    assert (refused.value.service, refused.value.code) == ("factures/v1/traiter/recue", 20002)
    assert side.evidence[-1].status == 200
    assert side.simulator.invoice(known).status == "MISE_EN_PAIEMENT"


def test_what_is_never_taken_is_not_even_sent(side: Side, chorus: Chorus) -> None:
    (known,) = side.simulator.emit()
    with pytest.raises(errors.StatusUnsendable):
        chorus.treat(known, "REJETEE")
    with pytest.raises(errors.StatusUnsendable):
        chorus.treat(known, "A_RECYCLER", reason="x")
    assert side.simulator.calls("traiter/recue") == []


def test_a_suspension_and_its_reason(side: Side, chorus: Chorus) -> None:
    (known,) = side.simulator.emit()
    chorus.treat(known, "SUSPENDUE", reason="Bon de livraison absent")
    side.clock.forward(days=2)
    side.simulator.move(known, "COMPLETEE", comment="Le voici")
    assert [(one.code, one.comment) for one in chorus.history(known).steps][-2:] == [
        ("SUSPENDUE", "Bon de livraison absent"),
        ("COMPLETEE", "Le voici"),
    ]
    assert found(chorus, Search(moved_from=side.clock.moment.date())) == ["F-000001"]


def test_a_deposit_its_report_and_its_invoice(tmp_path: Path) -> None:
    with opened(tmp_path / "chorus", deposit_delay=60) as side:
        chorus = side.client()
        deposit = chorus.deposit(_facturx(side, tmp_path, "S1"), "S1.pdf", FACTURX)
        states = []
        for _ in range(5):
            states.append(chorus.deposit_report(deposit.number).state)
            assert chorus.supplier_search(deposit.number) == () or states[-1] == "IN_INTEGRE"
            side.clock.forward(seconds=60)
        assert states == [
            "IN_RECU",
            "IN_TRAITE_SE_CPP",
            "IN_EN_ATTENTE_TRAITEMENT_CPP",
            "IN_EN_COURS_TRAITEMENT_CPP",
            "IN_INTEGRE",
        ]
        (issued,) = chorus.supplier_search(deposit.number)
        assert (issued.number, issued.status, issued.recipient) == ("S1", "MISE_A_DISPOSITION", "21400999500017")
        ((received,),) = (page.invoices for page in chorus.received(Search(kinds=(Kind.INVOICE,))))
        assert (received.number, received.id == issued.id) == ("S1", False)


def test_a_deposit_of_which_a_part_is_taken(side: Side, chorus: Chorus, tmp_path: Path) -> None:
    good = _facturx(side, tmp_path, "S1")
    archive = tmp_path / "lot.tar.gz"
    with tarfile.open(archive, "w:gz") as made:
        for name, octets in (("1.pdf", good.read_bytes()), ("2.pdf", good.read_bytes()), ("3.xml", b"<rien/>")):
            member = tarfile.TarInfo(name)
            member.size = len(octets)
            made.addfile(member, io.BytesIO(octets))
    report = chorus.deposit_report(chorus.deposit(archive, "lot.tar.gz", FACTURX).number)
    assert outcome(report.state) is Outcome.PARTLY
    assert [(one.number, one.label) for one in report.invoices] == [("S1", "Facture déjà déposée"), ("", "Facture illisible")]


def test_deposits_that_come_to_nothing(side: Side, chorus: Chorus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = _facturx(side, tmp_path, "S1")
    side.simulator.portal.fates["incident.pdf"] = "IN_INCIDENTE"
    incident = chorus.deposit_report(chorus.deposit(good, "incident.pdf", FACTURX).number)
    syntax = chorus.deposit_report(chorus.deposit(good, "a.pdf", "IN_DP_INCONNU").number)
    assert (outcome(incident.state), incident.technical[0].nature) == (Outcome.INCIDENT, "BLOQUANTE")
    assert (outcome(syntax.state), syntax.technical[0].code) == (Outcome.REFUSED, "E001")
    monkeypatch.setattr(simulated_deposits, "_LARGEST", 10_000)
    large = tmp_path / "large.pdf"
    large.write_bytes(bytes(10_001))
    with pytest.raises(errors.ChorusRefused, match="trop volumineux"):
        chorus.deposit(large, "large.pdf", FACTURX)
    assert side.evidence[-1].status == 400


def test_a_supplier_completes_what_was_suspended(side: Side, chorus: Chorus, tmp_path: Path) -> None:
    deposit = chorus.deposit(_facturx(side, tmp_path, "S1"), "S1.pdf", FACTURX)
    (issued,) = chorus.supplier_search(deposit.number)
    with pytest.raises(errors.ChorusRefused, match="n’est pas suspendue"):
        chorus.complete(issued.id, "Voici")
    ((received,),) = (page.invoices for page in chorus.received(Search(kinds=(Kind.INVOICE,))))
    chorus.treat(received.id, "SUSPENDUE", reason="Bon absent")
    note = tmp_path / "bon.pdf"
    note.write_bytes(b"%PDF-1.4")
    piece = chorus.add_file(note, "bon de livraison.pdf")
    with pytest.raises(errors.ChorusRefused, match="droit"):
        side.client("TECH_2@cpro.fr").complete(issued.id, "Voici")
    chorus.complete(issued.id, "Voici", [(piece, "Bon de livraison")])
    assert chorus.history(received.id).status == "COMPLETEE"


def test_every_call_is_in_evidence_and_no_secret_is(side: Side, chorus: Chorus, tmp_path: Path) -> None:
    side.simulator.emit()
    list(chorus.received(Search()))
    chorus.deposit(_facturx(side, tmp_path, "S1"), "S1.pdf", FACTURX)
    assert [one.service for one in side.evidence] == [
        "factures/v1/rechercher/recipiendaire",
        "factures/v1/rechercher/recipiendaire",
        "factures/v1/deposer/flux",
    ]
    assert [(one.status, one.code) for one in side.evidence] == [(200, 0), (200, 20000), (200, 0)]
    assert all(one.correlation and len(one.sha256) == 64 and one.size for one in side.evidence)
    assert set(side.evidence[-1].request["fichierFlux"]) == {"sha256", "size"}
    told = repr(side.evidence)
    account = side.simulator.account()
    shown = base64.b64encode(f"{account.login}:{account.password.get_secret_value()}".encode()).decode()
    assert all(secret not in told for secret in (account.password.get_secret_value(), shown, "secret-de-demonstration", "Bearer"))


def _facturx(side: Side, folder: Path, number: str) -> Path:
    """A Factur-X of our own making, for a structure that the simulator knows."""
    invoice = ordinary(START, number, shape=Shape.FACTURX.value)
    path = folder / f"{number}.pdf"
    path.write_bytes(b"".join(pieces_of(invoice, side.simulator.portal.world)[0].octets()))
    return path
