"""What is found about the signatures of an XML document, a PES or any other, and the verdict that follows: the same for both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509
from lxml import etree

from signing.keys import name_of
from signing.pes.claims import Claims
from signing.pes.findings import Finding
from signing.pes.layout import Domain
from signing.standing import Standing
from signing.trust import TrustState
from signing.verdicts import Belief, FileVerdict, SignatureVerdict, TimestampVerdict, alterations, worst

_SAID_OTHERWISE = ("S04.timestamp", "S07.weak", "S13", "S14.usage", "S14.reserved", "S15")  # by the timestamps and the standing


@dataclass(slots=True)
class Inspected:
    """What was found about one signature.

    Attributes:
        element: the ds:Signature.
        covers: what it covers, by name, in the order of its references: ``document``, ``bordereau <Id>`` …
        whole: it covers the document that it stands in, as far as can be checked.
        intact: every digest and the value hold.
        plain: it has no XAdES properties.
        certificate: the signer's.
        claims: what its signed properties say.
        timestamps: those that it carries.
        standing: what is known of the certificate.
        findings: everything remarkable.
    """

    element: etree._Element
    covers: list[str] = field(default_factory=list)
    whole: bool = False
    intact: bool = False
    plain: bool = False
    certificate: x509.Certificate | None = None
    claims: Claims | None = None
    timestamps: tuple[TimestampVerdict, ...] = ()
    standing: Standing | None = None
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a document.

    Attributes:
        signatures: every one of them, in order.
        findings: what concerns the document as a whole.
        domains: the blocks of a PES; none in other documents.
    """

    signatures: tuple[Inspected, ...]
    findings: tuple[Finding, ...] = ()
    domains: tuple[Domain, ...] = ()


def verdict_of(
    inspection: Inspection, level: Callable[[Inspected], str | None], shown: Callable[[str], str] = str
) -> FileVerdict:
    """Return the verdict that follows from an inspection.

    Args:
        inspection: what was found.
        level: tells the level that a signature reaches.
        shown: says what to call what is covered.
    """
    if not inspection.signatures:
        return FileVerdict(Belief.UNSIGNED)
    signatures = tuple(_verdict(inspected, level(inspected), shown) for inspected in inspection.signatures)
    beliefs = [finding.belief for finding in inspection.findings if finding.belief is not None]
    return FileVerdict(
        verdict=worst([*beliefs, *(signature.verdict for signature in signatures)]),
        signatures=signatures,
        reasons=tuple(finding.message for finding in inspection.findings),
    )


def _verdict(inspected: Inspected, level: str | None, shown: Callable[[str], str]) -> SignatureVerdict:
    standing, claims = inspected.standing, inspected.claims
    altered = alterations(inspected.timestamps)
    beliefs = [finding.belief for finding in inspected.findings if finding.belief is not None]
    if standing is not None:
        beliefs.append(standing.belief)
    broken = not inspected.intact and inspected.certificate is not None  # without one, nothing tells
    if broken or not inspected.covers or altered:
        beliefs.append(Belief.INVALID)
    told = [finding.message for finding in inspected.findings if not finding.key.startswith(_SAID_OTHERWISE)]
    return SignatureVerdict(
        format="XMLDSig" if inspected.plain else "XAdES",
        level=level,
        signer=None if inspected.certificate is None else name_of(inspected.certificate),
        signing_time=None if claims is None else claims.signing_time,
        intact=inspected.intact,
        covers=", ".join(shown(name) for name in inspected.covers) or "nothing",
        trust=TrustState.UNKNOWN if standing is None else standing.state,
        timestamps=inspected.timestamps,
        verdict=worst(beliefs),
        reasons=(*told, *altered, *(standing.reasons if standing else ())),
        qualification=None if standing is None else standing.qualification,
    )
