"""The node of attention: which frames see which, what is added to scores by the place, and the heads as channels of signals."""

from __future__ import annotations

import math
from typing import Optional, Tuple

import torch
from torch import Tensor

from ..attention import Span, alibi_slopes, fitting_span
from ..errors import Refused, Unseen
from ..format import Node
from ..graph import Builder
from ..scores import MASKED, Heads, Scores
from ..signals import BATCH, SPACE, TIME, Signal, in_order
from .rotary import traced

_LONGEST_MASK = 1000  # frames of a signal, after which a mask that still grows is taken for one without a limit
_SHORT_MASK = 100  # frames, of which not all of a mask may show
_NO_LIMIT = ("but a stream needs a limit: a mask for the last n frames, (j <= i) & (j > i - n) for query i and key j, or "
             "for whole chunks, "
             "(j // c <= i // c) & (j // c >= i // c - before)")


def attention(b: Builder, scores: Scores, values: Heads) -> Signal:
    """The node of scores with softmax and the values that they are multiplied with: heads one after the other, (batch, channels, time),
    with the index (heads, channels of a head)."""
    queries, keys = scores.queries, scores.keys
    for each, name in ((keys, "keys"), (values, "values")):
        for own, others in zip(queries.value.frames, each.value.frames):
            if own != others:
                raise Refused(f"queries of {own} frames attend to {name} of {others}; only such of the same signal, or of "
                              "one that is as long, "
                              "can be had over a stream")
    heads, size = queries.index.shape
    kv = _shared(keys.index, values.index)
    span, table = _masked(b, scores)
    fields: Node = {"head_size": size}
    if span.chunk > 1:
        fields.update(chunk=span.chunk, before=span.past // span.chunk)
    else:
        fields.update(context=span.past + 1)
    value_size = values.index.shape[1]
    scale = scores.scale
    path = b.own_path("" if b.in_torch() else "attention")
    for name, value, usual in (("lookahead", span.ahead, 0), ("sinks", span.sinks, 0), ("heads", heads, 1), ("kv_heads", kv, heads),
                               ("value_size", value_size, size)):
        if value != usual:
            fields[name] = value
    if queries.rotary is not None:
        fields.update(rotary_size=queries.rotary.size, rotary_base=queries.rotary.base, rotary_interleaved=queries.rotary.interleaved)
        b.largest_difference = max(b.largest_difference, 2e-4)  # torch has angles in floats, which far from the start are less exact
    queries = _relative(b, scores, span, fields, path)
    if table is not None:
        if torch.allclose(table, _slopes(span, heads), 1e-4, 1e-6):
            fields["alibi"] = True
        else:
            fields.update(places=span.places, relative_bias=True)
            b.keep(path, "bias", table)
    if abs(scale * math.sqrt(size) - 1) > 1e-6:
        fields["scale"] = scale
    group = heads // kv
    parts = [(queries.value, queries.index), (keys.value, keys.index[::group]), (values.value, values.index[::group])]
    if len({part.number for part, _ in parts}) == 1:
        channels_of = torch.cat([index.flatten() for _, index in parts]).tolist()
        operands = [b.gather(queries.value, channels_of)]
    elif b.windows:
        each = [b.gather(part, index.flatten().tolist()) for part, index in parts]
        operands = [b.emit({"type": "Reduce", "path": b.helper_path("cat"), "op": "concat"}, *each)]
    else:
        fields["inputs"] = 3
        operands = [b.gather(part, index.flatten().tolist()) for part, index in parts]
    y = b.emit({"type": "ChunkAttention" if span.chunk > 1 else "CausalAttention", "path": path, **fields}, *operands)
    return y.replaced(index=in_order(heads * value_size).reshape(heads, value_size))


def _shared(keys: Tensor, values: Tensor) -> int:
    """How many heads of keys and values there are, of which each serves as many heads of queries."""
    heads = len(keys)
    for count in range(1, heads + 1):
        group = heads // count
        if heads % count == 0 and all(torch.equal(each, each[::group].repeat_interleave(group, 0)) for each in (keys, values)):
            return count
    return heads


def _slopes(span: Span, heads: int) -> Tensor:
    places = torch.arange(span.places) + span.first_place
    return (-alibi_slopes(heads)[:, None] * places.abs()).float()


def _masked(b: Builder, scores: Scores) -> Tuple[Span, Optional[Tensor]]:
    """Which frames see each other, and what is added to scores by the place, (heads, places), if there is something."""
    frames = scores.queries.value.frames
    seen, rest = [], []
    for own, count in zip(scores.bias, frames):
        own = own.expand(-1, count, count)
        visible = own > MASKED
        if not torch.equal(visible, visible[:1].expand_as(visible)):
            raise Refused("heads of attention with different masks; each has to have the same, or be attention by itself")
        seen.append(visible[0])
        rest.append(own)
    span = fitting_span(seen)
    longest = max(frames)
    if not b.windows and span is None and any(not bool(each.any(1).all()) for each in seen):
        raise Refused("a mask by which some frames see nothing at all")
    if span is None:
        reason = ("a mask that is neither the last frames and a few later ones of each frame nor whole chunks, the same for all "
                  "lengths; a stream can do these")
        raise Unseen(reason, longest) if longest < _SHORT_MASK else Refused(reason)
    if not b.windows and (span.past >= longest - span.chunk or span.ahead >= longest - 1):
        which = "all frames of the signal" if span.ahead >= longest - 1 else "all frames before"
        cure = (f"attends to {which} (of signals of up to {longest} frames), {_NO_LIMIT}; or run it over windows: "
                "Windowed(net, size, stride)")
        enough = _SHORT_MASK if span.ahead >= longest - 1 else _LONGEST_MASK
        raise Unseen(cure, longest) if longest < enough else Refused(cure)
    if not any(bool(own[:, each].any()) for own, each in zip(rest, seen)):
        return span, None
    tables = [_table(own, span, count) for own, count in zip(rest, frames)]
    table = max(tables, key=lambda each: int(each.isfinite().sum()))
    for each in tables:
        there = each.isfinite()
        if not torch.allclose(each[there], table[there], 1e-4, 1e-5):
            raise Refused("a bias of attention's scores that is not the same for all lengths")
    table = torch.where(table.isfinite(), table, torch.zeros(()))
    heads = scores.queries.index.shape[0]
    return span, table.expand(heads, -1) if bool(table.any()) else None


def _table(bias: Tensor, span: Span, frames: int) -> Tensor:
    """What is added by the place of a key relative to its query, (heads, places); not a number where there is none. Softmax does not
    mind a number that is added to all keys of a query."""
    for own in (bias, bias - torch.diagonal(bias, 0, 1, 2).unsqueeze(-1)):
        columns = []
        for place in range(span.first_place, span.first_place + span.places):
            line = torch.diagonal(own, place, 1, 2) if abs(place) < frames else own.new_empty(len(own), 0)
            line = line[:, line[0] > MASKED]
            if line.shape[1] == 0:
                columns.append(own.new_full((len(own),), math.nan))
            elif not torch.allclose(line, line[:, :1].expand_as(line), 1e-4, 1e-5):
                break
            else:
                columns.append(line[:, line.shape[1] // 2])
        else:
            return torch.stack(columns, 1)
    raise Refused("a bias of attention's scores that depends on more than how far the key is from the query; a stream has "
                  "no place in time")


def _relative(b: Builder, scores: Scores, span: Span, fields: Node, path: str) -> Heads:
    """Writes keys of places, if there are some; the queries as the layer takes them."""
    queries = scores.queries
    if not scores.places:
        return queries
    if queries.rotary is not None:
        raise Refused("attention with turned queries and keys of places, of which only one can be")
    (placed, numbers, factor), *more = scores.places
    if more:
        raise Refused("several products with keys of places are added to scores of attention; one can be")
    heads, size = queries.index.shape
    table: Optional[Tensor] = None
    for run, own in sorted(enumerate(numbers), key=lambda each: -max(each[1].shape)):
        found = _keys_of_places(placed.keys[run], own, span, scores.queries.value.frames[run], heads)
        table = found if table is None else table
        there = found.isfinite()
        if not torch.allclose(found[there], table[there], 1e-4, 1e-5):
            raise Refused("keys of places that are not the same for all lengths")
    table = torch.where(table.isfinite(), table, torch.zeros(())) * (factor / scores.scale)
    fields.update(places=span.places, relative_keys=True)
    b.keep(path, "keys", table)
    found = [_biased(b, each) for each in (queries, placed.queries)]
    root, first = found[0][0], found[0][1]
    if root.number != found[1][0].number or not torch.equal(first, found[1][1]):
        raise Refused("the queries for keys of places are other ones than those for keys, by more than a constant that is "
                      "added")
    for name, (_, _, offsets) in zip(("content_bias", "position_bias"), found):
        if bool(offsets.any()):
            fields[f"with_{name}"] = True
            b.keep(path, name, offsets)
    return queries._replace(value=root, index=first)


def _biased(b: Builder, heads: Heads) -> Tuple[Signal, Tensor, Tensor]:
    """Queries as channels of a value and constants that are added to them."""
    roots = [traced(b, heads.value.number, channel) for channel in heads.index.flatten().tolist()]
    if any(root.number != roots[0].number or root.factor != roots[0].factor for root in roots):
        return heads.value, heads.index, torch.zeros(heads.index.shape)
    if roots[0].factor != 1:
        raise Refused("queries of attention with keys of places are scaled; scale the scores instead")
    number = roots[0].number
    frames = heads.value.frames
    value = Signal(number, (BATCH, SPACE, TIME), in_order(b.values[number].channels), frames)
    index = torch.tensor([root.channel for root in roots]).reshape(heads.index.shape)
    return value, index, torch.tensor([root.offset for root in roots]).reshape(heads.index.shape)


def _keys_of_places(keys: Tensor, numbers: Tensor, span: Span, frames: int, heads: int) -> Tensor:
    """The key of each place, (places, heads, channels), of which none is a number where none is seen."""
    count, size = keys.shape[2], keys.shape[3]
    numbers = numbers.expand(heads, frames, frames).long() - 1
    seen, rows = span.seen(frames), []
    refusal = Refused("products with keys of places whose places are not those of the keys relative to the queries")
    for place in range(span.first_place, span.first_place + span.places):
        if abs(place) >= frames:
            rows.append(keys.new_full((heads, size), math.nan))
            continue
        line = torch.diagonal(numbers, place, 1, 2)[:, torch.diagonal(seen, place)]
        if line.shape[1] == 0:
            rows.append(keys.new_full((heads, size), math.nan))
            continue
        queries = torch.arange(frames)[max(0, -place):][:seen.shape[0] - abs(place)][torch.diagonal(seen, place)]
        own = line - (torch.arange(heads)[:, None] * frames + queries) * count
        if bool((line < 0).any()) or bool((own < 0).any()) or bool((own >= count).any()):
            raise refusal
        found = keys.expand(heads, -1, -1, -1)[torch.arange(heads)[:, None], queries if keys.shape[1] > 1 else 0 * queries, own]
        if not torch.allclose(found, found[:, :1].expand_as(found), 1e-4, 1e-5):
            raise refusal
        rows.append(found[:, 0])
    return torch.stack(rows)
