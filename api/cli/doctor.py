"""``doctor``: is everything there, reachable, in date? One line each, with the mend."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import urllib3
from pydantic import SecretStr
from rich.markup import escape
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select

from api.cli import rotation
from api.cli.doctor_archive import archive
from api.cli.doctor_keys import SOON, keys
from api.cli.finding import Finding, tried
from api.cli.output import FAULT, console, json_line
from api.cli.platform import operators_platform
from archive.ingest import pdfa
from archive.places.places import Place, places_of
from connectors.actes.settings import ActesOperator, Mailbox
from connectors.antivirus.client import prove, version
from connectors.antivirus.settings import Scanner
from core import clock, sandbox
from core.clock import in_paris
from core.configuration import Configuration, configuration_of
from core.errors import Misconfigured, TabellionError, Unavailable
from core.messages import Catalogue
from core.migrations import is_current
from core.platform import Platform
from core.principal import PLATFORM
from core.settings import Settings, meaning, variable
from flows.actes.settings import OPERATOR as ACTES_OPERATOR
from flows.engine import brokers, relay, schedule
from flows.notices import root_of
from signing.trust.folder import Contents
from signing.trusted_lists.folder import alerts

_t = Catalogue("api.cli")
_ROOM = 5 * 1024**3
_MOST_SKEW = 5.0
_PATIENCE = timedelta(minutes=15)
_TOLD = 5
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def list_settings(as_json: bool) -> int:
    """Print every setting with its meaning, its default and whether it is set."""
    for name, field in Settings.model_fields.items():
        secret = isinstance(field.default, SecretStr)
        default = "" if secret else str(field.default if field.default is not None else "")
        if as_json:
            json_line(
                {
                    "name": variable(name),
                    "meaning": meaning(name),
                    "default": default,
                    "set": variable(name) in os.environ,
                    "secret": secret,
                }
            )
        else:
            console.print(f"[bold]{variable(name)}[/] {escape(f'[{default}]') if default else ''}\n    {escape(meaning(name))}")
    return 0


def examine(as_json: bool) -> int:
    """Examine every part; return 0 when all are well, 3 otherwise."""
    findings = list(_findings())
    for finding in findings:
        if as_json:
            json_line({"part": finding.part, "well": finding.well, "seen": finding.seen, "mend": finding.mend})
            continue
        mark = "[green]✓[/]" if finding.well else "[red]✗[/]"
        console.print(f"{mark} {finding.part} : {escape(finding.seen)}" + (f" → {escape(finding.mend)}" if finding.mend else ""))
    return 0 if all(finding.well for finding in findings) else FAULT


def _findings() -> Iterator[Finding]:
    try:
        platform = operators_platform()
    except TabellionError as error:
        yield Finding(_t("doctor.configuration"), False, str(error))
        return
    yield tried(_t("doctor.database"), lambda: _database(platform), _t("doctor.database.mend"))
    yield _secrets(platform)
    yield _address(platform.settings)
    yield tried(_t("doctor.s3"), lambda: _store(platform), _t("doctor.s3.mend"))
    yield from _places(platform)
    yield from archive(platform)
    yield tried(_t("doctor.broker"), lambda: _broker(platform), _t("doctor.broker.mend"))
    yield tried(_t("doctor.queues"), lambda: _queues(platform), _t("doctor.queues.mend"))
    yield tried(_t("doctor.schedules"), lambda: _schedules(platform), _t("doctor.schedules.mend"))
    yield tried(_t("doctor.steps"), lambda: _steps(platform), _t("doctor.steps.mend"))
    for url in platform.settings.tsa_urls:
        yield tried(_t("doctor.tsa"), partial(_clock_of, url), _t("doctor.tsa.mend"))
    yield _antivirus(platform)
    yield from _ministry(platform)
    yield _checker(platform.settings.pdfa_checker)
    yield from _certificates(platform.settings.trust_dir)
    yield from keys(platform)
    yield tried(_t("doctor.sandbox"), _sandbox, _t("doctor.sandbox.mend"))
    yield _disk(platform.settings.state_dir)


def _database(platform: Platform) -> str:
    with platform.database.reading(PLATFORM) as session:
        session.connection().execute(text("SELECT 1"))
    if not is_current(platform.database):
        raise Unavailable(_t("doctor.database.old"))
    return platform.database.url.render_as_string(hide_password=True)


def _secrets(platform: Platform) -> Finding:
    try:
        return rotation.look(platform)
    except SQLAlchemyError as error:
        return Finding(_t("doctor.secrets"), False, str(error).splitlines()[0][:200], _t("doctor.database.mend"))


def _address(settings: Settings) -> Finding:
    """Without an address of its own, what is mailed leads to this machine, and pages believe whatever a request calls it."""
    if settings.public_url:
        return Finding(_t("doctor.address"), True, settings.public_url)
    alone = settings.http_host in _LOOPBACK and not settings.smtp_url.get_secret_value()
    return Finding(_t("doctor.address"), alone, _t("doctor.address.none", address=root_of(settings)), _t("doctor.address.set"))


def _store(platform: Platform) -> str:
    platform.objects.prepare()
    return _t("doctor.s3.answers", bucket=platform.objects.documents)


def _places(platform: Platform) -> Iterator[Finding]:
    for place in places_of(platform):
        yield tried(_t("doctor.place", place=place.name), partial(_place, place), _t("doctor.place.mend"))
    if not platform.further:
        yield Finding(_t("doctor.places"), True, _t("doctor.places.one"), _t("doctor.places.set"))


def _place(place: Place) -> str:
    place.store.prepare()
    place.store.prove_lock()
    rule, skew = place.store.rule(), place.store.clock_skew()
    if not rule.versioned or rule.mode is None:
        raise Misconfigured(_t("doctor.place.open", bucket=place.store.archive))
    if abs(skew) > _MOST_SKEW:
        raise Misconfigured(_t("doctor.place.clock", seconds=round(skew)))
    return _t("doctor.place.locks", bucket=place.store.archive, mode=rule.mode, days=rule.days)


def _broker(platform: Platform) -> str:
    url = platform.settings.broker_url.get_secret_value()
    brokers.prove(url)
    return url.partition(":")[0]


def _queues(platform: Platform) -> str:
    with platform.database.reading(PLATFORM) as session:
        left = relay.left_alone(session, clock.now() - _PATIENCE)
    if left:
        raise Unavailable(_t("doctor.queues.left", queues=", ".join(left), minutes=_PATIENCE // timedelta(minutes=1)))
    return _t("doctor.queues.served")


def _schedules(platform: Platform) -> str:
    """Look at what runs again and again: the gateway or the authority that does not answer is seen there first."""
    with platform.database.reading(PLATFORM) as session:
        troubled = schedule.troubled(session)
    if troubled:
        told = "; ".join(f"{name}: {trouble}" for name, trouble in troubled[:_TOLD])
        raise Unavailable(_t.counted("doctor.schedules.troubled", len(troubled), count=len(troubled), told=told))
    return _t("doctor.schedules.well")


def _steps(platform: Platform) -> str:
    with platform.database.reading(PLATFORM) as session:
        failing = relay.failing(session)
    if failing:
        told = ", ".join(f"{queue} ({count})" for queue, count in failing.items())
        raise Unavailable(_t("doctor.steps.failing", told=told))
    return _t("doctor.steps.well")


def _clock_of(url: str) -> str:
    answer = urllib3.request("GET", url, timeout=5, retries=False)
    return _t("doctor.tsa.answers", url=url, status=answer.status)


def _antivirus(platform: Platform) -> Finding:
    if not platform.settings.antivirus:
        return Finding(_t("doctor.antivirus"), True, _t("doctor.antivirus.none"), _t("doctor.antivirus.set"))

    def look() -> str:
        scanner = Scanner.of(platform.settings.antivirus)
        said = version(scanner)
        prove(scanner, platform.settings.upload_limit)
        return _t("doctor.antivirus.finds", version=said, megabytes=platform.settings.upload_limit >> 20)

    return tried(_t("doctor.antivirus"), look, _t("doctor.antivirus.mend"))


def _ministry(platform: Platform) -> Iterator[Finding]:
    """Whose mails are believed, in each mailbox of the ministry's answers."""
    part = _t("doctor.ministry")
    try:
        boxes = _mailboxes_of_acts(platform)
    except (TabellionError, SQLAlchemyError) as error:
        yield Finding(part, False, str(error).splitlines()[0][:200], _t("doctor.database.mend"))
        return
    for box in boxes:
        if not box.senders:
            yield Finding(part, True, _t("doctor.ministry.anybody", user=box.user), _t("doctor.ministry.set"))
            continue
        seen = _t("doctor.ministry.believed", user=box.user, senders=", ".join(box.senders))
        yield Finding(part, True, seen, "" if box.authenticated_by else _t("doctor.ministry.attest"))


