"""Signatures made elsewhere: admitted when they are over the very document of the folder, and when they hold.

what comes back                what makes it the same document
a signed PDF                   it begins with every octet that was given (ISO 32000-1, 12.8), and what its revisions add is
                               signatures and what proves them, so that it shows what was given
a signed PES                   nothing was added to its elements but ds:Signature, and none was taken away
a detached signature           its digest is that of the document
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue
from signing.cades.seal import Cades
from signing.parapheur.forms import result_name
from signing.parapheur.models import FolderDocument
from signing.parapheur.signers import Certificates, certificates_of_new
from signing.pes.comparison import compare
from signing.trust import TrustStore
from signing.verdicts import Belief, FileVerdict, worst
from signing.verification import Kind, recognise, verify
from signing.xades.seal import XadesDetached

_messages = Catalogue("signing.parapheur")
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Admitted:
    """A signature made elsewhere that may stand in the folder.

    Attributes:
        detached: name and media type of a detached signature; None when the document itself came back signed.
        signers: the names in the certificates of the signatures that hold; all of a PES, those that are new elsewhere.
        certificates: of the signatures that are new; None for one whose certificate is not in the file.
    """

    detached: tuple[str, str] | None
    signers: tuple[str, ...]
    certificates: Certificates


def admit(document: FolderDocument, given: Path, returned: Path, rank: int, trust: TrustStore | None) -> Admitted:
    """Hold a file that comes back from elsewhere to the document that was given out.

    Args:
        document: of the folder.
        given: its octets, as they stand in the folder.
        returned: what came back.
        rank: of the document's next detached signature.
        trust: who is believed; None means that nobody can be asked.

    Raises:
        UsageError: another document, no signature that is new, or one that does not hold; the message says which.
    """
    try:
        kind = recognise(returned)
        new = _NEW[kind](document, given, returned, trust) if kind in _NEW else None
        certificates = certificates_of_new(kind, given, returned) if new and new.signatures else ()
    except (UnreadableInput, etree.XMLSyntaxError) as error:
        raise UsageError(_messages("import.unreadable", name=document.name, reason=error)) from error
    if new is None:
        raise UsageError(_messages("import.kind", name=document.name))
    _refuse_doubtful(document, new, trust)
    signers = tuple(one.signer or "" for one in new.signatures)
    if kind in {Kind.PDF, Kind.PES}:
        return Admitted(None, signers, certificates)
    how = Cades() if kind is Kind.CMS else XadesDetached()
    return Admitted(result_name(document, how, signers[0], rank), signers, certificates)


def _of_pdf(document: FolderDocument, given: Path, returned: Path, trust: TrustStore | None) -> FileVerdict:
    from signing.pades.comparison import Aftermath, came_after  # heavy: pyHanko is loaded by who reads a PDF

    if not _begins_with(returned, given):
        raise UsageError(_messages("import.other", name=document.name))
    if (came := came_after(given, returned)) is not Aftermath.HARMLESS:
        raise UsageError(_messages("import.uncompared" if came is Aftermath.UNKNOWN else "import.altered", name=document.name))
    before, after = verify(given, trust=trust).signatures, verify(returned, trust=trust).signatures
    kept, new = after[: len(before)], after[len(before) :]
    if any(now.verdict is Belief.INVALID and was.verdict is not Belief.INVALID for was, now in zip(before, kept, strict=False)):
        raise UsageError(_messages("import.spoiled", name=document.name))
    return FileVerdict(worst(one.verdict for one in new), new)


def _of_pes(document: FolderDocument, given: Path, returned: Path, trust: TrustStore | None) -> FileVerdict:
    compared = compare(given, returned)
    if not compared.same or compared.removed:
        raise UsageError(_messages("import.other", name=document.name))
    if not compared.added:
        return FileVerdict(Belief.UNSIGNED)
    # A signature stands beside what it signs: which of them are new is not told from their order, so all must hold.
    return verify(returned, trust=trust)


def _detached(document: FolderDocument, given: Path, returned: Path, trust: TrustStore | None) -> FileVerdict:
    del document
    return verify(returned, detached=given, trust=trust)


_NEW = {Kind.PDF: _of_pdf, Kind.PES: _of_pes, Kind.CMS: _detached, Kind.XML: _detached}


def _begins_with(path: Path, beginning: Path) -> bool:
    with path.open("rb") as longer, beginning.open("rb") as shorter:
        while piece := shorter.read(_PIECE):
            if longer.read(len(piece)) != piece:
                return False
    return True


def _refuse_doubtful(document: FolderDocument, new: FileVerdict, trust: TrustStore | None) -> None:
    if not new.signatures:
        raise UsageError(_messages("import.unsigned", name=document.name))
    admitted = {Belief.VALID} if trust else {Belief.VALID, Belief.INDETERMINATE}
    for one in new.signatures:
        if not one.intact or one.covers == "nothing" or one.verdict not in admitted:
            reason = "; ".join(one.reasons) or _messages("import.not_intact")
            raise UsageError(_messages("import.invalid", name=document.name, signer=one.signer or "?", reason=reason))
    if new.verdict not in admitted:
        raise UsageError(_messages("import.invalid", name=document.name, signer="", reason="; ".join(new.reasons)))
