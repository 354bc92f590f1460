"""Receiving a PES: kept by its digest while it is read, and known by the NomFic and CodCol of its header."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePath

from core.blobs import Readable
from core.errors import UnreadableInput
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine.intake import Deposit, Received, receive
from flows.engine.work import KeptFile
from flows.helios.flow import HELIOS
from schemas.pes.header import read_header

ROLE = "pes"
# The header comes first in a PES; a document whose header is not within this much of its beginning is refused by the check.
_HEAD = 1 << 20
# Longer than any name of the protocol: the check refuses such a flow, and nothing has to find it by its name.
_LONGEST = 200


def deposit(
    platform: Platform,
    principal: Principal,
    organisation_id: str,
    source: Readable,
    name: str,
    idempotency_key: str | None = None,
    said: Mapping[str, str] | None = None,
) -> Received:
    """Keep a PES and make a dossier of it, or return the dossier that the same PES has already made.

    What the document is worth is for the check stage to say: whatever can be read is received. A PES says all of itself: ``said``
    holds nothing.

    Raises:
        Forbidden: the principal may not deposit for the organisation.
        TooLarge: above the platform's limit; nothing is kept.
        Conflict: the key, or the NomFic and CodCol, were used for another content.
    """
    del said
    principal.require(Right.DEPOSIT, organisation_id)
    reading = _Remembering(source)
    blob = platform.objects.put(reading, platform.settings.upload_limit)
    shown = PurePath(name.replace("\\", "/")).name[:255] or "sans-nom.xml"
    document = KeptFile(ROLE, shown, "application/xml", blob.sha256, blob.size)
    nom_fic, cod_col = _known_as(reading.head)
    reference = f"{nom_fic}|{cod_col}" if nom_fic and cod_col and len(nom_fic) + len(cod_col) < _LONGEST else None
    facts = {"nom_fic": nom_fic, "cod_col": cod_col}
    return receive(
        platform.database,
        HELIOS,
        principal,
        Deposit(organisation_id, nom_fic or shown, document, reference, idempotency_key, facts),
    )


def _known_as(head: bytes) -> tuple[str | None, str | None]:
    with tempfile.NamedTemporaryFile(prefix="tabellion-") as file:
        file.write(head)
        file.flush()
        try:
            header = read_header(Path(file.name))
        except UnreadableInput:
            return None, None
    return header.nom_fic, header.cod_col


class _Remembering:
    """Reads a source and remembers how it began."""

    def __init__(self, source: Readable) -> None:
        self._source, self.head = source, b""

    def read(self, size: int = -1, /) -> bytes:
        piece = self._source.read(size)
        if len(self.head) < _HEAD:
            self.head += piece[: _HEAD - len(self.head)]
        return piece
