"""An organisation opened as an operator would, by commands alone, on a database of each kind; and what the commands refuse."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import dramatiq
import pytest
from sqlmodel import select
from typer.testing import CliRunner

from api import words
from api.cli import administration
from api.cli.main import app
from api.runtime import working
from api.simulators import Simulators, simulators
from core.configuration import Configuration, revealed
from core.errors import Unauthenticated, UsageError
from core.journal import JournalEntry
from core.organisations import Organisation
from core.people import Membership, principal_of, sign_in
from core.people import Person as Somebody
from core.platform import Platform
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from core.tokens import software_behind
from flows.engine.models import Dossier, Schedule
from flows.helios.intake import deposit
from flows.helios.models import HeliosResponse
from schemas.pes.sample import Authority, Sample, write_sample
from signing.pki import TestAuthority
from tests.conftest import AUTRE_MAIRIE, MAIRIE, Shape
from tests.databases import sqlite_at
from tests.terminal import TABELLION, run_here
from tests.waiting import wait_until

PASSWORD = "encre et papier"
SECRETS = (PASSWORD, "mot-de-passe-du-cachet", "mot-de-passe-dgfip", "agent@valmorin.example", "Agent des finances")


@pytest.fixture(params=["sqlite", "postgresql"])
def shape(request: pytest.FixtureRequest, tmp_path: Path) -> Shape:
    """The commands need no broker: each kind of database, once."""
    if request.param == "sqlite":
        return Shape("sqlite", sqlite_at(tmp_path / "tabellion.sqlite3"), "memory://")
    return Shape("postgresql", request.getfixturevalue("current_postgres_url"), "memory://")


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Simulators]:
    """The State's side, answering at once."""
    with simulators(tmp_path / "simulators", delay=0) as running:
        yield running


@pytest.fixture
def settings_changes(request: pytest.FixtureRequest) -> dict[str, object]:
    """Where a test plays the State's side, the platform knows it."""
    if "played" not in request.fixturenames:
        return {}
    played: Simulators = request.getfixturevalue("played")
    return {
        "tsa_url": played.timestamping.url,
        "trust_dir": played.trust_dir,
        "poll_seconds": 0.2,
        "tree_head_seconds": 0.2,
        "archive_lock_days": 1,
    }


class Terminal:
    """A terminal of the server, with the settings of the platform."""

    def __init__(self, platform: Platform, s3: S3Server, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TABELLION_")},
            "TABELLION_STATE_DIR": str(folder),
            "TABELLION_DATABASE_URL": platform.settings.database_url.get_secret_value(),
            "TABELLION_S3_ENDPOINT": s3.endpoint,
            "TABELLION_S3_ACCESS_KEY": s3.access_key,
            "TABELLION_S3_SECRET_KEY": s3.secret_key,
            "TABELLION_S3_BUCKET_PREFIX": platform.settings.s3_bucket_prefix,
            "TABELLION_SECRET_KEY_FILE": str(folder / "secret.key"),
            "TABELLION_POLL_SECONDS": str(platform.settings.poll_seconds),
        }

    def spawn(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own, as the shell does."""
        return subprocess.run(
            [str(TABELLION), *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command from the same entrance in this process, which spares its start: there are many."""
        return run_here(*arguments, environment=self.environment)

    def told(self, *arguments: str | Path) -> str:
        ran = self.run(*arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def spawned(self, *arguments: str | Path) -> str:
        ran = self.spawn(*arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def refused(self, status: int, *arguments: str | Path) -> str:
        ran = self.run(*arguments)
        assert (ran.returncode, ran.stdout) == (status, ""), ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        assert ran.stderr.startswith("✗ ")
        return ran.stderr

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def open_mairie(self) -> dict[str, str]:
        opened: dict[str, str] = json.loads(self.told("organisation", "open", "Commune de Valmorin", "--siret", MAIRIE, "--json"))
        return opened


@pytest.fixture
def terminal(platform: Platform, s3: S3Server, tmp_path: Path) -> Terminal:
    return Terminal(platform, s3, tmp_path)


def journal_of(platform: Platform) -> list[JournalEntry]:
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(JournalEntry).order_by(JournalEntry.number)))


def gateway_file(terminal: Terminal, played: Simulators, **changes: object) -> Path:
    values = revealed(played.gateway_settings().model_dump()) | changes
    return terminal.file("passerelle.json", json.dumps(values))


def test_an_organisation_is_opened_by_commands_alone_and_sends_without_any_restart(
    terminal: Terminal, platform: Platform, broker: dramatiq.Broker, played: Simulators
) -> None:
    cachet = terminal.file("cachet.p12", played.authority.seal().as_pkcs12("mot-de-passe-du-cachet"))
    its_password = terminal.file("cachet.txt", "mot-de-passe-du-cachet\n")
    place = ("--city", "Valmorin", "--postal-code", "99012")
    with working(platform, broker):
        commune = terminal.open_mairie()
        assert (commune["kind"], commune["siren"]) == ("collectivite", MAIRIE.siren)
        terminal.spawned("configure", "gateway", gateway_file(terminal, played), "--organisation", "platform")
        told = terminal.spawned(
            "configure", "seal", cachet, "--organisation", MAIRIE.siren, *place, "--password-file", its_password
        )
        assert "DEMONSTRATION Cachet serveur" in told
        token = json.loads(terminal.spawned("token", "issue", "Logiciel financier", "--organisation", MAIRIE.siren, "--json"))
        pes = terminal.folder / "PES_1.xml"
        write_sample(Sample("PES_1", Authority(siret=MAIRIE)), pes)
        with platform.database.reading(PLATFORM) as session:
            software = software_behind(session, token["token"])
        with pes.open("rb") as stream:
            dossier = deposit(platform, software, commune["organisation"], stream, pes.name).dossier
        wait_until(lambda: state_of(platform, dossier.id) == "archived", seen=lambda: state_of(platform, dossier.id))


def state_of(platform: Platform, dossier_id: str) -> str:
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(Dossier.state).where(Dossier.id == dossier_id)).one()


