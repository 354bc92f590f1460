"""Files as they arrive, in a form or by uploads: read to their end, kept, and told apart by how they begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from api.multipart import Files
from api.uploads import Document
from api.web.deposit.sorting import HEAD, Arrived, is_pes
from core import uploads
from core.blobs import Readable
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from core.uploads import Upload
from flows.engine.intake import Received
from flows.helios.flow import HELIOS
from flows.registry import DEPOSITS

_t = Catalogue("api.web.deposit")
MOST = uploads.MOST


@dataclass(frozen=True, slots=True)
class Flux:
    """A PES that was received, or why it was not.

    Attributes:
        existing: the dossier that another content of the same name has made, for a conflict.
    """

    name: str
    received: Received | None
    trouble: str = ""
    existing: str | None = None


@dataclass(slots=True)
class Arrivals:
    """What has come: files that were kept, and PES that were received on the way.

    Attributes:
        principal: who sends, for ``organisation_id``.
        only_pes: whatever comes is meant for HELIOS, readable or not.
    """

    platform: Platform
    principal: Principal
    organisation_id: str
    only_pes: bool
    files: list[Arrived] = field(default_factory=list)
    flux: list[Flux] = field(default_factory=list)

    def take(self, form: Files) -> None:
        """Take the files of a form.

        Raises:
            UsageError: an empty file, or too many.
            TooLarge, UnreadableInput, Unavailable: see ``api.multipart`` and ``core.blobs``.
        """
        name = form.file_name
        while name:
            if len(self.files) + len(self.flux) >= MOST:
                raise UsageError(_t("trouble.many", most=MOST))
            source = _Opened(Document(form))
            if self.only_pes or is_pes(source.head):
                self._receive(source, name)
            else:
                blob = self.platform.objects.put(source, self.platform.settings.upload_limit)
                self.files.append(Arrived(_shown(name), blob.sha256, blob.size))
            name = form.following()

    def take_uploads(self, found: Sequence[Upload]) -> None:
        """Take what was uploaded in pieces."""
        for upload in found:
            with self.platform.objects.reading(upload.sha256 or "") as stream:
                source = _Opened(stream)
                if self.only_pes or is_pes(source.head):
                    self._receive(source, upload.name)
                else:
                    self.files.append(Arrived(_shown(upload.name), upload.sha256 or "", upload.size))

    def _receive(self, source: Readable, name: str) -> None:
        try:
            deposit = DEPOSITS[HELIOS.name]
            received = deposit(self.platform, self.principal, self.organisation_id, source, name[:255], None, None)
        except Conflict as error:
            # The others go their way: one name that was used already is no reason to send everything again.
            self.flux.append(Flux(_shown(name), None, str(error), error.existing))
        else:
            self.flux.append(Flux(_shown(name), received))


def _shown(name: str) -> str:
    return PurePath(name.replace("\\", "/")).name[-255:] or "document"


class _Opened:
    """A source whose beginning was looked at already."""

    def __init__(self, source: Readable) -> None:
        self._rest = source
        head = b""
        while len(head) < HEAD and (piece := source.read(HEAD - len(head))):
            head += piece
        self.head = self._left = head

    def read(self, size: int = -1, /) -> bytes:
        if not self._left:
            return self._rest.read(size)
        taken = self._left if size < 0 else self._left[:size]
        self._left = self._left[len(taken) :]
        return taken
