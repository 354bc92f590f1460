"""An archive in which every page has something to show, and the people who open its pages."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import select

from archive.correction import correcting
from archive.elimination import deciding, lists
from archive.elimination.analysis import Criteria
from archive.elimination.models import Elimination
from archive.finding import links, requests
from archive.finding.models import Restitution, RestitutionVolume
from archive.finding.requests import Asked
from archive.finding.volumes import key_of
from archive.models import Record
from archive.retention import holds
from archive.retention.models import RecordHold
from archive.watch import incidents
from archive.watch.incidents import Kind, open_incident
from archive.watch.models import AuditRun
from core import clock
from core.organisations import Organisation
from core.people import add_person, grant_role, principal_of
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.roles import BUILT_IN, OPERATOR
from flows.engine.models import Dossier
from flows.sae.models import SaeTransfer
from tests.ended_records import ended, today
from tests.findable import add
from tests.integration.api.service import PASSWORD, Service, add_record
from tests.transfers import Desk, Sip

_RIGHTS = {
    "archiviste": BUILT_IN["archiviste"] | {Right.DEPOSIT},
    "contrôleur": BUILT_IN["contrôleur"],
    "maire": BUILT_IN["administrateur"],
    "lecteur": frozenset({Right.READ}),
    OPERATOR: BUILT_IN[OPERATOR],
}
_VERY_LONG = "Délibération_relative_à_l’élargissement_du_chemin_rural_numéro_17_dit_des_Quatre-Vents_et_à_ses_abords"


@dataclass(frozen=True)
class ArchiveSite:
    """A running archive.

    Attributes:
        emails: how each of its people signs in.
        pages: the addresses of every page, by what it shows and by who opens it: nobody when it asks for no account.
    """

    service: Service
    emails: dict[str, str]
    pages: dict[tuple[str, str], str]


def furnished(service: Service, folder: Path) -> ArchiveSite:
    """Furnish the archive of the first collectivité."""
    platform, owner = service.platform, service.mairie.organisation
    people, emails = _people(platform, owner)
    return ArchiveSite(service, emails, _Furniture(service, owner, folder, people).pages())


def _people(platform: Platform, owner: Organisation) -> tuple[dict[str, Principal], dict[str, str]]:
    people, emails = {}, {who: f"{rank}@archives.test" for rank, who in enumerate(_RIGHTS)}
    with platform.database.writing(PLATFORM) as session:
        root = session.get_one(Organisation, owner.parent_id)
        for who, rights in _RIGHTS.items():
            person = add_person(session, emails[who], f"Camille {who.capitalize()}", PASSWORD)
            grant_role(session, person, root if who == OPERATOR else owner, who[:8], rights)
            session.flush()
            people[who] = principal_of(session, person)
    return people, emails


@dataclass(frozen=True)
class _Furniture:
    service: Service
    owner: Organisation
    folder: Path
    people: dict[str, Principal]

    @property
    def platform(self) -> Platform:
        return self.service.platform

    @property
    def archivist(self) -> Principal:
        return self.people["archiviste"]

    def pages(self) -> dict[tuple[str, str], str]:
        """Return every page; the records of the eliminations are made between the analyses, so that each has its own."""
        held, gone, stamped, secret = self._records()
        standing, lifted = self._holds(held)
        drawn = {state: self._elimination(state) for state in ("done", "visa", "agreed", "proposed", "draft")}
        asked, agreed, link = self._requests(secret, stamped)
        corrected, proposed = self._corrections(secret)
        waiting, refused = self._transfers()
        self._outside(stamped)
        self._restitution()
        open_, closed = self._incidents(held)
        mine = {
            "archives": "/archives",
            "archives, found": "/archives?q=chemin&etat=kept",
            "archives, nothing found": "/archives?q=introuvable",
            "archives, wrong question": "/archives?echeance=demain",
            "record": f"/archives/{stamped}",
            "record, held": f"/archives/{held}",
            "record, eliminated": f"/archives/{gone}",
            "check": "/archives/verifier",
            "transfers": "/archives/versements",
            "transfers, none": "/archives/versements?q=introuvable",
            "transfer, to be decided": f"/archives/versements/{waiting}",
            "transfer, refused": f"/archives/versements/{refused}",
            "transfer, new": "/archives/versements/nouveau",
            "agreements": "/archives/accords",
            "outside": "/archives/sae",
            "outside, waiting": "/archives/sae/a-verser",
            "eliminations": "/archives/eliminations",
            "elimination, new": "/archives/eliminations/nouvelle",
            **{f"elimination, {state}": f"/archives/eliminations/{one}" for state, one in drawn.items()},
            "elimination, visa on paper": f"/archives/eliminations/{drawn['agreed']}/visa-signe",
            "holds": "/archives/gels",
            "holds, lifted": "/archives/gels?etat=leves",
            "hold, new": f"/archives/gels/nouveau?archive={secret}&archive={stamped}",
            "hold": f"/archives/gels/{standing}",
            "hold, lifted": f"/archives/gels/{lifted}",
            "record, corrected": f"/archives/{secret}",
            "corrections": "/archives/corrections",
            "corrections, decided": "/archives/corrections?etat=decidees",
            "correction, new": f"/archives/{secret}/correction",
            "correction": f"/archives/corrections/{corrected}",
            "rules": "/archives/regles",
            "rule, new": "/archives/regles/nouvelle",
            "rule": "/archives/regles/regle?categorie=appraisal&code=APP-COMPTA-10ANS",
            "register": "/archives/registre",
            "requests": "/archives/demandes",
            "request, new": f"/archives/demandes/nouvelle?archive={secret}",
            "request, asked": f"/archives/demandes/{asked}",
            "request, agreed": f"/archives/demandes/{agreed}",
            "restitutions": "/archives/restitutions",
            "incidents": "/archives/incidents",
            "incidents, none": "/archives/incidents?nature=place.silent",
            "incident": f"/archives/incidents/{open_}",
            "incident, closed": f"/archives/incidents/{closed}",
            "places": "/archives/lieux",
        }
        theirs = {
            ("eliminations", "contrôleur"): "/archives/eliminations",
            ("elimination, agreed", "contrôleur"): f"/archives/eliminations/{drawn['agreed']}",
            ("elimination, visa", "contrôleur"): f"/archives/eliminations/{drawn['agreed']}/visa",
            ("correction, to be agreed to", "contrôleur"): f"/archives/corrections/{proposed}",
            ("request, to be decided", "contrôleur"): f"/archives/demandes/{asked}",
            ("elimination, proposed", "maire"): f"/archives/eliminations/{drawn['proposed']}",
            ("account outside", "maire"): "/administration/sae",
            ("archives", "lecteur"): "/archives",
            ("record", "lecteur"): f"/archives/{stamped}",
            ("places", OPERATOR): "/archives",
            ("incident", OPERATOR): f"/archives/incidents/{open_}",
            ("nothing there", "lecteur"): "/archives/xyz",
            ("what a reader is given", ""): f"{links.PREFIX}/{link}",
            ("what a reader is given, no more", ""): f"{links.PREFIX}/rien",
        }
        return {(what, "archiviste"): address for what, address in mine.items()} | theirs

    def _records(self) -> tuple[str, str, str, str]:
        held = ended(self.platform, self.owner, self.folder, seconds=3600, title="Mandats du marché de voirie").id
        gone = add(self.platform, self.owner, "Bordereau éliminé", eliminated=clock.now())
        for rank in range(27):
            add(self.platform, self.owner, f"Chemin rural {rank}", files=("plan.pdf",))
        add(self.platform, self.owner, _VERY_LONG, files=(f"{_VERY_LONG}.pdf",))
        secret = add(self.platform, self.owner, "Dossier d’aide sociale", open_from=date(2075, 1, 1))
        with self.platform.database.writing(PLATFORM) as session:
            dossier = Dossier(organisation_id=self.owner.id, flow="helios", title="PESALR2_118", state="archived")
            session.add(dossier)
        return held, gone, add_record(self.platform, self.owner, dossier.id, stamped=True), secret

    def _holds(self, record: str) -> tuple[str, str]:
        standing, lifted = (
            holds.put(self.platform, self.archivist, self.owner.id, holds.Wanted(why, "Direction juridique", today(), (record,)))
            for why in ("Recours devant le tribunal administratif", "Enquête de la chambre régionale des comptes")
        )
        holds.lift(self.platform, self.archivist, lifted, "Jugement rendu, définitif")
        with self.platform.database.writing(PLATFORM) as session:
            session.get_one(RecordHold, standing).review = today() - timedelta(days=3)
        return standing, lifted

    def _elimination(self, state: str) -> str:
        titles = ("Mandats 2011", _VERY_LONG) if state == "draft" else (f"Mandats, {state}",)
        for title in titles:
            ended(self.platform, self.owner, self.folder, seconds=3600, title=title)
        identifier = lists.make(self.platform, self.archivist, self.owner.id, today(), Criteria())
        steps: dict[str, Callable[[], object]] = {
            "proposed": lambda: deciding.propose(self.platform, self.archivist, identifier),
            "agreed": lambda: deciding.agree(self.platform, self.people["maire"], identifier),
            "visa": lambda: deciding.give_visa(
                self.platform, self.people["contrôleur"], identifier, deciding.Visa("AD99-2026-7")
            ),
            "done": lambda: self._finished(identifier),
        }
        for name, step in steps.items() if state != "draft" else ():
            step()
            if name == state:
                break
        return identifier

    def _finished(self, identifier: str) -> None:
        paper = self.platform.objects.put(io.BytesIO(b"%PDF-1.7")).sha256
        with self.platform.database.writing(PLATFORM) as session:
            one = session.get_one(Elimination, identifier)
            one.state, one.certificate, one.ordered, one.ordered_by = "done", paper, clock.now(), self.archivist.actor

    def _requests(self, secret: str, stamped: str) -> tuple[str, str, str]:
        asked = requests.make(
            self.platform, self.archivist, Asked("Dominique Exemple", "d.exemple@lecture.test", "Recherche", (secret,))
        )
        with self.platform.database.writing(PLATFORM) as session:
            session.get_one(Record, stamped).open_from = date(2026, 1, 1)
        wish = Asked("Claude Exemple", "c.exemple@lecture.test", "Litige de voisinage", (stamped,))
        agreed = requests.make(self.platform, self.archivist, wish)
        requests.decide(self.platform, self.archivist, agreed, "Communicable.", agreed=True)
        return asked, agreed, links.new_link(self.platform, self.archivist, agreed)

    def _corrections(self, record: str) -> tuple[str, str]:
        closed = correcting.Wanted("Le dossier nomme les parents.", correcting.Access("AR048", None))
        opened = correcting.Wanted("Le nom est occulté.", correcting.Access("AR038", date(2020, 2, 21)))
        first, second = (correcting.correct(self.platform, self.archivist, record, one) for one in (closed, opened))
        return first, second

    def _transfers(self) -> tuple[str, str]:
        with Desk.opened(self.platform, self.owner, self.folder) as desk:
            waiting = desk.hand(Sip(title=_VERY_LONG, identifier="VERS-2026-1").zip(self.folder))
            faulty = desk.hand(Sip(identifier="VERS-2026-2").zip(self.folder, **{"content/lettre.xml": b"autre"}))
            for one in (waiting, faulty):
                desk.run(one)
            desk.agree(identifier="ACCORD-TRES-LONG-DE-LA-DIRECTION-DES-AFFAIRES-JURIDIQUES", label="Correspondance")
        return waiting, faulty

    def _outside(self, record: str) -> None:
        problem = {"rule": "SAE-300", "severity": "error", "message": "Convention invalide", "path": None}
        owned: dict[str, Any] = {"organisation_id": self.owner.id}
        with self.platform.database.writing(PLATFORM) as session:
            refused = Dossier(**owned, flow="sae", title="PESALR2_118", state="refused", problems=[problem])
            session.add(refused)
            session.flush()
            session.add(SaeTransfer(**owned, dossier_id=refused.id, record_id=record, system="asalae", code="300"))

    def _restitution(self) -> None:
        told: dict[str, Any] = {"organisation_id": self.owner.id, "asked_by": self.archivist.actor}
        with self.platform.database.writing(PLATFORM) as session:
            done = Restitution(**told, total=31, done=31, finished=clock.now(), expires=clock.now() + timedelta(days=30))
            session.add_all([done, Restitution(**told, total=31, done=4, size=12_345, trouble="Le stockage ne répond pas.")])
            session.flush()
            volume = RestitutionVolume(
                restitution_id=done.id, rank=1, organisation_id=self.owner.id, held="1", sha256="", size=3, sums_sha256=""
            )
            volume.sha256 = self.platform.objects.hold(key_of(volume), io.BytesIO(b"zip"), 3).sha256
            session.add(volume)

    def _incidents(self, record: str) -> tuple[str, str]:
        seen = {"organisation_id": self.owner.id, "place": "principal"}
        facts = {"record": record, "version": "3f" * 16, "marker": True, "eliminated": False, "until": clock.iso(clock.now())}
        with self.platform.database.writing(PLATFORM) as session:
            key = session.exec(select(Record.key).where(Record.id == record)).one()
            open_ = open_incident(session, **seen, kind=Kind.COPY_UNLOCKED, subject=key, facts=facts)
            closed = open_incident(session, **seen, kind=Kind.COPY_MISSING, subject=f"{key}.1", facts={})
            incidents.close(session, closed, self.archivist.actor, self.archivist.actor.partition(":")[2], "Disque remplacé.")
            session.add(AuditRun(kind="existence", place="principal", started=clock.now() - timedelta(days=40), total=10))
        return open_, closed
