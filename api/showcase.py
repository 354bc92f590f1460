"""The signing book of the demonstration: desks and their holders, circuits, and folders that wait for somebody."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas
from sqlmodel import Session

from api import showcase_invoices
from api.simulators import Simulators
from core import clock
from core.configuration import configure
from core.identifiers import Siret
from core.organisations import Organisation, OrganisationKind, add_organisation, organisation_of
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes import intake as acts
from flows.actes.act import JoinedFile
from flows.document.intake import Submission, submit
from flows.helios.intake import deposit
from flows.parapheur.remote import REMOTE, RemoteSigning
from flows.parapheur.settings import HELIOS_ROUTE, ParapheurRoute
from schemas.pes.sample import Authority, Sample, write_sample
from signing.keys.csc_simulator import SHOWN_KEY
from signing.parapheur import circuits, desks, signatories, typology
from signing.parapheur.choice import Row
from signing.parapheur.circuits import Place, Step
from signing.parapheur.folders import Joined
from signing.parapheur.models import DocumentKind, SignatoryProfile, StepKind, Visibility
from signing.parapheur.sealing import SEAL, ServerSeal
from signing.parapheur.typology import Protocol, SignatureFormat, SubtypeOptions, TypeOptions

CCAS = Siret("21990001600029")
_NAMES = {"visa": "Pour visa", "signature": "Pour signature", "complet": "Visa puis signature"}
_CITY = {"city": "Valmorin", "postal_code": "99012"}
_ACTS = (
    ("DEMO_2026_001", "Tarifs de la restauration scolaire", 1, (7, 10)),
    ("DEMO_2026_002", "Règlement du marché hebdomadaire", 2, (6, 1)),
)
_LETTERS = (
    ("Convention de prêt de la salle polyvalente", "signature", -2),
    ("Arrêté de circulation, rue du Lavoir", "signature", 1),
    ("Courrier à la préfecture : plan communal de sauvegarde", "signature", 6),
    ("Bon de commande : mobilier de l’école", "complet", 4),
    ("Contrat d’entretien des espaces verts", "complet", 9),
    ("Note de service : horaires d’été", "visa", 12),
)
_LINES = (
    "Vu le code général des collectivités territoriales,",
    "Considérant que ce document ne sert qu’à montrer le parapheur,",
    "",
    "Article premier. Ce document est présenté à la signature.",
    "Article 2. Il n’a aucun effet.",
)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays in the demonstration.

    Attributes:
        clerk: sends folders; ``director`` approves them; ``official`` signs them.
    """

    clerk: Person
    director: Person
    official: Person


def furnish(session: Session, platform: Platform, commune: Organisation, cast: Cast, played: Simulators) -> None:
    """Give the commune its signing book, and its CCAS one whose PES are signed by hand."""
    book = _book(session, commune, cast)
    showcase_invoices.ask_for_visas(session, platform, commune.id, book["visa"], book["emitter"])
    configure(session, platform.secrets, commune.id, SEAL, _seal(played))
    ccas = add_organisation(session, "CCAS de Valmorin (démonstration)", OrganisationKind.SERVICE, parent=commune, siret=CCAS)
    own = _book(session, ccas, cast)
    route = ParapheurRoute(subtype=own["pes"], emitter=own["emitter"])
    configure(session, platform.secrets, ccas.id, HELIOS_ROUTE, route)
    session.add(SignatoryProfile(person_id=cast.official.id, quality="Maire", remote_key=SHOWN_KEY))


def reach(session: Session, platform: Platform, commune: str, official: str, played: Simulators) -> None:
    """Point the commune at the signing service that is running, whose keys are new each time."""
    service = RemoteSigning(url=played.remote.url, token=SecretStr(played.remote.token))
    configure(session, platform.secrets, commune, REMOTE, service)
    signatories.declare(session, official, played.remote.keys[SHOWN_KEY].credential.certificate)


