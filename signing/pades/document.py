"""What a PDF holds of signatures, read into plain values: where each one is, what it covers, what came after it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Self

from asn1crypto import parser
from cryptography import x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.reader import PdfFileReader, process_data_at_eof
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm, enumerate_sig_fields
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.pdf_embedded import extract_contents

from core import clock
from core.messages import Catalogue
from signing.algorithms import CERTIFICATE_FLAWS
from signing.pades.pdf import BLANKS, FLAWS, Octets, PdfUnreadable, opened, value_of
from signing.trust import Evidence

_messages = Catalogue("signing")
_MOST_SIGNATURES = 100
_PIECE = 1 << 20
_MOST_EVIDENCE = 1000


@dataclass(frozen=True, slots=True)
class Embedded:
    """A signature, or a document timestamp, in its field (ISO 32000-2, 12.8.1).

    Attributes:
        field: name of the field.
        encoding: its SubFilter: ``/ETSI.CAdES.detached`` …
        is_stamp: a document timestamp.
        message: the CMS in DER, its padding taken off; empty when there is none.
        moment: the time that the signature dictionary claims (M).
        revision: of the document, from 0, in which it was written.
        first: length of the octets signed before its value.
        start: offset of those signed after it.
        end: offset after the last octet signed; None when what is signed is not the document up to there but for the value.
        permission: what it lets others change (DocMDP); None when it says nothing.
        locked: the fields that it locks.
    """

    field: str
    encoding: str
    is_stamp: bool
    message: bytes
    moment: datetime | None
    revision: int
    first: int
    start: int
    end: int | None
    permission: MDPPerm | None
    locked: FieldMDPSpec | None

    def covers(self, other: Embedded) -> bool:
        """Tell whether it was made over the other one, value included."""
        return self.end is not None and other.end is not None and self.first >= other.end


@dataclass(frozen=True)
class Document:
    """A PDF and its signatures, in the order in which they were made.

    Attributes:
        octets: the whole file.
        reader: of pyHanko.
        strict: its tables of objects keep to ISO 32000, so that its revisions can be compared.
        embedded: every signature and document timestamp.
    """

    octets: Octets
    reader: PdfFileReader
    strict: bool
    embedded: tuple[Embedded, ...]

    @classmethod
    def read(cls, octets: Octets) -> Self:
        """Read a document, however sloppily it is written.

        Raises:
            PdfUnreadable: no PDF, broken, encrypted, or with more revisions or signatures than can be held.
        """
        try:
            return cls._of(octets, strict=True)
        except PdfUnreadable:
            return cls._of(octets, strict=False)

    @classmethod
    def _of(cls, octets: Octets, *, strict: bool) -> Self:
        reader = opened(octets, strict=strict)
        try:
            fields = list(enumerate_sig_fields(reader, filled_status=True))
            if len(fields) > _MOST_SIGNATURES:
                raise PdfUnreadable(_messages("pades.many", found=len(fields), limit=_MOST_SIGNATURES))
            embedded = [_embedded(reader, octets, name, field.get_object()) for name, _, field in fields]
        except FLAWS as error:
            raise PdfUnreadable(_messages("pades.unreadable")) from error
        return cls(octets, reader, strict, tuple(sorted(embedded, key=lambda one: one.revision)))

    @property
    def signatures(self) -> tuple[Embedded, ...]:
        """Those of signatories."""
        return tuple(one for one in self.embedded if not one.is_stamp)

    @cached_property
    def has_tail(self) -> bool:
        """Whether something stands after the last revision that is none: a program that mends files might take it for one."""
        table = self.reader.xrefs.get_xref_container_info(self.reader.total_revisions - 1).end_location
        _, _, tail = self.octets[table:].partition(b"%%EOF")
        return bool(tail.strip(BLANKS))

    @cached_property
    def empty_fields(self) -> dict[str, Any]:
        """The signature fields that wait for a signature, by their names."""
        return {name: field.get_object() for name, _, field in enumerate_sig_fields(self.reader, filled_status=False)}

    @property
    def has_free_numbers(self) -> bool:
        """Whether new objects get numbers that none has yet: a document may say that it has fewer objects than it has."""
        xrefs = self.reader.xrefs
        used = (one.idnum for revision in range(self.reader.total_revisions) for one in xrefs.explicit_refs_in_revision(revision))
        return max(used, default=0) < int(self.reader.trailer["/Size"])

    @property
    def takes_evidence(self) -> bool:
        """Whether evidence can be added to the security store, which may be absent, or broken."""
        try:
            DocumentSecurityStore.read_dss(self.reader)
        except NoDSSFoundError:
            return True
        except FLAWS:
            return False
        return True

    def new_name(self, word: str) -> str:
        """Return a name for a field that no field bears: a word and a number."""
        fields = [one.get_object() for one in value_of(value_of(self.reader.root, "/AcroForm", {}), "/Fields", [])]
        taken = {str(value_of(field, "/T")) for field in fields}
        return next(name for rank in range(1, len(taken) + 2) if (name := f"{word}{rank}") not in taken)

    def digest(self, embedded: Embedded, hash_name: str) -> bytes:
        """Return the digest of the octets that a signature is over; its ``end`` must be known."""
        digest = hashlib.new(hash_name)
        for start, end in ((0, embedded.first), (embedded.start, embedded.end or 0)):
            for place in range(start, end, _PIECE):
                digest.update(self.octets[place : min(place + _PIECE, end)])
        return digest.digest()

    def is_followed(self, embedded: Embedded) -> bool:
        """Tell whether something was written after a signature that is more than what LTA adds: another signature."""
        return any(other.revision > embedded.revision for other in self.signatures)

    @cached_property
    def evidence(self) -> Evidence:
        """What the document security store holds (ISO 32000-2, 12.8.4.3); what cannot be read in it is left out."""
        try:
            store = value_of(self.reader.root, "/DSS", {})
            return Evidence(
                tuple(_certificates(_streams(store, "/Certs", DecodePurpose.CERTIFICATE))),
                tuple(_lists(_streams(store, "/CRLs", DecodePurpose.CRL))),
                tuple(_streams(store, "/OCSPs", DecodePurpose.OCSP_RESPONSE)),
            )
        except FLAWS:
            return Evidence()

    def holds_evidence(self, revision: int) -> bool:
        """Tell whether there was a security store already in a revision."""
        try:
            return "/DSS" in self.reader.get_historical_root(revision)
        except FLAWS:
            return False


def _embedded(reader: PdfFileReader, octets: Octets, name: str, field: Any) -> Embedded:
    reference = field.raw_get("/V")
    dictionary = reference.get_object()
    revision = reader.xrefs.get_last_change(reference.reference)
    encoding = str(value_of(dictionary, "/SubFilter", ""))
    contents = extract_contents(dictionary)
    first, start, end = _extent(reader, octets, value_of(dictionary, "/ByteRange", []), contents, revision)
    return Embedded(
        field=name,
        encoding=encoding,
        is_stamp=encoding == "/ETSI.RFC3161",
        message=_message(contents),
        moment=_moment(dictionary),
        revision=revision,
        first=first,
        start=start,
        end=end,
        permission=_permission(dictionary, field),
        locked=_locked(dictionary),
    )


def _extent(reader: PdfFileReader, octets: Octets, ranges: Any, contents: bytes, revision: int) -> tuple[int, int, int | None]:
    """Return what a signature covers: all octets of its revision from the first one but for its own value, or nothing."""
    try:
        zero, first, start, length = (int(one) for one in ranges)
        end = start + length
        between = octets[first:start]
        held = between[:1] == b"<" and between[-1:] == b">" and bytes.fromhex(between[1:-1].decode("ascii")) == contents
        if zero != 0 or not 0 < first < start <= end <= len(octets) or not held:
            return 0, 0, None
        ends = {len(octets), reader.stream.seek(0, os.SEEK_END)}  # with and without a mark of the end that is repeated
        if end not in ends and not _ends_revision(reader, end, revision):
            return 0, 0, None
    except FLAWS:
        return 0, 0, None
    return first, start, end


def _ends_revision(reader: PdfFileReader, end: int, revision: int) -> bool:
    reader.stream.seek(end)
    last = process_data_at_eof(reader.stream) == reader.xrefs.get_startxref_for_revision(revision)
    tables = (reader.xrefs.get_xref_container_info(one).end_location for one in range(revision + 1))
    return last and all(table <= end for table in tables)


def _message(contents: bytes) -> bytes:
    """Take the zeros off that fill the place kept for a signature."""
    try:
        length = parser.peek(contents)
    except ValueError:
        return b""
    return b"" if contents[length:].strip(b"\0") else contents[:length]


def _moment(dictionary: Any) -> datetime | None:
    try:
        return clock.as_utc(generic.parse_pdf_date(str(dictionary["/M"]), strict=False))
    except FLAWS:
        return None


def _permission(dictionary: Any, field: Any) -> MDPPerm | None:
    parameters = _transform(dictionary, "/DocMDP")
    if parameters is not None:
        return MDPPerm(int(value_of(parameters, "/P", MDPPerm.FILL_FORMS.value)))
    lock = value_of(field, "/Lock", {})
    return MDPPerm(int(lock["/P"])) if "/P" in lock else None


def _locked(dictionary: Any) -> FieldMDPSpec | None:
    parameters = _transform(dictionary, "/FieldMDP")
    return None if parameters is None else FieldMDPSpec.from_pdf_object(parameters)


def _transform(dictionary: Any, method: str) -> Any:
    """Return the parameters of a transform of a signature reference (ISO 32000-2, 12.8.2), or None."""
    for reference in value_of(dictionary, "/Reference", []):
        found = reference.get_object()
        if value_of(found, "/TransformMethod") == method:
            return value_of(found, "/TransformParams", {})
    return None


def _streams(store: Any, key: str, purpose: DecodePurpose) -> Iterator[bytes]:
    for reference in list(value_of(store, key, []))[:_MOST_EVIDENCE]:
        try:
            yield bytes(reference.get_object().read_data(purpose))
        except FLAWS:
            continue


def _certificates(ders: Iterator[bytes]) -> Iterator[x509.Certificate]:
    for der in ders:
        try:
            certificate = x509.load_der_x509_certificate(der)
            _ = certificate.public_key(), certificate.extensions, certificate.issuer, certificate.subject
        except (*CERTIFICATE_FLAWS, *FLAWS):
            continue
        yield certificate


def _lists(ders: Iterator[bytes]) -> Iterator[x509.CertificateRevocationList]:
    for der in ders:
        try:
            listing = x509.load_der_x509_crl(der)
            _ = listing.extensions, listing.issuer
        except (*CERTIFICATE_FLAWS, *FLAWS):
            continue
        yield listing
