"""Opening an organisation from a terminal: its place in the tree, its people, tokens, gateway, seal and parapheur outside.

Every change writes its journal entry in the same transaction, with identifiers and codes only. What an open organisation does
with its documents is in ``dossiers``, what a person must settle in ``settling``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import BaseModel, SecretStr, ValidationError
from rich.markup import escape
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from api.cli.output import console, json_line
from api.cli.platform import at_work, operators_platform
from connectors.actes.settings import ActesOperator
from connectors.helios.settings import HeliosGateway
from connectors.iparapheur.client import open_connector
from connectors.iparapheur.settings import ParapheurSettings
from core import clock, journal, passwords, people, roles
from core.clock import in_paris, iso
from core.configuration import configure
from core.database import answering
from core.errors import Conflict, Misconfigured, NotFound, UnreadableInput, UsageError
from core.identifiers import Siret
from core.messages import Catalogue
from core.migrations import is_current
from core.organisations import Organisation, OrganisationKind, add_organisation, organisation_of
from core.platform import Platform
from core.principal import PLATFORM, Right
from core.tokens import ApiToken, issue_token
from flows.actes import classifying, incoming
from flows.actes.settings import OPERATOR as ACTES_OPERATOR
from flows.engine import schedule
from flows.helios import acquits
from flows.helios.settings import GATEWAY, SEAL, HeliosSeal
from flows.parapheur import returning
from flows.parapheur.external import EXTERNAL

_t = Catalogue("api.cli")
Model = TypeVar("Model", bound=BaseModel)
ACTOR = "operator"
ROOT = "platform"
# The names that these commands have always taken, and the roles that they mean; every other role is called by its own name.
ROLES: Mapping[str, str] = {"agent": "agent", "operateur": roles.OPERATOR, "archiviste": "archiviste"}
_LARGEST_TEXT, _LARGEST_OPERATOR, _LARGEST_PKCS12, _LARGEST_PARAPHEUR = 1 << 16, 1 << 19, 1 << 20, 1 << 21
_IDENTIFIER = 26


def open_organisation(name: str, *, siret: str, parent: str | None, as_json: bool) -> None:
    """Open a collectivité below the platform, or a service below a collectivité; the platform's root is made when there is none.

    Raises:
        UsageError: the SIRET cannot be one, the name is not fit, or nothing can stand below the parent.
        NotFound: no such parent.
        Conflict: the SIRET is open already.
    """
    number, called = Siret(siret), _fit(name, 200)
    platform = opened_platform()
    with platform.database.writing(PLATFORM) as session:
        _hold_the_tree(platform, session)
        if session.exec(select(Organisation.id).where(Organisation.siret == number)).first() is not None:
            raise Conflict(_t("organisation.exists", siret=number))
        above = organisation_of(session, parent) if parent else _root(session) or _make_root(session)
        opened = add_organisation(session, called, _kind_below(above), parent=above, siret=number)
        _note(session, opened.id, "organisation.opened", {"parent": above.id})
    if as_json:
        json_line(_organisation_json(opened))
    else:
        console.print(_t("organisation.opened", name=escape(called), kind=_t(f"kind.{opened.kind}"), siren=opened.siren))


def list_organisations(as_json: bool) -> None:
    """Print every organisation, each after the one above it."""
    with platform_to_read().database.reading(PLATFORM) as session:
        found = session.exec(select(Organisation).order_by(Organisation.path)).all()
    for organisation in found:
        if as_json:
            json_line(_organisation_json(organisation))
            continue
        depth = organisation.path.count("/") - 2
        number = organisation.siret or organisation.siren or ""
        console.print(f"{'  ' * depth}{escape(organisation.name)} · {_t(f'kind.{organisation.kind}')} · {number}".rstrip(" ·"))


def add_somebody(email: str, *, name: str, organisation: str, role: str, password_file: Path | None, as_json: bool) -> None:
    """Add a person with a role; the password is asked for twice, unless a file holds it.

    Raises:
        UsageError: unknown role, an address or a name that is not fit, a password too weak or mistyped.
        NotFound: no such organisation.
        Conflict: the address is known already.
    """
    address, called = _fit(email, 254), _fit(name, 120)
    people.check_address(address)
    platform = opened_platform()
    with platform.database.reading(PLATFORM) as session:
        meant = role_meant(session, owner_of(session, organisation), role)  # refused before a password is asked for
    password = _new_password(password_file, called, address)
    try:
        with platform.database.writing(PLATFORM) as session:
            owner = owner_of(session, organisation)
            person = people.add_person(session, address, called, password)
            people.grant_role(session, person, owner, meant)
            # A role that an organisation defined bears a name of its own, which the journal does not hold.
            facts = {"person": person.id} | ({"role": meant} if meant in roles.BUILT_IN else {})
            _note(session, owner.id, "person.added", facts)
    except IntegrityError as error:
        raise Conflict(_t("person.exists", email=address)) from error
    if as_json:
        json_line({"person": person.id, "organisation": owner.id, "role": role})
    else:
        console.print(_t("person.added", email=escape(address), role=role, name=escape(owner.name)))


def issue(name: str, *, organisation: str, days: int, read_only: bool, as_json: bool) -> None:
    """Issue a token to read and deposit, or to read only, and print it: nothing will show it again.

    Raises:
        UsageError: the name is not fit.
        NotFound: no such organisation.
    """
    called, lifetime = _fit(name, 120), timedelta(days=days)
    rights = {Right.READ} if read_only else {Right.READ, Right.DEPOSIT}
    with opened_platform().database.writing(PLATFORM) as session:
        owner = owner_of(session, organisation)
        bearer = issue_token(session, owner, called, rights, lifetime)
        identifier = bearer.split("_")[1]
        _note(session, owner.id, "token.issued", {"token": identifier})
    expires = clock.now() + lifetime
    if as_json:
        json_line(
            {"id": identifier, "token": bearer, "organisation": owner.id, "rights": sorted(rights), "expires": iso(expires)}
        )
    else:
        console.print(_t("token.issued", token=identifier, name=escape(owner.name), day=f"{in_paris(expires):%d/%m/%Y}"))
        console.print(bearer)


def revoke(token_id: str) -> None:
    """Revoke a token, from this moment on.

    Raises:
        NotFound: no such token.
        Conflict: it is revoked already.
    """
    # No more than an identifier is repeated: a whole token may have been pasted.
    shown = token_id[:_IDENTIFIER]
    with opened_platform().database.writing(PLATFORM) as session:
        token = session.get(ApiToken, token_id, with_for_update=True)
        if token is None:
            raise NotFound(_t("token.unknown", token=shown))
        if token.revoked is not None:
            raise Conflict(_t("token.revoked_before", token=shown, day=f"{in_paris(token.revoked):%d/%m/%Y}"))
        token.revoked = clock.now()
        _note(session, token.organisation_id, "token.revoked", {"token": token.id})
    console.print(_t("token.revoked", token=shown))


def configure_gateway(file: Path, *, organisation: str) -> None:
    """Keep the gateway that a JSON file describes, and plan the collection of its responses: no worker needs a restart.

    Raises:
        UnreadableInput: the file cannot be read, or is no JSON.
        UsageError: a setting does not fit; every fault is told, no value is repeated.
        NotFound: no such organisation.
    """
    gateway = _built(HeliosGateway, _json(file, _LARGEST_TEXT))
    platform = opened_platform()
    owner = _keep(platform, organisation, GATEWAY, gateway)
    every = timedelta(seconds=platform.settings.poll_seconds)
    schedule.plan(platform.database, acquits.ACTOR, acquits.QUEUE, every, key=owner.id)
    console.print(_t("gateway.kept", name=escape(owner.name), seconds=round(every.total_seconds())))


def configure_acts(file: Path, *, organisation: str) -> None:
    """Keep the operator of télétransmission that a JSON file describes, and plan the reading of its mailbox.

    Raises:
        UnreadableInput: the file cannot be read, or is no JSON.
        UsageError: a setting does not fit; every fault is told, no value is repeated.
        NotFound: no such organisation.
    """
    operator = _built(ActesOperator, _json(file, _LARGEST_OPERATOR))
    platform = opened_platform()
    owner = _keep(platform, organisation, ACTES_OPERATOR, operator)
    every = timedelta(seconds=platform.settings.poll_seconds)
    incoming.plan(platform, every)
    classifying.plan(platform, classifying.EVERY)
    console.print(_t("acts.kept", name=escape(owner.name), place=operator.endpoint.place, seconds=round(every.total_seconds())))


def configure_parapheur(file: Path, *, organisation: str) -> None:
    """Keep the parapheur outside that a JSON file describes, once it has answered and has the type, and plan to look into it.

    Raises:
        UnreadableInput: the file cannot be read, or is no JSON.
        UsageError: a setting does not fit, or the account may not create dossiers of the type and sub-type there.
        NotFound: no such organisation.
        Unavailable, NeedsOperator, Misconfigured: the parapheur does not answer as it should.
    """
    settings = _built(ParapheurSettings, _json(file, _LARGEST_PARAPHEUR))
    platform = opened_platform()
    types = open_connector(settings, platform.settings.permitted_networks).list_types()
    if settings.subtype not in types.get(settings.type, ()):
        known = ", ".join(f"{kind} / {subtype}" for kind, subtypes in types.items() for subtype in subtypes)
        raise UsageError(_t("parapheur.type", type=settings.type, subtype=settings.subtype, known=known[:1000]))
    owner = _keep(platform, organisation, EXTERNAL, settings)
    every = timedelta(seconds=platform.settings.poll_seconds)
    schedule.plan(platform.database, returning.ACTOR, returning.QUEUE, every, key=owner.id)
    console.print(_t("parapheur.kept", name=escape(owner.name), seconds=round(every.total_seconds())))


def configure_seal(file: Path, *, organisation: str, city: str, postal_code: str, role: str, password_file: Path | None) -> None:
    """Keep the key of a server seal, once it has been opened and found fit to sign.

    Raises:
        UnreadableInput: the file cannot be read.
        KeyRefused: no PKCS#12, another password, or a key that must not sign.
        UsageError: a place or a role that does not fit.
        NotFound: no such organisation.
    """
    pkcs12 = base64.b64encode(_read(file, _LARGEST_PKCS12)).decode()
    password = _first_line(password_file) if password_file else typer.prompt(_t("seal.password"), hide_input=True)
    values = {"pkcs12": SecretStr(pkcs12), "password": SecretStr(password)}
    seal = _built(HeliosSeal, {**values, "role": role, "city": city, "postal_code": postal_code})
    certificate = seal.signer().certificate
    owner = _keep(opened_platform(), organisation, SEAL, seal)
    subject, end = certificate.subject.rfc4514_string(), in_paris(certificate.not_valid_after_utc)
    console.print(_t("seal.kept", name=escape(owner.name), subject=escape(subject), day=f"{end:%d/%m/%Y}"))


def opened_platform() -> Platform:
    """Open the platform to change it, at work on its database, which nobody may have for themselves."""
    return at_work(platform_to_read())


def platform_to_read() -> Platform:
    """Open the platform: its database must answer and be up to date, and its key must be the one of all."""
    platform = operators_platform()
    with answering(platform.database):
        current = is_current(platform.database)
    if not current:
        raise Misconfigured(_t("parts.database"))
    return platform


def _note(session: Session, organisation_id: str, kind: str, facts: dict[str, Any]) -> None:
    journal.write(session, organisation_id=organisation_id, kind=kind, actor=ACTOR, facts=facts)


def _hold_the_tree(platform: Platform, session: Session) -> None:
    """Let nobody else open an organisation until the transaction ends: two must not take the same SIRET, or make two roots."""
    if not platform.database.is_sqlite:  # which has one writer anyway
        session.connection().execute(text("LOCK TABLE organisation IN SHARE ROW EXCLUSIVE MODE"))


def _root(session: Session) -> Organisation | None:
    return session.exec(
        select(Organisation).where(Organisation.kind == OrganisationKind.PLATFORM).order_by(Organisation.path)
    ).first()


def _make_root(session: Session) -> Organisation:
    root = add_organisation(session, _t("organisation.root"), OrganisationKind.PLATFORM)
    _note(session, root.id, "organisation.opened", {})
    return root


def _kind_below(above: Organisation) -> OrganisationKind:
    if above.kind == OrganisationKind.PLATFORM:
        return OrganisationKind.COLLECTIVITE
    if above.kind == OrganisationKind.COLLECTIVITE:
        return OrganisationKind.SERVICE
    raise UsageError(_t("organisation.too_deep", name=above.name))


def owner_of(session: Session, wanted: str) -> Organisation:
    """Return the organisation of a SIREN or SIRET, or the platform's root for ``platform``."""
    if wanted != ROOT:
        return organisation_of(session, wanted)
    root = _root(session)
    if root is None:
        raise NotFound(_t("organisation.no_root"))
    return root


