"""Writing messages and envelopes, of both directions: strictly, or not at all.

ISO-8859-1, attributes with their prefixes, the hint of the schema's place that everybody writes. Typography that ISO-8859-1 has
not is transliterated; any other such character refuses the document (R34). What goes to the State must satisfy the rules of
``contents.py``, warnings included; everything must be valid for our schema, which allows nothing that the official one refuses
but the anomaly 999 of an envelope, as the State writes it.
"""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from core.errors import Refused
from core.problems import Problem
from schemas.actes.contents import content_problems
from schemas.actes.latin import ENCODING, untransmittable
from schemas.actes.messages import AnomalieEnveloppe, Document, Message
from schemas.actes.schema import findings
from schemas.actes.violations import problems_of
from schemas.actes.wording import problem
from schemas.actes.writing import element_of

_DECLARATION = b'<?xml version="1.0" encoding="ISO-8859-1"?>\n'


def write(document: Document, path: Path) -> None:
    """Write a message or an envelope to a file, which appears whole or not at all.

    Raises:
        Refused: it breaks rules; nothing was written.
    """
    content = render(document)
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def render(document: Document) -> bytes:
    """Return a message or an envelope as it is sent.

    Raises:
        Refused: it breaks rules.
    """
    if problems := list(content_problems(document)) if isinstance(document, Message) else []:
        raise Refused(problems)
    try:
        root = element_of(document)
    except ValueError as error:  # characters that XML itself does not know
        raise Refused([problem("R34", "illegal", found=str(error))]) from error
    if problems := _of_texts(root):
        raise Refused(problems)
    etree.indent(root)
    content = _DECLARATION + bytes(etree.tostring(root, encoding=ENCODING, xml_declaration=False)) + b"\n"
    is_message = isinstance(document, Message) and not isinstance(document, AnomalieEnveloppe)
    # What is held against the schema is what was written: places are then lines of the file.
    written = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True))
    if problems := problems_of(findings(written.getroottree(), content), "R12" if is_message else "R07"):
        raise Refused(problems)
    return content


def _of_texts(root: etree._Element) -> list[Problem]:
    """Return a problem for each text that holds characters which cannot be sent."""
    problems = []
    for element in root.iter(etree.Element):
        for text in (element.text or "", *element.attrib.values()):
            if characters := untransmittable(text):
                shown = " ".join(f"{character} (U+{ord(character):04X})" for character in characters)
                path = root.getroottree().getpath(element)
                problems.append(problem("R34", "character", path=path, found=shown))
    return problems
