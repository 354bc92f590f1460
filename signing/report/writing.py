"""Writing a report in the form that the name of its file asks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from core.errors import UsageError
from core.messages import Catalogue
from signing.report.content import page_of
from signing.report.facts import Report
from signing.report.html import as_html

_t = Catalogue("signing.report")
Form = Callable[[Report], bytes]


def form_of(path: Path) -> Form:
    """Return how a report is put into the form that a name asks for.

    Raises:
        UsageError: neither .html, .pdf nor .json.
    """
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise UsageError(_t("suffix", file=path.name))
    return form


def write(report: Report, path: Path) -> None:
    """Write a report, in the words of the current locale, over whatever stands there.

    Raises:
        UsageError: no known form, or nothing can be written there.
    """
    octets = form_of(path)(report)
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_bytes(octets)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(_t("unwritable", file=path.name, reason=error.strerror or type(error).__name__)) from error


def _as_pdf(report: Report) -> bytes:
    from signing.report.pdf import as_pdf  # a second to import, which nobody else need wait for

    return as_pdf(page_of(report))


def _as_json(report: Report) -> bytes:
    return json.dumps(report.as_json(), ensure_ascii=False, indent=2).encode() + b"\n"


_FORMS: dict[str, Form] = {
    ".html": lambda report: as_html(page_of(report)),
    ".pdf": _as_pdf,
    ".json": _as_json,
}
