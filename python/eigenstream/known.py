"""Which modules the exporter knows, and what it says of those that it does not."""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import torch
from torch import Tensor, nn

from .continual import RecyclingPositionalEncoding
from .errors import ExportError
from .module_types import TYPES
from .modules import (
    RECURRENT, OnlineAverager, OverChannels, OverlapAdd, Parallel, Recurrent, Residual, Snake, Snapshotter, Windowed)
from .reading import children


# Activations without tensors, whose attributes are numbers. nn.ReLU6 is a subclass of nn.Hardtanh with 0 and 6.
ACTIVATIONS: Tuple[type, ...] = tuple(
    getattr(nn, each.name) for each in TYPES.values() if each.is_function and each.torch.startswith("torch.nn."))
# Nothing is left of these in inference mode.
INACTIVE = (
    nn.Identity,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)
USE_A_WINDOW = ("needs the whole signal, so it cannot run over a stream; "
                 "run it over windows: Windowed(net, size, stride)")
BOTH_DIRECTIONS = f"runs in both directions; backwards it {USE_A_WINDOW}"
WRAP_RECURRENT = ("gives its output and its last state, not one signal; wrap it in Recurrent, or take the first in a "
                   "forward of your own")
WRAP = "works over the last axis, which is time; wrap it in OverChannels to apply it over the channels"
OF_IMAGES = ("it takes images or volumes, but a window is (batch, channels, frames); use what ends with 1d, the other "
              "axes as channels")
PAD_OTHERWISE = "puts the signal's end before its start, which is not there yet; use zeros, replicate or reflect"
REFUSED: Tuple[Tuple[type, str], ...] = (
    (nn.GroupNorm, USE_A_WINDOW),
    (nn.AdaptiveAvgPool1d, USE_A_WINDOW),
    (nn.AdaptiveMaxPool1d, USE_A_WINDOW),
    (nn.Flatten, USE_A_WINDOW),
    *((attention, f"{USE_A_WINDOW}, or over the last n frames: continual(module, sequence_len=n); or call it in a forward of your own "
                  "with a mask by which each frame sees the last n")
      for attention in (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)),
    *(((nn.CircularPad1d, PAD_OTHERWISE),) if hasattr(nn, "CircularPad1d") else ()),
    (nn.Linear, WRAP),
    (nn.LayerNorm, WRAP),
    *((cell, f"is one step of a recurrence, and a loop over frames cannot be read; use nn.{cell.__name__[:-4]}, which runs "
             f"over "
             "all frames with the same weights: weight_ih as weight_ih_l0, and so on")
      for cell in (nn.RNNCell, nn.GRUCell, nn.LSTMCell)),
)
# Types of the user's: class -> what describes one of its modules.
_REGISTERED: Dict[type, Callable[[Any], Tuple[str, Mapping[str, Any], Mapping[str, Tensor]]]] = {}


def register(
    cls: type, describe_module: Callable[[Any], Tuple[str, Mapping[str, Any], Mapping[str, Tensor]]]
) -> None:
    """Teach the exporter a module class for which the C++ program registers a factory.

    `describe_module(module)` gives the type's name, its fields (bool, int, float, str or list of int) and its tensors. The
    nearest registered class of a module counts; a built-in one may be replaced for a class that derives from it.
    """
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise ExportError(f"register takes a class of modules, not {cls!r}")
    _REGISTERED[cls] = describe_module


def foreign(module: nn.Module) -> Optional[str]:
    """Why a module that is no Python code of torch's or the user's cannot be read, and the way out."""
    if isinstance(module, torch.jit.ScriptModule):
        return ("is TorchScript, whose code cannot be read; export the Python module that it was made from, with its "
                "weights: net.load_state_dict(scripted.state_dict())")
    if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return "runs a network on several devices; export that one, its .module"
    if type(module).__name__ == "OptimizedModule":  # of torch.compile
        return "is a network compiled; export the one that it was made from, its ._orig_mod"
    sources = [cls.__module__ for cls in type(module).__mro__ if cls.__module__.startswith("torch.")]
    if any(part in source for source in sources for part in (".quantized", ".qat", ".fake_quantize")):
        return ("is quantised, or trained to be, and a model file holds floats only; export the float network that it "
                "was made from")
    return None


def not_a_module(value: object) -> str:
    """That a value is no module, and the way out."""
    cure = "give the network itself"
    if isinstance(value, Mapping):
        cure = "a state_dict holds the weights only: build the network, load_state_dict() them into it, and give that"
    elif isinstance(value, type):
        cure = f"it is a class: make one, as in {value.__name__}()"
    elif isinstance(value, (str, os.PathLike)):
        cure = "load the network first"
    elif isinstance(value, torch.jit.ScriptFunction):
        cure = "it is TorchScript, whose code cannot be read: write it as the forward of a module"
    elif callable(value):
        cure = "write it as the forward of a module"
    return f"not a torch.nn.Module; {cure}"


