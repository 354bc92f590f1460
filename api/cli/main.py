"""``tabellion``: every command, declared; what each does is imported only when it runs, so that the program starts quickly."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from api.cli.account_commands import organisations, people, tokens
from api.cli.archive_commands import archive
from api.cli.arguments import LANGUAGE, At, Dossier, Files, Json, Trust, day, group
from api.cli.configuration_commands import configurations
from api.cli.output import FAULT, errors, status_of
from core.errors import TabellionError
from core.messages import Catalogue, speaking

_t = Catalogue("api.cli")
db = group("db.help")
schemas = group("schemas.help")
trusted = group("trust.list.help")
secret_keys = group("secrets.help")

with speaking(LANGUAGE):
    app = typer.Typer(help=_t("help"), no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

    @app.command(help=_t("check.help"))
    def check(
        files: Files,
        kind: Annotated[str | None, typer.Option("--as", help=_t("check.as"))] = None,
        trust: Trust = None,
        at: At = None,
        as_json: Json = False,
    ) -> None:
        """Hold files against everything that a deposit would check."""
        from api.cli import documents

        raise typer.Exit(documents.check(files, kind=kind, trust=trust, at=day(at), as_json=as_json))

    @app.command(help=_t("verify.help"))
    def verify(
        files: Files,
        detached: Annotated[Path | None, typer.Option("--detached", help=_t("verify.detached"), dir_okay=False)] = None,
        trust: Trust = None,
        at: At = None,
        report: Annotated[Path | None, typer.Option("--report", help=_t("verify.report"), dir_okay=False)] = None,
        as_json: Json = False,
    ) -> None:
        """Verify the signatures of files."""
        from api.cli import documents

        raise typer.Exit(documents.verify(files, detached=detached, trust=trust, at=day(at), report=report, as_json=as_json))

    @app.command(help=_t("up.help"))
    def up(
        demonstration: Annotated[bool, typer.Option("--demonstration/--no-demonstration", help=_t("up.demonstration"))] = True,
    ) -> None:
        """Run the embedded platform."""
        from api.cli import serving

        serving.up(with_demonstration=demonstration)

    @app.command(help=_t("demo.help"))
    def demo(keep_serving: Annotated[bool, typer.Option("--keep-serving", help=_t("demo.keep"))] = False) -> None:
        """Run the embedded platform and push a sample PES through it to its proof."""
        from api.cli import story

        raise typer.Exit(story.tell(keep_serving=keep_serving))

    @app.command(help=_t("web.help"))
    def web() -> None:
        """Run the web service."""
        from api.cli import parts

        parts.web()

    @app.command(help=_t("worker.help"))
    def worker(queues: Annotated[str | None, typer.Option("--queues", help=_t("worker.queues"))] = None) -> None:
        """Run a worker."""
        from api.cli import parts

        parts.worker({queue.strip() for queue in queues.split(",")} if queues else None)

    @app.command(help=_t("relay.help"))
    def relay() -> None:
        """Run the relay."""
        from api.cli import parts

        parts.relay()

    @app.command(help=_t("simulators.help"))
    def simulators(
        host: Annotated[str, typer.Option(help=_t("simulators.host"))] = "127.0.0.1",
        gateway_port: Annotated[int, typer.Option(help=_t("simulators.gateway"))] = 2222,
        tsa_port: Annotated[int, typer.Option(help=_t("simulators.tsa"))] = 3180,
        delay: Annotated[float, typer.Option(help=_t("simulators.delay"))] = 5.0,
    ) -> None:
        """Run the State's side."""
        from api.cli import serving

        serving.play(host, gateway_port, tsa_port, delay)

    @app.command(help=_t("deposit.help"))
    def deposit(
        file: Annotated[Path, typer.Argument(help=_t("deposit.file"), show_default=False)],
        organisation: Annotated[str, typer.Option(help=_t("deposit.organisation"))],
        flow: Annotated[str, typer.Option(help=_t("deposit.flow"))] = "helios",
        key: Annotated[str | None, typer.Option(help=_t("deposit.key"))] = None,
        said: Annotated[list[str] | None, typer.Option("--said", metavar="NAME=VALUE", help=_t("deposit.said"))] = None,
        as_json: Json = False,
    ) -> None:
        """Deposit a document."""
        from api.cli import dossiers

        dossiers.deposit(file, flow=flow, organisation=organisation, key=key, said=said or [], as_json=as_json)

    @app.command(help=_t("show.help"))
    def show(dossier: Dossier, as_json: Json = False) -> None:
        """Show a dossier."""
        from api.cli import dossiers

        dossiers.show(dossier, as_json=as_json)

    @app.command(help=_t("follow.help"))
    def follow(dossier: Dossier, as_json: Json = False) -> None:
        """Follow a dossier to its end."""
        from api.cli import dossiers

        raise typer.Exit(dossiers.follow(dossier, as_json=as_json))

    @app.command(help=_t("doctor.help"))
    def doctor(
        settings: Annotated[bool, typer.Option("--settings", help=_t("doctor.settings"))] = False, as_json: Json = False
    ) -> None:
        """Examine the configuration and the parts."""
        from api.cli import doctor as doctor_room

        raise typer.Exit(doctor_room.list_settings(as_json) if settings else doctor_room.examine(as_json))

    @app.command(help=_t("resume.help"))
    def resume(dossier: Dossier) -> None:
        """Take up a dossier that was set aside."""
        from api.cli import settling

        settling.resume(dossier)

    @app.command(help=_t("consider_sent.help"))
    def consider_sent(
        dossier: Dossier,
        reason: Annotated[str, typer.Option("--reason", help=_t("consider_sent.reason"), show_default=False)],
        reference: Annotated[str, typer.Option("--reference", help=_t("consider_sent.reference"))] = "",
    ) -> None:
        """Take a dossier as sent that was set aside since the database was restored."""
        from api.cli import settling

        settling.consider_sent(dossier, reason=reason, reference=reference)

    @app.command(help=_t("responses.help"))
    def responses(as_json: Json = False) -> None:
        """List the responses that wait for a person."""
        from api.cli import settling

        settling.list_responses(as_json)

    @app.command(help=_t("attach_response.help"))
    def attach_response(
        response: Annotated[str, typer.Argument(help=_t("attach_response.response"), show_default=False)],
        dossier: Dossier,
    ) -> None:
        """Have a dossier hear an acquit that was found to answer none."""
        from api.cli import settling

        settling.attach_response(response, dossier)

    @db.command("upgrade", help=_t("db.upgrade"))
    def db_upgrade() -> None:
        """Apply the migrations."""
        from api.cli import parts

        parts.upgrade_database()

    @secret_keys.command("reencrypt", help=_t("reencrypt.help"))
    def reencrypt(as_json: Json = False) -> None:
        """Put the secrets under the first key."""
        from api.cli import rotation

        raise typer.Exit(rotation.reencrypt(as_json=as_json))

    @schemas.command("import", help=_t("schemas.import"))
    def import_schemas(source: Annotated[Path, typer.Argument(help=_t("schemas.source"))]) -> None:
        """Install an official set of schemas."""
        from api.cli import documents

        documents.import_schemas(source)

    @trusted.command("install", help=_t("trust.install"))
    def install_list(
        source: Annotated[Path, typer.Argument(help=_t("trust.source"))],
        signer: Annotated[list[Path] | None, typer.Option("--signer", help=_t("trust.signer"), dir_okay=False)] = None,
    ) -> None:
        """Install a trusted list."""
        from api.cli import documents

        documents.install_list(source, signer or [])


