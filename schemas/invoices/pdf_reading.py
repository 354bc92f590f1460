"""Reading what a PDF carries, with qpdf. Runs in the sandbox only: all here may crash, hang, or be taken over by a document.

The invoice and the files beside it are written to the folder; nothing of a page is looked at.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pikepdf

MOST_FILES = 200
MOST_OCTETS = 120 << 20
"""What all files of a PDF may come to."""

_MOST_NODES = 2_000
_MOST_OBJECTS = 200_000
_LARGEST_METADATA = 1 << 20
_LONGEST = 300
_PIECE = 1 << 20
_HEAD = 1024
_ACTIONS = {
    "/JavaScript": "script",
    "/Launch": "program",
    "/ImportData": "program",
    "/Rendition": "media",
    "/Movie": "media",
    "/Sound": "media",
    "/RichMediaExecute": "media",
}
_PDFA = "http://www.aiim.org/pdfa/ns/id/"
_HYBRID = (  # what two descriptions tell is told once: those of Factur-X and of ZUGFeRD stand beside each other, the first counts
    "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#",
    "urn:zugferd:pdfa:CrossIndustryDocument:invoice:2p0#",
    "urn:ferd:pdfa:CrossIndustryDocument:invoice:1p0#",
)
_XMP = {
    **{f"{_PDFA} {name}": (_PDFA, key) for name, key in (("part", "part"), ("conformance", "conformance"))},
    **{
        f"{uri} {name}": (uri, key)
        for uri in _HYBRID
        for name, key in (
            ("ConformanceLevel", "level"),
            ("DocumentFileName", "file_name"),
            ("DocumentType", "document_type"),
            ("Version", "version"),
        )
    },
}


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a ``facturx.Pdf``; ``asked``: ``name`` of a file of the folder."""
    path = Path(asked["name"])
    with path.open("rb") as stream:
        if b"%PDF-" not in stream.read(_HEAD):
            return {"problem": "not_pdf"}
    try:
        with pikepdf.open(path, suppress_warnings=True) as pdf:
            return _looked(pdf)
    except pikepdf.PasswordError:
        return {"problem": "password"}
    except pikepdf.PdfError:
        return {"problem": "unreadable"}


def _looked(pdf: pikepdf.Pdf) -> dict[str, Any]:
    files: list[dict[str, Any]] = []
    room = MOST_OCTETS
    for key, specification, listed, associated in _specifications(pdf):
        file = _file(len(files), key, specification, room)
        room -= file["size"]
        files.append(file | {"listed": listed, "associated": associated})
    return {
        "files": files,
        "xmp": _metadata(pdf),
        "active": sorted(_active(pdf)),
        "encrypted": pdf.is_encrypted,
        "repaired": bool(pdf.get_warnings()),
    }


def _specifications(pdf: pikepdf.Pdf) -> Iterator[tuple[str, pikepdf.Object, bool, bool]]:
    """Give each file once, by its content: its key, what tells of it, whether the name tree and the catalogue's /AF know it."""
    files = pdf.Root.get("/AF")  # ISO 32000-2 lets one stand without an array
    catalogue = [("", one) for one in (files if isinstance(files, pikepdf.Array) else [files])]
    listed, associated = (_by_content(found) for found in (_name_tree(pdf), catalogue))
    for content, (key, specification) in list((associated | listed).items())[:MOST_FILES]:
        yield key, specification, content in listed, content in associated


def _by_content(found: Iterable[tuple[str, Any]]) -> dict[Any, tuple[str, pikepdf.Object]]:
    return {_key(_stream(one) or one): (key, one) for key, one in found if isinstance(one, pikepdf.Dictionary)}


def _stream(specification: pikepdf.Object) -> pikepdf.Object | None:
    embedded = specification.get("/EF")
    if not isinstance(embedded, pikepdf.Dictionary):
        return None
    return next((found for name in ("/UF", "/F") if isinstance(found := embedded.get(name), pikepdf.Stream)), None)


def _name_tree(pdf: pikepdf.Pdf) -> Iterator[tuple[str, pikepdf.Object]]:
    names = pdf.Root.get("/Names")
    waiting = [names.get("/EmbeddedFiles")] if isinstance(names, pikepdf.Dictionary) else []
    seen: set[Any] = set()
    while waiting and len(seen) < _MOST_NODES:
        node = waiting.pop()
        if not isinstance(node, pikepdf.Dictionary) or _key(node) in seen:
            continue
        seen.add(_key(node))
        entries, kids = node.get("/Names"), node.get("/Kids")
        if isinstance(entries, pikepdf.Array):
            pairs = list(entries)[: 2 * MOST_FILES]
            yield from ((_text(key), value) for key, value in zip(pairs[::2], pairs[1::2], strict=False))
        if isinstance(kids, pikepdf.Array):
            waiting.extend(reversed(list(kids)[:_MOST_NODES]))


