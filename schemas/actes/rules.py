"""The numbered rules that a document of ACTES alone can break (domain rules R01 to R26, R30, R33 to R35, R40): where they begin.

=========================  ====================================================
``archived.py``            R01, R02, R05 to R11, R13, R18, R19: an archive as a whole
``archive.py``             R03 to R05: what may come out of one
``documents.py``           R07, R08, R12, R34: octets, schema, a document by itself
``violations.py``          R07, R12, R30, R33, R40: the schema's findings in words
``contents.py``            R20, R23 to R26, R30 to R33, R35: the content of a message
``naming.py``              R13 to R17, R21, R22: names against content
``attachments.py``         R23: files against their extensions
=========================  ====================================================

Elsewhere: seals of budgets (R27), PDF (R28) and signatures (R29) with those formats; what needs the platform's knowledge (R31,
R32, R36 to R39) with the flow.
"""

from __future__ import annotations

from schemas.actes.archive import DEFAULT_LIMITS, Limits
from schemas.actes.archived import Archive, ArchivedFile, ArchivedMessage, Operator, examine_archive
from schemas.actes.documents import examine_envelope, examine_message

__all__ = [
    "DEFAULT_LIMITS",
    "Archive",
    "ArchivedFile",
    "ArchivedMessage",
    "Limits",
    "Operator",
    "examine_archive",
    "examine_envelope",
    "examine_message",
]
