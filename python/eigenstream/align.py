"""Lays recordings of one forward side by side, call by call: what is the same in all of them, and what depends on the signals'
length."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .errors import Refused, Unknown
from .record import Call, Place, Recording, Ref, refs_in


class Run(NamedTuple):
    """The signals of a recording: their number, and the frames of each."""

    batch: int
    frames: Tuple[int, ...]


class Number:
    """A number that is not the same in all runs: what it is in each."""

    def __init__(self, values: Sequence[Any], runs: Sequence[Run]) -> None:
        self.values = list(values)
        by_batch = {run.batch: value for run, value in zip(runs, values)}
        self.of_batch = all(by_batch[run.batch] == value for run, value in zip(runs, values))

    def __repr__(self) -> str:
        return "the size of the batch" if self.of_batch else "a number that depends on the signal's length"


def number(values: Sequence[int], runs: Sequence[Run]) -> Any:
    """A number of each run, or the one that is the same for all."""
    return values[0] if len(set(values)) == 1 else Number(values, runs)


class Varying:
    """A tensor that does not depend on the signals' values, but is not the same in all runs: what it is in each."""

    def __init__(self, values: Sequence[Tensor]) -> None:
        self.values = list(values)

    def __repr__(self) -> str:
        return "a tensor that depends on the signal's length"


class Step(NamedTuple):
    """A call of all runs."""

    name: str
    args: Tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: Any
    shapes: List[Tuple[Tuple[int, ...], ...]]  # by run: of the outputs
    place: Place


# What does nothing for some lengths and is left out for them by an `if`.
_OPTIONAL = {"pad", "__getitem__", "narrow"}


