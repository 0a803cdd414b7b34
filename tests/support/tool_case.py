"""What the tests of the command-line tool share: how it is called, and small files, written by hand."""

import json
import os
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

TOOL = os.environ.get("EIGENSTREAM_TOOL", "")


class ToolCase(unittest.TestCase):
    """Calls the tool in a folder of its own."""

    command = ()  # in front of all arguments
    popen = {}  # further options of subprocess.Popen

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.dir = Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return self.dir / name

    def start(self, *arguments, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": self.dir, **self.popen, **options}
        return subprocess.Popen([TOOL, *self.command, *map(str, arguments)], **options)

    def call(self, *arguments, **options):
        with self.start(*arguments, **options) as process:
            out, err = process.communicate(timeout=120)
        return process.returncode, (out or b"").decode(), (err or b"").decode()

    def bad(self, *arguments, code=1, says="", **options):
        """Fails with one line that says so, and leaves the folder as it was."""
        files = lambda: {str(path): path.read_bytes() for path in self.dir.rglob("*") if path.is_file()}
        before = files()
        got, out, err = self.call(*arguments, **options)
        self.assertEqual(got, code, (arguments, out, err))
        self.assertRegex(err, r"\Aeigenstream: [^\n]+\n\Z", arguments)
        self.assertIn(says, err)
        self.assertEqual(out, "")
        self.assertEqual(before, files(), arguments)


def write_safetensors(path, tensors, metadata=None):
    """tensors: name -> (shape, values)"""
    header, data = {}, b""
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, (shape, values) in tensors.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    raw = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = (entry["shape"], raw[8 + size + begin : 8 + size + end])
    return tensors


def write_float_wav(path, channels, rate, samples):
    """samples: interleaved"""
    data = struct.pack(f"<{len(samples)}f", *samples)
    form = struct.pack("<HHIIHH", 3, channels, rate, rate * channels * 4, channels * 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    Path(path).write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
