"""What every message of ACTES has in common; ``acts.py``, ``letters.py`` and ``messages.py`` hold the messages themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from schemas.actes.codes import MessageCode
from schemas.actes.envelopes import SignedFile
from schemas.actes.names import IdActe, UnreadableName


@dataclass(frozen=True, slots=True)
class Message:
    """What all messages have in common."""

    code: ClassVar[MessageCode]

    @property
    def files(self) -> tuple[SignedFile, ...]:
        """The files that travel with it, the main document first."""
        return ()

    @property
    def act(self) -> IdActe | None:
        """The act that it is about, when it names it by an identifier that can be read."""
        return _act(getattr(self, "id_acte", ""))


def _act(identifier: str) -> IdActe | None:
    try:
        return IdActe.parse(identifier)
    except UnreadableName:
        return None
