"""Reading an invoice in CII (UN/CEFACT Cross Industry Invoice D16B to D22B), the XML of a Factur-X included.

Where each term stands: EN 16931-3-3, syntax binding to CII.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from lxml import etree

from schemas.invoices.invoice import Allowance, Attachment, Invoice, Line, Note, Payment, Period, Preceding, Syntax, Totals, Vat
from schemas.invoices.parties import Address, Contact, Party
from schemas.invoices.source import Source
from schemas.invoices.values import Flaw, Values, joined, period

ROOT = "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}CrossIndustryInvoice"
NAMESPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
}
PROFILE = "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID"
"""Where BT-24 stands."""

_PROCESS = "rsm:ExchangedDocumentContext/ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID"
_DAY = "%Y%m%d"  # format 102
_MOMENT = "udt:DateTimeString"
_TENDER, _OBJECT = "50", "130"  # type codes of documents that are no supporting documents (BT-17, BT-18)


def read(source: Source) -> tuple[Invoice, list[Flaw]]:
    """Return the invoice and the values that could not be read."""
    reader = _Reader(source)
    return reader.invoice(), reader.values.flaws


class _Reader:
    def __init__(self, source: Source) -> None:
        self.values = Values(NAMESPACES)
        self._source = source
        self._root = source.tree.getroot()
        trade = self.values.one(self._root, "rsm:SupplyChainTradeTransaction")
        self._trade = trade
        self._agreement = self.values.one(trade, "ram:ApplicableHeaderTradeAgreement")
        self._delivery = self.values.one(trade, "ram:ApplicableHeaderTradeDelivery")
        self._settlement = self.values.one(trade, "ram:ApplicableHeaderTradeSettlement")

    def invoice(self) -> Invoice:
        values, agreement, delivery, settlement = self.values, self._agreement, self._delivery, self._settlement
        document = values.one(self._root, "rsm:ExchangedDocument")
        terms = values.one(settlement, "ram:SpecifiedTradePaymentTerms")
        currency = values.text(settlement, "ram:InvoiceCurrencyCode")
        return Invoice(
            syntax=Syntax.CII,
            profile=values.text(self._root, PROFILE),
            process=values.text(self._root, _PROCESS),
            number=values.text(document, "ram:ID"),
            type_code=values.text(document, "ram:TypeCode"),
            issued=self._day(document, "ram:IssueDateTime"),
            due=next(
                (day for each in values.every(settlement, "ram:SpecifiedTradePaymentTerms") if (day := self._due(each))), None
            ),
            delivered=self._day(delivery, "ram:ActualDeliverySupplyChainEvent/ram:OccurrenceDateTime"),
            period=self._period(settlement),
            currency=currency,
            vat_currency=values.text(settlement, "ram:TaxCurrencyCode"),
            seller=self._party(agreement, "ram:SellerTradeParty") or Party(),
            buyer=self._party(agreement, "ram:BuyerTradeParty") or Party(),
            payee=self._party(settlement, "ram:PayeeTradeParty"),
            representative=self._party(agreement, "ram:SellerTaxRepresentativeTradeParty"),
            deliver_to=self._party(delivery, "ram:ShipToTradeParty"),
            buyer_reference=values.text(agreement, "ram:BuyerReference"),
            purchase_order=values.text(agreement, "ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID"),
            contract=values.text(agreement, "ram:ContractReferencedDocument/ram:IssuerAssignedID"),
            project=values.text(agreement, "ram:SpecifiedProcuringProject/ram:ID"),
            sales_order=values.text(agreement, "ram:SellerOrderReferencedDocument/ram:IssuerAssignedID"),
            receipt=values.text(delivery, "ram:ReceivingAdviceReferencedDocument/ram:IssuerAssignedID"),
            despatch=values.text(delivery, "ram:DespatchAdviceReferencedDocument/ram:IssuerAssignedID"),
            tender=next((values.text(one, "ram:IssuerAssignedID") for one in self._documents(_TENDER)), ""),
            accounting=values.text(settlement, "ram:ReceivableSpecifiedTradeAccountingAccount/ram:ID"),
            terms=values.text(terms, "ram:Description"),
            notes=tuple(
                Note(values.text(note, "ram:SubjectCode"), values.text(note, "ram:Content"))
                for note in values.every(document, "ram:IncludedNote")
            ),
            lines=tuple(self._line(line) for line in values.every(self._trade, "ram:IncludedSupplyChainTradeLineItem")),
            allowances=self._allowances(settlement),
            vat=tuple(self._vat(tax) for tax in values.every(settlement, "ram:ApplicableTradeTax")),
            totals=self._totals(currency),
            payments=self._payments(terms),
            preceding=tuple(self._preceding(one) for one in values.every(settlement, "ram:InvoiceReferencedDocument")),
            attachments=tuple(self._attachment(one) for one in self._documents()),
        )

    def _day(self, element: etree._Element | None, path: str, moment: str = _MOMENT) -> date | None:
        return self.values.day(element, f"{path}/{moment}", _DAY)

    def _due(self, terms: etree._Element) -> date | None:
        return self._day(terms, "ram:DueDateDateTime")

    def _period(self, settlement: etree._Element | None) -> Period | None:
        found = self.values.one(settlement, "ram:BillingSpecifiedPeriod")
        return period(self._day(found, "ram:StartDateTime"), self._day(found, "ram:EndDateTime"))

    def _party(self, above: etree._Element | None, path: str) -> Party | None:
        values, party = self.values, self.values.one(above, path)
        if party is None:
            return None
        registered = {(one.scheme or "VA"): one.value for one in values.identifiers(party, "ram:SpecifiedTaxRegistration/ram:ID")}
        return Party(
            name=values.text(party, "ram:Name"),
            trading_name=values.text(party, "ram:SpecifiedLegalOrganization/ram:TradingBusinessName"),
            legal_id=values.identifier(party, "ram:SpecifiedLegalOrganization/ram:ID"),
            identifiers=values.identifiers(party, "ram:GlobalID", "ram:ID"),
            vat=registered.get("VA", ""),
            tax_id=registered.get("FC", ""),
            address=self._address(values.one(party, "ram:PostalTradeAddress")),
            electronic=values.identifier(party, "ram:URIUniversalCommunication/ram:URIID"),
            legal_form=values.text(party, "ram:Description"),
            contact=self._contact(values.one(party, "ram:DefinedTradeContact")),
        )

    def _address(self, address: etree._Element | None) -> Address:
        values = self.values
        return Address(
            lines=joined(*(values.text(address, f"ram:Line{rank}") for rank in ("One", "Two", "Three"))),
            postcode=values.text(address, "ram:PostcodeCode"),
            city=values.text(address, "ram:CityName"),
            subdivision=values.text(address, "ram:CountrySubDivisionName"),
            country=values.text(address, "ram:CountryID"),
        )

    def _contact(self, contact: etree._Element | None) -> Contact | None:
        if contact is None:
            return None
        values = self.values
        return Contact(
            name=values.text(contact, "ram:PersonName") or values.text(contact, "ram:DepartmentName"),
            phone=values.text(contact, "ram:TelephoneUniversalCommunication/ram:CompleteNumber"),
            email=values.text(contact, "ram:EmailURIUniversalCommunication/ram:URIID"),
        )

    def _line(self, line: etree._Element) -> Line:
        values = self.values
        document = values.one(line, "ram:AssociatedDocumentLineDocument")
        product = values.one(line, "ram:SpecifiedTradeProduct")
        agreement = values.one(line, "ram:SpecifiedLineTradeAgreement")
        settlement = values.one(line, "ram:SpecifiedLineTradeSettlement")
        net = values.one(agreement, "ram:NetPriceProductTradePrice")
        gross = values.one(agreement, "ram:GrossPriceProductTradePrice")
        quantity = values.one(line, "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity")
        return Line(
            id=values.text(document, "ram:LineID"),
            name=values.text(product, "ram:Name"),
            description=values.text(product, "ram:Description"),
            note=values.text(document, "ram:IncludedNote/ram:Content"),
            reference=values.text(product, "ram:SellerAssignedID"),
            buyer_reference=values.text(product, "ram:BuyerAssignedID"),
            order_line=values.text(agreement, "ram:BuyerOrderReferencedDocument/ram:LineID"),
            accounting=values.text(settlement, "ram:ReceivableSpecifiedTradeAccountingAccount/ram:ID"),
            quantity=None if quantity is None else values.number(quantity),
            unit="" if quantity is None else quantity.get("unitCode", ""),
            net_price=values.amount(net, "ram:ChargeAmount"),
            gross_price=values.amount(gross, "ram:ChargeAmount"),
            price_quantity=values.amount(net, "ram:BasisQuantity") or values.amount(gross, "ram:BasisQuantity"),
            net_amount=values.amount(settlement, "ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount"),
            category=values.text(settlement, "ram:ApplicableTradeTax/ram:CategoryCode"),
            rate=values.amount(settlement, "ram:ApplicableTradeTax/ram:RateApplicablePercent"),
            period=self._period(settlement),
            allowances=self._allowances(settlement),
        )

    def _allowances(self, settlement: etree._Element | None) -> tuple[Allowance, ...]:
        values = self.values
        return tuple(
            Allowance(
                charge=values.truth(one, "ram:ChargeIndicator/udt:Indicator"),
                amount=values.amount(one, "ram:ActualAmount"),
                base=values.amount(one, "ram:BasisAmount"),
                percent=values.amount(one, "ram:CalculationPercent"),
                reason=values.text(one, "ram:Reason"),
                reason_code=values.text(one, "ram:ReasonCode"),
                category=values.text(one, "ram:CategoryTradeTax/ram:CategoryCode"),
                rate=values.amount(one, "ram:CategoryTradeTax/ram:RateApplicablePercent"),
            )
            for one in values.every(settlement, "ram:SpecifiedTradeAllowanceCharge")
        )

    def _vat(self, tax: etree._Element) -> Vat:
        values = self.values
        return Vat(
            category=values.text(tax, "ram:CategoryCode"),
            rate=values.amount(tax, "ram:RateApplicablePercent"),
            base=values.amount(tax, "ram:BasisAmount"),
            amount=values.amount(tax, "ram:CalculatedAmount"),
            exemption=values.text(tax, "ram:ExemptionReason"),
            exemption_code=values.text(tax, "ram:ExemptionReasonCode"),
        )

    def _totals(self, currency: str) -> Totals:
        values = self.values
        sums = values.one(self._settlement, "ram:SpecifiedTradeSettlementHeaderMonetarySummation")
        taxes: dict[str, Decimal | None] = {
            tax.get("currencyID", currency): values.number(tax) for tax in values.every(sums, "ram:TaxTotalAmount")
        }
        vat = taxes.pop(currency, None)
        return Totals(
            lines=values.amount(sums, "ram:LineTotalAmount"),
            allowances=values.amount(sums, "ram:AllowanceTotalAmount"),
            charges=values.amount(sums, "ram:ChargeTotalAmount"),
            net=values.amount(sums, "ram:TaxBasisTotalAmount"),
            vat=vat,
            vat_accounting=next(iter(taxes.values()), None),
            gross=values.amount(sums, "ram:GrandTotalAmount"),
            paid=values.amount(sums, "ram:TotalPrepaidAmount"),
            rounding=values.amount(sums, "ram:RoundingAmount"),
            payable=values.amount(sums, "ram:DuePayableAmount"),
        )

    def _payments(self, terms: etree._Element | None) -> tuple[Payment, ...]:
        values = self.values
        account, debited = "ram:PayeePartyCreditorFinancialAccount", "ram:PayerPartyDebtorFinancialAccount"
        return tuple(
            Payment(
                code=values.text(means, "ram:TypeCode"),
                text=values.text(means, "ram:Information"),
                iban=values.text(means, f"{account}/ram:IBANID") or values.text(means, f"{account}/ram:ProprietaryID"),
                holder=values.text(means, f"{account}/ram:AccountName"),
                bic=values.text(means, "ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID"),
                reference=values.text(self._settlement, "ram:PaymentReference"),
                mandate=values.text(terms, "ram:DirectDebitMandateID"),
                debited=values.text(means, f"{debited}/ram:IBANID"),
            )
            for means in values.every(self._settlement, "ram:SpecifiedTradeSettlementPaymentMeans")
        )

    def _preceding(self, document: etree._Element) -> Preceding:
        issued = self._day(document, "ram:FormattedIssueDateTime", "qdt:DateTimeString")
        return Preceding(self.values.text(document, "ram:IssuerAssignedID"), issued)

    def _documents(self, code: str | None = None) -> list[etree._Element]:
        """Return the additional documents of a type; None for the supporting ones, which are all the others."""
        found = self.values.every(self._agreement, "ram:AdditionalReferencedDocument")
        typed = [(self.values.text(one, "ram:TypeCode"), one) for one in found]
        return [one for each, one in typed if (each == code if code else each not in {_TENDER, _OBJECT})]

    def _attachment(self, document: etree._Element) -> Attachment:
        values = self.values
        content = values.one(document, "ram:AttachmentBinaryObject")
        return Attachment(
            reference=values.text(document, "ram:IssuerAssignedID"),
            description=values.text(document, "ram:Name"),
            name="" if content is None else content.get("filename", ""),
            declared="" if content is None else content.get("mimeCode", ""),
            uri=values.text(document, "ram:URIID"),
            piece=None if content is None else self._source.rank(content),
        )
