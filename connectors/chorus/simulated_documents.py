"""The files of an invoice, made when they are downloaded: the pivot with its pieces, or what people read.

They look like those of the original as far as it is known, with invented parties; nobody should mistake them for invoices.
"""

from __future__ import annotations

import base64
import io
import random
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import IO
from xml.sax.saxutils import escape

import pikepdf

from connectors.chorus.simulated_store import Invoice
from connectors.chorus.simulated_world import World
from schemas.invoices.invoice import Invoice as Told
from schemas.invoices.parties import SIREN, SIRET, Identifier
from schemas.invoices.sample import BUYER, SELLER, sample
from schemas.invoices.writer import facturx_of

_BLOCK = 3 << 16  # whole groups of base64
_CENT = Decimal("0.01")
_IBAN = "FR7630001007941234567890185"


class Shape(StrEnum):
    """How the pieces of an invoice are made."""

    PDF = "pdf"
    """The invoice is a PDF, as it is."""
    ZIPPED = "zipped"
    """The invoice is a PDF in a ZIP of one file."""
    FACTURX = "facturx"
    """The invoice is a PDF that holds an XML."""
    WHOLE = "whole"
    """The same, of the profile EN 16931: with lines, as the reform asks."""
    XML = "xml"
    """The invoice is an XML; a supporting piece whose name begins with PJ00 is what people read."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of an invoice: 01 is the invoice itself, 02 supports it; ``octets`` yields blocks of whole groups of base64."""

    name: str
    role: str
    category: str
    media: str
    octets: Callable[[], Iterator[bytes]]


def write_pivot(invoices: Sequence[Invoice], world: World, moment: date, target: IO[bytes]) -> None:
    """Write a pivot that holds invoices and all their pieces."""
    target.write(
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n<CPPFacturePivot><Enveloppe><EnveloppeUnitaire><Parametres>'
            f'<ParametreIndiv NumOrdre="0001"><Code>DtPrd</Code><Valeurparametre>{moment}</Valeurparametre></ParametreIndiv>'
            f'<ParametreIndiv NumOrdre="0002"><Code>IdFlx</Code><Valeurparametre>CPP{invoices[0].id}</Valeurparametre>'
            "</ParametreIndiv></Parametres><Partenaires><Recepteur><Id>TABELLION</Id></Recepteur><Emetteur><Id>CPP</Id></Emetteur>"
            f'</Partenaires></EnveloppeUnitaire></Enveloppe><CPPFactures Compteur="{len(invoices)}">\n'
        ).encode()
    )
    for rank, invoice in enumerate(invoices, 1):
        target.write(f'<CPPFacturePivotUnitaire NumOrdre="{rank}">{_facts(invoice, world)}'.encode())
        for order, piece in enumerate(pieces_of(invoice, world), 1):
            target.write(f'<PJ NumOrdre="{order}"><Contenu>'.encode())
            for block in piece.octets():
                target.write(base64.b64encode(block))
            target.write(
                f"</Contenu><NomPJ>{escape(piece.name)}</NomPJ><CategoriePJ>{piece.category}</CategoriePJ>"
                f"<TypePJ>{piece.role}</TypePJ><MimeTypePJ>{piece.media}</MimeTypePJ>"
                f"<NomPJOrigine>{escape(piece.name)}</NomPJOrigine></PJ>\n".encode()
            )
        target.write(b"</CPPFacturePivotUnitaire>\n")
    target.write(b"</CPPFactures></CPPFacturePivot>\n")


def write_readable(invoices: Sequence[Invoice], world: World, target: IO[bytes], *, supporting: bool) -> None:
    """Write what people read: one PDF when one piece of one invoice is all there is, else a ZIP, a folder an invoice."""
    files = [(invoice, piece) for invoice in invoices for piece in _readable(invoice, world, supporting=supporting)]
    if len(files) == 1:
        for block in files[0][1].octets():
            target.write(block)
        return
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for invoice, piece in files:
            folder = f"{invoice.number}_{invoice.id}/" if len(invoices) > 1 else ""
            with archive.open(folder + piece.name, "w") as member:
                for block in piece.octets():
                    member.write(block)


def pieces_of(invoice: Invoice, world: World) -> list[Piece]:
    """Return the pieces of an invoice, itself first."""
    stem = f"Facture_{invoice.id}"
    paper = _paper(invoice, world)
    shape = Shape(invoice.shape)
    if shape is Shape.XML:
        made = [Piece(f"{stem}.xml", "01", "Facture XML", "application/xml", _whole(_data(invoice, world)))]
        readable = _zipped(f"PJ00_{stem}.pdf", paper)
        made.append(Piece(f"PJ00_{stem}.pdf", "02", "Facture PDF", "application/pdf", _whole(readable)))
    elif shape is Shape.FACTURX:
        mixed = _paper(invoice, world, _data(invoice, world))
        made = [Piece(f"{stem}.pdf", "01", "Facture PDF", "application/pdf", _whole(mixed))]
    elif shape is Shape.WHOLE:
        made = [Piece(f"{stem}.pdf", "01", "Facture PDF", "application/pdf", _whole(facturx_of(_told(invoice, world))))]
    else:
        octets = _zipped(f"{stem}.pdf", paper) if shape is Shape.ZIPPED else paper
        made = [Piece(f"{stem}.pdf", "01", "Facture PDF", "application/pdf", _whole(octets))]
    return made + [_supporting(invoice, rank, paper) for rank in range(1, invoice.pieces + 1)]


