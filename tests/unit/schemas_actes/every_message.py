"""One message of each code, fully filled, and the sparest one where fields are optional."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from schemas.actes import messages as said
from schemas.actes.codes import MessageCode
from tests.unit.schemas_actes.acts import CLASSIFICATION, ID_ACTE, LETTER, SENDER, SENT, a_budget, an_act, an_envelope

RECEIVED = date(2024, 3, 18)
IN_FORCE = date(2024, 1, 10)


def document(code: MessageCode, n: int = 1) -> said.SignedFile:
    prefix = "99_DE-" if code.direction.value == "to-state" else ""
    return said.SignedFile(f"{prefix}{ID_ACTE}-{code.value}_{n}.pdf")


def messages() -> dict[str, said.Document]:
    """Each message by a name for it."""
    letter = (ID_ACTE, LETTER)
    full = an_act(
        matieres=(7, 10, 2, 1, 1),
        previous="040-254002264-20230315-2023_012-DE",
        paper="O",
        document=replace(an_act().files[0], signature="TUlJQg=="),
        announced=1,
    )
    simple = replace(an_act(annexes=()), announced=0)
    envelope = an_envelope(f"{ID_ACTE}-1-1_0.xml", addresses=("retour@tdt.example.fr", "agent@mairie.example.fr"))
    of_state = said.EnveloppeMISILLCL(
        said.Office(said.OfficeKind.SOUS_PREFECTURE, "040", "1"),
        SENDER.siren,
        (said.SignedFile(f"{ID_ACTE}-1-2_101.xml"),),
        said.Referent("Bureau du contrôle", None, None),
    )
    return {
        "1-1": full,
        "1-1 plain": simple,
        "1-1 budget": replace(a_budget(), announced=1),
        "1-2": said.ARActe(ID_ACTE, RECEIVED, full, IN_FORCE),
        "1-3": said.AnomalieActe(RECEIVED, "002", "ODT-VERIF-01 : périmée", simple, IN_FORCE),
        "1-3 bare": said.AnomalieActe(RECEIVED, "100", None, replace(simple, matieres=(1, 1, 1, None, 1), paper=""), IN_FORCE),
        "2-1": said.CourrierSimple(*letter, document(MessageCode.COURRIER_SIMPLE)),
        "2-2": said.ReponseCourrierSimple(*letter, document(MessageCode.REPONSE_COURRIER_SIMPLE)),
        "3-1": said.DemandePieceComplementaire(*letter, document(MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE), "Le plan annexé"),
        "3-2": said.ARDemandePieceComplementaire(*letter),
        "3-3": said.RefusPieceComplementaire(*letter, document(MessageCode.REFUS_PIECE_COMPLEMENTAIRE)),
        "3-4": said.PieceComplementaire(*letter, tuple(document(MessageCode.PIECE_COMPLEMENTAIRE, n) for n in (1, 2, 3))),
        "3-5": said.ARPieceComplementaire(*letter, RECEIVED),
        "4-1": said.LettreObservations(*letter, document(MessageCode.LETTRE_OBSERVATIONS), "Incompétence de l'auteur"),
        "4-2": said.ARLettreObservations(*letter),
        "4-3": said.RejetLettreObservations(*letter, document(MessageCode.REJET_LETTRE_OBSERVATIONS)),
        "4-4": said.ReponseLettreObservations(*letter, document(MessageCode.REPONSE_LETTRE_OBSERVATIONS)),
        "4-5": said.ARReponseRejetLettreObservations(*letter, RECEIVED),
        "5-1": said.DefereTA(ID_ACTE, RECEIVED, "Vice de procédure", (document(MessageCode.DEFERE_TA),)),
        "5-1 bare": said.DefereTA(ID_ACTE, RECEIVED, "", ()),
        "6-1": said.Annulation(ID_ACTE),
        "6-2": said.ARAnnulation(ID_ACTE, RECEIVED),
        "7-1": said.DemandeClassification(),
        "7-1 dated": said.DemandeClassification(IN_FORCE),
        "7-2": said.RetourClassification(CLASSIFICATION),
        "7-3": said.ReponseClassificationSansChangement(IN_FORCE),
        "ANO": said.AnomalieEnveloppe(SENT, "100", "SIC-EACT--254002264--20240316-1.tar.gz -> illisible", envelope),
        "envelope to the State": envelope,
        "envelope from a sous-préfecture": of_state,
        "envelope from a préfecture": replace(of_state, sender=said.Office(said.OfficeKind.PREFECTURE, "040"), referent=None),
        "envelope from a region": replace(of_state, sender=said.Office(said.OfficeKind.SGAR, "075"), referent=None),
    }
