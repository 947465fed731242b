from contextlib import asynccontextmanager

from fastapi import FastAPI

from src.database import Base, engine
from src.routes import router


@asynccontextmanager
async def lifespan(app):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield


app = FastAPI(lifespan=lifespan)
app.include_router(router, prefix="/api")


@app.get("/api/health")
async def health():
    return {"status": "ok"}
