"""What only looks at a tensor otherwise: views, permutations, slices and concatenations of channels."""

from __future__ import annotations

import math
from typing import Any, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..align import Number, Varying, number
from ..errors import Refused
from ..graph import Builder
from ..known import USE_A_WINDOW
from ..signals import BATCH, COLUMNS, INDEXED, MIXED, ROWS, SPACE, TIME, Signal, in_order, what
from .arithmetic import affine, without_lengths
from .channels import without
from .registry import handles
from .time import crop, flip_time, frames_of_size, join_frames


def _role(b: Builder, x: Signal, dim: Any) -> int:
    """An axis as a number from 0 on."""
    x.axis(dim)
    return dim % len(x.axes)


# --- permutations ---------------------------------------------------------------------------------------------------


def permuted(x: Signal, dims: Sequence[int]) -> Signal:
    axes = tuple(x.axis(dim) for dim in dims)
    places = [x.place(dim) for dim in dims if x.axis(dim) in INDEXED]
    if sorted(dim % len(x.axes) for dim in dims) != list(range(len(x.axes))):
        raise Refused(f"permute{tuple(dims)} of {x!r}")
    return x.replaced(axes=axes, index=x.index.permute(places))


def _list(values: Sequence[Any]) -> List[Any]:
    """Sizes or axes, given as one tuple or one by one."""
    return list(values[0]) if len(values) == 1 and isinstance(values[0], (tuple, list)) else list(values)


@handles("permute")
def permute(b: Builder, input: Signal, *dims: Any, **named: Any) -> Signal:
    return permuted(input, _list(dims or tuple(named.values())))


@handles("transpose", "swapaxes", "swapdims", "transpose_")
def transpose(b: Builder, input: Signal, dim0: int, dim1: int) -> Signal:
    order = list(range(len(input.axes)))
    dim0, dim1 = _role(b, input, dim0), _role(b, input, dim1)
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return permuted(input, order)


@handles("mT", "adjoint")
def matrix_transpose(b: Builder, input: Signal) -> Signal:
    return transpose(b, input, -1, -2)


@handles("t", "T")
def reverse_axes(b: Builder, input: Signal) -> Signal:
    return permuted(input, list(range(len(input.axes)))[::-1])


@handles("movedim", "moveaxis")
def movedim(b: Builder, input: Signal, source: Any, destination: Any) -> Signal:
    axes = list(range(len(input.axes)))
    sources = list(source) if isinstance(source, (tuple, list)) else [source]
    targets = list(destination) if isinstance(destination, (tuple, list)) else [destination]
    rest = [axis for axis in axes if axis not in [each % len(axes) for each in sources]]
    for target, origin in sorted(zip((each % len(axes) for each in targets), (each % len(axes) for each in sources))):
        rest.insert(target, origin)
    return permuted(input, rest)


# --- axes of one entry ----------------------------------------------------------------------------------------------


@handles("unsqueeze", "unsqueeze_")
def unsqueeze(b: Builder, input: Signal, dim: int) -> Signal:
    at = dim % (len(input.axes) + 1)
    place = sum(role in INDEXED for role in input.axes[:at])
    return input.replaced(axes=input.axes[:at] + (SPACE,) + input.axes[at:], index=input.index.unsqueeze(place))


@handles("squeeze", "squeeze_")
def squeeze(b: Builder, input: Signal, dim: Any = None) -> Signal:
    dims = range(len(input.axes)) if dim is None else dim if isinstance(dim, (tuple, list)) else [dim]
    gone = []
    for each in dims:
        single = input.axis(each) == SPACE and input.extent(each) == 1
        if single or b.windows and input.axis(each) == TIME and input.frames[0] == 1:
            gone.append(each % len(input.axes))
    if dim is None:
        raise Refused("takes away every axis with one entry, also that of the batch; say which, as in squeeze(-1)")
    return without(b, input, gone)


# --- views ----------------------------------------------------------------------------------------------------------