class _Alignment:
    """Goes through the calls of all runs at once. Numbers of tensors are those of the first run that has them all."""

    def __init__(self, recordings: Sequence[Recording], runs: Sequence[Run], signals: int) -> None:
        self.recordings, self.runs = recordings, runs
        # For each run: its numbers as those of the steps, of which some are only in other runs.
        self.numbers: List[Dict[int, int]] = [{i: i for i in range(signals)} for _ in runs]
        self.before: List[Dict[int, int]] = [{} for _ in runs]  # step's number -> that of what it is in a run that lacks it
        self.count = signals
        self.where: Optional[Place] = None

    def steps(self) -> Tuple[List[Step], Any]:
        queues = [list(reversed(recording.calls)) for recording in self.recordings]
        steps: List[Step] = []
        while any(queues):
            steps.append(self.next(queues))
        self.where = None
        return steps, self.same([recording.output for recording in self.recordings])

    def next(self, queues: List[List[Call]]) -> Step:
        heads = [queue[-1] if queue else None for queue in queues]
        keys = [None if head is None else (head.name, head.place.path, head.place.file, head.place.line_number)
                for head in heads]
        first = next(head for head in heads if head is not None)
        self.where = first.place
        if len(set(keys)) > 1:
            here = [i for i, head in enumerate(heads) if head is not None and head.name in _OPTIONAL
                    and any(key != keys[i] for key in keys)]
            here = [i for i in here if keys[i] == keys[here[0]]]
            if not here or not self.fits_without(queues, here):
                other = next(i for i, key in enumerate(keys) if key != keys[0])
                lengths = f"signals of {self.runs[0].frames[0]} and {self.runs[other].frames[0]} frames"
                if self.runs[0].frames == self.runs[other].frames:
                    raise Refused("does not do the same for every signal: what it does depends on the signal's values, or on "
                                  "chance")
                raise Unknown(f"does not do the same for {lengths}, and neither a loop over frames nor a choice by the length can "
                              "run over a stream; windows have one length: Windowed(net, size, stride)")
            return self.optional(queues, here)
        calls = [queue.pop() for queue in queues]
        args, kwargs = self.same([call.args for call in calls]), self.same([dict(call.kwargs) for call in calls])
        return Step(first.name, args, kwargs, self.outputs([call.outputs for call in calls]), [call.shapes for call in calls],
                    first.place)

    @staticmethod
    def fits_without(queues: List[List[Call]], here: Sequence[int]) -> bool:
        """Whether the calls are the same once those of some runs were taken away."""
        def name(queue: List[Call], skipped: int) -> Optional[str]:
            return queue[-1 - skipped].name if len(queue) > skipped else None

        heads = {name(queue, int(i in here)) for i, queue in enumerate(queues)}
        return len(heads) == 1

    def optional(self, queues: List[List[Call]], here: Sequence[int]) -> Step:
        """A call that some runs lack, where it would do nothing."""
        calls = {i: queues[i].pop() for i in here}
        call = calls[here[0]]
        source, result = next(refs_in(call.args)), call.outputs
        if not isinstance(result, Ref):
            raise Refused("does not do the same for every length, which a stream cannot")
        number = self.numbers[here[0]][source.number]
        shapes = [calls[i].shapes if i in calls else () for i in range(len(queues))]
        arguments = []
        for i in range(len(queues)):
            arguments.append(self.renumbered(calls[i].args, i) if i in calls else (Ref(number), *self.nothing(call)))
            if i not in calls:
                self.before[i][self.count] = number
        merged = self.merge(arguments)
        for i in here:
            self.numbers[i][calls[i].outputs.number] = self.count
        self.count += 1
        return Step(call.name, merged, call.kwargs, Ref(self.count - 1), shapes, call.place)

    def nothing(self, call: Call) -> Tuple[Any, ...]:
        """The arguments behind the signal with which a call of this kind does nothing."""
        if call.name == "pad":
            return (tuple(0 for _ in call.args[1]), *call.args[2:])
        if call.name == "__getitem__" and isinstance(call.args[1], tuple):
            return (tuple(slice(None) if isinstance(part, slice) else part for part in call.args[1]),)
        raise Refused("does not do the same for every length, which a stream cannot")

    def outputs(self, outputs: Sequence[Any]) -> Any:
        """Numbers for what a step gives."""
        if isinstance(outputs[0], Ref):
            for numbers, ref in zip(self.numbers, outputs):
                numbers[ref.number] = self.count
            self.count += 1
            return Ref(self.count - 1)
        if isinstance(outputs[0], (tuple, list)):
            if len({len(each) for each in outputs}) > 1:
                raise Refused("gives a number of tensors that depends on the signal's length")
            return tuple(self.outputs(parts) for parts in zip(*outputs))
        return None

    def same(self, values: Sequence[Any]) -> Any:
        return self.merge([self.renumbered(value, i) for i, value in enumerate(values)])

    def renumbered(self, value: Any, run: int) -> Any:
        if isinstance(value, Ref):
            return Ref(self.numbers[run][value.number])
        if isinstance(value, (tuple, list)):
            return tuple(self.renumbered(each, run) for each in value)
        if isinstance(value, dict):
            return {key: self.renumbered(each, run) for key, each in value.items()}
        if isinstance(value, slice):
            return slice(*(self.renumbered(each, run) for each in (value.start, value.stop, value.step)))
        return value

    def merge(self, values: Sequence[Any]) -> Any:
        """One value of those of the runs."""
        first = values[0]
        if all(isinstance(value, Ref) for value in values):
            return self.merged_refs(values)
        if all(isinstance(value, Tensor) for value in values):
            same = all(value is first or value.shape == first.shape and value.dtype == first.dtype and torch.equal(value, first)
                       for value in values[1:])
            return first if same else Varying(values)
        if any(isinstance(value, (Ref, Tensor)) for value in values):
            raise Refused("does not do the same for every length, which a stream cannot")
        if isinstance(first, tuple):
            if not all(isinstance(value, tuple) and len(value) == len(first) for value in values):
                raise Refused("is called with a number of arguments that depends on the signal's length")
            return tuple(self.merge(parts) for parts in zip(*values))
        if isinstance(first, dict):
            if any(value.keys() != first.keys() for value in values):
                raise Refused("is called with other arguments for other lengths")
            return {key: self.merge([value[key] for value in values]) for key in first}
        if isinstance(first, slice):
            parts = [self.merge([getattr(value, part) for value in values]) for part in ("start", "stop", "step")]
            return slice(*parts)
        if all(value == first and type(value) is type(first) for value in values):
            return first
        if all(value is None or isinstance(value, (bool, int, float)) for value in values):
            return Number(values, self.runs)
        if all(value == first for value in values):
            return first
        raise Refused("is called with other arguments for other lengths")

    def merged_refs(self, refs: Sequence[Ref]) -> Ref:
        last = max(refs)
        for i, ref in enumerate(refs):
            number = last.number
            while number != ref.number:
                if number not in self.before[i]:
                    raise Refused("does not do the same for every length, which a stream cannot")
                number = self.before[i][number]
        return last


class Aligned(NamedTuple):
    steps: List[Step]
    output: Any
    kind: str  # the output's type


def align(recordings: Sequence[Recording], runs: Sequence[Run], signals: int) -> Aligned:
    """The steps of all recordings. Errors: Refused, with the step's place, if they are not the same ones."""
    alignment = _Alignment(recordings, runs, signals)
    try:
        return Aligned(*alignment.steps(), type(recordings[0].output).__name__)
    except Refused as reason:
        if reason.step is None:
            reason.step = alignment.where
        raise


def contains(value: Any, kinds: Tuple[type, ...]) -> bool:
    """Whether a value of one of these types is among arguments."""
    if isinstance(value, (tuple, list)):
        return any(contains(each, kinds) for each in value)
    if isinstance(value, dict):
        return any(contains(each, kinds) for each in value.values())
    if isinstance(value, slice):
        return contains((value.start, value.stop, value.step), kinds)
    return isinstance(value, kinds)
