"""What vouches for a message, and what is set to read what comes back."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pydantic import SecretStr

from connectors.mail.paths import return_path
from connectors.mail.signature import DkimKey, signed, told
from connectors.mailbox.settings import Mailbox, MailEncryption
from core.errors import Misconfigured, UsageError

MESSAGE = (
    b"From: Mairie <courrier@mairie.test>\r\nTo: camille@elus.test\r\nSubject: Avis\r\nDate: Sat, 28 Nov 2026 10:00:00 +0100\r\n"
    b"Message-ID: <n1@mairie.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Auto-Submitted: auto-generated\r\nX-Autre: x\r\n\r\nBonjour\r\n"
)
RSA, ED25519 = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
Key = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def written(folder: Path, key: Key, password: str = "") -> Path:
    path = folder / "dkim.pem"
    protection = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
    return path


def published(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    """What stands in DNS."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(key.public_key().public_bytes_raw())
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def holds(message: bytes, record: bytes) -> bool:
    asked = []

    def answer(name: bytes, **_: object) -> bytes:
        asked.append(name)
        return record

    verdict: bool = dkim.verify(message, dnsfunc=answer)
    assert asked == [b"s1._domainkey.mairie.test."]
    return verdict


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, b"rsa-sha256"), (ED25519, b"ed25519-sha256")], ids=["rsa", "ed25519"])
def test_a_signature_holds_as_long_as_nothing_that_is_read_changes(
    tmp_path: Path, key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, algorithm: bytes
) -> None:
    made = signed(MESSAGE, DkimKey.load("mairie.test", "s1", written(tmp_path, key)))
    head, _, rest = made.partition(b"From: ")
    assert b"From: " + rest == MESSAGE
    assert head.startswith(b"DKIM-Signature: ")
    assert re.search(rb"(?<!\r)\n", head) is None
    tags = dict(part.strip().split(b"=", 1) for part in head.partition(b":")[2].replace(b"\r\n", b"").split(b";"))
    assert b"l" not in tags
    assert (tags[b"a"].strip(), tags[b"c"].strip()) == (algorithm, b"relaxed/relaxed")
    names = [name.strip() for name in tags[b"h"].split(b":")]
    wanted = [b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type", b"auto-submitted"]
    assert list(dict.fromkeys(names)) == wanted
    assert told(MESSAGE) == {}
    said = told(made)
    assert (said["domain"], said["selector"], said["algorithm"]) == ("mairie.test", "s1", algorithm.decode())
    assert said["sha256"] == hashlib.sha256(head.removesuffix(b"\r\n")).hexdigest()
    record = published(key)
    assert holds(made, record)
    assert holds(made.replace(b"X-Autre: x", b"X-Autre: y").replace(b"Subject: Avis", b"Subject:  Avis"), record)
    for before, after in (
        (b"Bonjour", b"Bonsoir"),
        (b"Avis", b"Rappel"),
        (b"camille@", b"sacha@"),
        (b"n1@", b"n2@"),
        (b"10:00", b"11:00"),
    ):
        assert not holds(made.replace(before, after), record)
    assert not holds(made + b"de plus\r\n", record)
    second = made.replace(b"X-Autre: x", b"From: pirate@pirate.test")
    assert not holds(second, record)


@pytest.mark.parametrize("kind", ["small", "curve", "password", "text", "absent"])
def test_a_key_that_cannot_sign_is_refused_when_it_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "dkim.pem"
    if kind == "small":
        written(tmp_path, rsa.generate_private_key(65537, 1024))
    elif kind == "curve":
        written(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    elif kind == "password":
        written(tmp_path, ED25519, "secret")
    elif kind == "text":
        path.write_text("clé")
    with pytest.raises(Misconfigured, match="TABELLION_DKIM_KEY_FILE"):
        DkimKey.load("mairie.test", "s1", path)


def test_a_key_does_not_show_and_a_message_without_sender_is_not_signed(tmp_path: Path) -> None:
    key = DkimKey.load("mairie.test", "s1", written(tmp_path, RSA))
    assert "PRIVATE" not in repr(key)
    with pytest.raises(UsageError, match="expéditeur"):
        signed(b"To: x@y.test\r\n\r\nz", key)


def test_a_return_path_bears_its_message() -> None:
    assert return_path("retour@mairie.test", "8f3a01") == "retour+8f3a01@mairie.test"


def test_a_mailbox_is_read_from_one_address() -> None:
    box = Mailbox.of(SecretStr("imaps://retour%40mairie.test:p%3Aa%2Fss%20é@imap.mairie.test/INBOX%2FRetours"))
    assert (box.host, box.port, box.encryption) == ("imap.mairie.test", 993, MailEncryption.IMPLICIT)
    assert (box.user, box.password.get_secret_value(), box.inbox) == ("retour@mairie.test", "p:a/ss é", "INBOX/Retours")
    plain = Mailbox.of(SecretStr("imap://a:b@[::1]:1143"))
    assert (plain.host, plain.port, plain.encryption, plain.inbox) == ("::1", 1143, MailEncryption.STARTTLS, "INBOX")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "imap.mairie.test",
        "smtp://a:secret@b",
        "imaps://a@b",
        "imaps://:secret@b",
        "imaps://a:secret@",
        "imaps://a:secret@b:port",
        "imaps://a:secret@b:99999",
        "imaps://a:secret@b?x=y",
        "imaps://a:secret@b/#x",
        "imaps://a:secret@b/Traites",
    ],
)
def test_an_address_that_does_not_read_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(Misconfigured, match="TABELLION_MAIL_RETURNS") as refused:
        Mailbox.of(SecretStr(url))
    assert "secret" not in f"{refused.value}{refused.value.__cause__}"
