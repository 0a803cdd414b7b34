#ifndef EIGENSTREAM_TESTS_SUPPORT_CONTRACT_HPP
#define EIGENSTREAM_TESTS_SUPPORT_CONTRACT_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "eigenstream/network/any_layer.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace support {

struct ContractOptions {
  Index channels = es::Dynamic;  ///< of the input, for layers that take any number
  bool exact = true;             ///< every frame that an output depends on shows in its numbers (a layer by itself)
  bool carries = true;           ///< NaN in a frame reaches all that depends on it: no channels of a join are left out
  bool light = false;            ///< the law and the state only, at one length: for long tables and random networks
  std::uint64_t seed = 1;
  std::string name = {};  ///< for messages
  Index width = 1;        ///< space axes of the input's frames
  Index height = 1;
  bool columns = true;    ///< it does the same to each column of frames with space, which is tried, too
};

/// The law of the library and all that is promised around it, tried on one layer or network; fails the running test
/// case at the first promise that does not hold. In short:
///   chunks   any partition, empties anywhere, final in three ways, every form of call: bit for bit the one call
///   counts   outputs_after after every chunk, within max_outputs and max_flush
///   memory   nothing allocated, nothing written outside the output, the input neither changed nor read beyond
///   errors   a room one frame too small, wrong channels, wrong batch: refused, nothing changed
///   state    saved, loaded, copied, reset, reset from garbage, equal for equal inputs; fresh after a flush; forged,
///            refused or harmless
///   apart    packed and unpacked, lifted out of a batch and put into one (support/apart.hpp)
///   sharing  interleaved streams and several threads on one network
///   timing   what perturbing single frames shows, in the dependency matrix frame by frame
template <class T>
void check_any_contract(const es::AnyLayer<T>& layer, Index batch, const ContractOptions& options);

extern template void check_any_contract(const es::AnyLayer<float>&, Index, const ContractOptions&);
extern template void check_any_contract(const es::AnyLayer<double>&, Index, const ContractOptions&);

/// The same network under two types: equal fingerprints, and bit for bit equal outputs and states.
template <es::Layer A, es::Layer B>
void check_equal(const A& a, const B& b, Index batch = 1, const ContractOptions& like = {}) {
  using T = typename A::Scalar;
  static_assert(std::is_same_v<T, typename B::Scalar>);
  es::StreamOptions options{.channels = like.channels, .batch = batch};
  if (like.width > 1) options.width = like.width;
  if (like.height > 1) options.height = like.height;
  es::Stream one(a, options);
  es::Stream two(b, options);
  if (a.fingerprint() != b.fingerprint()) FAIL("the fingerprints differ");
  Random random(7);
  const es::FrameShape in = one.in_shape(), out = one.out_shape();
  for (const Index n : {1, 2, 3, 40, 0, 7, 8, 16}) {
    const bool last = n == 16;
    const std::vector<T> values = random_values<T>(n * in.size(), random);
    const es::Frames<const T> x(values.data(), in, n);
    const Index room = one.max_outputs(n) + one.max_flush();
    std::vector<T> y1(static_cast<std::size_t>(room * out.size())), y2(y1);
    const es::Frames<T> to1(y1.data(), out, room), to2(y2.data(), out, room);
    const Index n1 = last ? one.process(x, to1, es::final) : one.process(x, to1);
    const Index n2 = last ? two.process(x, to2, es::final) : two.process(x, to2);
    if (n1 != n2) FAIL("after " << n << " frames one type gives " << n1 << " outputs, the other " << n2);
    if (n1 > 0 && std::memcmp(y1.data(), y2.data(), sizeof(T) * static_cast<std::size_t>(n1 * out.size())) != 0)
      FAIL("the two types give different outputs for a chunk of " << n << " frames");
    if (!(one.get_state() == two.get_state())) FAIL("the two types remember different things");
  }
  SUCCEED();
}

/// The contract for a layer of any type: through AnyLayer, and once more as the type it is.
template <es::Layer L>
void check_contract(const L& layer, Index batch = 1, const ContractOptions& options = {}) {
  const es::AnyLayer<typename L::Scalar> any(layer);
  check_any_contract(any, batch, options);
  check_equal(layer, any, batch, options);
}

template <class T>
void check_contract(const es::AnyLayer<T>& layer, Index batch = 1, const ContractOptions& options = {}) {
  check_any_contract(layer, batch, options);
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_CONTRACT_HPP
