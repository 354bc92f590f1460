"""Passwords: how strong one must be, how it is kept, how it is recognised.

Length counts, composition does not (ANSSI, « Recommandations relatives à l’authentification multifacteur et aux mots de passe »,
2021, R22 to R27): twelve characters at least, none of the usual ones, nothing that is written on the person's door.
"""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from core.errors import UsageError
from core.folding import folded
from core.messages import Catalogue

SHORTEST, LONGEST = 12, 256
_messages = Catalogue("core")
_hasher = PasswordHasher()
# Verified when nobody has the address, so that an unknown address takes as long to refuse as a wrong password. Of a password that
# nobody knows, written down rather than made anew: making one takes every process a quarter of a second at its start.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$aiCoAEFC9kCmXemym96SiA$mEVKXGkTDFwQ5XfM0uQ1ir/VCg8ZycMJmtJGHNCQ2Xg"
_FEWEST_LETTERS = 5
_SHORTEST_NAME = 4
# What is left of the usual passwords once figures and signs are taken off.
_WORDS = """
    administrateur administrator admin azerty azertyuiop azertyuiopqsdfghjklm bienvenue bonjour changeme changezmoi chocolat
    collectivite commune connexion doudou football iloveyou jetaime letmein loulou mairie marseille motdepasse monmotdepasse
    parapheur pass passe password passw qwerty qwertyuiop secret secretaire signature soleil tabellion test utilisateur welcome
"""
_USUAL = frozenset(_WORDS.split())


def check(password: str, *personal: str) -> None:
    """Go on only if the password is strong enough.

    Args:
        password: as chosen.
        personal: the person's name and address, which it must not hold.

    Raises:
        UsageError: too short, too long, usual, repeated, or made of the person's own name or address.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(_messages("password.length", shortest=SHORTEST, longest=LONGEST))
    reduced = folded(password)
    letters = "".join(filter(str.isalpha, reduced))
    repeated = reduced in (reduced + reduced)[1:-1]
    if not letters or letters in _USUAL or repeated or len(set(reduced)) < _FEWEST_LETTERS:
        raise UsageError(_messages("password.usual"))
    names = (folded(name.partition("@")[0]) for name in personal)
    if any(len(name) >= _SHORTEST_NAME and name in reduced for name in names):
        raise UsageError(_messages("password.personal"))


def hashed(password: str) -> str:
    """Return what is kept of a password: an Argon2id hash with its salt and its parameters."""
    return _hasher.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Tell whether a password is the one that was kept; takes as long when there is none."""
    try:
        _hasher.verify(kept or _NOBODY, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return bool(kept)


def outdated(kept: str) -> bool:
    """Tell whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(kept)
