"""``specroute route`` and ``specroute decide``: a client of a running server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from specroute.cli.calling.connecting import CaFile, CertFile, KeyFile, Tls, client_tls
from specroute.cli.calling.streamed import Delivery, print_json_lines, print_stream, read_wish

if TYPE_CHECKING:
    from specroute.core.stream import DeliveryWish
    from specroute.edge.client.blocking import CallFailed, RouteRequest, RouteResponse
    from specroute.edge.client.channel import ClientTls

DEFAULT_SERVER = "127.0.0.1:50051"
INTERRUPTED = 130

Prompt = Annotated[str | None, typer.Argument(help="The user's prompt.", show_default=False)]
Server = Annotated[str, typer.Option(metavar="HOST:PORT", help="The server.")]
RequestFile = Annotated[
    Path | None, typer.Option("--request", metavar="FILE.json", help="A RouteRequest in the proto's JSON form.")
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="The deadline.", min=0.001)]
Explain = Annotated[bool, typer.Option("--explain", help="Print the decision in words, too.")]
Stream = Annotated[bool, typer.Option("--stream", help="Print the answer as it comes.")]
StreamDelivery = Annotated[
    Delivery | None,
    typer.Option(
        help="With --stream, show text: once the winner is fixed (the default) | after a window, too | at once, and "
        "taken back where it loses (on a terminal only).",
        show_default=False,
    ),
]
HoldTokens = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=1_000_000, help="With hold_back: tokens in the window.", show_default=False),
]
HoldDuration = Annotated[
    str | None,
    typer.Option(metavar="250ms", help="With hold_back: how long the window lasts.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print the reply in the proto's JSON form.")]


def route(
    prompt: Prompt = None,
    server: Server = DEFAULT_SERVER,
    request: RequestFile = None,
    timeout: Timeout = 60.0,
    stream: Stream = False,
    delivery: StreamDelivery = None,
    hold_tokens: HoldTokens = None,
    hold_duration: HoldDuration = None,
    explain: Explain = False,
    as_json: Json = False,
    tls: Tls = False,
    ca: CaFile = None,
    cert: CertFile = None,
    key: KeyFile = None,
) -> None:
    """Send one request to a running server and print the answer.

    With --stream it is printed as it comes, and --json prints one event a line.

    Example: specroute route "What is the capital of Peru?" --explain

    Example: specroute route "Tell me about Lima." --stream --delivery hold_back --hold-tokens 32
    """
    wish = read_wish(stream=stream, delivery=delivery, hold_tokens=hold_tokens, hold_duration=hold_duration)
    secured = client_tls(_give_up, tls=tls, ca=ca, cert=cert, key=key)
    message = _request(prompt, request)
    if stream:
        _stream(message, server, secured, timeout, wish, explain=explain, as_json=as_json)
        return
    from specroute.edge.client import blocking as client

    try:
        reply = client.route(server, message, timeout, secured)
    except client.CallFailed as failure:
        _fail(failure, explain=explain)
    if as_json:
        typer.echo(client.to_json(reply))
        return
    if reply.output.text:
        typer.echo(reply.output.text)
    for call in reply.output.tool_calls:
        typer.echo(f"{call.name}({call.arguments_json})")
    if explain:
        _explain(reply)


def _stream(
    message: RouteRequest,
    server: str,
    tls: ClientTls | None,
    timeout_s: float,
    wish: DeliveryWish,
    *,
    explain: bool,
    as_json: bool,
) -> None:
    from specroute.edge.client import blocking as client

    try:
        if as_json:
            print_json_lines(server, message, wish, timeout_s, tls)
            return
        reply = print_stream(server, message, wish, timeout_s, tls)
    except client.CallFailed as failure:
        _fail(failure, explain=explain)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if reply is None:
        typer.echo(f"{server} ended the stream without saying how; is it a specroute server?", err=True)
        raise typer.Exit(1)
    if explain:
        _explain(reply)


def _explain(reply: RouteResponse) -> None:
    from specroute.edge.client.explain import explain

    typer.echo(f"\nanswered   by {reply.tier} ({reply.model} on {reply.upstream})\n{explain(reply.decision)}")


def decide(
    prompt: Prompt = None,
    server: Server = DEFAULT_SERVER,
    request: RequestFile = None,
    timeout: Timeout = 10.0,
    as_json: Json = False,
    tls: Tls = False,
    ca: CaFile = None,
    cert: CertFile = None,
    key: KeyFile = None,
) -> None:
    """Ask a running server what it would do with a request; calls no model.

    Example: specroute decide "Prove that there are infinitely many primes."
    """
    secured = client_tls(_give_up, tls=tls, ca=ca, cert=cert, key=key)
    from specroute.edge.client import blocking as client
    from specroute.edge.client.explain import explain as in_words

    message = _request(prompt, request)
    try:
        reply = client.decide(server, message, timeout, secured)
    except client.CallFailed as failure:
        _fail(failure, explain=False)
    typer.echo(client.to_json(reply) if as_json else in_words(reply.decision))


def _request(prompt: str | None, path: Path | None) -> RouteRequest:
    from specroute.edge.client.blocking import prompt_request, read_request

    if (prompt is None) == (path is None):
        raise typer.BadParameter('give a prompt, "..." , or --request FILE.json, and not both')
    if path is None:
        return prompt_request(prompt or "")
    try:
        return read_request(path)
    except ValueError as error:
        _give_up(1, str(error))


def _give_up(code: int, message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)


def _fail(failure: CallFailed, *, explain: bool) -> NoReturn:
    from specroute.edge.client.explain import explain as in_words

    typer.echo(str(failure), err=True)
    if explain and failure.decision is not None:
        typer.echo(in_words(failure.decision), err=True)
    raise typer.Exit(1)
