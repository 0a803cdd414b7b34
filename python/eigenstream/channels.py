"""How many channels a module's signals have, as far as running it shows."""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
from typing import Any, Callable, Iterator, List, Optional, Sequence, Set

import torch
from torch import Tensor, nn

from .controls import Turned
from .errors import fail, one_line
from .known import has_own_forward, of_images, is_pointwise, wanted_channels
from .modules import Residual, Windowed
from .outputs import tensor_of
from .reading import children, like, single

# Lengths that the usual strides divide; longer ones are tried if a network needs them.
SAMPLE_LENGTHS = ((192, 288, 384), (960, 1440, 1920), (4096, 6144, 8192), (20160, 30240, 40320), (131072, 147456, 163840))

# Lengths for what takes long.
SHORT_LENGTHS = (24, 36, 48)

_USUAL_RATES = (2, 4, 8, 16, 32, 64, 80, 100, 128, 160, 200, 240, 256, 300, 320, 441, 480, 512, 640, 1024)
_MOST_CHANNELS = 4096
_MOST_TRIALS = 256


@contextlib.contextmanager
def inference(module: nn.Module) -> Iterator[None]:
    """Puts a module into inference mode and its tensors into float32, which is what is written, and leaves everything,
    random numbers and what the modules keep included, as it was."""
    modes = [(child, child.training) for child in module.modules() if hasattr(child, "training")]
    state = torch.random.get_rng_state()
    kept = [(child, dict(vars(child)), dict(child._buffers)) for child in module.modules()
            if not isinstance(child, torch.jit.ScriptModule)]
    values = [(buffer, buffer.detach().clone()) for buffer in module.buffers() if not nn.parameter.is_lazy(buffer)
              and not buffer.is_meta]
    others = [(tensor, tensor.data) for tensor in (*module.parameters(), *module.buffers())
              if tensor.dtype.is_floating_point and tensor.dtype != torch.float32 and not nn.parameter.is_lazy(tensor)]
    try:
        module.eval()
        for tensor, data in others:
            tensor.data = data.float()
        with torch.no_grad():
            yield
    finally:
        torch.random.set_rng_state(state)
        for tensor, data in others:
            tensor.data = data
        for child, attributes, buffers in kept:
            vars(child).clear()
            vars(child).update(attributes)
            child._buffers.clear()
            child._buffers.update(buffers)
        for buffer, value in values:
            if buffer.shape != value.shape or not torch.equal(buffer, value):
                buffer.data = value
        for child, training in modes:
            child.training = training


def _fitting(candidates: Sequence[int], runs: Callable[[int], Any], errors: List[str]) -> Optional[int]:
    """The only number for which something runs. If it runs for none, the last one's error is added to `errors`."""
    fitting, error = [], ""
    for channels in candidates:
        try:
            runs(channels)
        except Exception as raised:  # whatever it raises, it does not take so many
            error = f" (it does not run for {channels}: {one_line(raised)})"
            continue
        fitting.append(channels)
        if len(fitting) == 3:  # it takes any number
            return None
    if not fitting:
        errors.append(error)
    # One fits almost everything, by broadcasting.
    fitting = [channels for channels in fitting if channels > 1] or fitting
    return fitting[0] if len(fitting) == 1 else None


