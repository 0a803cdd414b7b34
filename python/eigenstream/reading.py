"""Reads the attributes and tensors of torch's modules."""

from __future__ import annotations

import math
import operator
from typing import Any, Callable, Iterator, Mapping, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn.utils.weight_norm import WeightNorm

from .errors import fail, join
from .format import MAX_EXTENT, dilated


def single(value: Any) -> Any:
    """The number in torch's 1-tuples, which some layers store and some do not."""
    return value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value


def integer(module: nn.Module, path: str, name: str, least: int = 1, most: int = MAX_EXTENT) -> int:
    """An integer attribute within the limits of the format."""
    value = single(getattr(module, name))
    try:
        value = operator.index(value)
    except TypeError:
        raise fail(path, module, f"{name} is {value!r}, not an integer") from None
    if not least <= value <= most:
        raise fail(path, module, f"{name} is {value}, outside {least}..{most}")
    return value


def number(module: nn.Module, path: str, name: str) -> float:
    value = float(getattr(module, name))
    if not math.isfinite(value):
        raise fail(path, module, f"{name} is {value}, not a finite number")
    return value


def attribute(module: nn.Module, path: str, field: Mapping[str, Any]) -> Any:
    """The value of a type's field, which is an attribute of the module; a bias is true if there is one."""
    name, kind = field["name"], field["kind"]
    if kind == "integer":
        return integer(module, path, name, field["lowest"], field["highest"])
    if kind == "number":
        return number(module, path, name)
    value = getattr(module, name)
    return (isinstance(value, Tensor) or bool(value)) if kind == "boolean" else value


def conv_padding(module: nn.Conv1d, path: str, padding: str) -> Tuple[int, int]:
    """Zeros left and right of the input of a convolution."""
    if padding == "valid" or module.padding == "valid":
        return 0, 0
    if module.padding == "same":
        field = dilated(integer(module, path, "kernel_size"), integer(module, path, "dilation"))
        sides = (field - 1) // 2, field - 1 - (field - 1) // 2
    else:
        sides = (integer(module, path, "padding", 0),) * 2
    if any(sides) and module.padding_mode not in ("zeros", "replicate", "reflect"):
        reason = "only 'zeros', 'replicate' and 'reflect' can run over a stream"
        raise fail(path, module, f"padding_mode is {module.padding_mode!r}, {reason}")
    return sides


def pool_padding(module: nn.Module, path: str, padding: str) -> int:
    if padding == "valid":
        return 0
    amount, kernel_size = integer(module, path, "padding", 0), integer(module, path, "kernel_size")
    if 2 * amount > kernel_size:
        raise fail(path, module, f"padding {amount} is more than half of kernel_size {kernel_size}")
    return amount


def transpose_padding(module: nn.ConvTranspose1d, path: str, padding: str) -> Tuple[int, int]:
    """Padding and output_padding of a transposed convolution."""
    if padding == "valid":
        return 0, 0
    extra = integer(module, path, "output_padding", 0)
    bound = max(integer(module, path, "stride"), integer(module, path, "dilation"))
    if extra >= bound:
        raise fail(path, module, f"output_padding {extra} must be smaller than stride or dilation ({bound})")
    return integer(module, path, "padding", 0), extra


def pad_sides(module: nn.Module, path: str, padding: str) -> Tuple[int, int]:
    """Frames that a padding layer adds left and right; negative ones are taken away."""
    left, right = module.padding
    if not all(isinstance(side, int) and -MAX_EXTENT <= side <= MAX_EXTENT for side in (left, right)):
        raise fail(path, module, f"padding is {(left, right)}, both must be integers in -{MAX_EXTENT}..{MAX_EXTENT}")
    return (min(0, left), min(0, right)) if padding == "valid" else (left, right)


def own_class(module: nn.Module) -> type:
    """The nearest class of torch's or of this package that `module` is or derives from."""
    ours = __name__.partition(".")[0]
    return next(cls for cls in type(module).__mro__ if cls.__module__.partition(".")[0] in ("torch", ours))


def shrink(module: nn.Module, path: str, padding: str) -> int:
    """By how many samples `module` shortens its input, 0 for whatever does not look along time.

    Errors: ExportError for a convolution or pool with a stride other than 1.
    """
    cls = own_class(module)
    if cls is nn.Sequential:
        return sum(shrink(child, join(path, name), padding) for name, child in children(module))
    if hasattr(cls, "shortens"):  # a module of this package
        return module.shortens(path, padding)
    if cls in (nn.ConstantPad1d, nn.ReplicationPad1d, nn.ReflectionPad1d):
        return -sum(pad_sides(module, path, padding))
    if cls not in (nn.Conv1d, nn.ConvTranspose1d, nn.AvgPool1d, nn.MaxPool1d):
        return 0
    check_stride(module, path, "stride")
    dilation = 1 if cls is nn.AvgPool1d else integer(module, path, "dilation")
    field = dilated(integer(module, path, "kernel_size"), dilation)
    if cls is nn.Conv1d:
        return field - 1 - sum(conv_padding(module, path, padding))
    if cls is nn.ConvTranspose1d:
        amount, extra = transpose_padding(module, path, padding)
        return 2 * amount - extra - (field - 1)
    return field - 1 - 2 * pool_padding(module, path, padding)


