"""Pages of kept documents, made in the sandbox the first time and found in the cache of this machine afterwards."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from core import clock
from core.derived import derived_files
from core.platform import Platform
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile
from schemas.pdf import preview
from schemas.pdf.pages import Inspection
from schemas.pdf.preview import NotShown

Kept: TypeAlias = DossierFile | KeptFile
SLICE = 100  # pages that one view shows
SMALL = 150
WIDTHS = (SMALL, 600, 1200, 1800, 2400)
_EDITION = 1  # of what is made here: one more when the same document gives something else
_TOGETHER = {SMALL: 20}  # pages drawn in one go
_FEW = 4


def inspection(platform: Platform, kept: Kept, number: int = 1) -> Inspection:
    """Return what a document is, with the slice of its pages in which a page stands.

    Raises:
        NotShown: it breaks or outlasts its reader.
        ObjectMissing, Unavailable: the store does not give it, or too many wait for the sandbox.
    """
    first, last = _around(number, SLICE)
    plain = kept.media_type.startswith("text/")
    key = f"{_EDITION}/{kept.sha256}/inspection/{plain}/{first}"

    def make(document: Path) -> Mapping[str, bytes]:
        return {key: preview.inspect(document, first, last, text=plain).model_dump_json().encode()}

    return Inspection.model_validate_json(_made(platform, kept, key, key, make))


def image(platform: Platform, kept: Kept, number: int, width: int) -> bytes:
    """Return a page as WebP; its neighbours are drawn with it.

    Args:
        platform: where the document is kept.
        kept: the document.
        number: of the page, from 1; one that the document has.
        width: one of ``WIDTHS``.

    Raises:
        NotShown: it cannot be drawn.
        ObjectMissing, Unavailable: as ``inspection``.
    """
    kind = inspection(platform, kept, number).kind
    first, last = _around(number, _TOGETHER.get(width, _FEW))

    def key(page: int) -> str:
        return f"{_EDITION}/{kept.sha256}/image/{width}/{page}"

    def make(document: Path) -> Mapping[str, bytes]:
        try:
            drawn = preview.images(document, kind, first, last, width)
        except NotShown:  # a neighbour may have broken it
            drawn = preview.images(document, kind, number, number, width)
        if number not in drawn:
            raise preview.not_shown()
        return {key(page): octets for page, octets in drawn.items()}

    return _made(platform, kept, key(number), f"{key(first)}-{last}", make)


def texts(platform: Platform, kept: Kept, number: int) -> list[str]:
    """Return the texts of the slice of pages in which a page stands.

    Raises:
        NotShown: they cannot be had.
        ObjectMissing, Unavailable: as ``inspection``.
    """
    kind = inspection(platform, kept, number).kind
    first, last = _around(number, SLICE)
    key = f"{_EDITION}/{kept.sha256}/texts/{kind}/{first}"

    def make(document: Path) -> Mapping[str, bytes]:
        return {key: json.dumps(preview.texts(document, kind, first, last)).encode()}

    read: list[str] = json.loads(_made(platform, kept, key, key, make))
    return read


def _around(number: int, size: int) -> tuple[int, int]:
    first = (number - 1) // size * size + 1
    return first, first + size - 1


def _made(platform: Platform, kept: Kept, key: str, together: str, make: Callable[[Path], Mapping[str, bytes]]) -> bytes:
    cache = derived_files(platform.settings)
    # A document that hangs its reader is not given another try with every image of the page: once an hour.
    broken = f"{key}/broken/{clock.now():%Y%m%d%H}"
    if cache.get(broken) is not None:
        raise preview.not_shown()

    def fetched() -> Mapping[str, bytes]:
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            document = Path(folder) / "document"
            platform.objects.fetch(kept.sha256, document)
            return make(document)

    try:
        return cache.get_or_make(key, together, fetched)
    except NotShown:
        cache.get_or_make(broken, broken, lambda: {broken: b""})
        raise
