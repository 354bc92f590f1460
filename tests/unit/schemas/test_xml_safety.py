"""XML of strangers: a DOCTYPE that hides behind an encoding is refused all the same, and expands nothing on the way."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest

from schemas.xml import LONGEST_TOKEN, DoctypeRefused, Malformed, parse, refuse_long_tokens, root_of_file

HIDING = {"Shift_JIS": "shift_jis", "EUC-JP": "euc_jp", "GB18030": "gb18030", "UTF-32": "utf-32-be"}
"""Encodings that the first look does not know and the parser does, with Python's names."""


def written(folder: Path, encoding: str, doctype: str, use: str) -> Path:
    path = folder / "a.xml"
    path.write_bytes(
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [{doctype}]><a b="{use}"/>'.encode(HIDING[encoding])
    )
    return path


@pytest.mark.parametrize("encoding", HIDING)
def test_a_doctype_that_an_encoding_hides_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(DoctypeRefused):
        parse(written(tmp_path, encoding, "", "x"))


@pytest.mark.parametrize("encoding", HIDING)
def test_entities_that_an_encoding_hides_are_not_expanded_without_end(tmp_path: Path, encoding: str) -> None:
    names = "abcde"  # ten megabytes of a kilobyte
    entities = [f'<!ENTITY {names[0]} "{"x" * 1000}">']
    entities += [f'<!ENTITY {name} "{f"&{above};" * 10}">' for above, name in pairwise(names)]
    path = written(tmp_path, encoding, "".join(entities), f"&{names[-1]};")
    with pytest.raises(Malformed, match="amplification"):
        parse(path)
    assert root_of_file(path) is None


def test_what_is_too_long_to_look_behind_is_refused_as_a_doctype_is(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(b"<!--" + b"x" * 2 * LONGEST_TOKEN + b"--><!DOCTYPE a><a/>")
    for read in (parse, root_of_file):
        with pytest.raises(DoctypeRefused, match="1 MiB"):
            read(path)
    path.write_bytes(b"<a>" + b"x" * 2 * LONGEST_TOKEN + b"</a>")
    with path.open("rb") as stream:
        refuse_long_tokens(stream)


def test_what_is_compressed_is_no_xml_and_is_not_inflated(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(gzip.compress(b"<a>" + b" " * (1 << 20) + b"</a>"))
    with pytest.raises(Malformed) as refused:
        parse(path)
    assert str(tmp_path) not in str(refused.value)
