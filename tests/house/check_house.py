#!/usr/bin/env python3
"""Checks the rules of the house; prints every violation and exits 1 if there is one.

    check_house.py [--root DIR]          check the tree
    check_house.py [--root DIR] --fix    first write the umbrellas

Rules
  include   quoted includes are full paths from include/ and exist; folders see only what stands below them
  siblings  headers in layer/ never include each other
  guard     each header has an include guard named after its path
  test      each header include/eigenstream/<folder>/<name>.hpp has tests/<folder>/<name>_test.cpp
  umbrella  include/eigenstream/<folder>.hpp includes each header of its folder, and eigenstream.hpp each of these;
            headers that need nlohmann-json, libpng or MPI stay out, for the umbrella needs Eigen only
  simd      packet operations and intrinsics occur in kernel/ only, and so do loops over packets
  light     config.hpp and core/ include neither Eigen nor streams of the standard library
  doc       each public class in layer/, window/, audio/ and compose/ says Shapes, Timing, Errors and Source in the block
            above it
"""

import argparse
import re
import sys
from pathlib import Path

# What each folder may include, besides itself. The top is what stands directly in include/eigenstream/.
TOP = {"config", "version"}
GROUND = {"core", "memory", "kernel"}
BELOW = {
    "core": set(),
    "kernel": {"core"},
    "memory": {"core"},
    "io": {"core"},
    "import": {"core", "io"},
    "draw": {"core"},
    "learn": {"core", "kernel"},
    "streamer": {"core", "kernel", "learn", "io"},
    "stream": {"core", "memory"},
    "layer": GROUND,
    "compose": GROUND | {"layer"},
    "window": GROUND | {"layer", "compose"},
    "audio": GROUND | {"window"},
    "analysis": {"core", "stream", "draw"},
    "network": GROUND | {"layer", "compose", "window", "audio", "io"},
    "names": GROUND | {"layer", "compose", "window", "audio", "stream", "network"},
    "serve": GROUND | {"layer", "compose", "window", "audio", "stream", "network"},
}
# Not in eigenstream.hpp, which is what runs: what builds networks by name brings every layer along; files, checks and plots
# are wanted in few places of a program.
NOT_IN_TOP = {"network", "names", "io", "import", "analysis", "draw", "learn", "streamer", "serve"}
NO_SIBLINGS = {"layer"}

# Doors at old places: they include what has moved, and nothing else is asked of them.
DOORS = {
    "analysis/chunks.hpp",
    "analysis/drawing.hpp",
    "analysis/glyphs.hpp",
    "compose/stream.hpp",
    "core/module_spec.hpp",
    "graph/any_graph.hpp",
    "graph/any_layer.hpp",
    "graph/create_stream.hpp",
    "graph/load_model.hpp",
    "graph/registry.hpp",
    "layer/conv1d.hpp",
    "layer/conv_transpose1d.hpp",
    "layer/elementwise.hpp",
    "layer/pool1d.hpp",
    "window/adaptive_pool1d.hpp",
    "window/group_norm.hpp",
    "window/rearrange.hpp",
    "window/recurrent.hpp",
}

# Headers without a test of their own, and why.
UNTESTED = {
    "config.hpp": "macros and two names; every test uses them",
    "version.hpp": "three numbers; tests/package compares them with what is installed",
    **{
        f"network/types/{family}.hpp": "tests/network/registry_test.cpp and the golden files build every type"
        for family in (
            "attention", "audio", "containers", "convolution", "normalisation", "pointwise", "pooling", "recurrent", "running", "windows"
        )
    },
    "streamer/layer.hpp": "tests/streamer/model_test.cpp runs whole stacks of them, number by number",
    "streamer/optimizer.hpp": "tests/streamer/model_test.cpp runs whole stacks with it, number by number",
    "streamer/networks.hpp": "tests/streamer/model_test.cpp has all that they are made of",
    "streamer/segment.hpp": "a plain structure; tests/streamer/score_test.cpp is about many of them",
    "streamer/inference.hpp": "tests/streamer/checkpoint_test.cpp has the checkpoints that it needs",
    "import/import_options.hpp": "a plain structure and bounds; tests/import/import_model_test.cpp tries them",
    **{
        f"import/onnx_{part}.hpp": "tests/import/onnx_test.cpp reads networks that torch wrote, which have every operation"
        for part in ("array", "node", "move", "shape", "patterns", "layout", "builder", "maker", "layers", "sliding", "recurrent", "stream")
    },
    "import/nam_part.hpp": "tests/import/nam_test.cpp reads every kind of layer",
    "import/nam_wavenet.hpp": "tests/import/nam_test.cpp reads every option",
    "core/description.hpp": "a plain structure without functions; tests/io/model_file_test.cpp fills it",
}

