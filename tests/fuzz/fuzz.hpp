#ifndef EIGENSTREAM_TESTS_FUZZ_FUZZ_HPP
#define EIGENSTREAM_TESTS_FUZZ_FUZZ_HPP

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "eigenstream/network/load_model.hpp"
#include "eigenstream/io/model_file.hpp"
#include "eigenstream/stream/stream.hpp"

namespace fuzz {

namespace es = eigenstream;
using es::Index;

inline std::span<const std::byte> bytes_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}

/// What must hold whatever came in.
inline void require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

/// Calls f, which may refuse its input with an Error. Anything else that it throws is a mistake.
template <class F>
void allow_errors(F&& f) {
  try {
    f();
  } catch (const es::Error&) {
  }
}

/// Builds a network, and runs a few frames if that takes little memory.
inline void build_and_run(const es::ModelFile& file) {
  const es::Model model = es::build_model(file);
  const es::AnyLayer<float>& net = model.network.layer;
  const es::FrameShape wanted = net.wanted();
  const es::FrameShape in{std::max<Index>(1, wanted.channels), std::max<Index>(1, wanted.width), std::max<Index>(1, wanted.height)};
  constexpr Index most = Index{1} << 26;
  const es::Facts facts = net.facts(in);
  if (facts.state_bytes > most || facts.scratch_bytes > most || facts.macs > 1e7 || facts.max_flush > 4096) return;
  es::Stream<es::AnyLayer<float>> stream(net, {.channels = in.channels});
  if (stream.inputs() > 1 || stream.outputs() > 1) return;
  constexpr Index frames = 9;
  const std::vector<float> x(static_cast<std::size_t>(frames * stream.in_shape().size()), 0.25f);
  const Index room = stream.max_outputs(frames);
  if (room > 4096) return;
  std::vector<float> y(static_cast<std::size_t>(room * stream.out_shape().size()));
  stream.process(es::Frames<const float>(x.data(), stream.in_shape(), frames), es::Frames<float>(y.data(), stream.out_shape(), room));
}

}  // namespace fuzz

#endif  // EIGENSTREAM_TESTS_FUZZ_FUZZ_HPP
