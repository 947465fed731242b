from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select

from src.database import Todo, sessions

router = APIRouter(prefix="/todos")


class Given(BaseModel):
    title: str


@router.get("")
async def todos():
    async with sessions() as session:
        return [{"id": one.id, "title": one.title} for one in await session.scalars(select(Todo))]


@router.post("", status_code=201)
async def create(given: Given):
    async with sessions() as session:
        session.add(Todo(title=given.title))
        await session.commit()
    return {"ok": True}