# What the umbrellas must not need: nlohmann-json, libpng, MPI.
OUTSIDE = ("nlohmann/", "png.h", "mpi.h")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
HEAVY = re.compile(r"Eigen/|unsupported/|(?:[io]?f?|io|s|o|i)stream$|iomanip$|iosfwd$")
SAYS = dict.fromkeys(("layer", "window", "audio", "compose"), ("Shapes", "Timing", "Errors", "Source"))
SAYS |= dict.fromkeys(("learn", "streamer"), ("Shapes", "Errors", "Source"))  # which do not stream; classes only
SIMD = re.compile(r"Eigen::internal::(?:p[a-z]+[<(]|packet_traits|unpacket_traits)|\b_mm\d*_\w+|<\w*intrin\.h>|<arm_neon\.h>")
PACKET_LOOP = re.compile(r"\+= \w+::lanes|\.store_first\(")
# A class at the margin, so not one in another, with the block above it. Plain structures of options or weights say what they
# are for member by member.
CLASS = re.compile(r"((?:^///.*\n)*)(?:^(?:template|  requires|requires).*\n)*^(?:class|struct) (\w+)\b(?! *[;<])([^;\n]*)\{", re.MULTILINE)
PLAIN = re.compile(r"\w*(?:Options|Weights|Padding|Shape)$")
DETAIL = re.compile(r"^namespace detail \{.*?^\}  // namespace detail", re.MULTILINE | re.DOTALL)
BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
LINE_COMMENT = re.compile(r"//.*")


def strip_comments(text):
    text = BLOCK_COMMENT.sub(lambda match: "\n" * match.group().count("\n"), text)
    return LINE_COMMENT.sub("", text)


def guard_of(path):
    """The guard of a header, given its path from include/ or, for other headers, from the top of the tree."""
    parts = "_".join(path.parts)
    if path.parts[0] not in ("eigenstream", "eigenstream.hpp"):
        parts = "eigenstream_" + parts
    return re.sub(r"[^A-Z0-9]", "_", parts.upper())


