"""How long a record is kept and hidden: rules with their legal source, and the dates that follow from them.

These are defaults of a referential: a service of archives may decide otherwise in its agreement. A rule bears a version, so
that the dates on a package stay explainable after the rule has changed. What does not live here: holds, and elimination.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from core.configuration import configuration_of
from core.errors import NotFound
from core.messages import Catalogue
from core.secrets import SecretBox
from schemas.seda.model import AccessRule, AppraisalRule, FinalAction, Management, Rule

_messages = Catalogue("archive")
CORRESPONDENCE_RULE = "archive.correspondence"
"""The configuration that takes the place of ``CORRESPONDENCE``."""
INVOICES_RULE = "archive.invoices"
"""The same of ``RECEIVED_INVOICES``."""
ISSUED_INVOICES_RULE = "archive.issued_invoices"
"""The same of ``ISSUED_INVOICES``."""
MAILS_RULE = "archive.mails"
"""The same of ``MAILS``."""
ACTS_RULE = "archive.acts"
"""The same of ``DECISIONS`` or ``OTHER_ACTS``, followed by a full stop and the nature of the acts: ``archive.acts.4``."""


class Delay(BaseModel):
    """A number of years, as the archive service knows it, and the text that sets it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    identifier: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9._-]+$", description="As the archive knows it.")
    version: str = Field("1", min_length=1, max_length=15, description="Changes with the rule.")
    years: int = Field(ge=0, le=200, description="How many.")
    label: str = Field(min_length=1, max_length=300, description="In French, for the archivist.")
    source: str = Field(min_length=1, max_length=300, description="The text or the decision that sets it.")


class RetentionRule(Delay):
    """How long the administration must keep a record (DUA), and what happens then; archivists may fix their own."""

    final_action: FinalAction = Field(FinalAction.KEEP, description="What happens then.")


class AccessDelay(Delay):
    """How long the public may not read a record, by its code in the list of SEDA 1.0."""


ACCOUNTING = RetentionRule(
    identifier="APP-COMPTA-10ANS",
    years=10,
    final_action=FinalAction.DESTROY,
    label="mandats, titres et bordereaux : conservation 10 ans, puis destruction soumise à visa",
    source="instructions DAF/DPACI/RES/2008/008 du 5 mai 2008 et DAF/DPACI/RES/2009/018 du 28 août 2009",
)

RECEIVED_INVOICES = RetentionRule(
    identifier="APP-FACTURES-10ANS",
    years=10,
    final_action=FinalAction.DESTROY,
    label="factures reçues, pièces justificatives de la dépense : conservation 10 ans, puis destruction soumise à visa",
    source="instructions DAF/DPACI/RES/2008/008 du 5 mai 2008 et DAF/DPACI/RES/2009/018 du 28 août 2009",
)

ISSUED_INVOICES = RetentionRule(
    identifier="APP-FACTURES-EMISES-10ANS",
    years=10,
    final_action=FinalAction.DESTROY,
    label="factures émises, pièces justificatives de la recette : conservation 10 ans, puis destruction soumise à visa",
    source="instructions DAF/DPACI/RES/2008/008 du 5 mai 2008 et DAF/DPACI/RES/2009/018 du 28 août 2009",
)

# No text sets it for every organisation: five years and no destruction hold until the archivist has said otherwise.
CORRESPONDENCE = RetentionRule(
    identifier="APP-CORRESP-5ANS",
    years=5,
    final_action=FinalAction.KEEP,
    label="correspondance et documents de travail : conservation 5 ans, puis tri ; durée et sort final à fixer par l’archiviste",
    source="valeur d’attente du logiciel, à fixer par le service d’archives",
)

# No text sets it either: what article R. 53-3 of the CPCE asks of qualified services is a year. Those of an assembly follow the
# file of the meeting.
MAILS = RetentionRule(
    identifier="APP-COURRIER-SUIVI-5ANS",
    years=5,
    final_action=FinalAction.KEEP,
    label="courriers suivis et leurs preuves : conservation 5 ans, puis tri ; durée et sort final à fixer par l’archiviste",
    source="valeur d’attente du logiciel, à fixer par le service d’archives",
)

DECISIONS = RetentionRule(
    identifier="APP-ACTES-1AN",
    years=1,
    final_action=FinalAction.KEEP,
    label="délibérations et arrêtés : utilité administrative 1 an, puis conservation définitive",
    source="instruction DAF/DPACI/RES/2009/018 du 28 août 2009",
)

