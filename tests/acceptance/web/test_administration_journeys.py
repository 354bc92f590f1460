"""The pages that set the parapheur up, as people use them: on a phone, without a script, in forced colours, by the keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from core import clock
from core.organisations import Organisation
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from signing.parapheur import administration, blueprint, desks
from signing.parapheur.blueprint import Blueprint
from signing.parapheur.models import Capacity
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_fits, assert_sound
from tests.integration.api.service import PASSWORD, Service, web_service

_EMAIL = "administratrice@valmorin.test"
_PLAN = {
    "desks": [
        {"name": "Maire", "short_name": "Maire"},
        {"name": "Direction générale des services", "short_name": "DGS", "parent": "Maire", "description": "Contrôle et visa"},
        {"name": "Secrétariat", "short_name": "Secrétariat", "parent": "DGS", "may_act": False},
        {"name": "Adjointe aux finances", "short_name": "Adjointe", "parent": "Maire"},
    ],
    "metadata": [
        {"key": "montant", "name": "Montant TTC", "kind": "decimal"},
        {"key": "service", "name": "Service", "kind": "text", "choices": ["Voirie", "Écoles", "Finances"]},
        {"key": "urgent", "name": "Urgent", "kind": "boolean"},
    ],
    "circuits": [
        {
            "key": "court",
            "name": "Signature du maire",
            "steps": [{"kind": "signature", "places": [{"who": "desk", "desk": "Maire"}]}],
        },
        {
            "key": "long",
            "name": "Visa puis signature",
            "steps": [
                {
                    "kind": "visa",
                    "places": [{"who": "variable"}, {"who": "desk", "desk": "DGS"}],
                    "together": "all",
                    "notified": ["Secrétariat"],
                    "approval_fields": ["montant"],
                },
                {"kind": "signature", "places": [{"who": "desk", "desk": "Maire"}], "rejection_fields": ["service"]},
                {"kind": "seal", "places": [{"who": "emitter"}], "automatic": True},
            ],
        },
    ],
    "types": [
        {
            "name": "Marchés publics",
            "signing": {"format": "pades", "city": "Valmorin", "postal_code": "99000"},
            "subtypes": [
                {
                    "name": "Bon de commande",
                    "description": "Sous le seuil des procédures",
                    "options": {
                        "fields": [{"key": "montant", "mandatory": True}, {"key": "service"}],
                        "creation_desks": ["Secrétariat"],
                    },
                    "rows": [
                        {
                            "when": [{"field": "montant", "operator": "ge", "value": "5 000"}],
                            "circuit": "long",
                            "variables": ["Adjointe"],
                        },
                        {"circuit": "court"},
                    ],
                }
            ],
        },
        {
            "name": "HELIOS",
            "signing": {"format": "pes", "protocol": "helios", "city": "Valmorin", "postal_code": "99000"},
            "subtypes": [{"name": "Flux PES", "options": {}, "rows": [{"circuit": "court"}]}],
        },
    ],
}


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A commune that is set up, and a syndicat that has nothing yet; one person administers both."""
    with web_service(s3, tmp_path_factory.mktemp("administration")) as service:
        yield Site(service, furnished(service))


def furnished(service: Service) -> dict[str, str]:
    commune, empty = service.mairie.organisation, service.syndicat.organisation
    with service.platform.database.writing(PLATFORM) as session:
        person = add_person(session, _EMAIL, "Lise Aubry", PASSWORD)
        for organisation in (commune, empty):
            everything = {Right.ADMINISTER, Right.READ, Right.DEPOSIT, Right.ACT}
            grant_role(
                session, session.merge(person), session.get_one(Organisation, organisation.id), "toutes fonctions", everything
            )
        blueprint.build(session, PLATFORM, commune.id, Blueprint.model_validate(_PLAN))
        there = {desk.short_name: desk for desk in desks.desks_of(session, commune.id)}
        for short in ("Maire", "Secrétariat"):
            desks.seat(session, there[short], person.id)
        desks.seat(session, there["DGS"], person.id, Capacity.SUPERVISOR)
        spare = administration.add_desk(session, PLATFORM, commune.id, administration.DeskDetails("Ancien service", "Ancien"))
        desks.close_desk(session, spare)
        desks.delegate(
            session, f"person:{person.id}", there["Maire"], there["Adjointe"], clock.now(), clock.now() + timedelta(days=5)
        )
        desks.delegate(session, "platform", there["DGS"], there["Adjointe"], clock.now() + timedelta(days=8), None)
    return addresses(service, commune, empty, person.id)


