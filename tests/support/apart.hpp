#ifndef EIGENSTREAM_TESTS_SUPPORT_APART_HPP
#define EIGENSTREAM_TESTS_SUPPORT_APART_HPP

#include <cstdint>

#include "eigenstream/network/any_layer.hpp"
#include "support/random.hpp"

namespace support {

/// What StateMap promises, tried on one layer or network; fails the running test case at the first promise that does not hold.
///   packed    a stream that is packed and unpacked into memory that has been used goes on as if nothing had happened; what is
///             packed is what `exchange` writes
///   entries   a signal that is lifted out of a batch remembers what it would alone, and goes on in another batch
///   counts    streams whose counts are alike go on alike, however long ago they began
template <class T>
void check_apart(const es::AnyLayer<T>& net, const es::FrameShape& in, std::uint64_t seed);

extern template void check_apart(const es::AnyLayer<float>&, const es::FrameShape&, std::uint64_t);
extern template void check_apart(const es::AnyLayer<double>&, const es::FrameShape&, std::uint64_t);

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_APART_HPP
