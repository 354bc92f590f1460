"""``make bench``: every table, one after the other."""

from __future__ import annotations

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


def main() -> None:
    console = Console(width=110)
    raw = ceiling.steps_per_second()
    table = Table(title="The whole HELIOS journey, one worker process (simulators in another, answering at once)")
    for column in ("shape", "dossiers/s", "recorded steps/s", "raw ceiling, steps/s", "ratio"):
        table.add_column(column, justify="left" if column == "shape" else "right")
    for shape in SHAPES:
        rate = journey.dossiers_per_second(shape)
        steps = rate * journey.STEPS
        table.add_row(shape, f"{rate:.1f}", f"{steps:.0f}", f"{raw:.0f}", f"{steps / raw:.3f}")
    console.print(table, "The ceiling: a Dramatiq actor on RabbitMQ doing one PostgreSQL transaction, and nothing else.\n")

    table = Table(title="The engine alone: a flow of four stages that do nothing")
    for column in ("shape", "recorded steps/s", "ratio to the raw ceiling (goal: 0.5)"):
        table.add_column(column, justify="left" if column == "shape" else "right")
    for shape in SHAPES:
        rate = engine.steps_per_second(shape)
        table.add_row(shape, f"{rate:.0f}", f"{rate / raw:.2f}")
    console.print(table, "")

    table = Table(title=f"Deposits over HTTP, one web process, {deposits.CONNECTIONS} connections")
    for column in ("document", "deposits/s", "store alone, puts/s", "ratio"):
        table.add_column(column, justify="left" if column == "document" else "right")
    for name, size in deposits.SIZES.items():
        over_http, stored = deposits.rates(size)
        table.add_row(name, f"{over_http:.0f}", f"{stored:.0f}", f"{over_http / stored:.2f}")
    console.print(table, "")

    table = Table(title=f"A PES of 128 MB on {SHAPES[1]}: peak resident memory")
    for column in ("its signature", "document MB", "web MB (goal: under 200)", "worker MB (goal: under 400)"):
        table.add_column(column, justify="left" if column == "its signature" else "right")
    for name, signed in (("put here, on its bordereau", False), ("there when it arrives, on the whole", True)):
        peaks = memory.peaks(SHAPES[1], signed=signed)
        table.add_row(name, *(f"{peaks[column]:.0f}" for column in ("document", "web", "worker")))
    console.print(table, "")

    table = Table(title=f"An act of 150 MB on {SHAPES[1]}, to the ministry and to its record: peak resident memory")
    for column in ("its files", "act MB", "web MB at rest", "web MB (goal: under 200)", "worker MB (goal: under 400)"):
        table.add_column(column, justify="left" if column == "its files" else "right")
    for name, sizes in acts.SHAPES.items():
        peaks = acts.peaks(SHAPES[1], sizes)
        table.add_row(name, *(f"{peaks[column]:.0f}" for column in ("act", "rest", "web", "worker")))
    console.print(table, "")

    table = Table(title="A PES with attachments: ours in a warm process beside a process of xmlsec1 (schema: xmllint)")
    for column in ("deed", "signature covers", "MB", "seconds", "theirs", "ratio (goal: at most 1.3)", "MB held", "theirs"):
        table.add_column(column, justify="left" if column in {"deed", "signature covers"} else "right")
    for row in signatures.rows():
        times = (f"{row.seconds:.3f}", f"{row.their_seconds:.3f}", f"{row.ratio:.2f}")
        table.add_row(row.deed, row.covers, str(row.megabytes), *times, f"{row.memory:.0f}", f"{row.their_memory:.0f}")
    console.print(table, "")

    table = Table(title="Looking at a PES of 100 MB, its web process warm: its first page, its whole reading beside expat alone")
    for column in (
        *("mostly", "MB", "first page, s (goal: under 1)", "whole, s", "expat, s", "ratio", "search, s", "web MB", "child MB"),
    ):
        table.add_column(column, justify="left" if column == "mostly" else "right")
    for row in viewer.rows():
        times = (f"{row.first:.2f}", f"{row.whole:.1f}", f"{row.bare:.1f}", f"{row.ratio:.1f}", f"{row.search:.3f}")
        table.add_row(row.shape, f"{row.megabytes:.0f}", *times, f"{row.web:.0f}", f"{row.child:.0f}")
    console.print(table, "")

    table = Table(title=f"A desk with {trays.FOLDERS} folders: its pages over HTTP, one web process")
    for column in ("shape", "page", "p50, ms", "p95, ms (goal: under 300)", "an empty page, p50, ms"):
        table.add_column(column, justify="left" if column in {"shape", "page"} else "right")
    for shown in trays.rows():
        table.add_row(shown.shape, shown.page, f"{shown.p50:.0f}", f"{shown.p95:.0f}", f"{shown.bare:.0f}")
    console.print(table, "")

    table = Table(title="A full check of an invoice, warm, beside the rules alone in Saxon")
    for column in (
        *(
            "document",
            "p50, ms",
            "p95, ms (goal: under 100)",
            "processor, ms",
            "bare rules, ms",
            "of it the sandbox, ms",
            "child MB",
        ),
    ):
        table.add_column(column, justify="left" if column == "document" else "right")
    for check in invoices.rows():
        times = (check.p50, check.p95, check.processor, check.bare, check.sandbox, check.child)
        table.add_row(check.document, *(f"{figure:.0f}" for figure in times))
    console.print(table, "")

    table = Table(title="Packages of some kilobytes sealed, one place, beside the bare store that only takes them")
    for column in ("threads", "bare PUT/s", "under lock and read back/s", "ratio (goal: 0.6)", "recorded as well/s", "ratio"):
        table.add_column(column, justify="right")
    for sealed in sealing.rows():
        ratios = (f"{sealed.locked / sealed.raw:.2f}", f"{sealed.sealed:.0f}", f"{sealed.sealed / sealed.raw:.2f}")
        table.add_row(str(sealed.threads), f"{sealed.raw:.0f}", f"{sealed.locked:.0f}", *ratios)
    console.print(table, "")

    table = Table(title=f"Searching {archive.RECORDS:,} records: results, counts and facets")
    for column in ("database", "question", "found", "p50, ms", "p95, ms (goal: under 300)"):
        table.add_column(column, justify="left" if column in {"database", "question"} else "right")
    for found in archive.search_rows():
        table.add_row(found.database, found.question, found.found, f"{found.p50:.0f}", f"{found.p95:.0f}")
    console.print(table, "")

    took = agent.seconds()
    console.print(f"{agent.DOCUMENTS} PDFs signed by the desktop agent with a token, one PIN: {took:.1f} s (goal: under 10 s)")


if __name__ == "__main__":
    main()
