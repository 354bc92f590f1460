"""The stages of HELIOS: check, sign, transmit, archive. Each is one actor; what surrounds them is the engine's.

The acquit comes from outside and is collected by ``acquits.py``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core import clock
from core.errors import NeedsOperator, Refused, UnreadableInput
from core.messages import Catalogue
from core.problems import Problem, Severity
from flows.engine.departed import Departed
from flows.engine.table import stage
from flows.engine.work import Advance, KeptFile, Work
from flows.helios import archiving, asking, rules, scanning
from flows.helios.delivery import deliver
from flows.helios.knowledge import gateway_of, route_of, schema_sets, seal_of, signs_in_house
from flows.helios.settings import HeliosSeal
from flows.helios.soundness import Signed, judge
from flows.parapheur.external import account_of
from schemas.pes.encoding import read_bytes
from schemas.pes.rules import DEFAULT_LIMIT as LARGEST_PES
from signing.keys import KeyRefused, Pkcs12Signer
from signing.pes.comparison import compare
from signing.pes.examination import examine
from signing.pes.rules import SignatureRules
from signing.pes.seal import seal
from signing.trust import trust_store

_messages = Catalogue("flows.helios")
REPORT = "signatures.json"
_BOMB = "P08"
# A tree takes a little more memory than its file, and much more than one of tags: what is large passes one at a time, so that a
# worker stays small.
_LARGE, _MANY_TAGS = 16 * 1024 * 1024, 500_000
_large_documents = threading.BoundedSemaphore(1)


@contextmanager
def _room_for(path: Path) -> Iterator[None]:
    if path.stat().st_size < _LARGE:
        octets = read_bytes(path)
        if octets.tags + octets.attributes < _MANY_TAGS:
            yield
            return
    with _large_documents:
        yield


@stage("cpu", "accepted", "refused")
def check(work: Work) -> Advance:
    """Hold the document against the rules R, S, B and P and those of the platform; every problem is reported at once."""
    kept = work.file("pes")
    settings = work.platform.settings
    signs_here = signs_in_house(work.platform, work.organisation_id)
    source = work.fetch("pes")
    if infected := scanning.flow_problems(work.platform, source, kept.name):
        raise Refused(infected)
    with _room_for(source):
        document, report = examine(
            source,
            schemas=schema_sets(settings.schemas_dir),
            trust=trust_store(settings.trust_dir),
            limit=min(settings.upload_limit, LARGEST_PES),
            rules=SignatureRules(unsigned_is_error=not signs_here),
        )
        facts = document.facts() | {"piece_numbers": archiving.numbers_of(document)} if document else {}
        del document
    # S01 asks for a signature before sending: where we sign, that is the next stage's work and no remark to the depositor.
    problems = [problem for problem in report.problems if not (signs_here and problem.rule == "S01")]
    if report.kind in {"pes-acquit", "pes-retour", "pes-acquit-retour"}:
        problems = [*problems, _wrong_kind(report.kind)]
    elif facts:
        problems = [
            *problems,
            *rules.of_the_deposit(work.facts, facts),
            *rules.of_the_platform(work.platform, work.organisation_id, work.dossier_id, facts, kept.sha256),
        ]
    if facts.get("attachments") and not any(problem.rule == _BOMB for problem in problems):
        problems = [*problems, *scanning.attachment_problems(work.platform, source)]
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise Refused(problems)
    gateway_of(work.platform, work.organisation_id)
    return Advance(
        "accepted",
        facts={**_essential(facts), "warnings": [problem.as_json() for problem in problems]},
        journal={"warnings": sorted({problem.rule for problem in problems})},
    )


def _wrong_kind(kind: str) -> Problem:
    return Problem(
        "R05", Severity.ERROR, _messages("kind.message"), found=kind, expected="PES_Aller", mend=_messages("kind.mend")
    )


def _essential(facts: dict[str, Any]) -> dict[str, Any]:
    header = facts["header"]
    names = ("nom_fic", "typ_fic", "dte_str", "id_post", "id_coll", "cod_col", "cod_bud", "libelle_col_bud")
    bordereaux = [
        {name: bordereau[name] for name in ("domain", "id_bord", "exer", "typ_bord", "pieces", "mt_bord_ht", "signed")}
        for bordereau in facts["bordereaux"]
    ]
    signed = facts["globally_signed"] or any(bordereau["signed"] for bordereau in bordereaux)
    return {
        **{name: header[name] for name in names},
        "bordereaux": bordereaux,
        "piece_numbers": facts["piece_numbers"],
        "attachments": len(facts["attachments"]),
        "arrived_signed": signed,
    }


@stage("signing", "sealed", "kept", "asked")
def sign(work: Work) -> Advance:
    """Ask people to sign, where the organisation says so; else seal with its server key. What arrives signed stays as it came.

    A parapheur outside counts before the one here.

    A flow of supporting documents alone has nothing to sign. In every case the verdict on the bytes that will leave is kept, and
    what must not leave stays (``soundness``).
    """
    kept = work.file("pes")
    to_sign = bool(work.facts["bordereaux"]) and not work.facts["arrived_signed"]
    if to_sign and (account := account_of(work.platform, work.organisation_id)) is not None:
        return asking.ask_outside(work, account)
    if to_sign and (route := route_of(work.platform, work.organisation_id)) is not None:
        return asking.ask(work, route)
    ours = seal_of(work.platform, work.organisation_id)
    source = work.fetch("pes")
    with _room_for(source):
        if not to_sign or ours is None:
            verdict = judge(source, work.platform.settings.trust_dir, Signed.BEFORE)
            return Advance("kept", files=(_renamed(kept), _report(work, verdict.as_json())))
        target = work.folder / "sealed.xml"
        seal(source, target, _key_of(ours), ours.context())
        verdict = judge(target, work.platform.settings.trust_dir, Signed.BY_THE_SEAL)
    sealed = work.keep("signed", target, kept.name, kept.media_type)
    return Advance("sealed", files=(sealed, _report(work, verdict.as_json())))


def _key_of(ours: HeliosSeal) -> Pkcs12Signer:
    try:
        return ours.signer()
    except KeyRefused as error:
        raise NeedsOperator(_messages("sealed.unsound", reasons=str(error).removesuffix("."))) from error


@stage("cpu", "sound")
def confirm(work: Work) -> Advance:
    """Hold what came out of the parapheur to what must leave: the same document, every bordereau signed, and soundly."""
    signed = work.fetch("signed")
    with _room_for(signed):
        _refuse_another(work)
        verdict = judge(signed, work.platform.settings.trust_dir, Signed.IN_A_PARAPHEUR)
    return Advance("sound", files=(_report(work, verdict.as_json()),))


def _refuse_another(work: Work) -> None:
    try:
        compared = compare(work.fetch("pes"), work.fetch("signed"))
    except UnreadableInput as error:
        raise NeedsOperator(_messages("confirm.unsound", reasons=error)) from error
    if not compared.same or compared.removed:
        raise NeedsOperator(_messages("confirm.other"))


def _renamed(kept: KeptFile) -> KeptFile:
    return KeptFile("signed", kept.name, kept.media_type, kept.sha256, kept.size)


def _report(work: Work, verdict: dict[str, Any]) -> KeptFile:
    path = work.folder / REPORT
    path.write_text(json.dumps(verdict, ensure_ascii=False, indent=2, sort_keys=True), encoding="utf-8")
    return work.keep("report", path, REPORT, "application/json")


def _departed(gone: Departed) -> Advance:
    """Take a flow as sent: under the name, and with the bytes, that the journal tells, where a seal was made again since."""
    sending, own = gone.noted("sending"), gone.file("signed")
    files: tuple[KeptFile, ...] = ()
    if own is not None and sending is not None and sending["sha256"] != own.sha256:
        files = gone.forgotten("signed", own.name, own.media_type)
        files += gone.forgotten("report", REPORT, "application/json") if files else ()
    facts = {"sent_at": clock.iso(gone.left("helios.transmit.sent")), **({"sending": sending} if sending else {})}
    told = {name: sending[name] for name in ("remote_name", "sha1")} if sending else {}
    return Advance("sent", facts=facts, files=files, journal=told)


@stage("remote.helios", "sent", departed=_departed)
def transmit(work: Work) -> Advance:
    """Deliver the document to the DGFiP's gateway, once (law 4): see ``delivery``."""
    sending = deliver(work, gateway_of(work.platform, work.organisation_id), work.fetch("signed"))
    told = {name: sending[name] for name in ("remote_name", "sha1")}
    return Advance("sent", facts={"sent_at": clock.iso(clock.now())}, journal=told)


@stage("archive", "sealed")
def archive(work: Work) -> Advance:
    """Build the package of the dossier, put it under lock, and write the record and its leaf with the last state."""
    return archiving.seal(work)
