"""What the API answers of the publication of an act."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field
from sqlmodel import Session

from api.acts.finding import Whole
from api.publications.finding import address
from flows.actes import publishing, publishing_later
from flows.actes.models import ActesPublication, ActesPublicationAsked
from flows.actes.settings import Author


class PublishedFileShape(BaseModel):
    """A file that anybody may read."""

    role: str
    name: str
    size: int = Field(description="In bytes.")
    sha256: str
    href: str = Field(description="Its public address.")


class PublicationShape(BaseModel):
    """The publication of an act."""

    state: Literal["asked", "online", "withdrawn"] = Field(description="Asked for at the deposit, not done yet; or what it is.")
    author: Author
    roles: list[str] = Field(description="Of the files, chosen or published.")
    trouble: str | None = Field(description="Why the last try to publish what was asked for failed.")
    id: str | None = Field(description="Null while it is asked for only, as all that follows.")
    published: datetime | None = Field(description="Since when it is online, to the second.")
    withdrawn: datetime | None
    withdrawn_reason: str | None = Field(description="Not told to the public.")
    page: str | None = Field(description="Its public address.")
    proof: str | None = Field(description="Address of the evidence; it answers 503 until the journal was timestamped.")
    files: list[PublishedFileShape] = Field(description="None once it is withdrawn.")

    @classmethod
    def of_act(cls, session: Session, found: Whole, root: str) -> Self | None:
        """Show the publication of an act; None where there is none.

        Args:
            session: sees the act.
            found: the act.
            root: address of the site, without a slash at its end.
        """
        dossier = found.seen.dossier
        if (asked := publishing_later.asked_of(session, dossier.id)) is not None:
            return cls._asked(asked)
        last = publishing.publication_of(session, dossier.id)
        return cls.of(last, root + address(found.seen.organisation.siren or "", last.id)) if last else None

    @classmethod
    def _asked(cls, asked: ActesPublicationAsked) -> Self:
        return cls(
            state="asked",
            author=publishing.author_of(asked),
            roles=asked.roles,
            trouble=asked.trouble,
            id=None,
            published=None,
            withdrawn=None,
            withdrawn_reason=None,
            page=None,
            proof=None,
            files=[],
        )

    @classmethod
    def of(cls, last: ActesPublication, page: str) -> Self:
        """Show a publication whose public page is at an address."""
        online = last.withdrawn is None
        files = [
            PublishedFileShape(**{**file, "href": f"{page}/documents/{rank}"}) for rank, file in enumerate(last.files, start=1)
        ]
        return cls(
            state="online" if online else "withdrawn",
            author=publishing.author_of(last),
            roles=[file["role"] for file in last.files],
            trouble=None,
            id=last.id,
            published=last.published,
            withdrawn=last.withdrawn,
            withdrawn_reason=last.withdrawn_reason,
            page=page,
            proof=f"{page}/preuve" if online else None,
            files=files if online else [],
        )
