"""The nodes of attention and of encoders over the last frames of a signal."""

from __future__ import annotations

from typing import Callable, Sequence

from torch import nn

from ..continual import Continual, activation_of
from ..errors import Refused
from ..format import Node
from ..graph import Builder
from ..signals import BATCH, SPACE, TIME, Signal, in_order
from .arithmetic import binary
from .attention import project
from .channels import layer_norm, linear
from .shapes import permuted, sliced
from .space import each_frame
from .time import crop, windows


def continual(b: Builder, module: Continual, signals: Sequence[Signal]) -> Signal:
    """What the module makes of signals (batch, channels, time)."""
    if b.windows:
        raise Refused("is continual inside a window, which has an end; inside it put the module itself")
    b.step = b.step._replace(name="continual")  # by which its nodes are called
    x, *more = [permuted(b.upright(x, "Continual"), [0, 2, 1]) for x in signals]  # (batch, time, channels)
    n, lag = module.sequence_len, module.lag
    if isinstance(module.module, nn.MultiheadAttention):
        y = _attended(b, module.module, [x, *more], n, lag, module.retroactive)
        return permuted(y, [0, len(y.axes) - 1, *range(1, len(y.axes) - 1)]) if not module.retroactive else permuted(y, [0, 3, 2, 1])
    layers = module.layers()
    many = module.retroactive or len(layers) > 1
    y = _encoded(b, layers[0], x, lambda z: _attended(b, layers[0].self_attn, [z], n, lag, many),
                 lambda z: _tokens(b, z, n) if many else crop(b, z, n - 1 - lag, -lag or None))
    for k, layer in enumerate(layers[1:], 2):
        last = k == len(layers)
        y = _encoded(b, layer, y, lambda z: _among_tokens(b, layer.self_attn, z, n, last),
                     lambda z: sliced(b, z, 2, n - 1, n) if last else z)
    if len(layers) > 1:
        y = y.replaced(axes=(BATCH, TIME, SPACE), index=y.index.squeeze(0))
    norm = getattr(module.module, "norm", None)
    if norm is not None:
        y = _norm(b, norm, y)
    return permuted(y, [0, len(y.axes) - 1, *range(len(y.axes) - 2, 0, -1)])


def _encoded(b: Builder, layer: nn.TransformerEncoderLayer, x: Signal, attend: Callable[[Signal], Signal],
             keep: Callable[[Signal], Signal]) -> Signal:
    """A layer of an encoder: `attend` gives what its attention makes of x, `keep` which part of x that is added to. The channels are
    the last axis."""
    first = layer.norm_first
    y = binary(b, "add", keep(x), attend(_norm(b, layer.norm1, x) if first else x))
    y = y if first else _norm(b, layer.norm1, y)
    z = linear(b, _norm(b, layer.norm2, y) if first else y, layer.linear1.weight, layer.linear1.bias)
    z = b.simple("ReLU", z) if activation_of(layer) == "relu" else b.simple("GELU", z, approximate="none")
    y = binary(b, "add", y, linear(b, z, layer.linear2.weight, layer.linear2.bias))
    return y if first else _norm(b, layer.norm2, y)


def _norm(b: Builder, norm: nn.LayerNorm, x: Signal) -> Signal:
    return layer_norm(b, x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _packed(b: Builder, attention: nn.MultiheadAttention, signals: Sequence[Signal]) -> Sequence[Signal]:
    weights = [getattr(attention, f"{name}_proj_weight") for name in "qkv"]
    return project(b, list(signals) * (3 // len(signals)), attention.in_proj_weight, attention.in_proj_bias, weights)


def _fields(attention: nn.MultiheadAttention) -> Node:
    return {"head_size": attention.head_dim, **({"heads": attention.num_heads} if attention.num_heads > 1 else {})}


def _attended(b: Builder, attention: nn.MultiheadAttention, signals: Sequence[Signal], n: int, lag: int, retroactive: bool) -> Signal:
    """What attention makes of the last n frames of signals (batch, time, channels): one frame, or (batch, time, tokens, channels)."""
    parts, embed = _packed(b, attention, signals), attention.embed_dim
    path = b.own_path("attention")
    same = len({part.number for part in parts}) == 1
    if same:
        operands = [b.gather(parts[0], [channel for part in parts for channel in part.index.tolist()])]
    else:
        operands = [b.gather(part, part.index.tolist()) for part in parts]
    if retroactive:
        if not same:
            operands = [b.emit({"type": "Reduce", "path": b.helper_path("cat"), "op": "concat"}, *operands)]
        node = {"type": "RetroactiveAttention", "path": path, **_fields(attention), "window": n}
        y = b.emit(node, *operands, shape=(embed, n, 1))
        y = y.replaced(axes=(BATCH, TIME, SPACE, SPACE), index=in_order(n * embed).reshape(n, embed))
    else:
        node = {"type": "CausalAttention", "path": path, **_fields(attention), "context": n - lag, **({"lookahead": lag} if lag else {}),
                **({} if same else {"inputs": 3}), **({"padded": False} if n > 1 else {})}
        y = b.emit(node, *operands).replaced(axes=(BATCH, TIME, SPACE))
    return linear(b, y, attention.out_proj.weight, attention.out_proj.bias)


def _tokens(b: Builder, x: Signal, n: int) -> Signal:
    """The last n frames of a signal (batch, time, channels) as (batch, time, tokens, channels)."""
    channels = x.channels
    cut = windows(b, b.ordered(x), n, 1)
    y = b.with_shape(b.whole(cut), (channels, n, 1))
    return y.replaced(axes=(BATCH, TIME, SPACE, SPACE), index=in_order(n * channels).reshape(n, channels))


def _among_tokens(b: Builder, attention: nn.MultiheadAttention, x: Signal, n: int, last: bool) -> Signal:
    """What attention makes of all tokens (batch, time, tokens, channels), or of the last one."""
    embed = attention.embed_dim
    packed = _packed(b, attention, [x])
    y = packed[0].replaced(index=in_order(3 * embed * n).reshape(n, 3 * embed))  # as a matrix gives it
    node = {"type": "CausalAttention", "path": b.own_path("attention"), **_fields(attention), "context": n,
            **({"lookahead": n - 1} if not last and n > 1 else {}), **({"padded": False} if last and n > 1 else {})}
    count = 1 if last else n
    z = b.emit(each_frame(b, node, 3 * embed, n), b.whole(y), shape=(embed, count, 1))
    z = z.replaced(axes=(BATCH, TIME, SPACE, SPACE), index=in_order(count * embed).reshape(count, embed))
    return linear(b, z, attention.out_proj.weight, attention.out_proj.bias)
