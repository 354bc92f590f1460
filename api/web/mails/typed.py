"""A send as it was typed: read from its form or from its draft, with what is wrong beside each field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from core.problems import Problem, Severity
from flows.engine.work import KeptFile
from flows.mail.book import contacts, templates, written
from flows.mail.book.models import Contact
from flows.mail.book.written import Fault, FaultyLines
from flows.mail.intake import Addressed, Draft
from flows.mail.kinds import Kind
from flows.mail.models import Mail, MailRecipient, Place
from schemas.mail import addresses

_t = Catalogue("api.web.mails")
PLACES = {"to": Place.TO, "cc": Place.CC, "bcc": Place.BCC}
TEXTS = ("subject", "body", "sender", "reply_to")
_OF_RULES = {"M02": "body", "M03": "document", "M04": "password", "M05": "kind", "M06": "kind", "M07": "body", "M08": "body"}


@dataclass(slots=True)
class Row:
    """A recipient of the form, with what is told of them beside their line.

    Attributes:
        normal: the address as it is compared; names what is told of it.
        contact: in the address book; None when it is in none.
        secret: a password is kept for it already.
    """

    place: str
    address: str
    name: str
    normal: str
    contact: Contact | None = None
    consent: str = ""
    consent_reference: str = ""
    password: str = ""
    secret: bool = False


@dataclass(slots=True)
class Typed:
    """A send as it was typed.

    Attributes:
        lines: what stands in the field of each place.
        rows: recipients, as far as the lines can be read.
        faults: lines that cannot, by place.
        password: for every recipient; never shown again.
        problems: what is wrong, by anchor of the field.
    """

    kind: str
    texts: dict[str, str]
    answers: bool
    lines: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    faults: dict[str, tuple[Fault, ...]] = field(default_factory=dict)
    password: str = ""
    problems: dict[str, str] = field(default_factory=dict)

    def wrong(self, anchor: str, words: str) -> None:
        """Note what is wrong with a field, beside what is already."""
        if words not in self.problems.get(anchor, ""):
            self.problems[anchor] = f"{self.problems[anchor]} {words}" if anchor in self.problems else words

    def anchor_of(self, normal: str) -> str:
        """Return where the page shows a recipient; the field of the first place when it shows none of that address."""
        return next((f"r{rank}" for rank, one in enumerate(self.rows) if one.normal == normal), "to")


def of_values(values: Mapping[str, str], kind: Kind, *, fresh: bool) -> Typed:
    """Return what was typed; ``fresh`` when nothing was sent yet, so that the kind tells what is ticked."""
    typed = Typed(
        kind=kind.name,
        texts={name: values.get(name, "").replace("\r\n", "\n") for name in TEXTS},
        answers=kind.answers if fresh else bool(values.get("answers")),
        lines={name: values.get(name, "").replace("\r\n", "\n") for name in PLACES},
        password=values.get("password", ""),
    )
    _read_lines(typed, kind.most_recipients)
    for row in typed.rows:
        row.consent = values.get(f"consent.{row.normal}", "")
        row.consent_reference = values.get(f"reference.{row.normal}", "")
        row.password = values.get(f"secret.{row.normal}", "")
    return typed


def _read_lines(typed: Typed, most: int) -> None:
    places: dict[str, str] = {}
    for place, text in typed.lines.items():
        try:
            found = written.recipients(text, most)
        except FaultyLines as error:
            typed.faults[place] = error.faults
            typed.wrong(place, _t.counted("wrong.lines", len(error.faults), count=len(error.faults)))
            continue
        for told in found:
            normal = addresses.normal(told.address)
            if normal in places:
                typed.wrong(place, _t("wrong.twice", address=told.address, place=_t(f"place.{places[normal]}")))
                continue
            places[normal] = place
            typed.rows.append(Row(place, told.address, told.name, normal))


def of_draft(mail: Mail, recipients: Sequence[MailRecipient]) -> Typed:
    """Return a draft as its form shows it."""
    lines: dict[str, list[str]] = {name: [] for name in PLACES}
    for one in recipients:
        lines[one.place].append(written.line_of(one.name, one.address))
    typed = Typed(
        mail.kind,
        {name: str(getattr(mail, name)) for name in TEXTS},
        mail.answers,
        {name: "\n".join(told) for name, told in lines.items()},
    )
    for one in recipients:
        consent = one.consent.isoformat() if one.consent else ""
        row = Row(one.place, one.address, one.name, one.normal, None, consent, one.consent_reference)
        row.secret = bool(one.password_hash)
        typed.rows.append(row)
    return typed


def know(platform: Platform, principal: Principal, organisation_id: str, typed: Typed, kept: Iterable[MailRecipient]) -> None:
    """Note what the book and the draft know of the recipients: names that were not written, mails that came back, passwords."""
    book = contacts.known(platform, principal, organisation_id, [one.normal for one in typed.rows])
    secret = {one.normal for one in kept if one.password_hash}
    for row in typed.rows:
        row.contact, row.secret = book.get(row.normal), row.normal in secret
        if row.contact is not None and not row.name and row.contact.name != row.contact.address:
            row.name = row.contact.name


def judge_bounced(typed: Typed) -> None:
    """Note the recipients whose mails come back: nothing leaves for them until somebody has confirmed or mended the address."""
    for row in typed.rows:
        if row.contact is not None and row.contact.bounced is not None:
            typed.wrong(typed.anchor_of(row.normal), _t("wrong.bounced", address=row.address))


def judge_dates(typed: Typed) -> None:
    """Note the days of consent that are none."""
    for row in typed.rows:
        if row.consent and _day(row.consent) is None:
            typed.wrong(typed.anchor_of(row.normal), _t("wrong.day", found=row.consent[:40]))


def note(typed: Typed, problems: Iterable[Problem]) -> None:
    """Note what the rules of the flow find wrong beside what it concerns; warnings are left to the page that sends."""
    for problem in problems:
        if problem.severity is Severity.ERROR:
            words = f"{problem.message} {problem.mend or ''}".strip()
            typed.wrong(_anchor(typed, problem), words)


def _anchor(typed: Typed, problem: Problem) -> str:
    path = problem.path or ""
    if path in TEXTS:
        return path
    if "@" in path:
        return typed.anchor_of(addresses.normal(path))
    return "to" if problem.rule == "M01" else _OF_RULES.get(problem.rule, "summary")


def filled(typed: Typed, organisation: str, today: str) -> None:
    """Put what is known by now in the place of the variables; the name of the recipient when there is but one."""
    values = {"collectivite": organisation, "service": typed.texts["sender"].strip() or organisation, "date": today}
    if len(typed.rows) == 1:
        values["nom"] = typed.rows[0].name or typed.rows[0].address
    typed.texts["subject"] = templates.filled(typed.texts["subject"], values)
    typed.texts["body"] = templates.filled(typed.texts["body"], values | {"objet": typed.texts["subject"].strip()})


def draft(typed: Typed, organisation_id: str, documents: tuple[KeptFile, ...], *, without: bool = False) -> Draft:
    """Return what was typed as the flow takes it; ``without`` its recipients, when what is kept of them is to be forgotten."""
    return Draft(
        organisation_id,
        typed.kind,
        " ".join(typed.texts["subject"].split()),
        typed.texts["body"].strip(),
        " ".join(typed.texts["sender"].split()),
        typed.texts["reply_to"].strip(),
        typed.answers,
        () if without else tuple(_addressed(row, typed.password) for row in typed.rows),
        documents,
    )


def _addressed(row: Row, password: str) -> Addressed:
    return Addressed(
        row.address,
        row.name,
        PLACES[row.place],
        f"contact:{row.contact.id}" if row.contact else "typed",
        row.password or password,
        _day(row.consent),
        row.consent_reference,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
