"""Examining one message or one envelope by itself: its octets, the schema, its content, its name where it bears one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from lxml import etree

from core.problems import Problem, Report, Severity
from schemas.actes.classification import Classification
from schemas.actes.codes import ENVELOPE, MESSAGE, NAMESPACE, Direction
from schemas.actes.contents import content_problems
from schemas.actes.facts import facts_of
from schemas.actes.latin import Flaw, transliterate, untransmittable
from schemas.actes.messages import Envelope, EnveloppeCLMISILL, Message
from schemas.actes.names import EnvelopeName, UnreadableName
from schemas.actes.naming import attachment_problems, message_name, name_problems
from schemas.actes.reader import LARGEST, MOST_TAGS, Read, TooLarge, read
from schemas.actes.schema import MOST_FINDINGS
from schemas.actes.wording import problem
from schemas.xml import DoctypeRefused, Malformed

_RULES = {MESSAGE: "R12", ENVELOPE: "R07"}


def examine_message(
    path: Path, *, name: str | None = None, classification: Classification | None = None
) -> tuple[Message | None, Report]:
    """Examine one message: all rules that it alone can break, all problems at once.

    What the State sends is never refused for its form: there each flaw is a warning. The name counts only where it follows the
    norm: a message that was renamed is no worse for it, until it travels in an archive.

    Args:
        path: the file.
        name: what it is called, when ``path`` does not say.
        classification: the sender's, for typologies.

    Returns:
        The message, None when there is none to be read, and the report, whose kind is ``actes-message`` (``actes-envelope``
        when the file is an envelope).
    """
    found, report = _examine(path, MESSAGE)
    if found is None:
        return None, report
    if found.message is not None and found.direction is Direction.TO_STATE:
        told = {problem.rule for problem in report.problems}
        report.problems += of_content(found.message, found.tree, told)
        named = message_name(name or path.name)
        if named is not None:
            report.problems += name_problems(named, found.message, None, classification)
        report.problems += attachment_problems(found.message, named, classification)
    return found.message, report


def examine_envelope(path: Path, *, name: str | None = None) -> tuple[Envelope | Message | None, Report]:
    """Examine one envelope, of either direction, or an anomaly of one.

    Args:
        path: the file.
        name: what it is called, when ``path`` does not say.

    Returns:
        What was read, None when nothing could be, and the report, whose kind is ``actes-envelope``.
    """
    found, report = _examine(path, ENVELOPE)
    if found is None:
        return None, report
    if isinstance(found.envelope, EnveloppeCLMISILL):
        report.problems += r08_siren(found.envelope, envelope_name(name or path.name))
    return found.document, report


def open_document(path: Path, kind: str) -> tuple[Read | None, list[Problem]]:
    """Read a document; what forbids it is told as a problem of the rule of its kind."""
    rule = _RULES[kind]
    try:
        return read(path), []
    except DoctypeRefused as error:
        return None, [problem(rule, "doctype", line=error.line, found="<!DOCTYPE")]
    except Malformed as error:
        return None, [problem(rule, "malformed", line=error.line, found=error.reason)]
    except TooLarge as error:
        variant, most = ("large", LARGEST) if error.tags is None else ("tags", MOST_TAGS)
        return None, [problem(rule, variant, found=str(error.tags or error.size), expected=f"≤ {most}")]


def of_form(found: Read) -> list[Problem]:
    """Return what is wrong with the octets of a document and with its schema; warnings only when the State sent it."""
    if found.direction is Direction.FROM_STATE:
        return [flaw.as_warning() for flaw in [*_r34_octets(found), *found.departures]]
    octets = list(_r34_octets(found))
    characters = [] if octets else islice(_r34_characters(found.tree), MOST_FINDINGS)
    return [*octets, *characters, *found.departures]


def of_content(message: Message, tree: etree._ElementTree, told: set[str]) -> list[Problem]:
    """Return the problems of a message's content, with their lines, save of rules that the schema has told already."""
    # a level that the schema does not take seems left out
    known = told & {"R30", "R33"} | ({"R32"} if "R12" in told else set())
    problems = (flaw for flaw in content_problems(message) if flaw.rule not in known)
    return [_located(flaw, tree.getroot()) for flaw in problems]


def envelope_name(name: str) -> EnvelopeName | None:
    """Return the name of an envelope, None when it is none."""
    try:
        return EnvelopeName.parse(name)
    except UnreadableName:
        return None


def r08_siren(envelope: EnveloppeCLMISILL, name: EnvelopeName | None) -> Iterator[Problem]:
    """The SIREN of the envelope is the one in its name."""
    if name is not None and name.recipient is None and envelope.sender.siren != name.emitter:
        place = "/*/actes:Emetteur/actes:IDCL/@insee:SIREN"
        yield problem("R08", path=place, found=envelope.sender.siren, expected=name.emitter)


def _examine(path: Path, kind: str) -> tuple[Read | None, Report]:
    found, problems = open_document(path, kind)
    report = Report(kind=kind, problems=problems)
    if found is None:
        return None, report
    if found.document is None:
        report.problems.append(
            problem(_RULES[kind], "root", line=found.tree.getroot().sourceline, found=found.tree.getroot().tag)
        )
        return None, report
    report.kind = found.kind or kind
    report.problems += of_form(found)
    report.facts = facts_of(found.document)
    return found, report


def _r34_octets(found: Read) -> Iterator[Problem]:
    """The encoding that ACTES wants, declared and kept to."""
    octets = found.octets
    if octets.flaw is not None:
        severity = Severity.WARNING if octets.flaw is Flaw.CONTROL else Severity.ERROR
        yield problem("R34", octets.flaw.value, severity, line=octets.line, found=octets.found)
    elif octets.label is None and found.direction is Direction.TO_STATE:
        yield problem("R34", "undeclared", Severity.WARNING, line=1)


def _r34_characters(tree: etree._ElementTree) -> Iterator[Problem]:
    """No characters, written as references, that ISO-8859-1 has not."""
    for element in tree.iter(etree.Element):
        for text in (element.text or "", *element.attrib.values()):
            if not (characters := untransmittable(text)):
                continue
            shown = " ".join(f"{character} (U+{ord(character):04X})" for character in characters)
            lost = untransmittable(transliterate(text))
            severity = Severity.ERROR if lost else Severity.WARNING
            yield problem("R34", "character", severity, line=element.sourceline, path=tree.getpath(element), found=shown)


def _located(flaw: Problem, root: etree._Element) -> Problem:
    """Return a problem whose place is told by names alone (``/Acte/Objet``) with its line and its XPath."""
    if not (flaw.path or "").startswith("/"):
        return flaw
    names, _, attribute = (flaw.path or "").partition("/@")
    element = root
    for name in names.split("/")[2:]:
        below = element.find(f"{{{NAMESPACE}}}{name}")
        if below is None:
            break
        element = below
    path = root.getroottree().getpath(element)
    return replace(flaw, line=element.sourceline, path=f"{path}/@actes:{attribute}" if attribute else path)
