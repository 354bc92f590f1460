"""Folders whose documents the check has refused after they were sent: nothing comes of them any more, whatever desks decide."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, exists
from sqlmodel import Session, col, select

from api.iparapheur.chronicle import Refusal
from core.problems import Severity
from flows.document.flow import DOCUMENT
from flows.engine.models import Dossier
from flows.engine.table import REFUSED
from signing.parapheur.history import LONGEST_NOTE
from signing.parapheur.models import Folder, FolderState
from signing.report.content import plain


def refused() -> ColumnElement[bool]:
    """Return the condition that a folder is such a one; one that a desk has rejected tells of itself."""
    return and_(
        col(Folder.state) != FolderState.REJECTED.value, exists().where(col(Dossier.id) == col(Folder.dossier_id), *_ended())
    )


def refusals(session: Session, folders: Sequence[Folder]) -> dict[str, Refusal]:
    """Return of those among folders that are such ones what the check has said, by folder."""
    asked = [folder.id for folder in folders]
    found = select(Folder.id, Dossier).join(Dossier, col(Dossier.id) == col(Folder.dossier_id))
    found = found.where(col(Folder.id).in_(asked), col(Folder.state) != FolderState.REJECTED.value, *_ended())
    return {folder_id: Refusal(dossier.since, _reason(dossier)) for folder_id, dossier in session.exec(found)}


def _ended() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(Dossier.flow) == DOCUMENT.name, col(Dossier.state) == DOCUMENT.rows[DOCUMENT.start].leads[REFUSED]


def _reason(dossier: Dossier) -> str:
    """Return what is wrong as a note of a folder may say it: documents have a part in the words."""
    said = plain(" ".join(str(one["message"]) for one in dossier.problems if one["severity"] == Severity.ERROR.value))
    return said if len(said) <= LONGEST_NOTE else said[: LONGEST_NOTE - 1] + "…"
