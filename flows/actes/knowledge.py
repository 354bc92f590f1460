"""What ACTES knows beside a dossier: the operator, the collectivité, its classification, the acts that it already sent."""

from __future__ import annotations

import tempfile
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel
from sqlmodel import Session, SQLModel, col, select

from connectors.actes.settings import ActesOperator
from core.configuration import configuration_of
from core.errors import NeedsOperator, NotFound
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes.act import Act
from flows.actes.models import ActesClassification, ActesMessage
from flows.actes.settings import (
    COLLECTIVITE,
    OPERATOR,
    PUBLICATION,
    ROUTE,
    STAMP,
    ActesCollectivite,
    ActesPublishing,
    ActesRoute,
    ActesStamp,
)
from flows.engine.models import Dossier
from schemas.actes.classification import Classification
from schemas.actes.codes import NATURES, MessageCode
from schemas.actes.messages import Collectivite, RetourClassification
from schemas.actes.reader import read

_messages = Catalogue("flows.actes")
_Model = TypeVar("_Model", bound=BaseModel)
DEAD = frozenset({"rejected", "refused", "declined", "given_up", "withdrawn", "cancelled"})
"""States of an act whose number may serve again."""
_dossiers, _acts = SQLModel.metadata.tables[str(Dossier.__tablename__)], SQLModel.metadata.tables[str(ActesMessage.__tablename__)]


def operator_of(platform: Platform, organisation_id: str) -> ActesOperator:
    """Return the operator through whom an organisation sends.

    Raises:
        NeedsOperator: none is configured, here or above.
    """
    found = _configured(platform, organisation_id, OPERATOR, ActesOperator)
    if found is None:
        raise NeedsOperator(_messages("operator.missing"))
    return found


def collectivite_of(platform: Platform, organisation_id: str) -> ActesCollectivite:
    """Return how the State knows an organisation.

    Raises:
        NeedsOperator: it is not configured.
    """
    found = _configured(platform, organisation_id, COLLECTIVITE, ActesCollectivite)
    if found is None:
        raise NeedsOperator(_messages("collectivite.missing"))
    return found


def route_of(platform: Platform, organisation_id: str) -> ActesRoute | None:
    """Return the way of acts through the parapheur; None when the organisation sends none there."""
    return _configured(platform, organisation_id, ROUTE, ActesRoute)


def stamp_of(platform: Platform, organisation_id: str) -> ActesStamp:
    """Return where an organisation puts the stamp; as delivered when it does not say, here or above."""
    return _configured(platform, organisation_id, STAMP, ActesStamp) or ActesStamp()


def sender_of(platform: Platform, organisation_id: str) -> Collectivite:
    """Return an organisation as its envelopes name it.

    Raises:
        NeedsOperator: it is not configured, or has no SIREN.
    """
    known = collectivite_of(platform, organisation_id)
    return Collectivite(siren_of(platform, organisation_id), known.department, known.arrondissement, known.nature)


def siren_of(platform: Platform, organisation_id: str) -> str:
    """Return the SIREN of an organisation.

    Raises:
        NeedsOperator: it has none.
    """
    with platform.database.reading(PLATFORM) as session:
        organisation = session.get_one(Organisation, organisation_id)
    if organisation.siren is None:
        raise NeedsOperator(_messages("siren.missing", name=organisation.name))
    return organisation.siren


def _configured(platform: Platform, organisation_id: str, name: str, model: type[_Model]) -> _Model | None:
    with platform.database.reading(PLATFORM) as session:
        try:
            return configuration_of(session, platform.secrets, organisation_id, name, model)
        except NotFound:
            return None


def publishing_of(platform: Platform, organisation_id: str) -> ActesPublishing:
    """Return how an organisation publishes its acts; one that says nothing of it, here or above, is not open."""
    return _configured(platform, organisation_id, PUBLICATION, ActesPublishing) or ActesPublishing()


def classification_of(platform: Platform, organisation_id: str, day: date | None = None) -> Classification | None:
    """Return a classification that the State gave an organisation: that of a day, else the newest; None where there is none."""
    kept = select(ActesClassification.sha256).where(ActesClassification.organisation_id == organisation_id)
    if day is not None:
        kept = kept.where(ActesClassification.day == day)
    with platform.database.reading(PLATFORM) as session:
        sha256 = session.exec(kept.order_by(col(ActesClassification.day).desc())).first()
    return None if sha256 is None else _read(platform, sha256)


def labels_of(act: Act, classification: Classification | None) -> tuple[str, str | None]:
    """Return the labels of the nature and of the matière of an act, in the words of a classification."""
    nature = classification.nature(act.nature) if classification else None
    matiere = classification.find(act.matieres) if classification else None
    label = nature.label if nature and nature.label.strip() else NATURES[act.nature].label
    return label, " / ".join(matiere.labels) if matiere else None


@lru_cache(maxsize=256)
def _read(platform: Platform, sha256: str) -> Classification | None:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "classification.xml"
        platform.objects.fetch(sha256, path)
        message = read(path).message
    return message.classification if isinstance(message, RetourClassification) else None


def live_acts(session: Session, id_acte: str, *, but: str | None = None) -> list[Dossier]:
    """Return the dossiers of an act that still count under an identifier (rule R31), the newest first.

    The State knows an act by the SIREN in its identifier, which a collectivité and its services may share: whoever deposited it.
    """
    acts = (
        select(Dossier)
        .join(ActesMessage, col(ActesMessage.dossier_id) == col(Dossier.id))
        .where(ActesMessage.id_acte == id_acte)
        .where(ActesMessage.code == MessageCode.ACTE.value, col(Dossier.state).not_in(DEAD), Dossier.id != (but or ""))
        .order_by(col(Dossier.created).desc())
    )
    return list(session.exec(acts))


def taken_elsewhere(session: Session, id_acte: str, siren: str, organisation_id: str) -> bool:
    """Tell whether an act of another organisation bears an identifier (rule R31), even one that the session may not read.

    The organisations of the SIREN are locked meanwhile: of two that deposit at once, the second sees the first.
    """
    own = select(Organisation.id).where(Organisation.siren == siren).order_by(Organisation.id)
    session.exec(own.with_for_update(key_share=True)).all()
    found = session.connection().execute(
        select(_dossiers.c.id)
        .join(_acts, _acts.c.dossier_id == _dossiers.c.id)
        .where(_acts.c.id_acte == id_acte, _acts.c.code == MessageCode.ACTE.value, _dossiers.c.state.not_in(DEAD))
        .where(_acts.c.organisation_id != organisation_id)
        .limit(1)
    )
    return found.first() is not None
