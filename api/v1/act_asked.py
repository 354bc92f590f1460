"""What the API is told of acts and of answers to letters, as models, and how a body is read into them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from api.uploads import Body, whole
from api.v1.bodies import unfit, validated
from flows.actes.intake import AUTHOR_FIELDS, author_told, matieres_of
from flows.actes.publishing_later import PublicationAsked
from flows.actes.settings import Author
from schemas.actes.codes import MessageCode

_Asked = TypeVar("_Asked", bound=BaseModel)
_LONGEST_JSON = 512 * 1024
_LONGEST_SUBJECT = 500
_MOST_FILES = 1000
_UPLOAD = "^[0-9A-Z]{26}$"
_TYPE = "^[A-Z0-9_]{5}$"
_MATIERE = r"^[0-9]{1,2}(\.[0-9]{1,2}){0,4}$"


def _day(value: object) -> date:
    if not isinstance(value, str):
        raise ValueError("a day is a text")  # noqa: TRY004 - what pydantic takes for a value that does not fit
    return date.fromisoformat(value)


def _absent(value: object) -> object:
    return None if value == "" else value


_Day = Annotated[date, BeforeValidator(_day)]
_Optional = BeforeValidator(_absent)
_FirstName = Annotated[str, Field(max_length=100, description="First name of the author, as the public page is to say it.")]
_LastName = Annotated[str, Field(max_length=100, description="Last name of the author.")]
_Capacity = Annotated[str, Field(max_length=200, description="Capacity of the author: « Maire ».")]


class ActAsked(BaseModel):
    """What is said of an act to be transmitted."""

    model_config = ConfigDict(extra="forbid")

    organisation: Annotated[str | None, _Optional] = Field(
        None, max_length=26, description="SIREN, SIRET or identifier; that of the token when absent."
    )
    number: str = Field(min_length=1, max_length=40, description="The collectivité’s own: 1 to 15 of A-Z, 0-9 and _.")
    decision_date: _Day = Field(description="YYYY-MM-DD.")
    nature: int = Field(ge=1, le=6, description="1 DE, 2 AR, 3 AI, 4 CC, 5 BF, 6 AU.")
    matiere: str = Field(pattern=_MATIERE, description="Codes of the matière, level by level: 7.10.2.")
    subject: str = Field(min_length=1, max_length=_LONGEST_SUBJECT, description="In plain words.")
    paper: bool = Field(False, description="A paper copy follows.")
    previous: Annotated[str | None, _Optional] = Field(
        None, max_length=60, description="Identifier of the act that this one replaces."
    )
    sign: bool = Field(True, description="Have it signed here first, where the organisation has a circuit for acts.")
    publish: bool = Field(False, description="Make its main document public as soon as the State has received it.")
    author_first_name: _FirstName = ""
    author_last_name: _LastName = ""
    author_capacity: _Capacity = ""

    @property
    def publication(self) -> PublicationAsked | None:
        """What is to be made public; None when nothing is. Nobody named means the author that the organisation configured.

        Raises:
            UsageError: the name of the author holds what cannot be shown.
        """
        return PublicationAsked(author_told(self.model_dump(include=set(AUTHOR_FIELDS)))) if self.publish else None

    @property
    def matieres(self) -> tuple[int, ...]:
        """The codes of the matière."""
        return matieres_of(self.matiere)


class UploadedFile(BaseModel):
    """A file that came by a resumable upload."""

    model_config = ConfigDict(extra="forbid")

    upload: str = Field(pattern=_UPLOAD, description="Identifier of a finished upload.")
    type: str | None = Field(None, pattern=_TYPE, description="Typology code; that of the nature when absent.")


class UploadedPiece(UploadedFile):
    """A file of an act that came by a resumable upload, and the detached signature over it."""

    signature: str | None = Field(None, pattern=_UPLOAD, description="Identifier of the upload of a detached signature (PKCS#7).")


class ActOfUploads(ActAsked):
    """An act whose files came by resumable uploads."""

    document: UploadedPiece = Field(description="The act: PDF; XML for a budget.")
    annexes: list[UploadedPiece] = Field(default_factory=list, max_length=_MOST_FILES, description="In their order.")


class PublishingAsked(BaseModel):
    """The publication of an act that the State has received; nobody named means the author that the organisation uses."""

    model_config = ConfigDict(extra="forbid")

    author_first_name: _FirstName = ""
    author_last_name: _LastName = ""
    author_capacity: _Capacity = ""
    roles: list[str] = Field(
        default_factory=lambda: ["document"], max_length=_MOST_FILES, description="Of the files: document, annex.1 … PDF only."
    )

    @property
    def author(self) -> Author | None:
        """Whom it names; None for nobody.

        Raises:
            UsageError: a name holds what cannot be shown.
        """
        return author_told(self.model_dump(include=set(AUTHOR_FIELDS)))


class ReplyAsked(BaseModel):
    """An answer to a letter of the préfecture."""

    model_config = ConfigDict(extra="forbid")

    letter: str = Field(pattern=_UPLOAD, description="Identifier of the message that is answered.")
    code: MessageCode = Field(description="2-2, 3-3, 3-4, 4-3 or 4-4: see `answers` of the message.")


class ReplyOfUploads(ReplyAsked):
    """An answer whose documents came by resumable uploads."""

    documents: list[UploadedFile] = Field(min_length=1, max_length=_MOST_FILES, description="One; several for 3-4.")


def read_json(body: Body, model: type[_Asked]) -> _Asked:
    """Return what a JSON body says.

    Raises:
        TooLarge: it is no body that names files, but one that holds them.
        RequestValidationError: values that do not fit, all of them.
    """
    return validated(whole(body, _LONGEST_JSON), model)


def read_fields(values: dict[str, str], model: type[_Asked]) -> _Asked:
    """Return what the fields of a form say.

    Raises:
        RequestValidationError: values that do not fit, all of them.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise unfit(error) from error
