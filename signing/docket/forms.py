"""The forms of a docket: a tagged PDF to print and to file, and the same words as a page of HTML."""

from __future__ import annotations

from signing.docket.content import Docket
from signing.docket.page import page_of
from signing.report.html import as_html
from signing.report.pdf import as_pdf


def pdf(docket: Docket, *, printed: bool = False) -> bytes:
    """Return a docket as a tagged PDF, in the current locale; the same docket gives the same bytes.

    Args:
        docket: it.
        printed: it stands behind a print of the documents.

    Raises:
        SandboxError: it could not be composed.
        Unavailable: too many wait for their turn.
    """
    return as_pdf(page_of(docket, printed=printed), docket.at)


def html(docket: Docket) -> str:
    """Return a docket as a page of HTML that needs nothing else, in the current locale."""
    return as_html(page_of(docket)).decode()
