"""Proofs of the journal by command line and API: consistency, another hash, evidence records, all verified offline."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from api import runtime
from api.cli import archive_proof, evidence
from api.cli.main import app
from archive.package import Package
from archive.proof import heads, segments
from archive.proof.ers import stamping
from core.platform import Platform
from core.s3_server import S3Server
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.archive_samples import authority, files, package
from tests.integration.api.acts_forms import token
from tests.integration.api.service import PASSWORD, Service, web_service
from tests.journals import cut, sealed, write_entries

__all__ = ["authority", "files", "package"]


@pytest.fixture
def served(
    s3: S3Server, tmp_path: Path, authority: Callable[[str], TsaSimulator], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    tsa = authority("tsa")
    trusted = tmp_path / "trust"
    trusted.mkdir()
    (trusted / "tsa.pem").write_bytes(tsa.anchor.public_bytes(Encoding.PEM))
    with web_service(s3, tmp_path, tsa_url=tsa.url, trust_dir=trusted) as service:
        for room in (archive_proof, evidence):
            monkeypatch.setattr(room, "operators_platform", lambda: service.platform)
        yield service


@pytest.fixture
def stamps(authority: Callable[[str], TsaSimulator]) -> TimestampClient:
    tsa = authority("tsa")
    return TimestampClient(AuthoritySettings(urls=[tsa.url]), TrustStore.of([tsa.anchor]))


def run(*arguments: str | Path, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["archive", *map(str, arguments)])
    assert done.exit_code == status, (done.output, done.exception)
    return done.output


def told(*arguments: str | Path, status: int = 0) -> dict[str, object]:
    found: dict[str, object] = json.loads(run(*arguments, "--json", status=status).splitlines()[-1])
    return found


def test_heads_are_listed_by_page_and_the_proof_between_two_is_downloaded_and_verified(
    served: Service, stamps: TimestampClient, tmp_path: Path
) -> None:
    platform, organisation = served.platform, served.mairie.organisation
    sizes = [cut(platform, organisation.id, 2, stamps) for _ in range(3)]
    segments.copy_due(platform, limit=2)
    with served.client(served.syndicat.reader_token) as client:
        first = client.get("/v1/journal/heads", params={"limit": 2}).json()
        second = client.get("/v1/journal/heads", params={"limit": 2, "before": first["next"]}).json()
        asked = client.get("/v1/journal/consistency", params={"first": sizes[0], "second": sizes[2]})
        absent = client.get("/v1/journal/consistency", params={"first": 1, "second": sizes[2]})
        wrong = client.get("/v1/journal/consistency", params={"first": sizes[2], "second": sizes[0]})
    assert [head["size"] for head in first["heads"] + second["heads"]] == sizes[::-1]
    assert [(page["total"], page["total_exact"]) for page in (first, second)] == [(3, True)] * 2
    assert [head["copied"] for head in first["heads"] + second["heads"]] == [False, True, True]
    assert second["next"] is None
    assert {head["hash"] for head in first["heads"]} == {"SHA-256"}
    assert (asked.status_code, absent.status_code, wrong.status_code) == (200, 404, 400)
    with served.client() as client:
        assert client.get("/v1/journal/heads").status_code == 401
    proof, trust = tmp_path / "api.zip", tmp_path / "trust"
    proof.write_bytes(asked.content)
    run("consistency", str(sizes[0]), str(sizes[2]), "-o", tmp_path / "cli.zip")
    assert (tmp_path / "cli.zip").read_bytes() == asked.content
    assert told("verify", proof, "--trust", trust)["verdict"] == "valid"
    assert told("verify", proof, status=1)["verdict"] == "indeterminate"


def test_a_record_is_sealed_anew_and_its_proofs_old_and_new_are_verified_by_one_command(
    served: Service, stamps: TimestampClient, package: Package, tmp_path: Path
) -> None:
    platform, trust = served.platform, tmp_path / "trust"
    record = sealed(platform, served.mairie.organisation, package)
    assert heads.cut(platform, stamps) is not None
    run("evidence-record", record, "-o", tmp_path / "one.ers")
    assert told("reseal", "--algorithm", "SHA-512") == {"algorithm": "SHA-512", "resealed": 1, "faults": {}, "head": 5}
    assert told("reseal", "--algorithm", "SHA-512")["resealed"] == 0
    run("evidence-record", record, "-o", tmp_path / "two.ers")
    assert (tmp_path / "two.ers").stat().st_size > (tmp_path / "one.ers").stat().st_size
    for name in ("one.ers", "two.ers"):
        assert told("verify", tmp_path / name, "--package", package.path, "--trust", trust)["verdict"] == "valid"
    other = tmp_path / "other.zip"
    other.write_bytes(package.path.read_bytes() + b"\0")
    assert told("verify", tmp_path / "two.ers", "--package", other, "--trust", trust, status=1)["verdict"] == "invalid"
    for algorithm in ("SHA-256", "SHA-512"):
        run("prove", record, "--algorithm", algorithm, "-o", tmp_path / "e.zip")
        assert told("verify", tmp_path / "e.zip", "--trust", trust)["verdict"] == "valid"
    # What is sealed since gets its digest of the new hash at the next turn, and nothing is done twice.
    later = sealed(platform, served.mairie.organisation, package)
    assert told("renew") == {"begun": 2, "renewed": 0}
    assert told("renew") == {"begun": 0, "renewed": 0}
    assert heads.cut(platform, stamps) is not None
    run("prove", later, "-o", tmp_path / "e.zip")
    found = told("verify", tmp_path / "e.zip", "--trust", trust)
    assert "package_sha512" in str(found["facts"])


def test_the_proof_that_is_renewed_is_downloaded_by_software_and_from_the_page_of_the_record(
    served: Service, stamps: TimestampClient, package: Package, tmp_path: Path
) -> None:
    record = sealed(served.platform, served.mairie.organisation, package)
    address, page = f"/v1/records/{record}/evidence-record", f"/archives/{record}"
    link = f"{page}/enregistrement"
    with served.client(served.mairie.reader_token) as software, served.client() as person:
        form = {"csrf": token(person, "/connexion"), "email": served.mairie.email, "password": PASSWORD}
        person.post("/connexion", data=form)
        waiting = software.get(address)
        assert (waiting.status_code, "renouvellement" in waiting.text) == (503, True)
        assert link not in person.get(page).text
        stamping.begin(served.platform, stamps)
        given, shown = software.get(address), person.get(link)
        assert link in person.get(page).text
    assert given.content == shown.content
    assert given.headers["content-disposition"].startswith(f'attachment; filename="preuve-{record}.ers"')
    (tmp_path / "api.ers").write_bytes(given.content)
    found = told("verify", tmp_path / "api.ers", "--package", package.path, "--trust", tmp_path / "trust")
    assert found["verdict"] == "valid"
    with served.client(served.syndicat.depositor_token) as other:
        assert other.get(address).status_code in {403, 404}


def test_what_cannot_be_done_is_said_in_a_sentence(served: Service, package: Package, tmp_path: Path) -> None:
    for arguments in (
        ("evidence-record", "0" * 26, "-o", str(tmp_path / "x.ers")),
        ("reseal", "--algorithm", "MD5"),
        ("consistency", "1", "2", "-o", str(tmp_path / "x.zip")),
    ):
        done = CliRunner().invoke(app, ["archive", *arguments])
        assert done.exit_code != 0
        assert str(done.exception)
    (tmp_path / "x.ers").write_bytes(b"\x30\x03\x02\x01\x01")
    assert "--package" in str(CliRunner().invoke(app, ["archive", "verify", str(tmp_path / "x.ers")]).exception)
    write_entries(served.platform, served.mairie.organisation.id, 1)
    assert isinstance(served.platform, Platform)
    assert package.path.is_file()


def test_the_scheduled_runs_copy_the_journal_and_renew_proofs(served: Service, stamps: TimestampClient, package: Package) -> None:
    sealed(served.platform, served.mairie.organisation, package)
    cut(served.platform, served.mairie.organisation.id, 1, stamps)
    full = served.platform.settings.model_copy(update={"heads_dir": package.path / "heads"})  # below a file
    with pytest.raises(OSError, match="heads"):
        runtime._copy_journal(replace(served.platform, settings=full), "")
    assert [segment.head.size for segment in segments.read_segments(served.platform)] == [2]
    assert runtime.renew_proofs(served.platform) == (1, 0)
