"""The seal of a budget (Scellement): read, checked, and set on documents of our own.

The seal says that nobody changed the file since it was closed; it is no signature, and its own date is not protected. It is
right if both fingerprints are those of one of two forms of the document without the seal: as it stands (a CFU is sealed so),
or indented afresh (the State's tool does that first, so that a file whose layout alone was changed is still intact).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from core.clock import in_paris
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from schemas.budget.canonical import Canonical, Fingerprints
from schemas.budget.events import Listener, Name, Place, named, walk

NAMESPACE = "http://www.minefi.gouv.fr/cp/demat/docbudgetaire"
SEAL = Name(NAMESPACE, "Scellement", "Scellement")
TOOLS = ("DSC_COMMON", "REMAT")
"""The parts of the State's tool that a document went through before it may be sealed (VersionOutil)."""

_CHUNK = 1 << 20
_MOST_SEALS = 10
_HEADER = "EnTeteDocBudgetaire"
_TOOL = "VersionOutil"
_WATCHED = frozenset({SEAL.local, _TOOL, _HEADER})
messages = Catalogue("schemas.budget")


class Form(StrEnum):
    """The form of the document that a seal was computed on."""

    AS_IS = "as-is"
    INDENTED = "re-indented"


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as written.

    Attributes:
        fingerprints: in upper case, empty when absent.
        date: as it stands, empty when absent; the only thing that no fingerprint protects.
        line: from 1.
        is_empty: it holds no element and no text, which no fingerprint would protect.
    """

    fingerprints: Fingerprints
    date: str
    line: int
    is_empty: bool = True

    @property
    def sealed_at(self) -> datetime | None:
        """When the document says it was sealed, without a zone if it gives none; None when that is no date."""
        try:
            return datetime.fromisoformat(self.date)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class SealStatus:
    """What is known of the seal of a document.

    Attributes:
        seals: those found, anywhere, the first ten; one is right.
        as_is: fingerprints of the document as it stands, without its seals; ``indented`` those of it indented afresh.
        tools: version of each tool that the document names, by tool; those without a version are left out.
    """

    seals: tuple[Seal, ...]
    as_is: Fingerprints
    indented: Fingerprints
    tools: dict[str, str]

    @property
    def seal(self) -> Seal | None:
        """The seal, when there is exactly one."""
        return self.seals[0] if len(self.seals) == 1 else None

    @property
    def form(self) -> Form | None:
        """The form that matches the only seal by both fingerprints; None when none does, or when something hides in the seal."""
        if self.seal is None or not self.seal.is_empty:
            return None
        forms = {Form.AS_IS: self.as_is, Form.INDENTED: self.indented}
        return next((form for form, found in forms.items() if found == self.seal.fingerprints), None)

    @property
    def seal_damaged(self) -> bool:
        """One fingerprint holds and the other does not: the seal itself was altered, and not the document."""
        if self.seal is None or not self.seal.is_empty or self.form is not None:
            return False
        written = self.seal.fingerprints
        return any(written.md5 == form.md5 or written.sha1 == form.sha1 for form in (self.as_is, self.indented))

    @property
    def rematerialised(self) -> bool:
        """Both parts of the State's tool have put their version on the document."""
        return all(tool in self.tools for tool in TOOLS)


class SealListener(Listener):
    """Gathers the seals and tools of a document, and where a seal would stand."""

    def __init__(self) -> None:
        self.canonical = Canonical(removed=SEAL)
        self.seals: list[Seal] = []
        self.tools: dict[str, str] = {}
        self.header: tuple[int, str] | None = None
        self._inside = False

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Those who must follow the document together."""
        return (self, self.canonical)

    @property
    def status(self) -> SealStatus:
        """What was found; to be asked at the end of the document."""
        return SealStatus(tuple(self.seals), self.canonical.as_is, self.canonical.indented, dict(self.tools))

    def start(self, name: Name, attributes: list[str], place: Place) -> None:
        """Note a seal, a tool, the header."""
        if self._inside:
            self._stuff()
        if name.local not in _WATCHED or name.uri != NAMESPACE:
            return
        if name.local == SEAL.local:
            if len(self.seals) == _MOST_SEALS:
                return
            values = _values(attributes)
            fingerprints = Fingerprints(values.get("md5", "").strip().upper(), values.get("sha1", "").strip().upper())
            self.seals.append(Seal(fingerprints, values.get("date", "").strip(), place.line))
            self._inside = True
        elif name.local == _TOOL:
            values = _values(attributes)
            tool, version = values.get("outil", "").strip(), values.get("version", "").strip()
            if tool in TOOLS and version:
                self.tools[tool] = version
        elif self.header is None:
            self.header = (place.offset, name.written)

    def end(self, name: Name) -> None:
        """Note that a seal is closed."""
        if self._inside and name[:2] == SEAL[:2]:
            self._inside = False

    def text(self, data: str) -> None:
        """Note what hides in a seal."""
        if self._inside and data.strip():
            self._stuff()

    def _stuff(self) -> None:
        self.seals[-1] = replace(self.seals[-1], is_empty=False)


def check_seal(path: Path) -> SealStatus:
    """Read a document and return what is known of its seal; any size, in constant memory.

    Raises:
        DoctypeRefused, Excessive, Truncated, Malformed: as ``events.walk``.
    """
    listener = SealListener()
    walk(path, listener.listeners)
    return listener.status


def seal(path: Path, target: Path, *, at: datetime) -> Fingerprints:
    """Write a sealed copy of a document: for samples of ours, since a real budget is sealed by the State's tool.

    Args:
        path: the document, which stays as it is.
        target: the copy.
        at: the moment of sealing.

    Returns:
        The fingerprints set.

    Raises:
        Conflict: it is sealed already.
        UsageError: it is not rematerialised, has no header, or is of an encoding that is no superset of ASCII.
        DoctypeRefused, Excessive, Truncated, Malformed: as ``events.walk``.
    """
    listener = SealListener()
    walk(path, listener.listeners)
    status = listener.status
    if status.seals:
        raise Conflict(messages("seal.twice"))
    if not status.rematerialised:
        raise UsageError(messages("seal.rematerialise"))
    if listener.header is None:
        raise UsageError(messages("seal.header"))
    offset, written = listener.header
    element = written.replace(_HEADER, SEAL.local)
    prints = status.indented
    moment = in_paris(at).isoformat(timespec="milliseconds")
    tag = f'<{element} md5="{prints.md5}" sha1="{prints.sha1}" date="{moment}"/>'
    _insert(path, target, offset, before=f"<{written}", tag=tag)
    return prints


def _insert(path: Path, target: Path, offset: int, *, before: str, tag: str) -> None:
    with path.open("rb") as source:
        head = source.read(offset)
        following = source.read(len(before))
        if following != before.encode():
            raise UsageError(messages("seal.encoding"))
        layout = head[len(head.rstrip(b" \t\r\n")) :]  # the same blanks after the seal as before it: they go with it
        with target.open("wb") as out:
            out.write(head + tag.encode() + layout + following)
            while chunk := source.read(_CHUNK):
                out.write(chunk)


def _values(attributes: list[str]) -> dict[str, str]:
    return {named(raw).written: value for raw, value in zip(attributes[::2], attributes[1::2], strict=True)}
