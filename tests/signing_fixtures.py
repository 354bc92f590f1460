"""A throw-away authority, a seal that it issued, and a flow to sign."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.pes.sample import Sample, write_sample
from signing.keys import Pkcs12Signer
from signing.pes import bulk
from signing.pes.envelope import SealContext
from signing.pes.seal import seal
from signing.pki import Credential, TestAuthority
from signing.trust import TrustStore


@pytest.fixture(params=["tree", "stream"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is signed, read both ways: from the tree as small files are, from the bytes as large ones are."""
    if request.param == "stream":
        monkeypatch.setattr(bulk, "LARGE", 0)


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
