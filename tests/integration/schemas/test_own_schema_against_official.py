"""Our schemas say what the DGFiP's version 5.17 says: on the corpus, on boundaries of all values, on thousands of damaged files.

Where ours are looser on purpose, the place stands in EXPLAINED. A difference anywhere else, or the other way round, fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from lxml import etree

from schemas.pes.compilation import compile_schema
from schemas.pes.roots import ROOTS, root_of
from schemas.pes.sample import Sample, write_sample
from tests.integration.schemas.pes_documents import codes, damaged_everywhere, fullest, mutated, with_boundaries

OWN = Path(__file__).parents[3] / "schemas" / "pes"

# Where the official schema refuses and ours does not look, on purpose: place of the finding, and why.
EXPLAINED = {
    r"/PES_Facture(\[\d+\])?(/|$)": "PES_Facture is let through unread: it travels as an attachment, and Hélios judges it",
    r"/PES_Marche(\[\d+\])?(/|$)": "PES_Marche is let through unread: contract data, no bordereau",
    r"/\w+:Signature(\[\d+\])?/\w+:(KeyInfo|Object)": "keys and XAdES properties are judged by the verification of signatures",
    r"/\w+:(CanonicalizationMethod|SignatureMethod|DigestMethod|Transform)(\[|/|$)": "so are the parameters of algorithms",
    r"/PES_(Depense|Recette|Client)Retour(\[\d+\])?(/|$)": "a return is routed by its header and never refused for its form",
    r"/n:PES_ACQUIT_RETOUR/Enveloppe(/Recepteur)?$": "acquits of returns come without Emetteur in the field",
    r"/n:PES_ACQUIT_RETOUR/EnTetePES/CodColl$": "and with CodColl in the place of CodCol",
}

Verdict = Callable[[str, etree._Element], str | None]


@pytest.fixture(scope="module")
def official(shared: Path) -> Path:
    """The published tree of version 5.17."""
    return shared / "official" / "pes" / "schemas_pes_v5.17"


@pytest.fixture(scope="module")
def disagreement(official: Path) -> Verdict:
    """A function that tells how two schemas disagree on a document, None when they do not or when it is explained."""
    pairs = {
        root.tag: (compile_schema(official / root.official, official), compile_schema(OWN / root.own, OWN)) for root in ROOTS
    }

    def judge(story: str, root: etree._Element) -> str | None:
        theirs, ours = pairs[root.tag]
        refused, objected = _places(theirs, root), _places(ours, root)
        if bool(refused) == bool(objected) or (not objected and all(map(_is_explained, refused))):
            return None
        return f"{story}: official refuses {refused}, ours {objected}"

    return judge


@pytest.fixture(scope="module")
def disagreement_on_a_place(official: Path) -> Verdict:
    """The same, to the very places that each refuses."""
    pairs = {
        root.tag: (compile_schema(official / root.official, official), compile_schema(OWN / root.own, OWN)) for root in ROOTS
    }

    def judge(story: str, root: etree._Element) -> str | None:
        theirs, ours = pairs[root.tag]
        refused, objected = _places(theirs, root), _places(ours, root)
        more, less = objected - refused, {place for place in refused - objected if not _is_explained(place)}
        return f"{story}: official alone refuses {less}, ours alone {more}" if more or less else None

    return judge


@pytest.fixture(scope="module")
def full_documents(official: Path) -> list[etree._Element]:
    """For each root, fullest documents that together take every branch of every choice, and the barest one."""
    return [fullest(official / root.official, root.name, seed=seed, optional=seed < 3) for root in ROOTS for seed in (0, 1, 2, 3)]


@pytest.fixture(scope="module")
def long_documents(official: Path) -> list[etree._Element]:
    """For each root, a document that repeats what it can, and one with signatures and what our schemas leave unread."""
    return [
        fullest(official / root.official, root.name, seed=4, often=often, unread=often == 1) for root in ROOTS for often in (1, 2)
    ]


@pytest.fixture(scope="module")
def real_documents(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[etree._Element]:
    """Every file of the corpus that can be parsed, and two of our own."""
    samples = tmp_path_factory.mktemp("samples")
    for name, sample in {
        "small.xml": Sample("PESALR1_ESSAI_1"),
        "large.xml": Sample("PESALR1_ESSAI_2", bordereaux=2, pieces=2, lines=2, attachment_size=None),
    }.items():
        write_sample(sample, samples / name)
    paths = [*sorted((shared / "corpus" / "pes").glob("*.xml")), *sorted(samples.iterdir())]
    return [root for path in paths if (root := _parsed(path)) is not None and root_of(root.tag)]


def test_both_agree_on_every_file_of_the_corpus(real_documents: list[etree._Element], disagreement: Verdict) -> None:
    assert len(real_documents) > 50
    assert _all(disagreement, ((root.base or "", root) for root in real_documents)) == []


def test_the_documents_hold_every_element_that_our_schemas_name(
    full_documents: list[etree._Element], long_documents: list[etree._Element]
) -> None:
    documents = [*full_documents, *long_documents]
    present = {etree.QName(element).localname for root in documents for element in root.iter(etree.Element)}
    named = {
        name
        for path in OWN.glob("PES_*.xsd")
        if path.name != "PES_Signature.xsd"
        for name in etree.parse(str(path)).xpath("//*[local-name() = 'element']/@name")
    }
    unread = {"PES_DepenseRetour", "PES_RecetteRetour", "PES_ClientRetour"}
    assert named - present - unread == set()


def test_the_documents_are_valid_in_both(
    full_documents: list[etree._Element], long_documents: list[etree._Element], official: Path
) -> None:
    for document in [*full_documents, *long_documents]:
        root = root_of(document.tag)
        assert root is not None
        for schema in (compile_schema(official / root.official, official), compile_schema(OWN / root.own, OWN)):
            assert schema.validate(document.getroottree()), schema.error_log


def test_both_refuse_the_same_values_everywhere(
    full_documents: list[etree._Element], disagreement_on_a_place: Verdict, official: Path
) -> None:
    listed = sorted(codes(OWN, official / "PES_V2"))
    for document in full_documents:
        assert _all(disagreement_on_a_place, with_boundaries(document, listed)) == []


def test_both_agree_on_each_element_missing_doubled_or_misplaced(
    full_documents: list[etree._Element], long_documents: list[etree._Element], disagreement: Verdict
) -> None:
    for document in [*full_documents, *long_documents]:
        assert _all(disagreement, damaged_everywhere(document)) == []


@pytest.mark.parametrize("seed", range(3))
def test_both_agree_on_damaged_documents(
    seed: int, real_documents: list[etree._Element], full_documents: list[etree._Element], disagreement: Verdict
) -> None:
    assert _all(disagreement, mutated([*real_documents, *full_documents], 3000, seed)) == []


def test_damage_is_seen_at_all(full_documents: list[etree._Element]) -> None:
    own = {root.tag: compile_schema(OWN / root.own, OWN) for root in ROOTS}
    verdicts = [own[root.tag].validate(root.getroottree()) for _, root in mutated(full_documents, 300, 7)]
    assert 0.05 < verdicts.count(True) / len(verdicts) < 0.6


def _places(schema: etree.XMLSchema, root: etree._Element) -> set[str]:
    return set() if schema.validate(root.getroottree()) else {entry.path or "" for entry in schema.error_log}


def _is_explained(place: str) -> bool:
    return any(re.search(pattern, place) for pattern in EXPLAINED)


def _all(disagreement: Verdict, cases: Iterable[tuple[str, etree._Element]]) -> list[str]:
    def found() -> Iterator[str]:
        for story, root in cases:
            if (difference := disagreement(story, root)) is not None:
                yield difference

    return list(found())[:10]


def _parsed(path: Path) -> etree._Element | None:
    try:
        return etree.parse(str(path), etree.XMLParser(resolve_entities=False, load_dtd=False, collect_ids=False)).getroot()
    except etree.XMLSyntaxError:
        return None