def _told(invoice: Invoice, world: World) -> Told:
    """Return what an invoice with two lines says."""
    body = world.body(invoice.body)
    desk = body.desk(invoice.desk) if body else None
    first = invoice.net * 3 // 5
    articles = (("Fournitures", first), ("Livraison et installation", invoice.net - first))
    siren, siret = invoice.supplier[:9], invoice.supplier
    buyer = replace(BUYER, name=body.name, identifiers=(Identifier(body.siret, SIRET),)) if body else BUYER
    return sample(
        tuple((name, Decimal(1), Decimal(cents) * _CENT, Decimal("20.00")) for name, cents in articles),
        number=invoice.number,
        type_code="381" if invoice.type == "AVOIR" else "380",
        issued=date.fromisoformat(invoice.issued),
        due=date.fromisoformat(invoice.issued) + timedelta(days=30),
        delivered=date.fromisoformat(invoice.issued),
        seller=replace(
            SELLER,
            name=invoice.supplier_name,
            legal_id=Identifier(siren, SIREN),
            identifiers=(Identifier(siret, SIRET),),
            vat=f"FR{(12 + 3 * (int(siren) % 97)) % 97:02}{siren}",
        ),
        buyer=buyer,
        buyer_reference=desk.code if desk else "",
        purchase_order=invoice.engagement,
        contract=invoice.market,
    )


def _supporting(invoice: Invoice, rank: int, paper: bytes) -> Piece:
    name = f"Bon_de_livraison_{rank}.pdf"
    plain = paper if rank % 2 else _zipped(name, paper)
    octets = _filling(invoice) if rank == 1 and invoice.weight else _whole(plain)
    return Piece(name, "02", "Bon de livraison", "application/pdf", octets)


def _readable(invoice: Invoice, world: World, *, supporting: bool) -> list[Piece]:
    paper = Piece(f"{invoice.number}.pdf".replace("/", "-"), "01", "Facture PDF", "", _whole(_paper(invoice, world)))
    return [paper, *(one for one in pieces_of(invoice, world)[1:] if supporting and not one.name.startswith("PJ00"))]


def _facts(invoice: Invoice, world: World) -> str:
    body = world.body(invoice.body)
    desk = body.desk(invoice.desk) if body else None
    service = f"<CodeService>{desk.code}</CodeService><NomService>{escape(desk.name)}</NomService>" if desk else ""
    engagement = f"<NumeroEngagement>{escape(invoice.engagement)}</NumeroEngagement>" if invoice.engagement else ""
    market = f"<NumeroMarche>{escape(invoice.market)}</NumeroMarche>" if invoice.market else ""
    net, gross = money(invoice.net), money(invoice.gross)
    return (
        f"<Fournisseur><TypeIdentifiant>1</TypeIdentifiant><Identifiant>{invoice.supplier}</Identifiant>"
        f"<RaisonSociale>{escape(invoice.supplier_name)}</RaisonSociale><CodePays>FR</CodePays>"
        f'<ReferenceBancaire Type="IBAN"><Compte>{_IBAN}</Compte></ReferenceBancaire>'
        "<ModeEmission>DEPOT_PDF_PORTAIL</ModeEmission></Fournisseur>"
        f"<Debiteur><TypeIdentifiant>1</TypeIdentifiant><Identifiant>{body.siret if body else ''}</Identifiant>"
        f"<Nom>{escape(body.name if body else '')}</Nom>{service}</Debiteur><DonneesFacture><Id>{escape(invoice.number)}</Id>"
        f"<IdCPRO>{invoice.id}</IdCPRO><Renvoi>Non</Renvoi><Type>{'381' if invoice.type == 'AVOIR' else '380'}</Type>"
        f"<Cadre>{invoice.frame}</Cadre><DateEmissionFacture>{invoice.issued}</DateEmissionFacture>"
        f"<DateReception>{invoice.deposited[:10]}</DateReception><ModePaiement><Code>30</Code><Libelle>VIREMENT</Libelle>"
        f"</ModePaiement><Devise>EUR</Devise><Montants><MontantHT>{net}</MontantHT><MontantTTC>{gross}</MontantTTC>"
        f"<MontantNetAPayer>{gross}</MontantNetAPayer></Montants><TVAs><TVA><Taux>20.00</Taux><BaseHt>{net}</BaseHt>"
        f"<MontantTVA>{money(invoice.gross - invoice.net)}</MontantTVA></TVA></TVAs>"
        f'<Engagement>{market}{engagement}</Engagement><Lignes><Ligne NumOrdre="1"><Description>Fournitures</Description>'
        f"<PrixUnitaire>{net}</PrixUnitaire><Quantite>1</Quantite><MontantHT>{net}</MontantHT><TauxTVA>20.00</TauxTVA></Ligne>"
        "</Lignes></DonneesFacture>"
    )


