"""Crops at the end, folded into what is before them."""

from __future__ import annotations

from typing import List, Tuple

from .format import MAX_EXTENT, Node, both_sides, of_time, with_padding_of_time
from .lengths import FRAME_BY_FRAME, looks_back, reach_of


def fold_crops(node: Node) -> Node:
    """The same network with crops at the end folded into the padding before them, as far as they can be."""
    return _cut(node, 0, 0)[0]


def _room(node: Node, before: int) -> int:
    """How many frames may be cut off the end of what a module gives without a crop, if up to `before` may be cut off what
    it takes. So may fewer."""
    node = of_time(node)
    kind = node["type"]
    if kind in FRAME_BY_FRAME:
        return before
    if kind == "Sequential":
        for layer in node["layers"]:
            before = _room(layer, before)
        return before
    if kind in _BRANCHING and _passes(node):
        return before
    if kind == "Parallel":
        return min(_room(branch, 0) for branch in node["branches"])
    if kind in ("Conv1d", "Windowed"):
        right, stride = both_sides(node["padding"])[1], node["stride"]
        return right // stride + (before // stride if right % stride == 0 else 0)
    if kind in ("AvgPool1d", "MaxPool1d"):
        return before // node["stride"] if node["padding"] == 0 and not node["ceil_mode"] else 0
    if kind == "Snapshotter":
        return before // node["stride_size"]
    if kind == "ConvTranspose1d":
        return MAX_EXTENT - both_sides(node["padding"])[1]
    if kind == "OverlapAdd":
        return node["size"] - node["stride"] - both_sides(node["padding"])[1]
    return max(0, before + node["right"]) if kind == "Pad" and "multiple" not in node else 0


def _cut(node: Node, cut: int, before: int) -> Tuple[Node, int]:
    """The module that gives `cut` frames fewer at the end, at most _room(node, before), and how many fewer it then takes.
    """
    time = of_time(node)
    kind = time["type"]
    if kind in FRAME_BY_FRAME:
        return node, cut
    if kind in _BRANCHING and _passes(node):  # nothing is padded in there
        return node, cut
    if kind == "Residual":
        return {**node, "net": _cut(node["net"], 0, 0)[0]}, 0
    if kind == "Parallel":
        return {**node, "branches": [_cut(branch, cut, 0)[0] for branch in node["branches"]]}, 0
    if kind == "Graph":
        return _cut_graph(node), 0
    if kind == "Sequential":
        befores = [before]
        for layer in node["layers"]:
            befores.append(_room(layer, befores[-1]))
        layers: List[Node] = []
        for layer, before in zip(reversed(node["layers"]), reversed(befores[:-1])):
            layer, cut = _cut(layer, cut, before)
            layers = layers if _is_nothing(layer) else [layer, *layers]
        return {**node, "layers": layers}, cut
    if kind == "Pad":
        right = node["right"] - cut
        rest = min(before, max(0, -right))
        return {**node, "right": right + rest}, rest
    if kind in ("AvgPool1d", "MaxPool1d"):
        return node, cut * time["stride"]
    if kind == "Snapshotter":
        return node, cut * node["stride_size"]
    if kind not in ("Conv1d", "Windowed", "ConvTranspose1d", "OverlapAdd"):
        return node, 0
    (left, right), stride = both_sides(time["padding"]), time["stride"]
    if kind in ("Conv1d", "Windowed"):
        folded = min(cut, right // stride)
        right, rest = right - folded * stride, (cut - folded) * stride
    else:
        right, rest = right + cut, 0
        if kind == "ConvTranspose1d":  # a last input that reaches nothing which is left need not come
            beyond = (right - time["output_padding"] - reach_of(time)) // stride + 1
            rest = max(0, min(before, beyond, right // stride))
            right -= rest * stride
    if right == both_sides(time["padding"])[1]:
        return node, rest
    return with_padding_of_time(node, left if left == right else [left, right]), rest


_BRANCHING = ("Residual", "Parallel", "Graph")


def _passes(node: Node) -> bool:
    """Whether to cut frames off the end of what a module gives is to cut as many off what it takes."""
    kind = node["type"]
    if kind in ("Sequential", "Parallel", "Graph"):
        inside = node["layers"] if kind == "Sequential" else node["branches"] if kind == "Parallel" else node["nodes"]
        return all(inner["type"] == "Reduce" or _passes(inner) for inner in inside)
    if kind == "Residual":
        return _passes(node["net"])
    node = of_time(node)
    return node["type"] != "ConvTranspose1d" and looks_back(node) and node.get("stride", node.get("stride_size", 1)) == 1


def _is_nothing(node: Node) -> bool:
    return node["type"] == "Pad" and node["left"] == node["right"] == 0 and "multiple" not in node


def _cut_graph(graph: Node) -> Node:
    """A Graph with its crops folded. What is cut off a value is cut for all that take it: as much as each of them wants."""
    nodes, inputs = graph["nodes"], 1 + len(graph.get("more_channels", ()))
    most = [MAX_EXTENT] * len(nodes)  # how much shorter a node may want what it takes
    while True:
        rooms, befores = [0] * inputs, []
        for node, own in zip(nodes, most):
            befores.append(min(own, *(rooms[number] for number in node["from"])))
            rooms.append(befores[-1] if node["type"] == "Reduce" else _room(node, befores[-1]))
        wanted: List[List[int]] = [[] for _ in rooms]
        for number in graph.get("outputs", [len(rooms) - 1]):
            wanted[number].append(0)
        cut: List[Tuple[Node, int]] = []
        for node, before, cuts in zip(reversed(nodes), reversed(befores), reversed(wanted)):
            cut.insert(0, (node, min(cuts)) if node["type"] == "Reduce" else _cut(node, min(cuts), before))
            for number in node["from"]:
                wanted[number].append(cut[0][1])
        granted = [min(min(wanted[number]) for number in node["from"]) for node in nodes]
        if all(rest <= given for (_, rest), given in zip(cut, granted)):
            break
        most = [min(own, given) if rest > given else own for own, (_, rest), given in zip(most, cut, granted)]
    numbers, kept = {i: i for i in range(inputs)}, []
    for i, (node, _) in enumerate(cut):
        sources = [numbers[number] for number in node["from"]]
        if not _is_nothing(node):
            kept.append({**node, "from": sources})
        numbers[inputs + i] = sources[0] if _is_nothing(node) else inputs - 1 + len(kept)
    outputs = {"outputs": [numbers[number] for number in graph["outputs"]]} if "outputs" in graph else {}
    return {**graph, **outputs, "nodes": kept}
