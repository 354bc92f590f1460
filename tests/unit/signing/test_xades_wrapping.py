"""Signature wrapping in any XML, generated: each way to hide what is signed, to forge another in its place, to share an Id."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from lxml import etree

from signing.keys import Pkcs12Signer
from signing.pes import canonical
from signing.pes.layout import DS
from signing.trust import TrustStore
from signing.verdicts import Belief
from signing.xades.verifier import verify
from tests.xades_samples import (
    FILTER,
    ORDER,
    Element,
    beside_others,
    by_identifier,
    enveloped,
    enveloping,
    reference_of,
    resign,
    set_digest,
    signature_of,
    tag,
    written,
)

XADES = "http://uri.etsi.org/01903/v1.3.2#"
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
AMOUNT = f"{{{ORDER}}}amount"
FORGED = "999999.00"
SIGNED: dict[str, Callable[[Path, Pkcs12Signer], Element]] = {
    "whole": enveloped,
    "by its Id": by_identifier,
    "XPath": beside_others,
    "filter": lambda folder, signer: beside_others(folder, signer, FILTER),
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory, signer: Pkcs12Signer) -> dict[str, Element]:
    folder = tmp_path_factory.mktemp("orders")
    return {name: make(folder, signer) for name, make in {**SIGNED, "enveloping": enveloping}.items()}


def _in_object(original: Element, forged: Element) -> Element:
    signature = next(forged.iter(tag("Signature")), None)
    holder = etree.SubElement(forged, tag("Signature"), nsmap={"ds": DS}) if signature is None else signature
    etree.SubElement(holder, tag("Object")).append(original)
    return forged


def _in_unsigned_properties(original: Element, forged: Element) -> Element:
    qualifying = next(forged.iter("{*}QualifyingProperties"), forged)
    etree.SubElement(qualifying, f"{{{XADES}}}UnsignedProperties", nsmap={"xades": XADES}).append(original)
    return forged


def _in_key_info(original: Element, forged: Element) -> Element:
    next(forged.iter(tag("KeyInfo")), forged).append(original)
    return forged


def _under(*children: Element, name: str = "envelope") -> Element:
    root = etree.Element(name)
    root.extend(children)
    return root


def _first(original: Element, forged: Element) -> Element:
    forged.insert(0, original)
    return forged


def _last(original: Element, forged: Element) -> Element:
    forged.append(original)
    return forged


def _in_a_line(original: Element, forged: Element) -> Element:
    forged.find(f"{{{ORDER}}}lines").append(original)
    return forged


def _in_the_amount(original: Element, forged: Element) -> Element:
    forged.find(AMOUNT).append(original)
    return forged


HIDES: dict[str, Callable[[Element, Element], Element]] = {
    "beside": lambda original, forged: _under(forged, original),
    "before": _under,
    "first in the forged": _first,
    "last in the forged": _last,
    "in a piece of the forged": _in_a_line,
    "in the forged text": _in_the_amount,
    "in an object of a signature": _in_object,
    "among unsigned properties": _in_unsigned_properties,
    "with the key": _in_key_info,
    "in a wrapper": lambda original, forged: _last(_under(original, name="wrapper"), forged),
    "in a container of signatures": lambda original, forged: _under(
        forged, original, name="{http://uri.etsi.org/02918/v1.2.1#}XAdESSignatures"
    ),
    "nowhere": lambda _original, forged: forged,
}
NAMES: dict[str, Callable[[Element, Element], object]] = {
    "same Id": lambda _original, _forged: None,
    "no Id": lambda _original, forged: forged.attrib.pop("Id"),
    "another Id": lambda _original, forged: forged.set("Id", "FORGED"),
    "the original renamed": lambda original, _forged: original.set("Id", "OLD"),
    "xml:id": lambda _original, forged: (forged.attrib.pop("Id"), forged.set(XML_ID, "ORDER")),
    "ID": lambda _original, forged: (forged.attrib.pop("Id"), forged.set("ID", "ORDER")),
    "id": lambda _original, forged: (forged.attrib.pop("Id"), forged.set("id", "ORDER")),
    "xml:id for the original": lambda original, _forged: (original.attrib.pop("Id"), original.set(XML_ID, "ORDER")),
}
SIGNATURES = ("left", "moved", "copied", "moved to the top", "moved to a part")


def _forge(original: Element, hides: str, names: str, place: str) -> Element:
    """Put a forged order in the place of a signed one, which goes where it is told; return the new root."""
    original = copy.deepcopy(original)
    forged = copy.deepcopy(original)
    forged.find(AMOUNT).text = FORGED
    ours, theirs = signature_of(original), signature_of(forged)
    if place != "copied" and place != "moved":
        forged.remove(theirs)
    if place != "copied" and place != "left":
        original.remove(ours)
    if place == "moved to a part":
        forged.find(f"{{{ORDER}}}lines").append(ours)
    NAMES[names](original, forged)
    root = HIDES[hides](original, forged)
    if place == "moved to the top":
        root.append(ours)
    return root


def _carries_a_signature(hides: str, place: str) -> bool:
    return (hides, place) != ("nowhere", "left")


@pytest.mark.parametrize("kind", [*SIGNED, "enveloping"])
def test_what_is_attacked_is_believed_before(samples: dict[str, Element], tmp_path: Path, trust: TrustStore, kind: str) -> None:
    verdict = verify(written(tmp_path / "signed.xml", samples[kind]), trust=trust)
    assert verdict.verdict is Belief.VALID, verdict
    assert verdict.signatures[0].covers == ("object OBJECT" if kind == "enveloping" else "document")


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize(
    ("hides", "names", "place"), [one for one in product(HIDES, NAMES, SIGNATURES) if _carries_a_signature(one[0], one[2])]
)
def test_a_forged_order_is_never_believed(
    samples: dict[str, Element], tmp_path: Path, kind: str, hides: str, names: str, place: str
) -> None:
    root = _forge(samples[kind], hides, names, place)
    assert any(one.text == FORGED for one in root.iter(AMOUNT))
    verdict = verify(written(tmp_path / "forged.xml", root), trust=None)
    assert verdict.verdict is Belief.INVALID


@pytest.mark.parametrize("hides", [one for one in HIDES if one != "nowhere"])
def test_the_attacks_leave_the_signature_true(samples: dict[str, Element], tmp_path: Path, trust: TrustStore, hides: str) -> None:
    root = _forge(samples["by its Id"], hides, "another Id", "left")
    verdict = verify(written(tmp_path / "forged.xml", root), trust=trust)
    signature = next(one for one in verdict.signatures if one.intact)
    assert (signature.covers, signature.verdict) == ("element ORDER", Belief.VALID)
    assert verdict.verdict is Belief.INVALID


ENVELOPING: dict[str, Callable[[Element, Element, Element, Element], Element]] = {
    "another object after": lambda signature, _holder, _original, forged: _object(signature, forged, len(signature)),
    "another object before": lambda signature, holder, _original, forged: _object(signature, forged, signature.index(holder)),
    "another object first": lambda signature, _holder, _original, forged: _object(signature, forged, 0),
    "an object without Id": lambda signature, _holder, _original, forged: _object(signature, forged, len(signature), None),
    "an object of another Id": lambda signature, _holder, _original, forged: _object(signature, forged, len(signature), "OTHER"),
    "beside the original": lambda signature, holder, _original, forged: (holder.append(forged), signature)[1],
    "before the original": lambda signature, holder, _original, forged: (holder.insert(0, forged), signature)[1],
    "around the original": lambda signature, holder, original, forged: (
        holder.append(forged),
        forged.append(original),
        signature,
    )[2],
    "in place, the original with the key": lambda signature, holder, original, forged: (
        holder.replace(original, forged),
        signature.find(tag("KeyInfo")).append(_under(original, name=tag("Object"))),
        signature,
    )[2],
    "in place, the original object among properties": lambda signature, holder, _original, forged: (
        signature.replace(holder, _held(forged)),
        next(signature.iter("{*}QualifyingProperties")).append(holder),
        signature,
    )[2],
    "in place, the original object in it": lambda signature, holder, _original, forged: (
        signature.replace(holder, _held(forged)),
        forged.append(holder),
        signature,
    )[2],
    "around the signature": lambda signature, _holder, _original, forged: (forged.append(signature), forged)[1],
    "beside the signature": lambda signature, _holder, _original, forged: _under(forged, signature),
    "beside the signature, in a container": lambda signature, _holder, _original, forged: _under(
        forged, signature, name="{http://uri.etsi.org/02918/v1.2.1#}XAdESSignatures"
    ),
    "the root renamed": lambda signature, _holder, _original, _forged: _under(signature, name="order"),
    "among the signed properties' neighbours": lambda signature, _holder, _original, forged: (
        next(signature.iter("{*}QualifyingProperties")).getparent().append(forged),
        signature,
    )[1],
}


def _held(content: Element, identifier: str | None = "OBJECT") -> Element:
    holder = etree.Element(tag("Object"), {} if identifier is None else {"Id": identifier})
    holder.append(content)
    return holder


def _object(signature: Element, forged: Element, rank: int, identifier: str | None = "OBJECT") -> Element:
    signature.insert(rank, _held(forged, identifier))
    return signature


@pytest.mark.parametrize("how", ENVELOPING)
def test_nothing_is_believed_that_stands_beside_a_signed_object(samples: dict[str, Element], tmp_path: Path, how: str) -> None:
    signature = copy.deepcopy(samples["enveloping"])
    holder = next(one for one in signature.iter(tag("Object")) if one.get("Id") == "OBJECT")
    original = holder[0]
    forged = copy.deepcopy(original)
    forged.find(AMOUNT).text = FORGED
    root = ENVELOPING[how](signature, holder, original, forged)
    assert how == "the root renamed" or any(one.text == FORGED for one in root.iter(AMOUNT))
    verdict = verify(written(tmp_path / "forged.xml", root), trust=None)
    assert verdict.verdict is Belief.INVALID


def test_what_an_object_holds_may_be_designated_itself(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    signature = enveloping(tmp_path, signer)
    content = next(one for one in signature.iter(tag("Object")) if one.get("Id") == "OBJECT")[0]
    reference = reference_of(signature)
    reference.set("URI", "#ORDER")
    set_digest(reference, canonical.digest(content, "sha256"))
    resign(signature, signer)
    verdict = verify(written(tmp_path / "held.xml", signature), trust=trust)
    assert (verdict.verdict, verdict.signatures[0].covers) == (Belief.VALID, "object ORDER")
    forged = copy.deepcopy(content)
    forged.set("Id", "OTHER")
    content.addnext(forged)
    assert verify(written(tmp_path / "beside.xml", signature), trust=trust).verdict is Belief.INVALID
