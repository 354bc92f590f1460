"""What is composed of an act for whoever asks: the docket of its acknowledgement, and its budget as people read it.

Each is made once for what it tells, then kept among the derived files. Who may see the act is decided by whoever asks.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from api.acts.finding import Whole
from core import sandbox
from core.derived import derived_files
from core.errors import Conflict, NotFound
from core.messages import Catalogue, current_locale
from core.platform import Platform
from flows.actes.budget import page as budget
from flows.actes.budget.page import Presented
from flows.actes.docket import page as docket
from flows.actes.docket.content import content_of
from flows.engine.models import DossierFile
from schemas.budget.gathering import DOCUMENT, read_apart
from schemas.budget.model import BudgetDocument
from signing.report.pdf import as_pdf

_t = Catalogue("api.acts")
_EDITION = 1
_XML = "application/xml"
AT_ONCE = 1 << 20
"""Octets of a budget that is read while a page waits: a second or two."""


def docket_of(platform: Platform, found: Whole) -> tuple[str, bytes]:
    """Return the docket of an act: its name, and its octets, in the current locale.

    Raises:
        Conflict: the State has not acknowledged the act.
        SandboxError: it could not be composed.
        Unavailable, ObjectMissing: the store does not answer, or too many wait for their turn.
    """
    content = content_of(platform, found.seen.dossier)
    key = _key("docket", content, current_locale())
    octets = derived_files(platform.settings).get_or_make(key, key, lambda: {key: as_pdf(docket.page_of(content), content.at)})
    return _t("name.docket", identifier=content.identifier), octets


def budget_file(found: Whole) -> DossierFile | None:
    """Return the file of the budget that an act is about; None for any other act."""
    kept = found.file("document") if found.act.is_budget else None
    return kept if kept and kept.media_type == _XML else None


def budget_of(platform: Platform, found: Whole) -> BudgetDocument:
    """Return the budget of an act, gathered by chapter; takes seconds the first time, and minutes where it is very large.

    Raises:
        NotFound: the act has none.
        Conflict: it cannot be read.
        SandboxError: it took too much time or memory.
        Unavailable, ObjectMissing: as ``docket_of``.
    """
    kept = _the_budget(found)
    key = _key("budget", kept.sha256)

    def made() -> dict[str, bytes]:
        with tempfile.TemporaryDirectory(prefix="tabellion-", ignore_cleanup_errors=True) as place:
            platform.objects.fetch(kept.sha256, Path(place) / "budget.xml")
            return {key: DOCUMENT.dump_json(read_apart(Path(place), "budget.xml"))}

    try:
        return DOCUMENT.validate_json(derived_files(platform.settings).get_or_make(key, key, made))
    except sandbox.Declined as error:
        raise Conflict(_t("budget.unreadable", reason=error), found.seen.dossier.id) from error


def is_at_hand(platform: Platform, kept: DossierFile) -> bool:
    """Tell whether a budget can be shown without making people wait: it is small, or was read before."""
    return kept.size <= AT_ONCE or derived_files(platform.settings).get(_key("budget", kept.sha256)) is not None


def presentation_of(platform: Platform, found: Whole) -> tuple[str, bytes]:
    """Return the budget of an act as a document to print: its name, and its octets, in the current locale.

    Raises:
        NotFound, Conflict, SandboxError, Unavailable, ObjectMissing: as ``budget_of``.
    """
    document, kept = budget_of(platform, found), _the_budget(found)
    facts = found.seen.dossier.facts
    identifier = facts.get("id_acte_of_state") or facts["id_acte"]
    told = Presented(document, kept.name, kept.sha256, found.act.number, identifier, kept.created)
    key = _key("presentation", kept.sha256, kept.name, kept.created, told.number, identifier, current_locale())
    octets = derived_files(platform.settings).get_or_make(key, key, lambda: {key: as_pdf(budget.page_of(told), told.at)})
    return _t("name.budget", identifier=identifier), octets


def _the_budget(found: Whole) -> DossierFile:
    kept = budget_file(found)
    if kept is None:
        raise NotFound(_t("budget.none"))
    return kept


def _key(kind: str, *told: Any) -> str:
    return f"{_EDITION}/act/{kind}/{hashlib.sha256(repr(told).encode()).hexdigest()}"
