"""An act held against every rule before it leaves: those of its message, of its files, and of what the platform knows.

The message is composed as it would be sent, so that what is checked is what will leave; places are then told by the names that
the clerk gave to the files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from core import clock
from core.errors import Refused
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from core.problems import Problem, Severity
from flows import antivirus
from flows.actes import composing, knowledge
from flows.actes.act import Act, JoinedFile
from flows.engine.work import Work
from schemas.actes import writer
from schemas.actes.archive import DEFAULT_LIMITS, megabytes
from schemas.actes.attachments import signature_problem
from schemas.actes.classification import Classification
from schemas.actes.contents import content_problems
from schemas.actes.latin import transliterate, untransmittable
from schemas.actes.names import IdActe
from schemas.actes.naming import attachment_problems
from schemas.actes.wording import problem
from signing.actes.pieces import piece_problems
from signing.trust import trust_store

_messages = Catalogue("flows.actes")
R38 = "R38"
_CONTRACTS, _PROCUREMENT = 4, (1, 1)
_LEAST_LEVELS = 2


def problems_of(work: Work, act: Act) -> list[Problem]:
    """Return every problem of an act and of its files.

    Raises:
        NeedsOperator: the organisation is not ready to send acts.
    """
    classification = knowledge.classification_of(work.platform, work.organisation_id)
    today = clock.in_paris(clock.now()).date()
    used = (classification.version if classification else None) or today
    identifier = IdActe.parse(work.facts["id_acte"])
    unfit = [*_r38_infected(work, act), *_unknown_formats(work, act)]  # neither is opened, nor could be named
    if unfit:
        return [*_of_the_platform(work, act, identifier, classification), *unfit]
    composed = composing.act_message(work, act, identifier, used)
    given = dict(zip(composed.files, (work.file(piece.role).name for piece in act.pieces), strict=True))
    found = [
        *_of_the_platform(work, act, identifier, classification),
        *content_problems(composed.message),
        *attachment_problems(composed.message, composed.name, classification),
        *_r34_characters(act),
        *_r05_sizes(work, act),
        *_of_files(work, act, composed),
    ]
    if not any(one.severity is Severity.ERROR for one in found):
        found += _unwritable(composed)
    return [_as_given(one, given) for one in found]


def _unwritable(composed: composing.Composed) -> Sequence[Problem]:
    """What no rule above has found and would keep the message from being written: an act that is accepted can leave."""
    try:
        writer.render(composed.message)
    except Refused as refused:
        return refused.problems
    return ()


def problems_of_reply(platform: Platform, organisation_id: str, nature: int, documents: Sequence[JoinedFile]) -> list[Problem]:
    """Return every problem of the documents of an answer: their format, typology, content and signatures."""
    classification = knowledge.classification_of(platform, organisation_id)
    trust = trust_store(platform.settings.trust_dir)
    found: list[Problem] = []
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        for rank, document in enumerate(documents):
            if document.media_type not in composing.EXTENSIONS:
                found.append(problem("R23", "extension", path=document.name, found=document.name))
                continue
            path = Path(folder) / f"{rank}.{composing.EXTENSIONS[document.media_type]}"
            platform.objects.fetch(document.sha256, path)
            if infected := antivirus.infected(platform, R38, [(document.name, path)]):
                found += infected
                continue
            known = document.type is None or classification is None or classification.allows(nature, document.type)
            if not known:
                found.append(problem("R22", path=document.name, found=document.type, nature=nature))
            flaw = signature_problem(path, path.name)
            told = [flaw] if flaw else list(piece_problems(path, path.name, trust=trust))
            found += [_as_given(one, {path.name: document.name}) for one in told]
    return found


def _r38_infected(work: Work, act: Act) -> list[Problem]:
    """Every file that leaves, signatures too, as it leaves."""
    roles = [composing.leaving_role(work, piece.role) for piece in act.pieces]
    roles += [piece.signature_role for piece in act.pieces if piece.signature_role]
    return antivirus.infected(work.platform, R38, ((work.file(role).name, work.fetch(role)) for role in roles))


def _unknown_formats(work: Work, act: Act) -> Iterator[Problem]:
    """R23: a file of no format that the norm takes cannot even be named."""
    for piece in act.pieces:
        kept = work.file(piece.role)
        if kept.media_type not in composing.EXTENSIONS:
            yield problem("R23", "extension", path=kept.name, found=kept.name)


def _of_files(work: Work, act: Act, composed: composing.Composed) -> Iterator[Problem]:
    trust = trust_store(work.platform.settings.trust_dir)
    tendered = act.nature == _CONTRACTS and act.matieres[:2] == _PROCUREMENT
    for rank, (piece, (name, path)) in enumerate(zip(act.pieces, composed.files.items(), strict=True)):
        if (flaw := signature_problem(path, name)) is not None:
            yield flaw
            continue
        yield from piece_problems(
            path,
            name,
            budget=rank == 0 and composing.is_budget_in_xml(work, act),
            signature=work.fetch(piece.signature_role) if piece.signature_role else None,
            trust=trust,
            signer_must_be_known=not tendered,
        )


def _of_the_platform(work: Work, act: Act, identifier: IdActe, classification: Classification | None) -> Iterator[Problem]:
    today = clock.in_paris(clock.now()).date()
    if act.decision_date > today:
        yield _problem("R31", "future", found=act.decision_date.isoformat())
    with work.platform.database.reading(PLATFORM) as session:
        others = knowledge.live_acts(session, str(identifier), but=work.dossier_id)
        before = knowledge.live_acts(session, act.previous) if act.previous else []
    own = [one for one in others if one.organisation_id == work.organisation_id]
    if others:  # who may read this act may not read another's
        yield _problem("R31", "taken" if own else "elsewhere", found=act.number, dossier=own[0].id if own else "")
    same = f"-{identifier.siren}-"
    if act.previous and not any(same in act.previous or one.organisation_id == work.organisation_id for one in before):
        yield replace(_problem("R39", "unknown", found=act.previous), severity=Severity.WARNING)
    if classification is None:
        yield replace(_problem("R32", "absent"), severity=Severity.WARNING)
    elif len(act.matieres) < _LEAST_LEVELS or classification.find(act.matieres) is None:
        yield _problem("R32", "unknown", found=".".join(map(str, act.matieres)))
    if classification is not None and classification.nature(act.nature) is None:
        yield _problem("R32", "nature", found=str(act.nature))


def _r34_characters(act: Act) -> Iterator[Problem]:
    """Only characters that the wire has; typography is replaced on the way, which is said."""
    if lost := untransmittable(transliterate(act.subject)):
        yield problem("R34", "character", path="objet", found=" ".join(lost))
    elif changed := untransmittable(act.subject):
        yield problem("R34", "character", Severity.WARNING, path="objet", found=" ".join(changed))


def _r05_sizes(work: Work, act: Act) -> Iterator[Problem]:
    total = sum(work.file(piece.role).size for piece in act.pieces)
    if total > DEFAULT_LIMITS.documents:
        yield problem("R05", "documents", found=megabytes(total), limit=megabytes(DEFAULT_LIMITS.documents))


def _as_given(one: Problem, names: Mapping[str, str]) -> Problem:
    """Return a problem that speaks of files by the names the clerk knows them by."""

    def told(text: str) -> str:
        for travelling, given in names.items():
            text = text.replace(travelling, given)
        return text

    return replace(one, message=told(one.message), path=one.path and told(one.path), found=one.found and told(one.found))


def _problem(rule: str, variant: str, *, found: str | None = None, **places: object) -> Problem:
    told = {"found": found or "", **places}
    return Problem(
        rule,
        Severity.ERROR,
        _messages(f"{rule}.{variant}.message", **told),
        found=found,
        expected=_messages(f"{rule}.{variant}.expected", **told),
        mend=_messages(f"{rule}.{variant}.mend", **told),
    )
