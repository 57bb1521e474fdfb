"""`local`: attributes that each greenlet has for itself, as threading.local has.

The values are stored on the greenlet, in a dict with weak keys, one for each `local`.
They go when either the greenlet or the `local` goes, and form no cycle.
"""

from types import MemberDescriptorType
from typing import Any
from weakref import WeakKeyDictionary

from greenlet import getcurrent

from hub.greenlet import Greenlet

__all__ = ["local"]

_ATTRIBUTE = "_hub_locals"

_Spaces = WeakKeyDictionary["_Key", dict[str, Any]]


class _Key:
    """Stands for one `local`, and keeps the arguments that it was made with."""

    __slots__ = ("__weakref__", "args", "kwargs")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs


def _spaces() -> _Spaces:
    """The current greenlet's values of every `local`.

    A Greenlet drops them when it ends.
    """
    me = getcurrent()
    found: _Spaces | None
    if isinstance(me, Greenlet):
        if (found := me.locals) is None:
            found = me.locals = WeakKeyDictionary()
    elif (found := me.__dict__.get(_ATTRIBUTE)) is None:
        found = me.__dict__[_ATTRIBUTE] = WeakKeyDictionary()
    return found


def _values(instance: "local") -> dict[str, Any]:
    """The current greenlet's values of ``instance``.

    A subclass's ``__init__`` runs once for each greenlet.
    """
    key: _Key = object.__getattribute__(instance, "_key")
    spaces = _spaces()
    values = spaces.get(key)
    if values is None:
        values = spaces[key] = {}
        type(instance).__init__(instance, *key.args, **key.kwargs)
    return values


class local:
    """An object whose attributes have values of their own in each greenlet."""

    __slots__ = ("__weakref__", "_key")

    def __new__(cls, *args: Any, **kwargs: Any) -> "local":
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError(
                "Initialization arguments are not supported, "
                "unless a subclass has an __init__"
            )
        self = super().__new__(cls)
        object.__setattr__(self, "_key", _Key(args, kwargs))
        _spaces()[object.__getattribute__(self, "_key")] = {}
        return self

    def __getattribute__(self, name: str) -> Any:
        values = _values(self)
        if name == "__dict__":
            return values
        if name in values and not _is_data_descriptor(type(self), name):
            return values[name]
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "__dict__":
            raise AttributeError("the __dict__ of a local can't be replaced")
        values = _values(self)
        if _is_data_descriptor(type(self), name):
            object.__setattr__(self, name, value)
        else:
            values[name] = value

    def __copy__(self) -> "local":
        """Return another `local`, with the current greenlet's values."""
        key: _Key = object.__getattribute__(self, "_key")
        copied = type(self).__new__(type(self), *key.args, **key.kwargs)
        _values(copied).update(_values(self))
        for base in type(self).__mro__[: type(self).__mro__.index(local)]:
            for name, value in vars(base).items():
                if isinstance(value, MemberDescriptorType) and hasattr(self, name):
                    object.__setattr__(copied, name, getattr(self, name))
        return copied

    def __delattr__(self, name: str) -> None:
        if name == "__dict__":
            raise AttributeError("the __dict__ of a local can't be deleted")
        values = _values(self)
        if _is_data_descriptor(type(self), name):
            object.__delattr__(self, name)
        elif name in values:
            del values[name]
        else:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            )


def _is_data_descriptor(kind: type, name: str) -> bool:
    for base in kind.__mro__:
        if name in base.__dict__:
            return hasattr(type(base.__dict__[name]), "__set__")
    return False
