"""Software and people of several organisations behind the legacy SOAP service: two of them may call a folder alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.iparapheur.settings import FACADE, FacadeSettings
from connectors.iparapheur import messages as wire
from connectors.iparapheur.messages import ArchiveAction, Code
from connectors.iparapheur.simulated_typology import EMITTER, MANAGER
from core.configuration import configure
from core.people import grant_role
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from core.tokens import issue_token
from signing.parapheur import desks
from tests.integration.api.iparapheur_software import Caller, act, caller, create
from tests.iparapheur_platform import RIGHTS, AtWork, Town, at_work

ALIKE = "ARR-2026-001"
Towns = tuple[Town, Town]


@pytest.fixture(scope="module")
def running(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtWork]:
    with at_work(s3, tmp_path_factory.mktemp("shared")) as opened:
        yield opened


@pytest.fixture
def towns(running: AtWork) -> Towns:
    return running.town(), running.town()


def shared(running: AtWork, towns: Towns, folder: Path) -> list[Caller]:
    """Software that serves both with one token, in the name of a desk of each."""
    with running.platform.database.writing(PLATFORM) as session:
        token = issue_token(session, running.root, "Centre de gestion", {Right.READ, Right.DEPOSIT})
    return [Caller(running.address, f"{EMITTER}@{town.organisation.id}", token, folder) for town in towns]


def name_of(who: Caller, dossier: str = ALIKE) -> str | None:
    answer = who.ask(wire.GetDossierRequest(dossier), wire.GetDossierResponse)
    return answer.document_name if answer.notice and answer.notice.code is Code.OK else None


def listed(who: Caller) -> list[str]:
    return [one.name for one in who.ask(wire.RechercherDossiersRequest(), wire.RechercherDossiersResponse).entries]


def test_one_token_of_many_organisations_reads_and_erases_what_the_one_that_it_names_has_sent(
    running: AtWork, towns: Towns, tmp_path: Path
) -> None:
    first, second = shared(running, towns, tmp_path)
    asked = replace(act(tmp_path), dossier_id=ALIKE)
    create(first, replace(asked, document_name="premier.pdf"))
    assert (name_of(second), listed(second)) == (None, [])
    create(second, replace(asked, document_name="second.pdf"))
    towns[0].act(MANAGER, ALIKE, "visa")
    assert [who.history(ALIKE)[-1].status == "Archive" for who in (first, second)] == [True, False]
    assert [name_of(who) for who in (first, second)] == ["premier.pdf", "second.pdf"]
    assert listed(first) == listed(second) == [ALIKE]
    early = second.ask(wire.ArchiverDossierRequest(ALIKE, ArchiveAction.DELETE), wire.ArchiverDossierResponse)
    recalled = second.ask(wire.ExercerDroitRemordDossierRequest(ALIKE), wire.ExercerDroitRemordDossierResponse)
    assert (early.notice.code, recalled.notice.code) == (Code.KO, Code.OK)
    assert name_of(first) == "premier.pdf"


def test_what_is_configured_above_holds_for_software_of_one_organisation(running: AtWork, towns: Towns, tmp_path: Path) -> None:
    with running.platform.database.writing(PLATFORM) as session:
        configure(session, running.platform.secrets, running.root.id, FACADE, FacadeSettings(signer_rejects=True))
    for town in towns:
        own = Caller(town.address, EMITTER, town.token, tmp_path)
        create(own, replace(act(tmp_path), dossier_id=ALIKE))
        town.act(MANAGER, ALIKE, "reject", "Montant faux")
        assert own.history(ALIKE)[-1].status == "RejetSignataire"


def test_a_person_of_two_organisations_is_given_what_their_desk_has_sent_and_else_told_that_it_may_be_several(
    towns: Towns, tmp_path: Path
) -> None:
    first, second = towns
    both = caller(first, tmp_path)
    for town, name in ((first, "premier.pdf"), (second, "second.pdf")):
        create(caller(town, tmp_path), replace(act(tmp_path), dossier_id=ALIKE, document_name=name))
    sits_at(second, MANAGER, first)
    assert name_of(both) == "premier.pdf"
    sits_at(second, EMITTER, first)
    told = both.ask(wire.GetHistoDossierRequest(ALIKE), wire.GetHistoDossierResponse).notice
    assert told is not None
    assert (told.code, "bureau@SIRET" in told.message) == (Code.KO, True)


def sits_at(town: Town, desk: str, of: Town) -> None:
    """Seat whoever sends in another town at a desk of this one."""
    person = of.people[EMITTER]
    with town.platform.database.writing(PLATFORM) as session:
        grant_role(session, person, town.organisation, f"agent {desk}", RIGHTS)
        desks.seat(session, town.desks[desk], person.id)
