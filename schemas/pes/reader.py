"""Reading a PES file into what rules, signatures and pages need. Schema-invalid and old files are read as far as they go.

One tree is built, and the text of an attachment (``Fichier``) is never copied out of it. Attachments are listed, not decoded;
acquits are read further in ``acquit.py``; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any

from lxml import etree

from schemas import xml
from schemas.pes.enclosed import EnclosedText, texts_of
from schemas.pes.encoding import Declaration, read_declaration
from schemas.pes.header import Header, header_of, read_header
from schemas.pes.roots import DS

__all__ = ["Attachment", "Bordereau", "Domain", "PesDocument", "read", "read_header"]

_DOMAINS = (
    ("depense", "PES_DepenseAller", "EnTeteDepense", "MtBordHT"),
    ("recette", "PES_RecetteAller", "EnTeteRecette", "MtBordHt"),
)
_TRUE, _FALSE = ("1", "true"), ("0", "false")  # xs:boolean, XML Schema part 2, 3.2.2
_LONGEST_AMOUNT = 40


@dataclass(frozen=True, slots=True)
class Bordereau:
    """One bordereau, what it declares and what was counted. Declared values that cannot be read are None.

    Attributes:
        domain: ``depense`` or ``recette``.
        id: the XML Id that a signature refers to.
        id_bord: its number; ``exer`` its year; ``typ_bord`` its kind; ``dte_bord_em`` its date: as written.
        nbr_pce: number of pièces that it declares.
        pieces: number of pièces found; ``lines`` number of lines found.
        mt_bord_ht: declared total without tax, euros; ``mt_bord_tva`` tax; ``mt_cumul_annuel`` running total of the year.
        signed: a ds:Signature stands directly in it.
        element: its place in the tree.
    """

    domain: str
    id: str | None
    id_bord: str | None
    exer: str | None
    typ_bord: str | None
    dte_bord_em: str | None
    nbr_pce: int | None
    pieces: int
    lines: int
    mt_bord_ht: Decimal | None
    mt_bord_tva: Decimal | None
    mt_cumul_annuel: Decimal | None
    signed: bool
    element: etree._Element = field(repr=False, compare=False)

    @property
    def numbers(self) -> Iterator[int]:
        """``IdPce`` of its pièces, as far as they are numbers."""
        for piece in self.element.iterchildren("Piece"):
            number = whole(value(piece, "BlocPiece/InfoPce/IdPce") or value(piece, "BlocPiece/IdPce"))
            if number is not None:
                yield number

    def as_json(self) -> dict[str, Any]:
        """Return the facts, amounts as strings."""
        names = ("domain", "id", "id_bord", "exer", "typ_bord", "dte_bord_em", "nbr_pce", "pieces", "lines", "signed")
        amounts = ("mt_bord_ht", "mt_bord_tva", "mt_cumul_annuel")
        return {name: getattr(self, name) for name in names} | {
            name: None if (amount := getattr(self, name)) is None else str(amount) for name in amounts
        }


@dataclass(frozen=True, slots=True)
class Domain:
    """One of the two domains that hold bordereaux.

    Attributes:
        name: ``depense`` or ``recette``.
        version: IdVer of its header, as written.
        dematerialised: InfoDematerialisee; None when absent or unreadable.
        bordereaux: in the order of the file.
        element: its place in the tree.
    """

    name: str
    version: str | None
    dematerialised: bool | None
    bordereaux: tuple[Bordereau, ...]
    element: etree._Element = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Attachment:
    """One supporting document of the flow, not decoded.

    Attributes:
        id_unique: its identifier.
        name: NomPJ, for display only, never a path.
        kind: TypePJ.
        mime_type: as declared.
        length: characters of the base64 text, line breaks included; None when they could not be counted.
        head: the first of them; None likewise.
        packing: see `schemas.pes.enclosed`; None likewise.
        element: its place in the tree.
    """

    id_unique: str | None
    name: str | None
    kind: str | None
    mime_type: str | None
    length: int | None
    head: str | None = field(repr=False)
    packing: str | None
    element: etree._Element = field(repr=False, compare=False)

    def as_json(self) -> dict[str, Any]:
        """Return the facts."""
        return {name: getattr(self, name) for name in ("id_unique", "name", "kind", "mime_type", "length")}


@dataclass(frozen=True)
class PesDocument:
    """A parsed PES.

    Attributes:
        path: the file.
        tree: the only tree built from it.
        header: envelope and header.
        declaration: declared encoding and byte order mark.
        size: bytes.
    """

    path: Path
    tree: etree._ElementTree = field(repr=False)
    header: Header
    declaration: Declaration
    size: int

    @property
    def root(self) -> etree._Element:
        """The root element."""
        return self.tree.getroot()

    @property
    def kind(self) -> str:
        """``pes-aller``, ``pes-acquit``, ``pes-retour``, ``pes-acquit-retour``, or ``unknown``."""
        return self.header.kind

    @property
    def globally_signed(self) -> bool:
        """A ds:Signature stands directly under the root."""
        return self.root.find(f"{{{DS}}}Signature") is not None

    @cached_property
    def domains(self) -> tuple[Domain, ...]:
        """Dépense and recette, those that are there."""
        return tuple(
            _domain(element, name, head, amount)
            for name, tag, head, amount in _DOMAINS
            for element in self.root.iterchildren(tag)
        )

    @property
    def bordereaux(self) -> tuple[Bordereau, ...]:
        """All bordereaux, in the order of the file."""
        return tuple(bordereau for domain in self.domains for bordereau in domain.bordereaux)

    @cached_property
    def attachments(self) -> tuple[Attachment, ...]:
        """All supporting documents, in the order of the file."""
        elements = self.root.findall("PES_PJ/PJ")
        latin = self.declaration.bom is None and (self.declaration.encoding or "").upper() == "ISO-8859-1"
        texts = texts_of(self.path, latin=latin) if elements else []
        known = len(texts) == len(elements)
        return tuple(_attachment(element, texts[rank] if known else None) for rank, element in enumerate(elements))

    @cached_property
    def kinds_of_attachments(self) -> dict[str | None, str | None]:
        """TypePJ of each supporting document by its identifier."""
        return {attachment.id_unique: attachment.kind for attachment in self.attachments}

    def facts(self) -> dict[str, Any]:
        """Return what was read, JSON values only: the facts of ``check --json``."""
        return {
            "size": self.size,
            "encoding": self.declaration.encoding,
            "header": self.header.as_json(),
            "dematerialised": {domain.name: domain.dematerialised for domain in self.domains},
            "globally_signed": self.globally_signed,
            "bordereaux": [bordereau.as_json() for bordereau in self.bordereaux],
            "attachments": [attachment.as_json() for attachment in self.attachments],
        }


def read(path: Path) -> PesDocument:
    """Read a PES file, valid or not.

    Raises:
        DoctypeRefused: a DOCTYPE is declared; TokenTooLong: something is longer than those who stream it may take.
        Malformed: not well-formed XML.
    """
    with path.open("rb") as stream:
        xml.refuse_long_tokens(stream)
    try:
        tree = xml.parse(path)
    except (LookupError, ValueError) as error:  # how expat says that it does not know an encoding
        raise xml.Malformed(1, str(error)) from error
    return PesDocument(
        path=path,
        tree=tree,
        header=header_of(tree.getroot()),
        declaration=read_declaration(path),
        size=path.stat().st_size,
    )


def value(element: etree._Element, path: str) -> str | None:
    """Return the V of a descendant, None when it is absent or blank."""
    found = element.find(path)
    text = "" if found is None else (found.get("V") or "").strip()
    return text or None


def flag(text: str | None) -> bool | None:
    """Read an xs:boolean, in its four spellings; None when it is none of them."""
    return True if text in _TRUE else False if text in _FALSE else None


def whole(text: str | None) -> int | None:
    """Read a whole number, leading zeros and sign allowed; None when it is none."""
    number = amount(text)
    return int(number) if number is not None and number == number.to_integral_value() else None


def amount(text: str | None) -> Decimal | None:
    """Read an xs:decimal of reasonable length; None when it is none."""
    if text is None or len(text) > _LONGEST_AMOUNT or not text.isascii() or text.strip("+-.0123456789"):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _domain(element: etree._Element, name: str, head: str, amount_tag: str) -> Domain:
    return Domain(
        name=name,
        version=value(element, f"{head}/IdVer"),
        dematerialised=flag(value(element, f"{head}/InfoDematerialisee")),
        bordereaux=tuple(_bordereau(child, name, amount_tag) for child in element.iterchildren("Bordereau")),
        element=element,
    )


def _bordereau(element: etree._Element, domain: str, amount_tag: str) -> Bordereau:
    def block(name: str) -> str | None:
        return value(element, f"BlocBordereau/{name}")

    return Bordereau(
        domain=domain,
        id=element.get("Id"),
        id_bord=block("IdBord"),
        exer=block("Exer"),
        typ_bord=block("TypBord"),
        dte_bord_em=block("DteBordEm"),
        nbr_pce=whole(block("NbrPce")),
        pieces=int(element.xpath("count(Piece)")),
        lines=int(element.xpath("count(Piece/LigneDePiece)")),
        mt_bord_ht=amount(block(amount_tag)),
        mt_bord_tva=amount(block("MtBordTVA")),
        mt_cumul_annuel=amount(block("MtCumulAnnuel")),
        signed=element.find(f"{{{DS}}}Signature") is not None,
        element=element,
    )


def _attachment(element: etree._Element, text: EnclosedText | None) -> Attachment:
    content = element.find("Contenu/Fichier")
    return Attachment(
        id_unique=value(element, "IdUnique"),
        name=value(element, "NomPJ"),
        kind=value(element, "TypePJ"),
        mime_type=None if content is None else content.get("MIMEType"),
        length=None if text is None else text.length,
        head=None if text is None else text.head,
        packing=None if text is None else text.packing,
        element=element,
    )
