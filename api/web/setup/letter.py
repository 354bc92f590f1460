"""A letter of trial: one page that says that it is one, sent into a circuit as any document is."""

from __future__ import annotations

import io
from typing import Any

from core import clock
from core.identifiers import new_id
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows.document.intake import Submission, submit
from flows.engine.intake import Received
from signing.parapheur import desks, typology
from signing.parapheur.folders import Joined
from signing.parapheur.models import DocumentKind
from signing.parapheur.typology import Protocol

_t = Catalogue("api.web.setup")


def choices(platform: Platform, principal: Principal, organisation_id: str) -> dict[str, Any]:
    """Return the desks from which somebody may send a letter, and the kinds that take one; nothing when they may not deposit."""
    if not principal.may(Right.DEPOSIT, organisation_id):
        return {"senders": [], "kinds": []}
    with platform.database.reading(principal) as session:
        held = desks.around(session, desks.person_of(principal)).held
        there = [desk for desk in desks.desks_of(session, organisation_id) if desk.id in held and desk.may_create]
        found = [kind for kind in typology.kinds(session, organisation_id) if kind.signing.protocol is Protocol.NONE]
    return {
        "senders": [(desk.id, desk.name) for desk in there],
        "kinds": [(kind.id, kind.full_name) for kind in typology.creatable(found, [desk.id for desk in there])],
    }


def send(platform: Platform, principal: Principal, organisation_id: str, desk_id: str, subtype_id: str) -> Received:
    """Send a letter of trial.

    Raises:
        Forbidden, UsageError: see ``flows.document.intake.submit``.
    """
    blob = platform.objects.put(io.BytesIO(_drawn()))
    document = Joined(DocumentKind.MAIN, _t("letter.file"), "application/pdf", blob.sha256, blob.size)
    wanted = Submission(
        organisation_id,
        _t("letter.title"),
        (document,),
        desk_id,
        subtype_id or None,
        starts=True,
        idempotency_key=f"trial-{new_id()}",
    )
    return submit(platform, principal, wanted)


def _drawn() -> bytes:
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    octets = io.BytesIO()
    canvas = Canvas(octets, pagesize=A4)
    canvas.setTitle(_t("letter.title"))
    canvas.setFont("Helvetica-Bold", 18)
    canvas.drawString(72, 740, _t("letter.title"))
    canvas.setFont("Helvetica", 11)
    moment = clock.in_paris(clock.now())
    for rank, line in enumerate((_t("letter.line"), _t("letter.made", day=f"{moment:%d/%m/%Y}"), "", "#signature#")):
        canvas.drawString(72, 700 - 22 * rank, line)
    canvas.save()
    return octets.getvalue()
