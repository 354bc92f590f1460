"""Verifying a container: every signature in it, and that every file of it is signed.

A signature in CMS, or a timestamp, is over a manifest that names files by their digests, or over the only file. One in XML names
the files itself, as do those of office documents (OpenDocument 1.2, 3). A timestamp whose manifest names signatures
(ASiCArchiveManifest: ETSI EN 319 162-1, A.7) proves when they existed, and stands with them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO

from core import clock
from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from signing.algorithms import SHA1_REFUSED_FROM
from signing.asic.container import ASIC_E, ASIC_S, MIMETYPE, Container, EntryUnreadable, opened
from signing.asic.manifest import Manifest, parsed
from signing.cades.content import DigestOf
from signing.cades.verifier import Remark, verify_message
from signing.timestamp.verifier import as_timestamp, token_of, verify_timestamp
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief, FileVerdict, SignatureVerdict, TimestampVerdict, proved_time, worst
from signing.xades.verifier import verify_document

_messages = Catalogue("signing")
_MESSAGE = re.compile(r"META-INF/[^/]+\.p7[sm]", re.IGNORECASE)
_TOKEN = re.compile(r"META-INF/[^/]+\.tst", re.IGNORECASE)
_XML = re.compile(r"META-INF/[^/]*signatures[^/]*\.xml", re.IGNORECASE)
_MANIFEST = re.compile(r"META-INF/[^/]*ASiC(Archive)?Manifest[^/]*\.xml", re.IGNORECASE)
_OF_SIGNATURES = re.compile(r"META-INF/[^/]*ASiCManifest[^/]*\.xml", re.IGNORECASE)
_ACCOMPANYING = {"META-INF/manifest.xml", "META-INF/container.xml"}
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_MOST_SHOWN = 10


def verify(path: Path, *, detached: Path | None = None, trust: TrustStore | None, at: datetime | None = None) -> FileVerdict:
    """Verify every signature of a container.

    Args:
        path: the container, ASiC-E or ASiC-S; its size is bounded by the caller.
        detached: nothing may be named: the files are inside.
        trust: who is believed; None means nobody.
        at: the moment of the verification, now by default.

    Raises:
        UnreadableInput: no zip, or one that is not safe to read.
        UsageError: a detached file is named.
    """
    if detached is not None:
        raise UsageError(_messages("verification.own_data", file=path.name))
    with opened(path) as container:
        return _Examiner(container, trust, at or clock.now()).run()


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a signature is over.

    Attributes:
        digest: of the octets signed: a manifest, or the only file.
        names: the data files that it reaches.
        beside: the other files that it reaches: signatures, timestamps, their manifests.
        hashes: by which a manifest reaches them.
        flaws: what breaks on the way.
    """

    digest: DigestOf
    names: frozenset[str]
    beside: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    flaws: tuple[str, ...] = ()


