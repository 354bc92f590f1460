"""The rules M01 to M08 of a send: for each what passes, and what does not."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.problems import Problem, Severity
from flows.engine.work import KeptFile
from flows.mail import checking, rules
from flows.mail.checking import of_content, of_domains, of_sizes
from flows.mail.intake import Addressed, Draft
from flows.mail.kinds import NOTIFICATION, SECURED, Kind
from flows.mail.models import Mail, MailRecipient

TODAY = date(2026, 11, 28)
ADDRESS = "camille.aubert@elus.test"


def found(problems: Iterable[Problem]) -> list[str]:
    """Rules that are broken; those that only warn in parentheses."""
    return [one.rule if one.severity is Severity.ERROR else f"({one.rule})" for one in problems]


def drafted(*recipients: Addressed, **changes: Any) -> list[str]:
    draft = Draft("org", "secured", "Avis de passage", "Bonjour.", recipients=recipients or (Addressed(ADDRESS),))
    return found(rules.of_draft(replace(draft, **changes)))


def sent(kind: Kind = SECURED, count: int = 1, recipient: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    told = {"subject": "Avis de passage", "body": "Bonjour.", "sender": "Mairie de Valmorin", **changes}
    mail = Mail(dossier_id="d", organisation_id="o", kind=kind.name, **told)
    named = {"organisation_id": "o", "dossier_id": "d", "rank": 0, "address": ADDRESS, "normal": ADDRESS, **(recipient or {})}
    return found(rules.of_send(mail, [MailRecipient(**named) for _ in range(count)], kind, TODAY))


def test_M01_a_domain_that_takes_no_mail_is_told_and_a_silent_dns_is_not_asked_on_and_on(monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: N802
    asked: list[str] = []

    def takes_mail(domain: str) -> bool | None:
        asked.append(domain)
        return {"valmorin.fr": True, "valmorrin.fr": False}.get(domain)

    monkeypatch.setattr(checking, "takes_mail", takes_mail)

    def told(*domains: str) -> list[str | None]:
        named = {"organisation_id": "o", "dossier_id": "d", "rank": 0}
        return [
            one.path
            for one in of_domains([MailRecipient(**named, address=f"a@{domain}", normal=f"a@{domain}") for domain in domains])
        ]

    assert told("valmorin.fr", "valmorrin.fr", "valmorrin.fr", "elus.test") == ["a@valmorrin.fr"] * 2
    assert asked == ["valmorin.fr", "valmorrin.fr"]
    asked.clear()
    assert told("a.fr", "b.fr", "c.fr", "valmorrin.fr") == []
    assert asked == ["a.fr", "b.fr", "c.fr"]


def test_M01_recipients_are_there_once_each_at_an_address() -> None:  # noqa: N802
    assert sent() == [] and drafted() == []
    assert drafted(Addressed(ADDRESS), Addressed("élodie.noël@elus.test", "Élodie « la » Noël")) == []
    assert sent(count=0) == ["M01"]
    assert sent(SECURED.model_copy(update={"most_recipients": 2}), count=2) == []
    assert sent(SECURED.model_copy(update={"most_recipients": 2}), count=3) == ["M01"]
    for wrong in ("", "camille", "camille@elus", "camille@@elus.test", "a\r\nBcc: x@y.test", "a b@elus.test"):
        assert set(drafted(Addressed(wrong))) == {"M01"}, wrong
        assert set(sent(recipient={"address": wrong})) == {"M01"}, wrong
    assert drafted(Addressed(ADDRESS), Addressed(f" {ADDRESS.upper()} ")) == ["M01"]
    assert drafted(Addressed(ADDRESS, "Camille\r\nBcc: x@y.test")) == ["M01"]
    assert drafted(Addressed(ADDRESS, "n" * 201)) == ["M01"]


def test_M02_a_subject_is_a_line_and_a_message_is_text() -> None:  # noqa: N802
    assert drafted(subject="s" * 200, body="b" * 50_000) == [] and sent(subject="s" * 200, body="b" * 50_000) == []
    assert drafted(subject="", body="") == []  # a draft may wait for them
    for told in ({"subject": "s" * 201}, {"subject": "a\nb"}, {"subject": "a\rb"}, {"body": "b" * 50_001}, {"body": "a\x00b"}):
        assert drafted(**told) == ["M02"], told
    for subject in (" ", "a\r\nBcc: x@y.test", "s" * 201):
        assert sent(subject=subject) == ["M02"], subject
    assert sent(body=" \n") == sent(body="b" * 50_001) == ["M02"]
    assert drafted(sender="Mairie\nde Valmorin") == ["M02"] and drafted(reply_to="eaux") == ["M02"]
    assert drafted(reply_to="eaux@valmorin.test") == []


def test_M03_documents_are_few_light_and_harmless(tmp_path: Path) -> None:  # noqa: N802
    kept = KeptFile("document", "délibération n° 12.pdf", "application/pdf", "0" * 64, 10)
    kind = SECURED.model_copy(update={"largest_file": 10, "largest": 15, "most_files": 2})
    assert found(of_sizes([kept], kind)) == []
    assert found(of_sizes([replace(kept, size=11)], kind)) == ["M03"]
    assert found(of_sizes([kept, kept], kind)) == ["M03"]
    assert found(of_sizes([replace(kept, size=1)] * 3, kind)) == ["M03"]
    assert found(of_sizes([replace(kept, size=0)], kind)) == ["M03"]
    for name in ("../avis.pdf", "avis\u202efdp.exe.pdf", "n" * 256, "avis.pdf.JS", "avis.lnk"):
        assert set(found(of_sizes([replace(kept, name=name)], kind))) == {"M03"}, name
    path = tmp_path / "file"

    def holding(octets: bytes) -> list[str]:
        path.write_bytes(octets)
        return found(of_content("avis.pdf", path))

    assert holding(b"%PDF-1.7\ntrailer << /Root 1 0 R >>") == [] and holding("é".encode()) == []
    assert holding(b"MZ" + bytes(100)) == ["M03"] and holding(b"\x7fELF" + bytes(100)) == ["M03"]
    across = b"%PDF-1.7\n".ljust((1 << 20) - 4, b" ") + b"/Encrypt 5 0 R"
    assert holding(across) == ["(M03)"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("note.txt", "note")
    assert found(of_content("pieces.zip", path)) == []
    octets = bytearray(path.read_bytes())
    octets[octets.index(b"PK\x01\x02") + 8] |= 1
    assert holding(bytes(octets)) == ["(M03)"]


def test_M04_a_secret_is_long_or_six_digits_that_nobody_guesses() -> None:  # noqa: N802
    for good in ("quatre saules penchés", "482915", "100200"[::-1]):
        assert drafted(Addressed(ADDRESS, "Camille Aubert", password=good)) == [], good
    for weak in ("court", "motdepasse1234", "000000", "123456", "987654", "camille.aubert!", "121212", "12345"):
        assert drafted(Addressed(ADDRESS, "Camille Aubert", password=weak)) == ["M04"], weak
    assert drafted(Addressed(ADDRESS, password="Avis de PASSAGE")) == ["M04"]  # the subject
    secret = SECURED.model_copy(update={"level": 1})
    assert sent(secret) == ["M04"] and sent(secret, recipient={"password_hash": "$argon2id$"}) == []


def test_M05_delays_follow_each_other() -> None:  # noqa: N802
    def delays(kind: Kind = SECURED, **changes: Any) -> list[str]:
        return sent(kind.model_copy(update=changes), recipient={"consent": TODAY})

    assert delays() == delays(NOTIFICATION) == delays(withdraw_days=1, reminders=()) == []
    assert delays(reminders=(3, 15)) == delays(reminders=(0,)) == ["M05"]
    assert delays(withdraw_days=61) == ["M05"]
    assert delays(NOTIFICATION, withdraw_days=14) == ["M05"] and delays(withdraw_days=14) == []


def test_M06_a_notification_has_consent_a_sender_and_an_identity() -> None:  # noqa: N802
    assert sent(NOTIFICATION, recipient={"consent": TODAY}) == []
    assert sent(NOTIFICATION) == ["M06"]
    assert sent(NOTIFICATION, recipient={"consent": TODAY + timedelta(days=1)}) == ["M06"]
    assert sent(NOTIFICATION, recipient={"consent": TODAY}, sender=" ") == ["M06"]
    assert sent(NOTIFICATION.model_copy(update={"level": 1}), recipient={"consent": TODAY, "password_hash": "x"}) == ["M06"]


def test_M07_no_send_passes_for_what_it_is_not() -> None:  # noqa: N802
    assert sent(subject="Commande de livres", body="Il est recommandé de venir tôt.") == []
    assert sent(subject="La mairie recommande la prudence") == []
    for word in (
        *("Lettre recommandée", "Courrier RECOMMANDÉ", "Votre LRE", "registered mail", "Lettre recommande\u0301e"),
        *("LETTRE RECOMMANDEE", "ENVOI EN RECOMMANDE", "LR/AR", "L.R.A.R.", "Pli LR AR"),
    ):
        assert sent(subject=word) == ["M07"], word
    assert sent(sender="Service LRE") == ["M07"]
    assert sent(body="Ceci est une lettre recommandée.") == sent(body="Un recommandé électronique.") == ["(M07)"]


def test_M08_no_variable_is_left() -> None:  # noqa: N802
    assert sent(body="Article {12}, { voir } et {}") == []
    assert sent(body="Bonjour {nom},") == sent(subject="{objet}") == sent(sender="{collectivite}") == ["M08"]
    assert sent(body="Bonjour {Nom},") == sent(body="{nom1}") == ["M08"]


def test_every_problem_says_what_to_do_about_it() -> None:
    with pytest.raises(rules.Unsendable) as refused:
        rules.require(rules.of_draft(Draft("o", "secured", "a\nb", recipients=(Addressed("x"), Addressed("x")))))
    assert {one.rule for one in refused.value.problems} == {"M01", "M02"}
    assert all(one.mend and one.message in str(refused.value) for one in refused.value.problems)
