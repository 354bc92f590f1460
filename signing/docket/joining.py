"""Putting PDFs one behind the other. Runs in the sandbox only: the documents may crash or take over what reads them."""

from __future__ import annotations

from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium


def join(asked: dict[str, Any]) -> dict[str, int]:
    """Write one PDF; what is drawn on the pages (stamps, values of forms) becomes part of them.

    ``asked``: ``names`` of the files, ``most`` pages, name of the ``result``. Returns ``pages``, or else ``unreadable``: rank of
    the file that does not open, from 0; or ``beyond``: more pages than that.
    """
    joined = pypdfium2.PdfDocument.new()
    for rank, name in enumerate(asked["names"]):
        try:
            document = pypdfium2.PdfDocument(name)
            if len(joined) + len(document) > asked["most"]:
                return {"beyond": asked["most"]}
            for page in document:
                pdfium.FPDFPage_Flatten(page, pdfium.FLAT_PRINT)
                page.close()
            joined.import_pages(document)
            document.close()
        except pypdfium2.PdfiumError:
            return {"unreadable": rank}
    joined.save(asked["result"])
    return {"pages": len(joined)}
