"""The units of the deployment files, as systemd reads them; and what they must leave to those who read documents."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[3] / "deploy" / "systemd"
PROGRAM = "/opt/tabellion/.venv/bin/tabellion"
INSTANCES = {"tabellion-web@": "8001", "tabellion-worker@": "remote.helios"}
READERS = sorted(INSTANCES)


def said(unit: str, name: str) -> list[set[str]]:
    """What a unit says of a setting, each time that it does."""
    lines = (UNITS / f"{unit}.service").read_text(encoding="utf-8").splitlines()
    return [set(line.partition("=")[2].split()) for line in lines if line.startswith(f"{name}=")]


def test_systemd_finds_nothing_to_say_of_them(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: install the package systemd")
    written = []
    for unit in sorted(UNITS.iterdir()):
        name = unit.name.replace("@", f"@{INSTANCES.get(unit.stem, '')}")
        text = unit.read_text(encoding="utf-8").replace(PROGRAM, shutil.which("true") or "/bin/true")
        for file in {unit.name, name}:  # an instance is looked for beside its template
            (tmp_path / file).write_text(text, encoding="utf-8")
        written.append(str(tmp_path / name))
    done = subprocess.run(["systemd-analyze", "verify", *written], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", READERS)
def test_those_that_read_documents_permit_the_sandbox_what_it_asks_for(unit: str) -> None:
    assert said(unit, "RestrictNamespaces") == [{"user", "net"}]  # of unshare, in core/confinement.py
    (allowed,) = said(unit, "SystemCallFilter")
    assert {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"} <= allowed


@pytest.mark.parametrize("unit", READERS)
def test_what_is_being_read_is_not_cut_off_when_the_service_is_asked_to_end(unit: str) -> None:
    assert said(unit, "KillMode") == [{"mixed"}]


@pytest.mark.parametrize("unit", READERS)
def test_large_bodies_wait_on_a_disk(unit: str) -> None:
    assert {"TMPDIR=/var/tmp"} in said(unit, "Environment")
