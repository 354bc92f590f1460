"""From nothing to a first document in a circuit; absences, preferences, certificates; a whole set-up taken elsewhere."""

from __future__ import annotations

import json
from datetime import timedelta

from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from core import clock
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import add_person, grant_role, with_address
from core.principal import PLATFORM, Right
from signing.parapheur import blueprint, desks, first_steps, typology
from signing.parapheur.models import Capacity, Delegation, KnownCertificate
from signing.pki import Credential
from tests.integration.api.parapheur_town import (
    Browser,
    add_circuit,
    add_desk,
    add_holder,
    add_kind,
    admin,
    at,
    browsing,
    credential,
    kinds_told,
    said_in,
    served,
    town,
)
from tests.integration.api.service import PASSWORD, Service

__all__ = ["admin", "credential", "served", "town"]


def test_an_absence_is_set_by_a_holder_or_an_absence_manager_and_ended(
    served: Service, admin: Browser, town: Organisation
) -> None:
    maire, adjoint = add_desk(admin, town, "Maire"), add_desk(admin, town, "Adjoint")
    add_circuit(admin, town, "simple", {"kind": "signature", "place": maire})
    kind = add_kind(admin, town, "simple")
    holder, manager = (
        add_holder(served, town, maire, "Paul Serrat"),
        add_holder(served, town, maire, "Lise Aubry", Capacity.ABSENCES),
    )
    substitute = add_holder(served, town, adjoint, "Inès Vallon")
    today = clock.in_paris(clock.now()).date()
    fields = {"desk": maire, "substitute": adjoint, "first": today.isoformat(), "last": (today + timedelta(days=6)).isoformat()}
    with browsing(served, holder) as browser:
        browser.posted("/parapheur/absences", {**fields, "of": f"subtype:{kind}"})
        page = browser.get("/parapheur/absences").text
        assert "Maire remplacé par Adjoint" in page
        assert "seulement Type Courrier – Courrier" in page
        for change, told in (
            ({"first": (today - timedelta(days=1)).isoformat()}, "aujourd’hui ou plus tard"),
            ({"last": ""}, ""),
            ({"substitute": maire}, "un autre bureau"),
            ({"first": "demain"}, "n’est pas un jour"),
            ({"first": (today + timedelta(days=9)).isoformat()}, "après son début"),
        ):
            answer = browser.post("/parapheur/absences", {**fields, **change})
            assert answer.status_code == (400 if told else 303)
            assert told in said_in(answer.text)
    with browsing(served, substitute) as browser:
        page = browser.get("/parapheur/absences").text
        assert "Maire remplacé par Adjoint" in page.partition("Je supplée")[2].partition("Je m’absente")[0]
        assert browser.post("/parapheur/absences", fields).status_code == 403
        mutual = browser.post("/parapheur/absences", {**fields, "desk": adjoint, "substitute": maire})
        assert (mutual.status_code, "lui-même remplacé" in said_in(mutual.text)) == (400, True)
    with served.platform.database.reading(PLATFORM) as session:
        set_ = session.exec(select(Delegation).where(Delegation.desk_id == maire).order_by(Delegation.created)).all()
    assert clock.in_paris(set_[0].ends or clock.now()).date() == today + timedelta(days=7)
    with browsing(served, substitute) as browser:
        assert browser.post(f"/parapheur/absences/{set_[0].id}/fin").status_code == 403
    with browsing(served, manager) as browser:
        for one in set_:
            browser.posted(f"/parapheur/absences/{one.id}/fin")
        assert "Aucune absence" in browser.get("/parapheur/absences").text
    assert kinds_told(served, town)[-4:] == ["delegation.set", "delegation.set", "delegation.ended", "delegation.ended"]


def test_preferences_are_ones_own_and_bounded(served: Service, town: Organisation, admin: Browser) -> None:
    holder = add_holder(served, town, add_desk(admin, town, "Maire"), "Paul Serrat")
    fields = {"quality": "Maire", "city": "Valmorin", "postal_code": "99000", "frequency": "daily", "digest_hour": "7"}
    with browsing(served, holder) as browser:
        for change in ({"postal_code": "9900"}, {"frequency": "souvent"}, {"digest_hour": "24"}, {"quality": "M" * 101}):
            assert browser.post("/parapheur/preferences", {**fields, **change}).status_code == 400
        browser.posted("/parapheur/preferences", fields)
        page = browser.get("/parapheur/preferences").text
    assert 'value="Maire"' in page
    assert 'value="daily" checked' in page
    assert kinds_told(served, town)[-1] == "person.signature_changed"


def test_an_administrator_declares_a_certificate_that_bears_another_name_and_its_owner_forgets_it(
    served: Service, town: Organisation, admin: Browser, credential: Credential
) -> None:
    holder = add_holder(served, town, add_desk(admin, town, "Maire"), "Paul Serrat")
    with served.platform.database.reading(PLATFORM) as session:
        person = with_address(session, holder)
    assert person is not None
    address = f"/administration/certificats/{person.id}"
    refused = admin.post(address, certificate=("x.pem", b"rien", "application/x-pem-file"))
    assert (refused.status_code, "certificat lisible" in said_in(refused.text)) == (400, True)
    octets = credential.certificate.public_bytes(Encoding.PEM)
    admin.posted(address, certificate=("x.pem", octets, "application/x-pem-file"))
    with served.platform.database.reading(PLATFORM) as session:
        known = session.exec(select(KnownCertificate).where(KnownCertificate.person_id == person.id)).one()
    assert known.confirmed is not None
    with browsing(served, holder) as browser:
        assert known.subject in browser.get("/parapheur/preferences").text
        browser.posted(f"/parapheur/preferences/certificats/{known.sha256}/oubli")
        assert known.subject not in browser.get("/parapheur/preferences").text


