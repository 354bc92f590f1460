"""The stamped copies of an act: its documents as they were sent, with what the préfecture's acknowledgement says on each page.

They are made when somebody asks, of what the dossier keeps, and kept nowhere: the same act gives the same octets. The original
stays what was transmitted; that one is archived, with the acknowledgement (actes 10).
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from core import clock
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes import knowledge
from flows.actes.act import Act
from flows.actes.flow import ACTES
from flows.actes.settings import ActesStamp
from flows.actes.transmitted import CANCELLED, PDF, files_of
from flows.engine.models import Dossier, DossierFile
from signing.actes.stamping import StampPlace, StampText, stamp

_messages = Catalogue("flows.actes")
SAMPLE = StampText("040-214009995-20261127-2026_118-DE", date(2026, 11, 27), date(2026, 11, 28))
"""What the stamp of an act says, to show where it goes; there is no such act."""


def stamped_copy(platform: Platform, dossier: Dossier, role: str, *, published: date | None) -> bytes:
    """Return the copy of a document of an act with the stamp on every page; never the legal original.

    Args:
        platform: where the document is.
        dossier: of the act, which whoever asks may see.
        role: of the document: ``document``, which gives the signed one where there is one, ``annex.1`` …
        published: the day of its publication, when it is to be said.

    Raises:
        NotFound: no act, or no such document of it.
        Conflict: the préfecture has not acknowledged the act, its transmission was cancelled, or the document is no PDF.
        UsageError: a publication before the decision.
        NotStampable: the PDF is encrypted, broken, too large.
        Unavailable: the store does not answer, or too many wait for the sandbox.
    """
    if dossier.flow != ACTES.name:
        raise NotFound(_messages("act.missing"))
    text = _text_of(dossier, published)
    kept = _kept(platform, dossier, role)
    if kept.media_type != PDF:
        raise Conflict(_messages("stamp.not_pdf", name=kept.name), dossier.id)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        source, target = Path(folder) / "source.pdf", Path(folder) / "stamped.pdf"
        platform.objects.fetch(kept.sha256, source)
        stamp(source, target, text, place_of(knowledge.stamp_of(platform, dossier.organisation_id)))
        return target.read_bytes()


def stamped_sample(wanted: ActesStamp) -> bytes:
    """Return an empty A4 page with the stamp of an invented act, to see where it goes.

    Raises:
        Unavailable: too many wait for the sandbox.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        source, target = Path(folder) / "source.pdf", Path(folder) / "stamped.pdf"
        page = Canvas(str(source), pagesize=A4, invariant=1)
        page.showPage()
        page.save()
        stamp(source, target, SAMPLE, place_of(wanted))
        return target.read_bytes()


def place_of(wanted: ActesStamp) -> StampPlace:
    """Return a place of the stamp as it is printed."""
    return StampPlace(wanted.across, wanted.down)


def has_stamp(dossier: Dossier) -> bool:
    """Tell whether the documents of an act can bear the stamp: the préfecture has acknowledged it, and it was not cancelled."""
    return bool(dossier.facts.get("reception_date")) and dossier.state not in CANCELLED


def _text_of(dossier: Dossier, published: date | None) -> StampText:
    """Return what the stamp says: the State's own identifier and date of receipt, our day of sending."""
    facts = dossier.facts
    if not facts.get("reception_date"):
        raise Conflict(_messages("stamp.unacknowledged"), dossier.id)
    if dossier.state in CANCELLED:
        raise Conflict(_messages("stamp.cancelled"), dossier.id)
    decided = Act.from_facts(facts).decision_date
    if published is not None and published < decided:
        raise UsageError(_messages("stamp.published", decided=f"{decided:%d/%m/%Y}"))
    return StampText(
        facts.get("id_acte_of_state") or facts["id_acte"],
        clock.in_paris(clock.from_iso(facts["sent_at"])).date(),
        date.fromisoformat(facts["reception_date"]),
        published,
    )


def _kept(platform: Platform, dossier: Dossier, role: str) -> DossierFile:
    """Return a document of the act as it was sent."""
    with platform.database.reading(PLATFORM) as session:
        kept = files_of(session, dossier).get(role)
    if kept is None:
        raise NotFound(_messages("stamp.unknown"))
    return kept
