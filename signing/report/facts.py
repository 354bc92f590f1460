"""What a report is made of: the file, the verdict, and the circumstances that the verdict depends on."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from core import clock
from core.canonical import canonical_bytes
from core.errors import Conflict
from core.messages import Catalogue
from signing.trust import TrustStore
from signing.verdicts import FileVerdict
from signing.verification import verify

_messages = Catalogue("signing.report")
_SOFTWARE = "tabellion"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file, as it was when it was verified.

    Attributes:
        name: without its folder.
        size: in octets.
        sha256: of its octets.
    """

    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read a file's facts."""
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
            return cls(os.fsencode(path.name).decode(errors="replace"), stream.tell(), digest.hexdigest())

    def as_json(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        return {"name": self.name, "size": self.size, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Report:
    """A verification and its circumstances.

    Attributes:
        file: what was verified.
        detached: the data that it is over, when they are in another file.
        made: when it was verified.
        at: the moment for which it was verified.
        anchors: number of authorities that were trusted.
        services: number of services of trusted lists that were trusted while they were granted.
        revocations: number of revocation lists that were at hand.
        verdict: what was found.
    """

    file: FileFacts
    detached: FileFacts | None
    made: datetime
    at: datetime
    anchors: int
    services: int
    revocations: int
    verdict: FileVerdict

    @classmethod
    def of(cls, path: Path, *, detached: Path | None = None, trust: TrustStore | None, at: datetime | None = None) -> Self:
        """Verify a file, and say what the verdict depends on.

        Raises:
            UnreadableInput, UsageError: as ``signing.verification.verify``.
            Conflict: a file changed meanwhile, so that its digest may not be that of what was verified.
        """
        made = clock.now().replace(microsecond=0)
        subjects = [path] if detached is None else [path, detached]
        facts = [FileFacts.of(subject) for subject in subjects]
        verdict = verify(path, detached=detached, trust=trust, at=at or made)
        if facts != [FileFacts.of(subject) for subject in subjects]:
            raise Conflict(_messages("changed", file=path.name))
        store = trust or TrustStore(())
        return cls(
            file=facts[0],
            detached=facts[1] if len(facts) > 1 else None,
            made=made,
            at=at or made,
            anchors=len(store.anchors),
            services=len(store.services),
            revocations=len(store.revocations),
            verdict=verdict,
        )

    @property
    def software(self) -> tuple[str, str]:
        """The name and version of what verified."""
        return _SOFTWARE, version(_SOFTWARE)

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical JSON of all that follows: the same in every form of one report."""
        return hashlib.sha256(canonical_bytes(self._statement())).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs; ``sha256`` is over the canonical JSON of its other members."""
        return {**self._statement(), "sha256": self.sha256}

    def _statement(self) -> dict[str, Any]:
        name, number = self.software
        return {
            "software": {"name": name, "version": number},
            "made": clock.iso(self.made),
            "at": clock.iso(self.at),
            "file": self.file.as_json(),
            "detached": None if self.detached is None else self.detached.as_json(),
            "trust": {"anchors": self.anchors, "services": self.services, "revocation_lists": self.revocations},
            **self.verdict.as_json(),
        }
