"""``tabellion``: every command, declared; what each does is imported only when it runs, so that the program starts quickly."""

from __future__ import annotations

import gc
import os
import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from api.cli.output import FAULT, errors, status_of
from core.errors import TabellionError
from core.messages import Catalogue, speaking

_t = Catalogue("api.cli")
# French unless told otherwise: a server's LANG says little about who reads its terminal.
LANGUAGE = "en" if os.environ.get("TABELLION_LANG", "").startswith("en") else "fr"

with speaking(LANGUAGE):
    app = typer.Typer(help=_t("help"), no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    db = typer.Typer(help=_t("db.help"), no_args_is_help=True)
    archive = typer.Typer(help=_t("archive.help"), no_args_is_help=True)
    schemas = typer.Typer(help=_t("schemas.help"), no_args_is_help=True)
    trusted = typer.Typer(help=_t("trust.list.help"), no_args_is_help=True)
    organisations = typer.Typer(help=_t("organisation.help"), no_args_is_help=True)
    people = typer.Typer(help=_t("person.help"), no_args_is_help=True)
    tokens = typer.Typer(help=_t("token.help"), no_args_is_help=True)
    configurations = typer.Typer(help=_t("configure.help"), no_args_is_help=True)
    secret_keys = typer.Typer(help=_t("secrets.help"), no_args_is_help=True)
    Files = Annotated[list[Path], typer.Argument(help=_t("files"), show_default=False)]
    Json = Annotated[bool, typer.Option("--json", help=_t("json"))]
    Trust = Annotated[Path | None, typer.Option("--trust", help=_t("trust"), file_okay=False)]
    At = Annotated[str | None, typer.Option("--at", help=_t("at"), metavar="AAAA-MM-JJ")]
    Owner = Annotated[str, typer.Option("--organisation", help=_t("organisation.which"), show_default=False)]
    PasswordFile = Annotated[Path | None, typer.Option("--password-file", help=_t("person.password_file"), dir_okay=False)]
    Email = Annotated[str, typer.Argument(help=_t("person.email"), show_default=False)]
    PersonName = Annotated[str, typer.Option("--name", help=_t("person.name"), show_default=False)]
    RoleName = Annotated[str, typer.Option("--role", help=_t("person.any_role"), show_default=False)]

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

        raise typer.Exit(documents.check(files, kind=kind, trust=trust, at=_day(at), as_json=as_json))

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

        raise typer.Exit(documents.verify(files, detached=detached, trust=trust, at=_day(at), report=report, as_json=as_json))

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
    def show(dossier: Annotated[str, typer.Argument(help=_t("dossier"))], as_json: Json = False) -> None:
        """Show a dossier."""
        from api.cli import dossiers

        dossiers.show(dossier, as_json=as_json)

    @app.command(help=_t("follow.help"))
    def follow(dossier: Annotated[str, typer.Argument(help=_t("dossier"))], as_json: Json = False) -> None:
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

    @archive.command("prove", help=_t("archive.prove"))
    def prove(
        record: Annotated[str, typer.Argument(help=_t("archive.record"))],
        output: Annotated[Path, typer.Option("-o", "--output", help=_t("archive.output"), dir_okay=False)],
        algorithm: Annotated[str | None, typer.Option("--algorithm", help=_t("archive.algorithm"))] = None,
    ) -> None:
        """Write the evidence of a record."""
        from api.cli import evidence

        evidence.prove(record, output, algorithm)

    @archive.command("verify", help=_t("archive.verify"))
    def verify_evidence(
        file: Annotated[Path, typer.Argument(help=_t("archive.file"))],
        package: Annotated[Path | None, typer.Option("--package", help=_t("archive.package"), dir_okay=False)] = None,
        trust: Trust = None,
        as_json: Json = False,
    ) -> None:
        """Verify evidence, offline."""
        from api.cli import evidence

        raise typer.Exit(evidence.verify(file, package=package, trust=trust, as_json=as_json))

    @archive.command("consistency", help=_t("consistency.help"))
    def consistency(
        first: Annotated[int, typer.Argument(help=_t("consistency.first"), min=1, show_default=False)],
        second: Annotated[int, typer.Argument(help=_t("consistency.second"), min=1, show_default=False)],
        output: Annotated[Path, typer.Option("-o", "--output", help=_t("archive.output"), dir_okay=False)],
    ) -> None:
        """Prove that a head of the journal continues an older one."""
        from api.cli import archive_proof

        archive_proof.consistency(first, second, output)

    @archive.command("reseal", help=_t("reseal.help"))
    def reseal(
        algorithm: Annotated[str, typer.Option("--algorithm", help=_t("reseal.algorithm"), show_default=False)],
        as_json: Json = False,
    ) -> None:
        """Seal everything anew with another hash."""
        from api.cli import archive_proof

        raise typer.Exit(archive_proof.reseal(algorithm, as_json=as_json))

    @archive.command("renew", help=_t("renew.help"))
    def renew(as_json: Json = False) -> None:
        """Renew the timestamps that age."""
        from api.cli import archive_proof

        archive_proof.renew(as_json=as_json)

    @archive.command("evidence-record", help=_t("evidence_record.help"))
    def write_evidence_record(
        record: Annotated[str, typer.Argument(help=_t("archive.record"))],
        output: Annotated[Path, typer.Option("-o", "--output", help=_t("evidence_record.output"), dir_okay=False)],
    ) -> None:
        """Write the evidence record of a record (RFC 4998)."""
        from api.cli import archive_proof

        archive_proof.write_evidence_record(record, output)

    @archive.command("conformance", help=_t("conformance.help"))
    def conformance(
        place: Annotated[str | None, typer.Option("--place", help=_t("conformance.place"))] = None, as_json: Json = False
    ) -> None:
        """Try the stores."""
        from api.cli import archive_conformance

        raise typer.Exit(archive_conformance.conformance(place=place, as_json=as_json))

    @archive.command("audit", help=_t("audit.help"))
    def audit(
        place: Annotated[str | None, typer.Option("--place", help=_t("audit.place"))] = None,
        kinds: Annotated[
            list[str] | None,
            typer.Option("--kind", help=_t("audit.kind", known="existence, integrity, papers, consistency, journal")),
        ] = None,
        whole: Annotated[bool, typer.Option("--all", help=_t("audit.all"))] = False,
        as_json: Json = False,
    ) -> None:
        """Look at what is kept."""
        from api.cli import archive_audit

        raise typer.Exit(archive_audit.audit(place=place, kinds=kinds or [], whole=whole, as_json=as_json))

    @archive.command("replicate", help=_t("replicate.help"))
    def replicate(
        place: Annotated[str | None, typer.Option("--place", help=_t("replicate.place"))] = None, as_json: Json = False
    ) -> None:
        """Bring to the places what they lack."""
        from api.cli import archive_replication

        raise typer.Exit(archive_replication.replicate(place=place, as_json=as_json))

    @archive.command("restore-place", help=_t("restore_place.help"))
    def restore_place(
        name: Annotated[str, typer.Argument(help=_t("restore_place.name"), show_default=False)],
        source: Annotated[str | None, typer.Option("--from", help=_t("restore_place.from"))] = None,
        anew: Annotated[bool, typer.Option("--anew", help=_t("restore_place.anew"))] = False,
        as_json: Json = False,
    ) -> None:
        """Write again what a place has lost."""
        from api.cli import archive_replication

        raise typer.Exit(archive_replication.restore_place(name, source=source, anew=anew, as_json=as_json))

    @archive.command("restitution", help=_t("restitution.help"))
    def restitution(
        number: Annotated[str, typer.Argument(help=_t("restitution.number"))],
        output: Annotated[Path, typer.Option("-o", "--output", help=_t("restitution.output"), file_okay=False)],
        as_json: Json = False,
    ) -> None:
        """Give a whole fonds back."""
        from api.cli import archive_restitution

        raise typer.Exit(archive_restitution.restitution(number, output, as_json=as_json))

    @archive.command("index", help=_t("index.help"))
    def fill_index(anew: Annotated[bool, typer.Option("--anew", help=_t("index.anew"))] = False) -> None:
        """Index the records that the search does not know."""
        from api.cli import archive_index

        archive_index.fill(anew=anew)

    @archive.command("rebuild", help=_t("rebuild.help"))
    def rebuild(as_json: Json = False) -> None:
        """Make the archive's part of a lost database anew."""
        from api.cli import archive_rebuild

        raise typer.Exit(archive_rebuild.rebuild(as_json=as_json))

    @archive.command("catch-up", help=_t("catch_up.help"))
    def catch_up(as_json: Json = False) -> None:
        """Bring a database that was restored from a backup forward."""
        from api.cli import archive_catch_up

        raise typer.Exit(archive_catch_up.catch_up(as_json=as_json))

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

    @app.command(help=_t("resume.help"))
    def resume(dossier: Annotated[str, typer.Argument(help=_t("dossier"))]) -> None:
        """Take up a dossier that was set aside."""
        from api.cli import settling

        settling.resume(dossier)

    @app.command(help=_t("consider_sent.help"))
    def consider_sent(
        dossier: Annotated[str, typer.Argument(help=_t("dossier"))],
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
        dossier: Annotated[str, typer.Argument(help=_t("dossier"), show_default=False)],
    ) -> None:
        """Have a dossier hear an acquit that was found to answer none."""
        from api.cli import settling

        settling.attach_response(response, dossier)

    @organisations.command("open", help=_t("organisation.open"))
    def open_organisation(
        name: Annotated[str, typer.Argument(help=_t("organisation.name"), show_default=False)],
        siret: Annotated[str, typer.Option(help=_t("organisation.siret"), show_default=False)],
        parent: Annotated[str | None, typer.Option(help=_t("organisation.parent"))] = None,
        as_json: Json = False,
    ) -> None:
        """Open an organisation."""
        from api.cli import administration

        administration.open_organisation(name, siret=siret, parent=parent, as_json=as_json)

    @organisations.command("list", help=_t("organisation.list"))
    def list_organisations(as_json: Json = False) -> None:
        """List the organisations."""
        from api.cli import administration

        administration.list_organisations(as_json)

    @people.command("add", help=_t("person.add"))
    def add_person(
        email: Email,
        name: PersonName,
        organisation: Owner,
        role: RoleName,
        password_file: PasswordFile = None,
        as_json: Json = False,
    ) -> None:
        """Add a person."""
        from api.cli import administration

        administration.add_somebody(
            email, name=name, organisation=organisation, role=role, password_file=password_file, as_json=as_json
        )

    @people.command("list", help=_t("person.list"))
    def list_people(as_json: Json = False) -> None:
        """List the people."""
        from api.cli import accounts

        accounts.list_people(as_json)

    @people.command("invite", help=_t("person.invite"))
    def invite_person(email: Email, name: PersonName, organisation: Owner, role: RoleName, as_json: Json = False) -> None:
        """Invite a person."""
        from api.cli import accounts

        accounts.invite(email, name=name, organisation=organisation, role=role, as_json=as_json)

    @people.command("link", help=_t("person.make_link"))
    def make_link(email: Email, as_json: Json = False) -> None:
        """Make a link by which a person chooses a password."""
        from api.cli import accounts

        accounts.make_link(email, as_json)

    @people.command("give", help=_t("person.give_role"))
    def give_role(email: Email, role: RoleName, organisation: Owner) -> None:
        """Give a role."""
        from api.cli import accounts

        accounts.give_role(email, role=role, organisation=organisation)

    @people.command("take", help=_t("person.take_role"))
    def take_role(email: Email, role: RoleName, organisation: Owner) -> None:
        """Take a role."""
        from api.cli import accounts

        accounts.take_role(email, role=role, organisation=organisation)

    @people.command("suspend", help=_t("person.suspend"))
    def suspend(email: Email) -> None:
        """Suspend an account."""
        from api.cli import accounts

        accounts.act("suspend", email)

    @people.command("reactivate", help=_t("person.reactivate"))
    def reactivate(email: Email) -> None:
        """Reactivate an account."""
        from api.cli import accounts

        accounts.act("reactivate", email)

    @people.command("unlock", help=_t("person.unlock"))
    def unlock(email: Email) -> None:
        """Unlock an account."""
        from api.cli import accounts

        accounts.act("unlock", email)

    @people.command("forget-second-factor", help=_t("person.forget_second_factor"))
    def forget_second_factor(email: Email) -> None:
        """Remove the second factor of an account."""
        from api.cli import accounts

        accounts.act("forget-second-factor", email)

    @tokens.command("issue", help=_t("token.issue"))
    def issue_token(
        name: Annotated[str, typer.Argument(help=_t("token.name"), show_default=False)],
        organisation: Owner,
        days: Annotated[int, typer.Option(help=_t("token.days"), min=1, max=3650)] = 365,
        read_only: Annotated[bool, typer.Option("--read-only", help=_t("token.read_only"))] = False,
        as_json: Json = False,
    ) -> None:
        """Issue a token."""
        from api.cli import administration

        administration.issue(name, organisation=organisation, days=days, read_only=read_only, as_json=as_json)

    @tokens.command("revoke", help=_t("token.revoke"))
    def revoke_token(token: Annotated[str, typer.Argument(help=_t("token.id"), metavar="ID", show_default=False)]) -> None:
        """Revoke a token."""
        from api.cli import administration

        administration.revoke(token)

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


app.add_typer(db, name="db")
app.add_typer(archive, name="archive")
app.add_typer(schemas, name="schemas")
app.add_typer(trusted, name="trust")
app.add_typer(organisations, name="organisation")
app.add_typer(people, name="person")
app.add_typer(tokens, name="token")
app.add_typer(configurations, name="configure")
app.add_typer(secret_keys, name="secrets")


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(_t("at.wrong", found=text[:40])) from error


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
