"""Opening a PDF that a stranger made, with every way in which pyHanko may fail on one.

It is read in this process. What is bounded: the file's size, what its streams inflate to (pyHanko's own limits for documents of
strangers), the number of its revisions and of its signatures. A worker process bounds memory and time for all that it does.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Collection
from functools import partial
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from typing import Any

from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.decode_limits import DecodeLimits
from pyhanko.pdf_utils.generic import Reference
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import SuspiciousModification
from pyhanko.sign.general import CMSExtractionError, CMSStructuralError, SigningError
from pyhanko.sign.validation.errors import SignatureValidationError

from core.errors import UnreadableInput
from core.messages import Catalogue
from signing import oids
from signing.pades import LARGEST

_messages = Catalogue("signing")
oids.complete()
_MOST_REVISIONS = 200
BLANKS = b"\0\t\n\f\r "
"""White space (ISO 32000-2, 7.2.3)."""
_DRAWN = {"/Rect", "/Subtype", "/AP"}
_LAST_OCTETS = 1024  # where the end is looked for
_ENDS = re.compile(rb"(%%EOF[\0\t\n\f\r ]*)(?:%%EOF[\0\t\n\f\r ]*)+\Z")
# the ways in which pyHanko says, or shows, that it cannot make sense of a document
FLAWS = (
    PdfError,
    SigningError,
    SignatureValidationError,
    SuspiciousModification,
    CMSExtractionError,
    CMSStructuralError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    zlib.error,
)


class PdfUnreadable(UnreadableInput):
    """What was handed over cannot be read as a PDF."""


class Filed(BufferedReader):
    """A document that stays in its file, of 160 MiB at most: a stream, and octets that are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(FileIO(path))
        self._size = os.fstat(self.fileno()).st_size
        if self._size > LARGEST:
            self.close()
            raise PdfUnreadable(_messages("pades.large", limit=LARGEST >> 20))

    def __len__(self) -> int:
        """How many octets there are."""
        return self._size

    def __getitem__(self, wanted: slice) -> bytes:
        """Read a stretch of them."""
        start, stop, _ = wanted.indices(self._size)
        return os.pread(self.fileno(), max(stop - start, 0), start)


Octets = bytes | Filed
"""The whole of a document."""


def bounded(path: Path) -> bytes:
    """Return the octets of a file of 160 MiB at most.

    Raises:
        PdfUnreadable: it is larger.
    """
    with path.open("rb") as stream:
        octets = stream.read(LARGEST + 1)
    if len(octets) > LARGEST:
        raise PdfUnreadable(_messages("pades.large", limit=LARGEST >> 20))
    return octets


def opened(octets: Octets, *, strict: bool = True) -> PdfFileReader:
    """Open a document; one that is encrypted under no password is opened with none.

    Args:
        octets: the whole file.
        strict: refuse tables of objects that stray from ISO 32000, with which two programs could read two documents; in the
            objects themselves what is missing or badly ended is allowed either way, as many documents are so.

    Raises:
        PdfUnreadable: no PDF, broken, encrypted under a password, or of more than 200 revisions.
    """
    try:
        source = _ended_once(octets)
        reader = PdfFileReader(source, strict=strict, decode_limits=DecodeLimits.for_untrusted_input())
        reader.strict = False
        locked = reader.encrypted and reader.decrypt("").status is AuthStatus.FAILED
        revisions = reader.total_revisions
        if not locked and "/Pages" not in reader.root:
            raise PdfUnreadable(_messages("pades.unreadable"))
    except FLAWS as error:
        raise PdfUnreadable(_messages("pades.unreadable")) from error
    if locked:
        raise PdfUnreadable(_messages("pades.encrypted"))
    if revisions > _MOST_REVISIONS:
        raise PdfUnreadable(_messages("pades.revisions", found=revisions, limit=_MOST_REVISIONS))
    return reader


def _ended_once(octets: Octets) -> Filed | BytesIO:
    """Return a document as a stream, without repetitions of the mark of its end: its tables are told before the first one.

    They are not forgotten (``Document.has_tail``).
    """
    start = max(0, len(octets) - _LAST_OCTETS)
    found = _ENDS.search(octets[start:])
    if found is not None:
        return BytesIO(octets[: start + found.end(1)])
    return octets if isinstance(octets, Filed) else BytesIO(octets)


def reads_one_way(reader: PdfFileReader, revision: int, values: Collection[Reference] = ()) -> bool:
    """Tell whether all programs read the same in the objects of a revision: of a key that stands twice they take either value.

    Args:
        reader: of the document.
        revision: of it.
        values: of signatures, which are left out where they are nothing that could be drawn: tools are met that name their
            type twice.
    """
    read = partial(reader.get_object, revision=revision, transparent_decrypt=False)  # as of the past, so that it is read again
    doubtful = []
    for reference in reader.xrefs.explicit_refs_in_revision(revision):
        lenient, reader.strict = reader.strict, True
        try:
            read(reference)
        except FLAWS:
            doubtful.append(reference)
        finally:
            reader.strict = lenient
    return all(one in values and not _DRAWN & read(one).keys() for one in doubtful)


def value_of(dictionary: Any, key: str, default: Any = None) -> Any:
    """Return the value of a key with references followed, which ``get`` of pyHanko's dictionaries does not."""
    try:
        return dictionary[key]
    except KeyError:
        return default