def viewed(b: Builder, x: Signal, shapes: Sequence[Sequence[int]]) -> Signal:
    """x in the shapes that its tensor was given in each run."""
    old = [x.shape(run, each.batch) for run, each in enumerate(b.runs)]
    if any(math.prod(a) != math.prod(n) for a, n in zip(old, shapes)) or len({len(shape) for shape in shapes}) > 1:
        raise Refused(f"a view of {list(old[0])} as {list(shapes[0])}")
    groups = _groups(old, shapes)
    axes: List[str] = []
    index, done = x.index, 0  # axes of the index before `done` are as they will be
    for before, after in groups:
        roles = [x.axes[i] for i in before]
        extents = [[shape[i] for shape in shapes] for i in after]
        fixed = [role for role in roles if role != SPACE]
        if not fixed:
            wanted = [each[0] for each in extents]
            count = len(before)
            index = index.reshape([*index.shape[:done], *wanted, *index.shape[done + count:]])
            axes += [SPACE] * len(after)
            done += len(after)
            continue
        if fixed == [TIME] and not b.windows:
            joined = join_frames(b, x, before, extents)
            if joined is not None:
                return viewed(b, joined, shapes)
        if not b.windows and fixed == [BATCH] and roles[0] == BATCH and len(after) == 1 and len(before) > 1:
            index = index.reshape([*index.shape[:done], -1, *index.shape[done + len(before) - 1:]])
            axes.append(COLUMNS)
            done += 1
            continue
        if not b.windows and fixed == roles[:1] and fixed[0] in (BATCH, COLUMNS) and min(len(before), len(after)) > 1:
            # Some of the channels belong to the first axis, or do so no more.
            parts = {extent / run.batch for extent, run in zip(extents[0], b.runs)}
            rest = [each[0] for each in extents[1:]]
            if len(parts) == 1 and min(parts) >= 1 and min(parts) == int(min(parts)) and all(len(set(each)) == 1 for each in extents[1:]):
                first = [int(part) for part in parts if part != 1]
                count = len(before) - (fixed == [BATCH])
                index = index.reshape([*index.shape[:done], *first, *rest, *index.shape[done + count:]])
                axes += [COLUMNS if first else BATCH, *[SPACE] * len(rest)]
                done += len(first) + len(rest)
                continue
        if fixed in ([COLUMNS], [MIXED]) and len(before) == 1:
            if len(after) == 1:
                axes += fixed
                done += 1
                continue
            first, count = (BATCH, [run.batch for run in b.runs]) if fixed == [COLUMNS] else (TIME, x.frames)
            if extents[0] == count:
                apart = [each[0] for each in extents[1:]]
                index = index.reshape([*index.shape[:done], *apart, *index.shape[done + 1:]])
                axes += [first, *[SPACE] * len(apart)]
                done += len(apart)
                continue
        rows = _rows(x, fixed, b, extents)
        if rows is not None and all(role != SPACE or x.extent(i) == 1 for i, role in zip(before, roles)) and not b.windows:
            single = sum(role == SPACE for role in roles)
            index = index.reshape([*index.shape[:done], *[1] * rows.count(SPACE), *index.shape[done + single:]])
            axes += rows
            done += rows.count(SPACE)
            continue
        if len(fixed) > 1 or any(roles[i] == SPACE and old[0][before[i]] != 1 for i in range(len(roles))):
            return _mixed(b, x, shapes, roles)
        own = [old[run][before[roles.index(fixed[0])]] for run in range(len(old))]
        keep = [i for i, each in enumerate(extents) if each == own]
        if not keep:
            if fixed[0] == TIME and not b.windows and len(groups) and len(before) == 1 and len(after) == 2:
                return frames_of_size(b, x, before[0], shapes, after[0], viewed)
            return _mixed(b, x, shapes, roles)
        single = [i for i, role in enumerate(roles) if role == SPACE]
        index = index.reshape([*index.shape[:done], *[1] * (len(after) - 1), *index.shape[done + len(single):]])
        axes += [fixed[0] if i == keep[0] else SPACE for i in range(len(after))]
        done += len(after) - 1
    return x.replaced(axes=tuple(axes), index=index)


def _rows(x: Signal, fixed: Sequence[str], b: Builder, extents: Sequence[Sequence[int]]) -> Optional[List[str]]:
    """The roles of axes of these extents, in each run, if they are batch and time put together, or taken apart."""
    batch, frames = [run.batch for run in b.runs], x.frames
    both = [a * n for a, n in zip(batch, frames)]
    known = {BATCH: batch, TIME: frames}
    wide = [each for each in extents if any(extent != 1 for extent in each)]
    if len(fixed) == 2 and set(fixed) == {BATCH, TIME} and wide == [both]:
        return [SPACE if each != both else ROWS[0] if fixed[0] == BATCH else ROWS[1] for each in extents]
    if len(fixed) == 1 and fixed[0] in ROWS:
        order = [BATCH, TIME] if fixed[0] == ROWS[0] else [TIME, BATCH]
        if wide == [known[role] for role in order]:
            found = iter(order)
            return [next(found) if any(extent != 1 for extent in each) else SPACE for each in extents]
    return None


