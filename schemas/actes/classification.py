"""The classification that a préfecture gives to a collectivité: natures with their typologies, and the tree of matières.

What lives here: what can be asked of one version of it. Reading it from a message is the reader's business; which version is
in force, and where it is kept, the flow's.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

DEEPEST = 5
"""Levels of matières at most."""

Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PieceType:
    """A typology code (``99_DE``) and what it means."""

    code: str
    label: str


@dataclass(frozen=True, slots=True)
class NatureActe:
    """A nature of acts, as the classification knows it.

    Attributes:
        types: typologies that its files may bear; empty in classifications older than typologies.
    """

    code: int
    abbreviation: str
    label: str
    types: tuple[PieceType, ...] = ()


@dataclass(frozen=True, slots=True)
class Matiere:
    """A node of the tree of matières; codes may have two digits, and children stand in any order."""

    code: int
    label: str
    children: tuple[Matiere, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A matière by its path: ``7.10.2``, with the labels of every level on the way."""

    path: Path
    labels: tuple[str, ...]

    @property
    def code(self) -> str:
        """The path, its levels joined by full stops."""
        return ".".join(map(str, self.path))


@dataclass(frozen=True, slots=True)
class Classification:
    """One version of a collectivité's classification.

    Attributes:
        version: its date, which is its only name; None when the message lacks it.
    """

    version: date | None
    natures: tuple[NatureActe, ...] = ()
    matieres: tuple[Matiere, ...] = ()
    _by_code: dict[int, NatureActe] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the natures; the first wins where a code stands twice."""
        object.__setattr__(self, "_by_code", {nature.code: nature for nature in reversed(self.natures)})

    def nature(self, code: int) -> NatureActe | None:
        """Return the nature of a code; None when the classification does not know it."""
        return self._by_code.get(code)

    def types(self, nature: int) -> tuple[PieceType, ...]:
        """Return the typologies of a nature, in the order of the file.

        By nature only, whatever the matière (notice 2.2 of 2019).
        """
        known = self.nature(nature)
        return () if known is None else known.types

    def allows(self, nature: int, code: str) -> bool:
        """Tell whether a file of an act of that nature may bear that typology.

        A classification older than typologies allows everything.
        """
        if not any(known.types for known in self.natures):
            return True
        return any(piece.code == code for piece in self.types(nature))

    def type_label(self, code: str) -> str | None:
        """Return what a typology means, whatever the nature; None when no nature has it."""
        return next((piece.label for nature in self.natures for piece in nature.types if piece.code == code), None)

    def find(self, path: Sequence[int | None]) -> Found | None:
        """Return the matière at a path of codes; None when there is none there, or when the path has a gap."""
        level, labels = self.matieres, []
        for code in path:
            node = next((matiere for matiere in level if matiere.code == code), None)
            if node is None:
                return None
            labels.append(node.label)
            level = node.children
        return Found(tuple(code for code in path if code is not None), tuple(labels)) if labels else None

    def walk(self) -> Iterator[Found]:
        """Yield every matière, parents before children, each level by number."""
        yield from _walk(self.matieres, (), ())

    def search(self, words: str) -> list[Found]:
        """Return the matières whose code begins with the words, or whose labels hold them all, accents and case aside."""
        wanted = _plain(words).split()
        if not wanted:
            return []
        code = ".".join(wanted).strip(".")
        return [
            found
            for found in self.walk()
            if found.code == code
            or found.code.startswith(f"{code}.")
            or all(word in _plain(" ".join(found.labels)) for word in wanted)
        ]


def _walk(level: tuple[Matiere, ...], path: Path, labels: tuple[str, ...]) -> Iterator[Found]:
    for node in sorted(level, key=lambda matiere: matiere.code):
        found = Found((*path, node.code), (*labels, node.label))
        yield found
        yield from _walk(node.children, found.path, found.labels)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
