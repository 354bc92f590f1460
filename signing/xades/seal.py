"""Signing any XML from within, or any file apart, with XAdES: what waits between the legs is a digest and some text.

In an XML document the signature is inserted as text before the end of the root: all other octets stay as they are. Apart from
its file it is an XML of its own whose reference carries no URI, as i-Parapheur 5 writes it: a file is renamed more often than
altered, and whoever verifies names it anyway. A URI can be asked for, for tools that follow nothing else.

signxml is a witness in tests and no more: it can neither freeze its XAdES properties between two legs nor leave a URI out.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from lxml import etree

from core import clock
from core.errors import Misconfigured
from core.identifiers import new_id
from core.messages import Catalogue
from schemas import xml
from schemas.pes.roots import UNKNOWN, kind_of, root_of
from signing.algorithms import METHODS, method_of, value_holds
from signing.cades.content import digests_of
from signing.cades.seal import appearing, refuse_changed
from signing.keys import check_fit
from signing.legs import AlreadySigned, NotSignable, Prepared, Signatory, Slot, SourceChanged, UnsoundSignature, WrongValue
from signing.pes import canonical
from signing.pes.edits import Edit, rewritten
from signing.pes.layout import SIGNATURE
from signing.pes.offsets import locate
from signing.pes.policy import SignaturePolicy
from signing.timestamp.client import TimestampClient
from signing.verdicts import Belief, FileVerdict
from signing.xades.envelope import Data, Envelope, Said, build
from signing.xades.verifier import verify

_messages = Catalogue("signing")
_ENCODINGS = {"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252"}  # in which ASCII, hence a signature, is itself
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_CUT_TEXT = "boolean(//*[comment()][text()[normalize-space()]])"  # comments are not signed: one may cut what is read
SLOT = "signature"
Level = Literal["B", "T"]


@dataclass(frozen=True, slots=True)
class Xades:
    """XAdES baseline over a whole XML document, within it.

    Attributes:
        level: ``B``, or ``T`` with a timestamp over the value.
        role: in what capacity, claimed: "Maire".
        city: where it is signed.
        postal_code: where it is signed.
        country: where it is signed.
        policy: the signature policy referred to.
    """

    name: ClassVar[str] = "xades"

    level: Level = "B"
    role: str | None = None
    city: str | None = None
    postal_code: str | None = None
    country: str | None = None
    policy: SignaturePolicy | None = None

    def prepare(self, source: Path, draft: Path, signatory: Signatory, moment: datetime) -> Prepared:  # noqa: ARG002 - no draft
        """Freeze the signature without its value, and where it goes.

        Raises:
            UnreadableInput: a DOCTYPE, or not well-formed XML.
            NotSignable: an encoding that is no superset of ASCII, an empty root, a text that a comment cuts, or a PES.
            AlreadySigned: a signature is there, which another within the document would break.
            KeyRefused: the certificate must not sign.
        """
        moment = _fit(signatory, moment)
        tree = xml.parse(source)
        root, encoding = tree.getroot(), tree.docinfo.encoding or "UTF-8"
        _refuse_unfit(root)
        if encoding.lower() not in _ENCODINGS:
            raise NotSignable(_messages("xades.encoding", found=encoding))
        places = locate(source)
        if places.root.close is None:
            raise NotSignable(_messages("xades.empty"))
        data = Data(canonical.digest(root, "sha256"), "", "text/xml")
        envelope = _envelope(self, data, signatory, moment)
        frozen = {**_frozen(self, envelope), "offset": places.root.close}
        slots = (Slot(SLOT, envelope.octets),)
        return Prepared(self.name, digests_of(source)("sha256"), signatory.certificate, moment, slots, frozen)

    @staticmethod
    def complete(
        prepared: Prepared,
        source: Path,
        draft: Path,  # noqa: ARG004 - none was written
        values: Mapping[str, bytes],
        target: Path,
        timestamps: TimestampClient | None = None,
    ) -> FileVerdict:
        """Write the document with the signature in.

        Raises:
            WrongValue, SourceChanged, UnsoundSignature: see ``signing.legs``.
            Misconfigured: level T without an authority.
            Unavailable: no timestamping authority answers; nothing is left behind.
        """
        signature = _signature(prepared, values, timestamps)
        read = hashlib.sha256()
        with appearing(target) as output:
            edit = Edit(prepared.frozen["offset"], 0, signature)
            _write(output, rewritten(source, [edit], witness=read.update))
            if not hmac.compare_digest(read.digest(), prepared.sha256):
                raise SourceChanged(_messages("seal.changed"))
            return _sound(verify(output, trust=None, at=max(prepared.moment, clock.now())), prepared)


@dataclass(frozen=True, slots=True)
class XadesDetached:
    """XAdES baseline over any file, apart from it.

    Attributes:
        level: ``B``, or ``T`` with a timestamp over the value.
        role: in what capacity, claimed: "Maire".
        city: where it is signed.
        postal_code: where it is signed.
        country: where it is signed.
        policy: the signature policy referred to.
        media: media type of the file.
        file: the name of the file, for tools that look for it there; None leaves the reference without URI.
    """

    name: ClassVar[str] = "xades-detached"

    level: Level = "B"
    role: str | None = None
    city: str | None = None
    postal_code: str | None = None
    country: str | None = None
    policy: SignaturePolicy | None = None
    media: str = "application/octet-stream"
    file: str | None = None

    def prepare(self, source: Path, draft: Path, signatory: Signatory, moment: datetime) -> Prepared:  # noqa: ARG002 - no draft
        """Freeze the signature without its value, over the digest of the file, which is read as a stream.

        Raises:
            KeyRefused: the certificate must not sign.
        """
        moment = _fit(signatory, moment)
        uri = None if self.file is None else quote(self.file, safe="")
        digest = digests_of(source)("sha256")
        envelope = _envelope(self, Data(digest, uri, self.media), signatory, moment)
        slots = (Slot(SLOT, envelope.octets),)
        return Prepared(self.name, digest, signatory.certificate, moment, slots, _frozen(self, envelope))

    @staticmethod
    def complete(
        prepared: Prepared,
        source: Path,
        draft: Path,  # noqa: ARG004 - none was written
        values: Mapping[str, bytes],
        target: Path,
        timestamps: TimestampClient | None = None,
    ) -> FileVerdict:
        """Write the signature, verified over the file.

        Raises:
            WrongValue, SourceChanged, UnsoundSignature: see ``signing.legs``.
            Misconfigured: level T without an authority.
            Unavailable: no timestamping authority answers; nothing is left behind.
        """
        refuse_changed(prepared, source)
        signature = _signature(prepared, values, timestamps)
        with appearing(target) as output:
            _write(output, (_DECLARATION, signature, b"\n"))
            return _sound(verify(output, detached=source, trust=None, at=max(prepared.moment, clock.now())), prepared)


def _refuse_unfit(root: etree._Element) -> None:
    """Refuse what our own verifier would not believe once signed: better now than after the signatory has signed."""
    if root_of(root.tag) is not None or kind_of(etree.QName(root).localname) != UNKNOWN:
        raise NotSignable(_messages("xades_seal.pes"))
    if next(root.iter(SIGNATURE), None) is not None:
        raise AlreadySigned(_messages("xades.signed"))
    if root.xpath(_CUT_TEXT):
        raise NotSignable(_messages("xades_seal.comment"))


def _fit(signatory: Signatory, moment: datetime) -> datetime:
    """Return the signing time to the second, having refused a certificate that must not sign then."""
    moment = clock.as_utc(moment).replace(microsecond=0)
    check_fit(signatory.certificate, moment)
    return moment


def _envelope(how: Xades | XadesDetached, data: Data, signatory: Signatory, moment: datetime) -> Envelope:
    said = Said(how.role, how.city, how.postal_code, how.country, how.policy)
    return build(f"id-{new_id()}", data, signatory.certificate, signatory.chain, said, moment)


def _frozen(how: Xades | XadesDetached, envelope: Envelope) -> dict[str, Any]:
    return {"level": how.level, "before": envelope.before, "between": envelope.between, "after": envelope.after}


def _signature(prepared: Prepared, values: Mapping[str, bytes], timestamps: TimestampClient | None) -> bytes:
    """Return the text of the signature, complete."""
    (slot,) = prepared.slots
    value = values.get(slot.identifier)
    if value is None:
        raise WrongValue(_messages("seal.missing", found=slot.identifier))
    if not value_holds(prepared.certificate, METHODS[method_of(prepared.certificate)], value, slot.octets):
        raise WrongValue(_messages("seal.value", found=slot.identifier))
    frozen = prepared.frozen
    envelope = Envelope(slot.octets, frozen["before"], frozen["between"], frozen["after"])
    if frozen["level"] == "B":
        return envelope.filled(value)
    if timestamps is None:
        raise Misconfigured(_messages("xades.no_timestamps"))
    return envelope.filled(value, timestamps.stamp(envelope.stamped_digest(value)).token)


def _write(output: Path, pieces: Iterable[bytes]) -> None:
    with output.open("xb") as stream:
        stream.writelines(pieces)


def _sound(verdict: FileVerdict, prepared: Prepared) -> FileVerdict:
    """Refuse what does not verify as the one signature that was asked for, over everything."""
    stamped = prepared.frozen["level"] == "T"
    found = [(one.format, one.level == "T", one.covers, one.intact) for one in verdict.signatures]
    if verdict.verdict is Belief.INVALID or found != [("XAdES", stamped, "document", True)]:
        reasons = [*verdict.reasons, *(reason for one in verdict.signatures for reason in one.reasons)]
        raise UnsoundSignature(_messages("seal.unsound", detail=" ".join(reasons)))
    return verdict