def _groups(old: Sequence[Sequence[int]], new: Sequence[Sequence[int]]) -> List[Tuple[List[int], List[int]]]:
    """Axes of the old and the new shapes that belong together: their products are equal, in all runs."""
    groups, i, k, runs = [], 0, 0, range(len(old))
    while i < len(old[0]) or k < len(new[0]):
        before, after = [], []
        if i < len(old[0]):
            before.append(i)
            i += 1
        while True:
            left = [math.prod(old[run][a] for a in before) for run in runs]
            right = [math.prod(new[run][a] for a in after) for run in runs]
            if after and left == right or not before and k == len(new[0]):
                break
            if k < len(new[0]) and (right < left or not after or right[0] < left[0]):
                after.append(k)
                k += 1
            elif i < len(old[0]):
                before.append(i)
                i += 1
            elif k < len(new[0]):
                after.append(k)
                k += 1
            else:
                break
        groups.append((before, after))
    # Axes of one entry at the end belong to what is before them.
    merged: List[Tuple[List[int], List[int]]] = []
    for before, after in groups:
        if merged and (not before or not after):
            merged[-1] = (merged[-1][0] + before, merged[-1][1] + after)
        else:
            merged.append((before, after))
    return merged


def _mixed(b: Builder, x: Signal, shapes: Sequence[Sequence[int]], roles: Sequence[str]) -> Signal:
    """A view that makes one axis of the time and of others."""
    if BATCH in roles:
        raise Refused(f"a view of {x!r} as {list(shapes[0])}: the first axis must stay the batch")
    if not b.windows:
        raise Refused(f"a view of {x!r} as {list(shapes[0])}, which mixes time and channels: it {USE_A_WINDOW}")
    flat = flattened(b, x)
    features = [extent for extent in shapes[0][1:]]
    return flat.replaced(axes=(BATCH,) + (SPACE,) * len(features), index=flat.index.reshape(features))


def flattened(b: Builder, x: Signal) -> Signal:
    """A window's channels and time as one axis, in the order of the tensor's axes."""
    if x.axes[0] != BATCH:
        raise Refused(f"takes the first axis for the batch, but gets {x!r}; permute it back")
    if TIME not in x.axes:
        return x.replaced(axes=(BATCH, SPACE), index=x.index.reshape(-1))
    if x.axes[1] == TIME and sum(x.extent(dim) != 1 for dim, role in enumerate(x.axes) if role == SPACE) == 1:
        return flattened(b, b.turned(x, 1, SPACE))
    y = b.ordered(x)
    flat = b.emit({"type": "Flatten", "path": b.own_path()}, b.whole(y))
    # Places of the value: those of its channels, and within each the frames.
    count, frames = y.channels, x.frames[0]
    places = in_order(count * frames).reshape(*y.index.shape, frames)
    order, at = [], 0
    for role in x.axes[1:]:
        order.append(y.index.dim() if role == TIME else at)
        at += role == SPACE
    return flat.replaced(axes=(BATCH, SPACE), index=places.permute(order).reshape(-1))


@handles("view", "reshape", "_unsafe_view", "view_as", "reshape_as", "flatten", "unflatten", "ravel")
def view(b: Builder, input: Signal, *sizes: Any, **named: Any) -> Signal:
    shapes = [shape[0] for shape in b.step.shapes]
    if any(isinstance(size, torch.dtype) for size in sizes):
        raise Refused("a view as another dtype")
    if len({len(shape) for shape in shapes}) > 1:
        raise Refused("a view with a number of axes that depends on the signal's length")
    return viewed(b, input, shapes)


