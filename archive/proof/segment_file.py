"""A segment: the journal between two heads as one file, which stands outside the database and is verified without it.

What lives here: its layout, writing and reading. What does not: where segments are kept, and that they follow one another
(`archive.proof.segments`).

Members, in this order: ``leaves.jsonl`` (the leaf of an entry a line, byte for byte), ``segment.json`` (how many leaves came
before, and the complete subtrees that they make up), ``organisations.json`` (those that the leaves name, and what stands above
them), ``head.json``, ``token.der`` (RFC 3161), ``certificates/NN.pem``, ``SHA256SUMS``. From the subtrees and the leaves follows
the root of the head, under the token: and from the subtrees alone that of the head before.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cryptography import x509

from archive.proof.evidence import CERTIFICATES, HEAD, LARGEST_CHAIN, SUMS, TOKEN, add_stamped_head, sums
from archive.proof.hashes import plain_name
from archive.proof.head import Head
from archive.proof.tree import Peaks, fold, leaf_hash
from archive.stored_zip import Entry, NotStoredZip, Stored, content, read_stored_zip, stored_zip
from core.canonical import canonical_bytes, read_canonical
from core.errors import UnreadableInput
from core.messages import Catalogue
from signing.timestamp.token import verify_token

FORMAT = "tabellion-journal-segment/1"
LEAVES, SEGMENT, ORGANISATIONS = "leaves.jsonl", "segment.json", "organisations.json"

_messages = Catalogue("archive.proof")
_FIXED = (LEAVES, SEGMENT, ORGANISATIONS, HEAD, TOKEN)
_SMALL = 64 << 20


class SegmentAltered(UnreadableInput):
    """The file is no segment, or no longer the one that was written."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a segment is made of.

    Attributes:
        leaves: a file, the leaf of an entry a line.
        first: how many leaves came before.
        subtrees: the hashes of the complete subtrees that those make up, left to right, in the tree of the head.
        organisations: those that the leaves name and all above them, each as JSON values.
        head: what the segment ends with.
        token: RFC 3161 token over the head, DER.
        certificates: the authority's chain, as far as it is known.
    """

    leaves: Path
    first: int
    subtrees: tuple[bytes, ...]
    organisations: tuple[dict[str, Any], ...]
    head: Head
    token: bytes
    certificates: tuple[x509.Certificate, ...]

    def lines(self) -> Iterator[bytes]:
        """Yield the leaves, in the order of the journal."""
        with self.leaves.open("rb") as stream:
            for line in stream:
                yield line.removesuffix(b"\n")

    @property
    def root_before(self) -> bytes:
        """The root of the tree before the first leaf, made with the hash of the head."""
        return fold(self.subtrees, self.head.hash)


def write_segment(contents: Contents, target: Path) -> None:
    """Write a segment, having recomputed its root: what was altered in the database is not copied out of it.

    Raises:
        SegmentAltered: the leaves do not lead to the head, or its token is over something else.
    """
    _require_whole(contents)
    with stored_zip(target, contents.head.at) as zipped:
        subtrees = [node.hex() for node in contents.subtrees]
        stored = [
            zipped.add(LEAVES, contents.leaves),
            zipped.add(SEGMENT, canonical_bytes({"format": FORMAT, "first": contents.first, "subtrees": subtrees})),
            zipped.add(ORGANISATIONS, canonical_bytes({"organisations": list(contents.organisations)})),
            *add_stamped_head(zipped, contents.head, contents.token, contents.certificates),
        ]
        zipped.add(SUMS, sums(stored))


def read_segment(path: Path, folder: Path) -> Contents:
    """Read a segment and recompute everything in it: digests, root, token.

    Args:
        path: the file.
        folder: where its leaves are unpacked to.

    Raises:
        SegmentAltered: anything in it does not hold.
    """
    try:
        with path.open("rb") as stream:
            contents = _read(stream, folder / LEAVES)
    except (NotStoredZip, UnreadableInput, ValueError, TypeError, KeyError) as error:
        raise SegmentAltered(_messages("segment.unreadable")) from error
    _require_whole(contents)
    return contents


def _require_whole(contents: Contents) -> None:
    head = contents.head
    try:
        tree = Peaks(head.hash, contents.first, contents.subtrees)
    except ValueError as error:
        raise SegmentAltered(_messages("segment.subtrees")) from error
    for line in contents.lines():
        tree.add(leaf_hash(line, head.hash))
    if tree.size != head.size or not hmac.compare_digest(tree.root(), head.root):
        raise SegmentAltered(_messages("segment.root", first=contents.first, size=head.size))
    if not verify_token(contents.token, head.digest(), trust=None, hash_name=plain_name(head.hash)).intact:
        raise SegmentAltered(_messages("segment.token", size=head.size))


def _read(stream: IO[bytes], leaves: Path) -> Contents:
    entries = read_stored_zip(stream, largest_count=len(_FIXED) + LARGEST_CHAIN + 1)
    names = [entry.name for entry in entries]
    chain = [f"{CERTIFICATES}{rank:02}.pem" for rank in range(1, len(names) - len(_FIXED))]
    if names != [*_FIXED, *chain, SUMS]:
        raise UnreadableInput("the members are not those of a segment")
    stored = [_unpack(stream, entries[0], leaves)]
    small: dict[str, bytes] = {}
    for entry in entries[1:]:
        if entry.size > _SMALL:
            raise UnreadableInput(f"{entry.name} is too large")
        small[entry.name] = b"".join(content(stream, entry))
        stored.append(Stored(entry.name, hashlib.sha256(small[entry.name]).hexdigest(), entry.size))
    if not hmac.compare_digest(small[SUMS], sums(stored[:-1])):
        raise UnreadableInput("the digests are not those of the members")
    told = read_canonical(small[SEGMENT])
    if set(told) != {"format", "first", "subtrees"} or told["format"] != FORMAT or type(told["first"]) is not int:
        raise UnreadableInput("no segment of this format")
    return Contents(
        leaves,
        told["first"],
        tuple(bytes.fromhex(node) for node in told["subtrees"]),
        tuple(read_canonical(small[ORGANISATIONS])["organisations"]),
        Head.read(small[HEAD]),
        small[TOKEN],
        _certificates([small[name] for name in chain]),
    )


def _certificates(pems: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificate(pem) for pem in pems)


def _unpack(stream: IO[bytes], entry: Entry, target: Path) -> Stored:
    digest = hashlib.sha256()
    with target.open("wb") as unpacked:
        for chunk in content(stream, entry):
            digest.update(chunk)
            unpacked.write(chunk)
    return Stored(entry.name, digest.hexdigest(), entry.size)