def _mailboxes_of_acts(platform: Platform) -> list[Mailbox]:
    with platform.database.reading(PLATFORM) as session:
        owners = session.exec(select(Configuration.organisation_id).where(Configuration.name == ACTES_OPERATOR)).all()
        return [
            configuration_of(session, platform.secrets, owner, ACTES_OPERATOR, ActesOperator).mailbox for owner in sorted(owners)
        ]


def _checker(program: Path | None) -> Finding:
    if program is None:
        return Finding(_t("doctor.pdfa"), True, _t("doctor.pdfa.none"), _t("doctor.pdfa.set"))
    return tried(_t("doctor.pdfa"), partial(pdfa.version, program), _t("doctor.pdfa.mend"))


def _certificates(folder: Path | None) -> Iterator[Finding]:
    if folder is None:
        yield Finding(_t("doctor.trust"), False, _t("doctor.trust.none"), _t("doctor.trust.mend"))
        return
    try:
        certificates = dict.fromkeys(Contents.of(folder).certificates)  # each once, whatever files it is in
        outdated = alerts(folder, clock.now())
    except Misconfigured as error:
        yield Finding(_t("doctor.trust"), False, str(error), _t("doctor.trust.unreadable"))
        return
    for certificate in certificates:
        left = certificate.not_valid_after_utc - clock.now()
        name, end = certificate.subject.rfc4514_string(), in_paris(certificate.not_valid_after_utc)
        # One that has ended cannot be renewed, and is kept: what was signed and timestamped under it is verified with it.
        ended = left < timedelta()
        well = ended or left > SOON
        seen = _t("doctor.certificate.ended" if ended else "doctor.certificate", name=name, date=f"{end:%d/%m/%Y}")
        yield Finding(_t("doctor.trust"), well, seen, "" if well else _t("doctor.certificate.mend"))
    for alert in outdated:
        yield Finding(_t("doctor.trust"), False, alert, _t("doctor.trust.list"))


def _sandbox() -> str:
    if lacking := sandbox.lacking():
        raise Misconfigured(", ".join(_t(f"doctor.sandbox.{name}") for name in lacking))
    return _t("doctor.sandbox.whole")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder if folder.exists() else Path.cwd()).free
    seen = _t("doctor.disk.free", gigabytes=free // 1024**3)
    return Finding(_t("doctor.disk"), free > _ROOM, seen, "" if free > _ROOM else _t("doctor.disk.mend"))
