"""Attention: which frames see which, and what a node of it means in torch's terms."""

from __future__ import annotations

import math
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence

import torch
from torch import Tensor

from .format import Node

SINGLE_OUTPUT = ("CausalAttention", "ChunkAttention")  # types that give as many frames as they take, or all whole contexts
ATTENTION = (*SINGLE_OUTPUT, "RetroactiveAttention")


class Span(NamedTuple):
    """Which frames a frame sees: those from `past` before the begin of its chunk to `ahead` behind the end of it, and the signal's
    first `sinks`. Chunks lie one after another from the signal's start on; of 1 frame, frame i sees i - past ... i + ahead."""

    past: int
    ahead: int = 0
    chunk: int = 1
    sinks: int = 0

    @property
    def places(self) -> int:
        """Places, relative to itself, at which a frame can find another: from `first_place` on."""
        return self.past + self.ahead + 2 * self.chunk - 1

    @property
    def first_place(self) -> int:
        return -(self.past + self.chunk - 1)

    def seen(self, frames: int) -> Tensor:
        """Whether frame i sees frame j, (frames, frames)."""
        j = torch.arange(frames)
        begin = (j - j % self.chunk)[:, None]
        until = begin + self.chunk - 1 + self.ahead
        return ((j >= begin - self.past) | (j < self.sinks)) & (j <= until)


def span_of(node: Node) -> Span:
    if node["type"] == "RetroactiveAttention":
        return Span(node["window"] - 1)
    if node["type"] == "ChunkAttention":
        return Span(node.get("before", 0) * node["chunk"], 0, node["chunk"])
    return Span(node["context"] - 1, node.get("lookahead", 0), 1, node.get("sinks", 0))


def fitting_span(seen: Sequence[Tensor]) -> Optional[Span]:
    """The span by which frames see each other as said for signals of several lengths, (frames, frames) each; None if there is none."""
    for span in _spans(max(seen, key=len)):
        if all(torch.equal(span.seen(len(each)), each) for each in seen):
            return span
    return None


def _spans(seen: Tensor) -> Iterator[Span]:
    """What the first and the last frames see, as spans."""
    count = len(seen)

    def run(row: Tensor) -> int:
        """How many are seen from the first one on."""
        return int(row.long().cumprod(0).sum())

    past, ahead = max(0, run(seen[-1].flip(0)) - 1), max(0, run(seen[0]) - 1)
    yield Span(past, ahead)
    yield Span(past, ahead, 1, run(seen[-1]))
    chunk = ahead + 1
    begin = (count - 1) // chunk * chunk  # of the last chunk
    if bool(seen[begin].any()):
        before = begin - int(seen[begin].long().argmax())
        if before >= 0 and before % chunk == 0:
            yield Span(before, 0, chunk)


def alibi_slopes(heads: int) -> Tensor:
    """Those of a power of two of heads, then every second one of twice as many (Press et al. 2022)."""
    power = 2 ** int(math.log2(heads))
    slopes = [2.0 ** (-8 * (head + 1) / power) for head in range(power)]
    slopes += [2.0 ** (-8 * (2 * head + 1) / (2 * power)) for head in range(heads - power)]
    return torch.tensor(slopes, dtype=torch.float64)


