"""Receiving an invoice to issue: kept by its digest; what it is worth is for the check stage to say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from core.blobs import Readable
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine.intake import Deposit, Received, receive
from flows.engine.work import KeptFile
from flows.invoices.issued.flow import SALES
from flows.invoices.issued.stages import INVOICE

_PDF, _XML = "application/pdf", "application/xml"
_HEAD = 1024


def deposit(
    platform: Platform,
    principal: Principal,
    organisation_id: str,
    source: Readable,
    name: str,
    idempotency_key: str | None = None,
    said: Mapping[str, str] | None = None,
) -> Received:
    """Keep an invoice and make a dossier of it, or return the dossier that the same file has already made.

    An invoice says all of itself: ``said`` holds nothing.

    Raises:
        Forbidden: the principal may not deposit for the organisation.
        TooLarge: above the platform's limit; nothing is kept.
        Conflict: the key was used for another content.
    """
    del said
    principal.require(Right.DEPOSIT, organisation_id)
    reading = _Remembering(source)
    blob = platform.objects.put(reading, platform.settings.upload_limit)
    shown = PurePath(name.replace("\\", "/")).name[:255] or "facture"
    media_type = _PDF if b"%PDF-" in reading.head else _XML
    document = KeptFile(INVOICE, shown, media_type, blob.sha256, blob.size)
    entering = Deposit(organisation_id, shown, document, f"sha256:{blob.sha256}", idempotency_key)
    return receive(platform.database, SALES, principal, entering)


class _Remembering:
    """Reads a source and remembers how it began."""

    def __init__(self, source: Readable) -> None:
        self._source, self.head = source, b""

    def read(self, size: int = -1, /) -> bytes:
        piece = self._source.read(size)
        if len(self.head) < _HEAD:
            self.head += piece[: _HEAD - len(self.head)]
        return piece
