#!/usr/bin/env python3
"""Writes what the fuzzers begin with, from the golden files: seeds.py DIR makes DIR/safetensors, DIR/model_file, DIR/import, DIR/onnx and
DIR/wav."""

import json
import struct
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def main():
    out = Path(sys.argv[1])
    for name in ("safetensors", "model_file", "import", "onnx", "wav"):
        (out / name).mkdir(parents=True, exist_ok=True)
    for name in ("nam", "rtneural"):
        for case in json.loads((TESTS / "import" / "golden" / f"{name}.json").read_text(encoding="utf-8")):
            (out / "import" / f"{name}_{case['name']}.json").write_text(json.dumps(case["file"], separators=(",", ":")), encoding="utf-8")
    for path in sorted((TESTS / "import" / "onnx").glob("*.onnx")):
        (out / "import" / path.name).write_bytes(path.read_bytes())
        (out / "onnx" / path.name).write_bytes(bytes([0, 0, 0]) + path.read_bytes())
    (out / "wav" / "short").write_bytes((TESTS.parent / "examples" / "denoise" / "noisy.wav").read_bytes()[:1000])
    header = {"a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]}, "b": {"dtype": "F16", "shape": [], "data_offsets": [8, 10]},
              "__metadata__": {"k": "v"}}
    text = json.dumps(header).encode()
    (out / "safetensors" / "two").write_bytes(struct.pack("<Q", len(text)) + text + bytes(10))
    # One small network of each type that the golden files have.
    for path in sorted((TESTS / "golden").glob("*.safetensors")):
        data = path.read_bytes()
        head = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
        case = json.loads(head["__metadata__"]["cases"])[0]
        network = json.dumps({"version": 1, "network": case["network"]}, separators=(",", ":")).encode()
        (out / "model_file" / path.stem).write_bytes(struct.pack("<H", len(network)) + network + bytes([3, 2, 2, 1, 2, 2]) * 3)


if __name__ == "__main__":
    main()
