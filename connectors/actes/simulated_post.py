"""The simulated ministry's pen: answers and letters as files in an envelope in a mail, each numbered as the ministry numbers."""

from __future__ import annotations

import dataclasses
import os
import smtplib
from collections.abc import Sequence
from datetime import date
from io import BytesIO
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from connectors.actes.simulated_ledger import KnownAct, Ledger, Letter, WrittenMail
from connectors.actes.simulated_mailing import LARGE_COUNTER, SENDER, Fidelity, File, mail_of, written
from connectors.actes.simulated_prefecture import Answer, Decision, sender_of
from core.errors import UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from schemas.actes.codes import MessageCode
from schemas.actes.messages import (
    AnomalieActe,
    AnomalieEnveloppe,
    ARActe,
    CourrierSimple,
    DefereTA,
    DemandePieceComplementaire,
    EnveloppeMISILLCL,
    LettreObservations,
    Message,
    Office,
    OfficeKind,
    SignedFile,
)
from schemas.actes.names import AnomalyName, AttachmentName, EnvelopeName, IdActe, MessageBase, MessageName

_messages = Catalogue("connectors.actes")
_LINE = 14
_PATIENCE = 30
_FOR_GOOD = 500
_MARGIN = 60
_WIDTH = 85


class Writer:
    """Writes mails into a folder; nothing is noted."""

    def __init__(self, folder: Path, ledger: Ledger, fidelity: Fidelity) -> None:
        self._folder, self._ledger, self._fidelity = folder, ledger, fidelity

    def answers(self, decision: Decision, application: str, day: date) -> list[WrittenMail]:
        """Write the mails that follow from a decision, in the order in which they are sent."""
        archive = decision.archive
        if archive is None:
            return []
        sender, addresses = sender_of(archive.envelope), archive.envelope.addresses
        mails: list[WrittenMail] = []
        for answer in decision.answers:
            if isinstance(answer.message, AnomalieEnveloppe):
                rejected = str(archive.name.envelope) if archive.name else archive.envelope_path.name
                file = File(str(AnomalyName(rejected)), written(answer.message, self._fidelity))
                mails += self._mail(answer.message.code, [file], addresses)
                continue
            mails += self._message(answer, sender, application, addresses, day)
            if self._fidelity.anomaly_after_receipt and isinstance(answer.message, ARActe):
                late = answer.message
                detail = _messages("ministry.late")
                refusal = AnomalieActe(day, "999", detail, late.received, late.current_classification_date)
                mails += self._message(dataclasses.replace(answer, message=refusal), sender, application, addresses, day)
            if self._fidelity.paper_notice and answer.paper:
                mails += self._mail(answer.message.code, [], addresses)
        return mails[::-1] if self._fidelity.reversed_order else mails

    def letter(self, act: KnownAct, code: str, text: str, day: date) -> tuple[Letter, list[WrittenMail]]:
        """Write a letter about an act, with a PDF.

        Raises:
            UsageError: no such letter is written to a collectivité.
        """
        base = MessageBase.of_act(IdActe.parse(act.id_acte), _letter_code(code))
        after = self._fidelity.message_after_document
        first, second = self._number(day), self._number(day)
        number, of_document = (second, first) if after else (first, second)
        document = File(str(AttachmentName.build(type=None, base=base, n=of_document, extension="pdf")), _page(text))
        named = SignedFile(document.name)
        message: Message
        if code == MessageCode.COURRIER_SIMPLE:
            message = CourrierSimple(act.id_acte, day, named)
        elif code == MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE:
            message = DemandePieceComplementaire(act.id_acte, day, named, text)
        elif code == MessageCode.LETTRE_OBSERVATIONS:
            message = LettreObservations(act.id_acte, day, named, text)
        else:
            message = DefereTA(act.id_acte, day, text, (named,))
        file = File(str(MessageName.build(base, number)), written(message, self._fidelity))
        envelope = self._envelope(act.sender, act.application, file, day)
        return Letter(act.id_acte, code, day.isoformat()), self._mail(
            base.code, [envelope, file, document], act.addresses.split()
        )

    def _message(self, answer: Answer, sender: str, application: str, addresses: Sequence[str], day: date) -> list[WrittenMail]:
        siren, department = sender.split(",")[:2]
        code = answer.message.code
        if not code.about_an_act:
            base = MessageBase.of_classification(department, siren, code)
        elif answer.act is None or (self._fidelity.empty_names and code is MessageCode.ANOMALIE_ACTE):
            base = MessageBase(department, siren, None, None, None, code)
        else:
            base = MessageBase.of_act(IdActe.parse(answer.act), code)
        file = File(str(MessageName.build(base, self._number(day))), written(answer.message, self._fidelity))
        return self._mail(code, [self._envelope(sender, application, file, day), file], addresses)

    def _envelope(self, sender: str, application: str, message: File, day: date) -> File:
        siren, department, arrondissement, _ = sender.split(",")
        office = Office(OfficeKind.SOUS_PREFECTURE, department, arrondissement)
        number = self._ledger.count(f"envelope {day}")
        name = EnvelopeName.from_state(application=application, office=str(office), siren=siren, day=day, n=number)
        envelope = EnveloppeMISILLCL(office, siren, (SignedFile(message.name),))
        return File(str(name), written(envelope, self._fidelity))

    def _mail(self, code: MessageCode, files: Sequence[File], addresses: Sequence[str]) -> list[WrittenMail]:
        key = "ministry.mail" if files else "ministry.paper"
        octets = mail_of(f"[ACTES] {files[0].name if files else ''}".strip(), _messages(key), files, addresses, self._fidelity)
        mails = []
        for _ in range(2 if self._fidelity.twice else 1):
            name = f"{new_id()}.eml"
            with (self._folder / name).open("xb") as stream:
                stream.write(octets)
                os.fsync(stream.fileno())
            mails.append(WrittenMail(0, name, tuple(addresses), code.value))
        return mails

    def _number(self, day: date) -> int:
        large = self._fidelity.large_counters
        return self._ledger.count(f"message {day}{' large' if large else ''}", LARGE_COUNTER if large else 1)


def hand_over(ledger: Ledger, folder: Path, relay: tuple[str, int]) -> bool:
    """Hand over the mails that wait to a mail server; false when it takes none now.

    Args:
        ledger: which notes those that were taken, or refused for good.
        folder: of the mails.
        relay: host and port of the server.
    """
    for mail in ledger.unsent():
        try:
            with smtplib.SMTP(*relay, timeout=_PATIENCE) as connection:
                connection.sendmail(SENDER, mail.addresses, (folder / mail.file).read_bytes())
        except smtplib.SMTPRecipientsRefused as error:
            if any(code < _FOR_GOOD for code, _ in error.recipients.values()):
                return False
        except (smtplib.SMTPException, OSError):
            return False
        ledger.sent(mail)
    return True


def _letter_code(code: str) -> MessageCode:
    if code not in {"2-1", "3-1", "4-1", "5-1"}:
        raise UsageError(_messages("ministry.no_letter", code=code[:10]))
    return MessageCode(code)


def _page(text: str) -> bytes:
    """Return a page that bears a text."""
    stream = BytesIO()
    canvas = Canvas(stream, pagesize=A4, invariant=True)
    height = A4[1] - _MARGIN
    for line in [text[rank : rank + _WIDTH] for rank in range(0, len(text), _WIDTH)][:40]:
        canvas.drawString(_MARGIN, height, line)
        height -= _LINE
    canvas.save()
    return stream.getvalue()
