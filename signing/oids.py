"""asn1crypto's tables from names to object identifiers, made whole before any thread looks there.

The library turns each table round at its first use, without a lock, and never again: of two threads one may meet a table that
is half turned, and what pyHanko registers afterwards is missing from it, so that an attribute that was read cannot be written.
"""

from __future__ import annotations

from collections.abc import Iterator

from asn1crypto import algos, cms, core, crl, keys, ocsp, tsp, x509  # noqa: F401 - whose tables are meant


def complete() -> None:
    """Have every table know the names that were registered up to now: called by whoever has just imported pyHanko."""
    for kind in _kinds(core.ObjectIdentifier):
        if names := kind._map:  # noqa: SLF001 - the library lets nobody add a name in any other way
            kind.unmap(next(iter(names.values())))
            if len(kind._reverse_map) < len(names):  # noqa: SLF001
                kind._reverse_map.update({name: number for number, name in names.items()})  # noqa: SLF001


def _kinds(kind: type[core.ObjectIdentifier]) -> Iterator[type[core.ObjectIdentifier]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


complete()
