"""Attention over time: products of queries with keys, masks, softmax over the keys, products with values."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..align import Number, Varying
from ..errors import Refused, join
from ..graph import Builder
from ..known import USE_A_WINDOW
from ..scores import KEYS, MASKED, Heads, Places, Replayed, Scores, Turning, of_run
from ..signals import BATCH, COLUMNS, SPACE, TIME, Lost, Signal, in_order, what
from . import channels
from .attention_layer import attention
from .registry import HANDLERS, Handler, handles
from .rotary import OF_TURNING, as_heads, begin, begins_to_turn
from .shapes import permuted, unsqueeze

# What attention's values can be given to, by their names; what only looks at scores otherwise is done as to signals.
_OF_SCORES: Dict[str, Handler] = {}
_SHAPES = ("view", "reshape", "_unsafe_view", "view_as", "reshape_as", "flatten", "unflatten", "permute", "transpose", "swapaxes",
           "movedim", "mT", "unsqueeze", "squeeze", "expand", "expand_as")


def of_scores(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        _OF_SCORES.update(dict.fromkeys(names, handler))
        return handler

    return register


def own_handler(b: Builder, name: str, args: Sequence[Any], kwargs: Any) -> Optional[Handler]:
    """What is done with attention's own values, if there are some among the arguments or made by the call."""
    own = _own_among((args, kwargs))
    if own is None:
        return begin if begins_to_turn(b, name, args) else None
    if isinstance(own, Turning) and name in OF_TURNING:
        return OF_TURNING[name]
    if name in _OF_SCORES:
        return _OF_SCORES[name]
    if isinstance(own, Scores) and name in _SHAPES:
        return HANDLERS[name]
    if isinstance(own, Replayed):
        if name in _MOVES:
            return _moved
        raise own.refusal
    raise Refused(f"{name.strip('_')} of {own!r} is not supported; they can be scaled, masked, biased by constants, given "
                  "to softmax over "
                  "the keys, and multiplied with the values")


def _own_among(value: Any) -> Any:
    if isinstance(value, (Scores, Replayed, _Greatest)):
        return value
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return next((found for found in map(_own_among, value) if found is not None), None)
    return None


# --- products -------------------------------------------------------------------------------------------------------


@handles("matmul", "__matmul__", "__rmatmul__", "bmm", "mm")
@of_scores("matmul", "__matmul__", "__rmatmul__", "bmm", "mm")
def matmul(b: Builder, input: Any, other: Any, out: Any = None) -> Any:
    left, right = (other, input) if b.step.name == "__rmatmul__" else (input, other)
    if isinstance(left, Scores) or isinstance(right, Scores):
        return _weighted(b, left, right)
    if isinstance(left, (Signal, Turning)) and isinstance(right, (Signal, Turning)):
        return _products(b, left, right)
    if isinstance(left, (Signal, Turning)) and isinstance(right, Varying) and not b.windows:
        return _of_places(b, left, right)
    return channels.times_matrix(b, left, right)


def _heads(b: Builder, x: Any) -> Tuple[Signal, Heads]:
    """A signal's axes, and what it is as heads; the index of the first is that of the second."""
    if isinstance(x, Turning):
        x, rotary, scale = as_heads(b, x)
        return x, Heads(b.whole(x), x.index, rotary, scale)
    return x, Heads(b.whole(x), x.index)


