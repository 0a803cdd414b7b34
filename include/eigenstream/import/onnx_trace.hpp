#ifndef EIGENSTREAM_IMPORT_ONNX_TRACE_HPP
#define EIGENSTREAM_IMPORT_ONNX_TRACE_HPP

#include <algorithm>    // find, swap
#include <cmath>        // floor, pow
#include <functional>   // less
#include <map>          // values by name
#include <optional>     // a fold that is known
#include <string>       // names
#include <string_view>  // operations
#include <utility>      // pair
#include <vector>       // operations

#include "eigenstream/import/import_options.hpp"
#include "eigenstream/import/onnx_array.hpp"
#include "eigenstream/import/onnx_move.hpp"
#include "eigenstream/import/onnx_shape.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx {

/// What is left to compute: an operation of the graph whose inputs are arrays, and whose outputs are new values.
struct Operation {
  std::string op;
  const Node* node = nullptr;
  std::vector<Array> inputs = {};             ///< without numbers and extents: left out
  std::vector<Index> outputs = {};            ///< values
  std::vector<std::vector<Index>> dims = {};  ///< of each output
  Index time_stride = 1;                      ///< frames of its inputs from one of its own to the next
  Index time_axis = -1;                       ///< the axis of its result that became time, if any
  Index rows = 0;                             ///< how many frames of it the whole signal has; 0 if that is not known
  Index pad_after = 0;                        ///< numbers after the last one along that axis, as the file says
};

/// A value that arrays refer to: an input of the graph, a state, or what an operation gives.
struct Value {
  std::string name;
  std::vector<Index> dims;
  Index operation = -1;
  bool is_state = false;
};

/// A graph for one call: the operations, in an order in which each comes behind what it needs of the same call, the
/// inputs, and where the outputs come from.
struct Program {
  std::vector<Value> values;
  std::vector<Operation> operations;
  std::vector<Index> inputs;  ///< values: the signal, then further ones
  std::vector<std::pair<std::string, Array>> outputs;
};

/// All of a value, in order.
inline Array array_of(const Program& program, Index value) {
  Array array{.dims = program.values[static_cast<std::size_t>(value)].dims};
  array.elements.resize(static_cast<std::size_t>(size_of(array.dims)));
  for (std::size_t k = 0; k < array.elements.size(); ++k)
    array.elements[k] = {.value = static_cast<std::int32_t>(value), .index = static_cast<std::int64_t>(k)};
  return array;
}

namespace detail {

inline double folded_unary(std::string_view op, double x, bool& known) {
  if (op == "Neg") return -x;
  if (op == "Abs") return std::fabs(x);
  if (op == "Sqrt") return std::sqrt(x);
  if (op == "Exp") return std::exp(x);
  if (op == "Log") return std::log(x);
  if (op == "Floor") return std::floor(x);
  if (op == "Ceil") return std::ceil(x);
  if (op == "Reciprocal") return 1 / x;
  if (op == "Not") return x == 0 ? 1 : 0;
  known = false;
  return 0;
}
inline double folded_binary(std::string_view op, double a, double b, bool whole, bool& known) {
  if (op == "Add") return a + b;
  if (op == "Sub") return a - b;
  if (op == "Mul") return a * b;
  if (op == "Div") return whole ? std::trunc(a / b) : a / b;
  if (op == "Pow") return std::pow(a, b);
  if (op == "Max") return std::max(a, b);
  if (op == "Min") return std::min(a, b);
  if (op == "Mod") return a - b * std::floor(a / b);
  if (op == "Equal") return a == b ? 1 : 0;
  if (op == "Less") return a < b ? 1 : 0;
  if (op == "Greater") return a > b ? 1 : 0;
  if (op == "LessOrEqual") return a <= b ? 1 : 0;
  if (op == "GreaterOrEqual") return a >= b ? 1 : 0;
  if (op == "And") return a != 0 && b != 0 ? 1 : 0;
  if (op == "Or") return a != 0 || b != 0 ? 1 : 0;
  known = false;
  return 0;
}
inline bool gives_truth(std::string_view op) {
  return op == "Equal" || op == "Less" || op == "Greater" || op == "LessOrEqual" || op == "GreaterOrEqual" ||
         op == "And" || op == "Or" || op == "Not";
}

/// Follows a graph node by node: works out what is constant, moves numbers about, and writes down the rest.
class Tracer {
 public:
  Tracer(const File& file, const OnnxOptions& options, const std::string& where)
      : file_(file), options_(options), where_(where) {}