@handles("expand", "expand_as", "broadcast_to")
def expand(b: Builder, input: Signal, *sizes: Any, **named: Any) -> Signal:
    shape = b.step.shapes[0][0]
    missing = len(shape) - len(input.axes)
    x = input.replaced(axes=(SPACE,) * missing + input.axes,
                       index=input.index.reshape((1,) * missing + tuple(input.index.shape)))
    extents = []
    for dim, role in enumerate(x.axes):
        if role == SPACE:
            wide = {each[0][dim] for each in b.step.shapes}
            if len(wide) > 1 and x.number in b.timeless and x.extent(dim) == 1 and TIME not in x.axes:
                frames = [each[0][dim] for each in b.step.shapes]
                index, axes = x.index.squeeze(x.place(dim)), [*x.axes[:dim], TIME, *x.axes[dim + 1:]]
                return expand(b, b.hold_for(x.replaced(axes=axes, index=index), frames), *sizes)
            if len(wide) > 1:
                raise Refused("repeats something for a time that depends on the signal's length")
            extents.append(shape[dim])
        elif role == TIME and b.windows and x.frames[0] == 1 and shape[dim] != 1:
            return expand(b, b.repeated(x, shape[dim]), *sizes)
    return x.replaced(index=x.index.expand(extents))


@handles("repeat", "tile")
def repeat(b: Builder, input: Signal, *sizes: Any, **named: Any) -> Signal:
    counts = _list(sizes or tuple(named.values()))
    missing = len(counts) - len(input.axes)
    counts = [1] * -missing + counts
    missing = max(0, missing)
    x = input.replaced(axes=(SPACE,) * missing + input.axes,
                       index=input.index.reshape((1,) * missing + tuple(input.index.shape)))
    for dim, role in enumerate(x.axes):
        if isinstance(counts[dim], Number) and x.number in b.timeless and role == SPACE and x.extent(dim) == 1 and TIME not in x.axes:
            index, axes = x.index.squeeze(x.place(dim)), [*x.axes[:dim], TIME, *x.axes[dim + 1:]]
            x, counts[dim] = b.hold_for(x.replaced(axes=axes, index=index), counts[dim].values), 1
            continue
        if not isinstance(counts[dim], int):
            raise Refused(f"repeats a signal by {what(counts[dim])}")
        if role == TIME and counts[dim] != 1 and b.windows and x.frames[0] == 1:
            x = b.repeated(x, counts[dim])
        elif role == TIME and counts[dim] != 1 and b.windows:
            x = concat(b, [x] * counts[dim], dim)
        elif role != SPACE and counts[dim] != 1:
            raise Refused(f"repeats the {role}")
    return x.replaced(index=x.index.repeat([counts[dim] for dim, role in enumerate(x.axes) if role == SPACE])
                      if x.index.dim() else x.index)


# --- slices ---------------------------------------------------------------------------------------------------------


def _part(b: Builder, x: Signal, dim: int, index: Tensor) -> Signal:
    """Some of the channels along an axis."""
    if index.numel() == 0:
        raise Refused("leaves no channels")
    return x.replaced(index=x.index.index_select(x.place(dim), index))


def sliced(b: Builder, x: Signal, dim: int, start: Any, stop: Any, step: Any = None) -> Signal:
    role = x.axis(dim)
    if start is None and stop is None and step in (None, 1):
        return x
    if role == TIME:
        return crop(b, x, start, stop, step)
    bad = next((part for part in (start, stop, step) if part is not None and type(part) is not int), None)
    if bad is not None:
        raise Refused(f"a slice over the {role} by {what(bad)}")
    if role == BATCH:
        raise Refused(f"a slice {start}:{stop} over the batch")
    return _part(b, x, dim, in_order(x.extent(dim))[slice(start, stop, step)])


def index_of_each(parts: Sequence[Any], rank: int) -> List[Any]:
    """An index for each of so many axes: what `...` stands for, and what is left out at the end."""
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    return [*parts[:at], *[slice(None)] * (rank - len(parts) + (at < len(parts))), *parts[at + 1:]]


@handles("__getitem__")
def getitem(b: Builder, input: Any, index: Any) -> Any:
    if not isinstance(input, Signal):
        raise Refused(f"takes an entry of {what(input)} that depends on the signal")
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(part, Signal) or part is not Ellipsis and isinstance(part, bool) for part in parts):
        raise Refused("an index that depends on the signal")
    rank = len(input.axes) + sum(part is None for part in parts)
    x, dim, gone = input, 0, []
    for part in index_of_each(parts, rank):
        if part is None:
            x = unsqueeze(b, x, dim)
        elif isinstance(part, slice):
            x = sliced(b, x, dim, part.start, part.stop, part.step)
        elif isinstance(part, Tensor) and part.dim() == 1 and x.axis(dim) == SPACE:
            x = _part(b, x, dim, part.nonzero().flatten() if part.dtype == torch.bool else part.long() % x.extent(dim))
        elif isinstance(part, (tuple, list)) and x.axis(dim) == SPACE:
            x = _part(b, x, dim, torch.tensor(list(part)) % x.extent(dim))
        else:
            x = _entry(b, x, dim, part)
            gone.append(dim)
        dim += 1
    return without(b, x, gone)


