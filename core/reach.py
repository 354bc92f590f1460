"""How far a principal reaches into the accounts of people: which they may touch, and which they may take over.

An account is one, whatever organisations give it roles: it is touched from where all of them are administered, or not at all.
"""

from __future__ import annotations

from sqlmodel import Session, select

from core import people
from core.errors import Forbidden
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind
from core.people import Person
from core.principal import Principal, Right
from core.roles import require_all_held, require_over

_messages = Catalogue("core")


def covers(session: Session, principal: Principal, person: Person, *, takes_over: bool) -> bool:
    """Tell whether the whole account is the principal's to touch, or to take over."""
    try:
        require_account(session, principal, person, takes_over=takes_over)
    except Forbidden:
        return False
    return True


def require_account(session: Session, principal: Principal, person: Person, *, takes_over: bool) -> None:
    """Go on only if the whole account is the principal's to touch, in every organisation of the person.

    Raises:
        Forbidden: the person has roles where the principal administers nothing; or the account would be taken over, and the
            person may do somewhere what the principal may not.
    """
    if principal.everywhere:
        return
    held = people.memberships(session, person.id)
    if not held and not any(principal.may(Right.ADMINISTER, root) for root in _roots(session)):
        raise Forbidden(_messages("person.beyond"))
    for membership, organisation in held:
        if not principal.may(Right.ADMINISTER, organisation.id):
            raise Forbidden(_messages("person.beyond"))
        rights = people.rights_given(session, membership, organisation)
        at_root = organisation.kind == OrganisationKind.PLATFORM
        if takes_over:
            require_all_held(principal, organisation, rights)
        else:
            require_over(principal, organisation, rights if at_root else ())


def may_be_invited(session: Session, principal: Principal, person: Person) -> bool:
    """Tell whether a principal might still have somebody choose a password by a link: what was asked when it was made.

    The first password of an account wants what giving its roles wants; another one would take the account over.
    """
    if person.password_hash:
        return covers(session, principal, person, takes_over=True)
    try:
        for membership, organisation in people.memberships(session, person.id):
            require_over(principal, organisation, people.rights_given(session, membership, organisation))
    except Forbidden:
        return False
    return True


def _roots(session: Session) -> list[str]:
    return list(session.exec(select(Organisation.id).where(Organisation.kind == OrganisationKind.PLATFORM)))