def _leading(signals: Sequence[Signal]) -> Tuple[List[str], List[int], List[Tensor]]:
    """The roles of the axes before the last two, the extents of those of channels, and the indices spread over them."""
    rank = max(len(x.axes) for x in signals)
    roles: List[str] = []
    padded = [x.replaced(axes=(SPACE,) * (rank - len(x.axes)) + x.axes, index=x.index.reshape((1,) * (rank - len(x.axes))
                                                                                        + tuple(x.index.shape))) for x in signals]
    extents = []
    for dim in range(rank - 2):
        wide = [x for x in padded if x.axes[dim] != SPACE or x.extent(dim) != 1] or padded[:1]
        role = wide[0].axes[dim]
        if any(x.axes[dim] != role for x in wide) or role not in (BATCH, SPACE, COLUMNS) or (
                role in (BATCH, COLUMNS) and len(wide) < len(padded)):
            raise Refused(f"multiplies {' and '.join(map(repr, signals))} as matrices, whose axes before the last two do "
                          "not fit")
        if role != BATCH:
            counts = {x.index.shape[x.place(dim)] for x in wide}
            if len(counts) > 1:
                raise Refused(f"multiplies {' and '.join(map(str, sorted(counts)))} heads as matrices")
            extents.append(counts.pop())
        roles.append(role)
    if not {BATCH, COLUMNS} & set(roles):
        raise Refused(f"multiplies {' and '.join(map(repr, signals))} as matrices: that mixes what does not belong together")
    spread = []
    for x in padded:
        own = x.index
        for dim, role in enumerate(roles):
            if role == BATCH and x.axes[dim] != BATCH:
                own = own.squeeze(x.place(dim))
        spread.append(own.expand(*extents, *own.shape[len(extents):]))
    return roles, extents, spread


def _products(b: Builder, left: Any, right: Any) -> Scores:
    (q, queries), (k, keys) = _heads(b, left), _heads(b, right)
    if q.axes[-1] == TIME and k.axes[-2] == TIME:
        raise Refused(f"multiplies {q!r} and {k!r} as matrices, over the time: it {USE_A_WINDOW}")
    if q.axes[-2:] != (TIME, SPACE) or k.axes[-2:] != (SPACE, TIME):
        raise Refused(f"multiplies {q!r} and {k!r} as matrices; of signals only queries (..., time, channels) and keys "
                      "(..., channels, time) "
                      "can be multiplied, as attention over time does")
    if (queries.rotary is None) != (keys.rotary is None) or queries.rotary is not None and not queries.rotary.same_as(keys.rotary):
        raise Refused("multiplies queries and keys that are not turned in the same way")
    roles, extents, (own, others) = _leading([q, k])
    if own.shape[-1] != others.shape[-1]:
        raise Refused(f"multiplies queries of {own.shape[-1]} channels with keys of {others.shape[-1]}")
    heads = math.prod(extents)
    queries = queries._replace(index=own.reshape(heads, -1))
    keys = keys._replace(index=others.reshape(heads, -1))
    return Scores((*roles, TIME, KEYS), in_order(heads).reshape(extents), queries, keys, queries.scale * keys.scale)


def _weighted(b: Builder, left: Any, right: Any) -> Signal:
    """Weights times values, or values times the weights turned over."""
    scores, values = (left, right) if isinstance(left, Scores) else (right, left)
    if not isinstance(values, Signal) or isinstance(values, Scores) or not scores.weights:
        raise Refused(f"multiplies {what(left)} and {what(right)} as matrices; only values can be multiplied with what "
                      "softmax makes of scores")
    behind = scores is left
    if scores.axes[-2:] != ((TIME, KEYS) if behind else (KEYS, TIME)) or values.axes[-2:] != ((TIME, SPACE) if behind else (SPACE, TIME)):
        raise Refused(f"multiplies {scores!r} ({', '.join(scores.axes)}) with {values!r}, where the time of the keys does "
                      "not meet that of "
                      "the values")
    flat = Signal(-1, (*scores.axes[:-2], SPACE), scores.index.unsqueeze(-1), scores.frames)
    roles, extents, (order, index) = _leading([flat.replaced(axes=(*flat.axes, TIME)), values])
    heads = scores.queries.index.shape[0]
    if math.prod(extents) != heads:
        raise Refused(f"multiplies weights of {heads} heads with values of {math.prod(extents)}")
    index = index.reshape(heads, -1)
    own = torch.empty_like(index)
    own[order.flatten()] = index  # that of each head
    y = attention(b, scores, Heads(b.whole(values), own))
    y = y.replaced(axes=(*roles, TIME, SPACE), index=y.index[order.flatten()].reshape(*extents, -1))
    return y if behind else permuted(y, [*range(len(roles)), -1, -2])