def rotated(x: Tensor, size: int, base: float, interleaved: bool) -> Tensor:
    """Heads (batch, heads, time, channels) of which the first `size` channels are turned by the frame's number."""
    angles = torch.arange(x.shape[2])[:, None].double() * float(base) ** (-torch.arange(0, size, 2).double() / size)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, c = (x[..., 0:size:2], x[..., 1:size:2]) if interleaved else (x[..., :size // 2], x[..., size // 2:size])
    turned = [a * cos - c * sin, c * cos + a * sin]
    both = torch.stack(turned, -1).flatten(-2) if interleaved else torch.cat(turned, -1)
    return torch.cat([both, x[..., size:]], -1)


def attend(node: Node, tensor: Callable[..., Optional[Tensor]], operands: Sequence[Tensor]) -> Tensor:
    """What CausalAttention or ChunkAttention makes of one packed signal or three, (batch, channels, time)."""
    heads, size = node.get("heads", 1), node["head_size"]
    kv = node.get("kv_heads", heads)
    value_size = node.get("value_size", size)
    if len(operands) == 1:
        operands = operands[0].split([heads * size, kv * size, kv * value_size], 1)
    q, k, v = (x.unflatten(1, (count, -1)).transpose(2, 3) for x, count in zip(operands, (heads, kv, kv)))
    if node.get("rotary_size", 0):
        by = (node["rotary_size"], node.get("rotary_base", 10000.0), node.get("rotary_interleaved", False))
        q, k = rotated(q, *by), rotated(k, *by)
    k, v = (x.repeat_interleave(heads // kv, 1) for x in (k, v))
    span, frames = span_of(node), q.shape[2]
    content = q + tensor("content_bias")[:, None] if node.get("with_content_bias") else q
    logits = content @ k.transpose(2, 3)
    i = torch.arange(frames)
    places = i - i[:, None]
    inside = (places - span.first_place).clamp(0, span.places - 1)
    if node.get("relative_keys"):
        asked = q + tensor("position_bias")[:, None] if node.get("with_position_bias") else q
        found = asked @ tensor("keys").permute(1, 2, 0)
        logits = logits + found.gather(3, inside.expand(*found.shape[:2], -1, -1))
    logits = logits * (node.get("scale", 0) or size ** -0.5)
    if node.get("relative_bias"):
        logits = logits + tensor("bias")[:, inside]
    if node.get("alibi"):
        logits = logits - alibi_slopes(heads).to(logits.dtype)[:, None, None] * places.abs()
    y = logits.masked_fill(~span.seen(frames), -math.inf).softmax(-1) @ v
    y = y.transpose(2, 3).flatten(1, 2)
    return y if node.get("padded", True) else y[:, :, span.past:max(span.past, frames - span.ahead)]


def retroactive(node: Node, x: Tensor) -> Tensor:
    """What RetroactiveAttention makes of one packed signal (batch, channels, time): (batch, channels, window, time)."""
    heads, window = node.get("heads", 1), node["window"]
    inner = {"type": "CausalAttention", "head_size": node["head_size"], "heads": heads, "context": window, "lookahead": window - 1}
    count = x.shape[2] - window + 1
    if count < 1:
        return x.new_empty(x.shape[0], heads * node["head_size"], window, 0)
    windows = x.unfold(2, window, 1).transpose(1, 2).flatten(0, 1)
    y = attend(inner, lambda name: None, [windows])
    return y.unflatten(0, (x.shape[0], count)).permute(0, 2, 3, 1)


def frames_of_attention(node: Node, n: int) -> int:
    """Frames that a node of attention gives for so many."""
    span = span_of(node)
    padded = node["type"] in SINGLE_OUTPUT and node.get("padded", True)
    return n if padded else max(0, n - span.past - span.ahead)


def outputs_of_attention(node: Node) -> int:
    return node.get("heads", 1) * node.get("value_size", node["head_size"])


def inputs_of_attention(node: Node) -> List[int]:
    """The channels of each signal that it takes."""
    heads, size = node.get("heads", 1), node["head_size"]
    kv, value_size = node.get("kv_heads", heads), node.get("value_size", size)
    counts = [heads * size, kv * size, kv * value_size]
    return counts if node.get("inputs", 1) == 3 else [sum(counts)]


def scores_of(node: Node, frames: int) -> int:
    """How many scores attend() and retroactive() compute for so many frames; 0 for a node of another type."""
    if node["type"] == "RetroactiveAttention":
        return node.get("heads", 1) * node["window"] ** 2 * frames
    return node.get("heads", 1) * frames ** 2 if node["type"] in SINGLE_OUTPUT else 0
