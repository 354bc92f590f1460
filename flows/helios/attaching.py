"""Attaching: an operator says which flow an acquit answers that found none by itself (rule A03)."""

from __future__ import annotations

from core import journal
from core.errors import Conflict, NotFound
from core.messages import Catalogue
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.helios.flow import HELIOS
from flows.helios.hearing import ACQUIT, acquit_of, tell
from flows.helios.models import HeliosResponse

ATTACHED = "helios.response_attached"
"""The journal entry of a person's word on which flow an acquit answers."""
_LONGEST_ID = 40  # of what is told of an identifier that somebody typed
_messages = Catalogue("flows.helios")


def attach(platform: Platform, response_id: str, dossier_id: str, *, actor: str) -> None:
    """Have a dossier hear an acquit that was found to answer none: a person says which one it is of (rule A03).

    Args:
        platform: where both are.
        response_id: of the acquit.
        dossier_id: of the flow that it answers.
        actor: who says so, for the journal.

    Raises:
        NotFound: no such response, or no such flow below the gateway that it came through.
        Conflict: it answers a dossier already, says nothing that a dossier could hear, or the flow has not left.
        ObjectMissing, ObjectAltered, Unavailable: the store does not give it.
        UnreadableInput: it cannot be read any more.
    """
    with platform.database.reading(PLATFORM) as session:
        response = session.get(HeliosResponse, response_id)
    if response is None:
        raise NotFound(_messages("attach.unknown", response=response_id[:_LONGEST_ID]))
    if response.kind != ACQUIT:
        raise Conflict(_messages("attach.kind", name=response.name))
    acquit = acquit_of(platform, response)
    with platform.database.writing(PLATFORM) as session:
        current = session.get_one(HeliosResponse, response_id, with_for_update=True)
        if current.dossier_id is not None:
            raise Conflict(_messages("attach.attached", name=current.name), current.dossier_id)
        owner = session.get_one(Organisation, current.gateway_id)
        dossier = session.get(Dossier, dossier_id)
        if dossier is None or dossier.flow != HELIOS.name or dossier.organisation_id not in subtree(session, owner.path):
            raise NotFound(_messages("attach.flow", dossier=dossier_id[:_LONGEST_ID], name=current.name))
        facts = {"sha256": current.sha256, "nom_fic": acquit.header.nom_fic or ""}
        journal.write(
            session, organisation_id=dossier.organisation_id, dossier_id=dossier.id, kind=ATTACHED, actor=actor, facts=facts
        )
        if not tell(session, dossier, current, acquit):
            raise Conflict(_messages("attach.early", name=current.name, dossier=dossier.title))
        current.organisation_id, current.dossier_id, current.applied, current.flaw = (
            dossier.organisation_id,
            dossier.id,
            True,
            None,
        )
