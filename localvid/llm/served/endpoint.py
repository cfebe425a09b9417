"""Where a chat model on a server is reached and with which key: read out of the settings and checked.

Nothing is sent from here, and no provider's package is imported.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from localvid.addresses import is_loopback
from localvid.config import Settings
from localvid.errors import InvalidSettingsError
from localvid.schemas import Frozen, Obstacle

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_PATH = re.compile(r"[A-Za-z0-9._~/%+,:=-]*")


class Provider(Frozen):
    """A protocol for chat models, called after whoever made it; others speak it too."""

    name: str
    """What model ids begin with, and the settings `<name>_base_url` and `<name>_api_key`."""
    title: str
    package: str
    adapter: str
    base_url: str
    """The provider's own."""


PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider(
            name="openai",
            title="OpenAI",
            package="openai",
            adapter="localvid.llm.served.openai_writer:OpenAIWriter",
            base_url="https://api.openai.com/v1",
        ),
        Provider(
            name="anthropic",
            title="Anthropic",
            package="anthropic",
            adapter="localvid.llm.served.anthropic_writer:AnthropicWriter",
            base_url="https://api.anthropic.com",
        ),
    )
}


def provider_of(model_id: str) -> Provider:
    """The provider of a served model's id: "openai:gpt-4.1-mini"."""
    return PROVIDERS[model_id.partition(":")[0]]


class Endpoint(Frozen):
    """One provider's protocol at one address."""

    provider: Provider
    base_url: str
    """Without user name, password, query and closing slash."""
    api_key: SecretStr | None

    @property
    def host(self) -> str:
        """For messages: "api.openai.com", "127.0.0.1:8080"."""
        return urlsplit(self.base_url).netloc

    @property
    def is_here(self) -> bool:
        """Whether it is this machine."""
        return is_loopback(urlsplit(self.base_url).hostname or "")

    @property
    def is_providers_own(self) -> bool:
        return self.base_url == self.provider.base_url


def endpoint_of(provider: Provider, settings: Settings) -> Endpoint:
    """The endpoint that the settings name.

    Raises InvalidSettingsError, which shows neither, for an address or a key that cannot be one.
    """
    base_url: str | None = getattr(settings, f"{provider.name}_base_url")
    api_key: SecretStr | None = getattr(settings, f"{provider.name}_api_key")
    return Endpoint(
        provider=provider,
        base_url=_checked_url(base_url, provider) if base_url else provider.base_url,
        api_key=_checked_key(api_key, provider) if api_key else None,
    )


def obstacle_to(endpoint: Endpoint, settings: Settings) -> Obstacle | None:
    """Why nothing may be sent there; None if something may."""
    name = endpoint.provider.name
    if settings.offline and not endpoint.is_here:
        return Obstacle(
            f"localvid is set to be offline, and {endpoint.host} is not this machine",
            f"unset offline, or name a server on this machine with {name}_base_url",
        )
    if endpoint.api_key is None and endpoint.is_providers_own:
        return Obstacle(
            f"there is no key for {endpoint.host}",
            f"{key_hint(endpoint.provider)}; or name another server with {name}_base_url",
        )
    if endpoint.api_key is not None and not endpoint.is_here and endpoint.base_url.startswith("http:"):
        return Obstacle(
            f"the key would go to {endpoint.host} in the clear",
            f"name an address with https in {name}_base_url, or leave the key out",
        )
    return None


def key_hint(provider: Provider) -> str:
    """How a key is given, which depends on whether localvid's own settings name the address."""
    name = provider.name
    return f"set {name.upper()}_API_KEY, or where {name}_base_url is set LOCALVID_{name.upper()}_API_KEY"


def _checked_url(text: str, provider: Provider) -> str:
    """The address without a closing slash, its host in lower case."""
    setting = f"{provider.name}_base_url"
    hint = f"write it as {provider.base_url}; {setting.upper()} and LOCALVID_{setting.upper()} count too"
    try:
        url = urlsplit(text.strip())
        port_is_one = url.port != 0
    except ValueError:
        url, port_is_one = urlsplit(""), False
    if "@" in url.netloc or url.query or url.fragment:
        raise InvalidSettingsError(
            f"{setting} holds more than an address: a user name, a password or a query",
            hint=f"a key stands in {provider.name}_api_key; {hint}",
        )
    whole = url.scheme in ("http", "https") and _HOST.fullmatch(url.netloc) and _PATH.fullmatch(url.path)
    if not whole or not port_is_one:
        raise InvalidSettingsError(f"{setting} is no address of a server", hint=hint)
    return f"{url.scheme}://{url.netloc.lower()}{url.path.rstrip('/')}"


def _checked_key(key: SecretStr, provider: Provider) -> SecretStr | None:
    text = key.get_secret_value().strip()
    if any(not "!" <= char <= "~" for char in text):
        raise InvalidSettingsError(
            f"{provider.name}_api_key holds characters that no key has",
            hint=f"copy the key again; {provider.name.upper()}_API_KEY counts too",
        )
    return SecretStr(text) if text else None
