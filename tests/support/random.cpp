#include "support/random.hpp"

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>

#include "eigenstream/audio/resample.hpp"
#include "eigenstream/compose/residual.hpp"
#include "eigenstream/layer/affine.hpp"
#include "eigenstream/layer/channel_slice.hpp"
#include "eigenstream/layer/pad.hpp"
#include "eigenstream/layer/pool.hpp"
#include "support/errors.hpp"

namespace support {
namespace {

using T = float;
using Layers = std::vector<es::AnyLayer<T>>;

struct Candidate {
  es::AnyLayer<T> layer;
  Index channels;  // of its output
  std::string text;
};

template <class... Parts>
std::string text_of(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

Index divisor(Random& random, Index a, Index b) {
  std::vector<Index> all;
  for (Index d = 1; d <= std::min(a, b); ++d)
    if (a % d == 0 && b % d == 0) all.push_back(d);
  return all[static_cast<std::size_t>(random.integer(0, static_cast<Index>(all.size()) - 1))];
}

Candidate conv(Random& random, Index in, bool keep) {
  const Index out = keep ? in : random.pick({1, 2, 3, 4, 5, 8, 12, 16, 17, 20});
  const Index taps = random.integer(1, 5);
  es::Conv1dOptions options{.stride = keep ? 1 : random.pick({1, 1, 1, 2, 3, 7}), .dilation = random.pick({1, 1, 2, 3})};
  if (random.chance(0.4)) options.groups = divisor(random, in, out);
  const Index reach = (taps - 1) * options.dilation;
  if (random.chance(0.5)) {
    options.padding = es::Padding(random.integer(0, random.chance(0.2) ? reach + 4 : reach), 0);
    options.padding.right = random.integer(0, keep ? std::max<Index>(0, reach - options.padding.left) : reach + 2);
  }
  return {random_conv<es::Conv1d<T>>(in, out, taps, options, random.chance(0.7),
                                     static_cast<std::uint64_t>(random.integer(1, 1000))),
          out,
          text_of("Conv1d(", in, ",", out, ",k", taps, ",s", options.stride, ",d", options.dilation, ",g",
                  options.groups, ",p", options.padding.left, "+", options.padding.right, ")")};
}

Candidate conv_transpose(Random& random, Index in, bool keep) {
  const Index out = keep ? in : random.pick({1, 2, 3, 4, 5, 8, 12, 16, 17});
  const Index taps = random.integer(1, 5);
  es::ConvTranspose1dOptions options{.stride = keep ? 1 : random.pick({1, 2, 2, 3, 5}),
                                     .dilation = random.pick({1, 1, 2, 3})};
  if (random.chance(0.3)) options.groups = divisor(random, in, out);
  options.padding = random.chance(0.5) ? random.integer(0, 4) : 0;
  if (random.chance(0.3)) options.padding.right = random.integer(0, 4);
  options.output_padding = random.integer(0, std::max(options.stride, options.dilation) - 1);
  return {random_conv_transpose<T>(in, out, taps, options, random.chance(0.7),
                                   static_cast<std::uint64_t>(random.integer(1, 1000))),
          out,
          text_of("ConvTranspose1d(", in, ",", out, ",k", taps, ",s", options.stride, ",d", options.dilation, ",g",
                  options.groups, ",p", options.padding.left, "+", options.padding.right, ",o", options.output_padding,
                  ")")};
}

Candidate pool(Random& random, Index channels, bool keep) {
  const Index taps = random.integer(1, 5), stride = keep ? 1 : random.integer(1, 4);
  const Index padding = random.integer(0, taps / 2);
  const bool ceil = random.chance(0.4);
  if (random.chance(0.5)) {
    const bool include = random.chance(0.5);
    return {es::AvgPool1d<T>(taps, {stride, padding, ceil, include}), channels,
            text_of("AvgPool1d(k", taps, ",s", stride, ",p", padding, ",ceil", ceil, ",include", include, ")")};
  }
  const Index dilation = random.integer(1, 3);
  return {es::MaxPool1d<T>(taps, {stride, padding, dilation, ceil}), channels,
          text_of("MaxPool1d(k", taps, ",s", stride, ",p", padding, ",d", dilation, ",ceil", ceil, ")")};
}

Candidate pointwise(Random& random, Index channels) {
  const auto named = [&](es::AnyLayer<T> layer, const char* name) { return Candidate{layer, channels, name}; };
  switch (random.integer(0, 13)) {
    case 13: return named(es::Affine<T>(0.75f, -0.25f), "Affine");
    case 0: return named(es::Relu<T>(), "ReLU");
    case 1: return named(es::LeakyRelu<T>(0.2f), "LeakyReLU");
    case 2: return named(es::Elu<T>(0.7f), "ELU");
    case 3: return named(es::Silu<T>(), "SiLU");
    case 4: return named(es::Gelu<T>(), "GELU");
    case 5: return named(es::Tanh<T>(), "Tanh");
    case 6: return named(es::Softplus<T>(), "Softplus");
    case 7: return named(es::Hardswish<T>(), "Hardswish");
    case 8: return named(random_prelu<T>(channels), "PReLU");
    case 9: return named(random_snake<T>(channels), "Snake");
    case 10: return named(random_batch_norm<T>(channels), "BatchNorm1d");
    case 11: return named(random_layer_norm<T>(channels), "LayerNorm");
    default: return named(es::Softmax<T>(), "Softmax");
  }
}

Candidate any(Random& random, Index channels, bool keep, int depth);

// A run of layers; with `keep` each of stride 1, and the channels stay.
Candidate sequence(Random& random, Index channels, bool keep, Index most, int depth) {
  Layers layers;
  es::Timing timing;
  std::string text = "[";
  for (Index n = random.integer(1, most), tries = 0; static_cast<Index>(layers.size()) < n && tries < 50; ++tries) {
    const Candidate next = any(random, channels, keep, depth);
    const es::Timing both = timing.then(next.layer.timing());
    const double rate = both.rate().value();
    if (both.receptive_field() > 100 || rate > 6 || rate < 1.0 / 12) continue;
    layers.push_back(next.layer);
    timing = both;
    channels = next.channels;
    text += (layers.size() > 1 ? " " : "") + next.text;
  }
  return {es::AnySequential<T>(std::move(layers)), channels, text + "]"};
}

Candidate any(Random& random, Index channels, bool keep, int depth) {
  const Index kind = random.integer(0, 16);
  if (kind <= 3) return conv(random, channels, keep);
  if (kind <= 5) return conv_transpose(random, channels, keep);
  if (kind <= 7) return pool(random, channels, keep);
  if (kind == 8 && !keep) {
    const Index out = random.pick({1, 3, 4, 9, 16});
    return {random_linear<T>(channels, out), out, text_of("Linear(", channels, ",", out, ")")};
  }
  if (kind == 9 && !keep && channels % 2 == 0) return {es::Glu<T>(), channels / 2, "GLU"};
  if (kind == 10 && depth > 0) {
    for (int tries = 0; tries < 20; ++tries) {
      const Candidate inner = sequence(random, channels, true, 3, depth - 1);
      std::optional<es::AnyLayer<T>> residual;  // none if it is longer than its input: another one
      if (!caught([&] { residual = es::residual(inner.layer); })) return {*residual, channels, "Residual" + inner.text};
    }
  }
  if (kind == 11 && depth > 0) return sequence(random, channels, keep, 3, depth - 1);
  if (kind == 12 && !keep) {
    const Index left = random.integer(-3, 4), right = random.integer(-3, 4);
    const bool replicate = random.chance(0.5);
    es::PadOptions options{.value = 0.5};
    if (replicate) options = {.mode = es::PaddingMode::replicate};
    return {es::Pad<T>(left, right, options), channels,
            text_of("Pad(", left, ",", right, replicate ? ",replicate)" : ")")};
  }
  if (kind == 13 && !keep) {
    const Index start = random.integer(0, channels - 1), count = random.integer(1, channels - start);
    return {es::ChannelSlice<T>(start, count), count, text_of("ChannelSlice(", start, ",", count, ")")};
  }
  if (kind == 14 && !keep) {
    const Index from = random.integer(1, 4), to = random.integer(1, 4);
    const bool soon = random.chance(0.5);
    return {es::Resample<T>(from, to, {.lowpass_filter_width = 2, .low_delay = soon}), channels,
            text_of("Resample(", from, ",", to, soon ? ",low_delay)" : ")")};
  }
  return pointwise(random, channels);
}

}  // namespace

RandomNetwork random_network(std::uint64_t seed) {
  Random random(seed);
  const Index channels = random.pick({1, 2, 3, 4, 6, 8, 16});
  const Candidate made = sequence(random, channels, false, 8, 2);
  return {*made.layer.as<es::AnySequential<T>>(), channels, made.text};
}

namespace {

// Grows a graph node by node.
class Grower {
 public:
  explicit Grower(std::uint64_t seed) : random_(seed) {
    channels_ = random_.pick({1, 2, 3, 4, 8});
    values_.push_back({channels_, es::Rate(), 1, 0});
  }