def _entry(b: Builder, x: Signal, dim: int, part: Any) -> Signal:
    """One entry of an axis, which stays with it."""
    role = x.axis(dim)
    if type(part) is not int:
        raise Refused(f"an index {what(part)} over the {role}")
    if role == BATCH or role == TIME and not b.windows:
        cure = "; one frame of all can be had of windows: Windowed(net, size, stride)" if role == TIME else ""
        raise Refused(f"the index {part} takes an axis away, the {role}{cure}")
    extent = x.extent(dim)
    if not -extent <= part < extent:
        raise Refused(f"the index {part} of {extent}")
    part %= extent
    return sliced(b, x, dim, part, part + 1)


@handles("narrow")
def narrow(b: Builder, input: Signal, dim: int, start: Any, length: Any) -> Signal:
    if input.axis(dim) != TIME:
        if type(start) is not int or type(length) is not int:
            raise Refused(f"narrow over the {input.axis(dim)} by {what(start if type(start) is not int else length)}")
        return sliced(b, input, dim, start, start + length)
    starts = start.values if isinstance(start, Number) else [start] * len(b.runs)
    lengths = length.values if isinstance(length, Number) else [length] * len(b.runs)
    stops = [at % max(1, count) + more for at, more, count in zip(starts, lengths, input.frames)]
    return crop(b, input, start, number(stops, b.runs))


@handles("select")
def select(b: Builder, input: Signal, dim: int, index: int) -> Signal:
    return without(b, _entry(b, input, dim, index), [_role(b, input, dim)])


@handles("index_select")
def index_select(b: Builder, input: Signal, dim: int, index: Any) -> Signal:
    if not isinstance(index, Tensor) or input.axis(dim) != SPACE:
        raise Refused(f"index_select over the {input.axis(dim)}")
    return _part(b, input, dim, index.long())


@handles("unbind")
def unbind(b: Builder, input: Signal, dim: int = 0) -> Tuple[Signal, ...]:
    if input.axis(dim) != SPACE and not (b.windows and input.axis(dim) == TIME):
        raise Refused(f"takes the {input.axis(dim)} apart" + (": a loop over frames cannot be read" if input.axis(dim) == TIME
                                                              else ""))
    return tuple(select(b, input, dim, i) for i in range(input.extent(dim)))


def _pieces(b: Builder, x: Signal, dim: int, sizes: Sequence[int], name: str) -> Tuple[Signal, ...]:
    if x.axis(dim) != SPACE and not (b.windows and x.axis(dim) == TIME):
        raise Refused(f"{name} over the {x.axis(dim)}, only over channels")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(sliced(b, x, dim, start, start + size) for start, size in zip(starts, sizes))


