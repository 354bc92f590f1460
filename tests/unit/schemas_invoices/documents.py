"""Invoices that the tests write by hand: UBL, the files of Chorus Pro, life-cycle messages. Whoever they name does not exist."""

from __future__ import annotations

import base64
import io
import zipfile

UBL = """<?xml version="1.0" encoding="UTF-8"?>
<i:Invoice xmlns:i="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
  xmlns:a="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
  xmlns:b="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <b:CustomizationID>urn:cen.eu:en16931:2017</b:CustomizationID>
  <b:ProfileID>S1</b:ProfileID>
  <b:ID>F2026-0187</b:ID>
  <b:IssueDate>2026-10-05</b:IssueDate>
  <b:DueDate>2026-11-04</b:DueDate>
  <b:InvoiceTypeCode>380</b:InvoiceTypeCode>
  <b:Note>#PMT#Indemnité forfaitaire : 40 €.</b:Note>
  <b:Note>Merci de votre confiance.</b:Note>
  <b:DocumentCurrencyCode>EUR</b:DocumentCurrencyCode>
  <b:BuyerReference>FINANCES</b:BuyerReference>
  <a:OrderReference><b:ID>ENG2026-0457</b:ID></a:OrderReference>
  <a:BillingReference><a:InvoiceDocumentReference><b:ID>F2026-0100</b:ID></a:InvoiceDocumentReference></a:BillingReference>
  <a:ContractDocumentReference><b:ID>M2026-012</b:ID></a:ContractDocumentReference>
  <a:AdditionalDocumentReference>
    <b:ID>BL-778</b:ID><b:DocumentDescription>BON_LIVRAISON</b:DocumentDescription>
    <a:Attachment>
      <b:EmbeddedDocumentBinaryObject mimeCode="application/pdf" filename="bl.pdf">JVBERi0xLjc=</b:EmbeddedDocumentBinaryObject>
    </a:Attachment>
  </a:AdditionalDocumentReference>
  <a:AccountingSupplierParty><a:Party>
    <b:EndpointID schemeID="0225">990000127</b:EndpointID>
    <a:PartyIdentification><b:ID schemeID="0009">99000012700011</b:ID></a:PartyIdentification>
    <a:PartyName><b:Name>Le Lavoir</b:Name></a:PartyName>
    <a:PostalAddress><b:StreetName>3 rue du Lavoir</b:StreetName><b:CityName>Valmorin</b:CityName>
    <b:PostalZone>99100</b:PostalZone>
      <a:Country><b:IdentificationCode>FR</b:IdentificationCode></a:Country></a:PostalAddress>
    <a:PartyTaxScheme><b:CompanyID>FR73990000127</b:CompanyID><a:TaxScheme><b:ID>VAT</b:ID></a:TaxScheme></a:PartyTaxScheme>
    <a:PartyLegalEntity><b:RegistrationName>Papeterie du Lavoir</b:RegistrationName>
    <b:CompanyID schemeID="0002">990000127</b:CompanyID></a:PartyLegalEntity>
  </a:Party></a:AccountingSupplierParty>
  <a:AccountingCustomerParty><a:Party>
    <a:PartyIdentification><b:ID schemeID="0009">21990001600011</b:ID></a:PartyIdentification>
    <a:PartyLegalEntity><b:RegistrationName>Commune de Saint-Exemple-lès-Bains</b:RegistrationName></a:PartyLegalEntity>
  </a:Party></a:AccountingCustomerParty>
  <a:PaymentMeans><b:PaymentMeansCode name="Virement">30</b:PaymentMeansCode>
    <a:PayeeFinancialAccount><b:ID>FR7630006000011234567890189</b:ID></a:PayeeFinancialAccount></a:PaymentMeans>
  <a:TaxTotal><b:TaxAmount currencyID="EUR">20.00</b:TaxAmount><a:TaxSubtotal>
    <b:TaxableAmount currencyID="EUR">100.00</b:TaxableAmount><b:TaxAmount currencyID="EUR">20.00</b:TaxAmount>
    <a:TaxCategory><b:ID>S</b:ID><b:Percent>20.00</b:Percent><a:TaxScheme><b:ID>VAT</b:ID></a:TaxScheme></a:TaxCategory>
    </a:TaxSubtotal></a:TaxTotal>
  <a:LegalMonetaryTotal><b:LineExtensionAmount currencyID="EUR">100.00</b:LineExtensionAmount>
  <b:TaxExclusiveAmount currencyID="EUR">100.00</b:TaxExclusiveAmount>
    <b:TaxInclusiveAmount currencyID="EUR">120.00</b:TaxInclusiveAmount>
    <b:PayableAmount currencyID="EUR">120.00</b:PayableAmount></a:LegalMonetaryTotal>
  <a:InvoiceLine><b:ID>1</b:ID><b:InvoicedQuantity unitCode="C62">20</b:InvoicedQuantity>
  <b:LineExtensionAmount currencyID="EUR">100.00</b:LineExtensionAmount>
    <a:Item><b:Name>Ramettes de papier A4</b:Name><a:ClassifiedTaxCategory><b:ID>S</b:ID><b:Percent>20.00</b:Percent>
    <a:TaxScheme><b:ID>VAT</b:ID></a:TaxScheme></a:ClassifiedTaxCategory></a:Item>
    <a:Price><b:PriceAmount currencyID="EUR">5.00</b:PriceAmount></a:Price></a:InvoiceLine>
</i:Invoice>
"""
"""An invoice in UBL, with prefixes that nobody uses."""


