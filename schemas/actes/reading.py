"""From the fields of each root element to its message: one small function for each, in the order of the codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from schemas.actes.classification import DEEPEST, Classification, Matiere, NatureActe, PieceType
from schemas.actes.codes import MessageCode
from schemas.actes.fields import Fields
from schemas.actes.messages import (
    Acte,
    Annulation,
    AnomalieActe,
    AnomalieEnveloppe,
    ARActe,
    ARAnnulation,
    ARDemandePieceComplementaire,
    ARLettreObservations,
    ARPieceComplementaire,
    ARReponseRejetLettreObservations,
    Collectivite,
    CourrierSimple,
    DefereTA,
    DemandeClassification,
    DemandePieceComplementaire,
    EnveloppeCLMISILL,
    EnveloppeMISILLCL,
    LettreObservations,
    Message,
    Office,
    OfficeKind,
    PieceComplementaire,
    Referent,
    RefusPieceComplementaire,
    RejetLettreObservations,
    ReponseClassificationSansChangement,
    ReponseCourrierSimple,
    ReponseLettreObservations,
    RetourClassification,
)

_OFFICES = {"IDSGAR": OfficeKind.SGAR, "IDPref": OfficeKind.PREFECTURE, "IDSousPref": OfficeKind.SOUS_PREFECTURE}


def _acte(of: Fields) -> Acte:
    annexes = of.child("Annexes")
    previous = of.child("PrecedentIdentifiantActe")
    return Acte(
        decision_date=of.attribute_day("Date"),
        number=of.attribute("NumeroInterne"),
        nature=of.integer("CodeNatureActe"),
        matieres=_matieres(of),
        subject=of.text("Objet") or "",
        classification_date=of.day("ClassificationDateVersion"),
        document=of.file("Document"),
        annexes=() if annexes is None else annexes.files("Annexe"),
        paper=of.text("DocumentPapier"),
        previous=None if previous is None else previous.attribute("IDActe"),
        announced=None if annexes is None else annexes.integer("Nombre"),
    )


def _matieres(of: Fields) -> tuple[int | None, ...]:
    levels = [of.child(f"CodeMatiere{level}") for level in range(1, DEEPEST + 1)]
    codes = [None if level is None else level.integer("CodeMatiere") for level in levels]
    while codes and codes[-1] is None:
        codes.pop()
    return tuple(codes)


def _received(of: Fields) -> Acte | None:
    received = of.child("ActeRecu")
    return None if received is None else _acte(received)


def _ar_acte(of: Fields) -> ARActe:
    return ARActe(
        of.attribute("IDActe"), of.attribute_day("DateReception"), _received(of), of.day("ClassificationDateVersionEnCours")
    )


def _anomalie_acte(of: Fields) -> AnomalieActe:
    return AnomalieActe(
        anomaly_date=of.day("Date"),
        nature=(of.text("Nature") or "").strip(),
        detail=of.text("Detail"),
        received=_received(of),
        current_classification_date=of.day("ClassificationDateVersionEnCours"),
    )


def _demande_piece_complementaire(of: Fields) -> DemandePieceComplementaire:
    return DemandePieceComplementaire(*_letter(of), of.file("Document"), of.text("DescriptionPieces") or "")


def _piece_complementaire(of: Fields) -> PieceComplementaire:
    documents = of.child("Documents")
    return PieceComplementaire(*_letter(of), () if documents is None else documents.files("Document"))


def _lettre_observations(of: Fields) -> LettreObservations:
    return LettreObservations(*_letter(of), of.file("Document"), of.text("Motif") or "")


def _letter(of: Fields) -> tuple[str, date | None]:
    return of.attribute("IDActe"), of.attribute_day("DateCourrierPref")


def _of_letter(of: Fields) -> Fields:
    """``InfosCourrierPref``, or the message itself when it is absent: there the fields are empty."""
    return of.child("InfosCourrierPref") or of


def _defere_ta(of: Fields) -> DefereTA:
    attachments = of.child("PiecesJointes")
    return DefereTA(
        id_acte=of.attribute("IDActe"),
        deposit_date=of.day("DateDepot"),
        illegality=of.text("NatureIllegalite") or "",
        attachments=() if attachments is None else attachments.files("PieceJointe"),
    )


def _retour_classification(of: Fields) -> RetourClassification:
    natures, matieres = of.child("NaturesActes"), of.child("Matieres")
    return RetourClassification(
        Classification(
            version=of.day("DateClassification"),
            natures=() if natures is None else tuple(_nature(nature) for nature in natures.children("NatureActe")),
            matieres=() if matieres is None else _level(matieres, 1),
        )
    )


def _nature(of: Fields) -> NatureActe:
    return NatureActe(
        code=of.integer("CodeNatureActe") or 0,
        abbreviation=of.attribute("TypeAbrege"),
        label=of.attribute("Libelle"),
        types=tuple(
            PieceType(piece.attribute("CodeTypePJ"), piece.attribute("Libelle")) for piece in of.children("TypePJNatureActe")
        ),
    )


def _level(of: Fields, level: int) -> tuple[Matiere, ...]:
    if level > DEEPEST:
        return ()
    read = ((node, node.integer("CodeMatiere")) for node in of.children(f"Matiere{level}"))
    return tuple(Matiere(code, node.attribute("Libelle"), _level(node, level + 1)) for node, code in read if code is not None)


def _anomalie_enveloppe(of: Fields) -> AnomalieEnveloppe:
    received = of.child("EnveloppeRecue")
    return AnomalieEnveloppe(
        anomaly_date=of.day("Date"),
        nature=(of.text("Nature") or "").strip(),
        detail=of.text("Detail"),
        received=None if received is None else envelope_to_state(received),
    )


def envelope_to_state(of: Fields) -> EnveloppeCLMISILL:
    """Read the envelope of a collectivité."""
    sender = of.child("Emetteur", "IDCL")
    addresses = of.child("AdressesRetour")
    forms = of.child("FormulairesEnvoyes")
    return EnveloppeCLMISILL(
        sender=Collectivite("", "", "", "") if sender is None else _collectivite(sender),
        addresses=() if addresses is None else tuple(address.own().strip() for address in addresses.children("Email")),
        forms=() if forms is None else forms.files("Formulaire"),
        referent=_referent(of),
    )


def envelope_from_state(of: Fields) -> EnveloppeMISILLCL:
    """Read the envelope of the State."""
    recipient, forms = of.child("Destinataire"), of.child("FormulairesEnvoyes")
    return EnveloppeMISILLCL(
        sender=next((_office(office, kind) for name, kind in _OFFICES.items() if (office := of.child("Emetteur", name))), None),
        recipient="" if recipient is None else recipient.siren(),
        forms=() if forms is None else forms.files("Formulaire"),
        referent=_referent(of),
    )


def _collectivite(of: Fields) -> Collectivite:
    return Collectivite(of.siren(), of.attribute("Departement"), of.attribute("Arrondissement"), of.attribute("Nature"))


def _office(of: Fields, kind: OfficeKind) -> Office:
    return Office(kind, of.attribute("Departement"), of.attribute("Arrondissement") or None)


def _referent(of: Fields) -> Referent | None:
    referent = of.child("Emetteur", "Referent")
    return None if referent is None else Referent(referent.text("Nom"), referent.text("Telephone"), referent.text("Email"))


CONSTRUCTORS: dict[MessageCode, Callable[[Fields], Message]] = {
    MessageCode.ACTE: lambda of: replace(_acte(of), number=of.written("NumeroInterne")),  # blanks count in what goes to the State
    MessageCode.AR_ACTE: _ar_acte,
    MessageCode.ANOMALIE_ACTE: _anomalie_acte,
    MessageCode.COURRIER_SIMPLE: lambda of: CourrierSimple(*_letter(of), of.file("Document")),
    MessageCode.REPONSE_COURRIER_SIMPLE: lambda of: ReponseCourrierSimple(*_letter(of), of.file("Document")),
    MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE: _demande_piece_complementaire,
    MessageCode.AR_DEMANDE_PIECE_COMPLEMENTAIRE: lambda of: ARDemandePieceComplementaire(*_letter(of)),
    MessageCode.REFUS_PIECE_COMPLEMENTAIRE: lambda of: RefusPieceComplementaire(*_letter(of), of.file("Document")),
    MessageCode.PIECE_COMPLEMENTAIRE: _piece_complementaire,
    MessageCode.AR_PIECE_COMPLEMENTAIRE: lambda of: ARPieceComplementaire(
        *_letter(_of_letter(of)), of.attribute_day("DateReception")
    ),
    MessageCode.LETTRE_OBSERVATIONS: _lettre_observations,
    MessageCode.AR_LETTRE_OBSERVATIONS: lambda of: ARLettreObservations(*_letter(of)),
    MessageCode.REJET_LETTRE_OBSERVATIONS: lambda of: RejetLettreObservations(*_letter(of), of.file("Document")),
    MessageCode.REPONSE_LETTRE_OBSERVATIONS: lambda of: ReponseLettreObservations(*_letter(of), of.file("Document")),
    MessageCode.AR_REPONSE_REJET_LETTRE_OBSERVATIONS: lambda of: ARReponseRejetLettreObservations(
        *_letter(_of_letter(of)), of.attribute_day("DateReception")
    ),
    MessageCode.DEFERE_TA: _defere_ta,
    MessageCode.ANNULATION: lambda of: Annulation(of.attribute("IDActe")),
    MessageCode.AR_ANNULATION: lambda of: ARAnnulation(of.attribute("IDActe"), of.attribute_day("DateReception")),
    MessageCode.DEMANDE_CLASSIFICATION: lambda of: DemandeClassification(of.day("DateClassification")),
    MessageCode.RETOUR_CLASSIFICATION: _retour_classification,
    MessageCode.REPONSE_CLASSIFICATION_SANS_CHANGEMENT: lambda of: ReponseClassificationSansChangement(
        of.day("DateClassification")
    ),
    MessageCode.ANOMALIE_ENVELOPPE: _anomalie_enveloppe,
}
"""How each message is read from its root element."""
