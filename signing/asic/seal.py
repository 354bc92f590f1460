"""Signing several files at once: an ASiC-E with a CAdES over a manifest of them (ETSI EN 319 162-1, 4.4 and 5.3)."""

from __future__ import annotations

import functools
import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from core import clock
from core.messages import Catalogue
from signing.asic.container import ASIC_E, META, MIMETYPE, Container, opened
from signing.asic.manifest import write_manifest
from signing.asic.verifier import verify
from signing.cades.assembly import signed_attributes
from signing.cades.content import digests_of
from signing.cades.seal import SLOT, Level, appearing, completed, refuse_changed, refuse_unsound, written_chain
from signing.keys import check_fit
from signing.legs import NotSignable, Prepared, Signatory, Slot
from signing.timestamp.client import TimestampClient
from signing.verdicts import FileVerdict

_messages = Catalogue("signing")
_MANIFEST = f"{META}ASiCManifest001.xml"
_SIGNATURE = f"{META}signature001.p7s"


@dataclass(frozen=True, slots=True)
class AsicE:
    """A container with one CAdES over all its files.

    The source is a plain zip of the files to sign, in the order and under the names that they keep.

    Attributes:
        level: ``B``, or ``T`` with a timestamp over the value.
        role: in what capacity, claimed: "Maire".
        place: the town where it is signed.
    """

    name: ClassVar[str] = "asic-e"

    level: Level = "B"
    role: str | None = None
    place: str | None = None

    def prepare(self, source: Path, draft: Path, signatory: Signatory, moment: datetime) -> Prepared:  # noqa: ARG002 - no draft
        """Freeze the manifest of the files, and the attributes to sign over it.

        Raises:
            UnreadableInput: no zip, or one that is not safe to read.
            NotSignable: no file in it, or a container already.
            KeyRefused: the certificate must not sign.
        """
        moment = clock.as_utc(moment).replace(microsecond=0)
        check_fit(signatory.certificate, moment)
        with opened(source) as container:
            _refuse_unfit(container)
            digests = {name: container.digest(name, "sha256") for name in container.data}
        manifest = write_manifest(_SIGNATURE, digests)
        attributes = signed_attributes(
            hashlib.sha256(manifest).digest(), signatory.certificate, moment, role=self.role, place=self.place
        )
        frozen = {"level": self.level, "chain": written_chain(signatory), "manifest": manifest.decode()}
        return Prepared(self.name, digests_of(source)("sha256"), signatory.certificate, moment, (Slot(SLOT, attributes),), frozen)

    @staticmethod
    def complete(
        prepared: Prepared,
        source: Path,
        draft: Path,  # noqa: ARG004 - the manifest is frozen with the rest
        values: Mapping[str, bytes],
        target: Path,
        timestamps: TimestampClient | None = None,
    ) -> FileVerdict:
        """Write the container: the type first and uncompressed, the files, their manifest, its signature.

        Raises:
            WrongValue, SourceChanged, UnsoundSignature: see ``signing.legs``.
            Misconfigured: level T without an authority.
            Unavailable: no timestamping authority answers; nothing is left behind.
        """
        refuse_changed(prepared, source)
        message = completed(prepared, values, timestamps)
        with appearing(target) as output:
            with opened(source) as container, zipfile.ZipFile(output, "x", zipfile.ZIP_DEFLATED) as archive:
                _write(archive, container, prepared, message)
            verdict = verify(output, trust=None, at=max(prepared.moment, clock.now()))
            refuse_unsound(verdict, prepared)
        return verdict


def _refuse_unfit(container: Container) -> None:
    if not container.data or len(container.data) != len(container.names):
        raise NotSignable(_messages("asic.source"))


def _write(archive: zipfile.ZipFile, container: Container, prepared: Prepared, message: bytes) -> None:
    entry = functools.partial(zipfile.ZipInfo, date_time=prepared.moment.timetuple()[:6])
    archive.writestr(entry(MIMETYPE), ASIC_E, zipfile.ZIP_STORED)
    for name in container.data:
        info, old = entry(name), container.entry(name)
        info.file_size = old.file_size
        info.compress_type = zipfile.ZIP_STORED if old.compress_type == zipfile.ZIP_STORED else zipfile.ZIP_DEFLATED
        with container.opened(name) as read, archive.open(info, "w") as written:
            shutil.copyfileobj(read, written)
    archive.writestr(entry(_MANIFEST), prepared.frozen["manifest"].encode(), zipfile.ZIP_DEFLATED)
    archive.writestr(entry(_SIGNATURE), message, zipfile.ZIP_DEFLATED)
