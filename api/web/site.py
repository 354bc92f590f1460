"""The pages, gathered."""

from __future__ import annotations

from types import ModuleType

from fastapi import APIRouter
from starlette.responses import RedirectResponse

from api.web.absences import page as absences
from api.web.acts import (
    answering,
    connection,
    creating,
    drafts,
    export,
    listing,
    litigation,
    mails,
    papers,
    publication,
    publishing,
    resending,
    route,
    stamp,
)
from api.web.acts import batch as acts_batch
from api.web.acts import page as act
from api.web.archive.agreements import page as archive_agreements
from api.web.archive.check import page as archive_check
from api.web.archive.corrections import page as corrections
from api.web.archive.eliminations import acting as eliminating
from api.web.archive.eliminations import page as eliminations
from api.web.archive.eliminations import visas as elimination_visas
from api.web.archive.holds import page as holds
from api.web.archive.incidents import page as incidents
from api.web.archive.places import page as archive_places
from api.web.archive.register import page as register
from api.web.archive.requests import page as archive_requests
from api.web.archive.requests import reader as archive_reader
from api.web.archive.restitutions import page as archive_restitutions
from api.web.archive.rules import page as archive_rules
from api.web.archive.rules import version as archive_rule
from api.web.archive.sae import account as sae_account
from api.web.archive.sae import page as sae
from api.web.archive.search import page as archive_search
from api.web.archive.transfers import deciding as archive_deciding
from api.web.archive.transfers import handing as archive_handing
from api.web.archive.transfers import listing as archive_listing
from api.web.archive.transfers import page as archive_transfers
from api.web.circuits import page as circuits
from api.web.convening import assemblies, members
from api.web.convening import routes as convening
from api.web.deposit import page as deposit
from api.web.desks import page as desks
from api.web.docket import page as docket
from api.web.dossier import departing
from api.web.dossier import page as dossier
from api.web.dossiers import page as dossiers
from api.web.draft import page as draft
from api.web.folder import routes as folder
from api.web.invoices import account, handover, reception, visa
from api.web.invoices import deciding as invoice_deciding
from api.web.invoices import listing as invoices
from api.web.invoices import page as invoice
from api.web.mails import acting as mails_acting
from api.web.mails import book, returns, sending, writing
from api.web.mails import groups as contact_groups
from api.web.mails import listing as mails_listing
from api.web.mails import page as sent_mail
from api.web.mails import proof as mails_proof
from api.web.mails import templates as mail_templates
from api.web.mails import terms as mail_terms
from api.web.navigation import home_of
from api.web.people import invitation
from api.web.people import page as people
from api.web.pes import page as pes
from api.web.preferences import page as preferences
from api.web.profile import page as profile
from api.web.record import page as record
from api.web.sale import page as sale
from api.web.setup import page as setup
from api.web.sign_in import page as sign_in
from api.web.signing import page as signing
from api.web.trays import batch
from api.web.trays import page as trays
from api.web.types import page as types
from api.web.viewer import page as viewer
from api.web.visitor import SignedIn, allowed
from archive.elimination.taking_part import RIGHTS as ELIMINATING
from core.principal import Right

router = APIRouter(include_in_schema=False)
_PARTS: tuple[tuple[tuple[ModuleType, ...], tuple[Right, ...]], ...] = (
    ((sign_in, invitation, profile, absences, preferences), ()),
    ((dossiers, dossier), (Right.READ, Right.SURVEY)),
    ((incidents, archive_places), (Right.ARCHIVE, Right.OPERATE)),  # before the records: /archives/lieux is no record
    ((holds, archive_rules, archive_rule), (Right.ARCHIVE,)),
    ((register, corrections), (Right.ARCHIVE, Right.CONTROL)),
    ((eliminations, eliminating, elimination_visas), ELIMINATING),
    ((archive_agreements,), (Right.ARCHIVE,)),
    ((archive_handing,), (Right.DEPOSIT,)),  # before what is named by an identifier: /archives/versements/nouveau
    ((archive_listing, archive_transfers, sae), (Right.READ, Right.ARCHIVE)),
    ((archive_deciding,), (Right.ARCHIVE,)),
    ((archive_requests,), (Right.ARCHIVE, Right.CONTROL)),
    ((archive_reader,), ()),
    ((archive_restitutions,), (Right.ARCHIVE,)),
    ((archive_search,), (Right.READ, Right.ARCHIVE, Right.CONTROL, Right.OPERATE)),
    ((viewer, pes, archive_check, record), (Right.READ,)),
    ((deposit, draft, creating, acts_batch, answering, litigation, drafts, publication), (Right.DEPOSIT,)),
    ((invoice_deciding, sale), (Right.DEPOSIT,)),
    ((assemblies, members), (Right.DEPOSIT, Right.ADMINISTER)),
    ((convening,), (Right.READ, Right.DEPOSIT)),  # before the pages of mails: /courriers/seances is no mail
    ((mails, resending, departing), (Right.OPERATE,)),
    ((listing, export, act, papers, invoices, invoice), (Right.READ, Right.DEPOSIT)),
    ((signing,), (Right.ACT,)),
    ((trays, batch), (Right.ACT, Right.DEPOSIT)),
    ((folder, docket), (Right.ACT, Right.DEPOSIT, Right.READ, Right.ADMINISTER)),
    ((people, desks, types, circuits, setup, connection, stamp, route, publishing), (Right.ADMINISTER,)),
    ((account, reception, visa, handover, mail_terms, sae_account), (Right.ADMINISTER,)),
    ((writing, sending), (Right.DEPOSIT,)),
    # What has a name of its own under /courriers stands before what is named by an identifier.
    ((returns,), (Right.READ, Right.DEPOSIT, Right.OPERATE)),
    ((mails_listing, mail_templates, book, contact_groups), (Right.READ, Right.DEPOSIT)),
    ((mails_proof, mails_acting, sent_mail), (Right.READ, Right.DEPOSIT)),
)
for pages, rights in _PARTS:
    for page in pages:
        router.include_router(page.router, dependencies=[allowed(*rights)] if rights else None)


@router.get("/")
def home(visitor: SignedIn) -> RedirectResponse:
    """Go to the page on which the visitor's day begins."""
    return RedirectResponse(home_of(visitor), status_code=303)
