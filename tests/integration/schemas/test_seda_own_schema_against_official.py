"""Our schemas of SEDA 2.1, 2.2 and 2.3 say what the official ones say: on the corpus, on values, on thousands of damages.

Where they differ on purpose, EXPLAINED says so. A difference anywhere else fails.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from lxml import etree

from schemas.seda import schema
from tests.integration.schemas.actes_documents import mutated
from tests.integration.schemas.pes_documents import damaged_everywhere
from tests.integration.schemas.seda_documents import (
    ROOTS,
    VERSIONS,
    fullest,
    official_walked,
    with_boundaries,
    without_attributes,
)

EXPLAINED = {
    r"/s:Metadata(\[\d+\])?$": "libxml2 takes an empty choice where one branch is abstract; the standard, and xmlschema, do not",
}
"""Where ours refuses and libxml2 with the official schema does not, on purpose: place of the finding, and why."""

Place = tuple[str, str]
Verdict = Callable[[str, etree._Element], str | None]


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "official" / "seda"


@pytest.fixture(scope="module")
def disagreement(folder: Path) -> Verdict:
    """A function that tells how two schemas disagree on the places of a message, None when they do not or it is explained."""

    def judge(story: str, root: etree._Element) -> str | None:
        version = _version(root)
        refused, objected = _places(schema.load(folder, version), root), _places(schema.own(version), root)
        more = {place for place in objected - refused if not any(re.search(pattern, place[0]) for pattern in EXPLAINED)}
        less = refused - objected
        return f"{version} {story}: official alone refuses {less}, ours alone {more}" if more or less else None

    return judge


@pytest.fixture(scope="module")
def full_documents(folder: Path) -> list[etree._Element]:
    """For each version the fullest transfers, until they hold every branch, the fullest of the other messages, and the barest."""
    made = []
    for version in VERSIONS:
        walked = official_walked(folder, version)
        made += [fullest(walked, root, seed=0, optional=optional) for root in ROOTS for optional in (True, False)]
        seen: set[tuple[str, str]] = set()
        for seed in range(1, 33):
            transfer = fullest(walked, "ArchiveTransfer", seed=seed)
            pairs = {(element.tag, child.tag) for element in transfer.iter(etree.Element) for child in element}
            if pairs - seen:
                seen |= pairs
                made.append(transfer)
    return made


@pytest.fixture(scope="module")
def real_documents(shared: Path) -> list[etree._Element]:
    """Every manifest and reply of the corpus, of a version that we describe."""
    corpus = shared / "corpus" / "archive"
    contents = [path.read_bytes() for path in sorted(corpus.glob("*.xml"))]
    for path in sorted(corpus.glob("*.zip")):
        with zipfile.ZipFile(path) as zipped:
            contents += [zipped.read(name) for name in zipped.namelist() if name.endswith("manifest.xml")]
    roots = [etree.fromstring(content, etree.XMLParser(resolve_entities=False, load_dtd=False)) for content in contents]
    return [root for root in roots if _version(root) in VERSIONS]


def test_both_agree_on_every_file_of_the_corpus(real_documents: list[etree._Element], disagreement: Verdict) -> None:
    assert len(real_documents) > 30
    assert _all(disagreement, ((root.tag, root) for root in real_documents)) == []


def test_the_fullest_messages_are_valid_in_both(full_documents: list[etree._Element], folder: Path) -> None:
    for root in full_documents:
        version = _version(root)
        for one in (schema.load(folder, version), schema.own(version)):
            assert one.validate(root.getroottree()), one.error_log


def test_the_messages_hold_every_element_and_attribute_that_our_schemas_name(full_documents: list[etree._Element]) -> None:
    for version in VERSIONS:
        roots = [root for root in full_documents if _version(root) == version]
        every = [element for root in roots for element in root.iter(etree.Element)]
        elements = {etree.QName(element).localname for element in every}
        attributes = {etree.QName(name).localname for element in every for name in element.attrib}
        own = schema.described(version)
        assert set(own.xpath("//*[local-name() = 'element']/@name")) - elements == set()
        assert set(own.xpath("//*[local-name() = 'attribute']/@name")) - attributes == set()


def test_both_refuse_the_same_values_everywhere(full_documents: list[etree._Element], disagreement: Verdict) -> None:
    seen: set[tuple[str, str]] = set()
    for root in full_documents:
        assert _all(disagreement, with_boundaries(root, seen)) == []


def test_both_want_the_same_attributes(full_documents: list[etree._Element], disagreement: Verdict) -> None:
    seen: set[tuple[str, str]] = set()
    for root in full_documents:
        assert _all(disagreement, without_attributes(root, seen)) == []


def test_both_agree_on_each_element_missing_doubled_or_misplaced(
    full_documents: list[etree._Element], disagreement: Verdict
) -> None:
    seen: set[tuple[str, str, str]] = set()

    def fresh(cases: Iterable[tuple[str, etree._Element]]) -> Iterator[tuple[str, etree._Element]]:
        """Leave out what was done before to such a child of such a parent."""
        for story, root in cases:
            damage, _, place = story.rpartition(" ")
            parent, *_, child = place.split("/")
            if (damage, parent, child) not in seen:
                seen.add((damage, parent, child))
                yield story, root

    for root in full_documents:
        assert _all(disagreement, fresh(damaged_everywhere(root))) == []
    assert len(seen) > 5000


def test_both_agree_on_damaged_messages(
    real_documents: list[etree._Element], full_documents: list[etree._Element], disagreement: Verdict
) -> None:
    bases = [root for root in (*real_documents, *full_documents) if len(list(root.iter())) < 1500]
    assert _all(disagreement, mutated(bases, 3000, seed=0)) == []


def test_damage_is_seen_at_all(full_documents: list[etree._Element]) -> None:
    verdicts = [schema.own(_version(root)).validate(root.getroottree()) for _, root in mutated(full_documents, 300, 7)]
    assert 0.05 < verdicts.count(True) / len(verdicts) < 0.7


def _version(root: etree._Element) -> str:
    return str(etree.QName(root).namespace).rpartition(":v")[2]


def _places(validator: etree.XMLSchema, root: etree._Element) -> set[Place]:
    if validator.validate(root.getroottree()):
        return set()
    found = set()
    for entry in validator.error_log:
        attribute = re.search(r", attribute '([^']*)'", entry.message)
        found.add((entry.path or "", attribute.group(1) if attribute else ""))
    return found


def _all(disagreement: Verdict, cases: Iterable[tuple[str, etree._Element]]) -> list[str]:
    found = (difference for story, root in cases if (difference := disagreement(story, root)) is not None)
    return list(islice(found, 10))