def zipped(**files: bytes) -> bytes:
    """Return a ZIP of files by name; its dates are fixed."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def piece(content: bytes | str, name: str = "F2026-0187.pdf", role: str = "01", media_type: str = "application/pdf") -> str:
    """Return a piece of a file of Chorus Pro; octets are put in base64, text stands as it is."""
    told = content if isinstance(content, str) else base64.b64encode(content).decode()
    return (
        f'<PJ NumOrdre="1"><Contenu>{told}</Contenu><NomPJ>{name}</NomPJ><TypePJ>{role}</TypePJ>'
        f"<MimeTypePJ>{media_type}</MimeTypePJ></PJ>"
    )


PDF = b"%PDF-1.7 of a test"
_ENVELOPE = (
    '<Enveloppe><EnveloppeUnitaire NumOrdre="1"><Parametres>'
    '<ParametreIndiv NumOrdre="0001"><Code>DtPrd</Code><Valeurparametre>2026-10-05</Valeurparametre></ParametreIndiv>'
    '<ParametreIndiv NumOrdre="0002"><Code>IdFlx</Code><Valeurparametre>FSO1117A_CPP001_42</Valeurparametre></ParametreIndiv>'
    "</Parametres><Partenaires><Recepteur><Id>REC001</Id></Recepteur><Emetteur><Id>CPP001</Id></Emetteur></Partenaires>"
    "</EnveloppeUnitaire></Enveloppe>"
)
_PARTIES = (
    "<Fournisseur><TypeIdentifiant>1</TypeIdentifiant><Identifiant>99000012700011</Identifiant>"
    "<RaisonSociale>Papeterie du Lavoir</RaisonSociale><CodePays>FR</CodePays>"
    '<ReferenceBancaire Type="IBAN"><Compte>FR7630006000011234567890189</Compte></ReferenceBancaire></Fournisseur>'
    "<Debiteur><TypeIdentifiant>1</TypeIdentifiant><Identifiant>21990001600011</Identifiant>"
    "<Nom>Commune de Saint-Exemple-lès-Bains</Nom><CodeService>FINANCES</CodeService></Debiteur>"
)
_SUMS = (
    "<Montants><MontantHT>100.00</MontantHT><MontantTTC>120.00</MontantTTC><MontantNetAPayer>120.00</MontantNetAPayer></Montants>"
)
_COMMITMENT = "<Engagement><NumeroMarche>M2026-012</NumeroMarche><NumeroEngagement>ENG2026-0457</NumeroEngagement></Engagement>"


def facts(*, number: str = "F2026-0187", kind: str = "380", frame: str = "A1", more: str = "", vat: str = "TVAS") -> str:
    """Return what a file of Chorus Pro says of an invoice."""
    return (
        f"<DonneesFacture><Id>{number}</Id>{more}<Type>{kind}</Type><Cadre>{frame}</Cadre>"
        "<DateEmissionFacture>2026-10-05</DateEmissionFacture><ModePaiement><Code>30</Code></ModePaiement><Devise>EUR</Devise>"
        f"{_SUMS}<{vat}><TVA><Taux>20.00</Taux><BaseHt>100.00</BaseHt><MontantTVA>20.00</MontantTVA></TVA></{vat}>"
        f"{_COMMITMENT}</DonneesFacture>"
    )


def pivot(*units: str, counter: int | None = None) -> bytes:
    """Return a pivot of units, each its facts and its pieces."""
    invoices = "".join(
        f'<CPPFacturePivotUnitaire NumOrdre="{rank}">{_PARTIES}{unit}</CPPFacturePivotUnitaire>'
        for rank, unit in enumerate(units, 1)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><CPPFacturePivot>{_ENVELOPE}'
        f'<CPPFactures Compteur="{len(units) if counter is None else counter}">{invoices}</CPPFactures></CPPFacturePivot>'
    ).encode()


def mixte(unit: str) -> bytes:
    """Return a *mixte* of one unit."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><CPPFactureMixte xmlns="http://chorus-factures.budget.gouv.fr/facture" '
        f'Version="V1_16">{_ENVELOPE}<CPPFactures Compteur="1"><CPPFactureMixteUnitaire NumOrdre="1">{_PARTIES}{unit}'
        "</CPPFactureMixteUnitaire></CPPFactures></CPPFactureMixte>"
    ).encode()


