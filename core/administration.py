"""What an administrator does to people: invite, give and take roles, suspend, unlock, hand a link over.

Each act is allowed, done and written in the journal in one transaction, with identifiers only. A session of the platform is
asked for, since people belong to no organisation; what may be touched is decided here, from the rights of the principal.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core import clock, invitations, journal, lockout, people, reach, second_factor, web_sessions
from core.configuration import configure
from core.errors import Conflict, Forbidden, NotFound
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind
from core.people import Membership, Person
from core.principal import Principal, Right
from core.roles import Role, change, define, require_over, rights_of
from core.second_factor import SecondFactorRule
from core.secrets import SecretBox

_messages = Catalogue("core")


def invite(
    session: Session, principal: Principal, organisation: Organisation, email: str, name: str, role: str
) -> tuple[Person, str]:
    """Add a person with a role; return the person and the secret of the link by which they choose a password.

    Somebody who has an account already is given the role only, and no link: the secret is empty then.

    Raises:
        Forbidden: the principal does not administer the organisation, or does not hold what the role gives.
        NotFound: no such role there.
        Conflict: the person holds that role there already, or has an account that others opened and no password yet.
    """
    require_over(principal, organisation, rights_of(session, organisation, role))
    known = people.with_address(session, email)
    # Whoever opened the account elsewhere may hold the link by which its password is chosen, the first time.
    if known is not None and not known.password_hash and not reach.covers(session, principal, known, takes_over=False):
        raise Conflict(_messages("person.unconfirmed"))
    try:
        person = known or people.add_person(session, email, name, None)
    except IntegrityError as error:  # somebody added them in between
        raise Conflict(_messages("person.added_before")) from error
    give_role(session, principal, person, organisation, role)
    if known is not None:
        return known, ""
    _note(session, principal, organisation.id, "person.invited", person)
    return person, invitations.issue(session, person, principal)


def give_role(session: Session, principal: Principal, person: Person, organisation: Organisation, role: str) -> None:
    """Give a person a role in an organisation and in all below it.

    Raises:
        Forbidden: the principal does not administer the organisation, or does not hold what the role gives.
        NotFound: no such role there.
        Conflict: the person holds it there already.
    """
    require_over(principal, organisation, rights_of(session, organisation, role))
    there = (Membership.person_id == person.id, Membership.organisation_id == organisation.id, Membership.role == role)
    if session.exec(select(Membership.id).where(*there)).first() is not None:
        raise Conflict(_messages("role.held", role=role, name=organisation.name))
    held = people.grant_role(session, person, organisation, role)
    try:
        session.flush()
    except IntegrityError as error:  # somebody gave it in between
        raise Conflict(_messages("role.held", role=role, name=organisation.name)) from error
    _note(session, principal, organisation.id, "role.granted", person, membership=held.id)


def take_role(session: Session, principal: Principal, person: Person, membership_id: str) -> None:
    """Take a role from a person.

    Raises:
        NotFound: the person does not hold it.
        Forbidden: the principal does not administer the organisation, or would give up administering it.
    """
    held = session.get(Membership, membership_id)
    if held is None or held.person_id != person.id:
        raise NotFound(_messages("role.not_held"))
    organisation = session.get_one(Organisation, held.organisation_id)
    rights = people.rights_given(session, held, organisation)
    # Taking away asks for less than giving: whoever left must be able to be shut out. The platform's root stays with its own.
    at_root = organisation.kind == OrganisationKind.PLATFORM
    require_over(principal, organisation, rights if at_root else ())
    if principal.actor == f"person:{person.id}" and Right.ADMINISTER in rights:
        raise Forbidden(_messages("person.oneself"))
    session.delete(held)
    session.flush()
    _note(session, principal, organisation.id, "role.withdrawn", person, membership=held.id)


def rename(session: Session, principal: Principal, person: Person, name: str) -> None:
    """Give a person another name.

    Raises:
        Forbidden: the person has roles where the principal administers nothing.
    """
    reach.require_account(session, principal, person, takes_over=False)
    people.rename(person, name)
    _note_home(session, principal, "person.renamed", person)


def suspend(session: Session, principal: Principal, person: Person) -> None:
    """Shut a person out at once: no session stays open, nobody signs in, until reactivated.

    Raises:
        Forbidden: the person has roles where the principal administers nothing, or is the principal.
        Conflict: it is so already.
    """
    reach.require_account(session, principal, person, takes_over=False)
    if principal.actor == f"person:{person.id}":
        raise Forbidden(_messages("person.oneself"))
    if person.suspended is not None:
        raise Conflict(_messages("person.suspended_before"))
    person.suspended = clock.now()
    web_sessions.close_of(session, person.id)
    _note_home(session, principal, "person.suspended", person)


def reactivate(session: Session, principal: Principal, person: Person) -> None:
    """Let a suspended person in again.

    Raises:
        Forbidden: the person has roles where the principal administers nothing.
        Conflict: nobody suspended them.
    """
    reach.require_account(session, principal, person, takes_over=False)
    if person.suspended is None:
        raise Conflict(_messages("person.active_before"))
    person.suspended = None
    _note_home(session, principal, "person.reactivated", person)


def unlock(session: Session, principal: Principal, person: Person) -> None:
    """Forget the tries that failed, of passwords and of codes.

    Raises:
        Forbidden: the person has roles where the principal administers nothing.
    """
    reach.require_account(session, principal, person, takes_over=False)
    lockout.unlock(session, person.email)
    lockout.clear(session, lockout.codes(person.id), lockout.confirmations(person.id))
    _note_home(session, principal, "person.unlocked", person)


def make_link(session: Session, principal: Principal, person: Person) -> str:
    """Return the secret of a link by which the person chooses a password; the one in force serves until then.

    Raises:
        Forbidden: the person may do somewhere what the principal may not: the link would give it to them.
    """
    reach.require_account(session, principal, person, takes_over=True)
    _note_home(session, principal, "person.link_made", person)
    return invitations.issue(session, person, principal)


def remove_second_factor(session: Session, principal: Principal, person: Person) -> None:
    """Turn a person's second factor off, whose telephone is lost with the recovery codes.

    Raises:
        Forbidden: the person may do somewhere what the principal may not.
    """
    reach.require_account(session, principal, person, takes_over=True)
    second_factor.remove(session, person.id)
    web_sessions.close_of(session, person.id)
    _note_home(session, principal, "person.second_factor_removed", person)


def define_role(session: Session, principal: Principal, organisation: Organisation, name: str, rights: Collection[Right]) -> Role:
    """Add a role to an organisation; see ``roles.define``."""
    role = define(session, principal, organisation, name, rights)
    _note(session, principal, organisation.id, "role.defined", None, role=role.id)
    return role


def change_role(session: Session, principal: Principal, role: Role, rights: Collection[Right]) -> None:
    """Change what a role gives to all who hold it; see ``roles.change``."""
    change(session, principal, role, rights)
    _note(session, principal, role.organisation_id, "role.changed", None, role=role.id)


def delete_role(session: Session, principal: Principal, role: Role) -> None:
    """Delete a role that nobody holds.

    Raises:
        Forbidden: the principal does not administer its organisation.
        Conflict: somebody holds it; the message says how many.
    """
    organisation = session.get_one(Organisation, role.organisation_id)
    require_over(principal, organisation, ())
    below = select(Membership.id).join(Organisation).where(col(Organisation.path).startswith(organisation.path))
    holders = len(session.exec(below.where(Membership.role == role.name)).all())
    if holders:
        raise Conflict(_messages.counted("role.in_use", holders, name=role.name, count=holders))
    session.execute(delete(Role).where(col(Role.id) == role.id))
    _note(session, principal, organisation.id, "role.deleted", None, role=role.id)


def require_second_factor(
    session: Session, box: SecretBox, principal: Principal, organisation: Organisation, rule: SecondFactorRule
) -> None:
    """Say who must have a second factor in an organisation and below it.

    Raises:
        Forbidden: the principal does not administer it.
    """
    require_over(principal, organisation, ())
    configure(session, box, organisation.id, second_factor.RULE, rule)
    _note(session, principal, organisation.id, "configuration.changed", None, configuration=second_factor.RULE)


def _note_home(session: Session, principal: Principal, kind: str, person: Person) -> None:
    organisation_id = people.home(session, person.id)
    if organisation_id is not None:
        _note(session, principal, organisation_id, kind, person)


def _note(
    session: Session, principal: Principal, organisation_id: str, kind: str, person: Person | None, **identifiers: str
) -> None:
    facts = identifiers | ({"person": person.id} if person else {})
    journal.write(session, organisation_id=organisation_id, kind=kind, actor=principal.actor, facts=facts)
