"""How many frames a description gives."""

from __future__ import annotations

from fractions import Fraction
from typing import Tuple

from torch import nn

from .attention import ATTENTION, frames_of_attention, span_of
from .errors import fail
from .evaluate import POINTWISE, missing
from .format import Node, both_sides, lcm, of_time


LONG = 1 << 24  # longer than what any layer looks at
LARGEST_SWEEP = 4096  # lengths of which the frames are counted
# Types that make one frame of one frame, and look at no later one.
FRAME_BY_FRAME = {*POINTWISE, "Linear", "LayerNorm", "BatchNorm1d", "PReLU", "GLU", "Softmax", "LogSoftmax", "Affine",
                   "ChannelSlice", "ChannelSelect", "Snake", "Control", "RNN", "GRU", "LSTM", "Cumulative", "ExponentialAverage", "ExponentialNorm",
                   "CumulativeNorm", "RecursiveFilter", "Magnitude", "Embedding", "ArgMax",
                   "ArgMin", "Input", "Reshape", "EachFrame", "SpaceNorm", "BatchNorm2d", "BatchNorm3d", "RecyclingPositionalEncoding",
                   # of these, what is written pools each frame by itself
                   *(f"Adaptive{op}Pool{axes}d" for op in ("Avg", "Max") for axes in (2, 3))}


# Types that give spectra of a signal's windows, or what is made of them.
SPECTRA = ("Stft", "Spectrogram", "MelSpectrogram", "MFCC")


class OwnType(Exception):
    """Nothing is known of a type of the user's."""


def reach_of(node: Node) -> int:
    return node.get("dilation", 1) * (node["kernel_size"] - 1) + 1


