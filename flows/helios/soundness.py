"""What may leave: a PES whose signatures can be believed, and keep every rule of the DGFiP on signatures.

The same is asked whoever signed. What the check found may be otherwise by then: an authority was revoked, the seal withdrawn.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import islice
from pathlib import Path

from core.errors import NeedsOperator
from core.messages import Catalogue
from core.problems import Problem, Severity
from schemas import xml
from signing.pes.bulk import Bulk
from signing.pes.rules import SignatureRules, check_signatures
from signing.pes.verifier import verify_tree
from signing.trust import trust_store
from signing.verdicts import Belief, FileVerdict

_messages = Catalogue("flows.helios")
_BEFORE_SENDING = SignatureRules(unsigned_is_error=True)
_TOLD = 5


class Signed(StrEnum):
    """By whom a PES that is about to leave was signed."""

    BEFORE = "kept"
    BY_THE_SEAL = "sealed"
    IN_A_PARAPHEUR = "confirm"


def judge(path: Path, trust_dir: Path | None, signed: Signed) -> FileVerdict:
    """Return the verdict on a PES that is about to leave.

    One that came unsigned, and is to stay so, may leave where it needs no signature: no flag InfoDematerialisee stands at 1, or
    there is no bordereau. So may a domain on paper beside one that is signed, which the verdict calls invalid all the same.

    Args:
        path: the very bytes that will leave.
        trust_dir: who is believed; None means that authorities are not judged.
        signed: by whom it should be signed.

    Raises:
        NeedsOperator: it is not signed as it must be: nobody did, a signature is not to be believed, or the DGFiP refuses it.
        UnreadableInput: a DOCTYPE, or not well-formed XML.
    """
    bulk = Bulk.of(path)
    tree = xml.parse(path) if bulk is None else bulk.tree()
    trust = trust_store(trust_dir)
    problems = check_signatures(tree, bulk=bulk, trust=trust, rules=_BEFORE_SENDING)
    verdict = verify_tree(tree, bulk=bulk, trust=trust)
    if verdict.verdict is Belief.UNSIGNED and signed is not Signed.BEFORE:
        raise NeedsOperator(_messages(f"{signed.value}.unsound", reasons=_messages("unsound.unsigned")))
    if reasons := _reasons(verdict, problems):
        told = "; ".join(reason.removesuffix(".") for reason in islice(reasons, _TOLD))
        raise NeedsOperator(_messages(f"{signed.value}.unsound", reasons=told))
    return verdict


def _reasons(verdict: FileVerdict, problems: list[Problem]) -> dict[str, None]:
    """Return what keeps a PES from leaving, each once, in order.

    What concerns the file as a whole is a rule's matter: for the DGFiP a domain on paper may stand beside one that is signed.
    """
    found = [problem.message for problem in problems if problem.severity is Severity.ERROR]
    for signature in verdict.signatures:
        if signature.verdict is Belief.INVALID:
            found += filter(None, signature.reasons) if any(signature.reasons) else [_messages("unsound.invalid")]
    return dict.fromkeys(found)
