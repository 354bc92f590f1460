"""The life of an invoice in the words of the reform (XP Z12-012), and in those of Chorus Pro: statuses, roles, coded reasons.

The lists are those of the published rules BR-FR-CDV. Where the statuses of Chorus Pro stand among them is our reading: nothing
published says it.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.invoices.parties import Identifier
from schemas.invoices.wording import messages

TRANSMISSION, TREATMENT = "305", "23"
"""Phases (MDT-77): what platforms tell, what parties tell."""

BUYER, SELLER, PLATFORM, PORTAL = "BY", "SE", "WK", "DFH"
ROLES = (BUYER, "AB", "DL", SELLER, "SR", PLATFORM, "PE", "PR", "II", "IV", PORTAL)
"""Roles (MDT-21, MDT-40, MDT-59) that a party of a message may have."""

ACTIONS = ("NOA", "PIN", "NIN", "CNF", "CNP", "CNA", "OTH")
"""What a message may ask for (MDT-121)."""

PLATFORMS = "0238"
"""Scheme of the numbers of platforms."""
CHORUS_PRO, PPF = Identifier("9999", PLATFORMS), Identifier("0000", PLATFORMS)

_CONTRACT = ("CMD_ERR", "SIRET_ERR", "CODE_ROUTAGE_ERR", "REF_CT_ABSENT", "REF_ERR")
_GOODS = ("PU_ERR", "REM_ERR", "QTE_ERR", "ART_ERR", "MODPAI_ERR", "QUALITE_ERR", "LIVR_INCOMP")
_PARTIES = ("DEST_ERR", "TRANSAC_INC", "EMMET_INC", "CONTRAT_TERM", "DOUBLE_FACT")
_FIGURES = ("TX_TVA_ERR", "MONTANTTOTAL_ERR", "CALCUL_ERR", "NON_CONFORME", "DOUBLON")

OTHER = "AUTRE"
REFUSAL = (*_FIGURES, *_PARTIES, "CMD_ERR", "ADR_ERR", "REF_CT_ABSENT")
"""Reasons of a refusal (210) by anybody."""
PUBLIC_REFUSAL = (
    *REFUSAL,
    *("RETRAIT_MAN_SERV", "ST_CT_NON_DECLAR", "SUPPR_COMP_AVOIR", "TRANSF_PMNT_REGIE", "CONTACT_ACHTR"),
    *(OTHER, "COORD_BANC_ERR", "LIVR_INCOMP"),
)
"""Reasons of a refusal by a public body, told by Chorus Pro."""
SUSPENSION = ("JUSTIF_ABS", "COORD_BANC_ERR", *_CONTRACT)
"""Reasons of a suspension (208)."""
_DISPUTE = (OTHER, "COORD_BANC_ERR", *_FIGURES, "DEST_INC", *_PARTIES, "ADR_ERR", *_CONTRACT, *_GOODS)
_REJECTION = (
    *("MONTANTTOTAL_ERR", "CALCUL_ERR", "DOUBLON", "DEST_INC", "ADR_ERR", "REJ_SEMAN", "REJ_UNI", "REJ_COH", "REJ_ADR"),
    *("REJ_CONT_B2G", "REJ_REF_PJ", "REJ_ASS_PJ"),
)
_INADMISSIBLE = (
    *("IRR_VIDE_F", "IRR_TYPE_F", "IRR_SYNTAX", "IRR_TAILLE_PJ", "IRR_NOM_PJ", "IRR_VID_PJ", "IRR_EXT_DOC", "IRR_TAILLE_F"),
    *("IRR_ANTIVIRUS", "IRR_NOM_F"),
)
_REFUSED_BY_RULE = frozenset({"CONTACT_ACHTR"})
"""Reasons that the text of rule BR-FR-CDV-CL-09 takes and its test does not."""


@dataclass(frozen=True, slots=True)
class LifeStatus:
    """What may become of an invoice.

    Attributes:
        code: MDT-105.
        role: who says it: ``PLATFORM``, ``BUYER`` or ``SELLER``.
        untdid: MDT-88, the same in the list UNTDID 1373; empty when none is known.
        reasons: those that may be given (MDT-113), any when empty; a public body may give more: ``PUBLIC_REFUSAL``.
        reasoned: whether one must be given (BR-FR-CDV-15).
    """

    code: str
    role: str
    untdid: str = ""
    reasons: tuple[str, ...] = ()
    reasoned: bool = False

    @property
    def phase(self) -> str:
        """MDT-77."""
        return TRANSMISSION if self.role == PLATFORM else TREATMENT


_BETWEEN_PLATFORMS = ("250", "251", "300", "301", "400", "401", "500")
STATUSES = {
    one.code: one
    for one in (
        LifeStatus("200", PLATFORM, "10", ("NON_TRANSMISE",)),
        LifeStatus("201", PLATFORM),
        LifeStatus("202", PLATFORM, "43"),
        LifeStatus("203", PLATFORM),
        LifeStatus("204", BUYER, "45"),
        LifeStatus("205", BUYER, "1"),
        LifeStatus("206", BUYER, "49", (OTHER, *_CONTRACT, *_GOODS), reasoned=True),
        LifeStatus("207", BUYER, "46", _DISPUTE, reasoned=True),
        LifeStatus("208", BUYER, "39", SUSPENSION, reasoned=True),
        LifeStatus("209", SELLER, "37"),
        LifeStatus("210", BUYER, "50", REFUSAL, reasoned=True),
        LifeStatus("211", BUYER, "47"),
        LifeStatus("212", SELLER, "47"),
        LifeStatus("213", PLATFORM, "8", _REJECTION, reasoned=True),
        LifeStatus("214", BUYER),
        LifeStatus("220", SELLER),
        LifeStatus("221", PLATFORM, "", ("ROUTAGE_ERR",)),
        *(LifeStatus(code, SELLER) for code in ("224", "225", "226", "227", "228")),
        *(LifeStatus(code, PLATFORM) for code in _BETWEEN_PLATFORMS),
        LifeStatus("501", PLATFORM, "8", _INADMISSIBLE, reasoned=True),
        LifeStatus("601", PLATFORM),
    )
}
"""By their codes; those of exchanges between platforms included."""

_OF_CHORUS = {
    "DEPOSEE": "200",
    "EN_COURS_ACHEMINEMENT": "201",
    "MISE_A_DISPOSITION": "203",
    "PRISE_EN_COMPTE_DESTINATAIRE": "204",
    "SERVICE_FAIT": "205",
    "MANDATEE": "205",
    "MISE_A_DISPOSITION_COMPTABLE": "205",
    "COMPTABILISEE": "205",
    "SUSPENDUE": "208",
    "COMPLETEE": "209",
    "REJETEE": "210",
    "MISE_EN_PAIEMENT": "211",
}
_TO_CHORUS = {code: status for status, code in reversed(_OF_CHORUS.items())}


def of_chorus(status: str) -> str | None:
    """Return the code of a status of Chorus Pro; None when the reform has none (A_RECYCLER, what works invoices go through)."""
    return _OF_CHORUS.get(status)


def to_chorus(code: str) -> str | None:
    """Return the status of Chorus Pro that says as much as a code, the earliest of several; None when it has none."""
    return _TO_CHORUS.get(code)


def public_reason(code: str, reason: str) -> str:
    """Return the coded reason that Chorus Pro may give with a status for a public body.

    Args:
        code: MDT-105.
        reason: what was chosen; empty when only words were given.

    Returns:
        The reason itself; ``OTHER`` for a refusal whose reason is missing or not taken by the published rules; empty for another
        status, when what was chosen may not stand with it.
    """
    if code == "210":
        return reason if reason in PUBLIC_REFUSAL and reason not in _REFUSED_BY_RULE else OTHER
    status = STATUSES.get(code)
    return reason if status is not None and (reason in status.reasons or not status.reasons) else ""


def word(code: str) -> str:
    """Return a status in words for a person; one that is not known is told as it came."""
    if code in {*_BETWEEN_PLATFORMS, "601"}:
        return messages("life.technical", code=code)
    return _word("life.status", code)


def phase_word(phase: str) -> str:
    """Return a phase in words for a person."""
    return _word("life.phase", phase)


def role_word(role: str) -> str:
    """Return a role in words for a person."""
    return _word("life.role", role)


def reason_word(reason: str) -> str:
    """Return a coded reason in words for a person; one that is not known is told as it came."""
    return _word("life.reason", reason)


def action_word(action: str) -> str:
    """Return what is asked for in words for a person."""
    return _word("life.action", action)


def _word(group: str, code: str) -> str:
    key = f"{group}.{code}"
    return messages(key) if key in messages else code
