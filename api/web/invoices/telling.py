"""An invoice as its page tells it: the paper with each problem where it belongs, the pieces and their marks, its life."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from sqlmodel import Session, col, select

from api.marks import Danger, dangers_of
from api.web.invoices import standing
from api.web.invoices.beside import Beside, placed
from api.web.invoices.standing import Countdown, Deed
from api.web.visitor import Visitor
from connectors.chorus import statuses
from core import clock
from core.errors import NeedsOperator, TabellionError
from core.messages import Catalogue
from core.people import Person
from core.platform import Platform
from core.principal import Right
from flows.engine import reading as dossiers
from flows.engine.models import DossierFile
from flows.engine.reading import Seen
from flows.invoices import knowledge, reading, view
from flows.invoices.models import Handover, HandoverState, InvoiceStep, InvoiceTarget, ReceivedInvoice
from flows.invoices.reading import Whole
from schemas.invoices.invoice import Invoice, Line

_t = Catalogue("api.web.invoices")
LINES = 50
"""Lines of an invoice on one page."""
_ORDER = {"readable": 0, "original": 1, "pivot": 2, "piece": 3}
_REPORT = "report"
_PREVIEWED = "application/pdf"


@dataclass(frozen=True, slots=True)
class Paper:
    """What the supplier wrote, and what the check found in it.

    Attributes:
        invoice: None when it cannot be shown; ``trouble`` then says why.
        lines: of this page, each with its rank from 0; ``count`` how many the invoice has, ``shown`` how many can be shown.
        page: number of this page of lines, from 1, of ``pages``.
        beside: problems by what they concern.
        more: how many problems the report has besides; ``report`` its file, None when it is not there.
    """

    invoice: Invoice | None
    trouble: str = ""
    lines: tuple[tuple[int, Line], ...] = ()
    count: int = 0
    shown: int = 0
    page: int = 1
    pages: int = 1
    beside: Beside = field(default_factory=Beside)
    more: int = 0
    report: DossierFile | None = None

    @property
    def elsewhere(self) -> list[tuple[int, int]]:
        """Ranks of lines with problems on other pages, each with the number of its page."""
        first = (self.page - 1) * LINES
        return [(rank, rank // LINES + 1) for rank in self.beside.lines_outside(first, first + LINES) if rank < self.shown]


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of the invoice.

    Attributes:
        called: what it is.
        danger: why it must not be opened without care; None when nothing was found in it.
    """

    called: str
    kept: DossierFile
    danger: Danger | None

    @property
    def previews(self) -> bool:
        """Whether its pages may be looked at as images, which is safe whatever a PDF holds."""
        return self.danger is None or self.kept.media_type == _PREVIEWED


@dataclass(frozen=True, slots=True)
class Told:
    """A status that Chorus Pro was told, or is to be told; ``who`` asked for it, empty for what is automatic."""

    target: InvoiceTarget
    who: str

    @property
    def label(self) -> str:
        """The status in words."""
        return statuses.word(self.target.status)

    @property
    def coded(self) -> str:
        """The coded reason in words; empty when there is none."""
        return statuses.reason_word(self.target.reason_code) if self.target.reason_code else ""


@dataclass(frozen=True, slots=True)
class Telling:
    """Everything that the page of an invoice shows.

    Attributes:
        status: at Chorus Pro, in words.
        steps: each with its status in words.
        deeds: what the visitor may decide now.
        resumes: the visitor may take a parked dossier up again.
        version: changes whenever what is shown changes.
    """

    seen: Seen
    invoice: ReceivedInvoice
    status: str
    today: date
    countdown: Countdown
    paper: Paper
    pieces: tuple[Piece, ...]
    steps: tuple[tuple[InvoiceStep, str], ...]
    targets: tuple[Told, ...]
    handovers: tuple[Handover, ...]
    deeds: tuple[Deed, ...]
    resumes: bool
    version: str

    @property
    def dangers(self) -> int:
        """How many pieces are dangerous."""
        return sum(one.danger is not None and one.danger.grave for one in self.pieces)

    @property
    def title(self) -> str:
        """What it is, and its number."""
        credit = self.paper.invoice.credit if self.paper.invoice else self.invoice.type == "AVOIR"
        return _t("title.credit" if credit else "title.invoice", number=self.invoice.number)


def found(platform: Platform, visitor: Visitor, dossier_id: str) -> tuple[Whole, dict[str, str]]:
    """Return an invoice and the names of those who asked for something, by actor.

    Raises:
        NotFound: there is none of that identifier, or the visitor does not read it.
    """
    with dossiers.opened(platform.database, visitor.principal) as session:
        whole = reading.one(session, dossier_id)
        return whole, _names(session, whole.targets)


