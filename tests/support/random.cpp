#include "support/random.hpp"

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>

#include "eigenstream/compose/residual.hpp"
#include "eigenstream/layer/pool1d.hpp"

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
  options.output_padding = random.integer(0, std::max(options.stride, options.dilation) - 1);
  return {random_conv_transpose<T>(in, out, taps, options, random.chance(0.7),
                                   static_cast<std::uint64_t>(random.integer(1, 1000))),
          out,
          text_of("ConvTranspose1d(", in, ",", out, ",k", taps, ",s", options.stride, ",d", options.dilation, ",g",
                  options.groups, ",p", options.padding, ",o", options.output_padding, ")")};
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
  switch (random.integer(0, 12)) {
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
  const Index kind = random.integer(0, 13);
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
      try {
        return {es::residual(inner.layer), channels, "Residual" + inner.text};
      } catch (const es::Error&) {
        // longer than its input: another one
      }
    }
  }
  if (kind == 11 && depth > 0) return sequence(random, channels, keep, 3, depth - 1);
  return pointwise(random, channels);
}

}  // namespace

RandomNetwork random_network(std::uint64_t seed) {
  Random random(seed);
  const Index channels = random.pick({1, 2, 3, 4, 6, 8, 16});
  const Candidate made = sequence(random, channels, false, 8, 2);
  return {*made.layer.as<es::AnySequential<T>>(), channels, made.text};
}

}  // namespace support
