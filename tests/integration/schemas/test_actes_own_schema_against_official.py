"""Our schema says what the ministry's says: on the corpus, on boundaries of all values, on thousands of damaged files.

Where ours is looser on purpose, EXPLAINED says so. A difference anywhere else, or the other way round, fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import pytest
from lxml import etree

from schemas.actes.writer import render
from tests.integration.schemas.actes_documents import mutated, with_boundaries, without_attributes
from tests.integration.schemas.pes_documents import damaged_everywhere
from tests.unit.schemas_actes.every_message import messages

OWN = Path(__file__).parents[3] / "schemas" / "actes"

# Where the official schema refuses and ours does not, on purpose: element, value, and why.
EXPLAINED = {
    (r"/actes:AnomalieEnveloppe/actes:Nature$", r"[\s+0]*999\s*"): "the State itself writes 999 for what it does not recognise",
}

Place = tuple[str, str]
Verdict = Callable[[str, etree._Element], str | None]


@pytest.fixture(scope="module")
def theirs(shared: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(shared / "official" / "actes" / "actesv1_1.xsd")))


@pytest.fixture(scope="module")
def ours() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(OWN / "actes.xsd")))


@pytest.fixture(scope="module")
def disagreement(theirs: etree.XMLSchema, ours: etree.XMLSchema) -> Verdict:
    """A function that tells how two schemas disagree on the places of a document, None when they do not or it is explained."""

    def judge(story: str, root: etree._Element) -> str | None:
        refused, objected = _places(theirs, root), _places(ours, root)
        more = objected - refused
        less = {place for place in refused - objected if not _is_explained(place, root)}
        return f"{story}: official alone refuses {less}, ours alone {more}" if more or less else None

    return judge


@pytest.fixture(scope="module")
def full_documents() -> list[etree._Element]:
    """Every message as our writer writes it, optional parts there and not."""
    return [_parsed(render(message)) for message in messages().values()]


@pytest.fixture(scope="module")
def real_documents(shared: Path) -> list[etree._Element]:
    """Every message and envelope of the corpus."""
    corpus = shared / "corpus" / "actes"
    folders = ("stela", "pastell", "s2low", "synthetic/messages")
    return [_parsed(path.read_bytes()) for folder in folders for path in sorted((corpus / folder).glob("*.xml"))]


def test_both_agree_on_every_file_of_the_corpus(real_documents: list[etree._Element], disagreement: Verdict) -> None:
    assert len(real_documents) > 30
    assert _all(disagreement, ((root.tag, root) for root in real_documents)) == []


def test_everything_that_is_written_is_valid_for_the_official_schema(
    full_documents: list[etree._Element], theirs: etree.XMLSchema
) -> None:
    for root in full_documents:
        assert theirs.validate(root.getroottree()), (root.tag, theirs.error_log)


def test_the_documents_hold_every_element_and_attribute_that_our_schema_names(full_documents: list[etree._Element]) -> None:
    schema = etree.parse(str(OWN / "actes.xsd"))
    elements = {etree.QName(element).localname for root in full_documents for element in root.iter(etree.Element)}
    attributes = {
        etree.QName(name).localname for root in full_documents for element in root.iter(etree.Element) for name in element.attrib
    }
    assert set(schema.xpath("//*[local-name() = 'element']/@name")) - elements == {"Matiere4", "Matiere5"}
    assert set(schema.xpath("//*[local-name() = 'attribute']/@name")) - attributes == set()


def test_both_know_the_same_root_elements(theirs: etree.XMLSchema, ours: etree.XMLSchema, shared: Path) -> None:
    official = etree.parse(str(shared / "official" / "actes" / "actesv1_1.xsd"))
    own = etree.parse(str(OWN / "actes.xsd"))
    top = "/*/*[local-name() = $kind]/@name"
    for kind in ("element", "attribute"):
        assert set(own.xpath(top, kind=kind)) == set(official.xpath(top, kind=kind))
    stranger = etree.Element("{http://www.interieur.gouv.fr/ACTES#v1.1-20040216}ActeRecu").getroottree()
    assert theirs.validate(stranger) is ours.validate(stranger) is False


def test_both_refuse_the_same_values_everywhere(full_documents: list[etree._Element], disagreement: Verdict) -> None:
    for document in [*full_documents, *_deep()]:
        assert _all(disagreement, with_boundaries(document)) == []


def test_both_want_the_same_attributes(full_documents: list[etree._Element], disagreement: Verdict) -> None:
    for document in [*full_documents, *_deep()]:
        assert _all(disagreement, without_attributes(document)) == []


def test_both_agree_on_each_element_missing_doubled_or_misplaced(
    full_documents: list[etree._Element], disagreement: Verdict
) -> None:
    for document in [*full_documents, *_deep()]:
        assert _all(disagreement, damaged_everywhere(document)) == []


@pytest.mark.parametrize("seed", range(3))
def test_both_agree_on_damaged_documents(
    seed: int, real_documents: list[etree._Element], full_documents: list[etree._Element], disagreement: Verdict
) -> None:
    assert _all(disagreement, mutated([*real_documents, *full_documents, *_deep()], 3000, seed)) == []


def test_damage_is_seen_at_all(full_documents: list[etree._Element], ours: etree.XMLSchema) -> None:
    verdicts = [ours.validate(root.getroottree()) for _, root in mutated(full_documents, 300, 7)]
    assert 0.05 < verdicts.count(True) / len(verdicts) < 0.6


def test_only_the_anomaly_999_is_looser(theirs: etree.XMLSchema, ours: etree.XMLSchema) -> None:
    root = _parsed(render(messages()["ANO"]))
    nature = root.find("{*}Nature")
    verdicts = {}
    for value in range(1002):
        nature.text = str(value)
        verdicts[value] = (theirs.validate(root.getroottree()), ours.validate(root.getroottree()))
    assert {value for value, (official, _) in verdicts.items() if official} == {1, 2, 3, 4, 5, 100}
    assert {value for value, (official, own) in verdicts.items() if official is not own} == {999}


def _deep() -> list[etree._Element]:
    """A classification down to its fifth level."""
    root = _parsed(render(messages()["7-2"]))
    third = next(root.iter("{*}Matiere3"))
    for level in (4, 5):
        third = etree.SubElement(third, third.tag[:-1] + str(level), dict(third.attrib))
    return [root]


def _places(schema: etree.XMLSchema, root: etree._Element) -> set[Place]:
    if schema.validate(root.getroottree()):
        return set()
    found = set()
    for entry in schema.error_log:
        attribute = re.search(r", attribute '([^']*)'", entry.message)
        found.add((entry.path or "", attribute.group(1) if attribute else ""))
    return found


def _is_explained(place: Place, root: etree._Element) -> bool:
    path, _ = place
    elements = root.getroottree().xpath(path, namespaces={name: uri for name, uri in root.nsmap.items() if name})
    text = "".join(elements[0].itertext()) if elements else ""
    return any(re.search(where, path) and re.fullmatch(value, text) for where, value in EXPLAINED)


def _all(disagreement: Verdict, cases: Iterable[tuple[str, etree._Element]]) -> list[str]:
    found = (difference for story, root in cases if (difference := disagreement(story, root)) is not None)
    return list(islice(found, 10))


def _parsed(content: bytes) -> etree._Element:
    return etree.fromstring(content, etree.XMLParser(resolve_entities=False, load_dtd=False, remove_blank_text=True))
