"""Ways of breaking a signed document: octets, base64, elements, files of a container, revisions of a PDF."""

from __future__ import annotations

import copy
import io
import re
import warnings
import zipfile

from hypothesis import strategies as st
from lxml import etree
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    Reference,
    StreamObject,
    TextStringObject,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from tests.integration.signing.essences import cut


@st.composite
def broken_octets(draw: st.DrawFn, octets: bytes, other: bytes) -> bytes:
    """Octets flipped, put in, taken out, doubled, cut off, or joined with those of another file."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(octets) - 1, 0)))
        end = at + draw(st.one_of(st.integers(0, 8), st.integers(0, 600)))
        match draw(st.sampled_from(["flip", "replace", "insert", "delete", "double", "truncate", "splice", "armour"])):
            case "flip":
                octets = octets[:at] + bytes([octets[at] ^ 1 << draw(st.integers(0, 7))]) + octets[at + 1 :] if octets else b""
            case "replace":
                octets = octets[:at] + draw(st.binary(min_size=1, max_size=8)) + octets[end:]
            case "insert":
                octets = octets[:at] + draw(st.binary(min_size=1, max_size=40)) + octets[at:]
            case "delete":
                octets = octets[:at] + octets[end:]
            case "double":
                octets = octets[:end] + octets[at:]
            case "truncate":
                octets = octets[:at]
            case "splice":
                octets = octets[:at] + other[draw(st.integers(0, len(other))) :]
            case "armour":
                octets = draw(broken_base64(octets))
    return octets


@st.composite
def broken_base64(draw: st.DrawFn, octets: bytes) -> bytes:
    """A sign of a base64 text changed, dropped, or set aside by a space; its padding changed."""
    runs = [found.span() for found in re.finditer(rb"[A-Za-z0-9+/]{40,}={0,2}", octets)]
    if not runs:
        return octets
    begin, end = draw(st.sampled_from(runs))
    at = draw(st.one_of(st.integers(begin, end - 1), st.integers(max(begin, end - 4), end - 1)))
    put = draw(st.sampled_from([b"", b"=", b" ", b"\n", b"A", b"B", b"/", b"==", b"&#32;", b"\xe9", b"-"]))
    return octets[:at] + put + octets[at + draw(st.integers(0, 1)) :]


@st.composite
def broken_tree(draw: st.DrawFn, octets: bytes) -> bytes:
    """Elements moved, copied, taken out, renamed; attributes and texts changed; comments put in."""
    root = etree.fromstring(octets)
    for _ in range(draw(st.integers(1, 3))):
        elements = list(root.iter("*"))
        one, place = elements[draw(st.integers(0, len(elements) - 1))], elements[draw(st.integers(0, len(elements) - 1))]
        inside = one is place or one in place.iterancestors()
        match draw(st.sampled_from(["move", "copy", "swap", "delete", "attribute", "identifier", "text", "comment", "rename"])):
            case "move" if one is not root and not inside:
                cut(one)
                place.insert(draw(st.integers(0, len(place))), one)
            case "copy":
                place.insert(draw(st.integers(0, len(place))), copy.deepcopy(one))
            case "swap" if one is not root and not inside and place is not root and place not in one.iterancestors():
                mark = copy.deepcopy(one)
                place.getparent().replace(place, mark)  # type: ignore[union-attr]
                one.getparent().replace(one, place)  # type: ignore[union-attr]
            case "delete" if one is not root:
                cut(one)
            case "attribute":
                name = draw(st.sampled_from([*one.attrib, "V", "Id", "URI", "Algorithm"]))
                one.set(
                    name, draw(st.sampled_from(["", "x", "999999.00", "#BRD101", "#BRD102", "BRD102", "http://example.org/"]))
                )
            case "identifier" if "Id" in one.attrib:
                place.set("Id", one.attrib["Id"])
            case "text":
                one.text = draw(st.sampled_from(["", " ", "9", "Maire", f"{one.text or ''} ", f"0{one.text or ''}"]))
            case "comment":
                one.insert(
                    draw(st.integers(0, len(one))), draw(st.sampled_from([etree.Comment("x"), etree.ProcessingInstruction("x")]))
                )
            case "rename":
                one.tag = place.tag
    return etree.tostring(root, encoding="ISO-8859-1", xml_declaration=True)


@st.composite
def broken_entries(draw: st.DrawFn, octets: bytes, other: bytes) -> bytes:
    """Files of a container changed, renamed, dropped, added, exchanged with those of another, written twice."""
    entries, others = _entries(octets), _entries(other)
    for _ in range(draw(st.integers(1, 3))):
        if not entries:
            break
        at, to = draw(st.integers(0, len(entries) - 1)), draw(st.integers(0, len(others) - 1))
        name, data = entries[at]
        names = [name for name, _ in entries] + ["a.txt", "META-INF/signature002.p7s", "META-INF/ASiCManifest2.xml", "../a.txt"]
        match draw(st.sampled_from(["octets", "rename", "drop", "add", "exchange", "append", "order"])):
            case "octets":
                entries[at] = name, draw(broken_octets(data, others[to][1]))
            case "rename":
                entries[at] = draw(st.sampled_from(names)), data
            case "drop":
                del entries[at]
            case "add":
                entries.insert(at, (draw(st.sampled_from(names)), draw(st.binary(max_size=20))))
            case "exchange":
                entries[at] = name, others[to][1]
            case "append":
                entries.append(others[to])
            case "order":
                entries.reverse()
    return zipped(entries)


def _entries(octets: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(octets)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def zipped(entries: list[tuple[str, bytes]]) -> bytes:
    """A zip of those entries, names twice and all."""
    octets = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(octets, "w") as archive:
        warnings.simplefilter("ignore")  # a name twice
        for name, data in entries:
            archive.writestr(name, data)
    return octets.getvalue()


@st.composite
def revised(draw: st.DrawFn, octets: bytes) -> bytes:
    """A PDF with one more revision, in which objects are written anew, changed."""
    document = IncrementalPdfFileWriter(io.BytesIO(octets))
    xrefs = document.prev.xrefs
    written = [xrefs.explicit_refs_in_revision(revision) for revision in range(xrefs.total_revisions)]
    numbers = sorted({reference.idnum for references in written for reference in references})
    for _ in range(draw(st.integers(1, 2))):
        reference = Reference(draw(st.sampled_from(numbers)), 0, document)
        held = document.get_object(reference)
        if isinstance(held, StreamObject):
            held._data = held.data + draw(st.sampled_from([b" ", b"\nBT ET", b"0 0 200 200 re f"]))
            held._encoded_data = None
        elif isinstance(held, DictionaryObject):
            name = draw(st.sampled_from([*held, "/Rotate", "/AA", "/Annots", "/MediaBox", "/OCProperties"]))
            held[NameObject(name)] = draw(
                st.sampled_from([NumberObject(90), ArrayObject(), TextStringObject("x"), DictionaryObject()])
            )
        document.mark_update(reference)
    output = io.BytesIO()
    document.write(output)
    return output.getvalue()
