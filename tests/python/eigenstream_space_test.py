"""Networks over time and the space of frames, exported as they are. CTest runs them."""

from __future__ import annotations

import sys
import unittest
from typing import Any, List, Sequence, Tuple

try:
    import torch
except ImportError:
    print("skipped: this Python has no torch")
    sys.exit(77)  # CTest counts it as skipped

import torch.nn.functional as F
from torch import Tensor, nn

from eigenstream_export_test import Case  # noqa: E402  (puts the exporter's folder on the path)
from eigenstream_idioms_test import own  # noqa: E402
from eigenstream import Control, ExportError, describe, export  # noqa: E402


def types_in(node: Any) -> List[str]:
    """The types of a network's nodes, but for the one that says which frames it takes."""
    return [each["type"] for each in node.get("layers", node.get("nodes", [])) if each["type"] != "Input"]


class SpaceCase(Case):
    def assert_exported(self, net: nn.Module, shape: Any, axis: int = -1, out_axis: Any = None,
                        lengths: Sequence[int] = (12, 13, 14, 15, 40), **options: Any) -> Any:
        """What is written streams to the module's own output, for signals of frames (channels, *space) with the time as `axis`, which
        in the output is `out_axis`. Returns the description."""
        for name, value in (*net.named_parameters(), *net.named_buffers()):
            if value.dtype.is_floating_point:
                value.data = torch.rand_like(value) + 0.3 if name.endswith("running_var") else torch.rand_like(value) - 0.4
        net.eval()
        path = self.folder / "net.safetensors"
        export(net, path, inputs=[shape], time_axis=axis, **options)
        extents = shape if isinstance(shape, tuple) else (shape,)
        taken = 0
        for frames in lengths:
            x = torch.rand(2, *extents, frames) * 2 - 1
            try:
                with torch.no_grad():
                    expected = net(x.movedim(-1, axis).contiguous()).movedim(axis if out_axis is None else out_axis, -1)
            except RuntimeError:  # of a length that it does not take
                continue
            taken += 1
            for given in self.run_tool(path, x).values():
                self.assertEqual(given.shape[0], 2)
                self.assertEqual([each for each in given.shape if each != 1], [each for each in (
                    expected.shape if given.dim() > 3 else expected.flatten(1, -2).shape) if each != 1], frames)
                apart = (given.flatten(1, -2) - expected.flatten(1, -2)).abs().max() if expected.numel() else 0.0
                self.assertLessEqual(float(apart), 1e-5 * max(1e-3, float(expected.abs().max() if expected.numel() else 0)), frames)
        self.assertGreater(taken, 0)
        return describe(net, inputs=[shape], time_axis=axis, **options)[0]

    def assert_refused(self, net: nn.Module, shape: Any, pattern: str, axis: int = -1) -> None:
        with self.assertRaisesRegex(ExportError, pattern):
            describe(net.eval(), inputs=[shape], time_axis=axis)


# --- each layer --------------------------------------------------------------------------------------------------------


