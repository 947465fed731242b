from fastapi import FastAPI

from .api import todos_router
from .config import settings


def create_app() -> FastAPI:
    application = FastAPI(title="Phase III")
    application.include_router(todos_router, prefix=settings.API_PREFIX)

    @application.get("/health")
    def health():
        return {"status": "ok"}

    return application


app = create_app()
