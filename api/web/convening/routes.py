"""The pages of convocations, gathered: fixed addresses before those that hold an identifier."""

from __future__ import annotations

from fastapi import APIRouter

from api.web.convening import assemblies, closing, convene, listing, meeting, members, papers

router = APIRouter()
for part in (listing, convene, meeting, papers, closing, assemblies, members):
    router.include_router(part.router)
