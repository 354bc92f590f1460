"""Speaking to a signing service: the API of the Cloud Signature Consortium, version 2.0 and version 1.0; see ``csc``."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from urllib3.util import parse_url

from core import addresses, clock
from core.addresses import Networks
from core.errors import TabellionError
from core.messages import Catalogue
from signing.algorithms import CERTIFICATE_FLAWS
from signing.keys.csc_errors import (
    AccessEnded,
    ProofRefused,
    RemoteKeyRefused,
    ServiceMisread,
    ServiceRefused,
    ServiceUnavailable,
)
from signing.keys.fitness import check_fit

_log = structlog.get_logger()
_messages = Catalogue("signing")

RSA, RSA_SHA256, ECDSA_SHA256 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"
SHA256 = "2.16.840.1.101.3.4.2.1"
_LARGEST_REPLY = 4 << 20
_LONGEST_REASON = 300
_OK, _PENDING, _DONE = 200, 202, 204
_AGAIN = {408, 425, 429}
_ACCESS = {401, 403}
_BAD_REQUEST = 400
_SERVER_FAULTS = 500
_PROOF_ERRORS = {"invalid_authentication_data", "invalid_otp", "invalid_pin"}
_PROOF_WORDS = ("sad expired", "invalid parameter sad", "not authorized by the sad")
_KEY_WORDS = ("disabled", "locked", "certificate is expired")


@dataclass(frozen=True, slots=True)
class CscSettings:
    """Where the service is.

    Attributes:
        url: of the service, up to what stands before ``/csc/``; https, but for this very machine.
        token: OAuth 2.0 access token of scope ``service``.
        version: of the API.
        connect_timeout: seconds.
        read_timeout: seconds; signing is slow.
        patience: seconds that a person has to approve on a telephone, where the service works so.
        networks: that may be reached although they are not public.
    """

    url: str
    token: str = field(repr=False)
    version: Literal["v2", "v1"] = "v2"
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    patience: float = 120.0
    networks: Networks = ()


@dataclass(frozen=True, slots=True)
class Credential:
    """A key of the service, as ``credentials/info`` describes it.

    Attributes:
        identifier: the service's name for it.
        certificate: of the key.
        chain: the authorities above it, as the service gives them.
        algorithms: identifiers of the algorithms that the service signs with.
        proofs: what must be shown each time it is authorised: ``PIN``, ``OTP``, or another name that the service gives.
        most: how many signatures one authorisation may cover.
    """

    identifier: str
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    algorithms: frozenset[str]
    proofs: tuple[str, ...]
    most: int

    @property
    def algorithm(self) -> str:
        """The algorithm to ask for: SHA-256 with the family of the key.

        Raises:
            RemoteKeyRefused: the service offers none that we admit.
        """
        elliptic = isinstance(self.certificate.public_key(), ec.EllipticCurvePublicKey)
        for wanted in (ECDSA_SHA256,) if elliptic else (RSA_SHA256, RSA):
            if wanted in self.algorithms:
                return wanted
        raise RemoteKeyRefused(_messages("keys.csc_algorithm", key=self.identifier))


class CscClient:
    """Speaks to one service."""

    def __init__(self, settings: CscSettings) -> None:
        try:
            address = parse_url(settings.url)
        except urllib3.exceptions.LocationParseError as error:
            raise ServiceMisread(_messages("keys.csc_https", url=settings.url)) from error
        if address.scheme != "https" and address.host not in {"127.0.0.1", "localhost", "[::1]"}:
            raise ServiceMisread(_messages("keys.csc_https", url=settings.url))
        self._settings = settings
        timeout = urllib3.Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        self._http = addresses.pool(settings.networks, timeout=timeout, retries=False)

    def info(self) -> Mapping[str, Any]:
        """Return what the service says of itself: ``name``, ``specs``, ``methods`` (11.1); no token is needed."""
        return self._call("info", {}, known=False)[1]

    def credentials(self) -> tuple[str, ...]:
        """Return the identifiers of the keys that the token gives access to (11.4)."""
        return tuple(str(one) for one in self._list(self._call("credentials/list", {})[1], "credentialIDs"))

    def credential(self, identifier: str) -> Credential:
        """Return one key (11.5).

        Raises:
            RemoteKeyRefused: it is disabled, its certificate is not good, or it is authorised in a browser only.
            KeyRefused: the certificate must not sign today.
        """
        asked = {"credentialID": identifier, "certificates": "chain", "certInfo": True, "authInfo": True}
        found = self._call("credentials/info", asked)[1]
        try:
            certificates = [x509.load_der_x509_certificate(_octets(one)) for one in found["cert"]["certificates"]]
            enabled = found["key"]["status"] == "enabled" and found["cert"].get("status", "valid") == "valid"
            algorithms = frozenset(str(one) for one in found["key"]["algo"])
            mode, proofs = self._authorisation(found)
            credential = Credential(
                identifier, certificates[0], tuple(certificates[1:]), algorithms, proofs, _positive(found["multisign"])
            )
        except (KeyError, IndexError, TypeError, AttributeError, *CERTIFICATE_FLAWS) as error:
            raise self._unreadable("credentials/info") from error
        if not enabled or mode == "oauth2code":
            raise RemoteKeyRefused(_messages("keys.csc_browser" if enabled else "keys.csc_disabled", key=identifier))
        check_fit(credential.certificate, clock.now())
        return credential

    def challenge(self, credential: Credential, proof: str) -> None:
        """Ask the service to send its one-time code to the holder (11.8; ``sendOTP`` in version 1)."""
        if self._settings.version == "v1":
            self._call("credentials/sendOTP", {"credentialID": credential.identifier})
        else:
            self._call("credentials/getChallenge", {"credentialID": credential.identifier, "authObjectID": proof})

    def authorize(self, credential: Credential, digests: Sequence[bytes], proofs: Mapping[str, str]) -> str:
        """Return the signature activation data that lets these very digests be signed, once (11.6, 11.7).

        Raises:
            ProofRefused: a proof is missing or wrong, or nobody approved in time.
        """
        missing = [name for name in credential.proofs if not proofs.get(name)]
        if missing:
            raise ProofRefused(_messages("keys.csc_missing", proofs=", ".join(missing)))
        shown = {name: proofs[name] for name in credential.proofs}
        body: dict[str, Any] = {"credentialID": credential.identifier, "numSignatures": len(digests)}
        if self._settings.version == "v1":
            body |= {"hash": _texts(digests), **shown}
        else:
            auth = [{"id": name, "value": value} for name, value in shown.items()]
            body |= {"hashes": _texts(digests), "hashAlgorithmOID": SHA256, "authData": auth}
        try:
            status, found = self._call("credentials/authorize", body)
        except ProofRefused as error:
            raise ProofRefused(_messages(_wrong_proof(credential.proofs))) from error
        limit = time.monotonic() + self._settings.patience
        while status == _PENDING:
            if time.monotonic() > limit:
                raise ProofRefused(_messages("keys.csc_unapproved"))
            time.sleep(1)
            status, found = self._call("credentials/authorizeCheck", {"handle": found.get("handle")})
        if not isinstance(found.get("SAD"), str):
            raise self._unreadable("credentials/authorize")
        return str(found["SAD"])

    def sign_hashes(self, credential: Credential, sad: str, digests: Sequence[bytes]) -> list[bytes]:
        """Return the signature values over SHA-256 digests, in their order and as the service encodes them (11.10)."""
        first = self._settings.version == "v1"
        body = {
            "credentialID": credential.identifier,
            "SAD": sad,
            "hash" if first else "hashes": _texts(digests),
            "hashAlgo" if first else "hashAlgorithmOID": SHA256,
            "signAlgo": credential.algorithm,
        }
        values = self._list(self._call("signatures/signHash", body)[1], "signatures")
        if len(values) != len(digests):
            raise self._unreadable("signatures/signHash")
        try:
            return [_octets(value) for value in values]
        except (TypeError, ValueError) as error:
            raise self._unreadable("signatures/signHash") from error

    def _authorisation(self, found: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
        if self._settings.version == "v1":
            named = [name for name in ("PIN", "OTP") if str(found.get(name, {}).get("presence", "false")).lower() == "true"]
            return found["authMode"], tuple(named)
        return found["auth"]["mode"], tuple(str(one["id"]) for one in found["auth"].get("objects", []))

    def _call(self, method: str, body: Mapping[str, Any], *, known: bool = True) -> tuple[int, dict[str, Any]]:
        url = f"{self._settings.url.rstrip('/')}/csc/{self._settings.version}/{method}"
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if known:
            headers["Authorization"] = f"Bearer {self._settings.token}"
        try:
            with self._http.request(
                "POST", url, body=json.dumps(body), headers=headers, preload_content=False, redirect=False
            ) as reply:
                data = reply.read(_LARGEST_REPLY + 1)
                status = int(reply.status)
        except urllib3.exceptions.HTTPError as error:
            raise ServiceUnavailable(_messages("keys.csc_unavailable", url=self._settings.url)) from error
        except ValueError as error:  # a token that no header can hold
            raise AccessEnded(_messages("keys.csc_access")) from error
        found = _object(data) if len(data) <= _LARGEST_REPLY else None
        if status not in {_OK, _PENDING, _DONE}:
            raise self._refusal(status, found or {})
        if status == _DONE:
            return status, {}
        if found is None:
            raise self._unreadable(method)
        return status, found

    def _refusal(self, status: int, found: Mapping[str, Any]) -> TabellionError:
        """Return the error to raise for an answer that is none (RFC 6749, 5.2, as 10.1 of the specification has it)."""
        if status >= _SERVER_FAULTS or status in _AGAIN:
            return ServiceUnavailable(_messages("keys.csc_unavailable", url=f"{self._settings.url} (HTTP {status})"))
        if status in _ACCESS or found.get("error") in {"invalid_token", "access_denied"}:
            return AccessEnded(_messages("keys.csc_access"))
        code, words = str(found.get("error", "")), str(found.get("error_description", ""))[:_LONGEST_REASON]
        said = words.lower()
        if any(word in said for word in _KEY_WORDS):
            return RemoteKeyRefused(_messages("keys.csc_key", detail=words))
        if code in _PROOF_ERRORS or any(word in said for word in _PROOF_WORDS):
            # In the service's words, which may be those of another language, it is of use to whoever runs the platform only.
            _log.warning("csc.proof_refused", code=code, words=words)
            return ProofRefused(_messages("keys.csc_proof"))
        if status != _BAD_REQUEST or not code or "parameter credentialid" in said:
            return ServiceMisread(_messages("keys.csc_misread", url=self._settings.url, detail=words or f"HTTP {status}"))
        return ServiceRefused(_messages("keys.csc_refused", detail=words or code))

    def _list(self, found: Mapping[str, Any], name: str) -> list[Any]:
        values = found.get(name)
        if not isinstance(values, list):
            raise self._unreadable(name)
        return values

    def _unreadable(self, method: str) -> ServiceRefused:
        return ServiceRefused(_messages("keys.csc_unreadable", method=method))


def _wrong_proof(asked: Sequence[str]) -> str:
    """Return what to say of proofs that are refused: a PIN is typed again, a one-time code is asked for anew."""
    if "OTP" in asked:
        return "keys.csc_code"
    return "keys.csc_pin" if "PIN" in asked else "keys.csc_proof"


def _texts(digests: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(digest).decode() for digest in digests]


def _positive(number: Any) -> int:
    if int(number) < 1:
        raise ValueError("a key that signs nothing")
    return int(number)


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
