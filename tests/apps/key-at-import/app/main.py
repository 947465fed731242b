import json
import os
from pathlib import Path

from fastapi import FastAPI, UploadFile
from openai import OpenAI
from pydantic import BaseModel

client = OpenAI(api_key=os.getenv("OPENAI_API_KEY"))
DATA = Path(__file__).parent / "todos.json"
app = FastAPI()
os.makedirs("uploads", exist_ok=True)


class Given(BaseModel):
    title: str


def stored():
    return json.loads(DATA.read_text()) if DATA.exists() else []


@app.get("/todos")
def todos():
    return stored()


@app.post("/todos")
def create(given: Given):
    found = stored()
    with open(DATA, "w") as file:
        json.dump([*found, {"id": len(found) + 1, "title": given.title}], file)
    return {"ok": True}


@app.post("/upload")
async def upload(file: UploadFile):
    Path("uploads", "latest").write_bytes(await file.read())
    return {"ok": True}
