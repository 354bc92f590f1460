"""Our side of a mailbox (IMAP4rev1, RFC 3501; UIDPLUS, RFC 4315; MOVE, RFC 6851).

A mail stays where it arrived until whoever reads it has stored it and says so; then it is moved, never deleted. What a mail is
about is decided above. Taking a mail apart is ``mail``'s business.
"""

from __future__ import annotations

import base64
import imaplib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from connectors.mailbox import errors
from connectors.mailbox.connecting import FAULTS, connect, unavailable
from connectors.mailbox.mail import Mail, MailUid, take_apart
from connectors.mailbox.settings import Mailbox
from core.messages import Catalogue

_messages = Catalogue("connectors.mailbox")

_PIECE = 1 << 20
_RANGE = 1000
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_UID = re.compile(rb"\bUID (\d+)")
_NOTHING = re.compile(rb'BODY\[\](<\d+>)? (""|NIL)')


class Listed(NamedTuple):
    """A mail that waits in the inbox.

    Attributes:
        uid: by which it is asked for.
        size: bytes, as the server says.
    """

    uid: MailUid
    size: int


@contextmanager
def mailbox(settings: Mailbox) -> Iterator[OpenMailbox]:
    """Open a mailbox for the time of the block.

    Raises:
        MailboxUnavailable: the server does not answer.
        MailboxNotTrusted: its certificate is not trusted, or not the pinned one; no password was sent.
        MailboxRefused: it refuses the account, or the inbox.
        Misconfigured: the TLS profile cannot be used here.
    """
    opened = OpenMailbox(settings, connect(settings))
    try:
        opened.enter()
        yield opened
    finally:
        opened.leave()


