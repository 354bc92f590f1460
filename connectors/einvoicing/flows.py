"""What a *plateforme agréée* takes and answers, typed: flows, and what became of them (XP Z12-013, flow service).

Codes that are only read are kept as they came, known or not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from connectors.einvoicing.errors import FlowUnsendable
from core.messages import Catalogue

_messages = Catalogue("connectors.einvoicing")
LONGEST_TRACKING, LONGEST_NAME = 64, 255
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Syntax(StrEnum):
    """What a flow is written in."""

    CII = "CII"
    UBL = "UBL"
    FACTUR_X = "Factur-X"
    CDAR = "CDAR"
    """A life-cycle message."""
    FRR = "FRR"
    """A report to the tax administration."""


class Profile(StrEnum):
    """How much an invoice says."""

    BASIC = "Basic"
    CIUS = "CIUS"
    EXTENDED = "Extended-CTC-FR"


class Rule(StrEnum):
    """By which rules a flow is dealt with: from whom to whom."""

    B2B = "B2B"
    B2B_ABROAD = "B2BInt"
    B2C = "B2C"
    B2G = "B2G"
    B2G_ABROAD = "B2GInt"
    OUT_OF_SCOPE = "OutOfScope"
    B2G_OUT_OF_SCOPE = "B2GOutOfScope"
    ARCHIVE = "ArchiveOnly"
    NONE = "NotApplicable"


class Direction(StrEnum):
    """Which way a flow goes, seen from the platform's customer."""

    IN = "In"
    OUT = "Out"


class Form(StrEnum):
    """In what form a flow is fetched."""

    ORIGINAL = "Original"
    CONVERTED = "Converted"
    READABLE = "ReadableView"


class Fate(StrEnum):
    """What the platform made of a flow."""

    PENDING = "Pending"
    TAKEN = "Ok"
    REFUSED = "Error"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A flow to submit.

    Attributes:
        path: the file.
        sha256: of it, in hexadecimal: the platform holds what it received against it.
        name: that the platform sees.
        tracking: ours, by which it is found again when an answer was lost.
        profile: of an invoice; None for what is none.

    Raises:
        FlowUnsendable: on building, when no platform would take it.
    """

    path: Path
    sha256: str
    name: str
    syntax: Syntax
    rule: Rule
    tracking: str
    profile: Profile | None = None

    def __post_init__(self) -> None:
        """Refuse now what no platform would take."""
        for key, text, longest in (("tracking", self.tracking, LONGEST_TRACKING), ("name", self.name, LONGEST_NAME)):
            if not 0 < len(text) <= longest:
                raise FlowUnsendable(_messages(f"unsendable.{key}", found=len(text), most=longest))
        if not _SHA256.fullmatch(self.sha256):
            raise FlowUnsendable(_messages("unsendable.sha256"))
        if self.profile is not None and self.syntax in {Syntax.CDAR, Syntax.FRR}:
            raise FlowUnsendable(_messages("unsendable.profile", syntax=self.syntax))


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a platform says of a flow.

    Attributes:
        level: Error or Warning.
        item: what it is about.
        code: why, coded (``reasonCode``); ``text`` in the platform's words.
    """

    level: str
    item: str
    code: str
    text: str

    @property
    def words(self) -> str:
        """The remark in words for a person."""
        key = f"reason.{self.code}"
        told = [_messages(key) if key in _messages else self.code, self.text]
        return _messages("remark", item=self.item or "-", told=" — ".join(one for one in told if one) or "-")


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow that a platform knows.

    Attributes:
        id: of the platform; ``tracking`` ours, empty where it is not of ours.
        kind: ``flowType``: CustomerInvoice, SupplierInvoice, SupplierInvoiceLC…
        submitted, updated: when it came, and last moved.
        fate: what the platform made of it; ``remarks`` why.
    """

    id: str
    tracking: str
    name: str
    kind: str
    direction: Direction
    syntax: str
    rule: str
    submitted: datetime | None
    updated: datetime | None
    fate: Fate
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """Which flows are looked for; what is empty is not a condition.

    Attributes:
        after: moved strictly later: flows moved at one moment may be on two pages.
        before: moved earlier.
        kinds: values of ``flowType``.
    """

    after: datetime
    before: datetime | None = None
    kinds: tuple[str, ...] = ()
    directions: tuple[Direction, ...] = ()
    rules: tuple[Rule, ...] = ()
    tracking: str = ""
    fate: Fate | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was brought: its SHA-256 and its size in octets."""

    path: Path
    sha256: str
    size: int
