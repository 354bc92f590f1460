"""``tabellion organisation …``, ``person …``, ``token …``: who is served, who may sign in, what software may do."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.arguments import LANGUAGE, Json, Owner, PasswordFile, group
from core.messages import Catalogue, speaking

_t = Catalogue("api.cli")
organisations = group("organisation.help")
people = group("person.help")
tokens = group("token.help")

with speaking(LANGUAGE):
    Email = Annotated[str, typer.Argument(help=_t("person.email"), show_default=False)]
    PersonName = Annotated[str, typer.Option("--name", help=_t("person.name"), show_default=False)]
    RoleName = Annotated[str, typer.Option("--role", help=_t("person.any_role"), show_default=False)]

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
