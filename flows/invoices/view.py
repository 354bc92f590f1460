"""An invoice as its page shows it: the typed invoice as JSON of bounded size, written once by a worker, read by the web process.

Pages never read what a supplier wrote: the stage that checks an invoice writes this file (role ``view``) beside its report.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from core.blobs import ObjectAltered
from core.platform import Platform
from schemas.invoices.invoice import Invoice

ROLE, NAME, MEDIA_TYPE = "view", "view.json", "application/json"
MOST_OCTETS = 4 << 20
MOST_LINES = 5_000
_LONGEST_TEXT = 1_000
_MOST_OF_EACH = 20  # so that whatever is not lines stays well below MOST_OCTETS


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of an invoice.

    Attributes:
        invoice: with its first lines, its texts cut short, and without its attachments, which are files of the dossier.
        lines: how many it has in all.
    """

    invoice: Invoice
    lines: int


_FORM = TypeAdapter(View)


def write(invoice: Invoice, target: Path) -> None:
    """Write the view of an invoice; it never has more than ``MOST_OCTETS``.

    Args:
        invoice: as a reader of ``schemas.invoices`` gives it.
        target: the file to write, to be kept under ``ROLE``.
    """
    shown = _cut(replace(invoice, attachments=(), lines=invoice.lines[:MOST_LINES]))
    while len(octets := _FORM.dump_json(View(shown, len(invoice.lines)))) > MOST_OCTETS:
        shown = replace(shown, lines=shown.lines[: len(shown.lines) // 2])
    target.write_bytes(octets)


@lru_cache(maxsize=16)
def read(octets: bytes) -> View:
    """Return a view that was written.

    Raises:
        pydantic.ValidationError: these octets are none: a fault of ours.
    """
    return _FORM.validate_json(octets)


def of(platform: Platform, sha256: str) -> View:
    """Return the view that is kept under a digest.

    Raises:
        ObjectAltered: the store altered it.
        Unavailable: the store does not answer.
    """
    with platform.objects.reading(sha256) as stream:
        octets = bytes(stream.read(MOST_OCTETS + 1))
    if hashlib.sha256(octets).hexdigest() != sha256:
        raise ObjectAltered(f"the store altered {sha256}")
    return read(octets)


def _cut(value: Any) -> Any:
    """Return a value with its texts and its lists cut short, lines aside, whose number was seen to."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[: _LONGEST_TEXT - 1] + "…"
    if isinstance(value, tuple):
        return tuple(map(_cut, value))
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    told = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return replace(
        value,
        **{
            name: _cut(held[:_MOST_OF_EACH] if isinstance(held, tuple) and name != "lines" else held)
            for name, held in told.items()
        },
    )
