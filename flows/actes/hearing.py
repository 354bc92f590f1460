"""One message of the ministry, in the transaction that applies it: which act it is about, and what of it is kept with that act.

What lives here: how a message is kept, once, with its files, and how its act is told. What does not: what each message means for
its act (`applying.py`, `refusing.py`), and which of several acts is meant (`matching.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlmodel import col, select

from core import journal
from core.database import ScopedSession
from core.organisations import Organisation, subtree
from core.platform import Platform
from flows.actes.flow import ACTES
from flows.actes.matching import Heard, act_of, identity
from flows.actes.models import LATE, ActesEnvelope, ActesMail, ActesMessage, EnvelopeState, MessageState
from flows.actes.parcel import Found, Parcel
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.engine.work import Advance, KeptFile
from schemas.actes import messages as said
from schemas.actes.codes import MessageCode

_CLOSED = frozenset({"elapsed", "withdrawn", "archived", "cancelled"})


class Hearing:
    """One message, in the transaction that applies it.

    Attributes:
        message, part: what it says, and the file that it stands in.
        mail, parcel: the mail that brought it, as a row and as it was read.
    """

    def __init__(self, session: ScopedSession, platform: Platform, mail: ActesMail, parcel: Parcel, found: Found) -> None:
        self.session, self.platform, self.mail = session, platform, mail
        self.parcel, self.message, self.part = parcel, found.message, found.part

    def a(self, kind: type[Any]) -> Any:
        """Return the message, which is of that kind."""
        if not isinstance(self.message, kind):
            raise TypeError(f"{self.message.code} is no {kind.__name__}")
        return self.message

    def organisations(self, siren: str) -> list[str]:
        """Return the organisations of a SIREN below the owner of the mailbox."""
        known = select(Organisation.id).where(Organisation.siren == siren, col(Organisation.id).in_(self.served()))
        return list(self.session.exec(known.order_by(Organisation.path)))

    def served(self) -> list[str]:
        """Return the organisations that the mailbox serves: its owner, and all below."""
        owner = self.session.get_one(Organisation, self.mail.mailbox_id)
        return subtree(self.session, owner.path)

    def act(self, id_acte: str, received: said.Acte | None, day: date | None = None) -> tuple[Dossier, ActesMessage]:
        """Return the act that the message is about, and its first message.

        Raises:
            Unmatched, NotYet: see ``matching.act_of``.
        """
        heard = Heard(self.message.code, self.part["sha256"], id_acte, self.parcel.recipient, received, day, self.parcel.meant)
        siren, _ = identity(heard)
        first, dossier = act_of(self.session, self.platform, self.organisations(siren), heard)
        return dossier, first

    def keep(
        self,
        dossier: Dossier,
        first: ActesMessage,
        day: date | None,
        facts: dict[str, Any] | None = None,
        *,
        letter_date: date | None = None,
        answers: ActesMessage | None = None,
    ) -> ActesMessage | None:
        """Keep the message and its files with the act; None when it is there already."""
        code = self.message.code.value
        same = select(ActesMessage).where(
            ActesMessage.dossier_id == dossier.id, ActesMessage.code == code, ActesMessage.sha256 == self.part["sha256"]
        )
        if (known := self.session.exec(same).first()) is not None:
            self._complete(known)
            return None
        files, absent = self._files()
        self.session.refresh(dossier, with_for_update=True)  # before it is closed, or after: the journal will tell no otherwise
        late = {LATE: True} if dossier.state in _CLOSED else {}
        row = ActesMessage(
            organisation_id=dossier.organisation_id,
            dossier_id=dossier.id,
            code=code,
            id_acte=first.id_acte,
            outgoing=False,
            state=MessageState.RECEIVED.value,
            letter_date=letter_date,
            day=day,
            answers_id=answers.id if answers else None,
            sha256=self.part["sha256"],
            facts={**(facts or {}), "mail": self.mail.id, **absent, **late},
            actor="platform",
        )
        self.session.add(row)
        self.session.flush()
        self._join(row, (self.part, *files))
        told = {"code": code, "sha256": self.part["sha256"], "mail": self.mail.sha256}
        self._journal(row, "actes.message_received", told)
        return row

    def _journal(self, row: ActesMessage, kind: str, facts: dict[str, Any]) -> None:
        owner, dossier = row.organisation_id, row.dossier_id
        journal.write(self.session, organisation_id=owner, dossier_id=dossier, kind=kind, actor="platform", facts=facts)

    def _join(self, row: ActesMessage, parts: Iterable[dict[str, Any]]) -> None:
        """Add parts of the mail to the files of the act, as those of a message."""
        role = f"{row.code}.{row.id}"
        kept = tuple(KeptFile(role, one["name"], one["media_type"], one["sha256"], one["size"]) for one in parts)
        transitions.add_files(self.session, row.organisation_id, row.dossier_id, kept)

    def _complete(self, row: ActesMessage) -> None:
        """Add to a message that is known what it lacked, when another mail brings it."""
        lacked = {*row.facts.get("missing", ()), *(name for name, _ in row.facts.get("infected", ()))}
        files, absent = self._files()
        if brought := [one for one in files if one["name"].casefold() in {name.casefold() for name in lacked}]:
            self._join(row, brought)
            row.facts = {**row.facts, **absent}
            self.session.add(row)
            told = {"code": row.code, "message": row.id, "files": [one["sha256"] for one in brought], "mail": self.mail.sha256}
            self._journal(row, "actes.message_completed", told)

    def _files(self) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
        """Return the parts that the message names; and the names that no part bears, or only one that nobody must open."""
        names = [one.name for one in self.message.files]
        if self.message.code in {MessageCode.AR_ACTE, MessageCode.ANOMALIE_ACTE}:
            names = []
        parts = {part["name"].casefold(): part for part in self.mail.parts}
        there = [(name, parts[name.casefold()]) for name in names if name.casefold() in parts]
        return [part for _, part in there if not part.get("infected")], {
            "missing": [name for name in names if name.casefold() not in parts],
            "infected": [[name, part["infected"]] for name, part in there if part.get("infected")],
        }

    def notice(self, words: str) -> None:
        """Have a person told of the message, which is applied all the same."""
        self.parcel.notices[self.part["sha256"]] = words

    def file(self, role: str) -> KeptFile:
        """Return the message's own file, in a role of the dossier."""
        part = self.part
        return KeptFile(role, part["name"], part["media_type"], part["sha256"], part["size"])

    def signal(
        self, dossier: Dossier, event: str, facts: dict[str, Any], files: tuple[KeptFile, ...], frees_reference: bool = False
    ) -> bool:
        """Tell the act what the message means for it; False when it does not wait for that."""
        outcome = Advance(event, facts=facts, files=files, journal={"mail": self.mail.sha256})
        return transitions.signal(self.session, ACTES, dossier.id, event, outcome, frees_reference=frees_reference)

    def delivered(self, row: ActesMessage, state: EnvelopeState = EnvelopeState.SENT) -> None:
        """Note what the ministry's answer proves: the envelope of a message arrived."""
        if row.state == MessageState.UNCERTAIN.value:
            row.state = MessageState.SENT.value
            self.session.add(row)
        for envelope in self.session.exec(select(ActesEnvelope).where(ActesEnvelope.message_id == row.id)):
            envelope.state = state.value
            self.session.add(envelope)


def iso(day: date | None) -> str | None:
    """Return a day as facts hold it."""
    return None if day is None else day.isoformat()
