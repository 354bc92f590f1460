"""Who decides an elimination: the archivist proposes, the producer agrees, the State gives its visa, the archivist orders.

No destruction of public archives without the visa of the director of the departmental archives (Code du patrimoine, L. 212-2 and
R. 212-14). At least two persons decide: whoever gives the visa, or records one that was signed on paper, did not agree for the
producer; and the control of the State neither made the list nor proposed it. Software decides nothing.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlmodel import Session, col, select

from archive.elimination import bordereau, inside
from archive.elimination.analysis import MOST_DESTROYED, Verdict, verdicts
from archive.elimination.lists import counts, locked, visible, write
from archive.elimination.models import Elimination, EliminationLine
from archive.elimination.states import State, Status
from archive.elimination.taking_part import taking_part
from archive.models import Record
from archive.places import statements
from core import clock
from core.canonical import canonical_bytes
from core.errors import Conflict, Forbidden, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

_messages = Catalogue("archive.elimination")
PROPOSED, AGREED, DECIDED, ORDERED = (
    "archive.elimination_proposed",
    "archive.elimination_agreed",
    "archive.elimination_visa",
    "archive.elimination_ordered",
)
STATEMENT = "visa"
LARGEST_VISA, LONGEST_REFERENCE = 20 << 20, 100
_PDF = b"%PDF-"
_AT_ONCE = 500
_PERSON = "person:"


def propose(platform: Platform, principal: Principal, elimination_id: str) -> int:
    """Close the list of a draft and print its bordereau: nobody edits it any more, and the producer is asked.

    The analysis is made again first: what may no longer be destroyed goes off the list, and is told.

    Returns:
        How many lines went off the list.

    Raises:
        NotFound, Forbidden, Conflict: as ``lists.locked``.
        UsageError: nothing is on the list, or more than an action may destroy.
        SandboxError, Unavailable: the bordereau could not be printed, or a package could not be looked into.
    """
    principal.require(Right.ARCHIVE, _organisation(platform, principal, elimination_id))
    off = _looked_again(platform, principal, elimination_id)
    with platform.database.reading(PLATFORM) as session:
        elimination = visible(session, elimination_id)
        count = counts(session, elimination_id)["chosen"]
        if not 0 < count <= MOST_DESTROYED:
            raise UsageError(_messages("list.none" if not count else "list.too_many", most=MOST_DESTROYED, found=count))
        listed = bordereau.listing(session, elimination)
        printed = bordereau.pdf(session, elimination, listed, clock.now())
    table, page = (platform.objects.put(io.BytesIO(octets)).sha256 for octets in (listed, printed))
    with platform.database.writing(PLATFORM) as session:
        elimination = locked(session, principal, elimination_id, Right.ARCHIVE, State.DRAFT)
        if bordereau.listing(session, elimination) != listed:
            raise Conflict(_messages("list.moved"))
        elimination.state, elimination.proposed = State.PROPOSED.value, clock.now()
        elimination.proposed_by = principal.actor
        elimination.listing, elimination.bordereau = table, page
        write(session, elimination, PROPOSED, principal.actor, count=count, list=table, bordereau=page)
    return off


def _organisation(platform: Platform, principal: Principal, elimination_id: str) -> str:
    with platform.database.reading(principal) as session:
        return visible(session, elimination_id).organisation_id


def _looked_again(platform: Platform, principal: Principal, elimination_id: str) -> int:
    with platform.database.reading(PLATFORM) as session:
        elimination = visible(session, elimination_id)
        found: list[Verdict] = []
        for lines in _chosen(session, elimination_id):
            records = session.exec(select(Record).where(col(Record.id).in_([line.record_id for line in lines]))).all()
            found += inside.only_examined(session, verdicts(session, records, elimination.as_of))
    changed = [one for one in found if one.status is not Status.DESTROY]
    with platform.database.writing(PLATFORM) as session:
        locked(session, principal, elimination_id, Right.ARCHIVE, State.DRAFT)
        for verdict in changed:
            line = session.get_one(EliminationLine, (elimination_id, verdict.record_id))
            line.status, line.reasons, line.chosen = verdict.status.value, [one.value for one in verdict.reasons], False
    return len(changed)


def _chosen(session: Session, elimination_id: str) -> list[list[EliminationLine]]:
    wanted = select(EliminationLine).where(EliminationLine.elimination_id == elimination_id, EliminationLine.chosen)
    found = list(session.exec(wanted.order_by(EliminationLine.record_id)))
    return [found[first : first + _AT_ONCE] for first in range(0, len(found), _AT_ONCE)]


def agree(platform: Platform, principal: Principal, elimination_id: str) -> None:
    """Agree to a list for the producer.

    Raises:
        NotFound, Conflict: as ``lists.locked``.
        Forbidden: the principal is no person, or neither administers the producer nor deposits for it, or operates only.
    """
    _require_person(principal)
    principal = taking_part(principal)
    with platform.database.writing(PLATFORM) as session:
        right = Right.ADMINISTER if _administers(session, principal, elimination_id) else Right.DEPOSIT
        elimination = locked(session, principal, elimination_id, right, State.PROPOSED)
        elimination.state, elimination.agreed, elimination.agreed_by = State.AGREED.value, clock.now(), principal.actor
        write(session, elimination, AGREED, principal.actor, bordereau=elimination.bordereau)


def _administers(session: Session, principal: Principal, elimination_id: str) -> bool:
    return principal.may(Right.ADMINISTER, visible(session, elimination_id).organisation_id)


def _require_person(principal: Principal) -> None:
    if not principal.actor.startswith(_PERSON):
        raise Forbidden(_messages("decision.person"))


@dataclass(frozen=True, slots=True)
class Visa:
    """What the State decides.

    Attributes:
        reference: as the State numbers its visa; may be empty for one that is given here.
        refused: records that it does not let be destroyed.
        document: the bordereau that was signed, a PDF; None for a visa that is given here.
        refuses_all: it lets none be destroyed, whichever are named.
    """

    reference: str = ""
    refused: frozenset[str] = frozenset()
    document: bytes | None = None
    refuses_all: bool = False


def give_visa(platform: Platform, principal: Principal, elimination_id: str, visa: Visa) -> None:
    """Give the visa of the State, for all lines of the list, some of them, or none.

    Raises:
        NotFound, Conflict: as ``lists.locked``.
        Forbidden: the principal is no person, does not control the archives there, or made the list or agreed to it.
        UsageError: the visa is not well formed, or refuses what is not on the list.
        Unavailable: a place of the archive does not answer: nothing is decided.
    """
    _decide(platform, principal, elimination_id, visa, Right.CONTROL)


def record_visa(platform: Platform, principal: Principal, elimination_id: str, visa: Visa) -> None:
    """Record the visa that the State signed on paper or elsewhere: with its reference, and the document itself, which is kept.

    Raises:
        NotFound, Conflict: as ``lists.locked``.
        Forbidden: the principal is no person, manages no archives there, or agreed to the list for the producer.
        UsageError: there is no reference or no PDF, or it refuses what is not on the list.
        Unavailable: a place of the archive does not answer: nothing is decided.
    """
    if visa.document is None or not visa.document.startswith(_PDF) or len(visa.document) > LARGEST_VISA:
        raise UsageError(_messages("visa.document", most=LARGEST_VISA >> 20))
    if not visa.reference.strip():
        raise UsageError(_messages("visa.reference", most=LONGEST_REFERENCE))
    _decide(platform, principal, elimination_id, visa, Right.ARCHIVE)


def _decide(platform: Platform, principal: Principal, elimination_id: str, visa: Visa, right: Right) -> None:
    _require_person(principal)
    if len(visa.reference) > LONGEST_REFERENCE or not visa.reference.isprintable():
        raise UsageError(_messages("visa.reference", most=LONGEST_REFERENCE))
    with platform.database.writing(PLATFORM) as session:
        elimination = locked(session, principal, elimination_id, right, State.AGREED)
        _require_another(principal, elimination, right)
        on_list = [line.record_id for lines in _chosen(session, elimination_id) for line in lines]
    if visa.refuses_all:
        visa = replace(visa, refused=frozenset(on_list))
    if strangers := visa.refused - set(on_list):
        raise UsageError(_messages("visa.stranger", record=min(strangers)[:26]))
    document = None if visa.document is None else platform.objects.put(io.BytesIO(visa.document)).sha256
    statement = new_id()
    said = _said(elimination, principal, visa, document, on_list)
    digest = statements.keep(platform, STATEMENT, statement, canonical_bytes(said))
    with platform.database.writing(PLATFORM) as session:
        elimination = locked(session, principal, elimination_id, right, State.AGREED)
        _apply(session, elimination, principal, visa)
        elimination.visa_document, elimination.visa_statement = document, digest
        named = {"statement": statement, "sha256": digest, "document": document, "bordereau": elimination.bordereau}
        decided = {"accepted": len(on_list) - len(visa.refused), "refused": len(visa.refused)}
        write(session, elimination, DECIDED, principal.actor, **named, **decided)


def awaited(session: Session, principal: Principal, most: int) -> int:
    """Return how many eliminations wait for a visa that a principal may give, or record from paper; counted up to a bound."""
    controls, manages = (
        col(Elimination.organisation_id).in_([one for one in principal.organisations if principal.may(right, one)])
        for right in (Right.CONTROL, Right.ARCHIVE)
    )
    another = col(Elimination.agreed_by) != principal.actor
    no_part = (col(Elimination.made_by) != principal.actor) & col(Elimination.proposed_by).is_distinct_from(principal.actor)
    asked = select(Elimination.id).where(Elimination.state == State.AGREED.value, another, (controls & no_part) | manages)
    return len(session.exec(asked.limit(most)).all())


def awaited_of_producer(session: Session, principal: Principal, most: int) -> int:
    """Return how many eliminations wait for an agreement that a principal may give for the producer; counted up to a bound."""
    here = taking_part(principal)
    mine = [one for one in here.organisations if here.may(Right.ADMINISTER, one) or here.may(Right.DEPOSIT, one)]
    asked = select(Elimination.id).where(Elimination.state == State.PROPOSED.value, col(Elimination.organisation_id).in_(mine))
    return len(session.exec(asked.limit(most)).all())


def awaited_of_archivist(session: Session, principal: Principal, most: int) -> int:
    """Return how many eliminations bear a visa and wait for a principal to carry them out; counted up to a bound."""
    managed = [one for one in principal.organisations if principal.may(Right.ARCHIVE, one)]
    asked = select(Elimination.id).where(Elimination.state == State.VISA.value, col(Elimination.organisation_id).in_(managed))
    return len(session.exec(asked.limit(most)).all())


def _require_another(principal: Principal, elimination: Elimination, right: Right) -> None:
    others = {elimination.agreed_by}
    if right is Right.CONTROL:
        others |= {elimination.made_by, elimination.proposed_by}
    if principal.actor in others:
        raise Forbidden(_messages("decision.another"))


def _said(
    elimination: Elimination, principal: Principal, visa: Visa, document: str | None, on_list: Collection[str]
) -> dict[str, object]:
    return {
        "elimination": elimination.id,
        "organisation": elimination.organisation_id,
        "bordereau": elimination.bordereau,
        "list": elimination.listing,
        "by": principal.actor,
        "at": clock.iso(clock.now()),
        "on_paper": document is not None,
        "reference": visa.reference.strip(),
        "document": document,
        "accepted": [one for one in on_list if one not in visa.refused],
        "refused": sorted(visa.refused),
    }


def _apply(session: Session, elimination: Elimination, principal: Principal, visa: Visa) -> None:
    accepted = 0
    for lines in _chosen(session, elimination.id):
        for line in lines:
            line.accepted = line.record_id not in visa.refused
            accepted += line.accepted
    elimination.state = (State.VISA if accepted else State.REFUSED).value
    elimination.visa, elimination.visa_by = clock.now(), principal.actor
    elimination.visa_reference = visa.reference.strip() or None


def order(platform: Platform, principal: Principal, elimination_id: str) -> None:
    """Order the destruction of what the visa accepts; it begins at the next turn of ``archive.eliminate``.

    Raises:
        NotFound, Conflict: as ``lists.locked``; or the day on which the analysis looked has not come.
        Forbidden: the principal is no person, or manages no archives there.
    """
    _require_person(principal)
    with platform.database.writing(PLATFORM) as session:
        elimination = locked(session, principal, elimination_id, Right.ARCHIVE, State.VISA)
        if elimination.as_of > clock.in_paris(clock.now()).date():
            raise Conflict(_messages("order.future", day=f"{elimination.as_of:%d/%m/%Y}"))
        elimination.state, elimination.ordered, elimination.ordered_by = State.EXECUTING.value, clock.now(), principal.actor
        write(session, elimination, ORDERED, principal.actor, statement=elimination.visa_statement)
