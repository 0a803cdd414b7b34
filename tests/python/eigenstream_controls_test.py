"""Tests of what the exporter makes of a forward with knobs. CTest runs them."""

from __future__ import annotations

import json
import subprocess
import sys
import unittest
from typing import Any, Dict, List, Mapping, Optional

try:
    import torch
except ImportError:
    print("skipped: this Python has no torch")
    sys.exit(77)  # CTest counts it as skipped

import torch.nn.functional as F
from torch import Tensor, nn

from eigenstream_export_test import GOLDEN, TOOL, Case  # noqa: E402  (puts the exporter's folder on the path)
from eigenstream import Control, ExportError, describe, export  # noqa: E402
from eigenstream.evaluate import apply_node  # noqa: E402

sys.path.insert(0, str(GOLDEN))
from branched_networks import Forward  # noqa: E402


class Function(Forward):
    """A module of a signal and knobs whose forward is a function."""

    def forward(self, x: Tensor, gain: Tensor) -> Any:
        return self.function(self, x, gain)


class Film(nn.Module):
    """Blocks that are scaled and shifted by what a small network makes of two knobs, at several rates."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4), nn.Tanh())
        self.enter = nn.Conv1d(1, 4, 3, padding=1)
        self.down = nn.Conv1d(4, 4, 4, stride=2, padding=1)
        self.up = nn.ConvTranspose1d(4, 4, 4, stride=2, padding=1)
        self.films = nn.ModuleList(nn.Linear(4, 8) for _ in range(3))
        self.leave = nn.Conv1d(4, 1, 1)

    def forward(self, x: Tensor, tone: Tensor, gain: Tensor) -> Tensor:
        c = self.trunk(torch.cat([tone, gain], dim=-1))
        for layer, film in zip((self.enter, self.down, self.up), self.films):
            scale, shift = film(c).unsqueeze(-1).chunk(2, dim=1)
            x = torch.relu(layer(x) * (1 + scale) + shift)
        return self.leave(x) * gain[:, :1, None]


class ControlsTest(Case):
    def assert_turned(self, net: nn.Module, controls: Mapping[str, Control], channels: int, form: Any = lambda value: value,
                      inputs: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """The file computes what the module does, for several values of the knobs. Returns the description."""
        net.eval()
        path = self.folder / "net.safetensors"
        inputs = {**(inputs or {}), **controls}
        export(net, path, inputs=inputs)
        description, tensors = describe(net, inputs=inputs)
        for frames, seed in ((64, 1), (66, 2), (81, 3)):
            torch.manual_seed(seed)
            x = torch.rand(2, channels, frames) * 2 - 1
            knobs = {name: torch.rand(control.size) * 2 - 1 for name, control in controls.items()}
            with torch.no_grad():
                wanted = net(x, **{name: form(value[None].expand(2, -1)) for name, value in knobs.items()})
            own = {name: value.reshape(1, -1, 1).expand(2, -1, -1) for name, value in knobs.items()}
            turned = [part for name, value in knobs.items()
                      for part in ("--control", f"{name}={','.join(repr(float(each)) for each in value.flatten())}")]
            for given in (apply_node(description, tensors, x, knobs=own), *self.run_tool(path, x, options=turned).values()):
                self.assertEqual(given.shape, wanted.shape)
                torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-5)
        if TOOL:
            subprocess.run([TOOL, "check", str(path), "--trials", "6"], check=True, capture_output=True)
        return description

    def knobs_of(self, description: Dict[str, Any]) -> List[Dict[str, Any]]:
        return [node for node in description["nodes"] if node["type"] == "Control"]

    def assert_refused(self, net: nn.Module, pattern: str, inputs: Any) -> None:
        with self.assertRaisesRegex(ExportError, pattern):
            describe(net, inputs=inputs)

    def test_a_gain(self) -> None:
        net = Function(lambda m, x, gain: m.a(x) * gain.unsqueeze(-1), a=nn.Conv1d(2, 2, 3))
        description = self.assert_turned(net, {"gain": Control(2, [0.5, 1])}, 2)
        (knob,) = self.knobs_of(description)
        self.assertEqual((knob["names"], knob["channels"], knob["net"]["layers"]), (["gain"], [2], []))
        self.assertEqual(describe(net, inputs={"gain": Control(2, [0.5, 1])})[1][f"{knob['path']}.default0"].tolist(), [0.5, 1])
        for written in (lambda m, x, gain: x * gain[:, :, None], lambda m, x, gain: x + gain.view(-1, 2, 1).tanh(),
                        lambda m, x, gain: x * gain.reshape(gain.shape[0], 2, 1), lambda m, x, gain: gain[..., None] * x - gain[..., None]):
            self.assert_turned(Function(written), {"gain": Control(2)}, 2, inputs={"x": 2})

    def test_other_axes(self) -> None:
        def row(value: Tensor) -> Tensor:
            return value[0]

        # A module that takes either is given (batch, size).
        self.assert_turned(Function(lambda m, x, gain: m.a(x) * gain[:, None] if gain.dim() == 1 else 1 / 0, a=nn.Conv1d(2, 2, 3)),
                           {"gain": Control(2)}, 2, row)
        self.assert_turned(Function(lambda m, x, gain: m.a(x) * (gain.item() if gain.dim() else 1 / 0) if False else m.a(x) * gain.view(()),
                                    a=nn.Conv1d(2, 2, 3)), {"gain": Control()}, 2, lambda value: value[0, 0])
        self.assert_turned(Function(lambda m, x, gain: m.a(x) * gain.view(-1, 1, 1), a=nn.Conv1d(2, 2, 3)), {"gain": Control()}, 2)
        turned = Function(lambda m, x, gain: (m.a(x.transpose(1, 2)) * gain.unsqueeze(1)).transpose(1, 2), a=nn.Linear(2, 3))
        self.assert_turned(turned, {"gain": Control(3)}, 2, inputs={"x": 2})

    def test_film(self) -> None:
        description = self.assert_turned(Film(), {"tone": Control(1, 0.5), "gain": Control(2)}, 1)
        held = self.knobs_of(description)
        self.assertEqual([each["names"] for each in held], [["tone", "gain"]] * 6 + [["gain"]])  # scales and shifts
        paths = [inner["path"] for each in held for inner in each["net"].get("nodes", each["net"].get("layers"))]
        self.assertEqual(len(paths), len(set(paths)))
        if TOOL:
            said = subprocess.run([TOOL, "info", str(self.folder / "net.safetensors")], check=True, capture_output=True, text=True)
            self.assertRegex(said.stdout, r"knobs +tone = 0.5\n +gain = 0,0 \(2 numbers\)")

    def test_beside_the_channels(self) -> None:
        for function in (lambda m, x, gain: m.a(torch.cat([x, gain.unsqueeze(-1).expand(-1, -1, x.shape[-1])], 1)),
                         lambda m, x, gain: m.a(torch.cat([x, gain[:, :, None].repeat(1, 1, x.size(-1))], 1)),
                         lambda m, x, gain: m.a(torch.cat([x, gain[:, :, None].tanh().expand(-1, -1, x.shape[-1])], 1))):
            self.assert_turned(Function(function, a=nn.Conv1d(3, 2, 3, padding=2)), {"gain": Control(1)}, 2, inputs={"x": 2})

    def test_mixing_and_crossfading(self) -> None:
        net = Function(lambda m, x, gain: torch.lerp(x, torch.tanh(m.a(x)), torch.sigmoid(gain)[:, :, None]), a=nn.Conv1d(2, 2, 3, padding=1))
        self.assert_turned(net, {"gain": Control(1)}, 2)
        softmax = Function(lambda m, x, gain: m.a(x) * F.softmax(m.l(gain), -1).unsqueeze(-1), a=nn.Conv1d(2, 3, 1), l=nn.Linear(2, 3))
        self.assert_turned(softmax, {"gain": Control(2)}, 2)

    def test_an_argument_with_a_default(self) -> None:
        class Optional_(nn.Module):
            def forward(self, x: Tensor, gain: Optional[Tensor] = None) -> Tensor:
                return torch.tanh(x) if gain is None else torch.tanh(x) * gain[:, :, None]

        self.assert_turned(Optional_(), {"gain": Control(1)}, 2, inputs={"x": 2})
        self.assertNotIn("Control", json.dumps(describe(Optional_(), inputs=[2])[0]))

    def test_several_outputs(self) -> None:
        net = Function(lambda m, x, gain: (m.a(x) * gain[:, :, None], x), a=nn.Conv1d(2, 2, 3))
        self.assertEqual(describe(net, inputs={"gain": Control(2)})[0]["outputs"], [3, 0])

    def test_refusals(self) -> None:
        gain = {"x": 2, "gain": Control(2)}
        self.assert_refused(Function(lambda m, x, gain: x + 1), "does not depend on its input gain", gain)
        self.assert_refused(Function(lambda m, x, gain: (x * gain[:, :, None], gain)), "which has no time; only its output '1'", gain)
        self.assert_refused(Function(lambda m, x, gain: x * 2 if gain.sum() > 0 else x), "decides by the values", gain)
        self.assert_refused(Function(lambda m, x, gain: m.a(gain[:, :, None]) * x, a=nn.Conv1d(2, 2, 1)),
                            r"takes \(batch, channels, time\), but gets", gain)
        self.assert_refused(Function(lambda m, x, gain: x * gain[:, :, None]), "takes the signals x, but inputs gives the channels of y",
                            {"y": 2, "gain": Control(2)})
        self.assert_refused(nn.Sequential(nn.Tanh()), "takes a signal, and no knob gain", {"gain": Control(2)})
        self.assert_refused(Function(lambda m, x, gain: x), "inputs is", {3: Control(2)})
        self.assert_refused(Function(lambda m, x, gain: x), "takes the signals x, gain, but", {"x": 2, "none": Control(2)})
        for wrong in (lambda: Control(0), lambda: Control(2, [1]), lambda: Control(1, float("inf"))):
            with self.assertRaises(ExportError):
                wrong()


if __name__ == "__main__":
    unittest.main()
