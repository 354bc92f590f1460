"""How a dossier hears an acquit: what its answer does to it, where it stands; a second one downgrades nothing silently."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core import journal
from core.database import ScopedSession
from core.platform import Platform
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.engine.table import Wait
from flows.engine.work import Advance, KeptFile
from flows.helios.flow import HELIOS
from flows.helios.history import AGAIN, refusals_of
from flows.helios.models import HeliosResponse
from schemas.pes.acquit import Acquit, read_acquit

ACQUIT = "pes-acquit"
"""The kind of a response that answers a flow."""
_BEFORE_SENT = frozenset({"received", "checked", "proceeding", "in_parapheur", "validated", "signed"})


def acquit_of(platform: Platform, response: HeliosResponse) -> Acquit:
    """Read an acquit that was kept.

    Raises:
        ObjectMissing, ObjectAltered, Unavailable: the store does not give it.
        UnreadableInput: it cannot be read any more.
    """
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path = Path(folder) / "response"
        platform.objects.fetch(response.sha256, path)
        return read_acquit(path)


def tell(session: ScopedSession, dossier: Dossier, response: HeliosResponse, acquit: Acquit) -> bool:
    """Apply an acquit to its dossier; False when the dossier cannot hear it yet (its delivery is still being recorded)."""
    if dossier.state in _BEFORE_SENT:
        return False
    answer = acquit.answer
    if answer is None:
        return False
    told = acquit.as_json()
    facts = {"acquit": told, "acquit_date": acquit.header.dte_str}
    waiting = HELIOS.rows.get(dossier.state)
    if isinstance(waiting, Wait):
        kept = _as_file(response, "acquit")
        outcome = Advance(answer.value, facts=facts, files=(kept,), journal={"response": response.id})
        return transitions.signal(session, HELIOS, dossier.id, answer.value, outcome)
    # A second acquit is kept beside the first and downgrades nothing silently: the journal says what it answers and refuses.
    transitions.add_files(session, dossier.organisation_id, dossier.id, (_as_file(response, "acquit.later"),))
    journal.write(
        session,
        organisation_id=dossier.organisation_id,
        dossier_id=dossier.id,
        kind=AGAIN,
        actor="platform",
        facts={"answer": answer.value, "sha256": response.sha256, "refused": refusals_of(told["elements"])},
    )
    return True


def _as_file(response: HeliosResponse, role: str) -> KeptFile:
    return KeptFile(role, response.name, "application/xml", response.sha256, response.size)
