"""The simulated Chorus Pro by itself, spoken to without our client: as strict as the original, and as irregular."""

from __future__ import annotations

import base64
import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
from chorus_gateways import Side, opened

from connectors.chorus import services
from connectors.chorus.settings import ChorusOperator
from connectors.chorus.simulated_oddities import Oddity
from connectors.chorus.simulated_world import COMMUNE, DEMONSTRATION

SEARCH = "factures/v1/rechercher/recipiendaire"
WORKS = "facturesTravaux/v1/rechercher"
TREAT = "factures/v1/traiter/recue"
NEXT = "transverses/v1/recuperer/etats/traitement"
ACCOUNT = "TECH_1@cpro.fr:clé:secrète"


@dataclass
class Raw:
    """A client that knows nothing."""

    operator: ChorusOperator

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cadata=self.operator.authorities)
        self.http = urllib3.PoolManager(ssl_context=context, retries=False)

    def token(self, **changes: str) -> urllib3.BaseHTTPResponse:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.operator.client_id,
            "client_secret": self.operator.client_secret.get_secret_value(),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.http.request("POST", self.operator.tokens, body=urlencode(form | changes), headers=headers)

    def call(
        self, service: str, body: Any = None, *, account: str = ACCOUNT, token: str | None = None, method: str = "POST"
    ) -> urllib3.BaseHTTPResponse:
        bearer = self.token().json()["access_token"] if token is None else token
        headers = {
            "Authorization": f"Bearer {bearer}",
            "cpro-account": base64.b64encode(account.encode()).decode(),
            "Content-Type": "application/json",
        }
        data = json.dumps({} if body is None else body).encode()
        return self.http.request(method, f"{self.operator.services}/cpro/{service}", body=data, headers=headers)


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    with opened(tmp_path / "chorus") as both:
        yield both


@pytest.fixture
def raw(side: Side) -> Raw:
    return Raw(side.simulator.operator())


def test_a_token_is_given_and_ends(side: Side, raw: Raw) -> None:
    told = raw.token().json()
    assert (told["token_type"], told["expires_in"], told["scope"]) == ("Bearer", 3600, "openid")
    assert raw.call(SEARCH, token=told["access_token"]).status == 200
    side.clock.forward(seconds=3600)
    assert raw.call(SEARCH, token=told["access_token"]).status == 401
    assert raw.call(SEARCH, token="").status == 401


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "x"}, 401, "invalid_client"),
        ({"client_id": "x"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_no_token_for_strangers(raw: Raw, changes: dict[str, str], status: int, error: str) -> None:
    answer = raw.token(**changes)
    assert (answer.status, answer.json()["error"]) == (status, error)


def test_accounts_subscriptions_and_rights(side: Side, raw: Raw) -> None:
    body = {"typeDemandePaiement": "FACTURE"}
    assert raw.call(SEARCH, body, account="TECH_9@cpro.fr:x").status == 403
    assert raw.call(SEARCH, body, account="TECH_1@cpro.fr:x").status == 401
    assert raw.call("factures/v1/inconnu", body).data == b"{}"
    first = DEMONSTRATION.accounts[0]
    side.simulator.portal.world = replace(DEMONSTRATION, accounts=(replace(first, denied=frozenset({SEARCH})),))
    denied = raw.call(SEARCH, body)
    assert (denied.status, denied.json()) == (403, body)
    side.simulator.portal.world = replace(DEMONSTRATION, subscribed=frozenset({"transverses"}))
    unsubscribed = raw.call(SEARCH, body)
    assert (unsubscribed.status, unsubscribed.json()) == (403, {})
    side.simulator.portal.world = replace(DEMONSTRATION, accounts=(replace(first, expires=date(2026, 9, 30)),))
    assert raw.call(SEARCH, body).status == 401


def test_every_answer_can_be_told_to_the_support(raw: Raw) -> None:
    answers = [raw.call(SEARCH), raw.call(SEARCH, token=""), raw.call("inconnu/v1/x")]
    assert len({one.headers["x-correlationid"] for one in answers}) == 3


def test_health_is_asked_without_a_body(raw: Raw) -> None:
    assert raw.call("transverses/v1/health-check", method="GET").status == 200
    assert raw.call(SEARCH, method="GET").status == 403


def test_a_search_gives_ten_by_default_and_tells_pages_at_its_top(side: Side, raw: Raw) -> None:
    side.simulator.emit(12)
    told = raw.call(SEARCH, {"typeDemandePaiement": "FACTURE"}).json()
    assert (len(told["listeFactures"]), told["pageCourante"], told["pages"], told["total"]) == (10, 1, 2, 12)
    assert (told["codeRetour"], told["libelle"]) == (0, "TRA_MSG_00.000")
    rest = raw.call(SEARCH, {"paramRecherche": {"pageResultatDemandee": 2}}).json()
    assert len(rest["listeFactures"]) == 2


def test_works_invoices_have_names_of_their_own(side: Side, raw: Raw) -> None:
    side.simulator.emit(kind="MOE", number="T1")
    told = raw.call(WORKS, {"roleUtilisateur": "MOE"}).json()
    assert told["listeFacturesTravaux"][0]["numeroFactureTravaux"] == "T1"
    assert told["parametresRetour"]["total"] == 1
    nothing = raw.call(WORKS, {"roleUtilisateur": "MOA"})
    assert (nothing.status, nothing.json()) == (200, {"codeRetour": 20007, "libelle": "GFT_MSG_01.075"})


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"numeroBonCommande": "E1"}, ["A"]),
        ({"numeroMarche": "M1"}, ["A"]),
        ({"cadreFacturation": "A2_FACTURE_FOURNISSEUR_DEJA_PAYEE"}, ["B"]),
        ({"listeTypeFacture": ["AVOIR"]}, ["B"]),
        ({"listeFournisseurs": [{"idFournisseur": 999123458}]}, ["A"]),
        ({"montantHTMin": 50, "montantApayerMax": 60.5}, ["B"]),
        ({"periodeDateFactureDu": "2026-09-02", "periodeDateFactureAu": "2026-09-02"}, ["B"]),
    ],
    ids=",".join,
)
def test_conditions_that_our_client_does_not_use(side: Side, raw: Raw, asked: dict[str, Any], numbers: list[str]) -> None:
    side.simulator.emit(number="A", engagement="E1", market="M1")
    side.simulator.emit(
        number="B", type="AVOIR", frame="A2", supplier="12345678200002", net=5000, gross=6000, issued="2026-09-02"
    )
    assert [one["numeroFacture"] for one in raw.call(SEARCH, asked).json()["listeFactures"]] == numbers


