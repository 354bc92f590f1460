"""What can be done to a signed PDF, and what is then said of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter, append_signature_field

from core import clock
from core.errors import UnreadableInput
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pades import comparison, document, pdf
from signing.pades.pdf import PdfUnreadable
from signing.pades.seal import Pades
from signing.pades.verifier import verify
from signing.pades.writing import _add_stamp
from signing.pki import Credential, TestAuthority
from signing.timestamp.client import TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief, FileVerdict
from tests.pades_documents import (
    Drawing,
    encrypted,
    form,
    paper,
    revised,
    signed_elsewhere,
    signer_of,
    sloppy,
    stamped_elsewhere,
    stamping,
    words,
)


@pytest.fixture(scope="module")
def stamps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TsaSimulator, TimestampClient]]:
    with stamping(tmp_path_factory.mktemp("tsa")) as both:
        yield both


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, signer: Pkcs12Signer) -> bytes:
    """A document with a form, signed."""
    return signed_by(signer, paper(form), tmp_path_factory.mktemp("signed"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document.pdf"


def signed_by(signer: Pkcs12Signer, octets: bytes, folder: Path, how: Pades | None = None) -> bytes:
    source, target = folder / "source.pdf", folder / "target.pdf"
    source.write_bytes(octets)
    sign(how or Pades(), source, target, signer)
    return target.read_bytes()


def verdict_on(octets: bytes, path: Path, trust: TrustStore | None) -> FileVerdict:
    path.write_bytes(octets)
    return verify(path, trust=trust)


def rewrites_page(writer: IncrementalPdfFileWriter) -> None:
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b"BT (Autre chose) Tj ET"))
    writer.update_container(page)


def covers_page(writer: IncrementalPdfFileWriter) -> None:
    note = generic.DictionaryObject(
        {
            generic.pdf_name("/Type"): generic.pdf_name("/Annot"),
            generic.pdf_name("/Subtype"): generic.pdf_name("/Square"),
            generic.pdf_name("/Rect"): generic.ArrayObject(map(generic.NumberObject, (0, 0, 500, 800))),
        }
    )
    page = writer.root["/Pages"]["/Kids"][0]
    if "/Annots" not in page:
        page["/Annots"] = generic.ArrayObject()
    page["/Annots"].append(writer.add_object(note))
    writer.update_container(page)


def fills_field(writer: IncrementalPdfFileWriter) -> None:
    field = writer.root["/AcroForm"]["/Fields"][0]
    field["/V"] = generic.TextStringObject("100000")
    writer.update_container(field)


def draws_fields_anew(writer: IncrementalPdfFileWriter) -> None:
    form_of = writer.root["/AcroForm"]
    form_of["/NeedAppearances"] = generic.BooleanObject(True)
    writer.update_container(form_of)


def adds_page(writer: IncrementalPdfFileWriter) -> None:
    writer.insert_page(generic.DictionaryObject({generic.pdf_name("/Type"): generic.pdf_name("/Page")}))


def shows_empty_field(writer: IncrementalPdfFileWriter) -> None:
    append_signature_field(writer, SigFieldSpec("Plus tard", box=(0, 0, 500, 800)))


@pytest.mark.parametrize("change", [rewrites_page, covers_page, fills_field, draws_fields_anew, adds_page, shows_empty_field])
def test_a_later_revision_that_changes_what_is_seen_makes_it_invalid(
    signed: bytes, trust: TrustStore, path: Path, change
) -> None:
    verdict = verdict_on(revised(signed, change), path, trust)
    (signature,) = verdict.signatures
    assert verdict.verdict is Belief.INVALID
    assert signature.intact  # its octets are as they were: only the comparison tells
    assert any("modifié après signature" in reason for reason in signature.reasons)


@pytest.mark.parametrize("change", [rewrites_page, covers_page, fills_field, draws_fields_anew])
def test_a_change_between_two_signatures_makes_the_first_invalid(
    signed: bytes, authority: TestAuthority, trust: TrustStore, tmp_path: Path, path: Path, change
) -> None:
    both = signed_by(signer_of(authority), revised(signed, change), tmp_path)
    first, second = verdict_on(both, path, trust).signatures
    assert (first.verdict, second.verdict) == (Belief.INVALID, Belief.VALID)


def test_metadata_and_validation_material_may_follow(signed: bytes, trust: TrustStore, path: Path) -> None:
    def describes(writer: IncrementalPdfFileWriter) -> None:
        information = writer.trailer_view["/Info"]
        information["/Title"] = generic.TextStringObject("Délibération")
        writer.update_container(information)

    assert verdict_on(revised(signed, describes), path, trust).verdict is Belief.VALID


def test_a_second_signature_by_a_stranger_is_told_from_the_first(
    signed: bytes, trust: TrustStore, tmp_path: Path, path: Path
) -> None:
    both = signed_by(signer_of(TestAuthority.create("Une autre autorité")), signed, tmp_path)
    verdict = verdict_on(both, path, trust)
    assert [signature.verdict for signature in verdict.signatures] == [Belief.VALID, Belief.INDETERMINATE]
    assert verdict.verdict is Belief.INDETERMINATE


@pytest.mark.parametrize("place", [b"Montant", b"/MediaBox", b"/Reason", b"%%EOF"])
def test_an_octet_changed_is_seen(signer: Pkcs12Signer, trust: TrustStore, tmp_path: Path, path: Path, place: bytes) -> None:
    octets = signed_by(signer, paper(words("Montant")), tmp_path, Pades(role="Maire"))
    octets = octets.replace(b"/Title (untitled)", b"/Title (Montant!)") if place == b"Montant" else octets
    at = octets.rindex(place) + len(place) - 1
    changed = octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]
    try:
        verdict = verdict_on(changed, path, trust)
    except UnreadableInput:
        return
    assert verdict.verdict is Belief.INVALID


def test_a_value_changed_is_seen(signed: bytes, trust: TrustStore, path: Path) -> None:
    contents = re.search(rb"/Contents <([0-9A-F]+?)(?:00)*>", signed)
    assert contents is not None
    at = contents.end(1) - 8
    changed = signed[:at] + (b"0" if signed[at : at + 1] != b"0" else b"1") + signed[at + 1 :]
    assert verdict_on(changed, path, trust).verdict is Belief.INVALID


def test_octets_left_out_of_what_is_signed_are_seen(signed: bytes, trust: TrustStore, path: Path) -> None:
    ranges = re.search(rb"/ByteRange ?\[(\d+) (\d+) (\d+) (\d+)\]", signed)
    assert ranges is not None
    zero, first, start, length = (int(one) for one in ranges.groups())
    for other in ((zero, first - 10, start, length), (zero, first, start + 10, length - 10), (zero, first, start, length - 10)):
        written = b"/ByteRange [%d %d %d %d]" % other
        changed = signed.replace(ranges[0], written.ljust(len(ranges[0])))
        assert len(changed) == len(signed)
        verdict = verdict_on(changed, path, trust)
        (signature,) = verdict.signatures
        assert (verdict.verdict, signature.covers, signature.intact) == (Belief.INVALID, "nothing", False)


@pytest.mark.parametrize(
    "tail",
    [b"garbage", b"1 0 obj\n<<>>\nendobj\n", b"startxref\n0\n%%EOF\n", b"1 0 obj\n<<>>\nendobj\nstartxref\n%d\n%%EOF\n"],
)
def test_octets_after_the_end_are_refused(signed: bytes, trust: TrustStore, path: Path, tail: bytes) -> None:
    table = int(signed[signed.rindex(b"startxref") + 10 :].split()[0])
    try:
        verdict = verdict_on(signed + tail.replace(b"%d", b"%d" % table), path, trust)
    except UnreadableInput:
        return
    assert verdict.verdict is Belief.INVALID


@pytest.mark.parametrize("tail", [b"%%EOF\n", b"\r\n%%EOF", b" %%EOF\n\0%%EOF\r\n", b"tail"])
def test_a_mark_of_the_end_that_is_repeated_after_signing_is_named(
    signed: bytes, trust: TrustStore, path: Path, tail: bytes
) -> None:
    verdict = verdict_on(signed + tail, path, trust)
    (signature,) = verdict.signatures
    assert (verdict.verdict, signature.intact, signature.covers) == (Belief.INVALID, True, "document")
    assert "ajoutés à la fin" in signature.reasons[0]


@pytest.mark.parametrize("blanks", [b"\n", b"\r\n \t", bytes(512)], ids=["newline", "blanks", "zeros"])
def test_blanks_after_the_end_say_nothing(signed: bytes, trust: TrustStore, path: Path, blanks: bytes) -> None:
    assert verdict_on(signed + blanks, path, trust).verdict is Belief.VALID


def test_a_document_that_nobody_signed_may_repeat_the_mark_of_its_end(path: Path) -> None:
    assert verdict_on(paper() + b"%%EOF\n", path, None) == FileVerdict(Belief.UNSIGNED)


def test_an_old_signature_put_again_into_a_new_revision_covers_nothing(signed: bytes, trust: TrustStore, path: Path) -> None:
    def copies(writer: IncrementalPdfFileWriter) -> None:
        rewrites_page(writer)
        signature = next(field for field in writer.root["/AcroForm"]["/Fields"] if field.get_object().get("/FT") == "/Sig")
        old = signature.get_object()["/V"]
        field = generic.DictionaryObject(
            {
                generic.pdf_name("/FT"): generic.pdf_name("/Sig"),
                generic.pdf_name("/T"): generic.TextStringObject("Copie"),
                generic.pdf_name("/V"): writer.add_object(generic.DictionaryObject(old)),
            }
        )
        writer.root["/AcroForm"]["/Fields"].append(writer.add_object(field))
        writer.update_container(writer.root["/AcroForm"]["/Fields"])

    first, copy = verdict_on(revised(signed, copies), path, trust).signatures
    assert (first.verdict, copy.verdict, copy.covers) == (Belief.INVALID, Belief.INVALID, "nothing")


def test_what_a_certification_forbids_is_a_modification(credential: Credential, trust: TrustStore, path: Path) -> None:
    certified = signed_elsewhere(paper(), credential, permission=MDPPerm.NO_CHANGES)
    assert verdict_on(certified, path, trust).verdict is Belief.VALID

    def hides_field(writer: IncrementalPdfFileWriter) -> None:
        append_signature_field(writer, SigFieldSpec("Plus tard"))

    assert verdict_on(revised(certified, hides_field), path, trust).verdict is Belief.VALID
    assert verdict_on(revised(certified, shows_empty_field), path, trust).verdict is Belief.INVALID


@pytest.mark.parametrize(
    ("subfilter", "found"),
    [(SigSeedSubFilter.PADES, ("PAdES", "B")), (SigSeedSubFilter.ADOBE_PKCS7_DETACHED, ("CMS", None))],
)
def test_signatures_of_other_tools_are_verified(
    credential: Credential, trust: TrustStore, path: Path, subfilter: SigSeedSubFilter, found: tuple[str, str | None]
) -> None:
    verdict = verdict_on(signed_elsewhere(paper(), credential, subfilter=subfilter), path, trust)
    (signature,) = verdict.signatures
    assert verdict.verdict is Belief.VALID
    assert (signature.format, signature.level) == found
    assert signature.signing_time is not None


def test_a_kind_of_signature_that_is_not_known_is_neither_believed_nor_hidden(
    signed: bytes, trust: TrustStore, path: Path
) -> None:
    other = signed.replace(b"/ETSI.CAdES.detached", b"/ETSI.CAdES.detach3d")
    verdict = verdict_on(other, path, trust)
    assert verdict.verdict is Belief.INDETERMINATE
    assert "ETSI.CAdES.detach3d" in verdict.signatures[0].reasons[0]


def test_sha1_and_weak_keys_are_refused(authority: TestAuthority, credential: Credential, trust: TrustStore, path: Path) -> None:
    sha1 = verdict_on(signed_elsewhere(paper(), credential, hash_name="sha1"), path, trust)
    assert sha1.verdict is Belief.INVALID
    assert any("SHA-1" in reason for reason in sha1.signatures[0].reasons)
    weak = verdict_on(signed_elsewhere(paper(), authority.seal(bits=1024)), path, trust)
    assert weak.verdict is Belief.INVALID
    assert any("RSA-1024" in reason for reason in weak.signatures[0].reasons)


def test_a_timestamp_alone_is_verified_as_what_it_is(stamps: tuple[TsaSimulator, TimestampClient], path: Path) -> None:
    simulator, client = stamps
    output = BytesIO(paper())
    _add_stamp(output, client)
    verdict = verdict_on(output.getvalue(), path, TrustStore.of([simulator.anchor]))
    (stamp,) = verdict.signatures
    assert (verdict.verdict, stamp.format, stamp.covers) == (Belief.VALID, "RFC3161", "document")
    assert verdict_on(output.getvalue(), path, None).verdict is Belief.INDETERMINATE
    changed = revised(output.getvalue(), rewrites_page)
    assert verdict_on(changed, path, TrustStore.of([simulator.anchor])).verdict is Belief.INVALID


def test_a_document_timestamp_proves_the_time_of_the_signatures_before_it(
    authority: TestAuthority, stamps: tuple[TsaSimulator, TimestampClient], tmp_path: Path, path: Path
) -> None:
    simulator, client = stamps
    brief = authority.seal(bits=2048, end=clock.now() + timedelta(days=1))
    output = BytesIO(signed_by(Pkcs12Signer.load(brief.as_pkcs12("x"), "x"), paper(), tmp_path))
    _add_stamp(output, client)
    path.write_bytes(output.getvalue())
    both = TrustStore.of([authority.certificate, simulator.anchor])
    (signature,) = verify(path, trust=both, at=clock.now() + timedelta(days=400)).signatures
    assert (signature.verdict, signature.level) == (Belief.VALID, "T")
    assert not any("horodatage" in reason for reason in signature.reasons)
    (signature,) = verify(path, trust=TrustStore.of([authority.certificate]), at=clock.now() + timedelta(days=400)).signatures
    assert (signature.verdict, signature.trust) == (Belief.INDETERMINATE, TrustState.EXPIRED)


@pytest.mark.parametrize(
    ("drawn", "box", "verdict"),
    [
        (words("Montant"), (0, 0, 0, 0), Belief.VALID),
        (words("Montant"), (0, 0, 500, 800), Belief.INVALID),
        (form, (0, 0, 0, 0), Belief.INVALID),
    ],
    ids=["unseen", "seen", "with fields drawn anew"],
)
def test_the_field_of_a_document_timestamp_may_be_dressed_where_it_is_not_seen(
    signer: Pkcs12Signer,
    stamps: tuple[TsaSimulator, TimestampClient],
    trust: TrustStore,
    tmp_path: Path,
    path: Path,
    drawn: Drawing,
    box: tuple[int, int, int, int],
    verdict: Belief,
) -> None:
    signed = signed_by(signer, paper(drawn), tmp_path)
    both = TrustStore.of([*trust.anchors, stamps[0].anchor])
    assert verdict_on(stamped_elsewhere(signed, stamps[1], box=box), path, both).verdict is verdict


def test_what_carries_no_signature_is_unsigned(path: Path) -> None:
    for octets in (paper(), paper(form), sloppy(paper()), revised(paper(), shows_empty_field), encrypted(paper(), "")):
        assert verdict_on(octets, path, None) == FileVerdict(Belief.UNSIGNED)


@pytest.mark.parametrize("octets", [b"", b"%PDF-1.7\n", paper()[:300], b"PK\x03\x04", encrypted(paper(), "secret")])
def test_what_cannot_be_read_is_said_to_be_unreadable(path: Path, octets: bytes) -> None:
    with pytest.raises(PdfUnreadable):
        verdict_on(octets, path, None)


def test_what_exceeds_the_bounds_is_said_to_be_unreadable(signed: bytes, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, bound in ((pdf, "LARGEST"), (pdf, "_MOST_REVISIONS"), (document, "_MOST_SIGNATURES")):
        with monkeypatch.context() as patch, pytest.raises(PdfUnreadable):
            patch.setattr(module, bound, 0)
            verdict_on(signed, path, None)


def bookmarked() -> bytes:
    """A document with more bookmarks than calls may be nested."""

    def draw(canvas) -> None:
        for rank in range(600):
            canvas.bookmarkPage(f"p{rank}")
            canvas.addOutlineEntry(f"Article {rank}", f"p{rank}")

    return paper(draw)


def test_long_chains_of_objects_are_compared_apart(
    authority: TestAuthority, signer: Pkcs12Signer, trust: TrustStore, tmp_path: Path, path: Path
) -> None:
    first = signed_by(signer, bookmarked(), tmp_path)
    verdict = verdict_on(signed_by(signer_of(authority), first, tmp_path), path, trust)
    assert [signature.verdict for signature in verdict.signatures] == [Belief.VALID, Belief.VALID]
    assert verdict_on(revised(first, rewrites_page), path, trust).verdict is Belief.INVALID


def test_a_document_made_to_be_endless_is_left_undecided(
    signer: Pkcs12Signer, trust: TrustStore, tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubles(writer: IncrementalPdfFileWriter) -> None:
        last = writer.add_object(generic.NumberObject(1))
        for _ in range(60):
            last = writer.add_object(generic.ArrayObject([last, last]))
        writer.root["/Pieces"] = last
        writer.update_root()

    endless = signed_by(signer, revised(paper(form), doubles), tmp_path)
    monkeypatch.setattr(comparison, "_SECONDS", 2)
    assert verdict_on(endless, path, trust).verdict is Belief.VALID  # nothing follows: nothing to compare
    assert verdict_on(revised(endless, fills_field), path, trust).verdict is Belief.INDETERMINATE


def test_what_takes_too_long_to_compare_is_left_undecided(
    signed: bytes, trust: TrustStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_MOST_STEPS", 3)
    changed = revised(signed, rewrites_page)
    assert verdict_on(changed, path, trust).verdict is Belief.INVALID  # begun again in a process of its own
    monkeypatch.setattr(comparison, "_SECONDS", 0.001)
    verdict = verdict_on(changed, path, trust)
    assert verdict.verdict is Belief.INDETERMINATE
    assert "n’a pas pu être comparé" in verdict.signatures[0].reasons[0]


def test_a_sloppy_document_is_not_compared(signed: bytes, trust: TrustStore, path: Path) -> None:
    verdict = verdict_on(sloppy(revised(signed, rewrites_page)), path, trust)
    assert verdict.verdict is Belief.INDETERMINATE


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), min_size=1, max_size=20))
def test_damage_anywhere_is_never_valid_nor_a_crash(
    signed: bytes, trust: TrustStore, path: Path, places: list[tuple[int, int]]
) -> None:
    value = re.search(rb"/Contents <[0-9A-F]+>", signed)
    assert value is not None
    changed = bytearray(signed)
    for place, flip in places:
        changed[place % len(changed)] ^= flip
    begin, end = value.start() + 10, value.end()
    try:
        verdict = verdict_on(bytes(changed), path, trust)
    except UnreadableInput:
        return
    # the message brings certificates that nothing signs: damage to one that is not needed changes nothing
    if (changed[:begin], changed[end:]) != (signed[:begin], signed[end:]):
        assert verdict.verdict is not Belief.VALID