def test_the_operator_of_acts_is_configured_for_all_and_its_mailbox_is_read(
    terminal: Terminal, platform: Platform, played: Simulators
) -> None:
    terminal.open_mairie()
    windows = [{"begin": "20:00", "end": "06:00", "quota": 2_000_000_000}]
    settings = revealed(played.operator_settings().model_dump()) | {"windows": windows}
    told = terminal.told("configure", "acts", terminal.file("actes.json", json.dumps(settings)), "--organisation", "platform")
    assert "relevée" in told
    with platform.database.reading(PLATFORM) as session:
        planned = set(session.exec(select(Schedule.actor)))
        assert session.exec(select(Configuration.name)).all() == ["actes.operator"]
    assert {"actes.collect", "actes.classify"} <= planned
    wrong = terminal.file("faux.json", json.dumps({**settings, "trigramme": "TROP LONG"}))
    assert "trigramme" in terminal.refused(2, "configure", "acts", wrong, "--organisation", "platform")


def test_the_first_organisation_makes_the_root_and_a_service_stands_below_a_collectivite(terminal: Terminal) -> None:
    commune = terminal.open_mairie()
    service = json.loads(
        terminal.told("organisation", "open", "Régie [des eaux]", "--siret", AUTRE_MAIRIE, "--parent", MAIRIE.siren, "--json")
    )
    assert (service["kind"], service["parent"]) == ("service", commune["organisation"])
    listed = [json.loads(line) for line in terminal.told("organisation", "list", "--json").splitlines()]
    assert [found["kind"] for found in listed] == ["platform", "collectivite", "service"]
    assert commune["parent"] == listed[0]["organisation"]
    shown = terminal.told("organisation", "list").splitlines()
    assert shown[1:] == [
        f"  Commune de Valmorin · collectivité · {MAIRIE}",
        f"    Régie [des eaux] · service · {AUTRE_MAIRIE}",
    ]
    below = terminal.refused(2, "organisation", "open", "Trop bas", "--siret", "35600000000048", "--parent", AUTRE_MAIRIE)
    assert "Régie [des eaux]" in below