def test_several_invoices_in_one_download(side: Side, raw: Raw) -> None:
    known = side.simulator.emit(2, pieces=1)
    asked = {"listeFacture": [{"idFacture": one} for one in known], "avecPiecesJointesComplementaires": "OUI"}
    pivot = base64.b64decode(raw.call(services.DOWNLOAD.path, asked | {"format": "PIVOT"}).json()["fichierResultat"])
    assert (pivot.count(b"<CPPFacturePivotUnitaire "), b'Compteur="2"' in pivot) == (2, True)
    readable = base64.b64decode(raw.call(services.DOWNLOAD.path, asked | {"format": "PDF"}).json()["fichierResultat"])
    assert readable.startswith(b"PK")


@pytest.mark.parametrize(
    ("before", "asked", "code"),
    [
        ("MISE_A_DISPOSITION", {"nouveauStatut": "SERVICE_FAIT"}, 0),
        ("SERVICE_FAIT", {"nouveauStatut": "PRISE_EN_COMPTE_DESTINATAIRE"}, 20002),
        ("MISE_EN_PAIEMENT", {"nouveauStatut": "MANDATEE"}, 20002),
        ("SUSPENDUE", {"nouveauStatut": "REJETEE", "motif": "x"}, 20002),
        ("MISE_A_DISPOSITION", {"nouveauStatut": "REJETEE"}, 20003),
        ("MISE_A_DISPOSITION", {"nouveauStatut": "REJETEE", "motif": "x" * 256}, 20003),
        ("MISE_A_DISPOSITION", {"nouveauStatut": "A_RECYCLER", "motif": "x"}, 20002),
        ("NOUVEL_ETAT", {"nouveauStatut": "SERVICE_FAIT"}, 20002),
    ],
)
def test_changes_of_status(side: Side, raw: Raw, before: str, asked: dict[str, Any], code: int) -> None:
    (known,) = side.simulator.emit(status=before)
    answer = raw.call(TREAT, asked | {"idFacture": known})
    assert (answer.status, answer.json()["codeRetour"]) == (200, code)
    assert side.simulator.invoice(known).status == (asked["nouveauStatut"] if code == 0 else before)