@handles("einsum")
@of_scores("einsum")
def einsum(b: Builder, equation: str, *operands: Any) -> Any:
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = tuple(operands[0])
    terms, _, result = equation.replace(" ", "").partition("->")
    letters = terms.split(",")
    known = [each for each in operands if isinstance(each, (Signal, Turning))]
    if len(operands) != 2 or "." in equation or not result or not known:
        return channels.einsum(b, equation, *operands)
    if len(known) == 1:
        by_place = isinstance(operands[1], Varying) and not b.windows
        return _einsum_of_places(b, equation, letters, result, *operands) if by_place else channels.einsum(b, equation, *operands)
    pairs = [(_axes_of(b, x), own) for x, own in zip(operands, letters)]
    if any(len(x.axes) != len(own) or len(set(own)) != len(own) for x, own in pairs):
        raise Refused(f"einsum {equation!r} of {' and '.join(map(what, operands))}")
    if isinstance(operands[1], Scores):
        pairs.reverse()
    (x, own), (other, others) = pairs
    if isinstance(x, Scores):
        query, key = own[x.axes.index(TIME)], own[x.axes.index(KEYS)]
        kept = [letter for letter in others if letter in result and letter not in own]
        if key in result or key not in others or TIME not in other.axes or others[other.axes.index(TIME)] != key or len(kept) != 1:
            raise Refused(f"einsum {equation!r} of {x!r} and {other!r}: only the time of the keys can be summed up")
        lead = [letter for letter in result if letter not in (query, kept[0])]
        y = _weighted(b, _arranged(b, x, own, [*lead, query, key]), _arranged(b, other, others, [*lead, key, kept[0]]))
        return permuted(y, [[*lead, query, kept[0]].index(letter) for letter in result])
    times = [term[each.axes.index(TIME)] if TIME in each.axes else "" for each, term in pairs]
    if times[0] == times[1] or "" in times or not all(each in result for each in times):
        return channels.einsum(b, equation, *operands)
    summed = [letter for letter in own if letter in others and letter not in result]
    if len(summed) != 1 or any(letter not in result for letter in own + others if letter != summed[0]):
        raise Refused(f"einsum {equation!r} of {x!r} and {other!r}: only one axis of channels can be summed up")
    lead = [letter for letter in result if letter not in times]
    queries = _arranged(b, operands[0], own, [*lead, times[0], summed[0]])
    keys = _arranged(b, operands[1], others, [*lead, summed[0], times[1]])
    return permuted(_products(b, queries, keys), [[*lead, *times].index(letter) for letter in result])


def _axes_of(b: Builder, x: Any) -> Signal:
    return as_heads(b, x)[0] if isinstance(x, Turning) else x


def _arranged(b: Builder, x: Any, own: str, letters: Sequence[str]) -> Any:
    """x, whose axes have the letters `own`, with axes for these letters: those that it lacks have one entry."""
    there = [letter for letter in letters if letter in own]
    order = [own.index(letter) for letter in there]
    if isinstance(x, Turning):
        x = x.each(lambda _, tensor: tensor.permute(order))
        for dim, letter in enumerate(letters):
            x = x if letter in own else x.each(lambda _, tensor: tensor.unsqueeze(dim))
        return x
    x = permuted(x, order)
    for dim, letter in enumerate(letters):
        x = x if letter in own else unsqueeze(b, x, dim)
    return x


# --- products with keys of places -----------------------------------------------------------------------------------


