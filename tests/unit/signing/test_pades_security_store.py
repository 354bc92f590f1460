"""What becomes of the document security store after a signature: material is added and written anew, and shows nothing."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.validation.dss import DocumentSecurityStore

from signing.pades.verifier import verify
from signing.pki import Credential, TestAuthority
from signing.trust import TrustStore
from signing.verdicts import Belief
from tests.pades_documents import paper, revised, signed_elsewhere

NAME = generic.pdf_name("/" + "A" * 40)


@pytest.fixture(scope="module")
def stored(authority: TestAuthority, credential: Credential) -> bytes:
    """A document whose store has the authority's certificate and an entry for its first signature, signed again with that."""
    output = BytesIO(signed_elsewhere(paper(), credential))
    certificate = asn1_x509.Certificate.load(authority.certificate.public_bytes(Encoding.DER))
    DocumentSecurityStore.add_dss(output, b"value", certs=[certificate])
    return signed_elsewhere(output.getvalue(), credential, field="Encore")


def told(octets: bytes, trust: TrustStore, path: Path) -> Belief:
    path.write_bytes(octets)
    return verify(path, trust=trust).verdict


def material(writer: IncrementalPdfFileWriter) -> generic.IndirectObject:
    return writer.add_object(generic.StreamObject(stream_data=b"a list"))


def add_to_entry(writer: IncrementalPdfFileWriter) -> None:
    entries = writer.root["/DSS"]["/VRI"]
    for name in list(entries):
        entries[name] = writer.add_object(generic.DictionaryObject({generic.pdf_name("/CRL"): listed(material(writer))}))
    writer.update_container(entries)


def write_store_anew(writer: IncrementalPdfFileWriter) -> None:
    entry = generic.DictionaryObject({generic.pdf_name("/CRL"): listed(material(writer))})
    store = {
        generic.pdf_name("/CRLs"): listed(material(writer)),
        generic.pdf_name("/VRI"): generic.DictionaryObject({NAME: entry}),
    }
    writer.root[generic.pdf_name("/DSS")] = writer.add_object(generic.DictionaryObject(store))
    writer.update_root()


def leave_entries_out(writer: IncrementalPdfFileWriter) -> None:
    writer.root[generic.pdf_name("/DSS")] = generic.DictionaryObject({generic.pdf_name("/CRLs"): listed(material(writer))})
    writer.update_root()


def listed(*streams: generic.PdfObject) -> generic.ArrayObject:
    return generic.ArrayObject(streams)


@pytest.mark.parametrize("change", [add_to_entry, write_store_anew, leave_entries_out])
def test_material_may_be_written_anew(stored: bytes, trust: TrustStore, tmp_path: Path, change) -> None:
    assert told(stored, trust, tmp_path / "stored.pdf") is Belief.VALID
    assert told(revised(stored, change), trust, tmp_path / "changed.pdf") is Belief.VALID


def hide_page_in_list(writer: IncrementalPdfFileWriter) -> None:
    page = writer.root["/Pages"]["/Kids"][0]
    shown = page.raw_get("/Contents")
    shown.get_object()._data = b"BT (Autre chose) Tj ET"
    shown.get_object()._encoded_data = None
    writer.mark_update(shown.reference)
    writer.root[generic.pdf_name("/DSS")] = generic.DictionaryObject({generic.pdf_name("/CRLs"): listed(shown)})
    writer.update_root()


def put_something_else_in_list(writer: IncrementalPdfFileWriter) -> None:
    stranger = writer.add_object(generic.DictionaryObject())
    writer.root[generic.pdf_name("/DSS")] = generic.DictionaryObject({generic.pdf_name("/CRLs"): listed(stranger)})
    writer.update_root()


def put_something_else_in_entry(writer: IncrementalPdfFileWriter) -> None:
    entry = generic.DictionaryObject({generic.pdf_name("/Kids"): listed(material(writer))})
    store = {generic.pdf_name("/VRI"): generic.DictionaryObject({NAME: entry})}
    writer.root[generic.pdf_name("/DSS")] = generic.DictionaryObject(store)
    writer.update_root()


def take_store_away(writer: IncrementalPdfFileWriter) -> None:
    del writer.root["/DSS"]
    writer.update_root()


@pytest.mark.parametrize("change", [hide_page_in_list, put_something_else_in_list, put_something_else_in_entry, take_store_away])
def test_what_is_no_material_is_a_modification(stored: bytes, trust: TrustStore, tmp_path: Path, change) -> None:
    assert told(revised(stored, change), trust, tmp_path / "changed.pdf") is Belief.INVALID
