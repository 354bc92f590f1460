"""What a forger adds to a signed PDF so that it shows something else, while nothing that was signed is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, NumberObject, pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, append_signature_field
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp

from signing.pades.verifier import verify
from signing.pki import Credential
from signing.timestamp.client import TimestampClient
from signing.trust import TrustStore
from signing.verdicts import Belief
from tests.pades_documents import form, paper, revised, signed_elsewhere, stamped_elsewhere, stamping, words

Twist = Callable[[IncrementalPdfFileWriter, DictionaryObject], None]
BOX = (90, 690, 300, 720)


@pytest.fixture(scope="module")
def forger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimestampClient]:
    """A timestamping authority of the forger's own: nobody has to trust it."""
    with stamping(tmp_path_factory.mktemp("tsa")) as (_, client):
        yield client


@pytest.fixture
def verdict(trust: TrustStore, tmp_path: Path) -> Callable[[bytes], Belief]:
    def told(octets: bytes) -> Belief:
        path = tmp_path / "document.pdf"
        path.write_bytes(octets)
        return verify(path, trust=trust).verdict

    return told


def looks(writer: IncrementalPdfFileWriter, text: bytes = b"1 1 1 rg 0 0 210 30 re f") -> generic.IndirectObject:
    """Something that is drawn over what stands there."""
    box = ArrayObject(map(NumberObject, (0, 0, 210, 30)))
    kind = {"/Type": "/XObject", "/Subtype": "/Form"}
    entries = {pdf_name(key): pdf_name(value) for key, value in kind.items()} | {pdf_name("/BBox"): box}
    return writer.add_object(generic.StreamObject(entries, stream_data=text))


def appearance(stream: generic.IndirectObject) -> DictionaryObject:
    return DictionaryObject({pdf_name("/N"): stream})


def page_of(writer: IncrementalPdfFileWriter) -> DictionaryObject:
    return writer.root["/Pages"]["/Kids"][0]


def widget(box: tuple[int, ...] = BOX, **entries: generic.PdfObject) -> DictionaryObject:
    found = DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Annot"),
            pdf_name("/Subtype"): pdf_name("/Widget"),
            pdf_name("/Rect"): ArrayObject(map(NumberObject, box)),
            pdf_name("/F"): NumberObject(4),
        }
    )
    return DictionaryObject(found | {pdf_name(f"/{key}"): value for key, value in entries.items()})


def attach(writer: IncrementalPdfFileWriter, *annotations: generic.IndirectObject) -> None:
    page = page_of(writer)
    if "/Annots" not in page:
        page[pdf_name("/Annots")] = ArrayObject()
    page["/Annots"].extend(annotations)
    writer.update_container(page["/Annots"])
    writer.update_container(page)


def named(writer: IncrementalPdfFileWriter, field: DictionaryObject, *references: generic.IndirectObject) -> None:
    """Name objects in the appearance of a field: pyHanko takes what that appearance brings for explained."""
    stream = field["/AP"].raw_get("/N").get_object()
    stream[pdf_name("/PieceInfo")] = ArrayObject(references)
    writer.update_container(stream)


def rect(field: DictionaryObject, *items: generic.PdfObject) -> None:
    field[pdf_name("/Rect")] = ArrayObject(items)


def with_a_coordinate_elsewhere(writer: IncrementalPdfFileWriter, field: DictionaryObject) -> None:
    far = writer.add_object(NumberObject(300))
    rect(field, NumberObject(90), NumberObject(690), far, NumberObject(720))
    named(writer, field, far)


def with_a_coordinate_too_many(_writer: IncrementalPdfFileWriter, field: DictionaryObject) -> None:
    rect(field, *map(NumberObject, (*BOX, 1)))


def with_a_coordinate_too_few(_writer: IncrementalPdfFileWriter, field: DictionaryObject) -> None:
    rect(field, *map(NumberObject, BOX[:3]))


def with_a_coordinate_that_is_a_word(_writer: IncrementalPdfFileWriter, field: DictionaryObject) -> None:
    rect(field, *map(NumberObject, BOX[:3]), generic.TextStringObject("720"))


def without_box(_writer: IncrementalPdfFileWriter, field: DictionaryObject) -> None:
    del field["/Rect"]


