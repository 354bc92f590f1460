"""A small IMAP server over TLS (IMAP4rev1, RFC 3501; UIDPLUS, RFC 4315; MOVE, RFC 6851), for demonstrations and tests.

Strict where a client could go astray: abilities are told only after the login, numbers of mails change only when the client has
been told, octets are given as they came. What no reader of a mailbox needs (ENVELOPE, BODYSTRUCTURE) is refused.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import re
import socket
import socketserver
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from connectors.actes.simulated_imap_folder import OpenFolder
from connectors.actes.simulated_imap_words import Argument, Bad, No, folder_named, in_quotes, read_words
from connectors.actes.simulated_mails import INBOX, MailStore
from core.listener import Listener

_LONGEST_LINE = 65536
_LARGEST = 256 * 1024 * 1024
_PATIENCE = 300.0
_LOGGED_OUT = "IMAP4rev1 AUTH=PLAIN"
_LOGGED_IN = "IMAP4rev1 UIDPLUS MOVE"
_Command = Callable[[list[Argument]], str | None]
_FLAGS = r"(\Answered \Flagged \Deleted \Seen \Draft)"


class ImapServer(Listener):
    """Listens, one thread a connection."""

    def __init__(
        self, store: MailStore, accounts: Mapping[str, str], tls: ssl.SSLContext, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """Prepare to listen.

        Args:
            store: of the mails.
            accounts: password by account.
            tls: how TLS is spoken, from the first octet.
            host: address to listen on.
            port: TCP port; zero for a free one.
        """
        self._mail = _Server((host, port), _Connection)
        self._mail.store, self._mail.accounts, self._mail.tls = store, dict(accounts), tls
        super().__init__(self._mail, "simulated-imap", scheme="imaps")

    def stop(self) -> None:
        """Answer no more, and cut every connection."""
        super().stop()
        self._mail.cut()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    store: MailStore
    accounts: dict[str, str]
    tls: ssl.SSLContext

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._open: set[socket.socket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Agree on TLS in the thread of the connection."""
        request.settimeout(10)
        with self.tls.wrap_socket(request, server_side=True) as opened:
            self._open.add(opened)
            try:
                super().finish_request(opened, client_address)
            finally:
                self._open.discard(opened)

    def cut(self) -> None:
        """Cut every connection."""
        for opened in list(self._open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a connection that breaks off is nothing to tell."""


class _Connection(socketserver.StreamRequestHandler):
    timeout = _PATIENCE
    server: _Server
    account = ""
    selected: OpenFolder | None = None

    def handle(self) -> None:
        """Greet, then do what is asked until the client leaves."""
        self._say(f"* OK [CAPABILITY {_LOGGED_OUT}] ready")
        while line := self._command():
            tag, verb, arguments = line
            try:
                if not self._do(tag, verb.upper(), arguments):
                    return
            except No as refusal:
                self._say(f"{tag} NO {refusal}")
            except (Bad, IndexError, ValueError) as fault:
                self._say(f"{tag} BAD {fault}")

    def _do(self, tag: str, verb: str, arguments: list[Argument]) -> bool:
        """Do a command; false when the connection ends with it."""
        by_uid = verb == "UID"
        if by_uid:
            verb, arguments = str(arguments[0]).upper(), arguments[1:]
        if verb == "LOGOUT":
            self._say("* BYE until soon")
            self._say(f"{tag} OK LOGOUT")
            return False
        told = self._verb(verb, by_uid=by_uid)(arguments)
        # Numbers may change with these only (RFC 3501, 7.4.1).
        if self.selected is not None and (by_uid or verb not in {"FETCH", "STORE", "SEARCH"}):
            self._tell(self.selected.news())
        self._say(f"{tag} OK {told or verb}")
        return True

    def _verb(self, verb: str, *, by_uid: bool) -> _Command:
        always: dict[str, _Command] = {"CAPABILITY": self._capability, "NOOP": lambda _: None}
        outside = {"LOGIN": self._login, "AUTHENTICATE": self._authenticate}
        inside = {
            "SELECT": lambda given: self._select(given, writable=True),
            "EXAMINE": lambda given: self._select(given, writable=False),
            "CREATE": self._create,
            "SUBSCRIBE": lambda _: None,
            "LIST": self._list,
            "APPEND": self._append,
        }
        known: dict[str, _Command] = always | (inside if self.account else outside)
        chosen = dict[str, _Command]() if self.selected is None else self._in_folder(self.selected, by_uid=by_uid)
        if verb not in chosen and (by_uid or verb not in known):
            raise Bad("unknown command, or not in this state")
        return (known | chosen)[verb]

    def _in_folder(self, folder: OpenFolder, *, by_uid: bool) -> dict[str, _Command]:
        return {
            "SEARCH": lambda given: self._say(folder.search(given, by_uid=by_uid)),
            "FETCH": lambda given: self._tell(folder.fetch(given, by_uid=by_uid)),
            "STORE": lambda given: self._tell(folder.flag(given, by_uid=by_uid)),
            "COPY": lambda given: self._copy(folder, given, by_uid=by_uid, moves=False),
            "MOVE": lambda given: self._copy(folder, given, by_uid=by_uid, moves=True),
            "EXPUNGE": lambda given: folder.expunge(given, by_uid=by_uid),
        }

    def _capability(self, _given: list[Argument]) -> str | None:
        self._say(f"* CAPABILITY {_LOGGED_IN if self.account else _LOGGED_OUT}")
        return None

    def _login(self, given: list[Argument]) -> str:
        return self._enter(str(given[0]), str(given[1]))

    def _authenticate(self, given: list[Argument]) -> str:
        if str(given[0]).upper() != "PLAIN":
            raise No("PLAIN only")
        self._say("+ ")
        answer = self.rfile.readline(_LONGEST_LINE).strip()
        _, user, password = base64.b64decode(answer, validate=True).decode().split("\0")
        return self._enter(user, password)

    def _enter(self, user: str, password: str) -> str:
        known = self.server.accounts.get(user)
        if known is None or not hmac.compare_digest(known.encode(), password.encode()):
            raise No("[AUTHENTICATIONFAILED] no such account or password")
        self.account = user
        self.server.store.create(user, INBOX)
        return f"[CAPABILITY {_LOGGED_IN}] logged in"

    def _select(self, given: list[Argument], *, writable: bool) -> str:
        self.selected = None
        name = folder_named(given[0])
        known = self.server.store.validity(self.account, name)
        if known is None:
            raise No("[NONEXISTENT] no such folder")
        self.selected = OpenFolder(self.server.store, self.account, name, writable=writable)
        self._say(f"* {self.selected.count} EXISTS")
        self._say("* 0 RECENT")
        self._say(f"* FLAGS {_FLAGS}")
        self._say(f"* OK [UIDVALIDITY {known[0]}] valid")
        self._say(f"* OK [UIDNEXT {known[1]}] next")
        return "[READ-WRITE] opened" if writable else "[READ-ONLY] opened"

    def _create(self, given: list[Argument]) -> None:
        if not self.server.store.create(self.account, folder_named(given[0])):
            raise No("[ALREADYEXISTS] there is one")

    def _list(self, _given: list[Argument]) -> None:
        for name in self.server.store.folders(self.account):
            self._say(f'* LIST () "/" {in_quotes(name)}')

    def _append(self, given: list[Argument]) -> str:
        validity = self._target(given[0])
        octets = given[-1]
        uid = self.server.store.add(self.account, folder_named(given[0]), str(octets).encode("latin-1"))
        return f"[APPENDUID {validity} {uid}] kept"

    def _copy(self, folder: OpenFolder, given: list[Argument], *, by_uid: bool, moves: bool) -> str | None:
        folder.require_writable()
        validity = self._target(given[1])
        copied = folder.copy(given[0], folder_named(given[1]), by_uid=by_uid, moves=moves)
        if not copied:
            return None
        told = f"[COPYUID {validity} {','.join(map(str, copied))} {','.join(map(str, copied.values()))}]"
        if not moves:
            return f"{told} copied"
        self._say(f"* OK {told} moved")
        return None

    def _target(self, given: Argument) -> int:
        known = self.server.store.validity(self.account, folder_named(given))
        if known is None:
            raise No("[TRYCREATE] no such folder")
        return known[0]

    def _tell(self, lines: Iterable[str | bytes]) -> None:
        for line in lines:
            self._say(line)

    def _say(self, line: str | bytes) -> None:
        octets = line if isinstance(line, bytes) else line.encode("utf-8", "surrogateescape")
        self.wfile.write(octets + b"\r\n")

    def _command(self) -> tuple[str, str, list[Argument]] | None:
        """Read a command, literals and all; None when the client has gone."""
        words: list[Argument] = []
        nesting: list[list[Argument]] = [words]
        while True:
            line = self.rfile.readline(_LONGEST_LINE)
            if not line.endswith(b"\n"):
                return None
            literal = re.search(rb"\{(\d+)\}\r?\n$", line)
            read_words(line[: literal.start()] if literal else line, nesting)
            if literal is None:
                break
            size = int(literal[1])
            if size > _LARGEST:
                return None
            self._say("+ go on")
            nesting[-1].append(self.rfile.read(size).decode("latin-1"))
        if len(words) < len(("tag", "verb")):
            return None
        return str(words[0]), str(words[1]), words[2:]