class LayerTest(SpaceCase):
    def test_convolutions(self) -> None:
        for make in (lambda: nn.Conv2d(2, 4, 3), lambda: nn.Conv2d(2, 4, (3, 2), (2, 3), (1, 2), (1, 2), 2, False),
                     lambda: nn.Conv2d(2, 4, (3, 5), padding="same", dilation=(2, 1)), lambda: nn.Conv2d(2, 2, 1, groups=2),
                     lambda: nn.Conv2d(2, 3, (1, 3), padding="valid"), lambda: nn.Conv2d(2, 3, (2, 4), padding="same"),
                     lambda: nn.Conv2d(2, 3, 3, padding=(2, 1), padding_mode="replicate")):
            for axis in (2, 3):
                self.assertEqual(types_in(self.assert_exported(make(), (2, 9), axis)), ["Conv2d"])
        for make in (lambda: nn.Conv3d(2, 4, 3), lambda: nn.Conv3d(2, 4, (2, 3, 1), (1, 2, 3), (1, 0, 1), (2, 1, 1), 2)):
            for axis in (2, 3, 4):
                self.assertEqual(types_in(self.assert_exported(make(), (2, 7, 5), axis)), ["Conv3d"])

    def test_weights_keep_their_names(self) -> None:
        net = nn.Sequential(nn.Conv2d(1, 2, (3, 2)), nn.BatchNorm2d(2))
        _, tensors = describe(net.eval(), inputs=[(1, 4)], time_axis=2)
        self.assertEqual(list(tensors), ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"])
        self.assertTrue(torch.equal(tensors["0.weight"], net[0].weight))
        _, tensors = describe(net, inputs=[(1, 4)])
        self.assertTrue(torch.equal(tensors["0.weight"], net[0].weight.transpose(2, 3)))  # time first

    def test_transposed_convolutions(self) -> None:
        for axis in (2, 3):
            options = [(3, (1, 2), (1, 0), (0, 1)), ((2, 4), (1, 2), (0, 1), 0)]
            for taps, stride, padding, more in options:
                turn = (lambda each: each[::-1] if axis == 3 and isinstance(each, tuple) else each)
                net = nn.ConvTranspose2d(2, 4, turn(taps), turn(stride), turn(padding), turn(more), groups=2)
                self.assertEqual(types_in(self.assert_exported(net, (2, 5), axis)), ["ConvTranspose2d"])
        self.assert_exported(nn.ConvTranspose3d(2, 3, (2, 3, 4), (1, 2, 2), (1, 1, 0), dilation=(1, 2, 1)), (2, 3, 4), 2)
        self.assert_refused(nn.ConvTranspose2d(2, 3, 3, 2), (2, 5), "along the time it has stride 2", 2)

    def test_pools(self) -> None:
        for net in (nn.AvgPool2d(3), nn.AvgPool2d((3, 2), (2, 1), (1, 1), count_include_pad=False), nn.MaxPool2d(2, 1, 1),
                    nn.MaxPool2d((3, 2), (1, 2), (1, 0), (2, 1)), nn.AvgPool2d(2, divisor_override=3), nn.MaxPool2d(3, 2, ceil_mode=True)):
            for axis in (2, 3):
                self.assert_exported(net, (3, 8), axis)
        self.assert_exported(nn.AvgPool3d((2, 3, 2), (1, 2, 1), (1, 0, 1)), (2, 6, 5), 2)
        self.assert_exported(nn.MaxPool3d((2, 3, 2), (1, 2, 1), (1, 0, 1)), (2, 6, 5), 4)
        self.assert_exported(nn.AdaptiveAvgPool2d((None, 3)), (2, 7), 2)
        self.assert_exported(nn.AdaptiveMaxPool2d((2, None)), (2, 7), 3)
        self.assert_exported(nn.AdaptiveAvgPool3d((None, 1, 2)), (2, 4, 5), 2)
        self.assert_refused(nn.AdaptiveAvgPool2d(1), (2, 7), r"over the time it needs the whole signal.*AdaptiveAvgPool2d\(\(None, 1\)\)", 2)

    def test_norms(self) -> None:
        self.assertEqual(types_in(self.assert_exported(nn.BatchNorm2d(3), (3, 4))), ["BatchNorm2d"])
        self.assertEqual(types_in(self.assert_exported(nn.BatchNorm3d(3), (3, 4, 2), 2)), ["BatchNorm3d"])
        norm = nn.LayerNorm(8)
        self.assertEqual(types_in(self.assert_exported(own(lambda m, x: m.n(x), n=norm), (3, 8), 2)), ["SpaceNorm"])
        self.assertEqual(types_in(self.assert_exported(own(lambda m, x: m.n(x), n=nn.LayerNorm((4, 5))), (3, 4, 5), 2)), ["SpaceNorm"])
        self.assert_exported(own(lambda m, x: m.n(x.transpose(1, 2)).transpose(1, 2), n=nn.LayerNorm((3, 8))), (3, 8), 2)
        self.assert_exported(own(lambda m, x: m.n(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), n=nn.LayerNorm(3)), (3, 8), 2)
        self.assert_refused(own(lambda m, x: m.n(x), n=nn.GroupNorm(1, 3)), (3, 8), "needs the whole signal", 2)

    def test_over_one_axis(self) -> None:
        self.assertEqual(types_in(self.assert_exported(own(lambda m, x: m.f(x), f=nn.Linear(8, 5)), (3, 8), 2)),
                         ["Reshape", "ChannelSelect", "Reshape", "Linear", "Reshape", "ChannelSelect", "Reshape"])
        self.assert_exported(own(lambda m, x: m.f(x.movedim(1, -1)).movedim(-1, 1), f=nn.Linear(3, 5)), (3, 4, 2), 2)
        for function in (lambda m, x: x.softmax(1), lambda m, x: x.log_softmax(-1), lambda m, x: x.mean(-1), lambda m, x: x.sum(1),
                         lambda m, x: x.amax(-1, keepdim=True), lambda m, x: F.glu(x, 1), lambda m, x: x.std(-1),
                         lambda m, x: x.argmax(1).float(), lambda m, x: x.norm(dim=1), lambda m, x: x.cumsum(-1)):
            self.assert_exported(own(function), (4, 6), 2, out_axis=2 if function(None, torch.ones(1, 4, 3, 6)).dim() > 3 or
                                 function(None, torch.ones(1, 4, 3, 6)).shape[1] == 4 else 1)
        self.assert_exported(nn.Sequential(nn.Conv2d(2, 3, 1), nn.PReLU(3)), (2, 5), 2)
        mean = self.assert_exported(own(lambda m, x: x.mean((3, 4))), (3, 4, 5), 2)
        self.assertEqual(types_in(mean), ["AdaptiveAvgPool3d"])

    def test_pads(self) -> None:
        conv = lambda: nn.Conv2d(2, 3, (3, 4))  # noqa: E731
        for pads in ((1, 2, 2, 0), (0, 0, 2, 0), (2, 1), (1, 1, 1, 1)):
            for mode in ("constant", "replicate"):
                if mode == "replicate" and len(pads) == 2:
                    continue  # not for four axes
                net = own(lambda m, x, pads=pads, mode=mode: m.c(F.pad(x, pads, mode=mode)), c=conv())
                self.assertEqual(types_in(self.assert_exported(net, (2, 6), 2)), ["Conv2d"])
        self.assert_exported(nn.Sequential(nn.ZeroPad2d((1, 2, 2, 0)), nn.Conv2d(2, 3, 3, padding=1)), (2, 6), 2)
        self.assert_exported(own(lambda m, x: m.c(F.pad(x, (1, 1, 2, 0), value=0.5)), c=conv()), (2, 6), 2)
        self.assert_exported(own(lambda m, x: F.pad(x, (1, 1), value=0.5) * 2), (2, 6), 2)
        self.assert_exported(own(lambda m, x: m.c(F.pad(x, (2, 1, 0, 0), mode="reflect")), c=conv()), (2, 6), 2)
        self.assert_exported(nn.Sequential(nn.ReplicationPad3d((1, 0, 0, 1, 2, 0)), nn.Conv3d(2, 2, 2)), (2, 3, 4), 2)

    def test_shifted_channels(self) -> None:
        """Some channels of the frame before beside the others of this one, and a convolution of each frame."""
        def forward(m: Any, x: Tensor) -> Tensor:  # (B, T, C, H, W)
            batch, frames, channels, height, width = x.shape
            before = torch.cat([torch.zeros_like(x[:, :1, :2]), x[:, :-1, :2]], 1)
            y = m.c(torch.cat([before, x[:, :, 2:]], 2).view(batch * frames, channels, height, width))
            return y.view(batch, frames, channels, height, width)

        net = own(forward, c=nn.Conv2d(4, 4, 3, padding=1))
        described = self.assert_exported(net, (4, 3, 5), 1)
        self.assertNotIn("ChannelSelect", types_in(described))

    def test_causal_by_chomping(self) -> None:
        net = own(lambda m, x: m.c(x)[:, :, :-4], c=nn.Conv2d(2, 3, (3, 3), padding=(4, 1), dilation=(2, 1)))
        described = self.assert_exported(net, (2, 5), 2)
        self.assertEqual(types_in(described), ["Conv2d"])
        self.assertEqual(described["layers"][1]["padding"], [4, 0, 1, 1])
        self.assert_exported(own(lambda m, x: m.c(x)[..., :x.shape[-1]], c=nn.Conv2d(2, 3, 3, padding=(1, 2))), (2, 5))


# --- networks ----------------------------------------------------------------------------------------------------------


class CausalBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.pad = nn.ConstantPad2d((1, 1, 2, 0), 0.0)
        self.conv = nn.Conv2d(inputs, outputs, (3, 3), (1, stride))
        self.norm, self.act = nn.BatchNorm2d(outputs), nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(self.pad(x))))


