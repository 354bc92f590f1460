"""The numbers under which software knows the files of a document."""

from __future__ import annotations

from typing import Any, cast

import pytest

from api.pastell.finding import Document
from api.pastell.models import PastellDocument
from flows.engine.models import DossierFile
from flows.mail.keeping import ADDITION, DOCUMENT


def document(numbers: list[int] | None, *roles: str) -> Document:
    """A document whose files are named after their rank."""
    row = None if numbers is None else PastellDocument(organisation_id="O", dossier_id="D", numbers=numbers)
    unread = cast("Any", None)
    files = tuple(
        DossierFile(organisation_id="O", dossier_id="D", role=role, name=f"{rank}", media_type="", sha256="", size=0)
        for rank, role in enumerate(roles)
    )
    return Document(1, unread, unread, unread, (), row, files)


@pytest.mark.parametrize(
    ("numbers", "roles", "known"),
    [
        ([1, 4], (DOCUMENT, DOCUMENT), {1: "0", 4: "1"}),
        ([1, 4], (DOCUMENT, DOCUMENT, ADDITION, ADDITION), {1: "0", 4: "1", 5: "2", 6: "3"}),
        ([1, 4], (DOCUMENT,), {0: "0"}),  # written elsewhere since
        ([], (DOCUMENT, DOCUMENT), {0: "0", 1: "1"}),
        (None, (DOCUMENT, ADDITION), {0: "0", 1: "1"}),
        ([], (), {}),
    ],
    ids=str,
)
def test_files_are_known_by_the_numbers_they_were_sent_under_and_others_follow(
    numbers: list[int] | None, roles: tuple[str, ...], known: dict[int, str]
) -> None:
    assert {number: one.name for number, one in document(numbers, *roles).numbered.items()} == known