class House:
    def __init__(self, root):
        self.root = root
        self.include_dir = root / "include"
        self.violations = []
        self.text = {}  # path from include/ -> code without comments
        self.includes = {}  # path from include/ -> [(line, name, quoted)]
        for path in sorted(self.include_dir.rglob("*.hpp")):
            name = path.relative_to(self.include_dir)
            code = strip_comments(path.read_text(encoding="utf-8"))
            self.text[name] = code
            self.includes[name] = [
                (code.count("\n", 0, match.start()) + 1, match[1] or match[2], match[1] is not None)
                for match in INCLUDE.finditer(code)
            ]
        self.doors = {name for name in self.text if "/".join(name.parts[1:]) in DOORS}
        self.folders = sorted({name.parts[1] for name in self.text if len(name.parts) > 2 and name not in self.doors})

    def report(self, path, line, rule, message):
        self.violations.append(f"{path}:{line}: [{rule}] {message}")

    def members(self, folder):
        """The headers that stand in a folder itself; what is deeper belongs to one of them."""
        return [name for name in self.text if len(name.parts) == 3 and name.parts[1] == folder and name not in self.doors]

    def umbrella_of(self, folder):
        return Path("eigenstream") / f"{folder}.hpp"

    def is_umbrella(self, name):
        return name == Path("eigenstream.hpp") or (len(name.parts) == 2 and name.stem in self.folders)

    def outside_headers(self):
        """The headers that need more than Eigen, directly or through another one."""
        found = set()
        while True:
            more = {
                name
                for name, includes in self.includes.items()
                if name not in found
                and any(target.startswith(OUTSIDE) or Path(target) in found for _, target, _ in includes)
            }
            if not more:
                return found
            found |= more

    def check_includes(self):
        for name, includes in self.includes.items():
            if name in self.doors:
                continue
            here = Path("include") / name
            folder = name.parts[1] if len(name.parts) > 2 else None
            if folder is not None and folder not in BELOW:
                self.report(here, 1, "include", f"folder {folder}/ has no place in the house; give it one in check_house.py")
                continue
            for line, target, quoted in includes:
                if not quoted:
                    if target.startswith("eigenstream"):
                        self.report(here, line, "include", f"<{target}> must be quoted")
                    continue
                path = Path(target)
                if path not in self.text:
                    self.report(here, line, "include", f'"{target}" is not a path from include/ to one of our headers')
                    continue
                if self.is_umbrella(name):
                    continue
                if self.is_umbrella(path):
                    self.report(here, line, "include", f'"{target}" is an umbrella; include what is used')
                    continue
                other = path.parts[1] if len(path.parts) > 2 else None
                if folder is None:
                    if other is not None:
                        self.report(here, line, "include", f'nothing stands below {name.name}, yet it includes "{target}"')
                elif other is not None and other != folder and other not in BELOW[folder]:
                    self.report(here, line, "include", f'{folder}/ may not see {other}/: "{target}"')
                elif other == folder and folder in NO_SIBLINGS:
                    self.report(here, line, "siblings", f'headers in {folder}/ never include each other: "{target}"')

    def check_guards(self):
        headers = [(self.include_dir / name, name) for name in self.text]
        for folder in ("tests", "bench", "examples", "tools"):
            top = self.root / folder
            headers += [(path, path.relative_to(self.root)) for path in sorted(top.rglob("*.hpp"))]
        for path, name in headers:
            guard = guard_of(name)
            lines = path.read_text(encoding="utf-8").rstrip().splitlines()
            code = [line for line in lines if line.strip() and not line.startswith("//")]
            good = (
                len(code) >= 3
                and code[0] == f"#ifndef {guard}"
                and code[1] == f"#define {guard}"
                and lines[-1] == f"#endif  // {guard}"
            )
            if not good:
                self.report(path.relative_to(self.root), 1, "guard", f"the include guard must be {guard}, its #endif commented so")

    def check_tests(self):
        for name in self.text:
            inside = name.relative_to("eigenstream") if name.parts[0] == "eigenstream" else name
            if self.is_umbrella(name) or name in self.doors or inside.as_posix() in UNTESTED:
                continue
            test = Path("tests") / inside.with_name(inside.stem + "_test.cpp")
            if not (self.root / test).is_file():
                self.report(Path("include") / name, 1, "test", f"{test} is missing")

    def check_umbrellas(self):
        outside = self.outside_headers()
        for name in sorted(outside):
            if self.is_umbrella(name):
                self.report(Path("include") / name, 1, "umbrella", "needs more than Eigen, directly or through what it includes")
        top = Path("eigenstream.hpp")
        listed = {target for _, target, _ in self.includes.get(top, [])}
        for folder in self.folders:
            wanted = [member for member in self.members(folder) if member not in outside]
            umbrella = self.umbrella_of(folder)
            if not wanted:
                continue
            if umbrella not in self.text:
                self.report(Path("include") / umbrella, 1, "umbrella", "is missing (check_house.py --fix writes it)")
                continue
            here = {target for _, target, _ in self.includes[umbrella]}
            for member in wanted:
                if member.as_posix() not in here:
                    self.report(Path("include") / umbrella, 1, "umbrella", f'does not include "{member.as_posix()}" (--fix)')
            if folder not in NOT_IN_TOP and umbrella.as_posix() not in listed:
                self.report(Path("include") / top, 1, "umbrella", f'does not include "{umbrella.as_posix()}"')

    def check_simd(self):
        for name, code in self.text.items():
            if len(name.parts) > 2 and name.parts[1] == "kernel":
                continue
            for match in SIMD.finditer(code):
                line = code.count("\n", 0, match.start()) + 1
                self.report(Path("include") / name, line, "simd", f"{match.group()} belongs in kernel/")
            for match in PACKET_LOOP.finditer(code):
                line = code.count("\n", 0, match.start()) + 1
                self.report(Path("include") / name, line, "simd", "a loop over packets belongs in kernel/")

    def check_docs(self):
        for name in self.text:
            if len(name.parts) < 3 or name.parts[1] not in SAYS:
                continue
            text = (self.include_dir / name).read_text(encoding="utf-8")
            public = DETAIL.sub(lambda match: "\n" * match.group().count("\n"), text)
            told = set()  # those whose block holds for what derives from them here
            for match in CLASS.finditer(public):
                told.add(match[2])
                base = re.search(r": (?:public )?(\w+)", match[3])
                if base and base[1] in told:
                    continue
                missing = [word for word in SAYS[name.parts[1]] if not re.search(rf"^/// +{word}\b", match[1], re.MULTILINE)]
                plain = PLAIN.match(match[2]) or ("Timing" not in SAYS[name.parts[1]] and "\nstruct " in "\n" + match[0])
                if missing and not plain:
                    line = public.count("\n", 0, match.end()) + 1
                    self.report(Path("include") / name, line, "doc", f"{match[2]} does not say {', '.join(missing)}")

    def check_light(self):
        for name, includes in self.includes.items():
            if name.parts[1:2] != ("core",) and name.name != "config.hpp":
                continue
            for line, target, quoted in includes:
                if not quoted and HEAVY.match(target):
                    self.report(Path("include") / name, line, "light", f"<{target}> does not belong on the ground floor")

    def check(self):
        self.check_light()
        self.check_docs()
        self.check_includes()
        self.check_guards()
        self.check_tests()
        self.check_umbrellas()
        self.check_simd()
        return self.violations

    def write_umbrellas(self):
        """Writes what is not up to date, and returns the paths of these files."""
        outside = self.outside_headers()
        texts = {}
        for folder in self.folders:
            umbrella = self.umbrella_of(folder)
            wanted = sorted(member.as_posix() for member in self.members(folder) if member not in outside)
            if not wanted:
                continue
            guard = guard_of(umbrella)
            includes = "".join(f'#include "{member}"\n' for member in wanted)
            texts[umbrella] = f"#ifndef {guard}\n#define {guard}\n\n// All of {folder}/.\n{includes}\n#endif  // {guard}\n"

        top = Path("eigenstream.hpp")
        if top in self.text:
            inside = (umbrella.as_posix() for umbrella in texts if umbrella.stem not in NOT_IN_TOP)
            includes = sorted(["eigenstream/config.hpp", *inside])
            block = "".join(f'#include "{name}"\n' for name in includes)
            text = (self.include_dir / top).read_text(encoding="utf-8")
            texts[top] = re.sub(r'(?:#include "[^"]*"\n)+', lambda _: block, text, count=1)

        written = []
        for name, text in texts.items():
            path = self.include_dir / name
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                written.append(path)
        return written


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--fix", action="store_true")
    arguments = parser.parse_args()
    if arguments.fix:
        for path in House(arguments.root).write_umbrellas():
            print(f"wrote {path}")
    house = House(arguments.root)
    if not house.text:
        print(f"no headers in {house.include_dir}")
        return 1
    violations = house.check()
    for violation in violations:
        print(violation)
    print(f"{len(house.text)} headers, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
