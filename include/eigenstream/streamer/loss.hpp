#ifndef EIGENSTREAM_STREAMER_LOSS_HPP
#define EIGENSTREAM_STREAMER_LOSS_HPP

#include "eigenstream/learn/loss.hpp"
#include "eigenstream/streamer/arguments.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// How a prediction compares with what came. similarity: the cosine, of images of each pixel's colour, averaged;
/// distance: the mean squared difference.
/// Shapes   y, x (1,D) or (1,3HW), images channel by channel -> a number
/// Errors   Error if the sizes differ
/// Source   STREAMER
template <class T>
class StreamerLoss {
 public:
  /// channels: along which the cosine is taken; 0: all of the vector is one.
  explicit StreamerLoss(DistanceMode dist_mode, Index channels = 0) : dist_mode_(dist_mode), channels_(channels) {}

  /// The signal, and in `gradient` that of what is to be made small: of the negative similarity, or of the distance.
  double forward(const learn::RowVector<T>& y, const learn::RowVector<T>& x,
                 learn::Matrix<T>* gradient = nullptr) const {
    check(y.size() == x.size(), "StreamerLoss: ", y.size(), " numbers against ", x.size());
    if (dist_mode_ == DistanceMode::distance) return static_cast<double>(learn::mean_squared_error(y, x, gradient));
    const Index rows = channels_ == 0 ? y.size() : channels_;
    using View = Eigen::Map<const learn::Matrix<T>>;
    const T cosine = learn::cosine_similarity(View(y.data(), rows, y.size() / rows),
                                              View(x.data(), rows, x.size() / rows), gradient);
    if (gradient != nullptr) {
      *gradient *= T(-1);
      gradient->resize(1, y.size());  // the same numbers in the same order
    }
    return static_cast<double>(cosine);
  }
  /// What is to be made small.
  double summarize_loss(double signal) const noexcept {
    return dist_mode_ == DistanceMode::similarity ? -signal : signal;
  }
  // It has nothing to learn.
  learn::Parameters<T> get_params() const { return {}; }
  void step_params() const {}
  void zero_params() const {}

 private:
  DistanceMode dist_mode_;
  Index channels_;
};

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_LOSS_HPP
