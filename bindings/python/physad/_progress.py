# SPDX-License-Identifier: Apache-2.0
"""What `progress=` may be: nothing, True, or a callable."""
from __future__ import annotations

import sys
from typing import Any, Callable, Optional, Union

#: Called as ``progress(stage, done, total, seconds)`` on the calling thread, at most ten times a second; `total` is 0 when it is not
#: known. Returning True cancels the call; an exception cancels it and comes out of it.
ProgressCallable = Callable[[str, int, int, float], Any]
Progress = Union[bool, ProgressCallable, None]
#: What a sample that cannot be used does: the call fails, or goes on without it.
ERRORS = {"stop": 0, "skip": 1}


class _Bar:
    """A line of progress: tqdm's where it is installed, a plain one on a terminal elsewhere."""

    def __init__(self) -> None:
        self.stage: str | None = None
        self.bar: Any = None
        try:
            from tqdm.auto import tqdm
        except ImportError:
            tqdm = None
        self.tqdm: Any = tqdm

    def __call__(self, stage: str, done: int, total: int, seconds: float) -> None:
        if self.tqdm is None:
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{stage} {done}/{total or '?'} {seconds:.0f} s ")
                sys.stderr.flush()
                self.stage = stage
            return
        if stage != self.stage:
            if self.bar is not None:
                self.bar.close()
            self.bar = self.tqdm(total=total or None, desc=stage)
            self.stage = stage
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
        elif self.tqdm is None and self.stage is not None:
            sys.stderr.write("\n")


class Reporter:
    """``with Reporter(progress) as call:`` gives what the private module wants: a callable or None, or with it how many samples go
    together and what one that cannot be used does."""

    def __init__(self, progress: Progress, batch: int = 0, on_error: str = "stop") -> None:
        if on_error not in ERRORS:
            raise ValueError(f"on_error is {on_error!r}, want 'stop' or 'skip'")
        self._more = (int(batch), ERRORS[on_error])
        if progress is not None and not isinstance(progress, bool) and not callable(progress):
            raise TypeError(f"progress is {type(progress).__name__}, want True, False or a callable (stage, done, total, seconds)")
        self._bar = _Bar() if progress is True else None
        self._call: Optional[ProgressCallable] = self._bar if progress is True else (progress or None)

    def __enter__(self) -> Any:
        return (self._call, *self._more) if any(self._more) else self._call

    def __exit__(self, *unused: object) -> None:
        if self._bar is not None:
            self._bar.close()
