"""The page that the browser tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tools.chromium import Page

#: Odd, but without a space or a dot: of folders with one the host does not serve every page file or help.
FOLDER = "any-name_1"
#: Large, so that a whole workflow is legible.
SIZE = (2800, 1500)
Result = TypeVar("Result")


class Browser:
    """A page, and the loop that its connection belongs to."""

    def __init__(self, page: Page, loop: asyncio.AbstractEventLoop) -> None:
        self.page = page
        self._loop = loop

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)