class OpenMailbox:
    """A session with the mailbox's server, for one thread at a time; see ``mailbox``."""

    def __init__(self, settings: Mailbox, connection: imaplib.IMAP4) -> None:
        self._settings = settings
        self._connection = connection
        self._abilities: frozenset[str] = frozenset()
        self._validity = 0
        self._place = f"{settings.host}:{settings.port}"

    def enter(self) -> None:
        """Log in and open the inbox.

        Raises:
            MailboxRefused, MailboxUnavailable: see ``errors``.
        """
        settings = self._settings
        secret = settings.password.get_secret_value()
        with self._told("login"):
            try:
                if "AUTH=PLAIN" in self._connection.capabilities:  # the only way for names and passwords beyond ASCII (RFC 4616)
                    self._connection.authenticate("PLAIN", lambda _: f"\0{settings.user}\0{secret}".encode())
                else:
                    self._connection.login(_quoted(settings.user), secret)
            except (imaplib.IMAP4.abort, OSError):
                raise
            except (imaplib.IMAP4.error, UnicodeEncodeError) as error:
                raise errors.MailboxRefused(_messages("mailbox.login", place=self._place, user=settings.user)) from error
            # What a server can do is often told only to those who are logged in; imaplib keeps what was told before.
            answer = self._connection.capability()[1]
            self._abilities = frozenset(b" ".join(answer).decode("ascii", "replace").upper().split())
        self._select()

    def leave(self) -> None:
        """Log out; a server that has gone is left as it is."""
        with suppress(*FAULTS):
            self._connection.logout()
        with suppress(*FAULTS):
            self._connection.shutdown()

    def waiting(self, limit: int = _RANGE) -> list[Listed]:
        """Return the mails of the inbox, oldest first.

        Args:
            limit: how many at most.

        Raises:
            MailboxUnavailable, MailboxRefused: see ``errors``.
        """
        count = self._select()
        found: list[Listed] = []
        for first in range(1, count + 1, _RANGE):
            if len(found) >= limit:
                break
            found += self._listed(f"{first}:{min(first + _RANGE - 1, count)}")
        return sorted(found)[:limit]

    def fetch(self, uid: MailUid, folder: Path) -> Mail:
        """Bring a mail into a folder, whole or not at all, and take it apart; the mailbox stays as it is.

        Args:
            uid: as ``waiting`` gave it.
            folder: a directory of its own, which exists; gets ``mail.eml`` and the attachments.

        Raises:
            MailMissing: it is no longer there.
            MailTooLarge: it is beyond the limit, and was not read; ``troubled`` puts it aside.
            MailUnreadable: its structure cannot be read; ``mail.eml`` is there.
            MailboxUnavailable, MailboxRefused: see ``errors``.
        """
        self._require(uid)
        raw = folder / "mail.eml"
        partial = folder / ".mail.eml.part"
        try:
            with partial.open("wb") as stream, self._told(f"UID {uid.number}"):
                self._bring(uid, stream)
            partial.replace(raw)
        finally:
            partial.unlink(missing_ok=True)
        return take_apart(uid, raw, folder)

    def done(self, uid: MailUid) -> None:
        """Move a mail that is stored to the folder of those dealt with; one that is no longer there is passed over.

        Raises:
            MailMissing: the mailbox was made anew, the number means another mail.
            MailboxUnavailable, MailboxRefused: see ``errors``; the mail may have been moved, saying it again does no harm.
        """
        self._move(uid, self._settings.done)

    def troubled(self, uid: MailUid) -> None:
        """Move a mail that needs a person to the folder of those; otherwise as ``done``.

        Raises:
            MailMissing, MailboxUnavailable, MailboxRefused: as ``done``.
        """
        self._move(uid, self._settings.troubled)

    def _select(self) -> int:
        """Open the inbox, which tells what arrived meanwhile, and return how many mails are in it."""
        with self._told(self._settings.inbox):
            count = self._asked(self._connection.select, _quoted(_encoded(self._settings.inbox)))[0]
            self._validity = int(self._connection.response("UIDVALIDITY")[1][0] or 0)
            return int(count or 0)

    def _listed(self, numbers: str) -> list[Listed]:
        with self._told(self._settings.inbox):
            # Those marked \Deleted were moved by a server that cannot expunge one mail alone.
            (uids,) = self._asked(self._connection.uid, "SEARCH", numbers, "UNDELETED")
            if not uids:
                return []
            answers = self._asked(self._connection.uid, "FETCH", uids.replace(b" ", b",").decode(), "(RFC822.SIZE)")
        return [
            Listed(MailUid(self._validity, int(uid[1])), int(size[1]))
            for line in answers
            if isinstance(line, bytes) and (uid := _UID.search(line)) and (size := _SIZE.search(line))
        ]

    def _bring(self, uid: MailUid, stream: BinaryIO) -> None:
        """Read the octets piece by piece, and no further than the limit, whatever size the server told."""
        number, limit = str(uid.number), self._settings.largest
        sizes = b" ".join(
            one for one in self._asked(self._connection.uid, "FETCH", number, "(RFC822.SIZE)") if isinstance(one, bytes)
        )
        told = _SIZE.search(sizes)
        if told is None:
            raise errors.MailMissing(_messages("mail.missing", place=self._place, number=uid.number))
        size = int(told[1])
        while size <= limit:
            piece = self._piece(uid, stream.tell())
            stream.write(piece)
            size = max(size, stream.tell())
            if len(piece) < _PIECE:
                return
        raise errors.MailTooLarge(_messages("mail.large", place=self._place, number=uid.number, size=size, limit=limit), size)

    def _piece(self, uid: MailUid, start: int) -> bytes:
        answers = self._asked(self._connection.uid, "FETCH", str(uid.number), f"(BODY.PEEK[]<{start}.{_PIECE}>)")
        for answer in answers:
            if isinstance(answer, tuple):
                return bytes(answer[1])
        line = b" ".join(one for one in answers if isinstance(one, bytes))
        if _NOTHING.search(line):
            return b""
        if b"BODY[" in line:  # octets as a quoted string, which the rest of the line could be confused with
            raise imaplib.IMAP4.error("BODY[] without a literal")
        raise errors.MailMissing(_messages("mail.missing", place=self._place, number=uid.number))

    def _move(self, uid: MailUid, folder: str) -> None:
        self._require(uid)
        number, target = str(uid.number), _quoted(_encoded(folder))
        with self._told(folder):
            if "MOVE" in self._abilities:
                self._into(target, "MOVE", number)
                return
            self._into(target, "COPY", number)
            self._asked(self._connection.uid, "STORE", number, "+FLAGS.SILENT", r"(\Deleted)")
            if "UIDPLUS" in self._abilities:  # a bare EXPUNGE would take away the mails that others have marked
                self._asked(self._connection.uid, "EXPUNGE", number)

    def _into(self, target: str, verb: str, number: str) -> None:
        """Move or copy to a folder, which is made when the server says that it is absent."""
        kind, answer = self._connection.uid(verb, number, target)
        if kind != "OK" and b"[TRYCREATE]" in b" ".join(one for one in answer if isinstance(one, bytes)):
            self._connection.create(target)  # refused when somebody has just made it, which the next command will tell
            self._connection.subscribe(target)
            kind, answer = self._connection.uid(verb, number, target)
        self._accepted(kind, answer)

    def _require(self, uid: MailUid) -> None:
        if uid.validity != self._validity:
            raise errors.MailMissing(_messages("mail.renewed", place=self._place, number=uid.number))

    def _asked(self, command: Callable[..., tuple[str, list[Any]]], *given: str) -> list[Any]:
        return self._accepted(*command(*given))

    def _accepted(self, kind: str, answer: list[Any]) -> list[Any]:
        if kind != "OK":
            raise imaplib.IMAP4.error(b" ".join(one for one in answer if isinstance(one, bytes)).decode("utf-8", "replace"))
        return answer

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Say what failed in our words."""
        try:
            yield
        except (imaplib.IMAP4.abort, OSError) as error:
            raise unavailable(self._settings, error) from error
        except imaplib.IMAP4.error as error:
            raise errors.MailboxRefused(
                _messages("mailbox.refused", place=self._place, what=what, reason=str(error)[:200])
            ) from error


def _quoted(text: str) -> str:
    """Return a quoted string (RFC 3501, 4.3)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _encoded(name: str) -> str:
    """Return the name of a folder in modified UTF-7 (RFC 3501, 5.1.3)."""

    def shifted(found: re.Match[str]) -> str:
        octets = base64.b64encode(found[0].encode("utf-16-be")).decode()
        return "&" + octets.rstrip("=").replace("/", ",") + "-"

    return re.sub(r"[^\x20-\x7e]+", shifted, name.replace("&", "&-"))
