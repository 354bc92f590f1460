"""PES signed in a parapheur outside, over both of its protocols: handed over once, kept before they are closed, nothing lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from api.cli import administration
from connectors.iparapheur import client
from connectors.iparapheur.errors import AccessRefused, ParapheurUnavailable
from connectors.iparapheur.messages import ArchiveAction
from connectors.iparapheur.settings import ParapheurSettings, Protocol
from connectors.iparapheur.simulated_http import Mishap
from connectors.iparapheur.simulated_signing import Identities
from connectors.iparapheur.simulated_typology import (
    DEMONSTRATION,
    EMITTER,
    MANAGER,
    MAYOR,
    Action,
    SignatureFormat,
    Step,
    Subtype,
    Type,
)
from connectors.iparapheur.simulator import ParapheurSimulator
from core import clock
from core.addresses import AddressRefused, Networks
from core.configuration import configure, revealed
from core.errors import Unavailable, UsageError
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM
from flows.engine import execution, transitions
from flows.engine.brokers import open_broker
from flows.engine.models import Dossier, DossierFile, Schedule
from flows.engine.models import Step as Due
from flows.helios.flow import HELIOS
from flows.parapheur import external, returning
from flows.parapheur.external import EXTERNAL, account_of
from signing.keys import Pkcs12Signer
from signing.parapheur.models import Folder
from signing.pes.envelope import SealContext
from signing.pes.seal import seal
from signing.pki import TestAuthority
from signing.trust import TrustStore
from signing.verdicts import Belief
from signing.verification import verify
from tests.office import Office
from tests.town import Town
from tests.waiting import wait_until

HERE = pytest.mark.parametrize("shape", ["embedded"], indirect=True)
CREATE = {Protocol.SOAP: "CreerDossier", Protocol.V5: "POST folder"}
FETCH = {Protocol.SOAP: "GetDossier", Protocol.V5: "GET zip"}
STEPS = {"signature": (Action.SIGNATURE, MAYOR), "visa": (Action.VISA, MANAGER), "cachet": (Action.SEAL, MANAGER)}
TYPOLOGY = replace(
    DEMONSTRATION,
    types=(
        Type(
            "HELIOS",
            SignatureFormat.PES,
            tuple(Subtype(name, (Step(action, (desk,)),)) for name, (action, desk) in STEPS.items()),
        ),
    ),
)


@pytest.fixture
def parapheur(town: Town, monkeypatch: pytest.MonkeyPatch) -> Iterator[ParapheurSimulator]:
    """A parapheur whose signatories are believed here, and stages that are tried again at once."""
    monkeypatch.setattr(execution, "_FIRST_BACK_OFF", 0.05)
    identities = Identities(town.played.authority)
    with ParapheurSimulator(town.folder / "parapheur", typology=TYPOLOGY, identities=identities) as opened:
        yield opened


@contextmanager
def at_work(town: Town) -> Iterator[None]:
    """Workers once more: a broker knows its actors once."""
    with replace(town, broker=open_broker("memory://")).at_work():
        yield


@pytest.fixture(params=Protocol)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    found: Protocol = request.param
    return found


def points(
    town: Town, parapheur: ParapheurSimulator, protocol: Protocol = Protocol.SOAP, subtype: str = "signature", **changes: Any
) -> ParapheurSettings:
    """Let the PES of the mairie be signed there."""
    settings = parapheur.settings_for("HELIOS", subtype, protocol, **changes)
    with town.platform.database.writing(PLATFORM) as session:
        configure(session, town.platform.secrets, town.organisation.id, EXTERNAL, settings)
    returning.plan(town.platform, timedelta(milliseconds=200))
    return settings


def handed_over(town: Town, name: str, **changes: object) -> str:
    """Push a PES, and return its dossier once it waits outside and nobody looks for it."""
    with at_work(town):
        dossier = town.push(name, **changes)
        town.wait_for(dossier, "in_parapheur")
    return dossier


def told(town: Town, dossier_id: str) -> dict[str, Any]:
    found: dict[str, Any] = town.dossier(dossier_id).facts["parapheur"]
    return found


def acts(
    parapheur: ParapheurSimulator, town: Town, dossier_id: str, gesture: str = "sign", note: str = "", desk: str = MAYOR
) -> None:
    parapheur.act(desk, told(town, dossier_id)["id"], gesture, note)


def files(town: Town, dossier_id: str) -> dict[str, DossierFile]:
    with town.platform.database.reading(PLATFORM) as session:
        return {kept.role: kept for kept in session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier_id))}


def kinds(town: Town, dossier_id: str) -> list[str]:
    with town.platform.database.reading(PLATFORM) as session:
        wanted = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id).order_by(JournalEntry.number)  # type: ignore[arg-type]
        return [entry.kind for entry in session.exec(wanted)]


def collect(town: Town) -> None:
    returning.collect(town.platform, town.organisation.id)


@pytest.mark.parametrize(
    ("shape", "protocol"),
    [
        ("embedded", Protocol.SOAP),
        ("embedded", Protocol.V5),
        ("postgresql-rabbitmq", Protocol.V5),
        ("postgresql-redis", Protocol.SOAP),
    ],
    indirect=True,
)
def test_a_pes_is_signed_outside_then_sent_and_archived(town: Town, parapheur: ParapheurSimulator, protocol: Protocol) -> None:
    settings = points(town, parapheur, protocol)
    with town.at_work():
        dossier = town.push("PES_EXTERNAL", bordereaux=2)
        town.wait_for(dossier, "in_parapheur")
        assert (told(town, dossier)["external"], told(town, dossier)["state"]) == (settings.address, "pending")
        acts(parapheur, town, dossier)
        town.wait_for(dossier, "archived")
    kept = files(town, dossier)
    (delivered,) = town.played.gateway.received()
    assert delivered.sha256 == kept["signed"].sha256 != kept["pes"].sha256
    assert (kept["signed"].name, kept["signed"].media_type) == (kept["pes"].name, kept["pes"].media_type)
    path = town.folder / "delivered.xml"
    town.platform.objects.fetch(delivered.sha256, path)
    verdict = verify(path, trust=TrustStore.from_folder(town.played.trust_dir))
    assert verdict.verdict is Belief.VALID
    assert all("Camille Aubry" in (one.signer or "") for one in verdict.signatures)
    docket = town.folder / "docket.pdf"
    town.platform.objects.fetch(kept["docket"].sha256, docket)
    assert docket.read_bytes().startswith(b"%PDF")
    returning.close_due(town.platform)
    assert parapheur.dossiers() == []
    assert (told(town, dossier)["state"], "closing" in told(town, dossier)) == ("signed", False)
    assert kinds(town, dossier).count("parapheur.closed") == 1


@HERE
def test_a_rejection_at_any_step_declines_the_pes_with_its_reason_and_it_may_be_sent_again(
    town: Town, parapheur: ParapheurSimulator, protocol: Protocol
) -> None:
    with town.at_work():
        for subtype, (_, desk) in STEPS.items():
            points(town, parapheur, protocol, subtype)
            path = town.pes(f"PES_REJECTED_{subtype.upper()}")
            dossier = town.deposit(path)
            town.wait_for(dossier, "in_parapheur")
            acts(parapheur, town, dossier, "reject", "Imputation fausse", desk)
            declined = town.wait_for(dossier, "declined")
            assert declined.facts["parapheur"]["state"] == "rejected"
            assert declined.facts["parapheur"]["reason"] == "Imputation fausse"
            assert {"docket"} == files(town, dossier).keys() - {"pes"}
            assert "Imputation" not in str(kinds_and_facts(town, dossier))
        again = town.deposit(path)
        town.wait_for(again, "in_parapheur")
    assert again != dossier
    assert len(parapheur.dossiers()) == 1
    assert town.played.gateway.received() == []


def kinds_and_facts(town: Town, dossier_id: str) -> list[tuple[str, dict[str, Any]]]:
    with town.platform.database.reading(PLATFORM) as session:
        found = session.exec(select(JournalEntry).where(JournalEntry.dossier_id == dossier_id))
        return [(entry.kind, entry.facts) for entry in found]


class Dying:
    """Opens connectors of which one method fails the first time before it does its work, and the second time after."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._deaths = [False, True]

    def __call__(self, settings: ParapheurSettings, networks: Networks) -> client.ParapheurConnector:
        opened = client.open_connector(settings, networks)
        if self._deaths:
            setattr(opened, self._method, dying(getattr(opened, self._method), after=self._deaths.pop(0)))
        return opened


