"""The tracked mails of the demonstration: an address book, a council, a send and a convocation; recipients who act on them.

Recipients are played from their mailboxes at the simulated post office: what they open is the link that was written to them.
Where the operator has set a mail server of theirs, everything stays a draft: a demonstration writes to nobody.
"""

from __future__ import annotations

import io
import re
import time
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import structlog
from sqlmodel import col, select

from api import showcase
from api.simulators import RECIPIENTS, Simulators
from api.words import day
from core import clock
from core.errors import NotFound
from core.messages import Catalogue, speaking
from core.people import Person, principal_of
from core.platform import Platform
from core.principal import PLATFORM, Principal
from flows.engine.models import Dossier
from flows.engine.work import KeptFile
from flows.mail import answering, intake, links, opening
from flows.mail.book import contacts, groups
from flows.mail.book.contacts import Told
from flows.mail.convening import assemblies, attending
from flows.mail.convening import intake as convening
from flows.mail.convening.assemblies import AssemblyDetails, MemberDetails
from flows.mail.convening.intake import Convocation
from flows.mail.convening.models import Presence
from flows.mail.door import Given
from flows.mail.flow import MAIL
from flows.mail.intake import Addressed, Draft
from flows.mail.keeping import DOCUMENT
from flows.mail.opening import Deed, Opened
from flows.mail.sightings import Circumstances

_log = structlog.get_logger()
_page = Catalogue("api.courrier")
_RESIDENT, _FAIR, _GARAGE, _MAYOR, _DEPUTY, _HADDAD, _MARCHAND, _ROUSSEL, _VASSEUR = RECIPIENTS
_MISTYPED = "contact@garage-lenoire.example"
_BOOK = (
    Told(_RESIDENT, "Camille Aubert", "Référente des riverains de la rue du Lavoir"),
    Told(_FAIR, "Comité des fêtes", "Association ; préside : Inès Moreau"),
    Told(_MISTYPED, "Garage Lenoir", f"Mal notée au téléphone : l’adresse est {_GARAGE}"),
)
_COUNCIL = (
    MemberDetails("Maire de démonstration", _MAYOR, "Maire"),
    MemberDetails("Nadia Berthier", _DEPUTY, "1re adjointe"),
    MemberDetails("Samir Haddad", _HADDAD, "2e adjoint"),
    MemberDetails("Lucie Marchand", _MARCHAND, "Conseillère municipale"),
    MemberDetails("Étienne Roussel", _ROUSSEL, "Conseiller municipal"),
    MemberDetails("Théo Vasseur", _VASSEUR, "Conseiller municipal"),
    MemberDetails("Jeanne Colas", "3 impasse du Four, 99012 Valmorin", "Conseillère municipale", paper=True),
)
_BODY = (
    "Bonjour,\n\nLa rue du Lavoir sera fermée à la circulation pendant les travaux du réseau d’eau : voici l’arrêté et le plan "
    "de déviation. Dites-nous, en répondant, si un accès doit vous être gardé.\n\nLe secrétariat général"
)
_FROM = Circumstances("127.0.0.1", "Tabellion (démonstration)", "fr", "http", "POST")
_ANSWER = "Bonjour, l’infirmière passe au 4 rue du Lavoir chaque matin à 8 heures : un accès à pied suffit. Merci."
_AGENDA = """Approbation du procès-verbal de la séance précédente
Tarifs de la restauration scolaire
Convention de prêt de la salle polyvalente
Questions diverses"""
_ANNEXES = ("Projet de délibération, restauration scolaire", "Projet de convention, salle polyvalente")
_QUESTION = "Serez-vous à la visite du chantier de la rue du Lavoir, samedi à 10 heures ?"
_SENDER, _REPLY_TO = "Mairie de Valmorin, secrétariat général", "agent@valmorin.example"
_NO_EFFECT = ("Ce document ne sert qu’à montrer les courriers suivis.", "Il n’a aucun effet.")
_MEETS_IN, _MEETS_AT = timedelta(days=10), 19
_LEAVING = ("received", "ready")
_WITHIN, _LOOK_EVERY = 60.0, 0.1
_LINK = re.compile(rf"{links.PREFIX}/([\w-]{{40,}})")


def write(platform: Platform, commune: str, clerk: str, played: Simulators) -> None:
    """Fill the address book of the commune, set up its council, write to residents and convene the council."""
    with platform.database.reading(PLATFORM) as session:
        who = principal_of(session, session.exec(select(Person).where(Person.email == clerk)).one())
    drafts = (_secured(platform, who, commune), _convocation(platform, who, commune))
    if _stays_here(platform, played):
        for dossier_id in drafts:
            intake.send(platform, who, dossier_id)


