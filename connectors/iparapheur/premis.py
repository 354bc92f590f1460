"""The PREMIS 3.0 of version 5's REST service, written and read by both sides: what a folder is, what happened to it.

Reading is tolerant where the service announces additions: unknown elements, types and identifiers are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from io import BytesIO

from lxml import etree

from connectors.iparapheur.errors import MessageUnreadable
from core.clock import in_paris
from core.messages import Catalogue
from schemas.xml import DoctypeRefused, Malformed, parse_pieces, refuse_doctype

_messages = Catalogue("connectors.iparapheur")

NAMESPACE = "http://www.loc.gov/premis/v3"
NAME = "i_Parapheur_internal_premis.xml"
"""The file of a ZIP export that holds it."""
MAIN, ANNEX = "mainDocument", "annex"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE = f"{{{_XSI}}}type"
_RESERVED = "i_Parapheur_reserved_"
_KIND, _SUBTYPE, _DUE, _MAIN = (_RESERVED + name for name in ("type", "subtype", "dueDate", "mainDocument"))
OCTETS = "application/octet-stream"
LARGEST = 4 << 20
"""Bytes of a PREMIS that is read."""
_FOLDER, _FILE = "intellectualEntity", "file"


@dataclass(frozen=True, slots=True)
class Part:
    """A document of a folder.

    Attributes:
        name: of its file.
        main: whether it is a main document.
        media: media type.
    """

    name: str
    main: bool
    media: str = OCTETS


@dataclass(frozen=True, slots=True)
class Task:
    """A step, done, under way or to come.

    Attributes:
        id: of the task; empty for one to come.
        action: START, VISA, SIGNATURE, SEAL, REJECT, ARCHIVE … others may appear.
        moment: when it was done; None otherwise.
        user: who did it; empty otherwise.
        desk: where.
        note: what was said.
    """

    id: str
    action: str
    moment: datetime | None = None
    user: str = ""
    desk: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder.

    Attributes:
        name: of the folder.
        type: its type, by identifier or name.
        subtype: its sub-type, by identifier or name.
        id: of the folder; empty before it is created.
        due: the day by which it should be done.
        metadata: by name.
        parts: its documents.
        tasks: its steps, in order.
        users: names by identifier.
    """

    name: str
    type: str
    subtype: str
    id: str = ""
    due: date | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    tasks: tuple[Task, ...] = ()
    users: Mapping[str, str] = field(default_factory=dict)


def write(folder: Folder) -> bytes:
    """Return the XML of a folder."""
    root = etree.Element(_tag("premis"), version="3.0", nsmap={None: NAMESPACE, "xsi": _XSI})
    whole = _add(root, "object")
    whole.set(_TYPE, _FOLDER)
    _identified(whole, "object", "folderId", folder.id)
    due = {_DUE: folder.due.isoformat()} if folder.due else {}
    for name, value in {_KIND: folder.type, _SUBTYPE: folder.subtype, **due, **folder.metadata}.items():
        _property(whole, name, value)
    _add(whole, "originalName", folder.name)
    for part in folder.parts:
        _file(root, part)
    for task in folder.tasks:
        _event(root, task)
    for identifier, name in folder.users.items():
        agent = _add(root, "agent")
        _identified(agent, "agent", "userId", identifier)
        _add(agent, "agentName", name)
    octets: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return octets


def read(octets: bytes) -> Folder:
    """Return the folder that an XML tells of.

    Raises:
        MessageUnreadable: larger than 4 MB, not well-formed, no PREMIS 3.0, no folder in it, a moment that is none.
    """
    root = _parsed(octets)
    objects = {kind: [one for one in root.iterfind(_tag("object")) if _kind(one) == kind] for kind in (_FOLDER, _FILE)}
    if root.tag != _tag("premis") or len(objects[_FOLDER]) != 1:
        raise MessageUnreadable(_messages("message.premis"))
    (whole,) = objects[_FOLDER]
    told = _properties(whole)
    try:
        return Folder(
            name=_text(whole, "originalName"),
            type=told.pop(_KIND, ""),
            subtype=told.pop(_SUBTYPE, ""),
            id=_text(whole, "objectIdentifier/objectIdentifierValue"),
            due=date.fromisoformat(text[:10]) if (text := told.pop(_DUE, "")) else None,
            metadata=told,
            parts=tuple(_part(one) for one in objects[_FILE]),
            tasks=tuple(_task(event) for event in root.iterfind(_tag("event"))),
            users={
                _text(agent, "agentIdentifier/agentIdentifierValue"): _text(agent, "agentName")
                for agent in root.iterfind(_tag("agent"))
            },
        )
    except ValueError as error:
        raise MessageUnreadable(_messages("message.premis")) from error


