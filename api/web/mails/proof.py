"""The proof of a send, whole or of one recipient: the file that anybody verifies, and the attestation that people read."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from api import downloads
from api.web.acts.page import Identifier
from api.web.visitor import Parts, SignedIn, Visitor
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.mail import attestation, proof, proving, reading
from flows.mail.keeping import mail_of

router = APIRouter()
_t = Catalogue("api.web.mails")


@router.get("/courriers/{send_id}/preuve")
def whole(platform: Parts, visitor: SignedIn, send_id: Identifier) -> Response:
    """Give the proof of a send."""
    return downloads.proof(send_id, partial(proving.package, platform, visitor.principal, send_id))


@router.get("/courriers/{send_id}/destinataires/{recipient_id}/preuve")
def of_one(platform: Parts, visitor: SignedIn, send_id: Identifier, recipient_id: Identifier) -> Response:
    """Give the proof of a send for one recipient, in which no other stands."""
    _require(platform, visitor, send_id, recipient_id)
    return downloads.proof(
        recipient_id, partial(proving.package, platform, visitor.principal, send_id, recipient_id=recipient_id)
    )


@router.get("/courriers/{send_id}/attestation")
def attested(platform: Parts, visitor: SignedIn, send_id: Identifier) -> Response:
    """Give the attestation of a send, to be put in a file."""
    _require(platform, visitor, send_id)
    return _attestation(platform, visitor, send_id, None)


@router.get("/courriers/{send_id}/destinataires/{recipient_id}/attestation")
def attested_of_one(platform: Parts, visitor: SignedIn, send_id: Identifier, recipient_id: Identifier) -> Response:
    """Give the attestation of one recipient, in which no other stands."""
    _require(platform, visitor, send_id, recipient_id)
    return _attestation(platform, visitor, send_id, recipient_id)


def _require(platform: Platform, visitor: Visitor, send_id: str, recipient_id: str | None = None) -> None:
    """Go on only if the send has left, and has the recipient.

    Raises:
        NotFound: not so, or the visitor may not read it.
    """
    seen = reading.seen(platform.database, visitor.principal, send_id)
    known = recipient_id is None or any(one.id == recipient_id for one in seen.recipients)
    if seen.dossier.state in proving.UNSENT or not known:
        raise NotFound(_t("recipient.unknown" if not known else "proof.none"))


def _attestation(platform: Platform, visitor: Visitor, send_id: str, recipient_id: str | None) -> Response:
    with platform.database.writing(PLATFORM) as session:
        mail = mail_of(session, send_id)
        told = proof.statements(session, send_id)
        told = told if recipient_id is None else {recipient_id: told[recipient_id]}
        proof.enter(session, mail, told, visitor.principal.actor)  # what an attestation names by its digest, the journal does too
    octets = attestation.of_send(told) if recipient_id is None else attestation.of_recipient(told[recipient_id])
    return downloads.copy(f"attestation-{recipient_id or send_id}.pdf", octets, "application/pdf")
