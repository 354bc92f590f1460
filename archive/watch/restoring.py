"""Restoring a copy: the package is written again in its place, from another place that still gives it whole.

What lives here: the one deed that mends a copy. What does not: what finds that it needs mending (`archive.watch.audits`), the
incident, which only a person closes.

What stands under a lock cannot be taken away, so a copy that was altered stays where it is, under its version; the new version
of the same key takes its place in the database, and the journal says which stood there before.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from sqlmodel import select

from archive.models import Record, RecordCopy
from archive.places.places import copies_of
from archive.proof.evidence import LEAF_DIGEST
from archive.watch.looking import place_named
from core import clock, journal
from core.blobs import SealedObject
from core.errors import Conflict, NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM

_messages = Catalogue("archive.watch")
RESTORED = "record.copy_restored"
"""The journal entry of a restoration: the version that the database names from then on, and the one that it named before."""


def restore(platform: Platform, record_id: str, place: str, source: str, actor: str) -> str:
    """Write the package of a record again in a place, from another, and read it back there.

    Args:
        platform: where.
        record_id: of the record.
        place: whose copy is to be mended.
        source: the place that the package is taken from; it is used only if it has the digest that was sealed.
        actor: who asked for it, as the journal names them.

    Returns:
        The new version.

    Raises:
        NotFound: no such record, or no copy of it is known in one of the places.
        Conflict: the record was eliminated.
        ObjectMissing: the source does not hold it.
        ObjectAltered: the source does not hold it whole.
        Unavailable: a place does not answer.
    """
    target, origin = place_named(platform, place), place_named(platform, source)
    with platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.id == record_id)).first()
        copies = {copy.place: copy for copy in copies_of(session, record_id)}
    if record is None or place not in copies or source not in copies:
        raise NotFound(_messages("restore.unknown"))
    if record.eliminated is not None:
        raise Conflict(_messages("restore.eliminated"))
    sound = SealedObject(origin.store.archive, record.key, copies[source].version_id, record.sha256, record.size)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        package = Path(folder) / "package.zip"
        origin.store.fetch_sealed(sound, package)
        written = target.store.seal_over(record.key, package, record.sha256)
    if origin.store.lock_of(record.key, sound.version_id).held:
        target.store.freeze(record.key, written.version_id)
    with platform.database.writing(PLATFORM) as session:
        same = (RecordCopy.record_id == record_id, RecordCopy.place == place)
        copy = session.exec(select(RecordCopy).where(*same).with_for_update()).one()
        facts = {
            "record": record_id,
            LEAF_DIGEST: record.sha256,
            "place": place,
            "source": source,
            "version": written.version_id,
            "instead": copy.version_id,
        }
        copy.version_id, copy.locked_until, copy.checked = written.version_id, written.locked_until, clock.now()
        session.add(copy)
        owner, dossier = record.organisation_id, record.dossier_id
        journal.write(session, organisation_id=owner, dossier_id=dossier, kind=RESTORED, actor=actor, facts=facts)
    return written.version_id
