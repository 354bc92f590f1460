"""A PES as people read it, as a stream: bordereaux, pièces, lines, third parties, references and supporting documents.

Memory holds one line at a time, whatever the size of the flow, and the text of an attachment is never kept: only where it stands
in the file, and what its first octets say. Elements that only group others (``BlocPiece``, ``InfoLignePce`` …) are passed
through, so that old versions, returns and files that no schema accepts are read as far as they go. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any
from xml.parsers import expat

from schemas.pes.attachments import HEAD, recognised
from schemas.pes.header import Header
from schemas.pes.parts import Body, BordereauEnd, Event, Flaw, FlowEnd, PieceEnd, Sums
from schemas.pes.records import RECORDS, Record, attachment_of, bordereau_of, line_of, piece_of, reference_of
from schemas.pes.roots import DS, UNKNOWN, kind_of, root_of
from schemas.xml import TokenTooLong, refuse_long_token

_DEEPEST = 200
_LONGEST = 1_000
_MOST_VALUES = 200
_MOST_PARTS = 100
_DOMAINS = {"Depense": "depense", "Recette": "recette"}
_BODIES = {
    "PES_DepenseAller": "depense",
    "PES_RecetteAller": "recette",
    "PES_Facture": "facture",
    "PES_Marche": "marche",
    "PES_PJ": "pj",
}
_HEADER = {
    ("", "Version"): "version",
    ("", "TypFic"): "typ_fic",
    ("", "NomFic"): "nom_fic",
    ("Emetteur", "Sigle"): "emetteur",
    ("Emetteur", "Adresse"): "emetteur_adresse",
    ("Recepteur", "Sigle"): "recepteur",
    ("Recepteur", "Adresse"): "recepteur_adresse",
    ("EnTetePES", "DteStr"): "dte_str",
    ("EnTetePES", "IdPost"): "id_post",
    ("EnTetePES", "LibellePoste"): "libelle_poste",
    ("EnTetePES", "IdColl"): "id_coll",
    ("EnTetePES", "FinJur"): "fin_jur",
    ("EnTetePES", "CodCol"): "cod_col",
    ("EnTetePES", "CodColl"): "cod_col",
    ("EnTetePES", "CodBud"): "cod_bud",
    ("EnTetePES", "LibelleColBud"): "libelle_col_bud",
}
_CURRENT_VERSION, _SIGNATURE = "2", f"{DS}}}Signature"


def read_contents(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield what a PES holds, in the order of the file; a pièce comes before its lines, and its end after them.

    What cannot be read ends the reading with a ``Flaw``; nothing is raised for a fault of the document.

    Args:
        chunks: the file, in pieces of any size; its own size is bounded by the caller.
    """
    reading, fed = _Reading(), 0
    try:
        for chunk in chunks:
            reading.parser.Parse(chunk, False)
            yield from reading.taken()
            fed += len(chunk)
            refuse_long_token(reading.parser, fed)
        reading.parser.Parse(b"", True)
    except _Stop as stop:
        yield from reading.taken()
        yield stop.flaw
    except TokenTooLong as error:
        yield Flaw("malformed", error.line, str(error))
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: how expat says that it does not know an encoding
        yield from reading.taken()
        yield Flaw("malformed", getattr(error, "lineno", 1), str(error))
    yield from reading.taken()


class _Stop(Exception):
    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.code)
        self.flaw = flaw


