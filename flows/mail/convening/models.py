"""What a convocation knows beyond its mail: the assembly, the meeting, each member's answer."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, Text
from sqlmodel import Field

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id


class Assembly(Owned, table=True):
    """A council or a commission that is convened.

    Attributes:
        rule: name of its ``delays.Rule``: which law sets the delay; ``days`` that delay, where the rule leaves it to statutes.
        place: where it usually meets.
        proxies: members may give a proxy; ``remote`` may attend from afar; ``note`` a *note de synthèse* goes with it.
        reminder: hours before the meeting at which those who did not answer are reminded; 0 for never.
        closed: since when it meets no more.
    """

    __tablename__ = "assembly"
    __table_args__ = (Index("assembly_once", "organisation_id", "name", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    name: str = Field(max_length=120)
    rule: str = Field(max_length=40)
    days: int = Field(sa_column=Column(Integer, nullable=False))
    place: str = Field(default="", max_length=300)
    proxies: bool = Field(default=True, sa_column=Column(Boolean, nullable=False))
    remote: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    note: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    reminder: int = Field(default=48, sa_column=Column(Integer, nullable=False))
    closed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class AssemblyMember(Owned, table=True):
    """A member of an assembly, or the *suppléant* of one.

    Attributes:
        rank: *ordre du tableau*.
        title: *maire*, *2e adjointe*…
        alternate_of: the member whom this one replaces; convened with them.
        paper: asked to be convened in writing (CGCT, article L. 2121-10); ``paper_since`` the day of that choice.
        until: the last day of the mandate; None while it lasts.
    """

    __tablename__ = "assembly_member"
    __table_args__ = (Index("assembly_member_once", "assembly_id", "normal", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    assembly_id: str = Field(foreign_key="assembly.id", max_length=26)
    rank: int = Field(sa_column=Column(Integer, nullable=False))
    name: str = Field(max_length=200)
    title: str = Field(default="", max_length=120)
    address: str = Field(max_length=254)
    normal: str = Field(max_length=254)
    alternate_of: str | None = Field(default=None, foreign_key="assembly_member.id", max_length=26)
    paper: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    paper_since: date | None = None
    until: date | None = None


class Meeting(Owned, table=True):
    """A meeting that a mail convenes.

    Attributes:
        starts: when it begins.
        agenda: the questions, a line each; frozen once sent.
        urgency: why the delay is shortened; empty when it is not.
        second: after a meeting without quorum (L. 2121-17); ``renewal`` the first after a general renewal (L. 2121-7).
        last_day: the last day, in Paris, on which the convocation may leave.
        paper: members who are convened in writing: identifiers.
        sheet: who was there, as the chair kept it, under the names of that day, and the quorum; None before: see ``sheet``.
        held: when the sheet was closed.
    """

    __table_args__ = (Index("meeting_starts", "organisation_id", "starts"),)

    dossier_id: str = Field(foreign_key="dossier.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    assembly_id: str = Field(foreign_key="assembly.id", max_length=26)
    starts: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    place: str = Field(default="", max_length=300)
    agenda: str = Field(default="", sa_column=Column(Text, nullable=False))
    urgency: str = Field(default="", max_length=1000)
    second: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    renewal: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    last_day: date | None = None
    paper: list[str] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    sheet: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonValue))
    held: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Presence(StrEnum):
    """What a member answers."""

    UNKNOWN = "unknown"
    PRESENT = "present"
    REMOTE = "remote"
    ABSENT = "absent"
    PROXY = "proxy"


class Convened(Owned, table=True):
    """A recipient of a convocation as a member of the assembly.

    Attributes:
        member_id: None for a guest, who neither gives nor receives a proxy and does not count for the quorum.
        presence: one of ``Presence``; ``proxy_to`` the recipient who votes for them.
        answered: when the present answer was given.
    """

    recipient_id: str = Field(foreign_key="mail_recipient.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26, index=True)
    member_id: str | None = Field(default=None, foreign_key="assembly_member.id", max_length=26)
    presence: str = Field(default=Presence.UNKNOWN.value, max_length=10)
    proxy_to: str | None = Field(default=None, foreign_key="mail_recipient.id", max_length=26)
    answered: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class MeetingQuestion(Owned, table=True):
    """A question put to the members before the meeting, answered by yes, no or neither."""

    __tablename__ = "meeting_question"
    __table_args__ = (Index("meeting_question_of_dossier", "dossier_id", "rank"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26)
    rank: int = Field(sa_column=Column(Integer, nullable=False))
    text: str = Field(max_length=500)


class QuestionAnswer(Owned, table=True):
    """A member's answer to a question: ``yes``, ``no``, ``abstention``."""

    __tablename__ = "meeting_answer"

    question_id: str = Field(foreign_key="meeting_question.id", primary_key=True, max_length=26)
    recipient_id: str = Field(foreign_key="mail_recipient.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    answer: str = Field(max_length=10)
    at: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
