#include "eigenstream/import/onnx_trace.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
namespace onnx = es::onnx;
using es::Index;
using support::error_of;

namespace {

onnx::Attribute ints(std::vector<std::int64_t> numbers) {
  onnx::Attribute attribute;
  attribute.kind = onnx::Attribute::Kind::integers;
  attribute.integers = std::move(numbers);
  return attribute;
}
onnx::Attribute one(std::int64_t number) {
  onnx::Attribute attribute;
  attribute.kind = onnx::Attribute::Kind::integer;
  attribute.integer = number;
  return attribute;
}
onnx::Attribute word(std::string text) {
  onnx::Attribute attribute;
  attribute.kind = onnx::Attribute::Kind::text;
  attribute.text = std::move(text);
  return attribute;
}
onnx::Tensor whole(std::string name, std::vector<double> numbers) {
  return {std::move(name), {static_cast<Index>(numbers.size())}, true, std::move(numbers)};
}
onnx::Port port(std::string name, std::vector<Index> dims) {
  onnx::Port all;
  all.name = std::move(name);
  all.symbols.resize(dims.size());
  all.dims = std::move(dims);
  return all;
}
onnx::Node node(std::string op, std::vector<std::string> inputs, std::vector<std::string> outputs,
                std::map<std::string, onnx::Attribute, std::less<>> attributes = {}) {
  onnx::Node own;
  own.op = std::move(op);
  own.inputs = std::move(inputs);
  own.outputs = std::move(outputs);
  own.attributes = std::move(attributes);
  return own;
}
// x, then what the nodes make of it, then y.
onnx::File file_of(std::vector<Index> dims, std::vector<onnx::Node> nodes, std::vector<onnx::Tensor> tensors = {}) {
  onnx::File file;
  file.opset = 13;
  file.graph.inputs = {port("x", std::move(dims))};
  file.graph.outputs = {port("y", {})};
  file.graph.nodes = std::move(nodes);
  file.graph.tensors = std::move(tensors);
  return file;
}
// Which numbers of x the output is made of, -1 for a constant.
std::vector<Index> moved(const onnx::File& file, std::vector<Index> dims) {
  const onnx::Program program = onnx::trace(file);
  CHECK(program.operations.empty());
  const onnx::Array& y = program.outputs.at(0).second;
  CHECK(y.dims == dims);
  std::vector<Index> numbers;
  for (const onnx::Element& each : y.elements)
    numbers.push_back(each.value == onnx::Element::constant ? -1 : static_cast<Index>(each.index));
  return numbers;
}
using Numbers = std::vector<Index>;

}  // namespace