def _of_places(b: Builder, left: Any, matrix: Varying) -> Any:
    """Queries (..., time, channels) times keys of places (..., channels, places), of which there are the more the longer the signal is."""
    rank = max(each.dim() for each in matrix.values)
    if isinstance(left, Turning) or left.axes[-2:] != (TIME, SPACE) or rank < 2 or len({each.shape[-1] for each in matrix.values}) == 1:
        return channels.times_matrix(b, left, matrix)
    refusal = Refused(f"multiplies {left!r} with a matrix that depends on the signal's length, which only attention's "
                      "relative places can")
    refusal.step = b.step.place
    roles, extents, (own,) = _leading([left])
    numbers, keys = [], []
    for run, each in enumerate(matrix.values):
        each = each.detach().float()
        each = each.reshape((1,) * (len(left.axes) - each.dim()) + tuple(each.shape))
        by_head = each
        for dim, role in reversed(list(enumerate(roles))):
            if role == BATCH:
                by_head = by_head[(slice(None),) * dim + (0,)]
        if by_head.dim() - 2 != len(extents) or any(a not in (1, e) for a, e in zip(by_head.shape, extents)) or COLUMNS in roles:
            raise refusal
        by_head = by_head.expand(*extents, -1, -1).reshape(-1, *by_head.shape[-2:]).transpose(1, 2)
        keys.append(by_head[:, None])
        numbers.append(_numbered(b, run, left.frames[run], by_head.shape[1], roles, extents))
    return Places(numbers, refusal, Heads(b.whole(left), own.reshape(math.prod(extents), -1)), keys)


def _numbered(b: Builder, run: int, frames: int, places: int, roles: Sequence[str], extents: Sequence[int]) -> List[Tensor]:
    numbers = torch.arange(1, math.prod(extents) * frames * places + 1, dtype=torch.int32).reshape(*extents, frames, places)
    dim = roles.index(BATCH)
    return [numbers.unsqueeze(dim).expand(*numbers.shape[:dim], b.runs[run].batch, *numbers.shape[dim:])]


def _einsum_of_places(b: Builder, equation: str, letters: Sequence[str], result: str, x: Any, keys: Varying) -> Any:
    """The same where an einsum has keys for each query and place, or for each place."""
    own, others = letters
    if not isinstance(x, Signal) or TIME not in x.axes or len(own) != len(x.axes):
        return channels.einsum(b, equation, x, keys)
    query = own[x.axes.index(TIME)]
    new = [letter for letter in others if letter in result and letter not in own]
    summed = [letter for letter in own if letter not in result]
    if len(new) != 1 or len(summed) != 1 or summed[0] not in others or query not in result:
        return channels.einsum(b, equation, x, keys)
    lead = [letter for letter in result if letter not in (query, new[0])]
    q = _arranged(b, x, own, [*lead, query, summed[0]])
    roles, extents, (index,) = _leading([q])
    refusal = Refused(f"einsum {equation!r} of {x!r} and a tensor that depends on the signal's length, which only "
                      "attention's relative "
                      "places can be")
    refusal.step = b.step.place
    heads = [letter for letter, role in zip(lead, roles) if role == SPACE]
    if COLUMNS in roles or any(letter not in (*heads, query, new[0], summed[0]) for letter in others):
        raise refusal
    numbers, tables = [], []
    for run, each in enumerate(keys.values):
        each = each.detach().float()
        for letter in (*heads, query):
            each = each if letter in others else each.unsqueeze(0)
        order = [letter for letter in (*reversed([each for each in (*heads, query) if each not in others]), *others)]
        each = each.permute([order.index(letter) for letter in (*heads, query, new[0], summed[0])])
        if each.shape[len(heads)] not in (1, x.frames[run]):
            raise refusal
        tables.append(each.expand(*extents, *each.shape[len(heads):]).reshape(-1, *each.shape[len(heads):]))
        numbers.append(_numbered(b, run, x.frames[run], each.shape[-2], roles, extents))
    y = Places(numbers, refusal, Heads(b.whole(q), index.reshape(math.prod(extents), -1)), tables)
    order = [[*lead, query, new[0]].index(letter) for letter in result]
    return y.each(lambda _, tensor: tensor.permute(order))