# Contracts, budgets and the rest: their time differs by kind and often runs from an event that is not known here (the balance
# of a contract). Ten years and no destruction hold until the archivist has said otherwise.
OTHER_ACTS = RetentionRule(
    identifier="APP-ACTES-10ANS",
    years=10,
    final_action=FinalAction.KEEP,
    label="contrats, budgets et autres actes : conservation 10 ans, puis tri ; durée et sort final à fixer par l’archiviste",
    source="valeur d’attente du logiciel, à fixer par le service d’archives",
)
_DECISIONS = frozenset({1, 2, 3})
"""Natures of acts that are deliberations or arrêtés: délibérations, actes réglementaires, actes individuels."""

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


def correspondence_of(session: Session, box: SecretBox, organisation_id: str) -> RetentionRule:
    """Return the rule of an organisation's correspondence: its own, that of the nearest above, or the default.

    Raises:
        Misconfigured: it cannot be decrypted.
    """
    return _fixed(session, box, organisation_id, CORRESPONDENCE_RULE, CORRESPONDENCE)


def invoices_of(session: Session, box: SecretBox, organisation_id: str) -> RetentionRule:
    """Return the rule of an organisation's received invoices: its own, that of the nearest above, or the default.

    Raises:
        Misconfigured: it cannot be decrypted.
    """
    return _fixed(session, box, organisation_id, INVOICES_RULE, RECEIVED_INVOICES)


def issued_invoices_of(session: Session, box: SecretBox, organisation_id: str) -> RetentionRule:
    """Return the rule of the invoices that an organisation issues: its own, that of the nearest above, or the default.

    Raises:
        Misconfigured: it cannot be decrypted.
    """
    return _fixed(session, box, organisation_id, ISSUED_INVOICES_RULE, ISSUED_INVOICES)


def mails_of(session: Session, box: SecretBox, organisation_id: str) -> RetentionRule:
    """Return the rule of an organisation's tracked mails: its own, that of the nearest above, or the default.

    Raises:
        Misconfigured: it cannot be decrypted.
    """
    return _fixed(session, box, organisation_id, MAILS_RULE, MAILS)


def acts_of(session: Session, box: SecretBox, organisation_id: str, nature: int) -> RetentionRule:
    """Return the rule of an organisation's acts of a nature: its own, that of the nearest above, or the default.

    Raises:
        Misconfigured: it cannot be decrypted.
    """
    return _fixed(session, box, organisation_id, f"{ACTS_RULE}.{nature}", DECISIONS if nature in _DECISIONS else OTHER_ACTS)


def _fixed(session: Session, box: SecretBox, organisation_id: str, name: str, default: RetentionRule) -> RetentionRule:
    try:
        return configuration_of(session, box, organisation_id, name, RetentionRule)
    except NotFound:
        return default


def access_to_act(nature: int, matieres: Sequence[int]) -> AccessDelay:
    """Return when anyone may read an act, by what the profiles of archive services go by: its nature and its matière.

    Private life: arrêtés individuels and contracts about staff (matière 4), and arrêtés individuels of social aid (8.2). The law
    goes by content: an archivist may decide otherwise for an act.
    """
    individual, contract, staff, social_aid = 3, 4, 4, (8, 2)
    about_staff = nature in {individual, contract} and tuple(matieres[:1]) == (staff,)
    about_aid = nature == individual and tuple(matieres[:2]) == social_aid
    return PRIVATE_LIFE if about_staff or about_aid else FREE


def end_of(start: date, years: int) -> date:
    """Return the anniversary on which a delay ends; that of a 29 February falls on 1 March when the year has none.

    Rounding is towards keeping longer.
    """
    try:
        return start.replace(year=start.year + years)
    except ValueError:
        return start.replace(year=start.year + years, day=28) + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Started:
    """The day on which the clock of a rule starts, and what happened on it, in words."""

    day: date
    event: str


def management_of(retention: RetentionRule, kept: date, access: AccessDelay, hidden: date) -> Management:
    """Return the rules of a record as its transfer names them, each with the day on which its clock starts."""
    return Management(
        appraisal=AppraisalRule((Rule(retention.identifier, kept),), retention.final_action),
        access=AccessRule((Rule(access.identifier, hidden),)),
    )


def explained(rule: Delay, started: Started) -> str:
    """Say why a rule applies and when it ends: SEDA has an element for the identifier of a rule only."""
    return _messages(
        "rule",
        identifier=rule.identifier,
        version=rule.version,
        label=rule.label,
        start=f"{started.day:%d/%m/%Y}",
        reason=started.event,
        end=f"{end_of(started.day, rule.years):%d/%m/%Y}",
        source=rule.source,
    )
