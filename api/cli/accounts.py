"""People, from a terminal: who there is, links to hand over, roles given and taken, accounts suspended and unlocked.

What a page of administration does, for whoever runs the platform and stands above every organisation. A first account with its
password is in ``administration``.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.markup import escape
from sqlmodel import Session, select

from api.cli.administration import ACTOR, opened_platform, owner_of, platform_to_read, role_meant
from api.cli.output import console, json_line
from core import administration, people
from core.errors import NotFound, UsageError
from core.messages import Catalogue
from core.organisations import Organisation
from core.people import Membership, Person
from core.platform import Platform
from core.principal import PLATFORM, Principal

_t = Catalogue("api.cli")
# The operator of the machine may do everything; the journal names them as what they are.
OPERATOR = Principal(ACTOR, everywhere=True)
ACTS: dict[str, Callable[[Session, Principal, Person], None]] = {
    "suspend": administration.suspend,
    "reactivate": administration.reactivate,
    "unlock": administration.unlock,
    "forget-second-factor": administration.remove_second_factor,
}


def list_people(as_json: bool) -> None:
    """Print everybody with their roles, by name."""
    with platform_to_read().database.reading(PLATFORM) as session:
        for person in session.exec(select(Person).order_by(Person.sought)).all():
            held = people.memberships(session, person.id)
            if as_json:
                roles = [{"role": membership.role, "organisation": place.id} for membership, place in held]
                state = {"suspended": person.suspended is not None, "invited": not person.password_hash}
                json_line({"person": person.id, "email": person.email, "name": person.name, "roles": roles, **state})
                continue
            told = ", ".join(_t("person.held", role=membership.role, name=place.name) for membership, place in held)
            console.print(f"{escape(person.name)} · {escape(person.email)} · {escape(told or _t('person.no_role'))}")


def invite(email: str, *, name: str, organisation: str, role: str, as_json: bool) -> None:
    """Add a person with a role, and print the link by which they choose a password: nothing will show it again.

    Raises:
        UsageError: an address or a name that is not fit, or an unknown role.
        NotFound: no such organisation.
        Conflict: the person holds that role there already.
    """
    called = " ".join(name.split())
    people.check_address(email)
    if not called.isprintable() or not 0 < len(called) <= 120:
        raise UsageError(_t("administration.name", longest=120))
    platform = opened_platform()
    with platform.database.writing(PLATFORM) as session:
        owner = owner_of(session, organisation)
        person, secret = administration.invite(session, OPERATOR, owner, email, called, role_meant(session, owner, role))
    _print_link(platform, person, secret, as_json)


def make_link(email: str, as_json: bool) -> None:
    """Print a link by which a person chooses a new password: nothing will show it again.

    Raises:
        NotFound: nobody has the address.
    """
    platform = opened_platform()
    with platform.database.writing(PLATFORM) as session:
        person = _person(session, email)
        secret = administration.make_link(session, OPERATOR, person)
    _print_link(platform, person, secret, as_json)


def give_role(email: str, *, role: str, organisation: str) -> None:
    """Give a person a role.

    Raises:
        UsageError: an unknown role.
        NotFound: nobody has the address, no such organisation, or the role cannot be given there.
        Conflict: the person holds it there already.
    """
    with opened_platform().database.writing(PLATFORM) as session:
        owner = owner_of(session, organisation)
        administration.give_role(session, OPERATOR, _person(session, email), owner, role_meant(session, owner, role))
    console.print(_t("person.done"))


def take_role(email: str, *, role: str, organisation: str) -> None:
    """Take a role from a person.

    Raises:
        NotFound: nobody has the address, no such organisation, or the person does not hold that role there.
    """
    with opened_platform().database.writing(PLATFORM) as session:
        person, owner = _person(session, email), owner_of(session, organisation)
        held = _held(session, person, owner, role)
        administration.take_role(session, OPERATOR, person, held)
    console.print(_t("person.done"))


def act(deed: str, email: str) -> None:
    """Suspend, reactivate or unlock an account, or forget its second factor.

    Raises:
        NotFound: nobody has the address.
        Conflict: the account is so already.
    """
    with opened_platform().database.writing(PLATFORM) as session:
        ACTS[deed](session, OPERATOR, _person(session, email))
    console.print(_t("person.done"))


def _person(session: Session, email: str) -> Person:
    found = people.with_address(session, email)
    if found is None:
        raise NotFound(_t("person.unknown", email=email[:254]))
    return found


def _held(session: Session, person: Person, organisation: Organisation, role: str) -> str:
    there = (Membership.person_id == person.id, Membership.organisation_id == organisation.id)
    found = session.exec(select(Membership.id).where(*there, Membership.role == role)).first()
    if found is None:
        raise NotFound(_t("person.role_not_held", role=role[:60], name=organisation.name))
    return found


def _print_link(platform: Platform, person: Person, secret: str, as_json: bool) -> None:
    settings = platform.settings
    root = settings.public_url or f"http://{settings.http_host}:{settings.http_port}"
    link = f"{root.rstrip('/')}/invitation/{secret}" if secret else ""
    if as_json:
        json_line({"person": person.id, "link": link or None})
    elif link:
        console.print(_t("person.link", email=escape(person.email)))
        console.print(link, soft_wrap=True)
    else:
        console.print(_t("person.known_already", email=escape(person.email)))
