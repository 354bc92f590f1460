"""What a notice says, by occasion and kind of send; whatever names hold, a header stays a header."""

from __future__ import annotations

import email
import email.policy
from datetime import date, timedelta
from typing import Any
from unittest.mock import Mock, patch

import pytest
from sqlmodel import Session

from core.messages import Catalogue, speaking
from core.platform import Platform
from core.secrets import SecretBox
from core.settings import Settings
from flows.mail import composing, links, reached
from flows.mail.kinds import BUILT_IN
from flows.mail.models import Mail, MailNotice, MailRecipient

SETTINGS = Settings(mail_from="courrier@valmorin.test", public_url="https://valmorin.test")
BOX = SecretBox([b"7" * 43 + b"="])
TOLD = date(2026, 3, 2)


def composed(
    occasion: str, kind: str = "secured", code: str = "", before: date | None = TOLD, **told: Any
) -> tuple[MailNotice, email.message.EmailMessage]:
    changes = {"sender": "Mairie de Valmorin", "subject": "Arrêté n° 12", "body": "Voici.\n\nMerci.", "reason": "Erreur", **told}
    name, address = changes.pop("name", "Camille Aubert"), changes.pop("address", "camille@elus.test")
    mail = Mail(dossier_id="D1", organisation_id="o", kind=kind, terms=BUILT_IN[kind].model_dump(mode="json"), **changes)
    whose: dict[str, Any] = {"organisation_id": "o", "dossier_id": "D1"}
    recipient = MailRecipient(**whose, rank=0, name=name, address=address, normal=address)
    linked = occasion != "cancellation" and not code
    notice = MailNotice(**whose, recipient_id=recipient.id, occasion=occasion, address=address, envelope="e", linked=linked)
    if code:
        notice.message = BOX.encrypt(code.encode())
    platform = Platform(SETTINGS, Mock(), Mock(), BOX)
    with patch.object(reached, "told_on", return_value={recipient.id: before} if before else {}):
        composing.compose(platform, Mock(spec=Session), notice, recipient, mail)
    message = email.message_from_bytes(BOX.decrypt(notice.message or b""), policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return notice, message


def text_of(message: email.message.EmailMessage) -> str:
    return "".join(part.get_content() for part in message.walk() if part.get_content_maintype() == "text")


OCCASIONS = ("notice", "again-1", "reminder-2", "addition-01X", "cancellation", "surprise-1")


@pytest.mark.parametrize("kind", BUILT_IN)
def test_every_occasion_has_its_words_and_reveals_only_what_its_kind_does(kind: str) -> None:
    subjects = set()
    for occasion in OCCASIONS:
        notice, message = composed(occasion, kind)
        said = text_of(message)
        subjects.add(message["Subject"])
        assert "Mairie de Valmorin" in said and "D1" in said and "{" not in message["Subject"] + said.replace("{ ", "")
        assert ("Arrêté n° 12" in message["Subject"] + said) == (kind == "convocation"), occasion
        assert ("Voici." in said) == (kind == "convocation" and occasion in {"notice", "again-1"}), occasion
        assert ("Erreur" in said) == (kind == "convocation" and occasion == "cancellation")
        assert ("https://valmorin.test/courrier/" in said) == (notice.token is not None) == (occasion != "cancellation")
    assert len(subjects) >= 5


def test_a_code_is_told_without_a_link_and_stays_nowhere_else() -> None:
    notice, message = composed("code-1", "convocation", code="482915")
    said = text_of(message)
    assert "482915" in said and "/courrier/" not in said and notice.token is None and "Arrêté" not in message["Subject"] + said


def test_the_secret_of_a_link_is_in_the_octets_only() -> None:
    notice, message = composed("notice")
    (token,) = {line.rpartition("/")[2] for line in text_of(message).splitlines() if line.startswith("https://")}
    assert links.digest(token) == notice.token and token not in str(message.items())
    assert token.encode() not in (notice.message or b"")


def test_names_of_strangers_add_no_header() -> None:
    hostile = "Eve\r\nBcc: tous@elus.test\r\n\r\n<script>alert(1)</script>"
    _, message = composed("notice", name=hostile, sender=hostile, subject=hostile, kind="convocation")
    assert message["Bcc"] is None and sorted(set(message.keys())) == sorted(message.keys())
    assert [one.addr_spec for one in message["To"].addresses] == ["camille@elus.test"]
    assert [one.addr_spec for one in message["From"].addresses] == ["courrier@valmorin.test"]
    html = message.get_body(("html",))
    assert html is not None and "<script>" not in html.get_content()


def test_letters_beyond_ascii_travel_as_they_must() -> None:
    for address, ascii_only in (("camille@éluś.test", True), ("élodie@elus.test", False)):
        notice, _ = composed("notice", address=address, name="Élodie")
        head = BOX.decrypt(notice.message or b"").partition(b"\r\n\r\n")[0]
        assert head.isascii() is ascii_only


def test_no_word_that_the_law_keeps_for_others_is_in_a_notice() -> None:
    for locale in ("fr", "en"):
        with speaking(locale):
            texts = Catalogue("flows.mail").texts(locale)
        said = " ".join(text for key, text in texts.items() if key.startswith("notice."))
        assert not any(word in said.casefold() for word in ("recommand", "lre", "registered"))


def test_whoever_was_never_told_is_told_and_not_again_with_days_of_their_own() -> None:
    first = text_of(composed("again-1", "notification", before=None)[1])
    assert "quinze jours" in first and "de nouveau" not in first
    again = text_of(composed("again-1", "notification")[1])
    own = "2\u00a0mars 2026" if "2\u00a0mars 2026" in again else "2 mars 2026"
    assert own in again and "de nouveau" in again and "quinze jours" in again
    days = timedelta(days=BUILT_IN["notification"].withdraw_days)
    late = text_of(composed("again-1", "notification", before=TOLD, sent=None, withdraw_until=TOLD - timedelta(days=9))[1])
    assert f"{(TOLD + days).day} mars 2026" in late.replace("\u00a0", " ")
