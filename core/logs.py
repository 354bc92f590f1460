"""Technical logs: one JSON object a line on standard error, bound to the dossier at hand; nothing personal enters them."""

from __future__ import annotations

import faulthandler
import logging
import sys

import structlog
from structlog.typing import Processor

_STANDARD_ERROR = 2


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
