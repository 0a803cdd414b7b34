#!/usr/bin/env python3
"""Runs the command-line tool as its users do. EIGENSTREAM_TOOL names the program."""

import array
import ctypes
import ctypes.util
import importlib.util
import json
import math
import os
import pty
import random
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import time
import unittest
import wave
import xml.etree.ElementTree
import zlib
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from tool_case import TOOL, ToolCase, read_safetensors, write_float_wav, write_safetensors  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SANITIZED = TOOL != "" and b"__asan_init" in Path(TOOL).read_bytes()


# ---- Files, by hand


def write_model(path, layers, tensors, metadata=None):
    """layers: those of a Sequential, or the root node"""
    network = layers if isinstance(layers, dict) else {"type": "Sequential", "path": "", "layers": layers}
    model = {"version": 1, "network": network}
    if metadata is not None:
        model["metadata"] = metadata
    write_safetensors(path, tensors, {"eigenstream": json.dumps(model)})


def conv(path, inputs, outputs, taps, **options):
    return {"type": "Conv1d", "path": path, "in_channels": inputs, "out_channels": outputs, "kernel_size": taps, **options}


def random_tensors(layers, seed=1):
    """Weights for conv layers, also within residuals."""
    numbers = random.Random(seed)
    tensors = {}
    for layer in layers:
        if layer["type"] == "Residual":
            tensors.update(random_tensors(layer["net"]["layers"], seed + 1))
        if not layer["type"].startswith("Conv"):
            continue
        shape = (layer["out_channels"], layer["in_channels"], layer["kernel_size"])
        if layer["type"] == "ConvTranspose1d":
            shape = (shape[1], shape[0], shape[2])
        scale = 1 / math.sqrt(layer["in_channels"] * layer["kernel_size"])
        draw = lambda n: [numbers.uniform(-scale, scale) for _ in range(n)]
        tensors[layer["path"] + ".weight"] = (shape, draw(shape[0] * shape[1] * shape[2]))
        tensors[layer["path"] + ".bias"] = (shape[:1] if layer["type"] == "Conv1d" else (shape[1],), draw(layer["out_channels"]))
    return tensors


