"""What the archives answer: writing it as SEDA 2.x has it, and reading what any service answers, in every version.

What lives here: the acknowledgement of a transfer, the reply that accepts or refuses it, the notification of a destruction. What
does not: which codes exist (`schemas.seda.codes`), who decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lxml import etree

from core.errors import UnreadableInput
from schemas.seda.codes import is_acceptance
from schemas.seda.elements import child, name_of, text_of
from schemas.seda.model import Agency, Version
from schemas.seda.reader import is_seda
from schemas.seda.writing import Document, written
from schemas.xml import parse

_ACKNOWLEDGEMENT = "Acknowledgement"
_KINDS = frozenset({_ACKNOWLEDGEMENT, "ArchiveTransferReply", "ArchiveTransferAcceptance"})
_GOOD = frozenset({"OK", "WARNING", "STARTED", "000", "001", "002"})


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """That a message was received; nothing is said of what becomes of it.

    Attributes:
        received_identifier: of the message received.
    """

    identifier: str
    at: datetime
    received_identifier: str
    sender: Agency
    receiver: Agency
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OperationResult:
    """What one control found, in the transfer or in one of its objects.

    Attributes:
        type: which control, in the words of a reader.
        code: a reply code (``207``), ``000`` when all is well.
        message: what was found, in words.
        subject: XML identifier or path of the object; None when it is the transfer.
    """

    at: datetime
    type: str
    code: str
    message: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class TransferReply:
    """That a transfer is accepted or refused, for good.

    Attributes:
        transfer_identifier: ``MessageIdentifier`` of the transfer.
        code: a reply code.
        granted: when the archives took charge of it; None when they did not.
        results: of the controls, those that failed at least.
        units: what the archives call the units that they took charge of, by their identifier in the manifest.
    """

    identifier: str
    at: datetime
    transfer_identifier: str
    code: str
    archival_agency: Agency
    transferring_agency: Agency
    agreement: str | None = None
    granted: datetime | None = None
    comments: tuple[str, ...] = ()
    results: tuple[OperationResult, ...] = ()
    units: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DestructionNotice:
    """That archives were destroyed.

    Attributes:
        authorization: identifier of the answer of the control authority that allows it (the visa).
        units: identifiers of what was destroyed, at least one.
    """

    identifier: str
    at: datetime
    authorization: str
    units: tuple[str, ...]
    archival_agency: Agency
    originating_agency: Agency
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadReply:
    """What was read of an answer; a value is None when it is absent.

    Attributes:
        kind: its root: ``Acknowledgement``, ``ArchiveTransferReply``, ``ArchiveTransferAcceptance``.
        accepted: the archives took charge of the transfer; an acknowledgement never says so.
        archive_identifier: what they call the archive (*cote*); of several the first.
        details: what failed, as the controls say it.
    """

    kind: str
    code: str | None
    accepted: bool
    identifier: str | None
    transfer_identifier: str | None
    archive_identifier: str | None
    comments: tuple[str, ...]
    details: tuple[str, ...] = ()


class UnknownReply(UnreadableInput):
    """The document is no answer of an archive service.

    Attributes:
        root: the root element, as ``{namespace}name``.
    """

    def __init__(self, root: str) -> None:
        super().__init__(f"{root[:200]} is no answer to a transfer")
        self.root = root


def write_acknowledgement(target: Path, reply: Acknowledgement, version: Version) -> None:
    """Write an ``Acknowledgement``.

    Raises:
        UnwritableTransfer: a text is empty, too long, or not representable in XML 1.0.
    """
    with written(target, version.namespace) as document, document.inside(_ACKNOWLEDGEMENT):
        _head(document, reply.comments, reply.at, reply.identifier)
        document.text("MessageReceivedIdentifier", reply.received_identifier)
        document.agency("Sender", reply.sender)
        document.agency("Receiver", reply.receiver)


def write_reply(target: Path, reply: TransferReply, version: Version) -> None:
    """Write an ``ArchiveTransferReply``.

    Raises:
        UnwritableTransfer: a text is empty, too long, or not representable in XML 1.0.
    """
    with written(target, version.namespace) as document, document.inside("ArchiveTransferReply"):
        _head(document, reply.comments, reply.at, reply.identifier)
        document.text("ArchivalAgreement", reply.agreement)
        _code_lists(document)
        if reply.units:
            _attributed(document, reply.units)
        document.text("ReplyCode", reply.code)
        if reply.results:
            with document.inside("Operation"):
                for result in reply.results:
                    _result(document, result)
        document.text("MessageRequestIdentifier", reply.transfer_identifier)
        document.date("GrantDate", reply.granted)
        document.agency("ArchivalAgency", reply.archival_agency)
        document.agency("TransferringAgency", reply.transferring_agency)


def write_destruction(target: Path, notice: DestructionNotice, version: Version) -> None:
    """Write an ``ArchiveDestructionNotification``.

    Raises:
        UnwritableTransfer: a text is empty, too long, or not representable in XML 1.0.
    """
    with written(target, version.namespace) as document, document.inside("ArchiveDestructionNotification"):
        _head(document, notice.comments, notice.at, notice.identifier)
        _code_lists(document)
        document.text("AuthorizationRequestReplyIdentifier", notice.authorization)
        for unit in notice.units:
            document.text("UnitIdentifier", unit)
        document.agency("ArchivalAgency", notice.archival_agency)
        document.agency("OriginatingAgency", notice.originating_agency)


def read_reply(path: Path) -> ReadReply:
    """Read an answer to a transfer, of SEDA 0.2 to 2.3, leniently: some services send what the schema refuses.

    The caller bounds the size of the file.

    Raises:
        DoctypeRefused: a document type declaration.
        Malformed: not well-formed.
        UnknownReply: well-formed, and no answer to a transfer.
    """
    root = parse(path).getroot()
    kind = name_of(root)
    if kind not in _KINDS or not is_seda(etree.QName(root).namespace or ""):
        raise UnknownReply(str(root.tag))
    code = text_of(root, "ReplyCode")
    accepted = kind != _ACKNOWLEDGEMENT and (kind == "ArchiveTransferAcceptance" if code is None else is_acceptance(code))
    return ReadReply(
        kind=kind,
        code=code,
        accepted=accepted,
        identifier=_first(
            root, "MessageIdentifier", "TransferAcceptanceIdentifier", "TransferReplyIdentifier", "AcknowledgementIdentifier"
        ),
        transfer_identifier=_first(root, "MessageRequestIdentifier", "MessageReceivedIdentifier", "TransferIdentifier"),
        archive_identifier=_archive_identifier(root),
        comments=tuple(text for one in root if isinstance(one.tag, str) and name_of(one) == "Comment" and (text := _text(one))),
        details=tuple(_failures(root)),
    )


def _head(document: Document, comments: tuple[str, ...], at: datetime, identifier: str) -> None:
    for comment in comments:
        document.text("Comment", comment)
    document.date("Date", at)
    document.text("MessageIdentifier", identifier)


def _code_lists(document: Document) -> None:
    with document.inside("CodeListVersions"):
        document.text("ReplyCodeListVersion", "ReplyCodeListVersion1")


def _attributed(document: Document, units: tuple[tuple[str, str], ...]) -> None:
    with document.inside("DataObjectPackage"):
        with document.inside("DescriptiveMetadata"):
            for unit, identifier in units:
                with document.inside("ArchiveUnit", unit), document.inside("Content"):
                    document.text("ArchivalAgencyArchiveUnitIdentifier", identifier)
        document.empty("ManagementMetadata")


def _result(document: Document, result: OperationResult) -> None:
    with document.inside("Event"):
        document.text("EventType", result.type)
        document.date("EventDateTime", result.at)
        document.text("Outcome", "OK" if is_acceptance(result.code) else "KO")
        document.text("OutcomeDetail", result.code)
        document.text("OutcomeDetailMessage", result.message)
        document.text("EventDetailData", result.subject)


def _first(root: etree._Element, *names: str) -> str | None:
    return next((text for name in names if (text := text_of(root, name)) is not None), None)


def _archive_identifier(root: etree._Element) -> str | None:
    """Return the first identifier that the archives gave; Vitam gives system identifiers only."""
    for name in ("ArchivalAgencyArchiveUnitIdentifier", "ArchivalAgencyArchiveIdentifier", "SystemId"):
        for element in root.iter(f"{{*}}{name}"):
            if text := _text(element):
                return text
    return None


def _failures(root: etree._Element) -> list[str]:
    operation = child(root, "Operation")
    events = [] if operation is None else [one for one in operation.iter("{*}Event") if text_of(one, "Outcome")]
    failed = [one for one in events if (text_of(one, "Outcome") or "").upper() not in _GOOD]
    told = (text_of(one, "OutcomeDetailMessage") or text_of(one, "EventDetail") or text_of(one, "EventType") for one in failed)
    return [text for text in told if text]


def _text(element: etree._Element) -> str | None:
    return (element.text or "").strip() or None
