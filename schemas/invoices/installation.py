"""Installing the rules of CEN/TC 434 for CII, which an operator gets from their authors, into the folder of official schemas."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core.errors import Misconfigured, UnreadableInput
from schemas.invoices.cii_writing import cii_of
from schemas.invoices.sample import sample
from schemas.invoices.stylesheets import IMPORTED
from schemas.invoices.wording import messages
from schemas.schematron.checking import Schematron
from schemas.schematron.process import NotApplied, TooLong

_LARGEST = 20 << 20


class RulesRefused(UnreadableInput):
    """What was handed over holds no rules that can be applied to an invoice."""


def rules_in(source: Path) -> Path | None:
    """Return the file of rules that a folder holds at any depth, or that a path is; None when there is none."""
    found = sorted(source.rglob(IMPORTED.name)) if source.is_dir() else [source] if source.name == IMPORTED.name else []
    return found[0] if found else None


def import_rules(rules: Path, schemas_dir: Path) -> Path:
    """Install a file of rules, once they were applied to an invoice; those of before are replaced.

    Args:
        rules: the compiled Schematron (XSLT 2.0).
        schemas_dir: folder of official schemas.

    Returns:
        Where it is now.

    Raises:
        RulesRefused: too large, no stylesheet, or one that cannot be applied. Nothing has been installed then.
        Unavailable: the process that applies rules does not answer.
    """
    place = schemas_dir / IMPORTED
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=place.parent) as name:
        copy = Path(name) / IMPORTED.name
        with rules.open("rb") as stream:
            octets = stream.read(_LARGEST + 1)
        if len(octets) > _LARGEST:
            raise RulesRefused(messages("import.refused", name=rules.name, reason=f"> {_LARGEST >> 20} Mio"))
        copy.write_bytes(octets)
        try:
            Schematron(copy).findings(cii_of(sample()).partition(b"?>")[2])
        except (Misconfigured, NotApplied, TooLong) as error:
            raise RulesRefused(messages("import.refused", name=rules.name, reason=str(error))) from error
        copy.rename(place)
    return place