def test_every_change_is_in_the_journal_by_its_operator_with_identifiers_only(
    terminal: Terminal, platform: Platform, played: Simulators
) -> None:
    terminal.open_mairie()
    secret = terminal.file("secret.txt", f"{PASSWORD}\n")
    where = ("--organisation", MAIRIE)
    person = json.loads(
        terminal.told(
            "person", "add", "agent@valmorin.example", "--name", "Agent des finances", *where, "--role", "agent",
            "--password-file", secret, "--json",
        )
    )  # fmt: skip
    token = json.loads(terminal.told("token", "issue", "Logiciel", *where, "--read-only", "--json"))
    terminal.told("token", "revoke", token["id"])
    terminal.told("configure", "gateway", gateway_file(terminal, played, password="mot-de-passe-dgfip"), *where)
    entries = journal_of(platform)
    assert [(entry.kind, entry.facts) for entry in entries[2:]] == [
        ("person.added", {"person": person["person"], "role": "agent"}),
        ("token.issued", {"token": token["id"]}),
        ("token.revoked", {"token": token["id"]}),
        ("configuration.changed", {"configuration": "helios.gateway"}),
    ]
    assert [entry.kind for entry in entries[:2]] == ["organisation.opened"] * 2
    assert {entry.actor for entry in entries} == {"operator"}
    written = b"".join(entry.leaf() for entry in entries).decode()
    assert not [secret for secret in (*SECRETS, token["token"], "Valmorin") if secret in written]
    assert [entry.kind for entry in entries if " · " in words.told(entry.kind)] == []


def test_a_role_gives_its_rights_and_the_password_signs_in(terminal: Terminal, platform: Platform) -> None:
    commune = terminal.open_mairie()["organisation"]
    secret = terminal.file("secret.txt", f"{PASSWORD}\r\n")
    held = {}
    for role in administration.ROLES:
        terminal.told(
            "person", "add", f"{role}@valmorin.example", "--name", role, "--organisation",
            "platform" if role == "operateur" else MAIRIE.siren, "--role", role, "--password-file", secret,
        )  # fmt: skip
        with platform.database.writing(PLATFORM) as session:
            sign_in(session, f"{role}@valmorin.example", PASSWORD)
            person = session.exec(select(Somebody).where(Somebody.email == f"{role}@valmorin.example")).one()
            held[role] = principal_of(session, person).grants[commune]
    assert held == {
        "agent": {Right.READ, Right.DEPOSIT},
        "operateur": {Right.OPERATE, Right.SURVEY, Right.ADMINISTER},
        "archiviste": {Right.READ, Right.ARCHIVE},
    }


def test_a_revoked_token_opens_nothing_and_a_reading_one_does_not_deposit(terminal: Terminal, platform: Platform) -> None:
    commune = terminal.open_mairie()["organisation"]
    shown = terminal.told("token", "issue", "Lecture", "--organisation", MAIRIE.siren, "--read-only", "--days", "2")
    bearer = shown.splitlines()[-1]
    with platform.database.reading(PLATFORM) as session:
        assert software_behind(session, bearer).grants[commune] == {Right.READ}
    identifier = bearer.split("_")[1]
    unknown = terminal.refused(1, "token", "revoke", bearer)
    assert bearer.split("_", 2)[2][:6] not in unknown
    terminal.told("token", "revoke", identifier)
    with platform.database.reading(PLATFORM) as session, pytest.raises(Unauthenticated):
        software_behind(session, bearer)
    assert identifier in terminal.refused(1, "token", "revoke", identifier)


def test_a_wrong_or_known_siret_and_an_unknown_parent_are_refused(terminal: Terminal, platform: Platform) -> None:
    assert "clé de contrôle" in terminal.refused(2, "organisation", "open", "Fausse", "--siret", "21400999500018")
    assert "14 chiffres" in terminal.refused(2, "organisation", "open", "Courte", "--siret", "214")
    terminal.refused(2, "organisation", "open", "  ", "--siret", MAIRIE)
    terminal.refused(1, "organisation", "open", "Seule", "--siret", MAIRIE, "--parent", AUTRE_MAIRIE)
    assert "pas encore de racine" in terminal.refused(1, "token", "issue", "Trop tôt", "--organisation", "platform")
    assert journal_of(platform) == []
    terminal.open_mairie()
    assert MAIRIE in terminal.refused(1, "organisation", "open", "Encore", "--siret", MAIRIE)
    assert len(journal_of(platform)) == 2


