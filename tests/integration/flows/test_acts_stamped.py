"""The stamped copies of an act: what they say is what the dossier keeps, and when there is none yet."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from typing import Any

import pypdfium2
import pytest

from core.errors import Conflict, NotFound, UsageError
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes.act import Act, Piece
from flows.actes.flow import ACTES
from flows.actes.stamped import stamped_copy
from flows.engine.models import Dossier, DossierFile
from tests.conftest import on_one_shape
from tests.pades_documents import paper, words

pytestmark = on_one_shape

ACT = Act(
    "2026_001",
    date(2026, 11, 20),
    1,
    (7, 10),
    "Tarifs de la cantine scolaire",
    tuple(Piece(role) for role in ("document", "annex.1", "annex.2")),
)
FACTS = {
    "act": ACT.as_facts(),
    "id_acte": "040-214009995-20261120-2026_001-DE",
    "id_acte_of_state": "040-214009995-20261120-2026_001B-DE",
    "sent_at": "2026-11-26T23:30:00Z",
    "reception_date": "2026-11-28",
}


def deposited(platform: Platform, mairie: Organisation, *, state: str = "acknowledged", **facts: Any) -> Dossier:
    """An act with its document, an annex of each kind, and the acknowledgement."""
    dossier = Dossier(organisation_id=mairie.id, flow=ACTES.name, title="Tarifs", state=state, facts={**FACTS, **facts})
    files = {
        "document": (paper(words("Projet")), "application/pdf"),
        "annex.1": (paper(words("Annexe")), "application/pdf"),
        "annex.2": (b"\x89PNG", "image/png"),
        "ar": (paper(words("Accord")), "application/pdf"),
    }
    with platform.database.writing(PLATFORM) as session:
        session.add(dossier)
        session.flush()
    for role, (octets, media_type) in files.items():
        keep(platform, dossier, role, octets, media_type)
    return dossier


def keep(platform: Platform, dossier: Dossier, role: str, octets: bytes, media_type: str = "application/pdf") -> None:
    blob = platform.objects.put(BytesIO(octets))
    with platform.database.writing(PLATFORM) as session:
        session.add(
            DossierFile(
                organisation_id=dossier.organisation_id,
                dossier_id=dossier.id,
                role=role,
                name=f"{role}.fichier",
                media_type=media_type,
                sha256=blob.sha256,
                size=blob.size,
            )
        )


def text_of(octets: bytes) -> str:
    return str(pypdfium2.PdfDocument(octets)[0].get_textpage().get_text_bounded())


def test_the_copy_says_the_states_own_identifier_and_date_and_the_day_of_sending_in_france(
    platform: Platform, mairie: Organisation
) -> None:
    act = deposited(platform, mairie)
    told = text_of(stamped_copy(platform, act, "annex.1", published=date(2026, 11, 30)))
    for line in ("Annexe", "2026_001B-DE", "Envoyé en préfecture le 27/11/2026", "le 28/11/2026", "Publié le 30/11/2026"):
        assert line in told
    assert "Publié" not in text_of(stamped_copy(platform, act, "annex.1", published=None))


def test_the_document_is_the_signed_one_where_there_is_one(platform: Platform, mairie: Organisation) -> None:
    act = deposited(platform, mairie, state="archived")
    assert "Projet" in text_of(stamped_copy(platform, act, "document", published=None))
    keep(platform, act, "signed", paper(words("Parapheur")))
    assert "Parapheur" in text_of(stamped_copy(platform, act, "document", published=None))
    assert "Annexe" in text_of(stamped_copy(platform, act, "annex.1", published=None))


@pytest.mark.parametrize("role", ["ar", "annex.3", "signed", "archive"])
def test_what_is_no_document_of_the_act_has_no_copy(platform: Platform, mairie: Organisation, role: str) -> None:
    with pytest.raises(NotFound):
        stamped_copy(platform, deposited(platform, mairie), role, published=None)


def test_there_is_no_copy_before_the_acknowledgement_after_a_cancellation_nor_of_a_picture(
    platform: Platform, mairie: Organisation
) -> None:
    for act, role in (
        (deposited(platform, mairie, state="sent", reception_date=None), "document"),
        (deposited(platform, mairie, state="withdrawn"), "document"),
        (deposited(platform, mairie, state="cancelled"), "document"),
        (deposited(platform, mairie), "annex.2"),
    ):
        with pytest.raises(Conflict):
            stamped_copy(platform, act, role, published=None)


def test_an_act_is_not_published_before_it_was_decided(platform: Platform, mairie: Organisation) -> None:
    act = deposited(platform, mairie)
    with pytest.raises(UsageError):
        stamped_copy(platform, act, "document", published=date(2026, 11, 19))
    assert stamped_copy(platform, act, "document", published=ACT.decision_date)


def test_another_flow_has_none(platform: Platform, mairie: Organisation) -> None:
    act = deposited(platform, mairie)
    act.flow = "helios"
    with pytest.raises(NotFound):
        stamped_copy(platform, act, "document", published=None)
