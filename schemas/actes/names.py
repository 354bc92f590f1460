"""Names of ACTES: the identifier of an act, and how messages, attachments, envelopes and archives are called.

Each name has ``parse``, lenient as one must be with what the State sends (empty fields, any counter, no typology), ``build``,
strict as one must be with what is sent to it, and ``str``. The plain constructor checks nothing: it serves those two.

Fields are positional, joined by hyphens; an empty field stays as an empty string, hence the runs of hyphens. Source: norme
d'échange, as shown by names in the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Self

from schemas.actes.codes import Direction, MessageCode
from schemas.actes.envelope_names import MAX_ENVELOPES_A_DAY, AnomalyName, ArchiveName, EnvelopeName
from schemas.actes.name_parts import (
    ABBREVIATION,
    DEPARTMENT,
    NUMBER,
    SIREN,
    TYPE,
    UnreadableName,
    UnwritableName,
    counts,
    day_of,
    digits_of,
    fits,
)
from schemas.actes.wording import messages

__all__ = [
    "EXTENSIONS",
    "MAX_ENVELOPES_A_DAY",
    "AnomalyName",
    "ArchiveName",
    "AttachmentName",
    "EnvelopeName",
    "IdActe",
    "MessageBase",
    "MessageName",
    "UnreadableName",
    "UnwritableName",
    "number_holds",
]

EXTENSIONS = ("pdf", "jpg", "png", "xml")
"""Extensions of attachments that the norm takes, in lower case."""

_CODES = frozenset(code.value for code in MessageCode)
# A number may hold hyphens in the wider official pattern: the fields around it are fixed, so it can still be told.
_BASE = (
    r"(?P<department>[^-]{1,3})-(?P<siren>[0-9]{1,9})-(?P<day>[0-9]{8})?-(?P<number>.{0,40})-(?P<nature>[A-Z]{2})?"
    r"-(?P<code>[1-7]-[1-5])"
)
_BASE_ALONE = re.compile(_BASE)
_MESSAGE = re.compile(_BASE + r"(?:_(?P<n>[0-9]{1,9}))?\.xml", re.IGNORECASE)
_ATTACHMENT = re.compile(
    rf"(?:(?P<type>[A-Z0-9_]{{5}})-)?{_BASE}_(?P<n>[0-9]{{1,9}})\.(?P<extension>[a-z0-9]{{1,8}})", re.IGNORECASE
)
_ID_ACTE = re.compile(
    r"(?P<department>[0|9][0-9][A|B0-9])-(?P<siren>[0-9]{9})-(?P<day>[0-9]{8})-(?P<number>[a-zA-Z0-9_]{1,15})-(?P<nature>[A-Z]{2})"
)


def number_holds(number: str) -> bool:
    """Tell whether an internal number can be sent (rule R30): 1 to 15 of A-Z, 0-9 and ``_``, none of those at the ends."""
    return NUMBER.fullmatch(number) is not None


def type_holds(code: str) -> bool:
    """Tell whether a text can be a typology code: five of A-Z, 0-9 and ``_``."""
    return TYPE.fullmatch(code) is not None


@dataclass(frozen=True, slots=True)
class IdActe:
    """The unique identifier of an act: ``006-210600235-20180522-684-AI``.

    Attributes:
        department: three characters (``006``, ``02A``, ``971``).
        siren: nine digits; the norm does not look at their key.
        day: of the decision.
        number: the collectivité's own.
        nature: two letters.
    """

    department: str
    siren: str
    day: date
    number: str
    nature: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an identifier.

        Raises:
            UnreadableName: it is none.
        """
        match = _ID_ACTE.fullmatch(text.strip())
        day = day_of(match["day"]) if match else None
        if match is None or day is None:
            raise UnreadableName(messages("name.unreadable.id_acte", found=text[:100]))
        return cls(match["department"], match["siren"], day, match["number"], match["nature"])

    @classmethod
    def build(cls, *, department: str, siren: str, day: date, number: str, nature: str) -> Self:
        """Build an identifier that may be sent.

        Raises:
            UnwritableName: a part does not fit.
        """
        fits("department", department, DEPARTMENT)
        fits("siren", siren, SIREN)
        fits("number", number, NUMBER)
        fits("nature", nature, ABBREVIATION)
        return cls(department, siren, day, number, nature)

    def __str__(self) -> str:
        """Return the identifier as it is written."""
        return f"{self.department}-{self.siren}-{digits_of(self.day)}-{self.number}-{self.nature}"


