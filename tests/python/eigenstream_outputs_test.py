"""Tests of what the exporter makes of a forward that gives several signals. CTest runs them."""

from __future__ import annotations

import collections
import dataclasses
import json
import subprocess
import sys
import unittest
from typing import Any, Dict, Tuple

try:
    import torch
except ImportError:
    print("skipped: this Python has no torch")
    sys.exit(77)  # CTest counts it as skipped

import torch.nn.functional as F
from torch import Tensor, nn

from eigenstream_export_test import GOLDEN, TOOL, Case  # noqa: E402  (puts the exporter's folder on the path)
from eigenstream import ExportError, Residual, Windowed, describe, export, main  # noqa: E402
from eigenstream.evaluate import apply_node  # noqa: E402

sys.path.insert(0, str(GOLDEN))
from branched_networks import Forward  # noqa: E402


class Function(Forward):
    """A module of signals whose forward is a function."""

    def forward(self, *signals: Tensor) -> Any:
        return self.function(self, *signals)


class Denoiser(nn.Module):
    """A signal that is cleaned, the mask that does it, and at a lower rate whether there is speech."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Conv1d(2, 6, 4, stride=2, padding=1)
        self.mask = nn.ConvTranspose1d(6, 2, 4, stride=2, padding=1)
        self.gru = nn.GRU(6, 4, batch_first=True)
        self.speech = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        h = F.relu(self.encode(x))
        mask = torch.sigmoid(self.mask(h))
        speech = torch.sigmoid(self.speech(self.gru(h.transpose(1, 2))[0]))
        return {"clean": mask * x[..., :mask.shape[-1]], "mask": mask, "speech": speech.transpose(1, 2)}


class OutputsTest(Case):
    def assert_outputs(self, net: nn.Module, channels: int, expected: Any, lengths: Any = (64, 65, 99), **options: Any) -> Dict[str, Any]:
        """Every one of the outputs `expected(net(x))` is what the file gives. Returns the description."""
        net.eval()
        path = self.folder / "net.safetensors"
        export(net, path, inputs=[channels], **options)
        description, tensors = describe(net, inputs=[channels], **options)
        for frames in lengths:
            x = torch.rand(2, channels, frames) * 2 - 1
            with torch.no_grad():
                wanted = expected(net(x))
            given = apply_node(description, tensors, x)
            names = description.get("output_names", ["y"])
            given = dict(zip(names, given if "outputs" in description else [given]))
            for results in (given, *([self.run_tool(path, x)] if TOOL else [])):
                self.assertEqual(set(results), set(wanted))
                for name, value in wanted.items():
                    self.assertEqual(results[name].shape, value.shape, name)
                    torch.testing.assert_close(results[name], value, rtol=1e-4, atol=1e-5)
        if TOOL:
            said = subprocess.run([TOOL, "check", str(path), "--trials", "6"], check=True, capture_output=True, text=True).stdout
            self.assertIn("the law holds", said)
        return description

    def assert_refused(self, net: nn.Module, pattern: str, channels: int = 2, **options: Any) -> None:
        with self.assertRaisesRegex(ExportError, pattern):
            describe(net, inputs=[channels], **options)

    def test_a_dict(self) -> None:
        description = self.assert_outputs(Denoiser(), 2, lambda y: y)
        self.assertEqual(description["output_names"], ["clean", "mask", "speech"])

    def test_the_greatest_and_where_it_is(self) -> None:
        def named(y: Any) -> Dict[str, Tensor]:
            return {"0": y.values[:, None], "1": y.indices[:, None].float()}

        self.assert_outputs(Function(lambda m, x: x.max(1)), 3, named)

    def test_tuples_and_lists(self) -> None:
        def both(m: nn.Module, x: Tensor) -> Any:
            y = m.a(x)
            return y, m.b(torch.tanh(y))

        parts = {"a": nn.Conv1d(2, 3, 3, padding=2), "b": nn.Conv1d(3, 1, 2, stride=3)}
        numbered = {"0": 0, "1": 1}
        description = self.assert_outputs(Function(both, **parts), 2, lambda y: {k: y[i] for k, i in numbered.items()})
        self.assertEqual(description["outputs"], [1, 3])  # one of them is used further on
        as_list = Function(lambda m, x: list(both(m, x)), **parts)
        self.assertEqual(describe(as_list, inputs=[2])[0], description)
        backwards = Function(lambda m, x: both(m, x)[::-1], **parts)
        self.assertEqual(describe(backwards, inputs=[2])[0]["outputs"], [3, 1])

    def test_nested(self) -> None:
        net = Function(lambda m, x: (m.a(x), {"low": (m.a(x), x), "high": torch.tanh(x)}), a=nn.Conv1d(2, 1, 3))
        self.assert_outputs(net, 2, lambda y: {"0": y[0], "1.low.0": y[1]["low"][0], "1.low.1": y[1]["low"][1],
                                               "1.high": y[1]["high"]})

    def test_named_tuples_and_dataclasses(self) -> None:
        Pair = collections.namedtuple("Pair", "mask state")

        @dataclasses.dataclass
        class Result:
            mask: Tensor
            state: Tensor

        for kind in (Pair, Result):
            net = Function(lambda m, x: kind(torch.sigmoid(x), m.a(x)), a=nn.Conv1d(2, 1, 3))
            self.assert_outputs(net, 2, lambda y: {"mask": y.mask, "state": y.state})

    def test_the_input_and_one_twice(self) -> None:
        self.assert_outputs(Function(lambda m, x: (x, x)), 2, lambda y: {"0": y[0], "1": y[1]})
        self.assert_outputs(Function(lambda m, x: (x * 2, x, x * 2)), 2, lambda y: {str(i): y[i] for i in range(3)})

    def test_other_orders_of_axes_and_views(self) -> None:
        net = Function(lambda m, x: (m.a(x).chunk(2, 1)[1], m.a(x).chunk(2, 1)[0], m.a(x).flip(1), x[:, 0]), a=nn.Conv1d(2, 4, 3))
        self.assert_outputs(net, 2, lambda y: {"0": y[0], "1": y[1], "2": y[2], "3": y[3].unsqueeze(1)})
        turned = Function(lambda m, x: (x.transpose(1, 2), m.a(x).permute(2, 0, 1)), a=nn.Conv1d(2, 3, 3))
        self.assert_outputs(turned, 2, lambda y: {"0": y[0].transpose(1, 2), "1": y[1].permute(1, 2, 0)})

    def test_crops(self) -> None:
        net = Function(lambda m, x: (m.a(x)[..., :-2], m.a(x), m.b(m.a(x)[..., :-4])), a=nn.Conv1d(2, 3, 5, padding=4),
                       b=nn.Conv1d(3, 1, 3, padding=1))
        self.assert_outputs(net, 2, lambda y: {str(i): y[i] for i in range(3)})

    def test_one_that_is_chosen(self) -> None:
        net = Denoiser()
        one = self.assert_outputs(net, 2, lambda y: {"y": y["mask"]}, outputs=["mask"])
        self.assertNotIn("outputs", one)
        self.assertFalse(any(path.startswith("gru") for path in describe(net, inputs=[2], outputs=[1])[1]))
        two = self.assert_outputs(net, 2, lambda y: {"speech": y["speech"], "clean": y["clean"]}, outputs=["speech", 0])
        self.assertEqual(two["output_names"], ["speech", "clean"])
        self.assertNotIn("outputs", describe(Function(lambda m, x: [x + 1]), inputs=[2])[0])
        self.assertNotIn("outputs", describe(Function(lambda m, x: {"y": x + 1}), inputs=[2])[0])
        self.assertEqual(describe(nn.Sequential(nn.Tanh()), inputs=[2], outputs=[0])[0],
                         describe(nn.Sequential(nn.Tanh()), inputs=[2])[0])

    def test_what_is_no_signal(self) -> None:
        gru = nn.GRU(2, 3, batch_first=True)

        def with_state(m: nn.Module, x: Tensor) -> Any:
            y, h = m.gru(x.transpose(1, 2))
            return y.transpose(1, 2), h

        self.assert_refused(Function(with_state, gru=gru), r"uses the state that .* ends with.*; only its output '1' needs this; say "
                            r"which outputs are wanted, as in outputs=\[0\] \(y, h = m.gru")
        self.assert_outputs(Function(with_state, gru=gru), 2, lambda y: {"y": y[0]}, outputs=[0])
        self.assert_refused(Function(lambda m, x: {"y": x + 1, "loss": None}),
                            r"its output 'loss' is None, not a signal; say which outputs are wanted, as in outputs=\['y'\]$")
        self.assert_refused(Function(lambda m, x: (x + 1, 3)), r"its output '1' is a number, not a signal; .*outputs=\[0\]$")
        self.assert_refused(Function(lambda m, x: (x + 1, torch.ones(2))), "its output '1' does not depend on its input; .*")
        self.assert_refused(Function(lambda m, x: (x + 1, x.mean(-1))),
                            r"mean over the time.*; only its output '1' needs this; .*outputs=\[0\]")
        self.assert_refused(Function(lambda m, x: (x + 1, x[..., 0])), r"only its output '1' needs this; .*outputs=\[0\]")
        self.assert_refused(Function(lambda m, x: (x / x.std(-1, keepdim=True), x + 1)), r"deviation .*; only its output '0' needs this; .*outputs=\[1\]")
        self.assert_refused(Function(lambda m, x: (x + 1, x + 1) if x.shape[-1] > 300 else (x + 1,)), "depends on the signal's length|not do the same")

    def test_names(self) -> None:
        self.assert_refused(Function(lambda m, x: {"a": {"b": x}, "a.b": x + 1}), "two outputs that are both called 'a.b'")
        self.assert_refused(Function(lambda m, x: {"": x, "b": x + 1}), "an output whose name is empty")
        self.assert_refused(Function(lambda m, x: (x, x + 1)), "outputs holds 2, but its forward gives 2: '0', '1'", outputs=[2])
        self.assert_refused(Function(lambda m, x: {"a": x, "b": x + 1}), "outputs holds 'c', but its forward gives 2: 'a', 'b'",
                            outputs=["a", "c"])
        for wrong in ([], [0, 0], "mask", [1.5], 0):
            self.assert_refused(Function(lambda m, x: (x, x + 1)), "^outputs is .*, must be the outputs that are wanted", outputs=wrong)
        self.assert_refused(nn.Sequential(nn.Tanh()), "gives one signal, but outputs is", outputs=[1])

    def test_inside_of_another(self) -> None:
        two = Function(lambda m, x: (x, x + 1))
        for net in (Residual(two), Windowed(two, 8, 4)):
            self.assert_refused(net, "gives a tuple, not one signal; give the one that is wanted")
        taken = Function(lambda m, x: sum(m.two(x)), two=two)
        self.assert_outputs(taken, 2, lambda y: {"y": y})

    def test_without_padding(self) -> None:
        net = Function(lambda m, x: (m.a(x), x), a=nn.Conv1d(2, 3, 5, padding=2))
        description = describe(net, "valid", inputs=[2])[0]
        self.assertEqual(description["outputs"], [1, 0])
        self.assertEqual(description["nodes"][0]["padding"], 0)

    def test_signals_without_channels(self) -> None:
        net = Function(lambda m, x: (m.a(x.unsqueeze(1)).squeeze(1), x * 2), a=nn.Conv1d(1, 1, 3))
        description = describe(net)[0]
        self.assertEqual(description["output_names"], ["0", "1"])

    def test_several_inputs(self) -> None:
        net = Function(lambda m, x, c: {"y": m.a(x) + c, "c": torch.tanh(c)}, a=nn.Conv1d(2, 1, 3, padding=1))
        description = describe(net, inputs=[2, 1])[0]
        self.assertEqual(description["output_names"], ["y", "c"])

    def test_something_else_for_other_signals(self) -> None:
        calls = [0]

        def forgets(m: nn.Module, x: Tensor) -> Tuple[Tensor, Tensor]:
            calls[0] += 1
            return x + 1, x + m.value

        self.assert_outputs(Function(forgets, value=nn.Parameter(torch.rand(1))), 2, lambda y: {"0": y[0], "1": y[1]})

        def differs(m: nn.Module, x: Tensor) -> Tuple[Tensor, Tensor]:
            return x + 1, x + float(x.detach().numpy().sum())

        self.assert_refused(Function(differs), ".")

    def test_command(self) -> None:
        source = self.folder / "own_net.py"
        source.write_text("from torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
                          "        self.a = nn.Conv1d(2, 1, 3)\n    def forward(self, x):\n        return {'a': self.a(x), 'b': x}\n")
        out = self.folder / "own.safetensors"
        self.assertEqual(main([f"{source}:Net", str(out), "--inputs", "2", "--outputs", "b,a"]), 0)
        data = out.read_bytes()
        header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
        self.assertEqual(json.loads(header["__metadata__"]["eigenstream"])["network"]["output_names"], ["b", "a"])


if __name__ == "__main__":
    unittest.main()
