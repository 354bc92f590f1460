"""What the pages of a PES show of each thing that it holds, with what the platform knows beside it: words, answers, verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.web.pes.answers import Answer, Answers
from api.web.pes.people import Party, masked, party
from api.web.pes.taken import can_be_shown
from schemas.pes import labels
from schemas.pes.attachments import agree
from schemas.pes.seen import Attachment, Bordereau, Line, Piece, Reference

_NOT_NAMED = frozenset(
    {"TVAIntraCom", "TvaIntraCom", "MtHT", "MtTVA", "IdLigne"}
)  # shown elsewhere, or a yes or no of no use here
_IN_COLUMNS = frozenset({"Nature", "Fonction", "Operation", "LibVir1", "LibVir2", "ObjLignePce", "Facture", "ModRegl"})
_SECRET = frozenset({"AncienIBAN"})  # of a line itself: what is of a third party is masked with it
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
class BordereauRow:
    """A bordereau in the table: its kind in words, its answer, the verdicts on the signatures over it."""

    bordereau: Bordereau
    kind: str
    answer: Answer | None
    signatures: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class PieceRow:
    """A pièce in the list; ``state`` is what a return says of it, ``sign`` multiplies its amounts, as in the totals."""

    piece: Piece
    bordereau: Bordereau | None
    noun: str
    kind: str
    nature: str
    state: str
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


def bordereau_row(bordereau: Bordereau, answers: Answers, around: Around) -> BordereauRow:
    """Return a bordereau of the table."""
    kind = labels.code("TypBord", bordereau.kind, bordereau.domain)
    over_it = signatures_over(around, f"bordereau {bordereau.xml_id}") if bordereau.xml_id else ()
    return BordereauRow(bordereau, kind, answers.of_bordereau(bordereau), over_it)


def signatures_over(around: Around, covered: str) -> tuple[Mapping[str, Any], ...]:
    """Return the verdicts on the signatures that cover something, as the report calls it."""
    return tuple(one for one in (around.report or {}).get("signatures", ()) if one.get("covers") == covered)


def piece_row(piece_: Piece, bordereau: Bordereau | None, answers: Answers) -> PieceRow:
    """Return a pièce of the list, or the one of the page."""
    domain = bordereau.domain if bordereau else None
    return PieceRow(
        piece_,
        bordereau,
        _KINDS.get(domain or "", "piece"),
        labels.code("TypPce", piece_.kind, domain),
        labels.code("NatPce", piece_.nature, domain),
        labels.code("EtatPce", piece_.more.get("EtatPce"), domain),
        answers.of_piece(bordereau, piece_.number),
    )


def line_row(line: Line, owner: Piece, bordereau: Bordereau | None, answers: Answers, around: Around) -> LineRow:
    """Return a line of a pièce."""
    values, plain = line.values, around.plain
    told = {name: text for name, text in values.items() if name not in _IN_COLUMNS}
    if not plain:
        told |= {name: masked(told[name]) for name in _SECRET & told.keys()}
    account = ".".join(text for name in ("Nature", "Fonction", "Operation") if (text := values.get(name)))
    label = " ".join(text for name in ("ObjLignePce", "LibVir1", "LibVir2") if (text := values.get(name)))
    return LineRow(
        line,
        bordereau.sign if bordereau is not None else 1,
        account,
        label,
        labels.code("ModRegl", values.get("ModRegl")),
        tuple(party(one, plain=plain) for one in line.third_parties),
        named(told, bordereau.domain if bordereau is not None else None),
        answers.of_line(bordereau, owner.number, values.get("IdLigne")),
    )


def named(values: Mapping[str, str], domain: str | None) -> tuple[tuple[str, str], ...]:
    """Return values with their names in words, those that are codes in words too, as a domain has them."""
    told = ((name, text) for name, text in values.items() if text and name not in _NOT_NAMED)
    return tuple((labels.field(name), labels.code(name, text, domain)) for name, text in told)


def document_row(attachment: Attachment, answers: Answers) -> DocumentRow:
    """Gather what is worth knowing of a supporting document (domain rules P01, P09)."""
    remarks = [attachment.packing] if attachment.packing != "gzip" else []
    if not agree(attachment.declared, attachment.media_type):
        remarks.append("other_type")
    if attachment.piece is None and not attachment.targets:
        remarks.append("loose")
    kind = labels.code("TypePJ", attachment.kind)
    return DocumentRow(attachment, kind, tuple(remarks), answers.of_document(attachment.unique_id))


def reference_row(reference: Reference, attachment: Attachment | None, answers: Answers) -> ReferenceRow:
    """Return a reference, with the document that it names where the flow holds it."""
    return ReferenceRow(
        reference,
        labels.code("TypePJ", reference.kind),
        labels.code("Support", reference.support),
        document_row(attachment, answers) if attachment else None,
    )
