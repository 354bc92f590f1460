"""“Courriels du ministère”: those that nobody understood, for whoever operates the mailbox: why, their files, once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, StreamingResponse

from api import downloads
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core import journal
from core.errors import Forbidden, NotFound
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.actes import incoming
from flows.actes.models import ActesMail, MailState
from flows.engine.models import Dossier
from flows.engine.work import KeptFile

router = APIRouter()
_PATH = "/actes/courriels"
_MAIL = _PATH + "/{mail_id}"
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
_t = Catalogue("api.web.acts")
_A_PAGE = 25
_ACT = "acte"
_RFC822 = "message/rfc822"
_DONE = frozenset({"applique", "encore"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """An act of several that a mail may be about.

    Attributes:
        title: what it is about; its identifier for whoever may not read it.
        received: the State's own date of receipt, as facts hold it; None before it.
    """

    id: str
    title: str
    organisation: str
    deposited: datetime
    received: date | None


@router.get(_PATH)
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    etat: Annotated[str, Query(max_length=20)] = MailState.UNMATCHED.value,
    avant: Annotated[str, Query(max_length=26)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show the mails of a state, newest first; ``fait`` says what became of the one that was analysed again."""
    found = _mails(platform, visitor, etat, avant)
    following = {"etat": etat, "avant": found[_A_PAGE - 1].id} if len(found) > _A_PAGE else None
    return render(
        request,
        "web/acts/mails.html",
        visitor=visitor,
        mails=found[:_A_PAGE],
        candidates=_candidates(platform, visitor, found[:_A_PAGE]),
        state=etat,
        states=[state.value for state in MailState],
        first=not avant,
        next=f"{_PATH}?{urlencode(following)}" if following else None,
        done=fait if fait in _DONE else "",
    )


def _mails(platform: Platform, visitor: Visitor, state: str, before: str) -> Sequence[ActesMail]:
    wanted = (
        select(ActesMail)
        .where(col(ActesMail.mailbox_id).in_(visitor.where(Right.OPERATE)), ActesMail.state == state)
        .order_by(col(ActesMail.id).desc())
        .limit(_A_PAGE + 1)
    )
    with platform.database.reading(PLATFORM) as session:  # a mailbox serves organisations that its mails name
        return session.exec(wanted.where(ActesMail.id < before) if before else wanted).all()


def _acts(mail: ActesMail) -> list[str]:
    """Return the acts among which a person must choose."""
    return list(dict.fromkeys(act for part in mail.parts for act in part.get("acts", ())))


def _candidates(platform: Platform, visitor: Visitor, mails: Sequence[ActesMail]) -> dict[str, list[Candidate]]:
    """Return, by mail, the acts among which the visitor must choose the one that it is about."""
    wanted = {act for mail in mails for act in _acts(mail)}
    if not wanted:
        return {}
    rows = select(Dossier, Organisation).join(Organisation, col(Organisation.id) == col(Dossier.organisation_id))
    with platform.database.reading(PLATFORM) as session:  # who operates the mailbox may not read what it serves
        there = {one.id: (one, owner.name) for one, owner in session.exec(rows.where(col(Dossier.id).in_(wanted)))}
    known = {one.id: _candidate(visitor, one, owner) for one, owner in there.values()}
    return {mail.id: [known[act] for act in _acts(mail) if act in known] for mail in mails}


def _candidate(visitor: Visitor, dossier: Dossier, owner: str) -> Candidate:
    received = dossier.facts.get("reception_date")
    reads = visitor.principal.may(Right.READ, dossier.organisation_id)
    title = dossier.title if reads else dossier.facts.get("id_acte", dossier.id)
    return Candidate(dossier.id, title, owner, dossier.created, date.fromisoformat(received) if received else None)


@router.get(_MAIL + "/fichiers/{rank}")
def given(
    platform: Parts, visitor: SignedIn, mail_id: Identifier, rank: Annotated[int, Path(ge=0, le=10_000)]
) -> StreamingResponse:
    """Give an attachment out, unless the antivirus found something in it; 0 is the mail as it came, which opens nothing."""
    mail = _mail(platform, visitor, mail_id)
    if rank == 0:
        return downloads.document(platform, KeptFile("mail", f"courriel-{mail.id}.eml", _RFC822, mail.sha256, mail.size))
    if rank > len(mail.parts):
        raise NotFound(_t("mails.unknown"))
    part = mail.parts[rank - 1]
    if part.get("infected"):
        raise Forbidden(_t("mails.infected", name=part["name"], signature=part["infected"]))
    return downloads.document(platform, KeptFile("part", part["name"], part["media_type"], part["sha256"], part["size"]))


@router.post(_MAIL + "/analyse")
def analysed(platform: Parts, visitor: SignedIn, fields: Fields, mail_id: Identifier) -> RedirectResponse:
    """Apply a mail, once the reason why it could not be is mended, or the visitor says which act it is about."""
    visitor.check(fields.get("csrf"))
    mail = _mail(platform, visitor, mail_id)
    meant = next((act for act in _acts(mail) if act == fields.get(_ACT)), None)
    with platform.database.writing(PLATFORM) as session:
        facts = {"mail": mail.sha256, **({"act": meant} if meant else {})}
        kind, actor = "actes.mail_analysed", visitor.principal.actor
        journal.write(session, organisation_id=mail.mailbox_id, kind=kind, actor=actor, facts=facts)
    incoming.analyse(platform, mail_id, meant)
    applied = _mail(platform, visitor, mail_id).state != MailState.UNMATCHED.value
    return RedirectResponse(f"{_PATH}?fait={'applique' if applied else 'encore'}", status_code=303)


def _mail(platform: Platform, visitor: Visitor, mail_id: str) -> ActesMail:
    """Return a mail of a mailbox that the visitor operates.

    Raises:
        NotFound: there is none; not told from one of another mailbox.
    """
    with platform.database.reading(PLATFORM) as session:
        found = session.get(ActesMail, mail_id)
    if found is None or not visitor.principal.may(Right.OPERATE, found.mailbox_id):
        raise NotFound(_t("mails.unknown"))
    return found
