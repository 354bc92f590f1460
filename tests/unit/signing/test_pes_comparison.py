"""Two PES are the same document when nothing but signatures tells them apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import UnreadableInput
from schemas.pes.sample import Sample, write_sample
from signing.keys import Pkcs12Signer
from signing.pes.comparison import Compared, compare
from signing.pes.envelope import SealContext
from signing.pes.seal import seal
from signing.pki import TestAuthority

UNCHANGED = Compared(same=True, added=False, removed=False)
DIFFERENT = Compared(same=False, added=False, removed=False)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pes") / "given.xml"
    write_sample(Sample("PES_COMPARED", bordereaux=2), path)
    return path


def sign(given: Path, *, whole: bool = False) -> Path:
    signer = Pkcs12Signer.load(TestAuthority.create().seal(bits=2048).as_pkcs12("essai"), "essai")
    path = given.with_name("signed.xml")
    seal(given, path, signer, SealContext("Ordonnateur", "Valmorin", "99012", whole=whole))
    return path


@pytest.fixture(scope="module")
def signed(given: Path) -> Path:
    return sign(given)


def test_signatures_alone_leave_the_document_what_it_was(given: Path, signed: Path) -> None:
    assert compare(given, given) == UNCHANGED
    assert compare(given, signed) == Compared(same=True, added=True, removed=False)
    assert compare(signed, given) == Compared(same=True, added=False, removed=True)


FLAG = '<InfoDematerialisee V="1"/>'
NO_ID = re.compile(r"<(n:PES_Aller|Bordereau)([^>]*) Id=\"[^\"]*\"")


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(FLAG, FLAG.replace("1", "0")),
        lambda text: text.replace(FLAG, FLAG.replace("1", "false")),
        lambda text: text.replace(FLAG, ""),
        lambda text: NO_ID.sub(r"<\1\2", text),
    ],
    ids=["flag at 0", "flag at false", "no flag", "no Id"],
)
def test_what_signing_asks_for_leaves_the_document_what_it_was(
    given: Path, tmp_path: Path, change: Callable[[str], str], whole: bool
) -> None:
    text = given.read_text("iso-8859-1")
    bare = tmp_path / "bare.xml"
    bare.write_text(change(text), "iso-8859-1")
    assert bare.read_text("iso-8859-1") != text
    signed = sign(bare, whole=whole)
    assert compare(bare, signed) == Compared(same=True, added=True, removed=False)
    assert compare(signed, bare) == DIFFERENT


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda text: text.replace('<CodCol V="123"/>', '<CodCol V="124"/>'), DIFFERENT),
        (lambda text: text.replace('<CodCol V="123"/>', ""), DIFFERENT),
        (lambda text: text.replace('<CodCol V="123"/>', '<CodCol V="123"/><CodCol V="123"/>'), DIFFERENT),
        (lambda text: text.replace('<CodCol V="123"/>', '<CodCol V="123"/>texte'), DIFFERENT),
        (lambda text: text.replace(FLAG, FLAG.replace("1", "0")), DIFFERENT),
        (lambda text: text.replace(FLAG, FLAG.replace("1", "true")), UNCHANGED),
        (lambda text: text.replace(FLAG, FLAG + FLAG), DIFFERENT),
        (lambda text: text.replace(FLAG, '<InfoDematerialisee V="1" W="2"/>'), DIFFERENT),
        (lambda text: text.replace(FLAG, '<InfoDematerialisee V="1">texte</InfoDematerialisee>'), DIFFERENT),
        (lambda text: text.replace(FLAG, '<InfoDematerialisee V="1"><CodCol V="1"/></InfoDematerialisee>'), DIFFERENT),
        (lambda text: text.replace("<EnTetePES>", "<EnTetePES>" + FLAG), DIFFERENT),
        (lambda text: text.replace("<Bordereau Id=", "<Bordereau Id='AUTRE' Autre=", 1), DIFFERENT),
        (lambda text: NO_ID.sub(r"<\1\2", text), DIFFERENT),
        (lambda text: text.replace("<Piece>", '<Piece Id="P1">', 1), DIFFERENT),
        (lambda text: text.replace('<CodCol V="123"/>', '\n  <CodCol   V="123"></CodCol>\n'), UNCHANGED),
    ],
)
def test_anything_else_is_another_document_but_white_space(
    given: Path, tmp_path: Path, change: Callable[[str], str], found: Compared
) -> None:
    text = given.read_text("iso-8859-1")
    changed = tmp_path / "changed.xml"
    changed.write_text(change(text), "iso-8859-1")
    assert changed.read_text("iso-8859-1") != text
    assert compare(given, changed) == found


def test_what_cannot_be_read_is_refused(given: Path, tmp_path: Path) -> None:
    broken, whole = tmp_path / "broken.xml", given.read_bytes()
    for content in (b"", whole[:-20], whole.replace(b"?>", b'?><!DOCTYPE a [<!ENTITY b "c">]>', 1)):
        broken.write_bytes(content)
        with pytest.raises(UnreadableInput):
            compare(given, broken)
