"""What the API is told of tracked mails, as models, and how a body is read into them: a form with its files, or JSON."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from pathlib import PurePath
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from api.acts.form import Mixed
from api.uploads import whole
from api.v1.bodies import JSON, kind_of, validated
from api.words import messages
from core import uploads
from core.blobs import Readable, TooLarge
from core.errors import NotFound, Refused, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile
from flows.mail.intake import Addressed
from flows.mail.keeping import DOCUMENT
from flows.mail.kinds import NOTIFICATION, SECURED
from flows.mail.models import Place
from flows.mail.rules import Unsendable

FILES = "document"
LARGEST = SECURED.largest
"""Bytes of the files of a form together."""

LARGEST_JSON = 1 << 20
"""Bytes of what is said: a thousand recipients and a long message."""

_t = Catalogue("api.v1")
_Asked = TypeVar("_Asked", bound=BaseModel)
_CONFIG = ConfigDict(extra="forbid")
_IDENTIFIER = "^[0-9A-Z]{26}$"
_MOST_PASSWORDS = 50
_MOST_PARTS = 600
_LONGEST_NAME = 255


class MailKind(StrEnum):
    """Kinds of send that are written here; convocations have their own pages."""

    SECURED = SECURED.name
    NOTIFICATION = NOTIFICATION.name


def _day(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("a day is a text")  # noqa: TRY004 - what pydantic takes for a value that does not fit
    return date.fromisoformat(value)


class RecipientAsked(BaseModel):
    """Somebody to whom a mail is addressed; an address stands once."""

    model_config = _CONFIG

    address: str = Field(description="E-mail address.")
    name: str = Field("", description="As their notice greets them.")
    place: Place = Field(Place.TO, description="to, cc or bcc; nobody is shown a bcc.")
    password: str = Field(
        "", max_length=200, description="Asked of them before they read; 12 signs or more, or six digits. Never sent nor shown."
    )
    consent: Annotated[date | None, BeforeValidator(_day)] = Field(
        None, description="YYYY-MM-DD: when they agreed to be notified so (CRPA, article L. 112-15)."
    )
    consent_reference: str = Field("", max_length=200, description="Where that is kept.")


class DocumentNamed(BaseModel):
    """A document that is here already: a finished upload, or, to change a draft, a file of it."""

    model_config = _CONFIG

    upload: str | None = Field(None, pattern=_IDENTIFIER, description="Identifier of a finished upload.")
    file: str | None = Field(None, pattern=_IDENTIFIER, description="Identifier of a file that the draft has.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.upload is None) == (self.file is None):
            raise ValueError("either an upload or a file")
        return self


class MailAsked(BaseModel):
    """A tracked mail, the whole of it: what is left out is empty."""

    model_config = _CONFIG

    kind: MailKind = Field(
        MailKind.SECURED, description="secured; notification: under articles R. 112-17 and following of the CRPA."
    )
    subject: str = Field("", description="1 to 200 characters; recipients read it once they have withdrawn the mail.")
    body: str = Field("", description="Plain text, 50 000 characters at most.")
    sender: str = Field("", description="The service, as recipients read it; the organisation when empty.")
    reply_to: str = Field("", description="Where their own answers by e-mail go; nowhere when empty.")
    answers: bool | None = Field(None, description="They may answer on its page, with files; as the kind says when absent.")
    recipients: list[RecipientAsked] = Field(default_factory=list, description="In their order.")
    groups: Annotated[list[Annotated[str, Field(pattern=_IDENTIFIER)]], Field(max_length=100)] = Field(
        default_factory=list, description="Groups of the address book, whose members of now become recipients, after the others."
    )
    documents: list[DocumentNamed] = Field(
        default_factory=list, max_length=500, description="In their order; files of the form come after them."
    )
    send: bool = Field(False, description="Send it at once: nothing is kept when a rule refuses it. False keeps a draft.")

    @model_validator(mode="after")
    def _few_passwords(self) -> Self:
        if len({one.password for one in self.recipients if one.password}) > _MOST_PASSWORDS:
            raise ValueError(f"at most {_MOST_PASSWORDS} different passwords at once; others by PUT …/password")
        return self

    @property
    def addressed(self) -> list[Addressed]:
        """The recipients, those of groups aside."""
        return [Addressed(**one.model_dump()) for one in self.recipients]


class NewMail(MailAsked):
    """A tracked mail that is written for an organisation."""

    organisation: str | None = Field(
        None, max_length=26, description="SIREN, SIRET or identifier; that of the token when absent."
    )


class AdditionAsked(BaseModel):
    """A document that is added to a mail that has left."""

    model_config = _CONFIG

    upload: str | None = Field(None, pattern=_IDENTIFIER, description="Identifier of a finished upload; absent with a form.")
    tell: bool = Field(True, description="Write to whoever can still open the mail.")


def read(
    platform: Platform, body: Readable, content_type: str, model: type[_Asked], said: str
) -> tuple[_Asked, tuple[KeptFile, ...]]:
    """Return what a body says, and the files that came with it, kept already.

    Args:
        platform: its parts.
        body: as it comes.
        content_type: JSON, or a form whose part ``said`` is JSON and whose parts ``document`` are files, in any order.
        model: what is said.
        said: name of that part.

    Raises:
        UnknownBody, UnreadableInput: neither, or not a whole one.
        UsageError: an unknown or doubled part, an empty file.
        TooLarge: what is said, a file, or the files together.
        RequestValidationError: values that do not fit, all of them.
    """
    if kind_of(content_type) == JSON:
        return validated(whole(body, LARGEST_JSON), model), ()
    form = _Files(body, content_type)
    told: bytes | None = None
    files: list[KeptFile] = []
    for count, (name, file_name) in enumerate(form.parts(), 1):
        if count > _MOST_PARTS:
            raise UsageError(_t("mail.parts", most=_MOST_PARTS))
        if name == FILES and file_name is not None:
            files.append(kept(platform, form, file_name))
        elif name != said:
            raise UsageError(messages("form.unknown", name=name[:60], allowed=f"{FILES}, {said}"))
        elif told is not None:
            raise UsageError(messages("form.doubled", name=name))
        else:
            told = whole(form, LARGEST_JSON)
    return validated(told or b"{}", model), tuple(files)


class _Files(Mixed):
    """A form whose parts are measured in all."""

    _measured = 0

    def read(self, size: int = -1, /) -> bytes:
        piece = super().read(size)
        self._measured += len(piece)
        if self._measured > LARGEST + LARGEST_JSON:
            raise TooLarge(LARGEST)
        return piece


def kept(platform: Platform, source: Readable, file_name: str) -> KeptFile:
    """Keep a file as it comes, as a document of a mail.

    Raises:
        UsageError: it is empty.
        TooLarge: it is above the platform's limit.
    """
    blob = platform.objects.put(source, platform.settings.upload_limit)
    shown = "".join(letter for letter in PurePath(file_name.replace("\\", "/")).name if letter.isprintable())[-_LONGEST_NAME:]
    if not blob.size:
        raise UsageError(messages("upload.empty"))
    return _file(shown or "document", blob.sha256, blob.size)


def _file(name: str, sha256: str, size: int) -> KeptFile:
    return KeptFile(DOCUMENT, name, mimetypes.guess_type(name)[0] or "application/octet-stream", sha256, size)


@contextmanager
def documents_of(
    platform: Platform,
    caller: Principal,
    owner: str,
    named: Sequence[DocumentNamed],
    there: Mapping[str, DossierFile] | None = None,
    *,
    repeated: bool = False,
) -> Iterator[tuple[KeptFile, ...]]:
    """Give the documents that are named, for the block; when it raises, uploads among them can be used again.

    Args:
        platform: its parts.
        caller: whose uploads they are.
        owner: the organisation that they were sent for.
        named: in their order.
        there: the files of the draft, by identifier.
        repeated: they were used by the first of two identical calls, and are not taken again.

    Raises:
        NotFound: one is not there.
        Conflict: an upload is not finished, or was used already.
    """
    wanted = [one.upload for one in named if one.upload is not None]
    if not wanted or repeated:
        found = {one: uploads.standing(platform, caller, one) for one in wanted}
        yield tuple(_document(one, found, there or {}) for one in named)
        return
    with uploads.using(platform, caller, owner, wanted) as used:
        yield tuple(_document(one, {upload.id: upload for upload in used}, there or {}) for one in named)


def _document(one: DocumentNamed, found: Mapping[str, uploads.Upload], there: Mapping[str, DossierFile]) -> KeptFile:
    if one.upload is not None:
        upload = found[one.upload]
        return _file(upload.name, upload.sha256 or "", upload.size)
    file = there.get(one.file or "")
    if file is None:
        raise NotFound(_t("mail.file", file=one.file))
    return KeptFile(DOCUMENT, file.name, file.media_type, file.sha256, file.size)


@contextmanager
def rules_told() -> Iterator[None]:
    """Have the rules that a mail breaks told one by one, as problems.

    Raises:
        Refused: it breaks some.
    """
    try:
        yield
    except Unsendable as error:
        raise Refused(error.problems) from error
