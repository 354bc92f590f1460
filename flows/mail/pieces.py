"""The files that the statements of a send name: message, documents, answers, returned messages, dockets.

A returned message may hold the very message that was sent, with its working link: whoever had it could withdraw in the place of
the recipient. Such a one stays on the platform; its digest stands in the statement all the same.
"""

from __future__ import annotations

import binascii
import email
import email.policy
import quopri
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from archive.package import PackageFile
from core.platform import Platform
from flows.mail import links
from flows.mail.keeping import ADDITION
from flows.mail.models import Mail, MailNotice

_SECRET = re.compile(rb"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
_QUOTING = re.compile(rb"^(?:>[ >]*)", re.MULTILINE)
_BASE64 = re.compile(rb"^(?:[A-Za-z0-9+/]{4}){10,}={0,2}\r?\n(?:[A-Za-z0-9+/]{4,}={0,2}\r?\n?)*", re.MULTILINE)
Told = Mapping[str, Any]


def link_digests(session: Session, dossier_id: str) -> frozenset[str]:
    """Return the digests of the secrets of every link of a send."""
    tokens = select(MailNotice.token).where(MailNotice.dossier_id == dossier_id, col(MailNotice.token).is_not(None))
    return frozenset(token for token in session.exec(tokens) if token)


def written(mail: Mail, folder: Path) -> Iterator[PackageFile]:
    """Yield the message as it was written, unless it was destroyed."""
    if not mail.purged:
        path = folder / "message.txt"
        path.write_bytes(mail.body.encode())
        yield PackageFile("message", path, "text/plain", path.name)


def documents(platform: Platform, told: Told, folder: Path) -> Iterator[PackageFile]:
    """Yield the documents of a send, unless they were destroyed, each once.

    Raises:
        ObjectMissing, ObjectAltered: the store does not hold one as it was sent.
    """
    seen: set[tuple[str, str]] = set()
    for one in told["documents"] if not told["send"]["purged"] else ():
        if (one["name"], one["sha256"]) not in seen:
            seen.add((one["name"], one["sha256"]))
            role = "addition" if one["role"] == ADDITION else "document"
            yield PackageFile(role, _fetched(platform, one["sha256"], folder), one["media_type"], one["name"])


def answers(platform: Platform, told: Told, folder: Path) -> Iterator[PackageFile]:
    """Yield what a recipient joined to their answer.

    Raises:
        ObjectMissing, ObjectAltered: see ``documents``.
    """
    for one in (file for answer in told["answers"] for file in answer["files"]):
        yield PackageFile("answer", _fetched(platform, one["sha256"], folder), one["media_type"], one["name"])


def dockets(platform: Platform, told: Told, folder: Path) -> Iterator[PackageFile]:
    """Yield the dockets of the visa that the statement of a whole send names: who approved it before it left, and when.

    Raises:
        ObjectMissing, ObjectAltered: see ``documents``.
    """
    for one in (file for event in told["events"] for file in event["facts"].get("dockets", ())):
        yield PackageFile("docket", _fetched(platform, one["sha256"], folder), one["media_type"], one["name"])


def returns(platform: Platform, told: Told, secrets: frozenset[str], folder: Path, stem: str) -> Iterator[PackageFile]:
    """Yield the messages that came back, but those that hold a link.

    Args:
        platform: where they are kept.
        told: the statement that names them.
        secrets: digests of the links' secrets (``link_digests``).
        folder: where to bring them.
        stem: how their names begin.

    Raises:
        ObjectMissing, ObjectAltered: see ``documents``.
    """
    for rank, one in enumerate(told["returns"], start=1):
        path = _fetched(platform, one["sha256"], folder)
        if not holds_link(path.read_bytes(), secrets):
            yield PackageFile("return", path, "message/rfc822", f"{stem}-{rank}.eml")


def holds_link(message: bytes, secrets: frozenset[str]) -> bool:
    """Tell whether a message holds one of these secrets, in any of its parts, however that is encoded or quoted."""
    return any(links.digest(found.decode()) in secrets for text in _readings(message) for found in _SECRET.findall(text))


def _readings(message: bytes) -> Iterator[bytes]:
    """Yield a message as it is, and as its parts and the messages quoted in it read once they are decoded."""
    yield message
    for part in email.message_from_bytes(message, policy=email.policy.compat32).walk():
        if isinstance(decoded := part.get_payload(decode=True), bytes):
            yield decoded
    unquoted = _QUOTING.sub(b"", message)
    yield quopri.decodestring(unquoted)
    for block in _BASE64.findall(unquoted):
        yield binascii.a2b_base64(block)


def _fetched(platform: Platform, sha256: str, folder: Path) -> Path:
    path = folder / sha256
    if not path.exists():
        platform.objects.fetch(sha256, path)
    return path
