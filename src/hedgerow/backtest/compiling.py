"""Compiles plain functions with numba, and keeps what was compiled in a folder named by its source."""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import IO, Any, Final, TypeVar, cast

import numba
from numba.core import config

from hedgerow.strategy import rules
from hedgerow.strategy.evidence.underlying import HELD_BOUND
from hedgerow.strategy.exit_costs import LONGEST_WAIT

__all__ = ["called", "compiled", "compiled_in_place", "compiled_rules", "inlined", "inlined_once"]

COUNTED: Final = {"no_cfunc_wrapper": True}
"""Without an entry for C, which nothing calls."""
UNCOUNTED: Final = {**COUNTED, "_nrt": False}
"""Without numba's counting of references to arrays."""
INNER: Final = {**UNCOUNTED, "no_cpython_wrapper": True}
"""Only compiled code calls it: the entry for Python, which takes all arrays out of their objects, is not compiled."""
COMPILING: Final = "Compiling the rules for backtests: once, it takes about half a minute\n"
_njit: Any = numba.njit
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Return the function compiled; of IEEE arithmetic nothing is reordered or contracted."""
    return _kept(function, COUNTED)


def compiled_in_place(function: Function) -> Function:
    """Return a function compiled that allocates nothing.

    References to its arrays are not counted: its caller holds them, and counting took most of the time.
    """
    return _kept(function, UNCOUNTED)


def _kept(function: Function, options: dict[str, bool]) -> Function:
    with _cache_folder():
        try:
            kept = _njit(cache=True, nogil=True, error_model="numpy", **options)(function)
        except RuntimeError:  # no folder to keep it in
            return cast("Function", _njit(nogil=True, error_model="numpy", **options)(function))
    settings: Any = config
    if not settings.DISABLE_JIT:
        kept._cache = _OneCompiler(kept._cache)  # noqa: SLF001 - numba has no lock between processes
    return cast("Function", kept)


class _OneCompiler:
    """A cache of compiled code that lets one process compile what several need at once; the others wait and load it."""

    _depth = 0
    """How many functions this process compiles, one inside the other."""
    _lock: IO[bytes] | None = None
    _has_said = False

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled; None = this process compiles it now."""
        found = self._cache.load_overload(sig, target_context)
        if found is None:
            has_waited = self._begin()
            found = self._cache.load_overload(sig, target_context) if has_waited else None
            if found is not None:
                self._end()
            else:
                self._say_once()
        return found

    def _say_once(self) -> None:
        """Say on standard error what takes so long, where nothing was compiled yet."""
        if not _OneCompiler._has_said and sys.stderr and not any(Path(self._cache.cache_path).glob("*.nbc")):
            sys.stderr.write(COMPILING)
            sys.stderr.flush()
        _OneCompiler._has_said = True

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled."""
        try:
            self._cache.save_overload(sig, data)
        finally:
            self._end()

    def _begin(self) -> bool:
        """Return whether another process compiled meanwhile."""
        _OneCompiler._depth += 1
        if self._depth > 1:
            return False
        has_waited = False
        try:
            lock = _OneCompiler._lock = (Path(self._cache.cache_path) / "compiling.lock").open("wb")
            try:
                flock(lock, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                has_waited = True
                flock(lock, LOCK_EX)
        except OSError:  # this file system has no locks, or the folder is not writable: each compiles by itself
            pass
        return has_waited

    def _end(self) -> None:
        _OneCompiler._depth -= 1
        if self._depth == 0 and self._lock is not None:
            self._lock.close()
            _OneCompiler._lock = None


def inlined(function: Function) -> Function:
    """Return a function that compiled ones hold a copy of: passing many arrays costs more than most of them do."""
    return cast("Function", _njit(forceinline=True, nogil=True, error_model="numpy", **INNER)(function))


def inlined_once(function: Function) -> Function:
    """Return a function that is called at one place: compiled as lines of its caller, and not also by itself."""
    return cast("Function", _njit(inline="always", nogil=True, error_model="numpy", **INNER)(function))


def called(function: Function) -> Function:
    """Return a function that compiled ones call: a large one that is seldom needed, compiled once."""
    return cast("Function", _njit(nogil=True, error_model="numpy", **INNER)(function))


@cache
def compiled_rules() -> Any:
    """Return the functions and constants of ``strategy.rules``, the functions compiled as they stand."""
    scope: dict[str, Any] = {"__name__": rules.__name__, "__builtins__": __builtins__}
    for name, value in vars(rules).items():
        if name in rules.__all__:
            scope[name] = _clone(value, scope) if isinstance(value, FunctionType) else value
    return SimpleNamespace(**{name: scope[name] for name in rules.__all__})


def _clone(function: FunctionType, scope: dict[str, Any]) -> Any:
    """Return the function compiled so that the rules it calls are the compiled ones of ``scope``."""
    return called(FunctionType(function.__code__, scope, function.__name__, function.__defaults__))


@contextmanager
def _cache_folder() -> Generator[None]:
    """Keep compiled code by the hash of all source and constants that it may hold: numba knows changes of one file."""
    settings: Any = config
    before = settings.CACHE_DIR
    if not os.environ.get("NUMBA_CACHE_DIR"):
        settings.CACHE_DIR = str(_user_cache() / f"hedgerow-numba-{_source_hash()}")
    try:
        yield
    finally:
        settings.CACHE_DIR = before


def _user_cache() -> Path:
    given = os.environ.get("XDG_CACHE_HOME")
    return Path(given) if given else Path.home() / ".cache"


@cache
def _source_hash() -> str:
    own = sorted(Path(__file__).parent.glob("*.py"))
    texts = b"".join(path.read_bytes() for path in (*own, Path(rules.__file__)))
    held_in_code = HELD_BOUND, LONGEST_WAIT, numba.__version__
    return sha256(texts + repr(held_in_code).encode()).hexdigest()[:16]
