#!/usr/bin/env python3
"""Runs `eigenstream streamer` as its users do, on data made here. EIGENSTREAM_TOOL names the program."""

import json
import math
import os
import pty
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import unittest
import xml.etree.ElementTree
import zlib
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from tool_case import TOOL, ToolCase, write_float_wav, write_safetensors  # noqa: E402



# ---- Files, by hand


def read_tensors(path):
    raw = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    metadata = header.pop("__metadata__")
    return metadata, {name: raw[8 + size + each["data_offsets"][0] : 8 + size + each["data_offsets"][1]] for name, each in header.items()}


def without_resume(path):
    """Leaves what was learned, a quarter of the bytes: it is read often."""
    raw = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    kept, data = {"__metadata__": header.pop("__metadata__")}, b""
    for name, each in header.items():
        if not name.startswith("resume."):
            begin, end = (8 + size + offset for offset in each["data_offsets"])
            kept[name] = {**each, "data_offsets": [len(data), len(data) + end - begin]}
            data += raw[begin:end]
    text = json.dumps(kept).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_png(path, height, width, rgb):
    """rgb: bytes, row by row"""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + rgb[3 * width * y : 3 * width * (y + 1)] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write_jpeg(path, height, width, greys):
    """greys: one for each block of 8 x 8 pixels, row by row; so only the constant parts of blocks are written"""
    segment = lambda marker, data: struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data
    # Codes of 4 bits for 0 ... 11 bits of difference; no further coefficients: one code, "00".
    out = b"\xff\xd8" + segment(0xDB, b"\0" + bytes([8] * 64))
    out += segment(0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0")
    out += segment(0xC4, b"\x00" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12)))
    out += segment(0xC4, b"\x10" + bytes([0, 1] + [0] * 14) + b"\0")
    out += segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")
    bits, last = "", 0
    for grey in greys:
        step = grey - 128 - last
        last = grey - 128
        size = abs(step).bit_length()
        bits += f"{size:04b}"
        if size:
            bits += f"{step if step > 0 else step + (1 << size) - 1:0{size}b}"
        bits += "00"
    bits += "1" * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    Path(path).write_bytes(out + coded + b"\xff\xd9")


def events(*layers, duration=11, file="video.mp4"):
    """A hierarchy: each layer a list of (start, end) or (start, end, action)."""
    make = lambda each: {"start": each[0], "end": each[1], **({"action": each[2]} if len(each) > 2 else {})}
    return {"file": file, "duration": duration,
            "layers": [{"name": f"layer {k}", "order": k, "annots": [make(each) for each in layer]} for k, layer in enumerate(layers)]}


def moves(seed, inputs, size=16):
    """Something to learn: a few directions, each for a while, with noise."""
    world, numbers = random.Random(1), random.Random(seed)
    directions = [[world.gauss(0, 1) for _ in range(size)] for _ in range(5)]
    rows = []
    while len(rows) < inputs:
        direction = numbers.choice(directions)
        rows += [[x + numbers.gauss(0, 0.3) for x in direction] for _ in range(numbers.randint(4, 8))]
    return rows[:inputs]


QUICK = ["--lr", 0.001, "--optimize-every", 1, "--evolve-every", 40, "--max-layers", 2, "--modifier-type", "add", "--modifier", -0.1]


class StreamerTest(ToolCase):
    command = ("streamer",)
    # A small pipe: who says a line for each input cannot be done before somebody reads them.
    # SIGINT as in a shell, also where this test runs in the background.
    popen = {"pipesize": 4096, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}

    def good(self, *arguments):
        code, out, err = self.call(*arguments)
        self.assertEqual(code, 0, (arguments, err))
        self.assertNotIn("eigenstream:", err)
        return out, err

    def bad(self, says, *arguments, code=1):
        super().bad(*arguments, code=code, says=says)

    def video(self, name, rows):
        write_safetensors(self.path(name), {"x": ((len(rows), len(rows[0])), [x for row in rows for x in row])})

    def two_videos(self, inputs=120):
        for k in range(2):
            self.video(f"v{k}.safetensors", moves(k, inputs))
        return ["v0.safetensors", "v1.safetensors"]

    def same(self, a, b):
        self.assertEqual(self.path(a).read_bytes(), self.path(b).read_bytes(), (a, b))


