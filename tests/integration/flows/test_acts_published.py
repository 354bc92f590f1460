"""What the public reads of published acts, and what it does not; an act asked for at its deposit goes all the way."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date, timedelta
from io import BytesIO, StringIO

import pypdfium2
import pytest
from sqlalchemy import update

from api.publications import open_data
from api.runtime import PUBLISH_ACTOR
from core import clock
from core.errors import Conflict, NotFound, UsageError
from core.identifiers import Siret
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes import published
from flows.actes.intake import deposit
from flows.actes.models import ActesPublication
from flows.actes.published import PublicOrganisation, organisation_of
from flows.actes.publishing import withdraw
from flows.actes.publishing_later import PublicationAsked, asked_of
from flows.engine.models import Schedule
from flows.engine.reading import Place
from tests.acts import ActsTown
from tests.conftest import AUTRE_MAIRIE
from tests.pades_documents import paper
from tests.published_acts import AUTHOR, Publisher
from tests.waiting import wait_until

ON_EACH_DATABASE = pytest.mark.parametrize("shape", ["embedded", "postgresql-rabbitmq"], indirect=True)
ON_ONE = pytest.mark.parametrize("shape", ["embedded"], indirect=True)
SIREN = "214009995"


@pytest.fixture
def settings_changes() -> dict[str, object]:
    """The mailbox is read often; no timestamping authority is needed here."""
    return {"poll_seconds": 0.2}


@pytest.fixture
def town(platform: Platform, mairie: Organisation) -> Publisher:
    publisher = Publisher(platform, mairie)
    publisher.classify()
    publisher.open(about="Les actes sont aussi affichés à la porte de la mairie.")
    return publisher


def beside(town: Publisher, name: str, siret: str, *, below: bool = False) -> Publisher:
    """Another organisation of the platform, or a service of the town."""
    with town.platform.database.writing(PLATFORM) as session:
        parent = session.get_one(Organisation, town.organisation.id if below else town.organisation.parent_id)
        kind = OrganisationKind.SERVICE if below else OrganisationKind.COLLECTIVITE
        return Publisher(town.platform, add_organisation(session, name, kind, parent=parent, siret=Siret(siret)))


def page_of(town: Publisher) -> PublicOrganisation:
    found = organisation_of(town.platform, town.organisation.siren or "")
    assert found is not None
    return found


def numbers(rows: Sequence[ActesPublication]) -> list[str]:
    return [row.number for row in rows]


def online_at(town: Publisher, row: ActesPublication, minutes: int) -> None:
    """Have a publication come online so long before now."""
    with town.platform.database.writing(PLATFORM) as session:
        kept = session.get_one(ActesPublication, row.id)
        kept.published = clock.now().replace(microsecond=0) - timedelta(minutes=minutes)
        session.add(kept)


@ON_EACH_DATABASE
def test_what_an_organisation_publishes_is_read_while_it_is_open_and_by_its_siren_only(town: Publisher) -> None:
    act = town.publish()
    organisation = page_of(town)
    assert (organisation.name, organisation.siren, organisation.siret) == ("Commune de Valmorin", SIREN, "21400999500017")
    assert organisation.about == "Les actes sont aussi affichés à la porte de la mairie."
    assert [row.id for row in published.listed(town.platform, organisation, 10).rows] == [act.id]
    for unknown in ("", "abc", "214009994", "21400999500017", "21400999\x00", "２１４００９９９５"):
        assert organisation_of(town.platform, unknown) is None
    town.open(open=False)
    assert organisation_of(town.platform, SIREN) is None
    assert published.organisations(town.platform, "", None, 10) == ([], None)


@ON_EACH_DATABASE
def test_acts_are_listed_newest_first_searched_narrowed_and_paged(town: Publisher) -> None:
    wanted = (
        ("DEL_1", 1, date(2025, 12, 30), "Création d’un marché à l’Été"),
        ("ARR_2", 2, date(2026, 1, 2), "Règlement du marché_couvert"),
        ("DEL_3", 1, date(2026, 3, 4), "Subventions 100% associations"),
        ("DEL_4", 1, date(2026, 3, 4), "Tarifs de la cantine"),
    )
    rows = [town.publish(number=n, nature=nature, decision_date=day, subject=said) for n, nature, day, said in wanted]
    for rank, row in enumerate(rows):
        online_at(town, row, minutes=30 - 10 * min(rank, 2))  # the last two came online in the same second
    gone = town.publish(number="DEL_5", subject="Marché retiré")
    withdraw(town.platform, town.agent(), gone.id, "Erreur")
    organisation = page_of(town)

    def found(**narrowed: object) -> list[str]:
        return numbers(published.listed(town.platform, organisation, 10, **narrowed).rows)  # type: ignore[arg-type]

    assert found() == ["DEL_4", "DEL_3", "ARR_2", "DEL_1"]
    assert found(words="marche ETE") == ["DEL_1"]
    assert found(words="marche_couvert") == ["ARR_2"]
    assert found(words="100%") == ["DEL_3"]
    assert found(words="del_") == ["DEL_4", "DEL_3", "DEL_1"]
    assert found(words="finances locales") == ["DEL_4", "DEL_3", "ARR_2", "DEL_1"]
    assert found(words="nulle part") == found(year=1999) == found(nature=6) == found(year=123456) == []
    assert found(words="\x00 ' ; --") == []
    assert found(words="\x00 ") == found()
    assert found(year=2026, nature=1) == ["DEL_4", "DEL_3"]
    assert found(words="marche", year=2025) == ["DEL_1"]
    assert published.years(town.platform, organisation) == [2026, 2025]

    seen: list[str] = []
    place: Place | None = None
    while True:
        page = published.listed(town.platform, organisation, 1, after=place)
        assert (page.total, page.exact) == (4, True)
        seen += numbers(page.rows)
        place = page.after
        if place is None:
            break
    assert seen == found()
    assert numbers([row for row, _ in published.latest(town.platform, organisation, 2)]) == ["DEL_4", "DEL_3"]


@ON_ONE
def test_all_deliberations_are_exported_however_many_pages_they_take(town: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "_EXPORTED", 2)
    rows = [town.publish(number=f"DEL_{rank}") for rank in range(4)]
    town.publish(number="ARR_9", nature=2)
    told = list(published.deliberations(town.platform, page_of(town)))
    assert sorted(row.id for row in told) == sorted(row.id for row in rows)


@ON_ONE
def test_open_data_lead_to_the_deliberation_itself_or_to_its_page(town: Publisher) -> None:
    whole, annex = town.publish(town.received(), "document", "annex.1"), town.publish(town.received(), "annex.1")
    organisation = page_of(town)
    octets = open_data.written(organisation, [whole, annex], "https://actes.exemple.test")
    told = [row["DELIB_URL"] for row in csv.DictReader(StringIO(octets.decode(), newline=""))]
    page = f"https://actes.exemple.test/publications/{SIREN}/actes"
    assert told == [f"{page}/{whole.id}/documents/1", f"{page}/{annex.id}"]


@ON_ONE
def test_an_act_says_whether_it_was_withdrawn_and_whether_its_transmission_was_cancelled(town: Publisher) -> None:
    organisation, row, neighbour = page_of(town), town.publish(), beside(town, "Commune voisine", AUTRE_MAIRIE)
    neighbour.open()
    shown = published.one(town.platform, organisation, row.id)
    assert shown is not None
    assert (shown.publication.id, shown.cancelled_on, shown.stamped) == (row.id, None, None)
    assert published.one(town.platform, page_of(neighbour), row.id) is None
    assert published.one(town.platform, organisation, "01JRIEN") is None

    town.stand(row.dossier_id, "withdrawn", cancelled_on="2026-11-27")
    shown = published.one(town.platform, organisation, row.id)
    assert shown is not None
    assert shown.cancelled_on == date(2026, 11, 27)
    withdraw(town.platform, town.agent(), row.id, "Transmission annulée")
    shown = published.one(town.platform, organisation, row.id)
    assert shown is not None
    assert shown.publication.withdrawn is not None
    with pytest.raises(NotFound):
        published.document(shown.publication, 1)


@ON_ONE
def test_documents_are_given_by_their_rank_and_their_stamped_copy_says_since_when_it_is_published(town: Publisher) -> None:
    row = town.publish(town.received(), "document", "annex.1")
    assert [published.document(row, rank)["name"] for rank in (1, 2)] == ["Délibération.pdf", "Grille.pdf"]
    for rank in (-1, 0, 3):
        with pytest.raises(NotFound):
            published.document(row, rank)
    text = pypdfium2.PdfDocument(published.stamped(town.platform, row, 2))[0].get_textpage().get_text_bounded()
    assert "Annexe" in text
    assert f"Publié le {clock.in_paris(row.published):%d/%m/%Y}" in text
    town.stand(row.dossier_id, "cancelled")
    with pytest.raises(Conflict):
        published.stamped(town.platform, row, 1)


@ON_EACH_DATABASE
def test_organisations_that_publish_are_listed_by_name_and_a_service_publishes_on_the_page_of_its_town(town: Publisher) -> None:
    service = beside(town, "Service de l’urbanisme", "21400999500025", below=True)
    first = beside(town, "Évrecy-le-Bas", AUTRE_MAIRIE)
    closed = beside(town, "Commune close", "21640980500027")
    silent = beside(town, "Commune muette", "26400999400015")
    for publisher in (first, silent):
        publisher.open()
    first.publish()
    of_service = service.publish(subject="Permis d’aménager")  # open as the town is, which says so for all below it
    assert closed.organisation.siren == first.organisation.siren

    organisation = page_of(town)
    assert organisation.ids == (town.organisation.id, service.organisation.id)
    assert [row.id for row in published.listed(town.platform, organisation, 10).rows] == [of_service.id]
    assert closed.organisation.id not in page_of(first).ids

    def named(words: str = "", after: str | None = None, limit: int = 10) -> tuple[list[str], str | None]:
        found, following = published.organisations(town.platform, words, after, limit)
        return [one.name for one in found], following

    assert named() == (["Commune de Valmorin", "Évrecy-le-Bas"], None)
    assert named(limit=1) == (["Commune de Valmorin"], SIREN)
    assert named(after=SIREN, limit=1) == (["Évrecy-le-Bas"], None)
    assert named("evrecy BAS") == named(first.organisation.siren or "") == (["Évrecy-le-Bas"], None)
    assert named("muette") == ([], None)
    withdraw(town.platform, service.agent(), of_service.id, "Erreur")
    assert named() == (["Évrecy-le-Bas"], None)


@ON_ONE
def test_an_act_asked_for_at_its_deposit_is_published_by_the_schedule_once_it_is_acknowledged(acts: ActsTown) -> None:
    town = Publisher(acts.platform, acts.organisation)
    document = acts.file("deliberation.pdf")
    with pytest.raises(Conflict, match="n’est pas ouverte"):
        acts.send("2026_P", document=document, publish=PublicationAsked(AUTHOR))
    town.open()
    with pytest.raises(UsageError, match="prénom"):
        acts.send("2026_P", document=document, publish=PublicationAsked())
    with acts.at_work():
        dossier = acts.send("2026_P", document=document, publish=PublicationAsked(AUTHOR))
        assert acts.send("2026_P", document=document, publish=PublicationAsked(AUTHOR)) == dossier
        acts.wait_for(dossier, "acknowledged")
        with acts.platform.database.writing(PLATFORM) as session:  # the next turn is a minute away
            due = update(Schedule).where(Schedule.actor == PUBLISH_ACTOR)  # type: ignore[arg-type]
            session.connection().execute(due.values(due=clock.now(), announced=None))
        wait_until(lambda: bool(town.publications(dossier)))
    (row,) = town.publications(dossier)
    files = acts.files(dossier)
    assert row.files == [
        {
            "role": "document",
            "name": "deliberation.pdf",
            "sha256": files["document"].sha256,
            "size": files["document"].size,
            "type": "application/pdf",
        }
    ]
    assert row.id_acte == acts.dossier(dossier).facts["id_acte_of_state"]
    assert row.reception_date == date.fromisoformat(acts.dossier(dossier).facts["reception_date"])
    assert row.matiere_label


@ON_ONE
def test_a_form_asks_for_publication_and_names_the_author_or_leaves_it_to_the_organisation(acts: ActsTown) -> None:
    town = Publisher(acts.platform, acts.organisation)
    said = {"decision_date": "2026-11-20", "nature": "1", "matiere": "7.10", "subject": "Tarifs"}
    named = {"author_first_name": " Nadia ", "author_last_name": "Robin", "author_capacity": "Adjointe  au maire"}

    def sent(number: str, **more: str) -> str:
        octets = BytesIO(paper())
        told = {**said, "number": number, **more}
        return deposit(acts.platform, PLATFORM, acts.organisation.id, octets, "acte.pdf", None, told).dossier.id

    def asked(dossier_id: str) -> list[tuple[str, str, str]]:
        with acts.platform.database.reading(PLATFORM) as session:
            row = asked_of(session, dossier_id)
        return [(row.author_first_name, row.author_last_name, row.author_capacity)] if row else []

    town.open(author=AUTHOR)
    assert asked(sent("F_1", **named)) == asked(sent("F_2", publish="non")) == []
    assert asked(sent("F_3", publish="oui", **named)) == [("Nadia", "Robin", "Adjointe au maire")]
    assert asked(sent("F_4", publish="true")) == [("Élise", "Martin-Prévost", "Maire")]
    for wrong in ({"author_last_name": "x" * 101}, {"author_last_name": "Ro\x07bin"}):
        with pytest.raises(UsageError, match="auteur"):
            sent("F_5", publish="oui", **{**named, **wrong})
    with pytest.raises(UsageError, match="prénom"):
        sent("F_5", publish="oui", author_last_name="Robin")
