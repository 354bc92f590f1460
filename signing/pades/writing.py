"""Writing a PAdES, in two legs: what was signed before stays to the octet, and each step is a new revision.

The draft is the document with its signature's field, dictionary and stamp, and room for a message; what is to be signed are the
attributes of that message, over the digest of the draft. Levels above B add to it what proves the time and, later, the trust.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from asn1crypto import cms, crl, ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp, PreparedByteRangeDigest
from pyhanko.sign.signers.pdf_cms import ExternalSigner
from pyhanko.sign.signers.pdf_signer import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator.registry import SimpleCertificateStore

from core import clock
from core.errors import Misconfigured, NeedsOperator, UsageError
from core.messages import Catalogue
from signing.cades.assembly import signed_attributes, signed_data
from signing.cades.message import SIGNING_TIME, Message
from signing.cades.seal import appearing, completed, refuse_changed, written_chain
from signing.keys import KeyRefused, check_fit, name_of
from signing.legs import AlreadySigned, NotSignable, Prepared, Signatory, Slot, SourceChanged, UnsoundSignature
from signing.pades.document import Document
from signing.pades.drawing import Box, lines_of, of_field, placed, style
from signing.pades.pdf import FLAWS, PdfUnreadable, bounded
from signing.pades.seal import SLOT, Pades
from signing.pades.verifier import verify
from signing.timestamp.client import TimestampClient
from signing.trust import NO_EVIDENCE, Evidence, TrustState, TrustStore
from signing.verdicts import Belief, FileVerdict

_messages = Catalogue("signing")
_LONG_TERM = ("LT", "LTA")
_ROOM_FOR_TOKEN = 16 << 10
_SLACK = 1 << 10


def prepare(how: Pades, source: Path, draft: Path, signatory: Signatory, moment: datetime) -> Prepared:
    """Do what ``Pades.prepare`` says, and raise what it raises."""
    moment = clock.as_utc(moment).replace(microsecond=0)
    check_fit(signatory.certificate, moment)
    evidence = _evidence(how, signatory, moment)
    try:
        octets = bounded(source)
        document = Document.read(octets)
    except PdfUnreadable as error:
        raise NotSignable(str(error)) from error
    _refuse(how, document)
    room = _room(signatory, 0 if how.level == "B" else _ROOM_FOR_TOKEN)
    prepared, written = _drafted(how, document, signatory, moment, room)
    draft.write_bytes(written)
    attributes = _attributes(prepared.document_digest, signatory.certificate, moment)
    frozen = {
        "level": how.level,
        "chain": written_chain(signatory),
        "evidence": _written(evidence),
        "draft": hashlib.sha256(written).hexdigest(),
        "room": [prepared.reserved_region_start, prepared.reserved_region_end],
    }
    sha256 = hashlib.sha256(octets).digest()
    return Prepared(how.name, sha256, signatory.certificate, moment, (Slot(SLOT, attributes),), frozen)


def complete(
    prepared: Prepared,
    source: Path,
    draft: Path,
    values: Mapping[str, bytes],
    target: Path,
    timestamps: TimestampClient | None = None,
) -> FileVerdict:
    """Do what ``Pades.complete`` says, and raise what it raises."""
    refuse_changed(prepared, source)
    level = prepared.frozen["level"]
    if level != "B" and timestamps is None:
        raise Misconfigured(_messages("pades.no_timestamps", level=level))
    output = BytesIO(_read_draft(prepared, draft))
    basic = "B" if level == "B" else "T"
    message = completed(replace(prepared, frozen={**prepared.frozen, "level": basic}), values, timestamps)
    _fill(output, prepared.frozen["room"], message)
    if level in _LONG_TERM:
        _add_evidence(output, prepared, message)
    if level == "LTA" and timestamps is not None:
        _add_stamp(output, timestamps)
    with appearing(target) as file:
        file.write_bytes(output.getbuffer())
        return _verified(file, prepared, source)


def _evidence(how: Pades, signatory: Signatory, moment: datetime) -> Evidence:
    """Return what goes into the document to verify it by; nothing for the levels that do without."""
    if how.level not in _LONG_TERM:
        return NO_EVIDENCE
    known = TrustStore.of((*how.evidence.certificates, *signatory.chain), how.evidence.lists, how.evidence.answers)
    status = known.assess(signatory.certificate, at=moment)
    if status.state is TrustState.REVOKED:
        raise KeyRefused(status.reason or "")
    if status.state is not TrustState.TRUSTED or not status.revocation_known:
        raise Misconfigured(_messages("pades.no_revocation", level=how.level))
    return replace(how.evidence, certificates=(*status.chain, *how.evidence.certificates))


def _refuse(how: Pades, document: Document) -> None:
    """Refuse a document that cannot take this signature, or that another signature keeps from taking it."""
    if document.reader.encrypted:
        raise NotSignable(_messages("pades.encrypted"))
    compared = bool(document.embedded) or how.level in _LONG_TERM
    if not document.has_free_numbers or (compared and not document.strict):
        raise NotSignable(_messages("pades.sloppy"))
    if how.level in _LONG_TERM and not document.takes_evidence:
        raise NotSignable(_messages("pades.unsignable"))
    permissions = {one.permission for one in document.embedded} - {None}
    if MDPPerm.NO_CHANGES in permissions:
        raise AlreadySigned(_messages("pades.locked"))
    if how.certify and document.embedded:
        raise AlreadySigned(_messages("pades.certify_later"))
    if how.field is not None:
        locks = [one.locked for one in document.embedded if one.locked is not None]
        signed = how.field in {one.field for one in document.embedded}
        if signed or any(lock.is_locked(how.field) for lock in locks):
            raise AlreadySigned(_messages("pades.field_signed", field=how.field))
    if permissions and how.stamp is not None and how.field not in document.empty_fields:
        raise AlreadySigned(_messages("pades.certified"))


def _box(how: Pades, document: Document) -> Box | None:
    """Return where something is shown: in the field that waits there, whatever the stamp, or where the stamp is asked for."""
    if how.field in document.empty_fields:
        try:
            return of_field(document.empty_fields[how.field])
        except FLAWS as error:
            raise NotSignable(_messages("pades.unsignable")) from error
    return None if how.stamp is None else placed(how.stamp, document.octets[:], document.reader)


def _drafted(
    how: Pades, document: Document, signatory: Signatory, moment: datetime, room: int
) -> tuple[PreparedByteRangeDigest, bytes]:
    """Return the document with its new signature empty, and what is known of the place of its value."""
    field = document.new_name("Signature") if how.field is None else how.field
    is_new = field not in document.empty_fields
    if is_new and (not field.strip() or "." in field):
        raise UsageError(_messages("pades.field_name", field=field))
    box = _box(how, document)
    name = name_of(signatory.certificate)
    lines = (how.stamp and how.stamp.lines) or lines_of(name, how.role, moment)
    meta = PdfSignatureMetadata(
        field_name=field,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        name=name,
        reason=how.role,
        location=how.city,
        certify=how.certify,
        docmdp_permissions=MDPPerm.FILL_FORMS,
    )
    spec = SigFieldSpec(field, box.page, box.corners) if box else SigFieldSpec(field)
    output = BytesIO()
    try:
        writer = IncrementalPdfFileWriter(BytesIO(document.octets[:]), strict=False)
        signer = PdfSigner(
            meta,
            ExternalSigner(_asn1(signatory.certificate), SimpleCertificateStore()),  # type: ignore[no-untyped-call]
            stamp_style=style(lines, box) if box else None,
            new_field_spec=spec if is_new else None,
        )
        session = signer.init_signing_session(writer, existing_fields_only=not is_new)
        session.system_time = moment
        prepared, _ = session.prepare_tbs_document(None, 2 * room).digest_tbs_document(output=output)
    except FLAWS as error:
        raise NotSignable(_messages("pades.unsignable")) from error
    return prepared, output.getvalue()


def _attributes(digest: bytes, certificate: x509.Certificate, moment: datetime) -> bytes:
    """Return the DER of the attributes to sign: those of CAdES less the time, which the dictionary has (EN 319 142-1, 6.3)."""
    attributes = cms.CMSAttributes.load(signed_attributes(digest, certificate, moment))
    der: bytes = cms.CMSAttributes([one for one in attributes if one["type"].dotted != SIGNING_TIME]).dump()
    return der


def _room(signatory: Signatory, token: int) -> int:
    """Return how many octets to keep for the message."""
    attributes = _attributes(bytes(32), signatory.certificate, clock.now())
    return len(signed_data(attributes, bytes(_SLACK), signatory.certificate, signatory.chain, None)) + token


def _read_draft(prepared: Prepared, draft: Path) -> bytes:
    try:
        octets = draft.read_bytes()
    except FileNotFoundError as error:
        raise SourceChanged(_messages("pades.draft")) from error
    if not hmac.compare_digest(hashlib.sha256(octets).hexdigest(), prepared.frozen["draft"]):
        raise SourceChanged(_messages("pades.draft"))
    return octets


def _fill(output: BytesIO, room: Iterable[int], message: bytes) -> None:
    start, end = room
    if 2 * len(message) > end - start - 2:
        raise NeedsOperator(_messages("pades.no_room", found=len(message)))
    PreparedByteRangeDigest(b"", start, end).fill_with_cms(output, message)


def _add_evidence(output: BytesIO, prepared: Prepared, message: bytes) -> None:
    """Add a revision with the document security store (EN 319 142-1, 5.4.2)."""
    evidence = _read_evidence(prepared.frozen["evidence"])
    (signer,) = Message.read(message).signers
    stampers = [one for token in signer.timestamps for one in Message.read(token).evidence.certificates]
    certificates = dict.fromkeys((prepared.certificate, *evidence.certificates, *stampers))
    DocumentSecurityStore.add_dss(
        output,
        None,
        certs=[_asn1(one) for one in certificates],
        crls=[crl.CertificateList.load(one.public_bytes(Encoding.DER)) for one in evidence.lists],
        ocsps=[ocsp.OCSPResponse.load(one) for one in evidence.answers],
        strict=False,
    )


def _add_stamp(output: BytesIO, timestamps: TimestampClient) -> None:
    """Add a revision with a document timestamp over all that stands before (EN 319 142-1, 5.4.3)."""
    field = Document.read(output.getvalue()).new_name("Timestamp")
    writer = IncrementalPdfFileWriter(output, strict=False)
    steps = PdfCMSEmbedder(new_field_spec=SigFieldSpec(field)).write_cms(field_name=field, writer=writer)
    next(steps)
    placeholder = DocumentTimestamp(bytes_reserved=2 * _ROOM_FOR_TOKEN)  # type: ignore[no-untyped-call]
    steps.send(SigObjSetup(sig_placeholder=placeholder))
    prepared, _ = steps.send(SigIOSetup(md_algorithm="sha256", in_place=True))
    room = (prepared.reserved_region_start, prepared.reserved_region_end)
    _fill(output, room, timestamps.stamp(prepared.document_digest).token)


def _verified(file: Path, prepared: Prepared, source: Path) -> FileVerdict:
    """Return the verdict on a document whose last signature is the one asked for, those before as good as they were.

    Raises:
        UnsoundSignature: it is not.
    """
    at = max(prepared.moment, clock.now())
    verdict = verify(file, trust=None, at=at)
    *others, signature = verdict.signatures
    before = verify(source, trust=None, at=at).signatures
    worse = [one for one, was in zip(others, before, strict=False) if one.verdict is not was.verdict]
    asked = ("PAdES", prepared.frozen["level"], "document", True)
    found = (signature.format, signature.level, signature.covers, signature.intact)
    if found != asked or signature.verdict is Belief.INVALID or worse:
        reasons = [reason for one in (signature, *worse) for reason in one.reasons]
        raise UnsoundSignature(_messages("seal.unsound", detail=" ".join(reasons)))
    return verdict


def _written(evidence: Evidence) -> dict[str, list[str]]:
    """Return evidence as text, to be frozen."""
    return {
        "certificates": [_text(one.public_bytes(Encoding.DER)) for one in evidence.certificates],
        "lists": [_text(one.public_bytes(Encoding.DER)) for one in evidence.lists],
        "answers": [_text(one) for one in evidence.answers],
    }


def _read_evidence(written: Mapping[str, Any]) -> Evidence:
    return Evidence(
        tuple(x509.load_der_x509_certificate(base64.b64decode(one)) for one in written["certificates"]),
        tuple(x509.load_der_x509_crl(base64.b64decode(one)) for one in written["lists"]),
        tuple(base64.b64decode(one) for one in written["answers"]),
    )


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