class Recurrent(nn.Module):
    """Speech enhancement as many do it: convolutions over time and frequency, a GRU over all that is left, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([CausalBlock(1, 4, 2), CausalBlock(4, 6, 2)])
        self.rnn, self.fc = nn.GRU(6 * 4, 16, batch_first=True), nn.Linear(16, 6 * 4)
        self.up = nn.ModuleList([nn.ConvTranspose2d(12, 4, (1, 4), (1, 2), (0, 1)), nn.ConvTranspose2d(8, 1, (1, 4), (1, 2), (0, 1))])

    def forward(self, x: Tensor) -> Tensor:  # (B, C, T, F)
        skips, y = [], x
        for block in self.down:
            y = block(y)
            skips.append(y)
        batch, channels, frames, bins = y.shape
        h, _ = self.rnn(y.transpose(1, 2).reshape(batch, frames, channels * bins))
        y = self.fc(h).view(batch, frames, channels, bins).transpose(1, 2)
        for up, skip in zip(self.up, reversed(skips)):
            y = up(torch.cat([y, skip], 1))
        return x * torch.sigmoid(y)


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv3d(channels, 2, 1), nn.Conv3d(2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((3, 4), keepdim=True)))))


class VideoBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv3d(inputs, 6, 1, bias=False), nn.BatchNorm3d(6), nn.ReLU(),
            nn.Conv3d(6, 6, 3, (1, stride, stride), 1, groups=6, bias=False), nn.BatchNorm3d(6), SqueezeExcite(6), nn.SiLU(),
            nn.Conv3d(6, outputs, 1, bias=False), nn.BatchNorm3d(outputs))
        self.shortcut = nn.Conv3d(inputs, outputs, 1, (1, stride, stride)) if stride > 1 or inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x) + (x if self.shortcut is None else self.shortcut(x)))


class NetworkTest(SpaceCase):
    def test_speech(self) -> None:
        described = self.assert_exported(Recurrent(), (1, 16), 2)
        self.assertLessEqual(types_in(described).count("ChannelSelect"), 2)  # in front of the GRU and behind

    def test_video(self) -> None:
        net = nn.Sequential(nn.Conv3d(3, 4, (1, 3, 3), (1, 2, 2), (0, 1, 1)), nn.Conv3d(4, 4, (3, 1, 1), padding=(1, 0, 0), groups=4),
                            VideoBlock(4, 6, 2), VideoBlock(6, 6, 1), nn.AdaptiveAvgPool3d((None, 1, 1)), nn.Flatten(3))
        described = self.assert_exported(net, (3, 12, 10), 2, out_axis=2, lengths=(8, 9, 20))
        self.assertNotIn("ChannelSelect", types_in(described))

    def test_two_axes_inside(self) -> None:
        """A spectrum that comes as plain frames, over whose bins the network goes."""
        net = own(lambda m, x: m.b(F.relu(m.a(x.unsqueeze(1)))).squeeze(1), a=nn.Conv2d(1, 4, 3, padding=1), b=nn.Conv2d(4, 1, 3, padding=1))
        self.assertEqual(types_in(self.assert_exported(net, 10)), ["Reshape", "Conv2d", "ReLU", "Conv2d", "Reshape"])
        self.assert_exported(net, 10, 1)
        net = own(lambda m, x: m.f(m.c(x[:, None]).permute(0, 2, 1, 3).flatten(2)), c=nn.Conv2d(1, 3, (3, 3), (2, 2), (1, 1)),
                  f=nn.Linear(3 * 5, 4))
        self.assert_exported(net, 10, 1)

    def test_frames_as_rows(self) -> None:
        """A network for pictures, run over all frames at once, and what follows over time."""
        class Pictures(nn.Module):
            def __init__(self, first_time: bool) -> None:
                super().__init__()
                self.first_time = first_time
                self.cnn = nn.Sequential(nn.Conv2d(2, 4, 3, (2, 1), 1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d((1, 2)),
                                         nn.Conv2d(4, 6, (2, 3), groups=2), nn.ELU(), nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten(), nn.Linear(12, 5))
                self.rnn = nn.LSTM(5, 4, batch_first=not first_time)

            def forward(self, x: Tensor) -> Tensor:  # (B, C, T, H, W), or (T, B, ...)
                x = x.permute(2, 0, 1, 3, 4) if self.first_time else x.transpose(1, 2)
                first, second = x.shape[:2]
                y = self.cnn(x.reshape(first * second, *x.shape[2:]))
                y, _ = self.rnn(y.view(first, second, -1))
                return y.transpose(0, 1) if self.first_time else y

        for first_time in (False, True):
            described = self.assert_exported(Pictures(first_time), (2, 7, 8), 2, out_axis=1)
            self.assertEqual(types_in(described)[:4], ["Conv3d", "BatchNorm3d", "ReLU", "MaxPool3d"])
        net = own(lambda m, x: m.c(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (x.shape[0], x.shape[2])), c=nn.Conv1d(3, 4, 3, padding=1))
        self.assertEqual(types_in(self.assert_exported(net, (3, 6), 2, out_axis=1)), ["Conv2d"])
        net = own(lambda m, x: F.avg_pool1d(x.transpose(1, 2).flatten(0, 1), 2).view(x.shape[0], -1, 3, 3))
        self.assert_exported(net, (3, 6), 2, out_axis=1)
        self.assert_refused(own(lambda m, x: x.transpose(1, 2).flatten(0, 1).mean(0)), (3, 6), "mixes what does not belong together", 2)
        self.assert_refused(own(lambda m, x: x.transpose(1, 2).flatten(0, 1)), (3, 6), "has no time", 2)

    def test_dual_path(self) -> None:
        """Recurrent layers along the bins of each frame, in both directions, and over time for each bin, as many separate speech."""
        class DualPath(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.intra, self.inter = nn.GRU(3, 4, batch_first=True, bidirectional=True), nn.LSTM(3, 5, batch_first=True)
                self.fc1, self.fc2 = nn.Linear(8, 3), nn.Linear(5, 3)
                self.norm1, self.norm2 = nn.LayerNorm(3), nn.LayerNorm((7, 3))

            def forward(self, x: Tensor) -> Tensor:  # (B, C, T, F)
                y = x.permute(0, 2, 3, 1)
                batch, frames, bins, channels = y.shape
                z, _ = self.intra(y.reshape(batch * frames, bins, channels))
                y = y + self.norm1(self.fc1(z).view(batch, frames, bins, channels))
                z, _ = self.inter(y.transpose(1, 2).reshape(batch * bins, frames, channels))
                z = self.fc2(z).view(batch, bins, frames, channels).transpose(1, 2)
                return (y + self.norm2(z)).permute(0, 3, 1, 2)

        described = self.assert_exported(DualPath(), (3, 7), 2)
        self.assertIn("EachFrame", types_in(described))
        self.assertLessEqual(types_in(described).count("ChannelSelect"), 1)
        net = own(lambda m, x: m.g(x.permute(2, 0, 3, 1).flatten(1, 2))[0], g=nn.GRU(3, 4))
        self.assert_refused(net, (3, 7), "has no time|is not understood|gives", 2)

    def test_shuffled_channels(self) -> None:
        """Halves of the channels, what each place sees of its neighbours, and a shuffle, as in small networks for speech."""
        def forward(m: Any, x: Tensor) -> Tensor:
            first, second = torch.chunk(x, 2, dim=1)
            near = m.unfold(first).reshape(x.shape[0], 9, x.shape[2], x.shape[3])
            y = m.depth(F.pad(m.point(near), (0, 0, 4, 0)))
            gate = torch.sigmoid(m.fc(m.gru(y.pow(2).mean(-1).transpose(1, 2))[0]).transpose(1, 2))
            return torch.stack([y * gate[..., None], second], 1).transpose(1, 2).flatten(1, 2)

        net = own(forward, unfold=nn.Unfold((1, 3), padding=(0, 1)), point=nn.ConvTranspose2d(9, 3, 1),
                  depth=nn.ConvTranspose2d(3, 3, (3, 3), padding=(4, 1), dilation=(2, 1), groups=3), gru=nn.GRU(3, 4, batch_first=True),
                  fc=nn.Linear(4, 3))
        described = types_in(self.assert_exported(net, (6, 5), 2))
        self.assertEqual(described[:2], ["ChannelSlice", "Conv2d"])  # half of the channels of each column
        self.assertLessEqual(described.count("ChannelSelect"), 3)
        self.assert_exported(own(lambda m, x: F.unfold(x, (3, 2), (2, 1), (2, 0), (1, 2)).view(x.shape[0], -1, x.shape[2], 3)), (2, 6), 2)
        self.assert_refused(own(lambda m, x: F.unfold(x, 3)), (2, 6), "unfold takes \\(batch, channels, time, space\\)")

    def test_norms_of_each_frame(self) -> None:
        for norm in (nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True)):
            def forward(m: Any, x: Tensor) -> Tensor:
                batch, channels, frames, bins = x.shape
                y = m.n(x.transpose(1, 2).reshape(batch * frames, channels, bins, 1))
                return y.view(batch, frames, channels, bins).transpose(1, 2)

            self.assert_exported(own(forward, n=norm), (4, 6), 2)

    def test_up_and_down(self) -> None:
        net = own(lambda m, x: m.c(F.interpolate(F.max_pool2d(x, (1, 2)), scale_factor=(1, 2))) + x, c=nn.Conv2d(2, 2, 3, padding=1))
        self.assert_exported(net, (2, 6), 2)
        self.assert_exported(own(lambda m, x: F.interpolate(x, scale_factor=2.0)), (2, 6), 2)
        self.assert_exported(own(lambda m, x: F.interpolate(x, scale_factor=(1, 2, 3))), (2, 3, 4), 2)
        self.assert_refused(own(lambda m, x: F.interpolate(x, scale_factor=(1, 2), mode="bilinear")), (2, 6), "only 'nearest'", 2)

    def test_outputs_and_knobs(self) -> None:
        """Several outputs, with space and without; a knob beside a signal with space."""
        def forward(m: Any, x: Tensor) -> Any:
            y = m.c(x)
            return {"mask": torch.sigmoid(y), "level": y.mean((1, 3))}

        net = own(forward, c=nn.Conv2d(2, 3, (3, 3), padding=1)).eval()
        path = self.folder / "net.safetensors"
        export(net, path, inputs=[(2, 5)], time_axis=2)
        x = torch.rand(2, 2, 5, 20)
        with torch.no_grad():
            expected = net(x.transpose(2, 3))
        given = self.run_tool(path, x)
        if given:
            self.assertLessEqual(float((given["mask"] - expected["mask"].transpose(2, 3)).abs().max()), 1e-5)
            self.assertLessEqual(float((given["level"][:, 0] - expected["level"]).abs().max()), 1e-5)

        class Knob(nn.Module):
            def forward(self, x: Tensor, gain: Tensor) -> Tensor:
                return x * gain[:, :, None, None]

        export(Knob().eval(), path, inputs={"x": (2, 5), "gain": Control(2, [2.0, 3.0])}, time_axis=2)
        for y in self.run_tool(path, x).values():
            self.assertLessEqual(float((y - x * torch.tensor([2.0, 3.0])[:, None, None]).abs().max()), 1e-6)

    def test_broadcasting(self) -> None:
        net = own(lambda m, x: m.a(x) * torch.sigmoid(m.b(x)) + x.mean(-1, keepdim=True) * m.scale[:, None, None],
                  a=nn.Conv2d(3, 3, 3, padding=1), b=nn.Conv2d(3, 1, 3, padding=1), scale=nn.Parameter(torch.rand(3)))
        self.assertNotIn("ChannelSelect", types_in(self.assert_exported(net, (3, 5), 2)))
        self.assert_exported(own(lambda m, x: x * m.window + m.bias, window=nn.Parameter(torch.rand(5)),
                                 bias=nn.Parameter(torch.rand(3, 1, 1))), (3, 5), 2)

    def test_valid(self) -> None:
        net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.AvgPool2d(3, 1, 1))
        described, _ = describe(net.eval(), "valid", [(2, 6)], time_axis=2)
        self.assertEqual([each["padding"] for each in described["layers"] if "padding" in each], [[0, 1], [0, 1]])

    def test_several_inputs(self) -> None:
        net = own(lambda m, x, p: m.c(x) + m.f(p)[..., None], c=nn.Conv2d(2, 3, 3, padding=1), f=nn.Conv1d(4, 3, 1)).eval()
        path = self.folder / "net.safetensors"
        export(net, path, inputs=[(2, 5), 4], time_axis=2)
        x, p = torch.rand(2, 2, 5, 20), torch.rand(2, 4, 20)
        with torch.no_grad():
            expected = net(x.transpose(2, 3), p).transpose(2, 3)
        for given in self.run_tool(path, x, p).values():
            self.assertLessEqual(float((given - expected).abs().max()), 1e-5)


class ErrorTest(SpaceCase):
    def test_inputs(self) -> None:
        net = nn.Conv2d(2, 3, 3).eval()
        for inputs in ([(2, 0)], [(2, 3, 4, 5)], [2, (3, 4)], [("2", 4)], [()]):
            with self.assertRaisesRegex(ExportError, r"^inputs is .*all extents but those of batch and time.*\[\(1, 80\)\]"):
                describe(net, inputs=inputs)
        with self.assertRaisesRegex(ExportError, r"time_axis is 4, must be -1 or 3 for \(batch, channels, space, time\)"):
            describe(net, inputs=[(2, 8)], time_axis=4)
        self.assert_refused(net, (3, 8), r"\(Conv2d\): .*forward fails.*expected input.* to have 2 channels", 2)
        self.assert_refused(nn.Conv2d(2, 3, (1, 9)), (2, 8), "forward fails", 2)

    def test_what_mixes(self) -> None:
        self.assert_refused(own(lambda m, x: m.c(x.transpose(1, 2)), c=nn.Conv2d(24, 3, 1)), (2, 8), "Conv2d takes|forward fails", 2)
        self.assert_refused(own(lambda m, x: x.mean(2)), (2, 8), "mean over the time: it needs the whole signal", 2)

    def test_which_frames(self) -> None:
        with self.assertRaisesRegex(ExportError, r"which frames its input input has cannot be seen"):
            describe(nn.Conv2d(2, 3, 3).eval())


if __name__ == "__main__":
    unittest.main()
