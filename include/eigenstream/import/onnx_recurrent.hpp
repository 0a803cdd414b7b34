#ifndef EIGENSTREAM_IMPORT_ONNX_RECURRENT_HPP
#define EIGENSTREAM_IMPORT_ONNX_RECURRENT_HPP

#include <algorithm>  // max
#include <string>     // activations
#include <vector>     // rows

#include "eigenstream/import/onnx_maker.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx::detail {

/// Makes recurrent layers.
class RecurrentMaker : public Maker {
 public:
  explicit RecurrentMaker(const Maker& maker) : Maker(maker) {}

  void recurrent() {
    const Array &w = r_.input(1), &u = r_.input(2);
    const bool is_lstm = o_.op == "LSTM", is_gru = o_.op == "GRU";
    const Index gates = is_lstm  ? 4
                        : is_gru ? 3
                                 : 1,
                directions = w.dims[0], hidden = w.dims[1] / gates, in = w.dims[2];
    const Index frames = x().dims[0], batch = x().dims[1];
    check(w.constant() && u.constant() && (!r_.has_input(3) || r_.input(3).constant()),
          "its weights depend on the signal");
    check(u.dims == std::vector<Index>({directions, gates * hidden, hidden}), "recurrent weight ", text_of(u.dims),
          " of ", gates, " gates of ", hidden);
    check(!r_.has_input(4) || one_number(r_.input(4)) == static_cast<double>(std::max(frames, o_.rows)),
          "lengths of its own for each sequence are not read");
    check(!r_.has_input(7) || one_number(r_.input(7)) == 0.0, "peepholes are not read");
    check(!r_.has("clip") && r_.integer("input_forget", 0) == 0, "clip and input_forget are not read");
    check(!is_gru || r_.integer("linear_before_reset", 0) != 0,
          "a GRU that resets before its product (linear_before_reset 0) is not read");
    const std::string direction = r_.text("direction", "forward");
    check(direction == "forward" || direction == "bidirectional" || direction == "reverse", "direction \"", direction,
          "\" is not read");
    std::string nonlinearity = "tanh";
    check_activations(is_lstm, is_gru, directions, nonlinearity);

    const std::string path = layout_.path(name());
    const char* const type = is_lstm ? "LSTM" : is_gru ? "GRU" : "RNN";
    ModuleSpec spec{type, path, {}, {}};
    spec.fields["input_size"] = std::int64_t{in};
    spec.fields["hidden_size"] = std::int64_t{hidden};
    if (!is_lstm && !is_gru) spec.fields["nonlinearity"] = nonlinearity;
    static constexpr Index lstm_order[] = {0, 2, 3, 1}, gru_order[] = {1, 0, 2},
                           rnn_order[] = {0};  // theirs, in torch's order
    const Index* const order = is_lstm ? lstm_order : is_gru ? gru_order : rnn_order;
    for (Index d = 0; d < directions; ++d) {
      const std::string end = d == 0 ? "_l0" : "_l0_reverse";
      const auto rows = [&](const Array& from, Index columns, Index first) {
        std::vector<double> numbers;
        for (Index gate = 0; gate < gates; ++gate) {
          const auto begin = static_cast<std::size_t>(first + order[gate] * hidden * columns);
          numbers.insert(
              numbers.end(), from.numbers.begin() + static_cast<std::ptrdiff_t>(begin),
              from.numbers.begin() + static_cast<std::ptrdiff_t>(begin + static_cast<std::size_t>(hidden * columns)));
        }
        return numbers;
      };
      b_.set(path + ".weight_ih" + end, {gates * hidden, in}, rows(w, in, d * gates * hidden * in));
      b_.set(path + ".weight_hh" + end, {gates * hidden, hidden}, rows(u, hidden, d * gates * hidden * hidden));
      if (r_.has_input(3)) {
        check(r_.input(3).size() == directions * 2 * gates * hidden, "bias ", text_of(r_.input(3).dims), " of ", gates,
              " gates of ", hidden);
        b_.set(path + ".bias_ih" + end, {gates * hidden}, rows(r_.input(3), 1, d * 2 * gates * hidden));
        b_.set(path + ".bias_hh" + end, {gates * hidden}, rows(r_.input(3), 1, (d * 2 + 1) * gates * hidden));
      }
    }
    spec.fields["bias"] = r_.has_input(3);
    const Array* const h0 = r_.has_input(5) ? &r_.input(5) : nullptr;
    const bool goes_on = (h0 != nullptr && !h0->constant()) || o_.time_axis == 0;
    const Index y = o_.outputs[0], y_h = o_.outputs[1];
    check(h0 == nullptr || !h0->constant() || one_number(*h0) == 0.0, "begins with known numbers other than 0");
    check(o_.time_axis < 0 || !r_.has_input(6) || one_number(r_.input(6)) == 0.0, "begins with a c other than 0");
    if (goes_on) {
      check(directions == 1 && direction == "forward", "goes on from call to call in both directions");
      check(frames == 1, "takes ", frames, " frames a call and goes on from call to call: one frame a call is read");
      check(o_.time_axis == 0 || follows(*h0, y, y_h), "begins with something else than its own h of the call before");
      check(
          o_.time_axis == 0 || !is_lstm || (r_.has_input(6) && whole_value(program_, r_.input(6), 1) == o_.outputs[2]),
          "begins with something else than its own c of the call before");
      const Index from = b_.arranged(x(), {{2}, {1}});
      const Index made = layout_.add(std::move(spec), {from}, {hidden, batch, 1, 1});
      b_.settle(y, made, {{3}, {2}});
      if (o_.time_axis < 0) b_.settle(y_h, made, {{2}, {1}});
      return;
    }
    check(batch == 1, "runs over ", batch, " sequences at once within a call");
    spec.fields["bidirectional"] = directions == 2;
    check(!is_lstm || !r_.has_input(6) || one_number(r_.input(6)) == 0.0, "begins with a c other than 0");
    const Index from = b_.arranged(x(), {{2}, {0}});
    ModuleSpec each{"EachFrame",
                    layout_.path(name() + "/frame"),
                    {{"channels", std::int64_t{in}}, {"width", std::int64_t{frames}}},
                    {}};
    if (direction == "reverse") {
      ModuleSpec turned{"Sequential", layout_.path(name() + "/turned"), {}, {}};
      turned.children["layers"] = {ModuleSpec{"Reverse", layout_.path(name() + "/reverse"), {}, {}}, std::move(spec),
                                   ModuleSpec{"Reverse", layout_.path(name() + "/reverse"), {}, {}}};
      each.children["net"] = {std::move(turned)};
    } else {
      each.children["net"] = {std::move(spec)};
    }
    const Index made = layout_.add(std::move(each), {from}, {directions * hidden, frames, 1, 1});
    // Channels: direction, then unit.
    b_.settle(y, made, {{1, 3}, {0}});
    if (direction == "forward") settle_last(y_h, made, directions, hidden, frames);
  }
  /// A recurrent cell that was written out.
  void cell(const Cell& cell) {
    const Index hidden = static_cast<Index>(cell.x.size()) / 4, in = cell.input.size();
    const std::string path = layout_.path(name());
    const auto rows = [&](const char* own, const std::vector<std::vector<double>>& from) {
      std::vector<double> numbers;
      for (const auto& row : from) numbers.insert(numbers.end(), row.begin(), row.end());
      b_.set(path + own, {4 * hidden, static_cast<Index>(from.front().size())}, numbers);
    };
    rows(".weight_ih_l0", cell.x), rows(".weight_hh_l0", cell.h);
    b_.set(path + ".bias_ih_l0", {4 * hidden}, cell.bias);
    b_.set(path + ".bias_hh_l0", {4 * hidden}, std::vector<double>(static_cast<std::size_t>(4 * hidden), 0.0));
    const Index from = b_.arranged(cell.input, {all_axes(cell.input)});
    const Index made = layout_.add(
        ModuleSpec{"LSTM", path, {{"input_size", std::int64_t{in}}, {"hidden_size", std::int64_t{hidden}}}, {}}, {from},
        {hidden, 1, 1, 1});
    b_.settle(out(), made, {all_axes(program_.values[static_cast<std::size_t>(out())].dims.size())});
  }

