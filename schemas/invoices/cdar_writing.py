"""Writing a life-cycle message (CDV) in CDAR D22B: elements in the order of its schema, none of them empty.

Nothing is checked here: whether the message is right, ``cdar_rules.examine_cdar`` tells of the file that was written. What was
written is read back as it was by ``cdar.read``, save for what is finer than a second.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from lxml import etree

from core.clock import in_paris
from core.messages import speaking
from schemas.invoices.addressing import ADDRESSES
from schemas.invoices.cdar import NAMESPACES, Actor, LifeCycle, Reason, Status
from schemas.invoices.elements import Elements, octets_of
from schemas.invoices.life_cycle import BUYER, CHORUS_PRO, PLATFORM, SELLER, STATUSES, word
from schemas.invoices.parties import SIREN, Identifier, Party

PROCESS, GUIDELINE = "REGULATED", "urn.cpro.gouv.fr:1p0:CDV:invoice"
"""MDT-2 and MDT-3 of a message about an invoice under the reform."""

_ELEMENTS = Elements(NAMESPACES)
_UNWRITABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 does not hold


def cdar_of(message: LifeCycle) -> bytes:
    """Return a message as XML in UTF-8; moments are written as clocks show them in Paris."""
    root = _ELEMENTS.root("rsm:CrossDomainAcknowledgementAndResponse")
    context = _ELEMENTS.below(root, "rsm:ExchangedDocumentContext")
    _text(context, "ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID", message.process)
    _text(context, "ram:GuidelineSpecifiedDocumentContextParameter/ram:ID", message.guideline)
    document = _ELEMENTS.below(root, "rsm:ExchangedDocument")
    _text(document, "ram:ID", message.id)
    _text(document, "ram:Name", message.name)
    _ELEMENTS.moment(document, "ram:IssueDateTime", message.issued)
    _actor(document, "ram:SenderTradeParty", message.sender)
    _actor(document, "ram:IssuerTradeParty", message.issuer)
    for recipient in message.recipients:
        _actor(document, "ram:RecipientTradeParty", recipient)
    acknowledged = _ELEMENTS.below(root, "rsm:AcknowledgementDocument")
    several = "true" if len(message.statuses) > 1 else "false"
    _text(acknowledged, "ram:MultipleReferencesIndicator/udt:Indicator", several)
    _text(acknowledged, "ram:TypeCode", message.phase)
    _ELEMENTS.moment(acknowledged, "ram:IssueDateTime", message.issued)
    for status in message.statuses:
        _status(acknowledged, status)
    return octets_of(root)


def told_by_chorus(status: Status, at: datetime, *, buyer: Party, seller: Party) -> LifeCycle:
    """Return the message by which Chorus Pro tells the other party what became of an invoice to a public body.

    Args:
        status: of one of ``life_cycle.STATUSES``; its label and its code in UNTDID 1373 are filled in.
        at: when it became so.
        buyer: of the invoice; its SIREN is needed.
        seller: likewise. One of the two that has no electronic address is told at its SIREN, which everybody in the directory
            has for an address.

    Raises:
        KeyError: the code is none of ``life_cycle.STATUSES``: a fault of ours.
    """
    known = STATUSES[status.code]
    with speaking("fr"):  # the messages of the reform are in French, whoever asks for one
        label = word(status.code)
    parties = {BUYER: buyer, SELLER: seller}
    issuer = Actor(PLATFORM, None, "", None) if known.role == PLATFORM else _party(known.role, parties[known.role], told=False)
    recipient = BUYER if known.role == SELLER else SELLER
    return LifeCycle(
        process=PROCESS,
        guideline=GUIDELINE,
        id=f"{status.number}_{status.code}_{in_paris(at):%Y%m%d%H%M%S}",
        name=label,
        issued=at,
        sender=Actor(PLATFORM, CHORUS_PRO, "", None),
        issuer=issuer,
        recipients=(_party(recipient, parties[recipient], told=True),),
        phase=known.phase,
        statuses=(replace(status, label=label, untdid=known.untdid, seller=Identifier(seller.siren, SIREN)),),
    )


def _party(role: str, party: Party, *, told: bool) -> Actor:
    """Return a party; only one that is told something needs an address."""
    address = (party.electronic or Identifier(party.siren, ADDRESSES)) if told else None
    return Actor(role, Identifier(party.siren, SIREN), party.name, address)


def _actor(above: etree._Element, path: str, actor: Actor | None) -> None:
    if actor is None:
        return
    party = _ELEMENTS.below(above, path)
    _ELEMENTS.identifier(party, "ram:GlobalID", actor.id)
    _text(party, "ram:Name", actor.name)
    _text(party, "ram:RoleCode", actor.role)
    _ELEMENTS.identifier(party, "ram:URIUniversalCommunication/ram:URIID", actor.electronic)


def _status(acknowledged: etree._Element, status: Status) -> None:
    document = _ELEMENTS.below(acknowledged, "ram:ReferenceReferencedDocument")
    _text(document, "ram:IssuerAssignedID", status.number)
    _text(document, "ram:StatusCode", status.untdid)
    _text(document, "ram:TypeCode", status.type_code)
    _ELEMENTS.moment(document, "ram:ReceiptDateTime", status.received)
    _ELEMENTS.day(document, "ram:FormattedIssueDateTime", status.issued, "qdt:DateTimeString")
    _text(document, "ram:ProcessConditionCode", status.code)
    _text(document, "ram:ProcessCondition", status.label)
    _actor(document, "ram:IssuerTradeParty", None if status.seller is None else Actor(SELLER, status.seller, "", None))
    for rank, reason in enumerate(status.reasons, 1):
        _reason(document, reason, rank)


def _reason(document: etree._Element, reason: Reason, rank: int) -> None:
    status = _ELEMENTS.below(document, "ram:SpecifiedDocumentStatus")
    _text(status, "ram:ReasonCode", reason.code)
    _text(status, "ram:Reason", reason.text)
    _text(status, "ram:RequestedActionCode", reason.action)
    _text(status, "ram:RequestedAction", reason.action_text)
    _text(status, "ram:SequenceNumeric", str(rank))
    for amount in reason.amounts:
        characteristic = _ELEMENTS.below(status, "ram:SpecifiedDocumentCharacteristic")
        _text(characteristic, "ram:TypeCode", amount.kind)
        _ELEMENTS.number(characteristic, "ram:ValueAmount", amount.value, currencyID=amount.currency)
        _ELEMENTS.day(characteristic, "ram:ValueDateTime", amount.day)
        _ELEMENTS.number(characteristic, "ram:ValuePercent", amount.rate)


def _text(above: etree._Element, path: str, text: str) -> None:
    """Write a text without what XML does not hold: people type reasons on portals."""
    _ELEMENTS.text(above, path, _UNWRITABLE.sub("", text))
