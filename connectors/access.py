"""How an operator gives access to a source: credentials, certificates, a proxy, a rate.

The same members stand for upstreams and for package registries. Secrets come from the environment
or from files, are never shown, and go to the source's own address alone.
"""

import base64
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.errors import ConnectorError
from connectors.http.routes import Route, base_of, is_loopback


class Access(BaseModel):
    """An operator's settings of one source."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: SecretStr | None = Field(None, description="Sent as Bearer")
    token_file: Path | None = None
    username: str | None = Field(None, description="Sent as Basic, with a password")
    password: SecretStr | None = None
    password_file: Path | None = None
    ca_bundle: Path | None = Field(None, description="PEM file that its certificate is checked by")
    proxy: SecretStr | None = Field(None, description="http(s)://[USER:PASSWORD@]HOST:PORT")
    rate: float | None = Field(None, ge=0, description="Requests per second, 0 = unlimited")

    @field_validator("proxy")
    @classmethod
    def _is_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write http://[USER:PASSWORD@]HOST:PORT")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> "Access":
        tokens = [value for value in (self.token, self.token_file) if value is not None]
        passwords = [value for value in (self.password, self.password_file) if value is not None]
        if len(tokens) + len(passwords) > 1:
            raise ValueError("give one of token, token_file, password, password_file")
        if bool(passwords) != (self.username is not None):
            raise ValueError("username and password (or password_file) belong together")
        return self

    @property
    def has_credentials(self) -> bool:
        return any(value is not None for value in (self.token, self.token_file, self.username))

    def route(self, bases: Iterable[str]) -> Route:
        """How to reach the source; the credentials go to these base URLs only.

        Secrets are read from their files now. Raises ConnectorError.
        """
        secret = self.authorization()
        return Route(
            ca_bundle=str(self.ca_bundle) if self.ca_bundle else None,
            proxy=self.proxy.get_secret_value() if self.proxy else None,
            authorization={base_of(base): secret for base in bases} if secret else {},
        )

    def authorization(self) -> str | None:
        """The value of the Authorization header; None without credentials.

        Raises ConnectorError if a secret's file cannot be read.
        """
        if self.token is not None or self.token_file is not None:
            return f"Bearer {_secret(self.token, self.token_file)}"
        if self.username is None:
            return None
        pair = f"{self.username}:{_secret(self.password, self.password_file)}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


def safe_url(value: str) -> str:
    """A base URL that credentials may be sent to. Raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write https://HOST[:PORT][/PATH]")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("credentials have fields of their own; no query, no fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("plain http is for loopback addresses only; write https")
    return value.rstrip("/")


def _secret(value: SecretStr | None, file: Path | None) -> str:
    """Raises ConnectorError, without the secret, for one that no header can hold."""
    if value is not None:
        secret, place = value.get_secret_value(), "the settings"
    else:
        assert file is not None
        place = str(file)
        try:
            secret = file.read_text("utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise ConnectorError(f"the secret in {file} cannot be read: {error}") from error
    if not (secret.isascii() and secret.isprintable()):
        raise ConnectorError(f"the secret in {place} is not one line of ASCII")
    return secret
