"""The envelope and header of a PES: who sends, for whose books, under which name. Read alike from a tree or from a stream.

What the rules think of these values is in ``rules.py``; how an acquit copies them, in ``writer.py``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any
from xml.parsers import expat

from lxml import etree

from schemas.pes.roots import UNKNOWN, kind_of, root_of
from schemas.xml import DoctypeRefused, Malformed

_CHUNK = 1 << 14
_HEADER_LIMIT = 1 << 20
_PLACES = {
    "Enveloppe/Parametres/Version": "version",
    "Enveloppe/Parametres/TypFic": "typ_fic",
    "Enveloppe/Parametres/NomFic": "nom_fic",
    "Enveloppe/Emetteur/Sigle": "emetteur",
    "Enveloppe/Emetteur/Adresse": "emetteur_adresse",
    "Enveloppe/Recepteur/Sigle": "recepteur",
    "Enveloppe/Recepteur/Adresse": "recepteur_adresse",
    "EnTetePES/DteStr": "dte_str",
    "EnTetePES/IdPost": "id_post",
    "EnTetePES/LibellePoste": "libelle_poste",
    "EnTetePES/IdColl": "id_coll",
    "EnTetePES/FinJur": "fin_jur",
    "EnTetePES/CodCol": "cod_col",
    "EnTetePES/CodColl": "cod_col",
    "EnTetePES/CodBud": "cod_bud",
    "EnTetePES/LibelleColBud": "libelle_col_bud",
}
_DEEPEST = 1 + max(place.count("/") + 1 for place in _PLACES)
_DEPTH_OF_HEADER = 2


@dataclass(frozen=True, slots=True)
class Header:
    """Envelope and header as they stand in the file; what is absent or empty is None.

    Attributes:
        kind: of the document, from its root.
        version: of the envelope.
        typ_fic: kind of flow, in the protocol's words (``PESALR1``).
        nom_fic: name that the finance software gave; the key by which acquits are matched, with ``cod_col``.
        emetteur: finance software's editor; ``emetteur_adresse`` its product.
        recepteur: usually HELIOS.
        dte_str: date of issue, AAAA-MM-JJ, unchecked.
        id_post: codique of the accounting office.
        libelle_poste: its name.
        id_coll: SIRET of the budget.
        fin_jur: FINESS number of a hospital.
        cod_col: code of the authority in the office; a PES Retour calls it CodColl.
        cod_bud: code of the budget.
        libelle_col_bud: name of both.
    """

    kind: str = UNKNOWN
    version: str | None = None
    typ_fic: str | None = None
    nom_fic: str | None = None
    emetteur: str | None = None
    emetteur_adresse: str | None = None
    recepteur: str | None = None
    recepteur_adresse: str | None = None
    dte_str: str | None = None
    id_post: str | None = None
    libelle_poste: str | None = None
    id_coll: str | None = None
    fin_jur: str | None = None
    cod_col: str | None = None
    cod_bud: str | None = None
    libelle_col_bud: str | None = None

    @property
    def issued(self) -> date | None:
        """The date of issue, None when it is none."""
        try:
            return date.fromisoformat((self.dte_str or "")[:10])
        except ValueError:
            return None

    def as_json(self) -> dict[str, Any]:
        """Return all fields, JSON values only."""
        return asdict(self)


def header_of(root: etree._Element) -> Header:
    """Return the header of a document whose root this is, schema-valid or not."""
    values: dict[str, str] = {}
    for place, name in _PLACES.items():
        element = root.find(place)
        if element is not None and (value := (element.get("V") or "").strip()):
            values.setdefault(name, value)
    tag = etree.QName(root)
    known = root_of(tag.text)
    return Header(kind=known.kind if known else kind_of(tag.localname), **values)


def read_header(path: Path) -> Header:
    """Return the header of a file, reading no further than the end of EnTetePES, for routing.

    At most one megabyte is read: what has not been seen by then is None.

    Raises:
        DoctypeRefused: a DOCTYPE is declared.
        Malformed: not well-formed so far as it was read.
    """
    reading = _Reading()
    with path.open("rb") as stream:
        try:
            while reading.offset < _HEADER_LIMIT and (chunk := stream.read(_CHUNK)):
                reading.feed(chunk)
            reading.end_of_file(truncated=reading.offset >= _HEADER_LIMIT)
        except _HeaderRead:
            pass
        except expat.ExpatError as error:
            raise Malformed(error.lineno, expat.ErrorString(error.code)) from error
        except (LookupError, ValueError) as error:  # how expat says that it does not know an encoding
            raise Malformed(1, str(error)) from error
    return Header(kind=reading.kind, **reading.values)


class _Reading:
    """One streaming read, under way."""

    def __init__(self) -> None:
        self.kind = UNKNOWN
        self.values: dict[str, str] = {}
        self.offset = 0
        self._path: list[str] = []
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def feed(self, chunk: bytes) -> None:
        self.offset += len(chunk)
        self._parser.Parse(chunk, False)

    def end_of_file(self, *, truncated: bool) -> None:
        if not truncated:
            self._parser.Parse(b"", True)

    def _doctype(self, *_: object) -> None:
        raise DoctypeRefused(self._parser.CurrentLineNumber)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition("}")[2]
        if not self._path:
            known = root_of(f"{{{name}") if "}" in name else None
            self.kind = known.kind if known else kind_of(local)
        self._path.append(local)
        if len(self._path) > _DEEPEST:
            return
        place = _PLACES.get("/".join(self._path[1:]))
        if place and (value := attributes.get("V", "").strip()):
            self.values.setdefault(place, value)

    def _end(self, _name: str) -> None:
        if len(self._path) == _DEPTH_OF_HEADER and self._path[1] == "EnTetePES":
            raise _HeaderRead
        self._path.pop()


class _HeaderRead(Exception):
    """The header has been read: not an error, but the way out of the parser."""
