"""Documents while they are written: created, their fields and files changed one call after the other, none lost to another."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from api.pastell import words
from api.pastell.calls import CONTENT, Call, Refusal
from api.pastell.finding import Document, document_of
from api.pastell.models import PastellDocument
from api.pastell.standing import EDITABLE
from core import clock, passwords
from core.database import ScopedSession
from core.errors import UsageError
from core.organisations import Organisation
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile
from flows.mail import intake, rules
from flows.mail.book import written
from flows.mail.intake import Addressed, Draft
from flows.mail.keeping import DOCUMENT
from flows.mail.kinds import SECURED
from flows.mail.models import Mail, MailRecipient, Place
from schemas.mail import addresses

_TRIES = 5
_ONE = re.compile(r'(?:[^,;\r\n"<]|"[^"]*"|<[^>]*>)+')
_MOST_FILES = 500
_SECRETS = frozenset({"password", "password2"})
_STILL_EDITED = words.NOT_NOW.format(action="modification", rule=words.LAST_STATE)


@dataclass(frozen=True, slots=True)
class Edited:
    """What a document becomes, and the number of each of its files."""

    draft: Draft
    numbers: tuple[int, ...]


Edit = Callable[[Document], Edited]


class _Overtaken(Exception):
    """Another call changed the document since it was read."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What a call says of the password of a document.

    Attributes:
        given: it says one; ``hash`` is empty when it takes the former away.
        confirmed: it was said twice alike; None when this call says nothing of it.
    """

    given: bool = False
    hash: str = ""
    confirmed: bool | None = None


def create(call: Call, entity: Organisation) -> Document:
    """Make an empty document."""

    def note(session: ScopedSession, mail: Mail, _recipients: list[MailRecipient]) -> None:
        session.add(PastellDocument(dossier_id=mail.dossier_id, organisation_id=mail.organisation_id))

    draft = Draft(entity.id, SECURED.name, "", answers=False)
    return document_of(call, entity, intake.compose(call.platform, call.principal, draft, also=note).dossier.id)


def modify(call: Call, entity: Organisation, id_d: str) -> Document:
    """Change the fields of a document that a call gives; files that the old names send with them join it.

    Raises:
        NotFound: there is none.
        Refusal: it is no draft, or a text stands for a file.
        UsageError: an address that is none, a password that is too weak.
    """
    told = {name.removesuffix("[]").casefold(): values[-1] for name, values in call.told.values.items()}
    files = [kept for name, kept in call.told.files if name.partition("[")[0] == words.FILES]
    if words.FILES in told:
        raise Refusal(words.NOT_TEXT.format(field=words.FILES))
    document = document_of(call, entity, id_d)
    require_editable(document)
    secret = _secret(told, document)

    def edit(known: Document) -> Edited:
        there = _files(known)
        return _edited(known, told, there | dict(enumerate(files, max(there, default=-1) + 1)))

    return revise(call, document, edit, secret)


def attach(call: Call, entity: Organisation, id_d: str, number: int, name: str) -> Document:
    """Give a document the file of a call under a number, in the place of what has it; those before it may come later.

    Raises:
        NotFound, Refusal: see ``modify``; Refusal also without a file.
    """
    document = document_of(call, entity, id_d)
    require_editable(document, words.NOT_EDITABLE, 400)
    kept = next((one for field, one in call.told.files if field in {CONTENT, words.FILES}), None)
    if kept is None:
        raise Refusal(words.NO_CONTENT)
    shown = "".join(letter for letter in name.replace("\\", "/").rpartition("/")[2] if letter.isprintable())[-255:]
    media_type = (shown and mimetypes.guess_type(shown)[0]) or kept.media_type
    named = KeptFile(DOCUMENT, shown or kept.name, media_type, kept.sha256, kept.size)

    def edit(known: Document) -> Edited:
        return _edited(known, {}, _files(known) | {number: named})

    return revise(call, document, edit)


def detach(call: Call, entity: Organisation, id_d: str, number: int) -> Document:
    """Take a file away; the numbers after it are one less.

    Raises:
        NotFound, Refusal: see ``modify``.
    """
    document = document_of(call, entity, id_d)
    require_editable(document)
    if number not in document.numbered:
        raise Refusal(words.NO_FILE, 404)

    def edit(known: Document) -> Edited:
        return _edited(known, {}, {one - (one > number): kept for one, kept in _files(known).items() if one != number})

    return revise(call, document, edit)


def require_editable(document: Document, sentence: str = _STILL_EDITED, status: int = 403) -> None:
    """Go on only with a draft.

    Raises:
        Refusal: it is none.
    """
    if document.state not in EDITABLE:
        raise Refusal(sentence.format(state=document.state), status)


def revise(call: Call, document: Document, edit: Edit, secret: Secret | None = None) -> Document:
    """Change a document; what another call changed in between is read again first, so that neither is lost.

    Raises:
        Refusal: others change it again and again.
    """
    for _ in range(_TRIES):
        seen, edited = document, edit(document)
        note = partial(_note, seen=seen, numbers=edited.numbers, secret=secret or Secret())
        try:
            intake.change(call.platform, call.principal, seen.dossier.id, edited.draft, also=note)
        except _Overtaken:
            document = document_of(call, seen.entity, seen.dossier.id)
            require_editable(document)
        else:
            return document_of(call, seen.entity, seen.dossier.id)
    raise Refusal(words.BUSY)


def _note(
    session: ScopedSession,
    mail: Mail,
    recipients: list[MailRecipient],
    *,
    seen: Document,
    numbers: Sequence[int],
    secret: Secret,
) -> None:
    """Note that a document was modified, under which numbers its files are known, and ask its one password of every recipient."""
    row = session.get(PastellDocument, mail.dossier_id, with_for_update=True, populate_existing=True)
    if (row.modified if row else None) != (seen.row.modified if seen.row else None):
        raise _Overtaken
    row = row or PastellDocument(dossier_id=mail.dossier_id, organisation_id=mail.organisation_id)
    row.modified, row.numbers = clock.now(), list(numbers)
    if secret.given:
        row.password_hash = secret.hash
    if secret.confirmed is not None:
        row.confirmed = secret.confirmed
    session.add(row)
    if secret.given or row.password_hash:
        for one in recipients:
            one.password_hash = row.password_hash
            session.add(one)


def _secret(told: dict[str, str], document: Document) -> Secret:
    """Return what a call says of the password; the words that stand for one when it is read say nothing.

    Raises:
        Unsendable: it is too weak.
    """
    told = {name: value for name, value in told.items() if name not in _SECRETS or value != words.MASKED}
    row = document.row
    known = row.password_hash if row else ""
    if "password" not in told:
        again = told.get("password2")
        return Secret(confirmed=passwords.matches(known, again) if known and again is not None else None)
    password = told["password"]
    if not password:
        return Secret(given=True, confirmed=True)
    if problem := rules.password_problem(password, "", "", told.get("objet", document.mail.subject)):
        raise rules.Unsendable([problem])
    return Secret(True, passwords.hashed(password), told.get("password2") == password)


def _edited(document: Document, told: dict[str, str], files: Mapping[int, KeptFile]) -> Edited:
    """Return a document with other fields and files, these in the order of their numbers.

    Raises:
        Refusal: it has too many files.
    """
    if len(files) > _MOST_FILES:
        raise Refusal(words.TOO_MANY.format(most=_MOST_FILES))
    mail, numbers = document.mail, sorted(files)
    draft = Draft(
        mail.organisation_id,
        mail.kind,
        told.get("objet", mail.subject),
        told.get("message", mail.body),
        mail.sender,
        mail.reply_to,
        mail.answers,
        _recipients(document, told),
        tuple(files[number] for number in numbers),
    )
    return Edited(draft, tuple(numbers))


def _recipients(document: Document, told: dict[str, str]) -> list[Addressed]:
    """Return the recipients, each once: where an address stands twice, its first place counts."""
    found: dict[str, Addressed] = {}
    for place in Place:
        kept = [_again(one) for one in document.recipients if one.place == place]
        for one in _named(told[place.value], place) if place.value in told else kept:
            found.setdefault(_compared(one.address), one)
    return list(found.values())


def _named(text: str, place: Place) -> list[Addressed]:
    """Return the recipients that a field names, separated by commas, semicolons or line ends."""
    found = (written.named(one[0]) for one in _ONE.finditer(text) if one[0].strip())
    return [Addressed(address, name, place) for name, address in found]


def _again(one: MailRecipient) -> Addressed:
    kept = {"consent": one.consent, "consent_reference": one.consent_reference}
    return Addressed(one.address, one.name, Place(one.place), one.source, **kept)  # type: ignore[arg-type]


def _compared(address: str) -> str:
    try:
        return addresses.normal(address)
    except UsageError:
        return address


def _files(document: Document) -> dict[int, KeptFile]:
    return {number: _kept(file) for number, file in document.numbered.items()}


def _kept(file: DossierFile) -> KeptFile:
    return KeptFile(DOCUMENT, file.name, file.media_type, file.sha256, file.size)
