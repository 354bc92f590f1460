"""The seal of a PES as one of the formats of ``signing.legs``: what it prepares is made of plain values, and waits anywhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from signing.legs import Prepared, Signatory, Slot
from signing.pes import seal
from signing.pes.edits import Edit
from signing.pes.envelope import Envelope, SealContext
from signing.timestamp.client import TimestampClient
from signing.verdicts import FileVerdict


@dataclass(frozen=True, slots=True)
class Pes:
    """XAdES-EPES in a PES_Aller: one signature per bordereau, or one over the whole file.

    Attributes:
        context: what the signatures say.
    """

    name: ClassVar[str] = "pes"

    context: SealContext

    def prepare(self, source: Path, draft: Path, signatory: Signatory, moment: datetime) -> Prepared:  # noqa: ARG002 - no draft
        """Freeze the edits and the signatures without their values; see ``signing.pes.seal.prepare``."""
        made = seal.prepare(source, signatory.certificate, self.context, moment=moment)
        slots = tuple(Slot(slot.identifier, slot.envelope.octets) for slot in made.slots)
        return Prepared(self.name, made.sha256, made.certificate, made.moment, slots, _frozen(made))

    @staticmethod
    def complete(
        prepared: Prepared,
        source: Path,
        draft: Path,  # noqa: ARG004 - none was written
        values: Mapping[str, bytes],
        target: Path,
        timestamps: TimestampClient | None = None,  # noqa: ARG004 - the policy asks for none
    ) -> FileVerdict:
        """Put the values in; see ``signing.pes.seal.complete``."""
        return seal.complete(_thawed(prepared, source), values, target)


def _frozen(made: seal.Prepared) -> dict[str, Any]:
    return {
        "edits": [{"offset": edit.offset, "removed": edit.removed, "inserted": _text(edit.inserted)} for edit in made.edits],
        "signatures": [
            {
                "target": slot.target,
                "offset": slot.offset,
                "before": _text(slot.envelope.before),
                "after": _text(slot.envelope.after),
            }
            for slot in made.slots
        ],
    }


def _thawed(prepared: Prepared, source: Path) -> seal.Prepared:
    edits = (Edit(edit["offset"], edit["removed"], _octets(edit["inserted"])) for edit in prepared.frozen["edits"])
    slots = (
        seal.Slot(
            slot.identifier,
            signature["target"],
            signature["offset"],
            Envelope(slot.octets, _octets(signature["before"]), _octets(signature["after"])),
        )
        for slot, signature in zip(prepared.slots, prepared.frozen["signatures"], strict=True)
    )
    return seal.Prepared(source, prepared.sha256, prepared.certificate, prepared.moment, tuple(edits), tuple(slots))


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _octets(text: str) -> bytes:
    return base64.b64decode(text)
