"""A parapheur outside in place of ours: a dossier is handed over to it once, and waits until ``returning`` brings it back.

    state of facts["parapheur"]     what is known
    asked                           it is to go there; nothing has left
    submitting                      its name over there is written down: it may have left
    pending                         it is there, under the identifier that the parapheur gave
    signed, approved, rejected      it has come back
    closing                         beside the state: whether the parapheur has still to be told to let go of it

The account by which it left is written down with it: what is configured later changes nothing for a dossier that is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import col, select

from connectors.iparapheur.client import open_connector
from connectors.iparapheur.dossiers import Attachment, State, Submission, external_name
from connectors.iparapheur.settings import ParapheurSettings
from core.configuration import Configuration, configuration_of
from core.errors import NeedsOperator
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.work import Advance, Work

_messages = Catalogue("flows.parapheur")
EXTERNAL = "parapheur.external"
ASKED, SUBMITTING = "asked", "submitting"


def account_of(platform: Platform, organisation_id: str) -> str | None:
    """Return the organisation whose account in a parapheur outside counts for another: itself or the nearest above, if any."""
    configured = select(Configuration.organisation_id).where(Configuration.name == EXTERNAL)
    with platform.database.reading(PLATFORM) as session:
        organisation = session.get(Organisation, organisation_id)
        ancestors = organisation.path.strip("/").split("/") if organisation else []
        found = session.exec(configured.where(col(Configuration.organisation_id).in_(ancestors))).all()
    return max(found, key=ancestors.index, default=None)


def settings_of(platform: Platform, account: str) -> ParapheurSettings:
    """Return how an account reaches its parapheur.

    Raises:
        NotFound: it is configured no more.
    """
    with platform.database.reading(PLATFORM) as session:
        return configuration_of(session, platform.secrets, account, EXTERNAL, ParapheurSettings)


def ask(work: Work, account: str, role: str, metadata: Mapping[str, str]) -> Advance:
    """Record that the document of a role is to be signed outside; it is handed over next.

    Args:
        work: the dossier.
        account: by ``account_of``.
        role: of the document.
        metadata: what is told with it, by our names.
    """
    settings = settings_of(work.platform, account)
    told = {"external": settings.address, "protocol": settings.protocol.value, "account": account, "state": ASKED}
    return Advance("asked", facts={"parapheur": told, "submission": {"role": role, "metadata": dict(metadata)}})


def is_asked(work: Work) -> bool:
    """Tell whether a dossier goes through a parapheur outside."""
    return "external" in work.facts.get("parapheur", {})


def submit(work: Work) -> Advance:
    """Hand a dossier over, once (law 4).

    Its name over there is made of its identifier and its title, hence always the same; it is written down before anything
    leaves, and a parapheur that has a dossier of this name has received it.

    Raises:
        NeedsOperator: it may have left for a parapheur that is configured no more, or the parapheur refuses it.
        Misconfigured, NotFound, Unavailable: see ``connectors.iparapheur.errors``.
    """
    told = work.facts["parapheur"]
    settings = settings_of(work.platform, told["account"])
    where = {"external": settings.address, "protocol": settings.protocol.value}
    # Asked of another parapheur, the name would be unknown there, and the document would be handed over a second time.
    if told["state"] == SUBMITTING and where != {key: told[key] for key in where}:
        raise NeedsOperator(_messages("external.moved", address=told["external"]))
    submission = _submission(work)
    if told["state"] == ASKED:
        told = {**told, **where, "name": external_name(submission), "state": SUBMITTING}
        work.note("intended", parapheur=told)
    identifier = open_connector(settings, work.platform.settings.permitted_networks).submit(submission)
    facts = {**told, "id": identifier, "state": State.PENDING.value}
    return Advance("waiting", facts={"parapheur": facts}, journal={"external": identifier})


def _submission(work: Work) -> Submission:
    asked: Mapping[str, Any] = work.facts["submission"]
    kept = work.file(asked["role"])
    document = Attachment(work.fetch(asked["role"]), kept.name, kept.media_type)
    return Submission(id=work.dossier_id, title=work.title, document=document, metadata=asked["metadata"])
