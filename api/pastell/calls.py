"""A call: who asks, what is said in its address and in its body, which files came with it; and how it is answered."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from fastapi.responses import Response

from api.acts.form import Mixed, text_of, urlencoded
from api.pastell import words
from api.pastell.numbers import named_by, numbers_of
from api.s2low.door import Account
from api.uploads import whole
from api.v1.mail_asked import kept
from core import clock
from core.blobs import Readable
from core.errors import Forbidden, NotFound, TabellionError, UsageError
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine.work import KeptFile

CONTENT = "file_content"
_MOST_PARTS = 600
_LARGEST_FORM = 4 * 1024 * 1024
_RIGHTS = {Right.READ: "lecture", Right.DEPOSIT: "edition"}


class Refusal(TabellionError):
    """What is refused in a sentence of the interface.

    Attributes:
        status: of the answer, in HTTP.
    """

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(slots=True)
class Told:
    """What a call says: values by name, in their order, and files by the name of their field."""

    values: dict[str, list[str]] = field(default_factory=dict)
    files: list[tuple[str, KeptFile]] = field(default_factory=list)

    def add(self, name: str, value: str) -> None:
        """Note a value."""
        self.values.setdefault(name, []).append(value)


@dataclass
class Call:
    """A call; its body is read when it is first asked for, once whoever asks is known."""

    platform: Platform
    account: Account
    query: bytes
    read: Callable[[], tuple[Readable, str]] | None = None

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return self.account.principal

    @cached_property
    def told(self) -> Told:
        """What is said, the body after the address.

        Raises:
            Forbidden: there is a file, from somebody who may write nowhere.
            UsageError, TooLarge: it cannot be read.
        """
        told = Told()
        self._note(told, urlencoded(self.query))
        if self.read is not None:
            source, content_type = self.read()
            said = self._gathered(source, content_type)
            told = Told(told.values | said.values, said.files + told.files)
        return told

    def _gathered(self, source: Readable, content_type: str) -> Told:
        said = Told()
        if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
            self._note(said, urlencoded(whole(source, _LARGEST_FORM)))
            return said
        form, left = Mixed(source, content_type), _LARGEST_FORM
        for count, (name, file_name) in enumerate(form.parts(), 1):
            if count > _MOST_PARTS:
                raise UsageError(f"Ce formulaire a plus de {_MOST_PARTS} parties.")
            if file_name is not None or name == CONTENT:  # a content may also come as a plain field
                said.files.append((name, self._kept(form, file_name or "")))
            else:
                said.add(name, text := form.text(name, left))
                left = max(left - len(text), 0)
        return said

    def _note(self, told: Told, fields: list[tuple[str, bytes]]) -> None:
        for name, value in fields:
            if name == CONTENT:
                told.files.append((name, self._kept(io.BytesIO(value), "")))
            else:
                told.add(name, text_of(name, value))

    def _kept(self, source: Readable, name: str) -> KeptFile:
        if not any(self.principal.may(Right.DEPOSIT, one) for one in self.principal.organisations):
            raise Forbidden(words.NO_ACCESS)
        return kept(self.platform, source, name)

    def value(self, *names: str, default: str = "") -> str:
        """Return the last value of the first of these names that is given."""
        return next((self.told.values[name][-1] for name in names if self.told.values.get(name)), default)

    def number(self, name: str, default: int, most: int) -> int:
        """Return a whole number from 0 to ``most``.

        Raises:
            Refusal: it is none.
        """
        given = self.value(name).strip()
        if not given:
            return default
        if not (given.isascii() and given.isdigit() and len(given) <= len(str(2**31))):
            raise Refusal(words.NOT_A_NUMBER.format(name=name, found=given[:20]))
        return min(int(given), most)

    def entity(self, id_e: str, right: Right, sentence: str = words.NO_ENTITY) -> Organisation:
        """Return the organisation of a number, in which a right is held.

        Raises:
            NotFound: there is none, or it is nothing to whoever asks: the two are not told apart.
            Refusal: the right is not held there.
        """
        if not id_e.strip("0 "):
            raise Refusal(words.ENTITY_NEEDED)
        identifier = named_by(self.platform, id_e)
        if identifier not in self.principal.organisations:
            raise NotFound(sentence.format(id_e=id_e[:20]))
        if not self.principal.may(right, identifier):
            raise self.no_right(id_e, words.TYPE, right)
        with self.platform.database.reading(PLATFORM) as session:
            return session.get_one(Organisation, identifier)

    def no_right(self, id_e: object, kind: str, right: Right) -> Refusal:
        """Return what somebody is told who lacks a right."""
        identifier = self.principal.actor.partition(":")[2]
        number = numbers_of(self.platform, {identifier: self.account.organisation.id})[identifier]
        return Refusal(words.NO_RIGHT.format(id_e=id_e, right=f"{kind[:60]}:{_RIGHTS[right]}", id_u=number), 403)

    def may_edit(self, organisation: Organisation) -> bool:
        """Tell whether whoever asks may write documents of an organisation."""
        return self.principal.may(Right.DEPOSIT, organisation.id)

    def number_of(self, organisation: Organisation) -> int:
        """Return the number of an organisation."""
        return numbers_of(self.platform, {organisation.id: organisation.id})[organisation.id]


def moment(value: datetime) -> str:
    """Return a moment as the interface writes it, in local time."""
    return f"{clock.in_paris(value):%Y-%m-%d %H:%M:%S}"


def as_json(value: Any, status: int = 200, *, texts: bool = False) -> Response:
    """Return JSON in plain ASCII.

    Args:
        value: what is answered.
        status: of the answer.
        texts: every value is a text, as the old names have it.
    """
    shown = json.dumps(_texts(value), separators=(",", ":")) if texts else json.dumps(value, indent=4)
    return Response(shown, status_code=status, media_type="application/json; charset=utf-8")


def refusal(sentence: object, status: int = 400, *, texts: bool = False) -> Response:
    """Return a refusal in the form of the interface."""
    return as_json({"status": "error", "error-message": str(sentence)}, status, texts=texts)


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _texts(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_texts(one) for one in value]
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)
