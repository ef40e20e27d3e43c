# SPDX-License-Identifier: Apache-2.0
"""Objects of the library: closing them, and keeping calls that change one apart from all others.

A handle is a capsule. A call holds a reference to it while it runs, so `close()` in another thread can never free what is in use:
the memory goes when the last such call is through.
"""
from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, TypeVar

from ._errors import StateError

Self = TypeVar("Self", bound="Handle")


class Handle:
    """Something of the library's that can be closed. Use it in ``with``, or leave it to the garbage collector."""

    _h: Any = None

    def _use(self) -> Any:
        handle = self._h
        if handle is None:
            raise ValueError(f"this {type(self).__name__} is closed")
        return handle

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
        return self._h is None

    def close(self) -> None:
        """Gives the memory back, at once or when the last running call is through. Later use raises ValueError."""
        self._h = None

    def __enter__(self: Self) -> Self:
        self._use()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled")


class _Shared:
    __slots__ = ("gate",)

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def __enter__(self) -> Any:
        return self.gate.enter()

    def __exit__(self, *unused: object) -> None:
        self.gate.leave()


class _Alone(_Shared):
    __slots__ = ()

    def __enter__(self) -> Any:
        return self.gate.enter_alone()

    def __exit__(self, *unused: object) -> None:
        self.gate.leave_alone()


class Gate:
    """Any number of calls that read, or one that changes. A change that waits goes before new readers, so that threads which read
    without pause cannot keep it out. A callback that wants to change what it is called from gets an error, not a deadlock."""

    __slots__ = ("_owner", "_condition", "_readers", "_writer", "_waiting", "shared", "alone")

    def __init__(self, owner: Handle) -> None:
        self._owner = owner
        self._condition = threading.Condition(threading.Lock())
        self._readers: dict[int, int] = {}
        self._writer: int | None = None
        self._waiting = 0
        self.shared = _Shared(self)
        self.alone = _Alone(self)

    def _busy(self) -> StateError:
        return StateError(f"this {type(self._owner).__name__} is in use by a call that this one came from")

    def enter(self) -> Any:
        me = threading.get_ident()
        with self._condition:
            if self._writer == me:
                raise self._busy()
            while self._writer is not None or (self._waiting and me not in self._readers):
                self._condition.wait()
            handle = self._owner._use()
            self._readers[me] = self._readers.get(me, 0) + 1
        return handle

    def leave(self) -> None:
        me = threading.get_ident()
        with self._condition:
            left = self._readers[me] - 1
            if left:
                self._readers[me] = left
            else:
                del self._readers[me]
                self._condition.notify_all()

    def enter_alone(self) -> Any:
        me = threading.get_ident()
        with self._condition:
            if self._writer == me or me in self._readers:
                raise self._busy()
            self._waiting += 1
            try:
                while self._writer is not None or self._readers:
                    self._condition.wait()
                handle = self._owner._use()
                self._writer = me
            finally:
                self._waiting -= 1
                self._condition.notify_all()
        return handle

    def leave_alone(self) -> None:
        with self._condition:
            self._writer = None
            self._condition.notify_all()


class Gated(Handle):
    """A handle with calls that change it."""

    def __init__(self) -> None:
        self._gate = Gate(self)
