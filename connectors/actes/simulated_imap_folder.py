"""A folder of the simulated mailbox as one client knows it: its mails by the numbers that were told, and what is done to them.

Numbers change only when the client has been told (RFC 3501, 7.4.1); octets are given as they came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import format_datetime

from connectors.actes.simulated_imap_words import Argument, Bad, No, among, section_of
from connectors.actes.simulated_mails import Kept, MailStore
from core.clock import from_iso

_SECTION = re.compile(r"BODY(\.PEEK)?\[(|HEADER|HEADER\.FIELDS \(([^)]*)\))\](?:<(\d+)\.(\d+)>)?", re.IGNORECASE)
_SEARCHED: dict[str, tuple[str, bool]] = {
    "DELETED": (r"\Deleted", True),
    "UNDELETED": (r"\Deleted", False),
    "SEEN": (r"\Seen", True),
    "UNSEEN": (r"\Seen", False),
}


class OpenFolder:
    """A folder that a client has opened; what is answered to it is given as lines without their ends."""

    def __init__(self, store: MailStore, account: str, name: str, *, writable: bool) -> None:
        """Number the mails.

        Args:
            store: of the mails.
            account: whose folder it is.
            name: of the folder, which exists.
            writable: false for one that was opened to be read.
        """
        self._store, self._account, self._name, self._writable = store, account, name, writable
        self._uids = [mail.uid for mail in self._mails()]  # the first is number 1

    @property
    def count(self) -> int:
        """How many mails the client knows."""
        return len(self._uids)

    def require_writable(self) -> None:
        """Go on only with a folder that was opened to be changed.

        Raises:
            No: it was not.
        """
        if not self._writable:
            raise No("[READ-ONLY] opened to be read")

    def search(self, given: list[Argument], *, by_uid: bool) -> str:
        """Return the line that tells the mails searched for."""
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
                raise Bad(f"SEARCH {word[:20]} is not known here")
        numbers = [mail.uid if by_uid else number for number, mail in found.items()]
        return " ".join(["* SEARCH", *map(str, numbers)])

    def fetch(self, given: list[Argument], *, by_uid: bool) -> Iterator[bytes]:
        """Yield what is asked of mails."""
        wanted = given[1] if isinstance(given[1], list) else [given[1]]
        for number, mail in among(self._numbered(), str(given[0]), by_uid=by_uid).items():
            parts = [self._item(mail, str(item)) for item in wanted]
            if by_uid and not any(part.startswith(b"UID ") for part in parts):
                parts.append(b"UID %d" % mail.uid)
            yield b"* %d FETCH (%s)" % (number, b" ".join(parts))

    def flag(self, given: list[Argument], *, by_uid: bool) -> Iterator[str]:
        """Set the flags of mails, and yield what they are then unless that is not wanted."""
        self.require_writable()
        way, _, silent = str(given[1]).upper().partition(".")
        named = frozenset(map(str, given[2] if isinstance(given[2], list) else given[2:]))
        if way not in {"FLAGS", "+FLAGS", "-FLAGS"} or silent not in {"", "SILENT"}:
            raise Bad("STORE of flags only")
        for number, mail in among(self._numbered(), str(given[0]), by_uid=by_uid).items():
            flags = {"FLAGS": named, "+FLAGS": mail.flags | named, "-FLAGS": mail.flags - named}[way]
            self._store.flag(self._account, self._name, mail.uid, flags)
            if not silent:
                yield f"* {number} FETCH (FLAGS ({' '.join(sorted(flags))}) UID {mail.uid})"

    def copy(self, wanted: Argument, target: str, *, by_uid: bool, moves: bool) -> dict[int, int]:
        """Copy or move mails to an existing folder; return the new UID of each."""
        self.require_writable()
        uids = [mail.uid for mail in among(self._numbered(), str(wanted), by_uid=by_uid).values()]
        return self._store.copy(self._account, self._name, uids, target, moves=moves)

    def expunge(self, given: list[Argument], *, by_uid: bool) -> None:
        """Take away the mails that are marked to be deleted, all or those that are named."""
        self.require_writable()
        mails = among(self._numbered(), str(given[0]), by_uid=True) if by_uid else self._numbered()
        gone = [mail.uid for mail in mails.values() if r"\Deleted" in mail.flags]
        self._store.remove(self._account, self._name, gone)

    def news(self) -> Iterator[str]:
        """Yield what has gone and what has come; the client knows it from then on."""
        present = [mail.uid for mail in self._mails()]
        for number in range(len(self._uids), 0, -1):
            if self._uids[number - 1] not in present:
                del self._uids[number - 1]
                yield f"* {number} EXPUNGE"
        if len(present) > len(self._uids):
            self._uids = present
            yield f"* {len(present)} EXISTS"

    def _mails(self) -> list[Kept]:
        return self._store.mails(self._account, self._name)

    def _numbered(self) -> dict[int, Kept]:
        """Return the mails that are still there, by the numbers that the client knows."""
        mails = {mail.uid: mail for mail in self._mails()}
        return {number: mails[uid] for number, uid in enumerate(self._uids, start=1) if uid in mails}

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
            raise Bad(f"FETCH {item[:40]} is not known here")
        if section[1] is None and self._writable:
            self._store.flag(self._account, self._name, mail.uid, mail.flags | {r"\Seen"})
        octets = section_of(mail.file.read_bytes(), section[2], (section[3] or "").split())
        shown = f"BODY[{section[2]}]"
        if section[4] is not None:
            start = int(section[4])
            octets, shown = octets[start : start + int(section[5])], f"{shown}<{start}>"
        return b"%s {%d}\r\n%s" % (shown.encode(), len(octets), octets)
