// A network of static sizes whose stream lives in a static block of bytes: the layer concept without Stream, for
// machines where the heap is used at start-up only, or where another owner hands out the memory.
#include <array>
#include <cstdio>
#include <eigenstream.hpp>
#include <type_traits>

#include "count_allocations.hpp"

namespace es = eigenstream;
using es::Index;

template <class T>
auto make_network() {
  using Weight = Eigen::Tensor<T, 3>;
  const Weight first = Weight(4, 1, 5).setRandom() * T(0.5), second = Weight(1, 4, 3).setRandom() * T(0.5);
  return es::sequential(es::Conv1d<T, 1, 4, 5>(first, {}, {.padding = es::Padding::causal(5)}), es::Relu<T>{},
                        es::Conv1d<T, 4, 1, 3>(second, {}, {.padding = es::Padding::causal(3)}));
}

template <class T>
void filter_samples(const char* name) {
  const auto net = make_network<T>();  // the weights: built once, on the heap, never changed
  static_assert(es::Layer<std::remove_const_t<decltype(net)>>);

  // All that the stream remembers and all its scratch memory.
  alignas(es::memory_alignment) static std::array<std::byte, 64 * 1024> memory;
  const es::FrameShape mono{.channels = 1};
  const es::StateRef state = es::place_state(net, mono, memory);

  const auto run = [&](Index chunk) {
    T sum = 0;
    std::array<T, 32> x{}, y{};
    net.reset(state);
    for (Index at = 0, done = 0; at < 3200; at += chunk) {
      for (Index t = 0; t < chunk; ++t) x[static_cast<std::size_t>(t)] = static_cast<T>((at + t) % 100) / T(100);
      const Index written = net.steps(state, es::Frames<const T>(x.data(), mono, chunk),
                                      es::Frames<T>(y.data(), mono, net.max_outputs(chunk)));
      for (Index t = 0; t < written; ++t, ++done) sum += y[static_cast<std::size_t>(t)] * static_cast<T>(done % 7);
    }
    return sum;
  };
  const long before = allocations;
  const T one = run(1), many = run(32);
  es::check(allocations == before, "allocated ", allocations - before, " times while streaming");
  es::check(one == many, "single frames give ", one, ", blocks ", many);
  std::printf("%s: %td bytes of state and scratch memory, no allocation, checksum %g\n", name,
              net.facts(mono).state_bytes + net.facts(mono).scratch_bytes, static_cast<double>(one));
}

int main() {
  filter_samples<float>("float");
  filter_samples<double>("double");
}
