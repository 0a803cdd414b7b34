"""Complex numbers, and the short-time Fourier transform that makes them and takes them."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Sequence

import torch
from torch import Tensor

from ..align import Number, Varying
from ..errors import Refused
from ..evaluate import window_named
from ..format import Node
from ..graph import Builder
from ..signals import BATCH, COLUMNS, SPACE, TIME, Signal, in_order, what
from . import rotary
from .arithmetic import affine, binary, join_signals
from .registry import HANDLERS, handles
from .rotary import OF_TURNING
from .time import crop

_TWO_SIDED = "only bins 0 to n_fft / 2 of a spectrum come out of a stream, the others mirror them: onesided=True"


class Complex:
    """A tensor of complex numbers: the signals of its real and of its imaginary parts, of the same shape."""

    def __init__(self, re: Any, im: Any) -> None:
        self.re, self.im = re, im

    @property
    def axes(self) -> Sequence[str]:
        return self.re.axes

    def shape(self, run: int, batch: int) -> Sequence[int]:
        return self.re.shape(run, batch)

    def __repr__(self) -> str:
        return f"complex numbers ({', '.join(self.axes)})"


def holds_complex(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(map(holds_complex, value))
    return any(map(holds_complex, value.values())) if isinstance(value, dict) else isinstance(value, Complex)


def _is_complex_tensor(value: Any) -> bool:
    return isinstance(value, complex) or isinstance(value, Tensor) and value.is_complex()


def has_complex(args: Any, kwargs: Any) -> bool:
    """Whether a call has complex numbers to do with: signals', or constants."""
    return holds_complex((tuple(args), dict(kwargs))) or any(map(_is_complex_tensor, (*args, *kwargs.values())))


def parts_of(value: Any) -> Complex:
    """Real and imaginary part of a signal or a constant; None for a part that is nothing but zeros."""
    if isinstance(value, Complex):
        return value
    if isinstance(value, Tensor) and value.is_complex():
        im = value.imag.clone()
        return Complex(value.real.clone(), im if bool((im != 0).any()) else None)
    if isinstance(value, complex):
        return Complex(value.real, value.imag if value.imag else None)
    return Complex(value, None)


# --- what becomes of them -------------------------------------------------------------------------------------------

# What moves numbers and does nothing to them, or adds them up: the same for either part.
_PARTWISE = {
    "view", "reshape", "permute", "transpose", "swapaxes", "t", "movedim", "moveaxis", "unsqueeze", "squeeze", "flatten", "unflatten",
    "__getitem__", "narrow", "select", "chunk", "split", "tensor_split", "unbind", "cat", "concat", "stack", "expand", "expand_as", "repeat",
    "index_select", "contiguous", "clone", "sum", "mean", "neg", "__neg__", "negative", "flip", "roll"}


def _only(value: Any, part: str) -> Any:
    """Arguments with one part of all complex numbers in them."""
    if isinstance(value, (tuple, list)):
        return type(value)(_only(each, part) for each in value)
    if isinstance(value, dict):
        return {key: _only(each, part) for key, each in value.items()}
    return getattr(value, part) if isinstance(value, Complex) else value


