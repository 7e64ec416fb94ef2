"""Tokens and the API's answers to requests that it does not let in."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from ds_provider.sandbox.graphql.errors import RefusalError, refusal
from ds_provider.sandbox.graphql.schema import is_january
from ds_provider.sandbox.world.clock import DAY, next_paris
from ds_provider.sandbox.world.ids import seeded_rng

# what is allowed without a token, as the server says it now and as it said it in January 2026
PUBLIC_ONLY = (
    "Without a token, only the public getDemarcheDescriptor and getDemarcheDescriptors queries and introspection "
    "are allowed"
)
STORED_ONLY = "Without a token, only persisted queries are allowed"
ELSEWHERE = "192.0.2.0/24"  # kept for documentation: no client calls from there


@dataclass(frozen=True)
class Token:
    """A token of the sandbox.

    :ivar network: network from which it may be used; None for any
    :ivar expires_at: midnight in Paris at which its last day begins, in microseconds since the epoch; None for never
    :ivar entitled: whether it has a right on the démarche
    """

    value: str
    network: str | None = None
    expires_at: int | None = None
    entitled: bool = True


class Tokens:
    """The sandbox's tokens, the same for the same seed. They are of no use on any other service.

    :param origin: first instant of the world, in microseconds since the epoch; the expired token ended before it
    """

    def __init__(self, seed: int, origin: int) -> None:
        self.main = Token(_draw(seed, "main"))
        self.expired = Token(_draw(seed, "expired"), expires_at=origin - 10 * DAY)
        self.ip_locked = Token(_draw(seed, "ip_locked"), network=ELSEWHERE)
        self.without_rights = Token(_draw(seed, "without_rights"), entitled=False)

    def named(self) -> dict[str, str]:
        """Return each token's value by its name."""
        return {name: token.value for name, token in vars(self).items()}

    def authenticate(self, authorization: str | None, address: str, now: int) -> Token | None:
        """Return the token of a request's `Authorization` header, None if it holds none that exists.

        :param address: IP address of the caller
        :param now: microseconds since the epoch
        :raises RefusalError: with HTTP 403 or 401, in the API's words
        """
        value = read_header(authorization)
        tokens = (self.main, self.expired, self.ip_locked, self.without_rights)
        token = next((token for token in tokens if token.value == value), None)
        if token is None:
            return None
        if token.network and ip_address(address) not in ip_network(token.network):
            where = f"{address}/{ip_address(address).max_prefixlen}"
            message = f"Request issued from a forbidden network. Add {where} to your allowed adresses in your /profil"
            raise refusal(403, message, "forbidden")
        if token.expires_at is not None and now >= next_paris(token.expires_at + 1, 0):
            raise refusal(401, "Token expired", "unauthorized")
        return token


NO_TOKEN = Token("", entitled=False)


def token_required() -> RefusalError:
    """Build the refusal of a request that needs a token and has none that exists."""
    return refusal(403, STORED_ONLY if is_january() else PUBLIC_ONLY, "forbidden")


def read_header(authorization: str | None) -> str | None:
    """Return the token in ``Bearer x``, ``Bearer token=x`` or ``Token token=x``, None if there is none."""
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme not in ("Bearer", "Token"):
        return None
    return rest.strip().removeprefix("token=").strip('"') or None


def _draw(seed: int, name: str) -> str:
    rng = seeded_rng("token", seed, name)
    secret = "".join(rng.choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=24))
    return urlsafe_b64encode(f"{uuid.UUID(int=rng.getrandbits(128), version=4)};{secret}".encode()).decode()
