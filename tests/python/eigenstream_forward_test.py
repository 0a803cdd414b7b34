"""Tests of what the exporter makes of a module's own forward. CTest runs them."""

from __future__ import annotations

import math
import random
import re
import subprocess
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
from torch.nn.utils import weight_norm

from eigenstream_export_test import GOLDEN, TOOL, Case, interpret  # noqa: E402  (puts the exporter's folder on the path)
from eigenstream_export import (  # noqa: E402
    ExportError, OverlapAdd, Parallel, Recurrent, Residual, Snake, Snapshotter, Windowed, describe, export, register)
from eigenstream.calls import HANDLERS  # noqa: E402
from eigenstream.crops import fold_crops  # noqa: E402
from eigenstream.evaluate import apply_node  # noqa: E402
from eigenstream.lengths import frames_after  # noqa: E402
import eigenstream  # noqa: E402
import eigenstream.file  # noqa: E402
import eigenstream_export  # noqa: E402

sys.path.insert(0, str(GOLDEN))
from branched_networks import Forward  # noqa: E402


class Function(Forward):
    """A module whose forward is a function, under the name that the messages have."""


def nodes_of(description: Dict[str, Any]) -> List[Dict[str, Any]]:
    """All modules of a description that hold no others, and its Reduce nodes."""
    inside = [*description.get("layers", ()), *description.get("nodes", ()), *description.get("branches", ())]
    inside += [description["net"]] if "net" in description else []
    return [node for inner in inside for node in nodes_of(inner)] if inside else [description]


def delay_of(module: nn.Module, channels: int, frames: int) -> int:
    """How many later frames an output waits for at most, as replacing single frames shows; inner frames only, where no
    end is near."""
    x = torch.rand(1, channels, frames)
    with torch.no_grad():
        y = module(x)
        rate = (module(torch.cat([x, x], -1)).shape[-1] - y.shape[-1]) / frames
        delay = -frames
        for i in range(frames // 3, 2 * frames // 3):
            changed = x.clone()
            changed[..., i] += 1
            outputs = ((module(changed) - y).abs().amax((0, 1)) > 0).nonzero()
            delay = max(delay, i - int(int(outputs.min()) / rate)) if len(outputs) else delay
    return delay


class TraceCase(Case):
    def assert_traced(self, module: nn.Module, channels: Any, frames: int = 64, padding: str = "exact") -> Dict[str, Any]:
        """The description of a module with one input computes what it computes. Returns it."""
        inputs = channels if isinstance(channels, list) else [channels]
        module.train()
        before = {key: value.clone() for key, value in module.state_dict().items()}
        state = torch.random.get_rng_state()
        description, tensors = describe(module, padding, inputs=inputs)
        self.assertTrue(module.training)
        self.assertTrue(torch.equal(state, torch.random.get_rng_state()))
        for key, value in module.state_dict().items():
            self.assertTrue(torch.equal(value, before[key]), key)
        unused = set(tensors)
        xs = [torch.rand(2, count, frames) * 2 - 1 for count in inputs]

        class Used(dict):
            def __getitem__(self, key: str) -> Tensor:
                unused.discard(key)
                return super().__getitem__(key)

        with torch.no_grad():
            expected = module.eval()(*[x.clone() for x in xs])
            actual = interpret(description, Used(tensors), xs[0], False, *xs[1:])
        self.assertEqual(actual.shape, expected.shape)
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5, equal_nan=True)
        self.assertEqual(unused, set())
        return description

    def assert_not_traced(self, function: Callable[..., Any], pattern: str, channels: Any = 2, **parts: Any) -> None:
        inputs = channels if isinstance(channels, list) else [channels]
        with self.assertRaisesRegex(ExportError, r"^(<root>|[\w.]+) \(\w+\): .*" + pattern):
            describe(Function(function, **parts), inputs=inputs)

    def assert_streamed(self, module: nn.Module, channels: int, lengths: Any, delay: Optional[int] = None) -> Dict[str, Any]:
        """What is written gives the module's own output at each of these lengths that the module takes, in the stream, too,
        which has this delay. Returns the description."""
        path = self.folder / "net.safetensors"
        module.eval()
        export(module, path, inputs=[channels])
        description, tensors = describe(module, inputs=[channels])
        taken = 0
        for frames in lengths:
            x = torch.rand(1, channels, frames) * 2 - 1
            try:
                with torch.no_grad():
                    expected = module(x)
            except RuntimeError:
                continue
            taken += 1
            for given in (apply_node(description, tensors, x), *self.run_tool(path, x).values()):
                self.assertEqual(given.shape, expected.shape, frames)
                torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-5)
        self.assertGreater(taken, 0)
        if delay is not None and TOOL:
            info = subprocess.run([TOOL, "info", str(path)], check=True, capture_output=True, text=True).stdout
            self.assertEqual(re.findall(r"^delay +(-?\d+) frame", info, re.MULTILINE), [str(delay)])
        return description

    def types(self, description: Dict[str, Any]) -> List[str]:
        return [node["type"] for node in description.get("nodes", description.get("layers"))]


# --- networks as people write them ------------------------------------------------------------------------------------


