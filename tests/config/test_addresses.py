import pytest

from specroute.config import Address
from tests.config.documents import VALID, changed, only_problem, settings_of

MINI_URL = "base_url: http://127.0.0.1:8000/v1"

ADDRESSES = [
    ("50051", 'listen: 50051 is not HOST:PORT; write "127.0.0.1:50051", or "[::1]:50051" for IPv6'),
    ("localhost", "listen: 'localhost' is not HOST:PORT; write"),
    ("'::1:50051'", "listen: '::1:50051' is not HOST:PORT; write"),
    ("'[::1]:x'", "listen: '[::1]:x' is not HOST:PORT; write"),
    ("'[::g]:1'", "listen: '::g' is not an IPv6 address; write for example [::1]"),
    ("127.0.0.1:65536", "listen: port 65536 does not exist; write a port from 0 (any free one) to 65535"),
    ("':80'", 'listen: no host; write "0.0.0.0:80" for every interface or "127.0.0.1:80" for this machine'),
    ("'*:80'", "listen: '*' is not a host; write an IP address or a host name before the port"),
    ("1.2.3:80", "listen: '1.2.3' is not a host; write"),
]

URLS = [
    ("ftp://h/v1", "not an http or https URL with a host; write for example https://api.openai.com/v1"),
    ("file:///etc/passwd", "not an http or https URL with a host; write for example https://api.openai.com/v1"),
    ("api.openai.com/v1", "not an http or https URL with a host; write for example https://api.openai.com/v1"),
    ("'http://'", "not an http or https URL with a host; write for example https://api.openai.com/v1"),
    ("http://h:99999/", "not a URL; write for example https://api.openai.com/v1"),
    ("'http://[::1'", "not a URL; write for example https://api.openai.com/v1"),
    ("http://u:p@h/v1", "a URL holds no user or password; remove it and use api_key_env or api_key_file"),
    ("http://h@/v1", "not an http or https URL with a host; write for example https://api.openai.com/v1"),
    ("http://h/v1?key=x", "a base URL holds no query and no fragment; remove everything from '?' or '#'"),
    ("'http://h/v1#x'", "a base URL holds no query and no fragment; remove everything from '?' or '#'"),
    ("'http://h/v 1'", "a URL holds no spaces, backslashes or control characters; remove them"),
    ("'http://h\\v1'", "a URL holds no spaces, backslashes or control characters; remove them"),
    (
        "http://169.254.169.254/",
        "169.254.169.254 is a link-local or multicast address; write the address of the model's",
    ),
    ("'http://[::ffff:169.254.169.254]/'", "::ffff:169.254.169.254 is a link-local or multicast address; write"),
    ("'http://[fe80::1]/'", "fe80::1 is a link-local or multicast address; write the address of the model's server"),
    ("http://2852039166/", "'2852039166' is not a host; write a host name or an IP address such as 10.0.0.7"),
    ("http://0xa9fea9fe/", "'0xa9fea9fe' is not a host; write a host name or an IP address such as 10.0.0.7"),
]


@pytest.mark.parametrize(("address", "expected"), ADDRESSES)
def test_a_wrong_address_says_how_to_write_it(address: str, expected: str) -> None:
    text = VALID.replace("listen: 127.0.0.1:0\n", f"listen: {address}\n", 1)

    assert only_problem(text).startswith(f"specroute.yaml:1: {expected}")


@pytest.mark.parametrize(("url", "expected"), URLS)
def test_a_base_url_is_http_with_a_plain_host(url: str, expected: str) -> None:
    line = only_problem(changed(MINI_URL, f"base_url: {url}"))

    assert line.startswith(f"specroute.yaml:8: tiers[0].upstreams[0].base_url: {expected}")


def test_the_service_and_its_metrics_need_two_addresses() -> None:
    text = VALID.replace("listen: 127.0.0.1:0\n", "listen: 127.0.0.1:9464\n", 1)

    assert only_problem(text).startswith(
        "specroute.yaml:2: metrics_listen: 127.0.0.1:9464 is the address of the service"
    )


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ('"[::1]:50051"', Address("::1", 50051)),
        ("localhost:0", Address("localhost", 0)),
        ("0.0.0.0:80", Address("0.0.0.0", 80)),
    ],
)
def test_an_address_is_a_host_and_a_port(written: str, address: Address) -> None:
    settings = settings_of(VALID.replace("listen: 127.0.0.1:0\n", f"listen: {written}\n", 1))

    assert settings.listen == address
    assert str(settings.listen) == written.strip('"')


@pytest.mark.parametrize("url", ["http://vllm:8000/v1", "https://[::1]:1/v1/", "http://10.0.0.7", "http://a_b.c.:80/x"])
def test_a_base_url_loses_only_its_last_slash(url: str) -> None:
    settings = settings_of(changed("base_url: http://127.0.0.1:8000/v1", f'base_url: "{url}"'))

    assert settings.tiers[0].upstreams[0].base_url == url.rstrip("/")
