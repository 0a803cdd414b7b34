"""Tests of the exporter's modules over windows, and of what it writes of networks inside a Windowed. CTest runs them."""

from __future__ import annotations

import sys
import unittest
from typing import Any, Dict, List
from unittest import mock

try:
    import torch
except ImportError:
    print("skipped: this Python has no torch")
    sys.exit(77)  # CTest counts it as skipped

import torch.nn.functional as F
from torch import Tensor, nn

from eigenstream_export_test import GOLDEN, Case, interpret  # noqa: E402  (puts the exporter's folder on the path)
import eigenstream  # noqa: E402
from eigenstream.calls import HANDLERS  # noqa: E402
from eigenstream.graph import Builder  # noqa: E402
import eigenstream.file  # noqa: E402
from eigenstream_export import (  # noqa: E402
    ExportError, OnlineAverager, OverChannels, OverlapAdd, Parallel, Recurrent, Residual, Snake, Snapshotter, Windowed,
    describe, register,
)

sys.path.insert(0, str(GOLDEN))
from branched_networks import Forward  # noqa: E402


class Function(Forward):
    """A module whose forward is a function, under the name that the messages have."""


class WindowCase(Case):
    def assert_windows(self, net: nn.Module, channels: int, size: int = 12, stride: int = 5, padding: Any = 0,
                       inputs: Any = None) -> Dict[str, Any]:
        """What is written of a Windowed computes what it computes, with random tensors. Returns its net's description."""
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.dtype.is_floating_point:
                nn.init.uniform_(tensor, 0.2, 1)
        module = Windowed(net, size, stride, padding).train()
        description, tensors = describe(module, inputs=inputs)
        self.assertTrue(module.training and net.training)
        unused = set(tensors)

        class Used(dict):
            def __getitem__(self, key: str) -> Tensor:
                unused.discard(key)
                return super().__getitem__(key)

        x = torch.rand(2, channels, 31) * 2 - 1
        with torch.no_grad():
            expected = module.eval()(x.clone())
            actual = interpret(description, Used(tensors), x)
        self.assertEqual(description["channels"], channels)
        self.assertEqual(actual.shape, expected.shape)
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
        self.assertEqual(unused, set())
        return description["net"]

    def kinds(self, node: Dict[str, Any]) -> List[str]:
        inner = [kind for child in node.get("layers", node.get("nodes", [])) for kind in self.kinds(child)]
        return inner if "layers" in node or "nodes" in node else [node["type"]]


# --- forwards ---------------------------------------------------------------------------------------------------------


