"""The services of the simulated Chorus Pro that tell who exists and what values are known."""

from __future__ import annotations

from typing import Any

from connectors.chorus import services
from connectors.chorus.simulated_portal import NO_RESULT, Answerer, Asked, Portal, Refusal, Told, page_asked, paging
from connectors.chorus.simulated_world import Body

NO_STRUCTURE, NO_SERVICE = (20001, "GST_MSG_01.001"), (20002, "GST_MSG_01.002")
_PAGE, _SIREN = 20, 9
_LISTS: dict[str, dict[str, Any]] = {
    "devises": {"listeDevises": [{"codeDevise": "EUR", "libelleDevise": "Euro"}]},
    "modereglements": {"listeModeReglement": [{"codeModeReglement": "VIREMENT", "libelleModeReglement": "Virement"}]},
    "typedp": {"listeTypeDemandePaiement": [{"codeTypeDemandePaiement": one} for one in ("FACTURE", "FACTURE_TRAVAUX")]},
    "tauxtva": {"listeTauxTva": [{"codeTauxTva": f"TVA{rate}", "valeurTauxTva": rate} for rate in (20.0, 10.0, 5.5, 2.1, 0.0)]},
}


class Directory:
    """Structures, services, and lists of values."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def answerers(self) -> dict[str, Answerer]:
        """Return what answers each service."""
        lists: dict[str, Answerer] = {
            f"transverses/v1/recuperer/{name}": lambda _, told=told: Told(dict(told))  # type: ignore[misc]
            for name, told in _LISTS.items()
        }
        return lists | {
            services.OWN_STRUCTURES.path: self._own,
            services.STRUCTURES.path: self._search,
            services.STRUCTURE.path: self._consult,
            services.STRUCTURE_SERVICES.path: self._desks,
            services.STRUCTURE_SERVICE.path: self._desk,
        }

    def _own(self, asked: Asked) -> Told:
        found = [
            {"idStructureCPP": one.id, "identifiant": one.siret, "designationStructure": one.name}
            for one in self._portal.world.bodies
            if one.id in asked.account.bodies
        ]
        if not found:
            raise Refusal(*NO_RESULT)
        return Told({"listeStructures": found})

    def _search(self, asked: Asked) -> Told:
        wanted = asked.member("structure") or {}
        number, size = page_asked(asked.body.get("parametres"))
        sought = wanted.get("identifiantStructure")
        found = [one for one in self._portal.world.bodies if sought in {None, "", one.siret, one.siret[:_SIREN]}]
        if not found:
            raise Refusal(*NO_RESULT)
        lines = [
            {
                "idStructureCPP": one.id,
                "identifiantStructure": one.siret,
                "typeIdentifiantStructure": "SIRET",
                "designationStructure": one.name,
                "statut": "ACTIVE",
            }
            for one in found[(number - 1) * size : number * size]
        ]
        return Told({"listeStructures": lines, "parametresRetour": paging(number, size, len(found))})

    def _consult(self, asked: Asked) -> Told:
        body = self._known(asked, "idStructure", "idStructureCPP")
        general: dict[str, Any] = {
            "designationStructure": body.name,
            "identifiantStructure": body.siret,
            "structurePriveePublique": "PUBLIQUE",
        }
        if body.id in asked.account.bodies:
            general["dateExpirationMotPasseCompteTech"] = asked.account.expires.isoformat()
        return Told(
            {
                "informationGenerales": general,
                "parametres": {
                    "codeServiceDoitEtreRenseigne": body.service_required,
                    "numeroEJDoitEtreRenseigne": body.engagement_required,
                    "gestionNumeroEJOuCodeService": body.either_required,
                    "statutMiseEnPaiementNestPasRemonte": False,
                    "estMoaUniquement": False,
                },
            }
        )

    def _desks(self, asked: Asked) -> Told:
        body = self._known(asked, "idStructure")
        number, size = page_asked(asked.body.get("parametresRechercherServicesStructure"), _PAGE)
        lines = [
            {"idService": one.id, "codeService": one.code, "libelleService": one.name, "estActif": one.active}
            for one in body.desks[(number - 1) * size : number * size]
        ]
        return Told({"listeServices": lines, "parametresRetour": paging(number, size, len(body.desks))})

    def _desk(self, asked: Asked) -> Told:
        desk = self._known(asked, "idStructure").desk(asked.member("idService"))
        if desk is None:
            raise Refusal(*NO_SERVICE)
        return Told(
            {
                "informationsGenerales": {"codeService": desk.code, "nomService": desk.name},
                "parametres": {"numeroEngagement": desk.engagement_required, "miseEnPaiement": True},
            }
        )

    def _known(self, asked: Asked, *names: str) -> Body:
        body = next((self._portal.world.body(asked.body[name]) for name in names if asked.member(name)), None)
        if body is None:
            raise Refusal(*NO_STRUCTURE)
        return body
