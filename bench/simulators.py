"""The State's side for a benchmark: a process that answers at once and prints how to reach it."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from api.simulators import simulators
from core.configuration import revealed


def main() -> None:
    with simulators(Path(sys.argv[1]), delay=0) as played:
        for model in (played.gateway_settings(), played.seal(), played.operator_settings()):
            print(json.dumps(revealed(model.model_dump())), flush=True)
        print(played.timestamping.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
