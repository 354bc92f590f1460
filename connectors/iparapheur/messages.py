"""The messages of the legacy SOAP service, as types: a request and an answer for each operation, named as on the wire.

A field says by what element it is written, in the order of the service's schema; ``writing`` and ``reading`` do the rest, for
both sides alike. Business refusals are answers too: a ``MessageRetour`` whose code is KO.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

NAMESPACE = "http://www.adullact.org/spring-ws/iparapheur/1.0"
XMLMIME = "http://www.w3.org/2005/05/xmlmime"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
PATH = "/ws-iparapheur-no-mtom"
"""Where the service stands below the server's address; ``/ws-iparapheur`` is the same with MTOM."""

INFO, ERROR = "INFO", "ERROR"
"""Severities of a notice."""


@dataclass(frozen=True, slots=True)
class Element:
    """How a field is written.

    Attributes:
        name: of its element; empty when it is the text of the message's own element.
        each: of the elements that are repeated within it; empty when the element itself is repeated.
        nil: an absent value is written with ``xsi:nil``, as the service's schema wants it, instead of being left out.
        collapsed: white space around the text means nothing.
    """

    name: str = ""
    each: str = ""
    nil: bool = False
    collapsed: bool = False


class Code(StrEnum):
    """codeRetour, and the transition of ForcerEtape."""

    OK = "OK"
    KO = "KO"


class Visibility(StrEnum):
    """Who sees a dossier."""

    PUBLIC = "PUBLIC"
    SERVICE = "SERVICE"
    CONFIDENTIAL = "CONFIDENTIEL"


class ArchiveAction(StrEnum):
    """What becomes of an ended dossier."""

    KEEP = "ARCHIVER"
    DELETE = "EFFACER"


class Nature(StrEnum):
    """Nature of a metadata."""

    TEXT = "STRING"
    DATE = "DATE"
    DOUBLE = "DOUBLE"
    INTEGER = "INTEGER"
    BOOLEAN = "BOOLEAN"
    URL = "URL"


@dataclass(frozen=True, slots=True)
class Document:
    """The octets of a document: on disk, never in memory as a whole.

    Attributes:
        path: of the file that holds them.
        media: media type (``xmlmime:contentType``).
    """

    path: Path
    media: str


@dataclass(frozen=True, slots=True)
class MessageRetour:
    """What became of a request, and why."""

    code: Annotated[Code, Element("codeRetour")]
    message: Annotated[str, Element("message")] = ""
    severity: Annotated[str, Element("severite", collapsed=True)] = INFO


@dataclass(frozen=True, slots=True)
class DocAnnexe:
    """An annex, or one more main document; the signature is a detached one."""

    name: Annotated[str, Element("nom")]
    file: Annotated[Document, Element("fichier")]
    media: Annotated[str | None, Element("mimetype")] = None
    encoding: Annotated[str | None, Element("encoding")] = None
    signature: Annotated[Document | None, Element("signature")] = None


@dataclass(frozen=True, slots=True)
class MetaDonnee:
    """A metadata of a dossier."""

    name: Annotated[str, Element("nom", collapsed=True)]
    value: Annotated[str, Element("valeur")]


@dataclass(frozen=True, slots=True)
class MetaDonneeDefinition:
    """A metadata as the parapheur declares it; ``mandatory`` is told for a sub-type only."""

    name: Annotated[str, Element("nomCourt", collapsed=True)]
    label: Annotated[str, Element("nomLong")]
    nature: Annotated[str, Element("nature", collapsed=True)]
    mandatory: Annotated[bool | None, Element("obligatoire")] = None


@dataclass(frozen=True, slots=True)
class EtapeCircuit:
    """A step of a circuit: a desk, who holds it, and what is done there (VISEUR, SIGNATAIRE … ARCHIVAGE)."""

    desk: Annotated[str, Element("Parapheur")]
    first_name: Annotated[str, Element("Prenom")]
    name: Annotated[str, Element("Nom")]
    role: Annotated[str, Element("Role", collapsed=True)]


