// One network, thousands of streams: a pool of them for two threads, a fork, a stream that moves to another process, and streams
// that step together.
#include <algorithm>
#include <cstdio>
#include <eigenstream.hpp>
#include <eigenstream/serve.hpp>
#include <thread>
#include <vector>

namespace es = eigenstream;
using es::Index;
using Signal = Eigen::Tensor<float, 2>;

bool equal(const Signal& a, const Signal& b) {
  return a.size() == b.size() && std::equal(a.data(), a.data() + a.size(), b.data());
}

int main() {
  const Eigen::Tensor<float, 3> first = Eigen::Tensor<float, 3>(8, 4, 3).setRandom() * 0.3f;
  const Eigen::Tensor<float, 3> second = Eigen::Tensor<float, 3>(2, 8, 3).setRandom() * 0.3f;
  const auto net = es::sequential(es::Conv1d<float>(first, {}, {.padding = 1}), es::Silu<float>{},
                                  es::Conv1d<float>(second, {}, {.padding = es::Padding::causal(3)}));

  // The weights are there once, and each stream costs little more than what it remembers.
  constexpr std::size_t count = 2000;
  constexpr Index length = 50;
  es::StreamPool pool(net, {.streams = count});
  std::vector<es::StreamHandle> calls;
  std::vector<Signal> signals;
  for (std::size_t i = 0; i < count; ++i) calls.push_back(pool.open()), signals.emplace_back(Signal(4, length).setRandom());

  // Each thread has memory to work in, and streams that no other one has. Frames come to all of them in turn, 10 at a time.
  std::vector<Signal> outputs(count, Signal(2, length));
  const auto serve = [&](std::size_t begin, std::size_t end) {
    auto worker = pool.worker();
    std::vector<Index> written(end - begin, 0);
    for (Index at = 0; at < length; at += 10)
      for (std::size_t i = begin; i < end; ++i) {
        const es::Frames<const float> chunk = es::Frames<const float>(signals[i]).slice(at, 10);
        const es::Frames<float> rest = es::Frames<float>(outputs[i]).from(written[i - begin]);
        written[i - begin] += at + 10 < length ? pool.process(worker, calls[i], chunk, rest)
                                               : pool.process(worker, calls[i], chunk, rest, es::final);
      }
  };
  std::thread other(serve, 0, count / 2);
  serve(count / 2, count);
  other.join();
  for (std::size_t i = 0; i < count; ++i)
    es::check(equal(outputs[i], pool.fresh().forward(signals[i])), "stream ", i, " differs from one call");

  // A fork has the same past and goes on by itself. with() gives all that a Stream can do.
  auto worker = pool.worker();
  pool.with(worker, calls[0], [&](auto& stream) { stream(signals[0]); });
  pool.close(calls[1]);  // its place is free; the handle is invalid from now on
  const es::StreamHandle fork = pool.fork(calls[0]);
  const auto last = [&](es::StreamHandle call, const Signal& x) {
    return pool.with(worker, call, [&](auto& stream) -> Signal { return stream(x, es::final); });
  };
  const es::State state = pool.get_state(worker, fork);
  es::check(equal(last(fork, signals[2]), last(calls[0], signals[2])), "the fork differs");

  // The state as bytes: keep them in a file, send them to another machine, go on there, in a pool or in a Stream.
  const std::vector<std::byte> message(state.bytes().begin(), state.bytes().end());
  es::Stream receiver(net);
  receiver.set_state(es::State::from_bytes(message));
  pool.set_state(worker, fork, state);
  es::check(equal(receiver(signals[3], es::final), last(fork, signals[3])), "the restored stream differs");

  // 64 streams that have a frame each at the same time: columns of one call, for a fraction of the time.
  es::Batcher batcher(pool, {.columns = 32});
  std::vector<es::BatchJob<float>> jobs(64);
  std::vector<Index> written(jobs.size(), 0);
  for (std::size_t i = 0; i < jobs.size(); ++i) batcher.join(jobs[i].stream = calls[2 + i]);
  for (Index t = 0; t < length; ++t) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      jobs[i].x = es::Frames<const float>(signals[2 + i]).slice(t, 1);
      jobs[i].y = es::Frames<float>(outputs[2 + i]).from(written[i]);
    }
    batcher.process(jobs);
    for (std::size_t i = 0; i < jobs.size(); ++i) written[i] += jobs[i].written;
  }
  es::check(batcher.batched() == 64, "only ", batcher.batched(), " streams step together");
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    batcher.flush(jobs[i].stream, es::Frames<float>(outputs[2 + i]).from(written[i]));
    es::check(equal(outputs[2 + i], pool.fresh().forward(signals[2 + i])), "stream ", i, " of the batch differs");
  }

  std::printf("%zu streams of %td bytes, of which each remembers %td, and %td bytes for each thread, over one network of %td "
              "parameters\n",
              count, pool.bytes_per_stream(), pool.state_bytes(), worker.bytes(), pool.fresh().facts().parameters);
}
