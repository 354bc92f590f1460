"""Checking a send before it leaves: the rules of what is said, then those of its documents, which are opened for it."""

from __future__ import annotations

import hashlib
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from connectors.mail.domains import is_public, takes_mail
from core import clock
from core.database import ScopedSession
from core.messages import Catalogue
from core.principal import PLATFORM
from core.problems import Problem, Severity, mebibytes, problem_in_words
from flows import antivirus
from flows.engine.models import Dossier
from flows.engine.work import Advance, KeptFile, Work
from flows.mail import events, rules, validating
from flows.mail.convening import rules as convocations
from flows.mail.events import EventKind
from flows.mail.keeping import DOCUMENT, mail_of, recipients_of
from flows.mail.kinds import Kind, Regime, kind_of
from flows.mail.models import Mail, MailRecipient
from flows.parapheur.settings import ParapheurRoute
from schemas.invoices.pieces import EXECUTABLE, sniffed
from signing.parapheur.folders import MOST_ANNEXES

_messages = Catalogue("flows.mail")
_HEAD = 2048
_PIECE = 1 << 20
_ZIP_ENCRYPTED = 0x1
_ENCRYPTED_PDF = b"/Encrypt"
# What a computer of today runs when somebody opens it.
_PROGRAMS = frozenset(
    {
        "app",
        "bat",
        "chm",
        "cmd",
        "com",
        "cpl",
        "dll",
        "exe",
        "gadget",
        "hta",
        "inf",
        "jar",
        "js",
        "jse",
        "lnk",
        "msc",
        "msi",
        "msp",
    }
    | {"pif", "ps1", "reg", "scr", "sct", "vb", "vbe", "vbs", "ws", "wsf", "wsh"}
)
_LONGEST_NAME = 255
_SILENCES = 3


def check(work: Work) -> Advance:
    """Hold a send against the rules and keep the terms that it is accepted under, and by whom it is to be approved.

    Raises:
        Unavailable, NeedsOperator: an antivirus does not answer, or did not look at a whole file.
        Misconfigured: the terms of the kind cannot be read.
    """
    documents = [kept for kept in work.files if kept.role == DOCUMENT]
    with work.platform.database.reading(PLATFORM) as session:
        mail = mail_of(session, work.dossier_id)
        recipients = recipients_of(session, work.dossier_id)
        kind = kind_of(session, work.platform.secrets, work.organisation_id, mail.kind)
        route = validating.route_of(session, work.platform.secrets, work.organisation_id, mail.kind)
        problems = rules.of_send(mail, recipients, kind, clock.in_paris(clock.now()).date())
        problems += convocations.problems(session, mail, recipients)
    if kind.regime is Regime.CRPA and not documents:
        problems.append(_problem("none"))
    problems += [*of_domains(recipients), *of_sizes(documents, _narrowed(kind, route)), *_of_contents(work, documents)]
    if any(problem.severity is Severity.ERROR for problem in problems):
        return Advance(
            "refused",
            journal={"rules": sorted({problem.rule for problem in problems})},
            apply=partial(_refuse, work.dossier_id, problems),
        )
    asked = {} if route is None else {validating.ROUTE: route.model_dump(mode="json")}
    return Advance(
        "to_validate" if asked else "accepted",
        facts={"warnings": [problem.as_json() for problem in problems], **asked},
        apply=partial(_accept, work.dossier_id, kind, documents),
    )


def _narrowed(kind: Kind, route: ParapheurRoute | None) -> Kind:
    """Return the limits of a kind; a folder of the parapheur takes no more documents than it can show."""
    return kind if route is None else kind.model_copy(update={"most_files": min(kind.most_files, MOST_ANNEXES)})


def of_domains(recipients: Sequence[MailRecipient]) -> Iterator[Problem]:
    """Yield the addresses of which the DNS says that no mail can go there (M01); where it does not answer, nothing is said.

    A DNS that keeps silent is not asked about every domain: the mail server will find out.
    """
    known: dict[str, bool | None] = {}
    silent = 0
    for recipient in recipients:
        domain = recipient.normal.rpartition("@")[2]
        if domain not in known and is_public(domain):
            known[domain] = takes_mail(domain) if silent < _SILENCES else None
            silent = 0 if known[domain] is not None else silent + 1
        if known.get(domain) is False:
            yield problem_in_words(
                _messages, "M01", "domain", found=domain, path=recipient.address[:80], places={"address": recipient.address}
            )


