"""Our own parapheur behind its SOAP service, furnished as the simulated one: a platform at work, a town hall for each trial."""

from __future__ import annotations

import base64
import functools
import itertools
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from sqlmodel import col, or_, select
from starlette.types import ASGIApp

from api import answers
from api.guard import Guard
from api.iparapheur import service
from api.metrics import Requests
from api.runtime import working
from api.simulators import Treasury, treasury
from api.uploads import Uploads
from connectors.iparapheur.messages import Nature
from connectors.iparapheur.simulated_typology import DEMONSTRATION, Action, Subtype, Type
from connectors.iparapheur.simulated_typology import SignatureFormat as PlayedFormat
from connectors.iparapheur.simulated_typology import Step as PlayedStep
from core import passwords
from core.configuration import configure
from core.migrations import upgrade
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import Person, add_person, grant_role
from core.platform import Platform, open_platform
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server
from core.settings import Settings
from core.tokens import issue_token
from flows.engine.brokers import open_broker
from flows.engine.models import Dossier
from flows.parapheur.conclusion import perform
from flows.parapheur.signing import admit, settle
from signing.keys import Pkcs12Signer
from signing.parapheur import actions, circuits, desks, metadata, signatures, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Place, Step, Together
from signing.parapheur.history import Said
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import Desk, Folder, FolderState, StepKind, Task, TaskState
from signing.parapheur.progress import Standing
from signing.parapheur.sealing import SEAL, ServerSeal, seal
from signing.parapheur.typology import FieldUse, Protocol, SignatureFormat, SubtypeOptions, TypeOptions
from signing.sittings import items, sittings
from tests.serving import served
from tests.waiting import wait_until

PASSWORD = "encre:2026-et-papier"
RIGHTS = {Right.READ, Right.DEPOSIT, Right.ACT}
UPLOAD_LIMIT = 4 << 20
_KINDS = {
    Action.VISA: StepKind.VISA,
    Action.SIGNATURE: StepKind.SIGNATURE,
    Action.SEAL: StepKind.SEAL,
    Action.MAIL: StepKind.MAIL,
}
_FORMATS = {
    PlayedFormat.AUTO: SignatureFormat.AUTO,
    PlayedFormat.PADES: SignatureFormat.PADES,
    PlayedFormat.CADES: SignatureFormat.CADES,
    PlayedFormat.XADES: SignatureFormat.XADES,
    PlayedFormat.PES: SignatureFormat.PES,
}
_NATURES = {Nature.BOOLEAN: MetadataKind.BOOLEAN, Nature.TEXT: MetadataKind.TEXT}
_numbers = itertools.count(1)


@dataclass
class Town:
    """An organisation furnished as ``DEMONSTRATION``: its desks and people by the name of the desk."""

    platform: Platform
    played: Treasury
    organisation: Organisation
    address: str
    desks: dict[str, Desk] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    keys: dict[str, Pkcs12Signer] = field(default_factory=dict)
    token: str = ""

    def credentials(self) -> dict[str, tuple[str, str]]:
        """The account of each desk."""
        return {desk: (person.email, PASSWORD) for desk, person in self.people.items()}

    def act(self, desk: str, dossier_id: str, gesture: str, note: str = "") -> None:
        """Do something at a desk once the folder's dossier waits for it, and wait until what follows is done."""
        dossier = self._folder(dossier_id).dossier_id
        wait_until(lambda: self._state(dossier) == "in_parapheur", seen=lambda: self._state(dossier))
        {"visa": self._approve, "reject": self._reject, "sign": self._sign, "seal": self._seal}[gesture](
            self.principal(desk), self._task(desk, dossier_id), Said(note)
        )
        if self._folder(dossier_id).state == FolderState.FINISHED.value:
            wait_until(lambda: self._state(dossier) == "archived", seen=lambda: self._state(dossier))

    def principal(self, desk: str) -> Principal:
        """Whoever holds a desk."""
        return Principal(f"person:{self.people[desk].id}", {self.organisation.id: frozenset(RIGHTS)})

    def _approve(self, who: Principal, task: Task, said: Said) -> None:
        perform(self.platform, who, lambda session: actions.approve(session, who, task.id, said))

    def _reject(self, who: Principal, task: Task, said: Said) -> None:
        perform(self.platform, who, lambda session: actions.reject(session, who, task.id, said))

    def _seal(self, who: Principal, task: Task, said: Said) -> None:
        results = seal(self.platform, task.id)

        def act(session: Any) -> Standing:
            return actions.complete(session, actions.hold(session, who, task.id, StepKind.SEAL), results, said)

        perform(self.platform, who, act)

    def _sign(self, who: Principal, task: Task, said: Said) -> None:
        passed = signatures.open_signing(self.platform, who, [task.id], said)
        signer = self._key(who)
        certificate = signer.certificate.public_bytes(Encoding.DER)
        admit(self.platform, passed.sitting_id, certificate, [])
        sittings.redeem(self.platform.database, passed.secret)
        bound = sittings.bind(self.platform.database, passed.sitting_id, certificate, [])
        assert items.prepare(self.platform, bound, 60) == 0
        asked = items.to_sign(self.platform.database, passed.sitting_id)
        values = [items.Value(one.id, slot.identifier, signer.sign(slot.octets)) for one in asked for slot in one.slots]
        items.accept(self.platform, bound, values, None, 60)
        sittings.close(self.platform.database, passed.sitting_id)
        assert settle(self.platform, passed.sitting_id) == []

    def _key(self, who: Principal) -> Pkcs12Signer:
        person = next(one for one in self.people.values() if who.actor == f"person:{one.id}")
        if person.name not in _keys:
            _keys[person.name] = Pkcs12Signer.load(self.played.authority.seal(person.name, bits=2048).as_pkcs12("pin"), "pin")
        return _keys[person.name]

    def _folder(self, dossier_id: str) -> Folder:
        with self.platform.database.reading(PLATFORM) as session:
            named = or_(col(Folder.external_id) == dossier_id, col(Folder.id) == dossier_id)
            return session.exec(select(Folder).where(Folder.organisation_id == self.organisation.id, named)).one()

    def _state(self, dossier_id: str) -> str:
        with self.platform.database.reading(PLATFORM) as session:
            return session.get_one(Dossier, dossier_id).state

    def _task(self, desk: str, dossier_id: str) -> Task:
        wanted = select(Task).where(
            Task.folder_id == self._folder(dossier_id).id,
            Task.desk_id == self.desks[desk].id,
            Task.state == TaskState.OPEN.value,
        )
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(wanted).one()


