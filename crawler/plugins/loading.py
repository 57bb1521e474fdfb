"""From `module:object` and options to a plug-in whose methods fit.

Each mistake is one sentence that names the plug-in (UsageError): the module cannot be
imported, there is no such object, an option is unknown or missing, a method takes other
arguments than it is given, or there is no method at all.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from crawler.model.config import PluginConfig
from crawler.model.errors import PLUGIN_FAILURES, UsageError, failure_text
from crawler.plugins.protocols import METHODS, SINK_METHODS

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "orbweb.plugins"
"""The group of entry points in which an installed package names its plug-ins."""


class PluginError(UsageError):
    """A plug-in cannot be used; `option` is the option that is at fault, if one is."""

    def __init__(self, message: str, option: str | None = None) -> None:
        super().__init__(message)
        self.option = option


class LoadedPlugin(Struct, frozen=True):
    """A plug-in that is fit to be called."""

    name: str
    """As the configuration names it; `name#2` for a second one of the same name."""
    target: Any
    """The object itself."""
    config: PluginConfig | None
    """Where it was loaded from; None for an object that the program passed."""
    methods: frozenset[str]
    """The names of `METHODS` that it has."""
    is_sink: bool
    has_close: bool
    """Whether it has `close`, which is called when the crawl has ended."""


def load_plugins(
    configs: Sequence[PluginConfig], objects: Iterable[object] = ()
) -> tuple[LoadedPlugin, ...]:
    """The plug-ins of a crawl, in order; `objects` are passed by a program.

    An object stands in for the configured plug-in of its name, so that a crawl that was
    begun with objects is resumed with objects. Raises PluginError.
    """
    waiting = list(objects)
    plugins: list[LoadedPlugin] = []
    for config in configs:
        match = next((one for one in waiting if name_of(one) == config.use), None)
        if match is None:
            target, origin = make(config, find(config.use)), config
        else:
            waiting.remove(match)
            target, origin = _made(match), None
        plugins.append(check(_free_name(config.use, plugins), target, origin))
    for one in waiting:
        name = _free_name(name_of(one), plugins)
        plugins.append(check(name, _made(one), None))
    return tuple(plugins)


def configs_of(objects: Iterable[object]) -> tuple[PluginConfig, ...]:
    """What the configuration keeps of objects that a program passes: their names."""
    return tuple(PluginConfig(name_of(one)) for one in objects)


def name_of(target: object) -> str:
    """The name of an object that a program passes: `module:Class`."""
    kind = target if isinstance(target, type) else type(target)
    return f"{kind.__module__}:{kind.__qualname__}"


def _made(target: object) -> object:
    """An object is taken as it is; a class is called without options."""
    if isinstance(target, type):
        return make(PluginConfig(name_of(target)), target)
    return target


def _free_name(name: str, plugins: Sequence[LoadedPlugin]) -> str:
    """`name`, or `name#2` for the second one of it: sinks keep positions by name."""
    count = sum(plugin.name.partition("#")[0] == name for plugin in plugins)
    return f"{name}#{count + 1}" if count else name


def check_plugin(config: PluginConfig) -> None:
    """Raises PluginError if the plug-in can't be imported or refuses its options."""
    _bind_options(config, find(config.use))


# ------------------------------------------------------------------ finding


