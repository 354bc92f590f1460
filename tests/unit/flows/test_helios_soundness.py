"""What keeps a PES from leaving, whoever signed it: nobody did, a signature is not believed, or the DGFiP refuses it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from core import clock
from core.errors import NeedsOperator
from flows.helios.soundness import Signed, judge
from schemas import xml
from schemas.pes.sample import Sample, write_sample
from signing.keys import Pkcs12Signer
from signing.pes.envelope import SealContext
from signing.pes.layout import SIGNATURE
from signing.pes.seal import seal
from signing.pki import Credential, TestAuthority
from signing.verdicts import Belief
from tests.signing_fixtures import authority, context
from tests.timestamp_tokens import crafted

__all__ = ["authority", "context"]
Sealing = Callable[[Credential], Path]


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    write_sample(Sample("FLOW", bordereaux=2), tmp_path / "flow.xml")
    return tmp_path / "flow.xml"


@pytest.fixture
def sealed_by(flow: Path, context: SealContext) -> Sealing:
    def sealed(credential: Credential) -> Path:
        seal(flow, flow.with_name("sealed.xml"), Pkcs12Signer.load(credential.as_pkcs12("x"), "x"), context)
        return flow.with_name("sealed.xml")

    return sealed


@pytest.fixture
def trusted(tmp_path: Path, authority: TestAuthority) -> Path:
    folder = tmp_path / "trusted"
    folder.mkdir()
    (folder / "authority.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    return folder


@pytest.mark.parametrize("signed", Signed)
def test_what_an_authority_of_the_folder_vouches_for_leaves(
    signed: Signed, sealed_by: Sealing, authority: TestAuthority, trusted: Path
) -> None:
    assert judge(sealed_by(authority.seal(bits=2048)), trusted, signed).verdict is Belief.VALID


def test_where_authorities_are_not_judged_what_is_intact_leaves(sealed_by: Sealing, authority: TestAuthority) -> None:
    assert judge(sealed_by(authority.seal(bits=2048)), None, Signed.IN_A_PARAPHEUR).verdict is Belief.INDETERMINATE


def test_a_dematerialised_flow_that_nobody_signed_stays(flow: Path, trusted: Path) -> None:
    for signed in Signed:
        with pytest.raises(NeedsOperator, match=r"pas signé|aucune signature"):
            judge(flow, trusted, signed)


def test_a_flow_on_paper_leaves_unsigned_unless_somebody_was_asked_to_sign_it(tmp_path: Path) -> None:
    path = tmp_path / "paper.xml"
    write_sample(Sample("PAPER", dematerialised=False), path)
    assert judge(path, None, Signed.BEFORE).verdict is Belief.UNSIGNED
    with pytest.raises(NeedsOperator, match="aucune signature"):
        judge(path, None, Signed.IN_A_PARAPHEUR)


@pytest.mark.parametrize("flag", ["0", "1"])
def test_a_domain_on_paper_leaves_beside_one_that_is_signed(
    sealed_by: Sealing, authority: TestAuthority, trusted: Path, flag: str
) -> None:
    """The DGFiP takes it, and asks for the paper; ``verify`` goes on saying that nobody signed it."""
    path = sealed_by(authority.seal(bits=2048))
    tree = xml.parse(path)
    paper = (
        f'<PES_RecetteAller><EnTeteRecette><InfoDematerialisee V="{flag}"/></EnTeteRecette>'
        '<Bordereau><BlocBordereau><IdBord V="7"/></BlocBordereau></Bordereau></PES_RecetteAller>'
    )
    next(tree.getroot().iter("{*}PES_DepenseAller")).addnext(etree.fromstring(paper))
    tree.write(path, encoding="ISO-8859-1", xml_declaration=True)
    if flag == "0":
        verdict = judge(path, trusted, Signed.BEFORE)
        assert verdict.verdict is Belief.INVALID and "7" in verdict.reasons[0]
        return
    with pytest.raises(NeedsOperator, match="7"):
        judge(path, trusted, Signed.BEFORE)


@pytest.mark.parametrize("signed", Signed)
def test_a_certificate_that_was_revoked_signs_nothing_that_leaves(
    signed: Signed, sealed_by: Sealing, authority: TestAuthority, trusted: Path
) -> None:
    credential = authority.seal(bits=2048)
    day = clock.now() - timedelta(days=1)
    revoked = authority.revocations({credential.certificate.serial_number: day}, at=day)
    (trusted / "revoked.crl").write_bytes(revoked.public_bytes(Encoding.DER))
    with pytest.raises(NeedsOperator, match="révoqué"):
        judge(sealed_by(credential), trusted, signed)


@pytest.mark.parametrize("signed", Signed)
def test_an_authority_that_nobody_knows_vouches_for_nothing_that_leaves(
    signed: Signed, sealed_by: Sealing, trusted: Path
) -> None:
    with pytest.raises(NeedsOperator, match="autorité"):
        judge(sealed_by(TestAuthority.create(name="Inconnue").seal(bits=2048)), trusted, signed)


def test_a_key_that_the_dgfip_does_not_take_signs_nothing_that_leaves(
    sealed_by: Sealing, authority: TestAuthority, trusted: Path
) -> None:
    with pytest.raises(NeedsOperator, match="RSA"):
        judge(sealed_by(authority.seal(family="ec", bits=256)), trusted, Signed.IN_A_PARAPHEUR)


def test_a_timestamp_of_other_data_keeps_a_flow_from_leaving(sealed_by: Sealing, authority: TestAuthority, trusted: Path) -> None:
    path = sealed_by(authority.seal(bits=2048))
    tree = xml.parse(path)
    properties = next(tree.getroot().iter(SIGNATURE)).find(".//{*}QualifyingProperties")
    assert properties is not None
    moved = properties
    for name in ("UnsignedProperties", "UnsignedSignatureProperties", "SignatureTimeStamp", "EncapsulatedTimeStamp"):
        moved = etree.SubElement(moved, f"{{{etree.QName(properties).namespace}}}{name}")
    moved.text = base64.b64encode(crafted(authority.timestamping(), b"other data", clock.now())).decode()
    tree.write(path, encoding="ISO-8859-1", xml_declaration=True)
    with pytest.raises(NeedsOperator, match="horodat"):
        judge(path, trusted, Signed.BEFORE)


def test_of_many_faults_the_first_ones_are_told_each_once(tmp_path: Path, context: SealContext, authority: TestAuthority) -> None:
    path, target = tmp_path / "many.xml", tmp_path / "sealed.xml"
    write_sample(Sample("MANY", bordereaux=9), path)
    seal(path, target, Pkcs12Signer.load(authority.seal(bits=2048).as_pkcs12("x"), "x"), context)
    target.write_bytes(target.read_bytes().replace(b'<NbrPce V="1"/>', b'<NbrPce V="2"/>'))
    with pytest.raises(NeedsOperator) as stopped:
        judge(target, None, Signed.BEFORE)
    assert str(stopped.value).count("a été modifié") == 5
