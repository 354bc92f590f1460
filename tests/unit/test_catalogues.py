"""The words of every room: both languages say the same things with the same places, and nothing is named that has no words."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from core.messages import LOCALES, Catalogue, form_of, speaking

ROOT = Path(__file__).parents[2]
FLOORS = ("core", "schemas", "signing", "connectors", "archive", "flows", "api")
ROOMS = sorted(".".join(path.parent.relative_to(ROOT).parts) for floor in FLOORS for path in (ROOT / floor).rglob("locale"))

DECLARED = re.compile(r'^(\w+) = Catalogue\("([\w.]+)"\)', re.MULTILINE)
IMPORTED = re.compile(r"^from ([\w.]+) import (?:.*\b)?(messages)\b", re.MULTILINE)
MARKUP = re.compile(r"\[/?[\w #]*\]|https?://\S+|\w+://|<[\w ]+>")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def sources() -> list[Path]:
    return sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))


def named_keys() -> set[tuple[str, str, str]]:
    """Every key written out in a call of a catalogue: the room of the catalogue, the key, the file."""
    declared = {path: dict(DECLARED.findall(path.read_text(encoding="utf-8"))) for path in sources()}
    named = set()
    for path in sources():
        text = path.read_text(encoding="utf-8")
        catalogues = dict(declared[path])
        for module, name in IMPORTED.findall(text):
            origin = ROOT / f"{module.replace('.', '/')}.py"
            if name in declared.get(origin, {}):
                catalogues[name] = declared[origin][name]
        for name, room in catalogues.items():
            for how, key in re.findall(rf'(?<![\w.]){name}(\.counted)?\(\s*"([^"{{}}]+)"\s*[,)]', text):
                forms = (key, f"{key}.one") if how else (key,)
                named |= {(room, form, str(path.relative_to(ROOT))) for form in forms}
    return named


def test_every_room_that_speaks_is_found() -> None:
    assert {"core", "flows.engine", "flows.helios", "api", "api.cli", "archive", "signing"} <= set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_both_languages_have_the_same_keys_and_the_same_places_and_no_empty_text(room: str) -> None:
    french, english = (Catalogue(room).texts(locale) for locale in LOCALES)
    assert french
    assert french.keys() == english.keys()
    assert [key for key in french if not (french[key].strip() and english[key].strip())] == []
    assert {key: places(text) for key, text in french.items()} == {key: places(text) for key, text in english.items()}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("locale", LOCALES)
def test_no_key_stands_twice_in_a_catalogue(room: str, locale: str) -> None:
    text = (ROOT / room.replace(".", "/") / "locale" / f"{locale}.po").read_text(encoding="utf-8")
    keys = re.findall(r'^msgid "(.+)"$', text, re.MULTILINE)
    assert sorted(keys) == sorted(set(keys))


@pytest.mark.parametrize("room", ROOMS)
def test_french_is_set_with_its_own_apostrophes_and_no_break_spaces(room: str) -> None:
    for key, text in Catalogue(room).texts("fr").items():
        prose = MARKUP.sub("", text)
        assert not re.search(r"\w'\w| [:;?!»]|« |«\w|\w»", prose), f"{key}: {text}"


def test_every_key_that_the_source_names_has_words() -> None:
    named = named_keys()
    assert {room for room, _, _ in named} >= {"core", "flows.engine", "api.cli"}
    assert [(room, key, path) for room, key, path in sorted(named) if key not in Catalogue(room)] == []


@pytest.mark.parametrize("room", ["core", "flows.engine"])
def test_no_words_are_left_without_a_use(room: str) -> None:
    folder = ROOT / room.replace(".", "/")
    text = "\n".join(path.read_text(encoding="utf-8") for path in [*folder.rglob("*.py"), *folder.parent.glob("*.py")])
    used = {key.removesuffix(".one"): f'"{key.removesuffix(".one")}"' in text for key in Catalogue(room).texts("fr")}
    unused = [key for key, found in used.items() if not found and not key.startswith("settings.")]
    assert unused == []


def test_a_text_is_spoken_in_the_locale_in_force_and_an_unknown_one_means_french() -> None:
    messages = Catalogue("core")
    assert messages("person.gone") == "Ce compte n’existe plus."
    with speaking("en"):
        assert messages("person.gone") == "This account no longer exists."
        with speaking("de"):
            assert messages("person.gone") == "Ce compte n’existe plus."
        assert messages("person.gone") == "This account no longer exists."


@pytest.mark.parametrize(
    ("locale", "one", "many"), [("fr", [0, 1, -1], [2, 11, 1_000_000]), ("en", [1, -1], [0, 2, 11])], ids=["fr", "en"]
)
def test_zero_is_told_in_the_singular_in_french_and_in_the_plural_in_english(
    locale: str, one: list[int], many: list[int]
) -> None:
    archives = Catalogue("api.web.archive.search")
    with speaking(locale):
        assert [form_of("a", count) for count in (*one, *many)] == ["a.one"] * len(one) + ["a"] * len(many)
        assert archives.counted("list.count", 0, count=0) == {"fr": "0 archive", "en": "0 records"}[locale]


def test_nobody_chooses_the_singular_by_comparing_with_one() -> None:
    """Where a count is told, its form is the language's: zero would be forgotten."""
    pages = [*sources(), *sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.html"))]
    chosen = re.compile(r"""([\w.]+)\.one" if [^"]* == 1 else f?"\1\"""")
    found = [(path.name, match[0]) for path in pages for match in chosen.finditer(path.read_text(encoding="utf-8"))]
    assert found == []


def test_a_key_without_words_is_a_fault_and_not_an_empty_text() -> None:
    with pytest.raises(KeyError):
        Catalogue("core")("no.such.key")
