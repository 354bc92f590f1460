"""Writing an invoice as CII, in the profile EN 16931 of Factur-X: elements in the order of its schema, none of them empty.

What the invoice does not say is not written, and nothing is computed: whether it is right, the rules tell.
"""

from __future__ import annotations

from decimal import Decimal

from lxml import etree

from schemas.invoices.cii import NAMESPACES
from schemas.invoices.elements import Elements, octets_of
from schemas.invoices.invoice import Allowance, Attachment, Invoice, Line, Payment, Period, Preceding, Totals, Vat
from schemas.invoices.parties import Address, Contact, Party

PROFILE = "urn:cen.eu:en16931:2017"
_TENDER, _SUPPORTING = "50", "916"
_VAT = "VAT"
_elements = Elements(NAMESPACES)
_below, _text, _number = _elements.below, _elements.text, _elements.number
_day, _identifier = _elements.day, _elements.identifier


def cii_of(invoice: Invoice) -> bytes:
    """Return an invoice as XML in UTF-8; attachments are written by their reference and address only."""
    root = _elements.root("rsm:CrossIndustryInvoice")
    context = _below(root, "rsm:ExchangedDocumentContext")
    _text(context, "ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID", invoice.process)
    _text(context, "ram:GuidelineSpecifiedDocumentContextParameter/ram:ID", PROFILE)
    document = _below(root, "rsm:ExchangedDocument")
    _text(document, "ram:ID", invoice.number)
    _text(document, "ram:TypeCode", invoice.type_code)
    _day(document, "ram:IssueDateTime", invoice.issued)
    for note in invoice.notes:
        written = _below(document, "ram:IncludedNote")
        _text(written, "ram:Content", note.text)
        _text(written, "ram:SubjectCode", note.subject)
    trade = _below(root, "rsm:SupplyChainTradeTransaction")
    for line in invoice.lines:
        _line(trade, line)
    _agreement(trade, invoice)
    _delivery(trade, invoice)
    _settlement(trade, invoice)
    return octets_of(root)


def _agreement(trade: etree._Element, invoice: Invoice) -> None:
    agreement = _below(trade, "ram:ApplicableHeaderTradeAgreement")
    _text(agreement, "ram:BuyerReference", invoice.buyer_reference)
    _party(agreement, "ram:SellerTradeParty", invoice.seller)
    _party(agreement, "ram:BuyerTradeParty", invoice.buyer)
    _party(agreement, "ram:SellerTaxRepresentativeTradeParty", invoice.representative)
    _text(agreement, "ram:SellerOrderReferencedDocument/ram:IssuerAssignedID", invoice.sales_order)
    _text(agreement, "ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID", invoice.purchase_order)
    _text(agreement, "ram:ContractReferencedDocument/ram:IssuerAssignedID", invoice.contract)
    for attachment in invoice.attachments:
        _attachment(agreement, attachment)
    if invoice.tender:
        tender = _below(agreement, "ram:AdditionalReferencedDocument")
        _text(tender, "ram:IssuerAssignedID", invoice.tender)
        _text(tender, "ram:TypeCode", _TENDER)
    if invoice.project:
        project = _below(agreement, "ram:SpecifiedProcuringProject")
        _text(project, "ram:ID", invoice.project)
        _text(project, "ram:Name", invoice.project)


def _delivery(trade: etree._Element, invoice: Invoice) -> None:
    delivery = _below(trade, "ram:ApplicableHeaderTradeDelivery")
    _party(delivery, "ram:ShipToTradeParty", invoice.deliver_to)
    _day(delivery, "ram:ActualDeliverySupplyChainEvent/ram:OccurrenceDateTime", invoice.delivered)
    _text(delivery, "ram:DespatchAdviceReferencedDocument/ram:IssuerAssignedID", invoice.despatch)
    _text(delivery, "ram:ReceivingAdviceReferencedDocument/ram:IssuerAssignedID", invoice.receipt)


