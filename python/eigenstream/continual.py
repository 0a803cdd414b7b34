"""Attention and encoders of torch's over the last frames of a signal, with every frame."""

from __future__ import annotations

import math
from typing import List, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .errors import fail
from .modules import check_signal, check_sizes, cut_windows


class Continual(nn.Module):
    """``nn.MultiheadAttention``, ``nn.TransformerEncoderLayer`` or ``nn.TransformerEncoder``, run with every frame over the last
    ``sequence_len`` ones: what the module itself, without a mask, makes of these as a sequence of tokens.

    Of that it gives the token ``query_index`` (from the first one on, or from the end if negative), or with ``retroactive`` all of
    them, oldest first. ``MultiheadAttention`` takes one signal, or three: queries, keys and values.

    Shapes: x (B, C, T) -> y (B, C, T - sequence_len + 1); retroactive (B, C, sequence_len, T - sequence_len + 1).
    Errors: ExportError for other modules, for options of theirs that are not known, and for impossible sizes.
    """

    def __init__(self, module: nn.Module, sequence_len: int, query_index: int = -1, retroactive: bool = False) -> None:
        super().__init__()
        if not isinstance(module, (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)):
            raise fail("", module, "continual takes nn.MultiheadAttention, nn.TransformerEncoderLayer or nn.TransformerEncoder")
        check_sizes(self, sequence_len=sequence_len)
        if type(query_index) is not int or not -sequence_len <= query_index < sequence_len:
            raise fail("", self, f"query_index is {query_index!r}, must be from {-sequence_len} to {sequence_len - 1}")
        lag = -query_index - 1 if query_index < 0 else sequence_len - 1 - query_index
        if isinstance(module, nn.TransformerEncoder) and len(module.layers) > 1 and (retroactive or lag):
            raise fail("", self, "an encoder of several layers gives its newest token only")
        if retroactive and lag:
            raise fail("", self, "either a query_index, or retroactive for all tokens")
        self.module, self.sequence_len, self.lag, self.retroactive = module, sequence_len, lag, retroactive
        for attention in self.attentions():
            self.check_attention(attention)
        for layer in self.layers():
            activation_of(layer)
        norm = getattr(module, "norm", None)
        if norm is not None and type(norm) is not nn.LayerNorm:
            raise fail("norm", norm, "only nn.LayerNorm can be the norm of an encoder")

    def layers(self) -> List[nn.TransformerEncoderLayer]:
        if isinstance(self.module, nn.MultiheadAttention):
            return []
        return list(self.module.layers) if isinstance(self.module, nn.TransformerEncoder) else [self.module]

    def attentions(self) -> List[nn.MultiheadAttention]:
        return [layer.self_attn for layer in self.layers()] or [self.module]

    @staticmethod
    def check_attention(attention: nn.MultiheadAttention) -> None:
        if attention.bias_k is not None or attention.bias_v is not None:
            raise fail("", attention, "add_bias_kv, keys and values of its own, is not supported")
        if attention.add_zero_attn:
            raise fail("", attention, "add_zero_attn is not supported; it is a key more that all see")

    def forward(self, *signals: Tensor) -> Tensor:
        n, first = self.sequence_len, self.attentions()[0]
        if len(signals) not in (1, 3) or len(signals) == 3 and not isinstance(self.module, nn.MultiheadAttention):
            raise fail("", self, f"takes one signal, or queries, keys and values, not {len(signals)} signals")
        tokens = []
        for x in signals:
            check_signal(self, x)
            windows = cut_windows(self, x, n, 1, 0, 0).permute(0, 2, 3, 1)  # (batch, windows, tokens, channels)
            batch, count = windows.shape[:2]
            windows = windows.flatten(0, 1)
            tokens.append(windows if first.batch_first else windows.transpose(0, 1))
        if isinstance(self.module, nn.MultiheadAttention):
            y = self.module(*(tokens if len(tokens) == 3 else tokens * 3), need_weights=False)[0]
        else:
            y = self.module(tokens[0])
        y = y if first.batch_first else y.transpose(0, 1)
        y = y.unflatten(0, (batch, count)).permute(0, 3, 2, 1)
        return y.contiguous() if self.retroactive else y[:, :, n - 1 - self.lag].contiguous()

    def extra_repr(self) -> str:
        return f"sequence_len={self.sequence_len}, lag={self.lag}, retroactive={self.retroactive}"


def continual(module: nn.Module, sequence_len: int, query_index: int = -1, retroactive: bool = False) -> Continual:
    """`module` of torch's over the last `sequence_len` frames, with every frame; see Continual."""
    return Continual(module, sequence_len, query_index, retroactive)


def activation_of(layer: nn.TransformerEncoderLayer) -> str:
    """"relu" or "gelu"."""
    activation = layer.activation
    if activation in (F.relu, torch.relu) or isinstance(activation, nn.ReLU):
        return "relu"
    if activation is F.gelu or isinstance(activation, nn.GELU) and getattr(activation, "approximate", "none") == "none":
        return "gelu"
    raise fail("", layer, f"the activation {getattr(activation, '__name__', activation)} is not known; relu and gelu are")


class RecyclingPositionalEncoding(nn.Module):
    """A row of a table of ``num_embeds`` ones added to each frame, from the first one again after the last: learned, or with waves
    that go on smoothly where the table begins anew.

    Shapes: x (B, embed_dim, T) -> y of the same shape. Errors: ExportError for impossible sizes, and another number of channels.
    """

    def __init__(self, embed_dim: int, num_embeds: int, learned: bool = True) -> None:
        super().__init__()
        check_sizes(self, embed_dim=embed_dim, num_embeds=num_embeds)
        self.embed_dim, self.num_embeds = embed_dim, num_embeds
        if learned:
            self.weight = nn.Parameter(torch.randn(num_embeds, embed_dim))
        else:
            check_sizes(self, 2, embed_dim=embed_dim)
            self.register_buffer("weight", waves(embed_dim, num_embeds))

    def forward(self, x: Tensor) -> Tensor:
        check_signal(self, x, self.embed_dim)
        return x + self.weight[torch.arange(x.shape[-1], device=x.device) % self.num_embeds].t()

    def extra_repr(self) -> str:
        return f"{self.embed_dim}, {self.num_embeds}"


def waves(channels: int, rows: int) -> Tensor:
    """A table (rows, channels) of waves of which each fits into it, some of them as often as their length goes into the rows, smoothed
    over five rows."""
    half = channels // 2
    base = rows ** (1.0 / half)
    periods = [math.floor(base + m * (rows - base) / (half - 1)) for m in range(half - 1)] + [rows] if half > 1 else [math.floor(base)]
    columns: List[Sequence[float]] = []
    for i in range(channels):
        period = most = float(periods[min(3 * (i // 3) + 1, half - 1)])
        if rows > period:
            most = period * math.ceil(rows / period)
        else:
            period = most = float(rows)
        points = math.ceil((most + 0.01) / 0.01)
        phase = 0.0 if i <= half else 2 * math.pi * (half - i) / half
        wave = math.cos if i % 2 else math.sin
        places = [0.01 * math.floor(j * ((points - 1) / rows)) for j in range(rows)]
        columns.append([wave(2 * math.pi * abs(math.fmod(u, 2 * period) - period) / period + phase) for u in places])
    table = torch.tensor(columns, dtype=torch.float64).t()
    smooth = sum(table.roll(shift, 0) for shift in range(-2, 3)) / 5
    return (smooth - table.mean(0)).float()
