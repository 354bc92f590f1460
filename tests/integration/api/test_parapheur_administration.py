"""An administrator sets the parapheur up by its pages, without a script; nobody else does, and of others nothing is seen."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sqlmodel import select

from core.configuration import Configuration, configuration_of
from core.organisations import Organisation
from core.people import with_address
from core.principal import PLATFORM
from flows.helios.knowledge import route_of
from signing.parapheur import circuits, desks, typology
from signing.parapheur.models import Capacity, Desk, FolderType, MetadataField, StepKind
from signing.parapheur.sealing import SEAL, ServerSeal
from signing.parapheur.typology import Protocol, SignatureFormat, TypeOptions
from signing.pki import Credential
from tests.integration.api.parapheur_town import (
    Browser,
    add_administrator,
    add_circuit,
    add_desk,
    add_holder,
    add_kind,
    admin,
    at,
    browsing,
    credential,
    identifier,
    kinds_told,
    said_in,
    served,
    town,
)
from tests.integration.api.service import Service

__all__ = ["admin", "credential", "served", "town"]


def test_a_desk_is_added_named_again_put_below_another_and_given_people(
    served: Service, admin: Browser, town: Organisation
) -> None:
    maire, dgs = add_desk(admin, town, "Maire"), add_desk(admin, town, "DGS")
    person = add_administrator(served.platform, f"x@{town.id}.test", town)
    admin.posted(f"/administration/bureaux/{dgs}/sieges", {"person": person, "capacity": "supervisor"})
    changed = {"name": "Direction", "short_name": "DGS", "parent": maire, "may_chain": "1", "associated": [maire]}
    admin.posted(f"/administration/bureaux/{dgs}", changed)
    with served.platform.database.reading(PLATFORM) as session:
        desk = session.get_one(Desk, dgs)
        assert (desk.name, desk.parent_id, desk.associated) == ("Direction", maire, [maire])
        assert (desk.may_create, desk.may_act, desk.may_chain) == (False, False, True)
        assert [(held, one.id) for held, one in desks.seats_of(session, [dgs])[dgs]] == [(Capacity.SUPERVISOR, person)]
    admin.posted(f"/administration/bureaux/{dgs}/sieges/retrait", {"person": person, "capacity": "supervisor"})
    assert kinds_told(served, town) == ["desk.added", "desk.added", "seat.given", "desk.changed", "seat.taken"]
    assert "Direction" in admin.get("/administration/bureaux", organisation=town.id).text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "", "short_name": "X"}, "Un bureau a un nom"),
        ({"name": "Y", "short_name": "Y", "parent": "0" * 26}, "Le bureau au-dessus"),
        ({"name": "Autre", "short_name": "Maire"}, "est déjà celui d’un autre bureau"),
        ({"name": "Y", "short_name": "Y", "associated": "0" * 26}, "Choisissez des bureaux ouverts"),
    ],
)
def test_a_desk_that_cannot_be_is_refused_in_words_and_what_was_typed_stays(
    admin: Browser, town: Organisation, fields: dict[str, str], told: str
) -> None:
    add_desk(admin, town, "Maire")
    answer = admin.post(at("/administration/bureaux/ajout", town), fields)
    assert answer.status_code == 400
    assert told in said_in(answer.text)
    assert f'value="{fields["short_name"]}"' in answer.text


def test_a_desk_in_use_is_not_closed_and_the_page_says_what_uses_it(served: Service, admin: Browser, town: Organisation) -> None:
    maire = add_desk(admin, town, "Maire")
    circuit = add_circuit(admin, town, "simple", {"kind": "signature", "place": maire})
    refused = admin.post(f"/administration/bureaux/{maire}/fermeture")
    assert refused.status_code == 409
    assert "circuit « Circuit simple »" in said_in(refused.text).replace("\u00a0", " ")
    admin.posted(f"/administration/circuits/{circuit}/retrait")
    admin.posted(f"/administration/bureaux/{maire}/fermeture")
    assert "Bureaux fermés" in admin.get("/administration/bureaux", organisation=town.id).text
    admin.posted(f"/administration/bureaux/{maire}/reouverture")
    assert kinds_told(served, town)[-3:] == ["circuit.retired", "desk.closed", "desk.reopened"]


def test_nobody_is_seated_who_has_no_role_in_the_organisation(served: Service, admin: Browser, town: Organisation) -> None:
    maire = add_desk(admin, town, "Maire")
    with served.platform.database.reading(PLATFORM) as session:
        stranger = with_address(session, served.syndicat.email)
    assert stranger is not None
    page = admin.get(f"/administration/bureaux/{maire}").text
    assert stranger.id not in page
    answer = admin.post(f"/administration/bureaux/{maire}/sieges", {"person": stranger.id, "capacity": "holder"})
    assert (answer.status_code, "pas de rôle" in said_in(answer.text)) == (400, True)


def test_steps_are_added_moved_and_deleted_by_buttons_and_nothing_is_kept_before_saving(
    served: Service, admin: Browser, town: Organisation
) -> None:
    dgs, maire = add_desk(admin, town, "DGS"), add_desk(admin, town, "Maire")
    form = at("/administration/circuits/ajout", town)
    fields = {
        "key": "c",
        "name": "Circuit",
        "steps": "2",
        "kind.0": "visa",
        "place.0": dgs,
        "kind.1": "signature",
        "place.1": maire,
    }
    added = admin.post(form, {**fields, "do": "add"}).text
    assert "Étape 3" in added
    swapped = admin.post(form, {**fields, "do": "up.1"}).text
    first, _, second = swapped.partition('id="etape-2"')
    assert f'<option value="{maire}" selected' in first
    assert f'<option value="{dgs}" selected' in second
    assert "Étape 2" not in admin.post(form, {**fields, "do": "delete.0"}).text
    assert kinds_told(served, town) == ["desk.added", "desk.added"]
    admin.posted(form, {**fields, "do": "save"})
    with served.platform.database.reading(PLATFORM) as session:
        kept = circuits.current(session, town.id, "c")
        assert [step.kind.value for step in circuits.steps_of(kept)] == ["visa", "signature"]


def test_a_circuit_may_ask_for_every_kind_of_step_but_an_opinion(served: Service, admin: Browser, town: Organisation) -> None:
    asked = [kind.value for kind in StepKind if kind is not StepKind.OPINION]
    form = admin.get(at("/administration/circuits/ajout", town)).text
    assert all(f'<option value="{kind}"' in form for kind in asked)
    assert '<option value="opinion"' not in form
    steps = {f"kind.{rank}": kind for rank, kind in enumerate(asked)} | {f"place.{rank}": "emitter" for rank in range(len(asked))}
    fields = {"key": "complet", "name": "Complet", "steps": str(len(asked)), "do": "save", **steps}
    identifier(admin.posted(at("/administration/circuits/ajout", town), fields))
    with served.platform.database.reading(PLATFORM) as session:
        kept = circuits.current(session, town.id, "complet")
        assert [step.kind.value for step in circuits.steps_of(kept)] == asked


def test_a_changed_circuit_is_a_new_version_and_one_who_comes_late_is_told(
    served: Service, admin: Browser, town: Organisation
) -> None:
    maire = add_desk(admin, town, "Maire")
    first = add_circuit(admin, town, "simple", {"kind": "visa", "place": maire})
    form = {"key": "simple", "name": "Circuit simple", "steps": "1", "kind.0": "visa", "place.0": maire, "do": "save"}
    assert identifier(admin.posted(f"/administration/circuits/{first}/etapes", form)) == first
    second = identifier(admin.posted(f"/administration/circuits/{first}/etapes", {**form, "kind.0": "signature"}))
    assert second != first
    late = admin.post(f"/administration/circuits/{first}/etapes", {**form, "name": "Autre"})
    assert (late.status_code, "version 2" in said_in(late.text)) == (400, True)
    with served.platform.database.reading(PLATFORM) as session:
        assert [(one.version, one.current) for one in circuits.versions(session, town.id, "simple")] == [(2, True), (1, False)]
    assert "ancienne version" in admin.get(f"/administration/circuits/{first}").text
    assert kinds_told(served, town)[-2:] == ["circuit.added", "circuit.changed"]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"kind": "visa"}, "ne demande rien à personne"),
        ({"kind": "visa", "place": "0" * 26}, "un bureau qui n’existe pas"),
        ({"kind": "seal", "place": ["emitter", "head"]}, "à un seul bureau"),
        ({"kind": "visa", "place": "emitter", "automatic": "1"}, "Seul un cachet"),
        ({"kind": "opinion", "place": "emitter"}, "n’est pas une étape"),
        ({"kind": "autre", "place": "emitter"}, "choisissez une action"),
    ],
)
def test_a_circuit_that_does_not_hold_is_refused_with_the_step_that_is_wrong(
    admin: Browser, town: Organisation, step: dict[str, Any], told: str
) -> None:
    fields = {"key": "c", "name": "Circuit", "steps": "1", "do": "save", **{f"{name}.0": value for name, value in step.items()}}
    answer = admin.post(at("/administration/circuits/ajout", town), fields)
    assert answer.status_code == 400
    assert told in said_in(answer.text)


def test_a_circuit_goes_from_one_organisation_to_another_by_the_short_names_of_its_desks(
    served: Service, admin: Browser, town: Organisation
) -> None:
    maire = add_desk(admin, town, "Maire")
    circuit = add_circuit(admin, town, "simple", {"kind": "signature", "place": [maire, "emitter"], "notified": maire})
    file = admin.get(f"/administration/circuits/{circuit}/export.json")
    assert file.headers["content-disposition"].endswith('"circuit-simple.json"')
    assert maire not in file.text
    with browsing(served, f"admin@{served.syndicat.organisation.siret}.test") as other:
        there = ("/administration/circuits/reprise",)
        refused = other.post(*there, file=("c.json", file.content, "application/json"))
        assert (refused.status_code, "Maire" in said_in(refused.text)) == (400, True)
        own = identifier(other.posted("/administration/bureaux/ajout", {"name": "Le maire", "short_name": "Maire"}))
        other.posted(*there, file=("c.json", file.content, "application/json"))
        other.posted(*there, file=("c.json", file.content, "application/json"))
    with served.platform.database.reading(PLATFORM) as session:
        taken = circuits.current(session, served.syndicat.organisation.id, "simple")
        assert taken.version == 2
        assert [place.desk for place in circuits.steps_of(taken)[0].places] == [own, None]
        assert circuits.steps_of(taken)[0].notified == (own,)


def test_a_type_that_cannot_be_is_refused_in_words(admin: Browser, town: Organisation) -> None:
    form = at("/administration/types/ajout", town)
    pairs = [
        ({"name": "X", "format": "pades", "protocol": "helios"}, "HELIOS signe en PES"),
        ({"name": "X", "format": "auto", "protocol": "none", "postal_code": "2A"}, "cinq chiffres"),
        ({"name": "X", "format": "auto", "protocol": "none", "page": "zéro"}, "page du tampon"),
        ({"name": "", "format": "auto", "protocol": "none"}, "Un nom compte"),
    ]
    for fields, told in pairs:
        answer = admin.post(form, fields)
        assert answer.status_code == 400
        assert told in said_in(answer.text)


def test_a_subtype_keeps_every_option_and_its_metadata_in_their_order(
    served: Service, admin: Browser, town: Organisation
) -> None:
    maire = add_desk(admin, town, "Maire")
    add_circuit(admin, town, "simple", {"kind": "visa", "place": maire})
    kind = add_kind(admin, town, "simple")
    for key, name, of in (("montant", "Montant", "decimal"), ("urgent", "Urgent", "boolean")):
        admin.posted(at("/administration/metadonnees", town), {"key": key, "name": name, "kind": of})
    address = f"/administration/types/sous-types/{kind}"
    page = admin.post(address, {"name": "C", "do": "add", "added": "urgent", "use": "montant"}).text
    assert page.index('name="use" value="montant"') < page.index('name="use" value="urgent"')
    fields = {
        "name": "Courrier sortant",
        "description": "Lettres",
        "creation_circuit": "simple",
        "main_documents": "3",
        "annexes_printed": "1",
        "reading_mandatory": "1",
        "recall_minutes": "45",
        "creation_desks": maire,
        "use": ["urgent", "montant"],
        "mandatory.montant": "1",
        "default.urgent": "non",
        "do": "save",
    }
    admin.posted(address, fields)
    with served.platform.database.reading(PLATFORM) as session:
        found = typology.kind_of(session, kind)
    assert (found.name, found.description) == ("Courrier sortant", "Lettres")
    options = found.options
    assert (options.main_documents, options.recall_minutes, options.creation_circuit) == (3, 45, "simple")
    assert (options.annexes, options.annexes_printed, options.reading_mandatory, options.paper_signature) == (
        False,
        True,
        True,
        False,
    )
    assert options.creation_desks == (maire,)
    assert [(use.key, use.mandatory, use.editable, use.default) for use in options.fields] == [
        ("urgent", False, False, "non"),
        ("montant", True, False, ""),
    ]
    refused = admin.post(address, {**fields, "main_documents": "0"})
    assert (refused.status_code, "De 1 à 100" in said_in(refused.text)) == (400, True)


def test_a_subtype_of_pes_does_not_offer_what_is_never_done_with_one_and_keeps_what_was_chosen(
    served: Service, admin: Browser, town: Organisation
) -> None:
    maire = add_desk(admin, town, "Maire")
    add_circuit(admin, town, "simple", {"kind": "signature", "place": maire})
    kind = add_kind(admin, town, "simple")
    address = f"/administration/types/sous-types/{kind}"
    assert 'name="paper_signature" type="checkbox"' in admin.get(address).text
    told = {"name": "PES", "main_documents": "1", "paper_signature": "1", "do": "save"}
    admin.posted(address, told)
    with served.platform.database.writing(PLATFORM) as session:
        of = session.get_one(FolderType, typology.kind_of(session, kind).type_id)
        typology.change_type(session, of, of.name, TypeOptions(format=SignatureFormat.PES, protocol=Protocol.HELIOS))
    page = admin.get(address).text
    assert "signé sur papier" not in page
    assert 'type="hidden" name="paper_signature" value="1"' in page
    admin.posted(address, told)
    with served.platform.database.reading(PLATFORM) as session:
        assert typology.kind_of(session, kind).options.paper_signature


def test_the_decision_table_is_written_by_buttons_and_the_trial_says_who_would_act(
    served: Service, admin: Browser, town: Organisation
) -> None:
    secretariat, dgs, maire = (add_desk(admin, town, name) for name in ("Secrétariat", "DGS", "Maire"))
    add_holder(served, town, dgs, "Inès Vallon")
    add_holder(served, town, maire, "Paul Serrat")
    add_circuit(admin, town, "court", {"kind": "signature", "place": dgs})
    add_circuit(admin, town, "long", {"kind": "visa", "place": "variable"}, {"kind": "signature", "place": maire})
    kind = add_kind(admin, town, "court")
    admin.posted(at("/administration/metadonnees", town), {"key": "montant", "name": "Montant", "kind": "decimal"})
    form = f"/administration/types/sous-types/{kind}/choix"
    table: dict[str, Any] = {"rows": "1", "circuit.0": "court"}
    assert 'id="ligne-2"' in admin.post(form, {**table, "do": "add"}).text
    table = {
        "rows": "2",
        "field.0.0": "montant",
        "operator.0.0": "ge",
        "value.0.0": "5 000,00",
        "circuit.0": "long",
        "variables.0": dgs,
        "circuit.1": "court",
        "do": "save",
    }
    admin.posted(form, table)
    trial = f"/administration/types/sous-types/{kind}/essai"
    dear = admin.get(trial, emitter=secretariat, **{"field.montant": "10 000,50"}).text
    assert "La ligne 1 de la table convient" in dear
    assert dear.index("Inès Vallon") < dear.index("Paul Serrat")
    cheap = admin.get(trial, emitter=secretariat, **{"field.montant": "4 999,99"}).text
    assert "Aucune condition n’est remplie" in cheap
    assert "Paul Serrat" not in cheap
    wrong = admin.get(trial, emitter=secretariat, **{"field.montant": "beaucoup"})
    assert "n’est pas un nombre" in said_in(wrong.text)
    for change, told in (
        ({"circuit.0": ""}, "Choisissez le circuit de la ligne 1"),
        ({"field.0.0": ""}, "masquerait celles qui suivent"),
        ({"variables.0": [dgs, maire]}, "attend 1 bureaux au choix"),
        ({"operator.0.0": "autour"}, "choisissez une comparaison"),
    ):
        answer = admin.post(form, {**table, **change})
        assert answer.status_code == 400
        assert told in said_in(answer.text).replace("\u00a0", " ")
    assert "subtype.changed" in kinds_told(served, town)


def test_a_metadata_in_use_stays_and_its_choices_can_change(served: Service, admin: Browser, town: Organisation) -> None:
    form = at("/administration/metadonnees", town)
    admin.posted(form, {"key": "service", "name": "Service", "kind": "text", "choices": "Voirie\nÉcoles\nVoirie"})
    with served.platform.database.reading(PLATFORM) as session:
        field = session.exec(select(MetadataField).where(MetadataField.organisation_id == town.id)).one()
    assert field.choices == ["Voirie", "Écoles"]
    for fields, told in (
        ({"key": "1x", "name": "X", "kind": "text"}, "une lettre d’abord"),
        ({"key": "service", "name": "X", "kind": "text"}, "a déjà la clé"),
        ({"key": "jour", "name": "Jour", "kind": "date", "choices": "demain"}, "n’est pas une date"),
        ({"key": "x", "name": "X", "kind": "couleur"}, "Choisissez une nature"),
    ):
        assert told in said_in(admin.post(form, fields).text)
    add_circuit(admin, town, "simple", {"kind": "visa", "place": add_desk(admin, town, "Maire"), "approval": "service"})
    refused = admin.post(f"/administration/metadonnees/{field.id}/retrait")
    assert (refused.status_code, "Circuit simple" in said_in(refused.text)) == (409, True)
    admin.posted(f"/administration/metadonnees/{field.id}", {"name": "Service", "choices": "Voirie"})
    with served.platform.database.reading(PLATFORM) as session:
        assert session.get_one(MetadataField, field.id).choices == ["Voirie"]
    assert kinds_told(served, town)[-1] == "metadata.changed"


def test_a_seal_is_put_in_place_shown_without_its_secret_and_taken_away(
    served: Service, admin: Browser, town: Organisation, credential: Credential
) -> None:
    form, file = at("/administration/cachet", town), credential.as_pkcs12("secret du cachet")
    for octets, password, told in (
        (b"pas un pkcs12", "x", "PKCS#12"),
        (file, "faux", "PKCS#12"),
        (file, "", "PKCS#12"),
        (b"", "x", "PKCS#12"),
    ):
        answer = admin.post(form, {"password": password}, pkcs12=("cle.p12", octets, "application/x-pkcs12"))
        assert answer.status_code == 400
        assert told in said_in(answer.text)
    said = {"password": "secret du cachet", "quality": "Commune", "city": "Valmorin", "postal_code": "99000"}
    admin.posted(form, said, pkcs12=("cle.p12", file, "application/x-pkcs12"))
    page = admin.get("/administration/cachet", organisation=town.id).text
    assert "Prêt" in page
    assert "secret du cachet" not in page
    assert base64.b64encode(file).decode()[:40] not in page
    admin.posted(form, {**said, "password": "", "quality": "Mairie"})
    with served.platform.database.reading(PLATFORM) as session:
        kept = configuration_of(session, served.platform.secrets, town.id, SEAL, ServerSeal)
        assert (kept.quality, kept.signer().certificate) == ("Mairie", credential.certificate)
    maire = add_desk(admin, town, "Maire")
    circuit = add_circuit(admin, town, "scelle", {"kind": "seal", "place": maire, "automatic": "1"})
    refused = admin.post(at("/administration/cachet/retrait", town))
    assert (refused.status_code, "Circuit scelle" in said_in(refused.text)) == (409, True)
    admin.posted(f"/administration/circuits/{circuit}/retrait")
    admin.posted(at("/administration/cachet/retrait", town))
    with served.platform.database.reading(PLATFORM) as session:
        assert session.get(Configuration, (town.id, SEAL)) is None
    assert {"configuration.changed", "configuration.withdrawn"} <= set(kinds_told(served, town))


def test_the_pes_are_sent_through_the_parapheur_and_no_longer(served: Service, admin: Browser, town: Organisation) -> None:
    maire = add_desk(admin, town, "Maire")
    add_circuit(admin, town, "simple", {"kind": "signature", "place": maire})
    mail = add_kind(admin, town, "simple")
    helios = add_kind(admin, town, "simple", "PES", format="pes", protocol="helios")
    form = at("/administration/helios", town)
    wrong = admin.post(form, {"subtype": mail, "emitter": maire, "visibility": "public"})
    assert (wrong.status_code, "HELIOS" in said_in(wrong.text)) == (400, True)
    nobody = admin.post(form, {"subtype": helios, "emitter": "", "visibility": "public"})
    assert "Choisissez le bureau" in said_in(nobody.text)
    admin.posted(form, {"subtype": helios, "emitter": maire, "visibility": "public"})
    route = route_of(served.platform, town.id)
    assert route is not None
    assert (route.subtype, route.emitter, route.visibility) == (helios, maire, "public")
    for address in (f"/administration/types/sous-types/{helios}/fermeture", f"/administration/bureaux/{maire}/fermeture"):
        refused = admin.post(address)
        assert (refused.status_code, "HELIOS" in said_in(refused.text)) == (409, True)
    admin.posted(form, {"subtype": ""})
    assert route_of(served.platform, town.id) is None
    admin.posted(f"/administration/types/sous-types/{helios}/fermeture")
    assert kinds_told(served, town)[-3:] == ["configuration.changed", "configuration.withdrawn", "subtype.closed"]


def test_the_pes_are_not_sent_into_a_circuit_in_which_nobody_signs_them(
    served: Service, admin: Browser, town: Organisation
) -> None:
    maire = add_desk(admin, town, "Maire")
    add_circuit(admin, town, "regard", {"kind": "visa", "place": maire})
    helios = add_kind(admin, town, "regard", "PES", format="pes", protocol="helios")
    refused = admin.post(at("/administration/helios", town), {"subtype": helios, "emitter": maire, "visibility": "public"})
    told = said_in(refused.text).replace("\u00a0", " ")
    assert (refused.status_code, "n’en demandent aucune : Circuit regard" in told) == (400, True)
    assert route_of(served.platform, town.id) is None