def _settlement(trade: etree._Element, invoice: Invoice) -> None:
    settlement = _below(trade, "ram:ApplicableHeaderTradeSettlement")
    first = invoice.payments[0] if invoice.payments else Payment()
    _text(settlement, "ram:PaymentReference", first.reference)
    _text(settlement, "ram:TaxCurrencyCode", invoice.vat_currency)
    _text(settlement, "ram:InvoiceCurrencyCode", invoice.currency)
    _party(settlement, "ram:PayeeTradeParty", invoice.payee)
    for payment in invoice.payments:
        _payment(settlement, payment)
    for vat in invoice.vat:
        _vat(settlement, vat)
    _period(settlement, invoice.period)
    for allowance in invoice.allowances:
        _allowance(settlement, allowance)
    if invoice.terms or invoice.due or first.mandate:
        terms = _below(settlement, "ram:SpecifiedTradePaymentTerms")
        _text(terms, "ram:Description", invoice.terms)
        _day(terms, "ram:DueDateDateTime", invoice.due)
        _text(terms, "ram:DirectDebitMandateID", first.mandate)
    _totals(settlement, invoice.totals, invoice.currency, invoice.vat_currency)
    for preceding in invoice.preceding:
        _preceding(settlement, preceding)
    _text(settlement, "ram:ReceivableSpecifiedTradeAccountingAccount/ram:ID", invoice.accounting)


def _line(trade: etree._Element, line: Line) -> None:
    written = _below(trade, "ram:IncludedSupplyChainTradeLineItem")
    document = _below(written, "ram:AssociatedDocumentLineDocument")
    _text(document, "ram:LineID", line.id)
    _text(document, "ram:IncludedNote/ram:Content", line.note)
    product = _below(written, "ram:SpecifiedTradeProduct")
    _text(product, "ram:SellerAssignedID", line.reference)
    _text(product, "ram:BuyerAssignedID", line.buyer_reference)
    _text(product, "ram:Name", line.name)
    _text(product, "ram:Description", line.description)
    agreement = _below(written, "ram:SpecifiedLineTradeAgreement")
    _text(agreement, "ram:BuyerOrderReferencedDocument/ram:LineID", line.order_line)
    _prices(agreement, line)
    _number(written, "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity", line.quantity, unitCode=line.unit)
    settlement = _below(written, "ram:SpecifiedLineTradeSettlement")
    _category(_below(settlement, "ram:ApplicableTradeTax"), line.category, line.rate)
    _period(settlement, line.period)
    for allowance in line.allowances:
        _allowance(settlement, allowance)
    _number(settlement, "ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount", line.net_amount)
    _text(settlement, "ram:ReceivableSpecifiedTradeAccountingAccount/ram:ID", line.accounting)


def _prices(agreement: etree._Element, line: Line) -> None:
    if line.gross_price is not None:
        gross = _below(agreement, "ram:GrossPriceProductTradePrice")
        _number(gross, "ram:ChargeAmount", line.gross_price)
        _number(gross, "ram:BasisQuantity", line.price_quantity, unitCode=line.unit)
        if line.net_price is not None and line.gross_price > line.net_price:
            discount = _below(gross, "ram:AppliedTradeAllowanceCharge")
            _text(discount, "ram:ChargeIndicator/udt:Indicator", "false")
            _number(discount, "ram:ActualAmount", line.gross_price - line.net_price)
    net = _below(agreement, "ram:NetPriceProductTradePrice")
    _number(net, "ram:ChargeAmount", line.net_price)
    _number(net, "ram:BasisQuantity", line.price_quantity, unitCode=line.unit)


def _party(above: etree._Element, path: str, party: Party | None) -> None:
    if party is None:
        return
    written = _below(above, path)
    for identifier in sorted(party.identifiers, key=lambda one: bool(one.scheme)):  # those without a scheme come first
        _identifier(written, "ram:GlobalID" if identifier.scheme else "ram:ID", identifier)
    _text(written, "ram:Name", party.name)
    _text(written, "ram:Description", party.legal_form)
    if party.legal_id or party.trading_name:
        organisation = _below(written, "ram:SpecifiedLegalOrganization")
        _identifier(organisation, "ram:ID", party.legal_id)
        _text(organisation, "ram:TradingBusinessName", party.trading_name)
    _contact(written, party.contact)
    _address(written, party.address)
    _identifier(written, "ram:URIUniversalCommunication/ram:URIID", party.electronic)
    for value, scheme in ((party.vat, "VA"), (party.tax_id, "FC")):
        _text(written, "ram:SpecifiedTaxRegistration/ram:ID", value, schemeID=scheme)


def _contact(party: etree._Element, contact: Contact | None) -> None:
    if contact is None:
        return
    written = _below(party, "ram:DefinedTradeContact")
    _text(written, "ram:PersonName", contact.name)
    _text(written, "ram:TelephoneUniversalCommunication/ram:CompleteNumber", contact.phone)
    _text(written, "ram:EmailURIUniversalCommunication/ram:URIID", contact.email)


