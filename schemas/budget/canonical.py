"""The canonical forms of a document without its seal, and their fingerprints, computed while the document is read.

Canonical XML 1.0 of a whole document, inclusive, without comments (W3C REC-xml-c14n-20010315, §2 and §4.8), of two layouts:
as it stands, and indented afresh by three spaces a level, which is what the State's tool does before it seals.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache

from schemas.budget.events import Listener, Name, Place, named

_INDENT = "   "
_BLANK = " \t\n\r"
_PENDING = 1 << 16
_TO_ESCAPE_IN_VALUE = re.compile('[&<"\t\n\r]').search
_TO_ESCAPE_IN_TEXT = re.compile("[&<>\r]").search
_IN_VALUE = str.maketrans({"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"})
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """The two fingerprints of one form, upper-case hexadecimal: ``md5`` of 32 digits, ``sha1`` of 40."""

    md5: str
    sha1: str


class _Form:
    """One layout: octets are hashed as they come, and never kept."""

    def __init__(self) -> None:
        # Both algorithms are those of the State's tool: the seal finds accidents, it is no signature.
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._pieces: list[str] = []
        self._length = 0

    def write(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)
        if self._length > _PENDING:
            self._hash()

    def copy(self) -> _Form:
        """Return another one that has hashed the same octets."""
        self._hash()
        other = _Form()
        other._md5, other._sha1 = self._md5.copy(), self._sha1.copy()
        return other

    def fingerprints(self) -> Fingerprints:
        self._hash()
        return Fingerprints(self._md5.hexdigest().upper(), self._sha1.hexdigest().upper())

    def _hash(self) -> None:
        octets = "".join(self._pieces).encode()
        self._pieces.clear()
        self._length = 0
        self._md5.update(octets)
        self._sha1.update(octets)


class Canonical(Listener):
    """Computes both forms of a document from which every element of one name is removed, with the blanks right after it.

    A *gap* is what stands between two tags. Text that is more than blank is kept as it is in both layouts; a blank gap is
    replaced by a line end and the indentation of what follows, except in an element that holds nothing else.
    """

    def __init__(self, removed: Name) -> None:
        self._removed = (removed.uri, removed.local)
        self._as_is = _Form()
        self._indented: _Form | None = None  # the same as the document stands, until a gap differs
        self._scopes: dict[str, list[str]] = {"": [""]}
        self._declared: list[str] = []
        self._holds_elements: list[bool] = []
        self._blank: list[str] = []
        self._only_blank = True
        self._after_removed = False
        self._removing = 0
        self._root_seen = False

    @property
    def as_is(self) -> Fingerprints:
        """Of the document as it stands; to be asked at its end."""
        return self._as_is.fingerprints()

    @property
    def indented(self) -> Fingerprints:
        """Of the document indented afresh; to be asked at its end."""
        return (self._indented or self._as_is).fingerprints()

    def declare(self, prefix: str, uri: str) -> None:
        """Note a declaration; it is written only if it changes what the prefix meant."""
        scope = self._scopes.setdefault(prefix, [])
        if uri != (scope[-1] if scope else None) and prefix != "xml":
            self._declared.append(prefix)
        scope.append(uri)

    def undeclare(self, prefix: str) -> None:
        """Forget a declaration."""
        scope = self._scopes[prefix]
        scope.pop()
        if not scope:
            del self._scopes[prefix]

    def start(self, name: Name, attributes: list[str], place: Place) -> None:  # noqa: ARG002 - the place is of no matter here
        """Write a start tag."""
        declared, self._declared = self._declared, []
        if self._removing:
            self._removing += 1
            return
        if self._root_seen:
            self._before_child()
        self._root_seen = True
        if (name.uri, name.local) == self._removed:
            self._removing = 1
            return
        self._holds_elements.append(False)
        self._write(f"<{name.written}{self._namespaces(declared)}{_attributes(attributes)}>")

    def end(self, name: Name) -> None:
        """Write an end tag."""
        if self._removing:
            self._removing -= 1
            self._after_removed = not self._removing
            return
        holds_elements = self._holds_elements.pop()
        self._close_gap(_line(len(self._holds_elements)) if holds_elements else None)
        self._write(f"</{name.written}>")

    def text(self, data: str) -> None:
        """Write text, blanks kept back until it is known what they stand between."""
        if self._removing:
            return
        if self._only_blank and not data.strip(_BLANK):
            self._blank.append(data)
            return
        if self._only_blank:
            self._write("".join(self._blank).translate(_IN_TEXT))
            self._blank.clear()
            self._only_blank = False
        self._write(data.translate(_IN_TEXT) if _TO_ESCAPE_IN_TEXT(data) else data)

    def instruction(self, target: str, data: str) -> None:
        """Write an instruction; outside the root element it stands on a line of its own."""
        if self._removing:
            return
        written = f"<?{target} {data}?>" if data else f"<?{target}?>"
        if self._holds_elements:
            self._before_child()
            self._write(written)
        else:
            self._write(f"\n{written}" if self._root_seen else f"{written}\n")

    def comment(self, data: str) -> None:  # noqa: ARG002 - what it says is not written
        """Leave a comment out; the gap before it is one of its own."""
        if not self._removing and self._holds_elements:
            self._before_child()

    def _before_child(self) -> None:
        if self._holds_elements:
            self._holds_elements[-1] = True
            self._close_gap(_line(len(self._holds_elements)))

    def _close_gap(self, indentation: str | None) -> None:
        """Write a gap that was blank, if it was: as it stands, and as indentation (None: as it stands too)."""
        if self._only_blank and not self._after_removed:
            blank = "".join(self._blank)
            if indentation is None or blank == indentation:
                if blank:
                    self._write(blank.translate(_IN_TEXT))
            else:
                self._indented = self._indented or self._as_is.copy()
                self._as_is.write(blank.translate(_IN_TEXT))
                self._indented.write(indentation)
        self._blank.clear()
        self._only_blank = True
        self._after_removed = False

    def _write(self, piece: str) -> None:
        self._as_is.write(piece)
        if self._indented is not None:
            self._indented.write(piece)

    def _namespaces(self, declared: list[str]) -> str:
        """Return declarations in the order of their prefixes, the default one first."""
        if not declared:
            return ""
        return "".join(
            f' xmlns{":" if prefix else ""}{prefix}="{self._scopes[prefix][-1].translate(_IN_VALUE)}"'
            for prefix in sorted(declared)
        )


def _attributes(pairs: list[str]) -> str:
    """Return attributes in the order of their namespaces, then of their local names."""
    if len(pairs) > 2:
        ordered = sorted((named(pairs[at]), pairs[at + 1]) for at in range(0, len(pairs), 2))
        return "".join([_attribute(name, value) for name, value in ordered])
    return _attribute(named(pairs[0]), pairs[1]) if pairs else ""


def _attribute(name: Name, value: str) -> str:
    return f' {name.written}="{value.translate(_IN_VALUE) if _TO_ESCAPE_IN_VALUE(value) else value}"'


@cache
def _line(level: int) -> str:
    """Return the line end and indentation of a level; the depth of a document is bounded, and so is what is kept."""
    return "\n" + _INDENT * level
