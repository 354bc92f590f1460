"""Signing and verifying a PES beside ``xmlsec1``, and its schema beside ``xmllint``, in the same run on the same files.

Ours is the work in a process that is warm, as a worker's; theirs is a process, which is all that they offer.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from schemas.pes.sample import Sample, write_sample
from signing.keys import Pkcs12Signer
from signing.pes.envelope import SealContext
from signing.pes.seal import seal
from signing.pki import TestAuthority

PES_ALLER = files("schemas.pes") / "PES_Aller.xsd"
SIZES = (1, 10, 100)
ROUNDS = 5
_ALLER = "http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller"
_XADES = "http://uri.etsi.org/01903/v1.2.2#"
_IDS = ("--id-attr:Id", "Bordereau", "--id-attr:Id", f"{_XADES}:SignedProperties", "--id-attr:Id", f"{_ALLER}:PES_Aller")
_VALUES = re.compile(rb"(<ds:(DigestValue|SignatureValue)[^>]*>)[^<]*(</ds:)")
_OURS = """
import sys, time
from pathlib import Path
from signing.keys import Pkcs12Signer
from signing.pes.envelope import SealContext
from signing.pes.seal import seal
from signing.pes.verifier import verify
from signing.trust import TrustStore
from schemas.pes.reader import read
from schemas.pes.versions import SchemaSets
deed, small, source, target, whole, anchors = sys.argv[1:7]
signer = Pkcs12Signer.load(Path(sys.argv[7]).read_bytes(), "x")
trust, context = TrustStore.from_folder(Path(anchors)), SealContext("Maire", "Valmorin", "99012", whole=whole == "True")
schemas = SchemaSets(None)
def work(path):
    if deed == "sign":
        seal(Path(path), Path(target), signer, context)
    elif deed == "schema":
        document = read(Path(path))
        if schemas.validate(document.tree, document.kind, document.path):
            raise SystemExit("not valid")
    elif verify(Path(path), trust=trust).verdict != "valid":
        raise SystemExit("not valid")
work(small)
started = time.perf_counter()
work(source)
seconds = time.perf_counter() - started
held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(seconds, int(held.split()[1]) * 1.024 / 1000)
"""
# A process counts the memory of the one that it was forked from: a small one stands between.
_LAUNCHER = """
import os, sys, time
started = time.perf_counter()
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - started, usage.ru_maxrss * 1.024 / 1000)
raise SystemExit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Row:
    """What one deed costs on one file: seconds and megabytes, ours and theirs, medians of the rounds."""

    deed: str
    covers: str
    megabytes: int
    seconds: float
    memory: float
    their_seconds: float
    their_memory: float

    @property
    def ratio(self) -> float:
        """Our time over theirs."""
        return self.seconds / self.their_seconds


def rows() -> Iterator[Row]:
    """Measure each deed on each file, ours and theirs turn about."""
    with tempfile.TemporaryDirectory(prefix="tabellion-bench-") as name:
        folder = Path(name)
        keys = _keys(folder)
        for whole in (False, True):
            small = _files(folder, keys, 0.01, whole=whole)
            for size in SIZES:
                written = _files(folder, keys, size, whole=whole)
                yield _row("sign", size, written, small, keys, _xmlsec("--sign", keys, written.template))
                yield _row("verify", size, written, small, keys, _xmlsec("--verify", keys, written.signed))
                if not whole:
                    yield _row("schema", size, written, small, keys, _schema(written.signed))


@dataclass(frozen=True)
class _Keys:
    pkcs12: Path
    pem: Path
    anchors: Path


@dataclass(frozen=True)
class _Files:
    bare: Path
    signed: Path
    template: Path
    whole: bool


def _keys(folder: Path) -> _Keys:
    authority = TestAuthority.create()
    credential = authority.seal(bits=2048)
    keys = _Keys(folder / "key.p12", folder / "key.pem", folder / "anchors")
    keys.pkcs12.write_bytes(credential.as_pkcs12("x"))
    keys.pem.write_bytes(credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    keys.anchors.mkdir()
    (keys.anchors / "root.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    return keys


def _files(folder: Path, keys: _Keys, megabytes: float, *, whole: bool) -> _Files:
    """Write a PES, the same signed, and the same with its signature emptied, as xmlsec1 wants it."""
    bare, signed, template = (folder / f"{kind}-{megabytes}-{whole}.xml" for kind in ("bare", "signed", "template"))
    files = _Files(bare, signed, template, whole)
    write_sample(Sample("PES_BENCH", attachment_size=int(megabytes * 735_000)), files.bare)
    context = SealContext("Maire", "Valmorin", "99012")
    seal(files.bare, files.signed, Pkcs12Signer.load(keys.pkcs12.read_bytes(), "x"), replace(context, whole=whole))
    files.template.write_bytes(_VALUES.sub(rb"\1\3", files.signed.read_bytes()))
    return files


def _xmlsec(deed: str, keys: _Keys, path: Path) -> list[str]:
    key = ["--privkey-pem", str(keys.pem), "--output", str(path.with_suffix(".out"))]
    trusted = ["--trusted-pem", str(keys.anchors / "root.pem"), "--enabled-key-data", "x509"]
    references = ["--enabled-reference-uris", "empty,same-doc"]
    return ["xmlsec1", deed, *_IDS, *references, *(key if deed == "--sign" else trusted), str(path)]


def _schema(path: Path) -> list[str]:
    return ["xmllint", "--noout", "--huge", "--schema", str(PES_ALLER), str(path)]


def _row(deed: str, size: int, files: _Files, small: _Files, keys: _Keys, theirs: list[str]) -> Row:
    source, warm = (files.bare, small.bare) if deed == "sign" else (files.signed, small.signed)
    arguments = (warm, source, source.with_suffix(".out"), files.whole, keys.anchors, keys.pkcs12)
    ours = [sys.executable, "-c", _OURS, deed, *map(str, arguments)]
    rounds = [(*_figures(ours), *_theirs(theirs)) for _ in range(ROUNDS)]
    medians = [statistics.median(values) for values in zip(*rounds, strict=True)]
    return Row(deed, "the whole" if files.whole else "its bordereau", size, *medians)


def _theirs(command: list[str]) -> tuple[float, float]:
    """Run a program; return its seconds from start to end and the most memory that it held, in megabytes."""
    return _figures([sys.executable, "-S", "-E", "-c", _LAUNCHER, *command])


def _figures(command: list[str]) -> tuple[float, float]:
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    seconds, memory = ran.stdout.split()[-2:]
    return float(seconds), float(memory)
