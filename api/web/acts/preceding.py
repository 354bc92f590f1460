"""The act that another one replaces or amends, told by its identifier, its number or words of its object (rule R39)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlmodel import Session, col, or_, select

from api.web.acts.known import Known
from api.web.acts.standing import GROUPS
from api.words import day
from core.folding import holds
from core.messages import Catalogue, form_of
from core.platform import Platform
from core.principal import PLATFORM, Principal
from flows.actes.act import Act
from flows.actes.models import ActesMessage
from flows.engine import reading
from flows.engine.models import Dossier
from schemas.actes.codes import MessageCode
from schemas.actes.names import IdActe, UnreadableName

_t = Catalogue("api.web.acts")
_MOST = 8
_SHORTEST = 2
_RECEIVED = (*GROUPS["recu"], *GROUPS["termine"])


@dataclass(frozen=True, slots=True)
class Candidate:
    """An act that the préfecture has acknowledged.

    Attributes:
        identifier: as the State knows it.
        title: its number and object; its identifier for whoever may not read it.
    """

    identifier: str
    title: str
    decided: date


@dataclass(frozen=True, slots=True)
class Preceding:
    """What can be said of a preceding act.

    Attributes:
        identifier: what will be transmitted; empty when that cannot be told yet.
        wrong: nothing can be transmitted for what was written.
        warns: it can be, and is probably a mistake.
        candidates: acts to choose from.
    """

    words: str = ""
    identifier: str = ""
    wrong: bool = False
    warns: bool = False
    candidates: tuple[Candidate, ...] = ()


def preceding(platform: Platform, known: Known, told: str) -> Preceding:
    """Tell which act is meant: the one of that identifier, known here or not, or the only one of that number."""
    if not told:
        return Preceding()
    with platform.database.reading(PLATFORM) as session:
        found = _named(session, known, told)
    if len(found) == 1:
        (one,) = found
        return Preceding(_t("previous.is", title=one.title, day=day(one.decided)), one.identifier)
    if found:
        return Preceding(_t("previous.several", number=told), wrong=True, candidates=tuple(found))
    try:
        return Preceding(_t("previous.unknown"), str(IdActe.parse(told)), warns=True)
    except UnreadableName:
        return Preceding(_t("previous.none"), wrong=True)


def suggested(platform: Platform, principal: Principal, known: Known, told: str) -> Preceding:
    """Tell the same; where it names no act, the acts that the principal may read, and whose object or number has these words."""
    said = preceding(platform, known, told)
    if said.identifier or said.candidates or len(told) < _SHORTEST:
        return said
    with reading.opened(platform.database, principal) as session:
        likely = or_(holds(Dossier.sought, told), col(ActesMessage.id_acte).icontains(told, autoescape=True))
        found = _acts(session, known.organisation.id, likely)
    if not found:
        return said
    key = "previous.choose.more" if len(found) == _MOST else form_of("previous.choose", len(found))
    return Preceding(_t(key, count=len(found)), wrong=True, candidates=tuple(found))


def _named(session: Session, known: Known, told: str) -> Sequence[Candidate]:
    number = told.upper()
    likely = or_(col(ActesMessage.id_acte) == told, col(ActesMessage.id_acte).contains(f"-{number}-", autoescape=True))
    found = [one for one in _acts(session, known.organisation.id, likely) if told == one.identifier or number == _number_of(one)]
    return found if known.reads else [replace(one, title=one.identifier) for one in found]


def _number_of(candidate: Candidate) -> str:
    try:
        return IdActe.parse(candidate.identifier).number
    except UnreadableName:
        return ""


def _acts(session: Session, organisation_id: str, condition: Any) -> list[Candidate]:
    acts = (
        select(ActesMessage.id_acte, Dossier)
        .join(Dossier, col(Dossier.id) == col(ActesMessage.dossier_id))
        .where(ActesMessage.organisation_id == organisation_id, ActesMessage.code == MessageCode.ACTE.value)
        .where(col(Dossier.state).in_(_RECEIVED), col(Dossier.confidential).is_(False), condition)
        .order_by(col(Dossier.created).desc(), col(Dossier.id).desc())
        .limit(_MOST)
    )
    return [Candidate(found, dossier.title, Act.from_facts(dossier.facts).decision_date) for found, dossier in session.exec(acts)]