def test_five_steps_lead_from_nothing_to_a_letter_in_a_circuit(served: Service, town: Organisation) -> None:
    start = at("/administration/demarrage", town)
    email = f"tout@{town.id}.test"
    with served.platform.database.writing(PLATFORM) as session:
        person = add_person(session, email, "Lise Aubry", PASSWORD)
        grant_role(session, person, town, "administration complète", {Right.ADMINISTER, Right.DEPOSIT, Right.ACT, Right.READ})
    with browsing(served, email) as browser:
        assert "Prochaine étape : Les bureaux" in browser.get(start).text.replace("\u00a0", " ")
        browser.posted("/administration/demarrage/cachet/passer", {})
        proposed = {
            "name.secretariat": "Secrétariat",
            "short.secretariat": "Secrétariat",
            "holder.secretariat": person.id,
            "name.dgs": "DGS",
            "short.dgs": "DGS",
            "holder.dgs": person.id,
            "name.maire": "Maire",
            "short.maire": "Maire",
        }
        browser.posted("/administration/demarrage/bureaux", proposed)
        with served.platform.database.reading(PLATFORM) as session:
            made = {desk.name: desk for desk in desks.desks_of(session, town.id)}
        assert made["Secrétariat"].parent_id == made["DGS"].id
        assert made["DGS"].parent_id == made["Maire"].id
        wanted = {"approver_id": made["DGS"].id, "signer_id": made["Maire"].id, "mail": "1", "helios": "1"}
        browser.posted("/administration/demarrage/types", {**wanted, "city": "Valmorin", "postal_code": "99000"})
        again = browser.post("/administration/demarrage/types", wanted)
        assert (again.status_code, "a déjà la clé" in said_in(again.text)) == (400, True)
        with served.platform.database.reading(PLATFORM) as session:
            kinds = {kind.full_name: kind for kind in typology.kinds(session, town.id)}
        assert list(kinds) == ["Courrier – Courrier sortant", "HELIOS – Flux PES"]
        assert "Prochaine étape : Un dossier d’essai" in browser.get(start).text.replace("\u00a0", " ")
        letter = {"desk": made["Secrétariat"].id, "subtype": kinds["Courrier – Courrier sortant"].id}
        browser.posted("/administration/demarrage/essai", letter)
        page = browser.get(start).text
        assert "Le parapheur est prêt" in page
        assert "Un premier dossier est parti" in page
    with served.platform.database.reading(PLATFORM) as session:
        stands = first_steps.stands(session, served.platform.secrets, session.get_one(Organisation, town.id))
    assert [(one.step.value, one.done, one.skipped) for one in stands if one.step.value in {"cachet", "essai"}] == [
        ("cachet", False, True),
        ("essai", True, False),
    ]


def test_a_whole_set_up_is_cloned_into_another_organisation(served: Service, admin: Browser, town: Organisation) -> None:
    dgs, maire = add_desk(admin, town, "DGS"), add_desk(admin, town, "Maire")
    admin.posted(
        f"/administration/bureaux/{dgs}", {"name": "DGS", "short_name": "DGS", "parent": maire, "may_create": "1", "may_act": "1"}
    )
    admin.posted(at("/administration/metadonnees", town), {"key": "montant", "name": "Montant", "kind": "decimal"})
    add_circuit(admin, town, "choisi", {"kind": "visa", "place": "variable"}, {"kind": "signature", "place": maire})
    kind = add_kind(admin, town, "choisi")
    rows = {"rows": "1", "circuit.0": "choisi", "variables.0": dgs, "do": "save"}
    admin.posted(f"/administration/types/sous-types/{kind}/choix", rows)
    file = admin.get("/administration/configuration/export.json", organisation=town.id).content
    for secret in (town.id, dgs, maire, kind):
        assert secret.encode() not in file
    with served.platform.database.writing(PLATFORM) as session:
        other = add_organisation(
            session, "Autre", OrganisationKind.SERVICE, parent=session.get_one(Organisation, served.mairie.organisation.id)
        )
    form = at("/administration/configuration/reprise", other)
    assert "ajouts=6" in admin.posted(form, file=("c.json", file, "application/json"))
    assert "ajouts=0&laisses=6" in admin.posted(form, file=("c.json", file, "application/json"))
    with served.platform.database.reading(PLATFORM) as session:
        copied = blueprint.draw(session, other.id)
        assert copied == blueprint.draw(session, town.id)
        assert (
            copied.model_dump_json().encode() == json.dumps(json.loads(file), separators=(",", ":"), ensure_ascii=False).encode()
        )
    for octets in (b"", b"{", b'{"format":"autre"}', b'{"desks":[{"name":"x"}]}', b"[" * 100_000):
        refused = admin.post(form, file=("c.json", octets, "application/json"))
        assert (refused.status_code, "n’est pas une configuration" in said_in(refused.text)) == (400, True)
