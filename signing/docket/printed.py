"""The print of a folder: its documents and the annexes that are chosen, then its docket, in one PDF.

It is for paper. Signatures do not outlive it, and the docket says so; nor do the tags of the documents: whoever listens takes the
docket by itself, or its page.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from core import sandbox
from core.blobs import ObjectStore
from core.errors import UsageError
from core.messages import Catalogue
from signing.docket.content import Docket, Listed
from signing.docket.forms import pdf
from signing.parapheur.models import DocumentKind

_t = Catalogue("signing.docket")
_PDF = "application/pdf"
_MOST_PAGES, _MOST_OCTETS = 2_000, 256 << 20
_MEMORY, _SECONDS = 1 << 30, 60.0
_ANSWER = TypeAdapter(dict[str, int])
_RESULT = "print.pdf"


def printed(objects: ObjectStore, docket: Docket, annexes: Collection[str] = ()) -> bytes:
    """Return the print of a folder, in the current locale; documents that are no PDF stand on the docket only.

    Args:
        objects: where the documents are.
        docket: of the folder.
        annexes: identifiers of the annexes to print.

    Raises:
        UsageError: a document does not open, or there are too many pages or octets; the message says which.
        Unavailable: too many wait for their turn, or the store does not answer.
        SandboxError: it took too much time or memory.
    """
    chosen = [one for one in docket.documents if _is_printed(one, annexes)]
    if sum(one.size for one in chosen) > _MOST_OCTETS:
        raise UsageError(_t("print.heavy", mebibytes=_MOST_OCTETS >> 20))
    with tempfile.TemporaryDirectory(prefix="tabellion-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        for rank, one in enumerate(chosen):
            objects.fetch(one.sha256, folder / f"{rank}.pdf")
        (folder / f"{len(chosen)}.pdf").write_bytes(pdf(docket, printed=True))
        return _joined(folder, chosen)


def _is_printed(one: Listed, annexes: Collection[str]) -> bool:
    wanted = one.kind is DocumentKind.MAIN or (one.kind is DocumentKind.ANNEX and one.id in annexes)
    return wanted and one.media_type == _PDF


def _joined(folder: Path, chosen: list[Listed]) -> bytes:
    names: list[sandbox.JsonValue] = [f"{rank}.pdf" for rank in range(len(chosen) + 1)]
    asked: sandbox.JsonValue = {"names": names, "most": _MOST_PAGES, "result": _RESULT}
    answer = sandbox.call("signing.docket.joining:join", asked, folder=folder, memory=_MEMORY, seconds=_SECONDS)
    try:
        told = _ANSWER.validate_python(answer)
    except ValidationError as error:
        raise sandbox.Died from error
    if "beyond" in told:
        raise UsageError(_t("print.long", pages=_MOST_PAGES))
    if (rank := told.get("unreadable")) is not None:
        raise UsageError(_t("print.unreadable", name=chosen[rank].name if 0 <= rank < len(chosen) else ""))
    result = folder / _RESULT
    # A child that was taken over may leave anything there, a link to another file as well.
    if result.is_symlink() or not result.is_file():
        raise sandbox.Died
    return result.read_bytes()
