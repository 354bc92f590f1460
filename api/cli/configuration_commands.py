"""``tabellion configure …``: how an organisation reaches the State, its parapheur and its seal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.arguments import LANGUAGE, Owner, PasswordFile, group
from core.messages import Catalogue, speaking

_t = Catalogue("api.cli")
configurations = group("configure.help")

with speaking(LANGUAGE):

    @configurations.command("gateway", help=_t("gateway.help"))
    def configure_gateway(
        file: Annotated[Path, typer.Argument(help=_t("gateway.file"), show_default=False)], organisation: Owner
    ) -> None:
        """Configure the gateway."""
        from api.cli import administration

        administration.configure_gateway(file, organisation=organisation)

    @configurations.command("acts", help=_t("acts.help"))
    def configure_acts(
        file: Annotated[Path, typer.Argument(help=_t("acts.file"), show_default=False)], organisation: Owner
    ) -> None:
        """Configure the operator of télétransmission."""
        from api.cli import administration

        administration.configure_acts(file, organisation=organisation)

    @configurations.command("parapheur", help=_t("parapheur.help"))
    def configure_parapheur(
        file: Annotated[Path, typer.Argument(help=_t("parapheur.file"), show_default=False)], organisation: Owner
    ) -> None:
        """Configure a parapheur outside."""
        from api.cli import administration

        administration.configure_parapheur(file, organisation=organisation)

    @configurations.command("seal", help=_t("seal.help"))
    def configure_seal(
        file: Annotated[Path, typer.Argument(help=_t("seal.file"), show_default=False)],
        organisation: Owner,
        city: Annotated[str, typer.Option(help=_t("seal.city"), show_default=False)],
        postal_code: Annotated[str, typer.Option(help=_t("seal.postal_code"), show_default=False)],
        role: Annotated[str, typer.Option(help=_t("seal.role"))] = "Ordonnateur",
        password_file: PasswordFile = None,
    ) -> None:
        """Configure the server seal."""
        from api.cli import administration

        administration.configure_seal(
            file, organisation=organisation, city=city, postal_code=postal_code, role=role, password_file=password_file
        )
