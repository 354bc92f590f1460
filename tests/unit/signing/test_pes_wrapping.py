"""Signature wrapping, generated: each way to hide the signed bordereau, to forge another in its place, to share Id and value."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from lxml import etree

from schemas import xml
from signing.pes.bulk import Bulk
from signing.pes.layout import DS, domains
from signing.pes.rules import check_signatures
from signing.pes.verifier import verify_tree
from signing.trust import TrustStore
from signing.verdicts import Belief
from tests.signing_fixtures import read_as_bulk

Element = etree._Element
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"


def _in_object(original: Element, forged: Element, root: Element) -> None:
    signature = next(forged.iter(f"{{{DS}}}Signature"), None)
    holder = signature if signature is not None else root
    etree.SubElement(holder, f"{{{DS}}}Object").append(original)


def _in_a_domain_of_its_own(original: Element, _forged: Element, root: Element) -> None:
    domain = copy.deepcopy(next(root.iterchildren("PES_DepenseAller")))
    for bordereau in domain.findall("Bordereau"):
        domain.remove(bordereau)
    domain.append(original)
    root.append(domain)


HIDES: dict[str, Callable[[Element, Element, Element], None]] = {
    "beside": lambda original, forged, _root: forged.addnext(original),
    "before": lambda original, forged, _root: forged.addprevious(original),
    "inside the forged": lambda original, forged, _root: forged.append(original),
    "first in the forged": lambda original, forged, _root: forged.insert(0, original),
    "in a piece of the forged": lambda original, forged, _root: forged.find("Piece").append(original),
    "in an object of a signature": _in_object,
    "under the root": lambda original, _forged, root: root.append(original),
    "first under the root": lambda original, _forged, root: root.insert(0, original),
    "in the header": lambda original, _forged, root: root.find("EnTetePES").append(original),
    "in the attachments": lambda original, _forged, root: root.find("PES_PJ").append(original),
    "in a wrapper": lambda original, forged, _root: etree.SubElement(forged.getparent(), "Wrapper").append(original),
    "in a domain of its own": _in_a_domain_of_its_own,
    "nowhere": lambda _original, _forged, _root: None,
}
NAMES: dict[str, Callable[[Element, Element], None]] = {
    "same Id": lambda _original, _forged: None,
    "no Id": lambda _original, forged: forged.attrib.pop("Id"),
    "another Id": lambda _original, forged: forged.set("Id", "FORGED"),
    "the original renamed": lambda original, _forged: original.set("Id", "OLD"),
    "xml:id": lambda _original, forged: (forged.attrib.pop("Id"), forged.set(XML_ID, "BRD101")),
    "ID": lambda _original, forged: (forged.attrib.pop("Id"), forged.set("ID", "BRD101")),
    "xml:id for the original": lambda original, _forged: (original.attrib.pop("Id"), original.set(XML_ID, "BRD101")),
}
SIGNATURES = ("left", "moved", "copied", "dropped from both")


def _forge(tree: etree._ElementTree, hides: str, names: str, signature: str) -> None:
    """Put a forged bordereau in the place of a signed one, which goes where it is told."""
    root = tree.getroot()
    original = root.find(".//Bordereau")
    forged = copy.deepcopy(original)
    forged.find("BlocBordereau/MtBordHT").set("V", "999999.00")
    ours, theirs = original.find(f"{{{DS}}}Signature"), forged.find(f"{{{DS}}}Signature")
    if signature in {"left", "dropped from both"}:
        forged.remove(theirs)
    if signature in {"moved", "dropped from both"}:
        original.remove(ours)
    NAMES[names](original, forged)
    original.addprevious(forged)
    original.getparent().remove(original)
    HIDES[hides](original, forged, root)


@pytest.mark.parametrize(("hides", "names", "signature"), [*product(HIDES, NAMES, SIGNATURES)])
def test_a_forged_bordereau_is_never_believed(
    sealed: Path, tmp_path: Path, trust: TrustStore, monkeypatch: pytest.MonkeyPatch, hides: str, names: str, signature: str
) -> None:
    tree = xml.parse(sealed)
    _forge(tree, hides, names, signature)
    path = tmp_path / "forged.xml"
    tree.write(path, encoding="ISO-8859-1", xml_declaration=True)
    read_as_bulk(monkeypatch)
    bulk = Bulk.of(path)
    assert bulk is not None
    for one, read in ((xml.parse(path), None), (bulk.tree(), bulk)):
        assert any(
            bordereau.find("BlocBordereau/MtBordHT").get("V") == "999999.00"
            for domain in domains(one.getroot())
            for bordereau in domain.bordereaux
        )
        assert verify_tree(one, bulk=read, trust=trust).verdict is Belief.INVALID
        assert check_signatures(one, bulk=read, trust=trust)