def _organisation_json(organisation: Organisation) -> dict[str, Any]:
    return {
        "organisation": organisation.id,
        "parent": organisation.parent_id,
        "kind": str(organisation.kind),
        "name": organisation.name,
        "siren": organisation.siren,
        "siret": organisation.siret,
    }


def _keep(platform: Platform, organisation: str, name: str, model: BaseModel) -> Organisation:
    with platform.database.writing(PLATFORM) as session:
        owner = owner_of(session, organisation)
        configure(session, platform.secrets, owner.id, name, model)
        _note(session, owner.id, "configuration.changed", {"configuration": name})
    return owner


def _built(kind: type[Model], values: object) -> Model:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise UsageError("\n".join(_fault(fault) for fault in faults)) from error


def _json(file: Path, largest: int) -> object:
    try:
        return json.loads(_read(file, largest))
    except json.JSONDecodeError as error:
        raise UnreadableInput(_t("gateway.json", file=file, line=error.lineno, column=error.colno)) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise UnreadableInput(_t("gateway.unreadable", file=file)) from error


def _fault(fault: Mapping[str, Any]) -> str:
    """Say a fault in the language in force; of what was given only names of settings are repeated, never a value."""
    kind, places = str(fault["type"]), dict(fault.get("ctx", {}))
    if "expected" in places:  # the only place that pydantic fills with words
        places["expected"] = str(places["expected"]).replace(" or ", ", ")
    field = ".".join(str(part) for part in fault["loc"])[:80]
    candidates = (f"fault.{kind}", f"fault.{kind.partition('_')[0]}")
    key = next((candidate for candidate in candidates if candidate in _t), "fault.other")
    return _t(key, **{**places, "field": field})


