"""Answering a transfer, once it is sealed or refused: the reply of the archive service, kept with the dossier."""

from __future__ import annotations

from sqlmodel import select

from archive.elimination import package_holds
from archive.ingest.inspection import manifest_of
from archive.models import Record
from core import clock
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.engine.work import Advance, Work
from flows.transfers import messages, report
from flows.transfers.messages import Decision
from flows.transfers.models import ArchiveTransfer
from flows.transfers.names import PACKAGE, REPORT, WARNINGS
from schemas.seda.codes import MALFORMED


def answer(work: Work) -> Advance:
    """Write the reply; a package whose manifest names nobody is owed none: the problems of the dossier say why.

    Before, the record of a package that was sealed is put under the hold that the package names.

    Raises:
        Unavailable: a place of the archive does not answer, and the package names a hold.
    """
    manifest = manifest_of(work.fetch(PACKAGE), work.folder / "manifest.xml")
    decision = _decision(work)
    if manifest is not None and decision.record_id is not None:
        package_holds.take_up(work.platform, decision.record_id, manifest.tree.getroot())
    files = (messages.reply(work, manifest, decision),) if manifest is not None and messages.can_answer(manifest) else ()
    return Advance("answered", files=files, journal={"code": decision.code})


def _decision(work: Work) -> Decision:
    with work.platform.database.reading(PLATFORM) as session:
        transfer = session.exec(select(ArchiveTransfer).where(ArchiveTransfer.dossier_id == work.dossier_id)).one()
        dossier = session.exec(select(Dossier).where(Dossier.id == work.dossier_id)).one()
        record_id = session.exec(select(Record.id).where(Record.dossier_id == work.dossier_id)).first()
    problems = [*dossier.problems, *work.facts.get(WARNINGS, ())]
    decided, code = transfer.decided or clock.now(), transfer.code or MALFORMED
    return Decision(decided, code, transfer.comment, record_id, problems, report.claims(work.fetch(REPORT)))