class TrainTest(StreamerTest):
    def test_learns_what_can_be_predicted(self):
        videos = self.two_videos(200)
        out, err = self.good("train", *videos, "-o", "m.safetensors", *QUICK[2:], "--lr", 0.003, "--epochs", 8,
                             "--log-base-every", 200, "--curves", "c.csv")
        self.assertRegex(out, r'\A"m.safetensors": 2 layers learned from 3200 inputs in \d+ steps\n\Z')
        lines = err.splitlines()
        self.assertEqual(len(lines), 16)
        self.assertRegex(lines[0], r"\A200 of 3200 inputs  \d+:\d\d left  layers 2  steps \d+  signals -?\d\.\d{3} \S+  events \d+ \d+\Z")
        table = [line.split(",") for line in self.path("c.csv").read_text().splitlines()]
        self.assertEqual(table[0], "input,layers,steps,signal_0,signal_1,events_0,events_1".split(","))
        self.assertEqual([row[0] for row in table[1:]], [str(200 * k) for k in range(1, 17)])
        self.assertGreater(float(table[-1][3]), float(table[1][3]) + 0.1)  # the similarity of what was predicted and what came
        # What it has learned ends events of another recording where they end.
        rows = moves(7, 150)
        self.video("new.safetensors", rows)
        self.good("segment", "m.safetensors", "new.safetensors", "-o", "new.json")
        found = {each["end"] for each in json.loads(self.path("new.json").read_text())["layers"][0]["annots"]}
        apart = lambda a, b: sum((x - y) ** 2 for x, y in zip(a, b))
        true = {0.5 * t for t in range(1, 150) if apart(rows[t - 1], rows[t]) > 10}  # within a move about 2 * 16 * 0.09
        self.assertGreater(len(found & true), 0.8 * len(true))
        self.assertGreater(len(found & true), 0.8 * len(found))

    def test_resumes_bit_for_bit_in_the_midst_of_a_video(self):
        videos = self.two_videos()
        run = [*videos, *QUICK, "--save-every", 50, "--log-base-every", 1, "--epochs", 2]
        self.good("train", *run, "-o", "whole.safetensors", "--curves", "whole.csv")
        # Stopped by what the epochs say, by signals while a video runs, and by a kill that nothing can catch.
        for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            for name in ("part.safetensors", "part.csv"):
                self.path(name).unlink(missing_ok=True)
            options = [*run, "-o", "part.safetensors", "--curves", "part.csv"]
            stops = 0
            while True:
                with self.start("train", *options, *(["--resume"] if self.path("part.safetensors").exists() else [])) as process:
                    before = self.inputs_of("part.safetensors")
                    if stops < 2:
                        for line in process.stderr:  # far enough, and surely behind a checkpoint of its own
                            if int(line.split()[0]) >= before + 60:
                                break
                        process.send_signal(stop)
                    out, err = process.communicate(timeout=120)
                if process.returncode == 0:
                    break
                stops += 1
                done = self.inputs_of("part.safetensors")
                self.assertGreater(done, before)
                self.assertLess(done, 480)
                if stop == signal.SIGKILL:
                    self.assertEqual(process.returncode, -signal.SIGKILL)
                    self.assertEqual(done % 50, 0)
                else:
                    self.assertEqual(process.returncode, 128 + stop)
                    says = f'eigenstream: stopped after {done} of 480 inputs, which are in "part.safetensors"; --resume goes on\n'
                    self.assertTrue(err.decode().endswith(says), err)
                self.good("segment", "part.safetensors", "v0.safetensors", "-o", "part.json")  # whole
            self.assertEqual(stops, 2)
            self.same("part.safetensors", "whole.safetensors")
            self.same("part.csv", "whole.csv")
        # More epochs go on, too, and nothing happens if there is nothing left.
        self.good("train", *run[:-1], 1, "-o", "short.safetensors")
        self.good("train", *run, "-o", "short.safetensors", "--resume")
        self.good("train", *videos, "--epochs", 2, "-o", "short.safetensors", "--resume")
        self.same("short.safetensors", "whole.safetensors")

    def inputs_of(self, name):
        if not self.path(name).exists():
            return 0
        return json.loads(read_tensors(self.path(name))[0]["eigenstream_streamer_run"])["inputs"]

    def test_ignored_signals_stay_ignored(self):
        videos = self.two_videos()
        ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with self.start("train", *videos, "-o", "m.safetensors", *QUICK, "--log-base-every", 1, preexec_fn=ignore) as process:
            process.stderr.readline()
            process.send_signal(signal.SIGHUP)
            process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0)

    def test_every_argument_is_in_the_model(self):
        (video, _) = self.two_videos(30)
        self.good("train", video, "-o", "m.safetensors", "--max-layers", 5, "--evolve-every", 7, "--buffer-size", 9,
                  "--loss-threshold", 0.3, "--lr", 0.002, "--snippet", 0.25, "--demarcation-mode", "fixed", "--distance-mode", "distance", "--force-base-dist",
                  "--window-size", 11, "--modifier-type", "add", "--modifier", 0.5, "--force-fixed-buffer", "--seed", 12,
                  "--init-layers", 2,
                  "--alpha", 2, "--optimize-every", 3, "--average-every", 4, "--no-hgn-timescale", "--no-hgn-reach")
        model = json.loads(read_tensors(self.path("m.safetensors"))[0]["eigenstream_streamer"])
        arguments = {"max_layers": 5, "feature_dim": 16, "evolve_every": 7, "buffer_size": 9, "loss_threshold": 0.3, "lr": 0.002,
                     "snippet_size": 0.25, "demarcation_mode": "fixed", "distance_mode": "distance", "force_base_dist": True,
                     "window_size": 11, "modifier_type": "add", "modifier": 0.5, "force_fixed_buffer": True, "modality": "audio",
                     "height": 128, "width": 128, "seed": 12}
        self.assertEqual(model["arguments"], arguments)
        self.assertGreaterEqual(model["layers"], 2)
        optimizer = {key: model["resume"][key] for key in ("alpha", "optimize_every", "average_every", "hgn_timescale", "hgn_reach")}
        self.assertEqual(optimizer, {"alpha": 2, "optimize_every": 3, "average_every": 4, "hgn_timescale": False, "hgn_reach": False})
        # The defaults are those of the original's command line.
        self.good("train", video, "-o", "d.safetensors")
        default = json.loads(read_tensors(self.path("d.safetensors"))[0]["eigenstream_streamer"])["arguments"]
        self.assertEqual((default["evolve_every"], default["loss_threshold"], default["distance_mode"], default["force_base_dist"]),
                         (100000, 0.1, "similarity", False))
        # A model to begin with.
        self.good("train", video, "-o", "e.safetensors", "--init-ckpt", "d.safetensors", "--lr", 0)
        for name, values in read_tensors(self.path("d.safetensors"))[1].items():
            if not name.startswith("resume.") and "cls_token" not in name and "pos_enc" not in name:  # these are shortened by looking
                self.assertEqual(read_tensors(self.path("e.safetensors"))[1][name], values, name)

    def test_numbered_checkpoints_and_hierarchies(self):
        videos = self.two_videos(60)
        for folder in ("kept", "found"):
            self.path(folder).mkdir()
        self.good("train", *videos, "-o", "m.safetensors", *QUICK, "--save-every", 50, "--ckpt-dir", "kept", "--hierarchies", "found")
        self.assertEqual(sorted(p.name for p in self.path("kept").iterdir()), [f"model_00{k}.safetensors" for k in range(3)])
        self.same("kept/model_002.safetensors", "m.safetensors")
        for k in range(2):
            found = json.loads(self.path(f"found/v{k}.json").read_text())
            self.assertEqual((found["file"], found["duration"]), (f"v{k}.safetensors", 30))
            self.assertGreater(len(found["layers"][0]["annots"]), 2)

    def test_several_processes(self):
        for k, inputs in enumerate((60, 90, 75, 60)):
            self.video(f"v{k}.safetensors", moves(k, inputs))
        videos = [f"v{k}.safetensors" for k in range(4)]
        run = ["train", *videos, *QUICK, "--average-every", 7, "--log-base-every", 30, "--save-every", 50]
        several = {**os.environ, "OMPI_COMM_WORLD_SIZE": "2"}
        with self.start(*run, "-o", "m.safetensors", env=several) as process:
            out, err = process.communicate(timeout=60)
        if b"built without MPI" in err:
            self.assertEqual((process.returncode, out), (1, b""))
            self.assertEqual(err, b"eigenstream: streamer: one of 2 processes, but this eigenstream was built without MPI\n")
            self.assertFalse(self.path("m.safetensors").exists())
            return
        mpirun = shutil.which("mpirun")
        if mpirun is None:
            self.skipTest("mpirun is not found")
        start = [mpirun, "--oversubscribe", "--allow-run-as-root", "-np", "2", TOOL, "streamer"]
        # Containers often forbid that one process reads another's memory.
        env = {**os.environ, "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}
        options = {"cwd": self.dir, "stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 120, "env": env}
        call = lambda *arguments: subprocess.run([*start, *map(str, arguments)], **options)
        ran = call(*run, "-o", "two.safetensors")
        # The shorter of 60 + 75 and 90 + 60 inputs; the first of them speaks for both.
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertRegex(ran.stdout.decode(), r'\A"two.safetensors": 2 layers learned from 135 inputs in \d+ steps\n\Z')
        self.assertEqual([line.split()[0] for line in ran.stderr.decode().splitlines()], ["30", "60", "90", "120"])
        self.assertEqual(self.inputs_of("two.safetensors"), 135)
        # They learn together: alone, the first would have learned something else.
        self.good("train", "v0.safetensors", "v2.safetensors", *QUICK, "-o", "one.safetensors")
        name = "f.network.layers.0.linear1.weight"
        one, two = (read_tensors(self.path(each))[1][name] for each in ("one.safetensors", "two.safetensors"))
        self.assertNotEqual(one, two)
        self.good("segment", "two.safetensors", "v0.safetensors", "-o", "v0.json")
        # What one cannot read ends all.
        broken = moves(9, 60)
        broken[30][0] = math.nan
        self.video("v3.safetensors", broken)
        self.path("two.safetensors").unlink()
        ran = call(*run, "-o", "two.safetensors")
        self.assertNotEqual(ran.returncode, 0)
        self.assertIn(b'"v3.safetensors": input 30 holds nan at 0', ran.stderr)

    def test_a_bar_on_a_terminal(self):
        videos = self.two_videos()
        ours, theirs = pty.openpty()
        with self.start("train", *videos, "-o", "m.safetensors", *QUICK, "--log-base-every", 100, stderr=theirs) as process:
            os.close(theirs)
            shown = b""
            while True:
                try:
                    some = os.read(ours, 4096)
                except OSError:  # the other end is gone
                    break
                if not some:
                    break
                shown += some
        os.close(ours)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(shown.decode(), r"\r\[#*\.*\] +\d+ %  \d+:\d\d left\x1b\[K")
        self.assertRegex(shown.decode(), r"\r\x1b\[K100 of 240 inputs  [^\r]*\r\n")
        self.assertTrue(shown.endswith(b"\r\x1b[K"))

    def test_errors(self):
        self.two_videos(40)
        video = "v0.safetensors"
        out = ["-o", "m.safetensors"]
        self.video("twelve.safetensors", moves(1, 5, 12))
        self.bad('"twelve.safetensors": inputs of 12 numbers, not a multiple of the 8 attention heads', "train", "twelve.safetensors", *out)
        self.bad("feature_dim is 12, not a multiple of the 8", "train", video, *out, "--feature-dim", 12, code=2)
        self.bad('"v0.safetensors": inputs of 16 numbers, where the model takes 32 numbers', "train", video, *out, "--feature-dim", 32)
        self.bad('"twelve.safetensors": inputs of 12 numbers', "train", video, "twelve.safetensors", *out)
        broken = moves(1, 9)
        broken[7][3] = math.nan
        self.video("nan.safetensors", broken)
        self.bad('"nan.safetensors": input 7 holds nan at 3', "train", video, "nan.safetensors", *out)
        write_safetensors(self.path("cube.safetensors"), {"x": ((2, 3, 4), [0] * 24)})
        self.bad('"cube.safetensors": a tensor (2,3,4), not (T,D) or (T,3,H,W)', "train", "cube.safetensors", *out)
        write_safetensors(self.path("two.safetensors"), {"a": ((1, 8), [0] * 8), "b": ((1, 8), [0] * 8)})
        self.bad("holds 2 tensors, and none is called x", "train", "two.safetensors", *out)
        self.bad('"absent.wav": no such file', "train", "absent.wav", *out)
        self.bad("there is no directory", "train", video, "-o", "absent/m.safetensors")
        self.bad('"v0.safetensors": is the data too', "train", video, "-o", video)
        self.bad('v0.safetensors": is the data too', "train", video, *out, "--curves", "../" + self.dir.name + "/v0.safetensors")
        self.path("found").mkdir()
        self.bad('"found/v0.json": two of the recordings would be written there', "train", video, video, *out, "--hierarchies", "found")
        self.bad('"absent": there is no such directory', "train", video, *out, "--ckpt-dir", "absent")
        for options, says in ((["--max-layers", 0], "max_layers is 0"), (["--demarcation-mode", "accum"], "accum adds up distances"),
                              (["--distance-mode", "cosine"], 'distance_mode is "cosine"'), (["--save-every", 0], "--save-every: 0"),
                              (["--epochs", 0], "--epochs: 0"), (["--lr", "fast"], "--lr"), (["--window", 0], "--window: 0"),
                              (["--init-layers", 4], "init_layers is 4"), (["--resume", "--init-ckpt", "x"], "exclude each other"),
                              (["--nonsense"], "--nonsense")):
            self.bad(says, "train", video, *out, *options, code=2)
        self.bad("data is required", "train", code=2)
        self.bad("which streamer command?", code=2)
        self.bad('"m.safetensors": no such file', "train", video, *out, "--resume")
        self.good("train", video, *out, *QUICK)
        self.bad('"m.safetensors": --lr was 0.001 when it began, not 0.5', "train", video, *out, "--resume", "--lr", 0.5)
        self.bad('"m.safetensors": it learns from 1 videos, not 2', "train", video, video, *out, "--resume")
        self.video("v1.safetensors", moves(1, 41))
        self.bad('video 0 has 40 inputs, "v1.safetensors" has 41', "train", "v1.safetensors", *out, "--resume")
        whole = self.path("m.safetensors").read_bytes()
        for cut in (4, 3000, len(whole) // 2, len(whole) - 1):
            self.path("cut.safetensors").write_bytes(whole[:cut])
            self.bad('"cut.safetensors"', "train", video, "-o", "cut.safetensors", "--resume")
            self.bad('"cut.safetensors"', "segment", "cut.safetensors", video, "-o", "events.json")
        self.bad('"v0.safetensors": ', "segment", video, video, "-o", "events.json")
        self.bad('"v0.safetensors": it is no checkpoint of eigenstream streamer train', "train", video, "-o", video, "--resume")
        for good, damaged in ((b'\\"inputs\\":40', b'\\"imputs\\":40'), (b'\\"inputs\\":40', b'\\"inputs\\":-4'),
                              (b'\\"log-base-every\\":1000', b'\\"log-base-every\\":   0'), (b'\\"hop\\":0.01', b'\\"hop\\":-0.1'),
                              (b'\\"curve\\":{', b'\\"curve\\":[')):
            self.assertIn(good, whole)
            self.path("cut.safetensors").write_bytes(whole.replace(good, damaged))
            self.bad("its description of the run is damaged", "train", video, "-o", "cut.safetensors", "--resume")
        # A full disk: the checkpoint before stays, and nothing beside it.
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))
        with self.start("train", video, *out, "--resume", "--epochs", 2, preexec_fn=limit) as process:
            printed, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, printed), (1, b""))
        self.assertIn(b'"m.safetensors": cannot be written: File too large', err)
        self.assertEqual(self.path("m.safetensors").read_bytes(), whole)
        self.assertEqual(list(self.dir.glob("*.tmp*")), [])


