"""What is found about the signatures of an XML document."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509
from lxml import etree

from signing.pes.claims import Claims
from signing.pes.findings import Finding
from signing.standing import Standing
from signing.verdicts import TimestampVerdict


@dataclass(slots=True)
class Inspected:
    """What was found about one signature.

    Attributes:
        element: the ds:Signature.
        covers: what it covers, by name, in the order of its references.
        whole: it covers the document that it stands in, as far as can be checked.
        intact: every digest and the value hold.
        plain: it has no XAdES properties.
        certificate: the signer's.
        claims: what its signed properties say.
        timestamps: those over its value.
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
    """

    signatures: tuple[Inspected, ...]
    findings: tuple[Finding, ...]
