"""Asking people to sign a PES: a folder for the parapheur, with what an elected official wants to know before opening it."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from sqlmodel import Session, select

from flows.engine.work import Advance, Work
from flows.parapheur import external
from flows.parapheur.settings import ParapheurRoute
from signing.parapheur import folders
from signing.parapheur.folders import Joined, NewFolder
from signing.parapheur.models import DocumentKind, Folder, Visibility

_REDUCTION = "02"  # TypBord: amounts are written without a sign


def ask(work: Work, route: ParapheurRoute) -> Advance:
    """Make the folder in the transaction that records that people are asked; its circuit starts next."""
    kept = work.file("pes")
    document = Joined(DocumentKind.MAIN, kept.name, kept.media_type, kept.sha256, kept.size)
    summary = summary_of(work.facts)
    new = NewFolder(
        dossier_id=work.dossier_id,
        organisation_id=work.organisation_id,
        title=work.title,
        emitter_id=route.emitter,
        author="platform",
        documents=(document,),
        subtype_id=route.subtype,
        fields=_fields(work.facts, summary),
        visibility=Visibility(route.visibility),
        bound=True,
        summary=summary,
    )
    return Advance("asked", facts={"starts": True}, apply=partial(_make, new))


def ask_outside(work: Work, account: str) -> Advance:
    """Record that people are asked in a parapheur outside, by an account; the PES is handed over next."""
    return external.ask(work, account, "pes", _fields(work.facts, summary_of(work.facts)))


def _make(new: NewFolder, session: Session) -> None:
    if session.exec(select(Folder.id).where(Folder.dossier_id == new.dossier_id)).first() is None:
        folders.create(session, new)


def summary_of(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what a list shows of a PES: how many pieces of each domain, and their sum without tax, reductions taken away."""
    bordereaux = facts["bordereaux"]
    return {
        "document": "pes",
        "mandats": sum(one["pieces"] for one in bordereaux if one["domain"] == "depense"),
        "titres": sum(one["pieces"] for one in bordereaux if one["domain"] == "recette"),
        "bordereaux": len(bordereaux),
        "amount": str(sum((-amount if kind == _REDUCTION else amount for kind, amount in _amounts(facts)), Decimal(0))),
    }


def _amounts(facts: dict[str, Any]) -> list[tuple[str | None, Decimal]]:
    return [(one["typ_bord"], Decimal(one["mt_bord_ht"])) for one in facts["bordereaux"] if one["mt_bord_ht"]]


def _fields(facts: dict[str, Any], summary: dict[str, Any]) -> dict[str, str]:
    """Return what a decision table may ask of a PES, under names of its own.

    The amount is what is at stake: a reduction counts for as much as what it takes away, so that none passes below a threshold.
    """
    told = {
        "pes.montant": str(sum((amount for _, amount in _amounts(facts)), Decimal(0))),
        "pes.mandats": str(summary["mandats"]),
        "pes.titres": str(summary["titres"]),
        "pes.budget": facts.get("cod_bud") or "",
        "pes.collectivite": facts.get("cod_col") or "",
    }
    return {key: value for key, value in told.items() if value}
