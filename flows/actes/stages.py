"""The stages of ACTES: check, sign, confirm, pack, transmit, answer, archive. What comes from the ministry: ``incoming.py``."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from sqlmodel import col, select

from core import clock
from core.errors import NeedsOperator, Refused
from core.messages import Catalogue
from core.principal import PLATFORM
from core.problems import Severity
from flows.actes import archiving, asking, checking, composing, departed, envelopes, knowledge
from flows.actes.act import Act
from flows.actes.envelopes import FOLLOWING, SENDING
from flows.actes.models import ActesMessage, MessageState
from flows.engine.table import stage
from flows.engine.work import Advance, Later, Work
from schemas.actes.codes import MessageCode
from schemas.actes.names import IdActe

_messages = Catalogue("flows.actes")
_CLASSIFICATION_EVERY = timedelta(seconds=20)


@stage("cpu", "accepted", "refused")
def check(work: Work) -> Advance:
    """Hold the act and its files against the rules R09 and R22 to R39; every problem is reported at once."""
    problems = checking.problems_of(work, Act.from_facts(work.facts))
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise Refused(problems)
    return Advance(
        "accepted",
        facts={"warnings": [problem.as_json() for problem in problems]},
        journal={"warnings": sorted({problem.rule for problem in problems})},
    )


@stage("signing", "kept", "asked")
def sign(work: Work) -> Advance:
    """Ask people to sign, where the organisation and the act say so; a budget in XML is signed elsewhere."""
    act = Act.from_facts(work.facts)
    route = knowledge.route_of(work.platform, work.organisation_id) if work.facts["sign"] else None
    if route is None or act.nature not in route.natures or composing.is_budget_in_xml(work, act):
        return Advance("kept")
    return asking.ask(work, act, route)


@stage("cpu", "sound")
def confirm(work: Work) -> Advance:
    """Hold what came out of the parapheur to the rules on files and signatures again: it is what will leave."""
    problems = checking.problems_of(work, Act.from_facts(work.facts))
    if errors := [problem for problem in problems if problem.severity is Severity.ERROR]:
        raise NeedsOperator(_messages("confirm.unsound", reasons="; ".join(problem.message for problem in errors)))
    return Advance("sound")


@stage("cpu", "packed")
def pack(work: Work) -> Advance | Later:
    """Build the envelope of the act, under the classification in force."""
    act = Act.from_facts(work.facts)
    classification = knowledge.classification_of(work.platform, work.organisation_id)
    if classification is None or classification.version is None:
        return Later(clock.now() + _CLASSIFICATION_EVERY, _messages("classification.awaited"))
    identifier = IdActe.parse(work.facts["id_acte"])
    packed = _packed(work, composing.act_message(work, act, identifier, classification.version))
    message_id = _first_message(work).id
    return Advance(
        "packed",
        facts={SENDING: packed.sending, "classification_date": classification.version.isoformat()},
        files=packed.files,
        journal={"envelope": packed.sending["envelope"]},
        apply=partial(envelopes.record_packed, message_id, work.organisation_id, work.dossier_id, packed),
    )


def _packed(work: Work, composed: composing.Composed, of: str | None = None) -> envelopes.Packed:
    return envelopes.pack(work, composed.message, composed.name, composed.files, of=of)


def _first_message(work: Work) -> ActesMessage:
    with work.platform.database.reading(PLATFORM) as session:
        return session.exec(
            select(ActesMessage).where(ActesMessage.dossier_id == work.dossier_id, ActesMessage.code == MessageCode.ACTE.value)
        ).one()


@stage("remote.actes", "sent", "uncertain", "outdated", departed=departed.sent)
def transmit(work: Work) -> Advance | Later:
    """Deliver the act to the ministry, once (law 4)."""
    sending: dict[str, Any] = work.facts[SENDING]
    message_id = _first_message(work).id
    if envelopes.is_outdated(sending):
        apply = partial(envelopes.drop, sending["envelope"], message_id)
        return Advance("outdated", journal={"envelope": sending["envelope"]}, apply=apply)
    if sending["phase"] != envelopes.COMMITTING and (later := _closed(work, sending)):
        return later
    delivered = envelopes.leave(work, SENDING)
    return Advance(
        "sent" if delivered else "uncertain",
        facts={SENDING: {**sending, "phase": envelopes.PACKED}, "sent_at": clock.iso(clock.now())},
        journal={"envelope": sending["envelope"], "sha256": sending["sha256"]},
        apply=partial(envelopes.record_left, sending["envelope"], message_id, delivered),
    )


def _closed(work: Work, sending: dict[str, Any]) -> Later | None:
    return envelopes.closed_until(work.platform, work.organisation_id, sending)


@stage("remote.actes", "more", "done", departed=departed.answered)
def answer(work: Work) -> Advance | Later:
    """Send what follows the act, one message at a time, oldest first; an uncertain one is left to the ministry or to a person."""
    sending: dict[str, Any] | None = work.facts.get(FOLLOWING)
    if sending is None:
        due = _due(work)
        return Advance("done") if due is None else _prepare(work, due)
    if envelopes.is_outdated(sending):
        apply = partial(envelopes.drop, sending["envelope"], sending["message"])
        return Advance("more", facts={FOLLOWING: None}, journal={"envelope": sending["envelope"]}, apply=apply)
    if sending["phase"] != envelopes.COMMITTING and (later := _closed(work, sending)):
        return later
    delivered = envelopes.leave(work, FOLLOWING)
    return Advance(
        "more",
        facts={FOLLOWING: None},
        journal={"envelope": sending["envelope"], "sha256": sending["sha256"]},
        apply=partial(envelopes.record_left, sending["envelope"], sending["message"], delivered),
    )


def _due(work: Work) -> ActesMessage | None:
    with work.platform.database.reading(PLATFORM) as session:
        return session.exec(
            select(ActesMessage)
            .where(ActesMessage.dossier_id == work.dossier_id, ActesMessage.state == MessageState.TO_SEND.value)
            .order_by(col(ActesMessage.created), col(ActesMessage.id))
        ).first()


def _prepare(work: Work, due: ActesMessage) -> Advance:
    packed = _packed(work, composing.following_message(work, due), due.id)
    return Advance(
        "more",
        facts={FOLLOWING: {**packed.sending, "message": due.id}},
        files=packed.files,
        journal={"envelope": packed.sending["envelope"]},
        apply=partial(envelopes.record_packed, due.id, work.organisation_id, work.dossier_id, packed),
    )


@stage("archive", "sealed")
def archive(work: Work) -> Advance:
    """Seal the act with the State's own messages: once the control is over, or its transmission was cancelled."""
    return archiving.seal(work)