  Program run() {
    const Graph& graph = file_.graph;
    check(!graph.outputs.empty(), where_, "the graph has no output");
    add_constants(graph);
    for (const Port& port : graph.inputs)
      if (!arrays_.contains(port.name)) add_input(port);
    check(!program_.inputs.empty(), where_, "the graph has no input");
    for (const auto& [name, value] : options_.constants)
      check(is_input(name), where_, "there is no input \"", name, "\" to set to ", value);
    for (const auto& [name, dims] : options_.shapes)
      check(is_input(name), where_, "there is no input \"", name, "\" of shape ", text_of(dims));
    follow(graph, 0);
    connect(graph);
    return std::move(program_);
  }

 private:
  bool is_input(const std::string& name) const {
    return std::any_of(file_.graph.inputs.begin(), file_.graph.inputs.end(),
                       [&](const Port& port) { return port.name == name; });
  }
  void add_constants(const Graph& graph) {
    for (const Tensor& tensor : graph.tensors)
      arrays_[tensor.name] = {.dims = tensor.dims, .whole = tensor.whole, .numbers = tensor.numbers};
  }

  void add_input(const Port& port) {
    std::vector<Index> dims = port.dims;
    const auto given = options_.shapes.find(port.name);
    if (given != options_.shapes.end()) {
      check(dims.empty() || dims.size() == given->second.size(), where_, "input \"", port.name, "\" has ", dims.size(),
            " axes, not ", given->second.size());
      for (std::size_t axis = 0; axis < dims.size(); ++axis)
        check(dims[axis] < 0 || dims[axis] == given->second[axis], where_, "input \"", port.name, "\" has shape ",
              text_of(dims), ", not ", text_of(given->second));
      dims = given->second;
    }
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
      const bool is_batch =
          (dims.size() > 1 && axis == 0) || (axis < port.symbols.size() && port.symbols[axis].starts_with("batch"));
      if (dims[axis] < 0 && is_batch) dims[axis] = 1;
      check(dims[axis] >= 1, where_, "input \"", port.name, "\" leaves its axis ", axis, " open",
            shown_symbol(port, axis), ": say its shape at one call (--shape ", port.name, "=1,...)");
    }
    check(size_of(dims) <= max_array, where_, "input \"", port.name, "\" of shape ", text_of(dims), " is too large");
    const auto constant = options_.constants.find(port.name);
    if (constant != options_.constants.end()) {
      arrays_[port.name] = {
          dims, port.whole, std::vector<double>(static_cast<std::size_t>(size_of(dims)), constant->second), {}};
      return;
    }
    check(!port.whole, where_, "input \"", port.name, "\" takes whole numbers: say which one (--set ", port.name,
          "=...)");
    program_.inputs.push_back(new_value(port.name, dims, -1));
    arrays_[port.name] = array_of(program_, program_.inputs.back());
  }
  static std::string shown_symbol(const Port& port, std::size_t axis) {
    return axis < port.symbols.size() && !port.symbols[axis].empty() ? " (\"" + port.symbols[axis] + "\")" : "";
  }

