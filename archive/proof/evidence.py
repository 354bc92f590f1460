"""Evidence: one file that proves a record to somebody who has neither the platform nor any reason to believe it.

What lives here: the layout of the file and its writing. What does not: its verification (`archive.proof.verification`), which
reads nothing but the file and, when there is one, a folder of trusted authorities.

The chain that the file holds, each link hashing the one before:

    files of the record → manifest and package → journal entry (leaf) → root of the journal's tree → head → timestamp token

Members, in this order: ``README.txt`` (in French, how an expert verifies by hand), ``package.zip``, ``leaf.json``,
``proof.json``, ``head.json``, ``token.der`` (RFC 3161), ``certificates/NN.pem`` (the authority's chain), ``revocations/NN.crl``
and ``.ors`` (the lists, then the OCSP answers, that were brought after the token), ``SHA256SUMS``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from archive.proof.hashes import SHA256, digest_length, plain_name
from archive.proof.head import Head
from archive.proof.lifetime import end_of_certificate
from archive.proof.tree import leaf_hash, verify_inclusion
from archive.stored_zip import Stored, StoredZip, stored_zip
from core.canonical import canonical_bytes
from core.clock import in_paris, iso
from core.errors import NeedsOperator, UnreadableInput
from core.messages import Catalogue
from signing.timestamp.token import Timestamp

_FIRST, _LATER = "tabellion-proof/1", "tabellion-proof/2"
README, PACKAGE, LEAF, PROOF, HEAD, TOKEN, SUMS = (
    "README.txt",
    "package.zip",
    "leaf.json",
    "proof.json",
    "head.json",
    "token.der",
    "SHA256SUMS",
)
CERTIFICATES = "certificates/"
REVOCATIONS, LIST, ANSWER = "revocations/", ".crl", ".ors"
LARGEST_CHAIN = 16
LEAF_DIGEST = "package_sha256"
"""Where the entry of a sealing or a publication holds the package's digest: in its ``facts``, under this key, in hexadecimal.

That of another hash stands under its own name, ``package_sha512``: see `leaf_key`.
"""

_messages = Catalogue("archive")


class BrokenChain(NeedsOperator):
    """What was gathered as evidence does not hold together: the archive itself is at fault."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves one record.

    Attributes:
        package: the record's package, byte for byte as it was sealed.
        leaf: the bytes of the journal entry that names its digest.
        index: place of that entry in the journal's tree, from 0.
        path: inclusion path to the root of the head, leaf end first.
        head: the head of the tree.
        token: RFC 3161 token over the canonical bytes of the head, DER.
        certificates: the timestamping authority's chain, as far as it is known.
        algorithm: with what the entry digests the package; the tree has that of its head.
        lists: revocation lists that speak of the authority, DER.
        answers: OCSP answers that do, DER.
    """

    package: Path
    leaf: bytes
    index: int
    path: tuple[bytes, ...]
    head: Head
    token: bytes
    certificates: tuple[x509.Certificate, ...]
    algorithm: str = SHA256
    lists: tuple[bytes, ...] = ()
    answers: tuple[bytes, ...] = ()

    def revocations(self) -> Iterator[tuple[str, bytes]]:
        """Yield what is said of the authority, each with the name that it has in the file."""
        told = [*((LIST, one) for one in self.lists), *((ANSWER, one) for one in self.answers)]
        for rank, (suffix, data) in enumerate(told, start=1):
            yield f"{REVOCATIONS}{rank:02}{suffix}", data


def prove(evidence: Evidence, target: Path) -> None:
    """Write the evidence file of a record; the same evidence gives the same bytes.

    Raises:
        BrokenChain: the parts do not prove one another; nothing is written.
        TokenUnreadable: the token is not one.
    """
    _check(evidence)
    with stored_zip(target, evidence.head.at) as zipped:
        stored = [
            zipped.add(README, _readme(evidence).encode()),
            zipped.add(PACKAGE, evidence.package),
            zipped.add(LEAF, evidence.leaf),
            zipped.add(PROOF, _proof(evidence)),
            *add_stamped_head(zipped, evidence.head, evidence.token, evidence.certificates),
            *(zipped.add(name, data) for name, data in evidence.revocations()),
        ]
        zipped.add(SUMS, sums(stored))


def add_stamped_head(
    zipped: StoredZip, head: Head, token: bytes, certificates: Sequence[x509.Certificate], folder: str = ""
) -> Iterator[Stored]:
    """Write the head of the journal, the token over it and the authority's chain, and yield what was written."""
    yield zipped.add(f"{folder}{HEAD}", head.canonical())
    yield zipped.add(f"{folder}{TOKEN}", token)
    for rank, certificate in enumerate(certificates, start=1):
        yield zipped.add(f"{folder}{CERTIFICATES}{rank:02}.pem", certificate.public_bytes(Encoding.PEM))


