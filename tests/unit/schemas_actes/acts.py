"""A commune of nowhere, its acts, and archives that are sound until a test breaks them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from schemas.actes import messages as said
from schemas.actes.archive import build
from schemas.actes.classification import Classification, Matiere, NatureActe, PieceType
from schemas.actes.codes import MessageCode
from schemas.actes.names import ArchiveName, AttachmentName, EnvelopeName, IdActe, MessageBase, MessageName
from schemas.actes.writer import render

SIREN = "254002264"
DEPARTMENT = "040"
SENDER = said.Collectivite(SIREN, DEPARTMENT, "1", "31")
MAILBOX = "retour@tdt.example.fr"
DECIDED = date(2024, 3, 15)
SENT = date(2024, 3, 16)
LETTER = date(2024, 4, 2)
ID_ACTE = "040-254002264-20240315-2024_012-DE"

PDF = b"%PDF-1.4\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
JPG = b"\xff\xd8\xff\xe0" + bytes(16)
XML = b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>'

CLASSIFICATION = Classification(
    date(2024, 1, 10),
    natures=(
        NatureActe(1, "DE", "Délibérations", (PieceType("99_DE", "Délibération"), PieceType("70_DE", "Délibération"))),
        NatureActe(5, "BF", "Documents budgétaires", (PieceType("99_BU", "Budget"), PieceType("70_DE", "Délibération"))),
    ),
    matieres=(
        Matiere(5, "Institutions et vie politique", (Matiere(2, "Fonctionnement des assemblées"),)),
        Matiere(
            7,
            "Finances locales",
            (Matiere(10, "Divers", (Matiere(2, "Admissions en non-valeur"),)), Matiere(1, "Décisions budgétaires")),
        ),
    ),
)


def file_of(act: IdActe, n: int, extension: str = "pdf", kind: str | None = "99_DE", code: MessageCode | None = None) -> str:
    """The name of an attachment."""
    base = MessageBase.of_act(act, code or MessageCode.ACTE)
    return str(AttachmentName(kind, base, n, extension))


def an_act(number: str = "2024_012", **changes: object) -> said.Acte:
    """A deliberation with a PDF and a PNG annex."""
    act = IdActe(DEPARTMENT, SIREN, DECIDED, number, "DE")
    return replace(
        said.Acte(
            decision_date=DECIDED,
            number=number,
            nature=1,
            matieres=(5, 2),
            subject="Élection d'un délégué",
            classification_date=date(2024, 1, 10),
            document=said.SignedFile(file_of(act, 1)),
            annexes=(said.SignedFile(file_of(act, 2, "png")),),
        ),
        **changes,
    )


def a_budget(**changes: object) -> said.Acte:
    """A budget in XML with its deliberation."""
    act = IdActe(DEPARTMENT, SIREN, DECIDED, "BP2024", "BF")
    return an_act(
        "BP2024",
        **{
            "nature": 5,
            "matieres": (7, 1),
            "document": said.SignedFile(file_of(act, 1, "xml", "99_BU")),
            "annexes": (said.SignedFile(file_of(act, 2, "pdf", "70_DE")),),
            **changes,
        },
    )


def an_envelope(*forms: str, **changes: object) -> said.EnveloppeCLMISILL:
    """The envelope of those messages."""
    envelope = said.EnveloppeCLMISILL(
        sender=SENDER,
        addresses=(MAILBOX,),
        forms=tuple(said.SignedFile(form) for form in forms),
        referent=said.Referent("Agnès Référente", "0558000000", "agent@mairie.example.fr"),
    )
    return replace(envelope, **changes)


def content_for(name: str) -> bytes:
    """Something that is what its extension says."""
    return {"pdf": PDF, "png": PNG, "jpg": JPG, "xml": XML}[name.rpartition(".")[2]]


@dataclass
class Parcel:
    """The files of an archive, sound as long as nobody touches them.

    ``files`` may be changed, by name; ``name`` is the archive's.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    name: str = "SIC-EACT--254002264--20240316-1.tar.gz"

    @property
    def envelope_name(self) -> str:
        return str(EnvelopeName.to_state(application="EACT", siren=SIREN, day=SENT, n=1))

    def write(self, folder: Path) -> Path:
        """The archive, built by hand so that anything can stand in it."""
        path = folder / self.name
        with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT) as archive:
            for name, content in self.files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        return path


def a_parcel(
    *acts: said.Acte, envelope: Mapping[str, object] | None = None, rendered: Mapping[str, bytes] | None = None
) -> Parcel:
    """An archive of acts.

    Args:
        acts: one deliberation by default.
        envelope: what is otherwise in the envelope.
        rendered: messages by number of act, in place of what would be written.
    """
    parcel = Parcel()
    messages, documents = {}, {}
    for act in acts or (an_act(),):
        letters = {1: "DE", 5: "BF"}.get(act.nature or 0, "DE")
        identifier = IdActe(DEPARTMENT, SIREN, DECIDED, act.number, letters)
        name = str(MessageName(MessageBase.of_act(identifier, act.code)))
        messages[name] = (rendered or {}).get(act.number) or render(act)
        documents |= {file.name: content_for(file.name) for file in act.files}
    parcel.files[parcel.envelope_name] = render(an_envelope(*messages, **(envelope or {})))
    parcel.files |= messages | documents
    return parcel


def built(parcel: Parcel, folder: Path) -> Path:
    """The same archive, as the product builds it."""
    inputs = folder / "inputs"
    inputs.mkdir()
    for name, content in parcel.files.items():
        (inputs / name).write_bytes(content)
    return build(folder, ArchiveName.parse(parcel.name), {name: inputs / name for name in parcel.files})
