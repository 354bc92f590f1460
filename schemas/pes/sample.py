"""A sample PES Aller: expenses of an authority that does not exist, to suppliers that do not exist either.

The demonstration, the tests and the benchmarks send it. It satisfies the schema and the keys (SIRET, IBAN, RIB), and totals agree
with lines. It is written as a stream, so that a flow of 128 MB costs the memory of one chunk.
"""

from __future__ import annotations

import base64
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import quoteattr

from core.identifiers import luhn_holds
from schemas.pes.roots import ROOTS

_CHUNK = 1 << 18
_GZIP = 31
_VAT = Decimal("0.20")
_CENT = Decimal("0.01")
_SUPPLIERS = ("PAPETERIE DU LAVOIR", "GARAGE DES TROIS ORMES", "MENUISERIE BELLE-ÉPINE", "CANTINE & CIE")


@dataclass(frozen=True, slots=True)
class Authority:
    """Whose books the sample fills. The default one does not exist: no département has the number 99.

    Attributes:
        siret: of the budget.
        cod_col: code of the authority, three digits; ``cod_bud`` of the budget.
        id_post: codique of the accounting office.
        name: of the authority, at most 38 characters.
    """

    siret: str = "21990001600011"
    cod_col: str = "123"
    cod_bud: str = "00"
    id_post: str = "099012"
    name: str = "COMMUNE DE SAINT-EXEMPLE-LÈS-BAINS"


@dataclass(frozen=True, slots=True)
class Sample:
    """What the flow holds.

    Attributes:
        nom_fic: name of the flow, at most 100 characters; its uniqueness is the caller's business.
        authority: whose books.
        bordereaux: how many; ``pieces`` mandats in each; ``lines`` lines in each mandat.
        first_bordereau: number of the first one, the others follow.
        issued: date of issue, which gives the year too.
        dematerialised: InfoDematerialisee, that is: to be signed before it is sent.
        attachment_size: bytes of one attached PDF, before gzip and base64 (which make it a third larger); None for none.
    """

    nom_fic: str
    authority: Authority = field(default_factory=Authority)
    bordereaux: int = 1
    pieces: int = 1
    lines: int = 1
    first_bordereau: int = 101
    issued: date = date(2026, 3, 2)
    dematerialised: bool = True
    attachment_size: int | None = 2_000

    @property
    def id_unique(self) -> str:
        """Identifier of the attached document."""
        return f"{self.issued:%Y}{self.authority.cod_col}{self.first_bordereau:07d}PJ"


def write_sample(sample: Sample, path: Path) -> None:
    """Write the flow to a file, in ISO-8859-1; the same sample always gives the same bytes."""
    with path.open("w", encoding="iso-8859-1", errors="xmlcharrefreplace", newline="\n") as out:
        out.write('<?xml version="1.0" encoding="ISO-8859-1"?>\n')
        out.write(f'<n:PES_Aller xmlns:n="{ROOTS[0].namespace}" Id="PES{sample.first_bordereau}">\n')
        _write_header(out, sample)
        flag = "1" if sample.dematerialised else "0"
        out.write(f'<PES_DepenseAller>\n<EnTeteDepense><IdVer V="2"/><InfoDematerialisee V="{flag}"/></EnTeteDepense>\n')
        for rank in range(sample.bordereaux):
            _write_bordereau(out, sample, rank)
        out.write("</PES_DepenseAller>\n")
        if sample.attachment_size is not None:
            _write_attachment(out, sample, sample.attachment_size)
        out.write("</n:PES_Aller>\n")


def _write_header(out: TextIO, sample: Sample) -> None:
    authority = sample.authority
    out.write(
        f'<Enveloppe><Parametres><Version V="2"/><TypFic V="PESALR1"/><NomFic V={quoteattr(sample.nom_fic)}/></Parametres>'
        '<Emetteur><Sigle V="TABELLION"/><Adresse V="Exemple de flux"/></Emetteur></Enveloppe>\n'
        f'<EnTetePES><DteStr V="{sample.issued.isoformat()}"/><IdPost V="{authority.id_post}"/>'
        f'<IdColl V="{authority.siret}"/><CodCol V="{authority.cod_col}"/><CodBud V="{authority.cod_bud}"/>'
        f"<LibelleColBud V={quoteattr(authority.name)}/></EnTetePES>\n"
    )


def _write_bordereau(out: TextIO, sample: Sample, rank: int) -> None:
    number = sample.first_bordereau + rank
    first_piece = 1 + rank * sample.pieces
    amounts = [_price(piece, line) for piece in range(first_piece, first_piece + sample.pieces) for line in range(sample.lines)]
    total, tax = sum(amounts, Decimal(0)), sum(map(_tax, amounts), Decimal(0))
    out.write(
        f'<Bordereau Id="BRD{number}">\n<BlocBordereau><Exer V="{sample.issued.year}"/><IdBord V="{number}"/>'
        f'<DteBordEm V="{sample.issued.isoformat()}"/><TypBord V="01"/><NbrPce V="{sample.pieces}"/>'
        f'<MtCumulAnnuel V="{total + tax}"/><MtBordHT V="{total}"/><MtBordTVA V="{tax}"/></BlocBordereau>\n'
    )
    for piece in range(first_piece, first_piece + sample.pieces):
        _write_piece(out, sample, piece, of_the_attachment=piece == 1)
    out.write("</Bordereau>\n")