def with_a_child_that_is_seen(writer: IncrementalPdfFileWriter, field: DictionaryObject) -> None:
    far, look = writer.add_object(NumberObject(300)), looks(writer)
    child = widget(AP=appearance(look))
    rect(child, NumberObject(90), NumberObject(690), far, NumberObject(720))
    reference = writer.add_object(child)
    field[pdf_name("/Kids")] = ArrayObject([reference])
    named(writer, field, far)
    attach(writer, reference)


def drawn_by_its_points(_writer: IncrementalPdfFileWriter, field: DictionaryObject) -> None:
    field[pdf_name("/Subtype")] = pdf_name("/Line")
    field[pdf_name("/L")] = ArrayObject(map(NumberObject, BOX))


def with_a_script(_writer: IncrementalPdfFileWriter, field: DictionaryObject) -> None:
    script = DictionaryObject({pdf_name("/S"): pdf_name("/JavaScript"), pdf_name("/JS"): generic.TextStringObject("x()")})
    field[pdf_name("/AA")] = DictionaryObject({pdf_name("/PO"): script})


TWISTS = [
    with_a_coordinate_elsewhere,
    with_a_coordinate_too_many,
    with_a_coordinate_too_few,
    with_a_coordinate_that_is_a_word,
    without_box,
    with_a_child_that_is_seen,
    drawn_by_its_points,
    with_a_script,
]


@pytest.mark.parametrize("drawn", [words("Montant : 100 EUR"), form], ids=["text", "form"])
@pytest.mark.parametrize("twist", TWISTS)
def test_the_field_of_a_timestamp_that_can_be_seen_is_a_modification(
    credential: Credential, forger: TimestampClient, verdict, twist: Twist, drawn
) -> None:
    signed = signed_elsewhere(paper(drawn), credential)
    assert verdict(signed) is Belief.VALID
    assert verdict(stamped_elsewhere(signed, forger, twist=twist)) is Belief.INVALID


@pytest.mark.parametrize("permission", [MDPPerm.NO_CHANGES, MDPPerm.FILL_FORMS])
def test_nor_is_it_let_pass_by_a_certification(credential: Credential, forger: TimestampClient, verdict, permission) -> None:
    signed = signed_elsewhere(paper(), credential, permission=permission)
    assert verdict(stamped_elsewhere(signed, forger, twist=with_a_coordinate_elsewhere)) is Belief.INVALID


def test_looks_and_a_place_that_were_there_before_are_seen_too(credential: Credential, verdict) -> None:
    def keeps(writer: IncrementalPdfFileWriter) -> None:
        writer.root[pdf_name("/PieceInfo")] = ArrayObject([looks(writer), writer.add_object(NumberObject(300))])
        writer.update_root()

    def shows(writer: IncrementalPdfFileWriter) -> None:
        look, far = writer.root["/PieceInfo"]
        append_signature_field(writer, SigFieldSpec("Plus tard", box=None))
        field = next(one for one in writer.root["/AcroForm"]["/Fields"] if one.get_object()["/T"] == "Plus tard").get_object()
        field[pdf_name("/AP")] = appearance(generic.IndirectObject(look.idnum, 0, writer))
        rect(field, NumberObject(90), NumberObject(690), generic.IndirectObject(far.idnum, 0, writer), NumberObject(720))
        writer.update_container(field)

    assert verdict(revised(signed_elsewhere(revised(paper(), keeps), credential), shows)) is Belief.INVALID


def test_a_field_made_of_what_an_earlier_revision_left_lying_is_seen(credential: Credential, verdict) -> None:
    """What nothing leads to says nothing; it is the next revision that shows it."""
    kept: list[int] = []

    def lays(writer: IncrementalPdfFileWriter) -> None:
        field = widget(AP=appearance(looks(writer)), FT=pdf_name("/Sig"), T=generic.TextStringObject("Plus tard"))
        kept.append(writer.add_object(field).idnum)

    def takes(writer: IncrementalPdfFileWriter) -> None:
        field = generic.IndirectObject(kept[0], 0, writer)
        writer.root["/AcroForm"]["/Fields"].append(field)
        writer.update_container(writer.root["/AcroForm"]["/Fields"])
        attach(writer, field)

    laid = revised(signed_elsewhere(paper(), credential), lays)
    assert verdict(laid) is Belief.VALID
    assert verdict(revised(laid, takes)) is Belief.INVALID


