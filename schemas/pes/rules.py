"""The numbered rules that a PES alone can break: the R series, on the file and its header (domain rules R01 to R17).

Those on bordereaux (B) and supporting documents (P) are in `schemas.pes.bordereaux` and `schemas.pes.supporting`. R09, R10, R14,
R15 and the ownership half of R13 need what the platform knows and live with the flow; signatures (S) with the signatures. What
Hélios itself sends is never refused for its form: there every flaw but an unreadable file is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lxml import etree

from core.identifiers import Siret
from core.messages import Catalogue
from core.problems import Problem, Report, Severity, mebibytes, problem_in_words
from schemas.pes.acquit import acquit_of
from schemas.pes.bordereaux import check_bordereaux
from schemas.pes.encoding import Bytes, Declaration, read_bytes, read_declaration
from schemas.pes.header import Header
from schemas.pes.malformed import malformed
from schemas.pes.places import placed
from schemas.pes.reader import PesDocument, read, value, whole
from schemas.pes.roots import DS, FROM_THE_STATE, ROOTS, UNKNOWN, kind_of, root_of
from schemas.pes.supporting import check_supporting
from schemas.pes.versions import SchemaSets
from schemas.xml import DoctypeRefused, Malformed, TokenTooLong

DEFAULT_LIMIT = 128 << 20
"""Largest file accepted unless the operator says otherwise, in bytes."""

MOST_TAGS = 5_000_000
"""Most tags in a file, or attributes: the largest bordereau has 99 999 pièces of some 45 tags. A tree takes 250 bytes a tag."""

_ENCODING = "ISO-8859-1"
_SIRET_LENGTH = 14
_UNREADABLE = frozenset({"R01", "R02", "R07"})
_BODY = (
    "PES_DepenseAller/Bordereau | PES_RecetteAller/Bordereau | PES_PJ/PJ"
    " | PES_Marche/Marches/Marche | PES_Marche/Concessions/Concession | PES_Facture/FactureIndiv"
)
_VERSIONS = (
    ("Enveloppe/Parametres/Version", 2),
    ("PES_DepenseAller/EnTeteDepense/IdVer", 2),
    ("PES_RecetteAller/EnTeteRecette/IdVer", 2),
    ("PES_Facture/IdVer", 2),
    ("PES_Marche/EnTeteMarche/IdVer", 2),
    ("PES_PJ/EnTetePES_PJ/IdVer", 1),
)
_HOSPITAL = "PES_RecetteAller/Bordereau/Piece/LigneDePiece/BlocLignePiece/InfoAssure"
messages = Catalogue("schemas.pes")
_problem = partial(problem_in_words, messages)


def examine(path: Path, *, schemas: SchemaSets, limit: int = DEFAULT_LIMIT) -> tuple[PesDocument | None, Report]:
    """Examine one PES file: all rules of this room, all problems at once.

    Args:
        path: the file.
        schemas: the sets of schemas in force.
        limit: largest size accepted, in bytes.

    Returns:
        The document, None when it could not be parsed, and the report, whose kind is ``unknown`` when no PES was recognised.
    """
    declaration = read_declaration(path)
    report = Report(kind=kind_of(declaration.root or ""))
    document = _open(path, limit, declaration, report)
    if document is not None:
        report.kind = document.kind
        report.problems += placed(_of_the_document(document, schemas), document.root)
        report.facts = document.facts()
        if document.kind == "pes-acquit":
            acquit = acquit_of(document)
            report.problems += acquit.flaws
            report.facts["acquit"] = acquit.as_json()
    report.problems = [problem.as_warning() if _is_tolerated(problem, report.kind) else problem for problem in report.problems]
    report.problems.sort(key=lambda problem: problem.line or 0)
    return document, report


def _open(path: Path, limit: int, declaration: Declaration, report: Report) -> PesDocument | None:
    """Parse the file unless its bytes forbid it; what they say goes to the report."""
    size = path.stat().st_size
    if size == 0:
        report.problems.append(_problem("R01", "empty"))
        return None
    if size > limit:
        report.problems.append(_problem("R07", found=mebibytes(size), places={"limit": mebibytes(limit)}))
        return None
    content = read_bytes(path)
    report.problems += [*_r03_encoding(declaration), *_r04_mojibake(declaration, content)]
    if (most := max(content.tags, content.attributes)) > MOST_TAGS:
        report.problems.append(_problem("R07", "tags", found=str(most), places={"limit": MOST_TAGS}))
        return None
    try:
        return read(path)
    except TokenTooLong as error:
        report.problems.append(_problem("R07", "token", line=error.line))
    except DoctypeRefused as error:
        report.problems.append(_problem("R02", line=error.line, found="<!DOCTYPE"))
    except Malformed as error:
        report.problems.append(malformed(path, declaration, error))
    return None


def _is_tolerated(problem: Problem, kind: str) -> bool:
    """Tell whether the problem must not refuse the document (verdicts: messages from the State).

    An acquit of a PES Retour is ours, but the field writes CodColl where the schema says CodCol, and Hélios takes both.
    """
    if kind == "pes-acquit-retour":
        return problem.rule == "R06"
    return kind in FROM_THE_STATE and problem.rule not in _UNREADABLE


def _of_the_document(document: PesDocument, schemas: SchemaSets) -> list[Problem]:
    problems = list(_r05_root(document))
    if document.kind == UNKNOWN:
        return problems
    if not problems:
        problems += schemas.validate(document.tree, document.kind, document.path)
    if _is_in_a_namespace(document.root):  # nothing of it can be found by its name: R06 says why
        return problems
    problems += _r08_name(document.header, document.root)
    if document.kind == "pes-aller":
        problems += _r11_empty(document.root)
        problems += _r13_siret(document.root)
        problems += _r16_versions(document.root)
        problems += _r17_hospital(document)
        problems += [*check_bordereaux(document), *check_supporting(document)]
    if document.kind in ("pes-aller", "pes-acquit-retour"):
        problems += _r12_routing(document.header, document.root)
    return problems


def _is_in_a_namespace(root: etree._Element) -> bool:
    """Tell whether the flow has all its elements in a namespace (``xmlns`` without a prefix), where only the root has one."""
    first = next(root.iterchildren(etree.Element), None)
    return first is not None and etree.QName(first).namespace not in (None, DS)


def _r03_encoding(declaration: Declaration) -> Iterator[Problem]:
    """ISO-8859-1 declared, under this very name, and no byte order mark."""
    if declaration.bom is not None:
        yield _problem("R03", "bom", line=1, found=declaration.bom)
    if declaration.encoding is None and declaration.media_type is None:
        yield _problem("R03", "undeclared", line=1)
    elif declaration.encoding is not None and declaration.encoding.upper() != _ENCODING:
        yield _problem("R03", line=1, found=declaration.encoding)


def _r04_mojibake(declaration: Declaration, content: Bytes) -> Iterator[Problem]:
    """Bytes that agree with a declaration of ISO-8859-1."""
    if content.doubt is not None and (declaration.encoding or "").upper() == _ENCODING:
        variant = "utf8" if content.doubt.utf8 else "control"
        yield _problem("R04", variant, Severity.WARNING, line=content.doubt.line, found=content.doubt.found)


def _r05_root(document: PesDocument) -> Iterator[Problem]:
    """A root element of the protocol, in its namespace."""
    name, line = etree.QName(document.root), document.root.sourceline
    if document.kind == UNKNOWN:
        expected = ", ".join(dict.fromkeys(root.name for root in ROOTS))
        yield _problem("R05", line=line, path="/*", found=name.localname, expected=expected)
    elif root_of(name.text) is None:
        expected = ", ".join(root.namespace for root in ROOTS if root.name == name.localname)
        yield _problem("R05", "namespace", line=line, path="/*", found=name.namespace or 'xmlns=""', expected=expected)


def _r08_name(header: Header, root: etree._Element) -> Iterator[Problem]:
    """NomFic present."""
    if header.nom_fic is None:
        yield _problem("R08", line=_line(root, "Enveloppe/Parametres/NomFic"), path="/*/Enveloppe/Parametres/NomFic")


def _r11_empty(root: etree._Element) -> Iterator[Problem]:
    """At least one bordereau, supporting document, contract or invoice: Hélios never answers a flow without any."""
    if not root.xpath(f"boolean({_BODY})"):
        yield _problem("R11", line=root.sourceline, path="/*")


def _r12_routing(header: Header, root: etree._Element) -> Iterator[Problem]:
    """CodCol, IdPost and CodBud present: without them the flow cannot be addressed."""
    for name, text in (("CodCol", header.cod_col), ("IdPost", header.id_post), ("CodBud", header.cod_bud)):
        if text is None:
            place = f"EnTetePES/{name}"
            yield _problem("R12", line=_line(root, place), path=f"/*/{place}", places={"name": name})


def _r13_siret(root: etree._Element) -> Iterator[Problem]:
    """The SIRET in IdColl, which the schema lets be shorter, and its key; whose SIRET it is, only the platform knows."""
    place = "EnTetePES/IdColl"
    digits = value(root, place) or ""
    if not digits.isascii() or not digits.isdigit() or len(digits) > _SIRET_LENGTH:  # which is R06
        return
    if len(digits) < _SIRET_LENGTH or not Siret.key_holds(digits):
        variant = "short" if len(digits) < _SIRET_LENGTH else ""
        yield _problem("R13", variant, Severity.WARNING, line=_line(root, place), path=f"/*/{place}", found=digits)


def _r16_versions(root: etree._Element) -> Iterator[Problem]:
    """Each part in the version of the protocol that Hélios takes; an absent or unreadable one is R06."""
    for place, expected in _VERSIONS:
        found = value(root, place)
        if found is not None and whole(found) not in (None, expected):
            places = {"name": place.rpartition("/")[2], "part": place.partition("/")[0], "expected": str(expected)}
            yield _problem("R16", line=_line(root, place), path=f"/*/{place}", found=found, places=places)


def _r17_hospital(document: PesDocument) -> Iterator[Problem]:
    """FinJur if and only if M21/M22. A file names no nomenclature, but only a hospital's tells insured people."""
    insured = document.root.find(_HOSPITAL)
    if insured is not None and document.header.fin_jur is None:
        yield _problem("R17", severity=Severity.WARNING, line=insured.sourceline, path="/*/EnTetePES/FinJur")


def _line(root: etree._Element, place: str) -> int | None:
    """Return the line of a place, or of the nearest ancestor that is there."""
    while place:
        if (element := root.find(place)) is not None:
            return int(element.sourceline)
        place = place.rpartition("/")[0]
    return int(root.sourceline)
