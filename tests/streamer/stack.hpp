#ifndef EIGENSTREAM_TESTS_STREAMER_STACK_HPP
#define EIGENSTREAM_TESTS_STREAMER_STACK_HPP

// Stacks whose parameters and inputs are the same everywhere: whole numbers by a formula.

#include <string>
#include <vector>

#include "eigenstream/streamer/optimizer.hpp"
#include "learn/gradients.hpp"

namespace support {

inline double fill(Index m, Index i) { return (static_cast<double>((37 * i + 101 * m) % 199) - 99) / 99; }

template <class T>
es::learn::RowVector<T> filled(Index m, Index size) {
  es::learn::RowVector<T> row(size);
  for (Index i = 0; i < size; ++i) row[i] = static_cast<T>(fill(m, i));
  return row;
}

/// Norm weights close to 1, biases small, tables large, matrices by the root of their columns.
template <class T>
void fill_layer(const es::learn::Parameters<T>& parameters, Index m) {
  for (const auto& [name, parameter] : parameters) {
    const bool table = name.ends_with("cls_token.weight") || name.ends_with("pos_enc.weight");
    const bool norm = name.find("norm") != name.npos && name.ends_with("weight");
    const bool bias = name.ends_with("bias");
    const double root = std::sqrt(static_cast<double>(parameter->value.cols()));
    for (Index i = 0; i < parameter->value.size(); ++i) {
      const double value = fill(m, i);
      parameter->value.data()[i] = static_cast<T>(norm    ? 1 + 0.1 * value
                                                  : bias  ? 0.1 * value
                                                  : table ? value
                                                          : value / root);
    }
    ++m;
  }
}

inline es::streamer::StreamerModelArguments small_arguments() {
  es::streamer::StreamerModelArguments args = es::streamer::command_line_arguments();
  args.feature_dim = 8, args.max_layers = 3, args.evolve_every = 3, args.buffer_size = 3;
  args.window_size = 4, args.lr = 0.01;
  return args;
}

template <class T>
void fill_built(es::streamer::StreamerLayer<T>& layer) {
  fill_layer(layer.parameters(), 60 * layer.layer_num);
}

/// Input t of the worked example: a new scene every four inputs.
template <class T>
es::learn::RowVector<T> scene(Index t, Index size = 8) {
  return filled<T>(200 + t / 4, size) + T(0.3) * filled<T>(300 + t, size);
}

template <class T>
es::learn::Parameter<T>& named(const es::learn::Parameters<T>& parameters, const std::string& name) {
  for (const auto& each : parameters)
    if (each.name == name) return *each.parameter;
  FAIL("there is no " << name);
  return *parameters.front().parameter;
}

template <class T>
double gradient_norm(const es::learn::Parameters<T>& parameters) {
  double sum = 0;
  for (const auto& each : parameters) sum += static_cast<double>(each.parameter->gradient.squaredNorm());
  return std::sqrt(sum);
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_STREAMER_STACK_HPP
