"""The form of an act: what was typed, with everything that is wrong beside its field, before anything leaves.

The rules are those of the format (``schemas.actes``) and those that the check will apply; here they speak of fields.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends
from starlette.datastructures import FormData
from starlette.requests import Request

from api.web.acts.known import Known
from api.web.acts.number import number_standing
from api.web.acts.pieces import MOST, Attached, total
from api.web.acts.preceding import preceding
from api.words import size
from core import clock
from core.errors import UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.problems import Problem, Severity
from flows import antivirus
from flows.actes.act import JoinedFile
from flows.actes.checking import R38
from flows.actes.composing import EXTENSIONS
from flows.actes.intake import AUTHOR_FIELDS, author_told, matieres_of, media_type_of
from flows.actes.publishing import INDIVIDUAL, refuse_unnamed
from flows.actes.settings import Author
from schemas.actes.attachments import signature_problem
from schemas.actes.classification import DEEPEST
from schemas.actes.codes import MessageCode
from schemas.actes.contents import content_problems
from schemas.actes.latin import transliterate, untransmittable
from schemas.actes.messages import Acte, SignedFile
from schemas.pdf.rules import problems_of

_t = Catalogue("api.web.acts")
_MOST_FILES, _MOST_FIELDS = 100, 500
_LEAST_LEVELS, _HIGHEST = 2, 99
_OF_FIELDS = {"R30", "R33"}
_PDF = "application/pdf"


async def _filled(request: Request) -> Any:
    async with request.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS) as form:
        yield form


Filled = Annotated[FormData, Depends(_filled)]


def values_of(form: FormData) -> dict[str, str]:
    """Return the fields of a form without its files."""
    return {name: value.strip() for name, value in form.items() if isinstance(value, str) and "\x00" not in value}


@dataclass(slots=True)
class Typed:
    """An act as it was typed.

    Attributes:
        number: in capitals, without spaces around it.
        matieres: empty when none is chosen.
        said: how the matière was written, when it is none that can be chosen.
        previous: the act that this one replaces, as it was written; ``precedes`` its identifier, once it was judged.
        publish: make it public as soon as the préfecture has it; ``author`` whom its page names, by field.
        problems: what is wrong, by anchor of the field, in the order of the page.
    """

    number: str = ""
    decided: str = ""
    decision_date: date | None = None
    nature: int | None = None
    subject: str = ""
    matieres: tuple[int, ...] = ()
    said: str = ""
    previous: str = ""
    precedes: str = ""
    paper: bool = False
    sign: bool = True
    publish: bool = False
    author: Mapping[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def published(self) -> bool:
        """It is to be published, and may be: the choice is not shown for individual acts, and does not count for them."""
        return self.publish and self.nature != INDIVIDUAL

    @property
    def matiere(self) -> str:
        """The code of the matière."""
        return ".".join(map(str, self.matieres))

    def wrong(self, anchor: str, words: str) -> None:
        """Note what is wrong with a field, beside what is already."""
        self.problems[anchor] = f"{self.problems[anchor]} {words}" if anchor in self.problems else words


def read(values: Mapping[str, str], known: Known) -> Typed:
    """Read what was typed, without judging it."""
    typed = Typed(
        number=values.get("number", "").upper(),
        decided=values.get("decision_date", ""),
        subject=values.get("subject", ""),
        previous=values.get("previous", ""),
        paper=bool(values.get("paper")),
        sign=bool(values.get("sign")),
        publish=bool(values.get("publish")),
        author={name: values[name] for name in AUTHOR_FIELDS if name in values},
    )
    typed.decision_date = _day(typed.decided)
    code = values.get("nature", "")
    typed.nature = int(code) if code in {code for code, _ in known.natures} else None
    typed.matieres, typed.said = _matiere(values, known)
    return typed


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _matiere(values: Mapping[str, str], known: Known) -> tuple[tuple[int, ...], str]:
    """Return the matière that was chosen, else the one whose code was written, else what was written."""
    chosen, said = values.get("matiere", ""), values.get("matiere_said", "")
    for told in (chosen, said.partition(" ")[0]):
        try:
            codes = matieres_of(told)
        except ValueError:
            continue
        if known.classification is None or known.classification.find(codes) is not None:
            return codes, said
    return (), said or chosen


def judge(platform: Platform, known: Known, typed: Typed, pieces: Sequence[Attached]) -> None:
    """Note everything that is wrong with an act, field by field in the order of the page."""
    standing = number_standing(platform, known, typed.number, typed.decision_date, typed.nature)
    if standing.wrong:
        typed.wrong("number", standing.words)
    if typed.decision_date is None:
        typed.wrong("decision_date", _t("wrong.date" if typed.decided else "wrong.date.none"))
    elif typed.decision_date > clock.in_paris(clock.now()).date():
        typed.wrong("decision_date", _t("wrong.date.future"))
    if typed.nature is None:
        typed.wrong("nature", _t("wrong.nature"))
    subject = " ".join(typed.subject.split())
    names = [_as_it_leaves(one.name) for one in pieces if not one.of]
    found = list(content_problems(_message(typed, subject, names)))
    for problem in found:
        if problem.rule == "R33":
            typed.wrong("subject", _said(problem))
    if lost := untransmittable(transliterate(subject)):
        typed.wrong("subject", _t("wrong.characters", found=" ".join(lost)))
    _judge_matiere(known, typed)
    before = preceding(platform, known, typed.previous)
    typed.precedes = before.identifier
    if before.wrong:
        typed.wrong("previous", before.words)
    _judge_pieces(typed, pieces, [problem for problem in found if problem.rule not in _OF_FIELDS])
    _judge_author(typed)


def _message(typed: Typed, subject: str, names: Sequence[str]) -> Acte:
    """Return the act as a message of the names its files were given, for the rules on its content."""
    files = [SignedFile(name) for name in names]
    return Acte(
        typed.decision_date,
        typed.number,
        typed.nature,
        typed.matieres,
        subject,
        None,
        files[0] if files else None,
        tuple(files[1:]),
        "O" if typed.paper else "N",
        None,
        max(0, len(files) - 1),
    )


def _as_it_leaves(name: str) -> str:
    """Return a name with the extension that the file will leave under: ``photo.jpeg`` leaves as a JPG."""
    extension = EXTENSIONS.get(media_type_of(name))
    return f"{name.rpartition('.')[0]}.{extension}" if extension else name


def _judge_matiere(known: Known, typed: Typed) -> None:
    if not typed.matieres:
        typed.wrong("matiere", _t("wrong.matiere", found=typed.said) if typed.said else _t("wrong.matiere.none"))
    elif len(typed.matieres) < _LEAST_LEVELS:
        typed.wrong("matiere", _t("wrong.matiere.short"))
    elif not _can_be(typed.matieres) or (known.classification is not None and known.classification.find(typed.matieres) is None):
        typed.wrong("matiere", _t("wrong.matiere", found=typed.matiere))


def _can_be(matieres: Sequence[int]) -> bool:
    """Tell whether a matière can be one of any classification: what is held against where none is known."""
    return len(matieres) <= DEEPEST and all(0 < code <= _HIGHEST for code in matieres)


def _judge_pieces(typed: Typed, pieces: Sequence[Attached], found: Sequence[Problem]) -> None:
    if not any(not one.of for one in pieces):
        typed.wrong("document", _t("wrong.pieces.none"))
        return
    if total(pieces) > MOST:
        typed.wrong("document", _t("wrong.pieces.large", total=size(total(pieces)), most=size(MOST)))
    by_name = {_as_it_leaves(one.name): one.anchor for one in reversed(pieces)}
    for problem in found:
        anchor = by_name.get(problem.found or "", "document")
        told_already = problem.rule == "R24" and anchor in typed.problems  # of no format at all, thus no PDF either
        if problem.severity is Severity.ERROR and not told_already:
            typed.wrong(anchor, _said(problem))


def _judge_author(typed: Typed) -> None:
    if not typed.published:
        return
    try:
        refuse_unnamed(author_told(typed.author) or Author())
    except UsageError as error:
        typed.wrong("author_first_name", str(error))


def judge_reply(typed: Typed, code: MessageCode | None, pieces: Sequence[Attached]) -> None:
    """Note everything that is wrong with the answer to a letter."""
    if code is None:
        typed.wrong("code", _t("wrong.code"))
    if not pieces:
        typed.wrong("document", _t("wrong.reply.none"))
    elif len(pieces) > 1 and code not in {None, MessageCode.PIECE_COMPLEMENTAIRE}:
        typed.wrong("document", _t("wrong.reply.many"))
    if total(pieces) > MOST:
        typed.wrong("document", _t("wrong.pieces.large", total=size(total(pieces)), most=size(MOST)))
    for one in pieces:
        if media_type_of(one.name) not in EXTENSIONS:
            typed.wrong(one.anchor, _t("wrong.reply.format", name=one.name))


class Unfit(Exception):
    """A file is not fit to be sent: the way out of ``uploads.using``, which gives the uploads back."""


def require_fit(
    platform: Platform, typed: Typed, pieces: Sequence[Attached], files: Sequence[JoinedFile], *, opens: bool = True
) -> None:
    """Go on only if files are what their names say; what is wrong is noted beside each.

    Args:
        platform: where the files are.
        typed: what notes it.
        pieces: the files as the form shows them.
        files: the same, as an act holds them, without detached signatures.
        opens: whether every PDF must open too: half a second each, which the check of the act spends in any case.

    Raises:
        Unfit: one is not.
    """
    anchors = [one.anchor for one in pieces if not one.of]
    for anchor, file in zip(anchors, files, strict=True):
        for problem in _of_content(platform, file, opens=opens):
            typed.wrong(anchor, _said(problem))
    if typed.problems:
        raise Unfit


def _of_content(platform: Platform, file: JoinedFile, *, opens: bool) -> Iterator[Problem]:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "document"
        platform.objects.fetch(file.sha256, path)
        if infected := antivirus.infected(platform, R38, [(file.name, path)]):
            yield from infected
        elif (flaw := signature_problem(path, _as_it_leaves(file.name))) is not None:
            yield flaw
        elif opens and file.media_type == _PDF:
            yield from (one for one in problems_of(path, file.name) if one.severity is Severity.ERROR)


def _said(problem: Problem) -> str:
    return f"{problem.message} {problem.mend or ''}".strip()