  Index new_value(std::string name, std::vector<Index> dims, Index operation) {
    check(size_of(dims) <= max_array, where_, "\"", name, "\" of shape ", text_of(dims), " is too large");
    for (const Index extent : dims) check(extent >= 1, where_, "\"", name, "\" has shape ", text_of(dims));
    program_.values.push_back({std::move(name), std::move(dims), operation});
    return static_cast<Index>(program_.values.size()) - 1;
  }
  void follow(const Graph& graph, int depth) {
    for (const Node& node : graph.nodes) {
      const std::string at = where_ + node.shown() + ": ";
      std::vector<Array> inputs;
      for (const std::string& name : node.inputs) {
        const auto found = arrays_.find(name);
        check(name.empty() || found != arrays_.end(), at, "nothing gives its input \"", name, "\"");
        inputs.push_back(name.empty() ? Array{} : found->second);
      }
#if EIGENSTREAM_EXCEPTIONS
      try {
#endif
        if (node.op == "If")
          branch(node, inputs, depth);
        else
          run(node, std::move(inputs), at);
#if EIGENSTREAM_EXCEPTIONS
      } catch (const Error& error) {
        const std::string_view text = error.what();
        if (text.starts_with(where_) && !where_.empty()) throw;
        fail(text.starts_with("node \"") ? where_ : at, text);
      }
#endif
    }
  }

  void branch(const Node& node, const std::vector<Array>& inputs, int depth) {
    check(depth < deepest_graph, "too many conditions in one another");
    check(inputs.size() == 1 && inputs[0].constant() && inputs[0].size() == 1,
          "its condition depends on the signal; which branch is taken has to be known");
    const auto found = node.attributes.find(inputs[0].numbers[0] != 0 ? "then_branch" : "else_branch");
    check(found != node.attributes.end() && found->second.graph.size() == 1, "has no such branch");
    const Graph& graph = found->second.graph.front();
    add_constants(graph);
    follow(graph, depth + 1);
    check(graph.outputs.size() >= node.outputs.size(), "its branch gives ", graph.outputs.size(), " values");
    for (std::size_t k = 0; k < node.outputs.size(); ++k) {
      const auto given = arrays_.find(graph.outputs[k].name);
      check(given != arrays_.end(), "nothing gives \"", graph.outputs[k].name, "\"");
      const Array copy = given->second;
      arrays_[node.outputs[k]] = copy;
    }
  }

  // Counts what is kept, so that a graph of many nodes cannot keep the same large array over and over.
  void take(const Array& array) {
    total_ += static_cast<double>(array.size()) * (array.constant() ? sizeof(double) : sizeof(Element));
    check(total_ <= max_bytes, "the graph keeps more than ", max_bytes, " bytes of numbers");
  }
  void give(const Node& node, std::size_t k, Array array) {
    take(array);
    if (k < node.outputs.size() && !node.outputs[k].empty()) arrays_[node.outputs[k]] = std::move(array);
  }

  void run(const Node& node, std::vector<Array> inputs, const std::string& at) {
    const NodeReader reader(node, inputs, file_.opset);
    std::vector<Array> moved;
    if (move_numbers(reader, moved)) {
      for (std::size_t k = 0; k < moved.size(); ++k) give(node, k, std::move(moved[k]));
      return;
    }
    const auto constant = [](const Array& each) { return each.constant(); };
    if (std::all_of(inputs.begin(), inputs.end(), constant)) {
      std::optional<Array> folded = fold(node.op, inputs);
      check(folded.has_value(), "is not worked out where nothing depends on the signal");
      give(node, 0, std::move(*folded));
      return;
    }
    if (node.op == "Where" && inputs.size() == 3 && inputs[0].constant()) {
      give(node, 0, chosen(inputs));
      return;
    }
    Operation operation{.op = node.op, .node = &node, .dims = result_dims(reader)};
    check(!operation.dims.empty(), "is not among the operations that are read");
    const Index number = static_cast<Index>(program_.operations.size());
    for (std::size_t k = 0; k < operation.dims.size(); ++k) {
      const std::string name =
          k < node.outputs.size() && !node.outputs[k].empty() ? node.outputs[k] : at + std::to_string(k);
      operation.outputs.push_back(new_value(name, operation.dims[k], number));
      give(node, k, array_of(program_, operation.outputs.back()));
    }
    for (const Array& input : inputs) take(input);
    operation.inputs = std::move(inputs);
    program_.operations.push_back(std::move(operation));
  }