def test_a_field_that_takes_the_name_of_another_does_not_pass_for_it(credential: Credential, verdict) -> None:
    kept: list[int] = []

    def lays(writer: IncrementalPdfFileWriter) -> None:
        field = DictionaryObject(writer.root["/AcroForm"]["/Fields"][0])
        field[pdf_name("/V")] = generic.TextStringObject("999999")
        kept.append(writer.add_object(field).idnum)

    def takes(writer: IncrementalPdfFileWriter) -> None:
        fields = writer.root["/AcroForm"]["/Fields"]
        fields[0] = generic.IndirectObject(kept[0], 0, writer)
        writer.update_container(fields)

    laid = revised(signed_elsewhere(paper(form), credential), lays)
    assert verdict(laid) is Belief.VALID
    assert verdict(revised(laid, takes)) is Belief.INVALID


def test_an_unseen_timestamp_may_not_be_made_seen_by_the_next_revision(
    credential: Credential, forger: TimestampClient, verdict
) -> None:
    def grows(writer: IncrementalPdfFileWriter) -> None:
        field = next(one for one in writer.root["/AcroForm"]["/Fields"] if one.get_object()["/T"] == "Horodatage").get_object()
        far = writer.add_object(NumberObject(300))
        rect(field, NumberObject(90), NumberObject(690), far, NumberObject(720))
        named(writer, field, far)
        writer.update_container(field)

    stamped = stamped_elsewhere(signed_elsewhere(paper(), credential), forger)
    assert verdict(stamped) is Belief.VALID
    assert verdict(revised(stamped, grows)) is Belief.INVALID


def emptied(octets: bytes, number: int) -> bytes:
    """The document whose page goes on in an object that it does not have."""

    def leads(writer: IncrementalPdfFileWriter) -> None:
        page = page_of(writer)
        page[pdf_name("/Contents")] = ArrayObject([page.raw_get("/Contents"), generic.IndirectObject(number, 0, writer)])
        writer.update_container(page)

    return revised(octets, leads)


def test_an_object_that_the_page_asks_for_and_lacked_when_it_was_signed_is_a_modification(
    credential: Credential, verdict
) -> None:
    signed = signed_elsewhere(emptied(paper(), 900), credential)
    assert verdict(signed) is Belief.VALID

    def gives(writer: IncrementalPdfFileWriter) -> None:
        writer.objects[(0, 900)] = generic.StreamObject(stream_data=b"BT /F1 12 Tf 100 650 Td (999 999 EUR) Tj ET")
        writer._lastobj_id = max(writer._lastobj_id, 900)

    assert verdict(revised(signed, gives)) is Belief.INVALID


def test_nor_does_the_appearance_of_a_timestamp_explain_it(credential: Credential, forger: TimestampClient, verdict) -> None:
    def gap(writer: IncrementalPdfFileWriter) -> None:
        writer._lastobj_id += 10
        writer.root[pdf_name("/PieceInfo")] = DictionaryObject({pdf_name("/Essai"): looks(writer)})
        writer.update_root()

    def gives(writer: IncrementalPdfFileWriter, field: DictionaryObject) -> None:
        writer.objects[(0, number)] = generic.StreamObject(stream_data=b"BT /F1 12 Tf 100 650 Td (999 999 EUR) Tj ET")
        named(writer, field, generic.IndirectObject(number, 0, writer))

    gapped = revised(paper(), gap)
    number = IncrementalPdfFileWriter(BytesIO(gapped))._lastobj_id - 4
    signed = signed_elsewhere(emptied(gapped, number), credential)
    assert verdict(signed) is Belief.VALID
    assert verdict(stamped_elsewhere(signed, forger, twist=gives)) is Belief.INVALID


def test_another_generation_of_what_is_shown_is_a_modification(credential: Credential, forger: TimestampClient, verdict) -> None:
    """Programs that look at the number alone show the new one."""

    def gives(writer: IncrementalPdfFileWriter, field: DictionaryObject) -> None:
        number = page_of(writer).raw_get("/Contents").idnum
        writer.objects[(1, number)] = generic.StreamObject(stream_data=b"BT /F1 12 Tf 100 650 Td (999 999 EUR) Tj ET")
        named(writer, field, generic.IndirectObject(number, 1, writer))

    signed = signed_elsewhere(paper(), credential)
    assert verdict(stamped_elsewhere(signed, forger, twist=gives)) is not Belief.VALID


