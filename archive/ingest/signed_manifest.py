"""The signature of the transfer itself: in ``Signature`` of its manifest, over the whole of it; codes 206, 309 and 311."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from archive.ingest import signatures
from archive.ingest.wording import problem
from core.problems import Problem, Severity
from schemas.seda.reader import Manifest
from signing.trust import TrustStore
from signing.verdicts import Belief

_SIGNATURE = "{*}Signature//{http://www.w3.org/2000/09/xmldsig#}Signature"


def check_signed_manifest(manifest: Manifest, path: Path, trust: TrustStore | None, *, needed: bool) -> Iterator[Problem]:
    """Yield what is wrong with the signature of a manifest; warnings only, unless the agreement asks for a valid one.

    Args:
        manifest: as it was read.
        path: of the manifest.
        trust: who is believed.
        needed: whether the agreement asks for it.
    """
    element = manifest.tree.getroot().find(_SIGNATURE)
    if element is None:
        if needed:
            yield problem("309", "message.unsigned", expected="Signature")
        return
    line, severity = element.sourceline, Severity.ERROR if needed else Severity.WARNING
    found = signatures.verified(path.name, path, None, trust)
    covers = {name for one in (found.verdict.signatures if found and found.verdict else ()) for name in one.covers.split(", ")}
    if found is None or found.belief is Belief.INVALID:
        yield problem("206", "message.invalid", severity, line=line, path="Signature", found=found.said if found else None)
    elif "document" not in covers:
        yield problem("206", "message.partial", severity, line=line, path="Signature", found=", ".join(sorted(covers)) or None)
    elif found.belief is Belief.INDETERMINATE:
        yield problem("311", "message.indeterminate", severity, line=line, path="Signature", found=found.said)