class WindowedTest(WindowCase):
    def test_by_a_loop(self) -> None:
        net = nn.Sequential(nn.Conv1d(2, 3, 4, padding=1), nn.GroupNorm(1, 3))
        x = torch.rand(2, 2, 23)
        for size, stride, padding in ((6, 2, 0), (6, 6, (5, 0)), (3, 7, (0, 2)), (8, 1, 3), (23, 9, 0)):
            left, right = padding if isinstance(padding, tuple) else (padding, padding)
            y = Windowed(net, size, stride, padding)(x)
            padded = torch.cat([torch.zeros(2, 2, left), x, torch.zeros(2, 2, right)], -1)
            begins = range(0, padded.shape[-1] - size + 1, stride)
            self.assertEqual(y.shape, (2, 3 * (size - 1), len(begins)))
            for w, begin in enumerate(begins):
                for b in range(2):
                    alone = net(padded[b:b + 1, :, begin:begin + size])[0]
                    torch.testing.assert_close(y[b, :, w], alone.t().reshape(-1))

    def test_features(self) -> None:
        net = nn.Sequential(nn.Flatten(), nn.Linear(8, 5))
        x = torch.rand(3, 2, 12)
        y = Windowed(net, 4, 4)(x)
        self.assertEqual(y.shape, (3, 5, 3))
        torch.testing.assert_close(y[1, :, 2], net(x[1:2, :, 8:])[0])

    def test_gradients_reach_the_input_and_the_net(self) -> None:
        module = Windowed(nn.Sequential(nn.GroupNorm(1, 2), nn.ReLU(inplace=True)), 4, 2, 1)
        x = torch.rand(1, 2, 9, requires_grad=True)
        module(x).sum().backward()
        self.assertTrue(bool(torch.isfinite(x.grad).all()))
        self.assertIsNotNone(module.net[0].weight.grad)

    def test_the_input_stays(self) -> None:
        x = -torch.ones(1, 1, 4)
        Windowed(nn.ReLU(inplace=True), 4, 4)(x)
        self.assertEqual(x.flatten().tolist(), [-1] * 4)

    def test_contiguous_whatever_the_length(self) -> None:
        """The net gets windows, and what comes next gets signals, that `view` takes; also if there is one window only."""
        seen: List[bool] = []

        class InPlace(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                seen.append(x.is_contiguous())
                return x.mul_(2).view(x.size(0), -1)

        for batch in (1, 5):
            for channels in (1, 2):
                for frames in range(8, 20):
                    x = torch.rand(batch, channels, frames)
                    before = x.clone()
                    for module in (Windowed(InPlace(), 8, 4), Windowed(nn.Identity(), 8, 4, (2, 0)),
                                   Snapshotter(channels, 8, 4), Snapshotter(channels, 8, 7),
                                   OverChannels(nn.Linear(channels, 3)),
                                   OverlapAdd(1, channels, 1) if channels == 1 else OverlapAdd(1, 2, 1, (1, 0)),
                                   OnlineAverager(1, 1, channels), OnlineAverager(1, channels, 1),
                                   Recurrent(nn.GRU(channels, 3)), Recurrent(nn.GRU(channels, 3, batch_first=True)),
                                   Residual(nn.Identity()), Residual(OverChannels(nn.Linear(channels, channels))),
                                   Parallel(nn.Identity(), nn.ReLU()), Snake(channels)):
                        with self.subTest(batch=batch, channels=channels, frames=frames, module=module):
                            self.assertTrue(module(x).is_contiguous())
                            self.assertTrue(torch.equal(x, before))
        self.assertTrue(seen and all(seen))

    def test_errors(self) -> None:
        for arguments, pattern in (
            ((nn.ReLU(), 0, 1), "size is 0, must be an integer of at least 1"),
            ((nn.ReLU(), 4, 0), "stride is 0"), ((nn.ReLU(), 4.0, 1), r"size is 4\.0"),
            ((nn.ReLU(), 4, True), "stride is True"),
            ((nn.ReLU(), 4, 1, 4), "padding is 4, must be one integer or two, from 0 to size - 1 = 3"),
            ((nn.ReLU(), 4, 1, (0, -1)), r"padding is \(0, -1\)"), ((nn.ReLU(), 4, 1, (0, 1, 2)), "padding is"),
            ((torch.relu, 4, 1), "net is a builtin_function_or_method, not a torch.nn.Module"),
        ):
            with self.assertRaisesRegex(ExportError, r"^<root> \(Windowed\): " + pattern):
                Windowed(*arguments)
        for net, x, pattern in (
            (nn.ReLU(), torch.zeros(2, 8), r"takes a signal .* not one of shape \(2, 8\)"),
            (nn.ReLU(), torch.zeros(1, 2, 3), "a signal of 3 frames is too short for a window of 4"),
            (nn.Flatten(0), torch.zeros(1, 2, 8), r"net gives \(16,\) for 2 windows"),
            (nn.LSTM(4, 2), torch.zeros(1, 2, 8), "net gives a tuple for 2 windows"),
        ):
            with self.assertRaisesRegex(ExportError, pattern):
                Windowed(net, 4, 4)(x)


class SnapshotterTest(WindowCase):
    def test_worked_example(self) -> None:
        y = Snapshotter(1, 5, 2)(torch.arange(1.0, 13).reshape(1, 1, 12))
        self.assertEqual(y[0].t().tolist(), [[0, 0, 0, 1, 2], [0, 1, 2, 3, 4], [2, 3, 4, 5, 6], [4, 5, 6, 7, 8],
                                             [6, 7, 8, 9, 10], [8, 9, 10, 11, 12]])

    def test_channels_are_fastest(self) -> None:
        x = torch.tensor([[1.0, 2, 3, 4], [10, 20, 30, 40]]).expand(3, 2, 4)
        y = Snapshotter(2, 3, 2)(x)
        self.assertEqual(y[2].t().tolist(), [[0, 0, 1, 10, 2, 20], [2, 20, 3, 30, 4, 40]])
        self.assertEqual(Snapshotter(2, 3, 2)(x[..., :3]).shape, (3, 6, 1))

    def test_errors(self) -> None:
        for arguments, pattern in (((0, 3, 1), "num_channels is 0"), ((1, 3, 3), "stride_size 3 must be less than"),
                                   ((1, 3, 0), "stride_size is 0"), ((1, 0, 1), "snapshot_size is 0")):
            with self.assertRaisesRegex(ExportError, pattern):
                Snapshotter(*arguments)
        with self.assertRaisesRegex(ExportError, r"takes a signal \(batch, 2, frames\), not one of shape \(1, 3, 8\)"):
            Snapshotter(2, 3, 2)(torch.zeros(1, 3, 8))
        with self.assertRaisesRegex(ExportError, "1 frames is too short"):
            Snapshotter(2, 3, 2)(torch.zeros(1, 2, 1))

    def test_description(self) -> None:
        net = nn.Sequential(Snapshotter(2, 5, 3), OverChannels(nn.Linear(10, 2)))
        description = self.assert_equivalent(net, 2)
        self.assertEqual(description["layers"][0],
                         {"type": "Snapshotter", "path": "0", "num_channels": 2, "snapshot_size": 5, "stride_size": 3})
        self.assertEqual(describe(net, "valid")[0]["layers"][0],
                         {"type": "Windowed", "path": "0", "size": 5, "stride": 3, "padding": 0, "channels": 2,
                          "net": {"type": "Sequential", "path": "0.net", "layers": []}})


class OverlapAddTest(WindowCase):
    WINDOW = [0.5, 0.0, 1.5, -2.0, 1.0, 0.25]

    def test_description_says_what_it_does(self) -> None:
        for stride, padding in ((1, (0, 5)), (2, 0), (3, 3), (4, (1, 2)), (6, 0)):
            for normalise in (False, True):
                for window in (None, self.WINDOW):
                    module = OverlapAdd(2, 6, stride, padding, normalise, window)
                    node = self.assert_equivalent(nn.Sequential(module), 12, 7)["layers"][0]
                    left, right = padding if isinstance(padding, tuple) else (padding, padding)
                    self.assertEqual(node["weighted"], window is not None)
                    self.assertEqual(node["padding"], left if left == right else [left, right])
                    self.assertEqual(module(torch.zeros(1, 12, 4)).shape, (1, 2, 3 * stride + 6 - left - right))

    def test_takes_windows_back(self) -> None:
        x = torch.rand(2, 3, 25)
        both = nn.Sequential(Windowed(nn.Identity(), 8, 2, 6), OverlapAdd(3, 8, 2, 6, normalise=True))
        torch.testing.assert_close(both(x)[..., :25], x[..., :both(x).shape[-1]])
        self.assertEqual(both(x).shape[-1], 24)

    def test_known_values(self) -> None:
        x = torch.tensor([[[1.0, 4], [2, 5], [3, 6]]])
        self.assertEqual(OverlapAdd(1, 3, 2)(x).flatten().tolist(), [1, 2, 7, 5, 6])
        self.assertEqual(OverlapAdd(1, 3, 2, normalise=True)(x).flatten().tolist(), [1, 2, 3.5, 5, 6])
        self.assertEqual(OverlapAdd(1, 3, 2, 1)(x).flatten().tolist(), [2, 7, 5])
        self.assertEqual(OverlapAdd(1, 3, 2, window=[1, 2, 3])(x).flatten().tolist(), [1, 4, 13, 10, 18])
        self.assertEqual(OverlapAdd(1, 3, 2, normalise=True, window=[0, 1, 0])(x).flatten().tolist(), [0, 2, 0, 5, 0])

    def test_errors(self) -> None:
        for options, pattern in (
            (dict(channels=0, size=3, stride=1), "channels is 0"), (dict(channels=1, size=3, stride=4),
                                                                    "stride 4 is more than size 3"),
            (dict(channels=1, size=3, stride=2, padding=2), "padding is 2, must be one integer or two, from 0 to size - stride "
                                                            "= 1"),
            (dict(channels=1, size=3, stride=2, window=[1, 2]), r"window has shape \(2,\), must be 3 finite numbers"),
            (dict(channels=1, size=2, stride=2, window=[1, float("nan")]), "finite"),
        ):
            with self.assertRaisesRegex(ExportError, pattern):
                OverlapAdd(**options)
        with self.assertRaisesRegex(ExportError, r"takes a signal \(batch, 6, frames\)"):
            OverlapAdd(2, 3, 1)(torch.zeros(1, 5, 4))


class OnlineAveragerTest(WindowCase):
    def test_worked_example(self) -> None:
        ones = torch.ones(1, 6, 4)  # four predictions of six frames
        third = torch.tensor(1.0) / 3
        y = OnlineAverager(2, 3, 1)(ones).flatten().tolist()
        self.assertEqual(y[:4], [third, third, third + third, third + third])
        torch.testing.assert_close(torch.tensor(y[4:]), torch.ones(8))
        y = OnlineAverager(2, 3, 1, normalise_start=True)(ones)
        torch.testing.assert_close(y, torch.ones(1, 1, 12))

    def test_description_says_what_it_does(self) -> None:
        for update, updates, offset, frames, predictions in ((2, 3, 0, 6, 9), (1, 1, 0, 4, 3), (3, 2, 1, 9, 5),
                                                             (2, 4, 3, 11, 2), (4, 3, 0, 12, 1)):
            for start in (False, True):
                module = OnlineAverager(update, updates, 2, offset, start)
                node = self.assert_equivalent(nn.Sequential(module), 2 * frames, predictions)["layers"][0]
                self.assertEqual(node, {"type": "OnlineAverager", "path": "0", "update_size": update, "num_updates": updates,
                                        "num_channels": 2, "offset": offset, "normalise_start": start})

    def test_means_of_what_is_there(self) -> None:
        """With normalise_start each frame is the mean of the predictions that reach it."""
        signal = torch.rand(2, 1, 40)
        cut = Windowed(nn.Identity(), 9, 3)
        y = nn.Sequential(cut, OnlineAverager(3, 3, 1, normalise_start=True))(signal)
        torch.testing.assert_close(y, signal[..., :39])

    def test_errors(self) -> None:
        for options, pattern in (
            (dict(update_size=0, num_updates=1, num_channels=1), "update_size is 0"),
            (dict(update_size=1, num_updates=0, num_channels=1), "num_updates is 0"),
            (dict(update_size=1, num_updates=1, num_channels=1, offset=-1), "offset is -1, must be an integer of at least 0"),
        ):
            with self.assertRaisesRegex(ExportError, pattern):
                OnlineAverager(**options)
        for numbers in (13, 12):
            with self.assertRaisesRegex(ExportError, f"a prediction of {numbers} numbers, expected 2 channels of 7 frames or"):
                OnlineAverager(3, 2, 2, 1)(torch.zeros(1, numbers, 4))


# --- what is written of a net over windows --------------------------------------------------------------------------


class DescriptionTest(WindowCase):
    def test_layers(self) -> None:
        rows = [
            (nn.GroupNorm(2, 4), ["GroupNorm"]), (nn.GroupNorm(4, 4, affine=False, eps=0.1), ["GroupNorm"]),
            (nn.InstanceNorm1d(4), ["InstanceNorm1d"]), (nn.InstanceNorm1d(4, affine=True), ["InstanceNorm1d"]),
            (nn.InstanceNorm1d(4, track_running_stats=True), ["BatchNorm1d"]),
            (nn.InstanceNorm1d(4, affine=True, track_running_stats=True), ["BatchNorm1d"]),
            (nn.AdaptiveAvgPool1d(1), ["AdaptiveAvgPool1d"]), (nn.AdaptiveAvgPool1d(5), ["AdaptiveAvgPool1d"]),
            (nn.AdaptiveMaxPool1d((7,)), ["AdaptiveMaxPool1d"]), (nn.Flatten(), ["Flatten"]), (nn.Flatten(-2, 2), ["Flatten"]),
            (nn.Softmax(dim=1), ["Softmax"]), (nn.Softmax(dim=-1), ["Transpose", "Softmax", "Transpose"]),
            (nn.LogSoftmax(dim=2), ["Transpose", "LogSoftmax", "Transpose"]), (nn.GLU(dim=-2), ["GLU"]),
            (nn.GLU(), ["Transpose", "GLU", "Transpose"]), (nn.Softmin(dim=1), ["Affine", "Softmax"]),
            (nn.Softmin(dim=2), ["Affine", "Transpose", "Softmax", "Transpose"]),
            (nn.Linear(12, 7), ["Transpose", "Linear", "Transpose"]),
            (nn.Linear(12, 1, bias=False), ["Transpose", "Linear", "Transpose"]),
            (nn.LayerNorm(12), ["Transpose", "LayerNorm", "Transpose"]),
            (nn.LayerNorm((4, 12), elementwise_affine=False), ["GroupNorm"]),
            (OverChannels(nn.Linear(4, 3)), ["Linear"]), (Snake(4), ["Snake"]), (nn.ReLU(inplace=True), ["ReLU"]),
            (nn.Conv1d(4, 3, 3, stride=2, padding=1, padding_mode="replicate"), ["Conv1d"]), (nn.Sequential(), []),
            (nn.MaxPool1d(3), ["MaxPool1d"]), (nn.Dropout(0.5), []), (Snapshotter(4, 5, 2), ["Snapshotter"]),
        ]
        for net, kinds in rows:
            for padding in (0, (3, 8)):
                with self.subTest(net=net, padding=padding):
                    self.assertEqual(self.kinds(self.assert_windows(net, 4, padding=padding, inputs=[4])), kinds)

    def test_one_number_along_the_other_axes(self) -> None:
        """What is written for images, of which the window is the first axis and the others have one number."""

        class Columns(nn.Module):
            def __init__(self, *layers: nn.Module) -> None:
                super().__init__()
                self.net = nn.Sequential(*layers)

            def forward(self, x: Tensor) -> Tensor:
                return self.net(x[..., None]).squeeze(3)

        for layers, kinds in (
            ([nn.Conv2d(4, 6, (3, 1), stride=(2, 1), padding=(1, 0)), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d((2, 1))],
             ["Conv1d", "BatchNorm1d", "ReLU", "MaxPool1d"]),
            ([nn.ZeroPad2d((0, 0, 2, 3)), nn.Conv2d(4, 4, (3, 1), dilation=(2, 1), groups=2), nn.AvgPool2d((3, 1), 1, (1, 0))],
             ["Conv1d", "AvgPool1d"]),
            ([nn.Conv2d(4, 3, (2, 1), padding="same"), nn.AvgPool2d((2, 1), count_include_pad=False)], ["Conv1d", "AvgPool1d"]),
        ):
            self.assertEqual([kind for kind in self.kinds(self.assert_windows(Columns(*layers), 4)) if kind in kinds], kinds)

    def test_after_flatten(self) -> None:
        """There (N, F) is a window of a single frame, with F channels."""
        for layers, kinds in (
            ([nn.Linear(48, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.1), nn.Linear(6, 2)],
             ["Flatten", "Linear", "BatchNorm1d", "ReLU", "Linear"]),
            ([nn.Linear(48, 6), nn.LayerNorm(6), nn.Softmax(dim=1)], ["Flatten", "Linear", "LayerNorm", "Softmax"]),
            ([nn.GLU(), nn.LogSoftmax(dim=-1), nn.PReLU(24)], ["Flatten", "GLU", "LogSoftmax", "PReLU"]),
            ([nn.GroupNorm(8, 48), nn.Flatten(), nn.Softmin(dim=1)], ["Flatten", "GroupNorm", "Affine", "Softmax"]),
        ):
            self.assertEqual(self.kinds(self.assert_windows(nn.Sequential(nn.Flatten(), *layers), 4)), kinds)
        self.assert_windows(nn.Sequential(nn.Flatten(), Residual(nn.Linear(48, 48), nn.Tanh())), 4)
        self.assert_windows(nn.Sequential(nn.Flatten(), Parallel(nn.Linear(48, 3), nn.Linear(48, 3), reduce="product")), 4)

    def test_containers(self) -> None:
        self.assert_windows(Residual(nn.GroupNorm(1, 3), nn.Conv1d(3, 3, 4)), 3)
        self.assert_windows(nn.Sequential(nn.Conv1d(2, 4, 3), Residual(nn.Linear(10, 10), nn.Sequential(nn.InstanceNorm1d(4))),
                                          nn.AdaptiveAvgPool1d(3), nn.Flatten(), nn.Linear(12, 5)), 2, padding=11)
        self.assert_windows(Parallel(nn.Conv1d(3, 2, 3), nn.Sequential(nn.Softmax(dim=-1), nn.Conv1d(3, 4, 5)),
                                     reduce="concat"), 3)
        self.assert_windows(Parallel(nn.AdaptiveAvgPool1d(1), nn.AdaptiveMaxPool1d(1), reduce="concat"), 3, inputs=[3])

    def test_windows_in_windows(self) -> None:
        inner = Windowed(nn.Sequential(nn.GroupNorm(1, 2), nn.Flatten(), nn.Linear(8, 3)), 4, 2)
        self.assert_windows(nn.Sequential(nn.Conv1d(1, 2, 3), inner, nn.AdaptiveAvgPool1d(1)), 1)

    def test_in_a_stream(self) -> None:
        net = nn.Sequential(nn.Conv1d(1, 4, 3), Windowed(nn.Sequential(nn.Linear(6, 6), nn.GroupNorm(2, 4)), 6, 2, (4, 0)),
                            OverlapAdd(4, 6, 2, (4, 0), True, [1, 2, 3, 3, 2, 1.0]), nn.ReLU())
        self.assertEqual(self.assert_equivalent(net, 1)["layers"][1]["channels"], 4)
        pooled = Windowed(nn.AdaptiveMaxPool1d(1), 5, 1)
        block = nn.Sequential(nn.Conv1d(1, 4, 1), Residual(pooled, nn.Conv1d(4, 4, 3, padding=1)))
        self.assertEqual(self.assert_equivalent(block, 1, 20)["layers"][1]["net"]["layers"][0]["channels"], 4)
        pair = nn.Sequential(nn.Conv1d(1, 2, 1), Residual(Snapshotter(2, 5, 1), OnlineAverager(1, 5, 2), nn.Conv1d(2, 2, 5)))
        self.assert_equivalent(pair, 1)
        with self.assertRaisesRegex(ExportError, r"^net \(Windowed\): stride is 2, but inside a Residual"):
            Residual(Windowed(nn.ReLU(), 4, 2))
        with self.assertRaisesRegex(ExportError, r"^net \(Snapshotter\): stride_size is 2, but inside a Residual"):
            Residual(Snapshotter(1, 4, 2))

    def test_in_a_traced_forward(self) -> None:
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.level = Windowed(nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Softmax(dim=1)), 8, 1, (7, 0))
                self.conv = nn.Conv1d(2, 3, 1)

            def forward(self, x: Tensor) -> Tensor:
                x = self.conv(x)
                return x * self.level(x)

        net = nn.Sequential(Net(), nn.ReLU())
        description = self.assert_equivalent(net, 2)
        self.assertEqual([node["type"] for node in description["nodes"]], ["Conv1d", "Windowed", "Reduce", "ReLU"])
        self.assertEqual(describe(net, "valid")[0]["nodes"][1]["padding"], 0)

    def test_padding_policy(self) -> None:
        net = nn.Sequential(Windowed(nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), nn.GroupNorm(1, 2)), 8, 2, (6, 1)))
        exact, valid = describe(net)[0]["layers"][0], describe(net, "valid")[0]["layers"][0]
        self.assertEqual((exact["padding"], valid["padding"]), ([6, 1], 0))
        self.assertEqual(exact["net"], valid["net"])  # a window has ends of its own
        self.assertEqual(valid["net"]["layers"][0]["padding"], 1)

    def test_channels_that_can_be_seen(self) -> None:
        for net, channels in ((nn.GroupNorm(1, 6), 6), (nn.Sequential(nn.ReLU(), nn.Conv1d(4, 2, 3)), 4),
                              (nn.Sequential(nn.Flatten(), nn.Linear(60, 2)), 5), (nn.InstanceNorm1d(7), 7),
                              (nn.Sequential(nn.Linear(12, 3), nn.Flatten(), nn.Linear(15, 2)), 5)):
            self.assertEqual(describe(Windowed(net, 12, 4))[0]["channels"], channels)
        for net in (nn.Softmax(dim=-1), nn.Linear(12, 2), nn.Sequential()):
            self.assert_refused(Windowed(net, 12, 4), r"\(Windowed\): how many channels its windows have cannot be seen")
            self.assertEqual(describe(Windowed(net, 12, 4), inputs=[9])[0]["channels"], 9)
            self.assertEqual(describe(nn.Sequential(nn.Conv1d(1, 8, 1), nn.GLU(1), Windowed(net, 12, 4)))[0]["layers"][2]
                             ["channels"], 4)

    def test_in_double(self) -> None:
        net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(40, 2)).double()
        description, tensors = describe(Windowed(net, 12, 3))
        self.assertEqual(tensors["net.3.weight"].dtype, torch.float32)

    def test_registered(self) -> None:
        class Twice(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return 2 * x

        register(Twice, lambda module: ("Twice", {}, {}))
        self.addCleanup(eigenstream.known._REGISTERED.pop, Twice)
        node = describe(Windowed(nn.Sequential(nn.Conv1d(1, 2, 3), Twice(), nn.Linear(6, 4)), 8, 2))[0]
        self.assertEqual(node["net"]["layers"][1], {"type": "Twice", "path": "net.1"})


class RefusalTest(WindowCase):
    def test_layers(self) -> None:
        for net, pattern in (
            (nn.AdaptiveAvgPool1d(None), r"^net \(AdaptiveAvgPool1d\): .*output_size"),
            (nn.AdaptiveMaxPool1d(2, return_indices=True), r"\(AdaptiveMaxPool1d\): its forward gives a tuple, not one signal"),
            (nn.Softmax(dim=0), "softmax over the batch: that mixes"), (nn.Softmax(), "softmax over all axes: say which axis"),
            (nn.LayerNorm((4, 12)), "a weight for each channel and frame"),
            (nn.LSTM(12, 2), r"^net \(LSTM\): gives its output and its last state, not one signal; wrap it in"),
            (nn.Sequential(nn.GRU(12, 2, bidirectional=True)), r"^net\.0 \(GRU\): .* wrap it in Recurrent"),
            (Recurrent(nn.RNN(4, 1, num_layers=65)), r"^net\.module \(RNN\): num_layers is 65, outside 1\.\.64"),
            (Recurrent(nn.GRU(3, 2)), r"^net \(Recurrent\): .*takes a signal \(batch, 3, frames\), not one of shape"),
            (nn.Sequential(nn.Flatten(), Recurrent(nn.GRU(48, 2))), r"^net\.1 \(Recurrent\): its forward fails .* takes a "
                                                                    r"signal"),
            (nn.Sequential(nn.Conv1d(4, 4, 20)), r"^net\.0 \(Conv1d\): its forward fails for a window of shape \(4, 12\)"),
            (nn.Sequential(nn.Flatten(), nn.Conv1d(3, 2, 3)), r"^net\.1 \(Conv1d\): its forward fails"),
            (nn.Sequential(nn.Flatten(), OverChannels(nn.Linear(3, 3))), r"^net\.1\.module \(Linear\): its forward fails"),
            (nn.Sequential(nn.Flatten(), nn.InstanceNorm1d(48)), r"^net\.1 \(InstanceNorm1d\): gets 48 features"),
            (nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(1)), r"^net\.1 \(AdaptiveAvgPool1d\): gets 48 features"),
            (nn.Sequential(nn.Flatten(), nn.Softmax(dim=0)), "softmax over the batch"),
            (Residual(nn.Flatten()), r"^net \((Residual|Flatten)\): "),
            (nn.Sequential(nn.Flatten(), Parallel(nn.ReLU(), nn.Tanh(), reduce="concat")), "concatenates over the batch, only "
                                                                                           "over channels"),
            (nn.Unflatten(1, (2, 2)), r"\(Unflatten\): its forward gives a signal \(.*\), not \(windows, channels, frames\)"),
        ):
            with self.subTest(pattern=pattern), self.assertRaisesRegex(ExportError, pattern):
                describe(Windowed(net, 12, 4), inputs=[4])

    def test_size(self) -> None:
        with self.assertRaisesRegex(ExportError, "windows of 128 channels and 1048576 frames are more than 67108864 numbers"):
            describe(Windowed(nn.ReLU(), 1 << 20, 4), inputs=[128])
        for module in (Snapshotter(1 << 7, 1 << 20, 1), OverlapAdd(1 << 7, 1 << 20, 1),
                       OnlineAverager(1 << 10, 1 << 10, 1 << 7)):
            self.assert_refused(module, "windows of 128 channels and 1048576 frames are more than 67108864 numbers")
        with self.assertRaisesRegex(ExportError, "size is 1048577, outside 1..1048576"):
            describe(Windowed(nn.ReLU(), (1 << 20) + 1, 4), inputs=[1])

    def test_values(self) -> None:
        lazy = nn.LazyConv1d(2, 3)
        for conv in (lazy, nn.Conv1d(1, 2, 3, device="meta")):
            self.assert_refused(Windowed(nn.Sequential(nn.ReLU(), conv), 12, 4), r"\(Windowed\): tensor net.1.weight has no "
                                                                                 r"values")
        self.assertTrue(nn.parameter.is_lazy(lazy.weight))  # it was only read
        net = nn.GroupNorm(1, 2)
        net.weight.data[1] = float("inf")
        self.assert_refused(Windowed(net, 4, 2), r"tensor net.weight has values that are not finite")

    def test_hooks(self) -> None:
        net = nn.GroupNorm(1, 2)
        net.register_forward_hook(lambda module, inputs, output: output * 2)
        self.assertEqual(self.kinds(self.assert_windows(net, 2)), ["GroupNorm", "Affine"])

    def test_what_would_be_written_is_compared(self) -> None:
        net = nn.Sequential(nn.GroupNorm(1, 2), nn.Tanh())
        with mock.patch.dict(HANDLERS, tanh=HANDLERS["sin"]):
            self.assert_refused(Windowed(net, 4, 2), r"^net \(Sequential\): what would be written differs from the module by ")
            describe(Windowed(net, 4, 2), check=False)


