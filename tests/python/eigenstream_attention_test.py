"""Attention in a forward of its own, as people write it, exported as it is. CTest runs them."""

from __future__ import annotations

import math
import sys
import unittest
from typing import Any, Callable, Dict, List, Optional
from unittest import mock

try:
    import torch
except ImportError:
    print("skipped: this Python has no torch")
    sys.exit(77)  # CTest counts it as skipped

import torch.nn.functional as F
from torch import Tensor, nn

from eigenstream_idioms_test import IdiomCase, own  # noqa: E402  (puts the exporter's folder on the path)
from eigenstream import ExportError, RecyclingPositionalEncoding, Windowed, continual, describe, export  # noqa: E402

LENGTHS = (1, 2, 17, 40)


def band(frames: int, context: int, lookahead: int = 0) -> Tensor:
    """Whether frame i sees frame j."""
    i = torch.arange(frames)
    return (i <= i[:, None] + lookahead) & (i > i[:, None] - context)


def chunks(frames: int, size: int, before: int) -> Tensor:
    chunk = torch.arange(frames) // size
    return (chunk <= chunk[:, None]) & (chunk >= chunk[:, None] - before)


class Attention(nn.Module):
    """Attention over (batch, channels, time); `inner` makes (batch, heads, time, channels) of such queries, keys and values."""

    def __init__(self, inner: Callable[..., Tensor], channels: int = 8, heads: int = 2, kv_heads: int = 0, **parts: Any) -> None:
        super().__init__()
        self.inner, self.heads, self.kv_heads, self.size = inner, heads, kv_heads or heads, channels // heads
        self.q = nn.Linear(channels, channels)
        self.k, self.v = (nn.Linear(channels, self.kv_heads * self.size) for _ in range(2))
        self.out = nn.Linear(channels, channels, bias=False)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        batch, frames, channels = x.shape
        q = self.q(x).view(batch, frames, self.heads, self.size).transpose(1, 2)
        k, v = (each(x).view(batch, frames, self.kv_heads, self.size).transpose(1, 2) for each in (self.k, self.v))
        y = self.inner(self, q, k, v).transpose(1, 2).reshape(batch, frames, channels)
        return self.out(y).transpose(1, 2)


def masked(scores: Tensor, seen: Tensor, v: Tensor) -> Tensor:
    return scores.masked_fill(~seen, -math.inf).softmax(-1) @ v


class AttentionCase(IdiomCase):
    def attention_of(self, net: nn.Module, channels: Any = 8, lengths: Any = LENGTHS, **options: Any) -> Dict[str, Any]:
        """The node of attention in what is exported, which streams to what the module gives."""
        description = self.assert_exported(net, channels, lengths, **options)
        (found,) = [each for each in description.get("layers", description.get("nodes")) if "Attention" in each["type"]]
        return {name: value for name, value in found.items() if name not in ("path", "from")}


