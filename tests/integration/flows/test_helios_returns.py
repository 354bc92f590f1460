"""PES Retour: each is a dossier, once, of the one whose budget it is of; those of nobody wait for a person."""

from __future__ import annotations

from sqlmodel import col, select

from core.identifiers import Siren, Siret
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import transitions
from flows.engine.models import Dossier, DossierFile
from flows.engine.work import Advance
from flows.helios.models import HeliosResponse
from flows.helios.returns import RETURNS
from tests.conftest import AUTRE_MAIRIE, MAIRIE, on_one_shape
from tests.pes_flows import RETURN, pes_retour
from tests.pes_office import Office, office

__all__ = ["office"]
SERVICE = Siret("21400999500025")


def below(office: Office, name: str, siret: Siret | None = None, siren: Siren | None = None) -> Organisation:
    with office.platform.database.writing(PLATFORM) as session:
        above = session.get(Organisation, office.organisation.id)
        return add_organisation(session, name, OrganisationKind.SERVICE, parent=above, siret=siret, siren=siren)


def returns(platform: Platform) -> list[Dossier]:
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(Dossier).where(Dossier.flow == RETURNS.name).order_by(col(Dossier.id))))


@on_one_shape
def test_a_return_is_a_dossier_of_its_town_once_until_software_has_taken_it(office: Office) -> None:
    content = pes_retour(MAIRIE)
    office.plant("retour.xml", content)
    assert office.collect() is None
    (dossier,) = returns(office.platform)
    assert (dossier.organisation_id, dossier.title, dossier.state) == (office.organisation.id, RETURN, "available")
    assert (dossier.facts["id_coll"], dossier.facts["cod_col"], dossier.facts["typ_fic"]) == (MAIRIE, "123", "PES2R_DEP")
    with office.platform.database.reading(PLATFORM) as session:
        (kept,) = session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier.id)).all()
    assert (kept.role, kept.name, kept.size) == ("pes", "retour.xml", len(content))
    office.plant("encore.xml", content)
    office.collect()
    assert [one.id for one in returns(office.platform)] == [dossier.id]
    assert [(one.dossier_id, one.applied, one.flaw) for one in office.responses()] == [(dossier.id, True, None)] * 2
    with office.platform.database.writing(PLATFORM) as session:
        assert transitions.signal(session, RETURNS, dossier.id, "taken", Advance("taken"))
        assert not transitions.signal(session, RETURNS, dossier.id, "taken", Advance("taken"))
    assert returns(office.platform)[0].state == "taken"


@on_one_shape
def test_a_return_goes_to_who_sends_for_its_budget_else_to_its_establishment_else_above(office: Office) -> None:
    water, roads = below(office, "Service des eaux", SERVICE), below(office, "Service des routes")
    office.change(office.signed(roads), state="acquitted")
    other = Siret("21400999500033")
    for siret in (MAIRIE, SERVICE, other):
        office.plant(f"{siret}.xml", pes_retour(siret))
    office.collect()
    assert {one.facts["id_coll"]: one.organisation_id for one in returns(office.platform)} == {
        MAIRIE: roads.id,
        SERVICE: water.id,
        other: office.organisation.id,
    }


@on_one_shape
def test_a_return_of_nobody_or_of_two_waits_with_its_reason_and_goes_once_its_owner_is_known(office: Office) -> None:
    with office.platform.database.writing(PLATFORM) as session:
        stranger = add_organisation(session, "Ailleurs", OrganisationKind.COLLECTIVITE, siret=AUTRE_MAIRIE)
    office.plant("retour.xml", pes_retour(AUTRE_MAIRIE))
    office.plant("sans.xml", pes_retour(""))
    assert office.collect() is None
    assert returns(office.platform) == []
    flaws = {one.name: one.flaw or "" for one in office.responses()}
    assert AUTRE_MAIRIE in flaws["retour.xml"]
    assert "A07" in flaws["sans.xml"]
    first = below(office, "Syndicat", siren=AUTRE_MAIRIE.siren)
    second = below(office, "Régie", siren=AUTRE_MAIRIE.siren)
    office.collect()
    assert returns(office.platform) == []
    with office.platform.database.writing(PLATFORM) as session:
        session.delete(session.get(Organisation, second.id))
    office.collect()
    assert [one.organisation_id for one in returns(office.platform)] == [first.id]
    assert stranger.id != first.id
    (kept,) = [one for one in office.responses() if one.name == "retour.xml"]
    assert (kept.organisation_id, kept.flaw, kept.applied) == (first.id, None, True)


@on_one_shape
def test_a_return_that_was_kept_before_they_were_routed_finds_its_owner(office: Office) -> None:
    office.plant("retour.xml", pes_retour(AUTRE_MAIRIE))
    office.collect()
    with office.platform.database.writing(PLATFORM) as session:
        kept = session.exec(select(HeliosResponse)).one()
        kept.reference, kept.flaw = None, "Le fichier reçu n’est pas un acquit mais : pes-retour (A04)."
        session.add(kept)
    owner = below(office, "Syndicat", siren=AUTRE_MAIRIE.siren)
    office.collect()
    assert [one.organisation_id for one in returns(office.platform)] == [owner.id]
    assert len(office.responses()) == 1