def frames_after(node: Node, n: int) -> int:
    """Frames that a described module gives for a signal of n frames."""
    node = of_time(node)
    kind = node["type"]
    if n <= 0:
        return 0
    if kind in FRAME_BY_FRAME:
        return n
    if kind == "Sequential":
        for layer in node["layers"]:
            n = frames_after(layer, n)
        return n
    if kind == "Residual":
        return frames_after(node["net"], n)
    if kind == "Parallel":
        return min(frames_after(branch, n) for branch in node["branches"])
    if kind == "Graph":
        counts = [n]
        for inner in node["nodes"]:
            least = min(counts[number] for number in inner["from"])
            counts.append(least if inner["type"] == "Reduce" else frames_after(inner, least))
        return counts[-1]
    if kind in ("Conv1d", "Windowed", "AvgPool1d", "MaxPool1d"):
        (left, right), stride = both_sides(node["padding"]), node["stride"]
        room = n + left + right - (node["size"] if kind == "Windowed" else reach_of(node))
        if not node.get("ceil_mode", False):
            return room // stride + 1 if room >= 0 else 0
        windows = max(0, -(-room // stride) + 1)
        return windows - 1 if (windows - 1) * stride >= n + left else windows
    if kind in ("ConvTranspose1d", "OverlapAdd"):
        left, right = both_sides(node["padding"])
        reach = node["size"] if kind == "OverlapAdd" else reach_of(node) + node["output_padding"]
        return max(0, (n - 1) * node["stride"] + reach - left - right)
    if kind == "Pad":
        n += node["left"] + node["right"]
        return max(0, n + missing(n, node))
    if kind in SPECTRA:
        n_fft, left = node["n_fft"], node["n_fft"] // 2 if node.get("center", True) else 0
        if left and node.get("pad_mode", "reflect") == "reflect" and n <= left:
            return 0
        return max(0, (n + 2 * left - n_fft) // node["hop_length"] + 1)
    if kind == "Istft":
        left = node["n_fft"] // 2 if node.get("center", True) else 0
        right = node.get("right", -1)
        return max(0, (n - 1) * node["hop_length"] + node["n_fft"] - left - (left if right < 0 else right))
    if kind == "Resample":
        return -(-n * node["new_freq"] // node["orig_freq"])
    if kind == "Snapshotter":
        return n // node["stride_size"]
    if kind in ("GroupNorm", "InstanceNorm1d", "Reverse"):
        return n
    if kind in ("AdaptiveAvgPool1d", "AdaptiveMaxPool1d"):
        return node["output_size"]
    if kind == "Flatten":
        return 1
    if kind in ATTENTION:
        return frames_of_attention(node, n)
    if kind == "OnlineAverager":
        return (n + node["num_updates"] - 1) * node["update_size"]
    raise OwnType


def pace(node: Node) -> Tuple[Fraction, int]:
    """Frames given for each one taken, and after how many taken ones everything inside repeats."""
    node = of_time(node)
    kind = node["type"]
    if kind == "Residual":
        return pace(node["net"])
    if kind in ("Sequential", "Parallel", "Graph"):
        rates, period = [Fraction(1)], 1
        inside = node["layers"] if kind == "Sequential" else node["branches"] if kind == "Parallel" else node["nodes"]
        for i, inner in enumerate(inside):
            rate = rates[inner.get("from", [i if kind == "Sequential" else 0])[0]]
            faster, repeats = (Fraction(1), 1) if inner["type"] == "Reduce" else pace(inner)
            period = lcm((period, (rate / repeats).denominator))
            rates.append(rate * faster)
        return rates[-1], period
    if kind in ("Conv1d", "Windowed", "AvgPool1d", "MaxPool1d"):
        return Fraction(1, node["stride"]), node["stride"]
    if kind in ("ConvTranspose1d", "OverlapAdd"):
        return Fraction(node["stride"]), 1
    if kind in SPECTRA:
        return Fraction(1, node["hop_length"]), node["hop_length"]
    if kind == "Istft":
        return Fraction(node["hop_length"]), 1
    if kind == "Resample":
        rate = Fraction(node["new_freq"], node["orig_freq"])
        return rate, rate.denominator
    if kind == "Snapshotter":
        return Fraction(1, node["stride_size"]), node["stride_size"]
    if kind == "OnlineAverager":
        return Fraction(node["update_size"]), 1
    if kind in FRAME_BY_FRAME or kind == "Pad":
        return Fraction(1), node.get("multiple", 1)
    if kind in ATTENTION:
        return Fraction(1), node.get("chunk", 1)
    raise OwnType


def looks_back(node: Node) -> bool:
    """Whether a longer signal only makes more frames of it, and changes none: nothing is done at its end."""
    node = of_time(node)
    kind = node["type"]
    if kind == "Sequential":
        return all(map(looks_back, node["layers"]))
    if kind in ("Conv1d", "Windowed", "AvgPool1d", "MaxPool1d"):
        return both_sides(node["padding"])[1] == 0 and not node.get("ceil_mode", False)
    if kind in SPECTRA:
        return not node.get("center", True)
    if kind in ATTENTION:
        return span_of(node).ahead == 0 and span_of(node).chunk == 1
    if kind == "ConvTranspose1d":
        return reach_of(node) - both_sides(node["padding"])[1] + node["output_padding"] <= node["stride"]
    return kind in (*FRAME_BY_FRAME, "Snapshotter") or kind == "Pad" and node["right"] <= 0 and (
        "multiple" not in node)


def check_residual(module: nn.Module, node: Node) -> None:
    """Throws if the net of a described Residual does to lengths what the file does not allow."""
    try:
        rate, shrink = pace(node["net"]), LONG - frames_after(node["net"], LONG)
    except OwnType:
        return
    if rate != (1, 1):
        raise fail(node["path"], module, "has a stride in its net, but inside a Residual every stride must be 1")
    if shrink < 0:
        raise fail(node["path"], module, f"its net makes its input {-shrink} samples longer, and there is nothing to "
                           "add to those; use less padding inside")


def check_starts(module: nn.Module, node: Node) -> None:
    """Throws if the branches of a described Parallel come at different rates, or if how much it leaves out of their starts
    depends on the signal's length: torch goes by the length that there is, a stream leaves out the same for every one."""
    try:
        paces = [pace(branch) for branch in node["branches"]]
        rates = sorted({rate for rate, _ in paces})
        if len(rates) > 1:
            raise fail(node["path"], module, f"has branches of different rates, {rates[0]} and {rates[1]} frames for "
                               "each of the signal, which cannot be joined frame by frame; give them equal strides")
        period, starts = lcm(own for _, own in paces), set()
        for n in range(LONG, LONG + min(period, LARGEST_SWEEP)):
            counts = [frames_after(branch, n) for branch in node["branches"]]
            starts.add(tuple((count - min(counts)) // 2 for count in counts))
    except OwnType:
        return
    if len(starts) > 1:
        (first, second, *_) = sorted(starts)
        raise fail(node["path"], module, f"leaves out {first} frames at the start of its branches for some lengths "
                           f"of the signal and {second} for others, but a stream leaves out the same for every length; give "
                           "the branches strides and paddings that make them equally long")
