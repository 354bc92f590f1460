"""Flips a bit of an object where the S3 server of the tests keeps it on disk, with or without its own checksum mended.

SeaweedFS keeps what it is given in volumes (``*.dat``): each piece has a header of 16 bytes that ends with the size of its body,
the body begins with the size of the data and the data themselves, and ends before a CRC-32C of the data.
"""

from __future__ import annotations

import os
from pathlib import Path

from core.s3_server import S3Server

_CASTAGNOLI = 0x82F63B78


def flip(server: S3Server, content: bytes, offset: int, *, mended: bool = True, bucket: str = "") -> None:
    """Flip the lowest bit of a byte of whatever object has this content, in every volume where it stands.

    Args:
        server: whose disk it is.
        content: of the object, as it is before.
        offset: of the byte, from 0; from the end when negative.
        bucket: where it stands; everywhere when none is named.
        mended: give the piece the checksum of what it has become, so that the server sees nothing and gives it out.
    """
    found = 0
    for volume in sorted((server.folder / "data").glob(f"{bucket or '*'}_*.dat")):
        found += _flip_in(volume, content, offset % len(content), mended=mended)
    assert found, "the object stands in no volume as it is"


def cut_short(server: S3Server, content: bytes, bucket: str) -> None:
    """Cut the volume in which an object of a bucket stands in the middle of that object."""
    for volume in (server.folder / "data").glob(f"{bucket}_*.dat"):
        at = volume.read_bytes().find(content)
        if at >= 0:
            os.truncate(volume, at + len(content) // 2)
            return
    raise AssertionError("the object stands in no volume as it is")


def _flip_in(volume: Path, content: bytes, offset: int, *, mended: bool) -> int:
    written, found, at = volume.read_bytes(), 0, -1
    with volume.open("r+b") as stream:
        while (at := written.find(content, at + 1)) >= 0:
            found += 1
            changed = bytearray(content)
            changed[offset] ^= 1
            stream.seek(at)
            stream.write(changed)
            if mended:
                stream.seek(at - 4 + int.from_bytes(written[at - 8 : at - 4], "big"))
                stream.write(_crc32c(bytes(changed)).to_bytes(4, "big"))
    return found


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _row(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (_CASTAGNOLI if value & 1 else 0)
    return value


_TABLE = tuple(_row(value) for value in range(256))
