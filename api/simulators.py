"""What stands outside, on a laptop: the DGFiP’s gateway, the ministry, Chorus Pro, archives, timestamps, signatures, a post."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from pydantic import SecretStr

from connectors.actes.settings import ActesOperator
from connectors.actes.simulated_mailbox import PostOffice
from connectors.actes.simulator import MinistrySimulator
from connectors.asalae.simulator import AsalaeSimulator
from connectors.chorus.simulated_world import Body, Desk, Technical, World
from connectors.chorus.simulator import ChorusSimulator
from connectors.helios.settings import HeliosGateway
from connectors.helios.simulated_sftp import Account
from connectors.helios.simulator import GatewaySimulator
from connectors.vitam.simulator import VitamSimulator
from flows.helios.settings import HeliosSeal
from schemas.pes.versions import SchemaSets
from signing.keys.csc_simulator import CscSimulator
from signing.pki import TestAuthority, write_private
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore

ACCOUNT = "demonstration"
VALMORIN = 25_780_001
CHORUS = World(
    bodies=(
        Body(
            VALMORIN,
            "21990001600011",
            "Commune de Valmorin (démonstration)",
            (
                Desk(1, "FACTURES_PUBLIQUES", "Factures publiques"),
                Desk(2, "TECH", "Services techniques"),
                Desk(3, "ECOLES", "Écoles"),
            ),
        ),
    ),
    accounts=(Technical("TECH_VALMORIN@cpro.fr", "mot-de-passe-technique", date(2099, 12, 31), frozenset({VALMORIN})),),
)
"""What Chorus Pro knows of the demonstration: the commune, its services, its technical account."""
# The ministry takes no address whose last label has more than six letters: ".example" has seven.
MAILBOX = "teletransmission@tabellion.test"
SENDER, RETURNS = "plateforme@tabellion.test", "retours@tabellion.test"
RECIPIENTS = (
    "camille.aubert@habitants.example",
    "comite.fetes@associations.example",
    "contact@garage-lenoir.example",
    "maire@valmorin.example",
    "n.berthier@elus.example",
    "s.haddad@elus.example",
    "l.marchand@elus.example",
    "e.roussel@elus.example",
    "t.vasseur@elus.example",
)
"""Who has a mailbox at the post office; what is written to anybody else comes back."""


@dataclass(frozen=True, slots=True)
class Treasury:
    """The DGFiP’s gateway, and the authorities that it believes.

    Attributes:
        trust_dir: folder of the authorities' certificates, for TABELLION_TRUST_DIR.
    """

    gateway: GatewaySimulator
    timestamping: TsaSimulator
    authority: TestAuthority
    trust_dir: Path

    def gateway_settings(self) -> HeliosGateway:
        """Return how to reach the gateway."""
        return self.gateway.settings_for(ACCOUNT).model_copy(update={"settled_age": 0.0, "second_look_after": 0.2})

    def seal(self) -> HeliosSeal:
        """Return a server seal that the gateway recognises, issued by the demonstration authority."""
        password = secrets.token_urlsafe(24)
        pkcs12 = self.authority.seal().as_pkcs12(password)
        return HeliosSeal(
            pkcs12=SecretStr(base64.b64encode(pkcs12).decode()),
            password=SecretStr(password),
            role="Ordonnateur",
            city="Valmorin",
            postal_code="99012",
        )


@dataclass(frozen=True, slots=True)
class Simulators(Treasury):
    """The simulators that are running.

    Attributes:
        remote: a signing service, with keys that nobody believes elsewhere.
        state: the ministry, where acts go; its mails arrive at ``post``.
        post: the post office, of the ministry's answers and of tracked mails; nothing that it takes leaves the machine.
        chorus: Chorus Pro, where invoices arrive.
        asalae: an archive service that takes transfers as as@lae does.
        vitam: another, that takes them as Vitam does.
    """

    remote: CscSimulator
    state: MinistrySimulator
    post: PostOffice
    chorus: ChorusSimulator
    asalae: AsalaeSimulator
    vitam: VitamSimulator

    def operator_settings(self) -> ActesOperator:
        """Return how to reach the ministry and its answers."""
        return self.state.operator(self.post.settings_for(MAILBOX), MAILBOX)

    def mail_settings(self) -> dict[str, Any]:
        """Return the settings with which messages go to the post office, and what comes back is read there."""
        box = self.post.settings_for(RETURNS)
        login = f"{quote(box.user)}:{quote(box.password.get_secret_value(), safe='')}"
        return {
            "smtp_url": SecretStr(f"smtp://{self.post.host}:{self.post.smtp_port}"),
            "mail_from": SENDER,
            "mail_returns": SecretStr(f"imaps://{login}@{box.host}:{box.port}/{box.inbox}"),
            "mail_returns_authority": self.post.authority_file,
            "mail_return_address": RETURNS,
        }


@contextmanager
def simulators(
    folder: Path, *, host: str = "127.0.0.1", gateway_port: int = 0, tsa_port: int = 0, delay: float = 5.0
) -> Iterator[Simulators]:
    """Run the simulators, everything they keep in one folder.

    Args:
        folder: keys, accounts, what was received.
        host: address to listen on.
        gateway_port: of the SFTP server; 0 for a free one.
        tsa_port: of the timestamping authority; 0 for a free one.
        delay: seconds between a delivery and its acquit, or between a transfer and its acknowledgement.
    """
    remote = CscSimulator(folder / "csc", host)
    _believe(folder, "csc", remote.anchor)
    remote.start()
    try:
        with (
            treasury(folder, host=host, gateway_port=gateway_port, tsa_port=tsa_port, delay=delay) as dgfip,
            _ministry(folder, host, delay) as (state, post),
            ChorusSimulator(folder / "chorus", world=CHORUS, deposit_delay=delay) as chorus,
            _archives(folder, host, delay) as (asalae, vitam),
        ):
            yield Simulators(
                dgfip.gateway, dgfip.timestamping, dgfip.authority, dgfip.trust_dir, remote, state, post, chorus, asalae, vitam
            )
    finally:
        remote.stop()


@contextmanager
def treasury(
    folder: Path, *, host: str = "127.0.0.1", gateway_port: int = 0, tsa_port: int = 0, delay: float = 5.0
) -> Iterator[Treasury]:
    """Run the gateway and the timestamping authority alone; see ``simulators``."""
    authority = TestAuthority.open(folder / "authority")
    tsa = TsaSimulator(folder / "tsa", host, tsa_port)
    _believe(folder, "seal", authority.certificate)
    trust_dir = _believe(folder, "tsa", tsa.anchor)
    gateway = GatewaySimulator(
        folder / "gateway",
        accounts=[Account(ACCOUNT, password=_password(folder / "gateway.json"))],
        schemas=SchemaSets(),
        trust=TrustStore.from_folder(trust_dir),
        host=host,
        port=gateway_port,
        delay=delay,
    )
    tsa.start()
    try:
        with gateway:
            yield Treasury(gateway, tsa, authority, trust_dir)
    finally:
        tsa.stop()


def _believe(folder: Path, name: str, certificate: Certificate) -> Path:
    trust_dir = folder / "trust"
    trust_dir.mkdir(parents=True, exist_ok=True)
    (trust_dir / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return trust_dir


@contextmanager
def _ministry(folder: Path, host: str, delay: float) -> Iterator[tuple[MinistrySimulator, PostOffice]]:
    password = _password(folder / "mailbox.json")
    accounts = dict.fromkeys((MAILBOX, RETURNS, *RECIPIENTS), password)
    with (
        PostOffice(folder / "post", accounts=accounts, host=host) as post,
        MinistrySimulator(folder / "ministry", relay=(host, post.smtp_port), host=host, delay=delay) as state,
    ):
        yield state, post


@contextmanager
def _archives(folder: Path, host: str, delay: float) -> Iterator[tuple[AsalaeSimulator, VitamSimulator]]:
    password = _password(folder / "asalae.json")
    with (
        AsalaeSimulator(folder / "asalae", host=host, delay=delay, password=password) as asalae,
        VitamSimulator(folder / "vitam", host=host, delay=delay) as vitam,
    ):
        yield asalae, vitam


def _password(path: Path) -> str:
    if not path.exists():
        write_private(path, json.dumps({"account": ACCOUNT, "password": secrets.token_urlsafe(12)}).encode())
    return str(json.loads(path.read_text(encoding="utf-8"))["password"])
