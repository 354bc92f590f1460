"""Our schema of SEDA 0.2 and 1.0 says what the official ones say of a transfer, the lists of IANA, ISO and UN/ECE aside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from lxml import etree

from schemas.seda import schema
from schemas.seda.nouns import namespace_of
from tests.integration.schemas.actes_documents import mutated
from tests.integration.schemas.pes_documents import damaged_everywhere
from tests.integration.schemas.seda_documents import (
    LEGACY_VERSIONS,
    fullest,
    official_walked,
    with_boundaries,
    without_attributes,
)

OF_OTHERS = frozenset({"OtherMetadata", "XMLSignature"})
"""Elements that hold what other schemas describe: no document made here has any."""
BY_FORM = frozenset({"mimeCode", "characterSetCode", "unitCode", "schemeAgencyID", "listAgencyID"})
"""Attributes whose lists ours know by their form only, as they do these elements:"""
BY_FORM_TOO = re.compile(r"/s:(Language|DescriptionLanguage|Country|Channel)(\[\d+\])?$")

Place = tuple[str, str]
Verdict = Callable[[str, etree._Element], str | None]
Made = dict[str, list[etree._Element]]


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "official" / "seda"


@pytest.fixture(scope="module")
def made(folder: Path) -> Made:
    """For each version transfers with everything, one branch of each choice after the other, and the barest."""
    documents: Made = {}
    for version in LEGACY_VERSIONS:
        walked = official_walked(folder, version)
        documents[version] = [
            fullest(walked, "ArchiveTransfer", seed=seed, optional=optional, left_out=OF_OTHERS)
            for seed, optional in ((0, True), (1, True), (0, False))
        ]
    return documents


@pytest.fixture(scope="module")
def disagreement(folder: Path) -> Verdict:
    def judge(story: str, root: etree._Element) -> str | None:
        version = next(one for one in LEGACY_VERSIONS if namespace_of(one) == etree.QName(root).namespace)
        refused, objected = _places(schema.load(folder, version), root), _places(schema.own(version), root)
        less = {place for place in refused - objected if place[1] not in BY_FORM and not BY_FORM_TOO.search(place[0])}
        more = objected - refused
        return f"{version} {story}: official alone refuses {less}, ours alone {more}" if more or less else None

    return judge


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_full_and_bare_transfers_are_valid_in_both_and_hold_every_name_of_ours(version: str, made: Made, folder: Path) -> None:
    for root in made[version]:
        for one in (schema.load(folder, version), schema.own(version)):
            assert one.validate(root.getroottree()), one.error_log
    every = [element for root in made[version] for element in root.iter(etree.Element)]
    elements = {etree.QName(element).localname for element in every}
    attributes = {etree.QName(name).localname for element in every for name in element.attrib}
    own = schema.described(version)
    assert set(own.xpath("//*[local-name() = 'element']/@name")) - elements == OF_OTHERS
    assert set(own.xpath("//*[local-name() = 'attribute']/@name")) - attributes == set()


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_both_refuse_the_same_values_and_want_the_same_attributes(version: str, made: Made, disagreement: Verdict) -> None:
    seen: set[tuple[str, str]] = set()
    bare: set[tuple[str, str]] = set()
    for root in made[version][::2]:
        # One value in three: the official schema of 1.0 tells all of its 7 707 languages with each finding.
        assert _all(disagreement, islice(with_boundaries(root, seen), 0, None, 3)) == []
        assert _all(disagreement, without_attributes(root, bare)) == []


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
def test_both_agree_on_each_element_missing_doubled_or_misplaced(version: str, made: Made, disagreement: Verdict) -> None:
    assert _all(disagreement, _fresh(damaged_everywhere(made[version][0]))) == []


def test_both_agree_on_damaged_transfers(made: Made, disagreement: Verdict) -> None:
    for roots in made.values():
        assert _all(disagreement, mutated(roots[1:], 60, seed=0)) == []


def _fresh(cases: Iterable[tuple[str, etree._Element]]) -> Iterator[tuple[str, etree._Element]]:
    """Leave out what was done before to such a child of such a parent, and two removed where one is enough."""
    seen: set[tuple[str, str, str]] = set()
    for story, root in cases:
        damage, _, place = story.rpartition(" ")
        parent, *_, child = place.split("/")
        if (damage, parent, child) not in seen and damage in ("without", "twice", "later"):
            seen.add((damage, parent, child))
            yield story, root


def _places(validator: etree.XMLSchema, root: etree._Element) -> set[Place]:
    if validator.validate(root.getroottree()):
        return set()
    found = set()
    for entry in validator.error_log:
        attribute = re.search(r", attribute '([^']*)'", entry.message)
        found.add((entry.path or "", attribute.group(1) if attribute else ""))
    return found


def _all(disagreement: Verdict, cases: Iterable[tuple[str, etree._Element]]) -> list[str]:
    found: Iterator[str] = (told for story, root in cases if (told := disagreement(story, root)) is not None)
    return list(islice(found, 10))
