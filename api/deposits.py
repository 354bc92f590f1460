"""A deposit, whichever face it comes through: what it is for, and the document behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from api.tenants import organisation_named
from api.uploads import Document
from api.words import messages
from core.blobs import Readable
from core.errors import UsageError
from core.platform import Platform
from core.principal import Principal
from flows.engine.intake import Received
from flows.registry import DEPOSITS, flow_for_deposits

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a document goes.

    Attributes:
        flow: name of the flow.
        organisation: SIREN, SIRET or identifier of whom it is deposited for.
        said: what the form says of the document beside that, as the flow reads it.
    """

    flow: str
    organisation: str
    said: Mapping[str, str] = field(default_factory=dict)


def refuse_key(key: str | None) -> None:
    """Refuse an idempotency key that cannot be one.

    Raises:
        UsageError: it is not 1 to 200 visible characters.
    """
    if key is not None and not _KEY.fullmatch(key):
        raise UsageError(messages("key.malformed"))


def said_once(name: str, *said: str | None) -> str | None:
    """Return what a request says of something, in its address, its form or both; None when it says nothing.

    Raises:
        UsageError: it says one thing here and another there.
    """
    found = list(dict.fromkeys(one.strip() for one in said if one and one.strip()))
    if len(found) > 1:
        raise UsageError(messages("form.disagrees", name=name, here=found[0][:40], there=found[1][:40]))
    return found[0] if found else None


def deposit(
    platform: Platform, principal: Principal, to: Destination, document: Readable, name: str, key: str | None = None
) -> Received:
    """Read a document to its end into the flow.

    Raises:
        UsageError: no such flow, an empty document, a key that cannot be one.
        NotFound: no such organisation here.
        Forbidden: the principal may not deposit for it.
        TooLarge, Conflict, Unavailable: see ``flows.engine.intake``.
    """
    refuse_key(key)
    flow = flow_for_deposits(to.flow)
    organisation = organisation_named(platform, principal, to.organisation)
    return DEPOSITS[flow.name](platform, principal, organisation.id, Document(document), name[:_LONGEST_NAME], key, to.said)
