from fastapi import APIRouter
from sqlmodel import Session, create_engine, select

from ..config import settings
from ..models import Todo

engine = create_engine(settings.DATABASE_URL)
router = APIRouter(prefix="/todos", tags=["todos"])


@router.get("/")
def todos():
    with Session(engine) as session:
        return session.exec(select(Todo)).all()


@router.post("/", status_code=201)
def create(todo: Todo):
    with Session(engine) as session:
        session.add(todo)
        session.commit()
    return {"ok": True}