class MaskTest(AttentionCase):
    def test_packed_projection(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            batch, _, frames = x.shape
            q, k, v = m.qkv(x.transpose(1, 2)).view(batch, frames, 3, 2, 4).permute(2, 0, 3, 1, 4)
            scores = q @ k.transpose(-2, -1) / math.sqrt(4)
            return m.out(masked(scores, band(frames, 5), v).transpose(1, 2).reshape(batch, frames, 8)).transpose(1, 2)

        net = own(forward, qkv=nn.Linear(8, 24), out=nn.Linear(8, 8))
        description = self.assert_exported(net, 8, LENGTHS)
        self.assertEqual([each["type"] for each in description["layers"]], ["Linear", "CausalAttention", "Linear"])
        self.assertEqual(self.attention_of(net), {"type": "CausalAttention", "head_size": 4, "context": 5, "heads": 2})

    def test_how_masks_are_written(self) -> None:
        def scores_of(m: nn.Module, q: Tensor, k: Tensor) -> Tensor:
            return (q * 4 ** -0.5) @ k.transpose(2, 3)

        def additive(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            seen = band(q.shape[2], 4)
            return (scores_of(m, q, k) + torch.zeros(seen.shape).masked_fill(~seen, -1e9)).softmax(dim=-1) @ v

        def chosen(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            seen = band(q.shape[2], 4)
            scores = torch.where(seen[None, None], scores_of(m, q, k), torch.full((), torch.finfo(torch.float32).min))
            return torch.matmul(F.softmax(scores, dim=-1).masked_fill(~seen, 0.0), v)

        def buffered(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            frames = q.shape[2]
            seen = torch.tril(torch.ones(frames, frames)) - torch.tril(torch.ones(frames, frames), -4)
            return torch.einsum("bhts,bhsd->bhtd", scores_of(m, q, k).masked_fill(seen == 0, -1e4).softmax(3), v)

        def in_place(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            scores = torch.einsum("bhqd,bhkd->bhqk", q, k)
            scores *= 0.5
            scores += torch.full(scores.shape[-2:], -math.inf).masked_fill(band(q.shape[2], 4), 0.0)
            return F.dropout(scores.softmax(-1), 0.1, m.training) @ v

        def merged(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            batch, heads, frames, size = q.shape
            q, k, v = (each.reshape(batch * heads, frames, size) for each in (q, k, v))
            seen = band(frames, 4).unsqueeze(0).repeat(batch * heads, 1, 1)
            scores = torch.bmm(q, k.transpose(1, 2)).view(batch, heads, frames, frames) / 2
            scores = scores.view(batch * heads, frames, frames).masked_fill(~seen, -math.inf)
            return torch.bmm(scores.softmax(-1), v).view(batch, heads, frames, size)

        def at_once(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            batch, heads, frames, size = q.shape
            q, k, v = (each.reshape(batch * heads, frames, size) for each in (q, k, v))
            mask = torch.zeros(batch * heads, frames, frames).masked_fill(~band(frames, 4), -math.inf)
            return torch.bmm(torch.baddbmm(mask, q, k.transpose(1, 2), alpha=0.5).softmax(-1), v).view(batch, heads, frames, size)

        def channels_first(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            q, k, v = (each.transpose(2, 3) for each in (q, k, v))
            weights = (q.transpose(2, 3) @ k * 0.5).masked_fill(~band(q.shape[3], 4), -math.inf).softmax(-1)
            return (v @ weights.transpose(2, 3)).transpose(2, 3)

        def time_before_heads(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            q, k, v = (each.transpose(1, 2) for each in (q, k, v))
            scores = torch.einsum("bthd,bshd->btsh", q, k) / 2
            seen = band(q.shape[1], 4)[:, :, None]
            return torch.einsum("btsh,bshd->bthd", scores.masked_fill(~seen, -math.inf).softmax(2), v).transpose(1, 2)

        def without_the_greatest(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            scores = ((q / 2) @ k.transpose(2, 3)).masked_fill(~band(q.shape[2], 4), -1e9)
            return (scores - scores.max(dim=-1, keepdim=True)[0]).softmax(-1) @ v

        for inner in (additive, chosen, buffered, in_place, merged, at_once, channels_first, time_before_heads, without_the_greatest):
            with self.subTest(inner.__name__):
                node = self.attention_of(Attention(inner))
                self.assertEqual((node["type"], node["context"], node["heads"], node["inputs"]), ("CausalAttention", 4, 2, 3))

    def test_time_first(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            frames, batch, channels = x.shape
            q, k, v = (each(x).contiguous().view(frames, batch * 2, 4).transpose(0, 1) for each in (m.q, m.k, m.v))
            scores = torch.bmm(q * 0.5, k.transpose(1, 2)) + torch.zeros(frames, frames).masked_fill(~band(frames, 4), -math.inf)
            weights = F.softmax(scores, dim=-1, dtype=torch.float32).type_as(scores)
            return m.out(torch.bmm(weights, v).transpose(0, 1).contiguous().view(frames, batch, channels))

        net = own(forward, **{name: nn.Linear(8, 8) for name in ("q", "k", "v", "out")})
        self.assertEqual(self.attention_of(net, lengths=(17, 40), time_axis=0)["heads"], 2)

    def test_positions_that_recycle(self) -> None:
        net = own(lambda m, x: m.leave(x.transpose(1, 2) + m.table(torch.arange(x.shape[2]) % 7)).transpose(1, 2),
                  table=nn.Embedding(7, 8), leave=nn.Linear(8, 3))
        types = [each["type"] for each in self.assert_exported(net, 8, LENGTHS)["layers"]]
        self.assertEqual(types, ["RecyclingPositionalEncoding", "Linear"])
        net = own(lambda m, x: m.leave(x + m.table[:, : x.shape[2]]), table=nn.Parameter(torch.randn(8, 5000)), leave=nn.Conv1d(8, 3, 1))
        self.assert_not_exported(net, r"no place in time.*begin anew after some frames, table\[torch.arange\(frames\) % rows\]", 8)

    def test_what_is_seen(self) -> None:
        def with_mask(seen: Callable[[int], Tensor]) -> nn.Module:
            return Attention(lambda m, q, k, v: masked(q @ k.transpose(2, 3), seen(q.shape[2]), v))

        node = self.attention_of(with_mask(lambda frames: band(frames, 6, 2)))
        self.assertEqual((node["context"], node["lookahead"], node["scale"]), (6, 2, 1.0))
        self.assertEqual(self.attention_of(with_mask(lambda frames: band(frames, 1)))["context"], 1)
        node = self.attention_of(with_mask(lambda frames: chunks(frames, 4, 2)))
        self.assertEqual((node["type"], node["chunk"], node["before"]), ("ChunkAttention", 4, 2))
        node = self.attention_of(with_mask(lambda frames: chunks(frames, 150, 1)), lengths=(40, 320))
        self.assertEqual((node["type"], node["chunk"], node["before"]), ("ChunkAttention", 150, 1))
        self.assertEqual(self.attention_of(with_mask(lambda frames: chunks(frames, 5, 0)))["before"], 0)
        node = self.attention_of(with_mask(lambda frames: (band(frames, 5) | (torch.arange(frames) < 2)) & band(frames, frames)))
        self.assertEqual((node["context"], node["sinks"]), (5, 2))
        # Longer than the signals that are recorded first.
        self.assertEqual(self.attention_of(with_mask(lambda frames: band(frames, 500)), lengths=(40, 600))["context"], 500)

    def test_what_is_refused(self) -> None:
        def refused(seen: Callable[[int], Tensor], pattern: str) -> None:
            self.assert_not_exported(Attention(lambda m, q, k, v: masked(q @ k.transpose(2, 3), seen(q.shape[2]), v)), pattern, 8)

        refused(lambda frames: band(frames, frames), r"attends to all frames before.*last n frames.*\(j > i - n\).*Windowed")
        refused(lambda frames: band(frames, frames, frames), r"attends to all frames of the signal.*Windowed.*")
        refused(lambda frames: band(frames, 5, -1), "some frames see nothing at all")
        refused(lambda frames: band(frames, 9) & (torch.arange(frames) % 2 == 0) | torch.eye(frames).bool(), "neither the last frames")
        for inner, pattern in (
                (lambda m, q, k, v: (q @ k.transpose(2, 3)).softmax(2) @ v, "softmax over the time of scores, only over the keys.*softmax"),
                (lambda m, q, k, v: q @ k.transpose(2, 3) @ v, "only values can be multiplied with what softmax makes"),
                (lambda m, q, k, v: (q @ k.transpose(2, 3)).sigmoid() @ v, "sigmoid of scores of attention is not supported"),
                (lambda m, q, k, v: masked(q @ k.transpose(2, 3) * q.mean(), band(q.shape[2], 4), v), "over all axes"),
                (lambda m, q, k, v: masked(q @ k.transpose(2, 3) / 0, band(q.shape[2], 4), v), "divides by 0"),
                (lambda m, q, k, v: masked(q @ k.transpose(2, 3) * torch.ones(2, 1, 1), band(q.shape[2], 4), v), "only one number can scale"),
                (lambda m, q, k, v: masked((q @ k.transpose(2, 3)).masked_fill(band(q.shape[2], 2), 0.5), band(q.shape[2], 4), v),
                 "fills scores of attention with 0.5"),
                (lambda m, q, k, v: masked(q @ k.transpose(2, 3) + torch.arange(q.shape[2])[:, None] * torch.arange(q.shape[2]) ** 2.0,
                                           band(q.shape[2], 4), v), "depends on more than how far the key is from the query"),
                (lambda m, q, k, v: (q @ k.transpose(2, 3)).masked_fill(k[:, :1, None, :, 0] > 0, -1e9).softmax(-1) @ v,
                 "must be made of constants")):
            self.assert_not_exported(Attention(inner), pattern, 8)
        self.assert_not_exported(own(lambda m, x: m.q(x.transpose(1, 2)) @ x, q=nn.Linear(4, 4)), "its forward gives scores of attention", 4)

    def test_shared_keys_and_values(self) -> None:
        def repeated(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            k, v = (each.repeat_interleave(m.heads // m.kv_heads, 1) for each in (k, v))
            return masked(q @ k.transpose(2, 3), band(q.shape[2], 6), v)

        def expanded(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            batch, kv, frames, size = k.shape
            k, v = (each[:, :, None].expand(batch, kv, m.heads // kv, frames, size).reshape(batch, m.heads, frames, size) for each in (k, v))
            return masked(q @ k.transpose(2, 3), band(frames, 6), v)

        def by_groups(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            q = q.unflatten(1, (m.kv_heads, -1))
            return masked(q @ k[:, :, None].transpose(-1, -2), band(q.shape[3], 6), v[:, :, None]).flatten(1, 2)

        for inner in (repeated, expanded, by_groups):
            for kv in (1, 2):
                with self.subTest(inner.__name__, kv=kv):
                    self.assertEqual(self.attention_of(Attention(inner, 8, 4, kv))["kv_heads"], kv)
        self.assertEqual(self.attention_of(Attention(lambda m, q, k, v: masked(q @ k.transpose(2, 3), band(q.shape[2], 6), v), 8, 4, 1))[
            "kv_heads"], 1)  # by broadcasting

    def test_biases(self) -> None:
        def alibi(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            frames = q.shape[2]
            slopes = 2.0 ** (-8 * torch.arange(1, m.heads + 1) / m.heads)
            i = torch.arange(frames)
            return masked(q @ k.transpose(2, 3) / 2 - slopes[:, None, None] * (i - i[:, None]).abs(), band(frames, 7, 1), v)

        def of_keys(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # the same but for a number for each query
            slopes = 2.0 ** (-8 * torch.arange(1, m.heads + 1) / m.heads)
            return masked(q @ k.transpose(2, 3) / 2 + slopes[:, None, None] * torch.arange(q.shape[2]), band(q.shape[2], 7), v)

        def learned(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            i = torch.arange(q.shape[2])
            place = (i - i[:, None]).clamp(-3, 3) + 3
            bias = m.bias(place).permute(2, 0, 1)[None]
            return masked((q @ k.transpose(2, 3) + bias) / 2, band(len(i), 6, 2), v)

        for inner in (alibi, of_keys):
            self.assertTrue(self.attention_of(Attention(inner, 16, 4), 16)["alibi"])
        node = self.attention_of(Attention(learned, bias=nn.Embedding(7, 2)))
        self.assertEqual((node["relative_bias"], node["places"]), (True, 8))
        net = Attention(lambda m, q, k, v: masked(q @ k.transpose(2, 3) + m.bias(torch.arange(3))[0, 0], chunks(q.shape[2], 4, 1), v),
                        bias=nn.Embedding(3, 2))
        self.assertNotIn("alibi", self.attention_of(net))  # the same for all keys

    def test_residual_around_chunks(self) -> None:
        inner = Attention(lambda m, q, k, v: masked(q @ k.transpose(2, 3), chunks(q.shape[2], 4, 1), v))
        self.attention_of(own(lambda m, x: x + m.inner(x), inner=inner))
        inner = Attention(lambda m, q, k, v: masked(q @ k.transpose(2, 3), band(q.shape[2], 4, 3), v))
        self.attention_of(own(lambda m, x: x + m.inner(x), inner=inner))

    def test_without_padding(self) -> None:
        def with_mask(seen: Callable[[int], Tensor]) -> nn.Module:
            return Attention(lambda m, q, k, v: masked(q @ k.transpose(2, 3), seen(q.shape[2]), v)).eval()

        net, path, x = with_mask(lambda frames: band(frames, 5, 2)), self.folder / "net.safetensors", torch.randn(1, 8, 20)
        export(net, path, "valid")
        for given in self.run_tool(path, x).values():  # the frames that see all that they could
            torch.testing.assert_close(given, net(x)[..., 4:-2], rtol=1e-4, atol=1e-5)
        with self.assertRaisesRegex(ExportError, r"attention \(ChunkAttention\): .*say padding=\"exact\""):
            describe(with_mask(lambda frames: chunks(frames, 4, 1)), "valid")

    def test_in_windows(self) -> None:
        inner = Attention(lambda m, q, k, v: (q @ k.transpose(2, 3)).softmax(-1) @ v)
        description = self.assert_exported(nn.Sequential(nn.Conv1d(8, 8, 1), Windowed(inner, 6, 3)), 8, (17, 40))
        (node,) = [each for each in description["layers"][1]["net"]["nodes"] if each["type"] == "CausalAttention"]
        self.assertEqual((node["context"], node["lookahead"]), (6, 5))
        layer = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), 2)
        net = own(lambda m, x: m.layer(x.transpose(1, 2))[:, -1], layer=layer)
        self.assert_exported(nn.Sequential(nn.Conv1d(8, 8, 1), Windowed(net, 6, 1)), 8, (6, 17))


class RotaryTest(AttentionCase):
    @staticmethod
    def angles(frames: int, size: int, base: float = 10000.0) -> Tensor:
        return torch.arange(frames)[:, None] * base ** (-torch.arange(0, size, 2) / size)

    def test_ways_to_write_it(self) -> None:
        def halves(m: nn.Module, x: Tensor) -> Tensor:
            angles = self.angles(x.shape[2], x.shape[3])
            cos, sin = (torch.cat([each, each], -1) for each in (angles.cos(), angles.sin()))
            first, second = x.chunk(2, -1)
            return x * cos + torch.cat([-second, first], -1) * sin

        def pairs(m: nn.Module, x: Tensor) -> Tensor:
            angles = self.angles(x.shape[2], x.shape[3])
            first, second = x.unflatten(-1, (-1, 2)).unbind(-1)
            return torch.stack([first * angles.cos() - second * angles.sin(), first * angles.sin() + second * angles.cos()], -1).flatten(-2)

        def strided(m: nn.Module, x: Tensor) -> Tensor:
            angles = self.angles(x.shape[2], x.shape[3])
            cos, sin = (each.repeat_interleave(2, -1) for each in (angles.cos(), angles.sin()))
            return x * cos + torch.stack([-x[..., 1::2], x[..., ::2]], -1).reshape(x.shape) * sin

        def complex_numbers(m: nn.Module, x: Tensor) -> Tensor:
            turns = torch.polar(torch.ones(()), self.angles(x.shape[2], x.shape[3]))
            return torch.view_as_real(torch.view_as_complex(x.float().unflatten(-1, (-1, 2))) * turns).flatten(3).type_as(x)

        def of_a_part(m: nn.Module, x: Tensor) -> Tensor:
            angles = self.angles(x.shape[2], 2, 100.0)
            first, second = x[..., :1], x[..., 1:2]
            return torch.cat([first * angles.cos() - second * angles.sin(), first * angles.sin() + second * angles.cos(), x[..., 2:]], -1)

        for turn, interleaved in ((halves, False), (pairs, True), (strided, True), (complex_numbers, True), (of_a_part, False)):
            with self.subTest(turn.__name__):
                net = Attention(lambda m, q, k, v: masked(turn(m, q) @ turn(m, k).transpose(2, 3) / 2, band(q.shape[2], 6), v), 8, 2)
                node = self.attention_of(net)
                self.assertEqual((node["rotary_size"], node["rotary_interleaved"]), (2 if turn is of_a_part else 4, interleaved))

    def test_shared_and_scaled(self) -> None:
        def inner(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            angles = self.angles(q.shape[2], 4, 500.0)
            cos, sin = (torch.cat([each, each], -1) for each in (angles.cos(), angles.sin()))
            q, k = (x * cos + torch.cat([-x[..., 2:], x[..., :2]], -1) * sin for x in (q * 0.5, k))
            k, v = (each.repeat_interleave(2, dim=1) for each in (k, v))
            return masked(q @ k.transpose(-2, -1), band(q.shape[2], 5), v)

        node = self.attention_of(Attention(inner, 16, 4, 2), 16)
        self.assertEqual((node["rotary_base"], node["kv_heads"]), (500.0, 2))
        self.assertNotIn("scale", node)

    def test_what_is_refused(self) -> None:
        def with_angles(angles: Callable[[int], Tensor], keys: Optional[Callable[[int], Tensor]] = None) -> nn.Module:
            def turn(x: Tensor, angles: Tensor) -> Tensor:
                first, second = x.chunk(2, -1)
                return torch.cat([first * angles.cos() - second * angles.sin(), first * angles.sin() + second * angles.cos()], -1)

            return Attention(lambda m, q, k, v: masked(turn(q, angles(q.shape[2])) @ turn(k, (keys or angles)(q.shape[2])).transpose(2, 3),
                                                       band(q.shape[2], 4), v))

        self.assert_not_exported(with_angles(lambda frames: torch.arange(frames)[:, None] * torch.tensor([0.7, 0.2])),
                                 r"pair 0 turns by 0.7 .*base \*\* \(-2 p / size\), which would be 1 here", 8)
        self.assert_not_exported(with_angles(lambda frames: self.angles(frames, 4), lambda frames: self.angles(frames, 4, 100.0)),
                                 "queries and keys that are not turned in the same way", 8)
        self.assert_not_exported(own(lambda m, x: x * torch.arange(x.shape[2]).sin()), "no place in time.*arange", 4)


def shifted_by_zeros(x: Tensor) -> Tensor:
    """Transformer-XL's shift of (batch, heads, queries, 2 queries - 1), as ESPnet has it."""
    padded = torch.cat([torch.zeros((*x.size()[:3], 1)), x], dim=-1)
    padded = padded.view(*x.size()[:2], x.size(3) + 1, x.size(2))
    return padded[:, :, 1:].view_as(x)[:, :, :, : x.size(-1) // 2 + 1]


def shifted_by_a_pad(x: Tensor) -> Tensor:
    """The same, as NeMo has it."""
    batch, heads, queries, places = x.size()
    x = F.pad(x, (1, 0)).view(batch, heads, -1, queries)
    return x[:, :, 1:].view(batch, heads, queries, places)[..., :queries]


def sines(places: Tensor, channels: int) -> Tensor:
    angles = places[:, None] * 10000.0 ** (-torch.arange(0, channels, 2) / channels)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


class RelativePositionsTest(AttentionCase):
    def test_transformer_xl(self) -> None:
        for shifted in (shifted_by_zeros, shifted_by_a_pad):
            for seen in (lambda frames: band(frames, 6, 1), lambda frames: chunks(frames, 4, 1)):
                def inner(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
                    frames = q.shape[2]
                    places = m.places(sines(torch.arange(frames - 1, -frames, -1.0), 8)).view(1, -1, 2, 4).transpose(1, 2)
                    content = torch.matmul(q + m.of_content[:, None], k.transpose(-2, -1))
                    positions = torch.matmul(q + m.of_places[:, None], places.transpose(-2, -1))
                    return masked((content + shifted(positions)) / 2, seen(frames), v)

                net = Attention(inner, places=nn.Linear(8, 8, bias=False), of_content=nn.Parameter(torch.randn(2, 4)),
                                of_places=nn.Parameter(torch.randn(2, 4)))
                node = self.attention_of(net)
                self.assertTrue(node["relative_keys"] and node["with_content_bias"] and node["with_position_bias"])

    def test_keys_of_places(self) -> None:
        def inner(m: nn.Module, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            i = torch.arange(q.shape[2])
            keys = m.places((i - i[:, None]).clamp(-4, 4) + 4)
            scores = torch.einsum("bhid,bhjd->bhij", q, k) * 0.5
            return masked(scores + torch.einsum("bhid,ijd->bhij", q, keys) * 0.5, band(len(i), 5), v)

        node = self.attention_of(Attention(inner, places=nn.Embedding(9, 4)))
        self.assertTrue(node["relative_keys"])
        self.assertNotIn("with_content_bias", node)

    def test_what_is_refused(self) -> None:
        def inner(m: nn.Module, q: Tensor, k: Tensor, v: Tensor, shifted: Callable[[Tensor], Tensor], also: float = 0.0) -> Tensor:
            frames = q.shape[2]
            places = sines(torch.arange(frames - 1, -frames, -1.0), 4)
            positions = shifted((q + also * q.square()) @ places.t())
            return masked(q @ k.transpose(2, 3) + positions, band(frames, 5), v)

        self.assert_not_exported(Attention(lambda m, *x: inner(m, *x, shifted=lambda y: y[..., : y.shape[2]])),
                                 "whose places are not those of the keys relative to the queries", 8)
        self.assert_not_exported(Attention(lambda m, *x: inner(m, *x, shifted=shifted_by_zeros, also=0.1)),
                                 "the queries for keys of places are other ones", 8)
        self.assert_not_exported(own(lambda m, x: (x.transpose(1, 2) @ torch.ones(4, x.shape[2])).relu()),
                                 "a matrix that depends on the signal's length, which only attention's relative places can", 4)


class TorchsOwnTest(AttentionCase):
    def test_multihead_attention(self) -> None:
        def mask(frames: int, kind: str) -> Tensor:
            seen = band(frames, 5)
            return ~seen if kind == "bool" else torch.zeros(frames, frames).masked_fill(~seen, -math.inf)

        for kind in ("bool", "float"):
            for bias in (True, False):
                net = own(lambda m, x: m.attention(*[x.transpose(1, 2)] * 3, attn_mask=mask(x.shape[2], kind), need_weights=False)[0]
                          .transpose(1, 2), attention=nn.MultiheadAttention(8, 2, bias=bias, batch_first=True))
                description = self.assert_exported(net, 8, LENGTHS)
                self.assertEqual([each["type"] for each in description["layers"]], ["Linear", "CausalAttention", "Linear"])
                self.assertEqual([each["path"] for each in description["layers"]],
                                 ["attention.in_proj", "attention", "attention.out_proj"])

        def time_first(m: nn.Module, x: Tensor) -> Tensor:
            x = x.permute(2, 0, 1)
            y, _ = m.attention(x, x, x, attn_mask=mask(len(x), "float").repeat(2 * x.shape[1], 1, 1))
            return y.permute(1, 2, 0)

        self.attention_of(own(time_first, attention=nn.MultiheadAttention(8, 2)))

        def crossed(m: nn.Module, x: Tensor, z: Tensor) -> Tensor:
            x, z = x.transpose(1, 2), z.transpose(1, 2)
            return m.attention(x, z, z[..., :3], attn_mask=mask(x.shape[1], "bool"))[0].transpose(1, 2)

        net = own(crossed, attention=nn.MultiheadAttention(8, 2, kdim=5, vdim=3, batch_first=True))
        self.assertEqual(self.attention_of(net, [8, 5])["inputs"], 3)

    def test_what_multihead_attention_cannot(self) -> None:
        def call(m: nn.Module, x: Tensor, **options: Any) -> Any:
            x = x.transpose(1, 2)
            return m.attention(x, x, x, attn_mask=~band(x.shape[1], 4), **options)

        for attention, options, pattern in (
                (nn.MultiheadAttention(8, 2, add_bias_kv=True, batch_first=True), {}, "bias_k"),
                (nn.MultiheadAttention(8, 2, add_zero_attn=True, batch_first=True), {}, "add_zero_attn"),
                (nn.MultiheadAttention(8, 2, batch_first=True), {"padded": True}, "key_padding_mask; a stream has no frames that are only")):
            padded = options.get("padded")
            net = own(lambda m, x: call(m, x, **({"key_padding_mask": torch.zeros(x.shape[0], x.shape[2]).bool()} if padded else {}))[0]
                      .transpose(1, 2), attention=attention)
            self.assert_not_exported(net, pattern, 8)
        net = own(lambda m, x: call(m, x)[1], attention=nn.MultiheadAttention(8, 2, batch_first=True))
        self.assert_not_exported(net, "uses the weights of attention, which a model file cannot give", 8)
        net = own(lambda m, x: m.attention(*[x.transpose(1, 2)] * 3)[0].transpose(1, 2), attention=nn.MultiheadAttention(8, 2))
        self.assert_not_exported(net, r"takes \(batch, time, channels\) with batch_first=True", 8)
        net = own(lambda m, x: m.attention(*[x.transpose(1, 2)] * 3)[0].transpose(1, 2), attention=nn.MultiheadAttention(8, 2, batch_first=True))
        self.assert_not_exported(net, "attention.*MultiheadAttention.*attends to all frames of the signal", 8)

    def test_scaled_dot_product_attention(self) -> None:
        def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Optional[Tensor] = None,
                                         dropout_p: float = 0.0, is_causal: bool = False, scale: Optional[float] = None) -> Tensor:
            """As torch 2 has it."""
            given = (query, key, value, attn_mask, dropout_p, is_causal, scale)
            if torch.overrides.has_torch_function(given[:3]):
                return torch.overrides.handle_torch_function(scaled_dot_product_attention, given[:3], *given)
            scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
            if is_causal:
                attn_mask = band(query.shape[-2], query.shape[-2])
            if attn_mask is not None:
                scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
            return scores.softmax(-1) @ value

        def turned(x: Tensor) -> Tensor:
            angles = RotaryTest.angles(x.shape[2], 4)
            first, second = x.chunk(2, -1)
            return torch.cat([first * angles.cos() - second * angles.sin(), first * angles.sin() + second * angles.cos()], -1)

        with mock.patch.object(F, "scaled_dot_product_attention", scaled_dot_product_attention, create=True):
            def call(m: nn.Module, q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
                return F.scaled_dot_product_attention(q, k, v, **options)

            node = self.attention_of(Attention(lambda m, q, k, v: call(m, q, k, v, attn_mask=band(q.shape[2], 5))))
            self.assertNotIn("scale", node)
            node = self.attention_of(Attention(lambda m, q, k, v: call(m, turned(q), turned(k), v, attn_mask=torch.zeros(
                q.shape[2], q.shape[2]).masked_fill(~band(q.shape[2], 5), -math.inf), scale=0.3)))
            self.assertAlmostEqual(node["scale"], 0.3, 6)
            self.assertEqual(node["rotary_size"], 4)
            self.assert_not_exported(Attention(lambda m, q, k, v: call(m, q, k, v, is_causal=True)), "attends to all frames before", 8)
            self.assert_not_exported(Attention(lambda m, q, k, v: call(m, q, k, v, dropout_p=0.1)), "dropout_p is not 0", 8)
            self.attention_of(Attention(lambda m, q, k, v: call(m, q, k, v, attn_mask=band(q.shape[2], 3)[None, None])))

    def test_encoder_layers(self) -> None:
        for norm_first in (False, True):
            for activation in ("relu", "gelu"):
                layer = nn.TransformerEncoderLayer(8, 2, 12, activation=activation, batch_first=True, norm_first=norm_first)
                net = own(lambda m, x: m.layer(x.transpose(1, 2), ~band(x.shape[2], 6)).transpose(1, 2), layer=layer)
                self.assertIn("layer.self_attn", [each["path"] for each in self.assert_exported(net, 8, LENGTHS)["nodes"]])
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12), 3, nn.LayerNorm(8))
        net = own(lambda m, x: m.encoder(x.permute(2, 0, 1), ~band(x.shape[2], 6)).permute(1, 2, 0), encoder=encoder)
        self.assertEqual(sum(each["type"] == "CausalAttention" for each in self.assert_exported(net, 8, LENGTHS)["nodes"]), 3)


# --- whole bodies -------------------------------------------------------------------------------------------------------


class FeedForward(nn.Module):
    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(channels), nn.Linear(channels, inner), nn.Linear(inner, channels)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.down(self.dropout(F.silu(self.up(self.norm(x))))))


class RelativeAttention(nn.Module):
    """Attention of a Conformer, with positions as Transformer-XL has them, (batch, time, channels)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, channels // heads
        self.norm = nn.LayerNorm(channels)
        self.q, self.k, self.v, self.out = (nn.Linear(channels, channels) for _ in range(4))
        self.positions = nn.Linear(channels, channels, bias=False)
        self.u, self.w = (nn.Parameter(torch.randn(heads, self.size)) for _ in range(2))

    def forward(self, x: Tensor, seen: Tensor, table: Tensor) -> Tensor:
        batch, frames, channels = x.shape
        x = self.norm(x)
        q, k, v = (each(x).view(batch, frames, self.heads, self.size) for each in (self.q, self.k, self.v))
        p = self.positions(table).view(1, -1, self.heads, self.size).transpose(1, 2)
        with_u, with_w = ((q + each).transpose(1, 2) for each in (self.u, self.w))
        scores = torch.matmul(with_u, k.permute(0, 2, 3, 1)) + shifted_by_zeros(torch.matmul(with_w, p.transpose(-2, -1)))
        scores = scores / math.sqrt(self.size)
        hidden = ~seen[None, None]
        weights = torch.softmax(scores.masked_fill(hidden, torch.finfo(scores.dtype).min), dim=-1).masked_fill(hidden, 0.0)
        y = torch.matmul(F.dropout(weights, 0.1, self.training), v.transpose(1, 2))
        return self.out(y.transpose(1, 2).contiguous().view(batch, -1, channels))


class ConvolutionModule(nn.Module):
    """A pointwise convolution with a gate, a causal one for each channel, and a pointwise one, (batch, time, channels)."""

    def __init__(self, channels: int, taps: int) -> None:
        super().__init__()
        self.norm, self.taps = nn.LayerNorm(channels), taps
        self.enter, self.leave = nn.Conv1d(channels, 2 * channels, 1), nn.Conv1d(channels, channels, 1)
        self.depthwise, self.inner_norm = nn.Conv1d(channels, channels, taps, groups=channels), nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.glu(self.enter(self.norm(x).transpose(1, 2)), dim=1)
        x = self.depthwise(F.pad(x, (self.taps - 1, 0)))
        return self.leave(F.silu(self.inner_norm(x))).transpose(1, 2)


class ConformerBlock(nn.Module):
    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.first, self.second = FeedForward(channels, 2 * channels), FeedForward(channels, 2 * channels)
        self.attention, self.convolution = RelativeAttention(channels, heads), ConvolutionModule(channels, 5)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, seen: Tensor, table: Tensor) -> Tensor:
        x = x + 0.5 * self.first(x)
        x = x + self.attention(x, seen, table)
        x = x + self.convolution(x)
        return self.norm(x + 0.5 * self.second(x))


class Conformer(nn.Module):
    """A streaming encoder of features (batch, bins, time), which it looks at half as often."""

    def __init__(self, bins: int, channels: int, heads: int, depth: int, seen: Callable[[int], Tensor]) -> None:
        super().__init__()
        self.enter = nn.Conv1d(bins, channels, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(ConformerBlock(channels, heads) for _ in range(depth))
        self.seen, self.channels = seen, channels

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.enter(x)).transpose(1, 2)
        frames = x.size(1)
        table = sines(torch.arange(frames - 1, -frames, -1.0), self.channels)[None]
        for block in self.blocks:
            x = block(x, self.seen(frames), table)
        return x.transpose(1, 2)


class LayerScale(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), 0.01))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x


def turned_by_pairs(q: Tensor, k: Tensor, longest: float = 10000.0) -> List[Tensor]:
    """Queries and keys (batch, heads, time, channels), whose pairs of channels are turned by where they stand."""
    batch, heads, frames, size = q.shape
    rates = torch.exp(torch.arange(size // 2) * (-math.log(longest) * 2 / size))
    places = torch.arange(frames).float().view(-1, 1)
    turned = []
    for x in (q, k):
        pairs = x.view(batch, heads, frames, size // 2, 2).float()
        real, imaginary = pairs[..., 0], pairs[..., 1]
        cos, sin = torch.cos(rates * places), torch.sin(rates * places)
        both = torch.stack([(real * cos - imaginary * sin).to(x.dtype), (real * sin + imaginary * cos).to(x.dtype)], dim=-1)
        turned.append(both.view(batch, heads, frames, size))
    return turned


class CodecLayer(nn.Module):
    """A layer of the transformer in a speech codec: norm first, rotary positions, the last `context` frames, and scales."""

    def __init__(self, channels: int, heads: int, context: int, gated: bool) -> None:
        super().__init__()
        self.heads, self.context, self.gated = heads, context, gated
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.in_proj, self.out_proj = nn.Linear(channels, 3 * channels, bias=False), nn.Linear(channels, channels, bias=False)
        inner = 2 * channels
        self.linear1, self.linear2 = nn.Linear(channels, (2 if gated else 1) * inner, bias=False), nn.Linear(inner, channels, bias=False)
        self.scale1, self.scale2 = LayerScale(channels), LayerScale(channels)

    def attend(self, x: Tensor) -> Tensor:
        batch, frames, channels = x.shape
        packed = self.in_proj(x).view(batch, frames, 3, self.heads, channels // self.heads)
        q, k, v = packed.permute(2, 0, 3, 1, 4)
        q, k = turned_by_pairs(q, k)
        places_of_q, places_of_k = torch.arange(frames).view(-1, 1), torch.arange(frames).view(1, -1)
        delta = places_of_q - places_of_k
        bias = torch.where((delta >= 0) & (delta < self.context), 0.0, -math.inf)
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + bias).softmax(dim=-1)
        y = (weights @ v).transpose(1, 2).flatten(2)
        return self.out_proj(y)

    def feed(self, x: Tensor) -> Tensor:
        if not self.gated:
            return self.linear2(F.gelu(self.linear1(x)))
        gate, values = self.linear1(x).view(*x.shape[:2], 2, -1).unbind(dim=2)
        return self.linear2(F.silu(gate) * values)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.scale1(self.attend(self.norm1(x)))
        return x + self.scale2(self.feed(self.norm2(x)))


class CodecTransformer(nn.Module):
    def __init__(self, channels: int, heads: int, depth: int, context: int, gated: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(CodecLayer(channels, heads, context, gated) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        for layer in self.layers:
            x = layer(x)
        return x.transpose(1, 2)


class BodyTest(AttentionCase):
    def types(self, description: Dict[str, Any]) -> List[str]:
        return [each["type"] for each in description["nodes"]]

    def test_conformer(self) -> None:
        for seen, kind in ((lambda frames: chunks(frames, 4, 2), "ChunkAttention"), (lambda frames: band(frames, 9, 2), "CausalAttention")):
            net = Conformer(10, 16, 4, 2, seen)
            with torch.no_grad():
                for name, value in net.named_buffers():
                    if value.dtype.is_floating_point:
                        value.copy_(torch.rand(value.shape) + 0.5)
            types = self.types(self.assert_exported(net, 10, (1, 7, 16, 45)))
            self.assertEqual(types.count(kind), 2)
            self.assertNotIn("ChannelSelect", types)

    def test_transformer_of_a_codec(self) -> None:
        for gated in (False, True):
            net = CodecTransformer(16, 2, 3, 10, gated)
            with torch.no_grad():
                for layer in net.layers:  # so that layers count for something
                    for each in (layer.scale1, layer.scale2):
                        each.scale.copy_(torch.rand(16))
            types = self.types(self.assert_exported(net, 16, (1, 7, 16, 45)))
            self.assertEqual(types.count("CausalAttention"), 3)
            self.assertNotIn("ChannelSelect", types)


    def test_codec_with_few_frames(self) -> None:
        """Of 192 samples there is less than one frame, and a context of them only of many more."""
        class Codec(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.enter = nn.Sequential(nn.Conv1d(1, 4, 16, stride=16), nn.ELU(), nn.Conv1d(4, 8, 20, stride=20))
                self.body = CodecTransformer(8, 2, 1, 30, False)
                self.leave = nn.ConvTranspose1d(8, 1, 320, stride=320)

            def forward(self, x: Tensor) -> Tensor:
                return self.leave(self.body(self.enter(x)))

        net = Codec()
        with torch.no_grad():
            for each in (net.body.layers[0].scale1, net.body.layers[0].scale2):
                each.scale.copy_(torch.rand(8))
        description = self.assert_exported(net, 1, (320, 1000, 3 * 320, 45 * 320 + 7))
        (node,) = [each for each in description["nodes"] if each["type"] == "CausalAttention"]
        self.assertEqual((node["context"], node["rotary_size"]), (30, 4))

    def test_which_error_is_told(self) -> None:
        net = CodecTransformer(8, 2, 1, 10 ** 6, False)
        self.assert_not_exported(net, r"attends to all frames before \(of signals of up to 1536 frames\)", 8)


class ContinualTest(AttentionCase):
    """Torch's modules over the last frames of a signal."""

    def assert_continual(self, module: nn.Module, frames: int, channels: Any = 8, index: int = -1, **options: Any) -> Dict[str, Any]:
        """A step gives what the module itself makes of the last frames as a sequence. Returns the description."""
        net = continual(module.eval(), frames, **options)
        signals = [torch.randn(2, each, 2 * frames + 3) for each in (channels if isinstance(channels, list) else [channels])]
        given, first = net(*signals), getattr(module, "self_attn", module)
        batch_first = getattr(first.layers[0].self_attn if hasattr(first, "layers") else first, "batch_first")
        for t in range(frames - 1, signals[0].shape[2]):
            order = (0, 2, 1) if batch_first else (2, 0, 1)
            tokens = [each[..., t - frames + 1:t + 1].permute(order) for each in signals]
            with torch.no_grad():
                y = module(*tokens * (3 // len(tokens)))[0] if isinstance(module, nn.MultiheadAttention) else module(*tokens)
            y = y if batch_first else y.transpose(0, 1)
            wanted = y.transpose(1, 2) if options.get("retroactive") else y[:, index]
            torch.testing.assert_close(given[..., t - frames + 1], wanted, rtol=1e-4, atol=1e-5)
        return self.assert_exported(net, channels, (frames, frames + 1, 2 * frames + 5))

    def test_multihead_attention(self) -> None:
        for module in (nn.MultiheadAttention(8, 2, batch_first=True), nn.MultiheadAttention(8, 4, bias=False)):
            types = [each["type"] for each in self.assert_continual(module, 5)["layers"]]
            self.assertEqual(types, ["Linear", "CausalAttention", "Linear"])
            types = [each["type"] for each in self.assert_continual(module, 5, retroactive=True)["layers"]]
            self.assertEqual(types, ["Linear", "RetroactiveAttention", "Linear"])
        for index in (-2, 0, 3):
            self.assert_continual(nn.MultiheadAttention(8, 2), 4, index=index, query_index=index)
        for index in (-1, -3):
            self.assert_continual(nn.MultiheadAttention(8, 2, kdim=5, vdim=3), 4, [8, 5, 3], index=index, query_index=index)
        self.assert_continual(nn.MultiheadAttention(8, 2), 4, [8, 8, 8], retroactive=True)
        self.assert_continual(nn.MultiheadAttention(8, 2), 1)

    def test_encoders(self) -> None:
        for norm_first in (False, True):
            for activation in ("relu", "gelu"):
                layer = nn.TransformerEncoderLayer(8, 2, 12, activation=activation, norm_first=norm_first, batch_first=norm_first)
                with torch.no_grad():
                    for each in layer.parameters():
                        each.copy_(torch.randn(each.shape) / 2)
                self.assert_continual(layer, 5)
                for depth in (1, 2, 3):
                    self.assert_continual(nn.TransformerEncoder(layer, depth, nn.LayerNorm(8) if depth == 2 else None), 4)
            self.assert_continual(layer, 5, index=1, query_index=1)
            self.assert_continual(layer, 4, retroactive=True)
        self.assert_continual(nn.TransformerEncoder(layer, 2), 1)

    def test_positional_encodings(self) -> None:
        for learned in (True, False):
            net = nn.Sequential(nn.Conv1d(3, 8, 1), RecyclingPositionalEncoding(8, 7, learned),
                                continual(nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12), 2), 5), nn.Conv1d(8, 2, 1))
            self.assert_exported(net, 3, (5, 8, 23))
        table = RecyclingPositionalEncoding(4, 3, learned=False).weight  # as <eigenstream/names.hpp> has it
        a, c = 0.3 ** 0.5 * 0.1 ** 0.5, 0.1
        torch.testing.assert_close(table, torch.tensor([[0, -2 * c, 0, 2 * c], [a, c, a, -c], [-a, c, -a, -c]]), rtol=0, atol=1e-6)
        self.assert_exported(own(lambda m, x: m.pe(x) * 2, pe=RecyclingPositionalEncoding(4, 6)), 4, (5, 6, 7, 20))

    def test_what_is_refused(self) -> None:
        attention, encoder = nn.MultiheadAttention(8, 2), nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12), 2)
        for make, pattern in (
                (lambda: continual(nn.Linear(8, 8), 4), r"Linear\): continual takes nn.MultiheadAttention, nn.Trans"),
                (lambda: continual(attention, 0), "sequence_len is 0, must be an integer of at least 1"),
                (lambda: continual(attention, 4, -5), "query_index is -5, must be from -4 to 3"),
                (lambda: continual(attention, 4, 4), "query_index is 4, must be from -4 to 3"),
                (lambda: continual(attention, 4, 0, True), "either a query_index, or retroactive"),
                (lambda: continual(encoder, 4, 0), "gives its newest token only"),
                (lambda: continual(nn.MultiheadAttention(8, 2, add_bias_kv=True), 4), "add_bias_kv"),
                (lambda: continual(nn.MultiheadAttention(8, 2, add_zero_attn=True), 4), "add_zero_attn"),
                (lambda: continual(nn.TransformerEncoderLayer(8, 2, activation=torch.tanh), 4), "the activation tanh is not known; relu and"),
                (lambda: RecyclingPositionalEncoding(8, 0), "num_embeds is 0"),
                (lambda: continual(encoder, 4)(torch.zeros(1, 8, 3)), "3 frames is too short for a window of 4")):
            with self.assertRaisesRegex(ExportError, pattern):
                make()
        for module in (attention, encoder, encoder.layers[0]):
            with self.assertRaisesRegex(ExportError, r"needs the whole signal.*Windowed.*a mask by which each frame sees the last n"):
                describe(module)
            with self.assertRaisesRegex(ExportError, r"continual\(module, sequence_len=n\)"):
                describe(nn.Sequential(nn.Conv1d(8, 8, 1), module))


if __name__ == "__main__":
    unittest.main()
