from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    API_PREFIX: str = "/api/v1"
    DATABASE_URL: str
    JWT_SECRET_KEY: str
    cors_origins: list[str] = ["http://localhost:3000"]
    access_token_expire_minutes: int = 30


settings = Settings()
