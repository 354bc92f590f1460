"""Mail against a real SMTP server: encrypted when the server offers it, and every refusal told for what it is."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from connectors.mail.client import mailer
from connectors.mail.errors import AddressRefused, CertificateRefused, LoginRefused, MailUnavailable, MessageRefused
from connectors.mail.settings import MailServer
from core.errors import Misconfigured
from tests.conftest import free_port

PASSWORD = "p@ss: mot/%"


class Box:
    """What the server has received, and what it refuses."""

    def __init__(self) -> None:
        self.messages: list[tuple[Envelope, bool]] = []
        self.connections = 0
        self.answer = "250 OK"

    async def handle_EHLO(  # noqa: N802
        self, _server: object, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, _server: object, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("absent"):
            return "550 no such user"
        if address.startswith("later"):
            return "451 try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.messages.append((envelope, session.ssl is not None))
        return self.answer


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def serving(box: Box) -> Iterator[Callable[..., Controller]]:
    started: list[Controller] = []

    def serve(**options: object) -> Controller:
        controller = Controller(box, hostname="127.0.0.1", port=free_port(), **options)
        controller.start()
        started.append(controller)
        return controller

    yield serve
    for controller in started:
        controller.stop()


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for this machine, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail of the tests")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    basic = x509.BasicConstraints(ca=True, path_length=None)
    certificate = builder.add_extension(names, critical=False).add_extension(basic, critical=True).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("mail") / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def server_side(certified: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified)
    return context


@pytest.fixture
def believing(certified: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certified)


def address(controller: Controller, scheme: str = "smtp", login: str = "") -> MailServer:
    return MailServer.of(SecretStr(f"{scheme}://{login}{controller.hostname}:{controller.port}"))


def message(to: str = "claude@valmorin.test", subject: str = "Un dossier attend votre signature") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "parapheur@valmorin.test", to, subject
    made.set_content("Bonjour,\nl’été.\n")
    return made


def test_several_messages_leave_over_one_connection(box: Box, serving: Callable[..., Controller]) -> None:
    with mailer(address(serving())) as post:
        for rank in range(3):
            post.send(message(subject=f"n° {rank}"))
    assert [envelope.rcpt_tos for envelope, _ in box.messages] == [["claude@valmorin.test"]] * 3
    assert box.connections == 1


def test_the_connection_is_encrypted_when_the_server_offers_it(
    box: Box, serving: Callable[..., Controller], server_side: ssl.SSLContext, believing: ssl.SSLContext
) -> None:
    with mailer(address(serving(tls_context=server_side)), believing) as post:
        post.send(message())
    assert [encrypted for _, encrypted in box.messages] == [True]


def test_smtps_is_encrypted_from_the_first_octet(
    box: Box, serving: Callable[..., Controller], server_side: ssl.SSLContext, believing: ssl.SSLContext
) -> None:
    with mailer(address(serving(ssl_context=server_side), "smtps"), believing) as post:
        post.send(message())
    assert len(box.messages) == 1


@pytest.mark.parametrize(("scheme", "option"), [("smtp", "tls_context"), ("smtps", "ssl_context")])
def test_nothing_is_said_to_a_server_whose_certificate_is_not_trusted(
    box: Box, serving: Callable[..., Controller], server_side: ssl.SSLContext, scheme: str, option: str
) -> None:
    with pytest.raises(CertificateRefused, match=r"127\.0\.0\.1"), mailer(address(serving(**{option: server_side}), scheme)):
        pass
    assert box.messages == []


def test_the_login_of_the_address_is_used(serving: Callable[..., Controller]) -> None:
    seen = []

    def check(*given: object) -> AuthResult:
        login = given[-1]
        assert isinstance(login, LoginPassword)
        seen.append((login.login.decode(), login.password.decode()))
        return AuthResult(success=seen[-1] == ("parapheur", PASSWORD), handled=False)

    controller = serving(authenticator=check, auth_require_tls=False)
    encoded = "parapheur:p%40ss%3A%20mot%2F%25@"
    with mailer(address(controller, login=encoded)) as post:
        post.send(message())
    assert seen == [("parapheur", PASSWORD)]
    with pytest.raises(LoginRefused, match="TABELLION_SMTP_URL"), mailer(address(controller, login="parapheur:other@")):
        pass


def test_a_password_never_travels_in_clear(serving: Callable[..., Controller], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.mail.connecting._is_this_machine", lambda _: False)
    controller = serving(authenticator=lambda *_: pytest.fail("a password was sent"), auth_require_tls=False)
    with pytest.raises(LoginRefused, match="ne chiffre pas"), mailer(address(controller, login="parapheur:secret@")):
        pass


def test_a_recipient_that_is_refused_stops_nobody_else(box: Box, serving: Callable[..., Controller]) -> None:
    with mailer(address(serving(enable_SMTPUTF8=False))) as post:
        with pytest.raises(AddressRefused, match="550"):
            post.send(message("absent@valmorin.test"))
        with pytest.raises(MailUnavailable, match="451"):
            post.send(message("later@valmorin.test"))
        with pytest.raises(AddressRefused):
            post.send(message("élu@valmorin.test"))
        post.send(message())
    assert len(box.messages) == 1


@pytest.mark.parametrize(("answer", "kind"), [("554 spam", MessageRefused), ("452 full", MailUnavailable)])
def test_a_message_that_is_refused_says_whether_to_try_again(
    box: Box, serving: Callable[..., Controller], answer: str, kind: type[Exception]
) -> None:
    box.answer = answer
    with mailer(address(serving())) as post, pytest.raises(kind, match=answer[:3]):
        post.send(message())


def test_a_server_that_is_not_there_is_tried_again_later() -> None:
    with pytest.raises(MailUnavailable, match="ne répond pas"), mailer(MailServer("127.0.0.1", free_port(), encrypted=False)):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example",
        "smtp://:25",
        "smtp://mail.example/path",
        "smtp://name@mail.example",
        "smtp://mail:port",
        "mail.example",
        "smtp://name:%C3%A9@mail.example",
    ],
)
def test_an_address_that_does_not_read_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(Misconfigured, match="TABELLION_SMTP_URL") as refused:
        MailServer.of(SecretStr(url))
    assert url not in str(refused.value)


def test_the_password_is_in_no_representation() -> None:
    server = MailServer.of(SecretStr("smtps://parapheur:secret@mail.example"))
    assert (server.port, server.encrypted) == (465, True)
    assert "secret" not in repr(server)
