"""A software token that behaves as a smart card does: SoftHSM, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from signing.pki import Credential

MODULE = next(
    (path for path in map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")) if path.exists()),
    Path("libsofthsm2.so"),
)
PIN, SECURITY_OFFICER = "274918", "00000000"

needs_softhsm = pytest.mark.skipif(
    any(shutil.which(program) is None for program in ("softhsm2-util", "pkcs11-tool")),
    reason="softhsm2-util or pkcs11-tool is absent (apt-get install softhsm2 opensc)",
)


@dataclass(frozen=True)
class SoftToken:
    """A token, and what may happen to it."""

    folder: Path
    label: str = "Jeton d’essai"

    @property
    def configuration(self) -> Path:
        return self.folder / "softhsm2.conf"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see this token."""
        return {**os.environ, "SOFTHSM2_CONF": str(self.configuration)}

    def initialise(self) -> None:
        tokens = self.folder / "tokens"
        tokens.mkdir(parents=True)
        self.configuration.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self._run(*("softhsm2-util", "--init-token", "--free", "--label", self.label, "--pin", PIN, "--so-pin", SECURITY_OFFICER))

    def hold(self, credential: Credential, identifier: str, label: str) -> None:
        """Put a key, its certificate and the authorities above it into the token; the identifier is in hexadecimal."""
        key = self.folder / f"{identifier}.pem"
        key.write_bytes(credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        naming = ("--label", label, "--id", identifier)
        self._run("softhsm2-util", "--import", str(key), "--token", self.label, "--pin", PIN, *naming)
        key.unlink()
        self._write(credential.certificate.public_bytes(Encoding.DER), *naming)
        for number, issuer in enumerate(credential.issuers):
            self._write(issuer.public_bytes(Encoding.DER), "--label", f"autorité {number}", "--id", f"f{number}")

    def remove(self) -> None:
        """Pull the token out."""
        for token in (self.folder / "tokens").iterdir():
            token.rename(self.folder / token.name)

    def put_back(self) -> None:
        for token in self.folder.glob("*-*-*-*-*"):
            token.rename(self.folder / "tokens" / token.name)

    def raise_flag(self, flag: int) -> None:
        """Set a flag of CK_TOKEN_INFO in the token's own file: SoftHSM never locks a PIN, cards do."""
        [path] = (self.folder / "tokens").glob("*/token.object")
        data = path.read_bytes()
        # An attribute is stored as type, kind (2: unsigned long) and value, 8 bytes each, big-endian.
        head = (0x8000534B).to_bytes(8, "big") + (2).to_bytes(8, "big")
        place = data.index(head) + len(head)
        flags = int.from_bytes(data[place : place + 8], "big") | flag
        path.write_bytes(data[:place] + flags.to_bytes(8, "big") + data[place + 8 :])

    def _write(self, certificate: bytes, *naming: str) -> None:
        path = self.folder / "certificate.der"
        path.write_bytes(certificate)
        module = ("--module", str(MODULE), "--token-label", self.label, "--login", "--pin", PIN)
        self._run("pkcs11-tool", *module, "--write-object", str(path), "--type", "cert", *naming)

    def _run(self, *command: str) -> None:
        subprocess.run(command, env=self.environment, check=True, capture_output=True)
