"""Canonical JSON: one value, one way of writing it."""

from __future__ import annotations

import pytest

from core.canonical import NotCanonical, canonical_bytes, read_canonical

VALUE = {"b": 1, "a": ["é", None, True, {"z": "\n", "y": -5}]}


def test_canonical_json_has_sorted_keys_no_spaces_and_utf8() -> None:
    assert canonical_bytes(VALUE) == '{"a":["é",null,true,{"y":-5,"z":"\\n"}],"b":1}'.encode()


def test_what_was_written_is_read_back() -> None:
    assert read_canonical(canonical_bytes(VALUE)) == VALUE


def test_the_order_in_which_keys_were_given_does_not_matter() -> None:
    assert canonical_bytes(dict(reversed(VALUE.items()))) == canonical_bytes(VALUE)


@pytest.mark.parametrize(
    "other",
    [b'{"a":1, "b":2}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'{"a":"\\u00e9"}', b'{"a":01}', b'{"a":1.0}', b'{"a":NaN}',
     b"[]", b"1", b"{", b"", b"\xff", b"{}\n", b'\xef\xbb\xbf{}', b'{"a":' + b"[" * 100_000],
)  # fmt: skip
def test_another_form_of_an_object_or_no_object_is_refused(other: bytes) -> None:
    with pytest.raises(NotCanonical, match="forme canonique"):
        read_canonical(other)


@pytest.mark.parametrize(
    "ambiguous",
    [{"a": 1.5}, {"a": float("nan")}, {"é": 1}, {"a": {1: 2}}, {"a": 2**53}, {"a": -(2**53)}, {"a": b""}, {"a": [{"b": {1}}]}],
)
def test_what_has_no_single_form_everywhere_cannot_be_written(ambiguous: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        canonical_bytes(ambiguous)


def test_the_largest_integers_that_are_read_alike_everywhere_can_be_written() -> None:
    assert canonical_bytes({"a": [2**53 - 1, 1 - 2**53]}) == b'{"a":[9007199254740991,-9007199254740991]}'


def test_half_of_a_surrogate_pair_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        canonical_bytes({"a": "\ud800"})
