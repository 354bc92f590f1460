"""The files that packages travel in: ZIP and ZIP64, TAR, and TAR compressed by gzip or bzip2, told apart by what they hold.

What lives here: bounds and names before anything is read, then the names, sizes and contents of what may be read; nothing is
ever written under a name of the package. What does not: manifests (`archive.ingest.inspection`).

Sources: APPNOTE 6.3.10; POSIX.1-2001 (pax), with the long names of GNU; Vitam, « Structuration des SIP », v16.
"""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import UnreadableInput
from schemas.seda.rules import is_plain_path

PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a package may cost to read.

    Attributes:
        entries: how many.
        directory: bytes of the directory of a ZIP, which is read whole.
        total: bytes of all contents, unpacked.
        manifest: bytes of the manifest, whose tree is held in memory.
        ratio: unpacked to packed, of an entry and of the whole, beyond ``ratio_from`` bytes.
    """

    entries: int = 120_000
    directory: int = 32 << 20
    total: int = 16 << 30
    manifest: int = 64 << 20
    ratio: int = 200
    ratio_from: int = 10 << 20


LIMITS = Limits()
"""What a package may cost where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an entry, which is not read then.

    Attributes:
        key: of the message that says it.
        found: what stands there: most often the name of the entry.
    """

    key: str
    found: str | None = None


class UnsafePackage(UnreadableInput):
    """The file is no package, or must not be opened.

    Attributes:
        key: of the message that says why.
        found: what stands there.
    """

    def __init__(self, key: str, found: str | None = None) -> None:
        super().__init__(f"{key}: {found}" if found else key)
        self.key = key
        self.found = found


class Container(ABC):
    """A file of files that was found safe to read.

    Attributes:
        sizes: bytes of each file by its name; folders, and entries with a fault, are not among them.
        faults: what is wrong with other entries.
    """

    sizes: dict[str, int]
    faults: tuple[Fault, ...]

    @abstractmethod
    def close(self) -> None:
        """Give the file back."""

    @abstractmethod
    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file in pieces of at most 1 MiB.

        Raises:
            UnsafePackage: the content is damaged, or is not of the size announced.
        """


class Names:
    """The names of a package, judged as they come."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.faults: list[Fault] = []
        self._refused: set[str] = set()
        self._close: dict[str, str] = {}

    def take(self, name: str, size: int) -> None:
        """Take a file, unless its name is dangerous or was there already."""
        near = self._close.setdefault(folded(name), name)
        if not is_plain_path(name):
            self.refuse("name", name)
        elif name in self.sizes or name in self._refused:
            self.refuse("name_twice", name)  # which of them is meant, nobody knows
        else:
            if near != name:
                self.faults.append(Fault("name_close", f"{near} ; {name}"))
            self.sizes[name] = size

    def folder(self, name: str) -> None:
        """Pass over a folder, unless its name is dangerous; it holds nothing by itself."""
        if name.strip("/") not in {"", "."} and not is_plain_path(name.removesuffix("/")):
            self.refuse("name", name)

    def refuse(self, key: str, name: str) -> None:
        """Note what is wrong with an entry, and let nothing of its name be read."""
        self._refused.add(name)
        self.sizes.pop(name, None)
        self.faults.append(Fault(key, name))


def folded(name: str) -> str:
    """Return what stays of a name when case and the form of its accents are set aside."""
    return unicodedata.normalize("NFC", name).casefold()
