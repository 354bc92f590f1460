"""Reading a life-cycle message (CDV), which tells what became of an invoice, in CDAR D22B.

The numbers of terms (MDT, MDG) are those of the external specifications of the reform. Moments are written without a zone, and
taken for those of Paris.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from lxml import etree

from core.clock import PARIS
from schemas.invoices.parties import Identifier
from schemas.invoices.source import Source
from schemas.invoices.values import Flaw, Values

NAMESPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossDomainAcknowledgementAndResponse:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
}
_DAY = "%Y%m%d"  # format 102


@dataclass(frozen=True, slots=True)
class Actor:
    """Who speaks or is spoken to.

    Attributes:
        role: BY buyer, SE seller, WK platform, DFH the State's portal…
        id: SIREN (scheme 0002), or a platform's number (scheme 0238); None when there is none.
        name: in words.
        electronic: address, None when there is none.
    """

    role: str
    id: Identifier | None
    name: str
    electronic: Identifier | None


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum told with a status: its kind (MDT-207: MEN cashed, MPA paid, RAP…), in a currency, on a day."""

    kind: str
    value: Decimal | None
    currency: str
    day: date | None
    rate: Decimal | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why.

    Attributes:
        code: MDT-113; ``text`` MDT-114, in words.
        action: MDT-121, what is asked for; ``action_text`` MDT-122, in words.
        amounts: MDG-43.
    """

    code: str
    text: str
    action: str
    action_text: str
    amounts: tuple[Amount, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """What became of one invoice.

    Attributes:
        number: MDT-87, of the invoice; ``type_code`` MDT-91; ``issued`` MDG-35.
        code: MDT-105: 204 taken in charge, 210 refused…; ``label`` MDT-106.
        untdid: MDT-88, the same in a list of the United Nations.
        received: MDT-95, when the message on it was received.
        seller: MDT-129, who issued the invoice.
        reasons: MDG-37.
    """

    number: str
    type_code: str
    issued: date | None
    code: str
    label: str
    untdid: str
    received: datetime | None
    seller: Identifier | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """A life-cycle message.

    Attributes:
        process: MDT-2 (REGULATED…); ``guideline`` MDT-3.
        id: MDT-4; ``name`` MDT-5; ``issued`` MDG-4.
        sender: MDG-9; ``issuer`` MDG-12; ``recipients`` MDG-15.
        phase: MDT-77, ``life_cycle.TRANSMISSION`` or ``life_cycle.TREATMENT``.
        statuses: MDG-32, one an invoice.
    """

    process: str
    guideline: str
    id: str
    name: str
    issued: datetime | None
    sender: Actor | None
    issuer: Actor | None
    recipients: tuple[Actor, ...]
    phase: str
    statuses: tuple[Status, ...]


def read(source: Source) -> tuple[LifeCycle, list[Flaw]]:
    """Return the message and the values that could not be read."""
    reader = _Reader()
    return reader.message(source.tree.getroot()), reader.values.flaws


class _Reader:
    def __init__(self) -> None:
        self.values = Values(NAMESPACES)

    def message(self, root: etree._Element) -> LifeCycle:
        values = self.values
        context, document = values.one(root, "rsm:ExchangedDocumentContext"), values.one(root, "rsm:ExchangedDocument")
        acknowledged = values.one(root, "rsm:AcknowledgementDocument")
        return LifeCycle(
            process=values.text(context, "ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID"),
            guideline=values.text(context, "ram:GuidelineSpecifiedDocumentContextParameter/ram:ID"),
            id=values.text(document, "ram:ID"),
            name=values.text(document, "ram:Name"),
            issued=self._moment(document, "ram:IssueDateTime"),
            sender=self._actor(values.one(document, "ram:SenderTradeParty")),
            issuer=self._actor(values.one(document, "ram:IssuerTradeParty")),
            recipients=tuple(
                actor for party in values.every(document, "ram:RecipientTradeParty") if (actor := self._actor(party)) is not None
            ),
            phase=values.text(acknowledged, "ram:TypeCode"),
            statuses=tuple(map(self._status, values.every(acknowledged, "ram:ReferenceReferencedDocument"))),
        )

    def _moment(self, element: etree._Element | None, path: str) -> datetime | None:
        moment = self.values.moment(element, f"{path}/udt:DateTimeString")
        return None if moment is None else moment.replace(tzinfo=PARIS)

    def _actor(self, party: etree._Element | None) -> Actor | None:
        if party is None:
            return None
        return Actor(
            role=self.values.text(party, "ram:RoleCode"),
            id=self.values.identifier(party, "ram:GlobalID") or self.values.identifier(party, "ram:ID"),
            name=self.values.text(party, "ram:Name"),
            electronic=self.values.identifier(party, "ram:URIUniversalCommunication/ram:URIID"),
        )

    def _status(self, document: etree._Element) -> Status:
        values = self.values
        return Status(
            number=values.text(document, "ram:IssuerAssignedID"),
            type_code=values.text(document, "ram:TypeCode"),
            issued=values.day(document, "ram:FormattedIssueDateTime/qdt:DateTimeString", _DAY),
            code=values.text(document, "ram:ProcessConditionCode"),
            label=values.text(document, "ram:ProcessCondition"),
            untdid=values.text(document, "ram:StatusCode"),
            received=self._moment(document, "ram:ReceiptDateTime"),
            seller=values.identifier(document, "ram:IssuerTradeParty/ram:GlobalID"),
            reasons=tuple(map(self._reason, values.every(document, "ram:SpecifiedDocumentStatus"))),
        )

    def _reason(self, status: etree._Element) -> Reason:
        values = self.values
        return Reason(
            code=values.text(status, "ram:ReasonCode"),
            text=values.text(status, "ram:Reason"),
            action=values.text(status, "ram:RequestedActionCode"),
            action_text=values.text(status, "ram:RequestedAction"),
            amounts=tuple(map(self._amount, values.every(status, "ram:SpecifiedDocumentCharacteristic"))),
        )

    def _amount(self, characteristic: etree._Element) -> Amount:
        values, amount = self.values, self.values.one(characteristic, "ram:ValueAmount")
        return Amount(
            kind=values.text(characteristic, "ram:TypeCode"),
            value=None if amount is None else values.number(amount),
            currency="" if amount is None else amount.get("currencyID", ""),
            day=values.day(characteristic, "ram:ValueDateTime/udt:DateTimeString", _DAY),
            rate=values.amount(characteristic, "ram:ValuePercent"),
        )
