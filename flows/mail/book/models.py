"""Contacts, groups and templates of messages; those of an organisation serve the ones below it too."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Column, Index, Text
from sqlmodel import Field

from core import clock
from core.database import Owned, UtcDateTime
from core.identifiers import new_id


class Contact(Owned, table=True):
    """Somebody of the address book.

    Attributes:
        normal: the address as it is compared: once in an organisation.
        sought: name and address as they are searched: small letters, without accents.
        note: a description, for clerks.
        bounced: since when its mails do not arrive any more; None once it was confirmed or mended.
    """

    __tablename__ = "mail_contact"
    __table_args__ = (
        Index("mail_contact_once", "organisation_id", "normal", unique=True),
        Index("mail_contact_sought", "organisation_id", "sought", "id"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    name: str = Field(max_length=200)
    address: str = Field(max_length=254)
    normal: str = Field(max_length=254)
    sought: str = Field(max_length=500)
    note: str = Field(default="", max_length=500)
    bounced: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class ContactGroup(Owned, table=True):
    """A named group of contacts.

    Attributes:
        shared: organisations below may send to it.
    """

    __tablename__ = "mail_group"
    __table_args__ = (Index("mail_group_once", "organisation_id", "name", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    name: str = Field(max_length=120)
    shared: bool = Field(default=True, sa_column=Column(Boolean, nullable=False))


class GroupMember(Owned, table=True):
    """A contact in a group; a contact that is in one cannot be deleted."""

    __tablename__ = "mail_group_member"

    group_id: str = Field(foreign_key="mail_group.id", primary_key=True, max_length=26)
    contact_id: str = Field(foreign_key="mail_contact.id", primary_key=True, max_length=26, index=True)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)


class MailTemplate(Owned, table=True):
    """What a send begins with; words between braces stand for what is known then (``book.templates.VARIABLES``)."""

    __tablename__ = "mail_template"
    __table_args__ = (Index("mail_template_once", "organisation_id", "name", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    name: str = Field(max_length=120)
    kind: str = Field(max_length=40)
    subject: str = Field(max_length=200)
    body: str = Field(default="", sa_column=Column(Text, nullable=False))
