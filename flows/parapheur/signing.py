"""Signatures that come back from a sitting close the tasks that they were asked for, and dossiers go on.

Called when values come in, when a sitting ends, and again and again by a schedule: what one process did not get to, another does.
A task is closed once, whoever is first; a sitting that can give nothing more is not looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from cryptography import x509

from core.errors import Conflict, Forbidden, NotFound, UnreadableInput, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.parapheur.conclusion import conclude
from signing.parapheur import signatories, signatures
from signing.parapheur.signatures import Failure
from signing.trust import trust_store

_log = structlog.get_logger()
_messages = Catalogue("flows.parapheur")


def admit(platform: Platform, sitting_id: str, certificate: bytes, chain: Sequence[bytes]) -> None:
    """Hold the certificate that is announced in a sitting of the parapheur to the person who signs there.

    A sitting of somebody else's is not held to anything: whoever opened it knows whom they asked.

    Raises:
        UnreadableInput: it is no certificate.
        KeyRefused, Forbidden: see ``signing.parapheur.signatories.admit``.
    """
    with platform.database.reading(PLATFORM) as session:
        person_id = signatures.signer_of(session, sitting_id)
    if person_id is None:
        return
    try:
        own, *above = [x509.load_der_x509_certificate(one) for one in (certificate, *chain)]
    except ValueError as error:
        raise UnreadableInput(_messages("certificate.unreadable")) from error
    trust = trust_store(platform.settings.trust_dir)
    with platform.database.writing(PLATFORM) as session:
        signatories.admit(session, person_id, own, tuple(above), trust)


def settle(platform: Platform, sitting_id: str) -> list[Failure]:
    """Close the tasks of a sitting whose documents are all signed; return those that could not be, with the reason.

    Those that somebody has dealt with meanwhile are among these. A sitting that is none of the parapheur's gives nothing.
    """
    failures = []
    for task_id in signatures.ready(platform, sitting_id):
        try:
            with platform.database.writing(PLATFORM) as session:
                standing = signatures.close(session, sitting_id, task_id)
                conclude(session, standing, signatures.actor_of(session, sitting_id))
        except (Conflict, Forbidden, NotFound, UsageError) as error:
            _log.warning("signing.not_closed", sitting=sitting_id, task=task_id, reason=type(error).__name__)
            failures.append(Failure(task_id, str(error)))
    with platform.database.writing(PLATFORM) as session:
        signatures.settled(session, sitting_id)
        # A task that is open no more was closed by somebody else, or by this sitting in another process: `missed` tells which.
        waiting = signatures.still_open(session, [one.task_id for one in failures])
        missed = signatures.missed(session, sitting_id)
        told = {one.task_id for one in missed}
        return [one for one in failures if one.task_id in waiting - told] + missed


def settle_all(platform: Platform) -> None:
    """Settle the sittings from which something may still come."""
    with platform.database.reading(PLATFORM) as session:
        waiting = signatures.unsettled(session)
    for sitting_id in waiting:
        settle(platform, sitting_id)
