"""An extract of the journal: several entries, each proved in one timestamped head, for whoever has no access to the platform.

What lives here: the members of a proof that say what the journal holds, and the steps of the expert's guide that verify them.
What does not: what the entries name by its digest, which whoever makes the proof adds beside them; the proof of a single record
(`archive.proof.evidence`), whose links these are.

Members: ``journal.jsonl`` (the leaf of an entry a line, byte for byte), ``proof.json`` (place and path of each, by its line),
``head.json``, ``token.der`` (RFC 3161), ``certificates/NN.pem``. The digests of all members stand in ``SHA256SUMS``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509

from archive.proof.evidence import PROOF, add_stamped_head, check_included, check_stamped, guide
from archive.proof.hashes import plain_name
from archive.proof.head import Head
from archive.stored_zip import Stored, StoredZip
from core.canonical import canonical_bytes

EXTRACT_FORMAT = "tabellion-extract/1"
JOURNAL = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry and its way to the root of the head.

    Attributes:
        leaf: its bytes.
        index: its place in the tree, from 0; None when the head does not cover it yet.
        path: inclusion path, leaf end first.
    """

    leaf: bytes
    index: int | None
    path: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Extract:
    """Entries in the order of the journal, and the head that proves them.

    Attributes:
        token: RFC 3161 token over the canonical bytes of the head, DER.
        certificates: the timestamping authority's chain, as far as it is known.
    """

    entries: tuple[Entry, ...]
    head: Head
    token: bytes
    certificates: tuple[x509.Certificate, ...]

    @property
    def waiting(self) -> int:
        """How many entries the head does not cover yet."""
        return sum(entry.index is None for entry in self.entries)


def add_extract(zipped: StoredZip, extract: Extract) -> Iterator[Stored]:
    """Write the members and yield what was written.

    Raises:
        BrokenChain: the parts do not prove one another.
        TokenUnreadable: the token is not one.
    """
    for entry in extract.entries:
        if entry.index is not None:
            check_included(entry.leaf, entry.index, entry.path, extract.head)
    check_stamped(extract.head, extract.token, extract.certificates)
    yield zipped.add(JOURNAL, b"".join(entry.leaf + b"\n" for entry in extract.entries))
    yield zipped.add(PROOF, _proof(extract))
    yield from add_stamped_head(zipped, extract.head, extract.token, extract.certificates)


def inclusion_guide(extract: Extract) -> str:
    """Return the step of the guide that leads from every entry to the root of the head."""
    head = extract.head
    return guide(
        "inclusion", format=EXTRACT_FORMAT, origin=head.origin, size=head.size, hash=head.hash, function=plain_name(head.hash)
    )


def _proof(extract: Extract) -> bytes:
    """Return the way of each entry, and nothing that stands elsewhere: no byte of it could change unseen."""
    entries = [
        {"line": line, "leaf_index": entry.index, "path": [step.hex() for step in entry.path]}
        for line, entry in enumerate(extract.entries, start=1)
        if entry.index is not None
    ]
    return canonical_bytes({"format": EXTRACT_FORMAT, "entries": entries})
