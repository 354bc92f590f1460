"""Identifiers that cannot be built wrong: SIREN and SIRET (INSEE), and our own time-ordered ones."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from ulid import ULID

from core.errors import UsageError
from core.messages import Catalogue

_messages = Catalogue("core")
_LA_POSTE = "356000000"


def new_id() -> str:
    """Return a new identifier of 26 characters; later ones sort after earlier ones."""
    return str(ULID())


def id_of(at: datetime, content: bytes) -> str:
    """Return the identifier of a content, the same at every try; it sorts among those of a moment."""
    return str(ULID(ULID.from_datetime(at).bytes[:6] + hashlib.sha256(content).digest()[:10]))


def luhn_holds(digits: str) -> bool:
    """Tell whether the last digit is the Luhn key of those before it (ISO/IEC 7812-1, annex B)."""
    total = 0
    for rank, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if rank % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


class _Identifier(str):
    """A string of digits with its key; building a wrong one raises."""

    __slots__ = ()
    length: int
    kind: str

    def __new__(cls, value: str) -> Self:
        """Build from digits, spaces between them allowed.

        Raises:
            UsageError: not the right number of digits, or a wrong key.
        """
        digits = re.sub(r"[\s\u00a0\u202f]", "", value)
        if not (digits.isascii() and digits.isdigit() and len(digits) == cls.length):
            raise UsageError(_messages("identifier.length", found=value[:40], kind=cls.kind, length=cls.length))
        if not cls.key_holds(digits):
            raise UsageError(_messages("identifier.key", found=digits, kind=cls.kind))
        return super().__new__(cls, digits)

    @classmethod
    def key_holds(cls, digits: str) -> bool:
        """Tell whether the control key of these digits is right."""
        return luhn_holds(digits)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic validate and document the identifier."""

        def build(value: str) -> _Identifier:
            try:
                return cls(value)
            except UsageError as error:
                raise ValueError(str(error)) from error

        return core_schema.no_info_after_validator_function(build, core_schema.str_schema(max_length=40))


class Siren(_Identifier):
    """A legal unit: nine digits, the last one a Luhn key (INSEE, répertoire Sirene)."""

    __slots__ = ()
    length = 9
    kind = "SIREN"


class Siret(_Identifier):
    """An establishment: the SIREN and five digits, Luhn over the fourteen.

    La Poste (SIREN 356000000) numbers most of its establishments so that the sum of the digits is a multiple of five.
    """

    __slots__ = ()
    length = 14
    kind = "SIRET"

    @classmethod
    def key_holds(cls, digits: str) -> bool:
        """Tell whether the key holds, with La Poste's exception."""
        return luhn_holds(digits) or (digits.startswith(_LA_POSTE) and sum(map(int, digits)) % 5 == 0)

    @property
    def siren(self) -> Siren:
        """The legal unit of the establishment."""
        return Siren(self[:9])
