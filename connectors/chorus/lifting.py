"""A file in base64 inside a JSON object, brought to disk as it arrives: an invoice of 120 MB is never held in memory.

The file is one long text of one member; everything else of the object stays small and is parsed as usual, with an empty text in
the member's place.
"""

from __future__ import annotations

import binascii
import re
from typing import IO

_ESCAPES = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_LONGEST_ESCAPE = 6
_BLANKS = b" \t\r\n"
_WRITTEN = {b"/": b"/", b"n": b"", b"r": b"", b"t": b""}
_LOOK_BACK = 200


class TooMuch(Exception):
    """The answer, or the file in it, is beyond its limit."""


class NotBase64(Exception):
    """The text of the member is no base64."""


class Lifter:
    """Takes an answer piece by piece; the text of one member goes to a file, decoded.

    Attributes:
        lifted: octets that went to the file.
        whole: whether the member was there, and came to its end.
    """

    def __init__(self, member: str, target: IO[bytes], *, limit: int, rest: int) -> None:
        """Prepare to read.

        Args:
            member: name of the member, plain ASCII.
            target: where its octets go.
            limit: octets of the file beyond which nothing is read.
            rest: octets of everything else beyond which nothing is read.
        """
        # A quote inside a text is written with a backslash: the pattern can only meet the member itself.
        self._opening = re.compile(rb'(?<!\\)"' + member.encode("ascii") + rb'"\s*:\s*"')
        self._target, self._limit, self._most = target, limit, rest
        self._rest = bytearray()
        self._looked = 0
        self._inside = self._padded = False
        self._text = self._quads = b""
        self.lifted = 0
        self.whole = False

    def feed(self, piece: bytes) -> None:
        """Take the next octets of the answer.

        Raises:
            TooMuch: a limit is passed.
            NotBase64: the member holds something else.
        """
        if self._inside:
            self._lift(piece)
            return
        self._rest += piece
        found = None if self.whole else self._opening.search(self._rest, max(0, self._looked - _LOOK_BACK))
        self._looked = len(self._rest)
        if found is not None:
            after = bytes(self._rest[found.end() :])
            del self._rest[found.end() :]
            self._inside = True
            self._lift(after)
        elif len(self._rest) > self._most:
            raise TooMuch

    def remainder(self) -> bytes:
        """Return the JSON without the text of the member.

        Raises:
            EOFError: the answer ended in the middle of the file.
        """
        if self._inside:
            raise EOFError
        return bytes(self._rest)

    def _lift(self, piece: bytes) -> None:
        end = piece.find(b'"')
        self._text += piece if end < 0 else piece[:end]
        self._decode(last=end >= 0)
        if end >= 0:
            self._inside, self.whole = False, True
            self.feed(piece[end:])

    def _decode(self, *, last: bool) -> None:
        text, self._text = self._text, b""
        cut = text.rfind(b"\\", -_LONGEST_ESCAPE)
        if not last and cut >= 0:  # an escape may go on in the next piece
            text, self._text = text[:cut], text[cut:]
        if b"\\" in text:
            text = _ESCAPES.sub(_unescaped, text)
        quads = self._quads + text.translate(None, _BLANKS)
        ready = len(quads) if last else len(quads) - len(quads) % 4
        self._quads = quads[ready:]
        self._write(quads[:ready])

    def _write(self, quads: bytes) -> None:
        if not quads:
            return
        try:
            octets = binascii.a2b_base64(quads, strict_mode=True)
        except binascii.Error as error:
            raise NotBase64 from error
        if self._padded:
            raise NotBase64
        self._padded = quads.endswith(b"=")
        self.lifted += len(octets)
        if self.lifted > self._limit:
            raise TooMuch
        self._target.write(octets)


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return chr(int(found[1], 16)).encode(errors="replace")
    if found[2] not in _WRITTEN:
        raise NotBase64
    return _WRITTEN[found[2]]