class NetworkTest(TraceCase):
    def test_unet(self) -> None:
        class UNet(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.act = nn.ReLU(inplace=True)
                self.enter = nn.Conv1d(1, 4, 5, padding=2)
                self.down = nn.ModuleList([nn.Conv1d(4, 6, 4, stride=2, padding=1), nn.Conv1d(6, 8, 4, stride=2, padding=1)])
                self.up = nn.ModuleList([nn.ConvTranspose1d(8, 6, 4, stride=2, padding=1),
                                         nn.ConvTranspose1d(12, 4, 4, stride=2, padding=1)])
                self.leave = nn.Conv1d(8, 1, 1)
                self.dropout = nn.Dropout(0.5)

            def forward(self, x: Tensor) -> Tensor:
                x = self.act(self.enter(x))
                skips = []
                for layer in self.down:
                    skips.append(x)
                    x = self.act(layer(x))
                for layer, skip in zip(self.up, reversed(skips)):
                    x = torch.cat([self.act(layer(x)), skip], dim=1)
                return self.leave(self.dropout(x))

        description = self.assert_traced(UNet(), 1)
        self.assertEqual(description["type"], "Graph")
        self.assertEqual(description["in_channels"], 1)
        # The shared activation is written anew each time, the dropout not at all.
        self.assertEqual([node["path"] for node in description["nodes"] if node["type"] == "ReLU"],
                         ["act", "act@2", "act@3", "act@4", "act@5"])
        self.assertEqual(self.types(description).count("Reduce"), 2)
        self.assertEqual(describe(UNet())[0]["in_channels"], 1)  # the first layer says it

    def test_wavenet(self) -> None:
        class Layer(nn.Module):
            def __init__(self, dilation: int) -> None:
                super().__init__()
                self.pad = 2 * dilation
                self.conv = weight_norm(nn.Conv1d(4, 8, 3, dilation=dilation))
                self.mix = nn.Conv1d(3, 8, 1)
                self.residual, self.skip = nn.Conv1d(4, 4, 1), nn.Conv1d(4, 2, 1)

            def forward(self, x: Tensor, condition: Optional[Tensor]) -> Any:
                y = self.conv(F.pad(x, (self.pad, 0)))
                if condition is not None:
                    y = y + self.mix(condition)
                a, b = y.chunk(2, dim=1)
                y = torch.tanh(a) * torch.sigmoid(b)
                return (x + self.residual(y)) * math.sqrt(0.5), self.skip(y)

        class WaveNet(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.enter = nn.Conv1d(1, 4, 1)
                self.layers = nn.ModuleList([Layer(2 ** i) for i in range(3)])
                self.leave = nn.Sequential(nn.ReLU(), nn.Conv1d(2, 1, 1))

            def forward(self, x: Tensor, condition: Optional[Tensor] = None) -> Tensor:
                x, total = self.enter(x), 0
                for layer in self.layers:
                    x, skip = layer(x, condition)
                    total = total + skip
                return self.leave(total)

        net = WaveNet()
        self.assert_traced(net, [1, 3])
        description = self.assert_traced(net, [1])  # the condition keeps its default
        self.assertEqual(description["in_channels"], 1)
        self.assertNotIn("layers.2.residual", [node["path"] for node in description["nodes"]])  # leads nowhere
        with self.assertRaisesRegex(ExportError, r"takes 2 signals, but inputs gives the channels of 3|takes 1 signals"):
            describe(net, inputs=[1, 3, 3])

    def test_valid_residuals_by_size(self) -> None:
        class Block(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.a, self.b = nn.Conv1d(3, 3, 4), nn.Conv1d(3, 3, 3)

            def forward(self, x: Tensor) -> Tensor:
                y = self.b(torch.relu(self.a(x)))
                start = (x.size(2) - y.size(2)) // 2
                return y + x[:, :, start:start + y.shape[-1]]

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.blocks = nn.Sequential(Block(), Block())

            def forward(self, x: Tensor) -> Tensor:
                y = self.blocks(x)
                return y - x[..., -y.size(-1):] + x[..., :y.size(-1)] * x.narrow(2, 3, y.size(2))

        description = self.assert_traced(Net(), 3)
        crops = [(node["left"], node["right"]) for node in description["nodes"] if node["type"] == "Pad"]
        self.assertEqual(crops, [(-2, -3), (-2, -3), (-10, 0), (0, -10), (-3, -7)])

    def test_generator_and_temporal_convolutions(self) -> None:
        class ResBlock(nn.Module):
            def __init__(self, channels: int, taps: int) -> None:
                super().__init__()
                self.convs = nn.ModuleList(weight_norm(nn.Conv1d(channels, channels, taps, dilation=d,
                                                                 padding=(taps - 1) * d // 2))
                                           for d in (1, 3))

            def forward(self, x: Tensor) -> Tensor:
                for conv in self.convs:
                    x = conv(F.leaky_relu(x, 0.1)) + x
                return x

        class Generator(nn.Module):
            """Upsampling, then the mean of residual blocks of several sizes, as vocoders have it."""

            def __init__(self) -> None:
                super().__init__()
                self.ups = nn.ModuleList([weight_norm(nn.ConvTranspose1d(6, 4, 8, 4, padding=2)),
                                          weight_norm(nn.ConvTranspose1d(4, 2, 4, 2, padding=1))])
                self.blocks = nn.ModuleList(ResBlock(channels, taps) for channels in (4, 2) for taps in (3, 5))
                self.last = weight_norm(nn.Conv1d(2, 1, 7, padding=3))

            def forward(self, x: Tensor) -> Tensor:
                for i in range(2):
                    x, total = self.ups[i](F.leaky_relu(x, 0.1)), None
                    for block in self.blocks[2 * i:2 * i + 2]:
                        if total is None:
                            total = block(x)
                        else:
                            total += block(x)
                    x = total / 2
                return torch.tanh(self.last(F.leaky_relu(x)))

        class Chomp(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x[:, :, :-4].contiguous()

        class Temporal(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.net = nn.Sequential(weight_norm(nn.Conv1d(2, 4, 3, padding=4, dilation=2)), Chomp(), nn.ReLU(),
                                         nn.Dropout(0.2))
                self.down, self.relu, self.fc = nn.Conv1d(2, 4, 1), nn.ReLU(inplace=True), nn.Linear(4, 3)

            def forward(self, x: Tensor) -> Tensor:
                return self.fc(self.relu(self.net(x) + self.down(x)).transpose(1, 2)).transpose(1, 2)

        self.assert_traced(Generator(), 6, 10)
        self.assert_traced(Temporal(), 2)

    def test_dense_and_squeezed(self) -> None:
        class Dense(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layers = nn.ModuleDict({f"layer{i}": nn.Conv1d(2 + i, 1, 3, padding=1) for i in range(3)})
                self.scale = nn.Parameter(torch.rand(5, 1))
                self.register_buffer("mean", torch.rand(1, 5, 1))

            def forward(self, x: Tensor) -> Tensor:
                features = [x]
                for layer in self.layers.values():
                    features.append(layer(torch.cat(features, 1)))
                y = (torch.cat(features, 1) - self.mean) * self.scale / 0.5
                gate = torch.sigmoid(y.mean(dim=1, keepdim=True))
                return y * gate + sum([y, y]) - 1

        self.assert_traced(Dense(), 2)

    def test_channels_last(self) -> None:
        class Mixer(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.norm, self.fc = nn.LayerNorm(4), nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 8))
                self.conv, self.gate = nn.Conv1d(4, 4, 3, padding=1, groups=4), nn.GLU()

            def forward(self, x: Tensor) -> Tensor:
                y = x.transpose(1, 2)
                y = self.gate(self.fc(self.norm(y)))
                y = y * torch.softmax(y, -1) + y[..., 0:1]
                y = F.layer_norm(y, (4,)) + F.linear(y, self.fc[0].weight[:4] * 2)
                return x + self.conv(y.permute(0, 2, 1))

        self.assert_traced(Mixer(), 4)
        last = Function(lambda m, x: m.conv(x).transpose(1, 2),
                        conv=nn.Conv1d(2, 3, 1))  # the file has frames of channels anyway
        self.assertEqual(self.types(describe(last)[0]), ["Conv1d"])
        self.assert_not_traced(lambda m, x: m.pool(x.transpose(1, 2)).transpose(1, 2), "AvgPool1d works over time.*channels "
                                                                                       "last",
                               pool=nn.AvgPool1d(1))
        self.assert_not_traced(lambda m, x: x[..., :1] + x.transpose(1, 2)[:, :1], "a slice.*length|channels last meets one "
                                                                                   "with the time last")

    def test_subclasses_and_containers(self) -> None:
        class CausalConv(nn.Conv1d):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(F.pad(x, ((self.kernel_size[0] - 1) * self.dilation[0], 0)))

        class Doubled(nn.Sequential):
            def forward(self, x: Tensor) -> Tensor:
                return 2 * super().forward(x)

        net = nn.Sequential(CausalConv(2, 3, 3, dilation=2), nn.ReLU(), Doubled(CausalConv(3, 3, 2), nn.Tanh()),
                            Residual(nn.Conv1d(3, 3, 3, padding=1)), Parallel(nn.Conv1d(3, 2, 1), nn.Conv1d(3, 2, 5)))
        description = self.assert_traced(net, 2)
        self.assertEqual(description["type"], "Sequential")  # nothing branches outside of the known containers
        for reduce in eigenstream_export.REDUCTIONS:
            self.assert_traced(Parallel(nn.Conv1d(2, 3, 4), nn.Sequential(), nn.Conv1d(2, 2, 1), reduce=reduce)
                               if reduce == "concat" else Parallel(nn.Conv1d(2, 2, 4), nn.Sequential(), reduce=reduce), 2)
        with self.assertRaisesRegex(ExportError, "reduce is 'add', must be one of sum"):
            Parallel(nn.ReLU(), nn.ReLU(), reduce="add")
        with self.assertRaisesRegex(ExportError, "has 1 branches"):
            Parallel(nn.ReLU())

    def test_shared_modules_have_tensors_of_their_own(self) -> None:
        net = Function(lambda m, x: m.block(m.conv(x)) + m.conv(m.block(x)), conv=nn.Conv1d(2, 2, 3, padding=1),
                       block=nn.Sequential(nn.Conv1d(2, 2, 1), nn.ReLU()))
        description = self.assert_traced(net, 2)
        self.assertEqual([node["path"] for node in description["nodes"]],
                         ["conv", "block.0", "block.1", "block.0@2", "block.1@2", "conv@2", "add"])
        _, tensors = describe(net)
        self.assertEqual(sorted(tensors), sorted(f"{name}.{kind}" for name in ("conv", "conv@2", "block.0", "block.0@2")
                                                 for kind in ("weight", "bias")))

    def test_valid_policy(self) -> None:
        net = Function(lambda m, x: m.up(m.conv(F.pad(x, (2, 1)))[..., 3:]) + m.up(m.conv(x[..., 3:])),
                       conv=nn.Conv1d(2, 2, 3, padding=1), up=nn.ConvTranspose1d(2, 2, 3, padding=1))
        net = Function(lambda m, x: m.conv(F.pad(x, (2, -3))) * 2, conv=nn.Conv1d(2, 2, 3, padding=1))
        description, _ = describe(net, "valid")
        self.assertEqual([(node.get("padding"), node.get("left"), node.get("right")) for node in description["layers"]],
                         [(None, 0, -3), (0, None, None), (None, None, None)])

    def test_other_float_types(self) -> None:
        """What is written is float32, whatever the module computes with; it stays as it is."""
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            for norm in (False, True):
                conv = nn.Conv1d(2, 3, 3, padding=1)
                net = Function(lambda m, x: torch.tanh(m.conv(x)) * m.gain, conv=weight_norm(conv) if norm else conv,
                               gain=nn.Parameter(torch.rand(3, 1))).to(dtype)
                before = {name: (value, value.clone()) for name, value in net.state_dict(keep_vars=True).items()}
                for each in (net, nn.Sequential(nn.Conv1d(2, 2, 1), net), eigenstream_export.Windowed(net, 8, 4),
                             Function(lambda m, x: m.net(x) * 2, net=eigenstream_export.Windowed(net, 8, 4))):
                    description, tensors = describe(each)
                    self.assertTrue(all(tensor.dtype == torch.float32 for tensor in tensors.values()))
                for name, value in net.state_dict(keep_vars=True).items():
                    self.assertTrue(value is before[name][0] and value.dtype == dtype, name)
                    self.assertTrue(torch.equal(value, before[name][1]), name)
                description, tensors = describe(net)
                x = torch.rand(1, 2, 30)
                expected = net.float()(x).detach()
                torch.testing.assert_close(interpret(description, tensors, x), expected, rtol=1e-5, atol=1e-5)

    def test_registered_types(self) -> None:
        class Smooth(nn.Module):
            def __init__(self, pole: float) -> None:
                super().__init__()
                self.pole = pole
                self.start = nn.Parameter(torch.rand(2))

            def forward(self, x: Tensor) -> Tensor:
                value, values = self.start, []
                for i in range(x.shape[-1]):
                    value = value * self.pole + x[..., i] * (1 - self.pole)
                    values.append(value)
                return torch.stack(values, -1)

        class Smoother(Smooth):
            pass

        with self.assertRaisesRegex(ExportError, r"neither a loop over frames nor .*values.*register\(\)"):
            describe(Smooth(0.5), inputs=[2])
        register(Smooth, lambda m: ("Smooth", {"pole": m.pole, "taps": [1, 2]}, {"start": m.start}))
        try:
            net = Function(lambda m, x: x - m.smooth(x), smooth=Smoother(0.25))
            description, tensors = describe(net, inputs=[2])
            self.assertEqual(description["nodes"][0], {"type": "Smooth", "path": "smooth", "pole": 0.25, "taps": [1, 2],
                                                       "from": [0]})
            self.assertEqual(list(tensors), ["smooth.start"])
            self.assertEqual(describe(nn.Sequential(Smooth(0.5)))[0]["layers"][0]["type"], "Smooth")
            register(Smoother, lambda m: ("X", {"pole": m.pole / 0}, {}))
            self.assert_refused(nn.Sequential(Smoother(0.5)), r"^0 \(Smoother\): the registered function fails with ZeroDiv")
            register(Smoother, lambda m: ("Smoother", {}, {}))
            self.assertEqual(describe(net, inputs=[2])[0]["nodes"][0]["type"], "Smoother")
            for wrong, pattern in ((("X", {"a": None}, {}), "field a is None"), (("X", {"path": "p"}, {}), "field path"),
                                   (("X", {}, {"w": 3}), "tensor w is not"), ("X", "must give a type name"),
                                   (("X", [], {}), "must give a type name"), (("X", {}, None), "must give a type name"),
                                   (("X", {"a": math.nan}, {}), "field a is nan, not a finite number"),
                                   (("X", {"a": -math.inf}, {}), "field a is -inf, not a finite number"),
                                   (("X", {"a": 2 ** 63}, {}), "field a is 9223372036854775808, beyond"),
                                   (("X", {"a": [1, -2 ** 63 - 1]}, {}), "field a is .*, beyond"),
                                   (("X", {1: 2}, {}), "field 1 is 2"), (("X", {"a": "\ud800"}, {}), "not valid Unicode"),
                                   (("X", {}, {"w": torch.full((2,), math.nan)}), "tensor w has values that are not"),
                                   (("X", {}, {"w": torch.zeros(2, device="meta")}), "tensor w has no values")):
                register(Smoother, lambda m, wrong=wrong: wrong)
                self.assert_refused(Smoother(0.5), pattern)
        finally:
            del eigenstream.known._REGISTERED[Smooth]
            eigenstream.known._REGISTERED.pop(Smoother, None)
        with self.assertRaisesRegex(ExportError, "register takes a class of modules"):
            register(3, lambda m: m)


# --- single calls -------------------------------------------------------------------------------------------------------


class FunctionTest(TraceCase):
    def test_activations(self) -> None:
        positive = lambda f: lambda m, x: f(x.abs() + 0.1)  # noqa: E731
        for call in (
            F.relu, torch.relu, lambda x: x.relu(), F.relu6, F.leaky_relu, F.elu, F.selu, F.celu, F.silu, F.gelu, F.mish,
            F.sigmoid, torch.sigmoid, lambda x: x.sigmoid(), torch.tanh, F.tanh, lambda x: x.tanh(), F.softplus, F.softsign,
            F.hardtanh, F.hardsigmoid, F.hardswish, F.logsigmoid, F.tanhshrink, F.softshrink, F.hardshrink, F.rrelu,
            torch.abs, torch.exp, torch.sin, torch.cos, torch.square, torch.neg, lambda x: x.neg(),
        ):
            with self.subTest(call=call):
                self.assert_traced(Function(lambda m, x: call(x * 5)), 3)
        for call in (torch.log, torch.sqrt, torch.rsqrt, torch.reciprocal, lambda x: x.log()):
            with self.subTest(call=call):
                self.assert_traced(Function(positive(call)), 3)

    def test_modules_of_torch(self) -> None:
        for module in (nn.CELU(0.7), nn.Mish(), nn.LogSigmoid(), nn.Tanhshrink(), nn.Softshrink(0.2), nn.Hardshrink(0.2),
                       nn.Threshold(0.1, -3.0), nn.RReLU(0.1, 0.3), nn.LogSoftmax(1), nn.Softmin(1), nn.ReLU6(), nn.PReLU(3),
                       nn.Upsample(scale_factor=3), Snake(3)):
            with self.subTest(module=module):
                self.assert_traced(Function(lambda m, x: m.layer(x) + 1, layer=module), 3)
                if not isinstance(module, nn.Upsample):
                    self.assert_equivalent(nn.Sequential(module), 3)

    def test_arguments(self) -> None:
        for function in (
            lambda m, x: F.leaky_relu(x, 0.3), lambda m, x: F.leaky_relu(x, negative_slope=0.3),
            lambda m, x: F.elu(input=x, alpha=0.5), lambda m, x: F.gelu(x, approximate="tanh"),
            lambda m, x: F.hardtanh(x, -0.5, 0.25), lambda m, x: F.softplus(x, beta=2, threshold=1),
            lambda m, x: F.threshold(x, 0.1, 20.0), lambda m, x: F.prelu(x, m.slope), lambda m, x: F.softmax(x, dim=1),
            lambda m, x: x.softmax(-2), lambda m, x: F.log_softmax(x, 1), lambda m, x: F.softmin(x, 1),
            lambda m, x: F.glu(torch.cat((x, x), -2), 1), lambda m, x: F.dropout(x, 0.5, m.training),
            lambda m, x: F.dropout(x, training=False), lambda m, x: x.clamp(-0.2, 0.3), lambda m, x: x.clamp(min=0),
            lambda m, x: torch.clamp(x, max=0.5), lambda m, x: x.clamp_min(0.1), lambda m, x: x.pow(2) + x ** 3 + x ** 1,
            lambda m, x: (x.abs() + 1) ** 0.5 + (x.abs() + 1) ** -1 + (x.abs() + 1) ** -0.5, lambda m, x: x.contiguous().clone(),
        ):
            self.assert_traced(Function(function, slope=nn.Parameter(torch.rand(4))), 4)

    def test_arithmetic(self) -> None:
        parts = {"c": nn.Parameter(torch.rand(3, 1) + 0.5), "one": nn.Parameter(torch.rand(1) + 0.5)}
        for function in (
            lambda m, x: x + 1, lambda m, x: 1 + x, lambda m, x: x - 1.5, lambda m, x: 1.5 - x, lambda m, x: x * 2,
            lambda m, x: 2 * x, lambda m, x: x / 4, lambda m, x: 1 / (x + 3), lambda m, x: -x, lambda m, x: x + m.c,
            lambda m, x: m.c - x, lambda m, x: x * m.c, lambda m, x: x / m.c, lambda m, x: m.c / (x + 3),
            lambda m, x: x * m.one + m.c * 2, lambda m, x: torch.add(x, x.tanh(), alpha=0.5),
            lambda m, x: torch.sub(x, 2, alpha=3), lambda m, x: torch.mul(x, x), lambda m, x: x.div(x.abs() + 1),
            lambda m, x: x.add(x).sub(x * 3), lambda m, x: torch.maximum(x, -x), lambda m, x: torch.min(x, x * 2),
            lambda m, x: sum(m.layers[i](x) for i in range(2)) / 2, lambda m, x: x * math.pi + torch.tensor([[0.5], [1], [2]]),
            lambda m, x: x.sum(1, keepdim=True) * x + x.mean(dim=(1,), keepdim=True),
            lambda m, x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, unbiased=False) + 1e-3).sqrt(),
            lambda m, x: x.std(dim=1, keepdim=True) * x,
        ):
            self.assert_traced(Function(function, layers=nn.ModuleList([nn.Conv1d(3, 3, 1) for _ in range(2)]), **parts), 3)

    def test_channels(self) -> None:
        for function in (
            lambda m, x: torch.cat(list(x.chunk(3, 1))[::-1], 1), lambda m, x: torch.cat([part * 2 for part in x.chunk(2, 1)],
                                                                                         1),
            lambda m, x: x.split([1, 4], dim=1)[1], lambda m, x: x.split(2, 1)[2], lambda m, x: x.tensor_split(3, dim=1)[1],
            lambda m, x: x[:, 1:3] * x[:, -2:], lambda m, x: x.narrow(1, 2, 2), lambda m, x: torch.concat([x, x[:, :1]], -2),
            lambda m, x: x[:, :1] * x, lambda m, x: x[..., 2:4, :],
        ):
            self.assert_traced(Function(function), 5)

    def test_time(self) -> None:
        weights = {"w": nn.Parameter(torch.rand(4, 1, 3)), "b": nn.Parameter(torch.rand(4)),
                   "t": nn.Parameter(torch.rand(4, 2, 4))}
        for function in (
            lambda m, x: F.pad(x, (3, 1)), lambda m, x: F.pad(x, (3, 1), value=0.5), lambda m, x: F.pad(x, (-3, 1)),
            lambda m, x: F.pad(x, (2, 3), mode="replicate"), lambda m, x: F.pad(x, (1, 2, 0, 0)), lambda m, x: x[..., 2:-3],
            lambda m, x: x[:, :, ::2], lambda m, x: x[..., 1::3], lambda m, x: F.conv1d(x, m.w, m.b, padding=1, groups=4),
            lambda m, x: F.conv1d(x, m.w, None, 2, "valid", 2, 4), lambda m, x: F.conv_transpose1d(x, m.t, stride=2, padding=1),
            lambda m, x: F.avg_pool1d(x, 3, 2, 1), lambda m, x: F.max_pool1d(x, 3, stride=1, padding=1),
            lambda m, x: F.max_pool1d(x, 4), lambda m, x: F.interpolate(x, scale_factor=2), lambda m, x: x.repeat_interleave(3, dim=-1),
            lambda m, x: x[..., 1:] - x[..., :-1], lambda m, x: x[:, :, 4:x.size(-1) - 4],
        ):
            self.assert_traced(Function(function, **weights), 4)

    def test_resample_of_torchaudio(self) -> None:
        try:
            import torchaudio
        except (ImportError, OSError):
            self.skipTest("this Python has no torchaudio that fits torch")
        for options in ({}, {"lowpass_filter_width": 3, "rolloff": 0.8}, {"resampling_method": "kaiser_window", "beta": 9.0}):
            net = Function(lambda m, x: x + m.up(m.down(x)), down=torchaudio.transforms.Resample(16000, 8000, **options),
                           up=torchaudio.transforms.Resample(8000, 16000, **options))
            description, tensors = describe(net, inputs=[2])
            self.assertEqual(self.types(description), ["Resample", "Resample", "Reduce"])
            self.assertEqual(tensors, {})

    def test_in_place(self) -> None:
        def add_in_place(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            y += x
            z = y.relu_()
            return z * y + x

        def module_in_place(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            z = m.act(y)
            return torch.cat([y, z, x], 1)

        def forgotten(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            y.mul_(2).add_(1)
            F.relu(y, inplace=True)
            return y

        for function in (add_in_place, module_in_place, forgotten):
            for act in (nn.ELU(inplace=True), nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.ELU(inplace=True)))):
                self.assert_traced(Function(function, conv=nn.Conv1d(2, 2, 3, padding=1), act=act), 2)

        def through_a_view(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            a, b = y.chunk(2, 1)
            a.relu_()
            return y

        self.assert_not_traced(through_a_view, "another view is used later", conv=nn.Conv1d(2, 2, 1))


# --- crops at the end -----------------------------------------------------------------------------------------------------


class Chomp(nn.Module):
    """Takes away what the padding of a causal convolution added at the end."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.frames = frames

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :-self.frames].contiguous()


class CropTest(TraceCase):
    def assert_folded(self, module: nn.Module, channels: int, padding: List[Any], delay: Optional[int] = None,
                      left: int = 0) -> Dict[str, Any]:
        """The paddings that are written in the place of crops, of which `left` remain."""
        shown = delay_of(module.eval(), channels, 120)
        if delay is not None:
            self.assertEqual(shown, delay)
        description = self.assert_streamed(module, channels, range(40, 47), shown if left == 0 else None)
        nodes = nodes_of(description)
        self.assertEqual([node["padding"] for node in nodes if node["type"] in ("Conv1d", "ConvTranspose1d")], padding)
        self.assertEqual(len([node for node in nodes if node["type"] == "Pad"]), left)
        return description

    def test_causal_convolution(self) -> None:
        conv = nn.Conv1d(1, 2, 3, padding=2)
        self.assert_folded(Function(lambda m, x: m.conv(x)[..., :-2], conv=conv), 1, [[2, 0]], 0)
        self.assert_folded(Function(lambda m, x: m.conv(x)[..., :x.size(-1)], conv=conv), 1, [[2, 0]], 0)
        self.assert_folded(Function(lambda m, x: F.pad(m.conv(x), (0, -2)), conv=conv), 1, [[2, 0]], 0)
        self.assert_folded(Function(lambda m, x: m.conv(x).narrow(2, 0, x.size(-1)), conv=conv), 1, [[2, 0]], 0)
        self.assert_folded(Function(lambda m, x: m.conv(x)[..., :-1], conv=conv), 1, [[2, 1]], 0)
        self.assert_folded(Function(lambda m, x: m.conv(x)[..., :-1][..., :-1], conv=conv), 1, [[2, 0]], 0)
        self.assert_folded(Function(lambda m, x: m.conv(x)[..., 1:-2], conv=conv), 1, [[2, 0]], 1, left=1)
        self.assert_folded(nn.Sequential(conv, Chomp(2)), 1, [[2, 0]], 0)
        self.assert_folded(nn.Sequential(conv, nn.ConstantPad1d((0, -2), 0.0)), 1, [[2, 0]], 0)  # nothing is traced
        self.assert_folded(nn.Sequential(nn.ConstantPad1d(2, 0.0), nn.Conv1d(1, 2, 3), Chomp(2)), 1, [[2, 0]], 0)
        self.assert_folded(Function(lambda m, x: m.conv(F.pad(x, (2, 0), mode="replicate")), conv=nn.Conv1d(1, 2, 3)), 1,
                           [[2, 0]], 0)
        shared = Function(lambda m, x: (lambda y: m.conv(y) + y[..., 2:])(F.pad(x, (2, 0))), conv=nn.Conv1d(1, 1, 3))
        self.assert_folded(shared, 1, [[2, 0]], 0, left=2)
        self.assert_folded(nn.Sequential(nn.Conv1d(1, 2, 3, padding=4, dilation=2, padding_mode="replicate"), Chomp(4)), 1,
                           [[4, 0]], 0)
        # More than was padded: the rest is cropped, and waited for.
        description = self.assert_folded(nn.Sequential(conv, Chomp(3)), 1, [[2, 0]], left=1)
        self.assertEqual([(node["left"], node["right"]) for node in nodes_of(description) if node["type"] == "Pad"], [(0, -1)])

    def test_strides(self) -> None:
        conv = nn.Conv1d(1, 2, 5, padding=4, stride=2)
        self.assert_folded(nn.Sequential(conv, Chomp(1)), 1, [[4, 2]])
        self.assert_folded(nn.Sequential(conv, Chomp(2)), 1, [[4, 0]])
        self.assert_folded(nn.Sequential(nn.Conv1d(1, 2, 5, padding=3, stride=2), Chomp(2)), 1, [[3, 1]], left=1)
        # Through a convolution without padding at the end, to the one before.
        self.assert_folded(nn.Sequential(nn.Conv1d(1, 2, 5, padding=4), nn.Conv1d(2, 2, 3, stride=2), Chomp(2)), 1, [[4, 0], 0])
        self.assert_folded(nn.Sequential(nn.Conv1d(1, 2, 5, padding=4), nn.AvgPool1d(2), Chomp(2)), 1, [[4, 0]])
        for pool in (nn.AvgPool1d(2, padding=1), nn.MaxPool1d(3, 2, ceil_mode=True)):
            self.assert_folded(nn.Sequential(nn.Conv1d(1, 2, 5, padding=4), pool, Chomp(2)), 1, [4], left=1)

    def test_transposed_convolution(self) -> None:
        for up, crop, padding in (
            (nn.ConvTranspose1d(2, 1, 8, 4), 4, [0, 4]), (nn.ConvTranspose1d(2, 1, 4, 2, padding=1), 1, [1, 2]),
            (nn.ConvTranspose1d(2, 1, 4, 2, output_padding=1), 3, [0, 3]), (nn.ConvTranspose1d(2, 1, 3, dilation=2), 4, [0, 4]),
        ):
            self.assert_folded(nn.Sequential(up, Chomp(crop)), 2, [padding])
        self.assert_folded(nn.Sequential(nn.Conv1d(2, 2, 3, padding=2), nn.ConvTranspose1d(2, 1, 2, 2), Chomp(4)), 2,
                           [[2, 0], 0], 0)

    def test_windows(self) -> None:
        net = nn.Sequential(nn.Conv1d(2, 2, 1), nn.GroupNorm(1, 2))
        for layers, paddings, left in (
            ((Windowed(net, 8, 4, (6, 6)), Chomp(1)), [[6, 2]], 0),
            ((Windowed(net, 8, 4, (6, 6)), Chomp(2)), [[6, 2]], 1),
            ((nn.Conv1d(2, 2, 5, padding=4), Windowed(net, 8, 4), Chomp(1)), [[4, 0], 0], 0),
            ((nn.Conv1d(2, 2, 5, padding=4), Snapshotter(2, 8, 2), Chomp(2)), [[4, 0]], 0),
            ((Windowed(net, 8, 4), OverlapAdd(2, 8, 4, normalise=True), Chomp(3)), [0, [0, 3]], 0),
            ((Windowed(net, 8, 4, (4, 4)), OverlapAdd(2, 8, 4, 1), Chomp(5)), [4, [1, 4]], 1),
        ):
            description = self.assert_streamed(nn.Sequential(*layers), 2, range(40, 47))
            nodes = description["layers"]
            self.assertEqual([node["padding"] for node in nodes if "padding" in node], paddings)
            self.assertEqual([node["type"] for node in nodes].count("Pad"), left)

    def test_through_what_looks_at_one_frame(self) -> None:
        for layer in (nn.ReLU(), nn.PReLU(2), nn.BatchNorm1d(2), nn.Dropout(), Snake(2), nn.Softmax(1), nn.GLU(1)):
            self.assert_folded(nn.Sequential(nn.Conv1d(1, 2, 3, padding=2), layer, Chomp(2)), 1, [[2, 0]], 0)
        conv = nn.Conv1d(1, 2, 3, padding=2)
        for function in (
            lambda m, x: (m.conv(x) * m.scale + 1)[..., :-2], lambda m, x: (m.conv(x) + m.conv(x).tanh())[..., :-2],
            lambda m, x: m.fc(m.conv(x).transpose(1, 2)).transpose(1, 2)[..., :-2],
            lambda m, x: m.fc(m.conv(x).transpose(1, 2)[:, :-2]).transpose(1, 2),
        ):
            description = self.assert_streamed(Function(function, conv=conv, scale=nn.Parameter(torch.rand(2, 1)),
                                                        fc=nn.Linear(2, 3)), 1, range(40, 47), 0)
            self.assertNotIn("Pad", [node["type"] for node in nodes_of(description)])

    def test_through_joins(self) -> None:
        def snake(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            return (y + torch.sin(m.alpha * y).pow(2) / m.alpha)[..., :-2]

        def gate(m: nn.Module, x: Tensor) -> Tensor:
            a, b = m.conv(x).chunk(2, 1)
            return (a.tanh() * b.sigmoid())[..., :-2]

        conv = nn.Conv1d(1, 2, 3, padding=2)
        self.assert_folded(Function(snake, conv=conv, alpha=nn.Parameter(torch.rand(2, 1) + 1)), 1, [[2, 0]], 0)
        self.assert_folded(Function(gate, conv=conv), 1, [[2, 0]], 0)
        self.assert_folded(Function(lambda m, x: (m.a(x) + m.b(x))[..., :-4], a=nn.Conv1d(1, 2, 5, padding=4),
                                    b=nn.Conv1d(1, 2, 3, padding=4, dilation=2)), 1, [[4, 0], [4, 0]], 0)
        self.assert_folded(nn.Sequential(Parallel(conv, nn.Conv1d(1, 2, 5, padding=3)), Chomp(2)), 1, [[2, 0], [3, 1]], 1)
        causal = nn.Sequential(nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(2, 2, 3))
        self.assert_folded(nn.Sequential(conv, Residual(causal), Parallel(nn.ReLU(), causal), Chomp(2)), 1,
                           [[2, 0], [2, 0], [2, 0]], 0)
        self.assert_folded(nn.Sequential(conv, Residual(nn.Conv1d(2, 2, 3, padding=1)), Chomp(2)), 1, [2, 1], left=1)
        self.assert_folded(nn.Sequential(Residual(nn.Conv1d(1, 1, 3, padding=2), Chomp(2))), 1, [[2, 0]], 0)
        self.assert_folded(Function(lambda m, x: torch.cat([m.conv(x), m.conv(x)], 1)[..., :-2], conv=conv), 1, [[2, 0]] * 2, 0)

    def test_what_is_used_uncropped_too(self) -> None:
        conv = nn.Conv1d(1, 1, 3, padding=2)
        # The end of the first is used, so nothing can be left out before it.
        def padded(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            return (m.last(y) + y)[..., :-2]

        self.assert_folded(Function(padded, conv=conv, last=nn.Conv1d(1, 1, 5, padding=2)), 1, [2, 2], left=1)

        def both(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            return y[..., 2:] + y[..., :-2]

        self.assert_folded(Function(both, conv=conv), 1, [2], left=2)

        def twice(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            return y[..., 1:-2] + y[..., :-3]

        description = self.assert_folded(Function(twice, conv=conv), 1, [[2, 0]], left=2)
        self.assertEqual([(node["left"], node["right"]) for node in nodes_of(description) if node["type"] == "Pad"],
                         [(-1, 0), (0, -1)])

    def test_temporal_convolutions(self) -> None:
        class Block(nn.Module):
            def __init__(self, inputs: int, channels: int, dilation: int) -> None:
                super().__init__()
                convs = [weight_norm(nn.Conv1d(count, channels, 3, padding=2 * dilation, dilation=dilation))
                         for count in (inputs, channels)]
                self.net = nn.Sequential(convs[0], Chomp(2 * dilation), nn.ReLU(), nn.Dropout(0.2),
                                         convs[1], Chomp(2 * dilation), nn.ReLU(), nn.Dropout(0.2))
                self.down = nn.Conv1d(inputs, channels, 1) if inputs != channels else None
                self.relu = nn.ReLU()

            def forward(self, x: Tensor) -> Tensor:
                return self.relu(self.net(x) + (x if self.down is None else self.down(x)))

        net = nn.Sequential(*(Block(1 if level == 0 else 3, 3, 2 ** level) for level in range(8)))
        description = self.assert_streamed(net, 1, (40, 41, 1101), 0)
        self.assertNotIn("Pad", [node["type"] for node in nodes_of(description)])
        self.assertEqual(delay_of(net.eval(), 1, 90), 0)

    def test_decoder_of_a_codec(self) -> None:
        class Decoder(nn.Module):
            """Causal convolutions, and transposed ones whose end is cut."""

            def __init__(self) -> None:
                super().__init__()
                self.first, self.last = nn.Conv1d(4, 8, 3), nn.Conv1d(2, 1, 3)
                self.ups = nn.ModuleList([nn.ConvTranspose1d(8, 4, 8, 4), nn.ConvTranspose1d(4, 2, 4, 2)])
                self.blocks = nn.ModuleList([nn.Conv1d(4, 4, 3), nn.Conv1d(2, 2, 3)])

            def forward(self, x: Tensor) -> Tensor:
                x = self.first(F.pad(x, (2, 0)))
                for up, block in zip(self.ups, self.blocks):
                    x = up(F.elu(x))
                    x = x[..., :x.shape[-1] - (up.kernel_size[0] - up.stride[0])]
                    x = x + block(F.pad(F.elu(x), (2, 0)))
                return torch.tanh(self.last(F.pad(x, (2, 0))))

        net = Decoder()
        description = self.assert_streamed(net, 4, range(20, 25), 0)
        self.assertEqual(delay_of(net.eval(), 4, 30), 0)
        self.assertEqual([node["padding"] for node in nodes_of(description) if node["type"] == "ConvTranspose1d"],
                         [[0, 4], [0, 2]])
        # The policy "valid" leaves crops as they are, and there is no padding to fold them into.
        description, _ = describe(nn.Sequential(nn.Conv1d(1, 2, 3, padding=2), Chomp(2)), "valid")
        self.assertEqual([(node.get("padding"), node.get("right")) for node in description["layers"]], [(0, None), (None, -2)])

    def test_any_graph_stays_what_it_is(self) -> None:
        draw = random.Random(1)

        def layer(path: str) -> Dict[str, Any]:
            kind = draw.choice(["Conv1d", "ConvTranspose1d", "Crop", "Crop", "Pad", "ReLU", "AvgPool1d", "Sequential"])
            if kind == "Sequential":
                return {"type": kind, "path": path, "layers": [layer(f"{path}.{i}") for i in range(draw.randint(1, 3))]}
            if kind in ("Crop", "Pad"):
                sign = -1 if kind == "Crop" else 1
                fields = {"mode": "replicate"} if kind == "Pad" and draw.random() < 0.5 else {"mode": "constant", "value": 1.0}
                return {"type": "Pad", "path": path, "left": sign * draw.randint(0, 2), "right": sign * draw.randint(0, 4),
                        **fields}
            if kind == "ReLU":
                return {"type": kind, "path": path}
            taps, stride = draw.randint(1, 4), draw.randint(1, 3)
            if kind == "AvgPool1d":
                return {"type": kind, "path": path, "kernel_size": taps, "stride": stride, "padding": 0,
                        "ceil_mode": draw.random() < 0.3, "count_include_pad": True}
            tensors[f"{path}.weight"] = torch.rand(2, 2, taps) - 0.5
            sizes = {"in_channels": 2, "out_channels": 2, "kernel_size": taps, "stride": stride, "groups": 1, "bias": False}
            if kind == "Conv1d":
                padding = [draw.randint(0, 4), draw.randint(0, 6)]
                return {"type": kind, "path": path, **sizes, "padding": padding, "dilation": draw.randint(1, 2)}
            padding = draw.choice([0, 1, [0, 2], [1, 5]])
            return {"type": kind, "path": path, **sizes, "padding": padding, "output_padding": draw.randint(0, stride - 1),
                    "dilation": 1}

        folded = 0
        for _ in range(300):
            tensors: Dict[str, Tensor] = {}
            nodes: List[Dict[str, Any]] = []
            counts = [[60, 61, 62, 63, 97]]
            for i in range(draw.randint(2, 9)):
                source = draw.randint(max(0, i - 2), i)
                if draw.random() < 0.35:
                    alike = [k for k in range(i + 1) if counts[k] == counts[source]]
                    nodes.append({"type": "Reduce", "path": f"{i}", "op": "sum", "from": [source, draw.choice(alike)]})
                    counts.append(counts[source])
                else:
                    nodes.append({**layer(f"{i}"), "from": [source]})
                    counts.append([frames_after(nodes[-1], n) for n in counts[source]])
            for value in range(len(nodes) - 1, 0, -1):  # what leads nowhere goes
                if not any(value in node["from"] for node in nodes):
                    del nodes[value - 1]
                    for node in nodes:
                        node["from"] = [number - (number > value) for number in node["from"]]
            graph = {"type": "Graph", "path": "", "in_channels": 2, "nodes": nodes}
            less = fold_crops(graph)
            self.assertEqual(fold_crops(less), less)
            folded += less != graph
            for frames in (60, 61, 62, 63, 97):
                x = torch.rand(1, 2, frames)
                try:
                    expected = apply_node(graph, tensors, x)
                except (RuntimeError, AssertionError):  # too short for what it does
                    continue
                given = apply_node(less, tensors, x)
                self.assertEqual(given.shape[-1], frames_after(graph, frames))
                torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)
        self.assertGreater(folded, 30)


# --- lengths with every remainder -----------------------------------------------------------------------------------------


class LengthTest(TraceCase):
    def test_ends_where_another_signal_does(self) -> None:
        parts = {"down": nn.Conv1d(1, 4, 8, stride=4, padding=4), "up": nn.ConvTranspose1d(4, 1, 8, stride=4, padding=1)}
        for function in (
            lambda m, x: m.up(torch.relu(m.down(x)))[..., :x.shape[-1]],  # the network's own end
            lambda m, x: m.up(m.down(x))[..., :x.shape[-1]].tanh() * 2 + x,  # that of what it meets
            lambda m, x: m.down(m.up(m.down(x))[..., :x.shape[-1]]),  # before a layer that looks at the end
            lambda m, x: torch.cat([x, m.up(m.down(x)).narrow(2, 0, x.size(2))], 1),
            lambda m, x: m.up(m.down(x))[..., :x.shape[-1]].transpose(1, 2).transpose(1, 2),
        ):
            self.assert_streamed(Function(function, **parts), 1, range(96, 106))

    def test_waveform_unet(self) -> None:
        class WaveUNet(nn.Module):
            """A strided encoder without padding; each skip is cut to what comes up."""

            def __init__(self, levels: int, taps: int, stride: int) -> None:
                super().__init__()
                widths = [1] + [2 ** (level + 1) for level in range(levels)]
                pairs = list(zip(widths, widths[1:]))
                self.down = nn.ModuleList(nn.Conv1d(a, b, taps, stride) for a, b in pairs)
                self.up = nn.ModuleList(nn.ConvTranspose1d(b, a, taps, stride) for a, b in reversed(pairs))

            def forward(self, x: Tensor) -> Tensor:
                skips = []
                for down in self.down:
                    x = torch.relu(down(x))
                    skips.append(x)
                for up in self.up:
                    x = up(x + skips.pop()[..., :x.shape[-1]])
                return x

        for levels, taps, stride in ((2, 8, 4), (3, 8, 2), (3, 16, 8), (4, 4, 2)):
            description = self.assert_streamed(WaveUNet(levels, taps, stride), 1, (*range(1100, 1108), 1196, 1333, 4436))
            self.assertNotIn("Pad", [node["type"] for node in nodes_of(description)])

    def test_hops(self) -> None:
        frames = nn.Conv1d(1, 2, 8, stride=8)
        # What is cut off is less than a hop, which the strided layer does not see anyway.
        description = self.assert_streamed(Function(lambda m, x: m.conv(x[..., :x.shape[-1] // 8 * 8]), conv=frames), 1,
                                           range(96, 106))
        self.assertEqual(self.types(description), ["Conv1d"])
        conv = nn.Conv1d(1, 2, 3, padding=1)
        for hop in (2, 8, 1000):
            self.assert_not_traced(lambda m, x: m.conv(x[..., :x.shape[-1] // hop * hop]), r"where a slice over time ends "
                                                                                           r"depends on "
                                   r"the signal's length: it cuts off \d+ frames of a signal of \d+, \d+ of one of \d+; .*"
                                   r"\(self.assert_not_traced\(.*\)", 1, conv=conv)
            self.assert_not_traced(lambda m, x: m.conv(x)[..., :x.shape[-1] - x.shape[-1] % hop], "ends depends", 1, conv=conv)
            self.assert_not_traced(lambda m, x: m.conv(x)[..., x.shape[-1] % hop:], r"where a slice over time starts depends "
                                                                                    r"on the "
                                   r"signal's length: for signals of \d+ and \d+ frames it is \d+ and \d+", 1, conv=conv)
            description = self.assert_streamed(Function(lambda m, x: F.pad(x, (0, -x.shape[-1] % hop))), 1, range(96, 106))
            self.assertEqual(description["layers"][0]["multiple"], hop)

    def test_centred_crops(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            """As pickers of earthquakes join: the excess of what comes up is left out on both sides."""
            skip = m.enter(x)
            y = m.up(m.down(skip))[:, :, 1:-2]
            start = (y.shape[-1] - skip.shape[-1]) // 2
            return torch.cat([skip, y[:, :, start:start + skip.shape[-1]]], 1)

        parts = {"enter": nn.Conv1d(3, 4, 7, padding=3), "up": nn.ConvTranspose1d(4, 4, 7, 4)}
        parts["down"] = nn.Conv1d(4, 4, 7, 4, padding=3)
        self.assert_not_traced(forward, r"where a slice over time starts depends on the signal's length: .*: Windowed\(net", 3,
                               **parts)
        self.assert_streamed(Windowed(Function(forward, **parts), 61, 20), 3, (61, 100, 130))
        same = Function(lambda m, x: torch.cat([x, m.up(x)[..., (m.up(x).shape[-1] - x.shape[-1]) // 2:][..., :x.shape[-1]]],
                                               1),
                        up=nn.ConvTranspose1d(3, 3, 7, 1))
        self.assert_streamed(same, 3, range(40, 47))  # the same for every length

    def test_lengths_that_are_not_taken(self) -> None:
        down, up = nn.Conv1d(1, 2, 4, 4), nn.ConvTranspose1d(2, 1, 4, 4)
        # Whatever is cut for other lengths, torch takes multiples of 4 only.
        self.assert_streamed(Function(lambda m, x: m.up(m.down(x)) + x, down=down, up=up), 1, (96, 97, 98, 100))
        self.assert_streamed(Function(lambda m, x: (m.up(m.down(x)) + x)[..., x.shape[-1] % 4:], down=down, up=up), 1,
                             (96, 97, 100))
        self.assert_streamed(Function(lambda m, x: F.pad(m.up(m.down(x)) + x, (0, x.shape[-1] % 4)), down=down, up=up), 1,
                             (96, 97, 100))

    def test_long_cycles(self) -> None:
        class Deep(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.down = nn.ModuleList(nn.Conv1d(1, 1, 4, 4, padding=1) for _ in range(6))
                self.up = nn.ModuleList(nn.ConvTranspose1d(1, 1, 4, 4) for _ in range(6))

            def forward(self, x: Tensor) -> Tensor:
                skips = [x]
                for down in self.down:
                    skips.append(down(skips[-1]))
                y = skips.pop()
                for up in self.up:
                    skip = skips.pop()
                    y = up(y)[..., :skip.shape[-1]] + skip[..., :4 * y.shape[-1]]
                return y

        self.assert_streamed(Deep(), 1, (4096, 8191, 8193, 9999))

    def test_residual(self) -> None:
        longer = Function(lambda m, x: m.conv(x), conv=nn.Conv1d(2, 2, 3, padding=2))
        self.assert_refused(Residual(longer), r"^<root> \(Residual\): its net makes its input 2 samples longer")
        strided = Function(lambda m, x: m.conv(x).repeat_interleave(2, -1), conv=nn.Conv1d(2, 2, 3, stride=2, padding=1))
        self.assert_refused(Residual(strided), r"^<root> \(Residual\): has a stride in its net")
        self.assert_streamed(Residual(nn.Conv1d(2, 2, 3), Function(lambda m, x: x[..., 2:-1])), 2, range(40, 47))

    def test_parallel(self) -> None:
        fitting = Parallel(nn.Conv1d(1, 2, 3, stride=4), nn.Conv1d(1, 2, 11, stride=4))
        self.assert_streamed(fitting, 1, range(96, 106))
        self.assert_refused(Parallel(nn.Conv1d(1, 2, 3, stride=4), nn.Conv1d(1, 2, 10, stride=4)),
                            r"^<root> \(Parallel\): leaves out \(0, 0\) frames at the start of its branches for some lengths")
        self.assert_refused(nn.Sequential(nn.ReLU(), Parallel(nn.Conv1d(1, 2, 3), nn.Conv1d(1, 2, 3, stride=2))),
                            r"^1 \(Parallel\): has branches of different rates, 1/2 and 1 frames")


# --- what is refused ------------------------------------------------------------------------------------------------------


class RefusalTest(TraceCase):
    def test_whole_signal(self) -> None:
        for function in (
            lambda m, x: F.softmax(x, dim=-1), lambda m, x: x.mean(-1, keepdim=True) + x,
            lambda m, x: F.group_norm(x, 1), lambda m, x: F.adaptive_avg_pool1d(x, 1), lambda m, x: x.flip(-1),
            lambda m, x: torch.logcumsumexp(x, -1), lambda m, x: torch.matmul(x, x.transpose(1, 2)), lambda m, x: F.glu(x),
            lambda m, x: m.norm(x),
        ):
            with self.assertRaisesRegex(ExportError, r"needs the whole signal.*: Windowed\(net, size, stride\)"):
                describe(Function(function, norm=nn.GroupNorm(1, 2)), inputs=[2])

    def test_over_the_channels(self) -> None:
        """That time is not the reason, if it is not."""
        for function in (
            lambda m, x: x.flip(1), lambda m, x: torch.flip(x, [-2]), lambda m, x: x.norm(dim=1, keepdim=True),
            lambda m, x: torch.norm(x, 2, 1, True), lambda m, x: F.normalize(x), lambda m, x: torch.linalg.norm(x, dim=1,
                                                                                                                keepdim=True),
            lambda m, x: x.cumsum(1), lambda m, x: x.argmax(1, True).float(), lambda m, x: x.roll(1, 1), lambda m, x: torch.roll(x, 1, dims=(1,)), lambda m, x: x.prod(1, True),
            lambda m, x: x.norm(1, 1, True), lambda m, x: x.logsumexp(1, True), lambda m, x: x.amax(1, True), lambda m, x: x.min(1, True)[0],
        ):
            self.assert_traced(Function(function), 3)
        for function in (
            lambda m, x: x.sort(1)[0], lambda m, x: x.sort(dim=-2)[0], lambda m, x: torch.fft.fft(x, dim=1).real,
        ):
            self.assert_not_traced(function, r"over the \d+ channels is not supported|real is not supported")
        for function in (lambda m, x: x.flip(0), lambda m, x: x / x.norm(), lambda m, x: x.roll(1), lambda m, x: x.flip(0, 2),
                         lambda m, x: x - x.mean(0, keepdim=True), lambda m, x: x.softmax(0)):
            self.assert_not_traced(function, "over (the batch|all axes): that mixes what does not belong together")
        for function in (lambda m, x: x.flip(1, 2), lambda m, x: x.norm(dim=(1, 2), keepdim=True), lambda m, x: x.roll(1, -1),
                         lambda m, x: x.sort()[0], lambda m, x: torch.fft.rfft(x), lambda m, x: F.normalize(x, dim=2)):
            self.assert_not_traced(function, "needs the whole signal")
        for function in (lambda m, x: m.w @ x, lambda m, x: torch.matmul(m.w, x), lambda m, x: (x.transpose(1, 2) @ m.w).mT,
                         lambda m, x: torch.einsum("oi,bit->bot", m.w, x), lambda m, x: torch.einsum("bct,cd->bdt", x, m.w)):
            self.assert_traced(Function(function, w=nn.Parameter(torch.rand(2, 2))), 2)
        self.assert_traced(Function(lambda m, x: F.conv1d(x, m.w[:, :, None]), w=nn.Parameter(torch.rand(3, 2))), 2)
        self.assert_traced(Function(lambda m, x: x / x.square().sum(1, keepdim=True).sqrt()), 2)
        self.assert_traced(Function(lambda m, x: torch.cat([x[:, 1:], x[:, :1]], 1)), 2)

    def test_shapes_are_unpacked(self) -> None:
        def shape(m: nn.Module, x: Tensor) -> Tensor:
            batch, channels, frames = x.shape
            return m.conv(x)[..., :frames] * channels

        def size(m: nn.Module, x: Tensor) -> Tensor:
            (_, channels, _), frames = x.size(), x.mT.shape[1]
            return m.conv(x)[..., :frames] * channels

        for function in (shape, size):
            self.assert_traced(Function(function, conv=nn.Conv1d(2, 2, 3, padding=2)), 2)

    def test_numbers_by_length(self) -> None:
        """They are named as what they are."""
        for function, pattern in (
            (lambda m, x: x * (1 / x.shape[-1]), "cannot be combined with a signal"),
            (lambda m, x: F.pad(x, (0, 200000 - x.shape[-1])), "pads by .*how long a stream will be is not known"),
            (lambda m, x: x.clamp(0, 1 / x.shape[-1]), "only numbers can bound"),
            (lambda m, x: F.leaky_relu(x, 1 / x.shape[-1]), "leaky_relu takes numbers"),
        ):
            self.assert_not_traced(function, "a number that depends on the signal's length")
            self.assert_not_traced(function, pattern)
        self.assert_not_traced(lambda m, x: x * x.shape[0], "the size of the batch cannot be combined")
        for function in (lambda m, x: x * x.shape[-1], lambda m, x: x * x.shape[0], lambda m, x: x.split(x.shape[-1], 1)[0],
                         lambda m, x: x.max(-1), lambda m, x: x.repeat_interleave(x.shape[-1], dim=2)):
            with self.assertRaisesRegex(ExportError, r"^((?!_Number|_Value|_Batch|_Extreme|<built).)*$"):
                describe(Function(function), inputs=[2])

    def test_the_culprit_is_named(self) -> None:
        """The innermost module whose forward is not understood, and that its class can be registered."""
        class Branching(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x if x.sum() > 0 else -x

        class Unknown(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return torch.erfinv(x)

        for module, pattern in ((Branching(), "decides by the values of the signal.*if x.sum"),
                                (Unknown(), "erfinv is not supported.*erfinv.*; .*register\\(\\)$")):
            name = type(module).__name__
            for net, path in ((module, "<root>"), (nn.Sequential(nn.Conv1d(2, 2, 1), nn.Sequential(nn.ReLU(), module)), "1.1"),
                              (Function(lambda m, x: m.inner(x) + x, inner=nn.Sequential(module)), "inner.0")):
                with self.assertRaisesRegex(ExportError, rf"^{path} \({name}\): .*{pattern}"):
                    describe(net, inputs=[2])
        for function in (lambda m, x: x.nosuch(), lambda m, x: x + "a"):
            with self.assertRaisesRegex(ExportError, "how many channels.*it does not run for 3: |its forward fails"):
                describe(Function(function))
        class Fails(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                raise RuntimeError("no such luck")

        with self.assertRaisesRegex(ExportError, r"^<root> \(Windowed\): how many channels.*: no such luck\)$"):
            describe(eigenstream_export.Windowed(Fails(), 8, 4))

    def test_time_by_length(self) -> None:
        self.assert_not_traced(lambda m, x: x[..., :100], "where a slice over time ends depends on the signal's length")
        self.assert_not_traced(lambda m, x: x[..., -100:], "where a slice over time starts depends on the signal's length")
        self.assert_not_traced(lambda m, x: x[..., x.size(-1) // 2:], "starts depends on the signal's length")
        self.assert_not_traced(lambda m, x: x * x.size(-1), "cannot be combined with a signal")
        self.assert_not_traced(lambda m, x: x * x.size(0), "cannot be combined with a signal")
        self.assert_not_traced(lambda m, x: x[..., : x.size(0) + 3], "size of the batch")
        self.assert_not_traced(lambda m, x: x + 1 if x.sum() > 0 else x, "decides by the values of the signal")
        self.assert_traced(Function(lambda m, x: x * 2 if x.size(-1) > 5 else -x), 2)
        self.assert_not_traced(lambda m, x: x * 2 if x.size(-1) > 200 else -x, "does not do the same for signals of 192 and "
                                                                               "288 frames")

    def test_shapes(self) -> None:
        self.assert_not_traced(lambda m, x: x.view(x.size(0), -1), "mixes time and channels: it needs the whole signal")
        self.assert_not_traced(lambda m, x: x[0], "the index 0 takes an axis away, the batch")
        self.assert_not_traced(lambda m, x: x[:, :, 0], r"the index 0 takes an axis away, the time; .*Windowed\(net, size, "
                                                        r"stride\)")
        self.assert_not_traced(lambda m, x: x[1:], "slice.*over the batch")
        self.assert_not_traced(lambda m, x: torch.cat([x, x], -1), "concatenates over the time, only over channels")
        self.assert_not_traced(lambda m, x: x.chunk(2, -1)[0], "chunk over the time")
        self.assert_not_traced(lambda m, x: sum(x.unbind(2)), "neither a loop over frames|takes the time apart")
        self.assert_not_traced(lambda m, x: F.pad(x, (1, 1), mode="circular"), "padding mode 'circular'")
        self.assert_not_traced(lambda m, x: x[:, :1] + torch.rand(3, 1) * 0 + x + torch.rand(2, 1, 1),
                               "3 channels meet|forward fails")
        self.assert_not_traced(lambda m, x: F.dropout(x), "training=self.training")
        self.assert_not_traced(lambda m, x: x / 0, "divides by 0")
        self.assert_not_traced(lambda m, x: torch.erfinv(x), r"erfinv is not supported")
        self.assert_not_traced(lambda m, x: F.interpolate(x, scale_factor=1.5, mode="linear"), "'nearest' and 'linear' by such")
        self.assert_not_traced(lambda m, x: x.squeeze(), "takes away every axis with one entry")
        self.assert_not_traced(lambda m, x: x + torch.linspace(0, 1, x.shape[-1]), "values depend on the place in time")
        for function in (
            lambda m, x: torch.stack([x, -x], 1).flatten(1, 2), lambda m, x: torch.stack([x, -x], 2).view(x.shape[0], -1,
                                                                                                          x.shape[-1]),
            lambda m, x: F.pad(x, (1, 1, 1, 0)), lambda m, x: x[:, :1] + torch.ones(2, 1), lambda m, x: (x + 2) ** 1.5,
            lambda m, x: x.mean(1).unsqueeze(1), lambda m, x: x[:, 0].unsqueeze(1) * x, lambda m, x: x[:, None].expand(-1, 3, -1, -1).sum(1),
            lambda m, x: x.view(x.shape[0], 2, 2, -1).transpose(1, 2).reshape(x.shape), lambda m, x: x.unbind(1)[2][:, None],
            lambda m, x: x.repeat(1, 2, 1) * torch.arange(8.0)[:, None], lambda m, x: x[:, [3, 0, 1]], lambda m, x: x.movedim(1, 2).mT,
            lambda m, x: x.index_select(1, torch.tensor([2, 2, 0])), lambda m, x: x.repeat_interleave(2, 1), lambda m, x: x[:, ::2],
            lambda m, x: torch.where(x > 0, x,
                                     0.2 * x), lambda m, x: x * (x > 0.1).float() + torch.sign(x), lambda m, x: x.flip(1)[:, 1:],
            lambda m, x: x.masked_fill(x < 0, -1.0), lambda m, x: torch.logical_and(x > -0.5, x <= 0.5) * x + (x != x[:, :1]),
            lambda m, x: torch.einsum("bgct,gco->bgot", x.view(x.shape[0], 2, 2, -1), m.w).flatten(1, 2),
            lambda m, x: torch.cat([x, torch.ones(x.shape[0], 1, x.shape[-1])], 1), lambda m, x: x.view(x.shape[0], 2, 2,
                                                                                                        -1).softmax(2).flatten(1, 2),
            lambda m, x: torch.log10(x.abs() + 1) + torch.log1p(x.abs()) + torch.sinh(x), lambda m, x: x.unfold(-1, 4, 2).permute(0, 1, 3, 2).flatten(1, 2),
            lambda m, x: x.reshape(x.shape[0],
                                   4, -1, 4).permute(0, 3, 1, 2).flatten(1, 2), lambda m, x: x.clamp(min=m.w[0, :, :1] - 0.5)
            if x.shape[1] == 2 else x.clamp(-0.25, 0.25), lambda m, x: 2 ** x + torch.exp2(x) + torch.tan(x),
        ):
            self.assert_traced(Function(function, w=nn.Parameter(torch.rand(2, 2, 3))), 4)
        flat = Function(lambda m, x: m.conv(x).squeeze(1), conv=nn.Conv1d(2, 1, 3))  # the file has one channel
        self.assertEqual(self.types(describe(flat)[0]), ["Conv1d"])

    def test_outputs(self) -> None:
        self.assert_not_traced(lambda m, x: (), "gives an empty tuple")
        self.assert_not_traced(lambda m, x: x.size(-1), "gives a number, not one signal")
        self.assert_not_traced(lambda m, x: m.a(x) + m.b(x), "its forward fails for signals of",
                               a=nn.Conv1d(2, 2, 3), b=nn.Conv1d(2, 2, 2))

    def test_channels_that_can_be_seen(self) -> None:
        scaled = Function(lambda m, x: x * m.scale, scale=nn.Parameter(torch.rand(3, 1)))
        self.assertEqual(describe(scaled)[0]["layers"][0]["channels"], 3)
        dense = Function(lambda m, x: torch.cat([x, m.a(torch.cat([x, x], 1))], 1), a=nn.Conv1d(4, 2, 1))
        self.assertEqual(describe(dense)[0]["in_channels"], 2)
        inside = nn.Sequential(nn.Conv1d(2, 4, 1), Residual(Function(lambda m, x: x.tanh() * 2)),
                               Parallel(Function(lambda m, x: x[:, :1]), Function(lambda m, x: x + 1), reduce="concat"))
        self.assert_traced(inside, 2)
        describe(inside)

    def test_inputs(self) -> None:
        net = Function(lambda m, x: x + 1)
        self.assert_refused(net, r"how many channels its input x has cannot be seen; say it, as in inputs=\[2\]")
        for inputs in ([], [0], [1.5], "2"):
            with self.assertRaisesRegex(ExportError, "inputs is .*, must be the channels of each input"):
                describe(net, inputs=inputs)
        with self.assertRaisesRegex(ExportError, "takes 1 signals, but inputs gives the channels of 2"):
            describe(net, inputs=[1, 2])
        with self.assertRaisesRegex(ExportError, "takes one signal, but inputs gives the channels of 2"):
            describe(nn.Sequential(nn.ReLU()), inputs=[1, 2])

        class Many(nn.Module):
            def forward(self, *xs: Tensor) -> Tensor:
                return xs[0]

        self.assert_refused(Many(), "how many channels its input input has cannot be seen")
        self.assertEqual(describe(Many(), inputs=[2])[0]["layers"], [])

    def test_what_a_trace_does_not_show(self) -> None:
        class Counting(nn.Module):
            """Behaves differently each time it is called, which no trace can show."""

            def __init__(self) -> None:
                super().__init__()
                self.calls = 0

            def forward(self, x: Tensor) -> Tensor:
                self.calls += 1
                return x * self.calls

        with self.assertRaisesRegex(ExportError, r"does something else each time it is called: .*\(return x \* self.calls\)"):
            describe(Counting(), inputs=[2])
        with mock.patch.dict(HANDLERS, tanh=HANDLERS["sin"]):  # whatever goes wrong
            with self.assertRaisesRegex(ExportError, r"^<root> \(Function\): what would be written differs from the module by "
                                                     r"0\.\d+ of"):
                describe(Function(lambda m, x: x.tanh()), inputs=[2])
            describe(Function(lambda m, x: x.tanh()), inputs=[2], check=False)

    def test_the_line_is_named(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            y = x + 1
            return torch.flip(y, (2,))

        with self.assertRaisesRegex(ExportError, r"\(return torch.flip\(y, \(2,\)\)\)"):
            describe(Function(forward), inputs=[2])


# --- recurrent layers over a stream -----------------------------------------------------------------------------------


class RecurrentStreamTest(TraceCase):
    LAYERS = (
        (nn.RNN, {}), (nn.RNN, {"nonlinearity": "relu", "num_layers": 2}), (nn.RNN, {"bias": False}),
        (nn.GRU, {}), (nn.GRU, {"bias": False, "num_layers": 3, "dropout": 0.5}),
        (nn.LSTM, {}), (nn.LSTM, {"bias": False, "num_layers": 2}), (nn.LSTM, {"proj_size": 2}),
        (nn.LSTM, {"proj_size": 1, "num_layers": 2, "dropout": 0.2}),
    )

    def layers(self, inputs: int = 4, hidden: int = 3, **options: Any) -> Dict[str, nn.Module]:
        """Of each kind one that takes (B, T, C), and one that takes (T, B, C)."""
        return {f"{cls.__name__.lower()}{'' if first else '_t'}": cls(inputs, hidden, batch_first=first, **options)
                for cls in (nn.RNN, nn.GRU, nn.LSTM) for first in (True, False)}

    def assert_both(self, module: nn.Module, channels: int, delay: Optional[int] = None,
                    lengths: Any = (1, 2, 23, 64)) -> Dict[str, Any]:
        self.assert_traced(module, channels)
        return self.assert_streamed(module, channels, lengths, delay)

    def test_modules(self) -> None:
        for cls, options in self.LAYERS:
            for first in (False, True):
                with self.subTest(cls=cls, options=options, batch_first=first):
                    net = nn.Sequential(nn.Conv1d(2, 4, 1), Recurrent(cls(4, 3, batch_first=first, **options)))
                    fields = {"type": cls.__name__, "path": "1.module", "input_size": 4, "hidden_size": 3, "num_layers": 1,
                              "bias": True, "bidirectional": False, "initial_state": False,
                              **({"nonlinearity": "tanh"} if cls is nn.RNN else {}),
                              **({"proj_size": 0} if cls is nn.LSTM else {}), **options}
                    fields.pop("dropout", None)
                    self.assertEqual(self.assert_both(net, 2, 0)["layers"][1], fields)
                    self.assertEqual(describe(net[1])[1].keys(), {f"module.{name}" for name in net[1].module.state_dict()})

    def test_forwards(self) -> None:
        def unpacked(m: nn.Module, x: Tensor) -> Tensor:
            y, _ = m.gru(x.transpose(1, 2))
            return y.transpose(1, 2)

        def taken_apart(m: nn.Module, x: Tensor) -> Tensor:
            m.lstm.flatten_parameters()
            out, (h, c) = m.lstm(x.permute(0, 2, 1), None)
            return out.permute(0, 2, 1)

        def time_first(m: nn.Module, x: Tensor) -> Tensor:
            out, (_, _) = m.lstm_t(x.permute(2, 0, 1))
            return out.permute(1, 2, 0)

        for function, kinds in (
            (unpacked, ["GRU"]), (taken_apart, ["LSTM"]), (time_first, ["LSTM"]),
            (lambda m, x: m.rnn(x.mT)[0].mT, ["RNN"]), (lambda m, x: m.rnn(input=x.mT, hx=None)[0].mT, ["RNN"]),
            (lambda m, x: m.gru_t(x.transpose(1, 2).transpose(0, 1))[0].transpose(0, 1).transpose(1, 2), ["GRU"]),
            (lambda m, x: m.rnn_t(x.permute(2, 0, 1))[0].relu().permute(1, 2, 0), ["RNN", "ReLU"]),
            (lambda m, x: m.fc(m.gru_t(x.permute(2, 0, 1))[0]).permute(1, 2, 0), ["GRU", "Linear"]),
            (lambda m, x: m.norm(m.drop(m.gru_t(x.permute(2, 0, 1))[0])).softmax(-1).permute(1, 2, 0),
             ["GRU", "LayerNorm", "Softmax"]),
            (lambda m, x: m.gru_t(F.layer_norm(x.permute(2, 0, 1), (4,)))[0].permute(1, 2, 0), ["LayerNorm", "GRU"]),
            (lambda m, x: (m.gru_t(x.permute(2, 0, 1))[0] * m.scale)[:, :, 1:].permute(1, 2, 0),
             ["GRU", "Affine", "ChannelSlice"]),
            (lambda m, x: m.gru_t(x.permute(2, 0, 1))[0][2:-3].permute(1, 2, 0), ["GRU", "Pad"]),
            (lambda m, x: torch.cat([m.gru(x.mT)[0], m.lstm(x.mT)[0]], -1).mT, ["GRU", "LSTM", "Reduce"]),
            (lambda m, x: (m.gru_t(x.permute(2, 0, 1))[0] + m.rnn_t(x.permute(2, 0, 1))[0]).permute(1, 2, 0),
             ["GRU", "RNN", "Reduce"]),
            (lambda m, x: x[:, :3] + m.gru(x.mT)[0].mT, None),
        ):
            options = {"num_layers": 2, "bias": False, "dropout": 0.3} if kinds is None or len(kinds) < 2 else {}
            with self.subTest(kinds=kinds):
                net = Function(function, **self.layers(**options), fc=nn.Linear(3, 2), norm=nn.LayerNorm(3), drop=nn.Dropout(),
                               scale=nn.Parameter(torch.rand(3)))
                description = self.assert_both(net, 4, lengths=(7, 23))
                self.assertEqual(self.types(description), kinds or self.types(description))

    def test_states_to_begin_with(self) -> None:
        def zeros(m: nn.Module, x: Tensor) -> Tensor:
            h = torch.zeros(1, x.size(0), 3, device=x.device, dtype=x.dtype)
            return m.gru(x.mT, h)[0].mT

        def hidden(m: nn.Module, batch: int) -> Any:
            weight = next(m.lstm.parameters()).data
            return weight.new(1, batch, 3).zero_(), weight.new_zeros((1, batch, 3))

        def by_hand(m: nn.Module, x: Tensor) -> Tensor:
            y, (h, c) = m.lstm(x.mT, hidden(m, x.shape[0]))
            return y.mT

        def repeated(m: nn.Module, x: Tensor) -> Tensor:
            batch, _, _ = x.shape
            return m.gru(x.mT, torch.tanh(m.start).unsqueeze(1).repeat(1, batch, 1).contiguous())[0].mT

        def both(m: nn.Module, x: Tensor) -> Tensor:
            y = F.relu(x)
            h, c = m.start[:, None].expand(-1, y.size(0), -1), torch.full((1, y.size(0), 3), 0.5)
            return m.lstm_t(y.permute(2, 0, 1), (h, c))[0].permute(1, 2, 0)

        for function, kept in (
            (zeros, False), (by_hand, False), (lambda m, x: m.rnn(x.mT, x.new_zeros(1, x.size(0), 3))[0].mT, False),
            (lambda m, x: m.gru(x.mT, torch.zeros(1, 1, 3).expand(1, x.shape[0], 3).to(x.device))[0].mT, False),
            (lambda m, x: m.rnn_t(x.permute(2, 0, 1), hx=m.begin.expand(-1, x.size(0), -1))[0].permute(1, 2, 0), True),
            (repeated, True), (both, True), (lambda m, x: m.gru(x.mT, torch.ones(1, x.size(0), 3) * 2 - 0.5)[0].mT, True),
            (lambda m, x: m.rnn(x.mT, m.begin.expand(1, len(m.begin[0]) * x.size(0), 3))[0].mT, True),
        ):
            net = Function(function, **self.layers(), start=nn.Parameter(torch.rand(1, 3)))
            net.register_buffer("begin", torch.rand(1, 1, 3))
            description = self.assert_both(net, 4, 0)
            (node,) = (each for each in nodes_of(description) if "initial_state" in each)
            self.assertEqual(node["initial_state"], kept)
        # Of several layers; one that is used twice begins twice; in double precision too.
        deep = Function(lambda m, x: m.lstm(x.mT, (m.h.expand(-1, x.size(0), -1), m.c.expand(-1, x.size(0), -1)))[0].mT,
                        lstm=nn.LSTM(2, 4, 3, batch_first=True, proj_size=2), h=nn.Parameter(torch.rand(3, 1, 2)),
                        c=torch.rand(3, 1, 4))
        self.assert_both(deep, 2)
        self.assertEqual(describe(deep, inputs=[2])[1]["lstm.h0"].shape, (3, 2))

        def twice(m: nn.Module, x: Tensor) -> Tensor:
            y, _ = m.gru(x.mT, m.h.expand(-1, x.size(0), -1))
            return m.gru(y)[0].mT

        net = Function(twice, gru=nn.GRU(3, 3, batch_first=True), h=nn.Parameter(torch.rand(1, 1, 3)))
        self.assertEqual([node["initial_state"] for node in self.assert_both(net, 3)["layers"]], [True, False])
        self.assertEqual(describe(net.double(), inputs=[3])[1]["gru.h0"].dtype, torch.float32)

    def test_networks(self) -> None:
        class Enhancer(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.down, self.up = nn.Conv1d(1, 4, 4, stride=2, padding=1), nn.ConvTranspose1d(5, 1, 4, stride=2, padding=1)
                self.gru, self.norm = nn.GRU(4, 5, num_layers=2, batch_first=True, dropout=0.1), nn.LayerNorm(5)

            def forward(self, x: Tensor) -> Tensor:
                y, _ = self.gru(torch.relu(self.down(x)).transpose(1, 2))
                return self.up(self.norm(y).transpose(1, 2)) * x

        class Block(nn.Module):
            def __init__(self, channels: int) -> None:
                super().__init__()
                self.rnn, self.fc = nn.LSTM(channels, 5, batch_first=True), nn.Linear(5, channels)

            def forward(self, x: Tensor) -> Tensor:
                y, _ = self.rnn(x.transpose(1, 2))
                return x + self.fc(y).transpose(1, 2)

        self.assert_both(Enhancer(), 1, lengths=(2, 24, 64))
        self.assert_both(nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), Block(3), nn.ReLU(), Block(3), nn.Conv1d(3, 1, 2)), 2,
                         lengths=(5, 64))
        self.assert_both(nn.Sequential(Residual(Recurrent(nn.GRU(3, 3)), nn.Conv1d(3, 3, 3))), 3, 2, (3, 4, 64))
        self.assert_both(Parallel(Recurrent(nn.RNN(3, 2)), nn.Conv1d(3, 4, 3, padding=1), reduce="concat"), 3, 1)
        self.assert_both(nn.Sequential(Residual(Recurrent(nn.LSTM(3, 5, proj_size=3))), Recurrent(nn.GRU(3, 2)),
                                       nn.Conv1d(2, 2, 5, 2)), 3,
                         lengths=(9, 64))
        two = Function(lambda m, x: m.mix(torch.cat([m.a(x.mT)[0].mT, m.b(m.conv(x).mT)[0].mT], 1)),
                       a=nn.GRU(2, 3, batch_first=True),
                       b=nn.GRU(4, 3, batch_first=True), conv=nn.Conv1d(2, 4, 5, padding=2), mix=nn.Conv1d(6, 1, 1))
        self.assert_both(two, 2, 2)
        self.assertEqual(describe(nn.Sequential(nn.ReLU(), Recurrent(nn.GRU(7, 2))))[0]["layers"][1]["input_size"], 7)
        mixed = nn.Sequential(Recurrent(nn.GRU(2, 3)), Windowed(Recurrent(nn.GRU(3, 2, bidirectional=True)), 6, 6),
                              OverlapAdd(4, 6, 6))
        self.assert_both(mixed, 2, lengths=(6, 24))

    def test_crops(self) -> None:
        """A crop at the end passes through a recurrent layer, which looks back only; one at the start does not."""
        net = Function(lambda m, x: m.b(F.relu(m.gru(m.a(x).mT)[0].mT))[..., :-6], a=nn.Conv1d(2, 3, 3, padding=4, dilation=2),
                       gru=nn.GRU(3, 3, batch_first=True), b=nn.Conv1d(3, 2, 3, padding=2))
        description = self.assert_both(net, 2, 0, (1, 5, 64))
        self.assertEqual(self.types(description), ["Conv1d", "GRU", "ReLU", "Conv1d"])
        self.assertEqual([description["layers"][i]["padding"] for i in (0, 3)], [[4, 0], [2, 0]])
        net = Function(lambda m, x: m.gru(m.a(x).mT)[0][:, 4:].mT, a=nn.Conv1d(2, 3, 5, padding=4),
                       gru=nn.LSTM(3, 3, batch_first=True))
        description = self.assert_both(net, 2)
        self.assertEqual([(node["type"], node.get("padding"), node.get("left")) for node in description["layers"]],
                         [("Conv1d", 4, None), ("LSTM", None, None), ("Pad", None, -4)])
        net = Function(lambda m, x: (m.gru(m.a(x).mT)[0].mT + m.a(x))[..., :-4], a=nn.Conv1d(2, 3, 5, padding=4),
                       gru=nn.GRU(3, 3, batch_first=True))
        description = self.assert_both(net, 2, 0)
        self.assertEqual([node.get("padding") for node in description["nodes"]], [[4, 0], None, [4, 0], None])
        # The frames that are cut off were part of what the other one has seen.
        net = Function(lambda m, x: m.gru(x.mT)[0].mT[..., 3:] + m.gru(x[..., 3:].mT)[0].mT, gru=nn.RNN(2, 2, batch_first=True))
        self.assert_both(net, 2, lengths=(4, 30))
        # Where another signal ends.
        net = Function(lambda m, x: m.gru(F.pad(x, (0, 5)).mT)[0].mT[..., :x.shape[-1]] * x, gru=nn.GRU(2, 2, batch_first=True))
        self.assert_both(net, 2)

    def test_valid_padding(self) -> None:
        net = nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), Recurrent(nn.GRU(3, 3)), nn.Conv1d(3, 1, 3, padding=1))
        traced = Function(lambda m, x: m.net(x), net=net)
        for module, path in ((net, ""), (traced, "net.")):
            description, _ = describe(module, "valid", inputs=[2])
            layers = [node for node in nodes_of(description)]
            self.assertEqual([(node["type"], node.get("padding")) for node in layers],
                             [("Conv1d", 0), ("GRU", None), ("Conv1d", 0)])
            self.assertEqual(layers[1]["path"], f"{path}1.module")

    def test_subclasses_and_weight_norm(self) -> None:
        class Small(nn.GRU):
            def __init__(self) -> None:
                super().__init__(4, 3, batch_first=True)

        class Wrapping(nn.GRU):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(x.transpose(1, 2))[0].transpose(1, 2)

        self.assert_both(Function(lambda m, x: m.small(x.mT)[0].mT, small=Small()), 4)
        self.assert_both(nn.Sequential(Wrapping(2, 3, batch_first=True)), 2)
        self.assert_both(nn.Sequential(Recurrent(weight_norm(nn.LSTM(4, 3), "weight_hh_l0"))), 4)

    def test_refusals(self) -> None:
        def state(m: nn.Module, x: Tensor) -> Tensor:
            y, h = m.gru(x.mT)
            return y.mT + h[-1].unsqueeze(-1)

        def cell(m: nn.Module, x: Tensor) -> Tensor:
            _, (h, c) = m.lstm(x.mT)
            return c[0]

        def into_the_next(m: nn.Module, x: Tensor) -> Tensor:
            y, h = m.gru(x.mT)
            return m.next(y, h)[0].mT

        ends = r"uses the state that \w+ ends with, but a stream has no end to wait for, .* inside a Windowed\(net, size, stride\)"
        same = "gets a state to begin with that is not the same for all signals; only zeros, or a parameter or buffer"
        for function, pattern in (
            (state, rf"{ends} \(y, h = m.gru\(x.mT\)\)$"), (cell, ends), (lambda m, x: m.gru(x.mT)[1][-1], ends),
            (lambda m, x: (m.gru(x.mT)[0].mT, m.gru(x.mT)[1]), "uses the state that"),
            (lambda m, x: m.gru(x.mT), "uses the state that"),
            (into_the_next, ends), (lambda m, x: m.gru(x.mT, x.mean(-1)[None, :, :3])[0].mT, "mean over the time: it needs the "
                                                                                             "whole"),
            (lambda m, x: m.rnn(x.mT, torch.randn(1, x.size(0), 3))[0].mT, "makes something random, .*torch.randn"),
            (lambda m, x: m.rnn(x.mT, torch.zeros(1, x.size(0), 3) + x.shape[-1])[0].mT, f"rnn {same}"),
            (lambda m, x: m.rnn(x.mT, torch.arange(x.size(0)).float().reshape(1, -1, 1).repeat(1, 1, 3))[0].mT, f"rnn {same}"),
            (lambda m, x: m.rnn(x.mT, torch.full((1, x.size(0), 3), math.inf))[0].mT, "rnn gets a state to begin with that is "
                                                                                      "not finite"),
            (lambda m, x: m.gru_t(x.mT)[0].mT, r"gru_t takes \(time, batch, channels\), but gets \(batch, time, channels\), so "
                                               r"it would "
             "mix what does not belong together; permute it, or batch_first=True"),
            (lambda m, x: m.gru(x.permute(2, 0, 1))[0].permute(1, 2, 0),
             r"gru takes \(batch, time, channels\), but gets \(time, batch, channels\)"),
            (lambda m, x: m.gru_t(x.permute(2, 0, 1))[0][-1], "takes an axis away"),
            (lambda m, x: m.gru_t(x.permute(2, 0, 1))[0] + m.gru(x.mT)[0], "the batch at different places"),
            (lambda m, x: m.gru(x.mT)[0][:, -1], r"takes an axis away.*: Windowed\(net, size, stride\)"),
            (lambda m, x: m.gru(x)[0], r"forward fails .* it runs for \(batch, frames, channels\), but a signal is .* "
                                       r"transpose it"),
            (lambda m, x: m.gru(x.mT)[0].mean(1), "needs the whole signal"),
            (lambda m, x: m.conv(x.permute(1, 0, 2)).permute(1, 0, 2), "forward fails.*to have 1 channels"),
            (lambda m, x: F.conv1d(x.permute(1, 0, 2), m.conv.weight).permute(1, 0, 2), "forward fails.*to have 1 channels"),
            (lambda m, x: m.slopes(x.permute(2, 0, 1)).permute(1, 2, 0), "PReLU takes axis 1|forward fails"),
        ):
            conv = nn.Conv1d(1, 4, 1)
            with self.subTest(pattern=pattern):
                self.assert_not_traced(function, f"({pattern})", 4, **self.layers(), next=nn.GRU(3, 3, batch_first=True),
                                       conv=conv,
                                       slopes=nn.PReLU(4))

    def test_states_kept_from_call_to_call(self) -> None:
        """Of what a forward stores nothing but itself may depend on it; the module stays as it was."""
        class Kept(nn.Module):
            def __init__(self, used: bool) -> None:
                super().__init__()
                self.gru, self.used, self.state = nn.GRU(2, 3, batch_first=True), used, None

            def forward(self, x: Tensor) -> Tensor:
                y, self.state = self.gru(x.mT, self.state if self.used else None)
                return y.mT

        self.assert_traced(Kept(False), 2)
        net = Kept(True)
        with self.assertRaisesRegex(ExportError,
                                    "does something else each time it is called: .* next call, but a stream keeps"):
            describe(net, inputs=[2])
        self.assertIsNone(net.state)


if __name__ == "__main__":
    unittest.main()