CDAR = """<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossDomainAcknowledgementAndResponse xmlns:qdt="urn:un:unece:uncefact:data:standard:QualifiedDataType:100"
  xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"
  xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
  xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossDomainAcknowledgementAndResponse:100">
  <rsm:ExchangedDocumentContext>
    <ram:BusinessProcessSpecifiedDocumentContextParameter><ram:ID>REGULATED</ram:ID>
    </ram:BusinessProcessSpecifiedDocumentContextParameter>
    <ram:GuidelineSpecifiedDocumentContextParameter><ram:ID>urn.cpro.gouv.fr:1p0:CDV:invoice</ram:ID>
    </ram:GuidelineSpecifiedDocumentContextParameter>
  </rsm:ExchangedDocumentContext>
  <rsm:ExchangedDocument>
    <ram:ID>F2026-0187_210</ram:ID><ram:Name>Refusée</ram:Name>
    <ram:IssueDateTime><udt:DateTimeString format="204">20261007093000</udt:DateTimeString></ram:IssueDateTime>
    <ram:SenderTradeParty><ram:RoleCode>BY</ram:RoleCode></ram:SenderTradeParty>
    <ram:IssuerTradeParty><ram:GlobalID schemeID="0002">219900016</ram:GlobalID><ram:RoleCode>BY</ram:RoleCode>
    </ram:IssuerTradeParty>
    <ram:RecipientTradeParty><ram:GlobalID schemeID="0002">990000127</ram:GlobalID><ram:RoleCode>SE</ram:RoleCode>
      <ram:URIUniversalCommunication><ram:URIID schemeID="0225">990000127</ram:URIID></ram:URIUniversalCommunication>
      </ram:RecipientTradeParty>
  </rsm:ExchangedDocument>
  <rsm:AcknowledgementDocument>
    <ram:MultipleReferencesIndicator><udt:Indicator>false</udt:Indicator></ram:MultipleReferencesIndicator>
    <ram:TypeCode>23</ram:TypeCode>
    <ram:IssueDateTime><udt:DateTimeString format="204">20261007093000</udt:DateTimeString></ram:IssueDateTime>
    <ram:ReferenceReferencedDocument>
      <ram:IssuerAssignedID>F2026-0187</ram:IssuerAssignedID><ram:StatusCode>50</ram:StatusCode><ram:TypeCode>380</ram:TypeCode>
      <ram:FormattedIssueDateTime><qdt:DateTimeString format="102">20261005</qdt:DateTimeString></ram:FormattedIssueDateTime>
      <ram:ProcessConditionCode>210</ram:ProcessConditionCode><ram:ProcessCondition>Refusée</ram:ProcessCondition>
      <ram:IssuerTradeParty><ram:GlobalID schemeID="0002">990000127</ram:GlobalID></ram:IssuerTradeParty>
      <ram:SpecifiedDocumentStatus><ram:ReasonCode>CMD_ERR</ram:ReasonCode><ram:Reason>Engagement inconnu</ram:Reason>
      <ram:SequenceNumeric>1</ram:SequenceNumeric></ram:SpecifiedDocumentStatus>
    </ram:ReferenceReferencedDocument>
  </rsm:AcknowledgementDocument>
</rsm:CrossDomainAcknowledgementAndResponse>
"""
"""A refusal by the buyer, with its reason."""
