"""What the API is told and answers of received invoices, as models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.problems import ProblemItem
from api.v1.shapes import OrganisationShape
from api.words import label
from connectors.chorus.statuses import FINAL, reason_word, word
from connectors.finance.answers import LONGEST_REASON, LONGEST_REFERENCE
from core.messages import Catalogue
from flows.engine.models import DossierFile
from flows.engine.table import End
from flows.invoices.delivering import offered_files
from flows.invoices.flow import INVOICES
from flows.invoices.models import Handover, InvoiceStep, InvoiceTarget, ReceivedInvoice
from flows.invoices.reading import InvoiceRow, Whole

_t, _flow = Catalogue("api.v1"), Catalogue("flows.invoices")
_CONFIG = ConfigDict(extra="forbid")
_FLOW = INVOICES.name


class HandoverShape(BaseModel):
    """A hand-over to the finance software."""

    cycle: int = Field(description="2 and more once the supplier completed the invoice.")
    offer: int = Field(description="2 and more once the software refused it and it was offered again.")
    channel: str = Field(description="pull, sftp, folder or webhook.")
    delivery: str = Field(description="Name of the delivery; the same for the same offer.")
    sha256: str | None = Field(description="Of the manifest that was delivered.")
    state: str = Field(description="offered, taken or refused.")
    label: str
    software_reference: str
    reason: str = Field(description="Why the software last refused it.")
    offered: datetime
    answered: datetime | None

    @classmethod
    def of(cls, handover: Handover) -> Self:
        """Show a hand-over."""
        kept = handover.model_dump(include=set(cls.model_fields) - {"label"})
        return cls(label=_t(f"invoice.handover.{handover.state}"), **kept)


class InvoiceLine(BaseModel):
    """An invoice, as lists show it. Amounts are texts with two decimals."""

    id: str = Field(description="Of its dossier: the same for its whole life.")
    organisation_id: str
    state: str = Field(description="Name of the state in the flow's table.")
    label: str = Field(description="The state in words, in the language of the request.")
    since: datetime
    ended: bool
    parked: str | None = Field(description="Why an operator must look at it; null when nobody must.")
    environment: str = Field(description="sandbox or production.")
    chorus_id: int = Field(description="Its idFacture at Chorus Pro.")
    type: str
    number: str
    supplier: str
    supplier_name: str
    recipient: str
    service_code: str
    service_name: str
    engagement: str
    contract: str
    issued: date | None
    deposited: datetime | None
    net: Decimal | None
    gross: Decimal | None
    payable: Decimal | None
    currency: str
    status: str = Field(description="At Chorus Pro, as it came.")
    status_label: str
    moved: datetime | None = Field(description="When that status was set.")
    cycle: int
    available: datetime | None = Field(description="When the term of payment began.")
    due: date | None = Field(description="The day on which that term ends; null while it is stopped.")
    late: bool = Field(description="That day is over, and nobody has mandated the invoice.")
    mandate: str
    handover: HandoverShape | None = Field(description="Of the present cycle; null until it is handed over.")
    href: str

    @classmethod
    def of_row(cls, row: InvoiceRow, today: date) -> Self:
        """Show an invoice of a list, as it stands on a day."""
        return cls(**_line(row.invoice, row.state, row.since, row.parked, row.handover, today))


class InvoicePage(BaseModel):
    """A page of invoices, newest first."""

    invoices: list[InvoiceLine]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


class InvoiceFileShape(BaseModel):
    """A file of an invoice."""

    id: str
    role: str = Field(description="pivot, original, readable, piece; report, view, handover, record… for what is made of them.")
    label: str
    name: str
    media_type: str
    size: int = Field(description="In bytes.")
    sha256: str
    current: bool = Field(description="Of the present cycle, for the finance software.")
    mark: str | None = Field(description="The rule by which it is held to be dangerous; null for the others.")
    danger: str | None = Field(description="The same in words, to be shown before anybody opens it.")
    created: datetime
    href: str

    @classmethod
    def all_of(cls, seen: Whole) -> list[Self]:
        """Show the files of an invoice, oldest first."""
        files = seen.seen.files
        current = {kept.id for kept in offered_files(files)}
        marks = seen.seen.dossier.facts.get("marks") or {}
        return [cls.of(kept, marks.get(kept.sha256), current=kept.id in current) for kept in files]

    @classmethod
    def of(cls, kept: DossierFile, mark: str | None, *, current: bool) -> Self:
        """Show a file."""
        return cls(
            label=label(f"role.{kept.role}", _FLOW),
            current=current,
            mark=mark,
            danger=_danger(mark, kept.name) if mark else None,
            href=f"/v1/invoices/{kept.dossier_id}/files/{kept.id}",
            **kept.model_dump(include={"id", "role", "name", "media_type", "size", "sha256", "created"}),
        )


class InvoiceFileList(BaseModel):
    """The files of an invoice, oldest first."""

    files: list[InvoiceFileShape]


class StepShape(BaseModel):
    """A status that an invoice went through at Chorus Pro."""

    status: str
    label: str
    moment: datetime
    comment: str

    @classmethod
    def of(cls, step: InvoiceStep) -> Self:
        """Show a step."""
        return cls(status=step.code, label=word(step.code), moment=step.moment, comment=step.comment)


class TargetShape(BaseModel):
    """A status that Chorus Pro is to be told, or was."""

    id: str
    status: str
    label: str
    state: str = Field(description="due, telling, told, dropped (it had come as far already), refused.")
    reason: str
    reason_code: str
    reason_label: str | None
    mandate: str
    trouble: str | None = Field(description="Why it was dropped or refused, or could not be told yet.")
    asked: datetime
    told: datetime | None

    @classmethod
    def of(cls, target: InvoiceTarget) -> Self:
        """Show a target."""
        kept = target.model_dump(include=set(cls.model_fields) - {"label", "reason_label"})
        coded = reason_word(target.reason_code) if target.reason_code else None
        return cls(label=word(target.status), reason_label=coded, **kept)


class InvoiceHistory(BaseModel):
    """The life of an invoice at Chorus Pro, oldest first, and what Chorus Pro is to be told."""

    steps: list[StepShape]
    targets: list[TargetShape]

    @classmethod
    def of(cls, steps: Sequence[InvoiceStep], targets: Sequence[InvoiceTarget]) -> Self:
        """Show both."""
        return cls(steps=[StepShape.of(one) for one in steps], targets=[TargetShape.of(one) for one in targets])


class InvoiceShape(InvoiceLine):
    """An invoice in full."""

    organisation: OrganisationShape
    problems: list[ProblemItem] = Field(description="What its check found; it stops no invoice.")
    trouble: str | None = Field(description="What the last try of the step under way said, when it failed.")
    final: bool = Field(description="Paid or rejected at Chorus Pro: nothing is told there any more.")
    files: list[InvoiceFileShape]
    handovers: list[HandoverShape] = Field(description="Of every cycle, oldest first.")
    history: InvoiceHistory
    links: dict[str, str]

    @classmethod
    def of(cls, seen: Whole, record: str | None, today: date) -> Self:
        """Show an invoice with what belongs to it, as it stands on a day."""
        dossier = seen.seen.dossier
        here = f"/v1/invoices/{dossier.id}"
        links = {"self": here, "dossier": f"/v1/dossiers/{dossier.id}", "page": f"/factures/{dossier.id}"}
        links |= {name: f"{here}/{name}" for name in ("files", "history", "acknowledgement", "statuses")}
        if record is not None:
            links |= {"record": f"/v1/records/{record}", "evidence": f"/v1/records/{record}/evidence"}
        return cls(
            organisation=OrganisationShape.of(seen.seen.organisation),
            problems=[ProblemItem(**problem) for problem in seen.seen.problems],
            trouble=seen.seen.step.trouble if seen.seen.step else None,
            final=seen.invoice.status in FINAL,
            files=InvoiceFileShape.all_of(seen),
            handovers=[HandoverShape.of(one) for one in seen.handovers],
            history=InvoiceHistory.of(seen.steps, seen.targets),
            links=links,
            **_line(seen.invoice, dossier.state, dossier.since, dossier.parked, seen.handover, today),
        )


class AcknowledgementAsked(BaseModel):
    """What the finance software says of an invoice that it was offered."""

    model_config = _CONFIG

    taken: bool = Field(description="Whether it took the invoice.")
    reason: str = Field("", max_length=LONGEST_REASON, description="Why it did not; needed then.")
    software_reference: str = Field("", max_length=LONGEST_REFERENCE, description="What it knows the invoice by.")
    delivery: str = Field("", max_length=100, description="The delivery that this is about; the last one when empty.")


class StatusAsked(BaseModel):
    """A status that Chorus Pro is to be told."""

    model_config = _CONFIG

    status: str = Field(max_length=60, description="SERVICE_FAIT, MANDATEE, REJETEE, SUSPENDUE…")
    reason: str = Field("", max_length=255, description="For the supplier; needed to reject or suspend.")
    reason_code: str = Field("", max_length=40, description="Coded (XP Z12-012, MDT-113), beside the words.")
    mandate: str = Field("", max_length=50, description="Number of the mandat, with MANDATEE only.")


class StatusesAsked(BaseModel):
    """Statuses that Chorus Pro is to be told, one by one, in this order."""

    model_config = _CONFIG

    statuses: list[StatusAsked] = Field(min_length=1, max_length=10)


def _danger(mark: str, name: str) -> str:
    known = f"mark.{mark}.message"
    return _flow(known, name=name) if known in _flow else _t("invoice.danger", rule=mark)


def _line(
    invoice: ReceivedInvoice, state: str, since: datetime, parked: str | None, handover: Handover | None, today: date
) -> dict[str, Any]:
    left_out = {"dossier_id", "account_id", "kind", "structure", "late_from"}
    return invoice.model_dump(exclude=left_out) | {
        "id": invoice.dossier_id,
        "state": state,
        "label": label(f"state.{state}", _FLOW),
        "since": since,
        "ended": isinstance(INVOICES.rows.get(state), End),
        "parked": parked,
        "status_label": word(invoice.status),
        "late": invoice.late_from is not None and invoice.late_from < today,
        "handover": HandoverShape.of(handover) if handover else None,
        "href": f"/v1/invoices/{invoice.dossier_id}",
    }
