"""Examining an archive for the State: its name, what comes out of it, and how its files answer for each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core.problems import Problem, Report
from schemas.actes.archive import DEFAULT_LIMITS, Limits, Unpacked, megabytes, unpack
from schemas.actes.attachments import signature_problem
from schemas.actes.classification import Classification
from schemas.actes.codes import ARCHIVE, ENVELOPE, MESSAGE, Direction
from schemas.actes.documents import envelope_name, of_content, of_form, open_document, r08_siren
from schemas.actes.facts import facts_of
from schemas.actes.messages import Collectivite, EnveloppeCLMISILL, Message
from schemas.actes.names import ArchiveName, AttachmentName, MessageBase, UnreadableName
from schemas.actes.naming import attachment_problems, message_name, name_problems
from schemas.actes.reader import Read
from schemas.actes.wording import problem, warning


@dataclass(frozen=True, slots=True)
class Operator:
    """Who transmits, and where to (rules R02 and R10).

    Attributes:
        trigramme: of the transmitting device.
        application: quadrigramme of the environment: ``EACT`` or ``TACT``.
        mailbox: where it reads what the State answers; None when that is not to be looked at.
    """

    trigramme: str
    application: str
    mailbox: str | None = None


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A document of an archive.

    Attributes:
        name: as the message writes it.
        path: where it was put.
        size: in bytes.
    """

    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class ArchivedMessage:
    """A message of an archive, its detached signature, and those of its documents that are there, the main one first."""

    name: str
    path: Path
    message: Message
    documents: tuple[ArchivedFile, ...]
    signature: str | None


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive holds.

    Attributes:
        name: None when it follows no norm.
        envelope: of the collectivité.
        envelope_path: where its file was put.
        messages: those that could be read, in the order of the envelope.
    """

    name: ArchiveName | None
    envelope: EnveloppeCLMISILL
    envelope_path: Path
    messages: tuple[ArchivedMessage, ...]


def examine_archive(
    path: Path,
    *,
    folder: Path,
    limits: Limits = DEFAULT_LIMITS,
    operator: Operator | None = None,
    sender: Collectivite | None = None,
    classification: Classification | None = None,
    name: str | None = None,
) -> tuple[Archive | None, Report]:
    """Examine an archive for the State: rules R01 to R26, R30, R33 to R35 and R40, all problems at once.

    Args:
        path: the archive.
        folder: an empty folder where its files are put; the caller disposes of it.
        limits: how large it may be.
        operator: for R02 and R10, which are silent without.
        sender: the authenticated collectivité, for R09, which is silent without.
        classification: the sender's, for R17 and R22; without, R22 is silent and R17 knows the six natures.
        name: what the archive is called, when ``path`` does not say.

    Returns:
        What it holds, None when no envelope could be read, and the report.
    """
    report = Report(kind=ARCHIVE)
    named = _archive_name(name or path.name, report)
    if operator is not None and named is not None:
        report.problems += _r02_operator(named, operator)
    unpacked = unpack(path, folder, limits)
    report.problems += unpacked.problems
    report.facts |= {"archive": name or path.name, "size": path.stat().st_size, "files": dict(unpacked.sizes)}
    if not unpacked.whole:
        return None, report
    envelope_file = _envelope_file(name or path.name, named, unpacked, report)
    if envelope_file is None:
        return None, report
    envelope = _envelope(envelope_file, unpacked.files[envelope_file], report)
    if envelope is None:
        return None, report
    report.problems += _of_envelope(envelope, operator, sender)
    examined = _Contents(unpacked, envelope, classification)
    messages = tuple(examined.messages())
    report.problems += examined.problems
    report.problems += _r19_unreferenced(unpacked, {envelope_file, *examined.referenced}, examined.unread)
    report.problems += _r05_documents(unpacked, {envelope_file, *(form.name for form in envelope.forms)}, limits)
    report.facts |= {"envelope": facts_of(envelope), "messages": [facts_of(found.message) for found in messages]}
    return Archive(named, envelope, unpacked.files[envelope_file], messages), report


def _archive_name(name: str, report: Report) -> ArchiveName | None:
    try:
        return ArchiveName.parse(name)
    except UnreadableName:
        report.problems.append(problem("R01", found=name))
        return None


def _r02_operator(name: ArchiveName, operator: Operator) -> Iterator[Problem]:
    """The operator's own trigramme, the environment's own quadrigramme."""
    if name.operator != operator.trigramme:
        yield problem("R02", "operator", found=name.operator, expected=operator.trigramme)
    if name.envelope.application != operator.application:
        yield problem("R02", "application", found=name.envelope.application, expected=operator.application)


def _envelope_file(written: str, name: ArchiveName | None, unpacked: Unpacked, report: Report) -> str | None:
    """Return the name of the envelope's file: the one that the archive's name asks for, else the only one that looks like one."""
    # as it is written: a counter may begin with noughts
    expected = None if name is None else written.removeprefix(f"{name.operator}-").removesuffix(".tar.gz") + ".xml"
    if expected is not None and expected in unpacked.files:
        return expected
    looking_so = [file for file in unpacked.files if file.lower().endswith(".xml") and envelope_name(file) is not None]
    if expected is not None or len(looking_so) != 1:
        found = ", ".join(looking_so or unpacked.files)
        report.problems.append(problem("R06", found=found, expected=expected))
    return looking_so[0] if len(looking_so) == 1 else None


def _envelope(file: str, path: Path, report: Report) -> EnveloppeCLMISILL | None:
    found, problems = open_document(path, ENVELOPE)
    if found is None:
        report.problems += _in_file(file, problems)
        return None
    if not isinstance(found.envelope, EnveloppeCLMISILL):
        report.problems += _in_file(file, [_other_root(found, "R07")])
        return None
    report.problems += _in_file(file, [*of_form(found), *r08_siren(found.envelope, envelope_name(file))])
    return found.envelope


def _of_envelope(envelope: EnveloppeCLMISILL, operator: Operator | None, sender: Collectivite | None) -> Iterator[Problem]:
    """R09: the envelope is the authenticated collectivité's; R10: the operator will get the answers."""
    if sender is not None:
        for part in ("siren", "nature", "department", "arrondissement"):
            found, expected = getattr(envelope.sender, part), getattr(sender, part)
            if found != expected:
                yield problem("R09", part, path="/*/actes:Emetteur/actes:IDCL", found=found, expected=expected)
    if operator is not None and operator.mailbox is not None:
        addresses = {address.casefold() for address in envelope.addresses}
        if operator.mailbox.casefold() not in addresses:
            found = ", ".join(envelope.addresses)
            yield warning("R10", path="/*/actes:AdressesRetour", found=found, expected=operator.mailbox)


