#ifndef EIGENSTREAM_BENCH_LAYER_CONV1D_EIGEN_HPP
#define EIGENSTREAM_BENCH_LAYER_CONV1D_EIGEN_HPP

#include "layer/conv1d_task.hpp"
#include "support/eigen_history.hpp"

namespace bench {

// The plain Eigen ways to stream the same convolution. Channels is a number of channels or Eigen::Dynamic.

template <int Channels>
class EigenConv1d {
 public:
  static constexpr int Reach = Channels == Eigen::Dynamic ? Eigen::Dynamic : 3 * Channels;
  using Frame = Eigen::Matrix<float, Channels, 1>;
  using Window = Eigen::Matrix<float, Reach, 1>;
  using Frames = Eigen::Matrix<float, Channels, Eigen::Dynamic>;
  using Windows = Eigen::Matrix<float, Reach, Eigen::Dynamic>;
  using Output = Eigen::Map<Frames>;
  // What was fastest for each: rows one after another from 16 channels on if the sizes are fixed, else columns.
  static constexpr int Order = Channels >= 16 ? Eigen::RowMajor : Eigen::ColMajor;
  using Matrix = Eigen::Matrix<float, Channels, Reach>;
  using Tap = Eigen::Matrix<float, Channels, Channels>;

  EigenConv1d(const Conv1dTask& task, Index frames)
      : weight(task.channels(), 3 * task.channels()),
        taps{task.weight[0], task.weight[1], task.weight[2]},
        bias(task.bias),
        history(task.channels(), 2, frames) {
    weight << task.weight[0], task.weight[1], task.weight[2];
  }

 protected:
  Output output(Out y) const { return Output(y.data(), bias.size(), y.cols()); }

  Matrix weight;  // of a whole window
  Tap taps[3];
  Frame bias;
  EigenHistory<Channels> history;
};

/// A matrix-vector product for each frame. The bias is best added last with columns of fixed size, else put first.
template <int Channels>
class EigenGemv : EigenConv1d<Channels> {
  using Base = EigenConv1d<Channels>;

 public:
  EigenGemv(const Conv1dTask& task, Index frames) : Base(task, frames), ordered_(this->weight) {}
  Index operator()(In x, Out out) {
    const Index first = this->history.append(x);
    auto y = this->output(out);
    for (Index t = 0; t < x.cols(); ++t) {
      const Eigen::Map<const typename Base::Window> window(this->history.frame(first + t), ordered_.cols());
      if constexpr (Channels == Eigen::Dynamic || Base::Order == Eigen::RowMajor) {
        y.col(t) = this->bias;
        y.col(t).noalias() += ordered_ * window;
      } else {
        y.col(t).noalias() = ordered_ * window;
        y.col(t) += this->bias;
      }
    }
    return x.cols();
  }

 private:
  Eigen::Matrix<float, Channels, Base::Reach, Base::Order> ordered_;
};

/// One product for all frames as an expression that the compiler unrolls, so that the weights stay in registers; good
/// with up to 8 channels known at compile time, more than ten times slower than the others from 16 on.
template <int Channels>
class EigenLazy : EigenConv1d<Channels> {
  using Base = EigenConv1d<Channels>;

 public:
  using Base::Base;
  Index operator()(In x, Out out) {
    const Index first = this->history.append(x);
    const Eigen::Map<const typename Base::Windows, 0, Eigen::OuterStride<Channels>> windows(
        this->history.frame(first), this->weight.cols(), x.cols(), Eigen::OuterStride<Channels>(x.rows()));
    auto y = this->output(out);
    if (x.cols() == 1) {
      y = this->weight.lazyProduct(windows).colwise() + this->bias;
    } else {
      // Copies that nothing written can change, so that they may stay in registers.
      const typename Base::Matrix w = this->weight;
      const typename Base::Frame b = this->bias;
      y = w.lazyProduct(windows).colwise() + b;
    }
    return x.cols();
  }
};

/// One matrix product for all frames: the windows are a matrix whose columns overlap.
template <int Channels>
class EigenGemm : EigenConv1d<Channels> {
  using Base = EigenConv1d<Channels>;

 public:
  using Base::Base;
  Index operator()(In x, Out out) {
    const Index first = this->history.append(x);
    auto y = this->output(out);
    const Eigen::Map<const typename Base::Windows, 0, Eigen::OuterStride<Channels>> windows(
        this->history.frame(first), this->weight.cols(), x.cols(), Eigen::OuterStride<Channels>(x.rows()));
    y.colwise() = this->bias;
    y.noalias() += this->weight * windows;
    return x.cols();
  }
};

/// A matrix product for each tap.
template <int Channels>
class EigenTaps : EigenConv1d<Channels> {
  using Base = EigenConv1d<Channels>;

 public:
  using Base::Base;
  Index operator()(In x, Out out) {
    const Index first = this->history.append(x);
    auto y = this->output(out);
    y.colwise() = this->bias;
    for (Index k = 0; k < 3; ++k) {
      if (x.cols() == 1)
        y.col(0).noalias() += this->taps[k] * this->history.frames().col(first + k);
      else
        y.noalias() += this->taps[k] * this->history.frames().middleCols(first + k, x.cols());
    }
    return x.cols();
  }
};

}  // namespace bench

#endif  // EIGENSTREAM_BENCH_LAYER_CONV1D_EIGEN_HPP
