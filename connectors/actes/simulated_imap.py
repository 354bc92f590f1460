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
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any

from connectors.actes.simulated_imap_words import Argument, among, folder_named, in_quotes, read_words, section_of
from connectors.actes.simulated_mails import INBOX, Kept, MailStore
from core.clock import from_iso

_LONGEST_LINE = 65536
_LARGEST = 256 * 1024 * 1024
_PATIENCE = 300.0
_LOGGED_OUT = "IMAP4rev1 AUTH=PLAIN"
_LOGGED_IN = "IMAP4rev1 UIDPLUS MOVE"
_FLAGS = r"(\Answered \Flagged \Deleted \Seen \Draft)"
_SECTION = re.compile(r"BODY(\.PEEK)?\[(|HEADER|HEADER\.FIELDS \(([^)]*)\))\](?:<(\d+)\.(\d+)>)?", re.IGNORECASE)
_SEARCHED: dict[str, tuple[str, bool]] = {
    "DELETED": (r"\Deleted", True),
    "UNDELETED": (r"\Deleted", False),
    "SEEN": (r"\Seen", True),
    "UNSEEN": (r"\Seen", False),
}


class _No(Exception):
    """The command cannot be done."""


class _Bad(Exception):
    """The command is not formed as it should be, or not known."""


class ImapServer:
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
        self._server = _Server((host, port), _Connection)
        self._server.store, self._server.accounts, self._server.tls = store, dict(accounts), tls
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="simulated-imap", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and cut every connection."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.cut()


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


@dataclass(slots=True)
class _Selected:
    """The folder that is open.

    Attributes:
        uids: of its mails as the client knows them: the first is number 1.
        writable: false after EXAMINE.
    """

    name: str
    uids: list[int]
    writable: bool


