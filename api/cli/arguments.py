"""What several commands ask for, declared once; help is told in the language of the terminal."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from core.messages import Catalogue, speaking

_t = Catalogue("api.cli")
LANGUAGE = "en" if os.environ.get("TABELLION_LANG", "").startswith("en") else "fr"
"""French unless told otherwise: a server's LANG says little about who reads its terminal."""

with speaking(LANGUAGE):
    Files = Annotated[list[Path], typer.Argument(help=_t("files"), show_default=False)]
    Dossier = Annotated[str, typer.Argument(help=_t("dossier"), show_default=False)]
    Json = Annotated[bool, typer.Option("--json", help=_t("json"))]
    Trust = Annotated[Path | None, typer.Option("--trust", help=_t("trust"), file_okay=False)]
    At = Annotated[str | None, typer.Option("--at", help=_t("at"), metavar="AAAA-MM-JJ")]
    Owner = Annotated[str, typer.Option("--organisation", help=_t("organisation.which"), show_default=False)]
    PasswordFile = Annotated[Path | None, typer.Option("--password-file", help=_t("person.password_file"), dir_okay=False)]


def group(help_key: str) -> typer.Typer:
    """Return a group of commands, which says what it is for when it is called alone."""
    with speaking(LANGUAGE):
        return typer.Typer(help=_t(help_key), no_args_is_help=True)


def day(text: str | None) -> date | None:
    """Return the day that an option names.

    Raises:
        typer.BadParameter: it names none.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(_t("at.wrong", found=text[:40])) from error
