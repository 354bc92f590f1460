"""The rules on how a message to the State and its attachments are called: R13 to R17, R21, R22."""

from __future__ import annotations

from collections.abc import Iterator

from core.problems import Problem
from schemas.actes.classification import Classification
from schemas.actes.codes import NATURES
from schemas.actes.messages import Acte, EnveloppeCLMISILL, Message
from schemas.actes.names import AttachmentName, IdActe, MessageName, UnreadableName, type_holds
from schemas.actes.wording import problem, warning


def message_name(name: str) -> MessageName | None:
    """Return the name of a message, None when it is none."""
    try:
        return MessageName.parse(name)
    except UnreadableName:
        return None


def name_problems(
    name: MessageName, message: Message, envelope: EnveloppeCLMISILL | None, classification: Classification | None
) -> Iterator[Problem]:
    """Yield what the name of a message says otherwise than its content (R13 to R17)."""
    path = str(name)
    if name.base.code is not message.code:
        yield problem("R13", "code", path=path, found=name.base.code.value, expected=message.code.value, root=message.code.root)
    if envelope is not None:
        yield from _r14_collectivite(name, envelope, path)
    if isinstance(message, Acte):
        yield from _of_an_act(name, message, classification, path)
    elif (act := message.act) is not None:
        yield from _of_an_identifier(name, act, path)


def attachment_problems(message: Message, name: MessageName | None, classification: Classification | None) -> Iterator[Problem]:
    """Yield what is wrong with the names of a message's attachments (R21, R22)."""
    counters: dict[int, str] = {}
    nature = _nature(message, classification)
    for file in message.files:
        try:
            attachment = AttachmentName.parse(file.name)
        except UnreadableName:
            yield problem("R21", path=file.name, found=file.name)
            continue
        if name is not None and attachment.base != name.base:
            yield problem("R21", "base", path=file.name, found=str(attachment.base), expected=str(name.base))
        if attachment.n in counters:
            yield problem("R21", "counter", path=file.name, found=file.name, other=counters[attachment.n], n=attachment.n)
        counters.setdefault(attachment.n, file.name)
        if attachment.type is None or not type_holds(attachment.type):
            variant = "type" if attachment.type is None else "capitals"
            yield problem("R21", variant, path=file.name, found=file.name)
        elif classification is not None and nature is not None and not classification.allows(nature, attachment.type):
            allowed = ", ".join(sorted(piece.code for piece in classification.types(nature)))
            yield problem("R22", path=file.name, found=attachment.type, expected=allowed, nature=nature)


def abbreviation(nature: int, classification: Classification | None) -> str | None:
    """Return the two letters of a nature: the classification's, else the six known ones; None for another."""
    known = None if classification is None else classification.nature(nature)
    if known is not None:
        return known.abbreviation
    default = NATURES.get(nature)
    return None if default is None else default.abbreviation


def _nature(message: Message, classification: Classification | None) -> int | None:
    """Return the nature of the act that a message is, or is about."""
    if isinstance(message, Acte):
        return message.nature
    if (act := message.act) is None:
        return None
    natures = [nature.code for nature in classification.natures] if classification is not None else []
    return next((code for code in [*natures, *NATURES] if abbreviation(code, classification) == act.nature), None)


def _r14_collectivite(name: MessageName, envelope: EnveloppeCLMISILL, path: str) -> Iterator[Problem]:
    if name.base.siren != envelope.sender.siren:
        yield problem("R14", "siren", path=path, found=name.base.siren, expected=envelope.sender.siren)
    if name.base.department != envelope.sender.department:
        yield problem("R14", "department", path=path, found=name.base.department, expected=envelope.sender.department)


def _of_an_act(name: MessageName, act: Acte, classification: Classification | None, path: str) -> Iterator[Problem]:
    base = name.base
    if act.decision_date is not None and base.day != act.decision_date:
        found = None if base.day is None else base.day.isoformat()
        yield warning("R15", path=path, found=found, expected=act.decision_date.isoformat())
    if base.number != act.number:
        yield problem("R16", path=path, found=base.number or "", expected=act.number)
    letters = None if act.nature is None else abbreviation(act.nature, classification)
    if letters is not None and base.nature != letters:
        yield problem("R17", path=path, found=base.nature or "", expected=letters, nature=act.nature)
    elif letters is None and act.nature is not None:
        yield problem("R17", "unknown", path=path, found=str(act.nature))


def _of_an_identifier(name: MessageName, act: IdActe, path: str) -> Iterator[Problem]:
    """The same for an answer, whose act is told by its identifier."""
    base = name.base
    if base.siren != act.siren or base.department != act.department:
        found, expected = f"{base.department}-{base.siren}", f"{act.department}-{act.siren}"
        yield problem("R14", "act", path=path, found=found, expected=expected)
    if base.day != act.day:
        yield warning("R15", path=path, found=None if base.day is None else base.day.isoformat(), expected=act.day.isoformat())
    if base.number != act.number:
        yield problem("R16", path=path, found=base.number or "", expected=act.number)
    if base.nature != act.nature:
        yield problem("R17", "act", path=path, found=base.nature or "", expected=act.nature)
