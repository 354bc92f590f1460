"""``python -m bench [NAME…]``: the tables of these names, or every one, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.table import Table

from bench import (
    acts,
    agent,
    archive,
    ceiling,
    deposits,
    engine,
    invoices,
    journey,
    memory,
    sealing,
    signatures,
    trays,
    viewer,
)
from bench.places import SHAPES

_CONSOLE = Console(width=110)


def _show(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, words: int = 1) -> None:
    """Print a table; its first columns, as many as ``words``, are no figures."""
    table = Table(title=title)
    for rank, column in enumerate(columns):
        table.add_column(column, justify="left" if rank < words else "right")
    for row in rows:
        table.add_row(*row)
    _CONSOLE.print(table, "")


def _engine() -> None:
    raw = ceiling.steps_per_second()
    whole = [(shape, journey.dossiers_per_second(shape)) for shape in SHAPES]
    _show(
        "The whole HELIOS journey, one worker process (simulators in another, answering at once)",
        ("shape", "dossiers/s", "recorded steps/s", "raw ceiling, steps/s", "ratio"),
        (
            (shape, f"{rate:.1f}", f"{rate * journey.STEPS:.0f}", f"{raw:.0f}", f"{rate * journey.STEPS / raw:.3f}")
            for shape, rate in whole
        ),
    )
    _CONSOLE.print("The ceiling: a Dramatiq actor on RabbitMQ doing one PostgreSQL transaction, and nothing else.\n")
    alone = [(shape, engine.steps_per_second(shape)) for shape in SHAPES]
    _show(
        "The engine alone: a flow of four stages that do nothing",
        ("shape", "recorded steps/s", "ratio to the raw ceiling (goal: 0.5)"),
        ((shape, f"{rate:.0f}", f"{rate / raw:.2f}") for shape, rate in alone),
    )


def _deposits() -> None:
    rates = [(name, *deposits.rates(size)) for name, size in deposits.SIZES.items()]
    _show(
        f"Deposits over HTTP, one web process, {deposits.CONNECTIONS} connections",
        ("document", "deposits/s", "store alone, puts/s", "ratio"),
        ((name, f"{http:.0f}", f"{stored:.0f}", f"{http / stored:.2f}") for name, http, stored in rates),
    )


def _memory() -> None:
    signed = {"put here, on its bordereau": False, "there when it arrives, on the whole": True}
    peaks = [(name, memory.peaks(SHAPES[1], signed=there)) for name, there in signed.items()]
    _show(
        f"A PES of 128 MB on {SHAPES[1]}: peak resident memory",
        ("its signature", "document MB", "web MB (goal: under 200)", "worker MB (goal: under 400)"),
        ((name, *(f"{peak[column]:.0f}" for column in ("document", "web", "worker"))) for name, peak in peaks),
    )
    of_acts = [(name, acts.peaks(SHAPES[1], sizes)) for name, sizes in acts.SHAPES.items()]
    _show(
        f"An act of 150 MB on {SHAPES[1]}, to the ministry and to its record: peak resident memory",
        ("its files", "act MB", "web MB at rest", "web MB (goal: under 200)", "worker MB (goal: under 400)"),
        ((name, *(f"{peak[column]:.0f}" for column in ("act", "rest", "web", "worker"))) for name, peak in of_acts),
    )


def _signatures() -> None:
    _show(
        "A PES with attachments: ours in a warm process beside a process of xmlsec1 (schema: xmllint)",
        ("deed", "signature covers", "MB", "seconds", "theirs", "ratio (goal: at most 1.3)", "MB held", "theirs"),
        (
            (
                *(row.deed, row.covers, str(row.megabytes), f"{row.seconds:.3f}", f"{row.their_seconds:.3f}"),
                *(f"{row.ratio:.2f}", f"{row.memory:.0f}", f"{row.their_memory:.0f}"),
            )
            for row in signatures.rows()
        ),
        words=2,
    )


def _viewer() -> None:
    _show(
        "Looking at a PES of 100 MB, its web process warm: its first page, its whole reading beside expat alone",
        ("mostly", "MB", "first page, s (goal: under 1)", "whole, s", "expat, s", "ratio", "search, s", "web MB", "child MB"),
        (
            (
                *(row.shape, f"{row.megabytes:.0f}", f"{row.first:.2f}", f"{row.whole:.1f}", f"{row.bare:.1f}"),
                *(f"{row.ratio:.1f}", f"{row.search:.3f}", f"{row.web:.0f}", f"{row.child:.0f}"),
            )
            for row in viewer.rows()
        ),
    )


def _trays() -> None:
    _show(
        f"A desk with {trays.FOLDERS} folders: its pages over HTTP, one web process",
        ("shape", "page", "p50, ms", "p95, ms (goal: under 300)", "an empty page, p50, ms"),
        ((row.shape, row.page, f"{row.p50:.0f}", f"{row.p95:.0f}", f"{row.bare:.0f}") for row in trays.rows()),
        words=2,
    )


def _invoices() -> None:
    bounds = ("p50, ms", "p95, ms (goal: under 100)", "processor, ms", "bare rules, ms", "of it the sandbox, ms", "child MB")
    figures = ((row.document, (row.p50, row.p95, row.processor, row.bare, row.sandbox, row.child)) for row in invoices.rows())
    _show(
        "A full check of an invoice, warm, beside the rules alone in Saxon",
        ("document", *bounds),
        ((document, *(f"{figure:.0f}" for figure in row)) for document, row in figures),
    )


def _sealing() -> None:
    _show(
        "Packages sealed in one place, beside the bare store that only takes them",
        (
            *("package", "threads", "plain bucket, PUT/s", "bare, PUT/s"),
            *("under lock, read back/s", "to bare (goal: 0.6)", "recorded as well/s", "to bare"),
        ),
        (
            (
                *(row.size, str(row.threads), f"{row.plain:.0f}", f"{row.raw:.0f}", f"{row.locked:.0f}"),
                *(f"{row.locked / row.raw:.2f}", f"{row.sealed:.0f}", f"{row.sealed / row.raw:.2f}"),
            )
            for row in sealing.rows()
        ),
    )


def _archive() -> None:
    _show(
        f"Searching {archive.RECORDS:,} records: results, counts and facets",
        ("database", "question", "found", "p50, ms", "p95, ms (goal: under 300)"),
        ((row.database, row.question, row.found, f"{row.p50:.0f}", f"{row.p95:.0f}") for row in archive.search_rows()),
        words=2,
    )


def _agent() -> None:
    took = agent.seconds()
    _CONSOLE.print(f"{agent.DOCUMENTS} PDFs signed by the desktop agent with a token, one PIN: {took:.1f} s (goal: under 10 s)")


TABLES: dict[str, Callable[[], None]] = {
    "engine": _engine,
    "deposits": _deposits,
    "memory": _memory,
    "signatures": _signatures,
    "viewer": _viewer,
    "trays": _trays,
    "invoices": _invoices,
    "sealing": _sealing,
    "archive": _archive,
    "agent": _agent,
}


def main(names: list[str]) -> None:
    """Print the tables that are asked for."""
    if unknown := set(names) - set(TABLES):
        sys.exit(f"No such table: {', '.join(sorted(unknown))}. There are: {', '.join(TABLES)}.")
    for name, table in TABLES.items():
        if not names or name in names:
            table()


if __name__ == "__main__":
    main(sys.argv[1:])