def _parsed(octets: bytes) -> etree._Element:
    if len(octets) > LARGEST:
        raise MessageUnreadable(_messages("message.large", limit=LARGEST >> 20))
    try:
        refuse_doctype(BytesIO(octets))
        return parse_pieces([octets]).getroot()
    except DoctypeRefused as error:
        raise MessageUnreadable(_messages("message.doctype", line=error.line)) from error
    except Malformed as error:
        raise MessageUnreadable(_messages("message.malformed", line=error.line, reason=error.reason)) from error


def _part(one: etree._Element) -> Part:
    media = _text(one, "objectCharacteristics/format/formatDesignation/formatName")
    return Part(_text(one, "originalName"), _is_main(one), media or OCTETS)


def _task(event: etree._Element) -> Task:
    moment = _text(event, "eventDateTime")
    return Task(
        id=_text(event, "eventIdentifier/eventIdentifierValue"),
        action=_text(event, "eventType"),
        moment=_aware(datetime.fromisoformat(moment)) if moment else None,
        user=_text(event, "linkingAgentIdentifier/linkingAgentIdentifierValue"),
        desk=_text(event, "linkingAgentIdentifier/linkingAgentRole"),
        note=_text(event, "eventDetailInformation/eventDetail") or _text(event, "eventDetail"),
    )


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _is_main(one: etree._Element) -> bool:
    """Read the mark of a main document: a property in what is sent, a preservation level in what older versions export."""
    told = _properties(one).get(_MAIN)
    return told == "true" if told else _text(one, "preservationLevel/preservationLevelValue") == MAIN


def _properties(one: etree._Element) -> dict[str, str]:
    return {
        _text(found, "significantPropertiesType"): _text(found, "significantPropertiesValue")
        for found in one.iterfind(_tag("significantProperties"))
    }


def _kind(one: etree._Element) -> str:
    return str(one.get(_TYPE, "")).rpartition(":")[2]


def _text(one: etree._Element, path: str) -> str:
    return str(one.findtext("/".join(_tag(step) for step in path.split("/")), "") or "").strip()


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, _tag(name))
    child.text = text
    return child


def _identified(parent: etree._Element, what: str, kind: str, value: str) -> None:
    identifier = _add(parent, f"{what}Identifier")
    _add(identifier, f"{what}IdentifierType", kind)
    _add(identifier, f"{what}IdentifierValue", value)


def _property(parent: etree._Element, name: str, value: str) -> None:
    one = _add(parent, "significantProperties")
    _add(one, "significantPropertiesType", name)
    _add(one, "significantPropertiesValue", value)


def _file(root: etree._Element, part: Part) -> None:
    one = _add(root, "object")
    one.set(_TYPE, _FILE)
    _identified(one, "object", "documentId", part.name)
    _add(_add(one, "preservationLevel"), "preservationLevelValue", MAIN if part.main else ANNEX)
    _property(one, _MAIN, "true" if part.main else "false")
    characteristics = _add(_add(one, "objectCharacteristics"), "format")
    _add(_add(characteristics, "formatDesignation"), "formatName", part.media)
    _add(one, "originalName", part.name)


def _event(root: etree._Element, task: Task) -> None:
    event = _add(root, "event")
    _identified(event, "event", "taskId", task.id)
    _add(event, "eventType", task.action)
    _add(event, "eventDateTime", in_paris(task.moment).isoformat(timespec="milliseconds") if task.moment else "")
    if task.note:
        _add(_add(event, "eventDetailInformation"), "eventDetail", task.note)
    if task.user:
        linked = _add(event, "linkingAgentIdentifier")
        _add(linked, "linkingAgentIdentifierType", "userId")
        _add(linked, "linkingAgentIdentifierValue", task.user)
        _add(linked, "linkingAgentRole", task.desk)