def _fit(given: str, longest: int) -> str:
    """Return a name without what surrounds it, if it can be kept."""
    name = given.strip()
    if not (0 < len(name) <= longest and name.isprintable()):
        raise UsageError(_t("administration.name", longest=longest))
    return name


def role_meant(session: Session, organisation: Organisation, role: str) -> str:
    """Return the role that is meant for an organisation.

    Raises:
        UsageError: there is no such role; the message names those that are.
    """
    known = [*roles.BUILT_IN, *roles.defined_at(session, organisation.path)]
    meant = ROLES.get(role, role)
    if meant not in known:
        raise UsageError(_t("person.role_unknown", found=role[:40], known=", ".join(known)))
    return meant


def _new_password(file: Path | None, *personal: str) -> str:
    password = _first_line(file) if file else str(typer.prompt(_t("person.password"), hide_input=True))
    passwords.check(password, *personal)
    if file is None and typer.prompt(_t("person.password_again"), hide_input=True) != password:
        raise UsageError(_t("person.password_mistyped"))
    return password


def _first_line(file: Path) -> str:
    try:
        lines = _read(file, _LARGEST_TEXT).decode().splitlines()
    except UnicodeDecodeError as error:
        raise UnreadableInput(_t("administration.file", file=file, reason="UTF-8")) from error
    return lines[0] if lines else ""


def _read(file: Path, largest: int) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(largest + 1)
    except OSError as error:
        raise UnreadableInput(_t("administration.file", file=file, reason=error.strerror or type(error).__name__)) from error
    if len(content) > largest:
        raise UnreadableInput(_t("administration.large", file=file, kibibytes=largest // 1024))
    return content
