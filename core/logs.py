"""Technical logs: one JSON object a line on standard error, bound to the dossier at hand; nothing personal enters them."""

from __future__ import annotations

import faulthandler
import logging
import re
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_STANDARD_ERROR = 2
# PostgreSQL says in them which values met a constraint; they end where SQLAlchemy or the next exception goes on.
_VALUES = re.compile(r"\n(?:DETAIL|CONTEXT):.*?(?=\n(?:HINT:|\[SQL|\(Background|\n)|\Z)", re.DOTALL)


def configure(level: int = logging.INFO) -> None:
    """Log as JSON lines from a level up, libraries included; a crash of native code says where every thread stood."""
    faulthandler.enable(_STANDARD_ERROR)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper("iso"),
    ]
    renderer = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _without_values,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(renderer)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("paramiko", "pika", "urllib3", "dramatiq"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _without_values(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Leave out of a trace what the database quotes from its rows."""
    if isinstance(event.get("exception"), str):
        event["exception"] = _VALUES.sub("", event["exception"])
    return event