def play(platform: Platform, played: Simulators) -> None:
    """Let some recipients act on what they got, once; wait until it has left."""
    if not _stays_here(platform, played):
        return
    _wait(platform)
    resident, deputy, haddad = (_unread(platform, played, address) for address in (_RESIDENT, _DEPUTY, _HADDAD))
    if (marchand := _unread(platform, played, _MARCHAND)) is not None:
        _withdraw(platform, marchand)
    if resident is not None:
        answering.answer(platform, _withdraw(platform, resident), _ANSWER, (), _FROM)
    if deputy is not None and haddad is not None:
        present, absent = (_withdraw(platform, one).recipient.id for one in (deputy, haddad))
        attending.attend(platform, present, Presence.PRESENT)
        attending.attend(platform, absent, Presence.PROXY, present)


def to_withdraw(platform: Platform, played: Simulators) -> str | None:
    """Return the secret of a link that a recipient got and has not used; None when there is none any more."""
    if not _stays_here(platform, played):
        return None
    return next(filter(None, (_unread(platform, played, address) for address in RECIPIENTS)), None)


def _stays_here(platform: Platform, played: Simulators) -> bool:
    return platform.settings.mail_returns_authority == played.post.authority_file


def _secured(platform: Platform, who: Principal, commune: str) -> str:
    known = [contacts.add(platform, who, commune, told) for told in _BOOK]
    group = groups.make(platform, who, commune, "Riverains de la rue du Lavoir")
    groups.put(platform, who, group.id, [one.id for one in known])
    to = tuple(Addressed(one.address, one.name, source=f"contact:{one.id}") for one in known)
    documents = tuple(_document(platform, title) for title in ("Arrêté de circulation, rue du Lavoir", "Plan de déviation"))
    subject = "Travaux rue du Lavoir : arrêté et plan de déviation"
    draft = Draft(commune, "secured", subject, _BODY, _SENDER, _REPLY_TO, recipients=to, documents=documents)
    return intake.compose(platform, who, draft).dossier.id


def _convocation(platform: Platform, who: Principal, commune: str) -> str:
    with platform.database.writing(who) as session:
        details = AssemblyDetails("Conseil municipal", "commune", place="Mairie, salle du conseil")
        council = assemblies.make(session, who, commune, details)
        for member in _COUNCIL:
            assemblies.add_member(session, who, council, member)
        council_id = council.id
    starts = clock.in_paris(clock.now() + _MEETS_IN).replace(hour=_MEETS_AT, minute=0, second=0, microsecond=0)
    titles = ("Convocation du conseil municipal", *_ANNEXES)
    wanted = Convocation(
        council_id,
        starts,
        _AGENDA,
        sender=_SENDER,
        reply_to=_REPLY_TO,
        questions=(_QUESTION,),
        documents=tuple(_document(platform, title) for title in titles),
    )
    return convening.convene(platform, who, wanted).dossier.id


def _document(platform: Platform, title: str) -> KeptFile:
    blob = platform.objects.put(io.BytesIO(showcase.letter(title, _NO_EFFECT)))
    return KeptFile(DOCUMENT, f"{title}.pdf", "application/pdf", blob.sha256, blob.size)


def _wait(platform: Platform) -> None:
    """Wait until what was sent has left, or waits for an operator."""
    deadline = time.monotonic() + _WITHIN
    leaving = select(Dossier.id).where(Dossier.flow == MAIL.name, col(Dossier.state).in_(_LEAVING), col(Dossier.parked).is_(None))
    while time.monotonic() < deadline:
        with platform.database.reading(PLATFORM) as session:
            if session.exec(leaving).first() is None:
                return
        time.sleep(_LOOK_EVERY)
    _log.warning("demonstration.mails_late")


def _unread(platform: Platform, played: Simulators, address: str) -> str | None:
    """Return the secret of the first link in somebody's mailbox behind which something waits to be withdrawn."""
    for octets in played.post.mails_of(address):
        text = message_from_bytes(octets, policy=default).get_body(("plain",))
        found = _LINK.search(text.get_content()) if text is not None else None
        opened = opening.behind(platform, found[1]) if found else None
        if found and opened and not (opened.taken or opened.refused or opened.cancelled):
            return found[1]
    return None


def _withdraw(platform: Platform, token: str) -> Opened:
    with speaking("fr"):
        statement = _page("withdraw.statement", day=day(clock.in_paris(clock.now()).date()))
    visit = opening.behind_visit(platform, opening.withdraw(platform, token, Deed(Given(), _FROM, statement)))
    if visit is None:
        raise NotFound(token)
    return visit.opened