def _write_piece(out: TextIO, sample: Sample, number: int, *, of_the_attachment: bool) -> None:
    reference = ""
    if of_the_attachment and sample.attachment_size is not None:
        reference = f'<PJRef><Support V="01"/><IdUnique V="{sample.id_unique}"/><NomPJ V="facture.pdf"/><TypePJ V="003"/></PJRef>'
    out.write(
        f'<Piece><BlocPiece><InfoPce><IdPce V="{number}"/><TypPce V="01"/><NatPce V="01"/>'
        f'<Obj V="Fournitures de la mairie n° {number}"/>{reference}</InfoPce></BlocPiece>\n'
    )
    for line in range(sample.lines):
        _write_line(out, number, line)
    out.write("</Piece>\n")


def _write_line(out: TextIO, piece: int, line: int) -> None:
    rank = piece % len(_SUPPLIERS)
    supplier = quoteattr(_SUPPLIERS[rank])
    price = _price(piece, line)
    out.write(
        f'<LigneDePiece><BlocLignePiece><InfoLignePce><IdLigne V="{line + 1}"/><Nature V="60632"/>'
        f'<Facture V="F{piece}-{line + 1}"/><LibVir1 V="FACTURE F{piece}-{line + 1}"/><ModRegl V="03"/><TVAIntraCom V="0"/>'
        f'<MtHT V="{price}"/><MtTVA V="{_tax(price)}"/></InfoLignePce></BlocLignePiece>'
        f'<Tiers><InfoTiers><IdTiers V="{fictitious_siret(rank)}"/><NatIdTiers V="01"/><RefTiers V="T{rank + 1}"/>'
        f'<CatTiers V="60"/><NatJur V="03"/><Nom V={supplier}/></InfoTiers>'
        '<Adresse><TypAdr V="1"/><Adr2 V="1 RUE DE LA FICTION"/><CP V="99001"/><Ville V="SAINT-EXEMPLE"/>'
        '<CodRes V="0"/></Adresse>'
        f'<CpteBancaire><IBAN V="{fictitious_iban(rank)}"/><TitCpte V={supplier}/></CpteBancaire></Tiers></LigneDePiece>\n'
    )


def _write_attachment(out: TextIO, sample: Sample, size: int) -> None:
    out.write('<PES_PJ><EnTetePES_PJ><IdVer V="1"/></EnTetePES_PJ>\n<PJ><Contenu><Fichier MIMEType="application/pdf">')
    pending = b""
    for block in _gzipped(_pdf(size)):
        pending += block
        whole = len(pending) // 3 * 3
        out.write(base64.b64encode(pending[:whole]).decode("ascii"))
        pending = pending[whole:]
    out.write(base64.b64encode(pending).decode("ascii"))
    out.write(
        f'</Fichier></Contenu><IdUnique V="{sample.id_unique}"/><NomPJ V="facture.pdf"/><TypePJ V="003"/>'
        '<Description V="Facture"/></PJ>\n</PES_PJ>\n'
    )


def _pdf(size: int) -> Iterator[bytes]:
    """Yield a PDF of one blank page, filled up to the size with a stream that does not compress, as scans do not."""
    noise = random.Random(size)  # noqa: S311 - filler, and the same every time
    head = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n"
    )
    filler = max(0, size - len(head) - 100)
    yield head + b"4 0 obj<</Length %d>>stream\n" % filler
    for start in range(0, filler, _CHUNK):
        yield noise.randbytes(min(_CHUNK, filler - start))
    yield b"\nendstream endobj\ntrailer<</Root 1 0 R/Size 5>>\n%%EOF\n"


def _gzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=1, wbits=_GZIP)
    for block in blocks:
        yield packer.compress(block)
    yield packer.flush()


def _price(piece: int, line: int) -> Decimal:
    return Decimal(1_000 + (piece * 37 + line * 11) % 90_000) * _CENT


def _tax(price: Decimal) -> Decimal:
    return (price * _VAT).quantize(_CENT)


def fictitious_siret(rank: int) -> str:
    """Return a SIRET with a right key, of a SIREN that INSEE gives to nobody (it begins with 999)."""
    siren = _with_luhn_key(f"999{rank:05d}")
    return _with_luhn_key(f"{siren}0001")


def fictitious_iban(rank: int) -> str:
    """Return a French IBAN with right keys (RIB, then ISO 7064 mod 97-10), at the bank 99999, which does not exist."""
    account = f"{rank:011d}"
    rib = 97 - (89 * 99999 + 15 * 1 + 3 * int(account)) % 97
    bban = f"9999900001{account}{rib:02d}"
    digits = "".join(str(int(character, 36)) for character in f"{bban}FR00")
    return f"FR{98 - int(digits) % 97:02d}{bban}"


def _with_luhn_key(digits: str) -> str:
    return next(digits + key for key in "0123456789" if luhn_holds(digits + key))
