from .todos import router as todos_router

__all__ = ["todos_router"]
