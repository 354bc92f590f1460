"""Evidence of every call to Chorus Pro, kept beside the invoice that it was about, in a short transaction of its own.

That of calls about no invoice, mostly searches, serves to ask the support of PISTE: it is kept for some days.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Table, delete
from ulid import ULID

from connectors.chorus.evidence import Evidence, Exchange
from core import clock
from core.platform import Platform
from core.principal import PLATFORM
from flows.invoices.models import ChorusExchange

_exchange: Table = ChorusExchange.__table__  # type: ignore[attr-defined]
_OF_NO_INVOICE_KEPT = timedelta(days=7)
_LONGEST_WORDING, _LONGEST_CORRELATION, _LONGEST_SERVICE = 500, 200, 100


def keeping(platform: Platform, organisation_id: str, dossier_id: str | None) -> Evidence:
    """Return what keeps the evidence of calls.

    Args:
        platform: whose database.
        organisation_id: to whom the evidence belongs: the one of the invoice, or that of the account.
        dossier_id: the invoice; None for a search.
    """

    def keep(exchange: Exchange) -> None:
        kept = ChorusExchange(
            organisation_id=organisation_id,
            dossier_id=dossier_id,
            service=exchange.service[:_LONGEST_SERVICE],
            moment=exchange.moment,
            request=dict(exchange.request),
            status=exchange.status,
            code=exchange.code,
            wording=exchange.wording.replace("\0", "")[:_LONGEST_WORDING],
            correlation=exchange.correlation.replace("\0", "")[:_LONGEST_CORRELATION],
            size=exchange.size,
            sha256=exchange.sha256,
        )
        with platform.database.writing(PLATFORM) as session:
            session.add(kept)

    return keep


def forget(platform: Platform, organisation_id: str) -> None:
    """Delete the evidence of an organisation's calls about no invoice that is older than some days."""
    # Identifiers grow with time: so the index of dossiers finds the old ones without looking at the others.
    oldest = str(ULID.from_datetime(clock.now() - _OF_NO_INVOICE_KEPT))
    old = _exchange.c.dossier_id.is_(None) & (_exchange.c.id < oldest) & (_exchange.c.organisation_id == organisation_id)
    with platform.database.writing(PLATFORM) as session:
        session.connection().execute(delete(_exchange).where(old))
