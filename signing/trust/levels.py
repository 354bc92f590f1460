"""The RGS level of certificates, as an operator has written it down: there is no policy identifier common to all authorities.

The file ``rgs.toml`` of the trust folder is a table of (authority, policy) and the level that they amount to::

    [[level]]
    authority = "3f…"              # SHA-256 of the authority's certificate, hexadecimal, colons allowed
    policy = "1.2.250.1.999.1.2"   # in certificatePolicies of the certificates that it issues
    level = "**"                   # *, ** or ***
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LEVELS = ("*", "**", "***")
_KEYS = {"authority", "policy", "level"}
_FINGERPRINT = 32
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class RgsLevel:
    """One line of the table.

    Attributes:
        authority: SHA-256 of the authority's certificate.
        policy: the policy identifier, dotted.
        level: ``*``, ``**`` or ``***``.
    """

    authority: bytes
    policy: str
    level: str


def read_levels(path: Path) -> tuple[RgsLevel, ...]:
    """Read the table.

    Raises:
        ValueError: it is larger than 1 MiB, no TOML, or a line has another form.
    """
    with path.open("rb") as stream:
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError("the table of levels is too large")
    table = tomllib.loads(data.decode())
    lines = table.get("level", [])
    if set(table) - {"level"} or not isinstance(lines, list):
        raise ValueError("only [[level]] is known")
    return tuple(_level(line) for line in lines)


def _level(line: object) -> RgsLevel:
    if not isinstance(line, dict) or set(line) != _KEYS or not all(isinstance(value, str) for value in line.values()):
        raise ValueError("a level has an authority, a policy and a level")
    authority = bytes.fromhex(line["authority"].replace(":", ""))
    if len(authority) != _FINGERPRINT or line["level"] not in LEVELS:
        raise ValueError("a SHA-256 and one of the three levels are expected")
    return RgsLevel(authority, line["policy"], line["level"])
