"""A place where deliveries are put and answers are found, whatever it is made of: what every one of them can do.

A place does what it is told, one step at a time: when to send, to repeat or to give up is the flow's business. A file has one
temporary name, which nobody reads, and its rename to the final name, never over another, is the arbiter: it succeeds once.
Whoever recorded that it was about to publish, and finds the temporary file gone after a crash, knows that it happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from connectors.finance import naming
from connectors.finance.settings import FolderPlace, SftpPlace
from core.clock import now

LARGEST_ANSWER = 64 * 1024
"""Octets of an answer: a few words."""


@dataclass(frozen=True, slots=True)
class Presence:
    """What stands under the two names of a file.

    Attributes:
        final: a file has the final name.
        temporary_size: octets of the temporary file; None when there is none.
    """

    final: bool
    temporary_size: int | None


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """A file that answers a delivery, as it stood when it was looked at."""

    name: str
    size: int
    modified: datetime


class Place(Protocol):
    """A directory somewhere. Every method raises FinanceUnavailable, AccessRefused or PlaceMissing besides what it says."""

    def presence(self, name: str) -> Presence:
        """Tell what stands under the final and the temporary name."""

    def upload(self, path: Path, name: str) -> None:
        """Write a local file under the temporary name, in place of what an interrupted upload left.

        Raises:
            UploadIncomplete: another number of octets was kept.
        """

    def publish(self, name: str) -> None:
        """Give the temporary file its final name: from then on it is delivered.

        Raises:
            NameTaken: a file stands under the final name; nothing was changed.
            TemporaryMissing: there is no temporary file.
        """

    def digest(self, name: str) -> str | None:
        """Return the hexadecimal SHA-256 of what stands under the final name; None when nothing does."""

    def answers(self) -> list[AnswerFile]:
        """Return the answers that are whole, oldest first; files of other names are passed over."""

    def read(self, name: str) -> bytes:
        """Return an answer.

        Raises:
            AnswerUnreadable: it is no plain file, or larger than ``LARGEST_ANSWER``.
        """

    def remove(self, name: str) -> None:
        """Delete an answer that was heard; one that is no longer there counts as deleted."""


def settled(look: Callable[[], list[AnswerFile]], place: FolderPlace | SftpPlace) -> list[AnswerFile]:
    """Return the answers that do not grow any more: old enough, or unchanged at a second look."""
    first = sorted((file for file in look() if naming.answered(file.name)), key=lambda file: (file.modified, file.name))
    before = now() - timedelta(seconds=place.settled_age)
    if all(file.modified <= before for file in first):
        return first
    time.sleep(place.second_look_after)
    second = set(look())
    return [file for file in first if file.modified <= before or file in second]
