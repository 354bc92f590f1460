"""Acquits that come when nobody expects them, or as nobody expects them: each is heard once, by the right dossier."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import select

from core.errors import Conflict, NotFound
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM
from flows.helios import attaching
from flows.helios.models import HeliosResponse
from schemas.pes.acquit import Acquit, Element
from schemas.pes.reader import read
from schemas.pes.writer import acquit_bytes
from tests.conftest import on_one_shape
from tests.pes_flows import pes_retour
from tests.pes_office import Office, office

__all__ = ["office"]


@on_one_shape
def test_an_acquit_that_comes_before_its_delivery_is_recorded_is_applied_after(office: Office) -> None:
    dossier = office.signed()
    office.answer()
    assert office.collect() is None
    assert office.dossier(dossier).state == "signed"
    assert office.attempt(dossier).state == "sent"
    assert office.collect() is None
    assert office.dossier(dossier).state == "acquitted"


@on_one_shape
@pytest.mark.parametrize("state", ["received", "checked", "proceeding", "in_parapheur", "validated"])
def test_an_acquit_of_what_a_restored_database_has_not_sent_yet_waits_for_it(office: Office, state: str) -> None:
    dossier = office.signed()
    office.change(dossier, state=state)
    office.answer()
    assert office.collect() is None
    assert [(one.dossier_id, one.applied) for one in office.responses()] == [(dossier, False)]
    office.change(dossier, state="sent")
    office.collect()
    assert office.dossier(dossier).state == "acquitted"


@on_one_shape
def test_an_acquit_that_comes_after_the_delay_is_heard_all_the_same(office: Office) -> None:
    dossier = office.signed()
    office.attempt(dossier)
    office.change(dossier, parked="en retard")
    office.answer()
    office.collect()
    assert (office.dossier(dossier).state, office.dossier(dossier).parked) == ("acquitted", None)


def other_town(office: Office) -> Organisation:
    with office.platform.database.writing(PLATFORM) as session:
        above = session.get(Organisation, office.organisation.id)
        return add_organisation(session, "Service des eaux", OrganisationKind.SERVICE, parent=above)


@on_one_shape
@pytest.mark.parametrize(
    ("header", "answered"),
    [
        ({}, True),
        ({"id_coll": None}, True),
        ({"id_coll": "99900000000002"}, True),
        ({"id_coll": "99900000000002", "id_post": "099999"}, False),
        ({"id_coll": None, "id_post": "099999"}, False),
        ({"cod_col": "999"}, False),
        ({"cod_col": None}, True),
    ],
)
def test_an_acquit_is_of_a_flow_by_its_name_its_code_and_its_books(
    office: Office, header: dict[str, Any], answered: bool
) -> None:
    dossier = office.signed()
    office.attempt(dossier)
    office.answer(**header)
    assert office.collect() is None
    assert office.dossier(dossier).state == ("acquitted" if answered else "sent")
    assert [bool(response.flaw) for response in office.responses()] == [not answered]


@on_one_shape
def test_an_acquit_that_may_be_of_two_collectivites_is_left_to_a_person(office: Office) -> None:
    service = other_town(office)
    ours, theirs = office.signed(), office.signed(service, id_coll="99900000000002")
    for dossier in (ours, theirs):
        office.change(dossier, state="sent")
    office.answer("un.xml", id_coll="99900000000003")
    office.collect()
    assert [office.dossier(one).state for one in (ours, theirs)] == ["sent", "sent"]
    office.answer("deux.xml", id_coll="99900000000002")
    office.collect()
    assert [office.dossier(one).state for one in (ours, theirs)] == ["sent", "acquitted"]


@on_one_shape
def test_an_acquit_that_found_no_flow_is_attached_once_by_a_person_and_to_no_flow_of_others(office: Office) -> None:
    with office.platform.database.writing(PLATFORM) as session:
        kind, root = OrganisationKind.COLLECTIVITE, session.get_one(Organisation, office.organisation.id).parent_id
        stranger = add_organisation(session, "Commune voisine", kind, parent=session.get_one(Organisation, root))
    dossier, foreign = office.signed(), office.signed(stranger, id_coll="99900000000002")
    office.change(foreign, state="sent")
    office.answer(nom_fic="PES_QUE_PERSONNE_NE_CONNAIT")
    office.collect()
    (response,) = office.responses()
    assert (response.dossier_id, bool(response.flaw)) == (None, True)
    for wrong, refused in ((foreign, NotFound), ("0" * 26, NotFound), (dossier, Conflict)):  # the last has not left yet
        with pytest.raises(refused):
            attaching.attach(office.platform, response.id, wrong, actor="person:exploitante")
    with pytest.raises(NotFound):
        attaching.attach(office.platform, "0" * 26, dossier, actor="person:exploitante")
    assert office.entries(dossier, attaching.ATTACHED) == []
    office.attempt(dossier)
    attaching.attach(office.platform, response.id, dossier, actor="person:exploitante")
    assert office.dossier(dossier).state == "acquitted"
    (said,) = office.entries(dossier, attaching.ATTACHED)
    assert (said.actor, said.facts["nom_fic"]) == ("person:exploitante", "PES_QUE_PERSONNE_NE_CONNAIT")
    assert [(one.dossier_id, one.applied, one.flaw) for one in office.responses()] == [(dossier, True, None)]
    with pytest.raises(Conflict, match="répond déjà"):
        attaching.attach(office.platform, response.id, dossier, actor="person:exploitante")
    office.plant("illisible.xml", b"<bruit/>")
    office.collect()
    (noise,) = [one for one in office.responses() if one.name == "illisible.xml"]
    with pytest.raises(Conflict, match="acquit lisible"):
        attaching.attach(office.platform, noise.id, dossier, actor="person:exploitante")


@on_one_shape
@pytest.mark.parametrize("removes", [True, False])
def test_an_empty_response_that_is_written_later_is_read_then(office: Office, removes: bool) -> None:
    office.configure(removes_responses=removes)
    dossier = office.signed()
    office.attempt(dossier)
    office.plant("099012-ACK.xml", b"")
    office.collect()
    office.collect()
    assert [response.size for response in office.responses()] == [0]
    assert len(list((office.folder / "gateway" / "accounts" / "ville" / "sortie").iterdir())) == 1
    office.answer()
    office.collect()
    assert office.dossier(dossier).state == "acquitted"
    left = list((office.folder / "gateway" / "accounts" / "ville" / "sortie").iterdir())
    assert len(left) == (0 if removes else 1)
    office.collect()
    assert [response.size > 0 for response in office.responses()] == [False, True]


def written(office: Office, at: int, name: str = "099012-ACK.xml") -> datetime:
    """Say when a response was last written, by the gateway's clock."""
    os.utime(office.folder / "gateway" / "accounts" / "ville" / "sortie" / name, (at, at))
    return datetime.fromtimestamp(at, UTC)


