"""What the agent remembers from one signature to the next: whom it trusts, and where the token's library is. Never a PIN."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


def place() -> Path:
    """Return where the settings are kept, as each system has it."""
    if sys.platform == "win32":
        home = Path(os.environ.get("APPDATA", Path.home()))
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Application Support"
    else:
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return home / "tabellion-agent" / "settings.json"


@dataclass
class Settings:
    """What is remembered.

    Attributes:
        origins: platforms that the person, or whoever manages this computer, has approved.
        module: the PKCS#11 library that was named; empty means the known ones.
    """

    origins: list[str] = field(default_factory=list)
    module: str = ""

    @classmethod
    def load(cls) -> Self:
        """Read the settings; a file that is absent or spoilt means none."""
        try:
            found: Any = json.loads(place().read_text(encoding="utf-8"))
            origins, module = found["origins"], found["module"]
            return cls([str(one) for one in origins], str(module))
        except (OSError, ValueError, TypeError, KeyError):
            return cls()

    def save(self) -> None:
        """Write the settings, in a folder of the person's own."""
        path = place()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")

    def approve(self, origin: str) -> None:
        """Remember that a platform may ask for signatures."""
        if origin not in self.origins:
            self.origins.append(origin)
            self.save()
