import os
from typing import Optional

from fastapi import Depends, FastAPI
from fastapi.security import OAuth2PasswordRequestForm
from passlib.context import CryptContext
from sqlmodel import Field, Session, SQLModel, create_engine, select

engine = create_engine(
    os.getenv("DATABASE_URL", "postgresql://postgres:postgres@localhost:5432/todos")
)
hashes = CryptContext(schemes=["bcrypt"])
app = FastAPI()


class Message(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    title: str


@app.on_event("startup")
def tables():
    SQLModel.metadata.create_all(engine)


@app.get("/")
def root():
    return {"status": "ok"}


@app.post("/login")
def login(form: OAuth2PasswordRequestForm = Depends()):
    return {"access_token": hashes.hash(form.password)}


@app.get("/chat")
def messages():
    with Session(engine) as session:
        return session.exec(select(Message)).all()


@app.post("/chat")
def say(message: Message):
    with Session(engine) as session:
        session.add(message)
        session.commit()
    return {"ok": True}