@on_one_shape
def test_a_name_that_serves_again_for_as_many_bytes_is_another_response(office: Office) -> None:
    office.configure(removes_responses=False)
    dossier = office.signed()
    office.attempt(dossier)
    office.answer(cod_col="999")
    written(office, 1_790_000_000)
    office.collect()
    office.answer(cod_col="123")
    written(office, 1_790_000_060)
    office.collect()
    assert office.dossier(dossier).state == "acquitted"
    first, second = office.responses()
    assert (first.size, first.applied, second.applied) == (second.size, False, True)


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
def test_the_same_response_written_again_is_fetched_once_more_and_changes_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.configure(removes_responses=False)
    dossier = office.signed()
    office.attempt(dossier)
    office.answer()
    written(office, 1_790_000_000)
    office.collect()
    with office.platform.database.writing(PLATFORM) as session:  # as it was kept before its time was
        session.exec(select(HeliosResponse)).one().modified = None
    for at in (1_790_000_000, 1_790_000_060):
        told = written(office, at)
        office.collect()
        with monkeypatch.context() as known:
            known.setattr("connectors.helios.client.Session.fetch", lambda *_: 1 / 0)
            office.collect()
        assert [(one.modified, one.applied) for one in office.responses()] == [(told, True)]


@on_one_shape
def test_a_response_that_is_safe_with_us_is_removed_even_after_a_crash(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.signed()
    office.answer()
    with monkeypatch.context() as crash:
        crash.setattr("connectors.helios.client.Session.remove", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            office.collect()
    assert len(office.responses()) == 1
    office.collect()
    assert list((office.folder / "gateway" / "accounts" / "ville" / "sortie").iterdir()) == []
    assert len(office.responses()) == 1


@on_one_shape
def test_a_response_that_makes_trouble_holds_up_no_other(office: Office) -> None:
    dossier = office.signed()
    office.attempt(dossier)
    office.answer("un.xml", nom_fic="PERDU")
    office.change(dossier, state="received")
    office.collect()
    office.answer("deux.xml")
    (first,) = office.responses()
    with office.platform.database.writing(PLATFORM) as session:
        kept = session.get(HeliosResponse, first.id)
        assert kept is not None
        kept.flaw, kept.sha256 = None, "0" * 64
        session.add(kept)
    office.change(dossier, state="sent")
    assert office.collect() is not None
    assert office.dossier(dossier).state == "acquitted"


@pytest.mark.parametrize("shape", ["postgresql"], indirect=True)
def test_whatever_the_gateway_gives_is_kept_and_holds_up_nothing(office: Office) -> None:
    dossier = office.signed()
    office.attempt(dossier)
    strange = {
        "a long name": acquit_bytes(
            Acquit(replace(read(office.folder / "flow.xml").header, nom_fic="X" * 500), (Element("5", True),))
        ),
        "a return": b'<n:PES_Retour xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/retour"/>',
        "a return of a long number": pes_retour("1" * 500),
        "an acquit of a return": b'<n:PES_ACQUIT_RETOUR xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller/ack"/>',
        "broken": b"<" + b"a" * 3_000,
        "nothing": b"",
        "a picture": b"\x89PNG",
    }
    for name, content in strange.items():
        office.plant(name, content)
    office.answer("vrai.xml")
    assert office.collect() is None
    assert office.dossier(dossier).state == "acquitted"
    flaws = {response.name: response.flaw for response in office.responses()}
    assert [name for name, flaw in flaws.items() if not flaw] == ["vrai.xml"]
    assert "pes-acquit-retour" in (flaws["an acquit of a return"] or "")
    assert all("A07" in (flaws[name] or "") for name in ("a return", "a return of a long number"))