  static std::optional<Array> fold(std::string_view op, const std::vector<Array>& inputs) {
    bool known = true;
    Array result;
    if (inputs.size() == 1) {
      result = {.dims = inputs[0].dims, .whole = inputs[0].whole};
      for (const double x : inputs[0].numbers) result.numbers.push_back(folded_unary(op, x, known));
    } else if (inputs.size() == 2) {
      const std::vector<Index> dims = broadcast(inputs[0].dims, inputs[1].dims);
      const Array a = broadcast_to(inputs[0], dims), b = broadcast_to(inputs[1], dims);
      result = {.dims = dims, .whole = (a.whole && b.whole) || gives_truth(op)};
      for (std::size_t k = 0; k < a.numbers.size(); ++k)
        result.numbers.push_back(folded_binary(op, a.numbers[k], b.numbers[k], a.whole && b.whole, known));
    } else if (op == "Where" && inputs.size() == 3) {
      return chosen(inputs);
    } else {
      return std::nullopt;
    }
    if (!known) return std::nullopt;
    for (const double number : result.numbers) check(std::isfinite(number), "gives a number that is not finite");
    return result;
  }
  // Each number of one array or the other, by a condition that is known.
  static Array chosen(const std::vector<Array>& inputs) {
    const std::vector<Index> dims = broadcast(broadcast(inputs[0].dims, inputs[1].dims), inputs[2].dims);
    const Array which = broadcast_to(inputs[0], dims), a = broadcast_to(inputs[1], dims),
                b = broadcast_to(inputs[2], dims);
    std::vector<Element> elements;
    for (Index k = 0; k < which.size(); ++k)
      elements.push_back((which.numbers[static_cast<std::size_t>(k)] != 0 ? a : b).at(k));
    Array array = Array::of(dims, std::move(elements));
    array.whole = a.whole;
    return array;
  }

  // Tells states from signals, and what each number of a state was before: a number of an earlier call.
  void connect(const Graph& graph) {
    std::map<std::string, Array> outputs;
    for (const Port& port : graph.outputs) {
      const auto found = arrays_.find(port.name);
      check(found != arrays_.end(), where_, "nothing gives the output \"", port.name, "\"");
      outputs[port.name] = found->second;
    }
    const std::map<Index, std::string> states = paired(graph, outputs);
    next_.resize(program_.values.size());
    std::vector<Index> signals;
    for (const Index input : program_.inputs) {
      const auto state = states.find(input);
      if (state == states.end()) {
        signals.push_back(input);
        continue;
      }
      program_.values[static_cast<std::size_t>(input)].is_state = true;
      next_[static_cast<std::size_t>(input)] = outputs[state->second].all_elements();
    }
    check(!signals.empty(), where_, "every input is a state; none is left for the signal");
    program_.inputs = std::move(signals);
    settle_states();
    for (Operation& operation : program_.operations)
      for (Array& input : operation.inputs) resolve(input);
    for (const Port& port : graph.outputs) {
      const auto is_this = [&](const auto& state) { return state.second == port.name; };
      if (std::any_of(states.begin(), states.end(), is_this)) continue;
      Array array = outputs[port.name];
      resolve(array);
      check(!array.constant(), where_, "the output \"", port.name, "\" does not depend on the signal");
      program_.outputs.emplace_back(port.name, std::move(array));
    }
    check(!program_.outputs.empty(), where_, "every output is a state; none is left for the signal");
  }

