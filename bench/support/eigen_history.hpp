#ifndef EIGENSTREAM_BENCH_SUPPORT_EIGEN_HISTORY_HPP
#define EIGENSTREAM_BENCH_SUPPORT_EIGEN_HISTORY_HPP

#include "support/run.hpp"

namespace bench {

/// What a careful Eigen user writes to stream a convolution: a matrix of frames in which every window lies flat. New
/// frames go behind the kept ones, which move to the front when the end is reached.
/// Channels may be fixed at compile time. `most` is the largest number of frames appended at once.
template <int Channels>
class EigenHistory {
 public:
  EigenHistory(Index channels, Index keep, Index most)
      : frames_(channels, keep + std::max({most, keep, 16384 / (4 * channels)})), keep_(keep), end_(keep) {
    frames_.setZero();
  }

  /// Returns the column where the kept frames begin; the new ones follow them.
  Index append(In x) {
    if (end_ + x.cols() > frames_.cols()) {
      frames_.leftCols(keep_) = frames_.middleCols(end_ - keep_, keep_);
      end_ = keep_;
    }
    frames_.middleCols(end_, x.cols()) = Eigen::Map<const Frames>(x.data(), frames_.rows(), x.cols());
    end_ += x.cols();
    return end_ - x.cols() - keep_;
  }
  using Frames = Eigen::Matrix<float, Channels, Eigen::Dynamic>;
  const Frames& frames() const { return frames_; }
  const float* frame(Index i) const { return frames_.data() + i * frames_.rows(); }

 private:
  Frames frames_;
  Index keep_, end_;
};

}  // namespace bench

#endif  // EIGENSTREAM_BENCH_SUPPORT_EIGEN_HISTORY_HPP
