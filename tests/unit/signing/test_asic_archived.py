"""Containers whose signatures were archived: a timestamp over a manifest that names them tells when they existed."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core import clock
from signing.asic.container import ASIC_E, ASIC_S
from signing.asic.manifest import write_manifest
from signing.asic.seal import AsicE
from signing.asic.verifier import verify
from signing.cades.seal import Cades
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pki import TestAuthority
from signing.timestamp.client import TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustState, TrustStore
from signing.verdicts import Belief, FileVerdict
from signing.xades.seal import XadesDetached
from tests.cms_messages import Crafted, made
from tests.timestamp_tokens import crafted

ARCHIVE, TOKEN = "META-INF/ASiCArchiveManifest.xml", "META-INF/timestamp001.tst"
LATER = clock.now() + timedelta(days=400)
DATA = b"le registre du jour"


@dataclass(frozen=True)
class Archived:
    """A container whose signer's certificate ends tomorrow.

    Attributes:
        files: what it holds, its manifest and signature included.
        signature: name of the signature.
    """

    files: dict[str, bytes]
    signature: str


@pytest.fixture(params=["cades", "simple", "xades"])
def archived(request: pytest.FixtureRequest, tmp_path: Path, authority: TestAuthority) -> Archived:
    brief = authority.seal(bits=2048, end=clock.now() + timedelta(days=1))
    signer = Pkcs12Signer.load(brief.as_pkcs12("x"), "x")
    data, signed = tmp_path / "a.txt", tmp_path / "signed"
    data.write_bytes(DATA)
    if request.param == "cades":
        sign(AsicE(), zipped(tmp_path / "a.zip", {"a.txt": DATA}), signed, signer)
        return Archived(entries(signed), "META-INF/signature001.p7s")
    if request.param == "simple":
        sign(Cades(), data, signed, signer)
        name = "META-INF/signature.p7s"
        return Archived({"mimetype": ASIC_S.encode(), "a.txt": DATA, name: signed.read_bytes()}, name)
    sign(XadesDetached(file="a.txt"), data, signed, signer)
    name = "META-INF/signatures.xml"
    return Archived({"mimetype": ASIC_E.encode(), "a.txt": DATA, name: signed.read_bytes()}, name)


@pytest.fixture
def both(trust: TrustStore, tsa: TsaSimulator) -> TrustStore:
    return TrustStore.of([*trust.anchors, tsa.anchor])


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, octets in files.items():
            archive.writestr(name, octets)
    return path


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def stamped(files: dict[str, bytes], stamp: Callable[[bytes], bytes]) -> dict[str, bytes]:
    """The files, with a timestamp over a manifest of them."""
    manifest = write_manifest(TOKEN, {name: hashlib.sha256(data).digest() for name, data in files.items() if name != "mimetype"})
    return {**files, ARCHIVE: manifest, TOKEN: stamp(manifest)}


def judged(folder: Path, files: dict[str, bytes], trust: TrustStore) -> FileVerdict:
    return verify(zipped(folder / "archived.asice", files), trust=trust, at=LATER)


def by(stamps: TimestampClient) -> Callable[[bytes], bytes]:
    return lambda manifest: stamps.stamp(hashlib.sha256(manifest).digest()).token


def test_it_proves_that_the_signature_is_older_than_the_end_of_its_certificate(
    tmp_path: Path, archived: Archived, stamps: TimestampClient, both: TrustStore, trust: TrustStore
) -> None:
    assert judged(tmp_path, archived.files, both).verdict is Belief.INDETERMINATE
    files = stamped(archived.files, by(stamps))
    (signature,) = (verdict := judged(tmp_path, files, both)).signatures
    assert (verdict.verdict, signature.verdict, signature.level, signature.covers) == (
        Belief.VALID,
        Belief.VALID,
        "T",
        "document",
    )
    assert signature.timestamps[0].proves
    assert not signature.reasons or "horodatage" not in " ".join(signature.reasons)
    (doubted,) = judged(tmp_path, files, trust).signatures
    assert (doubted.verdict, doubted.trust) == (Belief.INDETERMINATE, TrustState.EXPIRED)


@pytest.mark.parametrize("which", ["manifest", "signature", "data"])
def test_what_was_changed_after_it_proves_nothing_and_spoils_the_container(
    tmp_path: Path, archived: Archived, stamps: TimestampClient, both: TrustStore, which: str
) -> None:
    files = stamped(archived.files, by(stamps))
    if which == "manifest":
        files[ARCHIVE] = files[ARCHIVE].replace(b"?>", b"?> ", 1)
    elif which == "signature":
        files = stamped({**archived.files, archived.signature: b"another"}, by(stamps)) | {
            archived.signature: files[archived.signature]
        }
    else:
        files["a.txt"] = b"autre chose"
    verdict = judged(tmp_path, files, both)
    assert verdict.verdict is Belief.INVALID
    assert not any(stamp.proves for one in verdict.signatures for stamp in one.timestamps)


def test_one_that_does_not_name_the_signature_proves_nothing_of_it(
    tmp_path: Path, archived: Archived, stamps: TimestampClient, both: TrustStore
) -> None:
    manifest = write_manifest(TOKEN, {"a.txt": hashlib.sha256(DATA).digest()})
    files = {**archived.files, ARCHIVE: manifest, TOKEN: by(stamps)(manifest)}
    assert judged(tmp_path, files, both).verdict is Belief.INDETERMINATE


def test_one_by_sha1_on_the_way_proves_nothing(
    tmp_path: Path, archived: Archived, authority: TestAuthority, trust: TrustStore
) -> None:
    stamper = authority.timestamping()
    digests = {name: hashlib.sha1(data).digest() for name, data in archived.files.items() if name != "mimetype"}
    manifest = write_manifest(TOKEN, digests)
    manifest = manifest.replace(b"http://www.w3.org/2001/04/xmlenc#sha256", b"http://www.w3.org/2000/09/xmldsig#sha1")
    files = {**archived.files, ARCHIVE: manifest, TOKEN: crafted(stamper, manifest, clock.now())}
    (signature,) = judged(tmp_path, files, trust).signatures
    assert (signature.verdict, signature.timestamps[0].proves) == (Belief.INDETERMINATE, False)


def test_an_old_signature_over_sha1_is_believed_when_it_was_archived_then(tmp_path: Path) -> None:
    ancient = TestAuthority.create("DEMONSTRATION Ancienne racine", at=datetime(2014, 1, 1, tzinfo=UTC))
    moment = datetime(2015, 6, 1, tzinfo=UTC)
    signature = made(Crafted(ancient.seal(bits=2048), hash_name="sha1", moment=moment, over=DATA))
    files = {"mimetype": ASIC_S.encode(), "a.txt": DATA, "META-INF/signature.p7s": signature}
    trust, stamper = TrustStore.of([ancient.certificate]), ancient.timestamping()
    path = tmp_path / "old.asics"
    at = datetime(2016, 1, 1, tzinfo=UTC)
    assert verify(zipped(path, files), trust=trust, at=at).verdict is Belief.INDETERMINATE
    archived = stamped(files, lambda manifest: crafted(stamper, manifest, moment + timedelta(days=1)))
    assert verify(zipped(path, archived), trust=trust, at=at).verdict is Belief.VALID
