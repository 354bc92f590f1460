"""Names of deliveries and of their answers, and what answers say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.finance import answers
from connectors.finance.answers import Answer
from connectors.finance.errors import AnswerUnreadable
from connectors.finance.manifest import Manifest, ManifestFile, read
from connectors.finance.naming import REFUSED, TAKEN, TOLD, answered, delivery_name, file_name, offers_of, plain

SIRET = "21400999500017"


def test_a_name_says_who_it_is_for_what_the_supplier_wrote_and_which_invoice_it_is() -> None:
    assert delivery_name(SIRET, "F/2026 n° 001", 10_000_001) == "21400999500017_F-2026-n-001_10000001"


def test_a_completed_invoice_and_one_that_was_refused_have_names_of_their_own() -> None:
    names = {delivery_name(SIRET, "F-1", 7, cycle, offer) for cycle in (1, 2) for offer in (1, 2)}
    assert names == {f"{SIRET}_F-1_7{suffix}" for suffix in ("", "_r2", "_c2", "_c2_r2")}


def test_every_offer_of_a_delivery_is_known_by_each_of_its_names() -> None:
    names = [delivery_name(SIRET, "F_r2", 7, 2, offer) for offer in range(1, 10)]
    assert all(offers_of(name) == names for name in names)
    tenth = delivery_name(SIRET, "F_r2", 7, 2, 10)
    assert offers_of(tenth) == [*names, tenth]


@given(st.text(max_size=80), st.text(max_size=100), st.integers(1, 2**63 - 1), st.integers(1, 999), st.integers(1, 999))
def test_whatever_a_supplier_writes_the_name_is_plain_bounded_and_recognised(
    recipient: str, number: str, chorus_id: int, cycle: int, offer: int
) -> None:
    name = delivery_name(recipient, number, chorus_id, cycle, offer)
    assert plain(name) == name
    assert name.isascii()
    assert len(name) <= 100
    for kind in (TAKEN, REFUSED, TOLD):
        assert answered(name + kind) == (name, kind)


@given(st.text(max_size=100))
def test_whatever_a_piece_is_called_its_file_stays_in_its_place(name: str) -> None:
    written = file_name("1_F_7", "pj01", name)
    assert plain(written).startswith("1_F_7_pj01.")
    assert written.isascii()


@pytest.mark.parametrize("name", ["1_F_7.xml", "1_F_7.json", ".ok", "a b.ok", "../1_F_7.ok", "1_F_7.OK.part", "notes.txt"])
def test_other_files_are_no_answers(name: str) -> None:
    assert answered(name) is None


@pytest.mark.parametrize(
    ("kind", "octets", "answer"),
    [
        (TAKEN, b"", Answer(taken=True)),
        (TAKEN, b"P-2026-17\r\n", Answer(taken=True, software_reference="P-2026-17")),
        (REFUSED, "Tiers inconnu : à créer".encode("cp1252"), Answer(taken=False, reason="Tiers inconnu : à créer")),
        (REFUSED, b"\xef\xbb\xbfTiers\n inconnu\x00", Answer(taken=False, reason="Tiers inconnu")),
        (REFUSED, b"", Answer(taken=False, reason="Refusée par le logiciel financier, sans motif.")),
        (TOLD, b'{"taken": true, "software_reference": null}', Answer(taken=True)),
        (TOLD, b'{"taken": false, "reason": "Tiers inconnu"}', Answer(taken=False, reason="Tiers inconnu")),
    ],
)
def test_what_an_answer_says(kind: str, octets: bytes, answer: Answer) -> None:
    assert answers.of_file("1_F_7" + kind, kind, octets) == answer


@pytest.mark.parametrize("octets", [b"", b"[]", b"{}", b'{"taken": 1}', b'{"taken": true, "software_reference": 7}', b"[" * 5000])
def test_an_answer_that_is_none_names_its_file(octets: bytes) -> None:
    with pytest.raises(AnswerUnreadable, match=r"1_F_7\.ack\.json"):
        answers.of_file("1_F_7.ack.json", TOLD, octets)


@given(st.binary(max_size=2000))
def test_no_octets_make_an_answer_longer_than_it_may_be(octets: bytes) -> None:
    assert len(answers.of_file("1_F_7.ok", TAKEN, octets).software_reference) <= answers.LONGEST_REFERENCE
    assert 0 < len(answers.of_file("1_F_7.ko", REFUSED, octets).reason) <= answers.LONGEST_REASON


def test_a_manifest_says_the_same_whenever_it_is_written_and_reads_back() -> None:
    file = ManifestFile("pivot", "pivot.xml", "1_F_7.xml", "application/xml", 3, "ab", None, "/v1/invoices/1/files/2")
    piece = ManifestFile("piece", "Bon.exe", None, "application/pdf", 3, "cd", "executable", "/v1/invoices/1/files/3")
    manifest = Manifest(
        "1_F_7", "01", 1, "2026-11-23T19:55:26Z", {"number": "F", "gross": "120.00"}, ("BR-1",), (file, piece), "/v1"
    )
    assert manifest.octets() == manifest.octets()
    assert read(manifest.octets()) == manifest
