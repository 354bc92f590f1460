"""OpenSSL verifies what we sign, and we verify what OpenSSL signs in each of its ways."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from signing.cades.seal import Cades
from signing.cades.verifier import verify
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pki import Credential, TestAuthority
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from signing.verdicts import Belief

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


@pytest.fixture
def folder(tmp_path: Path, authority: TestAuthority, tsa: TsaSimulator) -> Path:
    (tmp_path / "anchor.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "tsa.pem").write_bytes(tsa.anchor.public_bytes(Encoding.PEM))
    (tmp_path / "data").write_bytes(b"\x00\r\n" * 70_000)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(OPENSSL), *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("pem", [False, True])
@pytest.mark.parametrize("level", ["B", "T"])
@pytest.mark.parametrize(("family", "bits"), [("rsa", 2048), ("ec", 256), ("ec", 384)])
def test_openssl_takes_ours_for_cades(
    folder: Path, authority: TestAuthority, tsa: TsaSimulator, family: str, bits: int, level: str, pem: bool
) -> None:
    key = authority.seal(family=family, bits=bits)
    stamps = TimestampClient(AuthoritySettings([tsa.url]), TrustStore.of([tsa.anchor]))
    how = Cades(level="T" if level == "T" else "B", pem=pem, role="Maire", place="Saint-Exemple")
    ours = sign(how, folder / "data", folder / "data.p7s", Pkcs12Signer.load(key.as_pkcs12("x"), "x"), timestamps=stamps)
    verified = ("cms", "-verify", "-binary", "-purpose", "any", "-cades", "-CAfile", "anchor.pem", "-out", "/dev/null")
    opened = ("-inform", "PEM" if pem else "DER", "-in", "data.p7s")
    theirs = run(folder, *verified, *opened, "-content", "data")
    print(f"{family}-{bits} {level}: ours {ours.signatures[0].intact} | openssl {theirs.stderr.strip()}")  # noqa: T201 - the witness, beside ours
    assert theirs.returncode == 0, theirs.stderr
    (folder / "other").write_bytes(b"other")
    assert run(folder, *verified, *opened, "-content", "other").returncode != 0


def test_openssl_takes_our_timestamp_over_the_signature_value(folder: Path, signer: Pkcs12Signer, tsa: TsaSimulator) -> None:
    stamps = TimestampClient(AuthoritySettings([tsa.url]), TrustStore.of([tsa.anchor]))
    sign(Cades(level="T"), folder / "data", folder / "data.p7s", signer, timestamps=stamps)
    (info,) = cms.ContentInfo.load((folder / "data.p7s").read_bytes())["content"]["signer_infos"]
    (attribute,) = info["unsigned_attrs"]
    (folder / "value").write_bytes(info["signature"].native)
    (folder / "token").write_bytes(attribute["values"][0].dump())
    done = run(folder, "ts", "-verify", "-data", "value", "-in", "token", "-token_in", "-CAfile", "tsa.pem")
    print(f"timestamp: openssl {done.stdout.strip()}")  # noqa: T201 - the witness, beside ours
    assert "Verification: OK" in done.stdout, done.stderr


def credential_files(folder: Path, name: str, credential: Credential) -> tuple[str, ...]:
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{name}.key").write_bytes(key)
    (folder / f"{name}.crt").write_bytes(credential.certificate.public_bytes(Encoding.PEM))
    return ("-signer", f"{name}.crt", "-inkey", f"{name}.key")


PLAIN, ADVANCED = ("CMS", None), ("CAdES", "B")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ((), PLAIN),
        (("-cades",), ADVANCED),
        (("-cades", "-nodetach"), ADVANCED),
        (("-cades", "-nodetach", "-stream", "-indef"), ADVANCED),
        (("-cades", "-keyid"), ADVANCED),
        (("-cades", "-md", "sha384"), ADVANCED),
        (("-cades", "-md", "sha512", "-keyopt", "rsa_padding_mode:pss"), ADVANCED),
        (("-cades", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:20"), ADVANCED),
        (("-nosmimecap",), PLAIN),
    ],
    ids=lambda value: " ".join(filter(None, value)) or "plain",
)
@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_we_take_what_openssl_signs(
    folder: Path, credential: Credential, trust: TrustStore, options: tuple[str, ...], named: tuple[str, str | None], form: str
) -> None:
    signing = credential_files(folder, "one", credential)
    out = ("-in", "data", "-out", "made.p7s", "-outform", form)
    done = run(folder, "cms", "-sign", "-binary", *signing, *options, *out)
    assert done.returncode == 0, done.stderr
    inside = "-nodetach" in options
    verdict = verify(folder / "made.p7s", detached=None if inside else folder / "data", trust=trust)
    (signature,) = verdict.signatures
    assert verdict.verdict is Belief.VALID, signature.reasons
    assert (signature.format, signature.level) == named


def test_a_signature_of_openssl_without_attributes_is_a_plain_cms(
    folder: Path, credential: Credential, trust: TrustStore
) -> None:
    signing = credential_files(folder, "one", credential)
    out = ("-in", "data", "-out", "made.p7s", "-outform", "DER")
    assert run(folder, "cms", "-sign", "-binary", "-noattr", *signing, *out).returncode == 0
    verdict = verify(folder / "made.p7s", detached=folder / "data", trust=trust)
    assert (verdict.verdict, verdict.signatures[0].format) == (Belief.VALID, "CMS")
    assert "attributs signés" in verdict.signatures[0].reasons[0]


def test_several_signers_of_openssl_are_each_reported(
    folder: Path, authority: TestAuthority, credential: Credential, trust: TrustStore
) -> None:
    first = credential_files(folder, "one", credential)
    second = credential_files(folder, "two", authority.seal("DEMONSTRATION Second", family="ec", bits=256))
    out = ("-in", "data", "-out", "made.p7s", "-outform", "DER")
    assert run(folder, "cms", "-sign", "-binary", "-cades", *first, *out).returncode == 0
    again = ("-in", "made.p7s", "-inform", "DER", "-out", "both.p7s", "-outform", "DER", "-content", "data")
    done = run(folder, "cms", "-resign", "-binary", "-cades", *second, *again)
    assert done.returncode == 0, done.stderr
    verdict = verify(folder / "both.p7s", detached=folder / "data", trust=trust)
    assert verdict.verdict is Belief.VALID
    assert {signature.signer for signature in verdict.signatures} == {"DEMONSTRATION Cachet serveur", "DEMONSTRATION Second"}