# What is described by its attributes, wherever it runs.
_DESCRIBED = (
    nn.Sequential, nn.ConstantPad1d, nn.ReplicationPad1d, nn.ReflectionPad1d, nn.Conv1d, nn.ConvTranspose1d, nn.AvgPool1d, nn.MaxPool1d,
    nn.BatchNorm1d, nn.InstanceNorm1d, nn.GELU, nn.PReLU, nn.GLU, nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.RReLU,
    *ACTIVATIONS, OverChannels, Snake, Residual, Parallel, Recurrent, Windowed, Snapshotter, OverlapAdd, OnlineAverager,
    RecyclingPositionalEncoding)

# Modules of torch's that are recorded, also by themselves: what their functions are is known.
_RECORDED = (
    nn.Upsample, nn.Embedding, nn.Unflatten, nn.ZeroPad2d,
    *(getattr(nn, f"{kind}{axes}d") for kind in ("Conv", "ConvTranspose", "AvgPool", "MaxPool", "AdaptiveAvgPool", "AdaptiveMaxPool",
                                                 "BatchNorm", "InstanceNorm", "ConstantPad", "ReplicationPad") for axes in (2, 3)))

# Modules of this package that a recorded forward calls as a whole.
MARKERS = (Snake, Residual, Parallel, Windowed, Snapshotter, OverlapAdd, OnlineAverager, RecyclingPositionalEncoding)


def resample_class() -> Tuple[type, ...]:
    """torchaudio's Resample, which is known without being needed."""
    transforms = getattr(sys.modules.get("torchaudio"), "transforms", None)
    return (transforms.Resample,) if hasattr(transforms, "Resample") else ()


def class_of(module: nn.Module) -> Optional[type]:
    """The class that `module` is or derives from, the nearest one of those that are described by attributes; None if there
    is none."""
    known = (_REGISTERED, _DESCRIBED, INACTIVE, resample_class())
    return next((cls for cls in type(module).__mro__ if any(cls in classes for classes in known)), None)


def is_registered(module: nn.Module) -> bool:
    return class_of(module) in _REGISTERED


def registered(module: nn.Module) -> Callable[[Any], Tuple[str, Mapping[str, Any], Mapping[str, Tensor]]]:
    return _REGISTERED[class_of(module)]


def is_reparametrisation(hook: Any) -> bool:
    """Whether a hook only computes a tensor of its module from others: weight norm, spectral norm, pruning."""
    return type(hook).__module__.startswith("torch.nn.utils.")


def has_own_forward(module: nn.Module) -> bool:
    """Whether calling `module` may do anything else than the forward of a class of torch's or of this package, as it does
    with a forward of the user's or with hooks. Then it is recorded."""
    cls = class_of(module)
    if cls in _REGISTERED or foreign(module) is not None:
        return False
    if "forward" in vars(module) or type(module).__call__ is not nn.Module.__call__:
        return True
    if cls is None:
        plain = (nn.Module.forward, *(each.forward for each in RECURRENT))
        return isinstance(module, _RECORDED) or type(module).forward not in plain and not type(module).__module__.startswith("torch.nn")
    hooks = (*module._forward_pre_hooks.values(), *module._forward_hooks.values())
    return (any(getattr(type(module), name, None) is not getattr(cls, name, None) for name in ("forward", "_conv_forward"))
            or not all(map(is_reparametrisation, hooks)))


def is_pointwise(module: nn.Module) -> bool:
    """Whether `module` treats every number alike, wherever it stands."""
    return class_of(module) in (*ACTIVATIONS, nn.GELU, nn.RReLU, *INACTIVE)


def of_images(name: str) -> bool:
    """Whether torch's module or function of that name wants more axes than a signal has."""
    return name.lower().endswith(("2d", "3d")) and "dropout" not in name.lower()


def is_recurrent(module: nn.Module) -> bool:
    """Whether `module` is one of torch's recurrent layers, which do not give one signal."""
    return isinstance(module, RECURRENT) and class_of(module) is None


def wanted_channels(module: nn.Module) -> Optional[int]:
    """The channels that `module` asks for, if it does."""
    if isinstance(module, Windowed):
        return None
    if isinstance(module, OverlapAdd):
        return module.channels * module.size
    if isinstance(module, OnlineAverager):
        return None
    for name in ("in_channels", "in_features", "num_features", "num_channels", "input_size"):
        if isinstance(getattr(module, name, None), int):
            return getattr(module, name)
    if isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1:
        return module.normalized_shape[0]
    if isinstance(module, Snake):
        return module.channels
    if isinstance(module, (RecyclingPositionalEncoding, nn.MultiheadAttention)):
        return module.embed_dim
    for _, child in children(module):
        found = wanted_channels(child)
        if found is not None or not is_pointwise(child):
            return found
    return None
