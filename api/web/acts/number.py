"""The number of an act, looked at while it is typed: whether it can be sent, whether another act bears it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select

from api.web.acts.known import Known
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes import knowledge
from flows.actes.models import ActesMessage
from flows.engine.models import Dossier
from schemas.actes.codes import NATURES, MessageCode
from schemas.actes.names import IdActe, UnreadableName, UnwritableName, number_holds

_t = Catalogue("api.web.acts")
_LIKELY = 20


@dataclass(frozen=True, slots=True)
class Standing:
    """What can be said of a number.

    Attributes:
        wrong: it cannot be sent.
        dossier_id: the act that bears it, or bore it, for whoever may read it.
    """

    words: str
    wrong: bool = False
    dossier_id: str = ""


def number_standing(platform: Platform, known: Known, number: str, decided: date | None, code: int | None) -> Standing:
    """Tell whether a number can be sent, and whether it is taken: by an act of the same day and nature, or of the same year."""
    if not number:
        return Standing(_t("number.none"), wrong=True)
    if not number_holds(number):
        mended = _mended(number)
        return Standing(_t("number.form.try", mended=mended) if mended else _t("number.form"), wrong=True)
    if decided is None or code not in NATURES or not known.department:
        return Standing(_t("number.holds"))
    try:
        nature = NATURES[code].abbreviation
        identifier = IdActe.build(department=known.department, siren=known.siren, day=decided, number=number, nature=nature)
    except UnwritableName as error:
        return Standing(str(error), wrong=True)
    return _taken(platform, known, identifier) or Standing(_t("number.free"))


def _taken(platform: Platform, known: Known, identifier: IdActe) -> Standing | None:
    with platform.database.reading(PLATFORM) as session:
        for found in knowledge.live_acts(session, str(identifier)):
            if found.organisation_id != known.organisation.id:  # whose acts the reader may not be allowed to see
                return Standing(_t("number.elsewhere"), wrong=True)
            return _told(known, "number.taken", found, wrong=True)
        for other in _of_the_year(session, known.organisation.id, identifier):
            return _told(known, "number.used", other, year=identifier.day.year)
    return None


def _told(known: Known, key: str, act: Dossier, *, wrong: bool = False, **values: object) -> Standing:
    """Name an act that bears the number: by its title to whoever may read it, to others by its identifier alone."""
    title = act.title if known.reads else act.facts["id_acte"]
    return Standing(_t(key, title=title, **values), wrong, act.id if known.reads else "")


def _of_the_year(session: Session, organisation_id: str, identifier: IdActe) -> Iterator[Dossier]:
    likely = (
        select(ActesMessage.id_acte, Dossier)
        .join(Dossier, col(Dossier.id) == col(ActesMessage.dossier_id))
        .where(ActesMessage.organisation_id == organisation_id, ActesMessage.code == MessageCode.ACTE.value)
        .where(col(ActesMessage.id_acte).contains(f"-{identifier.number}-", autoescape=True))
        .where(col(Dossier.state).not_in(knowledge.DEAD))
        .order_by(col(Dossier.created).desc())
        .limit(_LIKELY)
    )
    for id_acte, dossier in session.exec(likely):
        try:
            known = IdActe.parse(id_acte)
        except UnreadableName:
            continue
        if known.number == identifier.number and known.day.year == identifier.day.year:
            yield dossier


def _mended(number: str) -> str:
    """Return the nearest number that can be sent; empty when there is none."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in number.upper())
    tried = "_".join(part for part in plain.split("_") if part)
    return tried if number_holds(tried) else ""
