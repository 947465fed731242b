from fastapi import FastAPI
from models.todo import Todo

DATABASE = "sqlite:///./todo.db"
app = FastAPI()


@app.get("/health")
def health():
    return {"todo": Todo.__name__}
