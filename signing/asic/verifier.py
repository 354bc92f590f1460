"""Verifying a container: every signature in it, and that every file of it is signed.

A signature in CMS, or a timestamp, is over a manifest that names files by their digests, or over the only file. One in XML names
the files itself.
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
from signing.asic.container import ASIC_E, ASIC_S, MIMETYPE, Container, EntryUnreadable, opened
from signing.asic.manifest import Manifest, parsed
from signing.cades.verifier import DigestOf, Remark, verify_message
from signing.timestamp.verifier import token_of, verify_timestamp
from signing.trust import TrustStore
from signing.verdicts import Belief, FileVerdict, SignatureVerdict, worst
from signing.xades.verifier import verify_document

_messages = Catalogue("signing")
_MESSAGE = re.compile(r"META-INF/[^/]+\.p7[sm]", re.IGNORECASE)
_TOKEN = re.compile(r"META-INF/[^/]+\.tst", re.IGNORECASE)
_XML = re.compile(r"META-INF/[^/]*signatures[^/]*\.xml", re.IGNORECASE)
_MANIFEST = re.compile(r"META-INF/[^/]*ASiC(Archive)?Manifest[^/]*\.xml", re.IGNORECASE)
_ACCOMPANYING = {"META-INF/manifest.xml", "META-INF/container.xml"}
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
        hashes: by which a manifest reaches them.
        flaws: what breaks on the way.
    """

    digest: DigestOf
    names: frozenset[str]
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
        self.signatures: list[SignatureVerdict] = []

    def run(self) -> FileVerdict:
        names = self.container.names
        carriers = [name for name in names if _MESSAGE.fullmatch(name) or _TOKEN.fullmatch(name) or _XML.fullmatch(name)]
        manifests = list(filter(_MANIFEST.fullmatch, names))
        if not carriers and not manifests:
            return FileVerdict(Belief.UNSIGNED)
        self.type()
        for name in manifests:
            self.reading(name, self.manifest)
        for name in carriers:
            self.reading(name, self.xml if _XML.fullmatch(name) else self.carrier)
        self.completeness(carriers)
        beliefs = [remark.belief for remark in self.remarks if remark.belief is not None]
        verdict = worst([*beliefs, *(signature.verdict for signature in self.signatures)])
        return FileVerdict(verdict, tuple(self.signatures), tuple(remark.message for remark in self.remarks))

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
        if kind not in {ASIC_E, ASIC_S}:
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

    def carrier(self, name: str) -> None:
        """Verify a CMS or a timestamp over its manifest, or over the only file."""
        octets = self.container.read(name)
        scope = self.scope(name)
        if scope is None:
            self.add("asic.no_manifest", name=name)
            return
        if _TOKEN.fullmatch(name):
            stamp = verify_timestamp(
                token_of(octets), scope.digest, trust=self.trust, at=self.at, covers=self.covers(scope.names)
            )
            self.stamped |= self.keep((stamp,), scope)
            return
        verdicts = verify_message(
            octets, scope.digest, trust=self.trust, at=self.at, covers=self.covers(scope.names), through=tuple(scope.hashes)
        )
        if not verdicts:
            self.add("asic.empty", name=name)
        self.signed |= self.keep(verdicts, scope)

    def scope(self, name: str) -> _Scope | None:
        if name in self.manifests:
            holder, manifest = self.manifests[name]
            return self.through(manifest, functools.partial(self.container.digest, holder))
        if len(self.data) == 1 and not self.manifests:
            (only,) = self.data
            return _Scope(functools.partial(self.container.digest, only), self.data)
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
        return _Scope(digest, self.data.intersection(reached), hashes, tuple(flaws))

    def same(self, name: str, hash_name: str, expected: bytes) -> bool:
        try:
            return self.container.digest(name, hash_name) == expected
        except EntryUnreadable:
            return False

    def keep(self, verdicts: tuple[SignatureVerdict, ...], scope: _Scope) -> frozenset[str]:
        """Keep the verdicts, made worse by what breaks between a manifest and its files; return the files that hold."""
        if scope.flaws:
            verdicts = tuple(
                replace(one, intact=False, verdict=Belief.INVALID, reasons=(*scope.flaws, *one.reasons)) for one in verdicts
            )
        self.signatures += verdicts
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

            verdict = verify_document(parsed(self.container.read(name)), resolve=resolve, trust=self.trust, at=self.at)
        if verdict.verdict is Belief.UNSIGNED:
            self.add("asic.empty", name=name)
            return
        reached = self.data & asked
        self.remarks += [Remark(verdict.verdict, reason) for reason in verdict.reasons]
        intact = all(one.intact for one in verdict.signatures)
        if intact:
            self.signed |= reached
        alone = intact and len(verdict.signatures) == 1  # of several, only they can tell which is over what
        self.signatures += [replace(one, covers=self.covers(reached)) if alone else one for one in verdict.signatures]

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
