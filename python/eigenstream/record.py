"""Runs a module's own forward and records what it does to the tensors that depend on its signals.

Everything is recorded as calls of torch's functions, in the order in which they are made, whatever Python does between them:
shapes are plain numbers there. A module of a class that the exporter describes as a whole is one call.
"""

from __future__ import annotations

import contextlib
import functools
import linecache
import os
import sys
import weakref
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from .errors import Refused
from .outputs import plain
from .scripted import scripts_as_python

# What gives its tensor back, or a copy of it.
_COPIES = {"contiguous", "clone", "detach", "float", "to", "type", "type_as", "cpu", "data", "requires_grad_", "identity",
           "double",
           "half", "bfloat16", "alias", "pin_memory"}
_DROPOUTS = {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "feature_dropout",
             "dropout_",
             "alpha_dropout_"}

_IN_PLACE = {"__iadd__", "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__imod__", "__ipow__"}

# What takes the type or the shape of another tensor only.
_LIKE_OTHERS = {"to", "type_as", "expand_as", "view_as", "reshape_as"}

# What tells Python the values of a tensor.
_READS = {"__bool__", "__float__", "__int__", "__index__", "__complex__", "__array__", "__contains__", "item", "tolist",
          "numpy",
          "equal", "allclose", "is_nonzero", "nonzero", "argwhere", "unique", "unique_consecutive", "masked_select", "bincount",
          "__dlpack__"}

# What makes a tensor that is like another one only in size and type.
_MADE = {"new", "new_zeros", "new_ones", "new_full", "new_empty", "new_tensor", "zeros_like", "ones_like", "full_like",
         "empty_like",
         "rand_like", "randn_like"}

_RANDOM = {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli", "bernoulli_",
           "normal", "normal_",
           "uniform_", "multinomial", "poisson", "exponential_"}


class Ref(NamedTuple):
    """A tensor that depends on the signals, by number: first the signals, then what the calls give."""

    number: int


class Place(NamedTuple):
    """Where a call is made: the innermost module, that of the user's whose forward it is in, and the line there."""

    path: str
    module: nn.Module
    owner_path: str
    owner: nn.Module
    file: str
    line_number: int

    @property
    def line(self) -> str:
        text = linecache.getline(self.file, self.line_number).strip()
        return f" ({text})" if text else ""


class Call(NamedTuple):
    """A function of torch's, or a module as a whole, applied to tensors that depend on the signals, which are Refs here."""

    name: str
    args: Tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: Any  # Refs in tuples, as the function gives them
    shapes: Tuple[Tuple[int, ...], ...]  # of the outputs
    place: Place


class Recording(NamedTuple):
    calls: List[Call]
    output: Any  # what the forward gives, with Refs
    random: Optional[Place]  # where a random tensor is made, if there is such a place


class Stop(Exception):
    """An error of `check`, on its way through a forward."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@contextlib.contextmanager
def _indexing() -> Iterator[None]:
    """Sends x[i] and x[i] = y to the mode, too, which torch before 2.0 does for tuples only."""
    own = {name: getattr(Tensor, name) for name in ("__getitem__", "__setitem__")}
    inherited = [name for name in own if name not in vars(Tensor)]

    def with_tuple(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(tensor: Tensor, index: Any, *value: Any) -> Any:
            return original(tensor, index if isinstance(index, tuple) else (index,), *value)

        return call

    for name, original in own.items():
        setattr(Tensor, name, with_tuple(original))
    try:
        yield
    finally:
        for name, original in own.items():
            if name in inherited:
                delattr(Tensor, name)
            else:
                setattr(Tensor, name, original)


def map_tensors(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """A value with every tensor in its tuples, lists, dicts and slices replaced."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Ref):
        return value
    if isinstance(value, (tuple, list)):
        parts = [map_tensors(each, change) for each in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        return {key: map_tensors(each, change) for key, each in value.items()}
    if isinstance(value, slice):
        return slice(*(map_tensors(each, change) for each in (value.start, value.stop, value.step)))
    return value


def refs_in(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from refs_in(each)
    elif isinstance(value, dict):
        yield from refs_in(tuple(value.values()))
    elif isinstance(value, slice):
        yield from refs_in((value.start, value.stop, value.step))


def _memory(tensor: Tensor) -> int:
    """Where a tensor's numbers lie, the same for all views of it."""
    storage = tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor.storage()
    return storage.data_ptr()


def _writes(name: str) -> bool:
    """Whether a function changes its first argument."""
    return name == "__setitem__" or name in _IN_PLACE or name.endswith("_") and not name.endswith("__")


class _Known(NamedTuple):
    tensor: "weakref.ref[Tensor]"
    number: int
    stale: Optional[int] = None  # what was written to another view of it: by its number, or -1 if several were


_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))
_TORCH_FOLDER = os.path.dirname(os.path.abspath(torch.__file__))


