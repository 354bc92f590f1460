"""The composer's side of a Factur-X, run in the sandbox: the pages, as PDF/A-3, with the invoice inside; then its metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pikepdf
import typst
from lxml import etree

RESULT = "invoice.pdf"
_TEMPLATE = Path(__file__).with_name("invoice.typ")
_SOURCE, _PAGES = "page.typ", "pages.pdf"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_EXTENSION = "http://www.aiim.org/pdfa/ns/extension/"
_SCHEMA = "http://www.aiim.org/pdfa/ns/schema#"
_PROPERTY = "http://www.aiim.org/pdfa/ns/property#"
_FACTUR_X = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_PREFIX = "fx"
_PROPERTIES = {
    "DocumentFileName": "The name of the embedded XML document",
    "DocumentType": "The type of the hybrid document in capital letters",
    "Version": "The version of the standard that the embedded XML document follows",
    "ConformanceLevel": "The conformance level of the embedded XML document",
}


def compose(told: dict[str, Any]) -> None:
    """Write the PDF where this process stands; the invoice stands there already, as ``factur-x.xml``.

    Args:
        told: ``page`` as the template takes it, ``made`` its date in seconds since 1970, ``level`` the profile as XMP names it.
    """
    # The template stands beside what it may read: the invoice.
    Path(_SOURCE).write_bytes(_TEMPLATE.read_bytes())
    typst.compile(
        _SOURCE,
        _PAGES,
        root=".",
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"page": json.dumps(told["page"])},
        pdf_standards=["a-3a", "ua-1"],
        timestamp=told["made"],
    )
    with pikepdf.open(_PAGES) as pdf:
        stream = pdf.Root.Metadata
        values = {
            "DocumentFileName": "factur-x.xml",
            "DocumentType": "INVOICE",
            "Version": "1.0",
            "ConformanceLevel": told["level"],
        }
        stream.write(_told(stream.read_bytes(), values))
        pdf.save(
            RESULT,
            deterministic_id=True,
            compress_streams=False,
            object_stream_mode=pikepdf.ObjectStreamMode.preserve,
            fix_metadata_version=False,  # which would write the metadata anew
        )


def _told(xmp: bytes, values: dict[str, str]) -> bytes:
    """Return metadata that say which invoice is inside (Factur-X 1.0, 6.2), and how they say it (ISO 19005-3, 6.6.2.3)."""
    head, _, rest = xmp.partition(b"?>")
    body, _, tail = rest.rpartition(b"<?xpacket")
    root = etree.fromstring(body.strip())
    rdf = root.find(f".//{{{_RDF}}}RDF")
    schemas = root.find(f".//{{{_EXTENSION}}}schemas/{{{_RDF}}}Bag")
    schemas.append(_schema())
    description = etree.SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""}, nsmap={_PREFIX: _FACTUR_X})
    for name, value in values.items():
        etree.SubElement(description, f"{{{_FACTUR_X}}}{name}").text = value
    return b"".join((head, b"?>\n", etree.tostring(root, encoding="UTF-8"), b"\n<?xpacket", tail))


def _schema() -> etree._Element:
    resource = {f"{{{_RDF}}}parseType": "Resource"}
    schema = etree.Element(f"{{{_RDF}}}li", resource, nsmap={"rdf": _RDF, "pdfaSchema": _SCHEMA, "pdfaProperty": _PROPERTY})
    told = (("schema", "Factur-X PDFA Extension Schema"), ("namespaceURI", _FACTUR_X), ("prefix", _PREFIX))
    for name, value in told:
        etree.SubElement(schema, f"{{{_SCHEMA}}}{name}").text = value
    held = etree.SubElement(etree.SubElement(schema, f"{{{_SCHEMA}}}property"), f"{{{_RDF}}}Seq")
    for name, meaning in _PROPERTIES.items():
        one = etree.SubElement(held, f"{{{_RDF}}}li", resource)
        for key, value in (("name", name), ("valueType", "Text"), ("category", "external"), ("description", meaning)):
            etree.SubElement(one, f"{{{_PROPERTY}}}{key}").text = value
    return schema
