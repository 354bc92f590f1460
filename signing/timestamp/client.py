"""Asking a timestamping authority for a token (RFC 3161, 3.4 over HTTP), several authorities one after the other.

A token is given back only once it has been verified: nonce, imprint, policy, usage, and the authority's path at its time.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import urllib3
from asn1crypto import algos, cms, core, tsp

from core.errors import NeedsOperator, Unavailable
from core.messages import Catalogue
from signing.timestamp.parts import LARGEST_TOKEN
from signing.timestamp.token import Timestamp, verify_token
from signing.trust import TrustStore

_messages = Catalogue("signing")
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"
_LENGTHS = {"sha256": 32, "sha384": 48, "sha512": 64}
_OK = 200


class TimestampResponse(core.Sequence):  # type: ignore[misc]
    """A TimeStampResp (RFC 3161, 2.4.2), whose token is absent when the request is rejected."""

    _fields: ClassVar = [("status", tsp.PKIStatusInfo), ("time_stamp_token", cms.ContentInfo, {"optional": True})]


class AuthorityUnavailable(Unavailable):
    """No authority of the list answers."""


class TokenRefused(NeedsOperator):
    """An authority answered something else than a good token: its settings or ours are at fault."""


@dataclass(frozen=True, slots=True)
class AuthoritySettings:
    """Where timestamps come from.

    Attributes:
        urls: authorities, tried in this order.
        policy: the policy asked for, dotted; None takes the authority's own.
        connect_timeout: seconds.
        read_timeout: seconds.
    """

    urls: Sequence[str]
    policy: str | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 20.0


class TimestampClient:
    """Asks the authorities of a list, in turn, and verifies what comes back."""

    def __init__(self, settings: AuthoritySettings, trust: TrustStore) -> None:
        self._settings = settings
        self._trust = trust
        timeout = urllib3.Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        self._http = urllib3.PoolManager(timeout=timeout, retries=False)

    def stamp(self, digest: bytes, hash_name: str = "sha256") -> Timestamp:
        """Return a verified token over a digest made with ``sha256``, ``sha384`` or ``sha512``.

        The next authority of the list is asked when one does not answer, or refuses, or gives a token that does not hold.

        Raises:
            AuthorityUnavailable: none of them answers; worth trying again.
            TokenRefused: none gives a good token, and one at least answered.
        """
        if len(digest) != _LENGTHS.get(hash_name):
            raise ValueError(f"{len(digest)} bytes are no digest of {hash_name}")
        refusals: list[TokenRefused] = []
        for url in self._settings.urls:
            try:
                return self._ask(url, digest, hash_name)
            except TokenRefused as refusal:
                refusals.append(refusal)
            except AuthorityUnavailable:
                continue
        if refusals:
            raise refusals[0]
        raise AuthorityUnavailable(_messages("timestamp.unavailable", urls=", ".join(self._settings.urls)))

    def _ask(self, url: str, digest: bytes, hash_name: str) -> Timestamp:
        nonce = secrets.randbits(64)
        reply = self._post(url, request(digest, nonce=nonce, policy=self._settings.policy, hash_name=hash_name))
        token = _granted(reply, nonce)
        status = verify_token(token, digest, trust=self._trust, hash_name=hash_name)
        if status.timestamp is None or not status.holds:
            raise TokenRefused(_messages("timestamp.refused", detail=status.reason or status.trust.value))
        if self._settings.policy not in {None, status.timestamp.policy}:
            raise TokenRefused(_messages("timestamp.policy", found=status.timestamp.policy))
        return status.timestamp

    def _post(self, url: str, query: bytes) -> bytes:
        headers = {"Content-Type": _QUERY, "Accept": _REPLY}
        try:
            with self._http.request("POST", url, body=query, headers=headers, preload_content=False, redirect=False) as reply:
                data: bytes = reply.read(LARGEST_TOKEN + 1)
                status = reply.status
        except urllib3.exceptions.HTTPError as error:
            raise AuthorityUnavailable(_messages("timestamp.unavailable", urls=url)) from error
        if status != _OK:
            raise AuthorityUnavailable(_messages("timestamp.unavailable", urls=f"{url} (HTTP {status})"))
        return data


def request(digest: bytes, *, nonce: int, policy: str | None = None, hash_name: str = "sha256") -> bytes:
    """Return the DER of a TimeStampReq over a digest that asks for the authority's certificate (RFC 3161, 2.4.1)."""
    fields = {
        "version": "v1",
        "message_imprint": {"hash_algorithm": algos.DigestAlgorithm({"algorithm": hash_name}), "hashed_message": digest},
        "nonce": nonce,
        "cert_req": True,
    }
    if policy is not None:
        fields["req_policy"] = policy
    query: bytes = tsp.TimeStampReq(fields).dump()
    return query


def _granted(reply: bytes, nonce: int) -> bytes:
    """Return the DER of the token in a TimeStampResp, the nonce compared (RFC 3161, 2.4.2)."""
    try:
        response = TimestampResponse.load(reply, strict=True)
        state = response["status"]["status"].native
        if state not in {"granted", "granted_with_mods"}:
            raise TokenRefused(_messages("timestamp.refused", detail=state))
        token = response["time_stamp_token"]
        info = token["content"]["encap_content_info"]["content"].parsed
        if info["nonce"].native != nonce:
            raise TokenRefused(_messages("timestamp.nonce"))
        der: bytes = token.dump()
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # the ways in which asn1crypto cannot read
        raise TokenRefused(_messages("timestamp.unreadable")) from error
    return der