# What only moves numbers about.
_MOVES = {*_SHAPES, "__getitem__", "pad", "narrow", "select", "chunk", "split", "unbind", "index_select", "repeat_interleave", "repeat",
          "roll", "flip"}


def _moved(b: Builder, x: Replayed, *args: Any, **kwargs: Any) -> Any:
    """What a function that only moves numbers makes of what says where they are."""
    name = b.step.name
    by_run: List[List[Any]] = []
    for run, tensors in enumerate(x.tensors):
        if name in ("view", "reshape", "_unsafe_view", "view_as", "reshape_as", "flatten", "unflatten"):
            by_run.append([each.reshape(b.step.shapes[run][0]) for each in tensors])
            continue
        if name in ("expand", "expand_as"):
            by_run.append([each.expand(b.step.shapes[run][0]) for each in tensors])
            continue
        own, named = of_run(args, run), of_run(kwargs, run)
        if name == "mT":
            by_run.append([each.transpose(-1, -2) for each in tensors])
            continue
        function = torch.nn.functional.pad if name == "pad" else getattr(Tensor, name)
        by_run.append([function(each, *own, **named) for each in tensors])
    if isinstance(by_run[0][0], (tuple, list)):
        count = len(by_run[0][0])
        return tuple(x.like([[each[i] for each in own] for own in by_run]) for i in range(count))
    return x.like(by_run)


@of_scores("cat", "concat", "concatenate")
def _cat(b: Builder, tensors: Any, dim: int = 0, axis: Any = None) -> Any:
    """Zeros beside products with keys of places."""
    dim = dim if axis is None else axis
    first = next(each for each in tensors if isinstance(each, Replayed))
    if not isinstance(first, Places) or sum(isinstance(each, Replayed) for each in tensors) > 1:
        raise first.refusal
    numbers = []
    for run in range(len(b.runs)):
        parts = []
        for each in tensors:
            part = each.tensors[run][0] if each is first else of_run(each, run)
            if not isinstance(part, Tensor) or each is not first and bool(part.any()):
                raise first.refusal
            parts.append(part.to(torch.int32))
        numbers.append([torch.cat(parts, dim)])
    return first.like(numbers)


# --- what is done to scores -----------------------------------------------------------------------------------------


def _constants(b: Builder, value: Any) -> List[Tensor]:
    """What a constant is in each run."""
    values = value.values if isinstance(value, (Number, Varying)) else [value] * len(b.runs)
    if any(isinstance(each, (Signal, Replayed, Lost)) for each in values):
        raise Refused(f"{what(value)} meets scores of attention; a mask or a bias must be made of constants and of the "
                      "length alone")
    return [each.detach() if isinstance(each, Tensor) else torch.tensor(each, dtype=torch.float64) for each in values]


def _factor(b: Builder, value: Any) -> float:
    found = {float(each) for each in _constants(b, value) if each.numel() == 1}
    if len(found) != 1 or any(each.numel() != 1 for each in _constants(b, value)):
        raise Refused(f"scores of attention are multiplied with {what(value)}; only one number can scale them, before them "
                      "the queries")
    return found.pop()


@of_scores("mul", "multiply", "__mul__", "__rmul__", "__imul__", "mul_")
def _scaled(b: Builder, input: Any, other: Any) -> Any:
    x, factor = (input, _factor(b, other)) if isinstance(input, (Scores, Places)) else (other, _factor(b, input))
    if isinstance(x, Places):
        return x.times(factor)
    _check(x, "scales")
    return x.replaced(scale=x.scale * factor, bias=[each * factor for each in x.bias],
                      places=[(each, where, own * factor) for each, where, own in x.places])


@of_scores("div", "divide", "true_divide", "__truediv__", "__itruediv__", "div_")
def _divided(b: Builder, input: Any, other: Any) -> Any:
    if not isinstance(input, (Scores, Places)):
        raise Refused(f"divides {what(input)} by {other!r}")
    divisor = _factor(b, other)
    if divisor == 0:
        raise Refused("divides by 0")
    return _scaled(b, input, 1.0 / divisor)


