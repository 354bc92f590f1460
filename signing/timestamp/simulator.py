"""A timestamping authority for demonstrations and tests: real RFC 3161 tokens over HTTP, from a key that nobody believes.

Its root and its certificate are made in a folder the first time that it starts. The client is in ``client``.
"""

from __future__ import annotations

import hashlib
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from core import clock
from core.errors import Misconfigured
from core.listener import Listener
from signing.pki import Credential, TestAuthority, write_private
from signing.timestamp.client import TimestampResponse

POLICY = "1.3.6.1.4.1.99999.1.1"
_LENGTHS = {"sha256": 32, "sha384": 48, "sha512": 64}
_LARGEST_QUERY = 64 << 10


class TsaSimulator(Listener):
    """A timestamping authority that listens on a port.

    Attributes:
        anchor: the root certificate to put into a trust folder.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        authority = TestAuthority.open(folder)
        self.anchor = authority.certificate
        self._credential = _kept(folder, authority)
        super().__init__(ThreadingHTTPServer((host, port), _handler(self)), "tsa-simulator")

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{super().url}/"

    def answer(self, query: bytes) -> bytes:
        """Return the DER of the response to a TimeStampReq (RFC 3161, 2.4)."""
        try:
            request = tsp.TimeStampReq.load(query, strict=True)
            imprint = request["message_imprint"]
            known = _LENGTHS.get(imprint["hash_algorithm"]["algorithm"].native)
            length = len(imprint["hashed_message"].native)
            policy = request["req_policy"].native
        except (ValueError, TypeError):
            return _rejected("bad_data_format")
        if known is None or length != known:
            return _rejected("bad_alg")
        if policy not in {None, POLICY}:
            return _rejected("unaccepted_policy")
        response = TimestampResponse({"status": {"status": "granted"}, "time_stamp_token": self._token(request)})
        der: bytes = response.dump()
        return der

    def _token(self, request: tsp.TimeStampReq) -> cms.ContentInfo:
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": POLICY,
                "message_imprint": request["message_imprint"],
                "serial_number": secrets.randbits(63),
                "gen_time": clock.now().replace(microsecond=0),
                "nonce": request["nonce"].native,
            }
        ).dump()
        certificate = asn1_x509.Certificate.load(self._credential.certificate.public_bytes(Encoding.DER))
        sha256 = algos.DigestAlgorithm({"algorithm": "sha256"})
        attributes = _signed_attributes(info, certificate)
        signer = {
            "version": "v1",
            "sid": {"issuer_and_serial_number": {"issuer": certificate.issuer, "serial_number": certificate.serial_number}},
            "digest_algorithm": sha256,
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "sha256_rsa"},
            "signature": self._sign(attributes.dump()),
        }
        signed = {
            "version": "v3",
            "digest_algorithms": [sha256],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
            "signer_infos": [signer],
        }
        if request["cert_req"].native:
            signed["certificates"] = [certificate]
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})

    def _sign(self, octets: bytes) -> bytes:
        key = self._credential.key
        if not isinstance(key, rsa.RSAPrivateKey):
            raise Misconfigured("tsa.key")
        return key.sign(octets, padding.PKCS1v15(), hashes.SHA256())


def _signed_attributes(info: bytes, certificate: asn1_x509.Certificate) -> cms.CMSAttributes:
    """Return the attributes that RFC 3161 (2.4.2) and RFC 5816 ask for: the certificate is named by its SHA-256."""
    identifier = {"cert_hash": hashlib.sha256(certificate.dump()).digest()}
    values = {
        "content_type": "tst_info",
        "message_digest": hashlib.sha256(info).digest(),
        "signing_certificate_v2": tsp.SigningCertificateV2({"certs": [identifier]}),
    }
    return cms.CMSAttributes([cms.CMSAttribute({"type": kind, "values": [value]}) for kind, value in values.items()])


def _rejected(failure: str) -> bytes:
    status = tsp.PKIStatusInfo({"status": "rejection", "fail_info": {failure}})
    der: bytes = TimestampResponse({"status": status}).dump()
    return der


def _kept(folder: Path, authority: TestAuthority) -> Credential:
    """Read the authority's key and certificate from the folder, or make them there the first time."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / "tsa.pem").read_bytes())
        key = load_pem_private_key((folder / "tsa.key").read_bytes(), None)
    except FileNotFoundError:
        credential = authority.timestamping()
        write_private(folder / "tsa.key", credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / "tsa.pem").write_bytes(credential.certificate.public_bytes(Encoding.PEM))
        return credential
    except ValueError as error:
        raise Misconfigured(f"{folder}: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Misconfigured(f"{folder}/tsa.key")
    return Credential(key, certificate, (authority.certificate,))


def _handler(simulator: TsaSimulator) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Speaks RFC 3161, 3.4."""

        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            """Answer one query."""
            length = self.headers.get("Content-Length", "")
            if self.headers.get_content_type() != "application/timestamp-query":
                self.send_error(415)
                return
            if not length.isdigit() or int(length) > _LARGEST_QUERY:
                self.send_error(413)
                return
            reply = simulator.answer(self.rfile.read(int(length)))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Stay silent: who asks for timestamps is nobody's business."""

    return Handler
