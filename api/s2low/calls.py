"""A call and the transaction that it is about; and the two kinds of answers: lines of text, and JSON."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from fastapi.responses import Response

from api.acts.finding import Whole, whole
from api.s2low import statuses
from api.s2low.door import Account
from api.s2low.numbers import message_numbered, number_of, read_number
from api.s2low.statuses import Status
from core.errors import TabellionError
from core.platform import Platform
from core.principal import Right
from flows.actes.models import ActesMessage
from flows.engine import reading
from schemas.actes.codes import MessageCode
from schemas.actes.latin import ENCODING, transliterate

_ACT = MessageCode.ACTE.value
_NO_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
_ROOTS = {
    "helios_importer_fichier.php": "import",
    "helios_get_list.php": "liste",
    "helios_get_retour.php": "get_retour",
}


class NotDone(TabellionError):
    """Asked for as it can be asked elsewhere, and not done here."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call, its body aside."""

    platform: Platform
    account: Account
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Transaction:
    """A message as a transaction, with its act around it."""

    number: int
    message: ActesMessage
    whole: Whole

    @property
    def is_act(self) -> bool:
        """Whether it is the act itself."""
        return self.message.code == _ACT

    @property
    def status(self) -> Status:
        """Where it stands."""
        return self.status_of(self.message)

    def status_of(self, message: ActesMessage) -> Status:
        """Return where a message of the same act stands."""
        if message.code == _ACT:
            return statuses.of_state(self.whole.seen.dossier.state)
        return statuses.of_message(message, self.whole.messages)


def transaction_of(call: Call, number: str) -> Transaction:
    """Return the transaction of a number.

    Raises:
        Forbidden: the account may not read.
        NotFound: there is none, or it is another organisation's: the two are not told apart.
    """
    call.account.require(Right.READ)
    wanted = read_number(number)
    with reading.opened(call.platform.database, call.account.principal) as session:
        message = message_numbered(session, call.account.organisation.id, wanted)
        return Transaction(wanted, message, whole(session, message.dossier_id))


def type_of(message: ActesMessage) -> str:
    """Return the type of a transaction: the first figure of its code."""
    return message.code[0]


def numbered(call: Call, message: ActesMessage) -> int:
    """Return the number of a message that was just made."""
    return number_of(call.platform, message)


def octets_of(call: Call, sha256: str) -> bytes:
    """Return a small document as it was kept, checked against its digest: a message of the State is a proof."""
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "message.xml"
        call.platform.objects.fetch(sha256, path)
        return path.read_bytes()


def authority(call: Call) -> int:
    """Return what stands for the number of the organisation: its SIREN; 0 without one."""
    return int(call.account.organisation.siren or 0)


def text(*lines: object, status: int = 200, then: bytes = b"") -> Response:
    """Return lines of text in ISO-8859-1, and octets as they are after them."""
    told = "".join(f"{line}\n" for line in lines)
    content = transliterate(told).encode(ENCODING, "replace") + then
    return Response(content, status_code=status, media_type=f"text/plain; charset={ENCODING}")


def as_json(value: Any) -> Response:
    """Return JSON in plain ASCII, which reads the same whatever charset a client takes it for."""
    return Response(json.dumps(value, ensure_ascii=True), media_type="application/json")


def as_xml(root: str, **values: object) -> Response:
    """Return XML in UTF-8: an element, and one in it for each value, or for each one of a list; a mapping is elements again."""
    return _xml(root, values, 200)


def refused(path: str, lines: Sequence[str], status: int) -> Response:
    """Return a refusal in the form of the call that it answers: XML about PES, lines of text about all else."""
    if not path.startswith("/modules/helios/"):
        return text("KO", *lines, status=status)
    root = _ROOTS.get(path.rpartition("/")[2], "transaction")
    return _xml(root, {"id": "", "resultat": "KO", "message": " ".join(lines)}, status)


def _xml(root: str, values: Mapping[str, object], status: int) -> Response:
    shown = f'<?xml version="1.0" encoding="UTF-8"?>\n{_element(root, values)}\n'
    return Response(shown, status_code=status, media_type="text/xml; charset=UTF-8")


def _element(name: str, value: object) -> str:
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(_element(*one) for one in value.items())}</{name}>"
    return f"<{name}>{escape(_NO_XML.sub('', str(value)))}</{name}>"
