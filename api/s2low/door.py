"""Who asks: software with its API token, as a bearer or as the password of HTTP Basic (RFC 7617).

The user name of Basic chooses the organisation where a token is good for several: its SIREN or SIRET, alone or after an ``@``;
any other name means that of the token. Client certificates end at the proxy and say nothing here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from api.basic import credentials
from api.tenants import organisation_named
from api.v1.access import own_organisation
from core.errors import NotFound, Unauthenticated, UsageError
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.tokens import software_behind

_t = Catalogue("api.s2low")
_OWNER = re.compile(r"(?:.*@)?([0-9]{9}|[0-9]{14})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks, for which organisation, under which name."""

    principal: Principal
    organisation: Organisation
    login: str

    def require(self, right: Right) -> None:
        """Go on only if the right is held in the organisation.

        Raises:
            Forbidden: it is not.
        """
        self.principal.require(right, self.organisation.id)


def account_behind(platform: Platform, authorization: str) -> Account:
    """Return who asks.

    Raises:
        Unauthenticated: nobody whom a token makes known, or for an organisation that is not the token's.
    """
    login, token = _credentials(authorization)
    with platform.database.reading(PLATFORM) as session:
        principal = software_behind(session, token)
    chosen = _OWNER.fullmatch(login)
    if chosen is None:
        return Account(principal, own_organisation(platform, principal), login)
    try:
        return Account(principal, organisation_named(platform, principal, chosen[1]), login)
    except (NotFound, UsageError) as error:
        raise Unauthenticated(_t("door.organisation", found=chosen[1])) from error


def _credentials(authorization: str) -> tuple[str, str]:
    """Return the user name, empty for a bearer, and the token."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return "", rest.strip()
    found = credentials(authorization)
    if found is None:
        raise Unauthenticated(_t("door.credentials"))
    return found
