"""What waits in the archive on the page on which somebody's day begins, and what the page of a record tells of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import select

from archive.elimination.models import Elimination
from archive.finding.models import ReadingRequest
from archive.retention import holds
from archive.retention.holds import Wanted
from archive.watch import incidents
from archive.watch.incidents import Kind, open_incident
from archive.watch.models import AuditRun
from core import clock
from core.identifiers import new_id
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from core.roles import BUILT_IN, OPERATOR
from flows.engine.models import Dossier
from tests.integration.api.acts_forms import somebody
from tests.integration.api.service import PASSWORD, Service
from tests.kept_records import seal

_RIGHTS = {
    "archiviste": {Right.READ, Right.ARCHIVE},
    "controle": {Right.READ, Right.CONTROL},
    "lecteur": {Right.READ},
    "exploitant local": {Right.READ, Right.OPERATE},
    "agent": {Right.READ, Right.DEPOSIT},
}
_NEIGHBOUR, _ABOVE = "voisin", "exploitant"
_ROW = 'aria-label="Ce qui attend"'


@dataclass(frozen=True)
class Town:
    """A commune of its own, with people who are signed in, one of them of a neighbouring one, one of the whole platform."""

    service: Service
    organisation: Organisation
    ids: dict[str, str]
    people: dict[str, httpx.Client]

    def see(self, who: str, path: str = "/archives") -> str:
        """Open a page; return what it says, with plain spaces."""
        answer = self.people[who].get(path)
        assert answer.status_code == 200, answer.text
        return answer.text.replace("\u00a0", " ").replace("\u202f", " ")

    def waiting(self, who: str, path: str = "/archives") -> dict[str, str]:
        """What waits for somebody, by address."""
        row = self.see(who, path).partition(_ROW)[2].partition("</ul>")[0]
        return {found[1]: re.sub(r"<[^>]+>", "", found[2]) for found in re.finditer(r'<a href="([^"]+)">(.*?)</a>', row)}


@pytest.fixture(scope="module")
def town(service: Service) -> Iterator[Town]:
    with service.platform.database.writing(PLATFORM) as session:
        root = session.exec(select(Organisation).where(Organisation.kind == OrganisationKind.PLATFORM)).one()
        here, there = (
            add_organisation(session, name, OrganisationKind.COLLECTIVITE, parent=root)
            for name in ("Haute-Veille", "Basse-Veille")
        )
        roles: list[tuple[str, Organisation, Collection[Right]]] = [(who, here, rights) for who, rights in _RIGHTS.items()]
        roles += [(_NEIGHBOUR, there, set().union(*_RIGHTS.values())), (_ABOVE, root, BUILT_IN[OPERATOR])]
        ids, addresses = {}, {}
        for who, where, rights in roles:
            addresses[who] = f"{new_id().lower()}@attente.test"
            person = add_person(session, addresses[who], f"Personne {who}", PASSWORD)
            grant_role(session, person, where, new_id()[-8:], rights)
            ids[who] = person.id
    with ExitStack() as opened:
        people = {who: opened.enter_context(somebody(service, address)) for who, address in addresses.items()}
        yield Town(service, here, ids, people)


def test_each_sees_what_waits_for_them_and_nobody_of_elsewhere_sees_any(town: Town) -> None:
    owner, mine, other = town.organisation.id, f"person:{town.ids['archiviste']}", "person:autre"
    asked: dict[str, Any] = {
        "organisation_id": owner,
        "requester": "R",
        "contact": "C",
        "reason": "M",
        "state": "asked",
        "made_by": other,
    }
    list_: dict[str, Any] = {"organisation_id": owner, "state": "agreed", "as_of": date(2026, 1, 1), "kept": 0}
    with town.service.platform.database.writing(PLATFORM) as session:
        free, owned, taken, closed = (
            open_incident(session, organisation_id=owner, kind=Kind.COPY_MISSING, place="", subject=new_id(), facts={})
            for _ in range(4)
        )
        incidents.own(session, owned, mine, town.ids["archiviste"])
        incidents.own(session, taken, other, new_id())
        incidents.close(session, closed, other, new_id(), "réparé")
        session.add_all(
            [
                Elimination(**list_, made_by=mine, agreed_by=other),
                Elimination(**list_, made_by=other, agreed_by=mine),
                Elimination(**list_ | {"state": "visa"}, made_by=mine, agreed_by=other),
                Elimination(**list_ | {"state": "proposed"}, made_by=mine),
                Elimination(**list_, made_by=f"person:{town.ids['controle']}", agreed_by=other),
                Elimination(**list_, made_by=other, proposed_by=f"person:{town.ids['controle']}", agreed_by=mine),
                ReadingRequest(**asked, derogation=False),
                ReadingRequest(**asked, derogation=False),
                ReadingRequest(**asked, derogation=True),
                ReadingRequest(**asked | {"state": "refused"}, derogation=False),
                Dossier(organisation_id=owner, flow="transfer", title="Versement", state="to_accept"),
                Dossier(organisation_id=owner, flow="transfer", title="Versement", state="received"),
            ]
        )
    assert free
    assert town.waiting("archiviste") == {
        "/archives/incidents": "3 incidents des archives ouverts : 1 sans responsable, 1 à vous",
        "/archives/eliminations?etat=agreed": "2 éliminations attendent un visa que vous pouvez donner ou inscrire",
        "/archives/eliminations?etat=visa": "1 élimination a son visa et attend que vous l’exécutiez",
        "/archives/demandes": "2 demandes de communication attendent votre réponse",
        "/archives/versements?etat=to_accept": "1 versement attend votre décision",
    }
    for address in town.waiting("archiviste"):
        town.see("archiviste", address)
    assert town.waiting("controle") == {
        "/archives/eliminations?etat=agreed": "2 éliminations attendent un visa que vous pouvez donner ou inscrire",
        "/archives/demandes": "1 demande de communication attend votre réponse",
    }
    assert town.waiting("exploitant local", "/dossiers") == {
        "/archives/incidents": "3 incidents des archives ouverts : 1 sans responsable, 0 à vous"
    }
    assert town.waiting("agent", "/dossiers") == {
        "/archives/eliminations?etat=proposed": "1 liste d’élimination attend l’accord du producteur, que vous pouvez donner"
    }
    listed = town.see("agent", "/archives/eliminations?etat=proposed")
    assert (listed.count("attend l’accord du producteur"), "visée" in listed) == (2, False)
    for who, path in ((_NEIGHBOUR, "/archives"), (_NEIGHBOUR, "/dossiers"), ("lecteur", "/archives"), ("lecteur", "/dossiers")):
        assert _ROW not in town.see(who, path)
    assert town.waiting("archiviste", "/dossiers") == {}


def test_who_operates_the_platform_is_told_of_audits_that_lag_and_who_operates_a_part_of_it_is_not(town: Town) -> None:
    run = AuditRun(kind="existence", place="principal", started=clock.now() - timedelta(days=40), total=10)
    try:
        with town.service.platform.database.writing(PLATFORM) as session:
            session.add(run)
        assert town.waiting(_ABOVE, "/dossiers")["/archives/lieux"] == "1 contrôle des archives en retard"
        assert "En retard sur leur rythme : Présence (principal)." in town.see(_ABOVE, "/archives/lieux")
        assert "/archives/lieux" not in town.waiting("exploitant local", "/dossiers")
        assert "En retard sur leur rythme" not in town.see("exploitant local", "/archives/lieux")
    finally:
        with town.service.platform.database.writing(PLATFORM) as session:
            session.delete(session.get_one(AuditRun, run.id))
    assert "/archives/lieux" not in town.waiting(_ABOVE, "/dossiers")


def test_the_page_of_a_record_tells_what_happened_to_it_even_by_an_organisation_above(town: Town, tmp_path: Path) -> None:
    platform = town.service.platform
    record, other = seal(platform, town.organisation, tmp_path), seal(platform, town.organisation, tmp_path)
    with platform.database.writing(PLATFORM) as session:
        for one, kind in ((record, Kind.COPY_ALTERED), (other, Kind.COPY_MISSING)):
            facts = {"record": one.id}
            open_incident(session, organisation_id=one.organisation_id, kind=kind, place="second", subject=one.key, facts=facts)
    wanted = Wanted("Contentieux de Mme Secrète", "Juridique", date(2099, 1, 1), (record.id,))
    holds.put(platform, PLATFORM, str(town.organisation.parent_id), wanted)
    page = town.see("lecteur", f"/archives/{record.id}")
    told = re.findall(r"<li><p>(.*?)</p><p class=\"meta\"><time", page)
    assert told == ["Archive scellée", "Incident de l’archive relevé (Copie altérée, lieu « second »)", "Documents gelés"]
    assert ("Gelée" in page, "Secrète" in page) == (True, False)
    assert "Gelée" not in town.see("lecteur", f"/archives/{other.id}")
    assert town.people[_NEIGHBOUR].get(f"/archives/{record.id}").status_code == 404
