"""What stands in a trust folder: certificates and revocation lists, OCSP answers, the operator's table of RGS levels.

A file of certificates may hold lists and the other way round, as bundles of authorities do: what is in it is told by its octets,
never by its name. A list that were passed over would leave a revoked certificate believed.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ocsp

from core.errors import Misconfigured
from core.messages import Catalogue
from signing.algorithms import CERTIFICATE_FLAWS
from signing.trust.levels import RgsLevel, read_levels

_messages = Catalogue("signing")
_ISSUED = {".pem", ".crt", ".cer", ".der", ".crl"}
_ANSWERS = {".ors", ".ocsp"}
_LEVELS = "rgs.toml"
_LARGEST = 64 << 20
_LARGEST_ANSWER = 1 << 20
_BLOCK = re.compile(rb"-----BEGIN ((?:X509 )?(?:CERTIFICATE|CRL))-----\s(.*?)-----END \1-----", re.DOTALL)


@dataclass(slots=True)
class Contents:
    """What was read.

    Attributes:
        certificates: of anybody.
        revocations: certificate revocation lists.
        answers: OCSP responses, DER.
        levels: the table of RGS levels.
    """

    certificates: list[x509.Certificate] = field(default_factory=list)
    revocations: list[x509.CertificateRevocationList] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    levels: tuple[RgsLevel, ...] = ()

    @classmethod
    def of(cls, folder: Path) -> Contents:
        """Read the files of a folder; no sub-folder is read.

        Raises:
            Misconfigured: the folder is absent, or one of these files cannot be read as what its name says.
        """
        if not folder.is_dir():
            raise Misconfigured(_messages("trust.folder", folder=folder))
        contents = cls()
        for path in sorted(folder.iterdir()):
            try:
                contents._read(path)
            except (*CERTIFICATE_FLAWS, UnsupportedAlgorithm, OSError) as error:
                raise Misconfigured(_messages("trust.file", file=path.name)) from error
        return contents

    def _read(self, path: Path) -> None:
        suffix = path.suffix.lower()
        if suffix in _ISSUED:
            self._take(_bounded(path, _LARGEST))
        elif suffix in _ANSWERS:
            answer = _bounded(path, _LARGEST_ANSWER)
            ocsp.load_der_ocsp_response(answer)  # who gave it, and on what, is asked when it is used
            self.answers.append(answer)
        elif path.name == _LEVELS:
            self.levels = read_levels(path)

    def _take(self, data: bytes) -> None:
        """Take every certificate and every list of a file, in PEM or DER; blocks of other kinds, such as keys, are left there."""
        blocks = _BLOCK.findall(data)
        for label, text in blocks:
            der = base64.b64decode(text)
            if label.endswith(b"CRL"):
                self.revocations.append(x509.load_der_x509_crl(der))
            else:
                self.certificates.append(x509.load_der_x509_certificate(der))
        if not blocks:
            self._take_der(data)

    def _take_der(self, data: bytes) -> None:
        try:
            self.certificates.append(x509.load_der_x509_certificate(data))
        except CERTIFICATE_FLAWS:
            self.revocations.append(x509.load_der_x509_crl(data))


def _bounded(path: Path, limit: int) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{path.name} exceeds {limit} bytes")
    return data
