from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel
from sqlalchemy import Column, Integer, String, create_engine
from sqlalchemy.orm import Session, declarative_base

engine = create_engine("sqlite:///./todo.db", connect_args={"check_same_thread": False})
Base = declarative_base()


class Todo(Base):
    __tablename__ = "todos"
    id = Column(Integer, primary_key=True)
    title = Column(String)


Base.metadata.create_all(engine)
app = FastAPI()
app.add_middleware(
    CORSMiddleware,
    allow_origins=["http://localhost:3000"],
    allow_methods=["*"],
    allow_headers=["*"],
)


class Given(BaseModel):
    title: str


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/todos/")
def todos():
    with Session(engine) as session:
        return [{"id": one.id, "title": one.title} for one in session.query(Todo)]


@app.post("/todos/")
def create(given: Given):
    with Session(engine) as session:
        session.add(Todo(title=given.title))
        session.commit()
    return {"ok": True}


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="0.0.0.0", port=8000)
