"""What a page shows of a PES, whoever may see it: this knows the document and where its pages stand, and nothing of rights.

Each function returns the context of the partials of this folder: ``pes`` is what is shown, ``said`` the words (a page of another
folder that includes them has a ``t`` of its own), ``dated`` and ``timed`` how days and moments are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from api.web.pes.answers import Answer, Answers
from api.web.pes.people import Party, party
from api.web.pes.taken import can_be_shown
from api.words import day, moment, of_page
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile
from schemas.pes import labels, lookup
from schemas.pes.attachments import agree
from schemas.pes.reader import amount
from schemas.pes.seen import Attachment, Bordereau, Line, Page, Piece, Reference, Summary, Wanted
from schemas.pes.shelf import Shelved, shelved

messages = Catalogue("api.web.pes")
PIECES, LINES, DOCUMENTS = 25, 50, 50
_REFERENCES = 200
_LONGEST = 100
_NOT_NAMED = frozenset(
    {"TVAIntraCom", "TvaIntraCom", "MtHT", "MtTVA", "IdLigne"}
)  # shown elsewhere, or a yes or no of no use here
_IN_COLUMNS = frozenset({"Nature", "Fonction", "Operation", "LibVir1", "LibVir2", "ObjLignePce", "Facture", "ModRegl"})
_KINDS = {"depense": "mandat", "recette": "titre"}


@dataclass(frozen=True, slots=True)
class Around:
    """What the platform knows beside the document.

    Attributes:
        base: address under which its pages stand, without a final slash; ``raw`` address of the document itself.
        acquit: what Hélios answered, as a dossier keeps it.
        report: the verdict on its signatures, as ``verify --json`` gives it.
        invalid: no schema accepts it.
        plain: bank details and social security numbers are shown in full.
    """

    base: str
    raw: str
    acquit: Mapping[str, Any] | None = None
    report: Mapping[str, Any] | None = None
    invalid: bool = False
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What every page of a PES has.

    Attributes:
        state: how far its reading has come; ``percent`` in hundredths of the document.
        summary: None while nothing is there.
        rows: of the list on the page; ``next`` and ``previous`` its neighbours.
    """

    around: Around
    state: Shelved
    size: int
    summary: Summary | None = None
    rows: tuple[Any, ...] = ()
    found: Page[Any] | None = None
    next: str | None = None
    previous: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def percent(self) -> int:
        """How much of the document was read."""
        return min(99, self.summary.read * 100 // max(1, self.size)) if self.summary else 0


@dataclass(frozen=True, slots=True)
class BordereauRow:
    """A bordereau in the table: its kind in words, its answer, the verdicts on the signatures over it."""

    bordereau: Bordereau
    kind: str
    answer: Answer | None
    signatures: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class PieceRow:
    """A pièce in the list; ``sign`` is what its amounts are multiplied by, as in the totals."""

    piece: Piece
    bordereau: Bordereau | None
    noun: str
    kind: str
    nature: str
    answer: Answer | None

    @property
    def sign(self) -> int:
        """See above."""
        return self.bordereau.sign if self.bordereau is not None else 1


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line of a pièce: its accounts, its words, its people; ``sign`` as that of the pièce."""

    line: Line
    sign: int
    account: str
    label: str
    payment: str
    parties: tuple[Party, ...]
    others: tuple[tuple[str, str], ...]
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A supporting document: ``remarks`` are keys of what is worth knowing about it."""

    attachment: Attachment
    kind: str
    remarks: tuple[str, ...]
    answer: Answer | None

    @property
    def shown(self) -> bool:
        """There can be page images of it."""
        return can_be_shown(self.attachment)


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """A reference to a supporting document, and that document when the flow holds it."""

    reference: Reference
    kind: str
    support: str
    document: DocumentRow | None


def overview(platform: Platform, kept: DossierFile | KeptFile, query: Mapping[str, str], around: Around) -> dict[str, Any]:
    """Return what the first page shows: header, totals, bordereaux, and a page of pièces narrowed by the query.

    Args:
        platform: where the document is.
        kept: the document.
        query: ``bordereau``, ``q``, ``tiers``, ``min``, ``max``, and ``apres`` or ``avant``.
        around: what else is known.
    """
    state = shelved(platform, kept.sha256)
    if state.path is None:
        return _context(Shown(around, state, kept.size))
    filters = {name: query.get(name, "").strip()[:_LONGEST] for name in ("bordereau", "q", "tiers", "min", "max")}
    wanted, faults = _wanted(filters)
    answers = Answers(around.acquit)
    with lookup.opened(state.path) as database:
        summary = lookup.summary(database)
        page = lookup.pieces(database, wanted, PIECES, _rank(query.get("apres")), _rank(query.get("avant")))
        known = {one.id: one for one in summary.bordereaux}
        owners = {rank: known.get(rank) or lookup.bordereau(database, rank) for rank in {one.bordereau for one in page.rows}}
        loose, missing = lookup.loose_ends(database)
    return _context(
        Shown(
            around,
            state,
            kept.size,
            summary,
            tuple(_piece_row(one, owners[one.bordereau], answers) for one in page.rows),
            page,
            _address(around.base, filters, apres=page.after),
            _address(around.base, filters, avant=page.before),
            filters,
            faults,
            {
                "bordereaux": tuple(_bordereau_row(one, answers, around) for one in summary.bordereaux),
                "loose": loose,
                "missing": missing,
                "flow_signatures": _signatures(around, "document"),
            },
        )
    )


def progress(kept: DossierFile | KeptFile, state: Shelved, around: Around) -> dict[str, Any]:
    """Return what the part that follows the reading shows."""
    if state.path is None:
        return _context(Shown(around, state, kept.size))
    with lookup.opened(state.path) as database:
        return _context(Shown(around, state, kept.size, lookup.summary(database)))


def piece(
    platform: Platform, kept: DossierFile | KeptFile, rank: int, query: Mapping[str, str], around: Around
) -> dict[str, Any]:
    """Return what the page of a pièce shows: itself, a page of its lines narrowed by ``q``, its supporting documents.

    Raises:
        NotFound: there is no pièce of that rank, or not yet.
    """
    state = shelved(platform, kept.sha256)
    if state.path is None:
        raise NotFound(state.trouble or messages("pes.not_yet"))
    filters = {"q": query.get("q", "").strip()[:_LONGEST]}
    answers = Answers(around.acquit)
    with lookup.opened(state.path) as database:
        found = lookup.piece(database, rank)
        if found is None:
            raise NotFound(messages("piece.absent"))
        summary = lookup.summary(database)
        owner = lookup.bordereau(database, found.bordereau)
        lines = lookup.lines(database, rank, filters["q"], LINES, _rank(query.get("apres")), _rank(query.get("avant")))
        references = lookup.references(database, rank, _REFERENCES)
        held = {one.attachment: lookup.attachment(database, one.attachment) for one in references if one.attachment}
    address = f"{around.base}/pieces/{rank}"
    return _context(
        Shown(
            around,
            state,
            kept.size,
            summary,
            tuple(_line_row(one, found, owner, answers, around) for one in lines.rows),
            lines,
            _address(address, filters, apres=lines.after),
            _address(address, filters, avant=lines.before),
            filters,
            {},
            {
                "row": _piece_row(found, owner, answers),
                "others": _named(found.more),
                "references": tuple(_reference_row(one, held.get(one.attachment or 0), answers) for one in references),
            },
        )
    )


def documents(platform: Platform, kept: DossierFile | KeptFile, query: Mapping[str, str], around: Around) -> dict[str, Any]:
    """Return what the page of supporting documents shows: a page of them, and the references that lead to none.

    Args:
        platform: where the document is.
        kept: the document.
        query: ``apres``; ``seules`` narrows to those that nothing names.
        around: what else is known.
    """
    state = shelved(platform, kept.sha256)
    if state.path is None:
        return _context(Shown(around, state, kept.size))
    filters = {"seules": "1" if query.get("seules") else ""}
    answers = Answers(around.acquit)
    with lookup.opened(state.path) as database:
        summary = lookup.summary(database)
        rows = lookup.attachments(database, DOCUMENTS + 1, _rank(query.get("apres")) or 0, loose=bool(filters["seules"]))
        missing = lookup.unresolved(database, DOCUMENTS)
        loose, missing_count = lookup.loose_ends(database)
    after = rows[DOCUMENTS - 1].id if len(rows) > DOCUMENTS else None
    return _context(
        Shown(
            around,
            state,
            kept.size,
            summary,
            tuple(_document_row(one, answers) for one in rows[:DOCUMENTS]),
            None,
            _address(f"{around.base}/pj", filters, apres=after),
            None,
            filters,
            {},
            {
                "loose": loose,
                "missing_count": missing_count,
                "missing": tuple(_reference_row(one, None, answers) for one in missing),
            },
        )
    )


def _context(shown: Shown) -> dict[str, Any]:
    return {"pes": shown, "said": of_page("web/pes/pes.html"), "dated": _dated, "timed": _timed}


def _dated(text: str) -> str:
    """Return a day in words; one that no calendar has, as it was written."""
    try:
        return day(date.fromisoformat(text[:10]))
    except ValueError:
        return text


def _timed(text: str) -> str:
    """Return a moment in words, from how a report writes it."""
    try:
        return moment(datetime.fromisoformat(text))
    except ValueError:
        return text


def _wanted(filters: Mapping[str, str]) -> tuple[Wanted, dict[str, str]]:
    """Read the filters; an amount that cannot be read narrows nothing, and is said."""
    amounts = {name: amount(_plain(filters[name])) for name in ("min", "max")}
    faults = {name: messages("filter.amount") for name, value in amounts.items() if filters[name] and value is None}
    wanted = Wanted(_rank(filters["bordereau"]), filters["q"], filters["tiers"], amounts["min"], amounts["max"])
    return wanted, faults


def _plain(typed: str) -> str:
    """Return an amount as files write it, from how people do."""
    return "".join(typed.replace("€", "").split()).replace(",", ".")


def _rank(text: str | None) -> int | None:
    """Return a rank that stands in an address, None when there is none, or nothing that could be one."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < len("1000000000") else None


def _address(base: str, filters: Mapping[str, str], **place: int | None) -> str | None:
    if not any(place.values()):
        return None
    return f"{base}?{urlencode({name: value for name, value in {**filters, **place}.items() if value})}"


def _bordereau_row(bordereau: Bordereau, answers: Answers, around: Around) -> BordereauRow:
    kind = labels.code("TypBord", bordereau.kind, bordereau.domain)
    over_it = _signatures(around, f"bordereau {bordereau.xml_id}") if bordereau.xml_id else ()
    return BordereauRow(bordereau, kind, answers.of_bordereau(bordereau), over_it)


def _signatures(around: Around, covered: str) -> tuple[Mapping[str, Any], ...]:
    return tuple(one for one in (around.report or {}).get("signatures", ()) if one.get("covers") == covered)


def _piece_row(piece_: Piece, bordereau: Bordereau | None, answers: Answers) -> PieceRow:
    domain = bordereau.domain if bordereau else None
    return PieceRow(
        piece_,
        bordereau,
        _KINDS.get(domain or "", "piece"),
        labels.code("TypPce", piece_.kind, domain),
        labels.code("NatPce", piece_.nature, domain),
        answers.of_piece(bordereau, piece_.number),
    )


def _line_row(line: Line, owner: Piece, bordereau: Bordereau | None, answers: Answers, around: Around) -> LineRow:
    values = line.values
    account = ".".join(text for name in ("Nature", "Fonction", "Operation") if (text := values.get(name)))
    label = " ".join(text for name in ("ObjLignePce", "LibVir1", "LibVir2") if (text := values.get(name)))
    return LineRow(
        line,
        bordereau.sign if bordereau is not None else 1,
        account,
        label,
        labels.code("ModRegl", values.get("ModRegl")),
        tuple(party(one, plain=around.plain) for one in line.third_parties),
        _named({name: text for name, text in values.items() if name not in _IN_COLUMNS}),
        answers.of_line(bordereau, owner.number, values.get("IdLigne")),
    )


def _named(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return values with their names in words, those that are codes in words too."""
    return tuple(
        (labels.field(name), labels.code(name, text)) for name, text in values.items() if text and name not in _NOT_NAMED
    )


def _document_row(attachment: Attachment, answers: Answers) -> DocumentRow:
    """Gather what is worth knowing of a supporting document (domain rules P01, P09)."""
    remarks = [attachment.packing] if attachment.packing != "gzip" else []
    if not agree(attachment.declared, attachment.media_type):
        remarks.append("other_type")
    if attachment.piece is None and not attachment.targets:
        remarks.append("loose")
    kind = labels.code("TypePJ", attachment.kind)
    return DocumentRow(attachment, kind, tuple(remarks), answers.of_document(attachment.unique_id))


def _reference_row(reference: Reference, attachment: Attachment | None, answers: Answers) -> ReferenceRow:
    return ReferenceRow(
        reference,
        labels.code("TypePJ", reference.kind),
        labels.code("Support", reference.support),
        _document_row(attachment, answers) if attachment else None,
    )
