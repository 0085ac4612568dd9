"""Compiles plain functions with numba, and keeps what was compiled in a folder named by its source."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any, TypeVar, cast

import numba
from numba.core import config

from hedgerow.strategy import rules

__all__ = ["compiled", "compiled_rules"]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Return the function compiled; of IEEE arithmetic nothing is reordered or contracted."""
    with _cache_folder():
        try:
            return cast("Function", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
        except RuntimeError:  # no folder to keep it in
            return cast("Function", numba.njit(nogil=True, error_model="numpy")(function))


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
    return compiled(FunctionType(function.__code__, scope, function.__name__, function.__defaults__))


@contextmanager
def _cache_folder() -> Generator[None]:
    """Keep compiled code by the hash of all source that it may hold: numba knows changes of one file only."""
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
    return sha256(texts + numba.__version__.encode()).hexdigest()[:16]
