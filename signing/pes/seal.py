"""Sealing a PES_Aller with XAdES-EPES, in two legs: *prepare* freezes all that is signed, *complete* puts the values in.

Between the two only octets travel: to a key in memory, a token, a remote service or a signatory's desk. All bytes of the file
outside the signatures, the flag InfoDematerialisee and the Ids that were missing stay as they were. The structure is that of the
DGFiP's policy; one signature per bordereau, or one over the whole file.

    AlreadySigned (Conflict)    nothing left to sign, or a signature over the whole is there
    SourceChanged (Conflict)    the file is no longer the one that was prepared
    NotSealable (UnreadableInput)  no PES_Aller, or an element that cannot carry a signature
    WrongValue (UsageError)     a value is missing, or is not that of the announced certificate
    UnsoundSeal                 what was written does not pass our own strict verification
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from cryptography import x509
from lxml import etree

from core import clock
from core.identifiers import new_id
from core.messages import Catalogue
from schemas import xml
from signing import legs
from signing.algorithms import METHODS, method_of, value_holds
from signing.keys import Signer, check_fit
from signing.pes import canonical, layout, stream
from signing.pes.bulk import Bulk
from signing.pes.edits import Edit, rewritten
from signing.pes.envelope import Envelope, SealContext, build
from signing.pes.layout import FLAG, is_true
from signing.pes.offsets import Block, Layout, Place, locate
from signing.pes.texts import long_texts
from signing.pes.verifier import verify
from signing.verdicts import Belief, FileVerdict

_messages = Catalogue("signing")
_ENCODINGS = {"iso-8859-1", "us-ascii", "utf-8"}
_NCNAME = re.compile(r"[A-Za-z_\u00c0-\u00ff][\w.\-]*", re.ASCII)
_FLAG_VALUE = re.compile(rb"\sV\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_LONGEST_TAG = 1 << 12


class AlreadySigned(legs.AlreadySigned):
    """Only one signature per element is allowed, and it is there."""


class SourceChanged(legs.SourceChanged):
    """The file is no longer the one that was prepared."""


class NotSealable(legs.NotSignable):
    """The file is no PES_Aller, or an element of it cannot carry a signature."""


class WrongValue(legs.WrongValue):
    """A signature value is missing, or is not that of the announced certificate."""


class UnsoundSeal(legs.UnsoundSignature):
    """What was written does not pass our own strict verification."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A signature that waits for its value.

    Attributes:
        identifier: Id of the signature.
        target: Id of the element that it signs.
        offset: where it goes in the source.
        envelope: the signature without its value; ``envelope.octets`` is what is to be signed.
    """

    identifier: str
    target: str
    offset: int
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file whose signatures wait for their values: plain values, fit to be kept for days.

    Attributes:
        source: the file.
        sha256: of the file.
        certificate: of the key that will sign.
        moment: the signing time that the signatures claim.
        edits: the other changes: flag, Ids.
        slots: the signatures; none when there is nothing to sign (a flow of attachments alone).
    """

    source: Path
    sha256: bytes
    certificate: x509.Certificate
    moment: datetime
    edits: tuple[Edit, ...]
    slots: tuple[Slot, ...]


def seal(source: Path, target: Path, signer: Signer, context: SealContext) -> FileVerdict:
    """Seal a file with a key at hand.

    Returns:
        What our strict verification says of the file written (trust aside); ``unsigned`` when there was nothing to sign, the file
        being then copied as it is.

    Raises:
        NotSealable, AlreadySigned, UnsoundSeal: see the module; KeyRefused for a certificate that must not sign.
    """
    prepared = prepare(source, signer.certificate, context)
    values = {slot.identifier: signer.sign(slot.envelope.octets) for slot in prepared.slots}
    return complete(prepared, values, target)


