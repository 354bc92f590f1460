"""The messages that we send, made of what the dossier keeps: how they say it, and how their files are called."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from core.errors import NeedsOperator
from core.messages import Catalogue
from flows.actes.act import Act
from flows.actes.models import ActesMessage
from flows.engine.work import Work
from schemas.actes.codes import MessageCode
from schemas.actes.messages import (
    Acte,
    Annulation,
    ARDemandePieceComplementaire,
    ARLettreObservations,
    Message,
    PieceComplementaire,
    RefusPieceComplementaire,
    RejetLettreObservations,
    ReponseCourrierSimple,
    ReponseLettreObservations,
    SignedFile,
)
from schemas.actes.names import AttachmentName, IdActe, MessageBase, MessageName

_messages = Catalogue("flows.actes")
XML = "application/xml"
EXTENSIONS = {"application/pdf": "pdf", XML: "xml", "image/png": "png", "image/jpeg": "jpg"}
_WITH_ONE_DOCUMENT = {
    MessageCode.REPONSE_COURRIER_SIMPLE: ReponseCourrierSimple,
    MessageCode.REFUS_PIECE_COMPLEMENTAIRE: RefusPieceComplementaire,
    MessageCode.REJET_LETTRE_OBSERVATIONS: RejetLettreObservations,
    MessageCode.REPONSE_LETTRE_OBSERVATIONS: ReponseLettreObservations,
}
_WITHOUT_DOCUMENT = {
    MessageCode.AR_DEMANDE_PIECE_COMPLEMENTAIRE: ARDemandePieceComplementaire,
    MessageCode.AR_LETTRE_OBSERVATIONS: ARLettreObservations,
}


@dataclass(frozen=True, slots=True)
class Composed:
    """A message ready to be packed: what it says, the name of its file, and the attachments by the names they travel under."""

    message: Message
    name: MessageName
    files: Mapping[str, Path]


def act_message(work: Work, act: Act, identifier: IdActe, classification: date) -> Composed:
    """Compose 1-1: the act, its main document as it was signed, its annexes."""
    base = MessageBase.of_act(identifier, MessageCode.ACTE)
    files: dict[str, Path] = {}
    signed: list[SignedFile] = []
    for n, piece in enumerate(act.pieces, 1):
        role = leaving_role(work, piece.role)
        name = AttachmentName.build(type=piece.type or act.main_type, base=base, n=n, extension=_extension(work, role))
        files[str(name)] = work.fetch(role)
        over = None if piece.signature_role is None else work.fetch(piece.signature_role).read_bytes()
        signed.append(SignedFile(str(name), None if over is None else signature_text(over)))
    message = Acte(
        act.decision_date,
        act.number,
        act.nature,
        act.matieres,
        act.subject,
        classification,
        signed[0],
        tuple(signed[1:]),
        "O" if act.paper else "N",
        act.previous,
        len(signed) - 1,
    )
    return Composed(message, MessageName.build(base), files)


def following_message(work: Work, row: ActesMessage) -> Composed:
    """Compose what follows an act: an answer, an acknowledgement, a cancellation.

    Raises:
        NeedsOperator: the message lacks what it must hold: a fault of whoever asked for it.
    """
    code = MessageCode(row.code)
    identifier = IdActe.parse(row.id_acte)
    base = MessageBase.of_act(identifier, code)
    files: dict[str, Path] = {}
    for n, (role, piece_type) in enumerate(row.facts.get("pieces", ()), 1):
        name = AttachmentName.build(type=piece_type, base=base, n=n, extension=_extension(work, role))
        files[str(name)] = work.fetch(role)
    return Composed(_following(row, code, tuple(SignedFile(name) for name in files)), MessageName.build(base), files)


def _following(row: ActesMessage, code: MessageCode, documents: tuple[SignedFile, ...]) -> Message:
    if code is MessageCode.ANNULATION:
        return Annulation(row.id_acte)
    if code in _WITHOUT_DOCUMENT:
        return _WITHOUT_DOCUMENT[code](row.id_acte, row.letter_date)
    if documents and code is MessageCode.PIECE_COMPLEMENTAIRE:
        return PieceComplementaire(row.id_acte, row.letter_date, documents)
    if documents and code in _WITH_ONE_DOCUMENT:
        return _WITH_ONE_DOCUMENT[code](row.id_acte, row.letter_date, documents[0])
    raise NeedsOperator(_messages("message.incomplete", code=code.value))


def is_budget_in_xml(work: Work, act: Act) -> bool:
    """Tell whether an act is a budget as the ministry's own application reads it; one in PDF is a document like any other."""
    return act.is_budget and work.file("document").media_type == XML


def leaving_role(work: Work, role: str) -> str:
    """Return under which role a file of an act leaves: the main document as the parapheur gave it back, if it did."""
    signed = role == "document" and any(kept.role == "signed" for kept in work.files)
    return "signed" if signed else role


def _extension(work: Work, role: str) -> str:
    return EXTENSIONS[work.file(role).media_type]


def signature_text(octets: bytes) -> str:
    """Return a detached signature (PKCS#7) as the text that travels: base 64, whatever it came in."""
    try:
        text = octets.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if text.startswith("-----BEGIN"):
        text = "\n".join(line for line in text.splitlines() if not line.startswith("-----"))
    return "".join(text.split()) or base64.b64encode(octets).decode("ascii")
