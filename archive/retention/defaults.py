"""The rules that are built in, each with its legal source, and the kinds of record that they apply to.

They are defaults of a referential: an organisation, or one above it, follows a rule with its own version, or chooses another one
for a kind of record (`archive.retention.referential`). An empty database knows these and no others.

Sources: instructions of the Archives de France, as each rule names them; Code du patrimoine, L. 213-1 and L. 213-2, for the
access codes, which are those of the list published with SEDA 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archive.retention.rules import FOREVER, AccessDelay, Category, Delay, RetentionRule
from schemas.seda.model import FinalAction

_WAITING = "valeur d’attente du logiciel, à fixer par le service d’archives"
_ACCOUNTS = "instructions DAF/DPACI/RES/2008/008 du 5 mai 2008 et DAF/DPACI/RES/2009/018 du 28 août 2009"
_COMMUNES = "instruction DAF/DPACI/RES/2009/018 du 28 août 2009"

ACCOUNTING = RetentionRule(
    identifier="APP-COMPTA-10ANS",
    years=10,
    final_action=FinalAction.DESTROY,
    label="mandats, titres et bordereaux : conservation 10 ans, puis destruction soumise à visa",
    source=_ACCOUNTS,
)

RECEIVED_INVOICES = RetentionRule(
    identifier="APP-FACTURES-10ANS",
    years=10,
    final_action=FinalAction.DESTROY,
    label="factures reçues, pièces justificatives de la dépense : conservation 10 ans, puis destruction soumise à visa",
    source=_ACCOUNTS,
)

ISSUED_INVOICES = RetentionRule(
    identifier="APP-FACTURES-EMISES-10ANS",
    years=10,
    final_action=FinalAction.DESTROY,
    label="factures émises, pièces justificatives de la recette : conservation 10 ans, puis destruction soumise à visa",
    source=_ACCOUNTS,
)

# No text sets it for every organisation: five years and no destruction hold until the archivist has said otherwise.
CORRESPONDENCE = RetentionRule(
    identifier="APP-CORRESP-5ANS",
    years=5,
    final_action=FinalAction.KEEP,
    label="correspondance et documents de travail : conservation 5 ans, puis tri ; durée et sort final à fixer par l’archiviste",
    source=_WAITING,
)

# No text sets it either: what article R. 53-3 of the CPCE asks of qualified services is a year. Those of an assembly follow the
# file of the meeting.
MAILS = RetentionRule(
    identifier="APP-COURRIER-SUIVI-5ANS",
    years=5,
    final_action=FinalAction.KEEP,
    label="courriers suivis et leurs preuves : conservation 5 ans, puis tri ; durée et sort final à fixer par l’archiviste",
    source=_WAITING,
)

DECISIONS = RetentionRule(
    identifier="APP-ACTES-1AN",
    years=1,
    final_action=FinalAction.KEEP,
    label="délibérations et arrêtés : utilité administrative 1 an, puis conservation définitive",
    source=_COMMUNES,
)

# Contracts, budgets and the rest: their time differs by kind and often runs from an event that is not known here (the balance
# of a contract). Ten years and no destruction hold until the archivist has said otherwise.
OTHER_ACTS = RetentionRule(
    identifier="APP-ACTES-10ANS",
    years=10,
    final_action=FinalAction.KEEP,
    label="contrats, budgets et autres actes : conservation 10 ans, puis tri ; durée et sort final à fixer par l’archiviste",
    source=_WAITING,
)

# What proves that a destruction was allowed is never destroyed itself.
ELIMINATIONS = RetentionRule(
    identifier="APP-ELIMINATIONS",
    years=1,
    final_action=FinalAction.KEEP,
    label="bordereaux, visas et certificats d’élimination : conservation définitive",
    source="preuve de la destruction régulière : Code du patrimoine, articles L. 212-2, L. 214-3 et R. 212-14",
)

_TEMPORARY = RetentionRule(
    identifier="APP-ARRETES-TEMP-5ANS",
    years=5,
    final_action=FinalAction.KEEP,
    label="arrêtés temporaires de voirie : conservation 5 ans, puis tri",
    source=_COMMUNES,
)

_LEDGER = RetentionRule(
    identifier="APP-GRAND-LIVRE-10ANS",
    years=10,
    final_action=FinalAction.KEEP,
    label="grand livre et livre de comptes : utilité administrative 10 ans, puis conservation définitive",
    source=_COMMUNES,
)

FREE = AccessDelay(
    identifier="AR038",
    years=0,
    label="documents librement communicables",
    source="Code du patrimoine, article L. 213-1",
)

BUSINESS = AccessDelay(
    identifier="AR039",
    years=25,
    label="documents dont la communication porterait atteinte au secret des affaires : 25 ans",
    source="Code du patrimoine, articles L. 213-1 et L. 213-2 (1°)",
)

PRIVATE_LIFE = AccessDelay(
    identifier="AR048",
    years=50,
    label="documents dont la communication porterait atteinte à la protection de la vie privée : 50 ans",
    source="Code du patrimoine, articles L. 213-1 et L. 213-2 (3°)",
)


def _access(identifier: str, years: int, label: str, clause: str) -> AccessDelay:
    source = f"Code du patrimoine, article L. 213-2 ({clause})"
    return AccessDelay(identifier=identifier, years=years, label=label, source=source)


# Delays that run from a death or a birth count from the day that the transfer names; which day that is, is the archivist's word.
_FURTHER = (
    _access("AR040", 25, "documents du Parlement, du Conseil d’État et des juridictions financières : 25 ans", "1°"),
    _access("AR041", 25, "données collectées à des fins statistiques, hors vie privée : 25 ans", "1°"),
    _access("AR042", 25, "documents élaborés dans le cadre de services rendus à des personnes déterminées : 25 ans", "1°"),
    _access("AR043", 25, "secret médical : 25 ans à compter du décès", "2°"),
    _access("AR044", 25, "état civil : 25 ans à compter du décès, si ce délai est plus bref que 75 ans", "4°"),
    _access("AR045", 25, "minutes des notaires : 25 ans à compter du décès, si ce délai est plus bref que 75 ans", "4°"),
    _access("AR046", 25, "enquêtes de police judiciaire : 25 ans à compter du décès, si ce délai est plus bref", "4°"),
    _access("AR047", 25, "affaires portées devant les juridictions : 25 ans à compter du décès, si ce délai est plus bref", "4°"),
    _access("AR049", 50, "défense, politique extérieure, sécurité publique : 50 ans", "3°"),
    _access("AR050", 50, "établissements pénitentiaires : 50 ans", "3°"),
    _access("AR051", 50, "contrats de prestation de services liés à la défense ou aux prisons : 50 ans", "3°"),
    _access("AR052", 75, "statistiques relatives à la vie privée : 75 ans", "4°"),
    _access("AR053", 75, "enquêtes et affaires de justice, statistiques sur la vie privée : 75 ans", "4°"),
    _access("AR054", 75, "registres de naissance et de mariage de l’état civil : 75 ans", "4°"),
    _access("AR055", 75, "minutes et répertoires des notaires : 75 ans", "4°"),
    _access("AR056", 75, "enquêtes réalisées par les services de la police judiciaire : 75 ans", "4°"),
    _access("AR057", 75, "affaires portées devant les juridictions : 75 ans", "4°"),
    _access("AR058", 100, "documents judiciaires ou notariaux qui se rapportent à une personne mineure : 100 ans", "5°"),
    _access("AR059", 100, "défense nationale, sécurité de personnes nommées ou désignées : 100 ans", "5°"),
    _access("AR060", 100, "intimité de la vie sexuelle des personnes : 100 ans", "5°"),
    _access("AR061", 120, "secret médical, décès inconnu : 120 ans à compter de la naissance", "2°"),
    _access("AR062", FOREVER, "armes de destruction massive : jamais communicables", "II"),
)

_DISPUTE = Delay(
    identifier="GEL-CONTENTIEUX",
    years=0,
    label="contentieux en cours : aucune élimination jusqu’à la levée du gel",
    source="décision du service d’archives ou du service producteur",
)

BUILT_IN: Mapping[Category, tuple[Delay, ...]] = {
    Category.APPRAISAL: (
        DECISIONS,
        OTHER_ACTS,
        _TEMPORARY,
        ACCOUNTING,
        _LEDGER,
        RECEIVED_INVOICES,
        ISSUED_INVOICES,
        MAILS,
        CORRESPONDENCE,
        ELIMINATIONS,
    ),
    Category.ACCESS: (FREE, BUSINESS, PRIVATE_LIFE, *_FURTHER),
    Category.STORAGE: (),
    Category.HOLD: (_DISPUTE,),
}
"""What an empty database knows, all of version 1."""

KINDS: Mapping[str, tuple[RetentionRule, AccessDelay]] = {
    "helios": (ACCOUNTING, PRIVATE_LIFE),
    "invoices": (RECEIVED_INVOICES, BUSINESS),
    "sales": (ISSUED_INVOICES, BUSINESS),
    "mail": (MAILS, PRIVATE_LIFE),
    "document": (CORRESPONDENCE, PRIVATE_LIFE),
    "publication": (DECISIONS, FREE),
    # Natures of acts: délibérations, actes réglementaires, actes individuels, then contracts, budgets and others.
    "actes.1": (DECISIONS, FREE),
    "actes.2": (DECISIONS, FREE),
    "actes.3": (DECISIONS, FREE),
    "actes.4": (OTHER_ACTS, FREE),
    "actes.5": (OTHER_ACTS, FREE),
    "actes.6": (OTHER_ACTS, FREE),
}
"""The rules of each kind of record where nobody chose otherwise; acts: `access_to_act`, which goes by content, comes before."""


def access_to_act(nature: int, matieres: Sequence[int]) -> AccessDelay:
    """Return when anyone may read an act, by what the profiles of archive services go by: its nature and its matière.

    Private life: arrêtés individuels and contracts about staff (matière 4), and arrêtés individuels of social aid (8.2). The law
    goes by content: an archivist may decide otherwise for an act that is sealed (`archive.correction`).
    """
    individual, contract, staff, social_aid = 3, 4, 4, (8, 2)
    about_staff = nature in {individual, contract} and tuple(matieres[:1]) == (staff,)
    about_aid = nature == individual and tuple(matieres[:2]) == social_aid
    return PRIVATE_LIFE if about_staff or about_aid else FREE
