"""Whether two PES are the same document but for their signatures: what a PES that was signed elsewhere is held to.

White space between elements, comments and the encoding of the file say nothing in a PES; whether a signature stands them is its
verifier's matter.
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
from signing.pes.layout import SIGNATURE


@dataclass(frozen=True, slots=True)
class Compared:
    """What became of a PES.

    Attributes:
        same: every element but the signatures says the same, in the same order.
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
    return Compared(
        same=True,
        added=bool(after.signatures - before.signatures),
        removed=bool(before.signatures - after.signatures),
    )


class _Reading:
    """The elements of a document one by one, its signatures apart.

    Attributes:
        signatures: how often each one was met, once all has been read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.signatures: Counter[bytes] = Counter()

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
                    if not inside:
                        yield "start", element.tag, tuple(sorted(element.attrib.items()))
                elif inside:
                    inside -= 1
                    if not inside:
                        self.signatures[etree.tostring(element, method="c14n", exclusive=True, with_tail=False)] += 1
                else:
                    yield "end", element.tag, (element.text or "").strip(), *_tails(element)
                    element.clear(keep_tail=True)


def _tails(element: etree._Element) -> tuple[str, ...]:
    return tuple(text for child in element if (text := (child.tail or "").strip()))