def tell(platform: Platform, visitor: Visitor, dossier_id: str, page: int = 1) -> Telling:
    """Return an invoice for a visitor, with a page of its lines.

    Raises:
        NotFound: as ``found``.
    """
    whole, names = found(platform, visitor, dossier_id)
    seen, invoice = whole.seen, whole.invoice
    dossier, owner = seen.dossier, seen.dossier.organisation_id
    today = clock.in_paris(clock.now()).date()
    deposits = visitor.principal.may(Right.DEPOSIT, owner)
    return Telling(
        seen,
        invoice,
        statuses.word(invoice.status),
        today,
        standing.countdown(invoice, today),
        _paper(platform, whole, page),
        _pieces(seen),
        tuple((step, statuses.word(step.code)) for step in whole.steps),
        tuple(Told(one, names.get(one.actor, "")) for one in whole.targets),
        whole.handovers,
        deeds_of(platform, whole) if deposits else (),
        dossier.parked is not None and visitor.principal.may(Right.OPERATE, owner),
        version_of(whole),
    )


def deeds_of(platform: Platform, whole: Whole) -> tuple[Deed, ...]:
    """Return what may be decided of an invoice now."""
    dossier, handover = whole.seen.dossier, whole.handover
    offered = handover is not None and handover.state == HandoverState.OFFERED.value
    found = standing.deeds(dossier.state, dossier.parked, whole.invoice, whole.targets, offered=offered)
    return found if tells(platform, whole) else tuple(one for one in found if one is not Deed.SUSPEND)


def tells(platform: Platform, whole: Whole) -> bool:
    """Tell whether Chorus Pro hears of decisions taken here; a suspension is nothing where it does not."""
    try:
        return knowledge.reception_of(platform, whole.invoice.account_id).tell
    except NeedsOperator:
        return False


def version_of(whole: Whole) -> str:
    """Return what changes whenever what is shown of an invoice changes."""
    seen, dossier = whole.seen, whole.seen.dossier
    told = [[(one.id, one.state) for one in whole.targets], [(one.id, one.state) for one in whole.handovers]]
    stands = (dossier.state, dossier.parked, seen.step.trouble if seen.step else None, whole.invoice.status, whole.invoice.due)
    return hashlib.sha256(repr((*stands, len(seen.files), len(whole.steps), told)).encode()).hexdigest()[:16]


def _paper(platform: Platform, whole: Whole, page: int) -> Paper:
    facts = whole.seen.dossier.facts
    more = int(facts.get("warnings_in_all", 0)) - len(facts.get("warnings", ()))
    report = next((one for one in reversed(whole.seen.files) if one.role == _REPORT), None)
    return replace(_sheet(platform, whole, page), more=max(more, 0), report=report)


def _sheet(platform: Platform, whole: Whole, page: int) -> Paper:
    kept = next((one for one in reversed(whole.seen.files) if one.role == view.ROLE), None)
    if kept is None:
        return _unseen(whole, "paper.awaited" if whole.seen.dossier.state in {"received", "stored"} else "paper.none")
    try:
        seen = view.of(platform, kept.sha256)
    except TabellionError:  # the page tells the rest of the invoice
        return _unseen(whole, "paper.away")
    invoice, shown = seen.invoice, len(seen.invoice.lines)
    pages = max(1, -(-shown // LINES))
    number = min(max(page, 1), pages)
    first = (number - 1) * LINES
    lines = tuple(enumerate(invoice.lines[first : first + LINES], first))
    beside = placed(whole.seen.problems, seen.lines, len(invoice.vat))
    return Paper(invoice, "", lines, seen.lines, shown, number, pages, beside)


def _unseen(whole: Whole, why: str) -> Paper:
    return Paper(None, _t(why), beside=Beside(whole=list(whole.seen.problems)))


def _pieces(seen: Seen) -> tuple[Piece, ...]:
    """Return the files for people of the present cycle: those that came with the newest pivot, and what was made of them."""
    dangers = dangers_of(seen.dossier, seen.files)
    starts = [rank for rank, kept in enumerate(seen.files) if kept.role == "pivot"]
    present = seen.files[starts[-1] if starts else 0 :]
    shown = sorted((kept for kept in present if kept.role in _ORDER), key=lambda one: _ORDER[one.role])
    once = {kept.sha256: kept for kept in reversed(shown)}  # a PDF may be both the invoice itself and what people read
    return tuple(Piece(_t(f"piece.{kept.role}"), kept, dangers.get(kept.id)) for kept in shown if once[kept.sha256] is kept)


def _names(session: Session, targets: Sequence[InvoiceTarget]) -> dict[str, str]:
    people = {one.actor.removeprefix("person:") for one in targets if one.actor.startswith("person:")}
    asked = session.exec(select(Person).where(col(Person.id).in_(people))) if people else ()
    return {f"person:{person.id}": person.name for person in asked}
