from fastapi import APIRouter
from schemas import LoginForm

router = APIRouter(prefix="/auth")


@router.post("/login")
def login(form: LoginForm):
    return {"token": form.email}