def _book(session: Session, owner: Organisation, cast: Cast) -> dict[str, str]:
    mayor = desks.add_desk(session, owner.id, "Maire", "maire")
    director = desks.add_desk(session, owner.id, "Direction générale des services", "dgs", parent_id=mayor.id)
    clerk = desks.add_desk(session, owner.id, "Secrétariat général", "secretariat", parent_id=director.id)
    for desk, person in ((mayor, cast.official), (director, cast.director), (clerk, cast.clerk)):
        desks.seat(session, desk, person.id)
    visa = Step(kind=StepKind.VISA, places=(Place(desk=director.id),))
    signature = Step(kind=StepKind.SIGNATURE, places=(Place(desk=mayor.id),))
    for key, name, steps in (
        ("visa", "Visa de la direction", (visa,)),
        ("signature", "Signature du maire", (signature,)),
        ("complet", "Visa de la direction, puis signature du maire", (visa, signature)),
    ):
        circuits.draw_up(session, owner.id, key, name, steps)
    letters = typology.add_type(session, owner.id, "Courrier", TypeOptions(x=340, y=60, **_CITY))
    helios = TypeOptions(format=SignatureFormat.PES, protocol=Protocol.HELIOS, **_CITY)
    budget = typology.add_type(session, owner.id, "HELIOS", helios)
    kinds = {
        key: typology.add_subtype(session, letters, name, SubtypeOptions(main_documents=3), (Row(circuit=key),)).id
        for key, name in _NAMES.items()
    }
    kinds["pes"] = typology.add_subtype(session, budget, "PES", SubtypeOptions(), (Row(circuit="complet"),)).id
    return {**kinds, "emitter": clerk.id}


def _seal(played: Simulators) -> ServerSeal:
    ours = played.seal()
    return ServerSeal(pkcs12=ours.pkcs12, password=ours.password, quality="Commune de Valmorin", **_CITY)


def fill(platform: Platform, commune: str) -> None:
    """Send folders into the signing book, and a PES of the CCAS."""
    with platform.database.reading(PLATFORM) as session:
        kinds = {kind.name: kind.id for kind in typology.kinds(session, commune)}
        ccas = organisation_of(session, CCAS).id
    today = clock.in_paris(clock.now()).date()
    for title, kind, days in _LETTERS:
        blob = platform.objects.put(io.BytesIO(letter(title)))
        document = Joined(DocumentKind.MAIN, f"{title[:60]}.pdf", "application/pdf", blob.sha256, blob.size)
        submit(
            platform,
            PLATFORM,
            Submission(
                commune,
                title,
                (document,),
                "secretariat",
                kinds[_NAMES[kind]],
                due=today + timedelta(days=days),
                visibility=Visibility.PUBLIC,
                starts=True,
            ),
        )
    with tempfile.TemporaryDirectory(prefix="tabellion-demo-") as folder:
        path = Path(folder) / "pes.xml"
        authority = Authority(siret=CCAS, cod_col="124", name="CCAS DE VALMORIN")
        write_sample(Sample(f"PESALR1_{CCAS}_{today:%Y%m%d}", authority, bordereaux=2, pieces=9, lines=2, issued=today), path)
        with path.open("rb") as stream:
            deposit(platform, PLATFORM, ccas, stream, path.name)


def transmit(platform: Platform, commune: str) -> None:
    """Send acts to the simulated préfecture, which acknowledges them."""
    yesterday = clock.in_paris(clock.now()).date() - timedelta(days=1)
    for number, subject, nature, matieres in _ACTS:
        blob = platform.objects.put(io.BytesIO(letter(subject)))
        document = JoinedFile(f"{number}.pdf", "application/pdf", blob.sha256, blob.size)
        acts.submit(platform, PLATFORM, acts.Submission(commune, number, yesterday, nature, matieres, subject, document))


def letter(title: str, lines: Sequence[str] = _LINES) -> bytes:
    """Return a letter of one page; what it says is nothing in particular, unless given."""
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=A4, invariant=True)
    canvas.setFont("Times-Bold", 15)
    canvas.drawString(72, 740, title)
    canvas.setFont("Times-Roman", 11)
    text = canvas.beginText(72, 705)
    text.setLeading(17)
    for line in ("Commune de Valmorin (démonstration)", "", *lines):
        text.textLine(line)
    canvas.drawText(text)
    canvas.showPage()
    canvas.save()
    return written.getvalue()
