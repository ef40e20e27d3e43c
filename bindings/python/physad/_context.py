# SPDX-License-Identifier: Apache-2.0
"""The context: threads, seed, memory limit, cancelling."""
from __future__ import annotations

import os
import threading
from typing import Any

from ._errors import StateError
from ._handle import Handle
from ._native import lib

_lock = threading.Lock()
_default: Context | None = None
_used = False
_forked = False


def _after_fork() -> None:
    # The threads of the compute runtime do not come along; a parallel call of the child would wait for them for ever.
    global _default, _forked, _lock
    _lock = threading.Lock()
    _default = None
    _forked = _used


os.register_at_fork(after_in_child=_after_fork)


class Context(Handle):
    """Threads, seed and memory limit of all that is made with it. Where no context is given, `Context.default()` is taken.

    threads: compute threads of one call; 0: as many as this process may run on.
    seed: of every random choice.
    memory_limit: bytes that the library may hold at once; 0: no limit.
    cpu_disable: bits of processor features that are not to be used (for tests; results do not depend on it).

    Raises ArgumentError, OutOfMemoryError; StateError in a process that was forked after physad had been used.
    Any thread may use it.
    """

    def __init__(self, *, threads: int = 0, seed: int = 0, memory_limit: int = 0, cpu_disable: int = 0) -> None:
        global _used
        if _forked:
            raise StateError("this process was forked after physad had been used, and its compute threads did not come along; "
                             "start processes by multiprocessing.get_context('spawn'), or import physad in the child only")
        self._options = {"threads": threads, "seed": seed, "memory_limit": memory_limit, "cpu_disable": cpu_disable}
        self._h = lib.context_new(self._options)
        _used = True

    @staticmethod
    def default() -> Context:
        """The context of this process, made when it is first wanted."""
        global _default
        with _lock:
            if _default is None or _default.closed:
                _default = Context()
            return _default

    @property
    def threads(self) -> int:
        """Compute threads of a call."""
        return int(lib.context_threads(self._use()))

    @property
    def seed(self) -> int:
        """The seed."""
        return int(lib.context_seed(self._use()))

    @property
    def memory_used(self) -> int:
        """Bytes held now by the library's own allocations."""
        return int(lib.context_memory_used(self._use()))

    @property
    def memory_peak(self) -> int:
        """The most bytes held at once so far."""
        return int(lib.context_memory_peak(self._use()))

    def cancel(self) -> None:
        """Ends every running and future call with CancelledError, until `resume()`. Any thread."""
        lib.context_cancel(self._use())

    def resume(self) -> None:
        """Takes a cancel back."""
        lib.context_resume(self._use())

    def __repr__(self) -> str:
        if self.closed:
            return "<physad.Context closed>"
        return f"<physad.Context threads={self.threads} seed={self.seed} memory_used={self.memory_used}>"

    def __reduce__(self) -> Any:
        return _context_again, (self._options,)


def _context_again(options: dict[str, int]) -> Context:
    return Context(**options)


def handle(context: Context | None) -> Any:
    """The capsule of a context, or of the default one."""
    if context is None:
        context = Context.default()
    elif not isinstance(context, Context):
        raise TypeError(f"context is {type(context).__name__}, want a physad.Context")
    return context._use()
