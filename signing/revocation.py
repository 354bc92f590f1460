"""Fetching what authorities say of their certificates, on reception, to keep it with the file: a list drops expired certificates.

The addresses stand in certificates that strangers made: only http and https, only public addresses unless the operator permits
others (``core.addresses``); sizes and times are bounded. Nothing here is used to verify: ``verify`` believes what this brings
only as far as who signed it is.
"""

from __future__ import annotations

import contextlib
import http.client
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from core import clock
from core.addresses import AddressRefused, Networks, PlainConnection, TlsConnection
from core.messages import Catalogue
from signing.extensions import extension
from signing.trust import Evidence
from signing.trust.notices import known, notices

_messages = Catalogue("signing")
_KINDS = {"http": PlainConnection, "https": TlsConnection}
_REDIRECTS = {301, 302, 303, 307, 308}
_OK = 200
_NONCE = 16
_RECENT = timedelta(hours=1)


class FetchFailed(Exception):
    """The address gives nothing that can be used; the message says why."""


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How far fetching goes.

    Attributes:
        permitted: networks that are consulted although they are not public.
        connect_timeout: seconds, for the connection and for each silence after it.
        whole_timeout: seconds for one address, its redirections included.
        largest_list: bytes of a revocation list.
        largest_answer: bytes of an OCSP answer.
        most_addresses: of each kind, for one certificate.
        most_redirects: for one address.
    """

    permitted: Networks = ()
    connect_timeout: float = 5.0
    whole_timeout: float = 30.0
    largest_list: int = 32 << 20
    largest_answer: int = 256 << 10
    most_addresses: int = 3
    most_redirects: int = 2


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was brought back.

    Attributes:
        evidence: the path's certificates, with the lists and answers that speak of them today; to be kept with the file.
        complete: every certificate below the last one of the path is spoken of.
        failures: in words, which addresses gave nothing.
    """

    evidence: Evidence
    complete: bool
    failures: tuple[str, ...]


class RevocationClient:
    """Fetches lists and answers over HTTP."""

    def __init__(self, settings: FetchSettings | None = None) -> None:
        self._settings = settings or FetchSettings()

    def gather(self, chain: Sequence[x509.Certificate]) -> Gathered:
        """Bring what is said today of each certificate of a path: OCSP first, the list when that says nothing.

        Args:
            chain: a path as ``TrustStatus.chain`` gives it: the certificate first, the anchor last.
        """
        lists: list[x509.CertificateRevocationList] = []
        answers: list[bytes] = []
        failures: list[str] = []
        complete = True
        for member, issuer in pairwise(chain):
            found = self._answer(member, issuer, failures)
            if found is not None:
                answers.append(found)
                continue
            listing = self._list(member, issuer, failures)
            if listing is not None:
                lists.append(listing)
            complete = complete and listing is not None
        evidence = Evidence(tuple(chain), tuple(lists), tuple(answers))
        return Gathered(evidence, complete, tuple(failures))

    def _answer(self, member: x509.Certificate, issuer: x509.Certificate, failures: list[str]) -> bytes | None:
        for url in _responders(member)[: self._settings.most_addresses]:
            nonce = secrets.token_bytes(_NONCE)
            try:
                data = self._fetch(url, self._settings.largest_answer, body=_question(member, issuer, nonce))
                if _repeats(data, nonce) and _speaks(member, issuer, answers=(data,)):
                    return data
                failures.append(_messages("trust.fetch", url=url, detail="OCSP"))
            except AddressRefused:
                failures.append(_messages("trust.address", url=url))
            except FetchFailed as error:
                failures.append(_messages("trust.fetch", url=url, detail=error))
        return None

    def _list(
        self, member: x509.Certificate, issuer: x509.Certificate, failures: list[str]
    ) -> x509.CertificateRevocationList | None:
        for url in _list_addresses(member)[: self._settings.most_addresses]:
            try:
                listing = _read_list(self._fetch(url, self._settings.largest_list))
                if _speaks(member, issuer, lists=(listing,)):
                    return listing
                failures.append(_messages("trust.fetch", url=url, detail="CRL"))
            except AddressRefused:
                failures.append(_messages("trust.address", url=url))
            except FetchFailed as error:
                failures.append(_messages("trust.fetch", url=url, detail=error))
        return None

    def _fetch(self, url: str, largest: int, *, body: bytes | None = None) -> bytes:
        """Return what an address gives, redirections followed, each address looked at anew.

        Raises:
            AddressRefused: a scheme or an address that may not be consulted.
            FetchFailed: no answer, another status than 200, too large, or too slow.
        """
        deadline = time.monotonic() + self._settings.whole_timeout
        for _ in range(self._settings.most_redirects + 1):
            target = _target(url)
            try:
                with contextlib.closing(self._connection(target)) as connection, _cut_at(connection, deadline):
                    reply = _requested(connection, target, body)
                    if reply.status == _OK:
                        return _bounded(reply, largest)
                    location = reply.headers.get("Location")
            except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
                raise FetchFailed(type(error).__name__) from error
            if reply.status not in _REDIRECTS or not location or body is not None:
                raise FetchFailed(f"HTTP {reply.status}")
            url = urljoin(url, location)
        raise FetchFailed("HTTP 3xx")

    def _connection(self, target: SplitResult) -> PlainConnection:
        kind, told = _KINDS[target.scheme], self._settings
        return kind(target.hostname, target.port or kind.default_port, timeout=told.connect_timeout, networks=told.permitted)


