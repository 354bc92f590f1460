"""A Vitam for demonstrations and tests, as a server: HTTPS with client certificates, ingests that run for a while, replies.

As strict as the original where it is known to be: the tenant, the contract, the headers of an ingest, the digest of the manifest,
the files of the package. And as odd: the reply of a failed ingest is not valid against the schema of SEDA.

    python -m connectors.vitam.simulator --folder var/vitam --port 8443
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import io
import json
import tempfile
import threading
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from connectors.sae.simulated_http import Asked, Faults, Server, Told
from connectors.vitam.client import State, Status
from connectors.vitam.settings import VitamSettings
from connectors.vitam.simulated_certificates import Certificates
from connectors.vitam.simulated_messages import reply
from connectors.vitam.simulated_store import Kept, Store
from core import clock
from core.errors import UnreadableInput
from core.identifiers import new_id
from schemas.seda.nouns import Manifest
from schemas.seda.reader import read_manifest

TENANT, CONTRACT = 3, "CONTRAT-DEMONSTRATION"
_INGESTS, _OPERATIONS = "/ingest-external/v1/ingests", "/admin-external/v1/operations/"
_JOURNAL, _REPLY = "/access-external/v1/logbookoperations", "/archivetransferreply"
_CONTEXTS = {"DEFAULT_WORKFLOW", "BLANK_TEST", "FILING_SCHEME", "HOLDING_SCHEME"}
_ALGORITHMS = {"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


class VitamSimulator(Server):
    """A Vitam that listens on a port.

    Attributes:
        faults: what goes wrong with the next requests.
        verdict: how ingests of sound packages end from now on, and what is said with it.
        delay: seconds that an ingest runs; the journal has what its manifest says once they are over.
        cut: how many of the next packages come in part: the journal knows of them, and nothing runs.

    Example:
        >>> with VitamSimulator(folder) as vitam:
        ...     settings = vitam.settings()
    """

    def __init__(self, folder: Path, *, host: str = "127.0.0.1", port: int = 0, delay: float = 0) -> None:
        """Open the folder; nothing is answered before ``start``.

        Args:
            folder: all that it keeps; made when absent.
            host: address to listen on.
            port: TCP port; zero for a free one.
            delay: see above.
        """
        self.faults = Faults()
        self.verdict = (Status.OK, "")
        self.delay = delay
        self.cut = 0
        self._store = Store(folder)
        self._certificates = Certificates(folder / "certificates")
        super().__init__(self._answer, self.faults, host, port, self._certificates.serving())

    @property
    def received(self) -> int:
        """How many packages were received."""
        return self._store.count()

    def settings(self) -> VitamSettings:
        """Return how to reach it, with a client certificate that it takes."""
        return VitamSettings(
            address=self.url,
            authorities=self._certificates.authority,
            client_certificate=SecretStr(base64.b64encode(self._certificates.client("secret")).decode()),
            passphrase=SecretStr("secret"),
            tenant=TENANT,
            access_contract=CONTRACT,
        )

    def _answer(self, asked: Asked) -> Told:
        if asked.headers.get("x-tenant-id") != str(TENANT):
            return _error(412, "Tenant inconnu")
        if asked.path == _INGESTS and asked.method == "POST":
            return self._ingest(asked)
        if asked.headers.get("x-access-contract-id") != CONTRACT:
            return _error(401, "Contrat d’accès inconnu")
        if asked.path == _JOURNAL and asked.method == "POST" and asked.headers.get("x-http-method-override") == "GET":
            return self._search(asked)
        if asked.path.startswith(_OPERATIONS) and asked.method in {"GET", "HEAD"}:
            return self._operation(asked.path.removeprefix(_OPERATIONS))
        if asked.path.startswith(_INGESTS) and asked.path.endswith(_REPLY) and asked.method == "GET":
            return self._reply(asked.path.removeprefix(f"{_INGESTS}/").removesuffix(_REPLY))
        return _error(404, "Ressource inconnue")

    def _ingest(self, asked: Asked) -> Told:
        headers = asked.headers
        if headers.get("x-action") != "RESUME" or headers.get("x-context-id") not in _CONTEXTS:
            return _error(412, "X-Action ou X-Context-Id manquant")
        if headers.get("content-type") != "application/zip":
            return _error(415, "application/zip attendu")
        kept = self._examined(asked)
        if self.cut:
            self.cut, kept = self.cut - 1, replace(kept, status="", identifier="")
        self._store.keep(kept, asked.body)
        told = {"X-Request-Id": kept.operation, **_standing(State.RUNNING, Status.STARTED)}
        return Told(202, b'{"httpCode":202,"$results":[]}', headers=told)

    def _examined(self, asked: Asked) -> Kept:
        """Look at a package, as far as the workflow of Vitam would, and say how it ends."""
        operation = f"aeeaaaaaac{new_id().lower()}"
        status, outcome = self.verdict
        manifest: Manifest | None = None
        try:
            with zipfile.ZipFile(io.BytesIO(asked.body)) as zipped:
                manifest, flaw = _looked_into(zipped, asked)
        except (zipfile.BadZipFile, KeyError, UnreadableInput):
            flaw = "Le SIP est illisible, ou n’a pas de manifest.xml"
        if flaw:
            status, outcome = Status.KO, flaw
        return Kept(
            operation=operation,
            identifier=(manifest.identifier if manifest else None) or "",
            received=clock.iso(clock.now()),
            status=status.value,
            outcome=outcome,
            agencies=_agencies(manifest),
            units=tuple(unit.identifier for unit in manifest.units) if manifest else (),
            session=asked.headers.get("x-application-id", ""),
        )

    def _search(self, asked: Asked) -> Told:
        try:
            ((field, wanted),) = json.loads(asked.body)["$query"]["$eq"].items()
        except (ValueError, KeyError, TypeError, AttributeError):
            return _error(412, "Requête illisible")
        entries = [self._entry(kept) for kept in self._store.all()]
        results = [entry for entry in entries if wanted and entry.get(field) == wanted]
        return _json({"httpCode": 200, "$hits": {"total": len(results)}, "$results": results})

    def _entry(self, kept: Kept) -> dict[str, str | None]:
        """Return what the journal says of an ingest: of its manifest nothing before it was read."""
        was_read = kept.is_whole and self._state(kept)[0] is not State.RUNNING
        return {
            "evId": kept.operation,
            "evTypeProc": "INGEST",
            "evIdAppSession": kept.session or None,
            "obIdIn": kept.identifier if was_read else None,
        }

    def _operation(self, operation: str) -> Told:
        kept = self._store.known(operation)
        if kept is None or not kept.is_whole:
            return _error(404, "Opération inconnue")
        state, status = self._state(kept)
        told = {"operationId": kept.operation, "processType": "INGEST", "globalState": state.value, "stepStatus": status.value}
        return _json({"httpCode": 200, "$results": [told]}, _standing(state, status), 202 if state is State.RUNNING else 200)

    def _reply(self, operation: str) -> Told:
        kept = self._store.known(operation)
        if kept is None or not kept.is_whole or self._state(kept)[0] is not State.COMPLETED:
            return _error(404, "Pas encore de réponse")
        return Told(200, reply(kept), "application/octet-stream")

    def _state(self, kept: Kept) -> tuple[State, Status]:
        if clock.now() < clock.from_iso(kept.received) + timedelta(seconds=self.delay):
            return State.RUNNING, Status.STARTED
        status = Status(kept.status)
        return (State.PAUSE if status is Status.FATAL else State.COMPLETED), status


def _agencies(manifest: Manifest | None) -> tuple[str, str]:
    if manifest is None:
        return "-", "-"
    return manifest.archival_agency or "-", manifest.transferring_agency or "-"


def _looked_into(zipped: zipfile.ZipFile, asked: Asked) -> tuple[Manifest | None, str]:
    octets = zipped.read("manifest.xml")
    algorithm = _ALGORITHMS.get(asked.headers.get("x-manifest-digest-algo", ""))
    announced = asked.headers.get("x-manifest-digest-value", "")
    if algorithm is None or not hmac.compare_digest(hashlib.new(algorithm, octets).hexdigest().encode(), announced.encode()):
        return None, "L’empreinte du bordereau n’est pas celle annoncée"
    manifest = _read(octets)
    for item in manifest.objects:
        try:
            found = hashlib.sha256(zipped.read(item.uri or "")).hexdigest()
        except KeyError:
            return manifest, f"L’objet {item.uri} est absent du SIP"
        if found != item.digest:
            return manifest, f"L’empreinte de {item.uri} est fausse"
    return manifest, ""


def _read(octets: bytes) -> Manifest:

    with tempfile.NamedTemporaryFile(prefix="tabellion-") as file:
        file.write(octets)
        file.flush()
        return read_manifest(Path(file.name))


def _standing(state: State, status: Status) -> dict[str, str]:
    return {"X-Global-Execution-State": state.value, "X-Global-Execution-Status": status.value}


def _json(value: object, headers: dict[str, str] | None = None, status: int = 200) -> Told:
    return Told(status, json.dumps(value, ensure_ascii=False).encode(), headers=headers or {})


def _error(status: int, words: str) -> Told:
    return _json({"httpCode": status, "description": words}, status=status)


def main() -> None:
    """Run the simulator until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m connectors.vitam.simulator")
    parser.add_argument("--folder", type=Path, required=True, help="all that it keeps, its certificates with it")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--delay", type=float, default=5.0, help="seconds that an ingest runs")
    told = parser.parse_args()
    with VitamSimulator(told.folder, host=told.host, port=told.port, delay=told.delay):
        threading.Event().wait()


if __name__ == "__main__":
    main()
