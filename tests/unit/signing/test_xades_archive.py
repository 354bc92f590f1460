"""Archive timestamps of XAdES: what they prove, and what they are over, put together here as EN 319 132-1, 5.5.2.2 has it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from core import clock
from signing.algorithms import EXCLUSIVE_C14N
from signing.keys import Pkcs12Signer
from signing.pes import canonical
from signing.pki import Credential, TestAuthority
from signing.trust import TrustStore
from signing.verdicts import Belief, SignatureVerdict
from signing.xades.verifier import verify
from tests.timestamp_tokens import crafted
from tests.xades_samples import Element, enveloped, enveloping, signature_of, tag, written

XADES, ARCHIVE = "http://uri.etsi.org/01903/v1.3.2#", "http://uri.etsi.org/01903/v1.4.1#"
NOW = clock.now().replace(microsecond=0)
LATER = NOW + timedelta(days=4 * 365)
"""When the signer's certificate has expired, and the stamper's has not."""


@pytest.fixture(scope="module")
def stamper(authority: TestAuthority) -> Credential:
    return authority.timestamping()


def told(root: Element, text: str) -> None:
    """Put a property after the others that nobody signs."""
    qualifying = next(root.iter(f"{{{XADES}}}QualifyingProperties"))
    holder = qualifying.find(f".//{{{XADES}}}UnsignedSignatureProperties")
    if holder is None:
        unsigned = etree.SubElement(qualifying, f"{{{XADES}}}UnsignedProperties")
        holder = etree.SubElement(unsigned, f"{{{XADES}}}UnsignedSignatureProperties")
    holder.append(etree.fromstring(text))


def note(text: str) -> str:
    certificate = f"<x:EncapsulatedX509Certificate>{text}</x:EncapsulatedX509Certificate>"
    return f'<x:CertificateValues xmlns:x="{XADES}">{certificate}</x:CertificateValues>'


def over(root: Element, *, objects: bool = True) -> bytes:
    """What an archive timestamp put now would be over, in the exclusive form."""
    signature = signature_of(root)
    data = []
    if signature is root:
        data.append(canonical.octets(signature.findall(tag("Object"))[1]))
    else:
        with canonical.without(signature) as document:
            data.append(canonical.octets(document))
    named = [next(root.iter(f"{{{XADES}}}SignedProperties"))]
    named += [signature.find(tag(name)) for name in ("SignedInfo", "SignatureValue", "KeyInfo")]
    named += list(next(root.iter(f"{{{XADES}}}UnsignedSignatureProperties"), ()))
    named += signature.findall(tag("Object"))[1:] if objects else []
    return b"".join((*data, *map(canonical.octets, named)))


def archived(
    root: Element,
    stamper: Credential,
    *,
    octets: bytes | None = None,
    before: str = f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"/>',
    namespace: str = ARCHIVE,
) -> Element:
    """The signature with one more archive timestamp."""
    token = crafted(stamper, over(root) if octets is None else octets, NOW)
    inside = f"<x:EncapsulatedTimeStamp>{base64.b64encode(token).decode()}</x:EncapsulatedTimeStamp>"
    spaces = f'xmlns:a="{namespace}" xmlns:x="{XADES}" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'
    told(root, f"<a:ArchiveTimeStamp {spaces}>{before}{inside}</a:ArchiveTimeStamp>")
    return root


def judged(folder: Path, root: Element, trust: TrustStore) -> SignatureVerdict:
    (verdict,) = verify(written(folder / "archived.xml", root), trust=trust, at=LATER).signatures
    return verdict


def test_archive_timestamps_prove_when_a_signature_existed(
    tmp_path: Path, signer: Pkcs12Signer, stamper: Credential, trust: TrustStore
) -> None:
    root = enveloped(tmp_path, signer)
    assert judged(tmp_path, root, trust).verdict is Belief.INDETERMINATE
    told(root, note("AAAA"))
    archived(archived(root, stamper), stamper)
    told(root, note("BBBB"))  # what comes after it is none of its business
    found = judged(tmp_path, root, trust)
    assert (found.verdict, found.level) == (Belief.VALID, "T"), found.reasons
    assert [one.time for one in found.timestamps] == [NOW, NOW]


@pytest.mark.parametrize("objects", [True, False])
def test_a_signed_object_may_be_counted_twice_or_once(
    tmp_path: Path, signer: Pkcs12Signer, stamper: Credential, trust: TrustStore, objects: bool
) -> None:
    root = enveloping(tmp_path, signer)
    found = judged(tmp_path, archived(root, stamper, octets=over(root, objects=objects)), trust)
    assert found.verdict is Belief.VALID, found.reasons


def test_a_later_timestamp_saves_those_before_it_from_what_becomes_of_their_authority(
    tmp_path: Path, signer: Pkcs12Signer, authority: TestAuthority, stamper: Credential, trust: TrustStore
) -> None:
    first = authority.timestamping("DEMONSTRATION Horodatage perdu")
    lost = authority.revocations({first.certificate.serial_number: NOW + timedelta(days=100)}, at=LATER)
    known = TrustStore.of(trust.anchors, [lost])
    root = archived(enveloped(tmp_path, signer), first)
    assert judged(tmp_path, root, known).verdict is Belief.INDETERMINATE
    found = judged(tmp_path, archived(root, stamper), known)
    assert [one.proves for one in found.timestamps] == [True, True]
    assert found.verdict is Belief.VALID


def alter_property(root: Element) -> None:
    next(root.iter(f"{{{XADES}}}EncapsulatedX509Certificate")).text = "CCCC"


def slip_property_in(root: Element) -> None:
    told(root, note("CCCC"))
    holder = next(root.iter(f"{{{XADES}}}UnsignedSignatureProperties"))
    holder.insert(0, holder[-1])


@pytest.mark.parametrize("change", [alter_property, slip_property_in])
def test_a_timestamp_over_something_else_proves_nothing_and_harms_nobody(
    tmp_path: Path, signer: Pkcs12Signer, stamper: Credential, trust: TrustStore, change: Callable[[Element], None]
) -> None:
    root = enveloped(tmp_path, signer)
    told(root, note("AAAA"))
    archived(root, stamper)
    change(root)
    found = judged(tmp_path, root, trust)
    assert (found.verdict, found.intact, found.timestamps[0].valid) == (Belief.INDETERMINATE, True, False)
    assert any("horodatage d’archivage" in reason and "autres données" in reason for reason in found.reasons)


@pytest.mark.parametrize(("before", "namespace"), [("", XADES), ('<x:Include URI="#other"/>', ARCHIVE)])
def test_other_kinds_are_said_not_to_be_examined(
    tmp_path: Path, signer: Pkcs12Signer, stamper: Credential, trust: TrustStore, before: str, namespace: str
) -> None:
    found = judged(tmp_path, archived(enveloped(tmp_path, signer), stamper, before=before, namespace=namespace), trust)
    assert (found.verdict, found.timestamps) == (Belief.INDETERMINATE, ())
    assert any("autres horodatages" in reason for reason in found.reasons)