def write_pcm_wav(path, channels, rate, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


class Wav:
    """format (1: integers, 3: floats), channels, rate, bits, data"""

    def __init__(self, path):
        raw = Path(path).read_bytes()
        assert raw[:4] == b"RIFF" and raw[8:12] == b"WAVE"
        assert struct.unpack("<I", raw[4:8])[0] == len(raw) - 8
        at = 12
        while at < len(raw):
            name, size = raw[at : at + 4], struct.unpack("<I", raw[at + 4 : at + 8])[0]
            if name == b"fmt ":
                self.format, self.channels, self.rate, _, _, self.bits = struct.unpack("<HHIIHH", raw[at + 8 : at + 24])
            if name == b"data":
                self.data = raw[at + 8 : at + 8 + size]
            at += 8 + size + size % 2
        self.samples = array.array("f" if self.format == 3 else "h", self.data)
        self.frames = len(self.samples) // self.channels


class SoundInfo(ctypes.Structure):  # libsndfile's SF_INFO
    _fields_ = [("frames", ctypes.c_int64)] + [(name, ctypes.c_int) for name in ("rate", "channels", "format", "sections", "seekable")]


SNDFILE = ctypes.util.find_library("sndfile")
PCM_16, FLOAT, ULAW, MS_ADPCM, VORBIS, OPUS, MP3 = 2, 6, 0x10, 0x12, 0x60, 0x64, 0x82
WAV, AIFF, AU, W64, FLAC, CAF, OGG, RF64, MPEG = (n << 16 for n in (1, 2, 3, 0xB, 0x17, 0x18, 0x20, 0x22, 0x23))


def write_sound(path, form, rate, samples, channels=1):
    """A file of any format that libsndfile writes; False if this one does not know it."""
    library = ctypes.CDLL(SNDFILE)
    library.sf_open.restype = ctypes.c_void_p
    info = SoundInfo(0, rate, channels, form, 0, 0)
    if not library.sf_format_check(ctypes.byref(info)):
        return False
    file = ctypes.c_void_p(library.sf_open(str(path).encode(), 0x20, ctypes.byref(info)))
    if form & 0xFFFF == PCM_16:  # exactly, which libsndfile's conversion of floats is not
        library.sf_writef_short(file, (ctypes.c_short * len(samples))(*(int(32768 * x) for x in samples)), ctypes.c_int64(len(samples) // channels))
    else:
        library.sf_writef_float(file, (ctypes.c_float * len(samples))(*samples), ctypes.c_int64(len(samples) // channels))
    library.sf_close(file)
    return True


def open_flac(path, frames):
    """Another number of frames in the file's header; 0 means unknown."""
    raw = bytearray(Path(path).read_bytes())
    raw[21] = raw[21] & 0xF0 | frames >> 32
    raw[22:26] = struct.pack(">I", frames & 0xFFFFFFFF)
    Path(path).write_bytes(raw)


def noise(n, seed=5):
    numbers = random.Random(seed)
    return array.array("f", (numbers.uniform(-1, 1) for _ in range(n))).tolist()  # exact as 32-bit floats


GRAPH = {  # 2 -> 4: down and up again beside the way that stays, then two branches
    "type": "Graph", "path": "", "nodes": [
        conv("down", 2, 4, 4, stride=2, padding=1, **{"from": [0]}),
        {"type": "Tanh", "path": "act", "from": [1]},
        {"type": "ConvTranspose1d", "path": "up", "in_channels": 4, "out_channels": 2, "kernel_size": 4, "stride": 2, "padding": 1,
         "from": [2]},
        {"type": "Reduce", "path": "cat", "op": "concat", "from": [0, 3]},
        {"type": "Parallel", "path": "both", "reduce": "sum", "from": [4],
         "branches": [{"type": "Tanh", "path": "both.branches.0"}, {"type": "ReLU", "path": "both.branches.1"}]},
    ]}

CAUSAL = [  # 1 -> 1, with memory, nested
    conv("0", 1, 6, 5, padding=[4, 0]),
    {"type": "ELU", "path": "1"},
    {
        "type": "Residual",
        "path": "2",
        "net": {
            "type": "Sequential",
            "path": "2.net",
            "layers": [conv("2.net.0", 6, 6, 3, padding=[2, 2], dilation=2), {"type": "Tanh", "path": "2.net.1"}],
        },
    },
    conv("3", 6, 1, 1),
]


class ToolTest(ToolCase):
    def good(self, *arguments, **options):
        code, out, err = self.call(*arguments, **options)
        self.assertEqual((code, err), (0, ""), arguments)
        return out

    def warned(self, says, *arguments, **options):
        """Succeeds, with one line of warning that says so."""
        code, out, err = self.call(*arguments, **options)
        self.assertEqual(code, 0, (arguments, err))
        self.assertRegex(err, r"\Aeigenstream: warning: [^\n]+\n\Z", arguments)
        self.assertIn(says, err)
        return out

    def model(self, layers=CAUSAL, metadata=None, name="model.safetensors", tensors=None):
        write_model(self.path(name), layers, random_tensors(layers) if tensors is None else tensors, metadata)
        return name

    def traced(self, out):
        """The frames in and out of each call, the flush last, and the summary's line."""
        *calls, flush, summary = out.splitlines()
        matches = [re.fullmatch(r"in (\d+) out (\d+)", line) for line in calls]
        self.assertTrue(all(matches), out)
        rest = re.fullmatch(r"flush out (\d+)", flush)
        self.assertTrue(rest, out)
        return [(int(m[1]), int(m[2])) for m in matches], int(rest[1]), summary


class HelpTest(ToolTest):
    def test_help_and_version(self):
        header = (ROOT / "include/eigenstream/version.hpp").read_text()
        self.assertEqual(self.good("--version"), "eigenstream " + ".".join(re.findall(r"_(?:MAJOR|MINOR|PATCH) (\d+)", header)) + "\n")
        for command in ([], ["info"], ["run"], ["check"], ["bench"], ["deps"], ["import"], ["resample"], ["types"]):
            out = self.good(*command, "--help")
            self.assertIn("Usage: eigenstream", out)
            self.assertIn("Examples:\n  eigenstream " + " ".join(command), out)
            self.assertLessEqual(max(map(len, out.splitlines())), 100)

    def test_usage_errors(self):
        self.model()
        write_float_wav(self.path("in.wav"), 1, 16000, noise(100))
        run = ("run", "model.safetensors", "in.wav", "out.wav")
        for arguments, says in (
            ([], "which command?"),
            (["frobnicate"], '"frobnicate"'),
            (["--frobnicate"], "--frobnicate"),
            (["info"], "model"),
            (["info", "model.safetensors", "more"], "more"),
            (["info", "model.safetensors", "--frobnicate"], "--frobnicate"),
            (["run", "model.safetensors", "in.wav"], "output"),
            ([*run, "--block", "0"], "--block: 0 "),
            ([*run, "--block", "-5"], "--block: -5 "),
            ([*run, "--block", "16777217"], "--block: 16777217 "),
            ([*run, "--block", "99999999999999999999"], "--block: 99999999999999999999 "),
            ([*run, "--block", "1.5"], "--block"),
            ([*run, "--block", "7,8"], "--block"),
            ([*run, "--block", ""], "--block"),
            ([*run, "--block"], "--block"),
            ([*run, "--block", "1", "--block", "2"], "--block"),
            ([*run, "--blocks", ""], "--blocks"),
            ([*run, "--blocks", "7,,1"], "--blocks"),
            ([*run, "--blocks", "7,"], "--blocks"),
            ([*run, "--blocks", "7 8"], "--blocks"),
            ([*run, "--blocks=-1,3"], "--blocks: -1 "),
            ([*run, "--blocks", "0,0"], "--blocks"),
            ([*run, "--offline", "--block", "3"], "--offline"),
            ([*run, "--offline", "--blocks", "3"], "--offline"),
            ([*run, "--block", "3", "--blocks", "3"], "--blocks"),
            ([*run, "--format", "mp3"], "--format"),
            ([*run, "--save-state", ""], "--save-state"),
            ([*run, "--load-state", ""], "--load-state"),
            ([*run, "--load-state"], "--load-state"),
            ([*run, "--save-state", "a", "--save-state", "b"], "--save-state"),
            (["run", "model.safetensors", "in.wav", "out.flac"], ".wav"),
            (["run", "model.safetensors", "in.wav", "out"], ".wav"),
            (["run", "model.safetensors", "in.wav", "out.safetensors"], "both"),
            (["run", "model.safetensors", "in.safetensors", "out.wav"], "both"),
            (["run", "model.safetensors", "in.safetensors", "out.safetensors", "--format", "pcm16"], "--format"),
            (["check", "model.safetensors", "--trials", "0"], "--trials"),
            (["check", "model.safetensors", "--frames", "0"], "--frames"),
            (["check", "model.safetensors", "--seed", "-1"], "--seed"),
            (["check", "model.safetensors", "--seed", "one"], "--seed"),
            (["bench", "model.safetensors", "--block", "1,0"], "--block"),
            (["bench", "model.safetensors", "--seconds", "0"], "--seconds"),
            (["bench", "model.safetensors", "--seconds", "nan"], "--seconds"),
            (["bench", "model.safetensors", "--seconds", "soon"], "--seconds"),
            (["deps"], "model"),
            (["deps", "model.safetensors", "-o", "out.gif"], "out.gif"),
            (["deps", "model.safetensors", "-o", "svg"], ".svg"),
            (["deps", "model.safetensors", "-o", ""], "--output"),
            (["deps", "model.safetensors", "-o"], "--output"),
            (["deps", "model.safetensors", "--frames", "0"], "--frames: 0 "),
            (["deps", "model.safetensors", "--frames", "many"], "--frames"),
            (["deps", "model.safetensors", "--in-stride", "0"], "--in-stride: 0 "),
            (["import", "amp.nam"], "output"),
            (["import", "amp.nam", "amp.safetensors", "--quality", "best"], "--quality"),
            (["import", "amp.nam", "amp.safetensors", "--quality", "1.5"], "--quality"),
            (["import", "amp.nam", "amp.safetensors", "--quality", "nan"], "--quality"),
            (["import", "amp.nam", "amp.safetensors", "--quality", ""], "--quality"),
            (["resample", "in.wav", "out.wav"], "--rate"),
            (["resample", "in.wav", "--rate", "8000"], "output"),
            (["resample", "in.wav", "out.flac", "--rate", "8000"], ".wav"),
            (["resample", "in.wav", "out.wav", "--rate", "0"], "--rate: 0 "),
            (["resample", "in.wav", "out.wav", "--rate", "44.1"], "--rate"),
            (["resample", "in.wav", "out.wav", "--rate", "2147483648"], "--rate: 2147483648 "),
            (["resample", "in.wav", "out.wav", "--rate", "8000", "--quality", "best"], '"best"'),
            (["resample", "in.wav", "out.wav", "--rate", "8000", "--method", "cubic"], '"cubic"'),
            (["resample", "in.wav", "out.wav", "--rate", "8000", "--width", "0"], "--width: 0 "),
            (["resample", "in.wav", "out.wav", "--rate", "8000", "--rolloff", "1.5"], "--rolloff: 1.5 "),
            (["resample", "in.wav", "out.wav", "--rate", "8000", "--rolloff", "nan"], "--rolloff: nan "),
            (["resample", "in.wav", "out.wav", "--rate", "8000", "--beta", "5"], "--beta"),
            (["resample", "in.wav", "out.wav", "--rate", "8000", "--method", "kaiser", "--beta", "-1"], "--beta: -1 "),
            (["resample", "in.wav", "out.wav", "--rate", "8000", "--quality", "low", "--width", "9"], "--quality"),
            (["resample", "in.wav", "out.wav", "--rate", "8000", "--block", "0"], "--block: 0 "),
            (["resample", "in.wav", "out.wav", "--rate", "8000", "--format", "mp3"], "--format"),
        ):
            with self.subTest(arguments):
                self.bad(*arguments, code=2, says=says)


class InfoTest(ToolTest):
    def test_table(self):
        self.model(metadata={"sample_rate_hz": "16000", "name": "tiny\x1b[31m\nmodel"})
        out = self.good("info", "model.safetensors")
        rows = [line.split() for line in out.splitlines()]
        self.assertEqual(rows[0], ["module", "path", "options", "channels", "parameters", "MACs/frame"])
        self.assertEqual(rows[1], ["Sequential", "1", "157", "144"])
        self.assertIn(["Conv1d", "0", "k=5", "p=[4,0]", "1", "->", "6", "36", "30"], rows)
        self.assertIn("    Sequential  2.net ", out)  # below the residual
        self.assertIn(["Conv1d", "2.net.0", "k=3", "p=[2,2]", "d=2", "6", "114", "108"], rows)
        self.assertRegex(out, r"(?m)^parameters +157$")
        self.assertRegex(out, r"(?m)^receptive field +9 frames \(0\.6 ms\)$")
        self.assertRegex(out, r"(?m)^delay +2 frames \(0\.1 ms\)$")
        self.assertRegex(out, r"(?m)^rate +1 output frame for 1 input frame$")
        self.assertRegex(out, r"(?m)^state +\d+ bytes")
        self.assertRegex(out, r"(?m)^memory +\d+ bytes")
        self.assertIn("name = tiny\\x1b[31m\\nmodel\n", out)
        self.assertLessEqual(max(map(len, out.splitlines())), 100)

    def test_options_are_shown_if_they_are_not_the_usual_ones(self):
        layers = [
            {"type": "AvgPool1d", "path": "0", "kernel_size": 3, "stride": 3, "padding": 1, "count_include_pad": False},
            {"type": "MaxPool1d", "path": "1", "kernel_size": 3, "stride": 2, "padding": 0, "ceil_mode": False},
            {"type": "ELU", "path": "2", "alpha": 1}, {"type": "ELU", "path": "3", "alpha": 0.5},
            {"type": "Pad", "path": "4", "left": 2, "mode": "constant", "value": 0.0},
        ]
        self.model(layers, tensors={})
        rows = [line.split() for line in self.good("info", "model.safetensors").splitlines()]
        for row in (["AvgPool1d", "0", "k=3", "p=1", "no", "count", "pad"], ["MaxPool1d", "1", "k=3", "s=2"], ["ELU", "2"],
                    ["ELU", "3", "alpha=0.5"], ["Pad", "4", "left=2"]):
            self.assertIn([*row, "1", "0"], [each[:-1] for each in rows])

    def test_costs_are_counted_for_each_input_frame_of_the_network(self):
        layers = [
            conv("0", 2, 8, 4, stride=4),
            conv("1", 8, 8, 1),
            {"type": "ConvTranspose1d", "path": "2", "in_channels": 8, "out_channels": 3, "kernel_size": 2, "stride": 2},
        ]
        self.model(layers)
        info = json.loads(self.good("info", "model.safetensors", "--json"))
        self.assertEqual([module["type"] for module in info["modules"]], ["Sequential", "Conv1d", "Conv1d", "ConvTranspose1d"])
        self.assertEqual([module["macs_per_input_frame"] for module in info["modules"]], [44, 16, 16, 12])
        self.assertEqual([module["in_channels"] for module in info["modules"]], [2, 2, 8, 8])
        self.assertEqual([module["out_channels"] for module in info["modules"]], [3, 8, 8, 3])
        self.assertEqual(info["modules"][1]["options"]["stride"], 4)
        self.assertEqual(info["parameters"], 72 + 72 + 51)
        self.assertEqual(info["rate"], {"outputs": 1, "inputs": 2})
        self.assertEqual(info["receptive_field_frames"], 4)
        self.assertNotIn("delay_ms", info)
        self.assertIn("MACs  ", self.good("info", "model.safetensors"))

    def test_the_plan(self):
        nodes = [
            {**conv("a", 2, 2, 3, padding=[2, 0]), "from": [0]},
            {**conv("b", 2, 2, 1), "from": [0]},
            {"type": "Reduce", "path": "add", "op": "sum", "from": [1, 2]},
            {"type": "Tanh", "path": "act", "from": [3]},
            {"type": "Reduce", "path": "skip", "op": "sum", "from": [4, 0]},
        ]
        write_model(self.path("graph.safetensors"), {"type": "Graph", "path": "", "nodes": nodes}, random_tensors(nodes))
        out = self.good("info", "graph.safetensors", "--plan")
        self.assertTrue(out.startswith(self.good("info", "graph.safetensors")))
        self.assertIn("5 layers in 2 steps", out)
        self.assertIn("Conv1d b, Reduce add, Tanh act, Reduce skip", out)
        plan = json.loads(self.good("info", "graph.safetensors", "--json"))["plan"]
        self.assertEqual(plan, [
            {"layers": ["Conv1d a"], "takes": [0], "gives": 1},
            {"layers": ["Conv1d b", "Reduce add", "Tanh act", "Reduce skip"], "takes": [0, 1, 0], "gives": 5},
        ])
        # Containers are taken apart; a layer by itself has no plan.
        self.model([{"type": "Residual", "path": "r", "net": {"type": "Sequential", "path": "r", "layers": [
            conv("r.0", 2, 2, 3, padding=[2, 0]), {"type": "ReLU", "path": "r.1"}]}}])
        self.assertIn("Conv1d r.0, ReLU r.1, ", self.good("info", "model.safetensors", "--plan"))

    def test_branches(self):
        write_model(self.path("graph.safetensors"), GRAPH, random_tensors(GRAPH["nodes"]))
        out = self.good("info", "graph.safetensors")
        rows = [line.split() for line in out.splitlines()]
        self.assertEqual(rows[0], ["module", "gives", "takes", "path", "options", "channels", "parameters", "MACs/frame"])
        self.assertEqual(rows[1][:2], ["Graph", "2"])
        self.assertIn(["Conv1d", "1", "0", "down", "k=4", "s=2", "p=1", "2", "->", "4", "36", "16"], rows)
        self.assertIn(["ConvTranspose1d", "3", "2", "up", "k=4", "s=2", "p=1", "4", "->", "2", "34", "16"], rows)
        self.assertIn(["Reduce", "4", "0", "3", "cat", "op=concat", "2", "->", "4", "0", "0"], rows)
        self.assertIn(["Parallel", "5", "4", "both", "reduce=sum", "4", "0", "0"], rows)
        self.assertIn(["Tanh", "both.branches.0", "4", "0", "0"], rows)
        self.assertRegex(out, r"(?m)^receptive field +6 frames$")
        info = json.loads(self.good("info", "graph.safetensors", "--json"))
        self.assertEqual([(module["type"], module.get("value")) for module in info["modules"]],
                         [("Graph", None), ("Conv1d", 1), ("Tanh", 2), ("ConvTranspose1d", 3), ("Reduce", 4), ("Parallel", 5),
                          ("Tanh", None), ("ReLU", None)])
        self.assertEqual(info["modules"][4]["options"]["from"], [0, 3])

    def test_wide_tables_are_cut(self):
        layers = [conv("encoder.very.long.path.of.a.module.that.nobody.wants." + "x" * 60, 1, 1, 3, padding=[1048576, 0], dilation=1024)]
        self.model(layers)
        out = self.good("info", "model.safetensors")
        self.assertLessEqual(max(map(len, out.splitlines())), 100)
        self.assertIn("...", out)

    def test_any_number_of_channels(self):
        self.model([{"type": "ReLU", "path": "0"}], tensors={})
        self.assertIn("any", self.good("info", "model.safetensors"))
        self.model([{"type": "GLU", "path": "0"}], tensors={})
        info = json.loads(self.good("info", "model.safetensors", "--json"))
        self.assertTrue(info["takes_any_channels"])
        self.assertEqual((info["in_channels"], info["out_channels"]), (2, 1))

    def test_wrong_models(self):
        self.path("text.safetensors").write_text("This is not a model, but a text of some length.\n" * 9)
        self.path("empty.safetensors").write_bytes(b"")
        self.path("folder").mkdir()
        write_safetensors(self.path("plain.safetensors"), {"x": ((1, 2), [1, 2])})
        self.model([conv("0", 1, 2, 3)], tensors={"0.weight": ((2, 1, 2), [0] * 4), "0.bias": ((2,), [0, 0])}, name="shape.safetensors")
        self.model([{"type": "GroupNorm\nInjected", "path": "0"}], tensors={}, name="type.safetensors")
        self.model(metadata={"sample_rate_hz": "fast"}, name="rate.safetensors")
        for name, says in (
            ("missing.safetensors", "no such file"),
            ("text.safetensors", "text.safetensors"),
            ("empty.safetensors", "empty.safetensors"),
            ("folder", "directory"),
            ("plain.safetensors", "not a model file"),
            ("shape.safetensors", "(2,1,3)"),
            ("type.safetensors", "GroupNorm"),
            ("rate.safetensors", "fast"),
        ):
            for command in ("info", "bench"):
                with self.subTest(name + " " + command):
                    self.bad(command, name, says=says)
        if os.getuid() != 0:
            self.path("plain.safetensors").chmod(0)
            self.bad("info", "plain.safetensors")


CONDITIONED = {
    "type": "Graph",
    "path": "",
    "in_channels": 1,
    "more_channels": [2, 1],
    "more_rates": [1, 4, 1, 1],
    "nodes": [
        {"type": "ConvTranspose1d", "path": "up", "in_channels": 2, "out_channels": 1, "kernel_size": 4, "stride": 4,
         "bias": False, "from": [1]},
        {"type": "Reduce", "path": "gain", "op": "product", "from": [0, 3]},
        {"type": "Reduce", "path": "mix", "op": "sum", "from": [4, 2]},
    ],
}
CONDITIONED_TENSORS = {"up.weight": ((2, 1, 4), [1, 2, 3, 4, -1, -1, -1, -1])}


class SeveralInputsTest(ToolTest):
    """y[t] = x[t] * (c0[t // 4] * (1 + t % 4) - c1[t // 4]) + d[t]"""

    def setUp(self):
        super().setUp()
        write_model(self.path("net.safetensors"), CONDITIONED, CONDITIONED_TENSORS)
        self.x = [0.5, -1.0, 2.0, 0.25, 1.0, -0.5]
        self.c = [[1.0, -0.5], [0.25, 2.0]]
        self.d = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        self.y = [
            x * (self.c[0][t // 4] * (1 + t % 4) - self.c[1][t // 4]) + d for t, (x, d) in enumerate(zip(self.x, self.d))
        ]

    def tensors(self, c=None, d=None):
        write_safetensors(self.path("x.safetensors"), {"x": ((1, 6), self.x)})
        c = self.c if c is None else c
        write_safetensors(self.path("c.safetensors"), {"x": ((2, len(c[0])), c[0] + c[1])})
        d = self.d if d is None else d
        write_safetensors(self.path("d.safetensors"), {"x": ((1, len(d)), d)})

    RUN = ("run", "net.safetensors", "x.safetensors", "y.safetensors")

    ALSO = ("--also", "c.safetensors", "--also", "d.safetensors")

    def test_tensors(self):
        self.tensors()
        for blocks in ("--offline",), ("--block", "1"), ("--blocks", "5,1"), ("--blocks", "0,3"):
            self.good(*self.RUN, *self.ALSO, *blocks)
            shape, raw = read_safetensors(self.path("y.safetensors"))["y"]
            self.assertEqual(shape, [1, 6])
            self.assertEqual(list(struct.unpack("<6f", raw)), self.y)

    def test_audio(self):
        def write(name, rate, channels, values):
            with wave.open(str(self.path(name)), "wb") as file:
                file.setnchannels(channels)
                file.setsampwidth(2)
                file.setframerate(rate)
                file.writeframes(struct.pack(f"<{len(values)}h", *(round(v * 4096) for v in values)))

        write("x.wav", 16000, 1, self.x)
        write("c.wav", 4000, 2, [v for pair in zip(*self.c) for v in pair])
        write("d.wav", 16000, 1, self.d)
        audio = ("run", "net.safetensors", "x.wav", "y.wav", "--also", "c.wav", "--also", "d.wav")
        self.good(*audio, "--block", "3")
        # Everything is an eighth: x (c + ...) an eighth of an eighth.
        expected = [
            x / 8 * (self.c[0][t // 4] * (1 + t % 4) - self.c[1][t // 4]) / 8 + d / 8
            for t, (x, d) in enumerate(zip(self.x, self.d))
        ]
        raw = self.path("y.wav").read_bytes()
        data = raw[raw.index(b"data") + 8 :]
        self.assertEqual(list(struct.unpack("<6f", data[:24])), expected)
        write("d.wav", 8000, 1, self.d)
        self.bad(*audio, says='"d.wav": sampled at 8000 Hz, the network takes 1 frames for every 1 of the input')

    def test_in_parts(self):
        self.tensors()
        write_safetensors(self.path("x.safetensors"), {"x": ((1, 5), self.x[:5])})
        write_safetensors(self.path("d.safetensors"), {"x": ((1, 5), self.d[:5])})
        self.good(*self.RUN, *self.ALSO, "--save-state", "middle.state")
        _, first = read_safetensors(self.path("y.safetensors"))["y"]
        write_safetensors(self.path("x.safetensors"), {"x": ((1, 1), self.x[5:])})
        write_safetensors(self.path("c.safetensors"), {"x": ((2, 0), [])})
        write_safetensors(self.path("d.safetensors"), {"x": ((1, 1), self.d[5:])})
        self.good(*self.RUN, *self.ALSO, "--load-state", "middle.state")
        _, second = read_safetensors(self.path("y.safetensors"))["y"]
        self.assertEqual(list(struct.unpack("<6f", first + second)), self.y)

    def test_what_does_not_fit(self):
        self.tensors()
        self.bad(*self.RUN, says="takes 2 signals beside the input, 0 given")
        self.bad(*self.RUN, *self.ALSO[:2], says="takes 2 signals beside the input, 1 given")
        self.tensors(d=self.d[:4])
        self.bad(*self.RUN, *self.ALSO, says="holds 4 frames, fewer than belong to 6 of the input")
        self.tensors(c=[[1.0, 2.0, 3.0]] * 2)
        self.bad(*self.RUN, *self.ALSO, says="holds 3 frames, but 2 belong to 6 of the input")
        self.tensors()
        self.bad(*self.RUN, "--also", "d.safetensors", "--also", "c.safetensors", says="has 1 channels in a batch of 1")

    def test_info(self):
        said = self.good("info", "net.safetensors")
        self.assertIn("2 in, 1 for every 4 frames", said)
        self.assertIn("1 in, 1 for every 1 frame", said)
        json.loads(self.good("info", "net.safetensors", "--json"))

    def test_files_that_cannot_be(self):
        def refused(expected, **fields):
            write_model(self.path("net.safetensors"), CONDITIONED | fields, CONDITIONED_TENSORS)
            self.bad("info", "net.safetensors", says=expected)

        refused("more_rates holds 3 numbers, expected 4", more_rates=[1, 4, 1])
        refused("more_rates holds 0, must be from 1", more_rates=[1, 0, 1, 1])
        refused("more_channels holds 0, must be from 1", more_channels=[0, 1])
        refused("from holds 3, must be from 0 to 2", nodes=[CONDITIONED["nodes"][1]])
        refused("input 2 is not used", nodes=CONDITIONED["nodes"][:2])


class SeveralOutputsTest(ToolTest):
    """twice: 2 x; sums: x[2 m] + x[2 m + 1], two channels of it"""

    GRAPH = {
        "type": "Graph",
        "path": "",
        "nodes": [
            {"type": "Affine", "path": "a", "from": [0], "scale": 2.0, "offset": 0.0},
            {"type": "Conv1d", "path": "c", "from": [0], "in_channels": 1, "out_channels": 2, "kernel_size": 2, "stride": 2},
        ],
        "in_channels": 1,
        "outputs": [1, 2],
        "output_names": ["twice", "sums"],
    }
    TENSORS = {"c.weight": ((2, 1, 2), [1.0, 1.0, 0.5, 0.5]), "c.bias": ((2,), [0.0, 0.0])}

    def setUp(self):
        super().setUp()
        write_model(self.path("net.safetensors"), self.GRAPH, self.TENSORS)
        self.x = [0.5, -0.25, 0.125, 0.25, 0.0625, -0.5, 0.25]
        self.sums = [self.x[i] + self.x[i + 1] for i in (0, 2, 4)]
        write_safetensors(self.path("x.safetensors"), {"x": ((1, 7), self.x)})
        write_float_wav(self.path("x.wav"), 1, 16000, self.x)

    def test_tensors(self):
        for blocks in ("--offline",), ("--block", "1"), ("--blocks", "0,5,1"):
            out = self.good("run", "net.safetensors", "x.safetensors", "y.safetensors", *blocks)
            self.assertIn("7 frames in, 7 and 3 out", out)
            tensors = read_safetensors(self.path("y.safetensors"))
            self.assertEqual({name: shape for name, (shape, _) in tensors.items()}, {"twice": [1, 7], "sums": [2, 3]})
            self.assertEqual(list(struct.unpack("<7f", tensors["twice"][1])), [2 * v for v in self.x])
            self.assertEqual(list(struct.unpack("<6f", tensors["sums"][1])), self.sums + [v / 2 for v in self.sums])
        self.bad("run", "net.safetensors", "x.safetensors", "y.safetensors", "--output", "sums=z.safetensors", code=2,
                 says="--output is for audio files")
        traced = self.good("run", "net.safetensors", "x.safetensors", "y.safetensors", "--block", "3", "--trace")
        self.assertIn("in 3 out 3 1\nin 3 out 3 2\nin 1 out 1 0\nflush out 0 0\n", traced)

    def test_audio(self):
        self.good("run", "net.safetensors", "x.wav", "y.wav", "--block", "3")
        main, sums = Wav(self.path("y.wav")), Wav(self.path("y.sums.wav"))
        self.assertEqual((main.channels, main.rate, list(main.samples)), (1, 16000, [2 * v for v in self.x]))
        self.assertEqual((sums.channels, sums.rate), (2, 8000))
        self.assertEqual(list(sums.samples), [part for v in self.sums for part in (v, v / 2)])
        self.path("y.sums.wav").unlink()
        self.good("run", "net.safetensors", "x.wav", "y.wav", "--output", "sums=other.wav")
        self.assertEqual(Wav(self.path("other.wav")).samples, sums.samples)
        self.assertFalse(self.path("y.sums.wav").exists())
        self.good("run", "net.safetensors", "x.wav", "y.wav", "--output", "sums=sums.safetensors")
        shape, raw = read_safetensors(self.path("sums.safetensors"))["y"]
        self.assertEqual(shape, [2, 3])
        self.assertEqual(list(struct.unpack("<6f", raw)), self.sums + [v / 2 for v in self.sums])

    def test_in_parts(self):
        write_float_wav(self.path("one.wav"), 1, 16000, self.x[:3])
        write_float_wav(self.path("two.wav"), 1, 16000, self.x[3:])
        self.good("run", "net.safetensors", "one.wav", "a.wav", "--save-state", "middle.state")
        self.good("run", "net.safetensors", "two.wav", "b.wav", "--load-state", "middle.state")
        both = list(Wav(self.path("a.sums.wav")).samples) + list(Wav(self.path("b.sums.wav")).samples)
        self.assertEqual(both, [part for v in self.sums for part in (v, v / 2)])

    def test_what_cannot_be_written(self):
        run = ("run", "net.safetensors", "x.wav", "y.wav")
        self.bad(*run, "--output", "nothing=z.wav", says='"nothing=z.wav" is not NAME=FILE for one of the outputs beside the main one: '
                                                        '"sums"')
        self.bad(*run, "--output", "sums=", says="is not NAME=FILE")
        self.bad(*run, "--output", "sums=a.wav", "--output", "sums=b.wav", says='"sums" is given twice')
        self.bad(*run, "--output", "sums=y.wav", says="is the file of another output too")
        self.bad(*run, "--output", "sums=x.wav", says="is the input too")
        self.bad(*run, "--output", "sums=net.safetensors", says="is the model too")
        self.bad(*run, "--output", "sums=z.mp3", code=2, says="must end in .wav")
        self.assertFalse(self.path("y.wav").exists())
        write_float_wav(self.path("x.wav"), 1, 16001, self.x)
        self.bad(*run, says='output "sums" would be sampled at 8000.500 Hz')
        self.good(*run, "--output", "sums=z.safetensors")
        write_model(self.path("net.safetensors"), self.GRAPH | {"output_names": ["twice", "../up"]}, self.TENSORS)
        self.bad(*run, says="say where it goes: --output NAME=FILE")
        self.good(*run, "--output", "../up=z.safetensors")
        self.model()
        self.bad("run", "model.safetensors", "x.wav", "y.wav", "--output", "a=b.wav", says="there are none")

    def test_info_check_bench_and_deps(self):
        said = self.good("info", "net.safetensors")
        self.assertRegex(said, r"outputs +twice: 1 channel, 1 for every 1 frame, delay 0 frames\n +sums: 2 channels, 1 for every 2")
        outputs = json.loads(self.good("info", "net.safetensors", "--json"))["outputs"]
        self.assertEqual([each["name"] for each in outputs], ["twice", "sums"])
        self.assertEqual(outputs[1]["rate"], {"outputs": 1, "inputs": 2})
        self.assertIn("the law holds", self.good("check", "net.safetensors"))
        self.good("bench", "net.safetensors", "--block", "16", "--seconds", "0.02")
        self.assertIn("1 output per 2 inputs", self.good("deps", "net.safetensors", "--of", "sums"))
        self.bad("deps", "net.safetensors", "--of", "none", says='has no output "none"')

    def test_files_that_cannot_be(self):
        def refused(expected, **fields):
            write_model(self.path("net.safetensors"), self.GRAPH | fields, self.TENSORS)
            self.bad("info", "net.safetensors", says=expected)

        refused("outputs holds 3, must be from 0 to 2", outputs=[1, 3])
        refused("value 2 is not used", outputs=[1], output_names=["a"])
        refused("output_names holds 1 texts, expected 2", output_names=["a"])
        refused("two outputs are called a", output_names=["a", "a"])
        refused("output_names is not a list of texts", output_names=[1, 2])
        refused('output_names: "1" is not a text', output_names=["a", 1])
        write_model(self.path("net.safetensors"), [self.GRAPH], self.TENSORS)
        self.bad("info", "net.safetensors", says="a network of 2 outputs, of which only one would be used")


class KnobsTest(ToolTest):
    """y = (gain x + shift), gain two numbers for two channels, shift one for both"""

    GRAPH = {
        "type": "Graph",
        "path": "",
        "in_channels": 2,
        "nodes": [
            {"type": "Control", "path": "g", "from": [0], "names": ["gain"], "channels": [2],
             "net": {"type": "Sequential", "path": "g.net", "layers": []}},
            {"type": "Reduce", "path": "m", "from": [0, 1], "op": "product"},
            {"type": "Control", "path": "s", "from": [2], "names": ["shift"], "channels": [1],
             "net": {"type": "Sequential", "path": "s.net", "layers": [{"type": "Tanh", "path": "t"}]}},
            {"type": "Reduce", "path": "a", "from": [2, 3], "op": "sum"},
        ],
    }
    TENSORS = {"g.default0": ((2,), [2.0, 0.5]), "s.default0": ((1,), [0.0])}

    def setUp(self):
        super().setUp()
        write_model(self.path("net.safetensors"), self.GRAPH, self.TENSORS)
        write_safetensors(self.path("x.safetensors"), {"x": ((2, 3), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])})

    def run_with(self, *arguments, names=("x.safetensors", "y.safetensors")):
        self.good("run", "net.safetensors", *names, *arguments)
        return list(struct.unpack("<6f", read_safetensors(self.path(names[1]))["y"][1]))

    def test_values(self):
        self.assertEqual(self.run_with(), [2.0, 4.0, 6.0, 2.0, 2.5, 3.0])
        self.assertEqual(self.run_with("--control", "gain=1,-1"), [1.0, 2.0, 3.0, -4.0, -5.0, -6.0])
        self.assertEqual(self.run_with("--control", "gain=1,1", "--control", "shift=99"), [2.0, 3.0, 4.0, 5.0, 6.0, 7.0])

    def test_in_parts(self):
        self.run_with("--control", "gain=1,-1", "--save-state", "middle.state")
        self.assertEqual(self.run_with("--load-state", "middle.state"), [1.0, 2.0, 3.0, -4.0, -5.0, -6.0])
        self.assertEqual(self.run_with("--load-state", "middle.state", "--control", "gain=1,0"), [1.0, 2.0, 3.0, 0.0, 0.0, 0.0])

    def test_what_is_said(self):
        self.assertRegex(self.good("info", "net.safetensors"), r"knobs +gain = 2,0.5 \(2 numbers\)\n +shift = 0\n")
        controls = json.loads(self.good("info", "net.safetensors", "--json"))["controls"]
        self.assertEqual(controls, [{"name": "gain", "default": [2.0, 0.5]}, {"name": "shift", "default": [0.0]}])
        self.assertIn("the law holds", self.good("check", "net.safetensors"))
        self.good("bench", "net.safetensors", "--block", "16", "--seconds", "0.02")
        self.good("deps", "net.safetensors")

    def test_wrong_values(self):
        run = ("run", "net.safetensors", "x.safetensors", "y.safetensors", "--control")
        self.bad(*run, "tone=1", says='"tone=1" is not NAME=VALUE,.. for one of the network\'s knobs: "gain", "shift"')
        self.bad(*run, "gain=1", says="1 value, the knob has 2")
        for wrong in ("gain=1,", "gain=", "gain=a,b", "gain=1;2", "gain=inf,1"):
            self.bad(*run, wrong, says="the values must be numbers such as 0.5,1")
        self.bad(*run, "shift=1", "--control", "shift=2", says='"shift" is given twice')
        self.model()
        self.bad("run", "model.safetensors", "x.safetensors", "y.safetensors", "--control", "gain=1", says="the network takes")


class SpaceTest(ToolTest):
    """y[w,t] = x[0,w,t] + 10 x[1,w,t] over two channels of frames three wide, and the same over frames two high"""

    def setUp(self):
        super().setUp()
        for name, axes, space in (("wide", 2, {"width": 3}), ("high", 3, {"width": 3, "height": 2})):
            layers = [{"type": "Input", "path": "i", "channels": 2, **space},
                      {"type": f"Conv{axes}d", "path": "c", "in_channels": 2, "out_channels": 1, "kernel_size": 1, "bias": False}]
            write_model(self.path(f"{name}.safetensors"), layers, {"c.weight": ((1, 2, *[1] * axes), [1.0, 10.0])})

    def test_run(self):
        for name, space in (("wide", (3,)), ("high", (2, 3))):
            for batch in ((), (2,)):
                places, frames = math.prod(space), 4
                x = [float(i) for i in range(math.prod(batch) * 2 * places * frames)]
                write_safetensors(self.path("x.safetensors"), {"x": ((*batch, 2, *space, frames), x)})
                y = []
                for b in range(math.prod(batch)):
                    first = b * 2 * places * frames
                    y += [x[first + i] + 10 * x[first + places * frames + i] for i in range(places * frames)]
                for options in ([], ["--block", 1], ["--block", 3]):
                    self.good("run", f"{name}.safetensors", "x.safetensors", "y.safetensors", *options)
                    shape, data = read_safetensors(self.path("y.safetensors"))["y"]
                    self.assertEqual((tuple(shape), array.array("f", data).tolist()), ((*batch, 1, *space, frames), y))

    def test_other_shapes_are_errors(self):
        def refused(model, shape, says):
            write_safetensors(self.path("x.safetensors"), {"x": (shape, [0.0] * math.prod(shape))})
            self.bad("run", f"{model}.safetensors", "x.safetensors", "y.safetensors", says=says)

        refused("wide", (2, 4), r"x has shape (2,4), must be (C,W,T) or (B,C,W,T)")
        refused("wide", (2, 5, 4), "has frames of width 5 and height 1, the network takes 3 and 1")
        refused("high", (2, 3, 4), r"x has shape (2,3,4), must be (C,H,W,T) or (B,C,H,W,T)")
        refused("high", (2, 3, 2, 4), "has frames of width 2 and height 3, the network takes 3 and 2")
        write_float_wav(self.path("in.wav"), 2, 8000, [0.0] * 8)
        self.bad("run", "wide.safetensors", "in.wav", "out.wav", says="audio, but the network takes frames of")

    def test_info_check_bench_and_deps(self):
        for name, macs in (("wide", 6), ("high", 12)):
            self.assertRegex(self.good("info", f"{name}.safetensors"), rf"MACs +{macs} per input frame")
            self.assertIn("the law holds", self.good("check", f"{name}.safetensors", "--trials", "4"))
            self.good("bench", f"{name}.safetensors", "--block", "4", "--seconds", "0.02")
            self.good("deps", f"{name}.safetensors")


class RunTest(ToolTest):
    def test_known_numbers(self):
        # The example of docs/model-file.md.
        layers = [conv("0", 1, 2, 3, padding=[2, 0]), {"type": "ReLU", "path": "1"}]
        self.model(layers, {"sample_rate_hz": "16000"}, tensors={"0.weight": ((2, 1, 3), [1, 2, 3, -1, 0, 1]), "0.bias": ((2,), [0.5, 0])})
        write_float_wav(self.path("in.wav"), 1, 16000, [1, 2, 3])
        out = self.good("run", "model.safetensors", "in.wav", "out.wav", "--block", 2, "--trace")
        calls, rest, summary = self.traced(out)
        self.assertEqual((calls, rest), ([(2, 2), (1, 1)], 0))
        self.assertRegex(summary, r"^3 frames in, 3 out, 2 calls; delay 0 frames \(0\.0 ms\); \d+\.\d+ s, real-time factor \d+\.\d+$")
        wav = Wav(self.path("out.wav"))
        self.assertEqual((wav.format, wav.bits, wav.channels, wav.rate), (3, 32, 2, 16000))
        self.assertEqual(wav.samples.tolist(), [3.5, 1, 8.5, 2, 14.5, 2])

        write_safetensors(self.path("in.safetensors"), {"x": ((1, 3), [1, 2, 3]), "y": ((1,), [0])})
        self.good("run", "model.safetensors", "in.safetensors", "out.safetensors")
        shape, data = read_safetensors(self.path("out.safetensors"))["y"]
        self.assertEqual((shape, array.array("f", data).tolist()), ([2, 3], [3.5, 8.5, 14.5, 1, 2, 2]))

    def test_the_output_does_not_depend_on_the_blocks(self):
        self.model()
        samples = noise(3001)
        write_float_wav(self.path("in.wav"), 1, 8000, samples)
        write_safetensors(self.path("in.safetensors"), {"x": ((1, 3001), samples)})
        wavs, tensors = set(), set()
        for options in (["--offline"], [], ["--block", 1], ["--block", 3001], ["--block", 16777216], ["--blocks", "7,13,1"], ["--blocks", "0,5,0,64,0"]):
            with self.subTest(options):
                summary = self.good("run", "model.safetensors", "in.wav", "out.wav", *options)
                self.assertTrue(summary.startswith("3001 frames in, 3001 out, "), summary)
                wavs.add(self.path("out.wav").read_bytes())
                self.good("run", "model.safetensors", "in.safetensors", "out.safetensors", *options)
                tensors.add(self.path("out.safetensors").read_bytes())
        self.assertEqual((len(wavs), len(tensors)), (1, 1))
        self.assertEqual(Wav(self.path("out.wav")).data, read_safetensors(self.path("out.safetensors"))["y"][1])

    def test_trace_shows_every_call(self):
        self.model()  # delay 2
        write_float_wav(self.path("in.wav"), 1, 8000, noise(30))
        run = ("run", "model.safetensors", "in.wav", "out.wav", "--trace")
        calls, rest, _ = self.traced(self.good(*run, "--blocks", "7,0,13,1"))
        self.assertEqual([n for n, _ in calls], [7, 0, 13, 1, 7, 0, 2])
        self.assertEqual([n for _, n in calls], [5, 0, 13, 1, 7, 0, 2])
        self.assertEqual(rest, 2)
        calls, rest, summary = self.traced(self.good(*run, "--offline"))
        self.assertEqual((calls, rest), ([(30, 28)], 2))
        self.assertIn("1 call;", summary)

    def test_rates(self):
        down = [conv("0", 1, 1, 4, stride=2, padding=1)]
        up = [{"type": "ConvTranspose1d", "path": "0", "in_channels": 1, "out_channels": 2, "kernel_size": 6, "stride": 3}]
        samples = noise(1001)
        write_float_wav(self.path("in.wav"), 1, 16000, samples)
        write_safetensors(self.path("in.safetensors"), {"x": ((1, 1001), samples)})
        for layers, rate, channels, frames in ((down, 8000, 1, 500), (up, 48000, 2, 3006)):
            self.model(layers)
            data = set()
            for options in (["--offline"], ["--block", 1], ["--blocks", "2,0,3"]):
                self.good("run", "model.safetensors", "in.wav", "out.wav", *options)
                wav = Wav(self.path("out.wav"))
                self.assertEqual((wav.rate, wav.channels, wav.frames), (rate, channels, frames))
                data.add(wav.data)
            self.assertEqual(len(data), 1)
            self.good("run", "model.safetensors", "in.safetensors", "out.safetensors")
            self.assertEqual(read_safetensors(self.path("out.safetensors"))["y"][0], [channels, frames])
        self.model([conv("0", 1, 1, 4, stride=3)])
        self.bad("run", "model.safetensors", "in.wav", "new.wav", says="5333.333 Hz")

    def test_channels(self):
        samples = noise(3 * 500)
        write_float_wav(self.path("three.wav"), 3, 8000, samples)
        # A network for three.
        self.model([conv("0", 3, 2, 4)])
        write_safetensors(self.path("three.safetensors"), {"x": ((3, 500), [samples[3 * t + c] for c in range(3) for t in range(500)])})
        self.good("run", "model.safetensors", "three.wav", "out.wav", "--block", 7)
        self.good("run", "model.safetensors", "three.safetensors", "out.safetensors", "--block", 9)
        shape, data = read_safetensors(self.path("out.safetensors"))["y"]
        y = array.array("f", data)
        self.assertEqual(shape, [2, 497])
        self.assertEqual(Wav(self.path("out.wav")).samples.tolist(), [y[c * 497 + t] for t in range(497) for c in range(2)])
        # Each channel alone.
        self.model()
        self.good("run", "model.safetensors", "three.wav", "out.wav", "--block", 7)
        together = Wav(self.path("out.wav"))
        self.assertEqual(together.channels, 3)
        for c in range(3):
            write_float_wav(self.path("one.wav"), 1, 8000, samples[c::3])
            self.good("run", "model.safetensors", "one.wav", "one_out.wav")
            self.assertEqual(Wav(self.path("one_out.wav")).samples, together.samples[c::3])
        # Any number.
        self.model([{"type": "ReLU", "path": "0"}], tensors={})
        self.good("run", "model.safetensors", "three.wav", "out.wav")
        self.assertEqual(Wav(self.path("out.wav")).samples.tolist(), [max(x, 0) for x in samples])
        # Neither.
        self.model([conv("0", 2, 2, 4)])
        self.bad("run", "model.safetensors", "three.wav", "new.wav", says="3 channels, the network takes 2")
        self.bad("run", "model.safetensors", "three.safetensors", "new.safetensors", says="3 channels, the network takes 2")
        self.model([{"type": "GLU", "path": "0"}], tensors={})
        self.bad("run", "model.safetensors", "three.wav", "new.wav", says='"three.wav": GLU: ')

    def test_batches(self):
        self.model([conv("0", 2, 3, 4, stride=2)])
        x = noise(4 * 2 * 100)
        write_safetensors(self.path("all.safetensors"), {"x": ((4, 2, 100), x)})
        self.good("run", "model.safetensors", "all.safetensors", "out.safetensors", "--blocks", "3,1")
        shape, together = read_safetensors(self.path("out.safetensors"))["y"]
        self.assertEqual(shape, [4, 3, 49])
        alone = b""
        for b in range(4):
            write_safetensors(self.path("one.safetensors"), {"x": ((2, 100), x[b * 200 : (b + 1) * 200])})
            self.good("run", "model.safetensors", "one.safetensors", "one_out.safetensors")
            alone += read_safetensors(self.path("one_out.safetensors"))["y"][1]
        self.assertEqual(alone, together)

    def test_formats(self):
        self.model([{"type": "Hardtanh", "path": "0", "min_val": -9, "max_val": 9}], tensors={})  # the identity
        integers = [random.Random(4).randint(-32768, 32767) for _ in range(2000)] + [-32768, 32767, 0, 1, -1]
        write_pcm_wav(self.path("in.wav"), 1, 44100, integers)
        self.good("run", "model.safetensors", "in.wav", "out.wav", "--format", "pcm16")
        with wave.open(str(self.path("out.wav"))) as file:  # the standard library can read it
            self.assertEqual((file.getsampwidth(), file.getframerate()), (2, 44100))
            self.assertEqual(list(array.array("h", file.readframes(9999))), integers)
        self.good("run", "model.safetensors", "in.wav", "out.wav", "--format", "float32")
        self.assertEqual(Wav(self.path("out.wav")).samples.tolist(), [i / 32768 for i in integers])

        write_float_wav(self.path("in.wav"), 1, 44100, [0.5, 1.5, -1.5, math.nan, math.inf, 1, -1, 0.25])
        self.assertNotIn("clipped", self.good("run", "model.safetensors", "in.wav", "out.wav"))
        out = self.good("run", "model.safetensors", "in.wav", "out.wav", "--format", "pcm16")
        self.assertIn("clipped", out)
        self.assertEqual(Wav(self.path("out.wav")).samples[:3].tolist(), [16384, 32767, -32768])
        self.assertEqual(Wav(self.path("out.wav")).samples[5:].tolist(), [32767, -32768, 8192])

    def test_short_signals(self):
        self.model([conv("0", 1, 1, 10)])
        write_float_wav(self.path("in.wav"), 1, 8000, noise(9))
        for options in ([], ["--offline"], ["--block", 1]):
            says = '"out.wav": holds no frames: 9 frames went in, the network needs 10 frames for its first output'
            out = self.warned(says, "run", "model.safetensors", "in.wav", "out.wav", *options)
            self.assertTrue(out.startswith("9 frames in, 0 out,"))
            self.assertEqual(Wav(self.path("out.wav")).frames, 0)
        write_safetensors(self.path("in.safetensors"), {"x": ((1, 9), noise(9))})
        self.warned(says.replace("wav", "safetensors"), "run", "model.safetensors", "in.safetensors", "out.safetensors")
        self.assertEqual(read_safetensors(self.path("out.safetensors"))["y"], ([1, 0], b""))
        # One more is enough; so is any, where the network pads.
        write_float_wav(self.path("ten.wav"), 1, 8000, noise(10))
        self.assertIn("10 frames in, 1 out", self.good("run", "model.safetensors", "ten.wav", "out.wav"))
        # In parts, the signal's first output may be still to come, or have come already.
        self.good("run", "model.safetensors", "in.wav", "out.wav", "--save-state", "s")
        write_float_wav(self.path("none.wav"), 1, 8000, [])
        self.warned("9 frames went in", "run", "model.safetensors", "none.wav", "out.wav", "--load-state", "s")
        self.good("run", "model.safetensors", "ten.wav", "out.wav", "--save-state", "s")
        self.assertIn("0 frames in, 0 out", self.good("run", "model.safetensors", "none.wav", "out.wav", "--load-state", "s"))
        # Rates and what is cut off count too.
        self.model([conv("0", 1, 1, 4, stride=4), {"type": "Pad", "path": "1", "left": -3, "right": -2}])
        self.warned("9 frames went in, the network needs 24 frames", "run", "model.safetensors", "in.wav", "out.wav")
        write_float_wav(self.path("in.wav"), 1, 8000, noise(1))
        self.warned("1 frame went in, the network needs 24 frames", "run", "model.safetensors", "in.wav", "out.wav")
        write_float_wav(self.path("in.wav"), 1, 8000, noise(24))
        self.good("run", "model.safetensors", "in.wav", "out.wav")

    @unittest.skipIf(SANITIZED, "the sanitizer keeps what was freed")
    def test_memory_does_not_grow_with_the_signal(self):
        self.model()
        write_pcm_wav(self.path("in.wav"), 1, 8000, [1] * 2000000)  # 4 MB, the output is 8 MB
        peaks = []
        with self.start("run", "model.safetensors", "in.wav", "out.wav", "--block", 64, "--trace") as process:
            for line, _ in enumerate(process.stdout):
                if line in (4000, 22000):  # of 31250: it still waits for us to read
                    status = Path(f"/proc/{process.pid}/status").read_text()
                    peaks.append(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]))
        self.assertEqual((process.returncode, len(peaks)), (0, 2))
        self.assertLess(peaks[1] - peaks[0], 500)

    def test_output_is_replaced_and_keeps_its_mode(self):
        self.model()
        write_float_wav(self.path("in.wav"), 1, 8000, noise(100))
        self.path("out.wav").write_bytes(b"before")
        self.path("out.wav").chmod(0o640)
        self.path("link.wav").symlink_to("out.wav")
        self.good("run", "model.safetensors", "in.wav", "link.wav")
        self.assertEqual(Wav(self.path("out.wav")).frames, 100)
        self.assertEqual(self.path("out.wav").stat().st_mode & 0o777, 0o640)
        self.assertTrue(self.path("link.wav").is_symlink())
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["in.wav", "link.wav", "model.safetensors", "out.wav"])

    def test_bad_files(self):
        self.model(metadata={"sample_rate_hz": "16000"})
        good = noise(100)
        write_float_wav(self.path("in.wav"), 1, 16000, good)
        write_float_wav(self.path("other_rate.wav"), 1, 44100, good)
        write_float_wav(self.path("no_frames.wav"), 1, 16000, [])
        self.path("empty.wav").write_bytes(b"")
        self.path("text.wav").write_text("RIFF is what this text begins with, but it is no audio.\n" * 20)
        self.path("folder.wav").mkdir()
        self.path("folder.safetensors").mkdir()
        self.path("out.wav").write_bytes(b"the result of before")
        self.path("out.safetensors").write_bytes(b"the result of before")
        self.path("link.wav").symlink_to("in.wav")
        os.mkfifo(self.path("fifo.wav"))
        write_safetensors(self.path("no_x.safetensors"), {"z": ((1, 2), [1, 2])})
        write_safetensors(self.path("flat.safetensors"), {"x": ((2,), [1, 2])})
        write_safetensors(self.path("no_frames.safetensors"), {"x": ((1, 0), [])})
        write_safetensors(self.path("no_batch.safetensors"), {"x": ((0, 1, 5), [])})
        write_safetensors(self.path("in.safetensors"), {"x": ((1, 100), good)})
        self.path("cut.safetensors").write_bytes(self.path("in.safetensors").read_bytes()[:-3])
        for source, target, says in (
            ("missing.wav", "out.wav", "no such file"),
            ("empty.wav", "out.wav", "is empty"),
            ("no_frames.wav", "out.wav", "no frames"),
            ("text.wav", "out.wav", "cannot be read as an audio file"),
            ("model.safetensors", "out.safetensors", 'no tensor "x"'),
            ("folder.wav", "out.wav", "directory"),
            ("fifo.wav", "out.wav", "not a regular file"),
            ("other_rate.wav", "out.wav", "44100 Hz, the model is for 16000 Hz"),
            ("in.wav", "folder.wav", "is a directory"),
            ("in.wav", "missing/out.wav", 'no directory "missing"'),
            ("in.wav", "in.wav/out.wav", "no directory"),
            ("in.wav", "fifo.wav", "not a regular file"),
            ("in.wav", "in.wav", "input"),
            ("in.wav", "./in.wav", "input"),
            ("in.wav", "link.wav", "input"),
            ("link.wav", "in.wav", "input"),
            ("in.safetensors", "model.safetensors", "model"),
            ("in.safetensors", "in.safetensors", "input"),
            ("in.safetensors", "folder.safetensors", "is a directory"),
            ("missing.safetensors", "out.safetensors", "no such file"),
            ("cut.safetensors", "out.safetensors", "cut.safetensors"),
            ("no_x.safetensors", "out.safetensors", '"x"'),
            ("flat.safetensors", "out.safetensors", "(2)"),
            ("no_frames.safetensors", "out.safetensors", "(1,0)"),
            ("no_batch.safetensors", "out.safetensors", "(0,1,5)"),
        ):
            with self.subTest(source + " to " + target):
                self.bad("run", "model.safetensors", source, target, says=says)
        self.bad("run", "missing.safetensors", "in.wav", "out.wav", says="no such file")

    def test_damaged_audio_is_an_error_before_the_output_changes(self):
        self.model()
        self.path("out.wav").write_bytes(b"before")
        write_pcm_wav(self.path("in.wav"), 1, 8000, [1] * 1000)
        whole = self.path("in.wav").read_bytes()
        for cut in range(0, 44, 5):
            self.path("cut.wav").write_bytes(whole[:cut])
            self.bad("run", "model.safetensors", "cut.wav", "out.wav", says="cut.wav")

    def test_a_full_disk(self):
        self.model()
        write_float_wav(self.path("in.wav"), 1, 8000, noise(100000))
        write_safetensors(self.path("in.safetensors"), {"x": ((1, 100000), [0.5] * 100000)})
        self.path("out.wav").write_bytes(b"before")
        self.path("out.safetensors").write_bytes(b"before")
        few = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))
        self.bad("run", "model.safetensors", "in.wav", "out.wav", says="out.wav", preexec_fn=few)
        self.bad("run", "model.safetensors", "in.wav", "new.wav", "--offline", says="File too large", preexec_fn=few)
        self.bad("run", "model.safetensors", "in.safetensors", "out.safetensors", says="File too large", preexec_fn=few)
        header_only = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
        self.bad("run", "model.safetensors", "in.wav", "out.wav", says="out.wav", preexec_fn=header_only)

    @unittest.skipIf(SANITIZED, "the sanitizer ends the program itself")
    def test_out_of_memory(self):
        # History of 15 Mi frames of 4096 channels: 240 GiB.
        layers = [conv("0", 4096, 1, 16, dilation=1 << 20, groups=1, bias=False)]
        self.model(layers, tensors={"0.weight": ((1, 4096, 16), [0] * 65536)})
        write_safetensors(self.path("in.safetensors"), {"x": ((4096, 1), [0] * 4096)})
        some = lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        for command in (["info"], ["check"], ["bench"], ["run"]):
            files = ["in.safetensors", "out.safetensors"] if command == ["run"] else []
            with self.subTest(command):
                self.bad(*command, "model.safetensors", *files, says="out of memory", preexec_fn=some)

    def test_nobody_reads_what_it_says(self):
        self.model()
        write_float_wav(self.path("in.wav"), 1, 8000, noise(100000))
        run = ("run", "model.safetensors", "in.wav", "out.wav", "--block", 1)
        with self.start(*run, "--trace") as process:
            self.assertEqual(process.stdout.readline(), b"in 1 out 0\n")
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
        self.assertEqual(process.returncode, -signal.SIGPIPE)
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["in.wav", "model.safetensors"])
        # Every command ends as any other program in a pipe, and as one whose caller wants no such signal.
        for command in (
            ["--help"], ["--version"], ["info", "--help"], ["info", "model.safetensors"], ["info", "model.safetensors", "--json"],
            run, ["resample", "in.wav", "out.wav", "--rate", 4000], ["types"], ["types", "--json"], ["check", "model.safetensors", "--trials", 2],
            ["bench", "model.safetensors", "--seconds", 0.01], ["deps", "model.safetensors"], ["deps", "model.safetensors", "-o", "deps.svg"],
        ):
            with self.subTest(command):
                ours, theirs = os.pipe()
                os.close(ours)
                self.assertEqual(self.call(*command, stdout=theirs), (-signal.SIGPIPE, "", ""))
                ignored = lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN)
                self.bad(*command, stdout=theirs, preexec_fn=ignored, says="standard output: Broken pipe")
                os.close(theirs)
                self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["in.wav", "model.safetensors"])
        with open("/dev/full", "wb") as full:
            self.bad(*run, stdout=full, says="standard output: No space left")
            self.bad("info", "model.safetensors", stdout=full, says="standard output: No space left")
            self.bad("--help", stdout=full, says="standard output: No space left")
        self.bad(*run, preexec_fn=lambda: os.close(1), says="standard output")
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["in.wav", "model.safetensors"])

    def test_interrupted(self):
        self.model()
        write_float_wav(self.path("in.wav"), 1, 8000, noise(100000))
        self.path("out.wav").write_bytes(b"before")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # It waits for us to read what it says.
            with self.start("run", "model.safetensors", "in.wav", "out.wav", "--block", 1, "--trace") as process:
                process.stdout.readline()
                deadline = time.monotonic() + 30
                while not list(self.dir.glob("out.wav.*")) and time.monotonic() < deadline:
                    time.sleep(0.01)
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=30), -number)
            self.assertEqual(self.path("out.wav").read_bytes(), b"before")
            self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["in.wav", "model.safetensors", "out.wav"])

    def test_two_at_once(self):
        self.model()
        write_float_wav(self.path("in.wav"), 1, 8000, noise(20000))
        runs = [self.start("run", "model.safetensors", "in.wav", "out.wav", "--block", 1) for _ in range(3)]
        for run in runs:
            _, err = run.communicate(timeout=60)
            self.assertEqual((run.returncode, err), (0, b""))
        self.assertEqual(Wav(self.path("out.wav")).frames, 20000)
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["in.wav", "model.safetensors", "out.wav"])

    def test_progress_on_a_terminal(self):
        self.model()
        write_float_wav(self.path("in.wav"), 1, 8000, noise(30000))
        runs = [("in.wav", ["--block", 8], True), ("in.wav", ["--block", 8, "--trace"], False)]
        if SNDFILE and write_sound(self.path("open.flac"), FLAC | PCM_16, 8000, noise(30000)):
            open_flac(self.path("open.flac"), 0)
            runs.append(("open.flac", ["--block", 8], True))
        for source, options, bar in runs:
            ours, theirs = pty.openpty()
            with self.start("run", "model.safetensors", source, "out.wav", *options, stderr=theirs, stdout=subprocess.DEVNULL) as process:
                os.close(theirs)
                shown = b""
                while select.select([ours], [], [], 60)[0]:
                    try:
                        some = os.read(ours, 4096)
                    except OSError:  # the other end is gone
                        break
                    if not some:
                        break
                    shown += some
            os.close(ours)
            self.assertEqual(process.returncode, 0)
            if bar:
                self.assertRegex(shown.decode(), r"\A(\r\[#*\.*\] +\d{1,3} %)+\r\x1b\[K\Z")
            else:
                self.assertEqual(shown, b"")


