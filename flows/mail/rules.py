"""The rules M01 to M10 of a send, which need what the platform knows: problems that a person can mend, each with its number.

M01 recipients · M02 subject and body · M03 documents (``checking``) · M04 passwords · M05 delays · M06 CRPA · M07 words ·
M08 variables · M09 and M10 convocations (``convening.rules``). A draft is held against ``of_draft`` when it is written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING
from unicodedata import normalize

from core import passwords
from core.errors import UsageError
from core.folding import folded
from core.messages import Catalogue
from core.problems import Problem, Severity, problem_in_words
from flows.mail.kinds import Kind, Regime
from flows.mail.models import Mail, MailRecipient
from schemas.mail import addresses

if TYPE_CHECKING:
    from flows.mail.intake import Addressed, Draft

_messages = Catalogue("flows.mail")
LONGEST_SUBJECT, LONGEST_BODY, LONGEST_NAME, LONGEST_SENDER = 200, 50_000, 200, 200
CRPA_DAYS = 15
"""CRPA, article R. 112-20: who has not consulted the document within fifteen days is deemed notified."""
CRPA_LEVEL = 2
_FEWEST_DIGITS_APART = 3
_SIX_DIGITS = re.compile(r"[0-9]{6}")
_NO_LINE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_VARIABLE = re.compile(r"\{[^\W\d]\w{0,29}\}")
# CPCE, article L. 101: no name that is likely to be confused with that of a lettre recommandée électronique.
_LETTERS = r"L\.?R\.?E|L\.?R\.?\s?[-/]?\s?A\.?R|R\.?A\.?R"
# Typed in capitals without accents, it is the participle beside a letter, or in the feminine; elsewhere it is the verb.
_CONFUSING = re.compile(
    rf"\b(recommandée?s?|recommandees?|(?:lettre|courrier|envoi|pli|en)s?\s+recommandes?|{_LETTERS}|registered)\b", re.IGNORECASE
)
_CLAIMS = re.compile(
    r"\b((?:lettre|courrier)s?\s+recommand[ée]e?s?|recommand[ée]s?\s+([ée]lectroniques?|avec\s+accus[ée])"
    rf"|{_LETTERS}|registered\s+(mail|letter))\b",
    re.IGNORECASE,
)


class Unsendable(UsageError):
    """A draft breaks rules that whoever writes it can mend.

    Attributes:
        problems: what is wrong; never empty.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


def require(problems: Iterable[Problem]) -> None:
    """Go on only if nothing refuses the send.

    Raises:
        Unsendable: something does.
    """
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise Unsendable(errors)


def of_draft(draft: Draft) -> list[Problem]:
    """Return what keeps a draft from being written down: what would not fit, or could mean two things."""
    return [
        *(problem for one in draft.recipients for problem in _address(one.address, one.name)),
        *_twice(one.address for one in draft.recipients),
        *_lines(draft),
        *(problem for one in draft.recipients if one.password for problem in _password(one, draft.subject)),
    ]


def of_send(mail: Mail, recipients: Sequence[MailRecipient], kind: Kind, today: date) -> list[Problem]:
    """Return what is wrong with a send, its documents and the convocation aside.

    Args:
        mail: as it is to be sent.
        recipients: of it.
        kind: the terms that it would be accepted under.
        today: in Paris.
    """
    return [
        *_recipients(recipients, kind),
        *_said(mail),
        *_secrets(recipients, kind),
        *of_terms(kind),
        *(_crpa(mail, recipients, today) if kind.regime is Regime.CRPA else ()),
        *_words(mail),
        *_variables(mail),
    ]


def of_terms(kind: Kind) -> list[Problem]:
    """Return what is wrong with the terms of a kind: delays that contradict each other, or less than its regime needs."""
    return [*_delays(kind), *_level(kind)]


def _problem(rule: str, variant: str, found: str = "", *, path: str | None = None, **places: object) -> Problem:
    return problem_in_words(_messages, rule, variant, found=found or None, path=path, places=places)


def _recipients(recipients: Sequence[MailRecipient], kind: Kind) -> Iterator[Problem]:
    if not recipients:
        yield _problem("M01", "none")
    if len(recipients) > kind.most_recipients:
        yield _problem("M01", "many", str(len(recipients)), most=kind.most_recipients)
    for one in recipients:
        yield from _address(one.address, one.name)


def _address(address: str, name: str) -> Iterator[Problem]:
    try:
        addresses.check(address)
    except UsageError as error:
        yield _problem("M01", "address", address, path=address[:80], reason=error)
    if len(name) > LONGEST_NAME or _NO_LINE.search(name):
        yield _problem("M01", "name", name, path=address[:80], longest=LONGEST_NAME)