def test_two_operators_who_open_the_same_siret_at_once_open_it_once(terminal: Terminal, platform: Platform) -> None:
    statuses = []
    command = ("organisation", "open", "Commune", "--siret", MAIRIE)
    operators = [threading.Thread(target=lambda: statuses.append(terminal.spawn(*command).returncode)) for _ in range(2)]
    for operator in operators:
        operator.start()
    for operator in operators:
        operator.join()
    assert sorted(statuses) == [0, 1]
    with platform.database.reading(PLATFORM) as session:
        assert len(session.exec(select(Organisation)).all()) == 2


def test_a_person_is_refused_for_an_unfit_role_address_or_password_or_when_known(terminal: Terminal, platform: Platform) -> None:
    terminal.open_mairie()
    secret, short = terminal.file("secret.txt", PASSWORD), terminal.file("short.txt", "court")

    def refused(status: int, email: str, role: str, password: Path) -> str:
        return terminal.refused(
            status, "person", "add", email, "--name", "Agent", "--organisation", MAIRIE.siren, "--role", role,
            "--password-file", password,
        )  # fmt: skip

    assert "archiviste" in refused(2, "a@b.example", "maire", secret)
    assert "adresse électronique" in refused(2, "personne", "agent", secret)
    assert "12" in refused(2, "a@b.example", "agent", short)
    assert "absent.txt" in refused(2, "a@b.example", "agent", terminal.folder / "absent.txt")
    with platform.database.reading(PLATFORM) as session:
        assert session.exec(select(Membership)).all() == []
    known = ("person", "add", "A@b.example", "--name", "Agent", "--organisation", MAIRIE, "--role", "agent")
    terminal.told(*known, "--password-file", secret)
    assert "a@b.example" in refused(1, "a@b.example", "agent", secret)


@pytest.mark.parametrize(("again", "status"), [(PASSWORD, 0), (PASSWORD + "!", 1)])
def test_a_password_is_asked_for_twice_and_never_shown(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, again: str, status: int
) -> None:
    terminal.open_mairie()
    for name, value in terminal.environment.items():
        monkeypatch.setenv(name, value)
    arguments = ["person", "add", "a@b.example", "--name", "Agent", "--organisation", MAIRIE, "--role", "agent"]
    asked = CliRunner().invoke(app, arguments, input=f"{PASSWORD}\n{again}\n")
    assert asked.exit_code == status
    assert PASSWORD not in asked.output
    assert isinstance(asked.exception, UsageError) == (status == 1)


def test_a_gateway_is_refused_with_every_fault_and_without_any_secret(
    terminal: Terminal, platform: Platform, played: Simulators
) -> None:
    terminal.open_mairie()
    where = ("--organisation", MAIRIE.siren)
    values = {"port": 0, "host": "", "p_dest": "x y", "p_appli": "N", "password": 3, "mdp": "mot-de-passe-dgfip", "username": "u"}
    told = terminal.refused(2, "configure", "gateway", terminal.file("g.json", json.dumps(values)), *where)
    assert [line.removeprefix("✗ ").partition("\u00a0:")[0] for line in told.splitlines()] == [
        "host", "port", "password", "host_key", "p_dest", "p_appli", "mdp",
    ]  # fmt: skip
    assert "'THELPES2', 'GHELPES2'" in told
    assert "^[A-Z0-9]{1,16}$" in told
    both = gateway_file(terminal, played, password="mot-de-passe-dgfip", private_key="clef-privee")
    told += terminal.refused(2, "configure", "gateway", both, *where)
    assert "pas les deux" in told
    assert not [secret for secret in ("mot-de-passe-dgfip", "clef-privee") if secret in told]
    assert "ligne 2, colonne" in terminal.refused(2, "configure", "gateway", terminal.file("g.json", '{"host":\n'), *where)
    assert "objet JSON" in terminal.refused(2, "configure", "gateway", terminal.file("g.json", "[]"), *where)
    terminal.refused(2, "configure", "gateway", terminal.file("g.json", b"\xff\xfe{"), *where)
    terminal.refused(2, "configure", "gateway", terminal.file("g.json", "[" * 60_000), *where)
    assert "64 Kio" in terminal.refused(2, "configure", "gateway", terminal.file("g.json", " " * 70_000), *where)
    terminal.refused(1, "configure", "gateway", gateway_file(terminal, played), "--organisation", AUTRE_MAIRIE)
    with platform.database.reading(PLATFORM) as session:
        assert session.exec(select(Configuration)).all() == []
        assert session.exec(select(Schedule)).all() == []


