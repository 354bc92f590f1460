"""Deposit a PES, follow it to its end, fetch its evidence: ``push.py TOKEN [FILE]``, the address in ``TABELLION_URL``."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

ADDRESS = urlsplit(os.environ.get("TABELLION_URL", "http://127.0.0.1:8000"))


def ask(token: str, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Ask the API once; return the status and the body of its answer."""
    kind = http.client.HTTPSConnection if ADDRESS.scheme == "https" else http.client.HTTPConnection
    connection = kind(ADDRESS.hostname or "", ADDRESS.port, timeout=60)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {token}", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def expect(answer: tuple[int, bytes], *good: int) -> Any:
    """Return the JSON of a good answer; end with the problem's own sentence otherwise."""
    status, body = answer
    if status not in good:
        sys.exit(f"{status}: {json.loads(body)['detail']}")
    return json.loads(body)


def push(token: str, file: Path) -> str:
    """Deposit a file and return its dossier; sent again, the same file gives the same dossier."""
    content = file.read_bytes()
    headers = {"Content-Type": "application/xml", "Idempotency-Key": hashlib.sha256(content).hexdigest()}
    return str(expect(ask(token, "POST", f"/v1/dossiers?name={quote(file.name)}", content, **headers), 200, 201)["id"])


def follow(token: str, dossier: str) -> dict[str, Any]:
    """Print each new entry of the timeline; return the dossier once it has ended or waits for an operator."""
    told = 0
    while True:
        shown: dict[str, Any] = expect(ask(token, "GET", f"/v1/dossiers/{dossier}"), 200)
        entries = expect(ask(token, "GET", f"/v1/dossiers/{dossier}/timeline"), 200)["entries"]
        for entry in entries[told:]:
            print(f"  {entry['at']}  {entry['label']}")
        told = len(entries)
        if shown["ended"] or shown["parked"]:
            return shown
        time.sleep(0.5)


def fetch_evidence(token: str, record: str, target: Path) -> None:
    """Write the evidence of a record; until a timestamp covers it the answer is 503."""
    while (answer := ask(token, "GET", f"/v1/records/{record}/evidence"))[0] == http.client.SERVICE_UNAVAILABLE:
        time.sleep(1)
    target.write_bytes(answer[1])


def main() -> None:
    """Push a file, or a fresh sample when none is named."""
    token, file = sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "exemple.xml")
    if len(sys.argv) == 2:
        from sample import write

        write(file)
    dossier = follow(token, push(token, file))
    print(f"{dossier['title']}: {dossier['label']}")
    for problem in dossier["problems"]:
        print(f"  {problem['rule']} {problem['message']} {problem.get('mend') or ''}")
    if dossier["record"]:
        fetch_evidence(token, dossier["record"], Path("preuve.zip"))
        print("The evidence is in preuve.zip.")


if __name__ == "__main__":
    main()
