"""Making an act public, and taking it off line again (CGCT, L. 2131-1 and R. 2131-1 as of 1 July 2022).

What is published of a file is what was transmitted. A package of it (`archive.kinds.publication`) is kept before one transaction
says that the act is online and names the package in the journal, whose tree proves it; a process that dies in between has
published nothing, and leaves an object that nothing names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlmodel import Session, col, select

from archive.proof.evidence import LEAF_DIGEST
from core import clock, journal
from core.blobs import Blob
from core.configuration import configure
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.secrets import SecretBox
from flows.actes.act import Act
from flows.actes.flow import ACTES
from flows.actes.following import cancellation_of, messages_of
from flows.actes.knowledge import publishing_of
from flows.actes.models import ActesPublication, ActesPublicationAsked
from flows.actes.publication import Publication, keep_package, row_of
from flows.actes.settings import PUBLICATION, ActesPublishing, Author
from flows.actes.transmitted import CANCELLED, PDF, files_of, newest_of
from flows.engine.models import Dossier, DossierFile

_messages = Catalogue("flows.actes")
INDIVIDUAL = 3
"""The nature of acts that are notified to those whom they are about, and never published."""

_LONGEST_REASON = 500
_AR = "ar"


def set_up(session: Session, box: SecretBox, principal: Principal, organisation_id: str, wanted: ActesPublishing) -> None:
    """Keep how an organisation publishes its acts.

    Raises:
        Forbidden: the principal does not administer it.
        UsageError: it is to be opened, and has no SIREN to be found by.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    organisation = session.get_one(Organisation, organisation_id)
    if wanted.open and organisation.siren is None:
        raise UsageError(_messages("siren.missing", name=organisation.name))
    configure(session, box, organisation_id, PUBLICATION, wanted)
    facts = {"configuration": PUBLICATION}
    journal.write(session, organisation_id=organisation_id, kind="configuration.changed", actor=principal.actor, facts=facts)


def publish(
    platform: Platform, principal: Principal, dossier_id: str, author: Author, roles: Sequence[str], *, asked: bool = False
) -> ActesPublication:
    """Make an act public, with the files that somebody chose; what was asked for at its deposit is settled by it.

    Args:
        platform: its parts.
        principal: who publishes.
        dossier_id: of the act.
        author: whom the page names as its author.
        roles: of the files, as ``publishable`` gives them.
        asked: it is done because it was asked for, and must be asked for still.

    Raises:
        NotFound: no such act.
        Forbidden: the principal may not deposit for the organisation.
        UsageError: the author is not named whole, no file is chosen, or one that is no PDF of the act.
        Conflict: the act cannot be published, or is published already (``existing`` names the publication).
        Unavailable: the store does not answer.
    """
    with platform.database.reading(principal) as session:
        dossier = _act(session, principal, dossier_id)
    settings = publishing_of(platform, dossier.organisation_id)
    with platform.database.reading(principal) as session:
        check(session, dossier, settings)
        refuse_unnamed(author)
        proof = newest_of(session, dossier_id)[_AR]
        publication = Publication(dossier, author, chosen(session, dossier, roles), proof)
    package, matiere = keep_package(platform, publication)
    settings = publishing_of(platform, dossier.organisation_id)
    with platform.database.writing(principal) as session:
        check(session, _act(session, principal, dossier_id, lock=True), settings)
        _settle(session, dossier_id, asked=asked)
        entry_id = _tell(session, publication, package, principal.actor)
        row = row_of(publication, package, matiere, entry_id, principal.actor)
        session.add(row)
        return row


def _act(session: Session, principal: Principal, dossier_id: str, *, lock: bool = False) -> Dossier:
    dossier = session.get(Dossier, dossier_id, with_for_update=lock)
    if dossier is None or dossier.flow != ACTES.name:
        raise NotFound(_messages("act.missing"))
    principal.require(Right.DEPOSIT, dossier.organisation_id)
    return dossier


def _settle(session: Session, dossier_id: str, *, asked: bool) -> None:
    request = session.get(ActesPublicationAsked, dossier_id)
    if request is not None:
        session.delete(request)
    elif asked:
        raise Conflict(_messages("publication.unasked"), dossier_id)


def _tell(session: Session, publication: Publication, package: Blob, actor: str) -> str:
    files = [kept.sha256 for kept in publication.files.values()]
    return journal.write(
        session,
        organisation_id=publication.dossier.organisation_id,
        dossier_id=publication.dossier.id,
        kind="actes.published",
        actor=actor,
        facts={"publication": publication.id, LEAF_DIGEST: package.sha256, "files": files},
    )


