"""Message catalogues: what people read, in French first and in English second.

Each room that speaks to people has a folder ``locale`` with ``fr.po`` and ``en.po`` (gettext catalogues). The keys are short
names (``R03.expected``), the texts hold named places in braces. The locale is that of the request or command under way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import c2py
from importlib.resources import files

from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po

LOCALES = ("fr", "en")
_locale: ContextVar[str] = ContextVar("locale", default="fr")


def current_locale() -> str:
    """Return the locale in force: ``fr`` or ``en``."""
    return _locale.get()


@contextmanager
def speaking(locale: str) -> Iterator[None]:
    """Speak another locale within the block; one that has no catalogue means French."""
    token = _locale.set(locale if locale in LOCALES else "fr")
    try:
        yield
    finally:
        _locale.reset(token)


def form_of(key: str, count: int) -> str:
    """Return under which key a count is told in the current locale: zero is in the singular in French, not in English.

    The rule is that of gettext (``Plural-Forms``): ``n > 1`` takes the plural in French, ``n != 1`` in English.
    """
    return key if _plural(current_locale())(abs(count)) else f"{key}.one"


class Catalogue:
    """The messages of one room.

    Example:
        >>> messages = Catalogue("schemas.pes")
        >>> messages("R08.message")
    """

    def __init__(self, package: str) -> None:
        self.package = package

    def __call__(self, key: str, /, **places: object) -> str:
        """Return the text of a key in the current locale, its places filled in.

        Raises:
            KeyError: the key is in no catalogue: a fault of ours, caught by the test that walks all keys.
        """
        return self.texts(current_locale())[key].format(**places)

    def counted(self, key: str, count: int, /, **places: object) -> str:
        """Return the text of a key about a count: that of ``<key>.one`` where the language says it in the singular.

        Raises:
            KeyError: as for a text.
        """
        return self(form_of(key, count), **places)

    def __contains__(self, key: str) -> bool:
        """Tell whether the key has a text."""
        return key in self.texts("fr")

    def texts(self, locale: str) -> dict[str, str]:
        """Return all texts of a locale, by key."""
        return _load(self.package, locale)


@cache
def _plural(locale: str) -> Callable[[int], int]:
    return c2py(get_plural(locale).plural_expr)


@cache
def _load(package: str, locale: str) -> dict[str, str]:
    path = files(package) / "locale" / f"{locale}.po"
    with path.open("rb") as stream:
        catalogue = read_po(stream, locale=locale)
    return {str(message.id): str(message.string) for message in catalogue if message.id}
