"""The docket of an acknowledgement: everything that was sent and said, in words; the same facts give the same octets."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import which

import pytest

from core.messages import speaking
from flows.actes.docket.content import Docket, Exchanged, File, Sent
from flows.actes.docket.page import page_of
from signing.report.content import Page, Tone
from signing.report.pdf import as_pdf

NOON = datetime(2026, 11, 28, 11, 0, tzinfo=UTC)
IDENTIFIER = "040-214009995-20261127-2026_12-DE"
HOSTILE = '#read("/etc/passwd") $x$ <b>gras</b> \x1b[2J\u202e'


def file(name: str, size: int = 12_345) -> File:
    return File(name, size, name[0] * 64)


DOCKET = Docket(
    dossier_id="01DOSSIER00000000000000001",
    organisation="Commune de Valmorin",
    siren="214009995",
    actor="person",
    sender="Camille Essai",
    number="2026_12",
    subject="Tarifs de la cantine",
    nature="Délibérations",
    matieres=(7, 10),
    matiere="Finances locales / Divers",
    classification=date(2026, 1, 15),
    decided=date(2026, 11, 27),
    paper=False,
    previous=None,
    identifier=IDENTIFIER,
    deposited=NOON - timedelta(hours=2),
    sent=NOON - timedelta(hours=1),
    received=date(2026, 12, 1),
    told=NOON,
    asked=None,
    cancelled=None,
    files=(
        Sent(0, file("deliberation.pdf"), "99_DE", "Délibération", None),
        Sent(1, file("plan.pdf"), "21_RP", None, file("plan.p7s", 900)),
    ),
    exchanged=(
        Exchanged("1-1", True, NOON - timedelta(hours=1), None, None, ()),
        Exchanged("1-2", False, NOON, date(2026, 12, 1), None, ()),
        Exchanged("3-1", False, NOON + timedelta(days=9), date(2026, 12, 6), date(2026, 12, 6), ("courrier.pdf",)),
    ),
    receipt=file("ar.xml", 800),
    envelope=None,
)


def said(page: Page) -> list[str]:
    rows = [row for section in page.sections for row in section.rows]
    lines = [line for row in rows for line in (row.label, *row.lines)]
    return [page.title, page.verdict, page.meaning, *(section.title for section in page.sections), *lines, *page.notes]


def test_a_docket_says_what_was_sent_by_whom_and_when_and_what_the_state_answered() -> None:
    page = page_of(DOCKET)
    told = "\n".join(said(page))
    assert (page.verdict, page.tone) == ("Reçu par la préfecture le 1er décembre 2026", Tone.GOOD)
    for words in (
        IDENTIFIER, "Commune de Valmorin (SIREN 214009995)", "Camille Essai", "Tarifs de la cantine", "Délibérations",
        "7.10 – Finances locales / Divers", "27 novembre 2026", "15 janvier 2026", "28 novembre 2026 à 10 h 00",
        "Délibération (99_DE)", "21_RP", "deliberation.pdf (12\u202f345 octets)", "d" * 64,
        "Signature détachée\u00a0: plan.p7s (900 octets)",
        "Demande de pièces complémentaires (3-1), reçu de l’État", "courrier.pdf", "ar.xml",
    ):  # fmt: skip
        assert words in told, words
    assert "Annulation" not in told


def test_its_date_is_the_last_thing_that_happened() -> None:
    assert DOCKET.at == NOON + timedelta(days=9)
    assert "7 décembre 2026" in page_of(DOCKET).meaning


def test_a_transmission_that_is_being_cancelled_or_was_is_never_shown_as_standing() -> None:
    asked = page_of(replace(DOCKET, asked=NOON + timedelta(days=10)))
    assert (asked.tone, asked.verdict) == (Tone.DOUBT, "Reçu par la préfecture le 1er décembre 2026, annulation demandée")
    cancelled = page_of(replace(DOCKET, asked=NOON, cancelled=date(2026, 12, 20)))
    assert (cancelled.tone, cancelled.verdict) == (Tone.DOUBT, "Transmission annulée le 20 décembre 2026")
    assert "20 décembre 2026" in said(cancelled)


@pytest.mark.parametrize(
    ("actor", "words"),
    [("person", "compte n’existe plus"), ("token", "jeton n’existe plus"), ("platform", "La plateforme"), ("autre", "Inconnu")],
    ids=["person", "token", "platform", "other"],
)
def test_a_sender_who_is_known_no_more_is_told_as_what_it_was(actor: str, words: str) -> None:
    assert any(words in line for line in said(page_of(replace(DOCKET, actor=actor, sender=None))))


@pytest.mark.skipif(which("pdftotext") is None, reason="pdftotext is not installed")
@pytest.mark.parametrize("locale", ["fr", "en"])
def test_the_document_says_every_word_and_steers_nothing(tmp_path: Path, locale: str) -> None:
    docket = replace(DOCKET, subject=HOSTILE, paper=True, previous=IDENTIFIER, envelope=file("EACT.tar.gz"))
    with speaking(locale):
        page = page_of(docket)
        octets = as_pdf(page, docket.at)
        assert octets == as_pdf(page_of(docket), docket.at)
    (tmp_path / "page.pdf").write_bytes(octets)
    read = subprocess.run(["pdftotext", "-raw", str(tmp_path / "page.pdf"), "-"], capture_output=True, text=True, check=True)
    squeezed = re.sub(r"\s+", "", read.stdout)
    assert "\x1b" not in read.stdout
    for words in said(page):
        assert re.sub(r"\s+", "", words) in squeezed, words
