#include "eigenstream/layer/pointwise.hpp"

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/run.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

/// A function of every number, between frames that stay as they are.
struct ElementwiseTask : Task {
  template <class Function>
  ElementwiseTask(Index channels, Index frames, Function&& exact) {
    input = Noise(static_cast<std::uint32_t>(channels)).signal(channels, 2 * frames + 700, 4.0f);
    expected = input.unaryExpr([&](float x) { return static_cast<float>(exact(static_cast<double>(x))); });
  }
};

template <class Layer>
class Ours {
 public:
  explicit Ours(Index channels) : stream_(Layer(), {.channels = channels}) {}
  Index operator()(In x, Out y) { return stream_.process(x, y); }

 private:
  es::Stream<Layer> stream_;
};

/// What a user of Eigen writes: an array expression over the whole chunk.
template <class Expression>
class Plain {
 public:
  explicit Plain(Expression expression) : expression_(expression) {}
  Index operator()(In x, Out y) {
    y.leftCols(x.cols()).array() = expression_(x.array());
    return x.cols();
  }

 private:
  Expression expression_;
};

template <class Layer, class Exact, class Expression>
void register_function(const std::string& family, Exact exact, Expression expression) {
  for (const Index channels : {4, 16, 64})
    for (const Index frames : chunk_lengths) {
      benchmark::RegisterBenchmark(name(family, "ours", {channels, frames}).c_str(), [=](benchmark::State& state) {
        const ElementwiseTask task(channels, frames, exact);
        Ours<Layer> way(channels);
        run(state, way, task, frames);
      });
      benchmark::RegisterBenchmark(name(family, "eigen", {channels, frames}).c_str(), [=](benchmark::State& state) {
        const ElementwiseTask task(channels, frames, exact);
        Plain<Expression> way(expression);
        run(state, way, task, frames);
      });
    }
}

const bool registered = [] {
  register_function<es::Relu<float>>(
      "ReLU", [](double x) { return std::max(x, 0.0); }, [](auto x) { return x.max(0.0f); });
  register_function<es::Tanh<float>>(
      "Tanh", [](double x) { return std::tanh(x); }, [](auto x) { return x.tanh(); });
  register_function<es::Sigmoid<float>>(
      "Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }, [](auto x) { return x.logistic(); });
  register_function<es::Silu<float>>(
      "SiLU", [](double x) { return x / (1 + std::exp(-x)); }, [](auto x) { return x / (1.0f + (-x).exp()); });
  register_function<es::Mish<float>>(
      "Mish", [](double x) { return x * std::tanh(std::log1p(std::exp(x))); },
      [](auto x) { return x * x.exp().log1p().tanh(); });
  register_function<es::FastTanh<float>>(
      "Fasttanh",
      [](double x) {
        const double s = std::abs(x);
        return x * (2.45550750702956 + 2.45550750702956 * s + (0.893229853513558 + 0.821226666969744 * s) * x * x) /
               (2.44506634652299 + (2.44506634652299 + x * x) * std::abs(x + 0.814642734961073 * x * s));
      },
      [](auto x) {
        return x * (2.45550750702956f + 2.45550750702956f * x.abs() + (0.893229853513558f + 0.821226666969744f * x.abs()) * x.square()) /
               (2.44506634652299f + (2.44506634652299f + x.square()) * (x + 0.814642734961073f * x * x.abs()).abs());
      });
  register_function<es::Exp<float>>(
      "Exp", [](double x) { return std::exp(x); }, [](auto x) { return x.exp(); });
  return true;
}();

}  // namespace
}  // namespace bench
