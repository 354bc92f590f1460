"""Acts made public and taken off line again: what is published, what proves it, who may, and what stands in the way."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from api.cli.main import app
from api.runtime import timestamps
from archive.proof import heads
from archive.proof.verification import CheckState, EvidenceVerdict, verify_evidence
from core.blobs import Blob
from core.errors import Conflict, Forbidden, NotFound, TabellionError, Unavailable, UsageError
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.actes import publishing, publishing_later
from flows.actes.act import Piece
from flows.actes.models import ActesPublication
from flows.actes.published import write_publication_evidence
from flows.actes.publishing import obstacle, publication_of, publish, set_up, usual_author, withdraw
from flows.actes.publishing_later import PublicationAsked, asked_of, forget, publish_due
from flows.actes.settings import ActesPublishing, Author
from flows.engine.models import Dossier
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.conftest import AUTRE_MAIRIE
from tests.pades_documents import paper, words
from tests.published_acts import AUTHOR, Publisher

ON_EACH_DATABASE = pytest.mark.parametrize("shape", ["embedded", "postgresql-rabbitmq"], indirect=True)
ON_ONE = pytest.mark.parametrize("shape", ["embedded"], indirect=True)

THE_DOCUMENT = PublicationAsked(AUTHOR)


@pytest.fixture(scope="session")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TsaSimulator, Path]]:
    """A timestamping authority, and the folder in which it is believed."""
    authority = TsaSimulator(tmp_path_factory.mktemp("tsa"))
    trust = tmp_path_factory.mktemp("trust")
    (trust / "tsa.pem").write_bytes(authority.anchor.public_bytes(Encoding.PEM))
    authority.start()
    yield authority, trust
    authority.stop()


@pytest.fixture
def settings_changes(tsa: tuple[TsaSimulator, Path]) -> dict[str, object]:
    authority, trust = tsa
    return {"tsa_url": authority.url, "trust_dir": trust}


@pytest.fixture
def town(platform: Platform, mairie: Organisation) -> Publisher:
    """A collectivité whose page is open."""
    publisher = Publisher(platform, mairie)
    publisher.classify()
    publisher.open()
    return publisher


@ON_EACH_DATABASE
def test_a_publication_is_what_was_transmitted_and_the_evidence_of_it_is_verified_by_anyone(
    town: Publisher, tsa: tuple[TsaSimulator, Path], tmp_path: Path
) -> None:
    act = town.received(number="2026_PREUVE", facts={"id_acte_of_state": "040-214009995-20261120-2026_PREUVEB-DE"})
    signed = town.keep(act, "signed", paper(words("Signé")), name="Délibération signée.pdf")
    published = town.publish(act, "document", "annex.1")

    assert [(one["role"], one["name"], one["type"]) for one in published.files] == [
        ("document", "Délibération signée.pdf", "application/pdf"),
        ("annex.1", "Grille.pdf", "application/pdf"),
    ]
    assert published.files[0]["sha256"] == signed
    assert (published.id_acte, published.matieres) == ("040-214009995-20261120-2026_PREUVEB-DE", "7.10")
    assert published.matiere_label is not None and published.matiere_label.startswith("Finances locales / ")
    assert published.published.microsecond == 0
    assert published.actor == "person:01JPERS0NNE"

    (entry,) = (one for one in town.told(act) if one.kind == "actes.published")
    assert (entry.id, entry.actor) == (published.entry_id, published.actor)
    assert entry.facts == {
        "publication": published.id,
        "package_sha256": published.package_sha256,
        "files": [one["sha256"] for one in published.files],
    }
    assert not any(name in json.dumps(entry.facts) for name in (AUTHOR.last_name, AUTHOR.first_name))

    proof = tmp_path / "publication.zip"
    with pytest.raises(Unavailable, match="quelques minutes"):
        write_publication_evidence(town.platform, published, proof)
    heads.cut(town.platform, timestamps(town.platform))
    write_publication_evidence(town.platform, published, proof)

    _, trust = tsa
    assert verify_evidence(proof, trust=TrustStore.from_folder(trust)).verdict is EvidenceVerdict.VALID
    assert CliRunner().invoke(app, ["archive", "verify", str(proof), "--trust", str(trust)]).exit_code == 0
    with zipfile.ZipFile(proof) as evidence, zipfile.ZipFile(evidence.open("package.zip")) as package:
        contents = {hashlib.sha256(package.read(name)).hexdigest(): name for name in package.namelist()}
        manifest = package.read("manifest.xml").decode()
    assert set(entry.facts["files"]) < set(contents)
    assert len(contents) == 4  # both documents, the acknowledgement, the manifest
    assert "Élise Martin-Prévost, Maire" in manifest

    altered = altered_document(proof, contents[signed], tmp_path)
    report = verify_evidence(altered, trust=TrustStore.from_folder(trust))
    assert report.verdict is EvidenceVerdict.INVALID
    assert "members" in {one.name for one in report.checks if one.state is CheckState.FAILED}
    assert CliRunner().invoke(app, ["archive", "verify", str(altered), "--trust", str(trust)]).exit_code == 1


def altered_document(proof: Path, name: str, folder: Path) -> Path:
    """The same evidence with one octet of a published document changed, at its very place."""
    altered = folder / "altered.zip"
    shutil.copy(proof, altered)
    octets = bytearray(altered.read_bytes())
    octets[octets.index(b"%PDF", octets.index(name.encode())) + 6] ^= 1
    altered.write_bytes(octets)
    return altered


@ON_EACH_DATABASE
def test_of_two_who_publish_at_once_one_does_and_the_other_is_told(town: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    act, ready = town.received(), threading.Barrier(2, timeout=60)
    build = publishing.keep_package

    def both_have_built(*given: Any) -> tuple[Blob, str | None]:
        built = build(*given)
        ready.wait()
        return built

    monkeypatch.setattr(publishing, "keep_package", both_have_built)

    def tried(_: int) -> ActesPublication | Conflict:
        try:
            return town.publish(act)
        except Conflict as refused:
            return refused

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(tried, range(2)))
    (made,) = (one for one in done if isinstance(one, ActesPublication))
    (refused,) = (one for one in done if isinstance(one, Conflict))
    assert refused.existing == made.id
    assert [one.id for one in town.publications(act)] == [made.id]
    assert [entry.kind for entry in town.told(act)] == ["actes.published"]


class Died(BaseException):
    """The process is gone: nothing of the product catches it."""


@ON_EACH_DATABASE
@pytest.mark.parametrize("point", ["keep_package", "row_of"])
def test_a_process_that_dies_between_package_and_record_has_published_nothing_and_another_can(
    town: Publisher, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    act, original = town.received(), getattr(publishing, point)

    def deadly(*given: Any) -> None:
        original(*given)
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(publishing, point, deadly)
        with pytest.raises(Died):
            town.publish(act)
    assert (town.publications(act), town.told(act)) == ([], [])
    published = town.publish(act)
    assert [one.id for one in town.publications(act)] == [published.id]


@ON_EACH_DATABASE
def test_a_publication_is_withdrawn_once_with_a_reason_and_the_act_can_be_published_again(town: Publisher) -> None:
    first = town.publish()
    for reason in ("", "  ", "x" * 501):
        with pytest.raises(UsageError, match="pourquoi"):
            withdraw(town.platform, town.agent(), first.id, reason)
    gone = withdraw(town.platform, town.agent(), first.id, "  Annexe\n nominative ")
    assert (gone.withdrawn_reason, gone.withdrawn_by) == ("Annexe nominative", "person:01JPERS0NNE")
    assert gone.withdrawn is not None and gone.withdrawn.microsecond == 0
    with pytest.raises(Conflict, match="déjà été retirée"):
        withdraw(town.platform, town.agent(), first.id, "Encore")
    entry = town.told(first.dossier_id)[-1]
    assert (entry.kind, entry.facts) == ("actes.publication_withdrawn", {"publication": first.id})

    again = town.publish(first.dossier_id)
    assert [(one.id, one.withdrawn is None) for one in town.publications(first.dossier_id)] == [
        (first.id, False),
        (again.id, True),
    ]
    with town.platform.database.reading(PLATFORM) as session:
        newest = publication_of(session, first.dossier_id)
    assert newest is not None and newest.id == again.id


@ON_ONE
def test_what_may_not_be_published_is_refused_with_a_sentence(town: Publisher) -> None:
    waiting = town.received(state="sent", facts={"reception_date": None})
    individual = town.received(nature=3)
    cancelled, withdrawn = town.received(state="cancelled"), town.received(state="withdrawn")
    asking = town.received()
    town.asks_to_cancel(asking)
    live = town.publish().dossier_id
    for act, sentence in (
        (waiting, "accusé réception"),
        (individual, "se notifie"),
        (cancelled, "annulée"),
        (withdrawn, "annulée"),
        (asking, "annulation est demandée"),
        (live, "déjà publié"),
    ):
        with pytest.raises(Conflict, match=sentence) as refused:
            town.publish(act)
        assert str(refused.value) == obstacle(town.platform, town.dossier(act))
    town.open(open=False)
    fine = town.received()
    with pytest.raises(Conflict, match=r"n’est pas ouverte.*administre"):
        town.publish(fine)
    town.open()
    assert obstacle(town.platform, town.dossier(fine)) == ""
    assert town.publications(fine) == []
    assert town.publish(fine).dossier_id == fine


@ON_ONE
def test_files_and_author_must_be_what_a_page_can_show(town: Publisher) -> None:
    act = town.received()
    for roles, sentence in (
        ((), "au moins un"),
        (("annex.2",), "Plan.png"),
        (("ar",), "«\u00a0ar\u00a0»"),
        (("document", "annex.9"), "annex.9"),
    ):
        with pytest.raises(UsageError, match=sentence):
            publish(town.platform, town.agent(), act, AUTHOR, roles)
    for missing in ("first_name", "last_name", "capacity"):
        with pytest.raises(UsageError, match="prénom"):
            town.publish(act, author=AUTHOR.model_copy(update={missing: ""}))
    published = town.publish(act, "annex.1", "document", "annex.1")
    assert [one["role"] for one in published.files] == ["document", "annex.1"]


@ON_ONE
def test_the_pdfs_of_a_budget_may_be_published_and_its_xml_may_not(town: Publisher) -> None:
    act = town.received(nature=5, matieres=(7, 1), pieces=(Piece("document"), Piece("annex.1")))
    town.keep(act, "document", b"<DocumentBudgetaire/>", name="budget.xml", media_type="application/xml")
    with pytest.raises(UsageError, match=r"budget\.xml"):
        town.publish(act)
    assert [one["name"] for one in town.publish(act, "annex.1").files] == ["Grille.pdf"]


@ON_ONE
def test_nobody_of_another_organisation_and_nobody_without_the_right_publishes_or_withdraws(town: Publisher) -> None:
    with town.platform.database.writing(PLATFORM) as session:
        parent = session.get_one(Organisation, town.organisation.parent_id)
        other = add_organisation(session, "Commune voisine", OrganisationKind.COLLECTIVITE, parent=parent, siret=AUTRE_MAIRIE)
    stranger = Publisher(town.platform, other)
    stranger.open()
    act, live = town.received(), town.publish()
    later = asked(town, town.received(state="sent", facts={"reception_date": None}))
    for principal, error in (
        (stranger.agent(*Right), NotFound),
        (town.agent(Right.READ, Right.ACT, Right.OPERATE, Right.ADMINISTER), Forbidden),
        (Principal("person:01JRIEN"), NotFound),
    ):
        with pytest.raises(error):
            publish(town.platform, principal, act, AUTHOR, ("document",))
        with pytest.raises(error):
            withdraw(town.platform, principal, live.id, "Je ne peux pas")
        with pytest.raises(error):
            forget(town.platform, principal, later)
    assert town.publications(act) == []
    assert town.publications(live.dossier_id)[0].withdrawn is None


@ON_ONE
def test_only_an_administrator_opens_the_page_and_only_where_it_can_be_found(town: Publisher) -> None:
    platform, wanted = town.platform, ActesPublishing(open=True, author=AUTHOR)
    with platform.database.writing(PLATFORM) as session:
        parent = session.get_one(Organisation, town.organisation.parent_id)
        with pytest.raises(Forbidden):
            set_up(session, platform.secrets, town.agent(), town.organisation.id, wanted)
        with pytest.raises(UsageError, match="SIREN"):
            set_up(session, platform.secrets, PLATFORM, parent.id, wanted)
        set_up(session, platform.secrets, town.agent(Right.ADMINISTER), town.organisation.id, wanted)
    assert usual_author(platform, town.organisation.id) == AUTHOR


@ON_ONE
def test_the_author_that_is_proposed_is_the_configured_one_else_the_last_one(town: Publisher) -> None:
    assert usual_author(town.platform, town.organisation.id) == Author()
    town.publish(author=Author(first_name="Nadia", last_name="Robin", capacity="Adjointe"))
    last = town.publish()
    withdraw(town.platform, town.agent(), last.id, "Erreur de fichier")
    assert usual_author(town.platform, town.organisation.id) == AUTHOR
    town.open(author={"capacity": "Président"})
    assert usual_author(town.platform, town.organisation.id) == Author(capacity="Président")


def asked(town: Publisher, dossier_id: str, request: PublicationAsked = THE_DOCUMENT) -> str:
    """Ask for a publication as a deposit does."""
    with town.platform.database.writing(PLATFORM) as session:
        dossier = session.get_one(Dossier, dossier_id)
        publishing_later.ask(session, dossier, request, ActesPublishing(open=True), "token:01JL0GICIEL")
    return dossier_id


def trouble_of(town: Publisher, dossier_id: str) -> str | None:
    with town.platform.database.reading(PLATFORM) as session:
        row = asked_of(session, dossier_id)
    return row.trouble if row else None


@ON_EACH_DATABASE
def test_what_was_asked_is_published_once_the_state_has_the_act_and_one_that_fails_holds_back_no_other(
    town: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = [asked(town, town.received(), PublicationAsked(AUTHOR, ("document", "annex.1"))) for _ in range(4)]
    waiting = asked(town, town.received(state="sent", facts={"reception_date": None}))
    refused, faulty = acts[0], acts[1]
    town.asks_to_cancel(refused)
    build = publishing.keep_package

    def at_fault(platform: Platform, publication: Any) -> Any:
        if publication.dossier.id == faulty:
            raise ZeroDivisionError
        return build(platform, publication)

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "keep_package", at_fault)
        publish_due(town.platform)
    assert [len(town.publications(act)) for act in (*acts, waiting)] == [0, 0, 1, 1, 0]
    assert "annulation est demandée" in (trouble_of(town, refused) or "")
    assert "défaut du logiciel" in (trouble_of(town, faulty) or "")
    (done,) = town.publications(acts[2])
    assert (done.actor, done.author_last_name, len(done.files)) == ("token:01JL0GICIEL", AUTHOR.last_name, 2)
    assert [entry.actor for entry in town.told(acts[2]) if entry.kind == "actes.published"] == ["token:01JL0GICIEL"]

    town.stand(waiting, "acknowledged", reception_date="2026-11-28")
    publish_due(town.platform)
    assert [len(town.publications(act)) for act in (*acts, waiting)] == [0, 1, 1, 1, 1]

    withdraw(town.platform, town.agent(), town.publications(waiting)[0].id, "Retirée à la main")
    publish_due(town.platform)
    assert len(town.publications(waiting)) == 1, "what was withdrawn is not published again by itself"


@ON_ONE
def test_publishing_by_hand_settles_the_request_and_a_request_can_be_taken_back(
    town: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand, forgotten, meanwhile = (asked(town, town.received()) for _ in range(3))
    town.publish(by_hand, "annex.1")
    forget(town.platform, town.agent(), forgotten)
    with pytest.raises(Conflict, match="Aucune publication"):
        forget(town.platform, town.agent(), forgotten)
    assert [entry.kind for entry in town.told(forgotten)] == ["actes.publication_asked", "actes.publication_forgotten"]
    build = publishing.keep_package

    def while_it_is_built(*given: Any) -> Any:
        forget(town.platform, town.agent(), meanwhile)
        return build(*given)

    monkeypatch.setattr(publishing, "keep_package", while_it_is_built)
    publish_due(town.platform)
    assert [one["role"] for one in town.publications(by_hand)[0].files] == ["annex.1"]
    assert town.publications(forgotten) == town.publications(meanwhile) == []


@ON_ONE
@pytest.mark.parametrize("state", ["rejected", "refused", "cancelled", "withdrawn"])
def test_what_the_state_will_never_receive_is_forgotten(town: Publisher, state: str) -> None:
    act = asked(town, town.received())
    town.stand(act, state)
    publish_due(town.platform)
    with town.platform.database.reading(PLATFORM) as session:
        assert asked_of(session, act) is None
    assert town.publications(act) == []


@ON_ONE
def test_what_cannot_be_published_is_not_asked_for(town: Publisher) -> None:
    individual, act = town.received(nature=3), town.received()
    refusals: tuple[tuple[str, PublicationAsked, bool, type[TabellionError], str], ...] = (
        (individual, PublicationAsked(AUTHOR), True, Conflict, "se notifie"),
        (act, PublicationAsked(AUTHOR), False, Conflict, "n’est pas ouverte"),
        (act, PublicationAsked(), True, UsageError, "prénom"),
        (act, PublicationAsked(AUTHOR, ()), True, UsageError, "au moins un"),
        (act, PublicationAsked(AUTHOR, ("annex.2",)), True, UsageError, "Plan.png"),
    )
    for dossier_id, request, is_open, error, sentence in refusals:
        with town.platform.database.writing(PLATFORM) as session:
            dossier = session.get_one(Dossier, dossier_id)
            with pytest.raises(error, match=sentence):
                publishing_later.ask(session, dossier, request, ActesPublishing(open=is_open), "platform")
