"""The report of an examination: what the package says, what was found in each file, and every problem, as a file of the dossier.

It is what the page of the transfer shows; bounded, for a transfer may hold a hundred thousand files.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from core import clock
from flows.transfers.examining import Examination
from schemas.seda.reader import Manifest, ManifestObject

NAME, SIGNATURES_NAME = "controle.json", "signatures.json"
MOST_LINES, MOST_PROBLEMS = 2000, 500


def write(examination: Examination, target: Path, at: datetime) -> None:
    """Write the report of an examination.

    Args:
        examination: what was found.
        target: the file.
        at: when it was looked.
    """
    manifest = examination.manifest
    told = {
        "at": clock.iso(at),
        "events": [event | {"at": clock.iso(at)} for event in _events(examination)],
        "problems": problems_of(examination),
        "problem_count": len(examination.problems),
        **(_contents(examination, manifest) if manifest else {}),
    }
    target.write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")


def claims(path: Path) -> dict[str, str]:
    """Return what the PDFs of a report say that they are, and what is known of that, by their paths in the package."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return {one["uri"]: one["claim"] for one in told.get("files", []) if one["claim"] and one["uri"]}


def write_signatures(examination: Examination, target: Path, at: datetime) -> None:
    """Write what was found of the signatures, each as ``tabellion verify --json`` tells it, with the moment that counts."""
    told = {"at": clock.iso(at), "files": [one.as_json() for one in examination.verified]}
    target.write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")


def problems_of(examination: Examination) -> list[dict[str, Any]]:
    """Return the problems as they are kept, those that refuse before those that warn."""
    ordered = sorted(examination.problems, key=lambda one: one.severity.value)
    return [one.as_json() for one in ordered[:MOST_PROBLEMS]]


def _contents(examination: Examination, manifest: Manifest) -> dict[str, Any]:
    return {
        "version": manifest.version,
        "identifier": manifest.identifier,
        "date": manifest.date,
        "agreement": manifest.agreement,
        "archival_agency": manifest.archival_agency,
        "transferring_agency": manifest.transferring_agency,
        "originating_agency": manifest.originating_agency,
        "units": [
            {"id": unit.identifier, "parent": unit.parent, "level": unit.level, "title": unit.title}
            for unit in manifest.units[:MOST_LINES]
        ],
        "unit_count": len(manifest.units),
        "files": [_file(examination, item) for item in manifest.objects[:MOST_LINES]],
        "file_count": len(manifest.objects),
    }


def _file(examination: Examination, item: ManifestObject) -> dict[str, Any]:
    uri = item.uri or ""
    found, checked = examination.found.get(uri), examination.checked.get(uri)
    signed = next((one for one in examination.verified if one.uri == uri), None)
    return {
        "id": item.identifier,
        "uri": item.uri,
        "name": item.filename,
        "size": examination.examined.sizes.get(uri),
        "algorithm": item.algorithm,
        "digest": item.digest,
        "declared": item.puid,
        "puids": list(found.puids) if found else [],
        "claim": found.claimed(checked) if found else "",
        **({"broken": list(checked.broken), "checked_by": checked.by} if checked else {}),
        "signature": signed.belief.value if signed else "",
    }


def _events(examination: Examination) -> list[dict[str, Any]]:
    """Return what was done, by the types of PREMIS events."""
    beliefs = Counter(one.belief.value for one in examination.verified)
    files = len(examination.found)
    events: list[dict[str, Any]] = [
        {"type": "unpacking", "count": len(examination.examined.sizes)},
        {"type": "message digest calculation", "count": len(examination.examined.sizes)},
        {"type": "validation", "count": len(examination.problems)},
        {"type": "format identification", "count": files},
    ]
    if examination.scanned:
        events.append({"type": "virus check", "count": files})
    if beliefs:
        events.append(
            {"type": "digital signature validation", "count": beliefs.total(), "outcomes": dict(sorted(beliefs.items()))}
        )
    return events
