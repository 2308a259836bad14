"""compose.yaml and the Dockerfile name only what there is: roles, settings, health checks; and hold no secret."""

import re
from pathlib import Path

import pytest

from bot.app import ROLES
from bot.config import Settings, load_settings
from bot.web.security import UNGUARDED

ROOT = Path(__file__).parents[1]
COMPOSE = (ROOT / "compose.yaml").read_text("utf-8")
LINES = [line for line in COMPOSE.splitlines() if line.strip() and not line.strip().startswith("#")]


def sections() -> dict[str, str]:
    """The top level's keys, and below `services` each service, with their lines."""
    found: dict[str, str] = {}
    name = ""
    for line in LINES:
        if match := re.match(r"(?:  )?([\w-]+):", line):
            name = match[1]
        found[name] = f"{found.get(name, '')}{line}\n"
    return found


def test_each_role_is_a_service_of_the_one_image() -> None:
    assert tuple(re.findall(r'command: \["paperwire", "run", "--role", "(\w+)"\]', COMPOSE)) == ROLES
    for role in ROLES:
        assert f'"--role", "{role}"' in sections()[role]
        assert "<<: *paperwire" in sections()[role]
    assert re.findall("^ +image: (.+)$", COMPOSE, re.M) == ["paperwire", "postgres:17"]


def test_every_setting_it_names_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        f"PAPERWIRE_{section}__{key}".upper() for section, values in Settings() for key in type(values).model_fields
    }
    assert set(re.findall(r"\bPAPERWIRE_\w+", COMPOSE)) - known == {"PAPERWIRE_SECTION__KEY"}
    for variable, value in re.findall(r"^ +(PAPERWIRE_\w+): (.+)$", COMPOSE, re.M):
        monkeypatch.setenv(variable, re.sub(r"\$\{[^}]+\}", "s3cret", value))
    settings = load_settings(ROOT / "config.example.toml")
    assert settings.database.url == "postgresql://paperwire:s3cret@postgres/paperwire"
    assert settings.web.password.get_secret_value() == "s3cret"


def test_no_secret_stands_in_it() -> None:
    secrets = [line for line in LINES if re.search(r"(PASSWORD|TOKEN|DATABASE__URL):", line)]
    assert len(secrets) == 3
    for line in secrets:
        assert re.search(r"\$\{\w+:\?Set it in \.env\}", line), line
    for ignored in (".gitignore", ".dockerignore"):
        assert ".env" in (ROOT / ignored).read_text("utf-8").splitlines()


@pytest.mark.parametrize("file", ["compose.yaml", "Dockerfile"])
def test_health_checks_ask_paths_that_need_no_password_at_the_port_that_is_listened_on(file: str) -> None:
    asked = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", (ROOT / file).read_text("utf-8"))
    assert asked
    assert {port for port, _ in asked} == {str(Settings().web.port)}
    assert {path for _, path in asked} <= UNGUARDED


def test_every_service_waits_until_postgresql_is_healthy() -> None:
    assert "depends_on:\n    postgres:\n      condition: service_healthy\n" in COMPOSE
    assert "pg_isready" in sections()["postgres"]
