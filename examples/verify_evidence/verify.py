"""Verify an evidence file offline: ``verify.py FILE [--trust FOLDER]``; exit status 0 only when every link holds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from archive.proof.verification import EvidenceVerdict, verify_evidence
from core.messages import speaking
from signing.trust import TrustStore


def main() -> int:
    """Print each link of the chain and the verdict."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--trust", type=Path, help="folder of the authorities that are believed")
    asked = arguments.parse_args()
    with speaking("en"):
        report = verify_evidence(asked.file, trust=TrustStore.from_folder(asked.trust) if asked.trust else None)
    for check in report.checks:
        print(f"{check.state.value:8} {check.name:10} {check.message}")
    print(report.verdict.value, report.facts.get("stamped", ""))
    return 0 if report.verdict is EvidenceVerdict.VALID else 1


if __name__ == "__main__":
    sys.exit(main())
