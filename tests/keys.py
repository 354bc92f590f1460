"""RSA keys, made once a process: within a test no two are the same, the next test is given them again."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from signing import pki

_made: dict[int, list[rsa.RSAPrivateKey]] = defaultdict(list)


@contextmanager
def keys_made_once() -> Iterator[None]:
    """Have the test authority draw from the keys that earlier tests have used, for the time of the block.

    A key takes a third of a second to find. What lives longer than a test finds its own, so that none is met twice.
    """
    drawn: dict[int, int] = defaultdict(int)
    turn = threading.Lock()
    find = pki._new_key

    def draw(family: str, bits: int) -> pki.PrivateKey:
        if family != "rsa":
            return find(family, bits)
        with turn:
            if drawn[bits] == len(_made[bits]):
                _made[bits].append(rsa.generate_private_key(65537, bits))
            drawn[bits] += 1
            return _made[bits][drawn[bits] - 1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pki, "_new_key", draw)
        yield