@handles("chunk")
def chunk(b: Builder, input: Signal, chunks: int, dim: int = 0) -> Tuple[Signal, ...]:
    extent = input.extent(dim)
    size = -(-extent // chunks) if extent else 1
    return _pieces(b, input, dim, [min(size, extent - at) for at in range(0, extent or 0, size)], "chunk")


@handles("split", "split_with_sizes")
def split(b: Builder, input: Signal, split_size_or_sections: Any = None, dim: int = 0,
          split_size: Any = None) -> Tuple[Signal, ...]:
    sizes = split_size_or_sections if split_size is None else split_size
    if isinstance(sizes, int):
        extent = input.extent(dim) or 0
        sizes = [min(sizes, extent - at) for at in range(0, extent, sizes)]
    if not isinstance(sizes, (tuple, list)) or any(type(size) is not int for size in sizes):
        raise Refused(f"split by {what(sizes)}")
    return _pieces(b, input, dim, list(sizes), "split")


@handles("tensor_split", "hsplit", "dsplit")
def tensor_split(b: Builder, input: Signal, indices_or_sections: Any = None, dim: int = 0, **named: Any) -> Tuple[Signal, ...]:
    sections = next(iter(named.values()), indices_or_sections)
    dim = {"hsplit": 1, "dsplit": 2}.get(b.step.name, dim)
    extent = input.extent(dim) or 0
    if isinstance(sections, int):
        sizes = [extent // sections + (i < extent % sections) for i in range(sections)]
    else:
        bounds = [0, *sections, extent]
        sizes = [after - before for before, after in zip(bounds, bounds[1:])]
    return _pieces(b, input, dim, sizes, "tensor_split")


@handles("flip", "fliplr")
def flip(b: Builder, input: Signal, *dims: Any, **named: Any) -> Signal:
    x = input
    for dim in _list(dims or tuple(named.values())):
        role = x.axis(dim)
        if role == BATCH:
            raise Refused("flip over the batch: that mixes what does not belong together; it flips the batch")
        if role == TIME:
            x = flip_time(b, x)
        else:
            x = x.replaced(index=x.index.flip(x.place(dim)))
    return x


@handles("roll")
def roll(b: Builder, input: Signal, shifts: Any, dims: Any = None) -> Signal:
    if dims is None or dims == ():
        raise Refused("roll over all axes: that mixes what does not belong together")
    x = input
    for shift, dim in zip(*([list(each) if isinstance(each, (tuple, list)) else [each] for each in (shifts, dims)])):
        if x.axis(dim) == BATCH:
            raise Refused("roll over the batch: that mixes what does not belong together")
        if x.axis(dim) == TIME:
            if not b.windows:
                raise Refused(f"roll {USE_A_WINDOW}")
            n = x.frames[0]
            x = concat(b, [crop(b, x, n - shift % n, n), crop(b, x, 0, n - shift % n)], dim) if shift % n else x
        else:
            x = x.replaced(index=x.index.roll(shift, x.place(dim)))
    return x


# --- several signals as one -----------------------------------------------------------------------------------------


def concat(b: Builder, values: Sequence[Signal], dim: int) -> Signal:
    values = [b.turned(value, dim, SPACE) for value in values] if b.windows else values
    role = values[0].axis(dim)
    if role != SPACE:
        raise Refused(f"concatenates over the {role}, only over channels")
    rank = len(values[0].axes)
    dim %= rank
    first = values[0].axes
    if b.windows:
        values = [value if value.axes == first or value.axes[dim] != SPACE else _like_first(b, value, first)
                  for value in values]
    for value in values:
        if value.axes != first:
            batch = value.axes.index(BATCH) != first.index(BATCH)
            where = "the batch at different places" if batch else "the channels last and the time last"
            raise Refused(f"concatenates signals with {where}; permute one of them")
    if len(values) == 1:
        return values[0]
    for frames in zip(*(value.frames for value in values)):
        if len(set(frames)) > 1:
            raise Refused(f"signals of {' and '.join(map(str, sorted(set(frames))))} frames meet")
    space = [axis for axis, role in enumerate(first) if role == SPACE and axis != dim]
    if not b.windows and any(b.is_framed(value, space) for value in values):
        parts = [b.framed(value, [*space, dim]) for value in values]
        shapes = [b.values[part.number].shape for part in parts]
        channels = sum(shape[0] for shape in shapes)
        y = b.emit({"type": "Reduce", "path": b.own_path("cat"), "op": "concat"}, *map(b.whole, parts), shape=(channels, *shapes[0][1:]))
        return b.lying(values[0], y, [*space, dim], [*(values[0].extent(axis) for axis in space), channels])
    # The order of the channels in the file: those of one signal after those of the other, each as it is there.
    parts = [b.compact(value) for value in values]
    place = values[0].place(dim)
    if all(part.index.numel() == b.values[part.number].channels for part in parts):
        starts = [sum(b.values[part.number].channels for part in parts[:i]) for i in range(len(parts))]
        index = torch.cat([part.index + start for part, start in zip(parts, starts)], place)
        if torch.equal(index.flatten(), in_order(index.numel())) or place != 0:
            y = b.emit({"type": "Reduce", "path": b.own_path("cat"), "op": "concat"}, *map(b.whole, parts))
            return y.replaced(axes=first, index=index)
    parts = [b.ordered(value) for value in values]
    starts = [sum(part.channels for part in parts[:i]) for i in range(len(parts))]
    index = torch.cat([part.index + start for part, start in zip(parts, starts)], place)
    y = b.emit({"type": "Reduce", "path": b.own_path("cat"), "op": "concat"}, *map(b.whole, parts))
    return y.replaced(axes=first, index=index)


def _like_first(b: Builder, value: Signal, axes: Tuple[str, ...]) -> Signal:
    """A window's value with the time where another one has it."""
    if TIME in axes:
        at = axes.index(TIME)
        return b.turned(value, at, TIME) if value.axes[at] == SPACE else value
    return value


@handles("cat", "concat", "concatenate")
def cat(b: Builder, tensors: Any, dim: int = 0, axis: Any = None, out: Any = None) -> Signal:
    dim = dim if axis is None else axis
    signal = next(each for each in tensors if isinstance(each, Signal))
    if not b.windows and signal.axis(dim) == TIME:
        return _padded(b, tensors, signal, dim % len(signal.axes))
    return concat(b, [each if isinstance(each, Signal) else _of_constant(b, each, signal) for each in tensors], dim)


def _padded(b: Builder, tensors: Sequence[Any], signal: Signal, dim: int) -> Signal:
    """A signal with constant frames before or behind it."""
    from .pads import pad_time  # which needs this module

    if sum(isinstance(each, Signal) for each in tensors) > 1:
        raise Refused("concatenates signals over the time, only over channels")
    at, sides, values = [each is signal for each in tensors].index(True), [0, 0], set()
    for i, each in enumerate(tensors):
        if each is signal:
            continue
        each = without_lengths(each, b) if isinstance(each, Varying) else each
        if not isinstance(each, Tensor) or each.dim() != len(signal.axes):
            raise Refused(f"concatenates {what(each)} over the time")
        sides[i > at] += each.shape[dim]
        values.update(each.detach().double().flatten().tolist() if each.shape[dim] else ())
    if len(values) > 1:
        raise Refused("concatenates frames that are not all the same number over the time; only such, as zeros, can stand before "
                      "or behind a signal")
    return pad_time(b, signal, *sides, "constant", values.pop() if values else 0.0)


def _of_constant(b: Builder, value: Any, beside: Signal) -> Signal:
    """Constant channels, as long as the signal that they stand beside."""
    value = without_lengths(value, b) if isinstance(value, Varying) else value
    if not isinstance(value, Tensor):
        raise Refused(f"concatenates {what(value)}, only signals can be")
    for dim, role in enumerate(beside.axes):
        if role != SPACE:
            if not torch.equal(value, value.narrow(dim, 0, 1).expand_as(value)):
                raise Refused("concatenates a tensor whose values depend on the place in time")
            value = value.narrow(dim, 0, 1)
    numbers = value.detach().double().flatten()
    x = b.gather(beside, [int(beside.index.flatten()[0])] * 1)
    x = x.replaced(index=torch.zeros(len(numbers), dtype=torch.int64), axes=(BATCH, SPACE, TIME))
    y = b.gather(x, x.index.tolist())
    y = affine(b, y, torch.zeros(len(numbers)), numbers)
    shape = [value.shape[dim] for dim, role in enumerate(beside.axes) if role == SPACE]
    return y.replaced(axes=beside.axes, index=y.index.reshape(shape))


@handles("stack")
def stack(b: Builder, tensors: Any, dim: int = 0, out: Any = None) -> Signal:
    values = [each if isinstance(each, Signal) else None for each in tensors]
    if any(value is None for value in values):
        raise Refused("stacks signals and other tensors; only signals can be stacked")
    at = dim % (len(values[0].axes) + 1)
    return concat(b, [unsqueeze(b, value, at) for value in values], at)


@handles("hstack", "column_stack")
def hstack(b: Builder, tensors: Any) -> Signal:
    return concat(b, list(tensors), 1)


@handles("broadcast_tensors")
def broadcast_tensors(b: Builder, *tensors: Any) -> Tuple[Signal, ...]:
    raise Refused("broadcast_tensors is not supported; arithmetic broadcasts by itself")


@handles("index_copy_", "scatter_", "index_fill_", "scatter", "masked_scatter", "index_put_")
def scatter(b: Builder, *args: Any, **kwargs: Any) -> Signal:
    raise Refused("writes into places of a tensor that an index gives; put its parts together instead, with torch.cat or torch.where")
