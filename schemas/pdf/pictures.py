"""Pictures as documents of one page, written anew: nothing of the file itself reaches a browser. Runs in the sandbox only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from schemas.pdf.sizes import pixels

_MARKS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_FORMATS = ("PNG", "JPEG")
_MOST_PIXELS = 40_000_000
_PLAIN = ("L", "RGB", "RGBA")
_TURNED = (5, 6, 7, 8)  # orientations of EXIF that exchange the sides
_ORIENTATION = 0x0112


def is_one(head: bytes) -> bool:
    """Tell whether a file that begins so is a picture that can be shown."""
    return head.startswith(_MARKS)


def inspect(path: Path) -> dict[str, Any]:
    """Return the fields of an ``Inspection``; one pixel is taken for one point."""
    try:
        with _opened(path) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                return {"kind": "picture", "problem": "too_large"}
            right, top = _sides(picture)
            picture.draft("RGB", (1, 1))
            picture.load()
    except Image.DecompressionBombError:
        return {"kind": "picture", "problem": "too_large"}
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return {"kind": "picture", "problem": "unreadable"}
    return {"kind": "picture", "count": 1, "pages": [{"left": 0, "bottom": 0, "right": right, "top": top}]}


def image(path: Path, width: int) -> Image.Image:
    """Return the picture upright, on white, no wider than it is."""
    with _opened(path) as picture:
        across, upwards = _sides(picture)
        wide, high = pixels(across, upwards, min(width, across))
        turned = _is_turned(picture)
        shown = picture if picture.mode in _PLAIN else picture.convert("RGBA")
        # Made small before anything else, which keeps memory to one copy of the whole.
        shown.thumbnail((high, wide) if turned else (wide, high))
        upright = ImageOps.exif_transpose(shown)
        if upright.mode != "RGBA":
            return upright.convert("RGB")
        paper = Image.new("RGB", upright.size, "white")
        paper.paste(upright, mask=upright.getchannel("A"))
        return paper


def _opened(path: Path) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    return Image.open(path, formats=_FORMATS)


def _sides(picture: Image.Image) -> tuple[int, int]:
    wide, high = picture.size
    return (high, wide) if _is_turned(picture) else (wide, high)


def _is_turned(picture: Image.Image) -> bool:
    return picture.getexif().get(_ORIENTATION) in _TURNED