def log_mel(samples, rate, parts, bands, snippet, window=0.025, hop=0.01):
    """The features of sound once more, straight from what the documentation says."""
    import numpy

    samples = numpy.array(samples)
    size = round(window * rate)
    hann = 0.5 - 0.5 * numpy.cos(2 * numpy.pi * numpy.arange(size) / size)
    hann *= 2 / hann.sum()
    mel = lambda hz: 2595 * numpy.log10(1 + hz / 700)
    apart = mel(rate / 2) / (bands + 1)
    fft = 2
    while fft < size or rate / fft > 700 * (10 ** (apart / 2595) - 1):
        fft *= 2
    at = mel(numpy.arange(fft // 2 + 1) * rate / fft) / apart
    filters = numpy.maximum(0, 1 - numpy.abs(at[None, :] - numpy.arange(1, bands + 1)[:, None]))
    padded = numpy.concatenate([samples, numpy.zeros(size)])
    rows = []
    for i in range(int(len(samples) / (snippet * rate))):
        row = []
        for part in range(parts):
            begin, end = (round(snippet * rate * (i + p / parts)) for p in (part, part + 1))
            windows = [padded[b : b + size] for b in range(begin, end, round(hop * rate))]
            spectra = [filters @ numpy.abs(numpy.fft.rfft(hann * window, fft)) ** 2 for window in windows]
            row += list(1 + 10 * numpy.log10(numpy.maximum(1e-10, numpy.mean(spectra, axis=0))) / 50)
        rows.append(row)
    return rows


class DataTest(StreamerTest):
    def curve(self, *arguments):
        self.good("train", *arguments, "-o", "m.safetensors", "--log-base-every", 1, "--curves", "c.csv")
        rows = [line.split(",") for line in self.path("c.csv").read_text().splitlines()]
        return [float(row[3]) for row in rows[1:] if row[3] != ""]

    def test_sound_is_heard_as_documented(self):
        try:
            import numpy  # noqa: F401
        except ImportError:
            self.skipTest("numpy is not found")
        rate, numbers = 8000, random.Random(4)
        samples = []
        for _ in range(6):
            hertz = numbers.choice([200, 700, 1500, 3000])
            samples += [0.4 * math.sin(2 * math.pi * hertz * t / rate) + numbers.gauss(0, 0.01) for t in range(numbers.randint(3000, 5000))]
        write_float_wav(self.path("s.wav"), 1, rate, samples)
        rows = log_mel(samples, rate, 2, 16, 0.2)
        self.video("s.safetensors", rows)
        self.assertEqual(len(rows), int(len(samples) / rate / 0.2))
        options = ["--feature-dim", 32, "--mels", 16, "--snippet", 0.2, *QUICK]
        heard, known = self.curve("s.wav", *options), self.curve("s.safetensors", *options)
        self.assertEqual(len(heard), len(known))
        self.assertGreater(len(heard), 5)
        # Only until small differences have grown.
        for a, b in zip(heard[:5], known[:5]):
            self.assertAlmostEqual(a, b, delta=1e-4)
        # Both channels count alike, and a full-scale sine is 1 in its band.
        write_float_wav(self.path("stereo.wav"), 2, rate, [x for sample in samples for x in (2 * sample, 0)])
        self.assertEqual(heard, self.curve("stereo.wav", *options))
        sine = [math.sin(2 * math.pi * 1000 * t / rate) for t in range(rate)]
        self.assertAlmostEqual(max(log_mel(sine, rate, 1, 8, 0.5)[0]), 1, delta=0.05)

    def test_sound_resumes_and_is_segmented(self):
        numbers = random.Random(5)
        samples = [numbers.gauss(0, 0.1) * (1 + (t // 4000) % 3) for t in range(60000)]
        write_float_wav(self.path("s.wav"), 1, 8000, samples)
        write_float_wav(self.path("other.wav"), 1, 16000, samples)
        options = ["--feature-dim", 16, "--snippet", 0.125, *QUICK]
        self.good("train", "s.wav", "s.wav", "-o", "whole.safetensors", *options)
        with self.start("train", "s.wav", "s.wav", "-o", "m.safetensors", *options, "--log-base-every", 1) as process:
            process.stderr.readline()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.good("train", "s.wav", "s.wav", "-o", "m.safetensors", "--resume")
        a, b = (read_tensors(self.path(name))[1] for name in ("m.safetensors", "whole.safetensors"))
        self.assertEqual(a, b)
        self.good("segment", "m.safetensors", "s.wav", "-o", "s.json")
        found = json.loads(self.path("s.json").read_text())
        self.assertEqual((found["file"], found["duration"]), ("s.wav", 7.5))
        self.bad('"other.wav": its sample rate is 16000 Hz, not 8000', "train", "s.wav", "other.wav", "-o", "n.safetensors", *options)
        self.bad('"other.wav": its sample rate is 16000 Hz, not 8000', "segment", "m.safetensors", "other.wav", "-o", "n.json")
        write_float_wav(self.path("short.wav"), 1, 8000, samples[:100])
        self.bad('"short.wav": 100 frames are less than one input', "train", "short.wav", "-o", "n.safetensors", *options)
        self.bad("--mels 5 does not divide the 16", "train", "s.wav", "-o", "n.safetensors", *options, "--mels", 5)
        # What is not a number stops the run, but what was learned before is saved.
        samples[50000] = math.nan
        write_float_wav(self.path("nan.wav"), 1, 8000, samples)
        code, out, err = self.call("train", "nan.wav", "-o", "n.safetensors", *options)
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r'\Aeigenstream: "nan.wav": frame 50000 is not finite; the \d+ inputs before are in "n.safetensors"\n\Z')
        self.good("segment", "n.safetensors", "s.wav", "-o", "n.json")

    def pixels(self, seed, height=16, width=32):
        numbers = random.Random(seed)
        return bytes(numbers.randrange(256) for _ in range(3 * height * width))

    def planes(self, rgb):
        single = lambda x: struct.unpack("<f", struct.pack("<f", x))[0]
        return [single(2 * single(rgb[3 * i + c] / 255) - 1) for c in range(3) for i in range(len(rgb) // 3)]

    def resized(self, rgb, height, width, new_height, new_width):
        """Each pixel is the mean of those below a triangle as wide as two pixels of the coarser grid."""

        def weights(size, new_size):
            scale = size / new_size
            rows = [[max(0, 1 - abs(k + 0.5 - (i + 0.5) * scale) / max(1, scale)) for k in range(size)] for i in range(new_size)]
            return [[x / sum(row) for x in row] for row in rows]

        down, across = weights(height, new_height), weights(width, new_width)
        values = []
        for c in range(3):
            lines = [[sum(w * rgb[3 * (y * width + x) + c] for x, w in enumerate(row) if w) for row in across] for y in range(height)]
            values += [sum(w * lines[y][x] for y, w in enumerate(row) if w) / 127.5 - 1 for row in down for x in range(new_width)]
        return values

    def signals(self, source):
        """What a picture says of the model's signals: where the curve goes, whatever its title."""
        self.good("segment", "m.safetensors", source, "-o", "e.json", "--plot", "e.svg")
        return re.findall("<line.*", self.path("e.svg").read_text())

    def test_images_in_every_form(self):
        for name in ("folder", "numbered", "blocks", "jpeg"):
            self.path(name).mkdir()
        images = [self.pixels(seed) for seed in range(6)]
        for k, rgb in enumerate(images):
            write_png(self.path(f"folder/image{7 + k}.png"), 16, 32, rgb)  # 7 ... 12
            write_png(self.path(f"numbered/{k + 7:04}.png"), 16, 32, rgb)
        self.path("folder/notes.txt").write_text("no image")
        write_safetensors(self.path("x.safetensors"), {"x": ((6, 3, 16, 32), [x for rgb in images for x in self.planes(rgb)])})
        options = ["--feature-dim", 8, "--optimize-every", 2]
        self.good("train", "folder", "-o", "m.safetensors", *options)
        without_resume(self.path("m.safetensors"))
        self.good("segment", "m.safetensors", "folder", "-o", "e.json", "--fps", 2)
        self.assertEqual(json.loads(self.path("e.json").read_text())["duration"], 3)
        # Images that come faster than inputs: 2.4 of them for each, so the first, the third and the fifth.
        out, _ = self.good("segment", "m.safetensors", "folder", "-o", "e.json", "--fps", 4.8)
        self.assertIn("3 inputs, 1.25 seconds", out)
        self.bad('"folder": at 1 images per second, none is 0.5 seconds long', "segment", "m.safetensors", "folder", "-o", "f.json",
                 "--fps", 1)
        known = self.signals("folder")
        self.assertGreater(len(known), 10)
        for source in ("numbered/%04d.png", "x.safetensors"):
            self.assertEqual(self.signals(source), known, source)
        # JPEG.
        for k in range(6):
            greys = [(37 * i + 50 * k) % 256 for i in range(8)]
            blocks = bytes(greys[y // 8 * 4 + x // 8] for y in range(16) for x in range(32) for _ in range(3))
            write_png(self.path(f"blocks/{k}.png"), 16, 32, blocks)
            write_jpeg(self.path(f"jpeg/{k}.jpg"), 16, 32, greys)
        grey = self.signals("blocks")
        self.assertNotEqual(grey, known)
        self.assertEqual(self.signals("jpeg"), grey)

        # Images of another size, larger one way and smaller the other.
        self.path("other").mkdir()
        others = [self.pixels(20 + k, 24, 20) for k in range(6)]
        for k, rgb in enumerate(others):
            write_png(self.path(f"other/{k}.png"), 24, 20, rgb)
        fitted = [x for rgb in others for x in self.resized(rgb, 24, 20, 16, 32)]
        write_safetensors(self.path("other.safetensors"), {"x": ((6, 3, 16, 32), fitted)})
        numbers = lambda lines: [float(x) for line in lines for x in re.findall(r'[xy]\d="([^"]*)"', line)]
        other, same = numbers(self.signals("other")), numbers(self.signals("other.safetensors"))
        self.assertEqual(len(other), len(same))
        self.assertLess(max(abs(a - b) for a, b in zip(other, same)), 0.05)  # of the 120 that the curve is high

        write_png(self.path("folder/image13.png"), 32, 32, self.pixels(3, 32))
        code, out, err = self.call("train", "folder", "-o", "n.safetensors", *options)
        self.assertEqual((code, out), (1, ""))
        self.assertIn('folder/image13.png": height 32 and width 32, where the model takes 16 and 32; --image-size 16x32 resizes', err)
        self.assertIn('; the 6 inputs before are in "n.safetensors"', err)
        self.path("n.safetensors").unlink()
        self.bad('folder/image13.png": height 32 and width 32, of those before it 16 and 32',
                 "segment", "m.safetensors", "folder", "-o", "n.json")
        self.path("m.safetensors").unlink()
        self.path("numbered/0008.png").unlink()
        self.bad("number 8 is missing", "train", "numbered/%04d.png", "-o", "k.safetensors", *options)
        self.bad("there are no such files", "train", "numbered/%03d.jpg", "-o", "k.safetensors", *options)
        self.path("empty").mkdir()
        self.bad('"empty": holds no .png or .jpg files', "train", "empty", "-o", "k.safetensors", *options)
        write_png(self.path("empty/odd.png"), 20, 32, self.pixels(1, 20))
        self.bad("height 20 and width 32, not multiples of 16; --image-size 128x128 resizes",
                 "train", "empty", "-o", "k.safetensors", *options)
        self.bad("is not a height and a width", "train", "empty", "-o", "k.safetensors", *options, "--image-size", "32", code=2)
        for name, raw in (("cut.jpg", self.path("jpeg/0.jpg").read_bytes()[:-9]), ("cut.png", self.path("blocks/0.png").read_bytes()[:-30]),
                          ("text.png", b"no image at all")):
            self.path("empty/odd.png").unlink(missing_ok=True)
            self.path(f"empty/{name}").write_bytes(raw)
            self.bad(f'empty/{name}": ', "train", "empty", "-o", "k.safetensors", *options)
            self.path(f"empty/{name}").unlink()


class SegmentTest(StreamerTest):
    def setUp(self):
        super().setUp()
        self.good("train", *self.two_videos(), "-o", "m.safetensors", *QUICK)

    def test_hierarchy(self):
        out, _ = self.good("segment", "m.safetensors", "v0.safetensors", "-o", "v0.json")
        found = json.loads(self.path("v0.json").read_text())
        self.assertEqual((found["file"], found["fileType"], found["duration"], found["cursor"], found["zoom"]),
                         ("v0.safetensors", "video/mp4", 60, 0, 1))
        layers = [[(each["start"], each["end"]) for each in layer["annots"]] for layer in found["layers"]]
        self.assertEqual(len(layers), 2)
        self.assertEqual(out, f"120 inputs, 60.00 seconds\nlayer 0  {len(layers[0])} events\nlayer 1  {len(layers[1])} events\n")
        for layer in layers:
            self.assertEqual(layer[0][0], 0)
            for (_, end), (start, _) in zip(layer, layer[1:]):
                self.assertEqual(end, start)
        self.assertLessEqual({end for _, end in layers[1]}, {end for _, end in layers[0]})
        self.assertLess(layers[0][-1][1], 60)
        # The same a second time: nothing is learned.
        self.good("segment", "m.safetensors", "v0.safetensors", "-o", "again.json")
        self.same("v0.json", "again.json")
        self.good("segment", "m.safetensors", "v0.safetensors", "-o", "closed.json", "--close")
        closed = json.loads(self.path("closed.json").read_text())
        self.assertEqual([layer["annots"][-1]["end"] for layer in closed["layers"]], [60, 60])

    def test_plot(self):
        self.path("truth.json").write_text(json.dumps(events([(0, 20, "boil water"), (20, 50, "wait")], duration=60)))
        self.good("segment", "m.safetensors", "v0.safetensors", "-o", "v0.json", "--plot", "v0.svg", "--truth", "truth.json")
        root = xml.etree.ElementTree.parse(self.path("v0.svg")).getroot()
        texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
        for text in ("v0.safetensors", "layer 0", "layer 1", "similarity 0", "truth 0", "boil water", "threshold", "seconds"):
            self.assertIn(text, texts)
        count = len(json.loads(self.path("v0.json").read_text())["layers"][0]["annots"])
        red = [each for each in root.iter("{http://www.w3.org/2000/svg}line") if each.get("stroke") == "#d68c8c"]
        self.assertGreaterEqual(len(red), count)
        self.good("segment", "m.safetensors", "v0.safetensors", "-o", "v0.json", "--plot", "v0.png")
        self.assertEqual(self.path("v0.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")

    def test_errors(self):
        self.path("truth.json").write_text("{}")
        data = ["segment", "m.safetensors", "v0.safetensors", "-o", "v0.json"]
        for name in ("m.safetensors", "v0.safetensors"):
            self.bad(f'"{name}": is the ', "segment", "m.safetensors", "v0.safetensors", "-o", name)
        self.bad("must end in .svg or .png", *data, "--plot", "v0.gif", code=2)
        self.bad("--truth is drawn by --plot", *data, "--truth", "truth.json", code=2)
        self.bad('"truth.json": ', *data, "--plot", "v0.svg", "--truth", "truth.json")
        self.bad("there is no directory", *data, "--plot", "absent/v0.svg")
        self.bad("there is no directory", "segment", "m.safetensors", "v0.safetensors", "-o", "absent/v0.json", "--plot", "v0.svg")
        self.video("wide.safetensors", moves(1, 5, 24))
        self.bad('"wide.safetensors": inputs of 24 numbers, where the model takes 16',
                 "segment", "m.safetensors", "wide.safetensors", "-o", "v0.json")
        self.path("folder").mkdir()
        write_png(self.path("folder/1.png"), 16, 16, bytes(768))
        self.bad('"folder": images, where the model takes 16 numbers', "segment", "m.safetensors", "folder", "-o", "v0.json")


class ScoreTest(StreamerTest):
    FOUND = events([(0, 2), (2, 3), (3, 6), (6, 10)], [(0, 3), (3, 10)])
    TRUE = events([(0, 1.5, "a"), (1.5, 3, "b"), (3.5, 6, "c"), (6.5, 9, "d")])

    def write(self, name, what):
        self.path(name).parent.mkdir(exist_ok=True)
        self.path(name).write_text(json.dumps(what))

    def scores(self, *options):
        return json.loads(self.good("score", "found.json", "true.json", "--json", *options)[0])

    def test_by_hand(self):
        self.write("found.json", self.FOUND)
        self.write("true.json", self.TRUE)
        # Root (0,3): of itself 1/2; its children 3/4 with a, 2/3 with b. Root (3,10): 2.5/7; 5/6 with c, 2.5/4 with d.
        iou = ((3 / 4 + 2 / 3) / 2 + (5 / 6 + 2.5 / 4) / 2) / 2
        result = self.scores("--fps", 50)
        self.assertAlmostEqual(result["iou"], iou, 12)
        self.assertAlmostEqual(result["mof"], 9 / 11, 12)
        kept = ((0, 2, "a"), (2, 3, "b"), (3, 6, "c"), (6, 10, "d"))
        self.assertEqual(result["scores"][0]["events"], [{"start": s, "end": e, "action": a} for s, e, a in kept])
        out, _ = self.good("score", "found.json", "true.json", "--fps", 50)
        self.assertEqual(out, "hierarchy     truth  events     IoU     MoF\nfound.json  layer 0       4  0.7188  0.8182\n")
        # Layer by layer: the lower one has each of its events with its truth.
        best = self.scores("--fps", 50, "--best-layer")
        self.assertAlmostEqual(best["iou"], (3 / 4 + 2 / 3 + 5 / 6 + 2.5 / 4) / 4, 12)
        # Two neighbours of one action become one of 3 seconds, which is the root's.
        self.write("true.json", events([(0, 1.5, "a"), (1.5, 3, "a")]))
        self.assertAlmostEqual(self.scores("--merge")["iou"], 1, 12)
        self.assertLess(self.scores()["iou"], 0.8)

    def test_frames_per_second_go_by_the_name(self):
        self.write("true.json", events([(0, 0.51)], duration=1))
        for name, fps in (("P01_01.mp4", 59.94), ("P01_101.mp4", 50), ("other.mp4", 60)):
            self.write("found.json", events([(0, 1)], duration=1, file=name))
            frames = int(fps)
            self.assertAlmostEqual(self.scores()["mof"], int(0.51 * fps) / frames, 12, name)

    def test_layers_of_annotations_and_folders(self):
        self.write("found/a.json", self.FOUND)
        self.write("found/b.json", self.FOUND)
        self.write("found/lonely.json", self.FOUND)
        self.write("true/a.json", self.TRUE)
        self.write("true/b.json", events([(0, 3, "a"), (3, 10, "b")], [(0, 10, "all")]))
        out, _ = self.good("score", "found", "true")
        lines = [line.split() for line in out.splitlines()]
        self.assertEqual([line[0] for line in lines], ["hierarchy", "a.json", "b.json", "b.json", "mean"])
        self.assertEqual(lines[2][-2], "1.0000")
        self.assertEqual(lines[3][-2], "0.7000")  # (3, 10) of (0, 10)
        mean = sum(float(line[-2]) for line in lines[1:4]) / 3
        self.assertAlmostEqual(float(lines[4][-2]), mean, delta=1e-4)

    def test_errors(self):
        self.write("found.json", self.FOUND)
        self.write("true.json", self.TRUE)
        across = events([(0, 2), (2, 6)], [(0, 3), (3, 6)])
        self.write("across.json", across)
        self.bad('"across.json": score: layer 0 has an event from 2 to 6, which is not within that from 0 to 3',
                 "score", "found.json", "across.json")
        self.bad('"across.json": score: layer 0 has an event from 2 to 6', "score", "across.json", "true.json")
        self.write("backwards.json", events([(3, 2)]))
        self.bad('"backwards.json": layer 0, event 0 starts at 3 and ends at 2', "score", "found.json", "backwards.json")
        self.write("none.json", events([]))
        self.bad('"none.json": holds no events', "score", "found.json", "none.json")
        self.path("cut.json").write_text(json.dumps(self.TRUE)[:50])
        self.bad('"cut.json"', "score", "found.json", "cut.json")
        self.bad('"absent.json"', "score", "found.json", "absent.json")
        self.path("folder").mkdir()
        self.bad("a file and a folder do not go together", "score", "found.json", "folder")
        self.bad("--fps: -1", "score", "found.json", "true.json", "--fps", -1, code=2)


if __name__ == "__main__":
    if not TOOL:
        sys.exit(77)
    unittest.main()
