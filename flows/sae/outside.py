"""An archive service as SAE sees it, whichever it is: a transfer is sent, looked for, acknowledged, answered."""

from __future__ import annotations

from typing import Protocol

from connectors.asalae import client as asalae
from connectors.asalae.client import Asalae
from connectors.sae.errors import ServiceUnavailable
from connectors.vitam.client import State, Status, Vitam, digest_of
from core.addresses import Networks
from core.errors import NeedsOperator
from core.messages import Catalogue
from flows.sae import answers
from flows.sae.packaging import Outgoing
from flows.sae.settings import OutsideArchive

_messages = Catalogue("flows.sae")
_NOBODY = "TABELLION-0"


class Outside(Protocol):
    """An archive service; every method raises what ``connectors.sae.errors`` says."""

    def attempt(self) -> str:
        """Try whether the service answers and admits us; return what it says of itself, nothing when it does not."""
        ...

    def received(self, identifier: str) -> str | None:
        """Return what the service knows a transfer by, when it has it; None while it does not say so.

        Raises:
            AnswerUnreadable: what it says is no message about this transfer.
        """
        ...

    def send(self, identifier: str, outgoing: Outgoing) -> str:
        """Hand a transfer over, and return what the service knows it by.

        Raises:
            TransferRefused: it was not taken.
        """
        ...

    def acknowledgement(self, identifier: str, reference: str) -> bytes | None:
        """Return what acknowledges a transfer: a message of SEDA, of Vitam an operation in JSON; None while nothing does."""
        ...

    def reply(self, identifier: str, reference: str) -> bytes | None:
        """Return the reply to a transfer; None while there is none.

        Raises:
            NeedsOperator: there will be none.
        """
        ...


def open_outside(settings: OutsideArchive, networks: Networks) -> Outside:
    """Return the archive service of these settings, with the networks that the operator permits; nothing is sent yet."""
    if settings.asalae is not None:
        return _Asalae(Asalae(settings.asalae, networks), settings.transferring_agency)
    if settings.vitam is not None:
        return _Vitam(Vitam(settings.vitam, networks))
    raise TypeError("settings of no archive service")


class _Asalae:
    """as@lae knows a transfer by its identifier and who handed it over."""

    def __init__(self, client: Asalae, sender: str) -> None:
        self._client, self._sender = client, sender

    def attempt(self) -> str:
        told = self._client.versions()
        shown = " ".join(str(told[name]) for name in ("application", "version") if name in told)
        return "".join(one for one in shown if one.isprintable())[:100]

    def received(self, identifier: str) -> str | None:
        told = self._client.message(self._sender, identifier, asalae.ACKNOWLEDGEMENT)
        if told is None:
            return None
        answers.read(told, identifier)  # a page of anything else that stands in between is no knowledge of it
        return identifier

    def send(self, identifier: str, outgoing: Outgoing) -> str:
        self._client.send(outgoing.manifest, outgoing.content)
        return identifier

    def acknowledgement(self, identifier: str, reference: str) -> bytes | None:
        del reference
        return self._client.message(self._sender, identifier, asalae.ACKNOWLEDGEMENT)

    def reply(self, identifier: str, reference: str) -> bytes | None:
        del reference
        return self._client.message(self._sender, identifier, asalae.REPLY)


class _Vitam:
    """Vitam knows a transfer by its operation, and acknowledges none otherwise than by that."""

    def __init__(self, client: Vitam) -> None:
        self._client = client

    def attempt(self) -> str:
        self._client.find(_NOBODY)
        return ""

    def received(self, identifier: str) -> str | None:
        return self._client.find(identifier)

    def send(self, identifier: str, outgoing: Outgoing) -> str:
        return self._client.ingest(identifier, outgoing.content, digest_of(outgoing.manifest))

    def acknowledgement(self, identifier: str, reference: str) -> bytes | None:
        operation = self._client.operation(reference or self._known(identifier))
        return None if operation is None else operation.told

    def reply(self, identifier: str, reference: str) -> bytes | None:
        reference = reference or self._known(identifier)
        operation = self._client.operation(reference)
        if operation is None or (operation.state is State.RUNNING and operation.status is not Status.FATAL):
            return None
        if operation.state is not State.COMPLETED:
            raise NeedsOperator(_messages("vitam.stopped", state=operation.state.value, status=operation.status.value))
        return self._client.reply(reference)

    def _known(self, identifier: str) -> str:
        found = self._client.find(identifier)
        if found is None:
            raise ServiceUnavailable(_messages("vitam.unknown"), perhaps_taken=False)
        return found