def is_users(file: str) -> bool:
    """Whether a file of Python code is neither torch's nor of this package."""
    return not file.startswith((_OWN_FOLDER, _TORCH_FOLDER, "<frozen")) and "contextlib" not in file


def _function_name(function: Any) -> str:
    name = getattr(function, "__name__", str(function))
    if name == "__get__":  # of an attribute, such as shape
        name = getattr(getattr(function, "__self__", None), "__name__", name)
    return "threshold" if name == "_threshold" else name


class _Mode(TorchFunctionMode):
    """Sends every function of torch's to a recorder."""

    def __init__(self, recorder: "Recorder") -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.recorder.called(function, args, kwargs or {})


class Recorder:
    """Records one run of a module. `whole` says which modules are one call; `check` throws Stop for a module, called by
    another, that cannot be in a network, whatever it is given."""

    def __init__(self, root: nn.Module, whole: Callable[[nn.Module], bool], check: Callable[[nn.Module, str, nn.Module],
                                                                                            None]) -> None:
        self.root, self.whole, self.check = root, whole, check
        self.paths: Dict[int, str] = {}
        for path, module in root.named_modules():
            self.paths.setdefault(id(module), path)
        self.known: Dict[int, _Known] = {}  # by the id of a tensor
        self.count = 0
        self.calls: List[Call] = []
        self.constants: Set[int] = set()  # where those lie that the calls are given
        self.entered: List[Tuple[str, nn.Module]] = [("", root)]
        self.as_a_whole: Optional[int] = None  # how many modules were entered when one began that is a single call
        self.random: Optional[Place] = None
        self.where: Optional[Place] = None  # of the last call, for errors

    def run(self, signals: Sequence[Tensor], knobs: Mapping[str, Tensor]) -> Recording:
        """What the module does to these signals. Errors: Refused, and whatever the forward raises."""
        for signal in (*signals, *knobs.values()):
            self.track(signal)
        with contextlib.ExitStack() as stack:
            for hook in (register_module_forward_pre_hook(self.enter), register_module_forward_hook(self.leave)):
                stack.callback(hook.remove)
            stack.enter_context(_indexing())
            stack.enter_context(scripts_as_python())
            stack.enter_context(_Mode(self))
            result = self.root(*signals, **knobs)
        return Recording(self.calls, map_tensors(plain(result), self.ref_or_tensor), self.random)

    # Tensors.

    def track(self, tensor: Tensor) -> Ref:
        """The next number for a tensor."""
        key = id(tensor)
        self.known[key] = _Known(weakref.ref(tensor), self.count)
        self.count += 1
        return Ref(self.count - 1)

    def ref_of(self, tensor: Tensor) -> Optional[Ref]:
        known = self.known.get(id(tensor))
        if known is None or known.tensor() is not tensor:
            return None
        if known.stale is not None:
            raise Refused("changes a signal in place of which another view is used later; do it out of place")
        return Ref(known.number)

    def ref_or_tensor(self, tensor: Tensor) -> Any:
        ref = self.ref_of(tensor)
        return tensor if ref is None else ref

    def changed(self, tensor: Tensor) -> Ref:
        """A tensor was written to: other views of it are not what they were."""
        memory = _memory(tensor)
        for key, known in self.known.items():
            other = known.tensor()
            if other is not None and other is not tensor and _memory(other) == memory:
                self.known[key] = known._replace(stale=self.count if known.stale is None else -1)
        return self.track(tensor)

    def put_back(self, tensor: Tensor, index: Any, value: Any) -> None:
        """For x[i] += y, which changes a view of x and then writes it to where it is: x is what it was but for that."""
        known, written = self.known.get(id(tensor)), self.known.get(id(value))
        if known is not None and written is not None and known.stale == written.number:
            self.known[id(tensor)] = known._replace(stale=None)

    def keep_constant(self, tensor: Tensor) -> None:
        """Gives the calls so far a copy of a constant that is about to change."""
        memory = _memory(tensor)
        self.constants.discard(memory)
        copies: Dict[int, Tensor] = {}

        def copied(each: Any) -> Any:
            return copies.setdefault(id(each), each.clone()) if _memory(each) == memory else each

        self.calls = [call._replace(args=map_tensors(call.args, copied), kwargs=map_tensors(call.kwargs, copied)) for call in self.calls]

    # Modules.

    def path_of(self, module: nn.Module) -> str:
        return self.paths.get(id(module), self.entered[-1][0])

    def enter(self, module: nn.Module, inputs: Any) -> None:
        path, caller = self.path_of(module), self.entered[-1][1]
        self.entered.append((path, module))
        if self.as_a_whole is None:
            if module is not self.root:
                self.check(module, path, caller)
            if self.whole(module):
                self.as_a_whole = len(self.entered)

    def leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if self.as_a_whole == len(self.entered):
            self.as_a_whole = None
            if isinstance(output, Tensor):
                args = map_tensors(tuple(inputs), self.ref_or_tensor)
                if any(refs_in(args)):
                    self.add("module", args, {}, output)
        self.entered.pop()

    def place(self) -> Place:
        path, module = self.entered[-1]
        owner = next((each for each in reversed(self.entered) if not type(each[1]).__module__.startswith("torch.nn.")),
                     self.entered[0])
        frame = sys._getframe(1)
        while frame.f_code is not Recorder.run.__code__ and not is_users(frame.f_code.co_filename):
            frame = frame.f_back
        outside = frame.f_code is Recorder.run.__code__
        file, line = ("", 0) if outside else (frame.f_code.co_filename, frame.f_lineno)
        return Place(path, module, *owner, file, line)

    # Calls.

    def called(self, function: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        name = _function_name(function)
        if self.as_a_whole is not None:
            return function(*args, **kwargs)
        if name in _RANDOM and self.random is None:
            self.random = self.place()
        if _writes(name) and args and isinstance(args[0], Tensor) and _memory(args[0]) in self.constants:
            self.keep_constant(args[0])
        if name == "__setitem__":
            self.put_back(*args)
        tracked = [False]

        def reference(tensor: Tensor) -> Any:
            found = self.ref_or_tensor(tensor)
            tracked[0] = tracked[0] or isinstance(found, Ref)
            return found

        try:
            given, named = map_tensors(args, reference), map_tensors(kwargs, reference)
        except Refused:
            self.where = self.place()
            raise
        if not tracked[0] or name in _MADE or name in _LIKE_OTHERS and not isinstance(next(iter(given), None), Ref):
            return function(*args, **kwargs)
        if name in _READS:
            self.where = self.place()
            if not self.where.line.startswith(" (assert"):
                raise Refused(f"decides by the values of the signal ({name.strip('_')}), and for other values it could do "
                              f"something "
                              "else; what a stream does must be the same for all signals")
        first = next(iter(given), None)
        if isinstance(first, Tensor) and _writes(name):
            given = (first.clone(), *given[1:])  # as it is before a signal is written to it
        result = function(*args, **kwargs)
        if name == "__setitem__":
            self.where = self.place()
            self.append(Call("setitem", tuple(given), named, self.changed(args[0]), (tuple(args[0].shape),), self.where))
        elif isinstance(result, Tensor) and isinstance(first, Ref) and self.is_copy(name, args[0], result, kwargs):
            if result is not args[0]:
                self.known[id(result)] = _Known(weakref.ref(result), first.number)
        elif any(isinstance(each, Tensor) for each in (result if isinstance(result, (tuple, list)) else (result,))):
            self.add(name, tuple(given), named, result, args)
        return result

    @staticmethod
    def is_copy(name: str, given: Tensor, result: Tensor, kwargs: Mapping[str, Any]) -> bool:
        if name in _DROPOUTS:
            return torch.equal(given, result) and not kwargs.get("training", False)
        return name in _COPIES and result.shape == given.shape and result.dtype.is_floating_point

    def add(self, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any, given: Tuple[Any, ...] = ()) -> None:
        self.where = self.place()
        before = [each for each in given if isinstance(each, Tensor)]
        shapes: List[Tuple[int, ...]] = []

        def number(tensor: Tensor) -> Ref:
            shapes.append(tuple(tensor.shape))
            return self.changed(tensor) if any(tensor is each for each in before) else self.track(tensor)

        outputs = map_tensors(result, number)
        self.append(Call(name, args, kwargs, outputs, tuple(shapes), self.where))

    def append(self, call: Call) -> None:
        def note(constant: Tensor) -> Tensor:
            self.constants.add(_memory(constant))
            return constant

        map_tensors((call.args, dict(call.kwargs)), note)
        self.calls.append(call)