class _Connection(socketserver.StreamRequestHandler):
    timeout = _PATIENCE
    server: _Server
    account = ""
    selected: _Selected | None = None

    def handle(self) -> None:
        """Greet, then do what is asked until the client leaves."""
        self._say(f"* OK [CAPABILITY {_LOGGED_OUT}] ready")
        while line := self._command():
            tag, verb, arguments = line
            try:
                if not self._do(tag, verb.upper(), arguments):
                    return
            except _No as refusal:
                self._say(f"{tag} NO {refusal}")
            except (_Bad, IndexError, ValueError) as fault:
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
            self._synchronise(self.selected)
        self._say(f"{tag} OK {told or verb}")
        return True

    def _verb(self, verb: str, *, by_uid: bool) -> Callable[[list[Argument]], str | None]:
        always: dict[str, Callable[[list[Argument]], str | None]] = {"CAPABILITY": self._capability, "NOOP": lambda _: None}
        outside = {"LOGIN": self._login, "AUTHENTICATE": self._authenticate}
        inside = {
            "SELECT": lambda given: self._select(given, writable=True),
            "EXAMINE": lambda given: self._select(given, writable=False),
            "CREATE": self._create,
            "SUBSCRIBE": lambda _: None,
            "LIST": self._list,
            "APPEND": self._append,
        }
        chosen = {
            "SEARCH": lambda given: self._search(given, by_uid=by_uid),
            "FETCH": lambda given: self._fetch(given, by_uid=by_uid),
            "STORE": lambda given: self._store(given, by_uid=by_uid),
            "COPY": lambda given: self._copy(given, by_uid=by_uid, moves=False),
            "MOVE": lambda given: self._copy(given, by_uid=by_uid, moves=True),
            "EXPUNGE": lambda given: self._expunge(given, by_uid=by_uid),
        }
        known: dict[str, Callable[[list[Argument]], str | None]] = always | (inside if self.account else outside)
        known |= chosen if self.selected else {}
        if verb not in known or (by_uid and verb not in chosen):
            raise _Bad("unknown command, or not in this state")
        return known[verb]

    def _capability(self, _given: list[Argument]) -> str | None:
        self._say(f"* CAPABILITY {_LOGGED_IN if self.account else _LOGGED_OUT}")
        return None

    def _login(self, given: list[Argument]) -> str:
        return self._enter(str(given[0]), str(given[1]))

    def _authenticate(self, given: list[Argument]) -> str:
        if str(given[0]).upper() != "PLAIN":
            raise _No("PLAIN only")
        self._say("+ ")
        answer = self.rfile.readline(_LONGEST_LINE).strip()
        _, user, password = base64.b64decode(answer, validate=True).decode().split("\0")
        return self._enter(user, password)

    def _enter(self, user: str, password: str) -> str:
        known = self.server.accounts.get(user)
        if known is None or not hmac.compare_digest(known.encode(), password.encode()):
            raise _No("[AUTHENTICATIONFAILED] no such account or password")
        self.account = user
        self.server.store.create(user, INBOX)
        return f"[CAPABILITY {_LOGGED_IN}] logged in"

    def _select(self, given: list[Argument], *, writable: bool) -> str:
        self.selected = None
        name = folder_named(given[0])
        known = self.server.store.validity(self.account, name)
        if known is None:
            raise _No("[NONEXISTENT] no such folder")
        uids = [mail.uid for mail in self._mails(name)]
        self.selected = _Selected(name, uids, writable)
        self._say(f"* {len(uids)} EXISTS")
        self._say("* 0 RECENT")
        self._say(f"* FLAGS {_FLAGS}")
        self._say(f"* OK [UIDVALIDITY {known[0]}] valid")
        self._say(f"* OK [UIDNEXT {known[1]}] next")
        return "[READ-WRITE] opened" if writable else "[READ-ONLY] opened"

    def _create(self, given: list[Argument]) -> None:
        if not self.server.store.create(self.account, folder_named(given[0])):
            raise _No("[ALREADYEXISTS] there is one")

    def _list(self, _given: list[Argument]) -> None:
        for name in self.server.store.folders(self.account):
            self._say(f'* LIST () "/" {in_quotes(name)}')

    def _append(self, given: list[Argument]) -> str:
        validity = self._target(given[0])
        octets = given[-1]
        uid = self.server.store.add(self.account, folder_named(given[0]), str(octets).encode("latin-1"))
        return f"[APPENDUID {validity} {uid}] kept"

    def _search(self, given: list[Argument], *, by_uid: bool) -> None:
        found = self._numbered()
        words = [str(one).upper() for one in given]
        while words:
            word = words.pop(0)
            if word == "UID":
                found = among(found, words.pop(0), by_uid=True)
            elif word[0].isdigit() or word[0] == "*":
                found = among(found, word, by_uid=False)
            elif word in _SEARCHED:
                flag, wanted = _SEARCHED[word]
                found = {number: mail for number, mail in found.items() if (flag in mail.flags) is wanted}
            elif word != "ALL":
                raise _Bad(f"SEARCH {word[:20]} is not known here")
        numbers = [mail.uid if by_uid else number for number, mail in found.items()]
        self._say(" ".join(["* SEARCH", *map(str, numbers)]))

    def _fetch(self, given: list[Argument], *, by_uid: bool) -> None:
        wanted = given[1] if isinstance(given[1], list) else [given[1]]
        for number, mail in among(self._numbered(), str(given[0]), by_uid=by_uid).items():
            parts = [self._item(mail, str(item)) for item in wanted]
            if by_uid and not any(part.startswith(b"UID ") for part in parts):
                parts.append(b"UID %d" % mail.uid)
            self.wfile.write(b"* %d FETCH (%s)\r\n" % (number, b" ".join(parts)))

    def _item(self, mail: Kept, item: str) -> bytes:
        name = item.upper()
        if name == "UID":
            return b"UID %d" % mail.uid
        if name == "FLAGS":
            return f"FLAGS ({' '.join(sorted(mail.flags))})".encode()
        if name == "RFC822.SIZE":
            return b"RFC822.SIZE %d" % mail.size
        if name == "INTERNALDATE":
            return f'INTERNALDATE "{format_datetime(from_iso(mail.time))}"'.encode()
        section = _SECTION.fullmatch(item)
        if section is None:
            raise _Bad(f"FETCH {item[:40]} is not known here")
        if section[1] is None and self.selected and self.selected.writable:
            self.server.store.flag(self.account, self.selected.name, mail.uid, mail.flags | {r"\Seen"})
        octets = section_of(mail.file.read_bytes(), section[2], (section[3] or "").split())
        shown = f"BODY[{section[2]}]"
        if section[4] is not None:
            start = int(section[4])
            octets, shown = octets[start : start + int(section[5])], f"{shown}<{start}>"
        return b"%s {%d}\r\n%s" % (shown.encode(), len(octets), octets)

    def _store(self, given: list[Argument], *, by_uid: bool) -> None:
        selected = self._writable()
        way, _, silent = str(given[1]).upper().partition(".")
        named = frozenset(map(str, given[2] if isinstance(given[2], list) else given[2:]))
        if way not in {"FLAGS", "+FLAGS", "-FLAGS"} or silent not in {"", "SILENT"}:
            raise _Bad("STORE of flags only")
        for number, mail in among(self._numbered(), str(given[0]), by_uid=by_uid).items():
            flags = {"FLAGS": named, "+FLAGS": mail.flags | named, "-FLAGS": mail.flags - named}[way]
            self.server.store.flag(self.account, selected.name, mail.uid, flags)
            if not silent:
                self._say(f"* {number} FETCH (FLAGS ({' '.join(sorted(flags))}) UID {mail.uid})")

    def _copy(self, given: list[Argument], *, by_uid: bool, moves: bool) -> str | None:
        selected = self._writable()
        validity = self._target(given[1])
        uids = [mail.uid for mail in among(self._numbered(), str(given[0]), by_uid=by_uid).values()]
        copied = self.server.store.copy(self.account, selected.name, uids, folder_named(given[1]), moves=moves)
        if not copied:
            return None
        told = f"[COPYUID {validity} {','.join(map(str, copied))} {','.join(map(str, copied.values()))}]"
        if not moves:
            return f"{told} copied"
        self._say(f"* OK {told} moved")
        return None

    def _expunge(self, given: list[Argument], *, by_uid: bool) -> None:
        selected = self._writable()
        mails = among(self._numbered(), str(given[0]), by_uid=True) if by_uid else self._numbered()
        gone = [mail.uid for mail in mails.values() if r"\Deleted" in mail.flags]
        self.server.store.remove(self.account, selected.name, gone)

    def _writable(self) -> _Selected:
        if self.selected is None or not self.selected.writable:
            raise _No("[READ-ONLY] opened to be read")
        return self.selected

    def _target(self, given: Argument) -> int:
        known = self.server.store.validity(self.account, folder_named(given))
        if known is None:
            raise _No("[TRYCREATE] no such folder")
        return known[0]

    def _mails(self, name: str) -> list[Kept]:
        return self.server.store.mails(self.account, name)

    def _numbered(self) -> dict[int, Kept]:
        """Return the mails that are still there, by the numbers that the client knows."""
        if self.selected is None:
            return {}
        mails = {mail.uid: mail for mail in self._mails(self.selected.name)}
        return {number: mails[uid] for number, uid in enumerate(self.selected.uids, start=1) if uid in mails}

    def _synchronise(self, selected: _Selected) -> None:
        """Tell what has gone and what has come."""
        present = [mail.uid for mail in self._mails(selected.name)]
        for number in range(len(selected.uids), 0, -1):
            if selected.uids[number - 1] not in present:
                del selected.uids[number - 1]
                self._say(f"* {number} EXPUNGE")
        if len(present) > len(selected.uids):
            selected.uids = present
            self._say(f"* {len(present)} EXISTS")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode("utf-8", "surrogateescape") + b"\r\n")

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
