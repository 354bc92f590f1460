"""Verifying the signatures of any file: recognised by what it holds, never by its name, and given to the room that knows it.

Recognition reads the beginning only and decides nothing but who verifies: that room then holds the whole file against its own
strict rules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Self

from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from schemas.pes.roots import UNKNOWN, kind_of, root_of
from schemas.xml import DoctypeRefused, Malformed, root_of_file
from signing.armour import unarmoured_beginning
from signing.asic import verifier as asic
from signing.asic.container import ASIC_E, ASIC_S, opened
from signing.cades import verifier as cades
from signing.pes import verifier as pes
from signing.timestamp import verifier as timestamp
from signing.trust import TrustStore
from signing.verdicts import Belief, FileVerdict
from signing.xades import verifier as xades

_messages = Catalogue("signing")
_LARGEST = 256 << 20
_HEAD = 1 << 16
_BEFORE_PDF = 1024  # as far as viewers look for the beginning of a PDF
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")
_SEQUENCE, _EXPLICIT, _LONG = 0x30, 0xA0, 0x80


class Kind(StrEnum):
    """What carries signatures, as far as its beginning tells."""

    PDF = "pdf"
    ASIC = "asic"
    PES = "pes"
    XML = "xml"
    CMS = "cms"
    TIMESTAMP = "timestamp"


def verify(path: Path, *, detached: Path | None = None, trust: TrustStore | None, at: datetime | None = None) -> FileVerdict:
    """Verify every signature of a file.

    Args:
        path: of the file, or of the detached signature; its size is bounded by the caller.
        detached: the data that a detached signature or a timestamp is over.
        trust: who is believed; None means nobody: nothing better than indeterminate comes out.
        at: the moment of the verification, now by default.

    Raises:
        UnreadableInput: none of the kinds that are taken, or broken beyond reading.
        UsageError: data handed over for a file that carries its own, or none for a signature that lacks them.
    """
    try:
        return _verified(path, detached, trust, at)
    except DoctypeRefused as error:
        raise UnreadableInput(_messages("verification.doctype", line=error.line)) from error
    except Malformed as error:
        raise UnreadableInput(_messages("verification.malformed", line=error.line, reason=error.reason)) from error


def _verified(path: Path, detached: Path | None, trust: TrustStore | None, at: datetime | None) -> FileVerdict:
    kind = recognise(path)
    if detached is not None and kind in (Kind.PDF, Kind.ASIC, Kind.PES):
        raise UsageError(_messages("verification.own_data", file=path.name))
    match kind:
        case Kind.PDF:
            from signing.pades import verifier as pades  # heavy: pyHanko is loaded by who reads a PDF

            return pades.verify(path, trust=trust, at=at)
        case Kind.PES:
            return pes.verify(path, trust=trust, at=at)
        case Kind.XML:
            return xades.verify(path, detached=detached, trust=trust, at=at)
        case Kind.CMS:
            return cades.verify(path, detached=detached, trust=trust, at=at)
        case Kind.TIMESTAMP:
            return timestamp.verify(path, detached=detached, trust=trust, at=at)
        case Kind.ASIC:
            verdict = asic.verify(path, trust=trust, at=at)
    if verdict.verdict is Belief.UNSIGNED and not _calls_itself_container(path):
        raise UnreadableInput(_messages("verification.unknown", file=path.name))
    return verdict


def _calls_itself_container(path: Path) -> bool:
    with opened(path) as container:
        return container.type in {ASIC_E, ASIC_S}


def recognise(path: Path) -> Kind:
    """Tell what a file is from its first octets.

    Raises:
        UnreadableInput: none of the kinds that are taken, or larger than 256 MiB: detached signatures have no such limit on data.
    """
    if path.stat().st_size > _LARGEST:
        raise UnreadableInput(_messages("verification.large", file=path.name, limit=_LARGEST >> 20))
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if head.startswith(b"%PDF-"):
        return Kind.PDF
    if head.startswith(_ZIPS):
        return Kind.ASIC
    if head.startswith(_BOMS) or head.lstrip().startswith(b"<"):
        return Kind.PES if _is_pes(path) else Kind.XML
    if found := _message(head):
        return found
    if b"%PDF-" in head[:_BEFORE_PDF]:
        raise UnreadableInput(_messages("verification.before_pdf", file=path.name))
    raise UnreadableInput(_messages("verification.unknown", file=path.name))


def _is_pes(path: Path) -> bool:
    """Tell whether the root element is one of the PES; of what is no XML, the room says what is wrong."""
    root = root_of_file(path)
    return root is not None and (root_of(root) is not None or kind_of(root.rpartition("}")[2]) != UNKNOWN)


def _message(head: bytes) -> Kind | None:
    """Tell a CMS SignedData from a timestamp, bare or in its response (RFC 5652, 3 and 5.1; RFC 3161, 2.4.2); DER or PEM."""
    try:
        first = _Place(unarmoured_beginning(head)).inside(_SEQUENCE)
        if first.tag == _SEQUENCE:  # PKIStatusInfo: the token follows
            return Kind.TIMESTAMP if first.after().inside(_SEQUENCE).is_at(_SIGNED_DATA) else None
        if not first.is_at(_SIGNED_DATA):
            return None
        version = first.after().inside(_EXPLICIT).inside(_SEQUENCE)
        content = version.after().after().inside(_SEQUENCE)
        return Kind.TIMESTAMP if content.is_at(_TST_INFO) else Kind.CMS
    except (IndexError, ValueError):  # it ends too early, or is nested otherwise
        return None


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in the beginning of a DER encoding (X.690, 8.1), before a value."""

    octets: bytes
    offset: int = 0

    @property
    def tag(self) -> int:
        """The identifier octet of the value."""
        return self.octets[self.offset]

    def is_at(self, value: bytes) -> bool:
        """Tell whether the value is this one."""
        return self.octets.startswith(value, self.offset)

    def inside(self, tag: int) -> Self:
        """Go to the first value inside this one, which must have the tag."""
        if self.tag != tag:
            raise ValueError(f"{self.tag:#x} instead of {tag:#x}")
        return replace(self, offset=self._extent()[0])

    def after(self) -> Self:
        """Go to the value that follows."""
        return replace(self, offset=sum(self._extent()))

    def _extent(self) -> tuple[int, int]:
        """Return where the content begins, and its length; a length left open (BER) counts as none."""
        length, begin = self.octets[self.offset + 1], self.offset + 2
        if length < _LONG:
            return begin, length
        begin += (size := length - _LONG)
        return begin, int.from_bytes(self.octets[begin - size : begin])
