"""Whether two PES are the same document but for their signatures: what a PES that was signed elsewhere is held to.

White space between elements, comments and the encoding of the file say nothing in a PES; whether a signature stands them is its
verifier's matter. Nor does what signing itself asks for: the flag InfoDematerialisee that is raised, an Id where there was none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from lxml import etree

from core.errors import UnreadableInput
from schemas.xml import refuse_doctype
from signing.pes.layout import FLAG, HEADERS, SIGNATURE, is_true

_HEADER_DEPTH, _FLAG_DEPTH = 3, 4


@dataclass(frozen=True, slots=True)
class Compared:
    """What became of a PES.

    Attributes:
        same: every element but the signatures, and what they need, says the same, in the same order.
        added: there are signatures that were not there.
        removed: signatures that were there are gone; false when the documents differ before their end.
    """

    same: bool
    added: bool
    removed: bool


def compare(given: Path, returned: Path) -> Compared:
    """Hold a PES that came back to the one that was given out.

    Raises:
        UnreadableInput: one of them is no XML, or declares a DOCTYPE.
    """
    before, after = _Reading(given), _Reading(returned)
    try:
        if any(one != other for one, other in zip_longest(before, after)):
            return Compared(same=False, added=False, removed=False)
    except etree.XMLSyntaxError as error:
        raise UnreadableInput(str(error)) from error
    if not (_named_alike(before.names, after.names) and _flagged_alike(before.flags, after.flags)):
        return Compared(same=False, added=False, removed=False)
    return Compared(
        same=True,
        added=bool(after.signatures - before.signatures),
        removed=bool(before.signatures - after.signatures),
    )


def _named_alike(before: list[str | None], after: list[str | None]) -> bool:
    return all(was is None or was == now for was, now in zip(before, after, strict=True))


def _flagged_alike(before: list[list[bool]], after: list[list[bool]]) -> bool:
    return all(was == now or (now == [True] and len(was) < 2) for was, now in zip(before, after, strict=True))


class _Reading:
    """The elements of a document one by one, its signatures and what they need apart.

    Attributes:
        signatures: how often each one was met, once all has been read.
        names: the Id of each element that may be signed: the root, and the bordereaux.
        flags: the values of InfoDematerialisee in the header of each domain.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: list[str] = []
        self.signatures: Counter[bytes] = Counter()
        self.names: list[str | None] = []
        self.flags: list[list[bool]] = []

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        with self._path.open("rb") as stream:
            refuse_doctype(stream)
            stream.seek(0)
            events = etree.iterparse(
                stream, ("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True
            )
            inside = 0
            for event, element in events:
                signature = element.tag == SIGNATURE
                if event == "start":
                    inside += signature or inside > 0
                    if not inside and (said := self._start(element)):
                        yield said
                elif inside:
                    inside -= 1
                    if not inside:
                        self.signatures[etree.tostring(element, method="c14n", exclusive=True, with_tail=False)] += 1
                else:
                    if said := self._end(element):
                        yield said
                    element.clear(keep_tail=True)

    def _start(self, element: etree._Element) -> tuple[object, ...] | None:
        """Say how an element begins; None where that says nothing."""
        self._open.append(element.tag.rpartition("}")[2])
        if self._is_flag(element):
            self.flags[-1].append(is_true(element.get("V")))
            return None
        said = sorted(element.items())
        if len(self._open) == 1 or (self._within_a_domain() and self._open[-1] == "Bordereau"):
            self.names.append(element.get("Id"))
            said = [(name, value) for name, value in said if name != "Id"]
        elif self._within_a_domain() and self._open[-1] == HEADERS[self._open[1]]:
            self.flags.append([])
        return "start", element.tag, said

    def _end(self, element: etree._Element) -> tuple[object, ...] | None:
        """Say how an element ends; None where that says nothing."""
        text = (element.text or "").strip()
        flag = self._is_flag(element)
        self._open.pop()
        if flag and not text and not len(element):
            return None
        return "end", element.tag, text, *_tails(element)

    def _within_a_domain(self) -> bool:
        return len(self._open) == _HEADER_DEPTH and self._open[1] in HEADERS

    def _is_flag(self, element: etree._Element) -> bool:
        """Tell whether the element that is open last is the flag of a domain, and says nothing else."""
        if len(self._open) != _FLAG_DEPTH or self._open[-1] != FLAG:
            return False
        return self._open[2] == HEADERS.get(self._open[1]) and element.keys() == ["V"]


def _tails(element: etree._Element) -> tuple[str, ...]:
    return tuple(text for child in element if (text := (child.tail or "").strip()))