@of_scores("add", "__add__", "__radd__", "__iadd__", "add_")
def _added(b: Builder, input: Any, other: Any, alpha: Any = 1) -> Scores:
    x, other = (input, other) if isinstance(input, Scores) else (other, input)
    if not isinstance(x, Scores):
        raise (x if isinstance(x, Replayed) else other).refusal
    _check(x, "adds to")
    if isinstance(other, Scores):
        raise Refused("adds scores of attention; only what products with constants of places give can be added to them")
    runs = [(run, each.batch) for run, each in enumerate(b.runs)]
    if isinstance(other, Places):
        numbers = [x.spread(own[0], run, batch) for own, (run, batch) in zip(other.tensors, runs)]
        return x.replaced(places=[*x.places, (other, numbers, other.scale)])
    added = [x.spread(each.float(), *run) for each, run in zip(_constants(b, other), runs)]
    return x.replaced(bias=[own + alpha * each for own, each in zip(x.bias, added)])


@of_scores("sub", "subtract", "__sub__", "__isub__", "sub_")
def _subtracted(b: Builder, input: Any, other: Any, alpha: Any = 1) -> Scores:
    if isinstance(input, Scores) and isinstance(other, _Greatest) and alpha == 1 and not input.weights:
        return input
    if not isinstance(input, Scores) or isinstance(other, _Greatest) or not isinstance(alpha, (int, float)):
        raise Refused(f"subtracts {what(other)} from {what(input)}")
    return _added(b, input, other, -alpha)


@of_scores("masked_fill", "masked_fill_")
def _filled(b: Builder, input: Any, mask: Any, value: Any) -> Scores:
    if not isinstance(input, Scores):
        raise input.refusal if isinstance(input, Replayed) else Refused(f"fills {what(input)} by {what(mask)}")
    masks, number, bias = _constants(b, mask), _factor(b, value), []
    for run, (each, own) in enumerate(zip(masks, input.bias)):
        each = input.spread(each.bool(), run, b.runs[run].batch)
        if input.weights:
            if number != 0 or bool((each & (own > MASKED)).any()):
                raise Refused(f"fills weights of attention with {number:g} that are not masked before softmax")
            bias.append(own)
            continue
        if number > MASKED:
            raise Refused(f"fills scores of attention with {number:g}; what is not seen must be filled with -inf, or "
                          f"{MASKED:g} and less")
        bias.append(torch.where(each, torch.full_like(own, -math.inf), own))
    return input.replaced(bias=bias)


@of_scores("where")
def _where(b: Builder, condition: Any, input: Any, other: Any) -> Scores:
    if isinstance(input, Scores):
        return _filled(b, input, Varying([~each.bool() for each in _constants(b, condition)]), other)
    return _filled(b, other, condition, input)


