"""The heads of the journal over the API, and the proof that one continues another: for whoever keeps a watch on the platform."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from sqlmodel import col, select

from api import downloads
from api.v1.access import Caller, Parts
from archive.models import TreeHead, TreeSegment
from archive.proof.consistency import consistency_of, write_consistency
from archive.proof.head import Head
from core.principal import PLATFORM
from flows.engine.reading import counted

router = APIRouter(prefix="/v1/journal", tags=["Journal"])
ZIP = {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}, "description": "The proof."}


class HeadShape(BaseModel):
    """A timestamped head of the journal: nothing in it is of an organisation."""

    size: int = Field(description="Number of entries.")
    root: str = Field(description="Root of the tree, hexadecimal (RFC 9162).")
    hash: str = Field(description="Hash of the tree.", examples=["SHA-256"])
    origin: str = Field(description="Name of the journal.")
    stamped: datetime = Field(description="When the authority says that it existed.")
    copied: bool = Field(description="Whether the journal up to here stands outside the database, in every place of the archive.")


class HeadPage(BaseModel):
    """A page of heads, newest first."""

    heads: list[HeadShape]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: int | None = Field(description="For `before`, to go on; absent at the end.")


@router.get("/heads", summary="List the heads of the journal")
def heads(
    platform: Parts,
    _caller: Caller,
    before: Annotated[
        int | None, Query(ge=1, le=1 << 53, description="Size below which to begin, from `next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> HeadPage:
    """Return a page of heads, newest first."""
    wanted = select(TreeHead).order_by(col(TreeHead.size).desc()).limit(limit + 1)
    if before is not None:
        wanted = wanted.where(TreeHead.size < before)
    with platform.database.reading(PLATFORM) as session:
        rows = list(session.exec(wanted))
        sizes = [row.size for row in rows]
        copied = select(TreeSegment.size).where(col(TreeSegment.size).in_(sizes), col(TreeSegment.sealed).is_not(None))
        outside = set(session.exec(copied))
        total, exact = counted(session, select(TreeHead.size))
    shown = [_shape(row, row.size in outside) for row in rows[:limit]]
    after = shown[-1].size if len(rows) > limit else None
    return HeadPage(heads=shown, total=total, total_exact=exact, next=after)


@router.get("/consistency", summary="Prove that a head continues another", response_class=FileResponse, responses={200: ZIP})
def consistency(
    platform: Parts,
    _caller: Caller,
    first: Annotated[int, Query(ge=1, le=2**53, description="Size of the older head.")],
    second: Annotated[int, Query(ge=1, le=2**53, description="Size of the newer one.")],
) -> FileResponse:
    """Return both heads with their tokens and the path between them, to be verified anywhere."""
    proof = consistency_of(platform, first, second)
    return downloads.zipped(f"continuite-{first}-{second}.zip", lambda target: write_consistency(proof, target))


def _shape(row: TreeHead, copied: bool) -> HeadShape:
    head = Head.read(row.head)
    return HeadShape(size=row.size, root=head.root.hex(), hash=head.hash, origin=head.origin, stamped=row.stamped, copied=copied)
