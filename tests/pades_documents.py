"""Small PDFs for the tests of PAdES, and what strangers do to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.crypt import StandardSecurityHandler
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp
from reportlab.pdfgen.canvas import Canvas

from signing.keys import Pkcs12Signer
from signing.pki import Credential, TestAuthority
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore

Drawing = Callable[[Canvas], None]


def paper(*pages: Drawing, invariant: bool = True) -> bytes:
    """A document with a page for each drawing, or one page of text."""
    octets = BytesIO()
    canvas = Canvas(octets, pagesize=(595, 842), invariant=invariant)
    for draw in pages or (words("Délibération du conseil municipal"),):
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return octets.getvalue()


def words(text: str, x: float = 100, y: float = 700, *, rotation: int = 0) -> Drawing:
    """A page with one text on it, shown turned clockwise."""

    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(rotation)
        canvas.drawString(x, y, text)

    return draw


def form(canvas: Canvas) -> None:
    """A page with a text field."""
    canvas.drawString(100, 700, "Montant")
    canvas.acroForm.textfield(name="montant", value="100", x=100, y=600, width=100, height=20)


def encrypted(octets: bytes, password: str) -> bytes:
    """The document under a password."""
    writer = copy_into_new_writer(PdfFileReader(BytesIO(octets)))
    writer.encrypt(password)
    output = BytesIO()
    writer.write(output)
    assert isinstance(writer.security_handler, StandardSecurityHandler)
    return output.getvalue()


def sloppy(octets: bytes) -> bytes:
    """The document with the offset of its last table one too far: read by all, against the standard."""
    before, word, after = octets.rpartition(b"startxref")
    return before + word + re.sub(rb"\d+", lambda found: b"%d" % (int(found[0]) + 1), after, count=1)


def revised(octets: bytes, change: Callable[[IncrementalPdfFileWriter], None]) -> bytes:
    """The document with one more revision."""
    writer = IncrementalPdfFileWriter(BytesIO(octets))
    change(writer)
    output = BytesIO()
    writer.write(output)
    assert len(output.getvalue()) > len(octets)
    return output.getvalue()


def signed_elsewhere(
    octets: bytes,
    credential: Credential,
    *,
    field: str = "Ailleurs",
    hash_name: str = "sha256",
    subfilter: SigSeedSubFilter = SigSeedSubFilter.PADES,
    permission: MDPPerm | None = None,
) -> bytes:
    """The document signed by another tool: pyHanko's own signer."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "key.p12"
        path.write_bytes(credential.as_pkcs12("x"))
        signer = SimpleSigner.load_pkcs12(str(path), passphrase=b"x")
    assert signer is not None
    meta = PdfSignatureMetadata(
        field_name=field,
        md_algorithm=hash_name,
        subfilter=subfilter,
        certify=permission is not None,
        docmdp_permissions=permission or MDPPerm.FILL_FORMS,
    )
    signed = PdfSigner(meta, signer=signer).sign_pdf(IncrementalPdfFileWriter(BytesIO(octets)))
    return bytes(signed.getbuffer())


def stamped_elsewhere(
    octets: bytes,
    timestamps: TimestampClient,
    *,
    box: tuple[int, int, int, int] = (0, 0, 0, 0),
    twist: Callable[[IncrementalPdfFileWriter, generic.DictionaryObject], None] | None = None,
) -> bytes:
    """The document timestamped by another tool, which dresses the field, seen or not, and gives the form resources for it.

    Args:
        octets: the document.
        timestamps: who is asked.
        box: of the field; none when it is not seen.
        twist: what a forger does to the field besides, before the timestamp is taken.
    """
    output = BytesIO(octets)
    writer = IncrementalPdfFileWriter(output, strict=False)
    steps = PdfCMSEmbedder(new_field_spec=SigFieldSpec("Horodatage", box=box if any(box) else None)).write_cms(
        field_name="Horodatage", writer=writer
    )
    field = next(steps).get_object()
    look = generic.StreamObject({generic.pdf_name("/Subtype"): generic.pdf_name("/Form")}, stream_data=b"")
    field[generic.pdf_name("/AP")] = generic.DictionaryObject({generic.pdf_name("/N"): writer.add_object(look)})
    named = generic.DictionaryObject({generic.pdf_name("/FRM"): writer.add_object(look)})
    resources = generic.DictionaryObject({generic.pdf_name("/XObject"): writer.add_object(named)})
    writer.root["/AcroForm"][generic.pdf_name("/DR")] = writer.add_object(resources)
    writer.update_container(writer.root["/AcroForm"])
    if twist is not None:
        twist(writer, field)
    placeholder = DocumentTimestamp(bytes_reserved=1 << 15)
    steps.send(SigObjSetup(sig_placeholder=placeholder))
    prepared, _ = steps.send(SigIOSetup(md_algorithm="sha256", in_place=True))
    prepared.fill_reserved_region(output, timestamps.stamp(prepared.document_digest).token)
    return output.getvalue()


def signer_of(authority: TestAuthority, family: str = "rsa", bits: int = 2048, name: str = "Camille Exemple") -> Pkcs12Signer:
    """A key that the authority vouches for."""
    return Pkcs12Signer.load(authority.seal(name, family=family, bits=bits).as_pkcs12("secret"), "secret")


@contextmanager
def stamping(folder: Path) -> Iterator[tuple[TsaSimulator, TimestampClient]]:
    """A timestamping authority, and whoever asks it."""
    with TsaSimulator(folder) as simulator:
        yield simulator, TimestampClient(AuthoritySettings([simulator.url]), TrustStore.of([simulator.anchor]))
