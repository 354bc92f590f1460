"""What the faces show of a dossier whose record was eliminated: that it was, when, by which list; and no document."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from api.s2low.models import S2lowTransaction
from core.identifiers import new_id
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import Person, add_person, grant_role
from core.principal import PLATFORM, Right
from core.tokens import issue_token
from flows.actes.act import Act, Piece
from flows.actes.models import ActesMessage
from flows.emptying import running
from flows.engine.models import Dossier, DossierFile
from tests.ended_records import People, decided, elimination, ended, people_of, run_until
from tests.integration.api.acts_forms import somebody
from tests.integration.api.service import PASSWORD, Service, add_dossier

TITLE = "Mandats de Mme Secrète"


@dataclass(frozen=True)
class Town:
    """A commune of its own, whose archivist and reader are signed in, with its software."""

    service: Service
    organisation: Organisation
    people: People
    archivist: httpx.Client
    reader: httpx.Client
    software: httpx.Client

    def eliminated(self, dossier_id: str, folder: Path, kind: str = "helios") -> str:
        """Seal a dossier as if that had been long ago, and eliminate it; return the elimination."""
        platform = self.service.platform
        ended(platform, self.organisation, folder, dossier=dossier_id, kind=kind)
        identifier = decided(platform, self.people, self.organisation)
        run_until(platform, identifier)
        return identifier


@pytest.fixture(scope="module")
def town(service: Service) -> Iterator[Town]:
    platform = service.platform
    with platform.database.writing(PLATFORM) as session:
        root = session.exec(select(Organisation).where(Organisation.kind == OrganisationKind.PLATFORM)).one()
        organisation = add_organisation(session, "Commune de Table-Rase", OrganisationKind.COLLECTIVITE, parent=root)
        reader = add_person(session, f"{new_id().lower()}@rase.test", "Lectrice", PASSWORD)
        grant_role(session, reader, organisation, "lecture", {Right.READ})
        token = issue_token(session, organisation, "logiciel", {Right.READ})
    people = people_of(platform, organisation)
    with platform.database.reading(PLATFORM) as session:
        archivist = session.get_one(Person, people.archivist.actor.removeprefix("person:"))
    with ExitStack() as opened, pytest.MonkeyPatch.context() as patched:
        patched.setattr(running, "SETTLED", timedelta(seconds=-5))
        archives, reads = (opened.enter_context(somebody(service, one.email)) for one in (archivist, reader))
        yield Town(service, organisation, people, archives, reads, opened.enter_context(service.client(token)))


def test_the_page_and_the_api_say_it_and_answer_410_for_every_document(town: Town, tmp_path: Path) -> None:
    dossier = add_dossier(town.service.platform, town.organisation, TITLE, "archived", facts={"nom_fic": "SECRETE"})
    here = f"/v1/dossiers/{dossier}"
    (document,) = town.software.get(f"{here}/files").json()["files"]
    assert town.software.get(document["href"]).status_code == 200
    identifier = town.eliminated(dossier, tmp_path)

    shown = town.software.get(here).json()
    assert (shown["title"], shown["facts"], shown["files"], shown["state"]) == (dossier, {}, [], "archived")
    assert shown["eliminated"] is not None
    for address in (f"{here}/files", document["href"]):
        answer = town.software.get(address)
        assert (answer.status_code, answer.headers["content-type"]) == (410, "application/problem+json")
        assert f"bordereau n°\u00a0{identifier}" in answer.json()["detail"]
        with town.service.client(town.service.syndicat.token) as stranger:
            assert stranger.get(address).status_code == 404
    kinds = [entry["kind"] for entry in town.software.get(f"{here}/timeline").json()["entries"]]
    assert kinds == ["dossier.received", "record.sealed", "record.eliminated", "dossier.emptied"]
    assert town.software.get(f"{here}/diagram.svg").status_code == 200

    page = town.reader.get(f"/dossiers/{dossier}")
    assert page.status_code == 200
    assert "Éliminé le" in page.text
    assert f"bordereau n°\u00a0{identifier}" in page.text
    assert f"/archives/{elimination(town.service.platform, identifier).record_id}" in page.text
    assert (TITLE in page.text, "SECRETE" in page.text, "/fichiers/" in page.text) == (False, False, False)
    certificate = f"/archives/eliminations/{identifier}/certificat.pdf"
    assert f'href="{certificate}"' in town.archivist.get(f"/dossiers/{dossier}").text
    assert town.archivist.get(certificate).content.startswith(b"%PDF-")
    for part in (f"fichiers/{document['id']}", f"fichiers/{document['id']}/apercu", "pes"):
        gone = town.reader.get(f"/dossiers/{dossier}/{part}")
        assert gone.status_code == 410
        assert "ses documents ont été détruits" in gone.text
    assert TITLE not in town.reader.get("/dossiers").text


def test_an_eliminated_act_is_in_no_list_and_its_page_says_why(town: Town, tmp_path: Path) -> None:
    act = Act("2011_07", date(2011, 3, 14), 3, (4, 1), TITLE, (Piece("document", None, None),))
    platform = town.service.platform
    with platform.database.writing(PLATFORM) as session:
        dossier = Dossier(
            organisation_id=town.organisation.id, flow="actes", title=TITLE, state="archived", facts={"act": act.as_facts()}
        )
        session.add(dossier)
        session.flush()
        message = ActesMessage(
            organisation_id=town.organisation.id,
            dossier_id=dossier.id,
            code="1-1",
            id_acte="040-1-AI",
            outgoing=True,
            state="sent",
            actor="platform",
        )
        session.add(message)
        session.flush()
        session.add(S2lowTransaction(organisation_id=town.organisation.id, message_id=message.id))
    assert dossier.id in town.software.get("/v1/acts").text
    assert TITLE in town.reader.get("/actes").text
    town.eliminated(dossier.id, tmp_path, "actes")
    for address, client in (("/v1/acts", town.software), ("/actes", town.reader)):
        listed = client.get(address)
        assert (listed.status_code, TITLE in listed.text, dossier.id in listed.text) == (200, False, False)
    assert town.software.get(f"/v1/acts/{dossier.id}").status_code == 410
    assert town.reader.get(f"/actes/{dossier.id}").status_code == 410
    assert "Éliminé le" in town.reader.get(f"/dossiers/{dossier.id}").text
    with platform.database.reading(PLATFORM) as session:
        for table in (ActesMessage, S2lowTransaction, DossierFile):
            assert session.exec(select(table).where(table.organisation_id == town.organisation.id)).all() == []
