"""What the API answers of tracked mails, as models. What tells where from a recipient acted stands in the proof alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from api.problems import ProblemItem
from api.v1.shapes import OrganisationShape
from api.web.mails.telling import step_of
from core.messages import Catalogue
from flows.engine.models import Dossier, DossierFile
from flows.mail.book.models import Contact
from flows.mail.keeping import TAKEN
from flows.mail.models import Mail, MailAnswer, MailEvent, MailRecipient, RecipientState
from flows.mail.reading import Line, SeenMail
from flows.mail.standing import counted, standing_of

_t = Catalogue("api.web.mails")
MAILS = "/v1/mails"


class MailLine(BaseModel):
    """A tracked mail, as lists show it."""

    id: str = Field(description="Of its dossier: the same for its whole life.")
    organisation_id: str
    kind: str = Field(description="secured, notification or convocation.")
    subject: str
    sender: str = Field(description="The service, as recipients read it.")
    standing: str = Field(
        description="draft, checking, ready, sending, sent (nobody has withdrawn it), partly (some have), taken (all have), "
        "closed (everybody has come to an end, not all by withdrawing), cancelled, archived."
    )
    label: str = Field(description="The standing in words, in the language of the request.")
    created: datetime
    sent: datetime | None = Field(description="When the first mail server took its notice.")
    withdraw_until: date | None = Field(description="Last day, in Paris, to withdraw it.")
    parked: str | None = Field(description="Why an operator must look at it; null when nobody must.")
    recipients: int
    taken: int = Field(description="How many have withdrawn it.")
    failed: int = Field(description="How many it does not reach.")
    href: str

    @classmethod
    def of(cls, line: Line) -> Self:
        """Show a line of the list."""
        kept = {name: getattr(line, name) for name in set(cls.model_fields) - {"id", "label", "href", "standing"}}
        return cls(
            id=line.dossier_id,
            standing=line.standing.value,
            label=_t(f"standing.{line.standing}"),
            href=f"{MAILS}/{line.dossier_id}",
            **kept,
        )

    @classmethod
    def of_mail(cls, dossier: Dossier, mail: Mail, recipients: Sequence[MailRecipient]) -> Self:
        """Show a mail that was just written or changed."""
        return cls(**_line(dossier, mail, recipients))


def _line(dossier: Dossier, mail: Mail, recipients: Sequence[MailRecipient]) -> dict[str, Any]:
    states = Counter(one.state for one in recipients)
    standing = standing_of(dossier, mail, states)
    return {
        "id": dossier.id,
        "standing": standing.value,
        "label": _t(f"standing.{standing}"),
        "created": dossier.created,
        "parked": dossier.parked,
        "recipients": len(recipients),
        "taken": counted(states, TAKEN),
        "failed": states[RecipientState.FAILED.value],
        "href": f"{MAILS}/{dossier.id}",
        **mail.model_dump(include={"organisation_id", "kind", "subject", "sender", "sent", "withdraw_until"}),
    }


class MailPage(BaseModel):
    """A page of tracked mails, newest first."""

    mails: list[MailLine]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


class MailFileShape(BaseModel):
    """A file of a tracked mail."""

    id: str
    role: str = Field(description="document (sent), addition (added since), answer (of a recipient), proof.")
    name: str
    media_type: str
    size: int = Field(description="In bytes.")
    sha256: str
    created: datetime
    href: str

    @classmethod
    def of(cls, kept: DossierFile) -> Self:
        """Show a file."""
        shown = kept.model_dump(include=set(cls.model_fields) - {"href"})
        return cls(href=f"{MAILS}/{kept.dossier_id}/files/{kept.id}", **shown)


class MailFileList(BaseModel):
    """The files of a tracked mail, oldest first."""

    files: list[MailFileShape]


class MailAnswerShape(BaseModel):
    """What a recipient answered, once."""

    id: str
    recipient: str = Field(description="Identifier of the recipient.")
    at: datetime
    text: str
    files: list[MailFileShape]

    @classmethod
    def of(cls, answer: MailAnswer, files: Mapping[str, DossierFile]) -> Self:
        """Show an answer; ``files`` are those of answers, by digest."""
        joined = [MailFileShape.of(files[one["sha256"]]) for one in answer.files if one["sha256"] in files]
        return cls(id=answer.id, recipient=answer.recipient_id, at=answer.at, text=answer.text, files=joined)


class MailAnswerList(BaseModel):
    """The answers to a tracked mail, oldest first."""

    answers: list[MailAnswerShape]

    @classmethod
    def of(cls, seen: SeenMail) -> Self:
        """Show the answers to a mail."""
        files = {one.sha256: one for one in seen.files if one.role == "answer"}
        return cls(answers=[MailAnswerShape.of(one, files) for one in seen.answers])


class MailRecipientShape(BaseModel):
    """A recipient, and where they stand."""

    id: str
    place: str = Field(description="to, cc or bcc.")
    name: str
    address: str
    source: str = Field(description="Where the address was taken from: typed, contact:<id>, member:<id>.")
    state: str = Field(description="waiting, handed, delayed, failed, withdrawn, answered, refused, expired or revoked.")
    label: str = Field(description="The state in words, in the language of the request.")
    since: datetime
    level: int = Field(
        description="Identity shown at the withdrawal: 0 the link, 1 and a secret, 2 and a code by another channel."
    )
    password: bool = Field(description="A password is asked of them.")
    blocked: bool = Field(description="Too many wrong passwords: another must be given.")
    consent: date | None
    consent_reference: str
    delivered: datetime | None = Field(description="A delivery report came: an indication, no proof.")
    opened: datetime | None = Field(description="Something opened the page: an indication, no proof.")
    withdrawn: datetime | None = Field(description="When they withdrew it, by a deliberate act.")
    answered: datetime | None
    refused: datetime | None
    trouble: str = Field(description="Why the notice is late, or does not reach them.")
    links: dict[str, str] = Field(description="What the caller may do for them, once the mail has left.")

    @classmethod
    def of(cls, one: MailRecipient, *, may_act: bool) -> Self:
        """Show a recipient."""
        here = f"{MAILS}/{one.dossier_id}/recipients/{one.id}"
        acts = {name: f"{here}/{name}" for name in ("again", "address", "password", "revocation")} if may_act else {}
        return cls(
            label=_t(f"state.{one.state}"),
            password=bool(one.password_hash),
            links={"proof": f"{MAILS}/{one.dossier_id}/proof?recipient={one.id}", **acts},
            **one.model_dump(include=set(cls.model_fields) - {"label", "password", "links"}),
        )


class MailShape(MailLine):
    """A tracked mail in full."""

    organisation: OrganisationShape
    body: str = Field(description="Empty once its content was purged.")
    reply_to: str
    answers: bool = Field(description="Recipients may answer.")
    readable_until: date | None = Field(description="Last day on which its pages open.")
    cancelled: datetime | None
    reason: str = Field(description="Why it was cancelled.")
    purged: datetime | None = Field(description="When its message and its documents were destroyed; what is proved stays.")
    problems: list[ProblemItem] = Field(description="Why the check gave it back as a draft; warnings otherwise.")
    to: list[MailRecipientShape] = Field(description="Every recipient, in their order, whatever their place.")
    files: list[MailFileShape]
    links: dict[str, str]

    @classmethod
    def of_seen(cls, seen: SeenMail, *, may_act: bool) -> Self:
        """Show a mail with what belongs to it."""
        here = f"{MAILS}/{seen.dossier.id}"
        names = ("timeline", "files", "answers", "proof", *(("send", "cancellation", "documents") if may_act else ()))
        found = seen.dossier.problems or seen.dossier.facts.get("warnings", [])
        told = seen.mail.model_dump(include={"body", "reply_to", "answers", "readable_until", "cancelled", "reason", "purged"})
        return cls(
            organisation=OrganisationShape.of(seen.organisation),
            problems=[ProblemItem(**problem) for problem in found],
            to=[MailRecipientShape.of(one, may_act=may_act) for one in seen.recipients],
            files=[MailFileShape.of(one) for one in seen.files],
            links={"self": here, **{name: f"{here}/{name}" for name in names}},
            **told,
            **_line(seen.dossier, seen.mail, seen.recipients),
        )


class MailStep(BaseModel):
    """Something that happened to a tracked mail, or to one of its recipients."""

    id: str
    at: datetime
    kind: str = Field(
        description="Name of the event, after ETSI EN 319 522-1 where it has one: content_handover is the withdrawal."
    )
    label: str = Field(description="The event in words, in the language of the request.")
    details: list[str]
    indication: bool = Field(description="It proves nothing by itself.")
    recipient: str | None = Field(description="Identifier of the recipient; null for the whole mail.")

    @classmethod
    def of(cls, event: MailEvent, seen: SeenMail) -> Self:
        """Show an event."""
        step = step_of(event, seen)
        return cls(
            id=event.id,
            at=event.at,
            kind=event.kind,
            label=step.words,
            details=list(step.details),
            indication=step.indication,
            recipient=event.recipient_id,
        )


class MailTimeline(BaseModel):
    """A page of what happened to a tracked mail, oldest first."""

    steps: list[MailStep]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


class ContactShape(BaseModel):
    """A contact of the address book."""

    id: str
    organisation_id: str = Field(description="Whose book: contacts of the organisations above are used too, and changed there.")
    name: str
    address: str
    note: str
    bounced: datetime | None = Field(description="Since when mails come back from there.")
    created: datetime

    @classmethod
    def of(cls, contact: Contact) -> Self:
        """Show a contact."""
        return cls(**contact.model_dump(include=set(cls.model_fields)))


class ContactPage(BaseModel):
    """A page of contacts, by name."""

    contacts: list[ContactShape]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


class GroupShape(BaseModel):
    """A group of the address book."""

    id: str
    organisation_id: str
    name: str
    members: int
    inherited: bool = Field(description="It is that of an organisation above.")


class GroupList(BaseModel):
    """The groups that an organisation may write to."""

    groups: list[GroupShape]
