"""Writing a Factur-X: the invoice as pages that people read (PDF/A-3) and as XML that software reads, in one file.

Nothing is checked here: whether the invoice is right, ``rules.examine_invoice`` tells of the file that was written.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, time
from pathlib import Path

from core import sandbox
from schemas.invoices.cii_writing import PROFILE, cii_of
from schemas.invoices.composing import RESULT
from schemas.invoices.facturx import NAMES
from schemas.invoices.invoice import Invoice
from schemas.invoices.page import page_of
from schemas.invoices.stylesheets import profile_of

__all__ = ["cii_of", "facturx_of"]
_MEMORY, _SECONDS = 512 << 20, 30.0


def facturx_of(invoice: Invoice) -> bytes:
    """Return an invoice as a Factur-X of the profile EN 16931; the same invoice in the same language gives the same bytes.

    Raises:
        SandboxError: it could not be composed.
        Unavailable: too many wait for their turn.
    """
    made = datetime.combine(invoice.issued, time(), UTC) if invoice.issued else datetime.fromtimestamp(0, UTC)
    profile = profile_of(PROFILE)
    told: sandbox.JsonValue = {
        "page": page_of(invoice),
        "made": max(0, int(made.timestamp())),
        "level": profile.level if profile else "",
    }
    with tempfile.TemporaryDirectory(prefix="tabellion-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / NAMES[0]).write_bytes(cii_of(invoice))
        sandbox.call("schemas.invoices.composing:compose", told, folder=folder, memory=_MEMORY, seconds=_SECONDS)
        return (folder / RESULT).read_bytes()
