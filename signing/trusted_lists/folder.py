"""Where verified lists are kept: ``trusted-lists`` in the trust folder, one file for each territory.

A file is named after the territory, the list's number and the SHA-256 of its bytes (``FR.56.3f….xml``): what was not put there
by ``installing``, or has changed since, is noticed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.errors import Misconfigured
from core.messages import Catalogue
from signing.trusted_lists.content import Service, TrustedList
from signing.trusted_lists.reading import ListUnreadable, read

_messages = Catalogue("signing")
_NAME = re.compile(r"(?P<territory>[A-Z]{2})\.(?P<sequence>[0-9]{1,9})\.(?P<digest>[0-9a-f]{64})\.xml")


@dataclass(frozen=True, slots=True)
class Kept:
    """A list that stands in the trust folder.

    Attributes:
        path: of its file.
        list: what it says.
    """

    path: Path
    list: TrustedList


def place(folder: Path) -> Path:
    """Return the place of the lists in a trust folder; it may be absent."""
    return folder / "trusted-lists"


def name_of(found: TrustedList, data: bytes) -> str:
    """Return the name under which the bytes of a list are kept."""
    return f"{found.territory}.{found.sequence}.{hashlib.sha256(data).hexdigest()}.xml"


def kept(folder: Path) -> dict[str, Kept]:
    """Return the newest list of each territory that stands in a trust folder.

    Raises:
        Misconfigured: a file there is not one that was installed, or has changed since.
    """
    newest: dict[str, tuple[int, Path]] = {}
    for path in sorted(place(folder).glob("*.xml")):
        named = _NAME.fullmatch(path.name)
        if named is None:
            raise Misconfigured(_messages("lists.altered", file=path.name))
        territory, sequence = named["territory"], int(named["sequence"])
        if sequence >= newest.get(territory, (-1, path))[0]:
            newest[territory] = sequence, path
    return {territory: _kept(path) for territory, (_, path) in newest.items()}


def services(folder: Path) -> tuple[Service, ...]:
    """Return the services of every list kept in a trust folder.

    Raises:
        Misconfigured: as ``kept``.
    """
    return tuple(service for one in kept(folder).values() for service in one.list.services)


def alerts(folder: Path, at: datetime) -> tuple[str, ...]:
    """Say which lists should have been replaced by a newer one: an operator's business; nothing is refused for it.

    Raises:
        Misconfigured: as ``kept``.
    """
    return tuple(stale_note(one.list) for one in kept(folder).values() if one.list.stale(at))


def stale_note(found: TrustedList) -> str:
    """Return the sentence about a list that is out of date."""
    if found.next_update is None:
        return _messages("lists.closed", territory=found.territory)
    return _messages("lists.stale", territory=found.territory, date=f"{found.next_update:%d/%m/%Y}")


def _kept(path: Path) -> Kept:
    digest = path.name.split(".")[2]
    try:
        found = read(path)
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
    except (ListUnreadable, OSError) as error:
        raise Misconfigured(_messages("lists.altered", file=path.name)) from error
    if digest != actual:
        raise Misconfigured(_messages("lists.altered", file=path.name))
    return Kept(path, found)
