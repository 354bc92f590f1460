"""What comes back from elsewhere is held to what was given: the same document, with one more signature, which holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from core.errors import UsageError
from schemas.pes.sample import Sample, write_sample
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pades.seal import Pades
from signing.parapheur.importing import admit
from signing.parapheur.models import DocumentKind, FolderDocument
from signing.pes.envelope import SealContext
from signing.pes.format import Pes
from signing.pki import Credential
from signing.trust import TrustStore
from signing.xades.seal import XadesDetached
from tests.pades_documents import paper, signed_elsewhere, words


def document(name: str = "flux.xml") -> FolderDocument:
    return FolderDocument(
        organisation_id="",
        folder_id="",
        kind=DocumentKind.MAIN.value,
        name=name,
        media_type="",
        sha256="",
        source_sha256="",
        size=1,
    )


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "given.xml"
    write_sample(Sample("PESALR2_21400999500017_118", bordereaux=2), path)
    return path


@pytest.fixture
def signed(given: Path, tmp_path: Path, signer: Pkcs12Signer, context: SealContext) -> Path:
    path = tmp_path / "signed.xml"
    sign(Pes(context), given, path, signer)
    return path


def changed(path: Path, before: str, after: str) -> Path:
    text = path.read_text(encoding="latin-1")
    assert before in text
    other = path.with_name("changed.xml")
    other.write_text(text.replace(before, after, 1), encoding="latin-1")
    return other


def test_a_pes_to_which_only_signatures_were_added_is_admitted(given: Path, signed: Path, trust: TrustStore) -> None:
    admitted = admit(document(), given, signed, 1, trust)
    assert admitted.detached is None
    assert len(admitted.signers) == 2


def test_only_the_certificates_of_new_signatures_are_told(
    given: Path, signed: Path, tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore
) -> None:
    assert admit(document(), given, signed, 1, trust).certificates == (signer.certificate,) * 2
    half = tmp_path / "half.xml"
    half.write_text(
        re.sub("<ds:Signature .*?</ds:Signature>", "", signed.read_text("latin-1"), count=1, flags=re.DOTALL), "latin-1"
    )
    assert admit(document(), half, signed, 1, trust).certificates == (signer.certificate,)


def test_white_space_between_elements_says_nothing(given: Path, signed: Path, trust: TrustStore) -> None:
    assert admit(document(), changed(given, "<Bordereau ", "\n\n  <Bordereau "), signed, 1, trust).signers


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<Exer V="', '<Exer V="1'),
        ("<Enveloppe>", "<Enveloppe><Ajout/>"),
        ("<Enveloppe>", "<Enveloppe>texte"),
        ('V="01"', 'W="01"'),
    ],
    ids=["a value", "an element", "a text", "an attribute's name"],
)
def test_a_pes_of_which_anything_else_was_changed_is_refused(
    given: Path, signed: Path, trust: TrustStore, before: str, after: str
) -> None:
    with pytest.raises(UsageError, match="son contenu a changé"):
        admit(document(), given, changed(signed, before, after), 1, trust)


def test_a_pes_that_lost_a_signature_is_another_document(given: Path, signed: Path, trust: TrustStore) -> None:
    with pytest.raises(UsageError, match="son contenu a changé"):
        admit(document(), signed, given, 1, trust)


def test_a_pes_that_comes_back_as_it_was_given_bears_no_new_signature(given: Path, signed: Path, trust: TrustStore) -> None:
    for path in (given, signed):
        with pytest.raises(UsageError, match="sans nouvelle signature"):
            admit(document(), path, path, 1, trust)


def test_a_signature_of_nobody_known_is_refused_where_somebody_is_believed(given: Path, signed: Path) -> None:
    with pytest.raises(UsageError, match="n’est pas recevable"):
        admit(document(), given, signed, 1, TrustStore.of([]))
    assert admit(document(), given, signed, 1, None).signers


def test_a_broken_value_is_refused_even_where_nobody_is_believed(given: Path, signed: Path) -> None:
    text = signed.read_text(encoding="latin-1")
    at = text.index("SignatureValue")
    at = text.index(">", at) + 8
    broken = signed.with_name("broken.xml")
    broken.write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :], encoding="latin-1")
    with pytest.raises(UsageError, match="n’est pas recevable"):
        admit(document(), given, broken, 1, None)


def test_a_detached_signature_in_xml_keeps_a_name_of_its_own(tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore) -> None:
    contract, other = tmp_path / "contrat.rtf", tmp_path / "autre.rtf"
    contract.write_bytes(b"{\\rtf1 Contrat}")
    other.write_bytes(b"{\\rtf1 Autre}")
    sign(XadesDetached(), contract, tmp_path / "signature.xml", signer)
    admitted = admit(document("contrat.rtf"), contract, tmp_path / "signature.xml", 2, trust)
    assert admitted.detached is not None
    assert admitted.detached[0].startswith("contrat-2-")
    assert admitted.detached[1] == "application/xml"
    with pytest.raises(UsageError):
        admit(document("contrat.rtf"), other, tmp_path / "signature.xml", 2, trust)


@pytest.mark.parametrize("octets", [b"", b"Bonjour", b"<a>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"PK\x03\x04"])
def test_what_is_no_signed_document_is_refused_in_words(given: Path, tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "returned").write_bytes(octets)
    with pytest.raises(UsageError):
        admit(document(), given, tmp_path / "returned", 1, None)


@pytest.mark.parametrize("before", ["unsigned", "signed"])
def test_a_pdf_that_shows_something_else_is_refused_whoever_signed_it_then(
    tmp_path: Path, credential: Credential, signer: Pkcs12Signer, trust: TrustStore, before: str
) -> None:
    contract, given, altered, returned = (tmp_path / name for name in ("c.pdf", "given.pdf", "altered.pdf", "returned.pdf"))
    contract.write_bytes(paper(words("Montant : 1 000 EUR")))
    given.write_bytes(contract.read_bytes())
    if before == "signed":
        sign(Pades(), contract, given, signer)
    returned.write_bytes(signed_elsewhere(given.read_bytes(), credential))
    admitted = admit(document("c.pdf"), given, returned, 1, trust)
    assert (admitted.detached, len(admitted.signers)) == (None, 1)
    with given.open("rb") as stream:
        writer = IncrementalPdfFileWriter(stream, strict=False)
        page = writer.root["/Pages"]["/Kids"][0].get_object()
        shown = generic.StreamObject(stream_data=b"BT /F1 12 Tf 100 700 Td (Montant : 900 000 EUR) Tj ET")
        page["/Contents"] = writer.add_object(shown)
        writer.update_container(page)
        with altered.open("wb") as target:
            writer.write(target)
    returned.write_bytes(signed_elsewhere(altered.read_bytes(), credential))
    with pytest.raises(UsageError, match="ne montre plus ce que montre"):
        admit(document("c.pdf"), given, returned, 1, trust)