def addresses(service: Service, commune: Organisation, empty: Organisation, person_id: str) -> dict[str, str]:
    with service.platform.database.reading(PLATFORM) as session:
        plan = {desk.short_name: desk.id for desk in desks.desks_of(session, commune.id)}
        from signing.parapheur import circuits, metadata, typology

        circuit = circuits.current(session, commune.id, "long").id
        kinds = {kind.name: kind for kind in typology.kinds(session, commune.id)}
        field = metadata.declared(session, commune.id)["service"].id
    kind = kinds["Bon de commande"]
    subtype = f"/administration/types/sous-types/{kind.id}"
    of = f"?organisation={commune.id}"
    pages = {
        name: f"/administration/{path}{of}"
        for name, path in {
            "desks": "bureaux",
            "desk, new": "bureaux/ajout",
            "circuits": "circuits",
            "circuit, new": "circuits/ajout",
            "types": "types",
            "type, new": "types/ajout",
            "metadata": "metadonnees",
            "seal": "cachet",
            "helios": "helios",
            "configuration": "configuration",
            "first steps": "demarrage",
        }.items()
    }
    pages |= {
        f"{name}, empty": f"/administration/{path}?organisation={empty.id}"
        for name, path in {
            "desks": "bureaux",
            "circuits": "circuits",
            "types": "types",
            "metadata": "metadonnees",
            "first steps": "demarrage",
        }.items()
    }
    return pages | {
        "desk": f"/administration/bureaux/{plan['Maire']}",
        "desk, closed": f"/administration/bureaux/{plan['Ancien']}",
        "circuit": f"/administration/circuits/{circuit}",
        "circuit, steps": f"/administration/circuits/{circuit}/etapes",
        "type": f"/administration/types/{kind.type_id}",
        "subtype": subtype,
        "subtype, new": f"/administration/types/{kind.type_id}/ajout",
        "table": f"{subtype}/choix",
        "trial": f"{subtype}/essai?emitter={plan['Secrétariat']}&field.montant=7500",
        "trial, refused": f"{subtype}/essai?emitter={plan['Secrétariat']}&field.montant=beaucoup",
        "metadata, one": f"/administration/metadonnees/{field}",
        "certificates": f"/administration/certificats/{person_id}",
        "absences": "/parapheur/absences",
        "preferences": "/parapheur/preferences",
    }


def entered(visit: Opening, **options: object) -> Page:
    page = visit(signed_in=False, **options)
    page.goto("/connexion")
    page.get_by_label("Adresse électronique").fill(_EMAIL)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url(re.compile(r"/(dossiers|parapheur|compte|administration|deposer)?$"))
    return page


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_has_a_fault_that_a_machine_can_see(visit: Opening, site: Site, width: int, part: int) -> None:
    page = entered(visit, width=width)
    for where, address in list(site.pages.items())[part::3]:
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, where
        assert_sound(page, where)
        if width == WIDTHS[0]:
            page.evaluate(_SPACED)
            assert_fits(page, f"{where}, spaced out")


def test_every_title_is_its_own(visit: Opening, site: Site) -> None:
    page, titles = entered(visit), []
    for where, address in site.pages.items():
        if not where.endswith((", empty", ", refused")):  # the same page, in another state
            page.goto(address)
            titles.append(page.title())
    assert sorted(titles) == sorted(set(titles))


def test_a_circuit_is_written_without_a_script_and_read_again_in_words(visit: Opening, site: Site) -> None:
    page = entered(visit, java_script_enabled=False)
    page.goto(site.pages["circuit, new"])
    page.get_by_label("Nom", exact=True).fill("Double visa")
    page.get_by_label("Clé").fill("double-visa")
    page.get_by_label("Bureaux, choix 1, étape 1").select_option("Chef du bureau précédent")
    page.get_by_role("button", name="Ajouter une étape").click()
    expect(page.get_by_role("status")).to_contain_text("ne sont pas encore enregistrées")
    expect(page.get_by_label("Clé")).to_have_value("double-visa")
    second = page.get_by_role("region", name="Étape 2")
    second.get_by_label("Action").select_option("Signature")
    second.get_by_label("Bureaux, choix 1, étape 2").select_option("Maire")
    page.get_by_role("button", name="Monter l’étape 2").click()
    expect(page.get_by_role("region", name="Étape 1").get_by_label("Action")).to_have_value("signature")
    page.get_by_role("button", name="Descendre l’étape 1").click()
    page.get_by_role("button", name="Enregistrer").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Double visa")
    steps = page.get_by_role("region", name="Le circuit en clair").get_by_role("listitem")
    expect(steps.filter(has_text="Chef du bureau précédent").first).to_contain_text("Visa")
    expect(steps.filter(has_text="Lise Aubry").first).to_contain_text("Maire")


def test_enter_in_a_field_saves_and_moves_nothing(visit: Opening, site: Site) -> None:
    page = entered(visit)
    page.goto(site.pages["circuit, steps"])
    page.get_by_label("Nom", exact=True).fill("Visa puis signature, puis cachet")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Une nouvelle version est en vigueur.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Visa puis signature, puis cachet")
    expect(page.get_by_text("Prévenus ensuite : Secrétariat".replace(" :", "\u00a0:"))).to_be_visible()


def test_a_refusal_says_why_on_top_and_keeps_what_was_typed(visit: Opening, site: Site) -> None:
    page = entered(visit)
    page.goto(site.pages["type, new"])
    page.get_by_label("Nom", exact=True).fill("Actes")
    page.get_by_label("Destination").select_option("ACTES (contrôle de légalité)")
    page.get_by_role("button", name="Ajouter le type").click()
    expect(page.get_by_role("alert")).to_contain_text("ACTES en PAdES ou CAdES")
    expect(page.get_by_label("Nom", exact=True)).to_have_value("Actes")
    assert_sound(page, "a type, refused")


@pytest.mark.parametrize("mode", [{"forced_colors": "active"}, {"reduced_motion": "reduce"}])
def test_pages_hold_in_forced_colours_and_without_motion(visit: Opening, site: Site, mode: dict[str, str]) -> None:
    page = entered(visit, **mode)
    for where in ("first steps", "table", "circuit", "desk"):
        page.goto(site.pages[where])
        assert page.get_by_role("heading", level=1).is_visible()
        assert_fits(page, where)
    page.goto(site.pages["first steps"])
    assert page.get_by_text("Fait").first.is_visible()
