"""From a message to its elements: one small function for each, the mirror of ``reading.py``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from lxml import etree

from schemas.actes import messages as m
from schemas.actes.classification import Classification, Matiere
from schemas.actes.codes import ENVELOPE_FROM_STATE, ENVELOPE_TO_STATE, INSEE, NAMESPACE
from schemas.actes.latin import transliterate

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_NAMESPACES = {"actes": NAMESPACE, "insee": INSEE, "xsi": _XSI}
_LOCATION = f"{NAMESPACE} actesv1_1.xsd"
_OFFICES = {m.OfficeKind.SGAR: "IDSGAR", m.OfficeKind.PREFECTURE: "IDPref", m.OfficeKind.SOUS_PREFECTURE: "IDSousPref"}


class Element:
    """An element being written; values that are None leave nothing behind."""

    def __init__(self, element: etree._Element) -> None:
        self.element = element

    @classmethod
    def root(cls, name: str) -> Element:
        """Open a document."""
        root = etree.Element(f"{{{NAMESPACE}}}{name}", nsmap=_NAMESPACES)
        root.set(f"{{{_XSI}}}schemaLocation", _LOCATION)
        return cls(root)

    def add(self, name: str, text: str | date | None = None, **attributes: str | int | date | None) -> Element:
        """Add an element below, and return it; without text it stays empty."""
        child = Element(etree.SubElement(self.element, f"{{{NAMESPACE}}}{name}"))
        if text is not None:
            child.element.text = _text(text)
        return child.set(**attributes)

    def add_if(self, name: str, text: str | date | None) -> None:
        """Add an element unless there is nothing to say."""
        if text is not None:
            self.add(name, text)

    def set(self, **attributes: str | int | date | None) -> Element:
        """Set attributes, prefixed as the schema wants them."""
        for name, value in attributes.items():
            if value is not None:
                self.element.set(f"{{{NAMESPACE}}}{name}", _text(value))
        return self

    def set_siren(self, siren: str) -> Element:
        """Set INSEE's attribute."""
        self.element.set(f"{{{INSEE}}}SIREN", siren)
        return self

    def file(self, name: str, file: m.SignedFile | None) -> None:
        """Add a ``FichierSigne``; the schema will object to an absent one."""
        if file is not None:
            child = self.add(name)
            child.add("NomFichier", file.name)
            child.add_if("Signature", file.signature)


def element_of(document: m.Document) -> etree._Element:
    """Return the root element of a message or an envelope, not yet looked at by anybody."""
    if isinstance(document, m.EnveloppeCLMISILL):
        root = Element.root(ENVELOPE_TO_STATE)
        _envelope_to_state(root, document)
    elif isinstance(document, m.EnveloppeMISILLCL):
        root = Element.root(ENVELOPE_FROM_STATE)
        _envelope_from_state(root, document)
    else:
        root = Element.root(document.code.root)
        _FILLERS[type(document)](root, document)
    return root.element


def _text(value: str | int | date) -> str:
    if isinstance(value, date):
        return value.isoformat()
    return transliterate(value) if isinstance(value, str) else str(value)


def _acte(of: Element, act: m.Acte) -> None:
    of.set(Date=act.decision_date, NumeroInterne=act.number, CodeNatureActe=act.nature)
    for level, code in enumerate(act.matieres, start=1):
        if code is not None:
            of.add(f"CodeMatiere{level}", CodeMatiere=code)
    of.add("Objet", act.subject)
    if act.previous is not None:
        of.add("PrecedentIdentifiantActe", IDActe=act.previous)
    of.add_if("ClassificationDateVersion", act.classification_date)
    of.file("Document", act.document)
    annexes = of.add("Annexes", Nombre=len(act.annexes) if act.announced is None else act.announced)
    for annex in act.annexes:
        annexes.file("Annexe", annex)
    of.add("DocumentPapier", act.paper)


def _received(of: Element, act: m.Acte | None, current: date | None) -> None:
    if act is not None:
        _acte(of.add("ActeRecu"), act)
    of.add_if("ClassificationDateVersionEnCours", current)


def _ar_acte(of: Element, message: m.ARActe) -> None:
    of.set(IDActe=message.id_acte, DateReception=message.reception_date)
    _received(of, message.received, message.current_classification_date)


def _anomalie_acte(of: Element, message: m.AnomalieActe) -> None:
    of.add_if("Date", message.anomaly_date)
    of.add("Nature", message.nature)
    of.add_if("Detail", message.detail)
    _received(of, message.received, message.current_classification_date)


def _letter(of: Element, message: Any) -> None:
    of.set(IDActe=message.id_acte, DateCourrierPref=message.letter_date)


def _letter_with_document(of: Element, message: Any) -> None:
    _letter(of, message)
    of.file("Document", message.document)


def _demande_piece_complementaire(of: Element, message: m.DemandePieceComplementaire) -> None:
    _letter(of, message)
    of.add("DescriptionPieces", message.description)
    of.file("Document", message.document)


