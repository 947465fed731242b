from fastapi import FastAPI

from src.routes import router

app = FastAPI()
app.include_router(router, prefix="/api")


@app.get("/api/health")
async def health():
    return {"status": "ok"}