@functools.cache
def _hashed() -> str:
    """The one password of everybody, hashed once: hashes are slow to make."""
    return passwords.hashed(PASSWORD)


_keys: dict[str, Pkcs12Signer] = {}


@dataclass(frozen=True)
class AtWork:
    """A platform at work, and its service's address."""

    platform: Platform
    played: Treasury
    root: Organisation
    address: str

    def town(self) -> Town:
        """Furnish one more organisation."""
        number = next(_numbers)
        with self.platform.database.writing(PLATFORM) as session:
            organisation = add_organisation(session, f"Commune {number}", OrganisationKind.COLLECTIVITE, parent=self.root)
            town = Town(self.platform, self.played, organisation, self.address)
            for one in DEMONSTRATION.people:
                person = add_person(session, f"{one.login.partition('@')[0]}@{number}.valmorin", one.name, None)
                person.password_hash = _hashed()
                grant_role(session, person, organisation, "agent", RIGHTS)
                town.people[one.desk] = person
                town.desks[one.desk] = desks.add_desk(session, organisation.id, one.desk, one.desk)
                desks.seat(session, town.desks[one.desk], person.id)
            _classify(session, town)
            password = secrets.token_urlsafe(24)
            key = SecretStr(_seal_key(self.played, password))
            configured = ServerSeal(
                pkcs12=key, password=SecretStr(password), quality="Commune", city="Valmorin", postal_code="99000"
            )
            configure(session, self.platform.secrets, organisation.id, SEAL, configured)
            town.token = issue_token(session, organisation, "Gestion financière", {Right.READ, Right.DEPOSIT})
        return town


def _seal_key(played: Treasury, password: str) -> str:
    return base64.b64encode(played.authority.seal("Commune de Valmorin", bits=2048).as_pkcs12(password)).decode()


def _classify(session: Any, town: Town) -> None:
    owner = town.organisation.id
    for one in DEMONSTRATION.metadata:
        metadata.declare(session, owner, one.name, one.label, _NATURES[one.nature])
    for rank, kind in enumerate(DEMONSTRATION.types):
        of = typology.add_type(session, owner, kind.name, _type_options(kind))
        for number, one in enumerate(kind.subtypes):
            key = f"circuit-{rank}-{number}"
            circuits.draw_up(session, owner, key, f"{kind.name} {one.name}", [_step(town, step) for step in one.steps])
            typology.add_subtype(session, of, one.name, _subtype_options(town, kind, one), [Row(circuit=key)])


def _type_options(kind: Type) -> TypeOptions:
    form = _FORMATS[kind.format]
    protocol = Protocol.HELIOS if form is SignatureFormat.PES else Protocol.NONE
    return TypeOptions(format=form, protocol=protocol, city="Valmorin", postal_code="99000")


def _subtype_options(town: Town, kind: Type, one: Subtype) -> SubtypeOptions:
    uses = (*(FieldUse(key=key, mandatory=True) for key in one.mandatory), *(FieldUse(key=key) for key in one.optional))
    creators = tuple(town.desks[desk].id for desk in kind.creators)
    return SubtypeOptions(main_documents=20 if one.several else 1, fields=uses, creation_desks=creators)


def _step(town: Town, step: PlayedStep) -> Step:
    places = tuple(Place(desk=town.desks[desk].id) for desk in step.desks)
    return Step(kind=_KINDS[step.action], places=places, together=Together.ALL if step.every else Together.ANY)


def application(platform: Platform) -> ASGIApp:
    """The service alone, behind its gate."""
    app = FastAPI()
    app.state.platform, app.state.uploads = platform, Uploads()
    answers.install(app)
    app.include_router(service.router)
    limits = dict.fromkeys(service.PATHS, service.largest(platform.settings.upload_limit))
    return Guard(app, limits, Requests(CollectorRegistry()), "")


@contextmanager
def at_work(s3: S3Server, folder: Path) -> Iterator[AtWork]:
    """Run a platform, its workers and its service, for the time of the block."""
    with treasury(folder / "simulators", delay=0) as played:
        settings = Settings(
            state_dir=folder,
            database_url=SecretStr(f"sqlite:///{folder / 'tabellion.sqlite3'}"),
            broker_url=SecretStr("memory://"),
            s3_bucket_prefix=f"t{secrets.token_hex(6)}",
            tsa_url=played.timestamping.url,
            trust_dir=played.trust_dir,
            archive_lock_days=1,
            upload_limit=UPLOAD_LIMIT,
        )
        platform = open_platform(settings, s3.store(settings.s3_bucket_prefix))
        platform.objects.prepare()
        upgrade(platform.database)
        with platform.database.writing(PLATFORM) as session:
            root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
        broker = open_broker("memory://")
        with working(platform, broker), served(application(platform)) as address:
            yield AtWork(platform, played, root, address)
        broker.close()
        platform.database.close()