@dataclass(frozen=True, slots=True)
class MessageBase:
    """What a message and its attachments have in common in their names: ``040-254002264-20240315-2024_012-DE-1-1``.

    Attributes:
        day, number, nature: of the act; None where the field is empty, as in messages about the classification.
    """

    department: str
    siren: str
    day: date | None
    number: str | None
    nature: str | None
    code: MessageCode

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a base, with neither counter nor extension.

        Raises:
            UnreadableName: it is none.
        """
        match = _BASE_ALONE.fullmatch(text)
        base = _base(match) if match else None
        if base is None:
            raise UnreadableName(messages("name.unreadable.message", found=text[:100]))
        return cls(base.department, base.siren, base.day, base.number, base.nature, base.code)

    @classmethod
    def of_act(cls, act: IdActe, code: MessageCode) -> Self:
        """Build the base of a message about an act.

        Raises:
            UnwritableName: that message is about no act.
        """
        if not code.about_an_act:
            raise UnwritableName(messages("name.unwritable.code", found=code.value))
        return cls(act.department, act.siren, act.day, act.number, act.nature, code)

    @classmethod
    def of_classification(cls, department: str, siren: str, code: MessageCode) -> Self:
        """Build the base of a message about the classification (7-1 to 7-3), whose fields on the act are empty.

        Raises:
            UnwritableName: a part does not fit, or that message is about an act.
        """
        fits("department", department, DEPARTMENT)
        fits("siren", siren, SIREN)
        if code.about_an_act or code is MessageCode.ANOMALIE_ENVELOPPE:
            raise UnwritableName(messages("name.unwritable.code", found=code.value))
        return cls(department, siren, None, None, None, code)

    @property
    def act(self) -> IdActe | None:
        """The identifier of the act that the name tells; None when a field is empty."""
        if self.day is None or self.number is None or self.nature is None:
            return None
        return IdActe(self.department, self.siren, self.day, self.number, self.nature)

    def __str__(self) -> str:
        """Return the base as it is written."""
        day = digits_of(self.day) if self.day else ""
        return f"{self.department}-{self.siren}-{day}-{self.number or ''}-{self.nature or ''}-{self.code.value}"


@dataclass(frozen=True, slots=True)
class MessageName:
    """The file of a message: ``040-254002264-20240315-2024_012-DE-1-1_0.xml``.

    Attributes:
        n: counter: 0 for what a collectivité sends, anything for what the State sends; None when the name has none.
    """

    base: MessageBase
    n: int | None = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name; upper-case extensions exist.

        Raises:
            UnreadableName: it is none.
        """
        match = _MESSAGE.fullmatch(text)
        base = _base(match) if match else None
        if match is None or base is None:
            raise UnreadableName(messages("name.unreadable.message", found=text[:100]))
        return cls(base, None if match["n"] is None else int(match["n"]))

    @classmethod
    def build(cls, base: MessageBase, n: int = 0) -> Self:
        """Build the name of a message.

        Raises:
            UnwritableName: a negative counter.
        """
        counts(n, 0)
        return cls(base, n)

    def __str__(self) -> str:
        """Return the name as it is written."""
        return f"{self.base}.xml" if self.n is None else f"{self.base}_{self.n}.xml"


@dataclass(frozen=True, slots=True)
class AttachmentName:
    """A file that a message names: ``99_DE-040-254002264-20240315-2024_012-DE-1-1_1.pdf``.

    Attributes:
        type: typology code, five characters; None before typologies existed.
        extension: lower case.
    """

    type: str | None
    base: MessageBase
    n: int
    extension: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name, with or without typology.

        Raises:
            UnreadableName: it is none.
        """
        match = _ATTACHMENT.fullmatch(text)
        base = _base(match) if match else None
        if match is None or base is None:
            raise UnreadableName(messages("name.unreadable.attachment", found=text[:100]))
        return cls(match["type"], base, int(match["n"]), match["extension"].lower())

    @classmethod
    def build(cls, *, type: str | None, base: MessageBase, n: int, extension: str) -> Self:  # noqa: A002
        """Build the name of an attachment.

        Args:
            type: typology code; None only for what the State sends, which has none.
            base: of the message that names the file.
            n: from 1, distinct within the message.
            extension: ``pdf``, ``jpg``, ``png`` or ``xml``.

        Raises:
            UnwritableName: a part does not fit.
        """
        if type is not None:
            fits("type", type, TYPE)
        elif base.code.direction is Direction.TO_STATE:
            raise UnwritableName(messages("name.unwritable.type", found=""))
        counts(n, 1)
        if extension not in EXTENSIONS:
            raise UnwritableName(messages("name.unwritable.extension", found=extension[:20], expected=", ".join(EXTENSIONS)))
        return cls(type, base, n, extension)

    def __str__(self) -> str:
        """Return the name as it is written."""
        return f"{f'{self.type}-' if self.type else ''}{self.base}_{self.n}.{self.extension}"


def _base(match: re.Match[str]) -> MessageBase | None:
    """Return the base that a match holds; None when its day or its code does not exist."""
    day = day_of(match["day"]) if match["day"] else None
    if (match["day"] and day is None) or match["code"] not in _CODES:
        return None
    return MessageBase(
        department=match["department"],
        siren=match["siren"],
        day=day,
        number=match["number"] or None,
        nature=match["nature"] or None,
        code=MessageCode(match["code"]),
    )
