"""Independent witnesses over what we seal: xmlsec1 on the signatures, lxml's schema validation on the file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from schemas.pes.sample import Sample, write_sample
from schemas.pes.versions import SchemaSets
from signing.keys import Pkcs12Signer
from signing.pes.envelope import SealContext
from signing.pes.examination import examine
from signing.pes.seal import seal
from signing.pki import TestAuthority
from signing.trust import TrustStore

XMLSEC = shutil.which("xmlsec1")
ALLER = "http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller"

needs_xmlsec = pytest.mark.skipif(XMLSEC is None, reason="xmlsec1 is not installed")


def witness(path: Path, rank: int, anchor: Path) -> str:
    """Have xmlsec1 verify one signature, its chain included."""
    identifiers = ["Bordereau", f"{ALLER}:PES_Aller"]
    identifiers += [f"http://uri.etsi.org/01903/v{version}#:SignedProperties" for version in ("1.1.1", "1.2.2")]
    command = [str(XMLSEC), "--verify", "--enabled-reference-uris", "empty,same-doc", "--trusted-pem", str(anchor)]
    for identifier in identifiers:
        command += ["--id-attr:Id", identifier]
    command += ["--node-xpath", f"(//*[local-name()='Signature'])[{rank}]", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@needs_xmlsec
@pytest.mark.parametrize("family", ["rsa", "ec"])
@pytest.mark.parametrize("xades", ["1.1.1", "1.2.2"])
@pytest.mark.parametrize("whole", [False, True])
def test_xmlsec1_accepts_what_we_seal(authority: TestAuthority, tmp_path: Path, family: str, xades: str, whole: bool) -> None:
    credential = authority.seal(family=family, bits=256 if family == "ec" else 2048)
    signer = Pkcs12Signer.load(credential.as_pkcs12("x"), "x")
    source, target, anchor = tmp_path / "flow.xml", tmp_path / "sealed.xml", tmp_path / "anchor.pem"
    anchor.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    write_sample(Sample("WITNESS", bordereaux=2, dematerialised=False), source)
    seal(source, target, signer, SealContext(role="Maire délégué", city="Évry", postal_code="1", xades=xades, whole=whole))
    for rank in [1] if whole else [1, 2]:
        answer = witness(target, rank, anchor)
        assert answer.startswith("OK"), answer
        assert "(ok/all): 2/2" in answer


@needs_xmlsec
def test_xmlsec1_refuses_what_was_changed_afterwards(sealed: Path, authority: TestAuthority, tmp_path: Path) -> None:
    anchor, forged = tmp_path / "anchor.pem", tmp_path / "forged.xml"
    anchor.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    forged.write_bytes(sealed.read_bytes().replace(b'<IdBord V="101"/>', b'<IdBord V="103"/>'))
    assert not witness(forged, 1, anchor).startswith("OK")


@pytest.mark.parametrize("whole", [False, True])
def test_a_sealed_flow_passes_every_rule(
    flow: Path, tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, whole: bool
) -> None:
    target = tmp_path / "sealed.xml"
    seal(flow, target, signer, SealContext(role="Maire", city="Saint-Exemple", postal_code="99000", whole=whole))
    _, report = examine(target, schemas=SchemaSets(None), trust=trust)
    assert report.problems == []


@pytest.mark.parametrize("xades", ["1.1.1", "1.2.2"])
def test_a_sealed_flow_is_valid_against_the_official_schema(
    shared: Path, flow: Path, tmp_path: Path, signer: Pkcs12Signer, xades: str
) -> None:
    target = tmp_path / "sealed.xml"
    seal(flow, target, signer, SealContext(role="Maire", city="Saint-Exemple", postal_code="99000", xades=xades))
    official = shared / "official/pes/schemas_pes_v5.17/PES_V2/Rev0/PES_Aller.xsd"
    schema = etree.XMLSchema(etree.parse(official))
    assert schema.validate(etree.parse(target)), schema.error_log


@pytest.mark.parametrize(
    "name", ["pastell_ancien_pes_aller.xml", "pastell_PES_ex_minimal.xml", "dep_2bordereaux_pj_nonsigne_demat0.xml"]
)
def test_files_of_the_field_can_be_sealed(
    shared: Path, name: str, tmp_path: Path, signer: Pkcs12Signer, context: SealContext
) -> None:
    target = tmp_path / name
    verdict = seal(shared / "corpus/pes" / name, target, signer, context)
    assert all(signature.intact for signature in verdict.signatures)
    assert target.stat().st_size > (shared / "corpus/pes" / name).stat().st_size
