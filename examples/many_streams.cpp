// One network, thousands of streams on two threads; a fork, and a stream that moves to another process.
#include <algorithm>
#include <cstdio>
#include <eigenstream.hpp>
#include <memory>
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
  auto net = es::sequential(es::Conv1d<float>(first, {}, {.stride = 2, .padding = 1}), es::Silu<float>{},
                            es::Conv1d<float>(second, {}, {.padding = es::Padding::causal(3)}));
  using Stream = es::Stream<decltype(net)>;
  const auto shared = std::make_shared<const decltype(net)>(std::move(net));  // the weights are there once

  // Each stream has a signal of its own; frames come to all of them in turn, 10 at a time.
  // The streams of a thread never work at the same time, so they share their scratch memory.
  constexpr std::size_t count = 2000;
  const auto one = std::make_shared<es::Scratch>(), another = std::make_shared<es::Scratch>();
  std::vector<Stream> streams;
  for (std::size_t i = 0; i < count; ++i) streams.emplace_back(shared, es::StreamOptions{.scratch = i < count / 2 ? one : another});
  std::vector<Signal> signals, outputs(count);
  for (std::size_t i = 0; i < count; ++i) signals.emplace_back(Signal(4, 50).setRandom());

  // A stream belongs to one thread at a time; the network belongs to all of them.
  const auto serve = [&](std::size_t begin, std::size_t end) {
    for (Index at = 0; at < 50; at += 10)
      for (std::size_t i = begin; i < end; ++i) {
        const es::Frames<const float> chunk = es::Frames<const float>(signals[i]).slice(at, 10);
        const Signal y = at < 40 ? streams[i](chunk) : streams[i](chunk, es::final);
        outputs[i] = at == 0 ? y : Signal(outputs[i].concatenate(y, 1));
      }
  };
  std::thread other(serve, 0, count / 2);
  serve(count / 2, count);
  other.join();
  for (std::size_t i = 0; i < count; ++i)
    es::check(equal(outputs[i], streams[i].forward(signals[i])), "stream ", i, " differs from one call");

  // A copy is a fork: both have the same past and go on by themselves.
  const es::Frames<const float> past(signals[0]), one_future(signals[1]), other_future(signals[2]);
  Stream stream(shared), again(shared);
  stream(past);
  again(past);
  Stream fork = stream;
  const es::State state = stream.get_state();
  const Signal expected = stream(one_future, es::final);
  es::check(equal(fork(other_future, es::final), again(other_future, es::final)), "the fork differs");

  // The state as bytes: keep them in a file, send them to another machine, go on there.
  const std::vector<std::byte> message(state.bytes().begin(), state.bytes().end());
  Stream receiver(shared);
  receiver.set_state(es::State::from_bytes(message));
  es::check(equal(receiver(one_future, es::final), expected), "the restored stream differs");

  std::printf("%zu streams of %td bytes, and %td bytes of scratch for each thread, over one network of %td parameters; a saved "
              "state has %zu bytes\n",
              count, streams.front().memory_bytes(), one->bytes(), receiver.facts().parameters, message.size());
}