@unittest.skipIf(SNDFILE is None, "libsndfile is not found")
class LengthTest(ToolTest):
    """Audio whose header does not know how long it is, or promises more than there is."""

    FRAMES = 20000

    def setUp(self):
        super().setUp()
        self.model([{"type": "Hardtanh", "path": "0", "min_val": -9, "max_val": 9}], tensors={})  # the identity
        self.samples = [round(32768 * x / 2) / 32768 for x in noise(self.FRAMES)]
        self.plain = {}  # the results of plain files, by their frames

    def write(self, name, form):
        """The bytes of such a file."""
        if not write_sound(self.path(name), form, 16000, self.samples):
            self.skipTest("libsndfile does not write " + name)
        return bytearray(self.path(name).read_bytes())

    def results(self, name, says):
        """What run, run --offline and resample make of it."""
        results = []
        for command, *options in (["run"], ["run", "--blocks", "7,0,500"], ["run", "--offline"], ["resample", "--rate", 8000]):
            command = [command, *(["model.safetensors"] if command == "run" else []), name, "out.wav", *options]
            out = self.warned(f'"{name}": {says}', *command) if says else self.good(*command)
            self.assertNotRegex(out, r"\d{7}")
            results.append((int(re.search(r"(\d+) frames in", out)[1]), self.path("out.wav").read_bytes()))
        self.assertTrue(results[0] == results[1] and results[0] == results[2])
        return results

    def check(self, name, raw, says="", frames=FRAMES):
        """The same outputs as of a plain file with those frames."""
        with self.subTest(name):
            self.path(name).write_bytes(raw)
            if frames not in self.plain:
                write_float_wav(self.path("plain.wav"), 1, 16000, self.samples[:frames])
                self.plain[frames] = self.results("plain.wav", "")
            self.assertTrue(self.results(name, says) == self.plain[frames])  # megabytes if it were printed

    def test_unknown_length(self):
        raw = self.write("a.wav", WAV | PCM_16)
        data = raw.index(b"data")
        # As ffmpeg, GStreamer, SoX, arecord and others write to a pipe.
        for riff, size in ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFDB), (36 + 40000, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000),
                           (0x80000024, 0x80000000), (0x7FFFFFFF, 0x7FFFFFDB), (0, 0xFFFFFFFF)):
            raw[4:8], raw[data + 4 : data + 8] = struct.pack("<I", riff), struct.pack("<I", size)
            self.check(f"{size}.wav", raw)
        raw = self.write("a.au", AU | PCM_16)
        raw[8:12] = b"\xff" * 4
        self.check("open.au", raw)
        raw = self.write("a.aiff", AIFF | PCM_16)
        for size in (0, 0x7FFFFFFF, 0xFFFFFFFF):
            for at in (4, raw.index(b"SSND") + 4, raw.index(b"COMM") + 10):
                raw[at : at + 4] = struct.pack(">I", size)
            self.check(f"{size}.aiff", raw)
        raw = self.write("a.w64", W64 | PCM_16)
        at = raw.index(b"data\xf3") + 16
        for size in (0, -1, 0x7FFFFFFFFFFFFFFF):
            raw[at : at + 8] = struct.pack("<q", size)
            self.check(f"{size}.w64", raw)
        self.write("open.flac", FLAC | PCM_16)
        open_flac(self.path("open.flac"), 0)
        self.check("open.flac", self.path("open.flac").read_bytes())
        # A length that no file of this size could have is none.
        open_flac(self.path("open.flac"), (1 << 36) - 1)
        says = "ends after 20000 frames, far from what its header promises"
        self.check("absurd.flac", self.path("open.flac").read_bytes(), says)

    def test_more_is_promised(self):
        says = "ends after 20000 of the 25000 frames that its header promises"
        for name, form, mark, sizes in (
            ("long.wav", WAV | PCM_16, b"data", {4: struct.pack("<I", 50000)}),
            ("float.wav", WAV | FLOAT, b"data", {4: struct.pack("<I", 100000)}),
            ("long.aiff", AIFF | PCM_16, b"SSND", {4: struct.pack(">I", 50008)}),
            ("long.au", AU | PCM_16, b".snd", {8: struct.pack(">I", 50000)}),
            ("long.w64", W64 | PCM_16, b"data\xf3", {16: struct.pack("<q", 50024)}),
            ("long.rf64", RF64 | PCM_16, b"ds64", {8: struct.pack("<qqq", 50092, 50000, 25000)}),
        ):
            raw = self.write(name, form)
            for offset, size in sizes.items():
                at = raw.index(mark) + offset
                raw[at : at + len(size)] = size
            self.check(name, raw, says)
        self.write("long.flac", FLAC | PCM_16)
        open_flac(self.path("long.flac"), 25000)
        self.check("long.flac", self.path("long.flac").read_bytes(), says)

    def test_cut_off(self):
        for name, form in (("a.wav", WAV | PCM_16), ("a.aiff", AIFF | PCM_16), ("a.au", AU | PCM_16), ("a.w64", W64 | PCM_16),
                           ("a.rf64", RF64 | PCM_16)):
            for cut in (1, 16000):  # the samples are the file's end
                left = self.FRAMES - (cut + 1) // 2
                says = f"ends after {left} of the 20000 frames that its header promises"
                self.check(name, self.write(name, form)[:-cut], says, left)
        raw = self.write("a.caf", CAF | PCM_16)
        self.check("a.caf", raw)
        self.path("a.caf").write_bytes(raw[:-3000])
        frames = self.results("a.caf", "ends after 18")[0][0]
        self.assertTrue(18490 <= frames <= 18500, frames)

        raw = self.write("a.flac", FLAC | PCM_16)
        for promised in (self.FRAMES, 0):
            open_flac(self.path("a.flac"), promised)
            raw = self.path("a.flac").read_bytes()
            left = 8192  # whole blocks of 4096
            says = f"ends after {left} of the {promised} frames that" if promised else f"is cut off after {left} frames ("
            self.check("cut.flac", raw[: len(raw) // 2 + 1000], says, left)
            self.path("cut.flac").write_bytes(raw[:100])
            self.bad("run", "model.safetensors", "cut.flac", "new.wav", says="holds no")

        raw = self.write("a.wav", WAV | MS_ADPCM)
        self.path("cut.wav").write_bytes(raw[: len(raw) // 2])
        frames = self.results("cut.wav", "ends ")[0][0]
        self.assertTrue(5000 < frames < 15000, frames)

    def test_cut_off_within_compressed_sound(self):
        for name, form, rate, says in (("a.ogg", OGG | VORBIS, 16000, "end mark"), ("a.opus", OGG | OPUS, 16000, "end mark"),
                                       ("a.mp3", MPEG | MP3, 16000, "of the 100000 frames that its header promises")):
            with self.subTest(name):
                if not write_sound(self.path(name), form, rate, noise(100000)):
                    continue
                self.good("run", "model.safetensors", name, "out.wav")
                self.assertEqual(Wav(self.path("out.wav")).frames, 100000)
                raw = self.path(name).read_bytes()
                self.path(name).write_bytes(raw[: len(raw) * 6 // 10])
                frames = set()
                for options in ([], ["--offline"]):
                    code, out, err = self.call("run", "model.safetensors", name, "out.wav", *options)
                    self.assertEqual(code, 0, err)
                    self.assertRegex(err.splitlines()[-1], f'^eigenstream: warning: "{name}": ends after \\d{{5}} .*{says}')
                    frames.add(Wav(self.path("out.wav")).frames)
                (left,) = frames
                self.assertTrue(40000 < left < 70000, left)

    def test_damage_before_the_end_is_no_end(self):
        raw = self.write("a.flac", FLAC | PCM_16)
        raw[len(raw) // 3 : len(raw) // 3 + 50] = b"\x55" * 50
        for promised in (self.FRAMES, 0):
            self.path("a.flac").write_bytes(raw)
            open_flac(self.path("a.flac"), promised)
            for options in ([], ["--offline"]):
                self.bad("run", "model.safetensors", "a.flac", "out.wav", *options, says="cannot be read beyond frame 4096")

    def test_a_header_that_says_nothing_is_there(self):
        raw = self.write("a.wav", WAV | PCM_16)
        data = raw.index(b"data")
        raw[4:8] = raw[data + 4 : data + 8] = bytes(4)
        self.path("a.wav").write_bytes(raw)
        self.bad("run", "model.safetensors", "a.wav", "out.wav", says="holds no frames, going by its header, in 40044 bytes")
        self.bad("resample", "a.wav", "out.wav", "--rate", 8000, says="holds no frames, going by its header, in 40044 bytes")
        self.warned("holds no frames, going by its header", "run", "model.safetensors", "a.wav", "out.wav", "--save-state", "s")

    def test_parts(self):
        raw = self.write("a.wav", WAV | PCM_16)
        self.path("a.wav").write_bytes(raw[:-10000])
        self.warned("ends after 15000 of the 20000", "run", "model.safetensors", "a.wav", "out.wav", "--save-state", "s")
        self.assertIn("15000 frames", self.warned("ends after", "run", "model.safetensors", "a.wav", "out.wav", "--load-state", "s"))

    def test_a_promise_beyond_4_gib_makes_no_big_file(self):
        write_sound(self.path("a.flac"), FLAC | PCM_16, 16000, noise(200000))
        open_flac(self.path("a.flac"), 1 << 31)
        self.warned("200000 of the 2147483648 frames", "run", "model.safetensors", "a.flac", "out.wav")
        raw = self.path("out.wav").read_bytes()
        self.assertEqual((raw[:4], struct.unpack("<I", raw[4:8])[0]), (b"RIFF", len(raw) - 8))
        self.assertIn("200000 frames in", self.good("run", "model.safetensors", "out.wav", "again.wav"))


class StateTest(ToolTest):
    def in_parts(self, samples, cuts, channels=1, rate=16000, options=(), name="wav"):
        """The outputs of the parts that end at `cuts` and of the rest, put together; each part is a process of its own."""
        ends = [*cuts, len(samples) // channels]
        data, begin = b"", 0
        for number, end in enumerate(ends):
            states = ["--load-state", "s.state"] if number > 0 else []
            states += ["--save-state", "s.state"] if end != ends[-1] or number < len(ends) - 1 else []
            part = samples[begin * channels : end * channels]
            if name == "wav":
                write_float_wav(self.path("part.wav"), channels, rate, part)
                self.good("run", "model.safetensors", "part.wav", "part_out.wav", *options, *states)
                data += Wav(self.path("part_out.wav")).data
            else:
                write_safetensors(self.path("part.safetensors"), {"x": ((1, end - begin), part)})
                self.good("run", "model.safetensors", "part.safetensors", "part_out.safetensors", *options, *states)
                data += read_safetensors(self.path("part_out.safetensors"))["y"][1]
            begin = end
        return data

    def test_parts_make_the_whole(self):
        mixed = [
            conv("0", 1, 4, 4, stride=2, padding=[3, 1]),
            {"type": "SiLU", "path": "1"},
            {"type": "ConvTranspose1d", "path": "2", "in_channels": 4, "out_channels": 1, "kernel_size": 6, "stride": 2, "padding": 2},
            conv("3", 1, 1, 3, padding=1, padding_mode="replicate"),
            {"type": "Pad", "path": "4", "left": 2, "right": -3},
        ]
        samples = noise(500)
        write_float_wav(self.path("in.wav"), 1, 16000, samples)
        write_safetensors(self.path("in.safetensors"), {"x": ((1, 500), samples)})
        for layers in (CAUSAL, mixed):
            self.model(layers, {"sample_rate_hz": "16000"})
            self.good("run", "model.safetensors", "in.wav", "out.wav")
            whole = Wav(self.path("out.wav")).data
            for cuts in ([0], [1], [2], [3], [8], [250], [499], [500], [0, 0, 1, 1, 2, 5, 100, 500]):
                with self.subTest(cuts):
                    self.assertEqual(self.in_parts(samples, cuts), whole)
            self.assertEqual(self.in_parts(samples, [7, 333], options=["--offline"]), whole)
            self.assertEqual(self.in_parts(samples, [7, 333], options=["--blocks", "5,0,3"]), whole)
            self.assertEqual(self.in_parts(samples, [0, 2, 333], name="safetensors"), whole)
        left = sorted(path.name for path in self.dir.iterdir())
        self.assertEqual(left, sorted(["in.wav", "in.safetensors", "model.safetensors", "out.wav", "part.wav", "part_out.wav",
                                       "part.safetensors", "part_out.safetensors", "s.state"]))

    def test_parts_of_several_channels_and_another_rate(self):
        samples = noise(3 * 200)
        write_float_wav(self.path("in.wav"), 3, 8000, samples)
        for layers in (CAUSAL, [conv("0", 3, 2, 6, stride=4, padding=2)]):
            self.model(layers)
            for options in ([], ["--format", "pcm16"]):
                self.good("run", "model.safetensors", "in.wav", "out.wav", *options)
                whole = Wav(self.path("out.wav")).data
                self.assertEqual(self.in_parts(samples, [1, 50, 199], channels=3, rate=8000, options=options), whole)

    def test_what_is_said(self):
        self.model()  # delay 2
        write_float_wav(self.path("in.wav"), 1, 16000, noise(30))
        write_float_wav(self.path("none.wav"), 1, 16000, [])
        out = self.good("run", "model.safetensors", "in.wav", "out.wav", "--save-state", "s", "--block", 16, "--trace")
        self.assertTrue(out.startswith("in 16 out 14\nin 14 out 14\n30 frames in, 28 out, 2 calls;"), out)
        out = self.good("run", "model.safetensors", "none.wav", "out.wav", "--load-state", "s", "--trace")
        self.assertTrue(out.startswith("flush out 2\n0 frames in, 2 out, 0 calls;"), out)
        self.assertNotIn("nan", out)
        self.assertNotIn("inf", out)

    def test_wrong_states(self):
        self.model()
        self.model([conv("0", 1, 1, 9)], name="other.safetensors")
        write_float_wav(self.path("in.wav"), 1, 16000, noise(100))
        write_float_wav(self.path("two.wav"), 2, 16000, noise(200))
        write_float_wav(self.path("slow.wav"), 1, 8000, noise(100))
        write_safetensors(self.path("in.safetensors"), {"x": ((1, 100), noise(100))})
        self.path("out.wav").write_bytes(b"before")
        self.path("folder").mkdir()
        self.path("text").write_text("This is a text that is long enough to be a state, but it is none.\n" * 3)
        run = ("run", "model.safetensors", "in.wav")
        self.good(*run, "first.wav", "--save-state", "good")
        good = self.path("good").read_bytes()
        self.path("cut").write_bytes(good[:-1])
        self.path("short").write_bytes(good[:20])
        self.path("empty").write_bytes(b"")
        self.path("longer").write_bytes(good + b"\0")
        for at in (10, 60, 100, len(good) - 5):
            self.path(f"damaged{at}").write_bytes(good[:at] + bytes([good[at] ^ 16]) + good[at + 1 :])
        self.path("version").write_bytes(good[:4] + b"\2" + good[5:])
        for output in ("out.wav", "new.wav"):
            for state, says in (
                ("missing", "no such file"),
                ("folder", "is a directory"),
                ("text", "not a state file"),
                ("cut", "cut off"),
                ("short", "20 bytes"),
                ("empty", "0 bytes"),
                ("longer", "damaged"),
                ("damaged10", "damaged"),
                ("damaged60", "damaged"),
                ("damaged100", "damaged"),
                (f"damaged{len(good) - 5}", "damaged"),
                ("version", "version 2"),
            ):
                with self.subTest(state):
                    self.bad(*run, output, "--load-state", state, says=says)
                    self.bad(*run, output, "--load-state", state, says=f'"{state}"')
            load = (output, "--load-state", "good")
            self.bad("run", "other.safetensors", "in.wav", *load, says='"good": Stream: this state belongs to another network')
            self.bad("run", "model.safetensors", "two.wav", *load, says="batch of 2")
            self.bad("run", "model.safetensors", "slow.wav", *load, says="the part before was audio at 16000 Hz, this one is audio at 8000 Hz")
            self.bad("run", "model.safetensors", "in.safetensors", "new.safetensors", *load[1:], says="this one is tensors")
            self.bad(*run, *load, "--save-state", "missing/state", says='no directory "missing"')
            self.bad(*run, *load, "--save-state", "folder", says="is a directory")
        # Names that would meet.
        self.bad(*run, "new.wav", "--save-state", "in.wav", says="input")
        self.bad(*run, "new.wav", "--save-state", "model.safetensors", says="model")
        self.bad(*run, "new.wav", "--save-state", "./new.wav", says="output")
        self.path("state.wav").write_bytes(good)
        self.bad(*run, "state.wav", "--load-state", "state.wav", says="state to load")
        # Empty files are still none when the signal is whole.
        write_float_wav(self.path("none.wav"), 1, 16000, [])
        self.bad("run", "model.safetensors", "none.wav", "new.wav", says="no frames")
        # A full disk leaves both as they were.
        wide = [conv("0", 1, 64, 3), conv("1", 64, 1, 3000)]
        self.model(wide)
        few = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))
        self.bad(*run, "out.wav", "--save-state", "good", says='"good": cannot be written: File too large', preexec_fn=few)
        self.bad(*run, "new.wav", "--save-state", "new", says="File too large", preexec_fn=few)

    def test_interrupted(self):
        self.model()
        write_float_wav(self.path("in.wav"), 1, 8000, noise(100000))
        self.path("s").write_bytes(b"before")
        with self.start("run", "model.safetensors", "in.wav", "out.wav", "--block", 1, "--trace", "--save-state", "s") as process:
            process.stdout.readline()
            self.assertEqual(len(list(self.dir.glob("*.tmp*"))), 2)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(timeout=30), -signal.SIGTERM)
        self.assertEqual(self.path("s").read_bytes(), b"before")
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["in.wav", "model.safetensors", "s"])


class CheckTest(ToolTest):
    def test_the_law_holds(self):
        mixed = [
            conv("0", 2, 4, 4, stride=2, padding=1),
            {"type": "SiLU", "path": "1"},
            {"type": "ConvTranspose1d", "path": "2", "in_channels": 4, "out_channels": 2, "kernel_size": 4, "stride": 2, "padding": 1},
        ]
        for layers in (CAUSAL, mixed, [{"type": "GLU", "path": "0"}]):
            self.model(layers)
            out = self.good("check", "model.safetensors", "--trials", 8, "--frames", 400)
            self.assertRegex(out, r"\Athe law holds: 8 chunkings in \d+ calls, .*; 400 frames, seed 1\n\Z")
            self.assertEqual(self.good("check", "model.safetensors", "--trials", 8, "--frames", 400, "--seed", 1), out)
            self.good("check", "model.safetensors", "--trials", 5, "--frames", 1, "--seed", 77)
        write_model(self.path("graph.safetensors"), GRAPH, random_tensors(GRAPH["nodes"]))
        self.assertIn("the law holds", self.good("check", "graph.safetensors", "--trials", 8))
        self.assertIn("1500 frames", self.good("check", "model.safetensors", "--trials", 4))

    def test_shipped_models(self):
        models = sorted(ROOT.glob("examples/**/*.safetensors"))
        self.assertTrue(models)
        for model in models:
            self.assertIn("the law holds", self.good("check", model, "--trials", 2, "--frames", 400))


class ImportTest(ToolTest):
    """Networks in others' files; what they give is compared in tests/import."""

    def golden(self, file, name, path):
        cases = json.loads((ROOT / "tests/import/golden" / file).read_text(encoding="utf-8"))
        case = next(each for each in cases if each["name"] == name)
        self.path(path).write_text(json.dumps(case["file"]), encoding="utf-8")
        return case

    def check_output(self, model, case, *options):
        write_safetensors(self.path("x.safetensors"), {"x": ((1, len(case["x"])), case["x"])})
        self.good("run", model, "x.safetensors", "y.safetensors", "--block", 5, *options)
        raw = read_safetensors(self.path("y.safetensors"))["y"][1]
        y = struct.unpack(f"<{len(raw) // 4}f", raw)
        self.assertLess(max(abs(a - b) for a, b in zip(y, case["y"])), 2e-6)
        self.assertEqual(len(y), len(case["y"]))

    def test_every_command_takes_them(self):
        case = self.golden("nam.json", "a2", "amp.nam")
        self.check_output("amp.nam", case)
        out = self.good("info", "amp.nam", "--plan")
        self.assertIn("imported_from = .nam 0.7.0, WaveNet", out)
        self.assertIn("Prewarm", out)
        self.assertRegex(out, r"plan +\d+ layers in \d+ steps")
        self.assertIn("the law holds", self.good("check", "amp.nam", "--trials", 2, "--frames", 300))
        self.assertIn("64", self.good("bench", "amp.nam", "--block", 64, "--seconds", 0.01))
        self.good("deps", "amp.nam", "-o", "deps.svg", "--frames", 30)

    def test_import_and_run(self):
        case = self.golden("nam.json", "films", "amp.nam")
        out = self.good("import", "amp.nam", "amp.safetensors")
        self.assertRegex(out, r'\Awrote "amp.safetensors": \d+ parameters, \d+ bytes\n\Z')
        self.check_output("amp.safetensors", case)
        self.assertEqual(json.loads(self.good("info", "amp.safetensors", "--json"))["plan"], json.loads(self.good("info", "amp.nam", "--json"))["plan"])

    def test_fast_tanh(self):
        case = self.golden("nam.json", "lstm_2_fast", "amp.nam")
        self.good("import", "amp.nam", "amp.safetensors", "--fast-tanh")
        self.check_output("amp.safetensors", case)

    def test_quality(self):
        submodels = []
        for most, name in ((0.5, "linear"), (1.0, "a1")):
            case = self.golden("nam.json", name, "part.nam")
            submodels.append({"max_value": most, "model": case["file"]})
            if name == "linear":
                small = case
        container = {"version": "0.7.0", "architecture": "SlimmableContainer", "config": {"submodels": submodels}, "weights": []}
        self.path("amp.nam").write_text(json.dumps(container), encoding="utf-8")
        self.check_output("amp.nam", case)
        self.good("import", "amp.nam", "amp.safetensors", "--quality", "0.25")
        self.check_output("amp.safetensors", small)
        self.bad("import", "part.nam", "amp.safetensors", "--quality", "0", says="there is no quality to choose")

    def test_test_vectors(self):
        case = self.golden("rtneural.json", "aida", "amp.json")
        out = self.good("import", "amp.json", "amp.safetensors")
        self.assertRegex(out, r"its own test vectors, 24 frames: largest difference \S+e-0[789]\n")
        self.check_output("amp.safetensors", case)
        case["file"]["output_batch"][3] += 0.5
        self.path("amp.json").write_text(json.dumps(case["file"]), encoding="utf-8")
        self.assertIn("largest difference 0.5", self.warned("test vectors", "import", "amp.json", "amp.safetensors"))

    def test_knobs(self):
        case = self.golden("rtneural.json", "guitarml_knobs", "amp.json")
        self.check_output("amp.json", case)
        self.check_output("amp.json", case, "--control", "param1=0.5")
        self.assertRegex(self.good("info", "amp.json"), r"knobs +param1 = 0.5")

    def test_onnx(self):
        """Files that make_onnx.py wrote; onnx_test.cpp judges the numbers."""
        for name, *options in (("CachedConv",), ("CachedConv", "--state", "state0=next0"), ("Windows", "--hop", "16"),
                               ("Overlapping", "--hop", "4", "--time-axis", "1", "--stream"), ("Tcn", "--time-axis", "2"),
                               ("Tcn", "--shape", "x=1,3,1")):
            file = ROOT / "tests" / "import" / "onnx" / f"{name}.onnx"
            self.assertRegex(self.good("import", *options, file, "net.safetensors"), r"^wrote .*net.safetensors.*: \d+ parameters")
            self.assertIn("the law holds", self.good("check", "net.safetensors"))
        self.assertRegex(self.good("info", ROOT / "tests" / "import" / "onnx" / "Recurrent.onnx"), r"\n *LSTM ")
        cached = ROOT / "tests" / "import" / "onnx" / "CachedConv.onnx"
        for options, says in ((("--set", "sr=1"), 'there is no input "sr" to set to 1'), (("--hop", "99"), "windows of 3 frames, one every 99"),
                              (("--state", "state0=y"), "differ in shape"), (("--time-axis", "2"), "does not leave its axis 2 open"),
                              (("--stream",), "(--hop)"), (("--fast-tanh",), "neither a quality nor a tanh")):
            self.bad("import", cached, "net.safetensors", *options, says=says)
        for option, written in (("--set", "sr"), ("--set", "sr=x"), ("--state", "=a"), ("--shape", "x=1,b"), ("--hop", "0")):
            self.bad("import", cached, "net.safetensors", option, written, code=2, says=option)
        self.golden("nam.json", "linear", "amp.nam")
        self.bad("import", "amp.nam", "net.safetensors", "--hop", "3", says="are for ONNX files")

    def test_errors_leave_nothing(self):
        self.path("amp.safetensors").write_text("before")
        case = self.golden("nam.json", "linear", "amp.nam")
        for change, says in (({"weights": []}, '"bad.nam": weights: holds 0 numbers'), ({"version": "2.0.0"}, '"bad.nam": version: is 2.0.0'),
                             ({"architecture": 5}, '"bad.nam": architecture: 5 is not a text')):
            self.path("bad.nam").write_text(json.dumps({**case["file"], **change}), encoding="utf-8")
            self.bad("import", "bad.nam", "amp.safetensors", says=says)
            self.bad("info", "bad.nam", says=says)
        self.path("bad.nam").write_text("{")
        self.bad("import", "bad.nam", "amp.safetensors", says="not valid JSON at its byte 2")
        self.path("bad.nam").write_bytes(b"RIFF")
        self.bad("import", "bad.nam", "amp.safetensors", says="neither a model file (.safetensors) nor one of ONNX or of JSON")
        self.bad("import", "missing.nam", "amp.safetensors", says="no such file")
        self.bad("import", "amp.nam", "amp.nam", says="is the input too")
        self.good("import", "amp.nam", "other.safetensors")
        self.bad("import", "other.safetensors", "amp.safetensors", "--fast-tanh", says="it leaves nothing to choose")
        self.assertEqual(self.path("amp.safetensors").read_text(), "before")


class BenchTest(ToolTest):
    def test_table(self):
        self.model(metadata={"sample_rate_hz": "16000"})
        out = self.good("bench", "model.safetensors", "--block", "1,64", "--seconds", 0.05)
        header, *rows = [line.split() for line in out.splitlines()]
        self.assertEqual(" ".join(header), "block ns/frame slowest call MACs/s real-time factor block lasts")
        self.assertEqual([row[0] for row in rows], ["1", "64"])
        for row in rows:
            self.assertGreater(float(row[1]), 0)
        self.assertLessEqual(max(map(len, out.splitlines())), 100)
        self.model()
        out = self.good("bench", "model.safetensors", "--seconds", 0.02)
        self.assertEqual([line.split()[0] for line in out.splitlines()], ["block", "1", "16", "64", "512"])
        self.assertNotIn("real-time", out)


class DepsTest(ToolTest):
    STRIDE = [conv("0", 1, 2, 8, stride=4, padding=2)]
    UP = [{"type": "ConvTranspose1d", "path": "0", "in_channels": 1, "out_channels": 1, "kernel_size": 8, "stride": 4, "padding": 2}]

    def cells(self, svg):
        """The cells that the picture's first group of rectangles covers."""
        group = next(element for element in svg if element.tag.endswith("}g"))
        covered = []
        for rect in group:
            x, y, width, height = (int(rect.get(name)) for name in ("x", "y", "width", "height"))
            covered += [(i, o) for i in range(x, x + width) for o in range(y, y + height)]
        self.assertEqual(len(covered), len(set(covered)))
        return set(covered)

    def test_terminal(self):
        self.model([conv("0", 1, 1, 3, padding=[2, 0])])
        out = self.good("deps", "model.safetensors")
        picture, facts = out.split("\n\n")
        rows = "".join(f"{o:2} |" + "".join("#" if o - 2 <= i <= o else "." for i in range(16)) + "\n" for o in range(15, -1, -1))
        self.assertEqual(picture, rows + "    0         10")
        self.assertEqual(
            facts.splitlines(),
            [
                "frames           16 in, 16 out",
                "receptive field  3 frames",
                "delay            0 frames",
                "padding          2 frames",
                "rate             1 output per input",
                "causal           yes",
            ],
        )

    def test_facts(self):
        self.model(metadata={"sample_rate_hz": "16000"})
        out = self.good("deps", "model.safetensors", "--frames", 30)
        self.assertIn("causal           no, an output waits for 2 frames (0.1 ms)\n", out)
        self.model(self.STRIDE)
        self.assertIn("frames           64 in, 16 out\n", self.good("deps", "model.safetensors", "--frames", 64))
        self.assertIn("rate             1 output per 4 inputs\n", self.good("deps", "model.safetensors"))
        self.model(self.UP)
        self.assertIn("rate             4 outputs per input\n", self.good("deps", "model.safetensors"))

    def test_width(self):
        self.model([conv("0", 1, 1, 300, padding=[299, 0])])
        for columns, most in (("40", 40), ("132", 132), ("", 80), ("wide", 80), ("3", 24)):
            out = self.good("deps", "model.safetensors", env={**os.environ, "COLUMNS": columns})
            picture = [line for line in out.splitlines() if "|" in line]
            self.assertLessEqual(max(map(len, picture)), most)
            self.assertGreater(max(map(len, picture)), most / 2)
            self.assertIn("thinned: a character stands for ", out)
            self.assertTrue(out.isascii())

    def test_at_a_terminal(self):
        self.model([conv("0", 1, 1, 3, padding=[2, 0])])
        for locale, extra, block, colour in (("C.UTF-8", {}, True, True), ("C", {}, False, True), ("C.UTF-8", {"NO_COLOR": "1"}, True, False)):
            ours, theirs = pty.openpty()
            environment = {"LC_ALL": locale, "TERM": "xterm", "COLUMNS": "80", **extra}
            with self.start("deps", "model.safetensors", stdout=theirs, env=environment) as process:
                os.close(theirs)
                out = b""
                try:
                    while more := os.read(ours, 65536):
                        out += more
                except OSError:  # the other end is closed
                    pass
                self.assertEqual(process.wait(timeout=30), 0)
            os.close(ours)
            self.assertEqual("\u2588" in out.decode(), block)
            self.assertEqual(b"\x1b[31m" in out, colour)
            self.assertIn(b"receptive field  3 frames", out)

    def test_svg(self):
        for layers, frames, wanted in (
            ([conv("0", 1, 1, 3, padding=[2, 0])], 16, lambda i, o: o - 2 <= i <= o),
            (self.STRIDE, 64, lambda i, o: 4 * o - 2 <= i <= 4 * o + 5),
            ([conv("0", 1, 1, 9, padding=[6, 2])], 40, lambda i, o: o - 6 <= i <= o + 2),
        ):
            self.model(layers)
            out = self.good("deps", "model.safetensors", "-o", "deps.svg", "--frames", frames)
            inputs, outputs = map(int, re.match(r"frames +(\d+) in, (\d+) out\n", out).groups())
            svg = xml.etree.ElementTree.parse(self.path("deps.svg")).getroot()
            self.assertEqual(inputs, frames)
            self.assertEqual(self.cells(svg), {(i, o) for i in range(inputs) for o in range(outputs) if wanted(i, o)})
            texts = [element.text for element in svg if element.tag.endswith("}text")]
            self.assertIn("model.safetensors", texts)
            self.assertTrue(any(text.startswith("receptive field ") for text in texts))
            self.assertTrue(any(text.startswith("delay ") for text in texts))

    def test_a_name_that_is_no_xml(self):
        self.model(name="<&\x1b[31m\u00fc.safetensors")
        self.good("deps", "<&\x1b[31m\u00fc.safetensors", "-o", "deps.svg")
        svg = xml.etree.ElementTree.parse(self.path("deps.svg")).getroot()
        self.assertIn("<&\ufffd[31m\u00fc.safetensors", [element.text for element in svg])

    def test_large(self):
        self.model([conv("0", 1, 1, 13, padding=[12, 0])])
        self.good("deps", "model.safetensors", "-o", "deps.svg", "--frames", 2000)
        self.assertLess(self.path("deps.svg").stat().st_size, 200000)
        self.assertEqual(len(self.cells(xml.etree.ElementTree.parse(self.path("deps.svg")).getroot())), 2000 * 13 - 78)

    def test_png(self):
        self.model()
        self.good("deps", "model.safetensors", "-o", "deps.png")
        raw = self.path("deps.png").read_bytes()
        self.assertEqual(raw[:8], b"\x89PNG\r\n\x1a\n")
        width, height, bits, colour = struct.unpack(">IIBB", raw[16:26])
        self.assertEqual((bits, colour), (8, 2))
        data, at = b"", 8
        while at < len(raw):
            size, name = struct.unpack(">I4s", raw[at : at + 8])
            data += raw[at + 8 : at + 8 + size] if name == b"IDAT" else b""
            at += 12 + size
        self.assertEqual(len(zlib.decompress(data)), height * (1 + 3 * width))

    def test_pgm_and_text(self):
        self.model(self.STRIDE)
        self.good("deps", "model.safetensors", "-o", "deps.pgm", "--frames", 64)
        raw = self.path("deps.pgm").read_bytes()
        self.assertTrue(raw.startswith(b"P5\n640 160\n255\n"))
        self.assertEqual(set(raw[-640 * 160 :]), {0, 255})
        self.assertEqual(raw[-640 * 160 :].count(0), 100 * (16 * 8 - 2 - 2))  # the first and last outputs reach beyond
        self.good("deps", "model.safetensors", "-o", "deps.txt", "--frames", 2000)
        lines = self.path("deps.txt").read_text().splitlines()
        self.assertEqual(lines[0], "499 |" + "." * 1994 + "######")
        self.assertIn("receptive field  8 frames", lines)

    def test_in_stride(self):
        self.model([conv("0", 1, 1, 3, padding=[2, 0])])
        self.good("deps", "model.safetensors", "-o", "deps.svg", "--frames", 30, "--in-stride", 4)
        svg = xml.etree.ElementTree.parse(self.path("deps.svg")).getroot()
        self.assertEqual(self.cells(svg), {(i, o) for i in range(8) for o in range(30) if o - 2 <= 4 * i <= o})

    def test_shipped_models(self):
        for model in sorted(ROOT.glob("examples/**/*.safetensors")):
            self.good("deps", model, "-o", "deps.svg")
            xml.etree.ElementTree.parse(self.path("deps.svg"))

    def test_errors(self):
        self.model([conv("0", 1, 1, 30)])
        self.path("deps.svg").write_text("before")
        self.path("folder.svg").mkdir()
        self.bad("deps", "missing.safetensors", "-o", "deps.svg", says="missing.safetensors")
        self.bad("deps", "model.safetensors", "-o", "missing/deps.svg", says='no directory "missing"')
        self.bad("deps", "model.safetensors", "-o", "folder.svg", says="is a directory")
        self.bad("deps", "model.safetensors", "--frames", 16, says="a signal of 16 frames gives no output; try --frames 30")
        self.bad("deps", "model.safetensors", "--frames", 1000000, says="too large")
        self.bad("deps", "model.safetensors", "-o", "deps.svg", "--frames", 1000000, says="--in-stride")
        self.model(name="model.svg")
        self.bad("deps", "model.svg", "-o", "model.svg", says="is the model too")
        few = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        self.bad("deps", "model.svg", "-o", "deps.svg", says='"deps.svg": cannot be written: File too large', preexec_fn=few)


@unittest.skipIf(importlib.util.find_spec("torch") is None, "torch is not installed")
class ResampleTest(ToolTest):
    def test_a_sine_stays_a_sine(self):
        sine = lambda rate, n, c: math.sin(2 * math.pi * (400 + 300 * c) * n / rate)
        for source, target, channels in ((48000, 16000, 1), (44100, 48000, 2), (8000, 44100, 3), (16000, 16000, 2)):
            with self.subTest((source, target, channels)):
                frames = source // 5
                write_float_wav(
                    self.path("in.wav"), channels, source, [sine(source, n, c) for n in range(frames) for c in range(channels)]
                )
                out = self.good("resample", "in.wav", "out.wav", "--rate", target)
                wav = Wav(self.path("out.wav"))
                expected = -(-frames * target // source)
                self.assertEqual((wav.format, wav.channels, wav.rate, wav.frames), (3, channels, target, expected))
                self.assertIn(f"0.200 s, {channels} channel", out)
                self.assertIn(f"from {source} to {target} Hz (high): {frames} frames in, {expected} out", out)
                self.assertRegex(out, r"delay \d+ frames? \(\d+\.\d ms\).* real-time factor \d")
                middle = range(expected // 3, expected * 2 // 3)
                self.assertLess(
                    max(abs(wav.samples[n * channels + c] - sine(target, n, c)) for n in middle for c in range(channels)), 1e-5
                )

    def test_the_output_does_not_depend_on_the_blocks(self):
        write_float_wav(self.path("in.wav"), 2, 44100, noise(6000))
        whole = None
        for block in (1, 7, 512, 4096, 100000):
            self.good("resample", "in.wav", "out.wav", "--rate", 11025, "--quality", "low", "--block", block)
            data = self.path("out.wav").read_bytes()
            whole = whole or data
            self.assertEqual(data, whole)

    def test_qualities_and_filters_differ(self):
        write_float_wav(self.path("in.wav"), 1, 48000, noise(3000))
        results = {}
        for options in (
            [],
            *(["--quality", name] for name in ("standard", "low", "medium", "very_high")),
            *(["--method", name] for name in ("kaiser", "kaiser_window")),
            ["--method", "kaiser", "--beta", "5"],
            ["--width", "7"],
            ["--rolloff", "0.9"],
        ):
            self.good("resample", "in.wav", "out.wav", "--rate", 16000, *options)
            results[tuple(options)] = Wav(self.path("out.wav")).data
        self.assertEqual(results.pop(("--method", "kaiser_window")), results[("--method", "kaiser")])
        self.assertEqual(len(set(results.values())), len(results))
        self.good("resample", "in.wav", "out.wav", "--rate", 16000, "--method", "sinc_interp_hann", "--width", 6)
        self.assertEqual(Wav(self.path("out.wav")).data, results[("--quality", "standard")])

    def test_formats(self):
        write_pcm_wav(self.path("in.wav"), 1, 8000, [32767, -32768] * 500)
        out = self.good("resample", "in.wav", "out.wav", "--rate", 16000, "--format", "pcm16")
        wav = Wav(self.path("out.wav"))
        self.assertEqual((wav.format, wav.bits, wav.frames), (1, 16, 2000))
        write_pcm_wav(self.path("in.wav"), 1, 8000, [32767 if n // 8 % 2 else -32768 for n in range(1000)])
        out = self.good("resample", "in.wav", "out.wav", "--rate", 16000, "--format", "pcm16")
        self.assertRegex(out, r"; \d+ samples clipped")

    def test_errors(self):
        write_float_wav(self.path("in.wav"), 1, 8000, noise(100))
        self.bad("resample", "missing.wav", "out.wav", "--rate", 16000, says="no such file")
        self.bad("resample", "in.wav", "in.wav", "--rate", 16000, says="is the input too")
        self.bad("resample", "in.wav", "nowhere/out.wav", "--rate", 16000, says="no directory")
        self.bad("resample", "in.wav", "out.wav", "--rate", 16000, "--width", 4000000, says="table")
        self.bad("resample", "in.wav", "out.wav", "--rate", 16000, "--width", 16777216, says="more than 16777216 frames")
        self.assertFalse(self.path("out.wav").exists())


class ExportTest(ToolTest):
    def test_what_torch_computes(self):
        import torch

        sys.path.insert(0, str(ROOT / "python"))
        import eigenstream_export

        torch.manual_seed(2)
        module = torch.nn.Sequential(
            torch.nn.Conv1d(2, 8, 4, stride=2, padding=1), torch.nn.ELU(), torch.nn.ConvTranspose1d(8, 2, 4, stride=2, padding=1)
        ).eval()
        eigenstream_export.export(module, self.path("model.safetensors"), metadata={"sample_rate_hz": "8000"})
        self.assertIn("ConvTranspose1d", self.good("info", "model.safetensors"))
        x = torch.rand(3, 2, 300) * 2 - 1
        write_safetensors(self.path("x.safetensors"), {"x": (x.shape, x.flatten().tolist())})
        self.good("run", "model.safetensors", "x.safetensors", "y.safetensors", "--blocks", "7,13,1")
        shape, data = read_safetensors(self.path("y.safetensors"))["y"]
        with torch.no_grad():
            expected = module(x)
        self.assertEqual(shape, list(expected.shape))
        y = torch.tensor(array.array("f", data).tolist()).reshape(shape)
        self.assertLessEqual((y - expected).abs().max().item(), 1e-5)
        self.good("check", "model.safetensors", "--trials", 5)


if __name__ == "__main__":
    if not TOOL:
        print("EIGENSTREAM_TOOL is not set: the tool is not built")
        sys.exit(77)
    unittest.main()
