"""In the form of an act: that it becomes public as soon as the préfecture has it, and whom its page names as its author."""

from __future__ import annotations

from typing import Any

from api.web.acts.form import Typed
from core.platform import Platform
from flows.actes.intake import AUTHOR_FIELDS
from flows.actes.knowledge import publishing_of
from flows.actes.publishing import INDIVIDUAL, usual_author


def of_publication(platform: Platform, organisation_id: str, typed: Typed) -> dict[str, Any]:
    """Return what the form shows of it: the author as typed, else the usual one; nothing where there is no public page."""
    if not publishing_of(platform, organisation_id).open:
        return {"publishes": False}
    usual = usual_author(platform, organisation_id)
    proposed = {name: getattr(usual, part) for name, part in AUTHOR_FIELDS.items()}
    return {"publishes": True, "individual": INDIVIDUAL, "author": {**proposed, **typed.author}}
