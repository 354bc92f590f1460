"""Where whoever looks at an eliminated dossier finds the certificate of its elimination."""

from __future__ import annotations

from api.web.archive.eliminations.page import PATH
from api.web.visitor import Visitor
from archive.elimination.models import Elimination
from archive.elimination.taking_part import taking_part
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.engine.eliminated import Eliminated


def certificate_of(platform: Platform, visitor: Visitor, eliminated: Eliminated) -> str | None:
    """Return the address of the certificate, or of the record that keeps it; None when the visitor may see neither."""
    with platform.database.reading(PLATFORM) as session:
        elimination = session.get(Elimination, eliminated.elimination_id)
    if elimination is None or elimination.certificate is None:
        return None  # the database was made anew from the places, or working copies are still being destroyed
    if elimination.organisation_id in taking_part(visitor.principal).grants:
        return f"{PATH}/{elimination.id}/certificat.pdf"
    reads = visitor.principal.may(Right.READ, elimination.organisation_id)
    return f"/archives/{elimination.record_id}" if reads and elimination.record_id else None
