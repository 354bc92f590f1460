"""What an agreement may ask of a transfer besides its formats: PDF/A, digests, sizes, signatures, a signed manifest."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from pydantic import ValidationError

from archive.ingest import signatures
from archive.ingest.accepted_formats import check_pdfa
from archive.ingest.agreements import Presented, Terms, check_terms
from archive.ingest.formats import Found
from archive.ingest.models import ArchiveAgreement
from archive.ingest.pdfa import Checked
from archive.ingest.signed_manifest import check_signed_manifest
from core.problems import Problem, Severity
from schemas.seda.reader import Manifest, ManifestObject, read_manifest
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.trust import TrustStore
from signing.verdicts import Belief, FileVerdict
from signing.xades.seal import Xades
from tests.signing_fixtures import authority, credential, signer, trust
from tests.transfers import ARCHIVES, SENDER, Sip
from tests.xades_samples import signature_of

__all__ = ["authority", "credential", "signer", "trust"]
DS = "{http://www.w3.org/2000/09/xmldsig#}"
TERMS = {"identifier": "A", "label": "A", "transferring_agency": SENDER, "starts": date(2026, 1, 1)}


def agreement(**terms: object) -> ArchiveAgreement:
    made = Terms(**TERMS | terms)  # type: ignore[arg-type]
    return ArchiveAgreement(organisation_id="", created_by="", **made.model_dump())


def told(problems: Any) -> list[tuple[str, Severity]]:
    return [(one.rule.removeprefix("SEDA-"), one.severity) for one in problems]


ERROR, WARNING = Severity.ERROR, Severity.WARNING
PLAIN, CLAIMING = Found(pdf=True), Found(pdf=True, pdfa="2B")
ITEM = ManifestObject("BDO1", 3, "content/a.pdf", "SHA-256", "0" * 64, "1", "a.pdf", None, None)


@pytest.mark.parametrize(
    ("asked", "found", "checked", "problems"),
    [
        ("", PLAIN, None, []),
        ("", CLAIMING, None, []),
        ("", CLAIMING, Checked("veraPDF", False, ("6.1.2",)), [("205", WARNING)]),
        ("declared", Found(), None, []),
        ("declared", PLAIN, None, [("307", ERROR)]),
        ("declared", CLAIMING, None, []),
        ("declared", CLAIMING, Checked("veraPDF", False), [("205", WARNING)]),
        ("verified", CLAIMING, None, [("204", WARNING)]),
        ("verified", CLAIMING, Checked("veraPDF", True), []),
        ("verified", CLAIMING, Checked("veraPDF", None), [("204", WARNING)]),
        ("verified", CLAIMING, Checked("veraPDF", False), [("205", ERROR)]),
    ],
)
def test_pdfa_is_asked_as_the_agreement_says(
    asked: str, found: Found, checked: Checked | None, problems: list[tuple[str, Severity]]
) -> None:
    assert told(check_pdfa(ITEM, found, checked, agreement(pdfa=asked))) == problems


def test_the_rules_of_pdfa_that_are_broken_are_told_and_so_is_what_nobody_verified() -> None:
    (broken,) = check_pdfa(ITEM, CLAIMING, Checked("veraPDF 1.28", False, ("ISO 19005-2:2011, 6.1.2, test 1",)), None)
    assert (broken.path, broken.found, broken.expected) == ("content/a.pdf", "ISO 19005-2:2011, 6.1.2, test 1", "PDF/A-2b")
    assert CLAIMING.claimed(None) == "déclare PDF/A-2b\u00a0: annoncé, non vérifié"
    assert CLAIMING.claimed(Checked("veraPDF 1.28", True)) == "PDF/A-2b, conforme selon veraPDF 1.28"
    assert PLAIN.claimed(None) == ""


@pytest.mark.parametrize(
    ("terms", "problems"),
    [
        ({"digests": ["SHA-256", "SHA-512"]}, []),
        ({"digests": ["SHA-512"]}, ["308"]),
        ({"largest_file": 100}, []),
        ({"largest_file": 70}, ["306"]),
        ({"volume": 1500}, []),
        ({"volume": 1499}, ["301"]),
    ],
)
def test_digests_sizes_and_the_volume_of_a_year_are_those_of_the_agreement(
    terms: dict[str, object], problems: list[str], tmp_path: Path
) -> None:
    presented = Presented(500, 3, 1000, {"content/lettre.xml": 75}, date(2026, 3, 2))
    found = check_terms(agreement(**terms), manifest(tmp_path), presented)
    assert [one.rule.removeprefix("SEDA-") for one in found] == problems


@pytest.mark.parametrize("terms", [{"digests": ["MD5"]}, {"digests": ["sha256"]}, {"pdfa": "oui"}, {"volume": 0}])
def test_terms_that_cannot_be_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        agreement(**terms)


def test_signatures_that_cannot_be_verified_refuse_nothing_where_the_agreement_accepts_them() -> None:
    def one(belief: Belief) -> signatures.Verified:
        return signatures.Verified("content/a.pdf", None, FileVerdict(belief))

    found = [one(Belief.INVALID), one(Belief.INDETERMINATE)]
    assert told(signatures.problems_of(found, needed=True, unverified=True)) == [("310", ERROR), ("311", WARNING)]
    assert told(signatures.problems_of(found, needed=True)) == [("310", ERROR), ("311", ERROR)]


def manifest(folder: Path) -> Manifest:
    path = folder / "manifest.xml"
    path.write_bytes(Sip().manifest(folder))
    return read_manifest(path)


@pytest.fixture
def signed(tmp_path: Path, signer: Pkcs12Signer) -> Path:
    """A manifest that bears, where SEDA wants it, a signature over the whole of it."""
    source, target = tmp_path / "plain.xml", tmp_path / "manifest.xml"
    empty = b"</MessageIdentifier><Signature></Signature>"
    source.write_bytes(Sip().manifest(tmp_path).replace(b"</MessageIdentifier>", empty))
    sign(Xades(role="Archiviste"), source, target, signer)
    tree = etree.parse(target)
    signature = signature_of(tree.getroot())
    signature.tail = None
    holder = tree.getroot().find("{*}Signature")
    assert holder is not None
    holder.append(signature)
    target.write_bytes(etree.tostring(tree, encoding="UTF-8", xml_declaration=True))
    return target


def judged(path: Path, trust: TrustStore | None, *, needed: bool) -> list[tuple[str, Severity]]:
    problems: list[Problem] = list(check_signed_manifest(read_manifest(path), path, trust, needed=needed))
    return told(problems)


def test_a_manifest_is_signed_where_the_agreement_asks_for_it(signed: Path, trust: TrustStore, tmp_path: Path) -> None:
    assert judged(signed, trust, needed=True) == []
    assert judged(signed, None, needed=True) == [("311", ERROR)]
    assert judged(signed, None, needed=False) == [("311", WARNING)]
    changed = tmp_path / "changed.xml"
    changed.write_bytes(signed.read_bytes().replace(ARCHIVES.encode(), b"AD-40"))
    assert judged(changed, trust, needed=True) == [("206", ERROR)]
    manifest(tmp_path)
    assert judged(tmp_path / "manifest.xml", trust, needed=True) == [("309", ERROR)]
    assert judged(tmp_path / "manifest.xml", trust, needed=False) == []


def test_a_signature_over_a_part_of_the_manifest_is_none_of_the_manifest(
    signed: Path, trust: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = signatures.verified("manifest.xml", signed, None, trust)
    assert found is not None
    assert found.verdict is not None
    part = replace(found.verdict.signatures[0], covers="element AU1")
    elsewhere = replace(found, verdict=replace(found.verdict, signatures=(part,)))
    monkeypatch.setattr(signatures, "verified", lambda *_: elsewhere)
    assert judged(signed, trust, needed=True) == [("206", ERROR)]
