"""The words of the faces: both languages say the same things, and every state that a flow can reach has words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api import words
from core.messages import speaking
from flows.engine.table import End, On
from flows.registry import FLOWS

API = Path(words.__file__).parent
FRENCH, ENGLISH = words.messages.texts("fr"), words.messages.texts("en")


def test_both_languages_have_the_same_keys_and_the_same_places() -> None:
    assert FRENCH.keys() == ENGLISH.keys()
    for key, text in FRENCH.items():
        assert text, key
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", ENGLISH[key])), key


def test_french_double_punctuation_follows_a_no_break_space() -> None:
    for key, text in FRENCH.items():
        assert not re.search(r"\w [:;?!»]|« |\w'", text), key


def test_every_key_that_a_page_or_a_route_names_is_in_the_catalogue() -> None:
    named, unknown = 0, []
    for path in (*API.rglob("*.html"), *API.rglob("*.py")):
        if "cli" not in path.parts:
            page = words.of_page(str(path.relative_to(API)))
            text = path.read_text(encoding="utf-8")
            keys = set(re.findall(r"""\b(?:t|messages)(?:\.counted)?\(["']([\w.*]+)["'][,)]""", text))
            keys |= {f"{key}.one" for key in re.findall(r"""\b(?:t|messages)\.counted\(["']([\w.*]+)["'],""", text)}
            named += len(keys)
            unknown += [(path.name, key) for key in keys if key not in page]
    assert named > 100
    assert unknown == []


@pytest.mark.parametrize("flow", FLOWS.values(), ids=lambda flow: flow.name)
def test_every_state_outcome_and_flow_has_words(flow) -> None:
    assert f"flow.{flow.name}" in words.messages
    for state, row in flow.rows.items():
        assert f"state.{state}" in words.messages
        assert f"sentence.{state}" in words.messages
        for outcome in () if isinstance(row, End) else row.leads:
            assert f"outcome.{outcome}" in words.messages


def constants(text: str) -> dict[str, str]:
    """The names that a module gives to texts, alone or several on a line."""
    found: dict[str, str] = {}
    for names, values in re.findall(r'^([A-Z_, ]+) = ("[^"]*"(?:, "[^"]*")*)$', text, re.MULTILINE):
        found |= dict(zip(names.split(", "), re.findall(r'"([^"]*)"', values), strict=False))
    return found


def journal_kinds() -> set[str]:
    """Everything that the journal can say: by the flows' tables, and by name in the code."""
    kinds = set()
    for flow in FLOWS.values():
        for row in flow.rows.values():
            actor = flow.actor(row.stage) if isinstance(row, On) else flow.name
            kinds |= {f"{actor}.{outcome}" for outcome in row.leads} | {f"{actor}.postponed", f"{actor}.parked"}
    for path in (*(API.parent / "flows").rglob("*.py"), *(API.parent / "archive").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        kinds |= set(re.findall(r'kind="(\w+\.[\w.]+)"', text))
        named = constants(text)
        kinds |= {named[name] for name in re.findall(r"kind=([A-Z_]+),", text) if "." in named.get(name, "")}
        kinds |= {f"{path.parent.name}.some_stage.{noted}" for noted in re.findall(r'\.note\("(\w+)"', text)}
    return kinds


def test_everything_that_the_journal_can_say_has_words() -> None:
    kinds = journal_kinds()
    assert {"dossier.received", "record.sealed", "helios.check.refused", "helios.some_stage.intended"} <= kinds
    assert [kind for kind in sorted(kinds) if " · " in words.told(kind)] == []


@pytest.mark.parametrize(
    ("kind", "french"),
    [
        ("dossier.received", "Document déposé"),
        ("helios.check.refused", "Contrôle refusé"),
        ("other.check.refused", "Contrôle refusé"),
        ("helios.carry.parked", "Mis de côté pour un opérateur"),
        ("never.heard_of", "never · heard of"),
    ],
)
def test_a_journal_entry_is_told_by_its_nearest_wording(kind: str, french: str) -> None:
    assert words.told(kind) == french


def test_moments_are_those_of_french_clocks_and_sizes_have_units() -> None:
    moment = datetime(2026, 7, 14, 22, 5, tzinfo=UTC)
    assert words.moment(moment) == "15 juillet 2026, 0\u00a0h\u00a005"
    assert [words.size(count) for count in (0, 1023, 1536, 128 << 20)] == [
        "0\u00a0o",
        "1\u202f023\u00a0o",
        "1,5\u00a0Kio",
        "128\u00a0Mio",
    ]
    with speaking("en"):
        assert words.moment(moment) == "15 July 2026, 00:05"
        assert words.size(1536) == "1.5\u00a0KiB"
