"""Take the invoices that wait, once each, and say so: ``take.py TOKEN FOLDER``, the address in ``TABELLION_URL``."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

ADDRESS = urlsplit(os.environ.get("TABELLION_URL", "http://127.0.0.1:8000"))


def ask(token: str, path: str, said: Any = None) -> bytes:
    """Ask the API once; return the body of a good answer, end with the problem's own sentence otherwise."""
    kind = http.client.HTTPSConnection if ADDRESS.scheme == "https" else http.client.HTTPConnection
    connection = kind(ADDRESS.hostname or "", ADDRESS.port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("GET" if said is None else "POST", path, None if said is None else json.dumps(said), headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        sys.exit(f"{answer.status}: {json.loads(body)['detail']}")
    return body


def waiting(token: str) -> Iterator[str]:
    """Yield the invoices that are to be taken, page by page."""
    cursor: str | None = ""
    while cursor is not None:
        page = json.loads(ask(token, f"/v1/invoices?handover=to_take&cursor={quote(cursor)}"))
        yield from (invoice["id"] for invoice in page["invoices"])
        cursor = page["next"]


def take(token: str, identifier: str, folder: Path) -> Path:
    """Write the files of an invoice into a folder of its delivery, whole or not at all; those that are dangerous stay there."""
    invoice = json.loads(ask(token, f"/v1/invoices/{identifier}"))
    target = folder / str(invoice["handover"]["delivery"])
    partial = target.with_suffix(".part")
    if target.exists():  # taken before; only its acknowledgement was lost
        return target
    partial.mkdir(parents=True, exist_ok=True)
    for rank, file in enumerate(one for one in invoice["files"] if one["current"]):
        if file["mark"]:
            print(f"  left there: {file['name']}: {file['danger']}")
            continue
        octets = ask(token, file["href"])
        if hashlib.sha256(octets).hexdigest() != file["sha256"]:
            sys.exit(f"altered on the way: {file['name']}")
        # The name is what a supplier wrote: never a path.
        (partial / f"{rank:02d}-{file['role']}{Path(file['name']).suffix[:6]}").write_bytes(octets)
    partial.rename(target)
    return target


def main() -> None:
    """Take what waits; run it again as often as you like."""
    token, folder = sys.argv[1], Path(sys.argv[2])
    for identifier in list(waiting(token)):
        target = take(token, identifier, folder)
        ask(token, f"/v1/invoices/{identifier}/acknowledgement", {"taken": True, "delivery": target.name})
        print(f"taken: {target.name}")


if __name__ == "__main__":
    main()