def test_recycling_was_taken_before_september_2026(tmp_path: Path) -> None:
    with opened(tmp_path / "chorus", reformed=False) as side:
        raw = Raw(side.simulator.operator())
        (known,) = side.simulator.emit()
        offered = raw.call(NEXT, {"statutCourant": "MISE_A_DISPOSITION"}).json()["listeStatutsPossiblesPourTraitement"]
        assert {"statutPossiblePourTraitement": "A_RECYCLER"} in offered
        assert raw.call(TREAT, {"idFacture": known, "nouveauStatut": "A_RECYCLER", "motif": "x"}).json()["codeRetour"] == 0


def test_irregular_answers(side: Side, raw: Raw) -> None:
    side.simulator.emit(market="M1")
    side.simulator.gateway.oddities = {Oddity.SINGLE, Oddity.ABSENT, Oddity.EXTRA, Oddity.UNKNOWN}
    line = raw.call(SEARCH).json()["listeFactures"]
    assert isinstance(line, dict)
    assert ("numeroMarche" in line, "membreInconnu" in line, line["statut"]) == (False, True, "TRANSMISE_A_LA_PLATEFORME")


def test_dates_in_all_shapes(side: Side, raw: Raw) -> None:
    side.simulator.emit(2)
    side.simulator.gateway.oddities = {Oddity.DATES}
    lines = raw.call(SEARCH).json()["listeFactures"]
    written = [line[name] for line in lines for name in ("dateFacture", "dateDepot", "dateHeureEtatCourant")]
    assert {len(one) for one in written} == {10, 16, 29, 24}


def test_ten_thousand_invoices_are_cheap(side: Side, raw: Raw) -> None:
    begun = time.process_time()
    side.simulator.emit(10_000, desk=102)
    told = raw.call(SEARCH, {"paramRecherche": {"pageResultatDemandee": 1000}, "idDestinataire": COMMUNE}).json()
    assert (told["total"], told["pages"], len(told["listeFactures"])) == (10_000, 1000, 10)
    assert time.process_time() - begun < 60  # of a processor, whatever else runs: nothing is rendered


def test_the_console_over_https(side: Side, raw: Raw) -> None:
    def console(name: str, body: Any = None, shown: str = "") -> urllib3.BaseHTTPResponse:
        world = side.simulator.portal.world
        key = base64.b64encode((shown or f"{world.client_id}:{world.client_secret}").encode()).decode()
        address = f"{side.simulator.address}/simulator/{name}"
        return raw.http.request("POST", address, body=json.dumps(body or {}), headers={"Authorization": f"Basic {key}"})

    assert console("emit", shown="a:b").status == 401
    (known,) = console("emit", {"number": "C1"}).json()["told"]
    assert console("move", {"invoice": known, "status": "MANDATEE"}).status == 200
    assert side.simulator.statuses(known)[-1] == "MANDATEE"
    assert console("move", {"invoice": 1, "status": "MANDATEE"}).status == 409
    assert console("fault", {"mishap": "busy", "service": SEARCH}).status == 200
    assert raw.call(SEARCH).status == 503
    assert console("oddities", {"oddities": ["extra"]}).status == 200
    assert "membreInconnu" in raw.call(SEARCH).json()
    assert [one["status"] for one in console("calls").json()["told"]] == [503, 200]
    assert console("inconnu").status == 404


def test_a_kill_forgets_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "chorus"
    command = [sys.executable, "-m", "connectors.chorus.simulator", "--folder", str(folder), "--invoices", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        process.stdout.readline()
        with opened(tmp_path / "other") as side:  # for its settings only
            certificate = (folder / "server.pem").read_text()
            operator = side.simulator.operator(
                token_address=f"{address}/api/oauth/token", service_address=address, authorities=certificate
            )
        raw = Raw(operator)
        token = raw.token().json()["access_token"]
        known = raw.call(SEARCH, token=token).json()["listeFactures"][0]["idFacture"]
        assert raw.call(TREAT, {"idFacture": known, "nouveauStatut": "SERVICE_FAIT"}, token=token).status == 200
        process.send_signal(signal.SIGKILL)
    with opened(folder) as side:
        raw = Raw(side.simulator.operator())
        assert raw.call(SEARCH).json()["total"] == 3
        assert side.simulator.statuses(known)[-1] == "SERVICE_FAIT"
        assert [one.service for one in side.simulator.calls()][:2] == [SEARCH, TREAT]