def prepare(source: Path, certificate: x509.Certificate, context: SealContext, *, moment: datetime | None = None) -> Prepared:
    """Freeze what will be signed.

    Bordereaux that are signed already are left alone. A file without any bordereau needs no signature, unless ``context.whole``
    asks for one.

    Args:
        source: a PES_Aller; its size is bounded by the caller.
        certificate: of the key that will sign.
        context: what the signatures say.
        moment: the signing time, now by default; cut to the second.

    Raises:
        NotSealable: no PES_Aller, an encoding or an Id that does not allow it.
        AlreadySigned: nothing left to sign.
        KeyRefused: the certificate must not sign.
    """
    moment = clock.as_utc(moment or clock.now()).replace(microsecond=0)
    check_fit(certificate, moment)
    places = locate(source, long_texts(source))
    bulk = Bulk.at(source, places)
    root = (xml.parse(source) if bulk is None else bulk.tree()).getroot()
    if root.tag != layout.ROOT:
        raise NotSealable(_messages("seal.not_pes"))
    if places.encoding.lower() not in _ENCODINGS:
        raise NotSealable(_messages("seal.encoding", found=places.encoding))
    targets = _targets(places, root, whole=context.whole)
    if not targets:
        return Prepared(source, _sha256(source), certificate, moment, (), ())
    touched = [block for block in places.blocks if any(target.block is None or target.block is block for target in targets)]
    edits = _raise_flags(source, touched, root) + _name_targets(targets, places.encoding, places.identifiers)
    digests = _digests(bulk, edits, targets)
    slots = tuple(_slot(target, digests[target.rank], places.identifiers, certificate, context, moment) for target in targets)
    return Prepared(source, _sha256(source), certificate, moment, tuple(edits), slots)


def complete(prepared: Prepared, values: Mapping[str, bytes], target: Path) -> FileVerdict:
    """Put the values in, write the file, and verify the bytes written.

    Args:
        prepared: by ``prepare``.
        values: raw signature values (RSA PKCS#1 v1.5, or ``r`` and ``s`` side by side) by identifier of the slot.
        target: where the sealed file goes; it appears whole, or not at all.

    Raises:
        WrongValue: a value is missing or is not that of the certificate.
        SourceChanged: the source is no longer the one that was prepared.
        UnsoundSeal: the strict verification says no.
    """
    method = METHODS[method_of(prepared.certificate)]
    edits = list(prepared.edits)
    for slot in prepared.slots:
        value = values.get(slot.identifier)
        if value is None:
            raise WrongValue(_messages("seal.missing", found=slot.target))
        if not value_holds(prepared.certificate, method, value, slot.envelope.octets):
            raise WrongValue(_messages("seal.value", found=slot.target))
        edits.append(Edit(slot.offset, 0, slot.envelope.filled(value)))
    draft = target.with_name(f".{target.name}.{new_id()}")
    try:
        read = hashlib.sha256()
        with draft.open("xb") as output:
            output.writelines(rewritten(prepared.source, edits, witness=read.update))
        if read.digest() != prepared.sha256:
            raise SourceChanged(_messages("seal.changed"))
        verdict = _sound(draft, prepared)
        draft.replace(target)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    return verdict


@dataclass(slots=True)
class _Target:
    """An element to sign: which one, where its bytes stand, the element itself, and the domain it is in (None for the root)."""

    rank: int
    place: Place
    element: etree._Element
    block: Block | None


def _targets(places: Layout, root: etree._Element, *, whole: bool) -> list[_Target]:
    """Return what there is to sign; the file and its tree name the bordereaux in the same order."""
    elements = [bordereau for domain in layout.domains(root) for bordereau in domain.bordereaux]
    found = [(block, place) for block in places.blocks for place in block.bordereaux]
    bordereaux = [
        _Target(rank, place, element, block)
        for rank, ((block, place), element) in enumerate(zip(found, elements, strict=True), start=1)
    ]
    signed = [target for target in bordereaux if target.place.signatures]
    chosen = [_Target(stream.WHOLE, places.root, root, None)] if whole else [other for other in bordereaux if other not in signed]
    if places.root.signatures or (signed and (whole or not chosen)):
        raise AlreadySigned(_messages("seal.signed"))
    for target in chosen:
        _refuse_unfit(target, places.identifiers)
    return chosen


def _refuse_unfit(target: _Target, identifiers: Counter[str]) -> None:
    place = target.place
    if place.close is None:
        raise NotSealable(_messages("seal.structure", line=place.line, found=place.name))
    if place.identifier is not None and (identifiers[place.identifier] != 1 or not _NCNAME.fullmatch(place.identifier)):
        raise NotSealable(_messages("seal.identifier", line=place.line, found=place.identifier))
    if target.block is None and target.element.xpath("boolean(/processing-instruction())"):
        raise NotSealable(_messages("seal.structure", line=place.line, found="processing-instruction"))


