"""``tabellion archive …``: proofs, copies, audits and restitutions, for whoever operates the platform."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.arguments import LANGUAGE, Json, Trust, group
from core.messages import Catalogue, speaking

_t = Catalogue("api.cli")
archive = group("archive.help")

with speaking(LANGUAGE):

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
