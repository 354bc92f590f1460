"""The rules that the content of one message to the State can break, whatever its file is called and whatever travels with it.

R20, R24, R25, R26, R30, R33, R35, the half of R23 that looks at names, of R31 that looks at the calendar, and of R32 that needs
no classification. The writer applies them before anything is written, ``rules.py`` to what others wrote. Places are told as
``/Acte/Objet``; who has the document finds the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from core.problems import Problem
from schemas.actes.codes import BUDGET_MATIERE, BUDGET_NATURE, Direction
from schemas.actes.latin import transliterate
from schemas.actes.messages import Acte, Message
from schemas.actes.names import EXTENSIONS, number_holds
from schemas.actes.wording import problem, warning

LONGEST_SUBJECT = 499
"""Characters of an object: the schema has 500, software of the field and the ministry's own forms stop one before."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ANNEXES = "/Acte/Annexes"
_DOCUMENT = "/Acte/Document/NomFichier"


def content_problems(message: Message) -> Iterator[Problem]:
    """Yield the problems of a message to the State, in the order of the rules; of one from the State, none."""
    if message.code.direction is Direction.FROM_STATE:
        return
    if isinstance(message, Acte):
        yield from _r20_count(message)
    yield from _r23_extensions(message)
    if isinstance(message, Acte):
        yield from _r24_main_document(message)
        yield from _r25_annexes_of_xml(message)
        yield from _r26_budget(message)
        yield from _r30_number(message)
        yield from _r32_gap(message)
        yield from _r33_subject(message)
        yield from _r35_paper(message)


def future_problems(message: Message | None, today: date) -> Iterator[Problem]:
    """R31, as far as the message alone tells: what is not decided yet is not transmitted."""
    if isinstance(message, Acte) and message.decision_date is not None and message.decision_date > today:
        yield problem("R31", "future", path="/*/@actes:Date", found=message.decision_date.isoformat())


def extension(name: str) -> str:
    """Return what follows the last full stop of a name, in lower case; nothing when there is none."""
    stem, stop, last = name.rpartition(".")
    return last.lower() if stem and stop else ""


def _r20_count(act: Acte) -> Iterator[Problem]:
    """As many annexes as are announced."""
    if act.announced is not None and act.announced != len(act.annexes):
        expected = str(len(act.annexes))
        yield problem("R20", path=_ANNEXES, found=str(act.announced), expected=expected)


def _r23_extensions(message: Message) -> Iterator[Problem]:
    """Names that end in one of the four extensions."""
    for file in message.files:
        if file.name and extension(file.name) not in EXTENSIONS:
            yield problem("R23", "extension", path=file.name, found=file.name)


def _r24_main_document(act: Acte) -> Iterator[Problem]:
    """A PDF; XML for budgets alone: nature 5 and matière 7.1."""
    if act.document is None or not act.document.name:
        return
    kind = extension(act.document.name)
    if kind == "xml" and (act.nature != BUDGET_NATURE or act.matieres[:2] != BUDGET_MATIERE):
        yield problem("R24", "xml", path=_DOCUMENT, found=act.document.name, nature=act.nature or "?", matiere=act.matiere or "?")
    elif kind not in ("xml", "pdf"):
        yield problem("R24", path=_DOCUMENT, found=act.document.name)


def _r25_annexes_of_xml(act: Acte) -> Iterator[Problem]:
    """PDF annexes beside an act in XML."""
    if act.document is None or extension(act.document.name) != "xml":
        return
    for annex in act.annexes:
        if extension(annex.name) != "pdf":
            yield problem("R25", path=f"{_ANNEXES}/Annexe", found=annex.name)


def _r26_budget(act: Acte) -> Iterator[Problem]:
    """The deliberation beside a budget."""
    if act.nature == BUDGET_NATURE and not act.annexes:
        yield problem("R26", path=_ANNEXES)


def _r30_number(act: Acte) -> Iterator[Problem]:
    """A number that can stand in names."""
    if not number_holds(act.number):
        yield problem("R30", path="/Acte/@NumeroInterne", found=act.number)


def _r32_gap(act: Acte) -> Iterator[Problem]:
    """A matière of which no level is left out: a classification is a tree."""
    if None in act.matieres:
        level = act.matieres.index(None) + 1
        found = ".".join("?" if code is None else str(code) for code in act.matieres)
        yield problem("R32", "gap", path=f"/Acte/CodeMatiere{level}", found=found, level=level)


def _r33_subject(act: Acte) -> Iterator[Problem]:
    """An object of 1 to 499 characters on one line, as it travels: œ is two, … and € are three."""
    subject = act.subject.strip()
    if not subject:
        yield problem("R33", "empty", path="/Acte/Objet")
    elif (length := len(transliterate(subject))) > LONGEST_SUBJECT:
        variant = "long" if len(subject) > LONGEST_SUBJECT else "lengthened"
        yield problem("R33", variant, path="/Acte/Objet", found=subject, length=length)
    if character := _CONTROL.search(subject):
        yield problem("R33", "lines", path="/Acte/Objet", found=f"U+{ord(character.group()):04X}")


def _r35_paper(act: Acte) -> Iterator[Problem]:
    """``O`` or ``N``; without the element at all, the schema objects."""
    if act.paper is not None and act.paper not in ("O", "N"):
        yield warning("R35", path="/Acte/DocumentPapier", found=act.paper)
