"""A small mairie with its signing book: three desks, their holders, a circuit of each kind; a key for who signs."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from reportlab.pdfgen.canvas import Canvas
from sqlmodel import col, select

from core.configuration import configure
from core.organisations import Organisation
from core.people import Person, add_person, grant_role
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.document.intake import Submission, submit
from flows.engine.models import Dossier
from flows.engine.models import Step as EngineStep
from flows.parapheur.conclusion import perform
from flows.parapheur.settings import HELIOS_ROUTE, ParapheurRoute
from flows.parapheur.signing import admit, settle
from signing.keys import Pkcs12Signer
from signing.parapheur import actions, circuits, desks, signatures, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Place, Step, Together, Who
from signing.parapheur.desks import Around, around
from signing.parapheur.folders import Joined
from signing.parapheur.history import SILENT, Said
from signing.parapheur.models import Desk, DocumentKind, Folder, StepKind, Task, TaskState
from signing.parapheur.progress import Standing
from signing.parapheur.typology import Protocol, SignatureFormat, SubtypeOptions, TypeOptions
from signing.pki import TestAuthority
from signing.sittings import items, sittings

PASSWORD = "encre et papier"
RIGHTS = {Right.READ, Right.DEPOSIT, Right.ACT}


def pdf(text: str = "Arrêté municipal", pages: int = 1) -> bytes:
    """A PDF of some pages."""
    written = io.BytesIO()
    canvas = Canvas(written, invariant=True)
    for page in range(1, pages + 1):
        canvas.drawString(72, 720, f"{text} – page {page}")
        canvas.showPage()
    canvas.save()
    return written.getvalue()


@dataclass
class Office:
    """The mairie: who works there, at which desks, in which circuits."""

    platform: Platform
    organisation: Organisation
    authority: TestAuthority
    people: dict[str, Person] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Pkcs12Signer] = field(default_factory=dict)

    @classmethod
    def opened(
        cls, platform: Platform, organisation: Organisation, authority: TestAuthority | None = None, domain: str = "valmorin.test"
    ) -> Office:
        """Furnish it: Secrétariat, DGS and Maire; kinds named after their circuit."""
        office = cls(platform, organisation, authority or TestAuthority.create())
        with platform.database.writing(PLATFORM) as session:
            for short, desk, person in (
                ("secretariat", "Secrétariat général", "Camille Essai"),
                ("dgs", "Direction générale", "Dominique Exemple"),
                ("maire", "Maire", "Claude Modèle"),
                ("adjoint", "Adjointe aux finances", "Andrée Specimen"),
            ):
                added = add_person(session, f"{short}@{domain}", person, PASSWORD)
                grant_role(session, added, organisation, "agent", RIGHTS)
                office.people[short] = added
                parent = office.desks["maire"].id if short == "adjoint" else None
                office.desks[short] = desks.add_desk(session, organisation.id, desk, short, parent_id=parent)
                desks.seat(session, office.desks[short], added.id)
            office._classify(session)
        return office

    def _classify(self, session: Any) -> None:
        owner = self.organisation.id
        at = {short: Place(desk=desk.id) for short, desk in self.desks.items()}
        visa, signature = Step(kind=StepKind.VISA, places=(at["dgs"],)), Step(kind=StepKind.SIGNATURE, places=(at["maire"],))
        drawn = {
            "visa": (visa,),
            "signature": (signature,),
            "complet": (visa, signature),
            "cachet": (Step(kind=StepKind.SEAL, places=(at["dgs"],), automatic=True),),
            "ensemble": (Step(kind=StepKind.VISA, places=(at["dgs"], at["adjoint"]), together=Together.ALL), signature),
            "premier": (Step(kind=StepKind.VISA, places=(at["dgs"], at["adjoint"])), signature),
            "au-choix": (Step(kind=StepKind.VISA, places=(Place(who=Who.VARIABLE),)),),
        }
        for key, steps in drawn.items():
            circuits.draw_up(session, owner, key, f"Circuit {key}", steps)
        letters = typology.add_type(session, owner, "Courrier", TypeOptions(city="Valmorin", postal_code="99012"))
        helios = typology.add_type(
            session,
            owner,
            "HELIOS",
            TypeOptions(format=SignatureFormat.PES, protocol=Protocol.HELIOS, city="Valmorin", postal_code="99012"),
        )
        for key in drawn:
            options = SubtypeOptions(main_documents=3)
            self.kinds[key] = typology.add_subtype(session, letters, key, options, (Row(circuit=key),)).id
        self.kinds["pes"] = typology.add_subtype(session, helios, "PES", SubtypeOptions(), (Row(circuit="complet"),)).id

    def routes_helios(self) -> None:
        """Let the PES of the mairie go through its signing book."""
        route = ParapheurRoute(subtype=self.kinds["pes"], emitter=self.desks["secretariat"].id)
        with self.platform.database.writing(PLATFORM) as session:
            configure(session, self.platform.secrets, self.organisation.id, HELIOS_ROUTE, route)

    def principal(self, short: str) -> Principal:
        """Whoever holds a desk."""
        person = self.people[short]
        return Principal(f"person:{person.id}", {self.organisation.id: frozenset(RIGHTS)}, name=person.name)

    def around(self, short: str) -> Around:
        """The desks of whoever holds one."""
        with self.platform.database.reading(PLATFORM) as session:
            return around(session, self.people[short].id)

    def sends(self, kind: str, title: str = "Arrêté 2026-118", *contents: bytes, starts: bool = True, **values: Any) -> str:
        """Deposit PDFs into a circuit, and return the dossier."""
        documents = []
        for rank, content in enumerate(contents or (pdf(title),), 1):
            blob = self.platform.objects.put(io.BytesIO(content))
            documents.append(Joined(DocumentKind.MAIN, f"document-{rank}.pdf", "application/pdf", blob.sha256, blob.size))
        submission = Submission(self.organisation.id, title, documents, "secretariat", self.kinds[kind], starts=starts, **values)
        return submit(self.platform, self.principal("secretariat"), submission).dossier.id

    def ready(self) -> None:
        """Do what a worker does first: what was deposited is checked, and waits for people."""
        with self.platform.database.writing(PLATFORM) as session:
            coming = select(Dossier).where(Dossier.organisation_id == self.organisation.id, Dossier.flow == "document")
            for dossier in session.exec(coming.where(col(Dossier.state).in_(("received", "proceeding")))):
                dossier.state = "in_parapheur"
                session.add(dossier)
                for step in session.exec(select(EngineStep).where(EngineStep.dossier_id == dossier.id)):
                    session.delete(step)

    def folder(self, dossier_id: str) -> Folder:
        """The folder of a dossier."""
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(Folder).where(Folder.dossier_id == dossier_id)).one()

    def tasks(self, dossier_id: str, short: str | None = None, state: TaskState = TaskState.OPEN) -> list[Task]:
        """The tasks of a dossier's folder in a state, at a desk."""
        with self.platform.database.reading(PLATFORM) as session:
            wanted = select(Task).where(Task.folder_id == self.folder(dossier_id).id, Task.state == state.value)
            if short:
                wanted = wanted.where(Task.desk_id == self.desks[short].id)
            return list(session.exec(wanted))

    def approves(self, short: str, dossier_id: str, said: Said = SILENT) -> Standing:
        """Give the visa that is asked of a desk."""
        (task,) = self.tasks(dossier_id, short)
        who = self.principal(short)
        return perform(self.platform, who, lambda session: actions.approve(session, who, task.id, said))

    def key_of(self, short: str) -> Pkcs12Signer:
        """The key of whoever holds a desk: its certificate bears their name."""
        if short not in self.keys:
            self.keys[short] = self.key_named(self.people[short].name)
        return self.keys[short]

    def key_named(self, name: str) -> Pkcs12Signer:
        """A key whose certificate bears a name."""
        return Pkcs12Signer.load(self.authority.seal(name, bits=2048).as_pkcs12("essai"), "essai")

    def signs(self, short: str, *dossier_ids: str, said: Said = SILENT, key: Pkcs12Signer | None = None) -> str:
        """Sign what is asked of a desk as the agent does, and return the sitting."""
        tasks = [task.id for dossier_id in dossier_ids for task in self.tasks(dossier_id, short)]
        passed = signatures.open_signing(self.platform, self.principal(short), tasks, said)
        signer = key or self.key_of(short)
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
        return passed.sitting_id
