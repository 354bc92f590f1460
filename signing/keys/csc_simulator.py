"""The other side of ``csc``: a signing service for demonstrations and tests, with keys that nobody believes.

It answers over real HTTP as the specification's tables of errors have it: a bearer token; activation data bound to the digests
and to their number, that run out and serve once; a one-time code that serves once; a key that three wrong proofs lock.

    python -m signing.keys.csc_simulator --folder var/csc --port 8089
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding

from core.listener import Listener
from signing.keys.csc_client import ECDSA_SHA256, RSA, RSA_SHA256, SHA256
from signing.pki import Credential, TestAuthority

_LARGEST_REQUEST = 1 << 20
_MOST_SIGNATURES = 100
_TRIES = 3
_DIGEST = 32


class Refusal(Exception):
    """An error answer of the specification (10.1)."""

    def __init__(self, description: str, error: str = "invalid_request", status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.status = status


@dataclass
class RemoteKey:
    """A key of the service.

    Attributes:
        credential: the key and its certificate.
        proofs: what its holder shows, by name; OTP is the one-time code of the moment, renewed once it has served.
        mode: ``explicit``, or ``oauth2code``, which a page of the service would authorise.
        approval: whether a telephone must approve: the first answer is then that it has not yet.
        enabled: whether it may sign.
        failures: wrong proofs in a row.
    """

    credential: Credential
    proofs: dict[str, str] = field(default_factory=dict)
    mode: str = "explicit"
    approval: bool = False
    enabled: bool = True
    failures: int = 0


@dataclass
class _Activation:
    key: str
    digests: list[str]
    left: int
    end: float


SHOWN_KEY = "ADJOINTE"  # the one that a demonstration tells: a PIN alone opens it


class CscSimulator(Listener):
    """A signing service that listens on a port.

    Attributes:
        anchor: the root certificate to put into a trust folder.
        token: the access token that it admits.
        keys: by identifier; a test may change them.
        lifetime: seconds that activation data are good for.
        outage: status that it answers to everything while it is not None.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 0, token: str | None = None) -> None:
        authority = TestAuthority.open(folder)
        self.anchor = authority.certificate
        self.token = token or secrets.token_urlsafe(24)
        self.keys = {
            "MAIRE": RemoteKey(authority.seal("DEMONSTRATION Maire", bits=2048), {"PIN": "5029", "OTP": _code()}),
            "ADJOINTE": RemoteKey(authority.seal("DEMONSTRATION Adjointe", family="ec", bits=256), {"PIN": "7316"}),
            "CACHET": RemoteKey(authority.seal(bits=2048)),
            "MOBILE": RemoteKey(authority.seal("DEMONSTRATION Directrice", family="ec", bits=256), approval=True),
            "NAVIGATEUR": RemoteKey(authority.seal(family="ec", bits=256), mode="oauth2code"),
        }
        self.lifetime = 300.0
        self.outage: int | None = None
        self._activations: dict[str, _Activation] = {}
        self._awaited: dict[str, _Activation] = {}
        self._lock = threading.Lock()
        super().__init__(ThreadingHTTPServer((host, port), _handler(self)), "csc-simulator")

    def answer(self, path: str, authorization: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the status and the object to answer.

        Raises:
            Refusal: with the words of the specification.
        """
        if self.outage is not None:
            raise Refusal("out of order", "server_error", self.outage)
        _, _, rest = path.partition("/csc/")
        version, _, method = rest.partition("/")
        known = _METHODS.get(method) if version in {"v1", "v2"} else None
        if known is None:
            raise Refusal("unknown method", status=404)
        if method != "info":
            self._check_access(authorization)
        with self._lock:
            return known(self, version, body)

    def info(self, version: str, _: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """11.1."""
        return 200, {
            "specs": "2.0.0.2" if version == "v2" else "1.0.4.0",
            "name": "DEMONSTRATION Signature à distance",
            "region": "FR",
            "lang": "fr-FR",
            "authType": ["oauth2client"],
            "methods": sorted(_METHODS),
        }

    def list_keys(self, _version: str, _: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """11.4."""
        return 200, {"credentialIDs": list(self.keys)}

    def describe(self, version: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """11.5."""
        key = self._key(body)
        public = key.credential.certificate.public_key()
        elliptic = isinstance(public, ec.EllipticCurvePublicKey)
        certificates = [key.credential.certificate, *key.credential.issuers]
        found: dict[str, Any] = {
            "key": {
                "status": "enabled" if key.enabled else "disabled",
                "algo": [ECDSA_SHA256] if elliptic else [RSA, RSA_SHA256],
                "len": public.key_size if isinstance(public, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else 0,
            },
            "cert": {
                "status": "valid",
                "certificates": [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in certificates],
            },
            "SCAL": "2",
            "multisign": _MOST_SIGNATURES,
        }
        if version == "v1":
            asked = {name: {"presence": "true" if name in key.proofs else "false"} for name in ("PIN", "OTP")}
            return 200, {**found, **asked, "authMode": key.mode}
        objects = [{"type": "Password", "id": name, "label": name} for name in key.proofs]
        return 200, {**found, "auth": {"mode": key.mode, "expression": " AND ".join(key.proofs), "objects": objects}}

    def send_code(self, _version: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """11.8: the code goes to the holder by another way; here it is in ``keys``."""
        if body.get("authObjectID", "OTP") not in self._key(body).proofs:
            raise Refusal("Invalid parameter authObjectID")
        return 204, {}

    def authorize(self, version: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """11.6."""
        key = self._key(body)
        if not key.enabled:
            raise Refusal("The credential identified by credentialID is disabled")
        if key.mode != "explicit":
            raise Refusal("Invalid parameter credentialID")
        digests, number = _digests(version, body), body.get("numSignatures")
        if not isinstance(number, int):
            raise Refusal("Missing (or invalid type) integer parameter numSignatures")
        if number < 1 or number != len(digests):
            raise Refusal("Invalid value for parameter numSignatures")
        if number > _MOST_SIGNATURES:
            raise Refusal("Numbers of signatures is too high")
        _check_proofs(key, _shown(version, body))
        activation = _Activation(str(body["credentialID"]), digests, number, time.monotonic() + self.lifetime)
        if key.approval:
            handle = secrets.token_urlsafe(16)
            self._awaited[handle] = activation
            return 202, {"handle": handle}
        return self._activated(activation)

    def check(self, _version: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """11.7: by the time that it is asked, the telephone has approved."""
        activation = self._awaited.pop(str(body.get("handle")), None)
        if activation is None:
            raise Refusal("Invalid parameter handle")
        return self._activated(activation)

    def sign(self, version: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """11.10."""
        key = self._key(body)
        digests = _digests(version, body)
        activation = self._activations.get(str(body.get("SAD")))
        if activation is None or activation.key != body["credentialID"]:
            raise Refusal("Invalid parameter SAD")
        if time.monotonic() > activation.end:
            raise Refusal("SAD expired")
        if not set(digests) <= set(activation.digests) or len(digests) > activation.left:
            raise Refusal("Hash is not authorized by the SAD")
        algorithm = body.get("signAlgo")
        if algorithm not in self.describe(version, body)[1]["key"]["algo"]:
            raise Refusal("Invalid parameter signAlgo")
        if algorithm == RSA and body.get("hashAlgo" if version == "v1" else "hashAlgorithmOID") != SHA256:
            raise Refusal("Missing (or invalid type) string parameter hashAlgorithmOID")
        activation.left -= len(digests)
        if activation.left == 0:
            del self._activations[str(body["SAD"])]
        return 200, {"signatures": [_value(key.credential, base64.b64decode(digest)) for digest in digests]}

    def _activated(self, activation: _Activation) -> tuple[int, dict[str, Any]]:
        sad = secrets.token_urlsafe(32)
        self._activations[sad] = activation
        return 200, {"SAD": sad, "expiresIn": int(self.lifetime)}

    def _check_access(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer":
            raise Refusal("Malformed authorization header")
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            raise Refusal("The access token is invalid or expired", "invalid_token", 401)

    def _key(self, body: Mapping[str, Any]) -> RemoteKey:
        identifier = body.get("credentialID")
        if not isinstance(identifier, str):
            raise Refusal("Missing (or invalid type) string parameter credentialID")
        if identifier not in self.keys:
            raise Refusal("Invalid parameter credentialID")
        return self.keys[identifier]


_METHODS: dict[str, Callable[[CscSimulator, str, Mapping[str, Any]], tuple[int, dict[str, Any]]]] = {
    "info": CscSimulator.info,
    "credentials/list": CscSimulator.list_keys,
    "credentials/info": CscSimulator.describe,
    "credentials/getChallenge": CscSimulator.send_code,
    "credentials/sendOTP": CscSimulator.send_code,
    "credentials/authorize": CscSimulator.authorize,
    "credentials/authorizeCheck": CscSimulator.check,
    "signatures/signHash": CscSimulator.sign,
}


def _digests(version: str, body: Mapping[str, Any]) -> list[str]:
    name = "hash" if version == "v1" else "hashes"
    given = body.get(name)
    if not isinstance(given, list):
        raise Refusal(f"Missing (or invalid type) array parameter {name}")
    if not given:
        raise Refusal("Empty hash array")
    for one in given:
        try:
            digest = base64.b64decode(one, validate=True)
        except (TypeError, ValueError) as error:
            raise Refusal("Invalid Base64 hash string parameter") from error
        if len(digest) != _DIGEST:
            raise Refusal("Invalid digest value length")
    return given


def _shown(version: str, body: Mapping[str, Any]) -> dict[str, str]:
    if version == "v1":
        return {name: str(body[name]) for name in ("PIN", "OTP") if name in body}
    given = body.get("authData", [])
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise Refusal("Missing (or invalid type) array parameter authData")
    return {str(one.get("id")): str(one.get("value")) for one in given}


def _check_proofs(key: RemoteKey, shown: Mapping[str, str]) -> None:
    if key.failures >= _TRIES:
        raise Refusal("Credential locked")
    right = [hmac.compare_digest(shown.get(name, "").encode(), value.encode()) for name, value in key.proofs.items()]
    if not all(right):
        key.failures += 1
        raise Refusal("The authentication data is invalid", "invalid_authentication_data")
    key.failures = 0
    if "OTP" in key.proofs:
        key.proofs["OTP"] = _code()


def _code() -> str:
    return f"{secrets.randbelow(10**6):06}"


def _value(credential: Credential, digest: bytes) -> str:
    sha256 = utils.Prehashed(hashes.SHA256())
    if isinstance(credential.key, rsa.RSAPrivateKey):
        return base64.b64encode(credential.key.sign(digest, padding.PKCS1v15(), sha256)).decode()
    return base64.b64encode(credential.key.sign(digest, ec.ECDSA(sha256))).decode()


def _handler(simulator: CscSimulator) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Speaks JSON over POST, as every method of the API does."""

        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            """Answer one call."""
            try:
                status, found = simulator.answer(self.path, self.headers.get("Authorization", ""), self._body())
            except Refusal as refusal:
                status, found = refusal.status, {"error": refusal.error, "error_description": str(refusal)}
            data = b"" if status == 204 else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _body(self) -> dict[str, Any]:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > _LARGEST_REQUEST:
                self.close_connection = True
                raise Refusal("too large", status=413)
            try:
                body = json.loads(self.rfile.read(int(length)))
            except ValueError as error:
                raise Refusal("Malformed JSON") from error
            if not isinstance(body, dict):
                raise Refusal("Malformed JSON")
            return body

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Stay silent: who signs is nobody's business."""

    return Handler


def main() -> None:
    """Serve until interrupted; the address, the token and the codes of the moment are written out."""
    parser = argparse.ArgumentParser(prog="python -m signing.keys.csc_simulator")
    parser.add_argument("--folder", type=Path, required=True, help="where the demonstration's authority is kept")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    simulator = CscSimulator(given.folder, port=given.port)
    simulator.start()
    sys.stdout.write(f"{simulator.url}\ntoken {simulator.token}\n")
    for name, key in simulator.keys.items():
        sys.stdout.write(f"{name} {key.proofs}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
