"""The routes of a folder, gathered."""

from __future__ import annotations

from fastapi import APIRouter

from api.web.folder import acting, dealing, mailing, page, pes, uploading

router = APIRouter()
for part in (page, pes, acting, dealing, mailing, uploading):
    router.include_router(part.router)