def find(use: str) -> Any:
    """The object that `use` names, `module:object` or an entry point's name."""
    module, colon, path = use.partition(":")
    if not colon:
        entry = _entry_point(use)
        module, path = entry.module, entry.attr
    elif not module or not path:
        raise PluginError(f"plug-in {use!r}: write module:object, as in shop:Prices")
    if module == "__main__" or "<locals>" in path:
        raise PluginError(
            f"plug-in {use!r} was an object that a program passed: go on with that "
            "program, by crawl(..., resume=True, plugins=[...])"
        )
    found: Any = _imported(use, module)
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            near = get_close_matches(name, vars(found), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            where = getattr(sys.modules[module], "__file__", None)
            place = f" ({where})" if where else ""
            raise PluginError(
                f"plug-in {use!r}: {module}{place} has no {name!r}{hint}"
            ) from None
    return found


def _entry_point(name: str) -> EntryPoint:
    from importlib.metadata import entry_points  # with `email`, for a name alone

    offered = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in offered:
        known = f"installed: {', '.join(sorted(offered))}" if offered else "none is"
        raise PluginError(
            f"plug-in {name!r}: no plug-in of this name is installed ({known}); "
            "write module:object for one that is not"
        )
    return offered[name]


def _imported(use: str, module: str) -> Any:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    try:
        return import_module(module)
    except PLUGIN_FAILURES as error:
        raise PluginError(
            f"plug-in {use!r} can't be imported: {failure_text(error)}"
            f"{_place(module, error)}"
        ) from error


def _place(module: str, error: BaseException) -> str:
    """Where the import failed; for a module that is not there, where it was sought."""
    if isinstance(error, ModuleNotFoundError) and module.startswith(str(error.name)):
        return f"; looked for on the import path and in {os.getcwd()}"
    if isinstance(error, SyntaxError):
        return ""  # its text names the file and the line
    from traceback import extract_tb  # only for a message

    frames = [
        frame
        for frame in extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""


# ------------------------------------------------------------------ making


def make(config: PluginConfig, found: Any) -> Any:
    """The plug-in itself: a class is called with its options."""
    _bind_options(config, found)
    if not isinstance(found, type):
        return found
    try:
        return found(**config.options)
    except PLUGIN_FAILURES as error:
        raise PluginError(
            f"plug-in {config.use!r} refuses its options: {failure_text(error)}"
        ) from error


def _bind_options(config: PluginConfig, found: Any) -> None:
    if not isinstance(found, type):
        for option in config.options:
            raise PluginError(
                f"plug-in {config.use!r} is no class and takes no options, so not "
                f"{option!r}",
                option,
            )
        return
    taken = _parameters(found)
    if taken is None:
        return
    for option in config.options:
        if option not in taken:
            near = get_close_matches(option, taken, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise PluginError(
                f"plug-in {config.use!r} has no option {option!r}{hint}", option
            )
    for name, parameter in taken.items():
        if parameter.default is parameter.empty and name not in config.options:
            raise PluginError(f"plug-in {config.use!r} needs the option {name!r}")


def _parameters(found: type) -> Mapping[str, inspect.Parameter] | None:
    """The options of a class by name; None if it takes any."""
    parameters = inspect.signature(found).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return None
    by_name = (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )
    return {name: one for name, one in parameters.items() if one.kind in by_name}


# ------------------------------------------------------------------ checking


def check(name: str, target: Any, config: PluginConfig | None) -> LoadedPlugin:
    """`target` as a plug-in, if its methods fit. Raises PluginError."""
    methods = frozenset(method for method in METHODS if _has(target, method))
    is_sink = all(_has(target, method) for method in SINK_METHODS)
    if not methods and not is_sink:
        raise PluginError(
            f"plug-in {name!r} has none of the methods of a plug-in: "
            f"{', '.join(METHODS)}, or all of {', '.join(SINK_METHODS)}"
        )
    for method in methods:
        _check_signature(name, target, method, METHODS[method])
    if is_sink:
        for method, argument in SINK_METHODS.items():
            _check_signature(name, target, method, argument)
    has_close = _has(target, "close")
    if has_close:
        _check_signature(name, target, "close", None)
    return LoadedPlugin(name, target, config, methods, is_sink, has_close)


def _has(target: Any, method: str) -> bool:
    return callable(getattr(target, method, None))


def _check_signature(name: str, target: Any, method: str, argument: str | None) -> None:
    function = getattr(target, method)
    if inspect.iscoroutinefunction(function):
        raise PluginError(
            f"plug-in {name!r}: {method}() is a coroutine; write a plain function"
        )
    signature = inspect.signature(function)
    try:
        signature.bind(*([] if argument is None else [None]))
    except TypeError:
        wanted = "no argument" if argument is None else f"one argument, the {argument}"
        raise PluginError(
            f"plug-in {name!r}: {method}() has to take {wanted}, and is declared as "
            f"{method}{signature}"
        ) from None
