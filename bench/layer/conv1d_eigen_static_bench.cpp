#include "layer/conv1d_eigen.hpp"

namespace bench {
namespace {

template <int Channels>
void register_static() {
  register_conv1d<EigenGemv<Channels>>("eigen-gemv-static", Channels);
  register_conv1d<EigenGemm<Channels>>("eigen-gemm-static", Channels);
  register_conv1d<EigenTaps<Channels>>("eigen-taps-static", Channels);
  if constexpr (Channels <= 8) register_conv1d<EigenLazy<Channels>>("eigen-lazy-static", Channels);
}

const bool registered =
    (register_static<4>(), register_static<8>(), register_static<16>(), register_static<32>(),
     register_static<64>(), true);

}  // namespace
}  // namespace bench
