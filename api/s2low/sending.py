"""What software sends: acts, answers to letters, cancellations, requests of the classification. Never half of what is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

from fastapi.responses import Response
from sqlmodel import col, select

from api.acts.form import Mixed, text_of, urlencoded
from api.acts.gathering import Names, gather, refuse_unsendable
from api.s2low.calls import Call, numbered, text, transaction_of, type_of
from api.uploads import whole
from core import clock
from core.blobs import Readable
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.actes import classifying, following, knowledge
from flows.actes.following import Reply, messages_of
from flows.actes.intake import Submission, field_of, submit
from flows.actes.models import ActesEnvelope, ActesMessage
from flows.engine.models import Dossier
from schemas.actes.classification import DEEPEST
from schemas.actes.codes import MessageCode

_t = Catalogue("api.s2low")
Sending = Callable[[Call, Readable, str], Response]
_LEVELS = tuple(f"classif{level}" for level in range(1, DEEPEST + 1))
_ACT = Names(
    frozenset(
        {"nature_code", "number", "subject", "decision_date", "document_papier", "en_attente", "must_signed", "batchfile"}
    ).union(_LEVELS),
    document="acte_pdf_file",
    type="type_acte",
    signature="acte_pdf_file_sign",
    annexes="acte_attachments[]",
    annexes_type="type_pj[]",
    annexes_signature="acte_attachments_sign[]",
    repeated=frozenset({"broadcast_email[]"}),
    ignores=True,
)
_REPLY = Names(
    frozenset({"id", "type_envoie"}),
    document=_ACT.document,
    type=_ACT.type,
    signature=_ACT.signature,
    annexes=_ACT.annexes,
    annexes_type=_ACT.annexes_type,
    annexes_signature=_ACT.annexes_signature,
    ignores=True,
)
_ANSWERS = {
    ("3", "3"): MessageCode.REFUS_PIECE_COMPLEMENTAIRE,
    ("3", "4"): MessageCode.PIECE_COMPLEMENTAIRE,
    ("4", "3"): MessageCode.REJET_LETTRE_OBSERVATIONS,
    ("4", "4"): MessageCode.REPONSE_LETTRE_OBSERVATIONS,
}
_NO = {"", "0", "off", "false", "f"}
_AGAIN = timedelta(hours=1)
_MULTIPART = "multipart/form-data"
_LARGEST_FORM = 1 << 20


def create(call: Call, source: Readable, content_type: str) -> Response:
    """Make a dossier of an act; the identical act sent again is told its number again.

    Raises:
        Forbidden, UsageError, Conflict, NeedsOperator, TooLarge, Unavailable: see ``flows.actes.intake.submit``; UsageError also
            for what is not done here.
    """
    call.account.require(Right.DEPOSIT)
    form = gather(call.platform, source, content_type, _ACT)
    told = form.values
    _refuse_not_done(told)
    signs = _yes(told, "must_signed")
    if signs and knowledge.route_of(call.platform, call.account.organisation.id) is None:
        raise UsageError(_t("create.must_signed"))
    if form.document is None:
        raise UsageError(_t("create.no_document"))
    nature = told.get("nature_code", "")
    submission = Submission(
        call.account.organisation.id,
        told.get("number", ""),
        field_of(told, "decision_date", date.fromisoformat),
        int(nature) if nature.isascii() and nature.isdigit() else 0,
        _matieres(told),
        told.get("subject", ""),
        form.document,
        form.annexes,
        paper=_yes(told, "document_papier"),
        sign=signs,
    )
    received = submit(call.platform, call.account.principal, submission)
    return text("OK", numbered(call, _first(call.platform, received.dossier)))


def _refuse_not_done(told: Mapping[str, str]) -> None:
    """Go on only without what would be asked for and not done."""
    if _yes(told, "en_attente"):
        raise UsageError(_t("create.en_attente"))
    if told.get("broadcast_email[]", "").strip(","):
        raise UsageError(_t("create.broadcast"))
    if told.get("batchfile"):
        raise UsageError(_t("create.batch"))


def _yes(told: Mapping[str, str], name: str) -> bool:
    return told.get(name, "").casefold() not in _NO


def _matieres(told: Mapping[str, str]) -> tuple[int, ...]:
    """Return the codes of the matière, up to the first level that is not given."""
    given = [told.get(level, "") for level in _LEVELS]
    codes = given[: next((rank for rank, code in enumerate(given) if code in {"", "0"}), len(given))]
    skipped = any(code not in {"", "0"} for code in given[len(codes) :])
    if not codes or skipped or not all(code.isascii() and code.isdigit() and len(code) <= len("99") for code in codes):
        raise UsageError(_t("create.matiere", found=".".join(given).rstrip(".")[:40]))
    return tuple(map(int, codes))


def _first(platform: Platform, dossier: Dossier) -> ActesMessage:
    with platform.database.reading(PLATFORM) as session:
        return messages_of(session, dossier.id)[0]


def cancel(call: Call, source: Readable, content_type: str) -> Response:
    """Ask the State to cancel the transmission of an act."""
    call.account.require(Right.DEPOSIT)
    found = transaction_of(call, _small(source, content_type).get("id", ""))
    if not found.is_act:
        raise UsageError(_t("cancel.no_act"))
    asked = following.cancel(call.platform, call.account.principal, found.message.dossier_id)
    return text("OK", numbered(call, asked))


def _small(source: Readable, content_type: str) -> dict[str, str]:
    """Return the fields of a form without files, whichever way it is written."""
    if content_type.partition(";")[0].strip().lower() != _MULTIPART:
        return {name: text_of(name, value) for name, value in urlencoded(whole(source, _LARGEST_FORM))}
    form = Mixed(source, content_type)
    return {name: form.text(name) for name, _ in form.parts()}


def reply(call: Call, source: Readable, content_type: str) -> Response:
    """Ask for an answer to a letter to be sent: 3 refuses or rejects, 4 answers."""
    call.account.require(Right.DEPOSIT)
    form = gather(call.platform, source, content_type, _REPLY)
    letter = transaction_of(call, form.values.get("id", ""))
    kind, given = type_of(letter.message), form.values.get("type_envoie", "")
    code = MessageCode.REPONSE_COURRIER_SIMPLE if kind == "2" else _ANSWERS.get((kind, given))
    if code is None or letter.message.outgoing:
        raise UsageError(_t("reply.kind", type=letter.message.code, found=given[:20]))
    documents = ([form.document] if form.document else []) + form.annexes
    if any(one.signature is not None for one in documents):
        raise UsageError(_t("reply.signature"))
    refuse_unsendable(documents)
    answer = Reply(letter.message.id, code, documents)
    asked = following.reply(call.platform, call.account.principal, letter.message.dossier_id, answer)
    return text("OK", numbered(call, asked))


def request(call: Call) -> Response:
    """Ask the préfecture for its classification, at most once an hour.

    Raises:
        Conflict: it was asked for a moment ago.
        TabellionError: it could not be asked for.
    """
    call.account.require(Right.DEPOSIT)
    organisation_id = call.account.organisation.id
    with call.platform.database.reading(PLATFORM) as session:
        last = session.exec(
            select(ActesEnvelope.created)
            .where(ActesEnvelope.organisation_id == organisation_id, col(ActesEnvelope.dossier_id).is_(None))
            .order_by(col(ActesEnvelope.id).desc())
            .limit(1)
        ).first()
    if last is not None and clock.now() - last < _AGAIN:
        raise Conflict(_t("classification.asked", moment=f"{clock.in_paris(last):%d/%m/%Y %H:%M}"))
    return text("OK", _t("classification.request", envelope=classifying.request(call.platform, organisation_id)))