def test_annotations_put_in_another_order_are_a_modification(credential: Credential, forger: TimestampClient, verdict) -> None:
    def notes(writer: IncrementalPdfFileWriter) -> None:
        attach(writer, *(writer.add_object(widget(AP=appearance(looks(writer)))) for _ in range(2)))

    def turns(writer: IncrementalPdfFileWriter, _field: DictionaryObject) -> None:
        annotations = page_of(writer)["/Annots"]
        annotations[:2] = [annotations.raw_get(1), annotations.raw_get(0)]
        writer.update_container(annotations)

    signed = signed_elsewhere(revised(paper(), notes), credential)
    assert verdict(stamped_elsewhere(signed, forger)) is Belief.VALID
    assert verdict(stamped_elsewhere(signed, forger, twist=turns)) is Belief.INVALID


class Twice(DictionaryObject):
    """A dictionary that ends with something that it has already."""

    def __init__(self, found: DictionaryObject, again: bytes) -> None:
        super().__init__(found)
        self.again = again

    def write_to_stream(self, stream, handler=None, container_ref=None) -> None:
        super().write_to_stream(stream, handler, container_ref)
        stream.seek(-2, 1)
        stream.write(self.again + b" >>")


def test_a_key_that_stands_twice_is_not_read_as_it_suits(credential: Credential, forger: TimestampClient, verdict) -> None:
    """Some programs take the first of two values, others the last."""

    def doubles(writer: IncrementalPdfFileWriter, field: DictionaryObject) -> None:
        (place,) = (place for place, found in writer.objects.items() if found is field)
        writer.objects[place] = Twice(field, b"/Rect [90 690 300 720]")

    signed = signed_elsewhere(paper(), credential)
    assert verdict(stamped_elsewhere(signed, forger, twist=doubles)) is not Belief.VALID


def test_a_signature_that_tells_its_type_twice_is_let_pass(
    credential: Credential, forger: TimestampClient, verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are tools that do so, and a value of a signature is not drawn."""
    plain = DocumentTimestamp.write_to_stream

    def twice(self, stream, handler=None, container_ref=None) -> None:
        plain(self, stream, handler, container_ref)
        stream.seek(-2, 1)
        stream.write(b"/Type /Sig >>")

    signed = signed_elsewhere(paper(), credential)
    monkeypatch.setattr(DocumentTimestamp, "write_to_stream", twice)
    stamped = stamped_elsewhere(signed, forger)
    assert b"/Type /Sig >>" in stamped
    assert verdict(stamped) is Belief.VALID


def test_an_object_that_only_a_tool_asks_for_may_come_later(credential: Credential, forger: TimestampClient, verdict) -> None:
    """LibreOffice names the source of a document beside the catalog; what signs it afterwards may give that number away."""

    def leads(writer: IncrementalPdfFileWriter) -> None:
        writer.root[pdf_name("/PieceInfo")] = DictionaryObject()
        writer.update_root()
        writer.trailer[pdf_name("/AdditionalStreams")] = ArrayObject([generic.IndirectObject(14, 0, writer)])

    signed = signed_elsewhere(revised(paper(), leads), credential)
    assert verdict(stamped_elsewhere(signed, forger)) is Belief.VALID


@pytest.mark.parametrize("key", ["/DA", "/DR", "/Q"])
def test_how_the_fields_of_a_form_are_drawn_may_not_change(credential: Credential, verdict, key: str) -> None:
    def draws_otherwise(writer: IncrementalPdfFileWriter) -> None:
        values = {
            "/DA": generic.TextStringObject("/Helv 12 Tf 1 1 1 rg"),
            "/DR": DictionaryObject(),
            "/Q": NumberObject(2),
        }
        acro = writer.root["/AcroForm"]
        acro[pdf_name(key)] = values[key]
        writer.update_container(acro)

    assert verdict(revised(signed_elsewhere(paper(form), credential), draws_otherwise)) is Belief.INVALID


def test_a_field_that_is_seen_may_still_be_added_for_the_next_signature(credential: Credential, verdict) -> None:
    def adds(writer: IncrementalPdfFileWriter) -> None:
        append_signature_field(writer, SigFieldSpec("Suite", box=BOX))

    added = revised(signed_elsewhere(paper(), credential), adds)
    assert verdict(added) is Belief.INVALID
    assert verdict(signed_elsewhere(added, credential, field="Suite")) is Belief.VALID
