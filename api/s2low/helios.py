"""PES behind the interface of S2LOW: posted, followed, their acquit taken; returns of Hélios taken. Answers are XML in UTF-8.

A PES is known by the number that is given when it is first asked for. The same PES posted again is told its number again; another
one of the same NomFic and CodCol is a double. A return is listed until its client says that it has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from fastapi.responses import Response

from api import downloads
from api.acts.form import Mixed
from api.deposits import Destination
from api.deposits import deposit as deposited
from api.pastell.numbers import named_by, numbers_of
from api.s2low.calls import Call, as_xml
from api.words import label
from core import clock
from core.blobs import Readable
from core.errors import Conflict, Gone, NotFound, UsageError
from core.messages import Catalogue
from core.principal import Right
from flows.engine import reading, transitions
from flows.engine.models import Dossier, DossierFile
from flows.engine.reading import Seen, Wanted
from flows.engine.table import Flow
from flows.engine.work import Advance
from flows.helios.flow import HELIOS
from flows.helios.intake import ROLE
from flows.helios.returns import RETURNS
from flows.helios.returns import ROLE as RETURN

_t = Catalogue("api.s2low")
_FIELD = "enveloppe"
_ACQUIT = "acquit"
_AT_ONCE = 1000
_ERROR, _SENT, _ANSWERED = -1, 3, 8
_OF_STATE = {
    "received": 1,
    "checked": 1,
    "proceeding": 13,
    "in_parapheur": 13,
    "validated": 2,
    "signed": 2,
    "sent": _SENT,
    # Whatever the acquit says: clients take it and open it.
    "acquitted": _ANSWERED,
    "archived": _ANSWERED,
    "refused": _ANSWERED,
    "rejected": _ERROR,
    "declined": _ERROR,
    "given_up": _ERROR,
}


def post(call: Call, source: Readable, content_type: str) -> Response:
    """Make a dossier of the PES that a form holds.

    Raises:
        Forbidden, UsageError, TooLarge, Unavailable: see ``api.deposits.deposit``; UsageError also without a PES, or with two.
        Conflict: a PES of the same NomFic and CodCol, and of another content, was posted before.
    """
    call.account.require(Right.DEPOSIT)
    form = Mixed(source, content_type)
    parts = form.parts()
    name = next((file_name for field, file_name in parts if field == _FIELD and file_name is not None), None)
    if name is None:
        raise UsageError(_t("helios.no_file"))
    to = Destination(HELIOS.name, call.account.organisation.id)
    try:
        received = deposited(call.platform, call.account.principal, to, _Envelope(form, parts), name)
    except Conflict as error:
        raise Conflict(_t("helios.double"), error.existing) from error
    return as_xml("import", id=_number(call, received.dossier), resultat="OK", message="")


class _Envelope:
    """The PES of a form, whose end is told once the whole form has come."""

    def __init__(self, form: Mixed, parts: Iterator[tuple[str, str | None]]) -> None:
        self._form, self._parts = form, parts

    def read(self, size: int = -1, /) -> bytes:
        piece = self._form.read(size)
        if not piece and any(field == _FIELD for field, _ in self._parts):
            raise UsageError(_t("helios.two_files"))
        return piece


def status(call: Call) -> Response:
    """Tell where a PES stands, with what is wrong."""
    number = call.query.get("transaction", "")
    found = _seen(call, number)
    dossier = found.dossier
    told = _OF_STATE[dossier.state]
    if told == _ANSWERED and _file(found, _ACQUIT) is None:
        told = _SENT
    message = " ".join(str(problem["message"]) for problem in dossier.problems) if told == _ERROR else ""
    shown = message or label(f"state.{dossier.state}", HELIOS.name)
    return as_xml("transaction", id=number.strip(), resultat="OK", status=told, message=shown)


def acquit(call: Call) -> Response:
    """Give the acquit of a PES, as Hélios wrote it."""
    found = _seen(call, call.query.get("id") or call.query.get("transaction") or "")
    kept = _file(found, _ACQUIT)
    if kept is None:
        raise NotFound(_t("helios.no_acquit"))
    return downloads.document(call.platform, kept)


def file(call: Call) -> Response:
    """Give a PES, as it leaves for Hélios; as it came while it is not signed."""
    found = _seen(call, call.query.get("id") or call.query.get("transaction") or "")
    kept = _file(found, "signed") or _file(found, ROLE)
    if kept is None:
        raise NotFound(_t("transaction.invalid"))
    return downloads.document(call.platform, kept)


def returns(call: Call) -> Response:
    """List the returns of which no client said that it has them, oldest first."""
    call.account.require(Right.READ)
    organisation = call.account.organisation
    wanted = Wanted(organisations=(organisation.id,), flow=RETURNS.name, states=(RETURNS.start,))
    with reading.opened(call.platform.database, call.account.principal) as session:
        lines = reading.page(session, wanted, _AT_ONCE).lines[::-1]
    numbers = numbers_of(call.platform, {one.id: organisation.id for one in lines})
    found = [{"id": numbers[one.id], "nom": one.title, "date": _moment(one.created)} for one in lines]
    asked = {"idColl": organisation.siren or "", "dateDemande": _moment(clock.now())}
    return as_xml("liste", **asked, resultat="OK", message="", pes_retour=found)


def given_return(call: Call) -> Response:
    """Give a return, as Hélios wrote it."""
    kept = _file(_seen(call, call.query.get("id", ""), RETURNS), RETURN)
    if kept is None:
        raise NotFound(_t("transaction.invalid"))
    return downloads.document(call.platform, kept)


def return_taken(call: Call) -> Response:
    """Note that a client has a return; said again, it changes nothing."""
    call.account.require(Right.DEPOSIT)
    number = call.query.get("id", "")
    dossier = _seen(call, number, RETURNS).dossier
    with call.platform.database.writing(call.account.principal) as session:
        transitions.signal(session, RETURNS, dossier.id, "taken", Advance("taken"), call.account.principal.actor)
    return as_xml("transaction", idRetour=number.strip(), resultat="OK", message="")


def _moment(value: datetime) -> str:
    return f"{clock.in_paris(value):%Y-%m-%d %H:%M:%S}"


def _file(found: Seen, role: str) -> DossierFile | None:
    return next((kept for kept in found.files if kept.role == role), None)


def _number(call: Call, dossier: Dossier) -> int:
    return numbers_of(call.platform, {dossier.id: dossier.organisation_id})[dossier.id]


def _seen(call: Call, number: str, flow: Flow = HELIOS) -> Seen:
    """Return the PES, or the return, of a number.

    Raises:
        Forbidden: the account may not read.
        NotFound: there is none, or it is another organisation's: the two are not told apart.
        Gone: it was eliminated.
    """
    call.account.require(Right.READ)
    identifier = named_by(call.platform, number)
    if identifier is None:
        raise NotFound(_t("transaction.invalid"))
    with reading.opened(call.platform.database, call.account.principal) as session:
        try:
            found = reading.seen(session, identifier)
        except Gone:
            raise
        except NotFound as error:
            raise NotFound(_t("transaction.invalid")) from error
    if found.dossier.flow != flow.name or found.dossier.organisation_id != call.account.organisation.id:
        raise NotFound(_t("transaction.invalid"))
    return found
