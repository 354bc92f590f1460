"""The files of an act as they come over the wire: fields and files in any order, kept one after the other, bounded in all.

A client puts fields before files, after them or between them; which file is which is told by names alone, and what is said of
the annexes (type, signature) by rank. Nothing is judged here but what could not be kept or named.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from api.acts.form import Mixed
from api.words import messages
from core.blobs import Readable, TooLarge
from core.errors import Refused, UsageError
from core.messages import Catalogue
from core.platform import Platform
from flows.actes.act import JoinedFile
from flows.actes.composing import EXTENSIONS
from flows.actes.intake import media_type_of
from schemas.actes.archive import DEFAULT_LIMITS
from schemas.actes.wording import problem

LARGEST = DEFAULT_LIMITS.documents
"""Bytes of an act and its annexes together (rule R05)."""

AROUND = 1 << 20
"""Bytes that a form may add around its files."""

_t = Catalogue("api.acts")
_MOST_PARTS = 3 * DEFAULT_LIMITS.files + 100
_LONGEST_NAME = 255
_HEAD = 16
_RANK = re.compile(r"\[[0-9]{0,4}\]$")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f]")
_TYPE = re.compile(r"[A-Z0-9_]{5}")
_UNKNOWN_MEDIA = "application/octet-stream"
_BEGINNINGS = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"<?xml": "application/xml",
    b"\xef\xbb\xbf<?xml": "application/xml",
}


@dataclass(frozen=True, slots=True)
class Names:
    """How a face calls the parts of its form; a name that ends in ``[]`` also stands with a rank in it.

    Attributes:
        fields: that stand once.
        annexes, annexes_signature, annexes_type: files, detached signatures over them and their typologies, by rank.
        document, signature, type: the same of the main file, which stands once; empty where there is none.
        repeated: fields that may stand several times; their values are joined by commas.
        ignores: fields of other names are passed over, as some software adds its own; files never are.
    """

    fields: frozenset[str]
    annexes: str
    annexes_type: str
    document: str = ""
    type: str = ""
    signature: str = ""
    annexes_signature: str = ""
    repeated: frozenset[str] = frozenset()
    ignores: bool = False

    @property
    def files(self) -> frozenset[str]:
        """Names of the parts that are files."""
        return frozenset({self.document, self.signature, self.annexes, self.annexes_signature} - {""})

    @property
    def texts(self) -> frozenset[str]:
        """Names of the parts that are fields."""
        return self.fields | self.repeated | ({self.type, self.annexes_type} - {""})


@dataclass(slots=True)
class Gathered:
    """What came in a form.

    Attributes:
        values: fields that stand once, each stripped.
        document: the main file; None without one.
        annexes: the others, in their order.
    """

    values: dict[str, str] = field(default_factory=dict)
    document: JoinedFile | None = None
    annexes: list[JoinedFile] = field(default_factory=list)


def gather(platform: Platform, source: Readable, content_type: str, names: Names, largest: int = LARGEST) -> Gathered:
    """Read a form to its end, keeping its files on the way.

    Args:
        platform: its parts.
        source: the body.
        content_type: the header that names the boundary.
        names: of its parts.
        largest: bytes that the files may have in all.

    Raises:
        UnknownBody, UnreadableInput: no multipart form, or not a whole one.
        UsageError: an unknown or doubled part, an empty file, a typology that cannot be one.
        TooLarge: one file above the platform's limit, or all of them above theirs.
    """
    form = Mixed(source, content_type)
    measured = _Measured(form, largest)
    texts: dict[str, list[str]] = defaultdict(list)
    files: dict[str, list[JoinedFile | None]] = defaultdict(list)
    for count, (name, file_name) in enumerate(form.parts(), 1):
        if count > _MOST_PARTS:
            raise UsageError(_t("form.parts", most=_MOST_PARTS))
        plain = _RANK.sub("[]", name)
        if plain in names.files and file_name is not None:
            files[plain].append(_kept(platform, measured, file_name))
        elif file_name is None and (plain in names.texts or names.ignores):
            texts[plain].append(form.text(plain))
        elif plain in names.files and not form.text(plain):  # how some clients write that no file was chosen
            files[plain].append(None)
        else:
            known = ", ".join(sorted(names.files | names.texts))
            raise UsageError(messages("form.unknown", name=plain[:60], allowed=known))
    _refuse_doubled(texts, files, names)
    return Gathered(
        {name: ",".join(found) for name, found in texts.items() if name in names.fields | names.repeated},
        _first(_paired(files[names.document], texts[names.type], files[names.signature])),
        _paired(files[names.annexes], texts[names.annexes_type], files[names.annexes_signature]),
    )


def _refuse_doubled(texts: dict[str, list[str]], files: dict[str, list[JoinedFile | None]], names: Names) -> None:
    once = names.fields | {names.type, names.document, names.signature}
    for found in (texts, files):
        for name, values in found.items():
            if name in once and len(values) > 1:
                raise UsageError(messages("form.doubled", name=name))


def _paired(
    files: Sequence[JoinedFile | None], types: Sequence[str], signatures: Sequence[JoinedFile | None]
) -> list[JoinedFile]:
    """Return the files with what is said of each by rank; a rank without a file counts, and gives nothing."""
    if any(types[len(files) :]) or any(signatures[len(files) :]):
        raise UsageError(_t("form.ranks", files=len(files)))
    return [
        _joined(one, types[rank] if rank < len(types) else None, signatures[rank] if rank < len(signatures) else None)
        for rank, one in enumerate(files)
        if one is not None
    ]


def _joined(one: JoinedFile, type: str | None, signature: JoinedFile | None) -> JoinedFile:  # noqa: A002
    """Return a file with its typology and a detached signature over it.

    Raises:
        UsageError: the typology cannot be one.
    """
    if type and not _TYPE.fullmatch(type):
        raise UsageError(_t("form.type", name=one.name, found=type[:20]))
    return JoinedFile(one.name, one.media_type, one.sha256, one.size, type or None, signature)


def _first(found: Sequence[JoinedFile]) -> JoinedFile | None:
    return found[0] if found else None


def _kept(platform: Platform, measured: _Measured, file_name: str) -> JoinedFile | None:
    """Keep a file; None when it is the empty part that stands for no file at all."""
    measured.begin()
    blob = platform.objects.put(measured, platform.settings.upload_limit)
    shown = _INVISIBLE.sub("", PurePath(file_name.replace("\\", "/")).name)[-_LONGEST_NAME:]
    if not blob.size:
        if shown:
            raise UsageError(_t("file.empty", name=shown))
        return None
    return JoinedFile(shown or "document", media_type(shown, measured.head), blob.sha256, blob.size)


def media_type(name: str, head: bytes) -> str:
    """Return the media type that the name of a file tells; how it begins tells where the name does not."""
    told = media_type_of(name)
    if told != _UNKNOWN_MEDIA:
        return told
    return next((kind for beginning, kind in _BEGINNINGS.items() if head.startswith(beginning)), _UNKNOWN_MEDIA)


class _Measured:
    """The files of a form one after the other, measured in all; how the one under way begins is kept."""

    def __init__(self, form: Mixed, largest: int) -> None:
        self._form, self._largest, self._read = form, largest, 0
        self.head = b""

    def begin(self) -> None:
        self.head = b""

    def read(self, size: int = -1, /) -> bytes:
        piece = self._form.read(size)
        self._read += len(piece)
        if self._read > self._largest:
            raise TooLarge(self._largest)
        if len(self.head) < _HEAD:
            self.head += piece[: _HEAD - len(self.head)]
        return piece


def refuse_large(files: Collection[JoinedFile | None], largest: int = LARGEST) -> None:
    """Go on only if files that came otherwise are not too large in all.

    Raises:
        TooLarge: they are.
    """
    if sum(one.size for one in files if one is not None) > largest:
        raise TooLarge(largest)


def refuse_unsendable(documents: Sequence[JoinedFile]) -> None:
    """Go on only with documents of a format that the norm takes (rule R23).

    Raises:
        Refused: some are of another.
    """
    unfit = [one.name for one in documents if one.media_type not in EXTENSIONS]
    if unfit:
        raise Refused([problem("R23", "extension", path=name, found=name) for name in unfit])