def dying(function: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    def die(*args: Any, **kwargs: Any) -> None:
        if after:
            function(*args, **kwargs)
        raise RuntimeError("the process dies here")

    return die


@HERE
def test_a_crash_before_and_another_after_the_submission_hand_over_once(
    town: Town, parapheur: ParapheurSimulator, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    points(town, parapheur, protocol)
    monkeypatch.setattr(external, "open_connector", Dying("submit"))
    dossier = handed_over(town, "PES_CRASHED")
    assert len(parapheur.dossiers()) == 1
    assert kinds(town, dossier).count("helios.proceed.intended") == 1
    assert kinds(town, dossier).count("helios.proceed.postponed") == 2


@HERE
def test_a_lost_answer_hands_over_once(town: Town, parapheur: ParapheurSimulator, protocol: Protocol) -> None:
    points(town, parapheur, protocol)
    parapheur.faults.plan(Mishap.LOST, CREATE[protocol])
    dossier = handed_over(town, "PES_LOST")
    assert parapheur.faults.planned == []
    assert len(parapheur.dossiers()) == 1
    acts(parapheur, town, dossier)
    collect(town)
    assert town.dossier(dossier).state == "validated"


@HERE
def test_what_may_have_left_for_one_parapheur_is_not_handed_to_another(
    town: Town, parapheur: ParapheurSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    points(town, parapheur)

    def moved(settings: ParapheurSettings, networks: Networks) -> client.ParapheurConnector:
        points(town, parapheur, Protocol.V5)
        opened = client.open_connector(settings, networks)
        opened.submit = dying(opened.submit, after=True)  # type: ignore[method-assign]
        return opened

    monkeypatch.setattr(external, "open_connector", moved)
    with town.at_work():
        dossier = town.push("PES_MOVED")
        wait_until(lambda: town.dossier(dossier).parked is not None)
        assert "n’est plus celui" in (town.dossier(dossier).parked or "")
        assert len(parapheur.dossiers()) == 1
        points(town, parapheur)
        monkeypatch.setattr(external, "open_connector", client.open_connector)
        transitions.resume(town.platform.database, HELIOS, dossier, "operator")
        town.wait_for(dossier, "in_parapheur")
    assert len(parapheur.dossiers()) == 1


def signed_outside(town: Town, parapheur: ParapheurSimulator, protocol: Protocol = Protocol.SOAP, **changes: Any) -> str:
    points(town, parapheur, protocol, **changes)
    dossier = handed_over(town, "PES_RETURNS")
    acts(parapheur, town, dossier)
    return dossier


@HERE
def test_what_could_not_be_fetched_or_recorded_is_fetched_again_and_closed_only_then(
    town: Town, parapheur: ParapheurSimulator, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    dossier = signed_outside(town, parapheur, protocol)
    parapheur.faults.plan(Mishap.HALF, FETCH[protocol])
    with pytest.raises(Unavailable):
        collect(town)
    with monkeypatch.context() as patched:
        patched.setattr(transitions, "signal", dying(transitions.signal, after=True))
        with pytest.raises(RuntimeError):
            collect(town)
    assert town.dossier(dossier).state == "in_parapheur"
    assert len(parapheur.dossiers()) == 1
    collect(town)
    assert town.dossier(dossier).state == "validated"
    assert kinds(town, dossier).count("helios.completed") == 1
    assert parapheur.dossiers() == []


@HERE
def test_a_crash_before_and_another_after_the_closing_lose_nothing_and_it_is_closed_once(
    town: Town, parapheur: ParapheurSimulator, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    dossier = signed_outside(town, parapheur, protocol)
    monkeypatch.setattr(returning, "open_connector", Dying("close"))
    with pytest.raises(RuntimeError):
        collect(town)
    assert (town.dossier(dossier).state, told(town, dossier)["closing"]) == ("validated", "due")
    assert {"signed", "docket"} <= files(town, dossier).keys()
    assert len(parapheur.dossiers()) == 1
    with pytest.raises(RuntimeError):
        returning.close_due(town.platform)
    assert parapheur.dossiers() == []
    with at_work(town):
        town.wait_for(dossier, "archived")
    returning.close_due(town.platform)
    returning.close_due(town.platform)
    assert kinds(town, dossier).count("parapheur.closed") == 1


@HERE
def test_a_parapheur_that_does_not_close_holds_up_nothing(town: Town, parapheur: ParapheurSimulator) -> None:
    dossier = signed_outside(town, parapheur, archive_action=ArchiveAction.KEEP)
    parapheur.faults.plan(Mishap.REFUSED, "ArchiverDossier", times=2)
    collect(town)
    assert (town.dossier(dossier).state, "docket" in files(town, dossier)) == ("validated", True)
    with pytest.raises(ParapheurUnavailable):
        returning.close_due(town.platform)
    returning.close_due(town.platform)
    assert "closing" not in told(town, dossier)
    assert len(parapheur.dossiers()) == 1  # put away over there, not erased


@HERE
def test_another_document_than_the_one_that_was_sent_never_leaves(town: Town, parapheur: ParapheurSimulator) -> None:
    dossier = signed_outside(town, parapheur)
    other, sealed = town.pes("PES_OTHER"), town.folder / "other-sealed.xml"
    ours = town.played.seal()
    seal(other, sealed, ours.signer(), ours.context())
    with parapheur._store.changing(told(town, dossier)["id"]) as found:
        assert found is not None
        found.documents[0].sha256 = parapheur._store.keep(sealed)
    with at_work(town):
        wait_until(lambda: town.dossier(dossier).parked is not None)
    stopped = town.dossier(dossier)
    assert (stopped.state, "n’est pas celui qui y est entré" in (stopped.parked or "")) == ("validated", True)
    assert town.played.gateway.received() == []


@HERE
def test_a_circuit_that_signs_nothing_sends_nothing(town: Town, parapheur: ParapheurSimulator) -> None:
    points(town, parapheur, subtype="visa")
    with town.at_work():
        dossier = town.push("PES_UNSIGNED")
        town.wait_for(dossier, "in_parapheur")
        acts(parapheur, town, dossier, "visa", desk=MANAGER)
        wait_until(lambda: town.dossier(dossier).parked is not None)
    words = (town.dossier(dossier).parked or "").replace("\u00a0", " ")
    assert "n’est pas signé comme il faut : il ne porte aucune signature." in words
    assert town.played.gateway.received() == []


@HERE
def test_what_somebody_signed_whose_authority_is_unknown_waits_for_an_operator(town: Town, parapheur: ParapheurSimulator) -> None:
    dossier = signed_outside(town, parapheur)
    stranger = Pkcs12Signer.load(TestAuthority.create(name="Inconnue").seal(bits=2048).as_pkcs12("x"), "x")
    given, signed = town.folder / "PES_SIGNED.xml", town.folder / "strange.xml"
    town.platform.objects.fetch(files(town, dossier)["pes"].sha256, given)
    seal(given, signed, stranger, SealContext("Maire", "Valmorin", "99012"))
    with parapheur._store.changing(told(town, dossier)["id"]) as found:
        assert found is not None
        found.documents[0].sha256 = parapheur._store.keep(signed)
    with at_work(town):
        wait_until(lambda: town.dossier(dossier).parked is not None)
    stopped = town.dossier(dossier)
    assert (stopped.state, "L’autorité du certificat n’est pas" in (stopped.parked or "")) == ("validated", True)
    assert town.played.gateway.received() == []


def older(town: Town, dossier_id: str, days: float) -> None:
    with town.platform.database.writing(PLATFORM) as session:
        dossier = session.get_one(Dossier, dossier_id)
        dossier.since -= timedelta(days=days)
        session.add(dossier)


def deadline(town: Town, dossier_id: str) -> timedelta:
    with town.platform.database.reading(PLATFORM) as session:
        return session.get_one(Due, dossier_id).due - clock.now()


@HERE
def test_after_the_days_of_its_account_a_dossier_is_set_aside_and_a_late_signature_still_counts(
    town: Town, parapheur: ParapheurSimulator
) -> None:
    points(town, parapheur, max_days=60)
    dossier = handed_over(town, "PES_LATE")
    older(town, dossier, 59)
    collect(town)
    assert town.dossier(dossier).parked is None
    assert timedelta(days=1) < deadline(town, dossier) < timedelta(days=3)
    older(town, dossier, 1.1)
    collect(town)
    collect(town)
    assert "après 60 jours" in (town.dossier(dossier).parked or "")
    acts(parapheur, town, dossier)
    collect(town)
    assert (town.dossier(dossier).state, town.dossier(dossier).parked) == ("validated", None)


@HERE
def test_a_dossier_erased_or_taken_back_over_there_is_shown_to_a_person_and_the_others_go_on(
    town: Town, parapheur: ParapheurSimulator
) -> None:
    points(town, parapheur, Protocol.V5)
    with town.at_work():
        gone, back, good = (town.push(name) for name in ("PES_GONE", "PES_BACK", "PES_GOOD"))
        for dossier in (gone, back, good):
            town.wait_for(dossier, "in_parapheur")
    parapheur._store.erase(told(town, gone)["id"])
    parapheur._circuit.recall(parapheur.person_at(EMITTER), told(town, back)["id"])
    acts(parapheur, town, good)
    collect(town)
    assert "n’est pas, ou n’est plus" in (town.dossier(gone).parked or "")
    assert "repris par son émetteur" in (town.dossier(back).parked or "")
    assert town.dossier(good).state == "validated"


@HERE
def test_the_account_of_the_nearest_organisation_counts_before_our_own_book_and_makes_no_folder(
    town: Town, parapheur: ParapheurSimulator
) -> None:
    office = Office.opened(town.platform, town.organisation, town.played.authority)
    office.routes_helios()
    points(town, parapheur)
    with town.platform.database.writing(PLATFORM) as session:
        service = add_organisation(session, "Régie", OrganisationKind.SERVICE, parent=town.organisation)
        parent = session.get_one(Organisation, town.organisation.parent_id)
    assert account_of(town.platform, service.id) == town.organisation.id
    assert account_of(town.platform, parent.id) is None
    dossier = handed_over(town, "PES_NEAREST")
    assert len(parapheur.dossiers()) == 1
    with town.platform.database.reading(PLATFORM) as session:
        assert session.exec(select(Folder).where(Folder.dossier_id == dossier)).first() is None


@HERE
def test_a_command_points_an_organisation_at_its_parapheur_once_it_has_the_type(
    town: Town, parapheur: ParapheurSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(administration, "opened_platform", lambda: town.platform)
    file = town.folder / "parapheur.json"

    def configured(subtype: str = "signature", **changes: Any) -> None:
        settings = parapheur.settings_for("HELIOS", subtype, **changes)
        file.write_text(json.dumps(revealed(settings.model_dump())))
        administration.configure_parapheur(file, organisation=town.organisation.siren or "")

    confined = town.platform.settings.model_copy(update={"private_networks": ""})
    with monkeypatch.context() as otherwise, pytest.raises(AddressRefused):
        otherwise.setattr(administration, "opened_platform", lambda: replace(town.platform, settings=confined))
        configured()
    with pytest.raises(UsageError, match="HELIOS / visa"):
        configured(subtype="absent")
    with pytest.raises(AccessRefused) as refused:
        configured(password="un-autre-secret")
    assert "un-autre-secret" not in str(refused.value)
    assert account_of(town.platform, town.organisation.id) is None
    configured()
    assert account_of(town.platform, town.organisation.id) == town.organisation.id
    with town.platform.database.reading(PLATFORM) as session:
        assert session.get(Schedule, f"{returning.ACTOR}:{town.organisation.id}") is not None
        entries = session.exec(select(JournalEntry).where(JournalEntry.kind == "configuration.changed")).all()
    assert [entry.facts for entry in entries] == [{"configuration": EXTERNAL}]
