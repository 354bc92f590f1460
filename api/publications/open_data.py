"""The délibérations of a collectivité as open data: the schema « Délibérations » of the Socle commun des données locales.

Version 2.1.4 of schema.data.gouv.fr/scdl/deliberations: UTF-8, comma, the columns in their order, days as ISO 8601. What is not
known here stays empty, which the schema allows: how people voted, the budget, and which préfecture or sous-préfecture it was. A
délibération whose transmission was cancelled is left out: no column could say so, and PREF_DATE would be untrue.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.publications.answering import tag_of, validated
from api.publications.finding import METHODS, ORGANISATION, Open, address, root_of
from api.web.visitor import Parts
from core.errors import NotFound
from core.messages import Catalogue
from flows.actes import published
from flows.actes.models import ActesPublication
from flows.actes.published import PublicOrganisation

router = APIRouter()
_t = Catalogue("api.publications")
COLUMNS = (
    "COLL_NOM",
    "COLL_SIRET",
    "DELIB_ID",
    "DELIB_DATE",
    "DELIB_MATIERE_CODE",
    "DELIB_MATIERE_NOM",
    "DELIB_OBJET",
    "BUDGET_ANNEE",
    "BUDGET_NOM",
    "PREF_ID",
    "PREF_DATE",
    "VOTE_EFFECTIF",
    "VOTE_REEL",
    "VOTE_POUR",
    "VOTE_CONTRE",
    "VOTE_ABSTENTION",
    "DELIB_URL",
)
_LEVELS = 2
_MAIN = "document"


@router.api_route(f"{ORGANISATION}/deliberations.csv", methods=METHODS)
def deliberations(request: Request, platform: Parts, organisation: Open) -> Response:
    """Give every délibération that is online; not to be had of an organisation without a SIRET, which the schema asks for."""
    if organisation.siret is None:
        raise NotFound(_t("csv.no_siret"))
    octets = written(organisation, published.deliberations(platform, organisation), root_of(request, platform))
    name = f"deliberations-{organisation.siret}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return validated(request, tag_of(octets), lambda: Response(octets, media_type="text/csv; charset=utf-8", headers=headers))


def written(organisation: PublicOrganisation, publications: Iterable[ActesPublication], root: str) -> bytes:
    """Return délibérations as a file of the schema.

    Args:
        organisation: whose; it has a SIRET.
        publications: of nature 1.
        root: address of the site, without a slash at its end.
    """
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    table.writeheader()
    for publication in publications:
        table.writerow(
            {
                "COLL_NOM": organisation.name,
                "COLL_SIRET": organisation.siret,
                "DELIB_ID": publication.number,
                "DELIB_DATE": publication.decision_date.isoformat(),
                "DELIB_MATIERE_CODE": ".".join(publication.matieres.split(".")[:_LEVELS]),
                "DELIB_MATIERE_NOM": _matiere(publication),
                "DELIB_OBJET": publication.subject,
                "PREF_DATE": publication.reception_date.isoformat(),
                "DELIB_URL": f"{root}{address(organisation.siren, publication.id)}{_document(publication)}",
            }
        )
    return text.getvalue().encode()


def _document(publication: ActesPublication) -> str:
    """Return where the délibération itself is, below the page of its act; nowhere when its annexes alone are published."""
    roles = [file["role"] for file in publication.files]
    return f"/documents/{roles.index(_MAIN) + 1}" if _MAIN in roles else ""


def _matiere(publication: ActesPublication) -> str:
    """Return the labels of the first two levels: in small letters, without comma or parenthesis, a slash between them."""
    labels = (publication.matiere_label or publication.matieres).split(" / ")[:_LEVELS]
    return "/".join(" ".join(re.sub(r"[,()]", " ", label).split()).lower() for label in labels)
