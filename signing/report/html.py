"""A report as one page of HTML that needs nothing else: no script, no font, no address."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from signing.report.content import Page
from signing.report.palette import PALETTE, TONES

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def as_html(page: Page) -> bytes:
    """Return the report as HTML, in UTF-8."""
    tones = [(tone.value, *colours) for tone, colours in TONES.items()]
    return _templates.get_template("report.html").render(page=page, palette=PALETTE, tones=tones).encode()