def _piece_complementaire(of: Element, message: m.PieceComplementaire) -> None:
    _letter(of, message)
    documents = of.add("Documents")
    for document in message.documents:
        documents.file("Document", document)


def _lettre_observations(of: Element, message: m.LettreObservations) -> None:
    _letter(of, message)
    of.add("Motif", message.reason)
    of.file("Document", message.document)


def _letter_received(of: Element, message: Any) -> None:
    of.set(DateReception=message.reception_date)
    _letter(of.add("InfosCourrierPref"), message)


def _defere_ta(of: Element, message: m.DefereTA) -> None:
    of.set(IDActe=message.id_acte)
    of.add_if("DateDepot", message.deposit_date)
    of.add("NatureIllegalite", message.illegality)
    attachments = of.add("PiecesJointes")
    for attachment in message.attachments:
        attachments.file("PieceJointe", attachment)


def _annulation(of: Element, message: m.Annulation) -> None:
    of.set(IDActe=message.id_acte)


def _ar_annulation(of: Element, message: m.ARAnnulation) -> None:
    of.set(IDActe=message.id_acte, DateReception=message.reception_date)


def _classification_date(of: Element, message: m.DemandeClassification | m.ReponseClassificationSansChangement) -> None:
    of.add_if("DateClassification", message.classification_date)


def _retour_classification(of: Element, message: m.RetourClassification) -> None:
    classification: Classification = message.classification
    of.add_if("DateClassification", classification.version)
    natures = of.add("NaturesActes")
    for nature in classification.natures:
        child = natures.add("NatureActe", CodeNatureActe=nature.code, Libelle=nature.label, TypeAbrege=nature.abbreviation)
        for piece in nature.types:
            child.add("TypePJNatureActe", CodeTypePJ=piece.code, Libelle=piece.label)
    _level(of.add("Matieres"), classification.matieres, 1)


def _level(of: Element, matieres: tuple[Matiere, ...], level: int) -> None:
    for matiere in matieres:
        _level(of.add(f"Matiere{level}", CodeMatiere=matiere.code, Libelle=matiere.label), matiere.children, level + 1)


def _anomalie_enveloppe(of: Element, message: m.AnomalieEnveloppe) -> None:
    of.add_if("Date", message.anomaly_date)
    of.add("Nature", message.nature)
    of.add_if("Detail", message.detail)
    if message.received is not None:
        _envelope_to_state(of.add("EnveloppeRecue"), message.received)


def _envelope_to_state(of: Element, envelope: m.EnveloppeCLMISILL) -> None:
    sender = envelope.sender
    emitter = of.add("Emetteur")
    emitter.add("IDCL", Departement=sender.department, Arrondissement=sender.arrondissement, Nature=sender.nature).set_siren(
        sender.siren
    )
    _referent(emitter, envelope.referent)
    addresses = of.add("AdressesRetour")
    for address in dict.fromkeys(envelope.addresses):
        addresses.add("Email", address)
    _forms(of, envelope.forms)


def _envelope_from_state(of: Element, envelope: m.EnveloppeMISILLCL) -> None:
    emitter = of.add("Emetteur")
    if (office := envelope.sender) is not None:
        emitter.add(_OFFICES[office.kind], Departement=office.department, Arrondissement=office.arrondissement)
    _referent(emitter, envelope.referent)
    _forms(of, envelope.forms)
    of.add("Destinataire").set_siren(envelope.recipient)


def _referent(of: Element, referent: m.Referent | None) -> None:
    if referent is not None:
        child = of.add("Referent")
        child.add_if("Nom", referent.name)
        child.add_if("Telephone", referent.telephone)
        child.add_if("Email", referent.email)


def _forms(of: Element, forms: tuple[m.SignedFile, ...]) -> None:
    sent = of.add("FormulairesEnvoyes")
    for form in forms:
        sent.file("Formulaire", form)


_FILLERS: dict[type[m.Message], Callable[[Element, Any], None]] = {
    m.Acte: _acte,
    m.ARActe: _ar_acte,
    m.AnomalieActe: _anomalie_acte,
    m.CourrierSimple: _letter_with_document,
    m.ReponseCourrierSimple: _letter_with_document,
    m.DemandePieceComplementaire: _demande_piece_complementaire,
    m.ARDemandePieceComplementaire: _letter,
    m.RefusPieceComplementaire: _letter_with_document,
    m.PieceComplementaire: _piece_complementaire,
    m.ARPieceComplementaire: _letter_received,
    m.LettreObservations: _lettre_observations,
    m.ARLettreObservations: _letter,
    m.RejetLettreObservations: _letter_with_document,
    m.ReponseLettreObservations: _letter_with_document,
    m.ARReponseRejetLettreObservations: _letter_received,
    m.DefereTA: _defere_ta,
    m.Annulation: _annulation,
    m.ARAnnulation: _ar_annulation,
    m.DemandeClassification: _classification_date,
    m.RetourClassification: _retour_classification,
    m.ReponseClassificationSansChangement: _classification_date,
    m.AnomalieEnveloppe: _anomalie_enveloppe,
}
