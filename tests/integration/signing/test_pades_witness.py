"""An independent witness over the PDFs that we sign: pdfsig, of Poppler."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from signing.legs import sign
from signing.pades.seal import Level, Pades
from signing.pades.stamp import Place, Stamp
from signing.pades.verifier import verify
from signing.pki import TestAuthority
from signing.timestamp.client import TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import Evidence, TrustStore
from signing.verdicts import Belief
from tests.pades_documents import paper, signer_of, stamping

PDFSIG = shutil.which("pdfsig")
pytestmark = pytest.mark.skipif(PDFSIG is None, reason="pdfsig is not installed")


@pytest.fixture(scope="module")
def stamps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TsaSimulator, TimestampClient]]:
    with stamping(tmp_path_factory.mktemp("tsa")) as both:
        yield both


def witness(path: Path) -> list[dict[str, str]]:
    """What pdfsig says of each signature, its opinion on certificates aside."""
    done = subprocess.run([str(PDFSIG), "-nocert", str(path)], capture_output=True, text=True, timeout=60, check=False)
    print(done.stdout)  # noqa: T201 - for whoever runs it with -rP
    blocks = re.split(r"^Signature #\d+:$", done.stdout, flags=re.MULTILINE)[1:]
    return [dict(re.findall(r"^  - ([^:\n]+): ?(.*)$", block, re.MULTILINE)) | {"all": block} for block in blocks]


@pytest.mark.parametrize("family", ["rsa", "ec"])
@pytest.mark.parametrize("level", ["B", "T", "LT", "LTA"])
@pytest.mark.parametrize("stamp", [None, Stamp(place=Place(1, 200, 700))])
def test_pdfsig_accepts_what_we_sign(
    authority: TestAuthority,
    stamps: tuple[TsaSimulator, TimestampClient],
    tmp_path: Path,
    level: Level,
    family: str,
    stamp: Stamp | None,
) -> None:
    simulator, client = stamps
    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    source.write_bytes(paper())
    evidence = Evidence((authority.certificate, simulator.anchor), (authority.revocations({}),))
    how = Pades(level=level, role="Maire déléguée", city="Évry", stamp=stamp, evidence=evidence)
    sign(how, source, target, signer_of(authority, family, 256 if family == "ec" else 2048), timestamps=client)
    first, *others = witness(target)
    assert first["Signature Validation"] == "Signature is Valid."
    assert (first["Signature Type"], first["Signing Hash Algorithm"]) == ("ETSI.CAdES.detached", "SHA-256")
    assert ("Not total document signed" in first["all"]) == (level in {"LT", "LTA"})
    assert len(others) == (level == "LTA")
    verdict = verify(target, trust=TrustStore.of([authority.certificate, simulator.anchor]))
    assert (verdict.verdict, verdict.signatures[0].level) == (Belief.VALID, level)


def test_pdfsig_accepts_both_of_two_signatures(authority: TestAuthority, tmp_path: Path) -> None:
    paths = [tmp_path / f"{rank}.pdf" for rank in range(3)]
    paths[0].write_bytes(paper())
    for rank, family in enumerate(("rsa", "ec")):
        how = Pades(stamp=Stamp(place=Place(1, 100, 100 + 100 * rank)))
        sign(how, paths[rank], paths[rank + 1], signer_of(authority, family, 256 if family == "ec" else 2048))
    first, second = witness(paths[2])
    assert first["Signature Validation"] == second["Signature Validation"] == "Signature is Valid."
    assert "Not total document signed" in first["all"]
    assert "Total document signed" in second["all"]


def test_pdfsig_refuses_what_was_changed_afterwards(authority: TestAuthority, tmp_path: Path) -> None:
    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    source.write_bytes(paper())
    sign(Pades(), source, target, signer_of(authority))
    target.write_bytes(target.read_bytes().replace(b"/Title (untitled)", b"/Title (unsigned)"))
    (found,) = witness(target)
    assert found["Signature Validation"] != "Signature is Valid."
    assert verify(target, trust=None).verdict is Belief.INVALID
