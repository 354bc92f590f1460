"""What a flow asks of an external parapheur, whatever protocol it speaks: to submit, to look, to fetch, to close, to take back.

A client does what it is told, one step at a time. Whoever uses it fetches and stores first, and closes last: what was closed
may be gone over there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from connectors.iparapheur import settings as configured
from connectors.iparapheur.dossiers import Returned, Status, Submission
from connectors.iparapheur.messages import ArchiveAction
from connectors.iparapheur.rest import RestParapheur
from connectors.iparapheur.settings import ParapheurSettings
from connectors.iparapheur.soap import SoapParapheur
from core.addresses import Networks


class ParapheurConnector(Protocol):
    """A parapheur outside.

    Every method may raise ``ParapheurUnavailable``, ``AccessRefused``, ``CertificateRefused``, ``AddressWrong``,
    ``AddressRefused``, ``AnswerUnreadable``, ``AnswerTooLarge`` and ``RequestRefused``: see ``errors``.
    """

    def list_types(self) -> Mapping[str, tuple[str, ...]]:
        """Return the sub-types of each type that the account may create dossiers of."""

    def submit(self, submission: Submission) -> str:
        """Hand a dossier over, once, and return its identifier over there.

        Done again with the same submission it submits nothing, and returns the same.

        Raises:
            SubmissionRefused: nothing was created.
        """

    def status(self, external_id: str) -> Status:
        """Tell where a dossier stands.

        Raises:
            DossierMissing: it is not known there, or no longer.
        """

    def fetch(self, external_id: str, folder: Path) -> Returned:
        """Bring a dossier back.

        Args:
            external_id: by ``submit``.
            folder: a private folder, into which its documents go.

        Raises:
            DossierMissing: it is not known there, or no longer.
        """

    def close(self, external_id: str, action: ArchiveAction) -> None:
        """Let go of a dossier that ended, once what it brought is safe here; one that is gone counts as closed.

        A rejected dossier is erased in either case: nothing else can be done with it from outside.

        Raises:
            NotEnded: its circuit goes on.
        """

    def recall(self, external_id: str) -> None:
        """Take a dossier back.

        Raises:
            RecallRefused: somebody acted on it.
            DossierMissing: it is not known there.
        """


def open_connector(settings: ParapheurSettings, networks: Networks) -> ParapheurConnector:
    """Return the parapheur that an organisation configured; nothing is sent yet.

    Args:
        settings: of the account there.
        networks: that the operator permits beside the public one.
    """
    kind = SoapParapheur if settings.protocol is configured.Protocol.SOAP else RestParapheur
    return kind(settings, networks)
