"""Trusted lists installed by an operator, with the real command; stale ones are told by the doctor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from tests.trust_samples import DAY, NOW, Holder, pointer, signed, trusted_list

TABELLION = Path(sys.executable).with_name("tabellion")
ROOT = Holder.root()
UNION = ROOT.issue("DEMONSTRATION Signataire de la liste des listes")
COUNTRY = ROOT.issue("DEMONSTRATION Signataire de la liste")


def install(trust: Path, data: bytes, *signers: Path) -> subprocess.CompletedProcess[str]:
    brought = trust.parent / "brought.xml"
    brought.write_bytes(data)
    options = [option for signer in signers for option in ("--signer", str(signer))]
    return subprocess.run(
        [str(TABELLION), "trust", "install", str(brought), *options],
        env={**os.environ, "TABELLION_TRUST_DIR": str(trust)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_list_of_lists_then_a_national_list_are_installed_and_a_strangers_is_not(tmp_path: Path) -> None:
    trust, signer = tmp_path / "trust", tmp_path / "union.pem"
    trust.mkdir()
    signer.write_bytes(UNION.certificate.public_bytes(Encoding.PEM))
    union = signed(trusted_list(territory="EU", pointers=[pointer("FR", COUNTRY.certificate)]), UNION)

    refused = install(trust, union)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Traceback" not in refused.stderr
    taken = install(trust, union, signer)
    assert taken.returncode == 0, taken.stderr
    assert "EU" in taken.stdout

    stale = signed(trusted_list(sequence=3, due=NOW - DAY), COUNTRY)
    taken = install(trust, stale)
    assert taken.returncode == 0, taken.stderr
    assert f"{NOW - DAY:%d/%m/%Y}" in taken.stdout

    strangers = install(trust, signed(trusted_list(sequence=4), ROOT.issue("DEMONSTRATION Inconnu")))
    assert strangers.returncode == 2
    assert len(list((trust / "trusted-lists").glob("*.xml"))) == 2

    other = install(trust, union, trust.parent / "brought.xml")
    assert other.returncode == 2
    assert "brought.xml" in other.stderr


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    trust, signer = tmp_path / "trust", tmp_path / "union.pem"
    trust.mkdir()
    (trust / "trusted-lists").write_bytes(b"")  # as root, who may write anywhere, has it
    signer.write_bytes(UNION.certificate.public_bytes(Encoding.PEM))
    refused = install(trust, signed(trusted_list(territory="EU"), UNION), signer)
    assert (refused.returncode, refused.stdout, "Traceback" in refused.stderr) == (3, "", False)
    assert "trusted-lists" in refused.stderr
