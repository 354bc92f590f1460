"""``up`` and ``simulators``: everything in one process, until interrupted."""

from __future__ import annotations

import logging

from rich.markup import escape

from api import showcase_mails
from api.cli.output import console, wait_for_the_end
from api.embedded import Embedded, embedded
from api.simulators import simulators
from core import logs
from core.messages import Catalogue
from core.settings import load_settings
from flows.mail import links

_t = Catalogue("api.cli")


def up(*, with_demonstration: bool) -> None:
    """Run the embedded platform until interrupted."""
    logs.configure(logging.WARNING)
    with embedded(load_settings(), with_demonstration=with_demonstration) as running:
        introduce(running)
        wait_for_the_end()


def introduce(running: Embedded) -> None:
    """Print the address and, with a demonstration, its accounts."""
    console.print(f"\n[bold green]Tabellion[/] · {running.address}")
    shown = running.demonstration
    if shown is not None:
        console.print(_t("up.organisation", name=escape(shown.organisation), siren=shown.siren))
        for email, password in shown.accounts.items():
            console.print(_t("up.account", email=email, password=escape(password)))
        console.print(_t("up.pin", pin=shown.pin))
        console.print(_t("up.token", token=shown.token))
        if running.simulators and (token := showcase_mails.to_withdraw(running.platform, running.simulators)):
            base = running.platform.settings.recipients_url.rstrip("/") or running.address
            console.print(_t("up.recipient", address=f"{base}{links.PREFIX}/{token}"))
    console.print(_t("up.stop"))


def play(host: str, gateway_port: int, tsa_port: int, delay: float) -> None:
    """Run the simulators until interrupted, and print what reaches them."""
    logs.configure(logging.WARNING)
    folder = load_settings().state_dir / "simulators"
    with simulators(folder, host=host, gateway_port=gateway_port, tsa_port=tsa_port, delay=delay) as played:
        gateway = played.gateway_settings()
        password = gateway.password.get_secret_value() if gateway.password else ""
        place = {"host": gateway.host, "port": gateway.port, "user": gateway.username}
        console.print(_t("simulators.sftp", **place, password=escape(password)))
        console.print(_t("simulators.key", algorithm=gateway.host_key_algorithm, host_key=gateway.host_key))
        console.print(_t("simulators.stamps", url=played.timestamping.url))
        asalae, vitam = played.asalae.settings(), played.vitam.settings()
        secret = asalae.password.get_secret_value()
        console.print(_t("simulators.asalae", url=asalae.address, user=asalae.login, password=escape(secret)))
        told = {"tenant": vitam.tenant, "contract": vitam.access_contract, "folder": folder / "vitam" / "certificates"}
        console.print(_t("simulators.vitam", url=vitam.address, **told))
        console.print(_t("simulators.trust", folder=played.trust_dir))
        console.print(_t("up.stop"))
        wait_for_the_end()
