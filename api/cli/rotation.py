"""``secrets reencrypt``: the key of the secrets has changed; and what ``doctor`` says of it."""

from __future__ import annotations

import api.runtime  # noqa: F401 - every table with secrets must be known to this process
from api.cli.administration import ACTOR, opened_platform
from api.cli.finding import Finding
from api.cli.output import NO, console, json_line
from core import rotation
from core.messages import Catalogue
from core.platform import Platform
from core.rotation import Standing

_t = Catalogue("api.cli")


def reencrypt(*, as_json: bool) -> int:
    """Put every secret under the first key; return 0 when all are, 1 otherwise.

    Raises:
        Misconfigured: no key, or a database that is not up to date.
        Conflict: somebody has the database for themselves.
        Unavailable: it does not answer.
    """
    platform = opened_platform()
    done = 0
    for count in rotation.encrypt_anew(platform.database, platform.secrets, ACTOR):
        done += count
        if count and not as_json:
            console.print(_t.counted("reencrypt.progress", done, done=done))
    left = rotation.standing(platform.database, platform.secrets)
    if as_json:
        counts = {"encrypted_anew": done, "current": left.current, "earlier": left.earlier.total(), "lost": left.lost}
        json_line({**counts, "named": left.named})
    else:
        console.print(_t("reencrypt.done", done=done, current=left.current))
        if left.earlier:
            console.print(f"[red]✗[/] {_earlier(left)} → {_t('reencrypt.again')}")
        for name in left.named:
            console.print(f"[red]✗[/] {_t('reencrypt.lost', name=name)}")
    return NO if left.earlier or left.lost else 0


def look(platform: Platform) -> Finding:
    """Tell under which keys the secrets stand."""
    part, left = _t("doctor.secrets"), rotation.standing(platform.database, platform.secrets)
    if left.lost:
        seen = _t.counted("doctor.secrets.lost", left.lost, count=left.lost, names=", ".join(left.named[:3]))
        return Finding(part, False, seen, _t("doctor.secrets.mend_lost"))
    if left.earlier:
        return Finding(part, False, _earlier(left), _t("doctor.secrets.mend"))
    seen = _t.counted("doctor.secrets.well", left.current, count=left.current)
    return Finding(part, True, seen, _t("doctor.secrets.spare") if platform.secrets.keys > 1 else "")


def _earlier(left: Standing) -> str:
    tables = ", ".join(f"{name} {count}" for name, count in sorted(left.earlier.items()))
    return _t.counted("doctor.secrets.earlier", left.earlier.total(), count=left.earlier.total(), tables=tables)
