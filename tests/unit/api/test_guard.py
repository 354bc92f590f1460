"""The language of an answer is that of the browser, French when it names none that is spoken here."""

from __future__ import annotations

import pytest

from api.guard import _language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("de,es", "fr"),
        ("en", "en"),
        ("en-GB,en;q=0.8,fr;q=0.5", "en"),
        ("fr;q=0.9, en-US;q=0.95", "en"),
        ("en;q=0, fr;q=0.1", "fr"),
        ("*;q=0.5", "fr"),
        ("en;q=nan,,;;q=,", "en"),
    ],
)
def test_the_language_is_negotiated(header: str, language: str) -> None:
    assert _language(header) == language