def check_stride(module: nn.Module, path: str, name: str) -> None:
    if integer(module, path, name) != 1:
        raise fail(path, module, f"{name} is {single(getattr(module, name))}, but inside a Residual every stride must be 1")


def check_shrink(module: nn.Module, path: str, padding: str) -> None:
    """Throw if the net of a Residual makes its input longer, as far as its modules' attributes say."""
    if any(isinstance(each, torch.jit.ScriptModule) or type(each).forward is not own_class(each).forward
           for each in modules_of(module.net)):
        return  # what it does to lengths is seen when it runs
    frames = shrink(module.net, join(path, "net"), padding)
    if frames < 0:
        reason = f"with padding {padding!r} the inner network makes its input {-frames} samples longer"
        raise fail(path, module, f"{reason}, and there is nothing to add to those; use less padding inside")


def children(module: nn.Module) -> Iterator[Tuple[str, nn.Module]]:
    """All children by name; unlike named_children() a module that occurs twice comes twice."""
    return ((name, child) for name, child in module._modules.items() if child is not None)


def fold_weight_norm(module: nn.Module, path: str, name: str, g: Tensor, v: Tensor, dim: Optional[int]) -> Tensor:
    """W = g v / |v|, the norm over all axes except `dim`, over everything if `dim` is None or -1 (torch's rule)."""
    if v.is_meta or g.is_meta or not (v.dtype.is_floating_point and g.dtype.is_floating_point):
        return v  # which is no tensor that can be written
    g, v = g.detach().double(), v.detach().double()
    norm = torch.norm_except_dim(v, 2, -1 if dim is None else dim)
    if bool((norm == 0).any()):
        raise fail(path, module, f"weight norm of {name}: the direction has norm 0")
    return g * (v / norm)


def parameter(module: nn.Module, path: str, name: str) -> Optional[Tensor]:
    """A parameter or buffer, computed anew where weight norm or another reparametrisation makes it of others. Changes
    nothing."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm) and hook.name == name:
            g, v = getattr(module, f"{name}_g"), getattr(module, f"{name}_v")
            return fold_weight_norm(module, path, name, g, v, hook.dim)
        if name in (getattr(hook, "name", None), getattr(hook, "_tensor_name", None)):  # spectral norm, pruning
            return _in_inference(module, lambda: (hook(module, None), getattr(module, name))[1])
    chain = getattr(module, "parametrizations", {})
    if name not in chain:
        return getattr(module, name)
    if [type(each).__name__ for each in chain[name]] == ["_WeightNorm"]:
        return fold_weight_norm(module, path, name, chain[name].original0, chain[name].original1, chain[name][0].dim)
    return _in_inference(module, lambda: getattr(module, name))


def _in_inference(module: nn.Module, compute: Callable[[], Tensor]) -> Tensor:
    """What `compute` gives when the module is not in training, whose attributes stay as they were."""
    before, modes = dict(vars(module)), [(each, each.training) for each in module.modules()]
    try:
        module.eval()
        with torch.no_grad():
            return compute()
    finally:
        vars(module).clear()
        vars(module).update(before)
        for each, training in modes:
            each.training = training


def like(module: nn.Module, x: Tensor) -> Tensor:
    """x where the module's tensors are, and as precise as they are; whole numbers stay what they are."""
    if not x.dtype.is_floating_point:
        return x.to(next((tensor.device for tensor in module.parameters()), x.device))
    tensors = (tensor for tensor in (*module.parameters(), *module.buffers()) if tensor.dtype.is_floating_point)
    return x.to(next(tensors, x))


def no_values(name: str, tensor: Any) -> Optional[str]:
    """That a tensor has no values, and the way out; None if it has."""
    if nn.parameter.is_lazy(tensor):
        return (f"tensor {name} has no values and no shape before the network has run; run it once, as in "
                "net(torch.zeros(1, channels, frames))")
    if isinstance(tensor, Tensor) and tensor.is_meta:
        return f"tensor {name} has no values; load them into a network on the CPU, not on the meta device"
    return None


def without_values(module: nn.Module, path: str, recurse: bool = True) -> Optional[str]:
    """That a tensor of the module has no values, so that the module cannot run, if there is one."""
    tensors = (*module.named_parameters(recurse=recurse), *module.named_buffers(recurse=recurse))
    reasons = (no_values(join(path, name), tensor) for name, tensor in tensors)
    return next((reason for reason in reasons if reason is not None), None)


def modules_of(module: nn.Module) -> Iterator[nn.Module]:
    """`module` and all in it, but not what a Windowed runs."""
    yield module
    if not hasattr(type(module), "runs_windows"):
        for _, child in children(module):
            yield from modules_of(child)
