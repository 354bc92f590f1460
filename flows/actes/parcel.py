"""A mail of the ministry read into the messages that it holds, whatever the names and the order of its attachments."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UnreadableInput
from core.messages import Catalogue
from core.platform import Platform
from flows.actes.models import ActesMail
from schemas.actes import messages as said
from schemas.actes.codes import Direction
from schemas.actes.reader import read

_messages = Catalogue("flows.actes")
_ENDINGS = (".xml",)


@dataclass(frozen=True, slots=True)
class Found:
    """A message of a mail: what it says, and the file that it stands in."""

    message: said.Message
    part: dict[str, Any]


@dataclass(slots=True)
class Parcel:
    """What a mail holds.

    Attributes:
        recipient: SIREN of the envelope; None without one.
        messages: in the order of the mail.
        flaws: what could not be read, in words.
        notices: what a person is to be told of what was applied, in words, by the digest of the file that says it; of an earlier
            turn too, while the mail holds what must wait.
        is_noise: no file at all: a plain notice, as those about acts whose paper copy follows.
        meant: the dossier that a person says it is about; None where nobody was asked.
    """

    recipient: str | None = None
    messages: list[Found] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    notices: dict[str, str] = field(default_factory=dict)
    is_noise: bool = False
    meant: str | None = None


def parcel_of(platform: Platform, mail: ActesMail, folder: Path) -> Parcel:
    """Read the attachments of a mail, whatever their names and order."""
    parcel = Parcel(is_noise=not mail.parts)
    for part in mail.parts:
        if "notice" in part:
            parcel.notices[part["sha256"]] = part["notice"]
        if not (part["name"].casefold().endswith(_ENDINGS) or part["media_type"].endswith("/xml")):
            continue
        if part.get("infected"):
            parcel.flaws.append(_messages("mail.infected", name=part["name"], signature=part["infected"]))
            continue
        path = folder / part["sha256"]
        platform.objects.fetch(part["sha256"], path)
        try:
            document = read(path).document
        except UnreadableInput as error:
            parcel.flaws.append(_messages("mail.unreadable", name=part["name"], reason=error))
            continue
        if isinstance(document, said.EnveloppeMISILLCL):
            parcel.recipient = document.recipient or parcel.recipient
        elif isinstance(document, said.Message) and document.code.direction is Direction.FROM_STATE:
            parcel.messages.append(Found(document, part))
    return parcel