def window_channels(module: Windowed, path: str) -> int:
    """The only number of channels for which the net of a Windowed runs, of small ones and those that its layers and tensors
    speak of. Errors: ExportError if there is none."""
    candidates, errors = set(range(1, 65)), []
    first: Optional[nn.Module] = module.net
    while isinstance(first, (nn.Sequential, Residual)) and not has_own_forward(first):
        first = next((child for _, child in children(first) if not is_pointwise(child)), None)
    if isinstance(first, (nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.GroupNorm, nn.InstanceNorm1d)):
        candidates = {wanted_channels(first)}  # some of them take any number, but mean this one
    for tensor in (*module.net.parameters(), *module.net.buffers()):
        for extent in tensor.shape:
            candidates.update({extent} | ({extent // module.size} if extent % module.size == 0 else set()))
    wanted = sorted(candidate for candidate in candidates if 0 < candidate <= _MOST_CHANNELS)[:_MOST_TRIALS]
    with inference(module):
        found = _fitting(wanted, lambda channels: module.net(like(module.net, torch.zeros(2, channels, module.size))), errors)
    if found is None:
        error = fail(path, module,
                     "how many channels its windows have cannot be seen; say it, as in inputs=[2]" + "".join(errors))
        error.choices = [[wanted[0]]]
        raise error
    return found


def signal_channels(root: nn.Module, path: str, names: Sequence[str], signals: Callable[[Sequence[int], int],
                                                                                        List[Tensor]]) -> List[int]:
    """The channels of each signal that `root` takes: the only ones, of those that its layers and constants speak of, for which
    it runs. `signals` makes signals of so many channels and frames. Errors: ExportError if that does not tell."""
    spoken: Set[int] = set()
    for module in root.modules():
        spoken.update(value for value in (wanted_channels(module),) if value is not None)
    for tensor in (*root.parameters(), *root.buffers()):
        spoken.update(extent for extent in tensor.shape if extent <= _MOST_CHANNELS)
    errors: List[str] = []
    for length in (SHORT_LENGTHS[0], *(lengths[0] for lengths in SAMPLE_LENGTHS[:4])):
        errors.clear()
        if len(names) == 1:
            found = _fitting(sorted(spoken | {1, 2, 3})[:64], lambda count: root(*signals([count], length)), errors)
            if found is not None:
                return [found]
        else:
            most = max(2, int(_MOST_TRIALS ** (1 / len(names))))
            choices = itertools.product(sorted(spoken | {1})[:most], repeat=len(names))
            fitting = []
            for counts in choices:
                with contextlib.suppress(Exception):
                    root(*signals(counts, length))
                    fitting.append(list(counts))
            if len(fitting) == 1:
                return fitting[0]
        if not errors or not errors[0]:
            break
    owner = root.root if isinstance(root, Turned) else root
    if any(of_images(type(module).__name__) for module in owner.modules()):
        reason = (f"which frames its input {names[0]} has cannot be seen; say all its extents but those of batch and time, channels "
                  "first, as in inputs=[(2, 80)], and time_axis if the time is not the last axis")
    else:
        others = ", ".join("2" for _ in names)
        reason = f"how many channels its input {names[0]} has cannot be seen; say it, as in inputs=[{others}]"
    error = fail(path, owner, reason + "".join(errors))
    error.choices = [[2] * len(names), [1] * len(names)]
    raise error


def signal_rates(root: nn.Module, count: int, signals: Callable[[Sequence[int], int], List[Tensor]]) -> List[int]:
    """How many frames of the first signal come for one of each, as far as running `root` shows: 1 if it runs with equally long
    ones, else the only factor of the usual ones and those of its own layers for which it runs. `signals` makes signals of these
    rates and so many frames of the first."""
    own = {int(value) for module in root.modules() for value in (single(getattr(module, "stride", 1)),
                                                                 single(getattr(module, "scale_factor", 1)) or 1)
           if isinstance(value, (int, float)) and value > 1}
    total = functools.reduce(operator.mul, own, 1)
    factors = sorted({*_USUAL_RATES, *own, total} - {1})
    fitting = []
    for factor in (1, *(factor for factor in factors if factor <= 4096)):
        rates = [1] + [factor] * (count - 1)
        with contextlib.suppress(Exception):
            root(*signals(rates, SAMPLE_LENGTHS[0][0] if factor == 1 else 8 * factor))
            fitting.append(rates)
            if factor == 1:
                break
    return fitting[0] if len(fitting) == 1 else [1] * count


def table_rows(root: nn.Module) -> int:
    """The rows of the smallest table that `root` has, 0 if it has none."""
    return min((each.num_embeddings for each in root.modules() if isinstance(each, nn.Embedding)), default=0)


def takes_no_channels(root: nn.Module, whole: bool = False) -> bool:
    """Whether `root` runs for (batch, time) and not for (batch, 1, time); of `whole` numbers, a table takes both."""
    def zeros(*shape: int) -> Tensor:
        return like(root, torch.zeros(*shape, dtype=torch.int64 if whole else torch.float32))

    for length, *_ in (SHORT_LENGTHS, *SAMPLE_LENGTHS[:3]):
        with contextlib.suppress(Exception):
            root(zeros(2, 1, length))
            if not whole:
                return False
        with contextlib.suppress(Exception):
            given = [tensor_of(root(zeros(batch, length))) for batch in (3, 5)]
            return all(y is not None and y.shape[:1] == (batch,) for y, batch in zip(given, (3, 5)))
    return False
