"""People from a terminal: what a page of administration does, for whoever runs the platform."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlmodel import select

from api.cli import accounts, administration, archive_audit, archive_index, archive_proof, settling
from core import clock, invitations, people, presence, second_factor
from core.database import Database
from core.errors import Conflict, NotFound, UsageError
from core.journal import JournalEntry
from core.people import Person
from core.principal import PLATFORM
from core.s3_server import S3Server
from tests.integration.api.service import MAIRIE, Service


@pytest.fixture
def email(service: Service, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address that nobody has, in a terminal of the server."""
    settings = service.platform.settings
    values = {
        "STATE_DIR": str(settings.state_dir),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "S3_ENDPOINT": s3.endpoint,
        "S3_ACCESS_KEY": s3.access_key,
        "S3_SECRET_KEY": s3.secret_key,
        "S3_BUCKET_PREFIX": settings.s3_bucket_prefix,
        "SECRET_KEY_FILE": str(settings.state_dir / "secret.key"),
        "PUBLIC_URL": "https://tabellion.example/",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"TABELLION_{name}", value)
    return f"{clock.now():%H%M%S%f}@valmorin.test"


def invited(email: str, capsys: pytest.CaptureFixture[str], role: str = "agent") -> dict[str, str]:
    accounts.invite(email, name=" Nina   [Neuve] ", organisation=MAIRIE, role=role, as_json=True)
    told: dict[str, str] = json.loads(capsys.readouterr().out)
    return told


def found(service: Service, email: str) -> tuple[Person, list[str]]:
    with service.platform.database.reading(PLATFORM) as session:
        person = people.with_address(session, email)
        assert person is not None
        return person, [membership.role for membership, _ in people.memberships(session, person.id)]


def test_an_invitation_is_a_link_that_opens_the_account(service: Service, email: str, capsys: pytest.CaptureFixture[str]) -> None:
    link = invited(email, capsys)["link"]
    root, _, secret = link.rpartition("/")
    assert root == "https://tabellion.example/invitation"
    with service.platform.database.reading(PLATFORM) as session:
        assert invitations.invited(session, secret).name == "Nina [Neuve]"
    assert invited(email, capsys, "archiviste")["link"] is None
    accounts.make_link(email, as_json=False)
    assert "https://tabellion.example/invitation/" in capsys.readouterr().out


def test_roles_are_given_and_taken_by_their_names_and_the_list_shows_them(
    service: Service, email: str, capsys: pytest.CaptureFixture[str]
) -> None:
    invited(email, capsys)
    accounts.give_role(email, role="signataire", organisation=MAIRIE)
    accounts.give_role(email, role="operateur", organisation="platform")
    assert found(service, email)[1] == ["exploitant", "agent", "signataire"]
    with pytest.raises(Conflict):
        accounts.give_role(email, role="signataire", organisation=MAIRIE)
    with pytest.raises(UsageError, match="signataire"):
        accounts.give_role(email, role="inconnu", organisation=MAIRIE)
    with pytest.raises(NotFound):
        accounts.give_role(email, role="exploitant", organisation=MAIRIE)
    accounts.take_role(email, role="agent", organisation=MAIRIE)
    with pytest.raises(NotFound):
        accounts.take_role(email, role="agent", organisation=MAIRIE)
    capsys.readouterr()
    accounts.list_people(as_json=False)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if email in line)
    assert line == f"Nina [Neuve] · {email} · exploitant (Plateforme d’essai), signataire (Commune de Valmorin)"


def test_an_account_is_suspended_reactivated_unlocked_and_rid_of_its_second_factor(
    service: Service, email: str, capsys: pytest.CaptureFixture[str]
) -> None:
    invited(email, capsys)
    person, _ = found(service, email)
    accounts.act("suspend", email)
    assert found(service, email)[0].suspended is not None
    with pytest.raises(Conflict):
        accounts.act("suspend", email)
    accounts.act("reactivate", email)
    assert found(service, email)[0].suspended is None
    with service.platform.database.writing(PLATFORM) as session:
        second_factor.begin(session, service.platform.secrets, person.id)
    accounts.act("forget-second-factor", email)
    accounts.act("unlock", email)
    with service.platform.database.reading(PLATFORM) as session:
        assert second_factor.begun(session, service.platform.secrets, person.id) is None
        entries = [entry for entry in session.exec(select(JournalEntry)) if entry.facts.get("person") == person.id]
    assert {entry.actor for entry in entries} == {"operator"}
    assert [entry.kind for entry in entries][2:] == [
        *("person.suspended", "person.reactivated", "person.second_factor_removed", "person.unlocked"),
    ]


def test_who_is_unknown_or_unfit_is_told(email: str) -> None:
    with pytest.raises(NotFound, match=email):
        accounts.act("unlock", email)
    for address, name in (("pas une adresse", "Nina"), (email, " "), (email, "x" * 121)):
        with pytest.raises(UsageError):
            accounts.invite(address, name=name, organisation=MAIRIE, role="agent", as_json=False)


@pytest.mark.usefixtures("email")
def test_while_somebody_has_the_database_alone_nothing_is_written_and_lists_are_read(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'restored.sqlite3'}"
    restored = Database(url)
    with closing(sqlite3.connect(service.platform.database.url.database or "")) as source:
        source.execute("VACUUM INTO ?", [restored.url.database])
    monkeypatch.setenv("TABELLION_DATABASE_URL", url)
    with presence.alone(restored):
        for write in (
            lambda: accounts.act("suspend", "personne@valmorin.test"),
            lambda: administration.issue("logiciel", organisation=MAIRIE, days=1, read_only=True, as_json=True),
            lambda: settling.resume("D1"),
            lambda: archive_proof.renew(as_json=True),
            lambda: archive_audit.audit(place=None, kinds=[], whole=False, as_json=True),
            lambda: archive_index.fill(anew=False),
        ):
            with pytest.raises(Conflict, match="réservée"):
                write()
        accounts.list_people(as_json=True)
        assert capsys.readouterr().out
    administration.issue("logiciel", organisation=MAIRIE, days=1, read_only=True, as_json=True)
    with pytest.raises(Conflict, match="une commande"), presence.alone(restored):
        pass
