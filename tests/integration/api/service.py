"""The web service as it is run, for tests: uvicorn on a free port, SQLite, a real S3 server, two collectivités."""

from __future__ import annotations

import hashlib
import io
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr
from sqlmodel import select

from api.app import create_app
from archive.models import Record, RecordCopy, RecordDigest, TreeHead, TreeLeaf
from archive.proof.head import Head
from core import clock, journal
from core.identifiers import Siret
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import add_person, grant_role
from core.places import PRINCIPAL
from core.platform import Platform, open_platform
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from core.settings import Settings
from core.tokens import issue_token
from flows.engine.models import Dossier, DossierFile
from signing.cades.seal import Cades
from signing.sittings import sittings
from signing.sittings.models import ItemState, Sitting, SittingItem, SittingState
from signing.sittings.sittings import Document
from tests.addresses import PRIVATE_NETWORKS
from tests.databases import sqlite_at

# Invented: no commune has these numbers.
MAIRIE, SYNDICAT = Siret("21400999500017"), Siret("21640980500019")
PASSWORD = "encre et papier"
UPLOAD_LIMIT = 24 * 1024 * 1024
EVERYTHING = {Right.READ, Right.DEPOSIT, Right.OPERATE}


@dataclass(frozen=True)
class Tenant:
    """A collectivité with its software and its people."""

    organisation: Organisation
    token: str
    reader_token: str
    depositor_token: str
    email: str


@dataclass(frozen=True)
class Service:
    """The running service."""

    platform: Platform
    address: str
    mairie: Tenant
    syndicat: Tenant

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        """Return a client that bears a token."""
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.address, headers=bearer | headers, timeout=60)


