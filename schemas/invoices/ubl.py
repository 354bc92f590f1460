"""Reading an invoice or a credit note in UBL 2.1 (OASIS); notes of the French reform bear their subject in front: ``#PMT#…``.

Where each term stands: EN 16931-3-2, syntax binding to UBL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from lxml import etree

from schemas.invoices.invoice import Allowance, Attachment, Invoice, Line, Note, Payment, Period, Preceding, Syntax, Totals, Vat
from schemas.invoices.parties import Address, Contact, Party
from schemas.invoices.source import Source
from schemas.invoices.values import Flaw, Values, joined, period

INVOICE = "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice"
CREDIT_NOTE = "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote"
NAMESPACES = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}
PROFILE = "cbc:CustomizationID"
"""Where BT-24 stands."""

_NOTE = re.compile(r"#([A-Z]{3})#(.*)", re.DOTALL)
_PROJECT, _OBJECT = "50", "130"  # type codes of documents that are no supporting documents (BT-11 of a credit note, BT-18)
_VAT = "VAT"


def read(source: Source) -> tuple[Invoice, list[Flaw]]:
    """Return the invoice and the values that could not be read."""
    reader = _Reader(source)
    return reader.invoice(), reader.values.flaws


class _Reader:
    def __init__(self, source: Source) -> None:
        self.values = Values(NAMESPACES)
        self._source = source
        self._root = source.tree.getroot()
        self._credit = self._root.tag == CREDIT_NOTE

    def invoice(self) -> Invoice:
        values, root = self.values, self._root
        delivery = values.one(root, "cac:Delivery")
        currency = values.text(root, "cbc:DocumentCurrencyCode")
        return Invoice(
            syntax=Syntax.UBL,
            profile=values.text(root, PROFILE),
            process=values.text(root, "cbc:ProfileID"),
            number=values.text(root, "cbc:ID"),
            type_code=values.text(root, "cbc:CreditNoteTypeCode" if self._credit else "cbc:InvoiceTypeCode"),
            issued=values.day(root, "cbc:IssueDate"),
            due=self._due(),
            delivered=values.day(delivery, "cbc:ActualDeliveryDate"),
            period=self._period(root),
            currency=currency,
            vat_currency=values.text(root, "cbc:TaxCurrencyCode"),
            seller=self._party("cac:AccountingSupplierParty/cac:Party") or Party(),
            buyer=self._party("cac:AccountingCustomerParty/cac:Party") or Party(),
            payee=self._party("cac:PayeeParty"),
            representative=self._party("cac:TaxRepresentativeParty"),
            deliver_to=self._place(delivery),
            buyer_reference=values.text(root, "cbc:BuyerReference"),
            purchase_order=values.text(root, "cac:OrderReference/cbc:ID"),
            contract=values.text(root, "cac:ContractDocumentReference/cbc:ID"),
            project=values.text(root, "cac:ProjectReference/cbc:ID") or self._project(),
            sales_order=values.text(root, "cac:OrderReference/cbc:SalesOrderID"),
            receipt=values.text(root, "cac:ReceiptDocumentReference/cbc:ID"),
            despatch=values.text(root, "cac:DespatchDocumentReference/cbc:ID"),
            tender=values.text(root, "cac:OriginatorDocumentReference/cbc:ID"),
            accounting=values.text(root, "cbc:AccountingCost"),
            terms=values.text(root, "cac:PaymentTerms/cbc:Note"),
            notes=tuple(_note((note.text or "").strip()) for note in values.every(root, "cbc:Note")),
            lines=tuple(map(self._line, values.every(root, "cac:CreditNoteLine" if self._credit else "cac:InvoiceLine"))),
            allowances=self._allowances(root),
            vat=tuple(map(self._vat, values.every(root, "cac:TaxTotal/cac:TaxSubtotal"))),
            totals=self._totals(currency),
            payments=tuple(map(self._payment, values.every(root, "cac:PaymentMeans"))),
            preceding=tuple(map(self._preceding, values.every(root, "cac:BillingReference/cac:InvoiceDocumentReference"))),
            attachments=tuple(self._attachment(one) for code, one in self._documents() if code not in {_PROJECT, _OBJECT}),
        )

    def _due(self) -> date | None:
        return self.values.day(self._root, "cac:PaymentMeans/cbc:PaymentDueDate" if self._credit else "cbc:DueDate")

    def _period(self, element: etree._Element) -> Period | None:
        found = self.values.one(element, "cac:InvoicePeriod")
        return period(self.values.day(found, "cbc:StartDate"), self.values.day(found, "cbc:EndDate"))

    def _party(self, path: str) -> Party | None:
        values, party = self.values, self.values.one(self._root, path)
        if party is None:
            return None
        trading = values.text(party, "cac:PartyName/cbc:Name")
        name = values.text(party, "cac:PartyLegalEntity/cbc:RegistrationName")
        vat, tax_id = self._registrations(party)
        return Party(
            name=name or trading,
            trading_name=trading if name else "",
            legal_id=values.identifier(party, "cac:PartyLegalEntity/cbc:CompanyID"),
            identifiers=values.identifiers(party, "cac:PartyIdentification/cbc:ID"),
            vat=vat,
            tax_id=tax_id,
            address=self._address(values.one(party, "cac:PostalAddress")),
            electronic=values.identifier(party, "cbc:EndpointID"),
            legal_form=values.text(party, "cac:PartyLegalEntity/cbc:CompanyLegalForm"),
            contact=self._contact(values.one(party, "cac:Contact")),
        )

    def _registrations(self, party: etree._Element) -> tuple[str, str]:
        vat = other = ""
        for scheme in self.values.every(party, "cac:PartyTaxScheme"):
            value = self.values.text(scheme, "cbc:CompanyID")
            if self.values.text(scheme, "cac:TaxScheme/cbc:ID") == _VAT:
                vat = vat or value
            else:
                other = other or value
        return vat, other

    def _address(self, address: etree._Element | None) -> Address:
        values = self.values
        lines = ("cbc:StreetName", "cbc:AdditionalStreetName", "cac:AddressLine/cbc:Line")
        return Address(
            lines=joined(*(values.text(address, line) for line in lines)),
            postcode=values.text(address, "cbc:PostalZone"),
            city=values.text(address, "cbc:CityName"),
            subdivision=values.text(address, "cbc:CountrySubentity"),
            country=values.text(address, "cac:Country/cbc:IdentificationCode"),
        )

    def _contact(self, contact: etree._Element | None) -> Contact | None:
        if contact is None:
            return None
        return Contact(*(self.values.text(contact, f"cbc:{name}") for name in ("Name", "Telephone", "ElectronicMail")))

    def _place(self, delivery: etree._Element | None) -> Party | None:
        values, location = self.values, self.values.one(delivery, "cac:DeliveryLocation")
        name = values.text(delivery, "cac:DeliveryParty/cac:PartyName/cbc:Name")
        if location is None and not name:
            return None
        address = self._address(values.one(location, "cac:Address"))
        return Party(name=name, identifiers=values.identifiers(location, "cbc:ID"), address=address)

    def _line(self, line: etree._Element) -> Line:
        values = self.values
        item, price = values.one(line, "cac:Item"), values.one(line, "cac:Price")
        quantity = values.one(line, "cbc:CreditedQuantity" if self._credit else "cbc:InvoicedQuantity")
        return Line(
            id=values.text(line, "cbc:ID"),
            name=values.text(item, "cbc:Name"),
            description=values.text(item, "cbc:Description"),
            note=values.text(line, "cbc:Note"),
            reference=values.text(item, "cac:SellersItemIdentification/cbc:ID"),
            buyer_reference=values.text(item, "cac:BuyersItemIdentification/cbc:ID"),
            order_line=values.text(line, "cac:OrderLineReference/cbc:LineID"),
            accounting=values.text(line, "cbc:AccountingCost"),
            quantity=None if quantity is None else values.number(quantity),
            unit="" if quantity is None else quantity.get("unitCode", ""),
            net_price=values.amount(price, "cbc:PriceAmount"),
            gross_price=values.amount(price, "cac:AllowanceCharge/cbc:BaseAmount"),
            price_quantity=values.amount(price, "cbc:BaseQuantity"),
            net_amount=values.amount(line, "cbc:LineExtensionAmount"),
            category=values.text(item, "cac:ClassifiedTaxCategory/cbc:ID"),
            rate=values.amount(item, "cac:ClassifiedTaxCategory/cbc:Percent"),
            period=self._period(line),
            allowances=self._allowances(line),
        )

    def _allowances(self, above: etree._Element) -> tuple[Allowance, ...]:
        values = self.values
        return tuple(
            Allowance(
                charge=values.truth(one, "cbc:ChargeIndicator"),
                amount=values.amount(one, "cbc:Amount"),
                base=values.amount(one, "cbc:BaseAmount"),
                percent=values.amount(one, "cbc:MultiplierFactorNumeric"),
                reason=values.text(one, "cbc:AllowanceChargeReason"),
                reason_code=values.text(one, "cbc:AllowanceChargeReasonCode"),
                category=values.text(one, "cac:TaxCategory/cbc:ID"),
                rate=values.amount(one, "cac:TaxCategory/cbc:Percent"),
            )
            for one in values.every(above, "cac:AllowanceCharge")
        )

    def _vat(self, subtotal: etree._Element) -> Vat:
        values, category = self.values, self.values.one(subtotal, "cac:TaxCategory")
        return Vat(
            category=values.text(category, "cbc:ID"),
            rate=values.amount(category, "cbc:Percent"),
            base=values.amount(subtotal, "cbc:TaxableAmount"),
            amount=values.amount(subtotal, "cbc:TaxAmount"),
            exemption=values.text(category, "cbc:TaxExemptionReason"),
            exemption_code=values.text(category, "cbc:TaxExemptionReasonCode"),
        )

    def _totals(self, currency: str) -> Totals:
        values = self.values
        sums = values.one(self._root, "cac:LegalMonetaryTotal")
        taxes: dict[str, Decimal | None] = {
            tax.get("currencyID", currency): values.number(tax) for tax in values.every(self._root, "cac:TaxTotal/cbc:TaxAmount")
        }
        vat = taxes.pop(currency, None)
        return Totals(
            lines=values.amount(sums, "cbc:LineExtensionAmount"),
            allowances=values.amount(sums, "cbc:AllowanceTotalAmount"),
            charges=values.amount(sums, "cbc:ChargeTotalAmount"),
            net=values.amount(sums, "cbc:TaxExclusiveAmount"),
            vat=vat,
            vat_accounting=next(iter(taxes.values()), None),
            gross=values.amount(sums, "cbc:TaxInclusiveAmount"),
            paid=values.amount(sums, "cbc:PrepaidAmount"),
            rounding=values.amount(sums, "cbc:PayableRoundingAmount"),
            payable=values.amount(sums, "cbc:PayableAmount"),
        )

    def _payment(self, means: etree._Element) -> Payment:
        values, account = self.values, self.values.one(means, "cac:PayeeFinancialAccount")
        code = values.one(means, "cbc:PaymentMeansCode")
        return Payment(
            code=values.text(means, "cbc:PaymentMeansCode"),
            text="" if code is None else code.get("name", ""),
            iban=values.text(account, "cbc:ID"),
            holder=values.text(account, "cbc:Name"),
            bic=values.text(account, "cac:FinancialInstitutionBranch/cbc:ID"),
            reference=values.text(means, "cbc:PaymentID"),
            mandate=values.text(means, "cac:PaymentMandate/cbc:ID"),
            debited=values.text(means, "cac:PaymentMandate/cac:PayerFinancialAccount/cbc:ID"),
        )

    def _preceding(self, document: etree._Element) -> Preceding:
        return Preceding(self.values.text(document, "cbc:ID"), self.values.day(document, "cbc:IssueDate"))

    def _documents(self) -> Iterable[tuple[str, etree._Element]]:
        found = self.values.every(self._root, "cac:AdditionalDocumentReference")
        return [(self.values.text(one, "cbc:DocumentTypeCode"), one) for one in found]

    def _project(self) -> str:
        return next((self.values.text(one, "cbc:ID") for code, one in self._documents() if code == _PROJECT), "")

    def _attachment(self, document: etree._Element) -> Attachment:
        values = self.values
        content = values.one(document, "cac:Attachment/cbc:EmbeddedDocumentBinaryObject")
        return Attachment(
            reference=values.text(document, "cbc:ID"),
            description=values.text(document, "cbc:DocumentDescription"),
            name="" if content is None else content.get("filename", ""),
            declared="" if content is None else content.get("mimeCode", ""),
            uri=values.text(document, "cac:Attachment/cac:ExternalReference/cbc:URI"),
            piece=None if content is None else self._source.rank(content),
        )


def _note(text: str) -> Note:
    marked = _NOTE.fullmatch(text)
    return Note(marked.group(1), marked.group(2).strip()) if marked else Note("", text)
