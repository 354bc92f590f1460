"""The pages, gathered."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import RedirectResponse

from api.web.deposit import page as deposit
from api.web.dossier import page as dossier
from api.web.dossiers import page as dossiers
from api.web.record import page as record
from api.web.sign_in import page as sign_in

router = APIRouter(include_in_schema=False)
for page in (sign_in, dossiers, dossier, record, deposit):
    router.include_router(page.router)


@router.get("/")
def home() -> RedirectResponse:
    """Go to the list."""
    return RedirectResponse("/dossiers", status_code=303)
