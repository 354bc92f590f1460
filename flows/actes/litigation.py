"""The end of the litigation about an act: no message of the State says it, so a person does, and the act is then archived."""

from __future__ import annotations

from datetime import date

from sqlalchemy import update
from sqlmodel import SQLModel

from core import clock, journal
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from flows.actes.act import Act
from flows.actes.following import close, held, legality_of, messages_of, settled_on
from flows.actes.legality import Happening, Phase
from flows.engine.models import Dossier

_messages = Catalogue("flows.actes")
LONGEST_RESULT = 1000
_dossiers = SQLModel.metadata.tables["dossier"]
# No stage works on the act meanwhile: what is written among its facts would be lost with what that stage knows of them.
_STILL = frozenset({"acknowledged"})


def settle(platform: Platform, principal: Principal, dossier_id: str, ended: date, result: str) -> Dossier:
    """Say that the litigation about an act is over; nothing that was said so is changed afterwards.

    An answer that is still to leave leaves first; the act goes to its archiving at the next turn then.

    Args:
        platform: its parts.
        principal: who says it.
        dossier_id: the act.
        ended: the day, from that of the referral to today.
        result: how it ended, in words; it stands in the record, not in the journal.

    Raises:
        NotFound: no such act.
        Forbidden: the principal may not deposit for the organisation.
        UsageError: the day is impossible, or the result is empty or too long.
        Conflict: the act is not before the tribunal, or an answer is leaving at this very moment.
    """
    today = clock.in_paris(clock.now()).date()
    words = " ".join(result.split())
    if not words or len(words) > LONGEST_RESULT or not words.isprintable():
        raise UsageError(_messages("litigation.result", most=LONGEST_RESULT))
    with platform.database.writing(principal) as session:
        dossier = held(session, principal, dossier_id)
        if dossier.state not in _STILL:
            raise Conflict(_messages("litigation.busy"), dossier_id)
        found = legality_of(messages_of(session, dossier_id), Act.from_facts(dossier.facts), today, settled=settled_on(dossier))
        if found is None or found.phase is not Phase.REFERRED:
            raise Conflict(_messages("litigation.none"), dossier_id)
        referred = max(turn.day for turn in found.turns if turn.kind is Happening.REFERRED)
        if not referred <= ended <= today:
            raise UsageError(_messages("litigation.day", first=f"{referred:%d/%m/%Y}", last=f"{today:%d/%m/%Y}"))
        facts = {**dossier.facts, "litigation": {"ended": ended.isoformat(), "result": words}}
        session.connection().execute(update(_dossiers).where(_dossiers.c.id == dossier_id).values(facts=facts))
        session.refresh(dossier)
        journal.write(
            session,
            organisation_id=dossier.organisation_id,
            dossier_id=dossier_id,
            kind="actes.litigation_ended",
            actor=principal.actor,
            facts={"day": ended.isoformat()},
        )
        close(session, dossier, today, platform.settings.acts_grace_days)
        session.refresh(dossier)
        return dossier