TEST_CASE("onnx::trace: what only moves numbers leaves nothing to compute", "[import][onnx]") {
  CHECK(moved(file_of({2, 3}, {node("Transpose", {"x"}, {"y"})}), {3, 2}) == Numbers{0, 3, 1, 4, 2, 5});
  CHECK(moved(file_of({1, 2, 3}, {node("Transpose", {"x"}, {"y"}, {{"perm", ints({2, 0, 1})}})}), {3, 1, 2}) ==
        Numbers{0, 3, 1, 4, 2, 5});
  CHECK(moved(file_of({2, 3}, {node("Reshape", {"x", "s"}, {"y"})}, {whole("s", {0, -1, 1})}), {2, 3, 1}) ==
        Numbers{0, 1, 2, 3, 4, 5});
  CHECK(moved(file_of({2, 3}, {node("Flatten", {"x"}, {"y"}, {{"axis", one(0)}})}), {1, 6}) ==
        Numbers{0, 1, 2, 3, 4, 5});
  CHECK(moved(file_of({1, 3}, {node("Squeeze", {"x"}, {"z"}), node("Unsqueeze", {"z", "a"}, {"y"})},
                      {whole("a", {-1, 0})}),
              {1, 3, 1}) == Numbers{0, 1, 2});
  CHECK(moved(file_of({2, 3}, {node("Gather", {"x", "i"}, {"y"}, {{"axis", one(1)}})}, {whole("i", {2, -3})}),
              {2, 2}) == Numbers{2, 0, 5, 3});
  CHECK(moved(file_of({2, 3}, {node("Concat", {"x", "c", "x"}, {"y"}, {{"axis", one(1)}})},
                      {{"c", {2, 1}, false, {7, 8}}}),
              {2, 7}) == Numbers{0, 1, 2, -1, 0, 1, 2, 3, 4, 5, -1, 3, 4, 5});
  CHECK(moved(file_of({2, 3},
                      {node("Split", {"x", "s"}, {"a", "b"}, {{"axis", one(1)}}),
                       node("Concat", {"b", "a"}, {"y"}, {{"axis", one(1)}})},
                      {whole("s", {1, 2})}),
              {2, 3}) == Numbers{1, 2, 0, 4, 5, 3});
  CHECK(moved(file_of({2, 1}, {node("Expand", {"x", "s"}, {"y"})}, {whole("s", {2, 3})}), {2, 3}) ==
        Numbers{0, 0, 0, 1, 1, 1});
  CHECK(moved(file_of({2, 1}, {node("Tile", {"x", "s"}, {"y"})}, {whole("s", {2, 2})}), {4, 2}) ==
        Numbers{0, 0, 1, 1, 0, 0, 1, 1});
  CHECK(moved(file_of({3}, {node("Cast", {"x"}, {"z"}, {{"to", one(1)}}), node("Identity", {"z"}, {"y"})}), {3}) ==
        Numbers{0, 1, 2});
  const std::vector<onnx::Tensor> space{whole("b", {-1}), whole("e", {-10}), whole("a", {0}), whole("s", {-2})};
  CHECK(moved(file_of({5}, {node("Slice", {"x", "b", "e", "a", "s"}, {"y"})}, space), {3}) == Numbers{4, 2, 0});
  CHECK(moved(file_of({1, 4, 1, 1}, {node("DepthToSpace", {"x"}, {"y"}, {{"blocksize", one(2)}})}), {1, 1, 2, 2}) ==
        Numbers{0, 1, 2, 3});
  CHECK(moved(file_of({1, 1, 2, 2}, {node("SpaceToDepth", {"x"}, {"y"}, {{"blocksize", one(2)}})}), {1, 4, 1, 1}) ==
        Numbers{0, 1, 2, 3});
  CHECK(moved(file_of({2, 2}, {node("ScatterND", {"x", "i", "u"}, {"y"})},
                      {{"i", {1, 1}, true, {1}}, {"u", {1, 2}, false, {5, 6}}}),
              {2, 2}) == Numbers{0, 1, -1, -1});
  CHECK(moved(file_of({3}, {node("Where", {"c", "x", "z"}, {"y"})},
                      {{"c", {3}, true, {1, 0, 1}}, {"z", {1}, false, {9}}}),
              {3}) == Numbers{0, -1, 2});
}

TEST_CASE("onnx::trace: every way to pad", "[import][onnx]") {
  const auto pad = [](const char* mode, double left, double right) {
    return file_of({4}, {node("Pad", {"x", "p"}, {"y"}, {{"mode", word(mode)}})}, {whole("p", {left, right})});
  };
  CHECK(moved(pad("constant", 1, 2), {7}) == Numbers{-1, 0, 1, 2, 3, -1, -1});
  CHECK(moved(pad("constant", -1, 1), {4}) == Numbers{1, 2, 3, -1});
  CHECK(moved(pad("reflect", 3, 2), {9}) == Numbers{3, 2, 1, 0, 1, 2, 3, 2, 1});
  CHECK(moved(pad("edge", 2, 1), {7}) == Numbers{0, 0, 0, 1, 2, 3, 3});
  CHECK(moved(pad("wrap", 2, 1), {7}) == Numbers{2, 3, 0, 1, 2, 3, 0});
  CHECK(error_of([&] {
          static_cast<void>(onnx::trace(pad("reflect", 4, 0)));
        }).find("reflects more than there is: 4 and 0 around 4") != std::string::npos);
}

TEST_CASE("onnx::trace: a state is what it was of earlier frames", "[import][onnx]") {
  // The three frames before, and one of them written back by its place.
  onnx::File file = file_of({1, 2},
                            {node("Concat", {"s", "x"}, {"all"}, {{"axis", one(0)}}),
                             node("Slice", {"all", "b", "e"}, {"next"}), node("Identity", {"all"}, {"y"})},
                            {whole("b", {1}), whole("e", {4})});
  file.graph.inputs.push_back(port("s", {3, 2}));
  file.graph.outputs.push_back(port("next", {}));
  const onnx::Program program = onnx::trace(file);
  CHECK(program.inputs.size() == 1);
  const onnx::Array& y = program.outputs.at(0).second;
  REQUIRE(y.dims == Numbers{4, 2});
  for (Index k = 0; k < 8; ++k) {
    CHECK(y.at(k).value == program.inputs[0]);
    CHECK(y.at(k).lag == 3 - k / 2);
    CHECK(y.at(k).index == k % 2);
  }
  CHECK(program.outputs.size() == 1);
}

