"""Rules on what is attached: each document can be taken out, is what it is said to be, and is no program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.problems import Problem, Severity
from schemas.invoices.invoice import Attachment
from schemas.invoices.pieces import EXECUTABLE, ZIPS, Piece, agree
from schemas.invoices.wording import problem

RULE = "PIECE"
_BOMB = "large"


def piece_problems(attachments: Sequence[Attachment], pieces: Sequence[Piece], severity: Severity) -> Iterator[Problem]:
    """Tell what is wrong with attachments.

    Args:
        attachments: of one invoice.
        pieces: of its file.
        severity: what a document that cannot be taken out does to the verdict; a bomb or a program always refuses.
    """
    for attachment in attachments:
        if attachment.piece is not None:
            yield from _piece_problems(attachment, pieces[attachment.piece], severity)


def _piece_problems(attachment: Attachment, piece: Piece, severity: Severity) -> Iterator[Problem]:
    name = attachment.name or attachment.reference
    if piece.flaw is not None:
        grave = Severity.ERROR if piece.flaw == _BOMB else severity
        yield problem(RULE, piece.flaw, grave, line=piece.line, path=name or None, scope="piece", name=name)
    elif piece.media_type in EXECUTABLE:
        yield problem(RULE, "program", Severity.ERROR, line=piece.line, path=name or None, scope="piece", name=name)
    elif not agree(attachment.declared, piece.media_type) and not (piece.zipped and attachment.declared.lower() in ZIPS):
        told = {"found": piece.media_type, "expected": attachment.declared}
        yield problem(RULE, "type", Severity.WARNING, line=piece.line, path=name or None, scope="piece", name=name, **told)
