#include "eigenstream/layer/cumulative.hpp"

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/run.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

/// A sum of all frames so far, as a loop over frames gives it.
class Plain {
 public:
  explicit Plain(Index channels) : sum_(Eigen::VectorXd::Zero(channels)) {}
  Index operator()(In x, Out y) {
    for (Index t = 0; t < x.cols(); ++t) {
      sum_ += x.col(t).cast<double>();
      y.col(t) = sum_.cast<float>();
    }
    return x.cols();
  }

 private:
  Eigen::VectorXd sum_;
};

class Ours {
 public:
  explicit Ours(Index channels) : stream_(es::Cumulative<float>(es::Reduce::sum), {.channels = channels}) {}
  Index operator()(In x, Out y) { return stream_.process(x, y); }

 private:
  es::Stream<es::Cumulative<float>> stream_;
};

struct SumTask : Task {
  SumTask(Index channels, Index frames) {
    input = Noise(static_cast<std::uint32_t>(channels)).signal(channels, 2 * frames + 700);
    expected = input;
    Plain plain(channels);
    plain(In(input.data(), input.rows(), input.cols()), Out(expected.data(), input.rows(), input.cols()));
  }
};

template <class Way>
void register_way(const char* way_name, Index channels, Index frames) {
  benchmark::RegisterBenchmark(name("Cumulative", way_name, {channels, frames}).c_str(), [=](benchmark::State& state) {
    const SumTask task(channels, frames);
    Way way(channels);
    run(state, way, task, frames);
  });
}

const bool registered = [] {
  for (const Index channels : {1, 16, 64})
    for (const Index frames : chunk_lengths) {
      register_way<Ours>("ours", channels, frames);
      register_way<Plain>("eigen", channels, frames);
    }
  return true;
}();

}  // namespace
}  // namespace bench
