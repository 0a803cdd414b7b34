"""The tree obeys the rules of the house; and the check finds what breaks them."""

import tempfile
import unittest
from pathlib import Path

from check_house import House, guard_of


def header(path, *body):
    guard = guard_of(Path(path))
    return "\n".join([f"#ifndef {guard}", f"#define {guard}", *body, f"#endif  // {guard}", ""])


class Tree(unittest.TestCase):
    def test_obeys_the_rules(self):
        violations = House(Path(__file__).resolve().parents[2]).check()
        if violations:
            self.fail("\n".join(["", *violations]))


class Check(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        self.write("eigenstream.hpp", '#include "eigenstream/core.hpp"', '#include "eigenstream/layer.hpp"')
        self.write("eigenstream/config.hpp")
        self.write("eigenstream/core/frames.hpp", '#include "eigenstream/config.hpp"  // Index')
        self.write("eigenstream/layer/delay.hpp", '#include "eigenstream/core/frames.hpp"')
        for test in ("core/frames", "layer/delay"):
            path = self.root / "tests" / f"{test}_test.cpp"
            path.parent.mkdir(parents=True)
            path.write_text("")
        House(self.root).write_umbrellas()

    def write(self, name, *body):
        path = self.root / "include" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header(name, *body))

    def assert_found(self, *rules):
        violations = House(self.root).check()
        self.assertEqual([line.split("[")[1].split("]")[0] for line in violations], list(rules), violations)

    def test_a_good_house_has_no_violations(self):
        self.assert_found()

    def test_heavy_ground_floor(self):
        self.write("eigenstream/core/frames.hpp", "#include <sstream>  // text", "#include <vector>  // frames")
        self.assert_found("light")

    def test_class_that_does_not_say_what_it_takes(self):
        block = ["/// Holds frames back.", "/// Shapes   x -> y", "/// Timing   late", "/// Errors   none", "/// Source   none"]
        include = '#include "eigenstream/core/frames.hpp"'
        body = ["template <class T>", "class Delay {", "};", "struct DelayOptions {", "};", "class Known;"]
        self.write("eigenstream/layer/delay.hpp", include, *block, *body)
        self.assert_found()
        self.write("eigenstream/layer/delay.hpp", include, *block[:3], *body)
        self.assert_found("doc")

    def test_what_learns_says_what_it_takes_but_when(self):
        block = ["/// A matrix.", "/// Shapes   x -> y", "/// Errors   none", "/// Source   none"]
        body = ["template <class T>", "class Dense {", "};", "/// Plain.", "struct Cache {", "};"]
        (self.root / "tests/learn").mkdir()
        (self.root / "tests/learn/dense_test.cpp").write_text("")
        self.write("eigenstream/learn/dense.hpp", *block, *body)
        House(self.root).write_umbrellas()
        self.assert_found()
        self.write("eigenstream/learn/dense.hpp", *block[:2], *block[3:], *body)
        self.assert_found("doc")

    def test_packet_loop_outside_of_kernel(self):
        self.write("eigenstream/layer/delay.hpp", "for (Index i = 0; i < n; i += P::lanes) {}")
        self.assert_found("simd")

    def test_upward_include(self):
        self.write("eigenstream/core/frames.hpp", '#include "eigenstream/layer/delay.hpp"')
        self.assert_found("include")

    def test_config_stands_at_the_bottom(self):
        self.write("eigenstream/config.hpp", '#include "eigenstream/core/frames.hpp"')
        self.assert_found("include")

    def test_relative_include(self):
        self.write("eigenstream/layer/delay.hpp", '#include "../core/frames.hpp"')
        self.assert_found("include")

    def test_include_of_an_umbrella(self):
        self.write("eigenstream/layer/delay.hpp", '#include "eigenstream/core.hpp"')
        self.assert_found("include")

    def test_include_in_a_comment_is_none(self):
        self.write("eigenstream/core/frames.hpp", "/*", '#include "eigenstream/layer/delay.hpp"', "*/")
        self.assert_found()

    def test_unknown_folder_without_test_and_umbrella(self):
        self.write("eigenstream/attic/box.hpp")
        self.assert_found("include", "test", "umbrella")

    def test_siblings(self):
        self.write("eigenstream/layer/gru.hpp", '#include "eigenstream/layer/delay.hpp"')
        self.assert_found("siblings", "test", "umbrella")

    def test_guard(self):
        (self.root / "include/eigenstream/config.hpp").write_text("#pragma once\n")
        self.assert_found("guard")

    def test_missing_test(self):
        (self.root / "tests/layer/delay_test.cpp").unlink()
        self.assert_found("test")

    def test_umbrella_must_not_need_more_than_eigen(self):
        for needed in ("nlohmann/json.hpp", "png.h"):
            with self.subTest(needed):
                self.write("eigenstream/core/frames.hpp", f"#include <{needed}>")
                self.assertIn("umbrella", {line.split("[")[1].split("]")[0] for line in House(self.root).check()})

    def test_simd_outside_kernel(self):
        self.write("eigenstream/layer/delay.hpp", "auto x = Eigen::internal::padd(a, b);")
        self.assert_found("simd")


if __name__ == "__main__":
    unittest.main()