app.add_typer(db, name="db")
app.add_typer(archive, name="archive")
app.add_typer(schemas, name="schemas")
app.add_typer(trusted, name="trust")
app.add_typer(organisations, name="organisation")
app.add_typer(people, name="person")
app.add_typer(tokens, name="token")
app.add_typer(configurations, name="configure")
app.add_typer(secret_keys, name="secrets")


def main() -> None:
    """Run a command; trouble is told in a sentence, and its kind by the exit status."""
    # What a command imports stays: to look for garbage there after every 700 objects is a sixth of the time it takes to start.
    gc.set_threshold(10_000)
    with speaking(LANGUAGE):
        try:
            app()
        except TabellionError as error:
            errors.print(f"[bold red]✗[/] {escape(str(error))}")
            sys.exit(status_of(error))
        except KeyboardInterrupt:
            sys.exit(130)
        except Exception as error:
            if not _is_of_the_database(error):
                raise
            errors.print(f"[bold red]✗[/] {escape(_t('database.trouble', reason=str(error).splitlines()[0][:200]))}")
            sys.exit(FAULT)


def _is_of_the_database(error: Exception) -> bool:
    """Tell whether the database does not answer, or is none of this version; a command that needs none never imports it."""
    known = sys.modules.get("sqlalchemy.exc")
    return known is not None and isinstance(error, known.OperationalError | known.ProgrammingError | known.InterfaceError)