class _Contents:
    """The messages of an archive, read one after the other.

    Attributes:
        problems: of messages and their documents.
        referenced: names of files that are a message or a document of one.
        unread: what the names of documents of unreadable messages begin with: nobody can tell whether they are referenced.
    """

    def __init__(self, unpacked: Unpacked, envelope: EnveloppeCLMISILL, classification: Classification | None) -> None:
        self._unpacked = unpacked
        self._envelope = envelope
        self._classification = classification
        self.problems: list[Problem] = []
        self.referenced: set[str] = set()
        self.unread: set[MessageBase] = set()

    def messages(self) -> Iterator[ArchivedMessage]:
        """Yield the messages that can be read."""
        for form in self._envelope.forms:
            if form.name in self.referenced:
                self.problems.append(problem("R11", "twice", path=form.name, found=form.name))
                continue
            self.referenced.add(form.name)
            if form.name not in self._unpacked.files:
                self.problems.append(problem("R11", path=form.name, found=form.name))
            elif (message := self._message(form.name, self._unpacked.files[form.name])) is not None:
                path, documents = self._unpacked.files[form.name], tuple(self._documents(message))
                yield ArchivedMessage(form.name, path, message, documents, form.signature)

    def _message(self, file: str, path: Path) -> Message | None:
        named = message_name(file)
        if named is None or named.n is None:
            self.problems.append(problem("R13", path=file, found=file))
        found, problems = open_document(path, MESSAGE)
        message = None if found is None else found.message
        if found is not None and (message is None or found.direction is not Direction.TO_STATE):
            problems.append(_other_root(found, "R12"))
            message = None
        if message is None or found is None:
            self.problems += _in_file(file, problems)
            self.unread |= set() if named is None else {named.base}
            return None
        problems += of_form(found)
        problems += of_content(message, found.tree, {problem.rule for problem in problems})
        if named is not None:
            problems += name_problems(named, message, self._envelope, self._classification)
        problems += attachment_problems(message, named, self._classification)
        self.problems += _in_file(file, problems)
        return message

    def _documents(self, message: Message) -> Iterator[ArchivedFile]:
        for file in dict.fromkeys(file.name for file in message.files):
            self.referenced.add(file)
            path = self._unpacked.files.get(file)
            if path is None:
                self.problems.append(problem("R18", path=file, found=file))
                continue
            if (flaw := signature_problem(path, file)) is not None:
                self.problems.append(flaw)
            yield ArchivedFile(file, path, self._unpacked.sizes[file])


def _other_root(found: Read, rule: str) -> Problem:
    """Say that a root element is not the one expected: none of ACTES, or one that a collectivité does not send there."""
    root = found.tree.getroot()
    if found.document is None:
        return problem(rule, "root", line=root.sourceline, found=root.tag)
    return problem(rule, "direction", line=root.sourceline, found=found.root)


def _r19_unreferenced(unpacked: Unpacked, referenced: set[str], unread: set[MessageBase]) -> Iterator[Problem]:
    """No file that nothing names."""
    for file in unpacked.files:
        if file not in referenced and _base(file) not in unread:
            yield problem("R19", path=file, found=file)


def _base(file: str) -> MessageBase | None:
    try:
        return AttachmentName.parse(file).base
    except UnreadableName:
        return None


def _r05_documents(unpacked: Unpacked, others: set[str], limits: Limits) -> Iterator[Problem]:
    """Act and annexes together within the limit."""
    total = sum(size for file, size in unpacked.sizes.items() if file not in others)
    if total > limits.documents:
        yield problem("R05", "documents", found=megabytes(total), limit=megabytes(limits.documents))


def _in_file(file: str, problems: Iterable[Problem]) -> list[Problem]:
    """Return problems whose places inside a document say which document it is."""
    return [
        replace(told, path=file if told.path is None else f"{file}:{told.path}")
        if told.path is None or told.path.startswith("/")
        else told
        for told in problems
    ]
