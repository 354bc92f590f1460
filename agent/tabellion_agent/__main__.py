"""The program: ``tabellion-agent tabellion-agent://plateforme.example/?ticket=…``, as browsers call it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tabellion_agent import __version__, terminal, token
from tabellion_agent.errors import BadLink
from tabellion_agent.link import Link
from tabellion_agent.settings import Settings


def main() -> None:
    """Sign what the link names, in a window or at the terminal."""
    given = _arguments()
    settings = Settings.load()
    if given.module is not None and given.remember:
        settings.module = str(given.module)
        settings.save()
    module = given.module or (Path(settings.module) if settings.module else None)
    modules = (module,) if module is not None else tuple(path for path in token.KNOWN_MODULES if path.exists())
    try:
        link = Link.read(given.link, insecure_localhost=given.insecure_localhost)
    except BadLink as error:
        sys.exit(str(error))
    if given.trust_origin and link.origin not in settings.origins:
        settings.approve(link.origin)
    if given.terminal:
        choices = terminal.Choices(modules, given.certificate, given.pin_file, given.documents, given.yes)
        sys.exit(terminal.run(link, settings, choices))
    from tabellion_agent import window  # only here: the terminal works where tkinter is not installed

    sys.exit(window.run(link, settings, modules))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tabellion-agent", description="Signe, avec la clé de votre jeton, ce que la plateforme Tabellion a préparé."
    )
    parser.add_argument("link", metavar="tabellion-agent://…", help="adresse donnée par la plateforme")
    parser.add_argument("--module", type=Path, help="module PKCS#11 du jeton, s’il n’est pas trouvé seul")
    parser.add_argument("--remember", action="store_true", help="retenir ce module pour les prochaines fois")
    parser.add_argument("--trust-origin", action="store_true", help="approuver cette plateforme sans question")
    parser.add_argument("--insecure-localhost", action="store_true", help="http vers cet ordinateur même : essais seulement")
    parser.add_argument("--terminal", action="store_true", help="sans fenêtre")
    alone = parser.add_argument_group("avec --terminal")
    alone.add_argument("--certificate", help="partie du nom du certificat à employer")
    alone.add_argument("--pin-file", type=Path, help="fichier qui contient le code PIN")
    alone.add_argument("--documents", type=Path, help="dossier où déposer les documents avant de signer")
    alone.add_argument("--yes", action="store_true", help="signer sans dernière question")
    parser.add_argument("--version", action="version", version=f"tabellion-agent {__version__}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