def _twice(written: Iterable[str]) -> Iterator[Problem]:
    times = Counter(_compared(address) for address in written)
    yield from (_problem("M01", "twice", address, path=address[:80]) for address, count in times.items() if count > 1)


def _compared(address: str) -> str:
    try:
        return addresses.normal(address)
    except UsageError:
        return address


def _lines(draft: Draft) -> Iterator[Problem]:
    if len(draft.subject) > LONGEST_SUBJECT or _NO_LINE.search(draft.subject):
        yield _problem("M02", "subject", draft.subject, path="subject", longest=LONGEST_SUBJECT)
    if len(draft.sender) > LONGEST_SENDER or _NO_LINE.search(draft.sender):
        yield _problem("M02", "sender", draft.sender, path="sender", longest=LONGEST_SENDER)
    if len(draft.body) > LONGEST_BODY or _NO_TEXT.search(draft.body):
        yield _problem("M02", "body", path="body", longest=LONGEST_BODY)
    if draft.reply_to:
        try:
            addresses.check(draft.reply_to)
        except UsageError as error:
            yield _problem("M02", "reply", draft.reply_to, path="reply_to", reason=error)


def _said(mail: Mail) -> Iterator[Problem]:
    if not mail.subject.strip() or len(mail.subject) > LONGEST_SUBJECT or _NO_LINE.search(mail.subject):
        yield _problem("M02", "subject", mail.subject, path="subject", longest=LONGEST_SUBJECT)
    if not mail.body.strip() or len(mail.body) > LONGEST_BODY:
        yield _problem("M02", "body", path="body", longest=LONGEST_BODY)


def _password(one: Addressed, subject: str) -> Iterator[Problem]:
    if problem := password_problem(one.password, one.name, one.address, subject):
        yield problem


def password_problem(password: str, name: str, address: str, subject: str) -> Problem | None:
    """Return what is wrong with a secret that a recipient is to be asked for; None when it will do.

    Args:
        password: twelve signs or more, or a code of six digits, which five tries protect.
        name: of the recipient.
        address: of the recipient.
        subject: of the send.
    """
    reduced = folded(password)
    if reduced in {folded(text) for text in (subject, name, address) if text}:
        return _problem("M04", "same", path=address[:80])
    if _SIX_DIGITS.fullmatch(password):
        steps = {(int(right) - int(left)) % 10 for left, right in pairwise(password)}
        guessed = len(steps) == 1 or len(set(password)) < _FEWEST_DIGITS_APART
        return _problem("M04", "digits", path=address[:80]) if guessed else None
    try:
        passwords.check(password, name, address)
    except UsageError as error:
        return _problem("M04", "weak", path=address[:80], reason=error)
    return None


def _secrets(recipients: Sequence[MailRecipient], kind: Kind) -> Iterator[Problem]:
    if kind.level == 1:
        yield from (_problem("M04", "missing", one.address, path=one.address) for one in recipients if not one.password_hash)


def _delays(kind: Kind) -> Iterator[Problem]:
    if late := [day for day in kind.reminders if not 1 <= day < kind.withdraw_days]:
        yield _problem("M05", "reminders", ", ".join(map(str, late)), days=kind.withdraw_days)
    if kind.readable_days < kind.withdraw_days:
        yield _problem("M05", "readable", str(kind.readable_days), days=kind.withdraw_days)
    if kind.regime is Regime.CRPA and kind.withdraw_days < CRPA_DAYS:
        yield _problem("M05", "crpa", str(kind.withdraw_days), days=CRPA_DAYS)


def _level(kind: Kind) -> Iterator[Problem]:
    if kind.regime is Regime.CRPA and kind.level < CRPA_LEVEL:
        yield _problem("M06", "level", str(kind.level), least=CRPA_LEVEL)


def _crpa(mail: Mail, recipients: Sequence[MailRecipient], today: date) -> Iterator[Problem]:
    if not mail.sender.strip():
        yield _problem("M06", "sender", path="sender")
    for one in recipients:
        if one.consent is None:
            yield _problem("M06", "consent", one.address, path=one.address)
        elif one.consent > today:
            yield _problem("M06", "future", one.consent.isoformat(), path=one.address)


def _words(mail: Mail) -> Iterator[Problem]:
    for path, text in (("subject", mail.subject), ("sender", mail.sender)):
        if found := _CONFUSING.search(normalize("NFC", text)):
            yield _problem("M07", "word", found[0], path=path)
    if found := _CLAIMS.search(normalize("NFC", mail.body)):
        yield _problem("M07", "body", found[0], path="body").as_warning()


def _variables(mail: Mail) -> Iterator[Problem]:
    for path, text in (("subject", mail.subject), ("body", mail.body), ("sender", mail.sender)):
        if found := sorted(set(_VARIABLE.findall(text))):
            yield _problem("M08", "left", ", ".join(found), path=path)
