// Eigen's products suffer when GCC inlines too little of them, as it does in a large file: hence files of their own.
#include "layer/conv1d_eigen.hpp"

namespace bench {
namespace {

const bool registered = [] {
  for (const Index channels : {4, 8, 16, 32, 64, 128}) {
    register_conv1d<EigenGemv<Eigen::Dynamic>>("eigen-gemv", channels);
    register_conv1d<EigenGemm<Eigen::Dynamic>>("eigen-gemm", channels);
    register_conv1d<EigenTaps<Eigen::Dynamic>>("eigen-taps", channels);
  }
  return true;
}();

}  // namespace
}  // namespace bench
