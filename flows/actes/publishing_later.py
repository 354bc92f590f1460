"""Publications asked for at the deposit: they wait for the State's acknowledgement, then each is made in the name of who asked.

What is asked stands in a table of its own, not among the dossier's facts, which a stage under way writes back as it read them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog
from sqlmodel import Session, col, select

from core import journal
from core.errors import Conflict, NotFound, TabellionError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.actes.act import Act
from flows.actes.knowledge import DEAD
from flows.actes.models import ActesPublicationAsked
from flows.actes.publishing import author_of, chosen, publish, refuse_closed, refuse_individual, refuse_unnamed
from flows.actes.settings import ActesPublishing, Author
from flows.engine.models import Dossier

_log = structlog.get_logger()
_messages = Catalogue("flows.actes")
_PAGE = 500
_LONGEST_TROUBLE = 1000
_RECEIVED = frozenset({"acknowledged", "answering", "elapsed", "archived"})


@dataclass(frozen=True, slots=True)
class PublicationAsked:
    """What is asked for at the deposit of an act.

    Attributes:
        author: None for the one that the organisation has configured.
        roles: of the files; annexes are published when they are named only.
    """

    author: Author | None = None
    roles: tuple[str, ...] = ("document",)


def ask(session: Session, dossier: Dossier, asked: PublicationAsked, settings: ActesPublishing, actor: str) -> None:
    """Write down what is asked of an act that is being received, in the transaction that makes its dossier.

    Raises:
        UsageError: the author is not named whole, no file is named, or one that is no PDF of the act.
        Conflict: such an act is not published, or the organisation has no public page.
    """
    refuse_individual(Act.from_facts(dossier.facts).nature)
    refuse_closed(settings)
    author = asked.author or settings.author or Author()
    refuse_unnamed(author)
    roles = list(chosen(session, dossier, asked.roles))
    row = ActesPublicationAsked(
        organisation_id=dossier.organisation_id,
        dossier_id=dossier.id,
        author_first_name=author.first_name,
        author_last_name=author.last_name,
        author_capacity=author.capacity,
        roles=roles,
        actor=actor,
    )
    session.add(row)
    _tell(session, row, "asked", actor)


def asked_of(session: Session, dossier_id: str) -> ActesPublicationAsked | None:
    """Return what was asked of an act and was not done yet."""
    return session.exec(select(ActesPublicationAsked).where(ActesPublicationAsked.dossier_id == dossier_id)).first()


def forget(platform: Platform, principal: Principal, dossier_id: str) -> None:
    """Take back what was asked of an act.

    Raises:
        NotFound: no such act.
        Forbidden: the principal may not deposit for the organisation.
        Conflict: nothing is asked of it any more.
    """
    with platform.database.writing(principal) as session:
        dossier = session.get(Dossier, dossier_id, with_for_update=True)
        if dossier is None:
            raise NotFound(_messages("act.missing"))
        principal.require(Right.DEPOSIT, dossier.organisation_id)
        row = asked_of(session, dossier_id)
        if row is None:
            raise Conflict(_messages("publication.unasked"), dossier_id)
        session.delete(row)
        _tell(session, row, "forgotten", principal.actor)


def publish_due(platform: Platform) -> None:
    """Publish what was asked of the acts that the State has received, one at a time; forget what will never be received.

    One that cannot be published keeps the reason, is tried again at the next turn, and holds back no other.
    """
    _each(platform, DEAD, _drop)
    _each(platform, _RECEIVED, _publish)


def _each(platform: Platform, states: frozenset[str], apply: Callable[[Platform, ActesPublicationAsked], None]) -> None:
    after = ""
    while rows := _page(platform, states, after):
        for row in rows:
            apply(platform, row)
        after = rows[-1].dossier_id


def _page(platform: Platform, states: frozenset[str], after: str) -> list[ActesPublicationAsked]:
    asked = (
        select(ActesPublicationAsked)
        .join(Dossier, col(Dossier.id) == col(ActesPublicationAsked.dossier_id))
        .where(col(Dossier.state).in_(states), ActesPublicationAsked.dossier_id > after)
        .order_by(col(ActesPublicationAsked.dossier_id))
        .limit(_PAGE)
    )
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(asked))


def _publish(platform: Platform, row: ActesPublicationAsked) -> None:
    try:
        publish(platform, replace(PLATFORM, actor=row.actor), row.dossier_id, author_of(row), row.roles, asked=True)
    except TabellionError as error:
        _log.warning("publication.troubled", dossier=row.dossier_id, reason=type(error).__name__)
        _keep_trouble(platform, row.dossier_id, str(error))
    except Exception:  # noqa: BLE001 - a fault of ours over one act must not hold back the others: logged whole, tried again
        _log.exception("publication.failed", dossier=row.dossier_id)
        _keep_trouble(platform, row.dossier_id, _messages("publication.fault"))


def _keep_trouble(platform: Platform, dossier_id: str, trouble: str) -> None:
    with platform.database.writing(PLATFORM) as session:
        row = asked_of(session, dossier_id)
        if row is not None:
            row.trouble = trouble[:_LONGEST_TROUBLE]
            session.add(row)


def _drop(platform: Platform, row: ActesPublicationAsked) -> None:
    with platform.database.writing(PLATFORM) as session:
        kept = asked_of(session, row.dossier_id)
        if kept is not None:
            session.delete(kept)


def _tell(session: Session, row: ActesPublicationAsked, did: str, actor: str) -> None:
    journal.write(
        session,
        organisation_id=row.organisation_id,
        dossier_id=row.dossier_id,
        kind=f"actes.publication_{did}",
        actor=actor,
        facts={"roles": row.roles},
    )
