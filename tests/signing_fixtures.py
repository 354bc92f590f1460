"""A throw-away authority, a seal that it issued, and a flow to sign."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.pes.sample import Sample, write_sample
from signing.keys import Pkcs12Signer
from signing.pes import texts
from signing.pes.bulk import Bulk
from signing.pes.envelope import SealContext
from signing.pes.offsets import locate
from signing.pes.seal import seal
from signing.pki import Credential, TestAuthority
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore


def read_as_bulk(patch: pytest.MonkeyPatch) -> None:
    """Read every file as those of mostly text are read, whatever its size, in small pieces."""
    patch.setattr(texts, "LARGE", 0)
    patch.setattr(texts, "SPARSE", 0)
    patch.setattr(texts, "PIECE", 48)
    patch.setattr(Bulk, "at", classmethod(lambda cls, path, places: cls(path, places.runs)))
    patch.setattr(Bulk, "of", classmethod(lambda cls, path: cls(path, locate(path, texts.long_texts(path)).runs)))


@pytest.fixture(params=["tree", "bulk"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is signed, read both ways: from the tree, and from the bytes as files of mostly text are."""
    if request.param == "bulk":
        read_as_bulk(monkeypatch)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TsaSimulator]:
    """An authority that puts timestamps over HTTP."""
    with TsaSimulator(tmp_path_factory.mktemp("tsa")) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def stamps(tsa: TsaSimulator) -> TimestampClient:
    """A client that believes it."""
    return TimestampClient(AuthoritySettings([tsa.url]), TrustStore.of([tsa.anchor]))


@pytest.fixture(scope="session")
def authority() -> TestAuthority:
    return TestAuthority.create()


@pytest.fixture(scope="session")
def credential(authority: TestAuthority) -> Credential:
    return authority.seal(bits=2048)


@pytest.fixture(scope="session")
def signer(credential: Credential) -> Pkcs12Signer:
    return Pkcs12Signer.load(credential.as_pkcs12("secret"), "secret")


@pytest.fixture(scope="session")
def trust(authority: TestAuthority) -> TrustStore:
    return TrustStore.of([authority.certificate])


@pytest.fixture(scope="session")
def context() -> SealContext:
    return SealContext(role="Maire délégué", city="Saint-Exemple", postal_code="99000")


@pytest.fixture(scope="session")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bordereaux and an attachment, not signed."""
    path = tmp_path_factory.mktemp("flow") / "flow.xml"
    write_sample(Sample("FLOW", bordereaux=2, pieces=2, dematerialised=False), path)
    return path


@pytest.fixture(scope="session")
def sealed(flow: Path, signer: Pkcs12Signer, context: SealContext) -> Path:
    """The same, each bordereau signed."""
    path = flow.with_name("sealed.xml")
    seal(flow, path, signer, context)
    return path
