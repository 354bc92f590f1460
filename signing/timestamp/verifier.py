"""Verifying a timestamp that stands alone over a file: a response (``.tsr``) or a bare token (``.tst``), RFC 3161."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from asn1crypto import cms

from core import clock
from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from signing.armour import unarmoured
from signing.timestamp.client import TimestampResponse
from signing.timestamp.parts import LARGEST_TOKEN, UNPARSED, TokenUnreadable
from signing.timestamp.token import TimestampStatus, verify_stamp
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief, FileVerdict, SignatureVerdict, TimestampVerdict

_messages = Catalogue("signing")
_LARGEST_TEXT = 2 * LARGEST_TOKEN  # in PEM it is a third longer
_GRANTED = {"granted", "granted_with_mods"}
_SKEW = timedelta(minutes=5)


def verify(path: Path, *, detached: Path | None = None, trust: TrustStore | None, at: datetime | None = None) -> FileVerdict:
    """Verify a timestamp over a file.

    Args:
        path: the response or the token, in DER or PEM.
        detached: the file that it is said to be of; read as a stream, whatever its size.
        trust: who is believed; None means nobody.
        at: the moment of the verification, now by default.

    Raises:
        UnreadableInput: neither a response with a token nor a token, or no file there.
        UsageError: the file is not named.
    """
    with path.open("rb") as stream:
        octets = stream.read(LARGEST_TOKEN + 1)
    token = token_of(octets)
    if detached is None:
        raise UsageError(_messages("timestamp.detached"))
    if not detached.is_file():
        raise UnreadableInput(_messages("cades.absent", file=detached.name))

    def digest(hash_name: str) -> bytes:
        with detached.open("rb") as data:
            return hashlib.file_digest(data, hash_name).digest()

    verdict = verify_timestamp(token, digest, trust=trust, at=at or clock.now())
    return FileVerdict(verdict.verdict, (verdict,))


def verify_timestamp(
    token: bytes,
    digest: Callable[[str], bytes],
    *,
    trust: TrustStore | None,
    at: datetime,
    covers: str = "document",
    seen: datetime | None = None,
) -> SignatureVerdict:
    """Verify a token as a signature of its own: that of the authority, at the time that it gives.

    Args:
        token: its DER.
        digest: gives the digest of the data, by the hash's name.
        trust: who is believed; None means nobody.
        at: the moment of the verification.
        covers: what the data are, for the verdict.
        seen: when the token was seen, as another one proves (see ``verify_stamp``); at the moment of the verification by default.

    Raises:
        UnreadableInput: no token.
    """
    status = verify_stamp(token, digest, trust=trust, seen=seen or at)
    read = status.timestamp
    if read is None:
        raise TokenUnreadable(status.reason or "")
    early = read.gen_time > at + _SKEW
    reasons = [status.reason] if status.reason else []
    reasons += [_messages("timestamp.future", found=clock.iso(read.gen_time))] if early else []
    return SignatureVerdict(
        format="RFC3161",
        level=None,
        signer=read.authority,
        signing_time=read.gen_time,
        intact=status.intact,
        covers=covers,
        trust=status.trust,
        timestamps=(),
        verdict=_belief(status, early=early),
        reasons=tuple(reasons),
    )


def as_timestamp(verdict: SignatureVerdict) -> TimestampVerdict:
    """Return what a timestamp that was verified as a signature of its own says of the signatures that it is over."""
    reason = " ".join(verdict.reasons) or None
    valid = verdict.intact and verdict.trust is not TrustState.UNTRUSTED
    return TimestampVerdict(verdict.signing_time, verdict.signer, valid, verdict.trust, reason)


def token_of(octets: bytes) -> bytes:
    """Return the DER of the token in a response, or of the token that stands alone; either may be in PEM.

    Raises:
        TokenUnreadable: it is neither, or the authority refused to give one.
    """
    try:
        der = unarmoured(octets)
    except ValueError as error:
        raise TokenUnreadable(_messages("timestamp.unreadable")) from error
    try:
        if cms.ContentInfo.load(der, strict=True)["content_type"].native == "signed_data":
            return der
    except UNPARSED:
        return _token_in_response(der)
    raise TokenUnreadable(_messages("timestamp.unreadable"))


def _token_in_response(octets: bytes) -> bytes:
    try:
        response = TimestampResponse.load(octets, strict=True)
        state = response["status"]["status"].native
        der = bytes(response["time_stamp_token"].dump())
    except UNPARSED as error:
        raise TokenUnreadable(_messages("timestamp.unreadable")) from error
    if state not in _GRANTED:
        raise TokenUnreadable(_messages("timestamp.no_token", detail=state))
    return der


def _belief(status: TimestampStatus, *, early: bool) -> Belief:
    broken = status.checked and not status.intact
    refused = status.trust not in {TrustState.TRUSTED, TrustState.UNKNOWN} and not status.aged
    if broken or refused:
        return Belief.INVALID
    return Belief.VALID if status.holds and not early else Belief.INDETERMINATE
