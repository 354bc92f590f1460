"""By whose certificates the new signatures of a file that comes back were made; whether they hold is asked of their verifiers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from lxml import etree

from core import clock
from schemas import xml
from signing.cades.message import Message, SignerInfo
from signing.pes.bulk import Bulk
from signing.pes.inspection import inspect as inspect_pes
from signing.pes.layout import DS, SIGNATURE
from signing.verification import Kind
from signing.xades.inspection import inspect as inspect_xades

Certificates = tuple[x509.Certificate | None, ...]


def certificates_of_new(kind: Kind, given: Path, returned: Path) -> Certificates:
    """Return the certificate of each signature that a file bears and that the document given out did not; None: not found in it.

    Args:
        kind: what carries the signatures; ``returned`` is of it, and verified.
        given: the document as it was given out: what detached signatures are over.
        returned: what came back.

    Raises:
        UnreadableInput: see ``signing.verification.verify``.
    """
    return _READERS[kind](given, returned)


def _of_pdf(given: Path, returned: Path) -> Certificates:
    from signing.pades.document import Document  # heavy: pyHanko is loaded by who reads a PDF
    from signing.pades.pdf import Filed

    def messages(path: Path) -> list[bytes]:
        with Filed(path) as octets:
            return [one.message for one in Document.read(octets).embedded if not one.is_stamp]

    return tuple(found for octets in messages(returned)[len(messages(given)) :] for found in _of_message(Message.read(octets)))


def _of_cms(given: Path, returned: Path) -> Certificates:
    del given
    return tuple(_of_message(Message.read(returned.read_bytes())))


def _of_message(message: Message) -> Iterable[x509.Certificate | None]:
    return (_named(signer, message.evidence.certificates) for signer in message.signers)


def _named(signer: SignerInfo, certificates: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """Return the certificate that a signature names, as its verifier chooses it (RFC 5652, 5.3; RFC 5035)."""
    designated = [one for one in certificates if signer.designates(one)]
    signed = signer.certificate
    return next((one for one in designated if signed is None or signed.names(one)), None)


def _of_pes(given: Path, returned: Path) -> Certificates:
    bulk = Bulk.of(returned)
    found = inspect_pes(xml.parse(returned) if bulk is None else bulk.tree(), bulk=bulk, trust=None, at=clock.now())
    before = {_value(element) for element in xml.parse(given).iter(SIGNATURE)}
    return tuple(one.certificate for one in found.signatures if _value(one.element) not in before)


def _of_xml(given: Path, returned: Path) -> Certificates:
    found = inspect_xades(xml.parse(returned), lambda _: given.open("rb"), trust=None, at=clock.now())
    return tuple(one.certificate for one in found.signatures)


def _value(signature: etree._Element) -> str:
    return "".join((signature.findtext(f"{{{DS}}}SignatureValue") or "").split())


_READERS = {Kind.PDF: _of_pdf, Kind.CMS: _of_cms, Kind.PES: _of_pes, Kind.XML: _of_xml}