class _Examiner:
    """The examination of one container."""

    def __init__(self, container: Container, trust: TrustStore | None, at: datetime) -> None:
        self.container = container
        self.trust = trust
        self.at = at
        self.data = frozenset(container.data)
        self.signed: set[str] = set()
        self.stamped: set[str] = set()
        self.manifests: dict[str, tuple[str, Manifest]] = {}
        self.remarks: list[Remark] = []
        self.found: dict[str, tuple[SignatureVerdict, ...]] = {}
        self.stamps: dict[str, list[TimestampVerdict]] = {}

    def run(self) -> FileVerdict:
        names = self.container.names
        carriers = [name for name in names if _MESSAGE.fullmatch(name) or _TOKEN.fullmatch(name) or _XML.fullmatch(name)]
        manifests = list(filter(_MANIFEST.fullmatch, names))
        if not carriers and not manifests:
            return FileVerdict(Belief.UNSIGNED)
        self.type()
        for name in manifests:
            self.reading(name, self.manifest)
        for name in filter(_TOKEN.fullmatch, carriers):
            self.reading(name, self.token)
        for name in carriers:
            if not _TOKEN.fullmatch(name):
                self.reading(name, self.xml if _XML.fullmatch(name) else self.message)
        self.completeness(carriers)
        signatures = tuple(verdict for name in carriers for verdict in self.found.get(name, ()))
        beliefs = [remark.belief for remark in self.remarks if remark.belief is not None]
        verdict = worst([*beliefs, *(signature.verdict for signature in signatures)])
        return FileVerdict(verdict, signatures, tuple(remark.message for remark in self.remarks))

    def add(self, key: str, belief: Belief | None = Belief.INVALID, **places: object) -> None:
        self.remarks.append(Remark(belief, _messages(key, **places)))

    def reading(self, name: str, read: Callable[[str], None]) -> None:
        """Examine one file of META-INF; one that cannot be read spoils the container, and the others are still told."""
        try:
            read(name)
        except UnreadableInput as error:
            self.add("asic.broken", name=name, detail=str(error))

    def type(self) -> None:
        """Say what is unusual about the type; tools differ there, and nothing is believed for it."""
        try:
            kind = self.container.type
        except EntryUnreadable as error:
            self.add("asic.broken", name=MIMETYPE, detail=str(error))
            return
        if kind not in {ASIC_E, ASIC_S} and not (kind or "").startswith(_OPEN_DOCUMENT):
            self.add("asic.type", None, found=kind or "")
        elif not self.container.first_is_plain_type:
            self.add("asic.type_place", None)
        if kind == ASIC_S and len(self.data) != 1:
            self.add("asic.single", found=len(self.data))

    def manifest(self, name: str) -> None:
        manifest = Manifest.read(self.container.read(name))
        signature = self.container.named(manifest.signature)
        if signature is None or signature in self.manifests:
            self.add("asic.manifest_signature", name=name, found=manifest.signature)
        else:
            self.manifests[signature] = (name, manifest)

    def token(self, name: str) -> None:
        """Verify a timestamp over its manifest, or over the only file; what its manifest names existed at its time."""
        octets = self.container.read(name)
        scope = self.scope(name)
        if scope is None:
            return
        covers = self.covers(scope.names)
        stamp = verify_timestamp(token_of(octets), scope.digest, trust=self.trust, at=self.at, covers=covers)
        self.stamped |= self.keep(name, (_through(stamp, scope.hashes),), scope)
        over = [other for other in scope.beside if _MESSAGE.fullmatch(other) or _XML.fullmatch(other)]
        if over and self.found[name][0].intact:  # a broken one is told by itself, as any signature
            (stamp,) = self.found.pop(name)
            for other in over:
                self.stamps.setdefault(other, []).append(as_timestamp(stamp))

    def message(self, name: str) -> None:
        """Verify a CMS over its manifest, or over the only file."""
        octets = self.container.read(name)
        scope = self.scope(name)
        if scope is None:
            return
        verdicts = verify_message(
            octets,
            scope.digest,
            trust=self.trust,
            at=self.at,
            covers=self.covers(scope.names),
            through=tuple(scope.hashes),
            existed=self.existed(name),
        )
        if not verdicts:
            self.add("asic.empty", name=name)
        self.signed |= self.keep(name, self.archived(name, verdicts), scope)

    def existed(self, name: str) -> datetime | None:
        """Return the earliest time at which a file is proved to have existed."""
        return proved_time(self.stamps.get(name, ()), self.at)

    def archived(self, name: str, verdicts: tuple[SignatureVerdict, ...]) -> tuple[SignatureVerdict, ...]:
        """Put the timestamps over a file of signatures beside those that each of them carries."""
        stamps = tuple(self.stamps.get(name, ()))
        stamped = any(stamp.valid for stamp in stamps)
        return tuple(
            replace(one, timestamps=(*one.timestamps, *stamps), level="T" if stamped and one.level else one.level)
            for one in verdicts
        )

    def scope(self, name: str) -> _Scope | None:
        """Return what a signature or a timestamp is over; None, and why, when nothing tells."""
        if name in self.manifests:
            holder, manifest = self.manifests[name]
            return self.through(manifest, functools.partial(self.container.digest, holder))
        if len(self.data) == 1 and not any(map(_OF_SIGNATURES.fullmatch, self.container.names)):
            (only,) = self.data
            return _Scope(functools.partial(self.container.digest, only), self.data)
        self.add("asic.no_manifest", name=name)
        return None

    def through(self, manifest: Manifest, digest: DigestOf) -> _Scope:
        """Follow a manifest to the files that it names, each digest held against the file."""
        flaws: list[str] = []
        reached: list[str] = []
        for reference in manifest.references:
            name = self.container.named(reference.uri)
            if name is None:
                flaws.append(_messages("asic.missing", name=reference.uri))
            elif name in reached or reference.hash_name is None:
                flaws.append(_messages("asic.reference", name=name))
            elif not self.same(name, reference.hash_name, reference.digest):
                flaws.append(_messages("asic.altered", name=name))
            else:
                reached.append(name)
        hashes = frozenset(reference.hash_name for reference in manifest.references if reference.hash_name)
        names = self.data.intersection(reached)
        return _Scope(digest, names, frozenset(reached) - names, hashes, tuple(flaws))

    def same(self, name: str, hash_name: str, expected: bytes) -> bool:
        try:
            return self.container.digest(name, hash_name) == expected
        except EntryUnreadable:
            return False

    def keep(self, name: str, verdicts: tuple[SignatureVerdict, ...], scope: _Scope) -> frozenset[str]:
        """Keep the verdicts, made worse by what breaks between a manifest and its files; return the files that hold."""
        if scope.flaws:
            verdicts = tuple(
                replace(one, intact=False, verdict=Belief.INVALID, reasons=(*scope.flaws, *one.reasons)) for one in verdicts
            )
        self.found[name] = verdicts
        return scope.names if any(one.intact for one in verdicts) else frozenset()

    def xml(self, name: str) -> None:
        """Verify the signatures of a document; the files that it asks for are those that it is over."""
        asked: set[str] = set()
        with ExitStack() as streams:

            def resolve(reference: str) -> IO[bytes] | None:
                found = self.container.named(reference)
                if found is None:
                    return None
                asked.add(found)
                return streams.enter_context(self.container.opened(found))

            tree, existed = parsed(self.container.read(name)), self.existed(name)
            verdict = verify_document(tree, resolve=resolve, trust=self.trust, at=self.at, existed=existed)
        if verdict.verdict is Belief.UNSIGNED:
            self.add("asic.empty", name=name)
            return
        reached = self.data & asked
        self.remarks += [Remark(verdict.verdict, reason) for reason in verdict.reasons]
        intact = all(one.intact for one in verdict.signatures)
        if intact:
            self.signed |= reached
        alone = intact and len(verdict.signatures) == 1  # of several, only they can tell which is over what
        told = tuple(replace(one, covers=self.covers(reached)) if alone else one for one in verdict.signatures)
        self.found[name] = self.archived(name, told)

    def covers(self, names: frozenset[str]) -> str:
        """Say what a signature covers: ``document`` when it is every file."""
        if names == self.data:
            return "document"
        return f"file {', '.join(sorted(names)[:_MOST_SHOWN])}" if names else "nothing"

    def completeness(self, carriers: list[str]) -> None:
        """Find files that nothing signs (timestamps suffice where nothing else is), and what of META-INF is not examined."""
        stamps_only = all(map(_TOKEN.fullmatch, carriers))
        if bare := sorted(self.data - (self.stamped if stamps_only else self.signed)):
            self.add("asic.uncovered", found=", ".join(bare[:_MOST_SHOWN]))
        if not self.data:
            self.add("asic.no_data")
        known = {*carriers, *self.data, *_ACCOMPANYING, MIMETYPE, *filter(_MANIFEST.fullmatch, self.container.names)}
        if others := [name for name in self.container.names if name not in known]:
            self.add("asic.unexamined", None, found=", ".join(others[:_MOST_SHOWN]))


def _through(stamp: SignatureVerdict, hashes: frozenset[str]) -> SignatureVerdict:
    """Return the verdict on a timestamp over a manifest, which is no stronger than the hashes by which that names its files."""
    if "sha1" not in hashes or stamp.signing_time is None:
        return stamp
    belief = Belief.INDETERMINATE if stamp.signing_time.year < SHA1_REFUSED_FROM else Belief.INVALID
    reasons = (_messages("timestamp.weak", found="sha1"), *stamp.reasons)
    return replace(stamp, trust=TrustState.UNTRUSTED, verdict=worst([stamp.verdict, belief]), reasons=reasons)