def sums(stored: Sequence[Stored]) -> bytes:
    """Return the digests of the members in the form that ``sha256sum --check`` reads."""
    return "".join(f"{entry.sha256}  {entry.name}\n" for entry in stored).encode()


def leaf_key(algorithm: str) -> str:
    """Return the key under which the facts of an entry hold a package's digest of this algorithm."""
    return f"package_{plain_name(algorithm)}"


def package_digest(leaf: bytes, algorithm: str = SHA256) -> str:
    """Return the digest of the package that a journal entry names, in hexadecimal.

    Raises:
        UnreadableInput: the entry is no JSON object, or says no such thing.
    """
    try:
        facts = json.loads(leaf)["facts"]
        digest = facts[leaf_key(algorithm)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnreadableInput("the journal entry names no package") from error
    if not isinstance(digest, str) or not re.fullmatch(rf"[0-9a-f]{{{2 * digest_length(algorithm)}}}", digest):
        raise UnreadableInput("the journal entry names no package")
    return digest


def check_included(leaf: bytes, index: int, path: Sequence[bytes], head: Head) -> None:
    """Refuse to hand out the proof of a journal entry that would not hold.

    Raises:
        BrokenChain: its path does not lead to the root of the head.
    """
    if not verify_inclusion(leaf_hash(leaf, head.hash), index, head.size, path, head.root, head.hash):
        raise BrokenChain(_messages("prove.inclusion"))


def check_stamped(head: Head, token: bytes, certificates: Sequence[x509.Certificate]) -> None:
    """Refuse to hand out a head whose token is over something else.

    Raises:
        BrokenChain: it is, or the chain is longer than what is ever read.
        TokenUnreadable: the token is not one.
    """
    if Timestamp.read(token).digest != head.digest():
        raise BrokenChain(_messages("prove.token"))
    if len(certificates) > LARGEST_CHAIN:
        raise BrokenChain(_messages("prove.chain"))


def guide(name: str, **places: object) -> str:
    """Return a part of the expert's guide, in French whoever asks for it."""
    return files("archive").joinpath(f"locale/{name}.fr.txt").read_text("utf-8").format(**places)


def stamped_guide(token: bytes) -> str:
    """Return the step of the expert's guide that verifies the token, with the very commands.

    Raises:
        TokenUnreadable: the token is not one.
    """
    stamp = Timestamp.read(token)
    ends = f"{in_paris(end_of_certificate(token)):%d/%m/%Y}"
    return guide("stamped", epoch=int(stamp.gen_time.timestamp()), authority=_one_line(stamp.authority), ends=ends)


def stamped_in_words(token: bytes) -> str:
    """Return when the authority says that the head existed, by the clocks of Paris."""
    return f"{in_paris(Timestamp.read(token).gen_time):%d/%m/%Y à %H:%M:%S}"


def _one_line(name: str) -> str:
    """Return the name of an authority, on one line: what stands at the start of a line of the guide is a command."""
    return " ".join(name.split())


def _check(evidence: Evidence) -> None:
    """Refuse to hand out a proof that would not hold."""
    with evidence.package.open("rb") as stream:
        digest = hashlib.file_digest(stream, plain_name(evidence.algorithm)).hexdigest()
    try:
        sealed = package_digest(evidence.leaf, evidence.algorithm)
    except UnreadableInput as error:
        raise BrokenChain(_messages("prove.leaf")) from error
    if digest != sealed:
        raise BrokenChain(_messages("prove.package"))
    check_included(evidence.leaf, evidence.index, evidence.path, evidence.head)
    check_stamped(evidence.head, evidence.token, evidence.certificates)
    if len(evidence.lists) + len(evidence.answers) > LARGEST_CHAIN:
        raise BrokenChain(_messages("prove.chain"))


def statement_of_proof(head: Head, leaf: bytes, index: int, path: list[str], algorithm: str) -> dict[str, object]:
    """Return all that ``proof.json`` says; of a proof with SHA-256 alone it is what it was before there was any other."""
    first = head.hash == algorithm == SHA256
    return ({} if first else {"package_hash": algorithm}) | {
        "format": _FIRST if first else _LATER,
        "hash": head.hash,
        "head_time": iso(head.at),
        "leaf_hash": leaf_hash(leaf, head.hash).hex(),
        "leaf_index": index,
        "origin": head.origin,
        "path": path,
        "root": head.root.hex(),
        "tree": "RFC 9162",
        "tree_size": head.size,
    }


def _proof(evidence: Evidence) -> bytes:
    path = [step.hex() for step in evidence.path]
    return canonical_bytes(statement_of_proof(evidence.head, evidence.leaf, evidence.index, path, evidence.algorithm))


def _readme(evidence: Evidence) -> str:
    """Return the expert's guide with the very commands that recompute this proof."""
    return guide(
        "evidence",
        package=package_digest(evidence.leaf, evidence.algorithm),
        algorithm=evidence.algorithm,
        sum=f"{plain_name(evidence.algorithm)}sum",
        key=leaf_key(evidence.algorithm),
        tree=evidence.head.hash,
        tree_sum=f"{plain_name(evidence.head.hash)}sum",
        index=evidence.index,
        size=evidence.head.size,
        leaf=leaf_hash(evidence.leaf, evidence.head.hash).hex(),
        steps=_steps(evidence),
        root=evidence.head.root.hex(),
        origin=evidence.head.origin,
        stamped=stamped_in_words(evidence.token),
        token=stamped_guide(evidence.token) + _revocations_guide(evidence),
    )


def _revocations_guide(evidence: Evidence) -> str:
    """Return what is to be said of the lists and the answers in the file, with the commands that show them."""
    shown = {LIST: "crl -inform DER -in {} -noout -text", ANSWER: "ocsp -respin {} -noverify -resp_text"}
    commands = [f"    openssl {shown[name[-len(LIST) :]].format(name)}" for name, _ in evidence.revocations()]
    return guide("revocations", commands="\n".join(commands)) if commands else ""


def _steps(evidence: Evidence) -> str:
    """Return one shell command per step from the leaf hash to the root (RFC 9162, 2.1.3.2)."""
    algorithm = evidence.head.hash
    hashed = f"{plain_name(algorithm)}sum | cut -c1-{2 * digest_length(algorithm)}"
    lines = [f"h={leaf_hash(evidence.leaf, algorithm).hex()}"]
    place, last = evidence.index, evidence.head.size - 1
    for step in evidence.path:
        left = place % 2 == 1 or place == last
        pair = f"{step.hex()}${{h}}" if left else f"${{h}}{step.hex()}"
        lines.append(f'h=$(printf "01{pair}" | xxd -r -p | {hashed})')
        while left and place % 2 == 0 and place:
            place, last = place // 2, last // 2
        place, last = place // 2, last // 2
    return "\n".join(f"    {line}" for line in [*lines, 'echo "$h"'])
