"""The life of a dossier in the simulated parapheur: created, acted on desk after desk, ended or rejected, put away or erased.

Histories are those of i-Parapheur to the word, where they are known; what a mail step says is a guess.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from connectors.iparapheur.simulated_signing import Identities, seal_documents, sign_documents
from connectors.iparapheur.simulated_store import Dossier, Kept, Line, Stage, Stop, Store
from connectors.iparapheur.simulated_typology import Action, Person, Step, Typology
from core.clock import now
from core.errors import TabellionError

CREATED, ISSUED, ENDED = "Création de dossier", "Emission du dossier", "Circuit terminé, dossier archivable"
UNREAD, READ, ARCHIVABLE = "NonLu", "Lu", "Archive"


class Refusal(Exception):
    """The parapheur refuses, in its own words."""

    def __init__(self, message: str, *, absent: bool = False) -> None:
        super().__init__(message)
        self.absent = absent


class Gesture(StrEnum):
    """What somebody does at a desk."""

    VISA = "visa"
    SIGN = "sign"
    SEAL = "seal"
    SEND = "send"
    REJECT = "reject"
    READ = "read"


@dataclass(frozen=True, slots=True)
class _Words:
    """What the history says of a kind of step: as it opens, as it is done, as it is rejected."""

    opened: str
    purpose: str
    done: str
    rejected: str
    gesture: Gesture


_WORDS = {
    Action.VISA: _Words("EnCoursVisa", "pour Visa", "Vise", "RejetVisa", Gesture.VISA),
    Action.SIGNATURE: _Words(UNREAD, "pour signature", "Signe", "RejetSignataire", Gesture.SIGN),
    Action.SEAL: _Words("PretCachet", "pour cachet serveur.", "CachetOK", "RejetCachet", Gesture.SEAL),
    Action.MAIL: _Words(
        "EnCoursMailSecPastell", "pour mail sécurisé", "EnCoursMailSecPastell", "RejetMailSecPastell", Gesture.SEND
    ),
}


class Circuit:
    """Dossiers and what people do to them."""

    def __init__(self, store: Store, typology: Typology, identities: Identities) -> None:
        self.store = store
        self.typology = typology
        self._identities = identities

    def create(
        self, person: Person, dossier: Dossier, main: int, documents: Callable[[], list[Kept]], *, started: bool = True
    ) -> Dossier:
        """Take a new dossier, hold it against its sub-type, and start its circuit.

        Args:
            person: who creates it.
            dossier: without its documents.
            main: how many main documents it has.
            documents: keeps the documents; called once all else is in order.
            started: whether the circuit begins at once.

        Raises:
            Refusal: unknown type, missing metadata, too many documents, identifier taken; nothing was created or kept.
        """
        found = self.typology.subtype(person.desk, dossier.type, dossier.subtype)
        if found is None:
            raise Refusal(f"Type ou sous-type inconnu : {dossier.type} / {dossier.subtype}")
        kind, subtype = found
        self._check_metadata(dossier, subtype.mandatory)
        if main > 1 and not subtype.several:
            raise Refusal(f"Le sous-type {subtype.name} n'accepte qu'un document principal")
        taken = f"Le nom de dossier est déjà présent dans le Parapheur: dossierID = {dossier.known_as}"
        if self.store.find(dossier.known_as) is not None:
            raise Refusal(taken)
        dossier.documents = documents()
        dossier.type, dossier.subtype, dossier.format = kind.name, subtype.name, kind.format
        dossier.circuit = [_stop(step) for step in subtype.steps]
        self._note(dossier, person, UNREAD, CREATED)
        if started:
            self._start(dossier, person)
        if not self.store.add(dossier):  # another request came in between
            raise Refusal(taken)
        return dossier

    def start(self, person: Person, identifier: str) -> None:
        """Start the circuit of a draft."""
        with self._changing(person, identifier) as dossier:
            if dossier.stage is not Stage.DRAFT or dossier.emitter != person.login:
                raise Refusal(f"Le dossier {identifier} ne peut pas être démarré")
            self._start(dossier, person)

    def act(self, person: Person, identifier: str, gesture: Gesture, note: str = "") -> Dossier:
        """Do something at the desk of a person.

        Raises:
            Refusal: the dossier is not on that desk, or another gesture is asked for there.
        """
        with self._changing(person, identifier) as dossier:
            if not self.holds(person, dossier):
                raise Refusal(f"Le dossier {identifier} n'est pas sur le bureau {person.desk}")
            words = _WORDS[dossier.stop.action]
            if gesture is Gesture.READ:
                dossier.read = True
                self._note(dossier, person, READ, "Dossier lu")
            elif gesture is Gesture.REJECT:
                dossier.stage = Stage.REJECTED
                self._note(dossier, person, words.rejected, note, "REJECT")
            elif gesture is words.gesture:
                self._do(dossier, person, note)
            else:
                raise Refusal(f"L'étape en cours n'est pas une étape de {gesture}")
            return dossier

    def force(self, person: Person, identifier: str, *, passes: bool, note: str) -> None:
        """Let a visa pass or reject the dossier, from outside (ForcerEtape)."""
        dossier = self.find(person, identifier)
        if not self.holds(person, dossier) or dossier.stop.action is not Action.VISA:
            raise Refusal(f"Le dossier {identifier} n'est pas sur une étape de VISA de votre bureau")
        self.act(person, identifier, Gesture.VISA if passes else Gesture.REJECT, note)

    def recall(self, person: Person, identifier: str) -> None:
        """Give a dossier back to its emitter, as long as nobody has read it or acted on it."""
        with self._changing(person, identifier) as dossier:
            if not self.recallable(person, dossier):
                raise Refusal(f"Le dossier {identifier} ne peut pas être récupéré")
            dossier.stage = Stage.DRAFT

    def archive(self, person: Person, identifier: str, *, keep: bool) -> None:
        """Put an ended dossier away, or erase it."""
        with self._changing(person, identifier) as dossier:
            if dossier.stage is not Stage.FINISHED or dossier.emitter != person.login:
                raise Refusal(f"Le dossier {identifier} n'est pas en fin de circuit")
            dossier.stage = Stage.TRASHED
        if not keep:
            self.store.erase(dossier.id)

    def erase_rejected(self, person: Person, identifier: str) -> None:
        """Erase a rejected dossier."""
        dossier = self.find(person, identifier)
        if dossier.stage is not Stage.REJECTED or dossier.emitter != person.login:
            raise Refusal(f"Le dossier {identifier} n'est pas rejeté")
        self.store.erase(dossier.id)

    def erase(self, person: Person, identifier: str) -> None:
        """Erase a draft, a rejected or an ended dossier (REST)."""
        dossier = self.find(person, identifier)
        if dossier.stage is Stage.PENDING or dossier.emitter != person.login:
            raise Refusal(f"Le dossier {identifier} est en cours")
        self.store.erase(dossier.id)

    def find(self, person: Person, identifier: str) -> Dossier:
        """Return a dossier that a person may see.

        Raises:
            Refusal: there is none.
        """
        dossier = self.store.find(identifier)
        if dossier is None or dossier.stage is Stage.TRASHED or not self.sees(person, dossier):
            raise Refusal(f"Le dossier {identifier} est inconnu dans le Parapheur", absent=True)
        return dossier

    def visible(self, person: Person) -> list[Dossier]:
        """Return what a person may see, oldest first."""
        return [one for one in self.store.all() if one.stage is not Stage.TRASHED and self.sees(person, one)]

    def sees(self, person: Person, dossier: Dossier) -> bool:
        """Tell whether a person may see a dossier: its emitter, and whoever holds a desk of its circuit."""
        return dossier.emitter == person.login or any(person.desk in stop.desks for stop in dossier.circuit)

    def holds(self, person: Person, dossier: Dossier) -> bool:
        """Tell whether a dossier waits on the desk of a person."""
        return dossier.stage is Stage.PENDING and person.desk in dossier.stop.desks and person.desk not in dossier.stop.done

    def recallable(self, person: Person, dossier: Dossier) -> bool:
        """Tell whether a person may take a dossier back."""
        fresh = dossier.current == 0 and not dossier.stop.done and not dossier.read
        return dossier.stage is Stage.PENDING and dossier.emitter == person.login and fresh

    def status(self, dossier: Dossier) -> str:
        """Return the status of a dossier as a search tells it: of its present step, or of its end."""
        if dossier.stage is Stage.PENDING:
            return READ if dossier.read else _WORDS[dossier.stop.action].opened
        return UNREAD if dossier.stage is Stage.DRAFT else dossier.history[-1].status

    def _check_metadata(self, dossier: Dossier, mandatory: tuple[str, ...]) -> None:
        declared = {one.name for one in self.typology.metadata}
        if unknown := sorted(set(dossier.metadata) - declared):
            raise Refusal(f"Métadonnée inconnue : {unknown[0]}")
        if missing := [name for name in mandatory if not dossier.metadata.get(name)]:
            raise Refusal(f"Métadonnée obligatoire manquante : {missing[0]}")

    def _start(self, dossier: Dossier, person: Person) -> None:
        dossier.stage, dossier.current, dossier.read = Stage.PENDING, 0, False
        self._note(dossier, person, UNREAD, ISSUED)
        self._open(dossier, person)
        self._note(dossier, person, UNREAD, dossier.public_note, "START")

    def _do(self, dossier: Dossier, person: Person, note: str) -> None:
        stop = dossier.stop
        try:
            self._hands(stop.action)(dossier, person)
        except TabellionError as error:
            raise Refusal(str(error)) from error
        stop.done.append(person.desk)
        self._note(dossier, person, _WORDS[stop.action].done, note, stop.action.value)
        if stop.every and set(stop.done) != set(stop.desks):
            return
        dossier.read = False
        if dossier.current + 1 < len(dossier.circuit):
            dossier.current += 1
            self._open(dossier, person)
        else:
            dossier.stage = Stage.FINISHED
            self._note(dossier, person, ARCHIVABLE, ENDED)

    def _hands(self, action: Action) -> Callable[[Dossier, Person], None]:
        if action is Action.SIGNATURE:
            return lambda dossier, person: sign_documents(dossier, self.store, self._identities, person)
        if action is Action.SEAL:
            return lambda dossier, _person: seal_documents(dossier, self.store, self._identities)
        return lambda _dossier, _person: None

    def _open(self, dossier: Dossier, person: Person) -> None:
        words = _WORDS[dossier.stop.action]
        for desk in dossier.stop.desks:
            self._note(dossier, person, words.opened, f"Dossier déposé sur le bureau {desk} {words.purpose}")

    def _note(self, dossier: Dossier, person: Person, status: str, note: str, action: str = "") -> None:
        line = Line(moment=now(), login=person.login, desk=person.desk, status=status, note=note, action=action)
        dossier.history.append(line)

    @contextmanager
    def _changing(self, person: Person, identifier: str) -> Iterator[Dossier]:
        with self.store.changing(identifier) as dossier:
            if dossier is None or dossier.stage is Stage.TRASHED or not self.sees(person, dossier):
                raise Refusal(f"Le dossier {identifier} est inconnu dans le Parapheur", absent=True)
            yield dossier


def new_identifier() -> str:
    """Return a new identifier, as the parapheur gives them."""
    return str(uuid.uuid4())


def _stop(step: Step) -> Stop:
    return Stop(action=step.action, desks=list(step.desks), every=step.every)


def main_documents(dossier: Dossier) -> list[Kept]:
    """Return the main documents of a dossier, in their order."""
    return [document for document in dossier.documents if document.main]