# --- a forward of its own, over windows -----------------------------------------------------------------------------


class SqueezeExcitation(nn.Module):
    """As it is usually written, for windows of any length."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.fc = nn.Sequential(nn.Linear(channels, 2), nn.ReLU(inplace=True), nn.Linear(2, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        b, c, _ = x.size()
        y = self.pool(x).view(b, c)
        y = self.fc(y).view(b, c, 1)
        return x * y.expand_as(x)


class TracedTest(WindowCase):
    def assert_traced(self, function: Any, channels: int = 4, size: int = 12, **parts: Any) -> Dict[str, Any]:
        net = Function(function, **parts)
        self.assert_windows(nn.Sequential(nn.Conv1d(3, channels, 1), net), 3, size)
        return self.assert_windows(net, channels, size, padding=(size - 1, 2), inputs=[channels])

    def test_networks(self) -> None:
        self.assert_windows(SqueezeExcitation(4), 4)
        self.assert_windows(nn.Sequential(nn.Conv1d(2, 6, 3, padding=1), nn.GroupNorm(2, 6), SqueezeExcitation(6), nn.ReLU(),
                                          nn.Flatten(), nn.Linear(72, 3)), 2, padding=(6, 5))
        self.assert_windows(Residual(SqueezeExcitation(3), nn.Conv1d(3, 3, 3)), 3)
        self.assert_windows(nn.Conv1d(2, 3, 4, padding="same", padding_mode="circular"), 2)
        self.assert_windows(nn.Sequential(nn.ReflectionPad1d((0, 4)), nn.Conv1d(2, 3, 8, stride=4)), 2)

        class Block(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.enter, self.norm = nn.Conv1d(2, 4, 3, padding=1), nn.InstanceNorm1d(4, affine=True)
                self.score, self.leave = nn.Conv1d(4, 1, 1), nn.Linear(8, 5)

            def forward(self, x: Tensor) -> Tensor:
                x = F.relu(self.norm(self.enter(x)))
                weights = torch.softmax(self.score(x), dim=-1)
                mean = (x * weights).sum(-1)
                spread = (x * x * weights).sum(dim=2) - mean ** 2
                return self.leave(torch.cat([mean, spread.clamp(min=1e-6).sqrt()], 1))

        node = self.assert_windows(Block(), 2)
        self.assertIn("AdaptiveAvgPool1d", self.kinds(node))

        class Mixer(nn.Module):
            """Linear over time and over channels in turn."""

            def __init__(self) -> None:
                super().__init__()
                self.norms = nn.ModuleList([nn.LayerNorm(4), nn.LayerNorm(12)])
                self.over_time, self.over_channels = nn.Linear(12, 12), nn.Linear(4, 4)

            def forward(self, x: Tensor) -> Tensor:
                y = self.norms[0](x.transpose(1, 2)).transpose(1, 2)
                x = x + F.gelu(self.over_time(y))
                y = self.norms[1](x)
                x = x + self.over_channels(y.transpose(1, 2)).transpose(1, 2)
                return x.mean(dim=-1)

        self.assert_windows(Mixer(), 4)

    def test_reductions(self) -> None:
        for function in (
            lambda m, x: x.mean(-1), lambda m, x: x.mean(2, keepdim=True), lambda m, x: x.mean(dim=-1, keepdim=True) * x,
            lambda m, x: torch.mean(x, 2), lambda m, x: x.sum(-1), lambda m, x: x.sum(1), lambda m, x: x.mean((1, 2), keepdim=True),
            lambda m, x: x.amax(-1), lambda m, x: x.amin(-1, keepdim=True), lambda m, x: x.max(-1)[0], lambda m, x: x.max(dim=-1).values,
            lambda m, x: torch.max(x, 2, True)[0], lambda m, x: x.min(1).values, lambda m, x: x.amax((1, 2), keepdim=True) - x,
            lambda m, x: x.mean(1), lambda m, x: x.mean(1, keepdim=True) + x, lambda m, x: x.std(-1), lambda m, x: x.amax(1),
            lambda m, x: x.var(-1, unbiased=False,
                               keepdim=True), lambda m, x: torch.std(x, 1), lambda m, x: x.mean(-1).mean(-1, True),
            lambda m, x: F.adaptive_avg_pool1d(x, 5), lambda m, x: F.adaptive_max_pool1d(x, 1).squeeze(-1),
            lambda m, x: torch.cat([x.mean(-1), x.amax(-1), x.std(-1)], 1), lambda m, x: x - x.mean(-1, keepdim=True),
            lambda m, x: (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt(),
        ):
            self.assert_traced(function)

        def unpacked(m: nn.Module, x: Tensor) -> Tensor:
            values, _ = x.max(-1)
            return values

        self.assert_traced(unpacked)

    def test_functions(self) -> None:
        for function in (
            lambda m, x: F.softmax(x, dim=-1), lambda m, x: F.log_softmax(x, 2), lambda m, x: F.glu(x), lambda m, x: F.softmin(x, -1),
            lambda m, x: x.softmax(1), lambda m, x: x.transpose(1, 2).softmax(-1), lambda m, x: x.transpose(1, 2).softmax(1),
            lambda m, x: x.flip(-1), lambda m, x: torch.flip(x, (1, 2)), lambda m, x: x.flip(1, 2), lambda m, x: x + x.flip(1),
            lambda m, x: F.group_norm(x, 2), lambda m, x: F.group_norm(x, 1, m.w, m.b, 1e-3), lambda m, x: F.instance_norm(x),
            lambda m, x: F.instance_norm(x, weight=m.w, bias=m.b), lambda m, x: F.layer_norm(x, (12,)),
            lambda m, x: F.instance_norm(x, m.w, m.b, use_input_stats=False), lambda m, x: F.layer_norm(x, (4, 12)),
            lambda m, x: F.layer_norm(x, (12,), m.t, m.t), lambda m, x: F.layer_norm(x.transpose(1, 2), (4,), m.w, m.b),
            lambda m, x: F.linear(x, m.l), lambda m, x: F.linear(x.mT, m.k, m.w), lambda m, x: m.over(x).relu(),
            lambda m, x: m.over(m.over(x)), lambda m, x: m.mix(x.transpose(1, 2)), lambda m, x: m.conv(x.transpose(1, 2)),
            lambda m, x: F.prelu(x.transpose(1, 2), m.t), lambda m, x: m.norm(x.transpose(1, 2)).transpose(1, 2),
            lambda m, x: F.interpolate(x, size=24), lambda m, x: F.interpolate(x.mean(-1, True), size=x.shape[-1]) + x,
        ):
            self.assert_traced(function, w=nn.Parameter(torch.rand(4)), b=nn.Parameter(torch.rand(4)),
                               t=nn.Parameter(torch.rand(12)),
                               l=nn.Parameter(torch.rand(5, 12)), k=nn.Parameter(torch.rand(4, 4)), over=nn.Linear(12, 12),
                               mix=nn.Linear(4, 3), conv=nn.Conv1d(12, 5, 2), norm=nn.GroupNorm(3, 12))

    def test_shapes(self) -> None:
        for function in (
            lambda m, x: x.flatten(1), lambda m, x: torch.flatten(x, 1), lambda m, x: x.flatten(start_dim=1).relu(),
            lambda m, x: x.transpose(1, 2).flatten(1), lambda m, x: x.view(x.size(0), -1), lambda m, x: x.reshape(x.shape[0],
                                                                                                                  48),
            lambda m, x: x.reshape(-1, 48), lambda m, x: m.fc(x.flatten(1)), lambda m, x: x.transpose(1, 2), lambda m, x: x.permute(0, 2, 1),
            lambda m, x: x.mean(-1).unsqueeze(-1) * x, lambda m, x: x.mean(1).unsqueeze(1) + x, lambda m, x: x.mean(-1)[:, :, None] + x,
            lambda m, x: x.mean(1)[:, None] + x, lambda m, x: x.mean(-1, True).squeeze(-1), lambda m, x: x.squeeze(1),
            lambda m, x: x[:, :, 0], lambda m, x: x[..., -1], lambda m, x: x[:, 1], lambda m, x: x[:, 1:2, 3:],
            lambda m, x: x[:, :, ::3], lambda m, x: x[..., 2:x.size(-1) // 2], lambda m, x: torch.cat([x, x.flip(-1)], -1),
            lambda m, x: x.chunk(3, -1)[1], lambda m, x: x.split(5, 2)[2], lambda m, x: sum(x.chunk(2, -1)),
            lambda m, x: x.mean(-1, True).expand(-1, -1, 5), lambda m, x: x.mean(-1, True).expand_as(x), lambda m, x: x[..., :1].repeat(1, 1, 7),
            lambda m, x: x.mean(1, True).expand(-1, 3, -1), lambda m, x: F.pad(x, (1, 2)), lambda m, x: F.pad(x, (3, 2), mode="circular"), lambda m, x: F.pad(x, (0, 0, 2, 1),
                                                                                                              value=0.5),
            lambda m, x: x * m.hann, lambda m, x: m.hann - x, lambda m, x: x.transpose(1, 2) * m.hann[:, None], lambda m, x: 2 / (3 + x.flatten(1)),
            lambda m, x: x.mean(-1, True) * x.mean(1, True), lambda m, x: x.mean(1) * m.hann + x[:, 0],
            lambda m, x: torch.maximum(x, x.mean(-1, keepdim=True)), lambda m, x: x.narrow(2, 3, 4), lambda m, x: x.flatten(1)[:, 3:9],
            lambda m, x: x.view(x.size(0),
                                x.size(1), -1) + 1, lambda m, x: x.mean(-1).view(-1, 4, 1) + x, lambda m, x: x * x.size(-1),
            lambda m, x: x.mean(-1).view(x.size(0), 1, 4).transpose(1, 2) + x, lambda m, x: x[..., :6] * x.shape[1],
        ):
            self.assert_traced(function, hann=nn.Parameter(torch.rand(12)), fc=nn.Linear(48, 3))

    def test_in_place(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            y += x
            y.mul_(y.mean(-1, keepdim=True))
            z = m.act(y)
            return z + y + x

        self.assert_traced(forward, conv=nn.Conv1d(4, 4, 3, padding=1), act=nn.ELU(inplace=True))

    def test_what_it_writes(self) -> None:
        """No detours: two Transposes in a row are none."""
        node = self.assert_traced(lambda m, x: m.b(F.relu(m.a(x))), a=nn.Linear(12, 6), b=nn.Linear(6, 3))
        self.assertEqual(self.kinds(node), ["Transpose", "Linear", "ReLU", "Linear", "Transpose"])
        node = self.assert_traced(lambda m, x: x.transpose(1, 2).transpose(1, 2).relu())
        self.assertEqual(self.kinds(node), ["ReLU"])
        node = self.assert_traced(lambda m, x: m.norm(x) * torch.sigmoid(m.gate(x.mean(-1))).unsqueeze(-1),
                                  norm=nn.GroupNorm(2, 4),
                                  gate=nn.Linear(4, 4))
        self.assertEqual(self.kinds(node), ["GroupNorm", "AdaptiveAvgPool1d", "Linear", "Sigmoid", "Reduce"])

    def test_inside_a_traced_stream(self) -> None:
        windowed = Windowed(nn.Sequential(SqueezeExcitation(3), Function(lambda m, x: x.amax(-1))), 6, 1, (5, 0))
        net = Function(lambda m, x: m.windowed(m.conv(x)) + m.conv(x), windowed=windowed, conv=nn.Conv1d(2, 3, 1))
        x = torch.rand(2, 2, 20)
        description, tensors = describe(net, inputs=[2])
        with torch.no_grad():
            torch.testing.assert_close(interpret(description, tensors, x), net.eval()(x), rtol=1e-4, atol=1e-5)

    def test_in_double(self) -> None:
        describe(Windowed(nn.Sequential(nn.Conv1d(2, 4, 3), SqueezeExcitation(4)).double(), 12, 3))

    def test_refusals(self) -> None:
        for function, pattern in (
            (lambda m, x: x.mean(), "mean over all axes: that mixes"), (lambda m, x: x.mean(0), "mean over the batch"),
            (lambda m, x: x.amax((0, 2)), "amax over the batch"), (lambda m, x: x.max(), "over all axes"),
            (lambda m, x: x - x.mean(-1)[:, :, None].mean(0, True), "mean over the batch"),
            (lambda m, x: F.softmax(x, 0), "softmax over the batch: say which axis"),
            (lambda m, x: x.flip(0), "flips the batch"),
            (lambda m, x: torch.matmul(x, x.transpose(1, 2)), "multiplies two signals as matrices"),
            (lambda m, x: x.cummax(-1)[1], "uses the places that cummax gives"),
            (lambda m, x: x.mean(-1).squeeze(), "takes away every axis with one entry"),
            (lambda m, x: x.mean(-1).mean(-1), "not \\(windows, channels, frames\\)"),
            (lambda m, x: x[1], r"the index 1 takes an axis away"),
            (lambda m, x: x.view(-1, 12), "view of 48 numbers to"), (lambda m, x: m.conv(x.reshape(x.size(0), 4, 12,
                                                                                                   1).reshape(x.size(0), 2,
                                                                                                              24).repeat(1, 2, 1)), "makes frames of one axis"),
            (lambda m, x: x.flatten(), "flattens axes 0 to -1"), (lambda m, x: x.flatten(0, 1), "flattens axes 0 to 1"),
            (lambda m, x: m.conv(x.flatten(1)), "forward fails|gets 48 features"),
            (lambda m, x: m.one(x.flatten(1)), "gets 48 features"),
            (lambda m, x: x * torch.rand(4, 12), "is not one number for each channel"),
            (lambda m, x: x.max(-1)[1] + x.mean(-1), "uses the places of a maximum"),
            (lambda m, x: x.transpose(0, 1), r"gives a signal \(channels, batch, time\); permute it back"),
            (lambda m, x: (x, x), "gives a tuple"), (lambda m, x: x if x.sum() > 0 else -x, "decides by the values"),
            (lambda m, x: x.unsqueeze(1), "net gives|not \\(windows, channels, frames\\)"),
            (lambda m, x: x * x.size(0), "cannot be combined"),
            (lambda m, x: F.adaptive_max_pool1d(x, 2, True)[0], "return_indices"),
        ):
            net = Function(function, conv=nn.Conv1d(4, 2, 3), one=nn.Conv1d(3, 2, 3))
            with self.subTest(pattern=pattern), self.assertRaisesRegex(ExportError, r"^net[\w.]* \(\w+\): .*(" + pattern + ")"):
                describe(Windowed(net, 12, 4), inputs=[4])

    def test_batch_elsewhere(self) -> None:
        for function in (
            lambda m, x: x.permute(2, 0, 1).relu().permute(1, 2, 0), lambda m, x: x.transpose(0, 1)[1:3].mean(0),
            lambda m, x: m.mix(x.permute(2, 0, 1))[-1], lambda m, x: m.over(x.transpose(0, 1)).transpose(1, 0),
            lambda m, x: (x.permute(2, 0, 1) + x.permute(1, 0, 2).transpose(0, 2)).permute(1, 2, 0),
            lambda m, x: torch.cat([x.permute(1, 2, 0), x.permute(1, 2, 0).flip(0)], 0).permute(2, 0, 1),
            lambda m, x: x.permute(1, 2, 0).softmax(1).amax(0).transpose(0, 1),
            lambda m, x: (x.permute(2, 0, 1) * m.w).sum(0),
            lambda m, x: F.glu(x.permute(2, 0, 1)).mean(dim=0, keepdim=True).permute(1, 2, 0),
        ):
            self.assert_traced(function, w=nn.Parameter(torch.rand(4)), mix=nn.Linear(4, 3), over=nn.Linear(12, 5))
        for function, pattern in (
            (lambda m, x: m.conv(x.transpose(0, 1)), "its forward fails"),
            (lambda m, x: F.adaptive_avg_pool1d(x.permute(2, 0, 1), 2).permute(1, 2, 0),
             r"takes the first axis for the batch, but gets a signal \(time, batch, channels\); permute it back"),
            (lambda m, x: x[..., :3].permute(2, 0, 1) + x[..., :3].transpose(1, 2), "the batch at different places"),
            (lambda m, x: x.permute(2, 0, 1).reshape(12, -1), "the first axis must stay the batch|takes the first axis"),
            (lambda m, x: x.permute(2, 0, 1).mean(1), "mean over the batch"),
            (lambda m, x: x.permute(2, 0, 1).flip(1), "flips the batch"),
            (lambda m, x: F.prelu(x.permute(2, 0, 1), m.slopes).permute(1, 2, 0), "one for each channel of axis 1"),
        ):
            with self.subTest(pattern=pattern), self.assertRaisesRegex(ExportError, r"^net[\w.]* \(\w+\): .*(" + pattern + ")"):
                net = Function(function, conv=nn.Conv1d(3, 2, 3), slopes=nn.Parameter(torch.rand(3)))
                describe(Windowed(net, 12, 4), inputs=[4])

    def test_the_line_is_named(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            y = x.flip(-1)
            return torch.erfinv(y)

        with self.assertRaisesRegex(ExportError, r"^net \(Function\): erfinv is not supported \(return torch.erfinv\(y\)\), which "
                                                 r"gives \(3, 4, 12\); "
                                                 r".*register\(\)$"):
            describe(Windowed(Function(forward), 12, 4), inputs=[4])

        class Two(nn.Module):
            def forward(self, x: Tensor, y: Tensor) -> Tensor:
                return x + y

        with self.assertRaisesRegex(ExportError, r"^net \(Two\): takes 2 signals, but a window is one"):
            describe(Windowed(Two(), 12, 4), inputs=[4])


# --- recurrent layers -----------------------------------------------------------------------------------------------


class RecurrentTest(WindowCase):
    LAYERS = (
        (nn.RNN, {}), (nn.RNN, {"nonlinearity": "relu", "num_layers": 2}),
        (nn.GRU, {}), (nn.GRU, {"bias": False, "num_layers": 3}),
        (nn.GRU, {"bidirectional": True, "num_layers": 2, "dropout": 0.5}),
        (nn.LSTM, {}), (nn.LSTM, {"bidirectional": True}),
        (nn.LSTM, {"bias": False, "num_layers": 2, "bidirectional": True}), (nn.LSTM, {"proj_size": 2}),
        (nn.LSTM, {"proj_size": 1, "num_layers": 2, "bidirectional": True}),
    )

    def test_module(self) -> None:
        for cls, options in self.LAYERS:
            for batch_first in (False, True):
                with self.subTest(cls=cls, options=options, batch_first=batch_first):
                    net = Recurrent(cls(4, 3, batch_first=batch_first, **options))
                    fields = {"type": cls.__name__, "path": "net.module", "input_size": 4, "hidden_size": 3,
                              "num_layers": 1, "bias": True, "bidirectional": False, "initial_state": False,
                              **({"nonlinearity": "tanh"} if cls is nn.RNN else {}),
                              **({"proj_size": 0} if cls is nn.LSTM else {}), **options}
                    fields.pop("dropout", None)
                    self.assertEqual(self.assert_windows(net, 4, padding=(3, 8)), fields)

    def test_bare(self) -> None:
        behind = nn.Sequential(nn.Conv1d(1, 4, 1), nn.Sequential(nn.GRU(4, 3)))
        for net, name in ((nn.GRU(4, 3), "net"), (behind, r"net\.1\.0")):
            self.assert_refused(Windowed(net, 12, 4), rf"^{name} \(GRU\): gives its output and .* wrap it in Recurrent")

    def test_module_does_what_torch_does(self) -> None:
        x = torch.rand(2, 4, 7)
        for batch_first in (False, True):
            gru = nn.GRU(4, 3, batch_first=batch_first, bidirectional=True)
            y = Recurrent(gru)(x)
            self.assertEqual(y.shape, (2, 6, 7))
            for b in range(2):
                torch.testing.assert_close(y[b].t(), gru(x[b].t())[0])
        with self.assertRaisesRegex(ExportError, r"^<root> \(Recurrent\): takes nn.RNN, nn.GRU or nn.LSTM, not GRUC"):
            Recurrent(nn.GRUCell(4, 3))
        with self.assertRaisesRegex(ExportError, r"takes a signal \(batch, 4, frames\), not one of shape \(2, 7, 4\)"):
            Recurrent(gru)(x.transpose(1, 2))

    def test_networks(self) -> None:
        gru = Recurrent(nn.GRU(4, 3, bidirectional=True))
        net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), gru, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 2))
        self.assertEqual(self.kinds(self.assert_windows(net, 2)),
                         ["Conv1d", "ReLU", "GRU", "AdaptiveAvgPool1d", "Flatten", "Linear"])
        self.assert_windows(Residual(Recurrent(nn.LSTM(3, 3)), nn.Conv1d(3, 3, 3)), 3)
        self.assert_windows(Parallel(Recurrent(nn.RNN(3, 2)), nn.Conv1d(3, 4, 3, padding=1), reduce="concat"), 3)
        self.assertEqual(describe(Windowed(Recurrent(nn.GRU(5, 2)), 8, 2))[0]["channels"], 5)
        stream = nn.Sequential(nn.Conv1d(1, 4, 1), Windowed(Recurrent(nn.GRU(4, 4, batch_first=True)), 6, 2, (4, 0)),
                               OverlapAdd(4, 6, 2, (4, 0)))
        self.assert_equivalent(stream, 1)

    def test_weight_norm_is_folded(self) -> None:
        gru = nn.utils.weight_norm(nn.GRU(3, 4), "weight_hh_l0")
        self.assert_windows(Recurrent(gru), 3)

    def test_in_double(self) -> None:
        describe(Windowed(Recurrent(nn.LSTM(4, 2, 2)).double(), 12, 3))

    def layers(self, **options: Any) -> Dict[str, nn.Module]:
        """Of each kind one that takes (N, T, C), and one that takes (T, N, C)."""
        return {f"{cls.__name__.lower()}{'' if first else '_t'}": cls(4, 3, batch_first=first, **options)
                for cls in (nn.RNN, nn.GRU, nn.LSTM) for first in (True, False)}

    def test_traced(self) -> None:
        def unpacked(m: nn.Module, x: Tensor) -> Tensor:
            y, _ = m.gru(x.transpose(1, 2))
            return y.transpose(1, 2)

        def taken_apart(m: nn.Module, x: Tensor) -> Tensor:
            m.lstm.flatten_parameters()
            y, (h, c) = m.lstm(x.permute(0, 2, 1), None)
            return y[:, -1]

        def time_first(m: nn.Module, x: Tensor) -> Tensor:
            y, _ = m.lstm_t(x.permute(2, 0, 1))
            return y.permute(1, 2, 0)

        for function, kinds in (
            (unpacked, ["GRU"]), (taken_apart, ["LSTM", "Pad"]), (time_first, ["LSTM"]),
            (lambda m, x: m.rnn(x.transpose(1, 2))[0].transpose(1, 2), ["RNN"]),
            (lambda m, x: m.rnn(input=x.transpose(1, 2), hx=None)[0][:, -1, :], ["RNN", "Pad"]),
            (lambda m, x: m.gru(x.transpose(1, 2))[0].mean(1), ["GRU", "AdaptiveAvgPool1d"]),
            (lambda m, x: m.gru(x.mT)[0].amax(dim=1), ["GRU", "AdaptiveMaxPool1d"]),
            (lambda m, x: m.gru_t(x.permute(2, 0, 1))[0][-1], ["GRU", "Pad"]),
            (lambda m, x: m.gru_t(x.transpose(1, 2).transpose(0, 1))[0].mean(0), ["GRU", "AdaptiveAvgPool1d"]),
            (lambda m, x: m.rnn_t(x.permute(2, 0, 1))[0].transpose(0, 1).transpose(1, 2), ["RNN"]),
            (lambda m, x: m.gru(x.transpose(1, 2))[0].flatten(1), ["GRU", "Transpose", "Flatten"]),
            (lambda m, x: m.gru(x.transpose(1, 2))[0], ["GRU", "Transpose"]),
            (lambda m, x: m.lstm(F.pad(m.gru(x.mT)[0], (0, 1)))[0][:, 0], None),
            (lambda m, x: F.relu(m.gru(x.transpose(1, 2))[0]).transpose(1, 2) + x[:, :3], None),
            (lambda m, x: torch.cat([m.gru(x.mT)[0], m.lstm(x.mT)[0]], -1)[:, -1], None),
        ):
            for options in ({}, {"num_layers": 2, "bias": False, "dropout": 0.3}):
                with self.subTest(kinds=kinds, options=options):
                    node = self.assert_windows(Function(function, **self.layers(**options)), 4, inputs=[4])
                    self.assertEqual(self.kinds(node), kinds or self.kinds(node))

    def test_traced_in_both_directions(self) -> None:
        class Tagger(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = nn.Conv1d(2, 4, 3, padding=1)
                self.gru = nn.GRU(4, 5, num_layers=2, batch_first=True, bidirectional=True)
                self.norm, self.fc = nn.LayerNorm(10), nn.Linear(10, 3)

            def forward(self, x: Tensor) -> Tensor:
                x = torch.relu(self.conv(x)).transpose(1, 2)
                y, _ = self.gru(x)
                return self.fc(self.norm(torch.cat([y[:, -1, :5], y[:, 0, 5:]], 1)))

        self.assert_windows(Tagger(), 2, padding=(11, 0))
        self.assert_windows(nn.Sequential(nn.Conv1d(1, 2, 1), Tagger(), nn.ReLU()), 1)

    def test_over_channels(self) -> None:
        """Frames and channels may change their places; then the file has Transposes."""
        net = Function(lambda m, x: m.gru(x)[0], gru=nn.GRU(12, 3, batch_first=True))
        node = self.assert_windows(net, 4, inputs=[4])
        self.assertEqual(self.kinds(node), ["Transpose", "GRU", "Transpose"])
        self.assertEqual(node["layers"][1]["path"], "net.gru")  # the name of its weights in the state_dict
        net = Function(lambda m, x: m.b(m.a(x)[0])[0], a=nn.GRU(12, 3, batch_first=True),
                       b=nn.RNN(3, 2, batch_first=True))
        self.assertEqual(self.kinds(self.assert_windows(net, 4, inputs=[4])), ["Transpose", "GRU", "RNN", "Transpose"])

    def test_a_state_to_begin_with(self) -> None:
        def zeros(m: nn.Module, x: Tensor) -> Tensor:
            h = torch.zeros(1, x.size(0), 3)
            return m.gru(x.mT, h)[0].mT

        net = Function(zeros, gru=nn.GRU(4, 3, batch_first=True))
        self.assertFalse(self.assert_windows(net, 4, inputs=[4])["layers"][0]["initial_state"])

        def both(m: nn.Module, x: Tensor) -> Tensor:
            h = m.h.unsqueeze(1).repeat(1, x.shape[0], 1)
            return m.lstm(x.permute(2, 0, 1), (h, m.c.expand(-1, x.size(0), -1)))[0][-1]

        net = Function(both, lstm=nn.LSTM(4, 3, 2, bidirectional=True, proj_size=2), h=nn.Parameter(torch.rand(4, 2)),
                       c=torch.rand(4, 1, 3))
        self.assertTrue(self.assert_windows(net, 4, inputs=[4])["layers"][0]["initial_state"])

    def test_one_layer_twice(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            y, _ = m.gru(x.mT)
            y, _ = m.gru(y)
            return y.mT

        self.assert_windows(Function(forward, gru=nn.GRU(4, 4, batch_first=True)), 4, inputs=[4])

    def test_a_class_of_its_own(self) -> None:
        class Small(nn.GRU):
            def __init__(self) -> None:
                super().__init__(4, 3, batch_first=True)

        net = Function(lambda m, x: m.small(x.mT)[0].mT, small=Small())
        self.assertEqual(self.kinds(self.assert_windows(net, 4, inputs=[4])), ["GRU"])
        self.assertEqual(self.kinds(self.assert_windows(Recurrent(Small()), 4)), ["GRU"])

    def test_refusals(self) -> None:
        def state(m: nn.Module, x: Tensor) -> Tensor:
            y, h = m.gru(x.mT)
            return h[-1] + y.mean(1)

        def cell(m: nn.Module, x: Tensor) -> Tensor:
            _, (h, c) = m.lstm(x.mT)
            return c[0]

        for function, pattern in (
            (state, r"uses the state that gru ends with, but only its output .* \(y, h = m.gru\(x.mT\)\)$"),
            (cell, r"uses the state that lstm ends with"),
            (lambda m, x: m.gru(x.mT)[1][-1], "uses the state that gru ends with"),
            (lambda m, x: m.gru(x.mT), "gives a tuple"),
            (lambda m, x: m.rnn(x.mT)[-1][0], "uses the state that rnn ends with"),
            (lambda m, x: m.gru(x.mT, m.start)[0],
             "forward fails .* Expected hidden size"),
            (lambda m, x: m.rnn(x.mT, hx=x.mean(-1)[None, :, :3])[0],
             r"rnn gets a state to begin with that is not the same for all signals; only zeros, or a"),
            (lambda m, x: m.gru_t(x.mT)[0].mT,
             r"gru_t takes \(time, batch, channels\), but gets \(batch, time, channels\), so it would mix what does "
             "not belong together; permute it, or batch_first=True"),
            (lambda m, x: m.gru(x.permute(2, 0, 1))[0].permute(1, 2, 0),
             r"gru takes \(batch, time, channels\), but gets \(time, batch, channels\)"),
            (lambda m, x: m.gru(x.mean(-1))[0], r"gru takes \(batch, time, channels\), but gets \("),
        ):
            net = Function(function, **self.layers(), start=nn.Parameter(torch.zeros(1, 3, 3)))
            with self.subTest(pattern=pattern), self.assertRaisesRegex(ExportError, r"^net[\w.]* \(\w+\): .*" + pattern):
                describe(Windowed(net, 12, 4), inputs=[4])
        many = Function(lambda m, x: m.lstm(x.mT)[0], lstm=nn.LSTM(4, 3, 65, batch_first=True))
        with self.assertRaisesRegex(ExportError, r"^net\.lstm \(LSTM\): num_layers is 65"):
            describe(Windowed(many, 12, 4), inputs=[4])
        hooked = nn.GRU(4, 3)
        hooked.register_forward_hook(lambda module, inputs, output: output)
        self.assertEqual(self.kinds(self.assert_windows(Recurrent(hooked), 4)), ["GRU"])

    def test_what_would_be_written_is_compared(self) -> None:
        put = Builder.put
        with mock.patch.object(Builder, "put", lambda b, node, *args: put(b, {**node, "nonlinearity": "relu"}, *args)):
            with self.assertRaisesRegex(ExportError, "what would be written differs from the module by "):
                describe(Windowed(Recurrent(nn.RNN(4, 3)), 12, 4))
            with self.assertRaisesRegex(ExportError, "what would be written differs from the module by "):
                net = Function(lambda m, x: m.rnn(x.mT)[0].mT, rnn=nn.RNN(4, 3, batch_first=True))
                describe(Windowed(net, 12, 4), inputs=[4])


if __name__ == "__main__":
    unittest.main()