def of_sizes(documents: Sequence[KeptFile], kind: Kind) -> Iterator[Problem]:
    """Yield what is wrong with documents by their names and sizes."""
    if len(documents) > kind.most_files:
        yield _problem("many", str(len(documents)), most=kind.most_files)
    if (weight := sum(kept.size for kept in documents)) > kind.largest:
        yield _problem("heavy", mebibytes(weight), most=mebibytes(kind.largest))
    for kept in documents:
        if kept.size == 0:
            yield _problem("empty", path=kept.name)
        if kept.size > kind.largest_file:
            yield _problem("large", mebibytes(kept.size), path=kept.name, most=mebibytes(kind.largest_file))
        if len(kept.name) > _LONGEST_NAME or {"/", "\\"} & set(kept.name) or _hides(kept.name):
            yield _problem("name", kept.name, path=kept.name[:80])
        if kept.name.rpartition(".")[2].casefold() in _PROGRAMS:
            yield _problem("program", kept.name, path=kept.name)


def _hides(name: str) -> bool:
    """Tell whether a name holds signs that nobody sees; spaces that do not break are none: some systems write them."""
    return any(unicodedata.category(sign).startswith("C") for sign in name)


def _of_contents(work: Work, documents: Sequence[KeptFile]) -> Iterator[Problem]:
    """Yield what is wrong with documents by what they hold; each is brought and left again before the next."""
    for kept in {one.sha256: one for one in documents if one.size}.values():
        path = work.folder / kept.sha256
        work.platform.objects.fetch(kept.sha256, path)
        yield from antivirus.infected(work.platform, "M03", [(kept.name, path)])
        yield from of_content(kept.name, path)
        path.unlink()


def of_content(name: str, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a document by its octets: a program refuses the send, what nobody can look into warns."""
    with path.open("rb") as stream:
        kind = sniffed(stream.read(_HEAD))
    if kind in EXECUTABLE:
        yield _problem("program", kind, path=name)
    if _is_shut(path, kind):
        yield _problem("shut", path=name).as_warning()


def _is_shut(path: Path, kind: str) -> bool:
    """Tell whether a document is encrypted, as far as its outside shows it."""
    if kind == "application/zip":
        try:
            with zipfile.ZipFile(path) as archive:
                return any(entry.flag_bits & _ZIP_ENCRYPTED for entry in archive.infolist())
        except (zipfile.BadZipFile, OSError, ValueError):
            return False
    if kind != "application/pdf":
        return False
    overlap = b""
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            if _ENCRYPTED_PDF in overlap + piece:
                return True
            overlap = piece[-len(_ENCRYPTED_PDF) :]
    return False


def _problem(variant: str, found: str = "", *, path: str | None = None, **places: object) -> Problem:
    return problem_in_words(_messages, "M03", variant, found=found or None, path=path, places={"name": path or "", **places})


def _refuse(dossier_id: str, problems: Sequence[Problem], session: ScopedSession) -> None:
    mail = mail_of(session, dossier_id)
    dossier = session.get_one(Dossier, dossier_id)
    dossier.problems = [problem.as_json() for problem in problems]
    session.add(dossier)
    facts = {"rules": sorted({problem.rule for problem in problems if problem.severity is Severity.ERROR})}
    events.record(session, mail, EventKind.REFUSED_SEND, facts, actor=mail.author or "platform")
    mail.author = ""
    session.add(mail)
    session.flush()


def _accept(dossier_id: str, kind: Kind, documents: Sequence[KeptFile], session: ScopedSession) -> None:
    mail = mail_of(session, dossier_id)
    mail.terms = kind.model_dump(mode="json")
    session.add(mail)
    actor = mail.author or "platform"
    events.record(session, mail, EventKind.ACCEPTED, accepted_facts(mail, documents), actor=actor)
    for recipient in recipients_of(session, dossier_id):  # one by one: the proof of one shows no other
        events.record(session, recipient, EventKind.ACCEPTED, addressed_facts(recipient), actor=actor)
    session.flush()


def accepted_facts(mail: Mail, documents: Sequence[KeptFile]) -> dict[str, Any]:
    """Return what is accepted: under which terms, the digests of what is said, the documents."""
    return {
        "terms": mail.terms,
        "sender": mail.sender,
        "subject": mail.subject,
        "body_sha256": hashlib.sha256(mail.body.encode()).hexdigest(),
        "documents": [{"name": kept.name, "size": kept.size, "sha256": kept.sha256} for kept in documents],
    }


def addressed_facts(recipient: MailRecipient) -> dict[str, Any]:
    """Return whom a send was accepted for, as it was addressed then."""
    return {
        "place": recipient.place,
        "address": recipient.address,
        "name": recipient.name,
        "source": recipient.source,
        "consent": str(recipient.consent) if recipient.consent else None,
        "consent_reference": recipient.consent_reference,
    }