def _address(party: etree._Element, address: Address) -> None:
    if address == Address():
        return
    written = _below(party, "ram:PostalTradeAddress")
    _text(written, "ram:PostcodeCode", address.postcode)
    for name, line in zip(("One", "Two", "Three"), address.lines, strict=False):
        _text(written, f"ram:Line{name}", line)
    _text(written, "ram:CityName", address.city)
    _text(written, "ram:CountryID", address.country)
    _text(written, "ram:CountrySubDivisionName", address.subdivision)


def _payment(settlement: etree._Element, payment: Payment) -> None:
    means = _below(settlement, "ram:SpecifiedTradeSettlementPaymentMeans")
    _text(means, "ram:TypeCode", payment.code)
    _text(means, "ram:Information", payment.text)
    _text(means, "ram:PayerPartyDebtorFinancialAccount/ram:IBANID", payment.debited)
    if payment.iban or payment.holder:
        account = _below(means, "ram:PayeePartyCreditorFinancialAccount")
        _text(account, "ram:IBANID", payment.iban)
        _text(account, "ram:AccountName", payment.holder)
    _text(means, "ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID", payment.bic)


def _vat(settlement: etree._Element, vat: Vat) -> None:
    tax = _below(settlement, "ram:ApplicableTradeTax")
    _number(tax, "ram:CalculatedAmount", vat.amount)
    _text(tax, "ram:TypeCode", _VAT)
    _text(tax, "ram:ExemptionReason", vat.exemption)
    _number(tax, "ram:BasisAmount", vat.base)
    _text(tax, "ram:CategoryCode", vat.category)
    _text(tax, "ram:ExemptionReasonCode", vat.exemption_code)
    _number(tax, "ram:RateApplicablePercent", vat.rate)


def _allowance(settlement: etree._Element, allowance: Allowance) -> None:
    written = _below(settlement, "ram:SpecifiedTradeAllowanceCharge")
    _text(written, "ram:ChargeIndicator/udt:Indicator", "true" if allowance.charge else "false")
    _number(written, "ram:CalculationPercent", allowance.percent)
    _number(written, "ram:BasisAmount", allowance.base)
    _number(written, "ram:ActualAmount", allowance.amount)
    _text(written, "ram:ReasonCode", allowance.reason_code)
    _text(written, "ram:Reason", allowance.reason)
    if allowance.category:
        _category(_below(written, "ram:CategoryTradeTax"), allowance.category, allowance.rate)


def _category(tax: etree._Element, category: str, rate: Decimal | None) -> None:
    _text(tax, "ram:TypeCode", _VAT)
    _text(tax, "ram:CategoryCode", category)
    _number(tax, "ram:RateApplicablePercent", rate)


def _totals(settlement: etree._Element, totals: Totals, currency: str, accounting: str) -> None:
    sums = _below(settlement, "ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    _number(sums, "ram:LineTotalAmount", totals.lines)
    _number(sums, "ram:ChargeTotalAmount", totals.charges)
    _number(sums, "ram:AllowanceTotalAmount", totals.allowances)
    _number(sums, "ram:TaxBasisTotalAmount", totals.net)
    _number(sums, "ram:TaxTotalAmount", totals.vat, currencyID=currency)
    _number(sums, "ram:TaxTotalAmount", totals.vat_accounting, currencyID=accounting)
    _number(sums, "ram:RoundingAmount", totals.rounding)
    _number(sums, "ram:GrandTotalAmount", totals.gross)
    _number(sums, "ram:TotalPrepaidAmount", totals.paid)
    _number(sums, "ram:DuePayableAmount", totals.payable)


def _preceding(settlement: etree._Element, preceding: Preceding) -> None:
    document = _below(settlement, "ram:InvoiceReferencedDocument")
    _text(document, "ram:IssuerAssignedID", preceding.number)
    _day(document, "ram:FormattedIssueDateTime", preceding.issued, "qdt:DateTimeString")


def _attachment(agreement: etree._Element, attachment: Attachment) -> None:
    document = _below(agreement, "ram:AdditionalReferencedDocument")
    _text(document, "ram:IssuerAssignedID", attachment.reference)
    _text(document, "ram:URIID", attachment.uri)
    _text(document, "ram:TypeCode", _SUPPORTING)
    _text(document, "ram:Name", attachment.description)


def _period(settlement: etree._Element, period: Period | None) -> None:
    if period is not None:
        written = _below(settlement, "ram:BillingSpecifiedPeriod")
        _day(written, "ram:StartDateTime", period.start)
        _day(written, "ram:EndDateTime", period.end)