def _data(invoice: Invoice, world: World) -> bytes:
    """Return the data of the invoice as a Cross Industry Invoice of the smallest profile."""
    body = world.body(invoice.body)
    ram = "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" '
        f'xmlns:ram="{ram}" xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">'
        "<rsm:ExchangedDocumentContext><ram:BusinessProcessSpecifiedDocumentContextParameter><ram:ID>A1</ram:ID>"
        "</ram:BusinessProcessSpecifiedDocumentContextParameter><ram:GuidelineSpecifiedDocumentContextParameter>"
        "<ram:ID>urn:factur-x.eu:1p0:minimum</ram:ID></ram:GuidelineSpecifiedDocumentContextParameter>"
        f"</rsm:ExchangedDocumentContext><rsm:ExchangedDocument><ram:ID>{escape(invoice.number)}</ram:ID>"
        f"<ram:TypeCode>{'381' if invoice.type == 'AVOIR' else '380'}</ram:TypeCode><ram:IssueDateTime>"
        f'<udt:DateTimeString format="102">{invoice.issued.replace("-", "")}</udt:DateTimeString></ram:IssueDateTime>'
        "</rsm:ExchangedDocument><rsm:SupplyChainTradeTransaction><ram:ApplicableHeaderTradeAgreement>"
        f"<ram:SellerTradeParty><ram:Name>{escape(invoice.supplier_name)}</ram:Name><ram:SpecifiedLegalOrganization>"
        f'<ram:ID schemeID="0002">{invoice.supplier[:9]}</ram:ID></ram:SpecifiedLegalOrganization><ram:PostalTradeAddress>'
        "<ram:CountryID>FR</ram:CountryID></ram:PostalTradeAddress></ram:SellerTradeParty><ram:BuyerTradeParty>"
        f"<ram:Name>{escape(body.name if body else '')}</ram:Name><ram:SpecifiedLegalOrganization>"
        f'<ram:ID schemeID="0002">{body.siret if body else ""}</ram:ID></ram:SpecifiedLegalOrganization></ram:BuyerTradeParty>'
        "</ram:ApplicableHeaderTradeAgreement><ram:ApplicableHeaderTradeDelivery/><ram:ApplicableHeaderTradeSettlement>"
        "<ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode><ram:SpecifiedTradeSettlementHeaderMonetarySummation>"
        f"<ram:TaxBasisTotalAmount>{money(invoice.net)}</ram:TaxBasisTotalAmount>"
        f'<ram:TaxTotalAmount currencyID="EUR">{money(invoice.gross - invoice.net)}</ram:TaxTotalAmount>'
        f"<ram:GrandTotalAmount>{money(invoice.gross)}</ram:GrandTotalAmount>"
        f"<ram:DuePayableAmount>{money(invoice.gross)}</ram:DuePayableAmount>"
        "</ram:SpecifiedTradeSettlementHeaderMonetarySummation></ram:ApplicableHeaderTradeSettlement>"
        "</rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>\n"
    ).encode()


def _paper(invoice: Invoice, world: World, data: bytes | None = None) -> bytes:
    """Return a page of text, the same each time; with data, they are attached as Factur-X has it."""
    body = world.body(invoice.body)
    lines = (
        f"Facture {invoice.number}",
        f"De {invoice.supplier_name} ({invoice.supplier})",
        f"Pour {body.name if body else ''}",
        f"Total TTC : {money(invoice.gross)} EUR",
    )
    text = "".join(f"({_pdf(line)}) Tj T* " for line in lines)
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(595, 842))
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font,
        Subtype=pikepdf.Name.Type1,
        BaseFont=pikepdf.Name.Helvetica,
        Encoding=pikepdf.Name.WinAnsiEncoding,
    )
    page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=pdf.make_indirect(font)))
    page.Contents = pdf.make_stream(f"BT /F1 14 Tf 20 TL 60 760 Td {text}ET".encode("cp1252", "replace"))
    if data is not None:
        attached = pikepdf.AttachedFileSpec(
            pdf, data, filename="factur-x.xml", mime_type="text/xml", relationship=pikepdf.Name.Data
        )
        pdf.attachments["factur-x.xml"] = attached
        pdf.Root.AF = pikepdf.Array([attached.obj])
    made = io.BytesIO()
    pdf.save(made, deterministic_id=True)
    return made.getvalue()


def _pdf(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _zipped(name: str, octets: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), octets)
    return made.getvalue()


def _whole(octets: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter((octets,))


def _filling(invoice: Invoice) -> Callable[[], Iterator[bytes]]:
    """Return a large piece that nothing can compress, the same each time, never in memory at once."""

    def blocks() -> Iterator[bytes]:
        left, source = invoice.weight, random.Random(invoice.id)  # noqa: S311 - nothing secret
        while left > 0:
            yield source.randbytes(min(_BLOCK, left))
            left -= _BLOCK

    return blocks


def money(cents: int) -> str:
    """Return cents as an amount."""
    return str((Decimal(cents) * _CENT).quantize(_CENT))
