"""Where a PES is to be signed, as ``XPathPourSignatureXML`` has it: at each bordereau, or as a whole.

Every ``Bordereau`` has an ``Id``: each of them; else the root has one: the whole file; else it cannot be signed over there.
"""

from __future__ import annotations

from pathlib import Path

from connectors.iparapheur.errors import SubmissionRefused
from connectors.iparapheur.settings import SignaturePlace
from core.errors import UnreadableInput
from core.messages import Catalogue
from signing.pes.offsets import locate
from signing.pes.texts import long_texts

_messages = Catalogue("connectors.iparapheur")
_ROOT = "PES_Aller"


def signature_place(path: Path, wanted: SignaturePlace) -> str | None:
    """Return where an XML document is to be signed; None when it is no PES.

    Raises:
        SubmissionRefused: a PES without the identifiers that a signature refers to, or a document that cannot be read.
    """
    try:
        layout = locate(path, long_texts(path))
    except UnreadableInput as error:
        raise SubmissionRefused(_messages("submission.unreadable", name=path.name)) from error
    if layout.root.name.rpartition(":")[2] != _ROOT:
        return None
    if wanted is not SignaturePlace.AUTO:
        return wanted.value
    bordereaux = [place for block in layout.blocks for place in block.bordereaux]
    if bordereaux and all(place.identifier for place in bordereaux):
        return SignaturePlace.BORDEREAU.value
    if layout.root.identifier:
        return SignaturePlace.WHOLE.value
    raise SubmissionRefused(_messages("submission.identifiers", name=path.name))
