"""What the files of a transfer have to do with each other: an act has the acknowledgement of this very act, a PES its acquit.

Files are recognised by what they hold, and attachments of acts by their names, which the norm sets. A package of anything else
is none of this module's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from archive.ingest.wording import problem
from core.errors import UnreadableInput
from core.problems import Problem, Severity
from schemas.actes import reader as actes
from schemas.actes.acts import Acte, ARActe
from schemas.actes.codes import NATURES, MessageCode
from schemas.actes.names import AttachmentName, MessageBase, UnreadableName
from schemas.pes.acquit import Answer, read_acquit
from schemas.pes.header import read_header
from schemas.pes.roots import root_of
from schemas.seda.reader import Manifest
from schemas.xml import root_of_file

_LARGEST_ACQUIT = 64 << 20
_MARKUP = (b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_ActKey = tuple[date, str, str]
"""Day of the decision, number and nature: with the collectivité, what the State knows an act by."""


@dataclass(slots=True)
class Business:
    """What was met in the files so far; each is shown to ``look`` once."""

    _acts: dict[_ActKey, str] = field(default_factory=dict)
    _acknowledged: dict[_ActKey, str] = field(default_factory=dict)
    _flows: dict[str, str] = field(default_factory=dict)
    _acquits: dict[str, tuple[str, Answer | None]] = field(default_factory=dict)

    @staticmethod
    def concerns(head: bytes) -> bool:
        """Tell whether the first 64 octets of a file are of one whose content matters here; of others the name does."""
        return head[:64].lstrip().startswith(_MARKUP)

    def look(self, uri: str, name: str, path: Path) -> None:
        """Look at a file.

        Args:
            uri: its path in the package.
            name: that its owner gave it.
            path: where its bytes are.
        """
        if key := _named(name):
            self._acts.setdefault(key, uri)
        with path.open("rb") as stream:
            if not self.concerns(stream.read(64)):
                return
        try:
            self._read(uri, path)
        except UnreadableInput:  # whatever it is, it is not one of these documents
            return

    def problems(self, manifest: Manifest) -> list[Problem]:
        """Return what is wrong, once every file was seen."""
        return [*self._of_acts(manifest), *self._of_flows()]

    def _read(self, uri: str, path: Path) -> None:
        root = root_of_file(path)
        known = root_of(root) if root else None
        if known is not None and known.kind == "pes-aller":
            self._flows.setdefault(read_header(path).nom_fic or "", uri)
        elif known is not None and known.kind == "pes-acquit" and path.stat().st_size <= _LARGEST_ACQUIT:
            acquit = read_acquit(path)
            self._acquits[acquit.header.nom_fic or ""] = (uri, acquit.answer)
        elif root is not None and known is None and path.stat().st_size <= actes.LARGEST:
            self._read_act(uri, path)

    def _read_act(self, uri: str, path: Path) -> None:
        message = actes.read(path).message
        if isinstance(message, Acte) and (key := _key(message)):
            self._acts.setdefault(key, uri)
        elif isinstance(message, ARActe) and message.act is not None:
            act = message.act
            self._acknowledged[(act.day, act.number.upper(), act.nature)] = uri

    def _of_acts(self, manifest: Manifest) -> Iterator[Problem]:
        for key, uri in self._acts.items():
            if key not in self._acknowledged:
                other = next(iter(self._acknowledged.items()), None)
                if other is None:
                    yield problem("211", "act.no_receipt", path=uri, found=_written(key))
                else:
                    yield problem("203", "act.other_receipt", path=other[1], found=_written(other[0]), expected=_written(key))
        if self._acts or not self._acknowledged:
            return
        told = {identifier.upper() for identifier in _identifiers(manifest)}
        for key, uri in self._acknowledged.items():
            if told and key[1] not in told and not any(key[1] in identifier for identifier in told):
                yield problem("203", "act.unnamed_receipt", Severity.WARNING, path=uri, found=_written(key))

    def _of_flows(self) -> Iterator[Problem]:
        for name, (uri, answer) in self._acquits.items():
            told = name or len(self._flows) > 1  # one that names nothing answers the only flow there is
            if self._flows and told and name not in self._flows:
                yield problem("203", "pes.other_acquit", path=uri, found=name, expected=", ".join(self._flows)[:200])
            if answer is None:
                yield problem("203", "pes.silent_acquit", path=uri)
            elif answer is Answer.REFUSED:
                yield problem("203", "pes.refused", path=uri)
        for name, uri in self._flows.items():
            if name not in self._acquits and (len(self._flows) > 1 or not self._acquits):
                yield problem("211", "pes.no_acquit", path=uri, found=name)


def _named(name: str) -> _ActKey | None:
    """Return the act that a file belongs to by its name, when it is what was transmitted itself (1-1)."""
    try:
        base: MessageBase = AttachmentName.parse(name.rpartition("/")[2]).base
    except UnreadableName:
        return None
    if base.code is not MessageCode.ACTE or base.day is None or base.number is None or base.nature is None:
        return None
    return base.day, base.number.upper(), base.nature.upper()


def _key(act: Acte) -> _ActKey | None:
    nature = NATURES.get(act.nature or 0)
    return (act.decision_date, act.number.upper(), nature.abbreviation) if act.decision_date and nature else None


def _written(key: _ActKey) -> str:
    return f"{key[0]:%Y%m%d}-{key[1]}-{key[2]}"


def _identifiers(manifest: Manifest) -> Iterator[str]:
    for name in ("OriginatingAgencyArchiveUnitIdentifier", "KeywordReference"):
        for element in manifest.tree.getroot().iter(f"{{*}}{name}"):
            if text := (element.text or "").strip():
                yield text
