"""Where to listen and whom to call, checked when the file is read.

The URL of an upstream or a webhook is the only place that may name a host: it carries no user, no query and no
fragment, and never points at the link-local range, where clouds serve the machine's own credentials.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, InstanceOf

from specroute.config.errors import shown
from specroute.config.schema.values.section import Text, refuse

MAX_PORT = 65_535

_LISTEN = re.compile(r"(?:\[(?P<ipv6>[^\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_UNSAFE = re.compile(r"[\x00-\x20\\\x7f]")
_NUMERIC_PART = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address to listen on. ``host`` is a name or an IP address without brackets; port 0: any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """Returns ``HOST:PORT``, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(value: object) -> Address:
    match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise refuse(f'{shown(value)} is not HOST:PORT; write "127.0.0.1:50051", or "[::1]:50051" for IPv6')
    port = int(match["port"])
    if port > MAX_PORT:
        raise refuse(f"port {port} does not exist; write a port from 0 (any free one) to {MAX_PORT}")
    host = match["ipv6"] if match["ipv6"] is not None else match["host"]
    if not host:
        raise refuse(f'no host; write "0.0.0.0:{port}" for every interface or "127.0.0.1:{port}" for this machine')
    if match["ipv6"] is not None:
        _check_ipv6(host)
    elif not _is_host(host):
        raise refuse(f"{shown(host)} is not a host; write an IP address or a host name before the port")
    return Address(host, port)


def _check_ipv6(host: str) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        raise refuse(f"{shown(host)} is not an IPv6 address; write for example [::1]") from None


def _is_host(host: str) -> bool:
    if _HOST.fullmatch(host) is None:
        return False
    # "1.2.3", "2852039166" and "0x7f.1" are other spellings of IP addresses to some resolvers and names to others.
    if _NUMERIC_PART.fullmatch(host.rstrip(".").rpartition(".")[2]) is None:
        return True
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _base_url(url: str) -> str:
    return _called_url(url).rstrip("/")


def _called_url(url: str) -> str:
    if _UNSAFE.search(url):
        raise refuse("a URL holds no spaces, backslashes or control characters; remove them")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refuse("not a URL; write for example https://api.openai.com/v1") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise refuse("not an http or https URL with a host; write for example https://api.openai.com/v1")
    if "@" in parts.netloc:
        raise refuse("a URL holds no user or password; remove it and use api_key_env or api_key_file")
    if "?" in url or "#" in url:
        raise refuse("a base URL holds no query and no fragment; remove everything from '?' or '#'")
    _check_upstream_host(parts.hostname)
    return url


def _check_upstream_host(host: str) -> None:
    if ":" not in host and not _is_host(host):
        raise refuse(f"{shown(host)} is not a host; write a host name or an IP address such as 10.0.0.7")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if ":" in host:
            raise refuse(f"{shown(host)} is not an IPv6 address; write for example [::1]") from None
        return
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped.is_link_local or mapped.is_multicast:
        raise refuse(f"{host} is a link-local or multicast address; write the address of the model's server")


AddressValue = Annotated[InstanceOf[Address], BeforeValidator(_address)]
BaseUrl = Annotated[Text, AfterValidator(_base_url)]
CalledUrl = Annotated[Text, AfterValidator(_called_url)]
"""A URL that is called as it is written."""
