"""What the page of a send says: each recipient, what happened to them, what may be done; an indication is called one."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api import words
from api.web.mails.standing import Deed, deeds_of_recipient, deeds_of_send, state_colour
from api.web.visitor import Visitor
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Right
from flows.engine.models import DossierFile
from flows.mail import reading
from flows.mail.events import EventKind
from flows.mail.keeping import ADDITION, ANSWER, DOCUMENT, TAKEN
from flows.mail.models import MailAnswer, MailEvent, MailRecipient, RecipientState
from flows.mail.reading import SeenMail
from flows.parapheur.dockets import DOCKET

_t = Catalogue("api.web.mails")
_INDICATIONS = frozenset({EventKind.OPENED, EventKind.DELIVERED})


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened, in words.

    Attributes:
        details: what is known of it; nothing that tells where from somebody acted: that stands in the proof.
        indication: it counts for nothing by itself.
    """

    at: datetime
    words: str
    details: tuple[str, ...]
    indication: bool


@dataclass(frozen=True, slots=True)
class History:
    """A page of what happened, oldest first.

    Attributes:
        earlier: where the page before it ends; None on the first one.
        later: something came after.
    """

    steps: tuple[Step, ...]
    earlier: str | None
    later: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A recipient as the page shows them.

    Attributes:
        when: the moment of their act; since when they stand so otherwise.
        hints: indications.
        deeds: what the visitor may do for them.
    """

    recipient: MailRecipient
    colour: str
    when: datetime
    hints: tuple[str, ...]
    deeds: tuple[Deed, ...]
    answer: MailAnswer | None


@dataclass(frozen=True, slots=True)
class Telling:
    """A send as its page shows it.

    Attributes:
        version: changes with everything that the page shows.
        deeds: what the visitor may do to the whole.
        documents: the sender's, then those added since; ``answered`` the recipients', by digest; ``dockets`` those of the visa.
    """

    seen: SeenMail
    rows: tuple[Row, ...]
    counts: Mapping[str, int]
    taken: int
    deeds: tuple[Deed, ...]
    documents: tuple[DossierFile, ...]
    answered: Mapping[str, DossierFile]
    dockets: tuple[DossierFile, ...]
    version: str


def tell(platform: Platform, visitor: Visitor, send_id: str) -> Telling:
    """Return what the page of a send shows.

    Raises:
        NotFound: there is none of that identifier, or the visitor may not read it.
    """
    seen = reading.seen(platform.database, visitor.principal, send_id)
    acts = visitor.principal.may(Right.DEPOSIT, seen.dossier.organisation_id)
    answers = {one.recipient_id: one for one in seen.answers}
    rows = tuple(_row(seen, one, answers.get(one.id), acts=acts) for one in seen.recipients)
    told: list[Any] = [seen.dossier.state, seen.dossier.parked, seen.latest, len(seen.files), len(seen.returns), seen.visa]
    told += [(one.id, one.state, one.since, one.trouble, one.blocked) for one in seen.recipients]
    return Telling(
        seen,
        rows,
        Counter(one.state for one in seen.recipients),
        sum(one.state in TAKEN for one in seen.recipients),
        deeds_of_send(seen) if acts else (),
        tuple(sorted((one for one in seen.files if one.role in {DOCUMENT, ADDITION}), key=lambda one: one.role == ADDITION)),
        {one.sha256: one for one in seen.files if one.role == ANSWER},
        tuple(one for one in seen.files if one.role == DOCKET),
        hashlib.sha256(repr(told).encode()).hexdigest()[:16],
    )


def row_of(telling: Telling, recipient_id: str) -> Row:
    """Return a recipient of a send.

    Raises:
        NotFound: it has no such recipient.
    """
    found = next((one for one in telling.rows if one.recipient.id == recipient_id), None)
    if found is None:
        raise NotFound(_t("recipient.unknown"))
    return found


def _row(seen: SeenMail, one: MailRecipient, answer: MailAnswer | None, *, acts: bool) -> Row:
    hints = []
    if one.state not in TAKEN:
        hints += [_t("hint.delivered")] if one.delivered else []
        hints += [_t("hint.opened")] if one.opened else []
    deeds = deeds_of_recipient(seen, one) if acts else ()
    acted = {
        RecipientState.WITHDRAWN: one.withdrawn,
        RecipientState.ANSWERED: one.answered,
        RecipientState.REFUSED: one.refused,
    }.get(RecipientState(one.state))
    return Row(one, state_colour(one.state), acted or one.since, tuple(hints), deeds, answer)


def step_of(event: MailEvent, seen: SeenMail) -> Step:
    """Return an event in words."""
    kind = EventKind(event.kind)
    variant = (
        f"event.{kind.value}.automatic" if kind is EventKind.OPENED and event.facts.get("automatic") else f"event.{kind.value}"
    )
    details = _details(kind, event.facts, seen)
    if event.again and event.again_at:
        details.append(_t.counted("detail.again", event.again, count=event.again, moment=words.moment(event.again_at)))
    return Step(event.at, _t(variant), tuple(details), kind in _INDICATIONS)


def _details(kind: EventKind, facts: Mapping[str, Any], seen: SeenMail) -> list[str]:
    found = [_occasion(seen, facts)]
    told = facts.get("hand_over") or facts.get("answer")
    if isinstance(told, Mapping) and told.get("code"):
        found.append(_t("detail.server", host=told.get("host") or "?", code=told["code"], text=told.get("text") or ""))
    if kind is EventKind.RETURNED:
        found.append(_t(f"return.{facts.get('what', 'unknown')}"))
        found += [str(facts[name]) for name in ("status", "diagnostic") if facts.get(name)]
    if kind is EventKind.ADDRESS:
        found.append(_t("detail.address", former=facts.get("former", "?"), address=facts.get("address", "?")))
    found += [str(facts[name]) for name in ("reason", "name") if isinstance(facts.get(name), str)]
    return [one for one in found if one]


def _occasion(seen: SeenMail, facts: Mapping[str, Any]) -> str:
    """Return which message an event is about; nothing when it is about none, or the first one."""
    notice = next((one for one in seen.notices if one.id == facts.get("notice")), None)
    stem = notice.occasion.partition("-")[0] if notice else "notice"
    key = f"occasion.{stem}"
    return _t(key) if stem != "notice" and key in _t else ""


def history(platform: Platform, visitor: Visitor, seen: SeenMail, recipient_id: str | None, before: str = "") -> History:
    """Return what happened to a recipient, or to the whole: the last of it, or the last before an event."""
    past = reading.past(platform.database, visitor.principal, seen.dossier.id, recipient_id, before)
    return History(tuple(step_of(one, seen) for one in past.events), past.earlier, bool(before))
