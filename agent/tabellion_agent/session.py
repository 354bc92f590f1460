"""The sequence of a signature, whatever shows it: open, look, prepare, check, sign, send, close.

Every value is made before the first is sent: a token that is pulled out in the middle leaves every document unsigned. Whatever
stops the sequence is told to the platform, which then forgets what it had prepared.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Protocol

from cryptography.hazmat.primitives.serialization import Encoding

from tabellion_agent import octets, token
from tabellion_agent.errors import AgentError
from tabellion_agent.protocol import Item, Opening, Outcome, Platform, Prepared, Value

SIGNED, REFUSED, WAITING = "signed", "refused", "waiting"
_AT_A_TIME = 10
_PAUSE, _PATIENCE = 1.0, 600.0


class Progress(Protocol):
    """Told how far a signature is."""

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Show what is being done, and how many documents are, of how many."""


class Session:
    """One opening of the agent: the documents that the platform gave, until they are signed or given up.

    Attributes:
        opening: who asks, and what is to be signed.
        over: whether the platform was told that nothing more comes.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.over = False
        self.opening: Opening = platform.open()

    def document(self, item: Item) -> bytes:
        """Return a document, as announced, for somebody to read.

        Raises:
            NotWhatWasShown: it is another.
        """
        return b"".join(self._platform.document(item))

    def sign(self, identity: token.Identity, key: token.Key, progress: Progress) -> list[Outcome]:
        """Sign every document, and return what became of each.

        Raises:
            AgentError: nothing was signed, or not everything was sent: the platform was told.
        """
        try:
            return self._signed(identity, key, progress)
        except AgentError as error:
            self.abandon(str(error))
            raise

    def abandon(self, reason: str) -> None:
        """Tell the platform that nothing more comes; without an answer, it finds out when the session expires."""
        if not self.over:
            self.over = True
            with suppress(AgentError):
                self._platform.abandon(reason)

    def _signed(self, identity: token.Identity, key: token.Key, progress: Progress) -> list[Outcome]:
        items = {item.id: item for item in self.opening.items}
        for number, item in enumerate(items.values()):
            progress("Vérification", number, len(items))
            for _ in self._platform.document(item):
                pass
        chain = [one.public_bytes(Encoding.DER) for one in identity.chain]
        prepared = self._platform.prepare(identity.der, chain, lambda ready, total: progress("Préparation", ready, total))
        sound = [one for one in prepared if one.problem is None and one.slots and one.id in items]
        for one in sound:
            for slot in one.slots.values():
                octets.check(slot, items[one.id], identity.der)
        outcomes = [Outcome(one.id, REFUSED, one.problem) for one in prepared if one.problem is not None]
        outcomes += self._sent(_values(sound, key, progress), progress)
        self.over = True
        with suppress(AgentError):  # what was signed is signed; the session ends by itself
            self._platform.close()
        return outcomes

    def _sent(self, values: list[list[Value]], progress: Progress) -> list[Outcome]:
        """Give the values of each document, and again those that the platform had no time for, as long as our patience lasts."""
        outcomes: dict[str, Outcome] = {}
        left, end = values, time.monotonic() + _PATIENCE
        while left and time.monotonic() < end:
            for start in range(0, len(left), _AT_A_TIME):
                outcomes |= self._answers(left[start : start + _AT_A_TIME], outcomes, len(values))
                progress("Envoi", _count(outcomes, SIGNED, REFUSED), len(values))
            left = [document for document in left if outcomes[document[0].id].state == WAITING]
            time.sleep(_PAUSE if left else 0)
        return list(outcomes.values())

    def _answers(self, part: list[list[Value]], before: dict[str, Outcome], total: int) -> dict[str, Outcome]:
        unheard = {
            document[0].id: Outcome(document[0].id, WAITING, "La plateforme n’a pas répondu pour ce document.")
            for document in part
        }
        try:
            answers = self._platform.send([value for document in part for value in document])
        except AgentError as error:
            raise type(error)(f"{error} Documents signés avant cela : {_count(before, SIGNED)} sur {total}.") from error
        return unheard | {one.id: one for one in answers if one.id in unheard}


def _count(outcomes: dict[str, Outcome], *states: str) -> int:
    return sum(one.state in states for one in outcomes.values())


def _values(prepared: list[Prepared], key: token.Key, progress: Progress) -> list[list[Value]]:
    values = []
    for number, one in enumerate(prepared):
        progress("Signature", number, len(prepared))
        values.append([Value(one.id, identifier, key.sign(slot)) for identifier, slot in one.slots.items()])
    return values