def _file(rank: int, key: str, specification: pikepdf.Object, room: int) -> dict[str, Any]:
    stream = _stream(specification)
    told: dict[str, Any] = {
        "name": _text(specification.get("/UF")) or _text(specification.get("/F")) or key,
        "relationship": _text(specification.get("/AFRelationship")).lstrip("/"),
        "declared": "" if stream is None else _text(stream.get("/Subtype")).lstrip("/"),
        "stored": f"{rank:04}.octets",
        "size": 0,
    }
    octets = None if stream is None else _content(stream, room)
    if octets is None:
        return told | {"flaw": "missing" if stream is None else "unreadable"}
    if len(octets) > room:
        return told | {"flaw": "large"}
    Path(told["stored"]).write_bytes(octets)
    return told | {"size": len(octets)}


def _content(stream: pikepdf.Object, room: int) -> bytes | None:
    """Return what a stream holds, one octet more than there is room for at most; None when it cannot be had."""
    try:
        if _text(stream.get("/Filter")) == "/FlateDecode" and "/DecodeParms" not in stream:
            return _inflated(stream.read_raw_bytes(), room)
        return stream.read_bytes()
    except (pikepdf.PdfError, zlib.error, RuntimeError, ValueError):
        return None


def _inflated(raw: bytes, room: int) -> bytes:
    """Inflate within bounds: qpdf would take what it gives into memory whole."""
    unpacker = zlib.decompressobj()
    octets = bytearray()
    while raw and not unpacker.eof and len(octets) <= room:
        octets += unpacker.decompress(raw, _PIECE)
        raw = unpacker.unconsumed_tail
    return bytes(octets[: room + 1])


def _metadata(pdf: pikepdf.Pdf) -> dict[str, str] | None:
    stream = pdf.Root.get("/Metadata")
    octets = _content(stream, _LARGEST_METADATA) if isinstance(stream, pikepdf.Stream) else None
    if octets is None or len(octets) > _LARGEST_METADATA:
        return None
    told: dict[str, dict[str, str]] = {}
    under_way: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        under_way.append(name)
        for each, value in ((name, ""), *attributes.items()):
            if each in _XMP:
                uri, key = _XMP[each]
                told.setdefault(uri, {})[key] = value[:_LONGEST]

    def text(data: str) -> None:
        if (found := _XMP.get(under_way[-1])) is not None:
            uri, key = found
            told[uri][key] = (told[uri][key] + data.strip())[:_LONGEST]

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.CharacterDataHandler = start, text
    parser.EndElementHandler = lambda _: under_way.pop()
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(octets.strip(b"\0 \r\n\t"), True)
    except (expat.ExpatError, LookupError, ValueError):
        return None
    return told.get(_PDFA, {}) | next((told[uri] for uri in _HYBRID if uri in told), {})


def _refuse(*_: object) -> None:
    raise ValueError("a DOCTYPE in the metadata")


def _active(pdf: pikepdf.Pdf) -> set[str]:
    """Return what the document would do by itself: every object is looked at, reachable or not, within bounds."""
    found = set()
    for rank, one in enumerate(_dictionaries(pdf)):
        if rank >= _MOST_OBJECTS:
            found.add("large")
            break
        if (kind := _ACTIONS.get(_text(one.get("/S")))) is not None:
            found.add(kind)
        if "/JS" in one:
            found.add("script")
    return found


def _dictionaries(pdf: pikepdf.Pdf) -> Iterator[pikepdf.Object]:
    """Give every dictionary of a document, those that stand in others too; what is referred to comes in its own turn."""
    for top in pdf.objects:
        waiting = [top]
        while waiting:
            one = waiting.pop()
            if isinstance(one, pikepdf.Array):
                waiting.extend(each for each in one if _is_direct(each))
            elif isinstance(one, (pikepdf.Dictionary, pikepdf.Stream)):
                yield one
                waiting.extend(value for value in one.values() if _is_direct(value))


def _is_direct(value: Any) -> bool:
    return isinstance(value, (pikepdf.Array, pikepdf.Dictionary)) and not value.is_indirect


def _key(value: pikepdf.Object) -> Any:
    """Return what tells an object from others: its number, or its content when it has none."""
    return value.objgen if value.is_indirect else value.unparse()


def _text(value: Any) -> str:
    """Return a name or a string of a document, without signs that are not shown; empty for anything else."""
    if not isinstance(value, (pikepdf.Name, pikepdf.String)):
        return ""
    return "".join(sign for sign in str(value) if sign.isprintable())[:_LONGEST]
