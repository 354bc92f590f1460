"""Asking people whether the service was done: a folder for the parapheur, with what a decision table may ask of an invoice.

One dossier has one folder: an invoice that comes back goes round in it once more.
"""

from __future__ import annotations

from functools import partial

from sqlmodel import Session, select

from core.errors import NeedsOperator, NotFound, UsageError
from core.messages import Catalogue, speaking
from core.principal import PLATFORM
from flows.engine.work import Advance, KeptFile, Work
from flows.invoices.fetching import ORIGINAL, PIECE, PIVOT, READABLE
from flows.invoices.models import ReceivedInvoice
from flows.invoices.settings import VisaRoute
from signing.parapheur import folders, metadata
from signing.parapheur.desks import require_sender
from signing.parapheur.folders import MOST_ANNEXES, Joined, NewFolder
from signing.parapheur.models import DocumentKind, Folder, FolderState
from signing.parapheur.renewal import renew
from signing.report.content import plain

_messages = Catalogue("flows.invoices")
_SHOWN_FIRST = (READABLE, ORIGINAL, PIVOT)


def ask(work: Work, invoice: ReceivedInvoice, route: VisaRoute) -> Advance:
    """Make the folder, or take up that of the round before, in the transaction that records that people are asked.

    Raises:
        NeedsOperator: the desk of the route may send nothing, or a metadata of the organisation takes other values.
        NotFound: the dossier has no file at all.
    """
    main, annexes, kept_out = _documents(work)
    fields = _fields(invoice, main, work.facts.get("marks", {}), kept_out)
    _check(work, route, fields)
    new = NewFolder(
        dossier_id=work.dossier_id,
        organisation_id=work.organisation_id,
        title=work.title,
        emitter_id=route.emitter,
        author="platform",
        documents=(_joined(DocumentKind.MAIN, main), *(_joined(DocumentKind.ANNEX, one) for one in annexes)),
        subtype_id=route.subtype,
        fields=fields,
        due=invoice.due,
        bound=True,
    )
    return Advance("asked", facts={"starts": True}, journal={"cycle": invoice.cycle}, apply=partial(_make, new))


def folder_of(session: Session, dossier_id: str) -> Folder | None:
    """Return the folder of an invoice; None when nobody was ever asked."""
    return session.exec(select(Folder).where(Folder.dossier_id == dossier_id)).first()


def _make(new: NewFolder, session: Session) -> None:
    there = folder_of(session, new.dossier_id)
    if there is None:
        folders.create(session, new)
    elif there.state != FolderState.PENDING.value:  # somebody may have sent it again by themselves: it is on its way
        renew(session, there.id, new)


def _documents(work: Work) -> tuple[KeptFile, list[KeptFile], list[KeptFile]]:
    """Return what is read first, what is joined, and what people are not given: it would harm whoever opens it.

    The pivot is read for want of anything else, and never joined: it repeats every piece.
    """
    newest = {one.role: one for one in work.files}
    main = next((newest[role] for role in _SHOWN_FIRST if role in newest), None)
    if main is None:
        raise NotFound(_messages("decide.no_file"))
    beside = (*((newest[ORIGINAL],) if ORIGINAL in newest else ()), *(one for one in work.files if one.role == PIECE))
    own = {_key(main)} | ({_key(newest[PIVOT])} if PIVOT in newest else set())
    found = {_key(one): one for one in beside if _key(one) not in own}
    marks = work.facts.get("marks", {})
    safe = [one for one in found.values() if one.sha256 not in marks]
    return main, safe[:MOST_ANNEXES], [*(one for one in found.values() if one.sha256 in marks), *safe[MOST_ANNEXES:]]


def _key(kept: KeptFile) -> tuple[str, str]:
    return kept.name, kept.sha256


def _joined(kind: DocumentKind, kept: KeptFile) -> Joined:
    return Joined(kind, kept.name, kept.media_type, kept.sha256, kept.size)


def _fields(invoice: ReceivedInvoice, main: KeptFile, marks: dict[str, str], kept_out: list[KeptFile]) -> dict[str, str]:
    told = {
        "facture.numero": invoice.number,
        "facture.fournisseur": invoice.supplier_name,
        "facture.siret": invoice.supplier,
        "facture.service": invoice.service_code,
        "facture.engagement": invoice.engagement,
        "facture.marche": invoice.contract,
        "facture.montant": "" if invoice.gross is None else str(invoice.gross),
    }
    with speaking("fr"):  # metadata are the organisation's own words
        alerts = [_messages("decide.kept_out", name=plain(one.name)) for one in kept_out]
        if main.sha256 in marks:
            alerts.insert(0, _messages("decide.marked", name=plain(main.name)))
    told["facture.alerte"] = " ".join(alerts)
    shown = {key: plain(" ".join(value.split()))[: metadata.LONGEST_VALUE] for key, value in told.items()}
    return {key: value for key, value in shown.items() if value}


def _check(work: Work, route: VisaRoute, fields: dict[str, str]) -> None:
    """Find out now what the transaction that makes the folder would trip over."""
    try:
        with work.platform.database.reading(PLATFORM) as session:
            require_sender(session, work.organisation_id, route.emitter)
            metadata.checked(metadata.declared(session, work.organisation_id, fields.keys()), fields, (), {})
    except UsageError as error:
        raise NeedsOperator(_messages("decide.route", reason=error)) from error
