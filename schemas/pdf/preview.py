"""The pages of a document that nobody trusts, through the sandbox; what comes back is checked as the document would be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from core import sandbox
from core.errors import UnreadableInput
from core.sandbox import JsonValue
from schemas.pdf.pages import Inspection, messages
from schemas.pdf.sizes import LONGEST_SIDE

_MEMORY = 512 << 20
_SECONDS = 15.0
_LARGEST_IMAGE = 16 << 20
_TEXTS = TypeAdapter(list[str])


class NotShown(UnreadableInput):
    """The document, or a page of it, cannot be shown."""


def not_shown() -> NotShown:
    """Return the error of a document, or a page, that breaks or outlasts its reader."""
    return NotShown(messages("problem.broken"))


def inspect(document: Path, first: int, last: int, *, text: bool) -> Inspection:
    """Return what a document is, and its pages from ``first`` to ``last``; a document that cannot be read says so in ``problem``.

    Args:
        document: alone in its folder, which the sandbox may fill.
        first: page, from 1.
        last: page.
        text: whether what is neither PDF nor picture may be plain text.

    Raises:
        NotShown: it breaks or outlasts its reader.
        Unavailable: too many wait for the sandbox.
    """
    try:
        found = _called("inspect", document, {"first": first, "last": last, "text": text})
        return Inspection.model_validate(found)
    except (sandbox.SandboxError, ValidationError) as error:
        raise not_shown() from error


def images(document: Path, kind: str, first: int, last: int, width: int) -> Mapping[int, bytes]:
    """Return pages as WebP by number, those that can be drawn: all of them in one go, or none when one of them breaks it.

    Args:
        document: alone in its folder, which the sandbox may fill.
        kind: as ``inspect`` found it.
        first: page, from 1.
        last: page.
        width: pixels; a page that would have too many gets fewer.

    Raises:
        NotShown: none can be.
        Unavailable: too many wait for the sandbox.
    """
    asked: dict[str, JsonValue] = {"kind": kind, "first": first, "last": last, "width": min(width, LONGEST_SIDE)}
    try:
        _called("images", document, asked)
    except sandbox.SandboxError as error:
        raise not_shown() from error
    drawn = {number: _image(document.parent / f"{number}.webp") for number in range(first, last + 1)}
    return {number: octets for number, octets in drawn.items() if octets}


def texts(document: Path, kind: str, first: int, last: int) -> list[str]:
    """Return the text of pages, in reading order as far as it can be told; empty for a page that is an image.

    Raises:
        NotShown: the text cannot be had.
        Unavailable: too many wait for the sandbox.
    """
    try:
        return _TEXTS.validate_python(_called("texts", document, {"kind": kind, "first": first, "last": last}))
    except (sandbox.SandboxError, ValidationError) as error:
        raise not_shown() from error


def _called(name: str, document: Path, asked: dict[str, JsonValue]) -> JsonValue:
    return sandbox.call(
        f"schemas.pdf.reading:{name}", asked | {"name": document.name}, folder=document.parent, memory=_MEMORY, seconds=_SECONDS
    )


def _image(path: Path) -> bytes:
    # A child that was taken over may leave anything there, a link to another file as well.
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_IMAGE:
        return b""
    octets = path.read_bytes()
    return octets if octets[:4] == b"RIFF" and octets[8:12] == b"WEBP" else b""
