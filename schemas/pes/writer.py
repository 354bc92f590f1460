"""Writing an acquit as Hélios does: the gateway simulator answers with it. A sample flow to answer is in ``sample.py``."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from schemas.pes.acquit import Acquit, Anomaly, Element, Line, Piece
from schemas.pes.header import Header
from schemas.pes.roots import ROOTS
from schemas.pes.sample import Authority, Sample, write_sample

__all__ = ["Authority", "Sample", "acquit_bytes", "write_acquit", "write_sample"]

_ROOT = ROOTS[1]
_LONGEST_LABEL = 500


def acquit_bytes(acquit: Acquit) -> bytes:
    """Return a PES_ACQUIT of the second version, in ISO-8859-1, with the header of the flow that it answers.

    What the header lacks is left out, so that a flow refused for its header is answered all the same (such an acquit is
    schema-invalid, as are those of Hélios).
    """
    root = etree.Element(_ROOT.tag, nsmap={"n": _ROOT.namespace})
    _write_header(root, acquit.header)
    body = etree.SubElement(root, "ACQUIT")
    _leaf(etree.SubElement(body, "EnTeteAcquit"), "IdVer", "2")
    for element in acquit.elements:
        _write_element(etree.SubElement(body, "ElementACQUIT"), element)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="ISO-8859-1", pretty_print=True))


def write_acquit(acquit: Acquit, path: Path) -> None:
    """Write ``acquit_bytes`` to a file."""
    path.write_bytes(acquit_bytes(acquit))


def _write_header(root: etree._Element, header: Header) -> None:
    envelope = etree.SubElement(root, "Enveloppe")
    settings = etree.SubElement(envelope, "Parametres")
    _leaf(settings, "Version", header.version)
    _leaf(settings, "TypFic", header.typ_fic)
    _leaf(settings, "NomFic", header.nom_fic)
    if header.emetteur or header.emetteur_adresse:
        sender = etree.SubElement(envelope, "Emetteur")
        _leaf(sender, "Sigle", header.emetteur)
        _leaf(sender, "Adresse", header.emetteur_adresse)
    if header.recepteur or header.recepteur_adresse:
        recipient = etree.SubElement(envelope, "Recepteur")
        _leaf(recipient, "Sigle", header.recepteur)
        _leaf(recipient, "Adresse", header.recepteur_adresse)
    books = etree.SubElement(root, "EnTetePES")
    _leaf(books, "DteStr", header.dte_str)
    _leaf(books, "IdPost", header.id_post)
    _leaf(books, "LibellePoste", header.libelle_poste)
    _leaf(books, "IdColl", header.id_coll)
    _leaf(books, "FinJur", header.fin_jur)
    _leaf(books, "CodCol", header.cod_col)
    _leaf(books, "CodBud", header.cod_bud)
    _leaf(books, "LibelleColBud", header.libelle_col_bud)


def _write_element(parent: etree._Element, element: Element) -> None:
    _leaf(parent, "DomaineAck", element.domain)
    _leaf(parent, "EtatAck", "1" if element.accepted else "0")
    _leaf(parent, "NumBord", element.bordereau)
    _leaf(parent, "ExerciceBord", element.exercice)
    _leaf(parent, "IdMarche", element.id_marche)
    _leaf(parent, "IdUnique", element.id_unique)
    _write_anomalies(parent, element.anomalies)
    for piece in element.pieces:
        _write_piece(etree.SubElement(parent, "DetailPiece"), piece)


def _write_piece(parent: etree._Element, piece: Piece) -> None:
    _leaf(parent, "NumPiece", piece.number)
    _write_anomalies(parent, piece.anomalies)
    for line in piece.lines:
        _write_line(etree.SubElement(parent, "DetailLigne"), line)


def _write_line(parent: etree._Element, line: Line) -> None:
    _leaf(parent, "NumLigne", line.number)
    _write_anomalies(parent, line.anomalies)


def _write_anomalies(parent: etree._Element, anomalies: tuple[Anomaly, ...]) -> None:
    for anomaly in anomalies:
        error = etree.SubElement(parent, "Erreur")
        _leaf(error, "NumAnoAck", anomaly.code)
        _leaf(error, "LibelleAnoAck", anomaly.label[:_LONGEST_LABEL] if anomaly.label else None)


def _leaf(parent: etree._Element, name: str, text: str | None) -> None:
    if text is not None:
        etree.SubElement(parent, name, V=text)
