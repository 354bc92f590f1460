"""A commune of its own whose archive people open and ask to read, for the tests of its pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
from sqlmodel import select

from archive.models import Record
from core.identifiers import new_id
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from core.tokens import issue_token
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.service import PASSWORD, Service
from tests.kept_records import seal

_RIGHTS = {
    "archiviste": {Right.READ, Right.ARCHIVE},
    "lecteur": {Right.READ},
    "controle": {Right.CONTROL},
    "double": {Right.READ, Right.ARCHIVE, Right.CONTROL},
    "exploitant": {Right.OPERATE},
}


@dataclass(frozen=True)
class Town:
    """A commune of its own, with people who are signed in, and a sealed PES."""

    service: Service
    organisation: Organisation
    people: dict[str, httpx.Client]
    token: str
    record: Record
    package: bytes

    def see(self, who: str, path: str, status: int = 200) -> str:
        """Open a page."""
        answer = self.people[who].get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def post(self, who: str, path: str, fields: dict[str, str] | None = None, **more: object) -> httpx.Response:
        """Send a form."""
        client = self.people[who]
        return client.post(path, data={**csrf(client), **(fields or {})}, **more)  # type: ignore[arg-type]

    def entries(self, kind: str) -> list[JournalEntry]:
        """What the journal says of a kind, in its order."""
        wanted = select(JournalEntry).where(JournalEntry.kind == kind, JournalEntry.organisation_id == self.organisation.id)
        with self.service.platform.database.reading(PLATFORM) as session:
            return list(session.exec(wanted.order_by(JournalEntry.number)))  # type: ignore[arg-type]

    def link(self, place: str) -> str:
        """Make the link of a request, and return its path."""
        found = re.search(r"(/lecture/[\w-]{43})<", self.post("archiviste", f"{place}/lien").text)
        assert found is not None
        return found[1]


@pytest.fixture(scope="module")
def town(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with service.platform.database.writing(PLATFORM) as session:
        root = session.exec(select(Organisation).where(Organisation.kind == OrganisationKind.PLATFORM)).one()
        organisation = add_organisation(session, "Commune de Fonds-Clair", OrganisationKind.COLLECTIVITE, parent=root)
        addresses = {}
        for role, rights in _RIGHTS.items():
            addresses[role] = f"{role}@{new_id().lower()}.test"
            person = add_person(session, addresses[role], f"Personne {role}", PASSWORD)
            grant_role(session, person, organisation, role, rights)
        token = issue_token(session, organisation, "lecture", {Right.READ})
    folder = tmp_path_factory.mktemp("sealed")
    record = seal(service.platform, organisation, folder)
    with ExitStack() as opened:
        people = {role: opened.enter_context(somebody(service, address)) for role, address in addresses.items()}
        yield Town(service, organisation, people, token, record, (folder / f"{record.id}.zip").read_bytes())
