"""What the two sides of the child say to each other: octets with their length before them, over one socket.

Imports little, since the child pays for it at each start.
"""

from __future__ import annotations

import socket
import struct

_LENGTH = struct.Struct("!I")
_LARGEST = 256 << 20
_PIECE = 1 << 20


def send(channel: socket.socket, *frames: bytes) -> None:
    """Send frames, in order.

    Raises:
        OSError: the other side is gone, or does not take them in the time that the channel has.
    """
    for frame in frames:
        channel.sendall(_LENGTH.pack(len(frame)) + frame)


def receive(channel: socket.socket) -> bytes:
    """Return the next frame.

    Raises:
        EOFError: the other side is gone.
        OSError: it is, or nothing came in the time that the channel has.
    """
    (length,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size))
    if length > _LARGEST:
        raise EOFError("what comes is no frame")
    return _exactly(channel, length)


def _exactly(channel: socket.socket, size: int) -> bytes:
    read = bytearray()
    while len(read) < size:
        piece = channel.recv(min(size - len(read), _PIECE))
        if not piece:
            raise EOFError("the other side is gone")
        read += piece
    return bytes(read)
