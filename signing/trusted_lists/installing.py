"""Taking a trusted list in: its signature is verified once, against whoever is announced to sign it, then it is kept.

Nothing is fetched: an operator brings the file, or a job does. A list that does not hold is refused, and the last good one stays.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from core import clock
from core.errors import Conflict, UnreadableInput
from core.messages import Catalogue
from signing.trust import TrustStore
from signing.trusted_lists.content import TrustedList
from signing.trusted_lists.folder import Kept, kept, name_of, place, stale_note
from signing.trusted_lists.reading import LARGEST, ListUnreadable, read
from signing.verdicts import Belief, FileVerdict
from signing.xades.verifier import verify

_messages = Catalogue("signing")
_UNION = "EU"


class ListRefused(UnreadableInput):
    """The list is not signed, whole, by one of those who are announced to sign it."""


class ListOlder(Conflict):
    """A newer list of the same territory is kept already, or another one of the same number."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A list that was taken in.

    Attributes:
        kept: the list and its place.
        notes: what the operator should know: it is out of date, pivots are named that nobody has followed, some statuses
            are not understood.
    """

    kept: Kept
    notes: tuple[str, ...]


def install(path: Path, folder: Path, signers: Sequence[x509.Certificate] = (), at: datetime | None = None) -> Installed:
    """Verify a list and keep it in a trust folder, in the place of the one before.

    The list of lists is expected from the signers given, or from those that the list of lists kept before announces: pivots
    installed one after the other, oldest first, are followed thus. A national list is expected from the signers given, or from
    those that the list of lists points to.

    Args:
        path: of the list, XML.
        folder: the trust folder.
        signers: certificates that its signature may be made with, beside those that are announced.
        at: the moment of the verification, now by default.

    Raises:
        ListUnreadable: no trusted list.
        ListRefused: nobody is known to sign it, or its signature is not theirs, or does not cover it whole.
        ListOlder: one with a higher number is kept.
        Misconfigured: what is kept in the folder was altered.
    """
    moment = at or clock.now()
    data = _bytes(path)
    place(folder).mkdir(parents=True, exist_ok=True)
    before = kept(folder)
    with tempfile.TemporaryDirectory(dir=place(folder)) as private:
        copy = Path(private) / path.name
        copy.write_bytes(data)
        found = read(copy)
        _signed(copy, found, (*signers, *_announced(found, before)), moment)
        _newer(found, data, before)
        target = place(folder) / name_of(found, data)
        _settle(copy, target)
    if (old := before.get(found.territory)) and old.path != target:
        old.path.unlink(missing_ok=True)
    return Installed(Kept(target, found), tuple(_notes(found, moment)))


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise ListUnreadable(_messages("lists.unreadable", file=path.name, detail=error.strerror)) from error
    if len(data) > LARGEST:
        raise ListUnreadable(_messages("lists.unreadable", file=path.name, detail=f"> {LARGEST >> 20} MiB"))
    return data


def _announced(found: TrustedList, before: dict[str, Kept]) -> tuple[x509.Certificate, ...]:
    """Return who signs a list, as the list of lists kept before says."""
    union = before.get(_UNION)
    pointers = union.list.pointers if union else ()
    return tuple(signer for pointer in pointers if pointer.territory == found.territory for signer in pointer.signers)


def _signed(copy: Path, found: TrustedList, expected: Sequence[x509.Certificate], at: datetime) -> None:
    if not expected:
        raise ListRefused(_messages("lists.nobody", territory=found.territory))
    # only themselves: an authority among them would vouch for whomever it issued a certificate to
    verdict = verify(copy, trust=TrustStore((), alone=tuple(expected)), at=at)
    if not _whole(verdict):
        reasons = [*verdict.reasons, *(reason for signature in verdict.signatures for reason in signature.reasons)]
        detail = " ".join(reasons) or verdict.verdict.value
        pivots = _messages("lists.pivots", locations=", ".join(found.pivots)) if found.pivots else ""
        raise ListRefused(f"{_messages('lists.refused', territory=found.territory, detail=detail)} {pivots}".strip())


def _whole(verdict: FileVerdict) -> bool:
    """Tell whether one signature, and one that is believed, covers the whole file."""
    covers = [signature.covers for signature in verdict.signatures]
    return verdict.verdict is Belief.VALID and covers == ["document"]


def _newer(found: TrustedList, data: bytes, before: dict[str, Kept]) -> None:
    old = before.get(found.territory)
    if old is None or old.path.name == name_of(found, data):
        return
    if (found.sequence, found.issued) <= (old.list.sequence, old.list.issued):
        raise ListOlder(_messages("lists.older", territory=found.territory, found=found.sequence, kept=old.list.sequence))


def _settle(copy: Path, target: Path) -> None:
    with copy.open("rb") as stream:
        os.fsync(stream.fileno())
    copy.replace(target)


def _notes(found: TrustedList, at: datetime) -> list[str]:
    notes = [stale_note(found)] if found.stale(at) else []
    if found.pivots:
        notes.append(_messages("lists.pivots", locations=", ".join(found.pivots)))
    if found.skipped:
        notes.append(_messages("lists.skipped", territory=found.territory, count=found.skipped))
    return notes
