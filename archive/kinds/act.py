"""What is said of an act in its archive transfer: what was sent to the State, its acknowledgement, and all that followed.

What lives here: the transfer of an act whose control of legality is over, or whose transmission was cancelled. What does not:
the files themselves, the decision to archive, the package (`archive.package`), how long it is kept (`archive.retention.rules`).

One file per act, and below it an item for each document as it was sent, for the envelope, for the State's acknowledgement
(1-2, the legal proof) and for each message exchanged, in the order in which they left or came: a message bears its attachments,
a document the detached signature over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from archive.kinds.act_facts import BELOW, ActDescribed, ActFile, ActRecord, ActRole, Exchange
from archive.kinds.act_units import act_unit
from archive.package import Described, Package, build_package
from archive.retention.rules import Started
from archive.transfer import check_roles, transfer_of
from core import clock
from core.errors import UsageError
from core.messages import Catalogue, speaking
from schemas.seda.model import Transfer, Version

__all__ = ["ActDescribed", "ActFile", "ActRecord", "ActRole", "Exchange", "act_package", "act_transfer"]

_messages = Catalogue("archive")
_OBLIGATORY_ONCE = (ActRole.DOCUMENT, ActRole.ENVELOPE, ActRole.ACKNOWLEDGEMENT, ActRole.JOURNAL)
_EXCHANGED = frozenset({ActRole.ENVELOPE, ActRole.ACKNOWLEDGEMENT, ActRole.MESSAGE})


def act_package(target: Path, record: ActRecord, files: Sequence[ActFile], *, version: Version = Version.V2_2) -> Package:
    """Build the package of an act.

    Args:
        target: the package to write.
        record: its facts.
        files: in this order: the main document as it was sent, then annexes, each followed by the detached signature over it;
            the archive of the envelope; the acknowledgement; each message exchanged, followed by its attachments; the journal
            extract. What we sent is the archive in which it left, followed by the message that it holds where it was kept.
        version: of SEDA.

    Raises:
        UsageError: a file is missing, one too many, of a role that an act has not, or below nothing.
    """

    def described(objects: Sequence[Described]) -> Transfer:
        return act_transfer(record, [(file, item) for file, (_, item) in zip(files, objects, strict=True)])

    return build_package(target, files, described, at=record.at, version=version)


def act_transfer(record: ActRecord, files: Sequence[ActDescribed]) -> Transfer:
    """Return the transfer of an act.

    Raises:
        UsageError: as ``act_package``.
    """
    check_roles("act", ActRole, _OBLIGATORY_ONCE, files)
    _refuse_what_stands_alone(files)
    last = _last_day(record, files)
    with speaking("fr"):  # the manifest is read by French archivists, whoever asks for it
        # Access counts from the most recent document (Code du patrimoine, L. 213-2), not from the decision.
        hidden = Started(last, _messages("act.rule.last"))
        return transfer_of(record, act_unit(record, files, last), files, start=_messages("act.rule.start"), hidden=hidden)


def _refuse_what_stands_alone(files: Sequence[ActDescribed]) -> None:
    above: ActRole | None = None
    for file, _ in files:
        role = ActRole(file.role)
        if role in _EXCHANGED and file.exchange is None:
            raise UsageError(_messages("act.undated", name=file.name))
        if role not in BELOW:
            above = role
        elif above not in BELOW[role]:
            raise UsageError(_messages("act.alone", name=file.name))


def _last_day(record: ActRecord, files: Sequence[ActDescribed]) -> date:
    """Return the day of the most recent document."""
    days = [record.decided, record.received]
    days += [clock.in_paris(file.exchange.at).date() for file, _ in files if file.exchange is not None]
    return max(days)
