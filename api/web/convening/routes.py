"""The pages of convocations, gathered: fixed addresses before those that hold an identifier."""

from __future__ import annotations

from fastapi import APIRouter

from api.web.convening import closing, convene, listing, meeting, papers

router = APIRouter()
for part in (listing, convene, meeting, papers, closing):
    router.include_router(part.router)
