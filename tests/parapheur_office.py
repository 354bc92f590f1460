"""A town hall with its signing book, for tests: desks, people, kinds of folder, and folders anywhere in their circuit."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, SQLModel

from core.organisations import Organisation
from core.people import Person, add_person, grant_role
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier
from signing.parapheur import circuits, desks, folders, metadata, starting, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Place, Step, Together
from signing.parapheur.folders import Joined, NewFolder
from signing.parapheur.history import Said
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import Capacity, Desk, DocumentKind, StepKind, Visibility
from signing.parapheur.typology import FieldUse, Protocol, SignatureFormat, SubtypeOptions, TypeOptions
from tests.pades_documents import paper, words

PASSWORD = "encre et papier"
_LETTER = paper(words("Le conseil délibère"), words("Le maire"))
_PEOPLE = {
    "secretary": ("Sacha Lemoine", "agent", "signataire"),
    "director": ("Dominique Faure", "signataire"),
    "mayor": ("Camille Aubert", "signataire"),
    "deputy": ("Alix Roy", "signataire"),
    "watcher": ("Noa Perrin", "signataire"),
    "stranger": ("Lou Marchand", "signataire"),
    "newcomer": ("Eden Baron", "signataire", "archiviste"),
    "administrator": ("Ange Valette", "administrateur"),
}
_DESKS = {"secretary": "Secrétariat", "director": "Direction générale", "mayor": "Maire", "deputy": "Première adjointe"}


@dataclass
class Office:
    """The town hall: its people by part, its desks by the part of who holds them, its kinds of folder by circuit."""

    platform: Platform
    organisation: Organisation
    people: dict[str, Person] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    def folder(
        self,
        title: str,
        kind: str = "signature",
        *,
        document: bytes | None = None,
        documents: Sequence[Joined] = (),
        name: str = "deliberation.pdf",
        media_type: str = "application/pdf",
        due: date | None = None,
        starts: bool = True,
        fields: dict[str, str] | None = None,
        visibility: Visibility = Visibility.CONFIDENTIAL,
        summary: dict[str, Any] | None = None,
        said: Said | None = None,
    ) -> str:
        """Make a folder, sent by the secretary, on its way unless told otherwise; its dossier waits for the parapheur."""
        blob = self.platform.objects.put(io.BytesIO(document or _LETTER))
        own = Joined(DocumentKind.MAIN, name, media_type, blob.sha256, blob.size)
        with self.platform.database.writing(PLATFORM) as session:
            dossier = Dossier(
                organisation_id=self.organisation.id, flow="document", title=title[:200], state="in_parapheur", facts={}
            )
            session.add(dossier)
            session.flush()
            new = NewFolder(
                dossier.id,
                self.organisation.id,
                title,
                self.desks["secretary"].id,
                f"person:{self.people['secretary'].id}",
                (own, *documents),
                self.kinds[kind],
                fields or {},
                due=due,
                visibility=visibility,
                summary=summary or {},
            )
            made = folders.create(session, new)
            if starts:
                starting.start(session, made.id, "platform", said or Said())
            return made.id


def open_office(platform: Platform, organisation: Organisation, host: str = "valmorin.test") -> Office:
    """Furnish an organisation with a signing book."""
    office = Office(platform, organisation)
    with platform.database.writing(PLATFORM) as session:
        for part, (name, *roles) in _PEOPLE.items():
            office.people[part] = add_person(session, f"{part}@{host}", name, PASSWORD)
            for role in roles:
                grant_role(session, office.people[part], organisation, role)
        for part, name in _DESKS.items():
            desk = desks.add_desk(session, organisation.id, name, name)
            office.desks[part] = desk
            desks.seat(session, desk, office.people[part].id)
        other = desks.add_desk(session, organisation.id, "Urbanisme", "Urbanisme")
        desks.seat(session, other, office.people["stranger"].id)
        office.desks["stranger"] = other
        desks.seat(session, office.desks["mayor"], office.people["watcher"].id, Capacity.SUPERVISOR)
        metadata.declare(session, organisation.id, "montant", "Montant", MetadataKind.DECIMAL)
        metadata.declare(session, organisation.id, "motif_code", "Nature du rejet", MetadataKind.TEXT, ("forme", "fond"))
        session.flush()
        _kinds(session, office)
    return office


def _kinds(session: Any, office: Office) -> None:
    director, mayor = office.desks["director"].id, office.desks["mayor"].id

    def at(kind: StepKind, *where: str, **more: Any) -> Step:
        return Step(kind=kind, places=tuple(Place(desk=desk) for desk in where), **more)

    visa, signature = at(StepKind.VISA, director), at(StepKind.SIGNATURE, mayor)
    both = at(StepKind.VISA, director, mayor, together=Together.ALL)
    asking = at(StepKind.VISA, mayor, approval_fields=("montant",), rejection_fields=("motif_code",))
    letters = typology.add_type(session, office.organisation.id, "Courrier", TypeOptions(city="Valmorin", postal_code="99000"))
    accounts = typology.add_type(
        session,
        office.organisation.id,
        "Comptabilité",
        TypeOptions(format=SignatureFormat.PES, protocol=Protocol.HELIOS, visible=False, city="Valmorin", postal_code="99000"),
    )
    amount = (FieldUse(key="montant"),)
    wanted: dict[str, tuple[Any, str, list[Step], SubtypeOptions]] = {
        "signature": (letters, "Délibération", [signature], SubtypeOptions(fields=amount, main_documents=3)),
        "visa": (letters, "Note interne", [at(StepKind.VISA, mayor), signature], SubtypeOptions()),
        "long": (letters, "Convention", [visa, signature], SubtypeOptions(recall_minutes=60)),
        "both": (letters, "Avenant", [both, signature], SubtypeOptions()),
        "asking": (letters, "Bon de commande", [asking], SubtypeOptions(fields=amount)),
        "reading": (letters, "Arrêté", [at(StepKind.VISA, mayor), signature], SubtypeOptions(reading_mandatory=True)),
        "seal": (letters, "Attestation", [at(StepKind.SEAL, mayor)], SubtypeOptions(annexes=False)),
        "external": (letters, "Contrat", [at(StepKind.EXTERNAL, mayor)], SubtypeOptions()),
        "pes": (accounts, "Mandats", [at(StepKind.VISA, mayor), signature], SubtypeOptions()),
    }
    for key, (of, name, steps, options) in wanted.items():
        circuits.draw_up(session, office.organisation.id, key, name, steps)
        office.kinds[key] = typology.add_subtype(session, of, name, options, [Row(circuit=key)]).id


def multiply(session: Session, folder_id: str, times: int) -> None:
    """Put folders like one that is there into the database, with its tasks, all at once."""
    mark = folder_id[-9:]
    for table, own in (("folder", "id"), ("folder_task", "folder_id")):
        columns = [column.name for column in SQLModel.metadata.tables[table].columns]
        # Identifiers of 26 characters; the rank tells the tasks of a folder apart.
        place = "rank" if table == "folder_task" else "'0'"
        new = {
            "id": f"'{table[:8].upper():X<8}' || {place} || '{mark}' || number",
            "dossier_id": f"'DOSSIERX0{mark}' || number",
            "folder_id": f"'FOLDERXX0{mark}' || number",
        }
        taken = ", ".join(f"({new[name]})" if name in new else name for name in columns)
        counted = "SELECT 10000000 UNION ALL SELECT number + 1 FROM numbers WHERE number < :last"
        session.connection().execute(
            text(
                f"WITH RECURSIVE numbers(number) AS ({counted}) "
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {taken} FROM {table}, numbers WHERE {table}.{own} = :id"
            ),
            {"last": 10_000_000 + times - 1, "id": folder_id},
        )