@contextmanager
def web_service(s3: S3Server, folder: Path, **settings: Any) -> Iterator[Service]:
    """Run the service for the time of the block."""
    chosen = Settings(
        state_dir=folder,
        database_url=SecretStr(sqlite_at(folder / "tabellion.sqlite3")),
        s3_bucket_prefix=f"t{secrets.token_hex(6)}",
        **{"upload_limit": UPLOAD_LIMIT, "private_networks": PRIVATE_NETWORKS, **settings},
    )
    platform = open_platform(chosen, s3.store(chosen.s3_bucket_prefix))
    platform.objects.prepare()
    mairie, syndicat = _tenants(platform)
    server = uvicorn.Server(uvicorn.Config(create_app(platform), port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Service(platform, f"http://127.0.0.1:{port}", mairie, syndicat)
    finally:
        server.should_exit = True
        thread.join(20)
        platform.database.close()


def _tenants(platform: Platform) -> tuple[Tenant, Tenant]:
    with platform.database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
        tenants = []
        for name, siret, who in (
            ("Commune de Valmorin", MAIRIE, "Agent de Valmorin"),
            ("Syndicat des eaux du Lavoir", SYNDICAT, "Agent du Lavoir"),
        ):
            organisation = add_organisation(session, name, OrganisationKind.COLLECTIVITE, parent=root, siret=siret)
            email = f"agent@{siret}.test"
            person = add_person(session, email, who, PASSWORD)
            grant_role(session, person, organisation, "agent", EVERYTHING)
            tenants.append(
                Tenant(
                    organisation,
                    issue_token(session, organisation, "logiciel", EVERYTHING),
                    issue_token(session, organisation, "lecture", {Right.READ}),
                    issue_token(session, organisation, "dépôt", {Right.DEPOSIT}),
                    email,
                )
            )
    return tenants[0], tenants[1]


def pes(name: str = "PESALR2_21400999500017_1", body: str = "") -> bytes:
    """A document whose header can be read, which is all that a deposit asks for."""
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
        '<n:PES_Aller xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller"><Enveloppe><Parametres><Version V="1"/>'
        f'<TypFic V="PESALR2"/><NomFic V="{name}"/></Parametres></Enveloppe><EnTetePES><DteStr V="2026-11-23"/>'
        '<IdPost V="099012"/><IdColl V="21400999500017"/><CodCol V="123"/><CodBud V="00"/></EnTetePES>'
        f"{body}</n:PES_Aller>"
    ).encode("latin-1")


def add_dossier(platform: Platform, organisation: Organisation, title: str, state: str, *, days: float = 0, **values: Any) -> str:
    """Put a dossier in the database as the engine would have left it."""
    document = pes(title)
    blob = platform.objects.put(io.BytesIO(document))
    moment = clock.now() - timedelta(days=days)
    with platform.database.writing(PLATFORM) as session:
        dossier = Dossier(
            organisation_id=organisation.id, flow="helios", title=title, state=state, created=moment, since=moment, **values
        )
        session.add(dossier)
        session.flush()
        session.add(
            DossierFile(
                organisation_id=organisation.id,
                dossier_id=dossier.id,
                role="pes",
                name=f"{title}.xml",
                media_type="application/xml",
                sha256=blob.sha256,
                size=blob.size,
            )
        )
        journal.write(session, organisation_id=organisation.id, dossier_id=dossier.id, kind="dossier.received", actor="platform")
    return dossier.id


def add_record(platform: Platform, organisation: Organisation, dossier_id: str, *, stamped: bool) -> str:
    """Put a record in the database, its package in the archive."""
    package = platform.settings.state_dir / f"{dossier_id}.zip"
    package.write_bytes(b"a package of " + dossier_id.encode())
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    sealed = platform.objects.seal(f"{organisation.id}/{dossier_id}.zip", package, digest)
    with platform.database.writing(PLATFORM) as session:
        entry = journal.write(
            session, organisation_id=organisation.id, dossier_id=dossier_id, kind="record.sealed", actor="platform"
        )
        record = Record(
            organisation_id=organisation.id,
            dossier_id=dossier_id,
            kind="helios",
            title=f"PESALR2 {dossier_id}",
            producer=organisation.siren or "",
            dated=date(2026, 12, 31),
            key=sealed.key,
            sha256=digest,
            size=sealed.size,
            entry_id=entry,
            rule="APP-COMPTA-10ANS/1",
            final_action="Destroy",
            keep_until=date(2037, 12, 31),
            access="AR048 v1",
            open_from=date(2077, 1, 1),
        )
        session.add(record)
        session.flush()
        session.add(
            RecordDigest(
                record_id=record.id, algorithm="SHA-256", organisation_id=organisation.id, value=digest, taken=clock.now()
            )
        )
        session.add(
            RecordCopy(
                record_id=record.id,
                place=PRINCIPAL,
                organisation_id=organisation.id,
                version_id=sealed.version_id,
                locked_until=sealed.locked_until,
                checked=clock.now(),
            )
        )
        if stamped:
            session.add(TreeLeaf(position=0, entry_number=1, entry_id=entry))
            head = Head("tabellion", 4, bytes(32), clock.now())
            session.add(TreeHead(size=4, root=head.root, head=head.canonical(), token=b"", stamped=clock.now()))
        session.flush()
    return record.id


def add_sitting(platform: Platform, organisation: Organisation, title: str) -> tuple[str, str]:
    """Put a sitting over one document in the database, as it is once it was signed and closed."""
    blob = platform.objects.put(io.BytesIO(title.encode()))
    document = Document(title, Cades(), blob)
    opened = sittings.open_sitting(platform.database, PLATFORM, organisation.id, title, [document])
    with platform.database.writing(PLATFORM) as session:
        item = session.exec(select(SittingItem).where(SittingItem.sitting_id == opened.sitting_id)).one()
        item.state, item.result_sha256, item.result_size = ItemState.SIGNED.value, blob.sha256, blob.size
        session.get_one(Sitting, opened.sitting_id).state = SittingState.CLOSED.value
    return opened.sitting_id, item.id