def complex_call(b: Builder, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What torch's function of that name gives for complex numbers."""
    handler = COMPLEX.get(name)
    if handler is not None:
        return handler(b, *args, **kwargs)
    if name in ("contiguous", "clone", "to", "resolve_conj", "resolve_neg", "detach"):
        return args[0]
    if name in _PARTWISE and name in HANDLERS:
        re, im = (HANDLERS[name](b, *_only(list(args), part), **_only(dict(kwargs), part)) for part in ("re", "im"))
        return tuple(map(Complex, re, im)) if isinstance(re, tuple) else Complex(re, im)
    raise Refused(f"{name.strip('_')} of complex numbers is not supported; torch.view_as_real(x) makes pairs of real ones")


COMPLEX: Dict[str, Callable[..., Any]] = {}


def _for_complex(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        COMPLEX.update(dict.fromkeys(names, handler))
        return handler

    return register


def _sum(b: Builder, x: Any, y: Any, op: str = "add") -> Any:
    """x + y or x - y, of signals and constants, where None is 0."""
    if y is None:
        return x
    if x is None:
        return y if op == "add" else _scaled(b, y, -1.0)
    if not isinstance(x, Signal) and not isinstance(y, Signal):
        return x + y if op == "add" else x - y
    return binary(b, op, x, y)


def _product(b: Builder, x: Any, y: Any) -> Any:
    if x is None or y is None:
        return None
    return binary(b, "mul", x, y) if isinstance(x, Signal) or isinstance(y, Signal) else x * y


def _scaled(b: Builder, x: Any, factor: float) -> Any:
    return affine(b, x, factor) if isinstance(x, Signal) else None if x is None else x * factor


def _of_both(b: Builder, re: Any, im: Any) -> Complex:
    """Complex numbers, of which one part may be a constant or nothing."""
    beside = re if isinstance(re, Signal) else im

    def signal(part: Any) -> Signal:
        if isinstance(part, Signal):
            return part
        return affine(b, beside, 0.0, 0.0) if part is None else binary(b, "add", affine(b, beside, 0.0, 0.0), part)

    re, im = signal(re), signal(im)
    if re.shape(0, b.runs[0].batch) != im.shape(0, b.runs[0].batch):  # one of them was broadcast
        re, im = binary(b, "add", re, affine(b, im, 0.0, 0.0)), binary(b, "add", im, affine(b, re, 0.0, 0.0))
    return Complex(re, im)


def _real(x: Any) -> bool:
    return parts_of(x).im is None


def _multiplied(b: Builder, x: Any, y: Any) -> Complex:
    x, y = parts_of(x), parts_of(y)
    return _of_both(b, _sum(b, _product(b, x.re, y.re), _product(b, x.im, y.im), "sub"),
                    _sum(b, _product(b, x.re, y.im), _product(b, x.im, y.re)))


def _paired(x: Any) -> Any:
    """Complex numbers whose parts are of one value, as pairs along one more axis: then there is nothing to do."""
    if not isinstance(x, Complex) or x.re.number != x.im.number or x.re.frames != x.im.frames:
        return None
    return x.re.replaced(axes=(*x.axes, SPACE), index=torch.stack([x.re.index, x.im.index], -1))


def _of_pairs(x: Signal) -> Complex:
    """The way back."""
    return Complex(*(x.replaced(axes=x.axes[:-1], index=x.index[..., k]) for k in (0, 1)))


def _for_pairs(value: Any) -> Any:
    """What is real, beside pairs: the same for both of a pair."""
    if isinstance(value, Signal):
        return value.replaced(axes=(*value.axes, SPACE), index=value.index.unsqueeze(-1))
    return value.unsqueeze(-1) if isinstance(value, Tensor) and value.dim() else value


def _by_real(b: Builder, op: str, x: Any, value: Any) -> Any:
    """x times or divided by what is real, both parts at once if they are of one value; None if they are not."""
    pairs = _paired(x)
    return None if pairs is None or not _real(value) else _of_pairs(binary(b, op, pairs, _for_pairs(value)))


def _together(b: Builder, op: str, x: Any, y: Any) -> Any:
    """The sum or difference of complex numbers, both parts at once if those of each are of one value; None if they are not."""
    pairs = [_paired(each) for each in (x, y)]
    return None if None in pairs else _of_pairs(binary(b, op, *pairs))


@_for_complex("add", "__add__", "__radd__", "__iadd__", "add_")
def _add(b: Builder, input: Any, other: Any, alpha: Any = 1) -> Complex:
    known = _together(b, "add", input, other) if alpha == 1 else None
    if known is not None:
        return known
    x, y = parts_of(input), parts_of(other)
    return _of_both(b, _sum(b, x.re, _scaled(b, y.re, float(alpha)) if alpha != 1 else y.re),
                    _sum(b, x.im, _scaled(b, y.im, float(alpha)) if alpha != 1 else y.im))


@_for_complex("sub", "subtract", "__sub__", "__isub__", "sub_")
def _sub(b: Builder, input: Any, other: Any, alpha: Any = 1) -> Complex:
    if alpha != 1:
        raise Refused("sub of complex numbers with alpha is not supported")
    known = _together(b, "sub", input, other)
    if known is not None:
        return known
    x, y = parts_of(input), parts_of(other)
    return _of_both(b, _sum(b, x.re, y.re, "sub"), _sum(b, x.im, y.im, "sub"))


@_for_complex("rsub", "__rsub__")
def _rsub(b: Builder, input: Any, other: Any, alpha: Any = 1) -> Complex:
    return _sub(b, other, input, alpha)


@_for_complex("mul", "multiply", "__mul__", "__rmul__", "__imul__", "mul_")
def _mul(b: Builder, input: Any, other: Any) -> Complex:
    for x, value in ((input, other), (other, input)):
        if isinstance(value, Varying) and _paired(x) is not None:  # turned as time goes on, as rotary positions are
            return OF_TURNING["mul"](b, rotary.view_as_complex(b, _paired(x)), value)
        known = _by_real(b, "mul", x, value)
        if known is not None:
            return known
    return _multiplied(b, input, other)


@_for_complex("div", "divide", "true_divide", "__truediv__", "__itruediv__", "div_")
def _div(b: Builder, input: Any, other: Any, rounding_mode: Any = None) -> Complex:
    if _real(other):
        known = _by_real(b, "div", input, other)
        if known is not None:
            return known
        x = parts_of(input)
        return _of_both(b, binary(b, "div", x.re, other), binary(b, "div", x.im, other))
    if not isinstance(other, Complex):  # a constant
        return _multiplied(b, input, 1 / other)
    divisor = _squares(b, other)
    y = _multiplied(b, input, Complex(other.re, affine(b, other.im, -1.0)))
    return Complex(binary(b, "div", y.re, divisor), binary(b, "div", y.im, divisor))


@_for_complex("conj", "conj_physical", "_conj")
def _conj(b: Builder, input: Complex) -> Complex:
    return Complex(input.re, affine(b, input.im, -1.0))


@_for_complex("real")
def _re(b: Builder, input: Complex) -> Signal:
    return input.re


@_for_complex("imag")
def _im(b: Builder, input: Complex) -> Signal:
    return input.im


def _squares(b: Builder, x: Complex) -> Signal:
    return join_signals(b, "sum", b.simple("Square", x.re), b.simple("Square", x.im))


@_for_complex("abs", "__abs__", "absolute")
def _abs(b: Builder, input: Complex) -> Signal:
    pairs = _paired(input)
    if pairs is None:
        return b.simple("Sqrt", _squares(b, input))
    numbers, places = torch.unique(pairs.index.reshape(-1, 2), dim=0, return_inverse=True)  # each pair once, in the order of the value
    own, width, height = b.values[pairs.number].shape
    whole = torch.equal(numbers.flatten(), in_order(own * width * height)) and own % 2 == 0
    x = b.whole(pairs) if whole else b.with_shape(b.gather(pairs, numbers.flatten().tolist()), (2 * len(numbers), 1, 1))
    shape = (own // 2, width, height) if whole else (len(numbers), 1, 1)
    y = b.emit({"type": "Magnitude", "path": b.own_path(), "power": 1}, x, shape=shape)
    return y.replaced(axes=input.axes, index=places.reshape(input.re.index.shape))


@_for_complex("angle")
def _angle(b: Builder, input: Complex) -> Signal:
    return join_signals(b, "atan2", input.im, input.re)


@_for_complex("exp")
def _exp(b: Builder, input: Complex) -> Complex:
    return polar(b, b.simple("Exp", input.re), input.im)


@_for_complex("pow", "__pow__", "square")
def _pow(b: Builder, input: Any, exponent: Any = 2) -> Complex:
    if exponent != 2 or not isinstance(input, Complex):
        raise Refused(f"a power of {exponent!r} of complex numbers is not supported; only of their abs()")
    return _multiplied(b, input, input)


@_for_complex("view_as_real")
def _pairs(b: Builder, input: Complex) -> Signal:
    known = _paired(input)
    return known if known is not None else HANDLERS["stack"](b, [input.re, input.im], -1)


@handles("view_as_complex")
def view_as_complex(b: Builder, input: Signal) -> Complex:
    last = len(input.axes) - 1
    if input.axes[last] != SPACE:
        raise Refused(f"view_as_complex takes pairs along the last axis, but gets {what(input)}")
    return _of_pairs(input.replaced(index=input.index.movedim(input.place(last), -1)))


@handles("complex")
def of_parts(b: Builder, real: Any, imag: Any, out: Any = None) -> Complex:
    return _of_both(b, real, imag)


@handles("polar")
def polar(b: Builder, abs: Any, angle: Any, out: Any = None) -> Complex:
    if not isinstance(angle, Signal):
        return _of_both(b, _product(b, abs, torch.as_tensor(angle).cos()), _product(b, abs, torch.as_tensor(angle).sin()))
    return _of_both(b, _product(b, abs, b.simple("Cos", angle)), _product(b, abs, b.simple("Sin", angle)))


# --- the transform --------------------------------------------------------------------------------------------------


def framing(b: Builder, path: str, n_fft: Any, hop_length: Any, win_length: Any, window: Any, center: Any, pad_mode: str,
            normalized: Any, onesided: Any) -> Node:
    """The fields that the transform and its inverse have in common, and the window where it is not one by name."""
    hop_length = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    if any(type(each) is not int for each in (n_fft, hop_length, win_length)):
        raise Refused(f"n_fft, hop_length and win_length are {n_fft!r}, {hop_length!r} and {win_length!r}, not integers that are the same for "
                      "every signal")
    if onesided is False:
        raise Refused(_TWO_SIDED)
    if pad_mode not in ("reflect", "constant", "replicate"):
        raise Refused(f"the padding mode {pad_mode!r} puts the signal's end before its start, which is not there yet; use 'reflect', "
                      "'constant' or 'replicate'")
    if window is not None and (not isinstance(window, Tensor) or window.is_complex()):
        raise Refused(f"the window is {what(window)}, but it must be the same for all signals, and real")
    window = torch.ones(win_length) if window is None else window.detach()
    node = {"n_fft": n_fft, "hop_length": hop_length, "win_length": win_length, "center": bool(center), "pad_mode": pad_mode,
            "scale": "frame_length" if normalized else "none"}
    for name in ("rectangular", "hann", "sqrt_hann", "hamming", "blackman", "bartlett"):
        if torch.allclose(window.double(), window_named(name, win_length), 0.0, 2e-7):
            return {**node, "window": name}
    b.keep(path, "window", window, (win_length,))
    return {**node, "custom_window": True}


@handles("stft")
def stft(b: Builder, input: Any, n_fft: Any, hop_length: Any = None, win_length: Any = None, window: Any = None, center: Any = True,
         pad_mode: str = "reflect", normalized: Any = False, onesided: Any = None, return_complex: Any = None, align_to_window: Any = None) -> Any:
    x = input
    if not isinstance(x, Signal) or len(x.axes) != 2 or x.axes[0] not in (BATCH, COLUMNS) or x.axes[1] != TIME:
        raise Refused(f"stft takes (batch, time) or (batch and channels, time), but gets {what(x)}")
    if b.windows:
        raise Refused("stft inside a Windowed is not supported; do it before the windows are cut, or as a convolution")
    if align_to_window:
        raise Refused("stft with align_to_window is not supported")
    path = b.own_path()
    node = {"type": "Stft", "path": path, **framing(b, path, n_fft, hop_length, win_length, window, center, pad_mode, normalized, onesided)}
    count, bins = x.index.numel(), n_fft // 2 + 1
    plain = b.with_shape(b.gather(x, x.index.flatten().tolist()), (count, 1, 1))
    y = b.emit(node, plain, shape=(2 * count, bins, 1))
    index = in_order(y.channels).reshape(bins, count, 2).permute(2, 1, 0)  # part, channel, bin
    axes = (x.axes[0], SPACE, TIME)
    parts = [y.replaced(axes=axes, index=each if x.axes[0] == COLUMNS else each[0]) for each in index]
    result = Complex(*parts)
    return result if return_complex else _pairs(b, result)


@_for_complex("istft")
def istft(b: Builder, input: Complex, n_fft: Any, hop_length: Any = None, win_length: Any = None, window: Any = None, center: Any = True,
          normalized: Any = False, onesided: Any = None, length: Any = None, return_complex: Any = False) -> Signal:
    x = input
    if not isinstance(x, Complex) or len(x.axes) != 3 or x.axes[0] not in (BATCH, COLUMNS) or x.axes[1:] != (SPACE, TIME):
        raise Refused(f"istft takes spectra (batch, bins, frames), but gets {what(x) if not isinstance(x, Complex) else repr(x)}")
    if return_complex:
        raise Refused("istft with return_complex is not supported: the signal of one-sided spectra is real")
    path = b.own_path()
    node = {"type": "Istft", "path": path, **framing(b, path, n_fft, hop_length, win_length, window, center, "reflect", normalized, onesided)}
    hop, left = node["hop_length"], n_fft // 2 if center else 0
    if hop > n_fft - left:
        raise Refused(f"hop_length is {hop}, more than n_fft - n_fft / 2 = {n_fft - left}: a stream leaves out no more than windows overlap")
    wanted = [shapes[0][-1] for shapes in b.step.shapes]
    if length is not None:  # up to the last whole hop, and then where the signal ended
        node["right"] = n_fft - left - hop
        if left and all(count * hop > own for count, own in zip(x.re.frames, wanted)):
            node["right"] += 1  # a window may be next to nothing at its last sample
    columns = x.axes[0] == COLUMNS
    re, im = b.ordered(x.re), b.ordered(x.im)
    both = b.emit({"type": "Reduce", "path": b.helper_path("pairs"), "op": "concat"}, b.whole(re), b.whole(im))
    half = both.channels // 2
    count, bins = (x.re.index.shape[0] if columns else 1), n_fft // 2 + 1
    # Numbers of both, by part, channel and bin, as frames have them: bin, channel, part.
    order = in_order(both.channels).reshape(2, count, bins).permute(2, 1, 0).flatten()
    numbers = [(x.re, x.im)[int(k) // half].index.flatten()[int(k) % half].item() for k in order]
    if x.re.number == x.im.number:  # at once, which may be nothing to do
        frames = b.gather(x.re, numbers)
    else:
        frames = b.gather(both, order.tolist())
    y = b.emit(node, b.with_shape(frames, (2 * count, bins, 1)), shape=(count, 1, 1))
    y = y.replaced(axes=(x.axes[0], TIME), index=y.index if columns else y.index.reshape(()))
    if length is None:
        return y
    if any(given < own for given, own in zip(y.frames, wanted)):
        raise Refused(f"istft gives {wanted[0]} samples of spectra that make {y.frames[0]}: zeros behind them are not supported")
    return crop(b, y, None, wanted[0] if len(set(wanted)) == 1 else Number(wanted, b.runs))


handles("istft")(istft)
