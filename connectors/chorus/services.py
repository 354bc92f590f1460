"""The services of Chorus Pro that are called, by their paths below ``/cpro``, and what each answers when it finds nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """A service.

    Attributes:
        path: below ``/cpro``; errors and evidence name the service by it.
        nothing: its codes that mean an empty list. They mean something else in another service.
    """

    path: str
    nothing: frozenset[int] = frozenset()


_NO_RESULT = frozenset({20000})
_NO_WORKS = frozenset({20000, 20007})

HEALTH = Service("transverses/v1/health-check")
TAX_RATES = Service("transverses/v1/recuperer/tauxtva")
OWN_STRUCTURES = Service("transverses/v1/recuperer/structures/actives/destinataire", _NO_RESULT)
STRUCTURE = Service("structures/v1/consulter")
STRUCTURES = Service("structures/v1/rechercher", _NO_RESULT)
STRUCTURE_SERVICES = Service("structures/v1/rechercher/services", _NO_RESULT)
STRUCTURE_SERVICE = Service("structures/v1/consulter/service")
RECEIVED = Service("factures/v1/rechercher/recipiendaire", _NO_RESULT)
WORKS = Service("facturesTravaux/v1/rechercher", _NO_WORKS)
HISTORY = Service("factures/v1/consulter/historique")
DOWNLOAD = Service("factures/v1/telecharger/groupe")
NEXT_STATUSES = Service("transverses/v1/recuperer/etats/traitement", _NO_RESULT)
TREAT = Service("factures/v1/traiter/recue")
DEPOSIT = Service("factures/v1/deposer/flux")
DEPOSIT_REPORT = Service("transverses/v1/consulterCRDetaille")
ISSUED = Service("factures/v1/rechercher/fournisseur", _NO_RESULT)
COMPLETE = Service("factures/v1/completer")
ADD_FILE = Service("transverses/v1/ajouter/fichier")