TEST_CASE("onnx::trace: states that never change, and what no layer does", "[import][onnx]") {
  onnx::File file =
      file_of({1, 2}, {node("Concat", {"s", "x"}, {"y"}, {{"axis", one(0)}}), node("Identity", {"s"}, {"next"})});
  file.graph.inputs.push_back(port("s", {1, 2}));
  file.graph.outputs.push_back(port("next", {}));
  const onnx::Program program = onnx::trace(file);
  CHECK(program.outputs.at(0).second.at(0) == onnx::Element{});  // stays 0
  file.graph.nodes.back() = node("Identity", {"one"}, {"next"});
  file.graph.tensors = {{"one", {1, 2}, false, {1, 1}}};
  CHECK(error_of([&] { static_cast<void>(onnx::trace(file, {}, "it: ")); }) ==
        "it: state \"s\" begins with 0 and becomes the constant 1, which no layer does");
}

TEST_CASE("onnx::trace: known numbers are worked out, also which branch is taken", "[import][onnx]") {
  onnx::Attribute then_branch, else_branch;
  then_branch.kind = else_branch.kind = onnx::Attribute::Kind::graph;
  for (onnx::Attribute* const branch : {&then_branch, &else_branch}) {
    onnx::Graph graph;
    graph.outputs = {port("given", {})};
    graph.nodes = {node(branch == &then_branch ? "Relu" : "Tanh", {"x"}, {"given"})};
    branch->graph = {graph};
  }
  onnx::File file =
      file_of({2},
              {node("Equal", {"rate", "high"}, {"is_high"}),
               node("If", {"is_high"}, {"y"}, {{"then_branch", then_branch}, {"else_branch", else_branch}})},
              {whole("high", {16000})});
  onnx::Port rate = port("rate", {});
  rate.whole = true;
  file.graph.inputs.push_back(rate);
  CHECK(onnx::trace(file, {.constants = {{"rate", 16000}}}).operations.at(0).op == "Relu");
  CHECK(onnx::trace(file, {.constants = {{"rate", 8000}}}).operations.at(0).op == "Tanh");
  CHECK(error_of([&] { static_cast<void>(onnx::trace(file, {}, "it: ")); }) ==
        "it: input \"rate\" takes whole numbers: say which one (--set rate=...)");
}

TEST_CASE("onnx::trace: errors name the node", "[import][onnx]") {
  const auto error = [](const onnx::File& file) {
    return error_of([&] { static_cast<void>(onnx::trace(file, {}, "it: ")); });
  };
  CHECK(error(file_of({2, 3}, {node("NonZero", {"x"}, {"y"})})) ==
        "it: node \"y\" (NonZero): is not among the operations that are read");
  CHECK(error(file_of({2, 3}, {node("Relu", {"q"}, {"y"})})) == "it: node \"y\" (Relu): nothing gives its input \"q\"");
  CHECK(error(file_of({2, -1}, {node("Relu", {"x"}, {"y"})})).starts_with("it: input \"x\" leaves its axis 1 open"));
  CHECK(error(file_of({2, 3}, {node("Relu", {"x"}, {"z"})})) == "it: nothing gives the output \"y\"");
  CHECK(error(file_of({2, 3}, {node("Add", {"x", "w"}, {"y"})}, {{"w", {4}, false, {1, 2, 3, 4}}})) ==
        "it: node \"y\" (Add): shapes (2,3) and (4) do not fit");
  CHECK(error(file_of({2, 3}, {node("Reshape", {"x", "s"}, {"y"})}, {whole("s", {4, 2})})) ==
        "it: node \"y\" (Reshape): makes (4,2) of 6 numbers");
  CHECK(error(file_of({2, 3}, {node("Transpose", {"x"}, {"y"}, {{"perm", ints({0, 0})}})})) ==
        "it: node \"y\" (Transpose): names an axis twice");
  CHECK(
      error(file_of({2, 3}, {node("Expand", {"x", "s"}, {"y"})}, {whole("s", {4194304, 2, 3})})).find("is too large") !=
      std::string::npos);
  CHECK(error(file_of({1, 2, 5}, {node("Conv", {"x", "w"}, {"y"})},
                      {{"w", {1, 2, 6}, false, std::vector<double>(12, 1.0)}})) ==
        "it: node \"y\" (Conv): a kernel that reaches over 6 of 5 numbers");
}
