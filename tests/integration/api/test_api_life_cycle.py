"""Over the API: the status of an invoice as a message of the reform, by its rules; and the directory that Chorus Pro tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from connectors.chorus.simulator import ChorusSimulator
from connectors.chorus.statuses import Status as AtChorus
from core import clock
from core.identifiers import new_id
from core.problems import Verdict
from flows.invoices.settings import ACCOUNT, OPERATOR
from schemas.invoices.cdar import LifeCycle
from schemas.invoices.cdar_rules import examine_cdar
from schemas.invoices.invoice import Invoice
from schemas.invoices.parties import Identifier
from schemas.invoices.sample import SELLER, sample
from tests.integration.api.acts_software import Software
from tests.integration.api.invoices_mairie import InvoicesMairie
from tests.integration.api.service import Service

MOVED = datetime(2026, 10, 7, 7, 30, tzinfo=UTC)
COMMUNE = "21400999500017"


@pytest.fixture(scope="module")
def software(service: Service) -> Software:
    return Software.of(service, "Commune de Valmorin-le-Neuf", "214098790", connected=False)


@pytest.fixture(scope="module")
def mairie(software: Software) -> InvoicesMairie:
    return InvoicesMairie(software.service.platform, software.organisation)


@pytest.fixture
def client(software: Software) -> Iterator[httpx.Client]:
    with software.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def portal(mairie: InvoicesMairie, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChorusSimulator]:
    """Chorus Pro, to which the mairie alone is connected."""
    with ChorusSimulator(tmp_path_factory.mktemp("portal") / "chorus") as running:
        mairie.configure(OPERATOR, running.operator())
        mairie.configure(ACCOUNT, running.account())
        yield running


def moved(
    mairie: InvoicesMairie,
    status: str,
    *,
    comment: str = "",
    paper: Invoice | None = None,
    kind: str = "FACTURE",
    **changes: object,
) -> str:
    """An invoice of a kind (``typeFacture``) that came to a status at MOVED."""
    given = {"status": status, "moved": MOVED, "issued": date(2026, 10, 5), **changes}
    invoice = mairie.invoice("following", paper=paper, **given)  # type: ignore[arg-type]
    mairie.stand(invoice, "following", type=kind)
    mairie.step(invoice, status, days=(clock.now() - MOVED) / timedelta(days=1), comment=comment)
    return invoice


def message(client: httpx.Client, invoice: str, folder: Path) -> LifeCycle:
    """The message of an invoice, which the published rules take without a remark."""
    answer = client.get(f"/v1/invoices/{invoice}/life-cycle")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/xml")
    assert answer.headers["content-disposition"].startswith('attachment; filename="cdar_')
    path = folder / "cdar.xml"
    path.write_bytes(answer.content)
    told, report = examine_cdar(path)
    assert (report.verdict, report.problems) == (Verdict.ACCEPTED, [])
    assert told is not None
    return told


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (AtChorus.DEPOSITED, "200"),
        (AtChorus.ON_ITS_WAY, "201"),
        (AtChorus.AVAILABLE, "203"),
        (AtChorus.TAKEN_UP, "204"),
        (AtChorus.SERVICE_DONE, "205"),
        (AtChorus.MANDATED, "205"),
        (AtChorus.WITH_ACCOUNTANT, "205"),
        (AtChorus.ACCOUNTED, "205"),
        (AtChorus.COMPLETED, "209"),
        (AtChorus.REJECTED, "210"),
        (AtChorus.PAID, "211"),
    ],
)
def test_every_status_is_a_message_that_the_rules_take(
    status: AtChorus, code: str, mairie: InvoicesMairie, client: httpx.Client, tmp_path: Path
) -> None:
    told = message(client, moved(mairie, status, number="F2026-0187"), tmp_path)
    (one,) = told.statuses
    assert (one.code, one.number, one.type_code, one.issued) == (code, "F2026-0187", "380", date(2026, 10, 5))
    assert told.issued == MOVED
    assert one.seller == Identifier("990000127", "0002")


def test_a_refusal_told_here_bears_its_code_and_one_made_elsewhere_another(
    mairie: InvoicesMairie, client: httpx.Client, tmp_path: Path
) -> None:
    ours = moved(mairie, "REJETEE", comment="Engagement inconnu")
    mairie.target(ours, "REJETEE", "told", reason="Engagement inconnu", reason_code="CMD_ERR", told=MOVED)
    (reason,) = message(client, ours, tmp_path).statuses[0].reasons
    assert (reason.code, reason.text) == ("CMD_ERR", "Engagement inconnu")
    theirs = moved(mairie, "REJETEE", comment="Voir la mairie")
    mairie.target(theirs, "REJETEE", "refused", reason="Voir la mairie", reason_code="CMD_ERR")
    (reason,) = message(client, theirs, tmp_path).statuses[0].reasons
    assert (reason.code, reason.text) == ("AUTRE", "Voir la mairie")
    silent = moved(mairie, "REJETEE")
    mairie.target(silent, "REJETEE", "told", reason="Doublon", reason_code="DOUBLON", told=MOVED + timedelta(seconds=20))
    (reason,) = message(client, silent, tmp_path).statuses[0].reasons
    assert (reason.code, reason.text) == ("DOUBLON", "Doublon")


def test_a_suspension_needs_the_code_that_was_chosen_here(mairie: InvoicesMairie, client: httpx.Client, tmp_path: Path) -> None:
    ours = moved(mairie, "SUSPENDUE", comment="Il manque le RIB")
    mairie.target(ours, "SUSPENDUE", "told", reason="Il manque le RIB", reason_code="JUSTIF_ABS", told=MOVED)
    assert message(client, ours, tmp_path).statuses[0].reasons[0].code == "JUSTIF_ABS"
    elsewhere = client.get(f"/v1/invoices/{moved(mairie, 'SUSPENDUE', comment='Sur le portail')}/life-cycle")
    assert elsewhere.status_code == 409
    assert "un motif codé" in elsewhere.json()["detail"]
    again = moved(mairie, "SUSPENDUE", comment="Autre chose, sur le portail")
    mairie.target(again, "SUSPENDUE", "told", reason="Il manque le RIB", reason_code="JUSTIF_ABS", told=MOVED)
    assert client.get(f"/v1/invoices/{again}/life-cycle").status_code == 409


def test_what_cannot_be_said_is_told_in_words(mairie: InvoicesMairie, client: httpx.Client) -> None:
    old = client.get(f"/v1/invoices/{moved(mairie, 'A_RECYCLER')}/life-cycle")
    assert old.status_code == 409
    assert "«\u00a0À recycler\u00a0»" in old.json()["detail"]
    foreign = moved(mairie, "MANDATEE", supplier="BE0999999922", recipient="", issued=None, kind="")
    detail = client.get(f"/v1/invoices/{foreign}/life-cycle").json()["detail"]
    for missing in ("SIREN de son fournisseur", "SIRET de son destinataire", "date d’émission", "son type"):
        assert missing in detail


def test_what_the_supplier_wrote_fills_in_what_chorus_leaves_out(
    mairie: InvoicesMairie, client: httpx.Client, tmp_path: Path
) -> None:
    paper = sample(type_code="381", issued=date(2026, 9, 30))
    told = message(client, moved(mairie, "MANDATEE", paper=paper, supplier="", issued=None, kind=""), tmp_path)
    assert (told.statuses[0].type_code, told.statuses[0].issued) == ("381", date(2026, 9, 30))
    assert told.recipients[0].electronic == SELLER.electronic
    bare = replace(paper, seller=replace(SELLER, electronic=None))
    assert message(client, moved(mairie, "MANDATEE", paper=bare), tmp_path).recipients[0].electronic == Identifier(
        "990000127", "0225"
    )


def test_a_completion_is_told_to_the_service_that_suspended(mairie: InvoicesMairie, client: httpx.Client, tmp_path: Path) -> None:
    told = message(client, moved(mairie, "COMPLETEE", service_code="TECH"), tmp_path)
    assert told.recipients[0].electronic == Identifier("214009995_21400999500017_TECH", "0225")
    strange = message(client, moved(mairie, "COMPLETEE", service_code="EAU/VOIRIE"), tmp_path)
    assert strange.recipients[0].electronic == Identifier("214009995_21400999500017", "0225")


def test_the_message_is_the_same_as_long_as_the_status(mairie: InvoicesMairie, client: httpx.Client) -> None:
    path = f"/v1/invoices/{moved(mairie, 'MANDATEE')}/life-cycle"
    english = client.get(path, headers={"Accept-Language": "en"})
    assert client.get(path).content == english.content


def test_nobody_else_reads_it(mairie: InvoicesMairie, software: Software) -> None:
    path = f"/v1/invoices/{moved(mairie, 'MANDATEE')}/life-cycle"
    with software.client("depositor") as blind:
        assert blind.get(path).status_code == 404
    with software.client() as client:
        assert client.get(f"/v1/invoices/{new_id()}/life-cycle").status_code == 404
    assert httpx.get(f"{software.service.address}{path}").status_code == 401


@pytest.mark.usefixtures("portal")
def test_a_recipient_is_looked_up_by_siret_siren_and_code_service(client: httpx.Client) -> None:
    (found,) = client.get("/v1/directory", params={"siret": COMMUNE}).json()["recipients"]
    assert (found["siret"], found["service_required"], found["engagement_required"]) == (COMMUNE, True, False)
    assert (found["address"], found["scheme"]) == ("214009995_21400999500017", "0225")
    assert len(found["services"]) == 25
    assert [one["code"] for one in found["services"] if one["reserved"]] == ["FACTURES_PUBLIQUES"]
    (found,) = client.get("/v1/directory", params={"siret": COMMUNE, "service": "ANTENNE-01"}).json()["recipients"]
    (service,) = found["services"]
    assert (service["engagement_required"], service["address"]) == (True, "214009995_21400999500017_ANTENNE-01")
    (unit,) = client.get("/v1/directory", params={"siren": "214 009 995"}).json()["recipients"]
    assert (unit["siret"], unit["service_required"], unit["services"]) == (COMMUNE, None, [])


@pytest.mark.usefixtures("portal")
@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({}, 400, "un SIRET"),
        ({"siret": COMMUNE, "siren": "214009995"}, 400, "un SIRET"),
        ({"siren": "214009995", "service": "TECH"}, 400, "code service"),
        ({"siret": "21400999500018"}, 422, ""),
        ({"siret": "99000012700011"}, 404, "aucune structure"),
        ({"siren": "990000127"}, 404, "aucune structure"),
        ({"siret": COMMUNE, "service": "VOIRIE"}, 404, "VOIRIE"),
        ({"siret": COMMUNE, "organisation": "214099715"}, 404, ""),
    ],
)
def test_what_is_not_found_or_not_asked_rightly_is_told(
    asked: dict[str, str], status: int, told: str, client: httpx.Client
) -> None:
    answer = client.get("/v1/directory", params=asked)
    assert answer.status_code == status, answer.text
    assert told in answer.json()["detail"]


@pytest.mark.usefixtures("portal")
def test_who_has_no_account_is_told_so_and_no_account_is_lent(service: Service, software: Software) -> None:
    other = Software.of(service, "Commune de Saint-Aubin-du-Lavoir", "214098873", connected=False)
    with other.client() as client:
        answer = client.get("/v1/directory", params={"siret": COMMUNE})
        assert answer.status_code == 503
        assert client.get("/v1/directory", params={"siret": COMMUNE, "organisation": software.organisation.id}).status_code == 404
    with software.client("depositor") as blind:
        assert blind.get("/v1/directory", params={"siret": COMMUNE}).status_code == 403
