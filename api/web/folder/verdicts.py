"""What can be believed of the signatures of a folder: each document verified once a day, and kept by its digest.

Verifying can take seconds: the page shows what is known already, and asks for the rest by itself.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.web.folder.naming import messages
from api.words import moment
from core import clock
from core.derived import derived_files
from core.errors import UnreadableInput, UsageError
from core.platform import Platform
from signing.parapheur.models import DocumentKind, FolderDocument
from signing.trust import trust_store
from signing.verdicts import Belief
from signing.verification import verify

_EDITION = 1
_MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Fact:
    """One answer about a signature: ``green``, ``amber`` or ``red``, and its words."""

    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class SignatureShown:
    """A signature: who, and the four answers, apart.

    Attributes:
        signer: who.
        facts: the answers; that it is invalid comes before them, for each of them may be good.
        reasons: in words.
        invalid: whoever reads should not have to ask why.
    """

    signer: str
    facts: tuple[Fact, ...]
    reasons: tuple[str, ...]
    invalid: bool


@dataclass(frozen=True, slots=True)
class Verified:
    """The signatures of a document; None while they are not known.

    Attributes:
        name: of the document.
        signatures: of it.
        more: how many are not shown.
        whole: what concerns the document as a whole: a part that nobody signed …
    """

    name: str
    signatures: tuple[SignatureShown, ...] | None
    more: int = 0
    whole: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class _Subject:
    document: FolderDocument
    signed: FolderDocument | None

    @property
    def key(self) -> str:
        over = self.signed.sha256 if self.signed else ""
        return f"{_EDITION}/verdict/{self.document.sha256}/{over}/{clock.in_paris(clock.now()):%Y%m%d}"


def known(platform: Platform, documents: Sequence[FolderDocument]) -> list[Verified]:
    """Return what was found out already about the signatures of these documents."""
    cache = derived_files(platform.settings)
    return [_verified(one, cache.get(one.key)) for one in _subjects(documents)]


def found_out(platform: Platform, documents: Sequence[FolderDocument]) -> list[Verified]:
    """Return the signatures of these documents, verified now where nobody has today.

    Raises:
        ObjectMissing, Unavailable: the store does not give a document.
    """
    return [_verified(one, _made(platform, one)) for one in _subjects(documents)]


def _made(platform: Platform, subject: _Subject) -> bytes:
    cache = derived_files(platform.settings)
    return cache.get_or_make(subject.key, subject.key, lambda: {subject.key: _judged(platform, subject)})


def _subjects(documents: Sequence[FolderDocument]) -> list[_Subject]:
    by_id = {one.id: one for one in documents}
    main = [_Subject(one, None) for one in documents if one.kind == DocumentKind.MAIN.value]
    detached = [one for one in documents if one.kind == DocumentKind.SIGNATURE.value and one.signature_of in by_id]
    return [*main, *(_Subject(one, by_id[one.signature_of or ""]) for one in detached)]


def _judged(platform: Platform, subject: _Subject) -> bytes:
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        path, data = Path(folder) / "document", Path(folder) / "data"
        platform.objects.fetch(subject.document.sha256, path)
        if subject.signed is not None:
            platform.objects.fetch(subject.signed.sha256, data)
        try:
            verdict = verify(path, detached=data if subject.signed else None, trust=trust_store(platform.settings.trust_dir))
        except (UnreadableInput, UsageError):  # a document of a kind that carries no signature
            return b'{"signatures": []}'
    return json.dumps(verdict.as_json()).encode()


def _verified(subject: _Subject, kept: bytes | None) -> Verified:
    if kept is None:
        return Verified(subject.document.name, None)
    told = json.loads(kept)
    found = told["signatures"]
    tone = "red" if told.get("verdict") == Belief.INVALID else "amber"
    whole = tuple(Fact(tone, reason) for reason in told.get("reasons", [])[:_MOST_SHOWN])
    return Verified(subject.document.name, tuple(map(_shown, found[:_MOST_SHOWN])), max(0, len(found) - _MOST_SHOWN), whole)


def _shown(found: dict[str, Any]) -> SignatureShown:
    intact = Fact("green", messages("verdict.intact")) if found["intact"] else Fact("red", messages("verdict.altered"))
    invalid = found["verdict"] == Belief.INVALID
    return SignatureShown(
        found["signer"] or messages("verdict.nobody"),
        (
            *((Fact("red", messages("verdict.invalid")),) if invalid else ()),
            *(intact, _certificate(found["trust"]), _trust(found), _time(found)),
        ),
        tuple(found["reasons"]),
        invalid,
    )


def _certificate(trust: str) -> Fact:
    if trust in {"revoked", "expired"}:
        return Fact("red" if trust == "revoked" else "amber", messages(f"verdict.certificate.{trust}"))
    if trust == "trusted":
        return Fact("green", messages("verdict.certificate.valid"))
    return Fact("amber", messages("verdict.certificate.unverified"))


def _trust(found: dict[str, Any]) -> Fact:
    if found["trust"] == "trusted":
        qualification = f" ({found['qualification']})" if found["qualification"] else ""
        return Fact("green", messages("verdict.trusted") + qualification)
    return Fact("amber" if found["trust"] != "untrusted" else "red", messages(f"verdict.trust.{_word(found['trust'])}"))


def _word(trust: str) -> str:
    return trust if trust in {"untrusted", "unknown"} else "past"


def _time(found: dict[str, Any]) -> Fact:
    stamps = [one for one in found["timestamps"] if one["valid"] and one["time"]]
    if stamps:
        proved = any(one["trust"] == "trusted" for one in stamps)
        words = messages("verdict.stamped", moment=_moment(stamps[0]["time"]), authority=stamps[0]["authority"] or "?")
        return Fact("green" if proved else "amber", words)
    if found["signing_time"]:
        return Fact("amber", messages("verdict.claimed", moment=_moment(found["signing_time"])))
    return Fact("amber", messages("verdict.timeless"))


def _moment(told: str) -> str:
    return moment(clock.from_iso(told))
