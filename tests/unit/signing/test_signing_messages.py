"""The catalogue of the room: complete, in both languages, nothing unused."""

from __future__ import annotations

import re
import string
from pathlib import Path

from core.messages import Catalogue

SIGNING = Path(__file__).parents[3] / "signing"
MESSAGES = Catalogue("signing")
RULE = re.compile(r"S\d\d\.")
PREFIXES = sorted({key.partition(".")[0] for key in MESSAGES.texts("fr")})
WRITTEN = re.compile(rf"""["']((?:{"|".join(PREFIXES)})\.[a-z_0-9]+)["']""")
ASKED = re.compile(r"""essages\(\s*["']([\w.]+)["']|["'](S\d\d\.\w+)["']""")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def sources() -> str:
    """Return the code of the room, that which has a catalogue of its own left out."""
    own = {path.parent for path in SIGNING.glob("*/locale")}
    return "\n".join(path.read_text() for path in SIGNING.rglob("*.py") if path.parent not in own)


def test_both_languages_have_the_same_keys_and_places() -> None:
    french, english = MESSAGES.texts("fr"), MESSAGES.texts("en")
    assert french.keys() == english.keys()
    assert {key: places(text) for key, text in french.items()} == {key: places(text) for key, text in english.items()}


def test_every_key_used_has_a_text_and_every_rule_a_way_to_mend_it() -> None:
    used = {asked or rule for asked, rule in ASKED.findall(sources())}
    rules = {f"{key[:3]}.mend" for key in used if RULE.match(key)}
    assert rules
    assert (used | rules) <= MESSAGES.texts("fr").keys()


def test_no_text_is_left_without_a_use() -> None:
    unused = {key for key in MESSAGES.texts("fr") if not key.endswith(".mend")} - set(WRITTEN.findall(sources()))
    assert unused == set()
