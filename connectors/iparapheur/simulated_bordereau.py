"""The bordereau of the simulated parapheur: a PDF that tells who did what, private annotations left out."""

from __future__ import annotations

from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from connectors.iparapheur.simulated_store import Dossier
from connectors.iparapheur.simulated_typology import Typology
from core.clock import in_paris

_MARGIN, _LEADING, _WIDTH = 50, 15, 100


def write_bordereau(dossier: Dossier, typology: Typology, path: Path) -> None:
    """Write it."""
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    height = A4[1]
    lines = [f"Bordereau de signature : {dossier.name}", f"{dossier.type} / {dossier.subtype}", ""]
    for entry in dossier.history:
        person = typology.person(entry.login)
        moment = f"{in_paris(entry.moment):%d/%m/%Y %H:%M:%S}"
        lines.append(f"{moment}  {person.name if person else ''} ({entry.desk})  {entry.status}  {entry.note}")
    per_page = int((height - 2 * _MARGIN) / _LEADING)
    for start in range(0, len(lines), per_page):
        for rank, line in enumerate(lines[start : start + per_page]):
            canvas.drawString(_MARGIN, height - _MARGIN - rank * _LEADING, line[:_WIDTH])
        canvas.showPage()
    canvas.save()