@dataclass(frozen=True, slots=True)
class LogDossier:
    """A line of a history, or of a search, where ``name`` is the dossier's identifier.

    ``accessible`` is told by a search only: OK, KO, Recuperable.
    """

    moment: Annotated[datetime, Element("timestamp")]
    name: Annotated[str, Element("nom")]
    status: Annotated[str, Element("status", collapsed=True)]
    annotation: Annotated[str, Element("annotation")] = ""
    accessible: Annotated[str | None, Element("accessible", collapsed=True)] = None


@dataclass(frozen=True, slots=True)
class ActesMetaData:
    """What a transmission of an act needs (MetaDataTdtACTES)."""

    nature: Annotated[str, Element("nature")]
    classification: Annotated[str, Element("classification")]
    day: Annotated[str, Element("date")]
    subject: Annotated[str, Element("objet")]


class Request:
    """What one asks for: an element that is not known is refused, since something asked for would not be done."""

    __slots__ = ()


class Answer:
    """What is answered: an element that is not known is passed over, since later versions add some."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class EchoRequest(Request):
    """Is anybody there?"""

    text: Annotated[str, Element()]


@dataclass(frozen=True, slots=True)
class EchoResponse(Answer):
    """The same text."""

    text: Annotated[str, Element()]


@dataclass(frozen=True, slots=True)
class GetListeTypesRequest(Request):
    """Which types may I create dossiers of?"""


@dataclass(frozen=True, slots=True)
class GetListeTypesResponse(Answer):
    """The types."""

    types: Annotated[tuple[str, ...], Element("TypeTechnique", collapsed=True)] = ()


@dataclass(frozen=True, slots=True)
class GetListeSousTypesRequest(Request):
    """Which sub-types of this type?"""

    type: Annotated[str, Element(collapsed=True)]


@dataclass(frozen=True, slots=True)
class GetListeSousTypesResponse(Answer):
    """The sub-types; none for an unknown type."""

    subtypes: Annotated[tuple[str, ...], Element("SousType", collapsed=True)] = ()


@dataclass(frozen=True, slots=True)
class GetListeMetaDonneesRequest(Request):
    """Which metadata are declared?"""


@dataclass(frozen=True, slots=True)
class GetListeMetaDonneesResponse(Answer):
    """All of them."""

    definitions: Annotated[tuple[MetaDonneeDefinition, ...], Element("MetaDonnee")] = ()


@dataclass(frozen=True, slots=True)
class GetMetaDonneesRequisesPourTypeSoustypeRequest(Request):
    """Which metadata does this sub-type ask for?"""

    type: Annotated[str, Element("TypeTechnique", collapsed=True)]
    subtype: Annotated[str, Element("SousType", collapsed=True)]


@dataclass(frozen=True, slots=True)
class GetMetaDonneesRequisesPourTypeSoustypeResponse(Answer):
    """Those of the sub-type, each with whether it is mandatory."""

    definitions: Annotated[tuple[MetaDonneeDefinition, ...], Element("MetaDonnee")] = ()


@dataclass(frozen=True, slots=True)
class GetCircuitRequest(Request):
    """Which steps does this sub-type lead through?"""

    type: Annotated[str, Element("TypeTechnique", collapsed=True)]
    subtype: Annotated[str, Element("SousType", collapsed=True)]


@dataclass(frozen=True, slots=True)
class GetCircuitResponse(Answer):
    """The steps, in order; the last one is the archiving."""

    steps: Annotated[tuple[EtapeCircuit, ...], Element("EtapeCircuit")] = ()


@dataclass(frozen=True, slots=True)
class RechercherDossiersRequest(Request):
    """Which dossiers are of this type, sub-type and status, or are among these? An empty criterion is none."""

    type: Annotated[str | None, Element("TypeTechnique", collapsed=True)] = None
    subtype: Annotated[str | None, Element("SousType", collapsed=True)] = None
    status: Annotated[str | None, Element("Status", collapsed=True)] = None
    most: Annotated[int | None, Element("NombreDossiers")] = None
    dossier_ids: Annotated[tuple[str, ...], Element("DossierID", collapsed=True)] = ()


@dataclass(frozen=True, slots=True)
class RechercherDossiersResponse(Answer):
    """Those that the account may see, each with its present status."""

    entries: Annotated[tuple[LogDossier, ...], Element("LogDossier")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreerDossierRequest(Request):
    """Take this dossier and start its circuit. Without ``dossier_id`` the parapheur gives one."""

    type: Annotated[str, Element("TypeTechnique", collapsed=True)]
    subtype: Annotated[str, Element("SousType", collapsed=True)]
    email: Annotated[str | None, Element("EmailEmetteur")] = None
    dossier_id: Annotated[str, Element("DossierID", collapsed=True)] = ""
    title: Annotated[str | None, Element("DossierTitre")] = None
    document: Annotated[Document, Element("DocumentPrincipal")]
    document_name: Annotated[str | None, Element("NomDocPrincipal")] = None
    signature: Annotated[Document | None, Element("SignatureDocPrincipal")] = None
    visual: Annotated[Document | None, Element("VisuelPDF", nil=True)] = None
    more: Annotated[tuple[DocAnnexe, ...], Element("DocumentsSupplementaires", each="DocAnnexe")] = ()
    annexes: Annotated[tuple[DocAnnexe, ...], Element("DocumentsAnnexes", each="DocAnnexe")] = ()
    metadata: Annotated[tuple[MetaDonnee, ...], Element("MetaData", each="MetaDonnee")] = ()
    signature_place: Annotated[str | None, Element("XPathPourSignatureXML", nil=True, collapsed=True)] = None
    actes: Annotated[ActesMetaData | None, Element("MetaDataTdtACTES", nil=True)] = None
    public_note: Annotated[str | None, Element("AnnotationPublique", nil=True)] = None
    private_note: Annotated[str | None, Element("AnnotationPrivee", nil=True)] = None
    visibility: Annotated[Visibility, Element("Visibilite")]
    due: Annotated[date | None, Element("DateLimite", nil=True)] = None
    circuit: Annotated[tuple[EtapeCircuit, ...], Element("CircuitObligatoire", each="EtapeCircuit")] = ()


@dataclass(frozen=True, slots=True)
class CreerDossierResponse(Answer):
    """Taken, or why not."""

    notice: Annotated[MessageRetour, Element("MessageRetour")]
    dossier_id: Annotated[str | None, Element("DossierID", collapsed=True)] = None


@dataclass(frozen=True, slots=True)
class GetDossierRequest(Request):
    """Give me the dossier."""

    dossier_id: Annotated[str, Element(collapsed=True)]


@dataclass(frozen=True, slots=True)
class GetDossierResponse(Answer):
    """The dossier with its documents; the last annex is the bordereau. A refusal holds its notice only."""

    type: Annotated[str | None, Element("TypeTechnique", collapsed=True)] = None
    subtype: Annotated[str | None, Element("SousType", collapsed=True)] = None
    email: Annotated[str | None, Element("EmailEmetteur")] = None
    dossier_id: Annotated[str | None, Element("DossierID", collapsed=True)] = None
    pes: Annotated[Document | None, Element("FichierPES")] = None
    visual: Annotated[Document | None, Element("VisuelPDF")] = None
    signature_place: Annotated[str | None, Element("XPathPourSignaturePES", collapsed=True)] = None
    public_note: Annotated[str | None, Element("AnnotationPublique")] = None
    private_note: Annotated[str | None, Element("AnnotationPrivee")] = None
    visibility: Annotated[Visibility | None, Element("Visibilite")] = None
    due: Annotated[date | None, Element("DateLimite")] = None
    document: Annotated[Document | None, Element("DocPrincipal")] = None
    document_name: Annotated[str | None, Element("NomDocPrincipal")] = None
    signature: Annotated[Document | None, Element("SignatureDocPrincipal")] = None
    more: Annotated[tuple[DocAnnexe, ...], Element("DocumentsSupplementaires", each="DocAnnexe")] = ()
    annexes: Annotated[tuple[DocAnnexe, ...], Element("DocumentsAnnexes", each="DocAnnexe")] = ()
    metadata: Annotated[tuple[MetaDonnee, ...], Element("MetaDonnees", each="MetaDonnee")] = ()
    notice: Annotated[MessageRetour | None, Element("MessageRetour")] = None


@dataclass(frozen=True, slots=True)
class GetHistoDossierRequest(Request):
    """What happened to the dossier?"""

    dossier_id: Annotated[str, Element(collapsed=True)]


@dataclass(frozen=True, slots=True)
class GetHistoDossierResponse(Answer):
    """Everything, oldest first; the name of an entry is that of who acted."""

    entries: Annotated[tuple[LogDossier, ...], Element("LogDossier")] = ()
    notice: Annotated[MessageRetour | None, Element("MessageRetour")] = None


@dataclass(frozen=True, slots=True)
class ExercerDroitRemordDossierRequest(Request):
    """Give the dossier back, as long as nobody has acted on it."""

    dossier_id: Annotated[str, Element(collapsed=True)]


@dataclass(frozen=True, slots=True)
class ExercerDroitRemordDossierResponse(Answer):
    """Given back, or why not."""

    notice: Annotated[MessageRetour, Element("MessageRetour")]


@dataclass(frozen=True, slots=True)
class ForcerEtapeRequest(Request):
    """Let the present step pass (OK), or reject the dossier (KO)."""

    dossier_id: Annotated[str, Element("DossierID", collapsed=True)]
    transition: Annotated[Code, Element("CodeTransition")]
    public_note: Annotated[str | None, Element("AnnotationPublique", nil=True)] = None
    private_note: Annotated[str | None, Element("AnnotationPrivee", nil=True)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForcerEtapeResponse(Answer):
    """Done, or why not."""

    entry: Annotated[LogDossier | None, Element("LogDossier")] = None
    notice: Annotated[MessageRetour, Element("MessageRetour")]


@dataclass(frozen=True, slots=True)
class ArchiverDossierRequest(Request):
    """Put an ended dossier away, or erase it."""

    dossier_id: Annotated[str, Element("DossierID", collapsed=True)]
    action: Annotated[ArchiveAction | None, Element("ArchivageAction")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiverDossierResponse(Answer):
    """Done, or why not."""

    url: Annotated[str | None, Element("URL", nil=True)] = None
    notice: Annotated[MessageRetour, Element("MessageRetour")]


@dataclass(frozen=True, slots=True)
class EffacerDossierRejeteRequest(Request):
    """Erase a rejected dossier."""

    dossier_id: Annotated[str, Element(collapsed=True)]


@dataclass(frozen=True, slots=True)
class EffacerDossierRejeteResponse(Answer):
    """Done, or why not."""

    notice: Annotated[MessageRetour, Element("MessageRetour")]


@dataclass(frozen=True, slots=True)
class Fault(Answer):
    """A SOAP 1.1 fault: the request was not understood (Client), or the server failed (Server).

    Attributes:
        code: ``Client``, ``Server``, ``MustUnderstand`` or ``VersionMismatch``.
        text: what the server says.
    """

    code: str
    text: str


Message = Request | Answer

OPERATIONS: Mapping[type[Request], type[Answer]] = {
    EchoRequest: EchoResponse,
    GetListeTypesRequest: GetListeTypesResponse,
    GetListeSousTypesRequest: GetListeSousTypesResponse,
    GetListeMetaDonneesRequest: GetListeMetaDonneesResponse,
    GetMetaDonneesRequisesPourTypeSoustypeRequest: GetMetaDonneesRequisesPourTypeSoustypeResponse,
    GetCircuitRequest: GetCircuitResponse,
    RechercherDossiersRequest: RechercherDossiersResponse,
    CreerDossierRequest: CreerDossierResponse,
    GetDossierRequest: GetDossierResponse,
    GetHistoDossierRequest: GetHistoDossierResponse,
    ExercerDroitRemordDossierRequest: ExercerDroitRemordDossierResponse,
    ForcerEtapeRequest: ForcerEtapeResponse,
    ArchiverDossierRequest: ArchiverDossierResponse,
    EffacerDossierRejeteRequest: EffacerDossierRejeteResponse,
}