  std::map<Index, std::string> paired(const Graph& graph, const std::map<std::string, Array>& outputs) const {
    std::map<Index, std::string> states;
    const auto value_of = [&](const std::string& name) {
      for (const Index input : program_.inputs)
        if (program_.values[static_cast<std::size_t>(input)].name == name) return input;
      fail(where_, "there is no input \"", name, "\" to be a state");
    };
    const auto dims_of = [&](Index value) -> const std::vector<Index>& {
      return program_.values[static_cast<std::size_t>(value)].dims;
    };
    const auto is_taken = [&](const std::string& output) {
      return std::any_of(states.begin(), states.end(), [&](const auto& state) { return state.second == output; });
    };
    for (const auto& [input, output] : options_.states) {
      const auto found = outputs.find(output);
      check(found != outputs.end(), where_, "there is no output \"", output, "\" for the state \"", input, "\"");
      const Index value = value_of(input);
      check(found->second.dims == dims_of(value), where_, "state \"", input, "\" ", text_of(dims_of(value)),
            " and output \"", output, "\" ", text_of(found->second.dims), " differ in shape");
      check(states.emplace(value, output).second, where_, "state \"", input, "\" is named twice");
    }
    if (!options_.states.empty()) return states;
    for (std::size_t k = 1; k < program_.inputs.size(); ++k)
      for (std::size_t l = 1; l < graph.outputs.size(); ++l) {
        const std::string& output = graph.outputs[l].name;
        if (is_taken(output) || outputs.at(output).dims != dims_of(program_.inputs[k])) continue;
        states[program_.inputs[k]] = output;
        break;
      }
    return states;
  }

  // Replaces every number of a state by what it was when it was no state yet, so many calls ago. One that only ever
  // becomes itself, or goes round in circles, stays 0, as it begins.
  void settle_states() {
    std::vector<std::vector<char>> met(next_.size());  // 1: on the way, 2: settled
    for (std::size_t v = 0; v < next_.size(); ++v) met[v].resize(next_[v].size());
    std::vector<std::pair<std::size_t, std::size_t>> path;
    for (std::size_t v = 0; v < next_.size(); ++v)
      for (std::size_t k = 0; k < next_[v].size(); ++k) {
        Element found;
        std::size_t value = v, index = k;
        for (path.clear();;
             value = static_cast<std::size_t>(found.value), index = static_cast<std::size_t>(found.index)) {
          if (met[value][index] != 0) {
            found = met[value][index] == 2 ? next_[value][index] : Element{};
            break;
          }
          met[value][index] = 1;
          path.emplace_back(value, index);
          found = next_[value][index];
          if (found.value == Element::constant || next_[static_cast<std::size_t>(found.value)].empty()) break;
        }
        for (; !path.empty(); path.pop_back()) {
          const auto [at, number] = path.back();
          check(found.value != Element::constant || found.number == 0, where_, "state \"", program_.values[at].name,
                "\" begins with 0 and becomes the constant ", found.number, ", which no layer does");
          if (found.value != Element::constant) ++found.lag;
          check(found.lag < (1 << 20), where_, "state \"", program_.values[at].name, "\" remembers for too long");
          next_[at][number] = found;
          met[at][number] = 2;
        }
      }
  }
  void resolve(Array& array) const {
    if (array.constant()) return;
    for (Element& element : array.elements)
      if (element.value != Element::constant && program_.values[static_cast<std::size_t>(element.value)].is_state)
        element = next_[static_cast<std::size_t>(element.value)][static_cast<std::size_t>(element.index)];
    const bool whole = array.whole;
    array = Array::of(std::move(array.dims), std::move(array.elements));
    array.whole = whole;
  }

  const File& file_;
  const OnnxOptions& options_;
  const std::string& where_;
  Program program_;
  std::map<std::string, Array, std::less<>> arrays_;
  std::vector<std::vector<Element>> next_;  // of each value that is a state: where its numbers come from
  double total_ = 0;                        // in bytes
};

}  // namespace detail

/// Follows the graph of a file for one call.
/// Errors   Error naming the node or input that is damaged or not read
inline Program trace(const File& file, const OnnxOptions& options = {}, const std::string& where = "") {
  return detail::Tracer(file, options, where).run();
}

}  // namespace onnx

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_TRACE_HPP