def _raise_flags(source: Path, blocks: list[Block], root: etree._Element) -> list[Edit]:
    """Set InfoDematerialisee to 1 in the header of each block, in the tree and as edits (domaine Hélios, XSD 5.17)."""
    edits = []
    domains = {domain.name: domain for domain in layout.domains(root)}
    for block in blocks:
        header = domains[block.name].element.find(f"{{*}}{layout.HEADERS[block.name]}")
        if block.header is None or block.header.close is None:
            line = 0 if block.header is None else block.header.line
            raise NotSealable(_messages("seal.structure", line=line, found=layout.HEADERS[block.name]))
        if block.flag is None:
            etree.SubElement(header, header.tag.replace(layout.HEADERS[block.name], FLAG), V="1")
            edits.append(Edit(block.header.close, 0, f'<{block.header.prefix}{FLAG} V="1"/>'.encode()))
        elif not is_true(block.flag.value):
            header.find(f"{{*}}{FLAG}").set("V", "1")
            edits.append(_flag_edit(source, block.flag))
    return edits


def _flag_edit(source: Path, flag: Place) -> Edit:
    with source.open("rb") as stream:
        stream.seek(flag.start)
        tag = stream.read(_LONGEST_TAG)
    found = _FLAG_VALUE.search(tag[: tag.find(b">")])
    if found is None:
        raise NotSealable(_messages("seal.structure", line=flag.line, found=FLAG))
    group = 1 if found[1] is not None else 2
    return Edit(flag.start + found.start(group), len(found[group]), b"1")


def _name_targets(targets: list[_Target], encoding: str, identifiers: Counter[str]) -> list[Edit]:
    """Give an Id to each target that has none, in the tree and as edits."""
    edits = []
    for rank, target in enumerate(targets, 1):
        place = target.place
        if place.identifier is not None:
            continue
        place.identifier = _free("PES_ALLER" if target.block is None else f"BRD_{rank}", identifiers)
        target.element.set("Id", place.identifier)
        offset = place.start + 1 + len(place.name.encode(encoding))
        edits.append(Edit(offset, 0, f' Id="{place.identifier}"'.encode()))
    return edits


def _sha256(source: Path) -> bytes:
    with source.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _digests(bulk: Bulk | None, edits: list[Edit], targets: list[_Target]) -> dict[int, bytes]:
    """Return the digest of each target by its rank, the edits counted in."""
    if bulk is not None:
        return bulk.digests({target.rank: "sha256" for target in targets}, edits)
    return {target.rank: canonical.digest(target.element, "sha256") for target in targets}


def _slot(
    target: _Target,
    digest: bytes,
    identifiers: Counter[str],
    certificate: x509.Certificate,
    context: SealContext,
    moment: datetime,
) -> Slot:
    name = str(target.place.identifier)
    identifier = _free(f"{name}_SIG_1", identifiers)
    envelope = build(identifier, name, digest, certificate, context, moment)
    return Slot(identifier, name, target.place.close or 0, envelope)


def _free(wanted: str, identifiers: Counter[str]) -> str:
    """Return an identifier that, like those derived from it, stands nowhere in the file, and take it."""
    for rank in count():
        name = f"{wanted}_{rank}" if rank else wanted
        if not any(identifiers[taken] for taken in (name, f"{name}_SP", f"{name}_SV")):
            identifiers[name] += 1
            return name
    raise AssertionError("count() does not end")


def _sound(draft: Path, prepared: Prepared) -> FileVerdict:
    verdict = verify(draft, trust=None, at=max(prepared.moment, clock.now()))
    ours = {"document", *(f"bordereau {slot.target}" for slot in prepared.slots)}
    sealed = [signature for signature in verdict.signatures if signature.intact and signature.covers in ours]
    if verdict.verdict is Belief.INVALID or len(sealed) < len(prepared.slots):
        reasons = [*verdict.reasons, *(reason for signature in verdict.signatures for reason in signature.reasons)]
        raise UnsoundSeal(_messages("seal.unsound", detail=" ".join(reasons)))
    return verdict
