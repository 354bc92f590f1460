"""Which certificates of a service a qualifier applies to (ETSI TS 119 612, 5.5.9.2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from lxml import etree

from signing.extensions import extension

TSL = "http://uri.etsi.org/02231/v2#"
EXTENSIONS = "http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#"
TYPES = "http://uri.etsi.org/02231/v2/additionaltypes#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"

_BITS = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "crlSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}
_TRUE = {"true": True, "1": True, "false": False, "0": False}
_DEEPEST = 8


class NotUnderstood(ValueError):
    """A part of a list that this reader does not know, so that nothing may be concluded from it."""


class Criterion(Protocol):
    """A condition on a certificate."""

    def matches(self, certificate: x509.Certificate) -> bool:
        """Tell whether a certificate meets the condition."""
        ...


@dataclass(frozen=True, slots=True)
class KeyUsageBits:
    """Bits of keyUsage, each with the value that it must have."""

    bits: tuple[tuple[str, bool], ...]

    def matches(self, certificate: x509.Certificate) -> bool:
        """Tell whether every bit has its value; without keyUsage nothing matches."""
        usage = extension(certificate, x509.KeyUsage)
        return usage is not None and all(_bit(usage, name) is value for name, value in self.bits)


@dataclass(frozen=True, slots=True)
class Policies:
    """Policy identifiers, dotted, all of which the certificate must carry."""

    wanted: frozenset[str]

    def matches(self, certificate: x509.Certificate) -> bool:
        """Tell whether certificatePolicies holds all of them."""
        return self.wanted <= policies_of(certificate)


@dataclass(frozen=True, slots=True)
class ExtendedUsages:
    """Purposes, dotted, all of which the certificate must carry."""

    wanted: frozenset[str]

    def matches(self, certificate: x509.Certificate) -> bool:
        """Tell whether extendedKeyUsage holds all of them."""
        usages = extension(certificate, x509.ExtendedKeyUsage) or ()
        return self.wanted <= {usage.dotted_string for usage in usages}


@dataclass(frozen=True, slots=True)
class SubjectAttributes:
    """Attribute types, dotted, all of which the subject's name must have."""

    wanted: frozenset[str]

    def matches(self, certificate: x509.Certificate) -> bool:
        """Tell whether the subject has all of them."""
        return self.wanted <= {attribute.oid.dotted_string for attribute in certificate.subject}


@dataclass(frozen=True, slots=True)
class Criteria:
    """Several conditions as one.

    Attributes:
        assertion: ``all``, ``atLeastOne`` or ``none`` of them.
        parts: the conditions; never empty.
    """

    assertion: str
    parts: tuple[Criterion, ...]

    def matches(self, certificate: x509.Certificate) -> bool:
        """Tell whether a certificate meets them as the assertion says."""
        met = [part.matches(certificate) for part in self.parts]
        return {"all": all(met), "atLeastOne": any(met), "none": not any(met)}[self.assertion]


def policies_of(certificate: x509.Certificate) -> set[str]:
    """Return the policy identifiers of a certificate, dotted."""
    policies = extension(certificate, x509.CertificatePolicies) or ()
    return {policy.policy_identifier.dotted_string for policy in policies}


def read_criteria(element: etree._Element, depth: int = 0) -> Criteria:
    """Read a CriteriaList.

    Raises:
        NotUnderstood: it holds a condition that is not known here, none at all, or nests deeper than eight times.
    """
    assertion = element.get("assert", "all")
    children = [child for child in element if isinstance(child.tag, str) and etree.QName(child).localname != "Description"]
    if depth > _DEEPEST or assertion not in {"all", "atLeastOne", "none"}:
        raise NotUnderstood("CriteriaList")
    parts = tuple(part for child in children for part in _parts(child, depth))
    if not parts:
        raise NotUnderstood("CriteriaList")
    return Criteria(assertion, parts)


def _parts(element: etree._Element, depth: int) -> list[Criterion]:
    tag = element.tag
    if tag == f"{{{EXTENSIONS}}}CriteriaList":
        return [read_criteria(element, depth + 1)]
    if tag == f"{{{EXTENSIONS}}}KeyUsage":
        return [KeyUsageBits(tuple(_named_bit(bit) for bit in element.iterchildren(f"{{{EXTENSIONS}}}KeyUsageBit")))]
    if tag == f"{{{EXTENSIONS}}}PolicySet":
        return [Policies(_identifiers(element))]
    if tag == f"{{{EXTENSIONS}}}otherCriteriaList":
        return [_other(child) for child in element if isinstance(child.tag, str)]
    raise NotUnderstood(str(etree.QName(element).localname))


def _other(element: etree._Element) -> Criterion:
    if element.tag == f"{{{TYPES}}}ExtendedKeyUsage":
        return ExtendedUsages(_identifiers(element))
    if element.tag == f"{{{TYPES}}}CertSubjectDNAttribute":
        return SubjectAttributes(_identifiers(element))
    raise NotUnderstood(str(etree.QName(element).localname))


def _identifiers(element: etree._Element) -> frozenset[str]:
    found = {(identifier.text or "").strip().removeprefix("urn:oid:") for identifier in element.iter(f"{{{XADES}}}Identifier")}
    if not found:
        raise NotUnderstood(str(etree.QName(element).localname))
    return frozenset(found)


def _named_bit(element: etree._Element) -> tuple[str, bool]:
    try:
        return _BITS[element.get("name", "")], _TRUE[(element.text or "").strip()]
    except KeyError as error:
        raise NotUnderstood("KeyUsageBit") from error


def _bit(usage: x509.KeyUsage, name: str) -> bool:
    try:
        return bool(getattr(usage, name))
    except ValueError:  # encipherOnly and decipherOnly mean nothing without keyAgreement
        return False
