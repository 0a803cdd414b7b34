"""How long programs take to compile, before and after: bench/compile_time.py BEFORE AFTER, two trees of the project.

Compilers read headers anew for every file that includes them, so what an include costs is felt at every change. Each program is
compiled by both trees in turn, several times; the least processor time counts. `front end` only reads (-fsyntax-only), `-O2`
compiles. The last rows are a program that loads a model file: from the headers before, against eigenstream::compiled after.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 5
LOADS = """
#include <eigenstream/{load}>
#include <eigenstream/{stream}>
int main(int, char** arguments) {{
  const auto model = eigenstream::load_model(arguments[1]);
  eigenstream::Stream stream(model.network.layer);
  float x[64] = {{}}, y[256];
  return static_cast<int>(stream.process(eigenstream::Frames<const float>(x, stream.in_shape(), 1),
                                         eigenstream::Frames<float>(y, stream.out_shape(), 1)));
}}
"""


def header(tree, *names):
    """The first of these headers that the tree has."""
    return next((name for name in names if (tree / "include/eigenstream" / name).exists()), names[-1])


def seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    before, after = (Path(argument).resolve() for argument in sys.argv[1:3])
    compiler = os.environ.get("CXX", "g++")
    eigen = subprocess.run(["pkg-config", "--cflags", "eigen3"], capture_output=True, text=True, check=True).stdout.split()

    def programs(tree, compiled):
        stream = header(tree, "stream/stream.hpp", "compose/stream.hpp")
        load = header(tree, "network/load_model.hpp", "graph/load_model.hpp")
        empty = "\nint main() {}\n"
        return {
            "<eigenstream.hpp>, front end": ("#include <eigenstream.hpp>" + empty, ["-fsyntax-only"]),
            "stream.hpp, front end": (f"#include <eigenstream/{stream}>" + empty, ["-fsyntax-only"]),
            "load_model, -O2": (
                LOADS.format(load=load, stream=stream),
                ["-O2", "-c", "-o", "/dev/null", *(["-DEIGENSTREAM_COMPILED"] if compiled else [])],
            ),
        }

    with tempfile.TemporaryDirectory() as folder:
        sides = [(before, programs(before, False)), (after, programs(after, True))]
        print(f"{compiler}, seconds of processor time, least of {RUNS} runs that take turns")
        print(f"{'program':32} {'before':>8} {'after':>8} {'ratio':>7}")
        for name in sides[0][1]:
            least = [float("inf")] * 2
            for _ in range(RUNS):
                for side, (tree, all_programs) in enumerate(sides):
                    text, flags = all_programs[name]
                    source = Path(folder) / "program.cpp"
                    source.write_text(text)
                    command = [compiler, "-std=c++20", *eigen, f"-I{tree / 'include'}", *flags, str(source)]
                    least[side] = min(least[side], seconds(command))
            print(f"{name:32} {least[0]:8.2f} {least[1]:8.2f} {least[1] / least[0]:7.2f}")


if __name__ == "__main__":
    main()
