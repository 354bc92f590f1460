"""Signing with a key that a remote service holds (CSC API): the platform does what the agent does on a desk.

The person shows their PIN and their one-time code for this very batch; neither is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel, Field, SecretStr
from sqlmodel import Session

from core.addresses import Networks
from core.configuration import configuration_of
from core.errors import Conflict, NeedsOperator, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal
from flows.parapheur.signing import admit, settle
from signing.keys.csc import CscSettings, CscSigner
from signing.parapheur import signatures
from signing.parapheur.models import FolderSigning, SignatoryProfile
from signing.sittings import items, sittings
from signing.timestamp.client import TimestampClient

_messages = Catalogue("flows.parapheur")
REMOTE = "parapheur.remote"
_PREPARES_FOR = 600.0
_COMPLETES_FOR = 600.0


class RemoteSigning(BaseModel):
    """The signing service of an organisation."""

    url: str = Field(min_length=8, max_length=500, description="Of the service, up to what stands before /csc/.")
    token: SecretStr = Field(description="OAuth 2.0 access token of scope service.")
    version: str = Field("v2", pattern="^v[12]$")

    def settings(self, networks: Networks) -> CscSettings:
        """Return how the service is spoken to; ``networks`` are those that the operator permits beside the public one."""
        version: Literal["v1", "v2"] = "v1" if self.version == "v1" else "v2"
        return CscSettings(self.url, self.token.get_secret_value(), version, networks=networks)


def service_of(session: Session, platform: Platform, organisation_id: str) -> RemoteSigning | None:
    """Return the signing service of an organisation; None when it has none."""
    try:
        return configuration_of(session, platform.secrets, organisation_id, REMOTE, RemoteSigning)
    except NotFound:
        return None


def sign_remotely(
    platform: Platform,
    principal: Principal,
    sitting_id: str,
    proofs: Mapping[str, str],
    timestamps: TimestampClient | None,
) -> None:
    """Sign everything that a sitting holds with the person's remote key, and close the tasks.

    Raises:
        NotFound: it is no sitting of theirs.
        Conflict: it was begun elsewhere, or is over.
        UsageError: they have no remote key, or the organisation no service.
        ProofRefused, KeyRefused, Forbidden, Unavailable, NeedsOperator: see ``signing.keys.csc`` and ``signatories``.
    """
    with platform.database.reading(PLATFORM) as session:
        signing = signatures.own_signing(session, principal, sitting_id)
        profile = session.get(SignatoryProfile, signing.person_id)
        service = service_of(session, platform, signing.organisation_id)
    if service is None or profile is None or not profile.remote_key:
        raise UsageError(_messages("remote.none"))
    signer = CscSigner.open(service.settings(platform.settings.permitted_networks), profile.remote_key, proofs)
    certificate = signer.certificate.public_bytes(Encoding.DER)
    chain = [one.public_bytes(Encoding.DER) for one in signer.chain]
    admit(platform, sitting_id, certificate, chain)
    if not signing.remote:
        _come(platform, signing)
    try:
        _sign(platform, sitting_id, signer, (certificate, chain), timestamps)
    finally:
        settle(platform, sitting_id)


def _come(platform: Platform, signing: FolderSigning) -> None:
    """Take the place of the agent in a sitting, once; a PIN that was wrong may then be shown again."""
    ticket = signatures.ticket_of(platform, signing)
    if ticket is None:
        raise Conflict(_messages("remote.begun"))
    sittings.redeem(platform.database, ticket)
    with platform.database.writing(PLATFORM) as session:
        kept = session.get_one(FolderSigning, signing.sitting_id)
        kept.remote, kept.ticket = True, None
        session.add(kept)


def _sign(
    platform: Platform,
    sitting_id: str,
    signer: CscSigner,
    announced: tuple[bytes, list[bytes]],
    timestamps: TimestampClient | None,
) -> None:
    bound = sittings.bind(platform.database, sitting_id, *announced)
    if items.prepare(platform, bound, _PREPARES_FOR):
        raise NeedsOperator(_messages("remote.slow"))
    asked = [(one.id, slot) for one in items.to_sign(platform.database, sitting_id) for slot in one.slots]
    values = signer.sign_all([slot.octets for _, slot in asked]) if asked else []
    given = [items.Value(item, slot.identifier, value) for (item, slot), value in zip(asked, values, strict=True)]
    if given:
        items.accept(platform, bound, given, timestamps, _COMPLETES_FOR)
    sittings.close(platform.database, sitting_id)
