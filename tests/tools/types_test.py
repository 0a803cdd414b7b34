#!/usr/bin/env python3
"""Every module type is described once, in include/eigenstream/network/types/, and what is made of that is as committed.

    types_test.py          compares docs/types.md and python/eigenstream/types.json with what the tool prints, and looks whether
                           each type has what it needs elsewhere
    types_test.py --fix    writes the two files

EIGENSTREAM_TOOL names the program; without it, that of a build directory in build/ is taken.
"""

import json
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = os.environ.get("EIGENSTREAM_TOOL") or str(next(ROOT.glob("build/*/eigenstream"), ""))
MADE = {"docs/types.md": "--markdown", "python/eigenstream/types.json": "--json"}
HOW = "; python3 tests/tools/types_test.py --fix writes it anew"

# Types without a golden file, for torch has no such layer, or it is in others' files only.
NO_GOLDEN = {"Control": "tests/compose/control_test.cpp and tests/python/eigenstream_controls_test.py have it",
             "Delay": "tests/layer/delay_test.cpp has it", "Resample": "tests/golden/audio is without networks"}


def run(*arguments):
    return subprocess.run([TOOL, *arguments], capture_output=True, text=True, check=False)


def good(*arguments):
    done = run(*arguments)
    assert done.returncode == 0 and done.stderr == "", (done.returncode, done.stderr)
    return done.stdout


def types_in(node):
    """The types of a network's nodes."""
    if isinstance(node, list):
        return set().union(*map(types_in, node))
    if not isinstance(node, dict):
        return set()
    return {node["type"]}.union(*map(types_in, node.values()))


def golden_types():
    found = set()
    for path in (ROOT / "tests/golden").glob("*.safetensors"):
        with open(path, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        for case in json.loads(header["__metadata__"]["cases"]):
            found |= types_in(case["network"])
    return found


@unittest.skipIf(TOOL == "", "EIGENSTREAM_TOOL is not set")
class Types(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.types = {each["name"]: each for each in json.loads(good("types", "--json"))["types"]}

    def test_what_is_made_of_the_descriptions_is_as_committed(self):
        for path, option in MADE.items():
            self.assertTrue((ROOT / path).read_text(encoding="utf-8") == good("types", option), f"{path} is out of date{HOW}")

    def test_every_type_has_a_golden_file(self):
        missing = set(self.types) - golden_types() - set(NO_GOLDEN)
        self.assertEqual(missing, set(), "tests/golden/make_golden.py has no case for these")
        self.assertEqual(set(NO_GOLDEN) - set(self.types), set())
        self.assertEqual(golden_types() - set(self.types), set())

    def test_every_type_is_in_the_table_of_layers(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8").lower()
        table = re.search(r"\| layers \|.*?\n\n", readme, re.DOTALL).group()
        others = {"graph": "anygraph", "instancenorm1d": "instance_norm", "eachframe": "`each_frame`", "reduce": "how branches join"}
        for name in map(str.lower, self.types):
            self.assertIn(others.get(name, f"`{name}`"), table, "README.md has no such layer")

    def test_pytorch_has_what_is_named_as_its(self):
        try:
            import torch
        except ImportError:
            self.skipTest("without torch")
        for each in self.types.values():
            for name in each.get("torch", "torch").split(", "):
                place = torch
                if name.startswith("torchaudio."):
                    continue
                for part in name.split(".")[1:]:
                    place = getattr(place, part)

    def test_list(self):
        lines = good("types").splitlines()
        self.assertEqual(lines[0].split(), ["type", "PyTorch", "what", "it", "does"])
        self.assertEqual([line.split()[0] for line in lines[1:]], list(self.types))
        self.assertLessEqual(max(map(len, lines)), 100)

    def test_one_type(self):
        said = good("types", "AvgPool1d")
        self.assertIn("PyTorch: torch.nn.AvgPool1d\n", said)
        self.assertRegex(said, r"(?m)^stride +integer +kernel_size +1 to 2\^20 +from pool to pool$")
        self.assertRegex(said, r"(?m)^kernel_size +integer +required ")
        said = good("types", "Conv1d")
        self.assertRegex(said, r"(?m)^weight +\(out_channels, in_channels / groups, kernel_size\)$")
        self.assertRegex(said, r"(?m)^bias +\(out_channels\) +bias$")
        self.assertIn('"zeros", "replicate", "constant"', said)
        self.assertIn("inside a Windowed only\n", good("types", "GroupNorm"))
        self.assertEqual(json.loads(good("types", "Conv1d", "--json"))["types"], [self.types["Conv1d"]])

    def test_wrong_usage(self):
        for arguments, says in ((["Conv7d"], 'there is no type "Conv7d"'), (["--json", "--markdown"], "--json")):
            done = run("types", *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(says, done.stderr)


if __name__ == "__main__":
    if sys.argv[1:] == ["--fix"]:
        for made, how in MADE.items():
            (ROOT / made).write_text(good("types", how), encoding="utf-8")
            print(f"wrote {made}")
    elif TOOL == "":
        sys.exit(77)
    else:
        unittest.main()
