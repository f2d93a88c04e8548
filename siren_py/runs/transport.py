"""Taking an injector to another process, and making chunks there.

What a detector's script defines is no module that another process could import; the process
runs the script, by its path, before it unpacks.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from siren_py.errors import ConfigError, SirenError, WorkerError
from siren_py.resources import SCRIPT_MODULE, load_script
from siren_py.runs.chunks import Chunk
from siren_py.tree import EventTable

if TYPE_CHECKING:
    from siren_py.injection.arrival import ArrivalInjector
    from siren_py.injection.injector import Injector

_KEPT = 4
"""Injectors that a process keeps: a worker of a cluster may serve several runs in turn."""


class Parcel(NamedTuple):
    """A pickled injector with the scripts that have to be run before it is unpacked."""

    digest: str
    data: bytes
    scripts: tuple[str, ...]


def pack(injector: Injector | ArrivalInjector) -> Parcel:
    """Pickle an injector for other processes.

    cloudpickle is used where it is installed: it also takes classes and functions that were
    typed into a notebook.

    Raises
    ------
    ConfigError
        If something in it cannot be pickled; the text says what to do.
    """
    try:
        data = _dumps(injector)
    except Exception as error:  # a class of a user's may fail in any way
        raise ConfigError(
            "The detector, flux or model cannot be taken to other processes "
            f"({type(error).__name__}: {error}). Define its classes and functions at the top of a "
            'module of their own, or install cloudpickle (pip install "siren-py[dask]"), or use '
            "threads."
        ) from error
    names = [n for n in list(sys.modules) if n.startswith(SCRIPT_MODULE) and n.encode() in data]
    scripts = tuple(str(sys.modules[n].__file__) for n in names)
    return Parcel(hashlib.sha256(data).hexdigest(), data, scripts)


def _dumps(injector: object) -> bytes:
    try:
        import cloudpickle
    except ImportError:
        buffer = io.BytesIO()
        _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(injector)
        return buffer.getvalue()
    return bytes(cloudpickle.dumps(injector, protocol=pickle.HIGHEST_PROTOCOL))


class _Pickler(pickle.Pickler):
    """Refuses what another process would look for in vain, before it is sent."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type) and obj.__module__ == "__main__":
            raise pickle.PicklingError(f"{obj.__qualname__} is defined in the main script")
        return NotImplemented


def unpack(parcel: Parcel) -> Injector | ArrivalInjector:
    """Return the injector of a parcel.

    Raises
    ------
    ConfigError
        If a script or a class is not found here.
    """
    try:
        for script in parcel.scripts:
            load_script(script)
        injector: Injector | ArrivalInjector = pickle.loads(parcel.data)
    except SirenError:
        raise
    except Exception as error:
        raise ConfigError(
            f"A worker process cannot set up the run ({type(error).__name__}: {error}). It needs "
            "the same versions of siren_py and of every package that defines a part of the run, "
            "and scripts under the same paths."
        ) from error
    return injector


_lock = threading.Lock()
_injectors: OrderedDict[str, Injector | ArrivalInjector] = OrderedDict()


def injector_of(digest: str, fetch: Callable[[], Parcel]) -> Injector | ArrivalInjector:
    """Return an injector, which is unpacked once in a process; `fetch` gets the parcel then."""
    with _lock:
        injector = _injectors.get(digest)
        if injector is None:
            injector = _injectors[digest] = unpack(fetch())
            while len(_injectors) > _KEPT:
                _injectors.popitem(last=False)
    return injector


def make_chunk(injector: Injector | ArrivalInjector, seed: int, chunk: Chunk) -> EventTable:
    """Make one chunk in whichever process this is."""
    return injector.chunk(seed, chunk.number, chunk.size, chunk.first)


def portable(error: BaseException) -> BaseException:
    """Return an error that survives being pickled, with the same words."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return WorkerError(f"A chunk failed in a worker process: {type(error).__name__}: {error}")
    return error
