"""asn1crypto's tables from names to object identifiers, made whole at the import of this module, before any thread looks there.

The library turns each table round at its first use, without a lock, and never again: of two threads one may meet a table that
is half turned, and what pyHanko registers afterwards is missing from it, so that an attribute that was read cannot be written.
"""

from __future__ import annotations

from collections.abc import Iterator

from asn1crypto import core
from pyhanko.sign.ades import cades_asn1  # noqa: F401 - adds its names to the tables


def _kinds(kind: type[core.ObjectIdentifier]) -> Iterator[type[core.ObjectIdentifier]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


for _kind in _kinds(core.ObjectIdentifier):
    if names := _kind._map:  # noqa: SLF001 - the library lets nobody add a name in any other way
        _kind.unmap(next(iter(names.values())))
        _kind._reverse_map.update({name: number for number, name in names.items()})  # noqa: SLF001
