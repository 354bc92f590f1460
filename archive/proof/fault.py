"""What is wrong with the journal, its tree, its heads or its segments: the row or the object that differs, by name."""

from __future__ import annotations

from dataclasses import dataclass

from core.messages import Catalogue

_messages = Catalogue("archive.proof")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not what it was.

    Attributes:
        table: where: ``journal_entry``, ``tree_leaf``, ``tree_node``, ``tree_hash``, ``tree_head``, ``tree_segment``; or
            ``segment``, an object in a place.
        key: of the row, as ``column=value``; of an object, place and key.
        what: in short: ``missing``, ``unreadable``, ``unreachable``, or the part that differs.
        expected: what follows from the rest: a digest or a number, hexadecimal or decimal; empty when nobody can tell.
        found: what stands there.
    """

    table: str
    key: str
    what: str
    expected: str = ""
    found: str = ""

    @property
    def message(self) -> str:
        """The fault in a sentence, for a person."""
        if self.what in {"missing", "unreadable", "unreachable"}:
            return _messages(f"fault.{self.what}", table=self.table, key=self.key)
        values = {"expected": self.expected or "?", "found": self.found or "?"}
        return _messages("fault.differs", table=self.table, key=self.key, what=self.what, **values)