class _Reading:
    """One reading under way. Handlers run some fifty times a line: what they do for a plain value is as little as can be."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._root
        self.parser.EndElementHandler = self._end
        self._events: list[Event] = []
        self._record = Record("")
        self._open: list[Record] = []
        self._stack: list[Record | str | None] = []  # what each open element is: a record, a name, the root (""), or nothing
        self._push, self._pop = self._stack.append, self._stack.pop
        self._header = Header()
        self._domain: str | None = None
        self._pj = False
        self._text = ""
        self._start_of_text = self._end_of_text = 0
        self._ranks = dict.fromkeys(("Bordereau", "Piece", "LigneDePiece", "PJ"), 0)
        self._flaws: set[str] = set()

    def taken(self) -> list[Event]:
        """Return what was read since the last time; a document of more levels than any PES has is read no further."""
        if len(self._stack) > _DEEPEST:
            self._stack.clear()
            raise _Stop(Flaw("malformed", self.parser.CurrentLineNumber, f"more than {_DEEPEST} levels"))
        events, self._events = self._events, []
        return events

    def _doctype(self, *_: object) -> None:
        raise _Stop(Flaw("doctype", self.parser.CurrentLineNumber, "<!DOCTYPE"))

    def _root(self, name: str, _attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition("}")
        known = root_of(f"{{{name}") if namespace else None
        kind = known.kind if known else kind_of(local)
        if known is None:
            self._flaw("root", local)
        self._header = Header(kind=kind)
        self._push("")
        self.parser.StartElementHandler = self._start
        if kind == UNKNOWN:
            self._events.append(self._header)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        text = attributes.get("V")
        if text is not None:
            values = self._record.values
            if name not in values:
                if len(values) < _MOST_VALUES:
                    values[name] = text[:_LONGEST].strip()
                elif self._record.name:
                    self._flaw("shortened", name)
            self._push(None)
        elif name in RECORDS:
            self._open_record(name, attributes)
        else:
            self._group(name, attributes)

    def _group(self, name: str, attributes: dict[str, str]) -> None:
        stack = self._stack
        if name == "Fichier":
            self._record.attributes = {**self._record.attributes, **attributes}
            self._begin_text()
            stack.append("Fichier")
            return
        if name == _SIGNATURE and (len(stack) == 1 or stack[-1] is self._record):
            self._record.signed = True
        elif len(stack) == 1 and name != "Enveloppe":
            self._begin_body(name)
        stack.append(name if name.startswith("EnTete") else None)

    def _begin_body(self, name: str) -> None:
        self._tell_header()
        self._record.values.clear()
        self._domain = next((domain for word, domain in _DOMAINS.items() if word in name), None)
        self._pj = name == "PES_PJ"
        if name in _BODIES:
            self._events.append(Body(_BODIES[name]))

    def _open_record(self, name: str, attributes: dict[str, str]) -> None:
        above = self._record
        if name in {"Piece", "LigneDePiece"} and not above.told:
            self._tell(above)
        if len(self._stack) == 1:
            self._pj, self._domain = False, None
        record = Record(name, attributes)
        if name in self._ranks:
            self._ranks[name] += 1
            record.rank = self._ranks[name]
        self._open.append(above)
        self._stack.append(record)
        self._record = record

    def _end(self, _name: str) -> None:
        ended = self._pop()
        if ended is None:
            return
        if isinstance(ended, Record):
            self._record = self._open.pop()
            self._close(ended)
        elif ended == "Fichier":
            self.parser.CharacterDataHandler = self.parser.StartCdataSectionHandler = None
            self._end_of_text = self.parser.CurrentByteIndex
        elif ended:
            self._check_version()
        else:
            self._finish()

    def _check_version(self) -> None:
        version = self._record.values.pop("IdVer", None)
        if self._domain and version is not None and (version.lstrip("0") or "0") != _CURRENT_VERSION:
            self._flaw("version", version)

    def _finish(self) -> None:
        self._tell_header()
        self._events.append(FlowEnd(self._record.signed))

    def _close(self, record: Record) -> None:
        closing: Callable[[Record], None] | None = {
            "EnTetePES": self._close_header,
            "Bordereau": self._close_bordereau,
            "Piece": self._close_piece,
            "LigneDePiece": self._close_line,
            "PJRef": self._close_reference,
            "PJ": self._close_attachment,
        }.get(record.name)
        if closing is not None:
            closing(record)
        elif len(self._record.parts) < _MOST_PARTS:
            self._record.parts.append(record)
        else:
            self._flaw("shortened", record.name)

    def _close_header(self, record: Record) -> None:
        self._record.parts.append(record)
        self._tell_header()

    def _tell_header(self) -> None:
        if "header" in self._flaws or self._header.kind == UNKNOWN:
            return
        self._flaws.add("header")
        found: dict[str, Any] = {}
        for record in (self._record, *self._record.parts):
            for name, text in record.values.items():
                if text and (known := _HEADER.get((record.name, name))):
                    found.setdefault(known, text)
        self._header = replace(self._header, **found)
        self._events.append(self._header)

    def _tell(self, record: Record) -> None:
        """Tell of what holds a pièce or a line that begins, all of whose own values stand before it."""
        record.told = True
        if record.name == "Bordereau":
            self._events.append(bordereau_of(record, self._domain))
        elif record.name == "Piece":
            above = self._open[-1]
            self._events.append(piece_of(record, above.rank if above.name == "Bordereau" else 0))

    def _close_bordereau(self, record: Record) -> None:
        if not record.told:
            self._tell(record)
        self._events.append(BordereauEnd(record.rank, record.signed, record.sums))

    def _close_piece(self, record: Record) -> None:
        if not record.told:
            above = self._record.rank if self._record.name == "Bordereau" else 0
            self._events.append(piece_of(record, above))
        sums = replace(record.sums, pieces=1)
        self._events.append(PieceEnd(record.rank, sums))
        self._record.sums = self._record.sums.plus(sums)

    def _close_line(self, record: Record) -> None:
        line = line_of(record, self._record.rank if self._record.name == "Piece" else 0)
        self._events.append(line)
        above = self._record.sums
        ht, tva = above.ht + (line.ht or 0), above.tva + (line.tva or 0)
        self._record.sums = Sums(above.pieces, above.lines + 1, ht, tva)

    def _close_reference(self, record: Record) -> None:
        above = self._record
        line = above.rank if above.name == "LigneDePiece" else 0
        piece = self._open[-1] if line and self._open else above
        self._events.append(reference_of(record, piece.rank if piece.name == "Piece" else 0, line))

    def _begin_text(self) -> None:
        self._text = ""
        self._start_of_text = 0
        self.parser.CharacterDataHandler = self._text_seen
        self.parser.StartCdataSectionHandler = self._text_begins

    def _text_begins(self) -> None:
        self._start_of_text = self._start_of_text or self.parser.CurrentByteIndex

    def _text_seen(self, text: str) -> None:
        # Once the head is known nothing more is asked for: the parser then goes through the rest without a call.
        self._text_begins()
        self._text += text[:HEAD]
        if len(self._text) >= HEAD:
            self.parser.CharacterDataHandler = self.parser.StartCdataSectionHandler = None

    def _close_attachment(self, record: Record) -> None:
        if not self._pj:
            self._flaw("stray", record.values.get("IdUnique", ""))
        stretch = (self._start_of_text, self._end_of_text) if self._text else (0, 0)
        self._events.append(attachment_of(record, stretch, recognised(self._text)))
        self._text = ""

    def _flaw(self, code: str, found: str) -> None:
        if code not in self._flaws:
            self._flaws.add(code)
            self._events.append(Flaw(code, self.parser.CurrentLineNumber, found[:_LONGEST]))
