"""The profile of an agreement, kept among the documents once it was found to be one that can be applied."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from core.errors import UnreadableInput, UsageError
from core.platform import Platform
from schemas.seda.profile import check_profile
from schemas.seda.reader import read_manifest

_RELAX_NG = b"http://relaxng.org/ns/structure/1.0"
_PLAIN = b'<ArchiveTransfer xmlns="fr:gouv:culture:archivesdefrance:seda:v2.1"/>'


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile: the SHA-256 by which the store knows it, and the name of its file."""

    sha256: str
    name: str


def keep(platform: Platform, octets: bytes) -> Profile:
    """Keep a profile.

    Raises:
        UsageError: it cannot be applied.
        Unavailable: the store does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path, plain = Path(folder) / "profile.xml", Path(folder) / "manifest.xml"
        path.write_bytes(octets)
        plain.write_bytes(_PLAIN)
        try:
            check_profile(read_manifest(plain), path)
        except UnreadableInput as error:
            raise UsageError(str(error)) from error
        return Profile(platform.objects.put_file(path).sha256, "profil.rng" if _RELAX_NG in octets else "profil.xsd")
