"""The act of a path, for whoever does something with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from api.acts import finding
from api.v1.access import Caller, Parts
from api.v1.act_sending import ActId
from flows.engine.models import Dossier


def _followed(platform: Parts, caller: Caller, act_id: ActId) -> Dossier:
    return finding.to_follow(platform, caller, act_id)


Followed = Annotated[Dossier, Depends(_followed)]
"""The act of the path; who may not deposit for it is told so before the body is looked at."""