def _target(url: str) -> SplitResult:
    try:
        target = urlsplit(url)
        usable = target.scheme in _KINDS and bool(target.hostname) and target.username is None and target.port != 0
    except ValueError as error:
        raise AddressRefused(url) from error
    if not usable or any(ord(letter) <= ord(" ") for letter in url):
        raise AddressRefused(url)
    return target


def _requested(connection: PlainConnection, target: SplitResult, body: bytes | None) -> urllib3.BaseHTTPResponse:
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    ours = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
    headers = {} if body is None else ours
    method = "GET" if body is None else "POST"
    connection.request(method, path, body=body, headers=headers, preload_content=False, decode_content=False)
    return connection.getresponse()


@contextlib.contextmanager
def _cut_at(connection: PlainConnection, deadline: float) -> Iterator[None]:
    """Connect, and cut the line at the deadline: a server that gives one byte now and then would never meet a timeout."""
    connection.connect()
    line = connection.sock
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, [line])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(line, socket.SHUT_RDWR)


def _bounded(reply: urllib3.BaseHTTPResponse, largest: int) -> bytes:
    data: bytes = reply.read(largest + 1)
    if len(data) > largest:
        raise FetchFailed(f"> {largest >> 10} KiB")
    if reply.length_remaining:
        raise FetchFailed("timeout")
    return data


def _question(member: x509.Certificate, issuer: x509.Certificate, nonce: bytes) -> bytes:
    """Return an OCSPRequest; SHA-1 only names the issuer there, and is what responders know (RFC 5019, 2.1.1)."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(member, issuer, hashes.SHA1())  # noqa: S303
    return builder.add_extension(x509.OCSPNonce(nonce), critical=False).build().public_bytes(Encoding.DER)


def _repeats(answer: bytes, nonce: bytes) -> bool:
    """Tell whether an answer repeats the nonce, or has none, as those made in advance (RFC 5019, 4)."""
    try:
        found = ocsp.load_der_ocsp_response(answer).extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return found == nonce


def _speaks(
    member: x509.Certificate,
    issuer: x509.Certificate,
    *,
    lists: tuple[x509.CertificateRevocationList, ...] = (),
    answers: tuple[bytes, ...] = (),
) -> bool:
    """Tell whether what was fetched says something of the certificate, today, in the name of its issuer."""
    now = clock.now()
    found = notices(member, issuer, lists, answers, at=now)
    return known(found, now) or any(notice.said >= now - _RECENT for notice in found)


def _read_list(data: bytes) -> x509.CertificateRevocationList:
    try:
        return x509.load_pem_x509_crl(data) if b"-----BEGIN X509 CRL-----" in data else x509.load_der_x509_crl(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FetchFailed("CRL") from error


def _responders(member: x509.Certificate) -> list[str]:
    access = extension(member, x509.AuthorityInformationAccess) or ()
    places = (entry.access_location for entry in access if entry.access_method == AuthorityInformationAccessOID.OCSP)
    return list(_urls(places))


def _list_addresses(member: x509.Certificate) -> list[str]:
    points = extension(member, x509.CRLDistributionPoints) or ()
    return list(_urls(name for point in points for name in point.full_name or ()))


def _urls(names: Iterator[x509.GeneralName]) -> Iterator[str]:
    return (name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))
