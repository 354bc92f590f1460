"""A small tree of organisations in an up-to-date database of each kind."""

from __future__ import annotations

import pytest

from core.database import Database
from core.organisations import OrganisationKind, add_organisation
from core.principal import PLATFORM
from tests.conftest import AUTRE_MAIRIE, MAIRIE
from tests.integration.core.tree import Tree


@pytest.fixture
def tree(database: Database) -> Tree:
    """The organisations, written by the platform."""
    with database.writing(PLATFORM) as session:
        root = add_organisation(session, "Plateforme d’essai", OrganisationKind.PLATFORM)
        mairie = add_organisation(session, "Commune de Valmorin", OrganisationKind.COLLECTIVITE, parent=root, siret=MAIRIE)
        service = add_organisation(session, "Régie des eaux", OrganisationKind.SERVICE, parent=mairie)
        other = add_organisation(session, "Commune de Rochebrune", OrganisationKind.COLLECTIVITE, parent=root, siret=AUTRE_MAIRIE)
    return Tree(root, mairie, service, other)
