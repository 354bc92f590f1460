"""The name under which a file is deposited: on PASSTRANS SFTP, the routing metadata travel in it.

``<P_DEST>%%<P_APPLI>%%<P_MSG>%%<SHA-1 of the file, hex>``, with P_MSG ``<CodFich>#<CodCol>#<IdPost>#<CodBud>``. The
characters ``#`` and ``%`` are meant and nothing is escaped. Connecting and sending live in ``client``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from connectors.helios.settings import CodFich, HeliosGateway
from core.errors import UsageError
from core.messages import Catalogue

_messages = Catalogue("connectors.helios")

_FIELD = r"[0-9A-Za-z_.-]{1,16}"
_NAME = re.compile(  # at most 161 characters: a file name may have 255, suffixes included
    rf"(?P<p_dest>{_FIELD})%%(?P<p_appli>{_FIELD})%%(?P<cod_fich>[0-9A-Za-z_.-]{{1,32}})"
    rf"#(?P<cod_col>{_FIELD})#(?P<id_post>{_FIELD})#(?P<cod_bud>{_FIELD})%%(?P<sha1>[0-9a-f]{{40}})"
)


@dataclass(frozen=True, slots=True)
class Routing:
    """What the header of a flow says of where it goes.

    Attributes:
        typ_fic: ``Enveloppe/Parametres/TypFic`` (``PESALR1`` …).
        cod_col: ``EnTetePES/CodCol``, three digits (``CodColl`` in a PES_ACQUIT_RETOUR).
        id_post: ``EnTetePES/IdPost``, the codique of the accounting office.
        cod_bud: ``EnTetePES/CodBud``, two characters.
    """

    typ_fic: str
    cod_col: str
    id_post: str
    cod_bud: str


@dataclass(frozen=True, slots=True)
class RemoteName:
    """A deposit's name, in its parts."""

    p_dest: str
    p_appli: str
    cod_fich: str
    cod_col: str
    id_post: str
    cod_bud: str
    sha1: str

    def __post_init__(self) -> None:
        """Refuse what would make another name once read back.

        Raises:
            UsageError: a part is missing, too long, or holds a character that separates parts or directories.
        """
        if _NAME.fullmatch(str(self)) is None:
            parts = ", ".join(f"{field.name}={getattr(self, field.name)[:40]!r}" for field in fields(self))
            raise UsageError(_messages("name.unusable", parts=parts))

    def __str__(self) -> str:
        """Write the name as it stands on the server."""
        p_msg = f"{self.cod_fich}#{self.cod_col}#{self.id_post}#{self.cod_bud}"
        return f"{self.p_dest}%%{self.p_appli}%%{p_msg}%%{self.sha1}"

    @classmethod
    def parse(cls, text: str) -> RemoteName | None:
        """Read a name back; None when it is not one (a temporary name is not)."""
        match = _NAME.fullmatch(text)
        return cls(**match.groupdict()) if match else None


def remote_name(gateway: HeliosGateway, routing: Routing, sha1: str) -> str:
    """Return the final name of a deposit; the same file to the same gateway always has the same.

    Args:
        gateway: says P_DEST, P_APPLI and what to use as CodFich.
        routing: from the flow's header.
        sha1: digest of the very bytes to send, 40 lower-case hexadecimal digits.

    Raises:
        UsageError: a part is missing or cannot stand in a name.
    """
    cod_fich = routing.typ_fic if gateway.cod_fich is CodFich.TYPFIC else CodFich.PES.value
    return str(
        RemoteName(gateway.p_dest, gateway.p_appli.value, cod_fich, routing.cod_col, routing.id_post, routing.cod_bud, sha1)
    )


def temporary_name(gateway: HeliosGateway, final_name: str) -> str:
    """Return the name under which a file is written before it is published; always the same for the same final name."""
    return final_name + gateway.temporary_suffix
