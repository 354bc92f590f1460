"""What other programs say of a signed file: xmlsec1, poppler's pdfsig, OpenSSL. None of them is an oracle for the verdict:
each answers a narrower question than ours, and each accepts something that must be refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Literal

from lxml import etree

from schemas import xml
from signing.verification import Kind, recognise

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = [f"http://uri.etsi.org/01903/v{version}#" for version in ("1.1.1", "1.2.2", "1.3.2")]
Answer = Literal["yes", "no", "cannot"]
_NOT_IN_XMLSEC_1_2 = "2007/05/xmldsig-more"  # the signature methods with RSA-PSS


@dataclass(frozen=True)
class Heard:
    """What a program says: the signatures hold, they do not, or it cannot tell."""

    program: str
    answer: Answer
    words: str


@dataclass(frozen=True)
class Setting:
    """What a verification starts from: the data, who is believed, the day."""

    detached: Path | None
    trust: Path | None
    at: str | None
    scratch: Path

    @property
    def noon(self) -> datetime:
        day = datetime.fromisoformat(self.at) if self.at else datetime.now(UTC)
        return datetime.combine(day, time(12), UTC)

    @property
    def authorities(self) -> Path:
        """Every certificate of the trust folder in one PEM; the certificates that are no anchors are left to path building."""
        bundle = self.scratch / "authorities.pem"
        found = [path.read_text() for path in sorted(self.trust.iterdir()) if _is_certificate(path)] if self.trust else []
        bundle.write_text("\n".join(found))
        return bundle


def ask(path: Path, setting: Setting) -> Heard:
    """Ask the program that knows the kind of a file."""
    kind = recognise(path)
    asked = {Kind.PDF: pdfsig, Kind.PES: xmlsec, Kind.XML: xmlsec, Kind.CMS: openssl_cms, Kind.TIMESTAMP: openssl_ts}
    if kind not in asked:
        return Heard("-", "cannot", "no program")
    return asked[kind](path, setting)


def xmlsec(path: Path, setting: Setting) -> Heard:
    """Have xmlsec1 verify each signature, one call each; nothing is fetched."""
    root = xml.parse(path).getroot()
    signatures = list(root.iter(f"{{{DS}}}Signature"))
    if not signatures:
        return Heard("xmlsec1", "cannot", "no signature")
    text = etree.tostring(root)
    if _NOT_IN_XMLSEC_1_2.encode() in text:
        return Heard("xmlsec1", "cannot", "RSA-PSS")
    if any(reference.get("URI") is None for reference in root.iter(f"{{{DS}}}Reference")):
        return Heard("xmlsec1", "cannot", "a reference without URI")
    command = [
        "xmlsec1",
        "--verify",
        "--enabled-reference-uris",
        "empty,same-doc",
        "--verification-time",
        f"{setting.noon:%F %T}",
    ]
    for certificate in _pems(setting.authorities, setting.scratch):
        command += ["--trusted-pem", str(certificate)]
    for tag in {
        f"{etree.QName(element).namespace}:{etree.QName(element).localname}".removeprefix("None:")
        for element in root.iter("*")
        if element.get("Id") is not None
    }:
        command += ["--id-attr:Id", tag]
    said = [
        _run([*command, "--node-xpath", f"(//*[local-name()='Signature'])[{rank}]", str(path)])
        for rank in range(1, len(signatures) + 1)
    ]
    good = sum(answer.startswith("OK") for _, answer in said)
    reasons = {found[1] for _, answer in said for found in [re.search(r"msg=([^\n;]+)", answer)] if found}
    return Heard("xmlsec1", "yes" if good == len(said) else "no", f"{good}/{len(said)} {' '.join(sorted(reasons))}"[:60])


def pdfsig(path: Path, _setting: Setting) -> Heard:
    """Have poppler look at each signature; it knows none of our authorities, and does not look at timestamps of documents."""
    _, said = _run(["pdfsig", "-nocert", str(path)])
    answers = re.findall(r"Signature Validation: (.+)", said)
    if not answers:
        return Heard("pdfsig", "cannot", said.strip().splitlines()[-1][-60:] if said.strip() else "nothing")
    told = [answer for answer in answers if "not yet been verified" not in answer]
    good = told and all("is Valid" in answer for answer in told)
    return Heard("pdfsig", "yes" if good else "no", ", ".join(dict.fromkeys(answers))[:60])


def openssl_cms(path: Path, setting: Setting) -> Heard:
    """Have OpenSSL verify a message, its certificates included."""
    form = "PEM" if path.read_bytes().lstrip().startswith(b"-----") else "DER"
    command = ["openssl", "cms", "-verify", "-binary", "-purpose", "any", "-inform", form, "-in", str(path), "-out", "/dev/null"]
    command += ["-CAfile", str(setting.authorities), "-attime", str(int(setting.noon.timestamp()))]
    command += ["-content", str(setting.detached)] if setting.detached else []
    status, said = _run(command)
    return Heard("openssl cms", "no" if status else "yes", _openssl_words(said))


def openssl_ts(path: Path, setting: Setting) -> Heard:
    """Have OpenSSL verify a timestamp."""
    command = ["openssl", "ts", "-verify", "-data", str(setting.detached), "-in", str(path)]
    command += ["-CAfile", str(setting.authorities), "-attime", str(int(setting.noon.timestamp()))]
    status, said = _run(command)
    if status:
        status, said = _run([*command, "-token_in"])
    return Heard("openssl ts", "no" if status else "yes", _openssl_words(said))


def missing() -> list[str]:
    """Return the programs that are not installed."""
    return [program for program in ("xmlsec1", "pdfsig", "openssl") if shutil.which(program) is None]


def _run(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def _openssl_words(said: str) -> str:
    reasons = re.findall(r"(?:Verify error:|error:[^:]*:[^:]*:[^:]*:)\s*([^:\n]+)", said)
    return ", ".join(dict.fromkeys(reasons))[:60] or said.strip().splitlines()[0][:60]


def _is_certificate(path: Path) -> bool:
    return path.suffix in {".pem", ".crt"} and b"BEGIN CERTIFICATE" in path.read_bytes()


def _pems(bundle: Path, scratch: Path) -> list[Path]:
    found = []
    for rank, block in enumerate(
        re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", bundle.read_text(), re.DOTALL)
    ):
        single = scratch / f"authority{rank}.pem"
        single.write_text(block + "\n")
        found.append(single)
    return found