def test_a_seal_is_refused_before_anything_is_kept(terminal: Terminal, platform: Platform) -> None:
    terminal.open_mairie()
    authority = TestAuthority.create()
    right, wrong = terminal.file("right.txt", "mot-de-passe-du-cachet"), terminal.file("wrong.txt", "un-autre")
    key = terminal.file("cachet.p12", authority.seal(bits=2048).as_pkcs12("mot-de-passe-du-cachet"))
    weak = terminal.file("weak.p12", authority.seal(bits=1024).as_pkcs12("mot-de-passe-du-cachet"))
    noise = terminal.file("noise.p12", b"no key at all")

    def refused(file: Path, password: Path, code: str = "99012") -> str:
        return terminal.refused(
            2, "configure", "seal", file, "--organisation", MAIRIE.siren, "--city", "Valmorin", "--postal-code", code,
            "--password-file", password,
        )  # fmt: skip

    assert "PKCS#12" in refused(noise, right)
    told = refused(key, wrong)
    assert "mot de passe est un autre" in told
    assert "un-autre" not in told
    assert "postal_code" in refused(key, right, "990")
    assert "1024" in refused(weak, right)
    refused(terminal.folder / "absent.p12", right)
    with platform.database.reading(PLATFORM) as session:
        assert session.exec(select(Configuration)).all() == []


def test_a_dossier_set_aside_is_resumed_once_and_the_journal_says_by_whom(terminal: Terminal, platform: Platform) -> None:
    commune = terminal.open_mairie()["organisation"]
    pes = terminal.folder / "PES_2.xml"
    write_sample(Sample("PES_2", Authority(siret=MAIRIE)), pes)
    with pes.open("rb") as stream:
        dossier = deposit(platform, PLATFORM, commune, stream, pes.name).dossier
    assert terminal.refused(1, "resume", dossier.id)
    assert "01UNKNOWN" in terminal.refused(1, "resume", "01UNKNOWN")
    with platform.database.writing(PLATFORM) as session:
        session.exec(select(Dossier).where(Dossier.id == dossier.id)).one().parked = "une question"
    terminal.told("resume", dossier.id)
    last = journal_of(platform)[-1]
    assert (last.kind, last.actor, last.dossier_id) == ("dossier.resumed", "operator", dossier.id)


def test_responses_that_answer_no_dossier_are_listed_and_no_others(terminal: Terminal, platform: Platform) -> None:
    commune = terminal.open_mairie()["organisation"]
    assert terminal.told("responses", "--json") == ""
    flaws = {"lost.xml": ("aucun dossier [A03]", None), "matched.xml": ("second avis", "01DOSSIER"), "pending.xml": (None, None)}
    with platform.database.writing(PLATFORM) as session:
        for name, (flaw, dossier) in flaws.items():
            session.add(
                HeliosResponse(
                    organisation_id=commune, gateway_id=commune, name=name, sha256="0" * 64, size=1, kind="pes-acquit",
                    flaw=flaw, dossier_id=dossier,
                )
            )  # fmt: skip
    found = json.loads(terminal.told("responses", "--json"))
    assert (found["name"], found["flaw"]) == ("lost.xml", "aucun dossier [A03]")
    assert found["received"].endswith("Z")
    assert "aucun dossier [A03]" in terminal.told("responses")


def test_a_database_that_is_silent_or_behind_and_a_missing_key_are_told_in_a_sentence(terminal: Terminal) -> None:
    terminal.environment["TABELLION_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    assert "ne répond pas" in terminal.refused(3, "organisation", "list")
    terminal.environment["TABELLION_DATABASE_URL"] = f"sqlite:///{terminal.folder / 'empty.sqlite3'}"
    assert "db upgrade" in terminal.refused(3, "organisation", "list")
    del terminal.environment["TABELLION_SECRET_KEY_FILE"]
    assert "TABELLION_SECRET_KEY_FILE" in terminal.refused(3, "organisation", "list")
