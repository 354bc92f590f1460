"""The recipients' pages, gathered: those of a visit first, since a link may be any word."""

from __future__ import annotations

from fastapi import APIRouter

from api.courrier import answering, attending, link, reading

router = APIRouter(include_in_schema=False)
for part in (reading, answering, attending, link):
    router.include_router(part.router)
