"""Where a signer has put their visible signature: a place serves one act, and the next signer finds none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlmodel import Session

from signing.parapheur.folders import main_documents
from signing.parapheur.models import Folder, FolderDocument

_SPENT = "places"


def spend(session: Session, folder: Folder) -> dict[str, Any]:
    """Take the places away that were chosen in a folder, and return what the event of the act tells of them."""
    spent = {}
    for document in main_documents(session, folder.id):
        if document.stamp is not None:
            spent[document.id] = json.dumps(document.stamp, sort_keys=True)  # as text: facts hold no fractions
            document.stamp = None
            session.add(document)
    session.flush()
    return {_SPENT: spent} if spent else {}


def put_back(session: Session, facts: Mapping[str, Any]) -> None:
    """Put the places back that an act has spent, as its event tells."""
    for document_id, place in facts.get(_SPENT, {}).items():
        document = session.get(FolderDocument, document_id)
        if document is not None:
            document.stamp = json.loads(place)
            session.add(document)
