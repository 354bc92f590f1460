"""What an organisation sets for a kind of send, as its administrator says: its terms, and who approves it before it leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlmodel import Session

from core import journal
from core.configuration import Configuration, configuration_of, configure
from core.errors import NotFound, UsageError
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.secrets import SecretBox
from flows.mail import rules, validating
from flows.mail.kinds import BUILT_IN, CONFIGURED, CONVOCATION, Kind, Regime, kind_of
from flows.parapheur.routing import send_through
from flows.parapheur.settings import ParapheurRoute
from signing.parapheur import typology

_messages = Catalogue("flows.mail")


@dataclass(frozen=True, slots=True)
class Told:
    """What an administrator says of a kind; the fields are those of ``Kind``, which says what they mean and their bounds."""

    withdraw_days: int
    readable_days: int
    reminders: tuple[int, ...]
    level: int
    asks_name: bool
    answers: bool


def levels_of(name: str) -> tuple[int, ...]:
    """Return the identities that a kind may ask for: never less than its regime needs, and no secret that nobody can give.

    A member of an assembly is convened without a secret: one that were asked for would keep every convocation back.
    """
    kind = BUILT_IN[name]
    if kind.regime is Regime.CRPA:
        return (rules.CRPA_LEVEL,)
    return (0, 2) if kind == CONVOCATION else (0, 1, 2)


def keep(platform: Platform, principal: Principal, organisation_id: str, name: str, told: Told) -> Kind:
    """Keep the terms of a kind as an organisation's own, for itself and those below; sends already accepted keep theirs.

    The regime stays that of the kind; limits of size and number stay those in force. Terms that are in force already are not
    written again.

    Raises:
        Forbidden: the principal does not administer the organisation.
        UsageError: there is no such kind, or what is told breaks M05, M06 or what the kind may ask for.
        ValidationError: a value is out of the bounds of ``Kind``.
        Misconfigured: the configuration cannot be decrypted.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    with platform.database.writing(PLATFORM) as session:
        kept = kind_of(session, platform.secrets, organisation_id, name)
        fixed = {"name": name, "regime": BUILT_IN[name].regime}
        wanted = Kind.model_validate({**kept.model_dump(), **asdict(told), **fixed})
        _check(wanted)
        if wanted != kept:
            configure(session, platform.secrets, organisation_id, f"{CONFIGURED}{name}", wanted)
            _tell(session, principal, organisation_id, name, "configuration.changed")
    return wanted


def give_back(platform: Platform, principal: Principal, organisation_id: str, name: str) -> None:
    """Take an organisation's own terms of a kind away: those of the nearest above count again, or the built-in ones.

    Raises:
        Forbidden: the principal does not administer the organisation.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    with platform.database.writing(PLATFORM) as session:
        kept = session.get(Configuration, (organisation_id, f"{CONFIGURED}{name}"))
        if kept is None:
            return
        session.delete(kept)
        _tell(session, principal, organisation_id, name, "configuration.withdrawn")


def keep_visa(platform: Platform, principal: Principal, organisation_id: str, name: str, route: ParapheurRoute | None) -> None:
    """Have sends of a kind approved in the parapheur before they leave; None: as an organisation above says, or not at all.

    Sends already accepted go the way that was in force then.

    Raises:
        Forbidden: the principal does not administer the organisation.
        UsageError: there is no such kind, the subtype is not fit for it, or the desk may send nothing.
    """
    if name not in BUILT_IN:
        raise UsageError(_messages("kind.unknown", found=name[:40], known=", ".join(BUILT_IN)))
    with platform.database.writing(PLATFORM) as session:
        send_through(session, platform.secrets, principal, organisation_id, validating.way_of(name), route)
        if route is not None and not typology.kind_of(session, route.subtype).options.annexes:
            raise UsageError(_messages("visa.annexes"))


def inherited(session: Session, box: SecretBox, organisation_id: str, name: str) -> Kind | None:
    """Return the terms of a kind that an organisation above has set; None when none has.

    Raises:
        Misconfigured: the configuration cannot be decrypted.
    """
    above = session.get_one(Organisation, organisation_id).parent_id
    try:
        return configuration_of(session, box, above, f"{CONFIGURED}{name}", Kind) if above else None
    except NotFound:
        return None


def _check(wanted: Kind) -> None:
    if problems := rules.of_terms(wanted):
        said = (_messages("configure.refused", message=one.message, expected=one.expected) for one in problems)
        raise UsageError(" ".join(said))
    if wanted.level not in levels_of(wanted.name):
        raise UsageError(_messages("configure.level", found=wanted.level))


def _tell(session: Session, principal: Principal, organisation_id: str, name: str, kind: str) -> None:
    facts = {"configuration": f"{CONFIGURED}{name}"}
    journal.write(session, organisation_id=organisation_id, kind=kind, actor=principal.actor, facts=facts)