def withdraw(platform: Platform, principal: Principal, publication_id: str, reason: str) -> ActesPublication:
    """Take a publication off line; its page says so from then on, and gives no document any more.

    The texts keep an act online for two months at least (R. 2131-1, II): whoever withdraws one earlier must have a reason.

    Raises:
        NotFound: no such publication for this principal.
        Forbidden: the principal may not deposit for the organisation.
        UsageError: the reason is blank or too long.
        Conflict: it was withdrawn already.
    """
    told = " ".join(reason.split())
    if not told or len(told) > _LONGEST_REASON:
        raise UsageError(_messages("publication.reason", longest=_LONGEST_REASON))
    with platform.database.writing(principal) as session:
        publication = session.get(ActesPublication, publication_id, with_for_update=True)
        if publication is None:
            raise NotFound(_messages("publication.missing"))
        principal.require(Right.DEPOSIT, publication.organisation_id)
        if publication.withdrawn is not None:
            day = f"{clock.in_paris(publication.withdrawn):%d/%m/%Y}"
            raise Conflict(_messages("publication.withdrawn", day=day), publication.id)
        publication.withdrawn = clock.now().replace(microsecond=0)
        publication.withdrawn_by, publication.withdrawn_reason = principal.actor, told
        session.add(publication)
        journal.write(
            session,
            organisation_id=publication.organisation_id,
            dossier_id=publication.dossier_id,
            kind="actes.publication_withdrawn",
            actor=principal.actor,
            facts={"publication": publication.id},
        )
        return publication


def check(session: Session, dossier: Dossier, settings: ActesPublishing) -> None:
    """Find nothing against the publication of an act, whatever is chosen of it.

    Raises:
        Conflict: there is something; the message says what, and what to do.
    """
    refuse_individual(Act.from_facts(dossier.facts).nature)
    if not dossier.facts.get("reception_date"):
        raise Conflict(_messages("publication.unacknowledged"), dossier.id)
    if dossier.state in CANCELLED or cancellation_of(messages_of(session, dossier.id)) is not None:
        raise Conflict(_messages("publication.cancelled"), dossier.id)
    live = publication_of(session, dossier.id)
    if live is not None and live.withdrawn is None:
        raise Conflict(_messages("publication.live", day=f"{clock.in_paris(live.published):%d/%m/%Y}"), live.id)
    refuse_closed(settings)


def refuse_individual(nature: int) -> None:
    """Refuse an act that is notified to those whom it is about, and never published.

    Raises:
        Conflict: it is such an act.
    """
    if nature == INDIVIDUAL:
        raise Conflict(_messages("publication.individual"))


def refuse_unnamed(author: Author) -> None:
    """Refuse an author of whom the page could not say first name, last name and capacity (CGCT, R. 2131-1, II).

    Raises:
        UsageError: one of them is empty.
    """
    if not author.is_whole:
        raise UsageError(_messages("publication.author"))


def refuse_closed(settings: ActesPublishing) -> None:
    """Refuse what an organisation without a public page would publish.

    Raises:
        Conflict: it has none.
    """
    if not settings.open:
        raise Conflict(_messages("publication.closed"))


def obstacle(platform: Platform, dossier: Dossier) -> str:
    """Return the sentence that says why an act cannot be published now; empty when it can."""
    try:
        with platform.database.reading(PLATFORM) as session:
            check(session, dossier, publishing_of(platform, dossier.organisation_id))
    except Conflict as error:
        return str(error)
    return ""


def publishable(session: Session, dossier: Dossier) -> dict[str, DossierFile]:
    """Return what may be published of an act, by role: its PDFs as they were transmitted, in its order."""
    return {role: kept for role, kept in files_of(session, dossier).items() if kept.media_type == PDF}


def chosen(session: Session, dossier: Dossier, roles: Sequence[str]) -> Mapping[str, DossierFile]:
    """Return the files that somebody chose of an act, by role, in its order.

    Raises:
        UsageError: none, or one that may not be published.
    """
    there, allowed = files_of(session, dossier), publishable(session, dossier)
    if not roles:
        raise UsageError(_messages("publication.nothing"))
    for role in roles:
        if role not in allowed:
            found = there[role].name if role in there else role[:40]
            raise UsageError(_messages("publication.not_pdf", found=found))
    return {role: kept for role, kept in allowed.items() if role in roles}


def publication_of(session: Session, dossier_id: str) -> ActesPublication | None:
    """Return the newest publication of an act, withdrawn or not; None where there never was one."""
    return session.exec(
        select(ActesPublication)
        .where(ActesPublication.dossier_id == dossier_id)
        .order_by(col(ActesPublication.withdrawn).is_not(None), col(ActesPublication.id).desc())
    ).first()


def usual_author(platform: Platform, organisation_id: str) -> Author:
    """Return the author to propose: the configured one, else that of the newest publication, else nobody."""
    if (configured := publishing_of(platform, organisation_id).author) is not None:
        return configured
    with platform.database.reading(PLATFORM) as session:
        last = session.exec(
            select(ActesPublication)
            .where(ActesPublication.organisation_id == organisation_id)
            .order_by(col(ActesPublication.published).desc(), col(ActesPublication.id).desc())
            .limit(1)
        ).first()
    return author_of(last) if last else Author()


def author_of(row: ActesPublication | ActesPublicationAsked) -> Author:
    """Return the author whom a publication names."""
    return Author(first_name=row.author_first_name, last_name=row.author_last_name, capacity=row.author_capacity)
