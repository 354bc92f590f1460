"""One invoice whatever the syntax: CII, UBL, pivot, mixte; and life-cycle messages."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.clock import PARIS
from schemas.invoices import cdar, cii, life_cycle, ubl
from schemas.invoices.chorus import NotChorus
from schemas.invoices.chorus import read as read_chorus
from schemas.invoices.cii_writing import cii_of
from schemas.invoices.facts import facts_of
from schemas.invoices.invoice import Allowance, Attachment, Invoice, Note, Payment, Period, Preceding, Syntax, Totals, Vat
from schemas.invoices.parties import SERVICE, SIREN, SIRET, Address, Contact, Identifier, Party
from schemas.invoices.sample import BUYER, SELLER, sample
from schemas.invoices.source import Source, read
from schemas.invoices.syntax import CDAR as CDAR_KIND
from schemas.invoices.syntax import INVOICE, PIVOT, kind_of_root
from schemas.invoices.values import Values
from tests.unit.schemas_invoices.documents import CDAR, PDF, UBL, facts, mixte, piece, pivot


def source_of(octets: bytes, folder: Path) -> Source:
    path = folder / "document.xml"
    path.write_bytes(octets)
    pieces = folder / "pieces"
    pieces.mkdir(exist_ok=True)
    return read(path, pieces)


VARIED: dict[str, dict[str, Any]] = {
    "plain": {},
    "credit": {"type_code": "381", "preceding": (Preceding("F2026-0100", date(2026, 9, 1)), Preceding("F2026-0101", None))},
    "parties": {
        "payee": Party(name="Affacturage du Lavoir", identifiers=(Identifier("990000176", SIREN),)),
        "representative": Party(name="Fiduciaire des Ormes", vat="FR26990000176", address=Address(country="FR")),
        "deliver_to": Party(
            name="École des Ormes", address=Address(("2 rue des Ormes", "Bâtiment B"), "99012", "Valmorin", "", "FR")
        ),
        "seller": Party(
            name="Papeterie du Lavoir",
            trading_name="Le Lavoir",
            legal_id=Identifier("990000127", SIREN),
            identifiers=(Identifier("99000012700011", SIRET), Identifier("CLIENT-7", "")),
            vat="FR73990000127",
            tax_id="LOCAL-1",
            legal_form="SARL au capital de 10 000 €",
            contact=Contact("Service clients", "+33 1 99 00 00 00", "clients@exemple.test"),
        ),
    },
    "sums": {
        "allowances": (
            Allowance(False, Decimal("10.00"), Decimal("100.00"), Decimal(10), "Remise", "95", "S", Decimal("20.00")),
            Allowance(True, Decimal("5.00"), reason="Port", category="S", rate=Decimal("20.00")),
        ),
        "vat": (Vat("E", Decimal("0.00"), Decimal("100.00"), Decimal("0.00"), "Article 261", "VATEX-EU-132"),),
        "totals": Totals(
            *map(Decimal, ("225.00", "10.00", "5.00", "220.00", "26.88", "27.00", "246.88", "46.88", "0.01", "200.01"))
        ),
        "vat_currency": "USD",
    },
    "references": {
        "period": Period(date(2026, 9, 1), date(2026, 9, 30)),
        "project": "P-1",
        "sales_order": "V-2",
        "receipt": "R-3",
        "despatch": "BL-4",
        "tender": "AO-5",
        "accounting": "60611",
        "terms": "30 jours",
        "attachments": (Attachment(reference="BC-6", description="BON_COMMANDE", uri="https://exemple.test/bc-6.pdf"),),
        "payments": (
            Payment("59", "Prélèvement", "FR7630006000011234567890189", "Le Lavoir", "AGRIFRPP", "REF-8", "MD-9", "FR76"),
        ),
    },
}


@pytest.mark.parametrize("changes", VARIED.values(), ids=VARIED)
def test_what_is_written_as_cii_is_read_as_it_was(changes: dict[str, Any], tmp_path: Path) -> None:
    invoice = sample(**changes)
    read_back, flaws = cii.read(source_of(cii_of(invoice), tmp_path))
    assert read_back == invoice
    assert flaws == []


def test_ubl_with_foreign_prefixes_gives_the_same_terms(tmp_path: Path) -> None:
    invoice, flaws = ubl.read(source_of(UBL.encode(), tmp_path))
    assert flaws == []
    assert (invoice.syntax, invoice.number, invoice.type_code, invoice.process) == (Syntax.UBL, "F2026-0187", "380", "S1")
    assert (invoice.issued, invoice.due, invoice.currency) == (date(2026, 10, 5), date(2026, 11, 4), "EUR")
    assert (invoice.buyer_reference, invoice.purchase_order, invoice.contract) == ("FINANCES", "ENG2026-0457", "M2026-012")
    assert invoice.notes == (Note("PMT", "Indemnité forfaitaire : 40 €."), Note("", "Merci de votre confiance."))
    seller = invoice.seller
    assert (seller.name, seller.trading_name, seller.siren, seller.siret) == (
        SELLER.name,
        "Le Lavoir",
        "990000127",
        "99000012700011",
    )
    assert (seller.vat, seller.electronic, seller.address) == (SELLER.vat, Identifier("990000127", "0225"), SELLER.address)
    assert (invoice.buyer.siret, invoice.buyer.siren) == (BUYER.siret, "219900016")
    assert invoice.totals == Totals(
        lines=Decimal(100), net=Decimal(100), vat=Decimal(20), gross=Decimal(120), payable=Decimal(120)
    )
    assert invoice.vat == (Vat("S", Decimal("20.00"), Decimal("100.00"), Decimal("20.00")),)
    assert invoice.payments == (Payment("30", "Virement", "FR7630006000011234567890189"),)
    assert invoice.preceding == (Preceding("F2026-0100", None),)
    assert invoice.attachments == (Attachment("BL-778", "BON_LIVRAISON", "bl.pdf", "application/pdf", piece=0),)
    (line,) = invoice.lines
    assert (line.name, line.quantity, line.unit, line.net_price, line.rate) == (
        "Ramettes de papier A4", Decimal(20), "C62", Decimal("5.00"), Decimal("20.00"),
    )  # fmt: skip


def test_a_credit_note_in_ubl_has_its_own_names(tmp_path: Path) -> None:
    text = (
        UBL.replace("i:Invoice", "i:CreditNote").replace("Invoice-2", "CreditNote-2").replace("a:InvoiceLine", "a:CreditNoteLine")
    )
    text = text.replace("b:InvoiceTypeCode>380", "b:CreditNoteTypeCode>381").replace("b:InvoiceTypeCode", "b:CreditNoteTypeCode")
    text = text.replace("b:InvoicedQuantity", "b:CreditedQuantity").replace("<b:DueDate>2026-11-04</b:DueDate>", "")
    text = text.replace("<a:PayeeFinancialAccount>", "<b:PaymentDueDate>2026-11-04</b:PaymentDueDate><a:PayeeFinancialAccount>")
    invoice_read, _ = ubl.read(source_of(text.encode(), tmp_path))
    assert (invoice_read.credit, invoice_read.due, len(invoice_read.lines)) == (True, date(2026, 11, 4), 1)
    assert invoice_read.lines[0].quantity == Decimal(20)


def read_pivot(octets: bytes, folder: Path) -> Any:
    path = folder / "pivot.xml"
    path.write_bytes(octets)
    pieces = folder / "pieces"
    pieces.mkdir()
    return read_chorus(path, pieces)


def test_a_pivot_holds_several_invoices_each_with_its_pieces(tmp_path: Path) -> None:
    first = facts(vat="TVAs", more="<IdCPRO>42</IdCPRO>") + piece(PDF) + piece(b"<a/>", "bon.xml", "02", "text/xml")
    second = piece(PDF, "AV.pdf") + facts(number="AV-9", kind="381", more="<IdFactureOrigine>F2026-0187</IdFactureOrigine>")
    file = read_pivot(pivot(first, second), tmp_path)
    assert (file.flow, file.produced, file.declared, len(file.source.pieces)) == ("FSO1117A_CPP001_42", date(2026, 10, 5), 2, 3)
    invoice, credit = file.invoices
    assert (invoice.syntax, invoice.number, invoice.process, invoice.chorus_id) == (Syntax.PIVOT, "F2026-0187", "A1", "42")
    assert (invoice.seller.siret, invoice.seller.siren, invoice.buyer.siret) == ("99000012700011", "990000127", "21990001600011")
    assert invoice.buyer.identifiers == (Identifier("21990001600011", SIRET), Identifier("FINANCES", SERVICE))
    assert (invoice.buyer_reference, invoice.purchase_order, invoice.contract) == ("FINANCES", "ENG2026-0457", "M2026-012")
    assert (invoice.totals.net, invoice.totals.gross, invoice.totals.payable) == (Decimal(100), Decimal(120), Decimal(120))
    assert invoice.vat == (Vat("", Decimal("20.00"), Decimal("100.00"), Decimal("20.00")),)
    assert [(one.name, one.role, one.piece) for one in invoice.attachments] == [("F2026-0187.pdf", "01", 0), ("bon.xml", "02", 1)]
    assert (credit.credit, credit.preceding) == (True, (Preceding("F2026-0187", None),))
    assert [one.piece for one in credit.attachments] == [2]
    assert [unit.rank for unit in file.units] == ["1", "2"]


def test_a_mixte_is_read_by_the_same_names(tmp_path: Path) -> None:
    (invoice,) = read_pivot(mixte(facts() + piece(PDF)), tmp_path).invoices
    assert (invoice.syntax, invoice.number, invoice.vat[0].amount) == (Syntax.MIXTE, "F2026-0187", Decimal("20.00"))


def test_what_is_no_file_of_chorus_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotChorus):
        read_pivot(b"<a/>", tmp_path)


def test_a_foreign_supplier_has_a_vat_number_and_no_siret(tmp_path: Path) -> None:
    octets = pivot(facts()).replace(
        b"<TypeIdentifiant>1</TypeIdentifiant><Identifiant>99000012700011",
        b"<TypeIdentifiant>2</TypeIdentifiant><Identifiant>BE0999999922",
    )
    seller = read_pivot(octets, tmp_path).invoices[0].seller
    assert (seller.vat, seller.siret, seller.siren) == ("BE0999999922", "", "")


def test_a_life_cycle_message_says_what_became_of_the_invoice(tmp_path: Path) -> None:
    message, flaws = cdar.read(source_of(CDAR.encode(), tmp_path))
    assert flaws == []
    assert (message.phase, message.process, message.guideline) == (
        life_cycle.TREATMENT,
        "REGULATED",
        "urn.cpro.gouv.fr:1p0:CDV:invoice",
    )
    assert message.issued == datetime(2026, 10, 7, 9, 30, tzinfo=PARIS)
    assert message.sender is not None and message.issuer is not None
    assert (message.sender.role, message.issuer.id) == ("BY", Identifier("219900016", SIREN))
    assert [actor.electronic for actor in message.recipients] == [Identifier("990000127", "0225")]
    (status,) = message.statuses
    assert (status.number, status.code, status.untdid, status.issued) == ("F2026-0187", "210", "50", date(2026, 10, 5))
    assert status.seller == Identifier("990000127", SIREN)
    assert [(reason.code, reason.text) for reason in status.reasons] == [("CMD_ERR", "Engagement inconnu")]


def test_values_that_cannot_be_read_are_absent_and_told(tmp_path: Path) -> None:
    octets = cii_of(sample()).replace(b">20261005<", b">20261345<").replace(b">251.88</ram:Grand", b">1E9</ram:Grand")
    invoice, flaws = cii.read(source_of(octets, tmp_path))
    assert (invoice.issued, invoice.totals.gross) == (None, None)
    assert [(flaw.kind, flaw.found) for flaw in flaws] == [("date", "20261345"), ("amount", "1E9")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", "12"),
        ("-0.5", "-0.5"),
        ("+1.", "1"),
        (".5", "0.5"),
        (" 7 ", "7"),
        ("1,5", None),
        ("1E2", None),
        ("NaN", None),
        ("٣", None),
    ],
)
def test_amounts_are_decimals_of_xml(text: str, value: str | None, tmp_path: Path) -> None:
    tree = source_of(f"<a><b>{text}</b></a>".encode(), tmp_path).tree
    assert Values({}).amount(tree.getroot(), "b") == (None if value is None else Decimal(value))


@pytest.mark.parametrize(
    ("party", "siren", "siret"),
    [
        (Party(), "", ""),
        (Party(legal_id=Identifier("990000127", SIREN)), "990000127", ""),
        (Party(legal_id=Identifier("99000012700011", SIRET)), "990000127", "99000012700011"),
        (
            Party(legal_id=Identifier("HRB 123", "0060"), identifiers=(Identifier("99000012700011", SIRET),)),
            "990000127",
            "99000012700011",
        ),
        (Party(identifiers=(Identifier("990000127", "0088"),)), "", ""),
    ],
    ids=["nobody", "siren", "siret", "elsewhere", "other"],
)
def test_a_siren_and_a_siret_are_told_by_their_schemes(party: Party, siren: str, siret: str) -> None:
    assert (party.siren, party.siret) == (siren, siret)


def test_facts_are_json_and_say_nothing_personal() -> None:
    invoice: Invoice = sample(**VARIED["parties"])
    told = facts_of(invoice, [])
    assert (told["number"], told["issued"], told["gross"]) == ("F2026-0187", "2026-10-05", "251.88")
    assert "clients@exemple.test" not in str(told)
    assert "FR7630006000011234567890189" not in str(told)


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        (cii.ROOT, INVOICE),
        (ubl.INVOICE, INVOICE),
        (ubl.CREDIT_NOTE, INVOICE),
        ("{urn:ferd:CrossIndustryDocument:invoice:1p0}CrossIndustryDocument", INVOICE),
        ("CPPFacturePivot", PIVOT),
        ("{http://chorus-factures.budget.gouv.fr/facture}CPPFactureMixte", PIVOT),
        (
            "{urn:un:unece:uncefact:data:standard:CrossDomainAcknowledgementAndResponse:100}CrossDomainAcknowledgementAndResponse",
            CDAR_KIND,
        ),
        ("Invoice", None),
        ("", None),
    ],
)
def test_a_document_is_recognised_by_its_root_never_by_its_prefix(tag: str, kind: str | None) -> None:
    assert kind_of_root(tag) == kind