 private:
  // h behind the last frame.
  void settle_last(Index y_h, Index made, Index directions, Index hidden, Index frames) {
    if (directions != 1) return;
    std::vector<std::int64_t> positions;
    for (Index k = 0; k < hidden; ++k) positions.push_back((frames - 1) * hidden + k);
    b_.settle_places(y_h, made, std::move(positions));
  }
  bool follows(const Array& h0, Index y, Index y_h) const {
    return whole_value(program_, h0, 1) == y_h || whole_value(program_, h0, 1) == y;
  }
  void check_activations(bool is_lstm, bool is_gru, Index directions, std::string& nonlinearity) const {
    const std::vector<std::string> activations = r_.texts("activations");
    for (std::size_t k = 0; k < activations.size(); ++k) {
      std::string own = activations[k];
      for (char& each : own) each = static_cast<char>(each >= 'A' && each <= 'Z' ? each - 'A' + 'a' : each);
      const std::size_t per_direction = activations.size() / static_cast<std::size_t>(directions);
      const bool is_gate = (is_lstm || is_gru) && k % std::max<std::size_t>(per_direction, 1) == 0;
      if (!is_lstm && !is_gru && own == "relu") nonlinearity = "relu";
      check(own == (is_gate ? "sigmoid" : nonlinearity), "activation \"", activations[k], "\" is not read");
    }
  }
};

}  // namespace onnx::detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_RECURRENT_HPP