@handles("baddbmm")
@of_scores("baddbmm")
def baddbmm(b: Builder, input: Any, batch1: Any, batch2: Any, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Any:
    if any(isinstance(each, Scores) or not isinstance(each, (Signal, Turning)) for each in (batch1, batch2)):
        raise Refused(f"baddbmm of {what(batch1)} and {what(batch2)}; only queries and keys can be multiplied so")
    scores = _scaled(b, _products(b, batch1, batch2), alpha)
    return scores if beta == 0 else _added(b, scores, input, beta)


class _Greatest:
    """The greatest of the scores of each query, which softmax does not mind to be subtracted."""

    def __repr__(self) -> str:
        return "the greatest scores"


@of_scores("max", "amax")
def _greatest(b: Builder, input: Scores, dim: Any = None, keepdim: bool = False) -> Any:
    if not isinstance(input, Scores) or dim is None or keepdim is not True or input.axis(dim) != KEYS:
        raise Refused(f"{b.step.name} of {input!r}; only that over the keys, with keepdim=True, to be subtracted before "
                      "softmax, can be")
    places = Lost("the places of a maximum", "uses the places of a maximum, which a model file cannot give", b.step.place)
    return _Greatest() if b.step.name == "amax" else (_Greatest(), places)


def _check(x: Scores, does: str) -> None:
    if x.weights:
        raise Refused(f"{does} {x!r}, after softmax; before it that can be done")


@of_scores("softmax")
def _softmax(b: Builder, input: Any, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Scores:
    if not isinstance(input, Scores):
        raise input.refusal
    _check(input, "takes softmax of")
    if input.axis(dim) != KEYS:
        raise Refused(f"softmax over the {input.axis(dim)} of scores, only over the keys")
    return input.replaced(weights=True)


@of_scores("nan_to_num", "dropout")
def _as_it_is(b: Builder, input: Scores, *args: Any, **kwargs: Any) -> Scores:
    if b.step.name == "dropout":
        raise Refused("dropout without training=self.training is random; say training=self.training")
    return input


# --- functions and modules of torch's -------------------------------------------------------------------------------


@handles("scaled_dot_product_attention", "_scaled_dot_product_attention")
@of_scores("scaled_dot_product_attention")
def scaled_dot_product_attention(b: Builder, query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
                                 is_causal: bool = False, scale: Any = None, enable_gqa: bool = False) -> Any:
    if dropout_p:
        raise Refused("dropout_p is not 0, so it is random; say dropout_p=self.dropout if self.training else 0.0")
    if not all(isinstance(each, (Signal, Turning)) for each in (query, key, value)):
        raise Refused(f"attention of {what(query)}, {what(key)} and {what(value)}; all three must be signals")
    if enable_gqa:
        group = _axes_of(b, query).extent(-3) // _axes_of(b, key).extent(-3)
        key, value = (_moved_heads(b, each, group) for each in (key, value))
    turned = key.each(lambda _, each: each.transpose(-1, -2)) if isinstance(key, Turning) else permuted(
        key, [*range(len(key.axes) - 2), -1, -2])
    scores = _products(b, query, turned)
    scores = _scaled(b, scores, scores.queries.index.shape[1] ** -0.5 if scale is None else scale)
    y = _weighted(b, _softmax(b, _with_mask(b, scores, attn_mask, is_causal), -1), value)
    return (y, Lost("weights of attention", "uses the weights of attention, which a model file cannot give", b.step.place)) if (
        b.step.name.startswith("_")) else y


def _moved_heads(b: Builder, x: Any, group: int) -> Any:
    if isinstance(x, Turning):
        return x.each(lambda _, each: each.repeat_interleave(group, -3))
    return x.replaced(index=x.index.repeat_interleave(group, x.place(-3)))


def _with_mask(b: Builder, scores: Scores, mask: Any, is_causal: bool) -> Scores:
    """Scores with a mask as torch's functions take it: of what is seen, or of numbers that are added."""
    if is_causal and mask is None:
        frames = scores.frames
        return _filled(b, scores, Varying([torch.ones(count, count).triu(1).bool() for count in frames]), -math.inf)
    if mask is None:
        return scores
    masks = _constants(b, mask)
    if masks[0].dtype == torch.bool:
        return _filled(b, scores, Varying([~each for each in masks]), -math.inf)
    return _added(b, scores, Varying(masks))


@handles("multi_head_attention_forward")
def multi_head_attention_forward(
        b: Builder, query: Any, key: Any, value: Any, embed_dim_to_check: int, num_heads: int, in_proj_weight: Any, in_proj_bias: Any,
        bias_k: Any, bias_v: Any, add_zero_attn: bool, dropout_p: float, out_proj_weight: Any, out_proj_bias: Any, training: bool = True,
        key_padding_mask: Any = None, need_weights: bool = True, attn_mask: Any = None, use_separate_proj_weight: bool = False,
        q_proj_weight: Any = None, k_proj_weight: Any = None, v_proj_weight: Any = None, static_k: Any = None, static_v: Any = None,
        average_attn_weights: bool = True, is_causal: bool = False) -> Any:
    """What nn.MultiheadAttention does to (time, batch, channels)."""
    for name, given in (("bias_k", bias_k), ("bias_v", bias_v), ("static_k", static_k), ("static_v", static_v)):
        if given is not None:
            raise Refused(f"attention with {name}, keys and values of its own, is not supported")
    if add_zero_attn:
        raise Refused("attention with add_zero_attn is not supported; it is a key more that all see")
    if training and dropout_p:
        raise Refused("dropout of attention in training mode is random")
    if key_padding_mask is not None:
        raise Refused("attention with a key_padding_mask; a stream has no frames that are only padding, so leave it out")
    if not all(isinstance(each, Signal) and each.axes == (TIME, BATCH, SPACE) for each in (query, key, value)):
        raise Refused("MultiheadAttention takes (batch, time, channels) with batch_first=True, else (time, batch, "
                      "channels), but gets "
                      f"{' and '.join(dict.fromkeys(map(what, (query, key, value))))}; permute it")
    q, k, v = project(b, (query, key, value), in_proj_weight, in_proj_bias, (q_proj_weight, k_proj_weight, v_proj_weight))

    def by_heads(x: Signal) -> Signal:  # (batch, heads, time, channels)
        if x.channels % num_heads:
            raise Refused(f"{x.channels} channels are not a multiple of {num_heads} heads")
        return Signal(x.number, (BATCH, SPACE, TIME, SPACE), x.index.reshape(num_heads, -1), x.frames, x.cut)

    q, k, v = map(by_heads, (q, k, v))
    scores = _scaled(b, _products(b, q, permuted(k, [0, 1, 3, 2])), q.index.shape[1] ** -0.5)
    if attn_mask is not None and _constants(b, attn_mask)[0].dtype == torch.bool:  # here of what is not seen
        scores = _filled(b, _grouped(scores, attn_mask, b), attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = _added(b, _grouped(scores, attn_mask, b), attn_mask)
    elif is_causal:
        scores = _with_mask(b, scores, None, True)
    scores = scores.replaced(axes=(BATCH, SPACE, TIME, KEYS))
    y = _weighted(b, _softmax(b, scores, -1), v)
    y = y.replaced(axes=(TIME, BATCH, SPACE), index=y.index.flatten())
    y = channels.linear_map(b, y, 2, out_proj_weight, out_proj_bias, b.unique(join(b.step.place.path, "out_proj")))
    return y, Lost("weights of attention", "uses the weights of attention, which a model file cannot give", b.step.place)


def _grouped(scores: Scores, mask: Any, b: Builder) -> Scores:
    """Scores as (batch heads, time, time) if a mask has these axes."""
    return scores.replaced(axes=(COLUMNS, TIME, KEYS)) if _constants(b, mask)[0].dim() == 3 else scores


def project(b: Builder, signals: Sequence[Signal], weight: Optional[Tensor], bias: Optional[Tensor],
            weights: Sequence[Optional[Tensor]]) -> List[Signal]:
    """Queries, keys and values of signals whose last axis has the channels."""
    own, last = b.names.get(id(weight if weight is not None else weights[0]), ""), len(signals[0].axes) - 1
    path = b.unique(join(own.rpartition(".")[0] if own else b.step.place.path, "in_proj"))
    if weight is not None:
        weights = weight.chunk(3)
        if all(x.number == signals[0].number and torch.equal(x.index, signals[0].index) for x in signals):
            y = channels.linear_map(b, signals[0], last, weight, bias, path)
            return [y.replaced(index=index) for index in y.index.chunk(3)]
    biases = [None] * 3 if bias is None else bias.chunk(3)
    return [channels.linear_map(b, x, last, own, each, f"{path}_{name}") for x, own, each, name in zip(signals, weights, biases, "qkv")]

