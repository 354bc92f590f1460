"""What may follow a convocation that has left: an annex, with a notice, is information. Another agenda is a new convocation.

The agenda is what the delay runs for: what is added to it must be sent in time too (CGCT, articles L. 2121-10 to L. 2121-12).
"""

from __future__ import annotations

from core.errors import Conflict
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from flows.engine.work import KeptFile
from flows.mail import acting
from flows.mail.convening import meetings

_t = Catalogue("flows.mail.convening")


def add_annex(platform: Platform, principal: Principal, dossier_id: str, kept: KeptFile, *, tell: bool = True) -> None:
    """Add a document to a convocation that has left, before the meeting.

    Args:
        platform: which.
        principal: who adds it.
        dossier_id: of the convocation.
        kept: the document, in the object store already.
        tell: everybody who is convened is told by a mail.

    Raises:
        NotFound: there is no such convocation, or it is not seen.
        Forbidden: they may not send for the organisation.
        Conflict: the meeting has begun, or the convocation did not leave or was cancelled.
    """
    with platform.database.reading(principal) as session:
        meeting = meetings.meeting_of(session, dossier_id)
    if meetings.begun(meeting):
        raise Conflict(_t("closed.begun"))
    acting.add_document(platform, principal, dossier_id, kept, tell=tell)
