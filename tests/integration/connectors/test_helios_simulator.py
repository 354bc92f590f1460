"""The DGFiP's side as a whole: what is delivered, what is answered, and what a crash changes (nothing)."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.helios import errors
from connectors.helios.connection import connect
from connectors.helios.remote_name import Routing, remote_name
from connectors.helios.responses import ResponseFile
from connectors.helios.simulated_guichet import Budget
from connectors.helios.simulated_sftp import Account
from connectors.helios.simulator import GatewaySimulator
from schemas.pes.acquit import Acquit, Answer, Element, read_acquit
from schemas.pes.reader import read, read_header
from schemas.pes.sample import Authority, Sample, write_sample
from schemas.pes.versions import SchemaSets
from signing.keys import Pkcs12Signer
from signing.pes.envelope import SealContext
from signing.pes.seal import seal
from signing.pki import TestAuthority
from signing.trust import TrustStore

VILLE = Account("ville", password="mot de passe")
UNSIGNED = Sample("PESALR1_21990001400013_1", dematerialised=False, attachment_size=None)
PATIENCE = 20.0


@pytest.fixture(scope="module")
def schemas() -> SchemaSets:
    return SchemaSets()


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority.create()


class Bench:
    """A simulator and our side of it."""

    def __init__(self, folder: Path, schemas: SchemaSets, authority: TestAuthority) -> None:
        self.folder = folder
        self.schemas = schemas
        self.authority = authority
        self.local = folder / "local"
        self.local.mkdir()
        self.simulator = self.open()

    def open(self, **options: object) -> GatewaySimulator:
        values: dict[str, object] = {
            "accounts": [VILLE],
            "schemas": self.schemas,
            "trust": TrustStore.of([self.authority.certificate]),
            "delay": 0.0,
            "slow_delay": 0.0,
        }
        self.simulator = GatewaySimulator(self.folder / "simulator", **(values | options))  # type: ignore[arg-type]
        return self.simulator

    def write(self, sample: Sample) -> Path:
        path = self.local / "flow.xml"
        write_sample(sample, path)
        return path

    def deliver(self, path: Path) -> str:
        gateway = self.simulator.settings_for("ville")
        header = read_header(path)
        routing = Routing(header.typ_fic or "", header.cod_col or "", header.id_post or "", header.cod_bud or "")
        name = remote_name(gateway, routing, hashlib.sha1(path.read_bytes()).hexdigest())
        with connect(gateway) as session:
            session.publish(name, session.upload(path, name))
        return name

    def responses(self, count: int) -> list[ResponseFile]:
        """Wait for so many responses."""
        deadline = time.monotonic() + PATIENCE
        with connect(self.simulator.settings_for("ville")) as session:
            while len(found := session.list_responses()) < count and time.monotonic() < deadline:
                time.sleep(0.01)
        assert len(found) == count
        return found

    def settled(self) -> None:
        """Wait until every delivery is decided."""
        deadline = time.monotonic() + PATIENCE
        while self.simulator._ledger.undecided() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not self.simulator._ledger.undecided()

    def acquits(self, count: int = 1) -> list[Acquit]:
        """Wait for so many acquits, fetch them and take them away."""
        found = []
        self.responses(count)
        with connect(self.simulator.settings_for("ville")) as session:
            for response in session.list_responses():
                target = self.local / response.name
                session.fetch(response.name, target)
                session.remove(response.name)
                found.append(read_acquit(target))
        return found


@pytest.fixture
def bench(tmp_path: Path, schemas: SchemaSets, authority: TestAuthority) -> Iterator[Bench]:
    bench = Bench(tmp_path, schemas, authority)
    bench.simulator.start()
    yield bench
    bench.simulator.stop()


def codes(element: Element) -> list[str | None]:
    return [anomaly.code for anomaly in element.anomalies]


def test_a_flow_is_received_once_and_acquitted(bench: Bench) -> None:
    path = bench.write(replace(UNSIGNED, attachment_size=500, bordereaux=2))
    name = bench.deliver(path)
    (acquit,) = bench.acquits()
    assert acquit.answer is Answer.ACCEPTED
    assert [element.domain for element in acquit.elements] == ["4", "5", "5"]
    assert (acquit.header.nom_fic, acquit.header.cod_col) == (UNSIGNED.nom_fic, "123")
    (received,) = bench.simulator.received()
    assert (received.rank, received.remote_name, received.nom_fic) == (1, name, UNSIGNED.nom_fic)
    assert received.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    lines = (bench.folder / "simulator" / "received.jsonl").read_text().splitlines()
    assert [json.loads(line)["remote_name"] for line in lines] == [name]


def test_an_acquit_is_named_and_written_as_the_dgfip_does(bench: Bench, schemas: SchemaSets) -> None:
    bench.deliver(bench.write(UNSIGNED))
    (response,) = bench.responses(1)
    assert response.name.startswith("099012_")
    assert "-ACK-" in response.name
    assert response.name.endswith(".xml")
    target = bench.local / "acquit.xml"
    with connect(bench.simulator.settings_for("ville")) as session:
        session.fetch(response.name, target)
    assert target.read_bytes().startswith((b"<?xml version='1.0' encoding='ISO-8859-1'?>", b'<?xml version="1.0" encoding="ISO'))
    assert schemas.validate(read(target).tree, "pes-acquit") == []


def test_a_dematerialised_flow_without_a_signature_is_refused_as_a_whole(bench: Bench) -> None:
    bench.deliver(bench.write(replace(UNSIGNED, dematerialised=True)))
    (acquit,) = bench.acquits()
    assert acquit.answer is Answer.REFUSED
    assert codes(acquit.elements[0]) == ["ERREUR_PES_SIGNATURE"]


def test_a_flow_signed_under_a_recognised_authority_is_accepted_and_any_other_refused(bench: Bench) -> None:
    for rank, (issuer, answer) in enumerate(
        ((bench.authority, Answer.ACCEPTED), (TestAuthority.create(), Answer.REFUSED)), start=1
    ):
        path = bench.write(replace(UNSIGNED, dematerialised=True, first_bordereau=rank, nom_fic=f"SIGNE{rank}"))
        credential = issuer.seal()
        signed = bench.local / f"signed{rank}.xml"
        signer = Pkcs12Signer.load(credential.as_pkcs12("pin"), "pin")
        seal(path, signed, signer, SealContext("Maire", "Saint-Exemple", "99001"))
        bench.deliver(signed)
        (acquit,) = bench.acquits()
        assert acquit.answer is answer
    assert codes(acquit.elements[0]) == ["ERREUR_CERTIFICAT"]


def test_a_flow_in_utf_8_is_refused_for_its_encoding(bench: Bench) -> None:
    path = bench.write(UNSIGNED)
    path.write_bytes(path.read_bytes().decode("latin-1").replace("ISO-8859-1", "UTF-8", 1).encode())
    bench.deliver(path)
    (acquit,) = bench.acquits()
    assert codes(acquit.elements[0]) == ["ERREUR_ENCODING"]


def test_a_flow_that_the_schema_refuses_is_refused_in_box_one(bench: Bench) -> None:
    path = bench.write(UNSIGNED)
    path.write_bytes(path.read_bytes().replace(b"<NbrPce ", b"<NombrePce ", 1))
    bench.deliver(path)
    (acquit,) = bench.acquits()
    (element,) = acquit.elements
    assert (element.domain, element.accepted) == ("0", False)
    assert "boite 1" in (element.anomalies[0].label or "")


def test_a_flow_that_is_cut_after_its_header_is_refused(bench: Bench) -> None:
    path = bench.write(UNSIGNED)
    path.write_bytes(path.read_bytes()[:-200])
    bench.deliver(path)
    (acquit,) = bench.acquits()
    assert acquit.answer is Answer.REFUSED


def test_nothing_is_answered_to_an_empty_flow(bench: Bench) -> None:
    path = bench.write(UNSIGNED)
    content = path.read_bytes()
    start, end = content.index(b"<PES_DepenseAller>"), content.index(b"</n:PES_Aller>")
    path.write_bytes(content[:start] + content[end:])
    bench.deliver(path)
    bench.settled()
    assert bench.responses(0) == []
    assert len(bench.simulator.received()) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id_post": "099999"}, "ERREUR_CODIQUE"),
        ({"cod_col": "124"}, "ERREUR_CODE_COLLECTIVITE_BUDGET"),
        ({"cod_bud": "01"}, "ERREUR_CODE_COLLECTIVITE_BUDGET"),
        ({"siret": "21990002200016"}, "ERREUR_SIRET"),
        ({}, None),
    ],
)
def test_a_budget_that_is_not_in_the_books_is_refused(bench: Bench, change: dict[str, str], code: str | None) -> None:
    bench.simulator.stop()
    known = Authority()
    bench.open(budgets=[Budget(known.id_post, known.cod_col, known.cod_bud, known.siret)]).start()
    bench.deliver(bench.write(replace(UNSIGNED, authority=replace(known, **change))))
    (acquit,) = bench.acquits()
    assert codes(acquit.elements[0]) == ([code] if code else [])


def test_a_bordereau_and_a_document_are_taken_once_for_ever(bench: Bench) -> None:
    flow = replace(UNSIGNED, attachment_size=500)
    bench.deliver(bench.write(flow))
    bench.acquits()
    bench.simulator.stop()
    bench.open().start()
    bench.deliver(bench.write(replace(flow, nom_fic="AUTRE", bordereaux=2)))
    (acquit,) = bench.acquits()
    assert [codes(element) for element in acquit.elements] == [["ERREUR_DOUBLON_PJ"], ["ERREUR_DOUBLON_BORDEREAU"], []]
    assert acquit.answer is Answer.PARTIAL


def test_what_was_refused_can_be_sent_again(bench: Bench) -> None:
    bench.deliver(bench.write(replace(UNSIGNED, nom_fic="A_KOXSD")))
    bench.acquits()
    bench.deliver(bench.write(UNSIGNED))
    (acquit,) = bench.acquits()
    assert acquit.answer is Answer.ACCEPTED


@pytest.mark.parametrize("ending", ["", ".xml"])
@pytest.mark.parametrize(
    ("scenario", "answer", "code"),
    [
        ("_KOXSD", Answer.REFUSED, "ERREUR_AUTRE"),
        ("_KOSIG", Answer.REFUSED, "ERREUR_SIGNATURE_INVALIDE"),
        ("_DOUBLON", Answer.REFUSED, "ERREUR_DOUBLON_BORDEREAU"),
        ("_LENT", Answer.ACCEPTED, None),
    ],
)
def test_a_scenario_decides_the_answer(bench: Bench, scenario: str, answer: Answer, code: str | None, ending: str) -> None:
    bench.deliver(bench.write(replace(UNSIGNED, nom_fic=f"FLUX{scenario}{ending}")))
    (response,) = bench.responses(1)
    assert response.name.endswith("_KO.xml") is (answer is Answer.REFUSED)
    (acquit,) = bench.acquits()
    assert acquit.answer is answer
    assert codes(acquit.elements[-1]) == ([code] if code else [])


def test_the_partial_scenario_refuses_the_last_bordereau_or_else_a_document(bench: Bench) -> None:
    bench.deliver(bench.write(replace(UNSIGNED, nom_fic="A_PARTIEL", bordereaux=2)))
    (acquit,) = bench.acquits()
    assert acquit.answer is Answer.PARTIAL
    assert [element.accepted for element in acquit.elements] == [True, False]
    assert acquit.elements[1].pieces[0].anomalies[0].number == "1971"
    bench.deliver(bench.write(replace(UNSIGNED, nom_fic="B_PARTIEL", first_bordereau=300, attachment_size=500)))
    (acquit,) = bench.acquits()
    assert acquit.answer is Answer.PARTIAL
    assert [(element.domain, element.accepted) for element in acquit.elements] == [("4", False), ("5", True)]
    assert acquit.elements[0].anomalies[0].number == "1984"


def test_the_mute_scenario_is_received_and_never_answered(bench: Bench) -> None:
    bench.deliver(bench.write(replace(UNSIGNED, nom_fic="A_MUET")))
    bench.settled()
    assert bench.responses(0) == []
    assert len(bench.simulator.received()) == 1


def test_the_slow_scenario_waits_longer_than_the_others(bench: Bench) -> None:
    bench.simulator.stop()
    bench.open(slow_delay=3600.0).start()
    bench.deliver(bench.write(replace(UNSIGNED, nom_fic="A_LENT")))
    bench.deliver(bench.write(replace(UNSIGNED, first_bordereau=300)))
    (acquit,) = bench.acquits()
    assert acquit.header.nom_fic == UNSIGNED.nom_fic
    assert len(bench.simulator._ledger.undecided()) == 1


def test_two_acquits_have_two_names_and_one_content(bench: Bench) -> None:
    bench.deliver(bench.write(replace(UNSIGNED, nom_fic="A_DEUXACQUITS")))
    first, second = bench.acquits(2)
    assert first == second


def test_an_invalid_acquit_can_be_read_but_not_validated(bench: Bench, schemas: SchemaSets) -> None:
    bench.deliver(bench.write(replace(UNSIGNED, nom_fic="A_ACQUITINVALIDE")))
    (acquit,) = bench.acquits()
    assert acquit.answer is Answer.ACCEPTED
    (path,) = bench.local.glob("*-ACK-*")
    assert schemas.validate(read(path).tree, "pes-acquit") != []


def test_an_acquit_may_name_another_collectivite(bench: Bench) -> None:
    bench.deliver(bench.write(replace(UNSIGNED, nom_fic="A_AUTRECODCOL")))
    (acquit,) = bench.acquits()
    assert acquit.header.nom_fic == "A_AUTRECODCOL"
    assert acquit.header.cod_col not in {None, "123"}


def test_the_gateway_refuses_production_unknown_centres_and_wrong_digests(bench: Bench) -> None:
    path = bench.write(UNSIGNED)
    gateway = bench.simulator.settings_for("ville")
    sha1 = hashlib.sha1(path.read_bytes()).hexdigest()
    routing = Routing("PESALR1", "123", "099012", "00")
    names = [
        remote_name(gateway.model_copy(update={"p_dest": "VHPCE99"}), routing, sha1),
        remote_name(gateway, routing, "0" * 40),
        remote_name(gateway, routing, sha1).replace("THELPES2", "GHELPES2"),
    ]
    with connect(gateway) as session:
        for name in names:
            session.upload(path, name)
            with pytest.raises(errors.PermissionRefused):
                session.publish(name, path.stat().st_size)
    assert bench.simulator.received() == []


def test_what_was_not_answered_before_a_crash_is_answered_once_after_it(bench: Bench) -> None:
    bench.simulator.stop()
    bench.open(delay=3600.0).start()
    bench.deliver(bench.write(UNSIGNED))
    bench.simulator.stop()
    bench.open().start()
    (acquit,) = bench.acquits()
    assert acquit.answer is Answer.ACCEPTED
    bench.simulator.stop()
    bench.open().start()
    bench.settled()
    assert bench.responses(0) == []
    assert len(bench.simulator.received()) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("step", ["Ledger.receive", "Guichet.decide", "Ledger.decide", "Ledger.published", "Ledger._tell"])
def test_a_crash_at_any_step_leaves_one_delivery_and_one_answer(bench: Bench, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies at a step: nothing after it happens, until a new one starts on the same folder."""
    owner, method = step.split(".")
    target = bench.simulator._ledger if owner == "Ledger" else bench.simulator._guichet
    while_delivering = method in {"receive", "_tell"}
    monkeypatch.setattr(target, method, _fail if while_delivering else _die)
    path = bench.write(UNSIGNED)
    if while_delivering:
        with pytest.raises(errors.GatewayUnavailable):
            bench.deliver(path)
    else:
        bench.deliver(path)
        assert bench.simulator._worker is not None
        bench.simulator._worker.join(PATIENCE)
        assert not bench.simulator._worker.is_alive()
    bench.simulator.stop()
    bench.open().start()
    assert len(bench.acquits()) == 1
    bench.simulator.stop()
    bench.open().start()
    bench.settled()
    assert bench.responses(0) == []
    assert len(bench.simulator.received()) == 1
    journal = (bench.folder / "simulator" / "received.jsonl").read_text().splitlines()
    assert len(journal) == 1


def test_a_torn_journal_line_is_written_again(bench: Bench) -> None:
    bench.deliver(bench.write(UNSIGNED))
    bench.simulator.stop()
    journal = bench.folder / "simulator" / "received.jsonl"
    whole = journal.read_text()
    journal.write_text(whole[:20])
    bench.open().start()
    assert journal.read_text() == whole


def test_the_host_key_outlives_restarts_and_strays_can_be_planted(bench: Bench) -> None:
    key = bench.simulator.host_key
    bench.simulator.stop()
    bench.open().start()
    assert bench.simulator.host_key == key
    for name in ("PESALR2_copy.xml", "return.ocre", "empty.xml"):
        bench.simulator.plant_response("ville", name, b"" if name == "empty.xml" else b"<a/>")
    with connect(bench.simulator.settings_for("ville")) as session:
        assert {(file.name, file.size) for file in session.list_responses()} == {("return.ocre", 4), ("empty.xml", 0)}


def _fail(*_: object) -> None:
    raise RuntimeError


def _die(*_: object) -> None:
    raise SystemExit  # ends a thread without a word, as a kill would
