"""What of a growing answer is certain to be delivered, so that it can be shown before the rest has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.core.request import ChoicesOutput, JsonObjectOutput, JsonSchemaOutput
from specroute.validators.structured.fence import Fence, opened_fence

if TYPE_CHECKING:
    from specroute.core.request import RouteRequest


class DeliverableText:
    """The form in which one answer is delivered (``deliverable_text``), while it grows.

    What it calls certain only ever grows, and what is delivered of an answer that keeps its contract begins with it.

    Attributes:
        is_verbatim: everything that comes from now on is delivered as it comes.
    """

    __slots__ = ("_fence", "_has_tools", "_is_choice", "is_verbatim")

    def __init__(self, request: RouteRequest) -> None:
        self._is_choice = isinstance(request.output, ChoicesOutput)
        self._has_tools = bool(request.generation.tools)
        self._fence: Fence | None = None
        self.is_verbatim = not isinstance(request.output, ChoicesOutput | JsonObjectOutput | JsonSchemaOutput)

    def certain(self, text: str) -> str:
        """Returns what is certain of ``text``, all that has come so far: a copy, so not free for a long answer."""
        if self.is_verbatim:
            return text
        if self._is_choice:
            return ""
        if self._fence is None:
            self._fence = opened_fence(text)
        fence = self._fence
        if fence is None:
            return ""
        if not fence.mark:
            self.is_verbatim = True
            return text
        # Beside tool calls a text keeps its fence, and what stands on the line of the mark is joined anew: rare enough
        # to wait for the end.
        if self._has_tools or fence.line:
            return ""
        return fence.unclosed(fence.inside(text))