  RandomGraph grow() {
    for (Index n = random_.integer(3, 10), tries = 0; n > 0 && tries < 100; ++tries)
      if (random_.chance(0.6) ? grow_layer() : grow_join()) --n;
    // What is not used yet meets in the end.
    for (std::size_t v = 0; v + 1 < values_.size(); ++v) {
      if (values_[v].uses > 0) continue;
      const std::size_t last = values_.size() - 1;
      const std::size_t there = to_rate(v, values_[last].rate);
      join(es::Reduce::concat, {last, there});
    }
    return {graph_.build({static_cast<Index>(values_.size()) - 1}), nodes_, channels_, text_};
  }

 private:
  struct Value {
    Index channels;
    es::Rate rate;
    double reach;  // a bound
    Index uses;
  };

  std::size_t any_value() {
    // Rather a late one.
    const Index n = static_cast<Index>(values_.size());
    return static_cast<std::size_t>(std::max(random_.integer(0, n - 1), random_.integer(0, n - 1)));
  }
  std::size_t add(const Candidate& made, std::size_t from) {
    const Value in = values_[from];
    graph_.add(made.layer, {static_cast<Index>(from)});
    const es::Timing timing = made.layer.timing();
    ++values_[from].uses;
    values_.push_back({made.channels, in.rate * timing.rate(),
                       in.reach + static_cast<double>(timing.receptive_field()) / in.rate.value(), 0});
    nodes_.push_back({{made.layer}, {}, {from}});
    text_ += text_of("\n  ", values_.size() - 1, " = ", made.text, "(", from, ")");
    return values_.size() - 1;
  }
  std::size_t join(es::Reduce op, const std::vector<std::size_t>& from) {
    std::vector<es::GraphBuilder<T>::Value> operands;
    Index channels = 0;
    double reach = 0;
    text_ += text_of("\n  ", values_.size(), " = ", es::name_of(op), "(");
    for (const std::size_t v : from) {
      operands.push_back({static_cast<Index>(v)});
      channels = op == es::Reduce::concat ? channels + values_[v].channels : std::max(channels, values_[v].channels);
      reach = std::max(reach, values_[v].reach);
      ++values_[v].uses;
      text_ += text_of(" ", v);
    }
    text_ += " )";
    graph_.reduce(op, operands);
    const es::Rate rate = values_[from.front()].rate;
    values_.push_back({channels, rate, reach, 0});
    nodes_.push_back({{}, op, from});
    return values_.size() - 1;
  }
  bool grow_layer() {
    const std::size_t from = any_value();
    const Candidate made = any(random_, values_[from].channels, false, 1);
    const double rate = values_[from].rate.value() * made.layer.timing().rate().value();
    const double reach =
        values_[from].reach + static_cast<double>(made.layer.timing().receptive_field()) / values_[from].rate.value();
    if (rate > 6 || rate < 1.0 / 12 || reach > 150) return false;
    add(made, from);
    return true;
  }
  bool grow_join() {
    std::vector<std::size_t> from{any_value()};
    const es::Reduce op = static_cast<es::Reduce>(random_.integer(0, 7));
    const Index n = op == es::Reduce::difference || op == es::Reduce::quotient ? 2 : random_.integer(2, 3);
    while (static_cast<Index>(from.size()) < n) from.push_back(any_value());
    for (std::size_t k = 1; k < from.size(); ++k) from[k] = to_rate(from[k], values_[from[0]].rate);
    if (op != es::Reduce::concat)
      for (std::size_t k = 1; k < from.size(); ++k) {
        const Index own = values_[from[k]].channels, wanted = values_[from[0]].channels;
        if (own == wanted || own == 1) continue;
        const auto linear = random_linear<T>(own, wanted, true, static_cast<std::uint64_t>(random_.integer(1, 1000)));
        from[k] = add({linear, wanted, text_of("Linear(", own, ",", wanted, ")")}, from[k]);
      }
    join(op, from);
    return true;
  }
  // The value at another rate: up by a transposed convolution, down by a convolution, in this order or the other.
  std::size_t to_rate(std::size_t v, es::Rate wanted) {
    const es::Rate own = values_[v].rate;
    const es::Rate step = es::Rate::of(wanted.outputs * own.inputs, wanted.inputs * own.outputs);
    const Index c = values_[v].channels;
    const auto up = [&](std::size_t from) {
      if (step.outputs == 1) return from;
      const Index stride = static_cast<Index>(step.outputs), taps = random_.integer(1, stride + 2);
      return add({random_conv_transpose<T>(c, c, taps, {.stride = stride, .padding = random_.integer(0, 2)}), c,
                  text_of("up", step.outputs)},
                 from);
    };
    const auto down = [&](std::size_t from) {
      if (step.inputs == 1) return from;
      const Index stride = static_cast<Index>(step.inputs), taps = random_.integer(1, stride + 2);
      return add({random_conv<es::Conv1d<T>>(c, c, taps, {.stride = stride, .padding = random_.integer(0, 2)}), c,
                  text_of("down", step.inputs)},
                 from);
    };
    return random_.chance(0.5) ? down(up(v)) : up(down(v));
  }

  Random random_;
  es::GraphBuilder<T> graph_;
  std::vector<RandomGraph::Node> nodes_;
  std::vector<Value> values_;
  Index channels_;
  std::string text_;
};

}  // namespace

RandomGraph random_graph(std::uint64_t seed) { return Grower(seed).grow(); }

}  // namespace support
