"""What a person must settle, from a terminal: a dossier set aside, a response that answers none."""

from __future__ import annotations

from rich.markup import escape
from sqlmodel import col, select

from api.cli.administration import ACTOR, opened_platform, platform_to_read
from api.cli.output import console, json_line
from api.words import label
from core.clock import in_paris, iso
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal
from flows.engine import departed, transitions
from flows.engine.models import Dossier
from flows.helios import attaching
from flows.helios.models import HeliosResponse
from flows.registry import FLOWS

_t = Catalogue("api.cli")


def resume(dossier_id: str) -> None:
    """Take up a dossier that was set aside.

    Raises:
        NotFound: no such dossier.
        Conflict: it is not set aside.
    """
    platform = opened_platform()
    dossier = _dossier(platform, dossier_id)
    transitions.resume(platform.database, FLOWS[dossier.flow], dossier.id, ACTOR)
    console.print(_t("dossier.resumed", dossier=dossier.id))


def consider_sent(dossier_id: str, *, reason: str, reference: str) -> None:
    """Take a dossier as sent that was set aside since the database was restored.

    Raises:
        NotFound: no such dossier.
        UsageError: no reason, or a text that is too long.
        Conflict: it was not overtaken, has nothing to send from where it stands, or too little is known of what left.
    """
    platform = opened_platform()
    dossier = _dossier(platform, dossier_id)
    operator = Principal(ACTOR, everywhere=True)
    done = departed.decide(platform, FLOWS, operator, dossier.id, reason, reference)
    now = _dossier(platform, dossier_id)
    state = label(f"state.{now.state}", now.flow)
    console.print(escape(_t("dossier.departed" if done else "dossier.departed.before", dossier=dossier.id, state=state)))


def _dossier(platform: Platform, dossier_id: str) -> Dossier:
    with platform.database.reading(PLATFORM) as session:
        dossier = session.get(Dossier, dossier_id)
    if dossier is None:
        raise NotFound(_t("dossier.unknown", dossier=dossier_id[:40]))
    return dossier


def list_responses(as_json: bool) -> None:
    """Print the responses of the DGFiP that answer no dossier, the newest first."""
    with platform_to_read().database.reading(PLATFORM) as session:
        found = session.exec(
            select(HeliosResponse)
            .where(col(HeliosResponse.flaw).is_not(None), col(HeliosResponse.dossier_id).is_(None))
            .order_by(col(HeliosResponse.received).desc())
        ).all()
    for response in found:
        if as_json:
            told = {"id": response.id, "name": response.name, "received": iso(response.received), "flaw": response.flaw}
            json_line(told)
        else:
            received = f"{in_paris(response.received):%d/%m/%Y %H:%M:%S}"
            console.print(f"{received}  {response.id}  [bold]{escape(response.name)}[/]\n    {escape(response.flaw or '')}")
    if not found and not as_json:
        console.print(_t("responses.none"))


def attach_response(response_id: str, dossier_id: str) -> None:
    """Have a dossier hear an acquit of the DGFiP that was found to answer none.

    Raises:
        NotFound: no such response, or no such dossier below the gateway that it came through.
        Conflict: it answers a dossier already, says nothing that a dossier could hear, or the dossier has not left.
        ObjectMissing, ObjectAltered, Unavailable: the store does not give it.
    """
    platform = opened_platform()
    attaching.attach(platform, response_id, dossier_id, actor=ACTOR)
    now = _dossier(platform, dossier_id)
    console.print(escape(_t("responses.attached", dossier=now.title, state=label(f"state.{now.state}", now.flow))))
