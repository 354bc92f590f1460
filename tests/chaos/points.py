"""Where a worker is killed: each boundary between claim, perform and record of each stage, and between every two effects within.

A point names a function of the product, whether it dies before or after the call, and for which stage.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STAGES = ("check", "sign", "transmit", "archive")


@dataclass(frozen=True)
class Point:
    """One place to die.

    Attributes:
        target: ``module:function`` or ``module:Class.function``.
        when: ``before`` or ``after`` the call.
        argument: text that must stand in the call's arguments, such as the stage; empty for any call.
    """

    target: str
    when: str
    argument: str = ""

    @property
    def name(self) -> str:
        """A name of its own, for the worker that is to die there and for test reports."""
        return f"{self.when} {self.target} {self.argument or 'any'}"


def _around(target: str, argument: str = "") -> list[Point]:
    return [Point(target, "before", argument), Point(target, "after", argument)]


POINTS: tuple[Point, ...] = (
    *(
        point
        for stage in STAGES
        for function in ("claim", "advance")
        for point in _around(f"flows.engine.transitions:{function}", f"helios.{stage}")
    ),
    *_around("flows.engine.transitions:note", "intended"),
    *_around("connectors.helios.client:Session.upload"),
    *_around("flows.engine.transitions:note", "publishing"),
    *_around("connectors.helios.client:Session.publish"),
    *_around("core.blobs:ObjectStore.seal"),
    Point("connectors.helios.client:Session.fetch", "after"),
    *_around("flows.helios.acquits:_insert"),
    *_around("flows.helios.acquits:_apply"),
    *_around("archive.proof.heads:grow"),
    Point("signing.timestamp.client:TimestampClient.stamp", "after"),
)


ACTS_POINTS: tuple[Point, ...] = (
    *(point for stage in ("pack", "transmit") for point in _around("flows.engine.transitions:advance", f"actes.{stage}")),
    *_around("flows.actes.envelopes:deposit"),
    *_around("flows.engine.transitions:note", "committing"),
    *_around("flows.actes.incoming:_insert"),
    Point("connectors.mailbox.client:OpenMailbox.done", "after"),
    *_around("flows.actes.incoming:_settle"),
)
"""Those of an act on its way to the ministry, and of the answer on its way back."""

HANDING_POINTS: tuple[Point, ...] = (
    *_around("flows.engine.transitions:note", "intended"),
    *_around("flows.invoices.handing:_written_down"),
    *_around("connectors.finance.folder:WatchedFolder.upload"),
    *_around("flows.engine.transitions:note", "publishing"),
    *_around("connectors.finance.folder:WatchedFolder.publish"),
    *_around("flows.engine.transitions:advance", "invoices.hand"),
    *_around("flows.invoices.acknowledging:acknowledge"),
)
"""Those of an invoice on its way to the finance software, and of the answer on its way back."""


TELLING_POINTS: tuple[Point, ...] = (
    Point("flows.invoices.telling:_take", "after"),
    *_around("flows.invoices.telling:_change", "telling"),
    *_around("connectors.chorus.client:Chorus.treat"),
    *_around("flows.invoices.telling:_close"),
)
"""Those of a decision on its way to Chorus Pro."""

SALES_POINTS: tuple[Point, ...] = (
    *_around("flows.engine.transitions:note", "leaving"),
    *_around("connectors.chorus.client:Chorus.deposit"),
    *_around("flows.engine.transitions:advance", "sales.deposit"),
    *_around("flows.invoices.issued.following:_hear"),
)
"""Those of an invoice of ours on its way to Chorus Pro, and of the report on its way back."""

ANSWERING_POINTS: tuple[Point, ...] = (
    *_around("connectors.chorus.client:Chorus.add_file"),
    *_around("connectors.chorus.client:Chorus.complete"),
    *_around("flows.engine.transitions:advance", "sales.complete"),
)
"""Those of the answer to a suspension."""


MAIL_POINTS: tuple[Point, ...] = (
    Point("flows.mail.planning:plan_all", "after"),
    *_around("flows.mail.posting:_take"),
    Point("connectors.mail.handing:Handing.hand_over", "after"),
    Point("flows.mail.posting:_settle", "after"),
    Point("flows.engine.transitions:advance", "after", "mail.send"),
    Point("flows.mail.returning:_apply", "after"),
    Point("flows.mail.returning:receive", "after"),
    Point("connectors.mailbox.client:OpenMailbox.done", "after"),
)
"""Those of a message on its way to the mail server, and of the report on its way back."""


SAE_POINTS: tuple[Point, ...] = (
    Point("flows.sae.intake:begin", "after"),
    *_around("flows.engine.transitions:note", "intended"),
    Point("flows.engine.transitions:note", "after", "leaving"),
    Point("connectors.asalae.client:Asalae.send", "after"),
    Point("connectors.vitam.client:Vitam.ingest", "after"),
    Point("flows.engine.transitions:advance", "after", "sae.send"),
    *_around("flows.sae.following:_hear", "acknowledged"),
    Point("flows.sae.following:_hear", "after", "accepted"),
)
"""Those of a record on its way to an archive service outside, and of the answers on their way back; each boundary once."""


def arm(point: Point, marker: Path) -> None:
    """Make this process kill itself at a point, once: a marker remembers that it has."""
    module_name, _, path = point.target.partition(":")
    owner: Any = importlib.import_module(module_name)
    *holders, name = path.split(".")
    for holder in holders:
        owner = getattr(owner, holder)
    original = getattr(owner, name)

    @functools.wraps(original)
    def deadly(*args: Any, **kwargs: Any) -> Any:
        meant = not point.argument or any(point.argument in repr(argument) for argument in (*args, *kwargs.values()))
        if meant and point.when == "before":
            _die_once(marker)
        result = original(*args, **kwargs)
        missed = name == "claim" and result is None  # a claim that another worker holds is no boundary of this one
        if meant and point.when == "after" and not missed:
            _die_once(marker)
        return result

    setattr(owner, name, deadly)


def _die_once(marker: Path) -> None:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
