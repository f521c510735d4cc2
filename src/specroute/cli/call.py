"""``specroute route`` and ``specroute decide``: a client of a running server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from specroute.edge.client.blocking import CallFailed, RouteRequest

DEFAULT_SERVER = "127.0.0.1:50051"

Prompt = Annotated[str | None, typer.Argument(help="The user's prompt.", show_default=False)]
Server = Annotated[str, typer.Option(metavar="HOST:PORT", help="The server.")]
RequestFile = Annotated[
    Path | None, typer.Option("--request", metavar="FILE.json", help="A RouteRequest in the proto's JSON form.")
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="The deadline.", min=0.001)]
Explain = Annotated[bool, typer.Option("--explain", help="Print the decision in words, too.")]
Json = Annotated[bool, typer.Option("--json", help="Print the reply in the proto's JSON form.")]


def route(
    prompt: Prompt = None,
    server: Server = DEFAULT_SERVER,
    request: RequestFile = None,
    timeout: Timeout = 60.0,
    explain: Explain = False,
    as_json: Json = False,
) -> None:
    """Send one request to a running server and print the answer.

    Example: specroute route "What is the capital of Peru?" --explain
    """
    from specroute.edge.client import blocking as client
    from specroute.edge.client.explain import explain as in_words

    message = _request(prompt, request)
    try:
        reply = client.route(server, message, timeout)
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
        typer.echo(f"\nanswered   by {reply.tier} ({reply.model} on {reply.upstream})\n{in_words(reply.decision)}")


def decide(
    prompt: Prompt = None,
    server: Server = DEFAULT_SERVER,
    request: RequestFile = None,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> None:
    """Ask a running server what it would do with a request; calls no model.

    Example: specroute decide "Prove that there are infinitely many primes."
    """
    from specroute.edge.client import blocking as client
    from specroute.edge.client.explain import explain as in_words

    message = _request(prompt, request)
    try:
        reply = client.decide(server, message, timeout)
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
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _fail(failure: CallFailed, *, explain: bool) -> NoReturn:
    from specroute.edge.client.explain import explain as in_words

    typer.echo(str(failure), err=True)
    if explain and failure.decision is not None:
        typer.echo(in_words(failure.decision), err=True)
    raise typer.Exit(1)
