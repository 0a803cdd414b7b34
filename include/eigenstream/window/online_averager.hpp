#ifndef EIGENSTREAM_WINDOW_ONLINE_AVERAGER_HPP
#define EIGENSTREAM_WINDOW_ONLINE_AVERAGER_HPP

#include <unsupported/Eigen/CXX11/Tensor>  // Tensor, at the edges of the API only

#include "eigenstream/window/overlap_add.hpp"  // OverlapSum

EIGENSTREAM_BEGIN_NAMESPACE

struct OnlineAveragerOptions {
  Index offset = 0;              ///< samples to leave out at the newest end of each prediction
  bool normalise_start = false;  ///< the first outputs, too, are means of the predictions that they have
};

/// Averages predictions that overlap: each covers the samples of the one before, shifted by update_size. Of each, the
/// newest num_updates * update_size samples but for `offset` count; every sample is the mean of num_updates
/// predictions, and comes out as soon as no later one can change it.
///   y[r] = 1/N * sum over k = j-N+1 ... j, k >= 0, of x_k[K - offset - N*U + r - k*U],  j = floor(r / U)
/// with U = update_size, N = num_updates, K the length of a prediction. In a stream it is a layer: each input frame is
/// a prediction (C,W=K), as Windowed gives it, or its numbers in one row, channel fastest; any K that is long enough will do. As a
/// function,
///   auto [averages, state] = averager(predictions, state);
/// it is what ml4gw's module is: the state is the caller's, and batch_size predictions come at a time.
/// As there, the first N-1 blocks of U samples have fewer predictions than N but are divided by N; normalise_start
/// makes them means. The end of the signal (the function: `flush`) gives the (N-1)*U samples that the original never
/// returns, each the mean of the predictions that reached it.
/// Shapes   layer: x (C,K,T) or (C,K,B,T), or (C*K,T) or (C*K,B,T) -> y (C,T') or (C,B,T'), T' = (T+N-1) * U
///          function: predictions (C,K,batch), sums (C,(N-1)*U) -> averages (C,batch*U), sums (C,(N-1)*U)
/// Timing   U outputs for each prediction; rate U/1
/// Errors   constructor: Error on any impossible size, naming it. Error on predictions that are too short or a state of
///          another shape; nothing is broadcast. steps/flush: noexcept, no allocation
/// Source   ml4gw.nn.streaming.OnlineAverager
template <class T>
class OnlineAverager : public detail::OverlapSum<T> {
  using Base = detail::OverlapSum<T>;
  using Base::channels_, Base::size_;
  using Base::keep, Base::open, Base::sums, Base::windows;

 public:
  using Tensor2 = Eigen::Tensor<T, 2>;
  using Tensor3 = Eigen::Tensor<T, 3>;

  /// What the function remembers from call to call.
  struct Averages {
    Tensor2 sums;      ///< (C,(N-1)*U): what the next calls still add to
    Index blocks = 0;  ///< blocks of U samples returned so far; only normalise_start and flush look at it
  };

  OnlineAverager(Index update_size, Index batch_size, Index num_updates, Index num_channels,
                 OnlineAveragerOptions options = {})
      : Base(num_channels, num_updates * update_size, update_size),
        update_(update_size),
        batch_(batch_size),
        updates_(num_updates),
        offset_(options.offset),
        normalise_(options.normalise_start) {
    check(update_ >= 1, "OnlineAverager: update_size = ", update_, ", must be at least 1");
    check(batch_ >= 1, "OnlineAverager: batch_size = ", batch_, ", must be at least 1");
    check(updates_ >= 1, "OnlineAverager: num_updates = ", updates_, ", must be at least 1");
    check(channels_ >= 1, "OnlineAverager: num_channels = ", channels_, ", must be at least 1");
    check(offset_ >= 0, "OnlineAverager: offset = ", offset_, ", must not be negative");
    fingerprint_ = Fingerprint("OnlineAverager").add(update_).add(updates_).add(channels_).add(offset_).add(normalise_);
  }

  Index update_size() const noexcept { return update_; }
  Index batch_size() const noexcept { return batch_; }
  Index num_updates() const noexcept { return updates_; }
  Index num_channels() const noexcept { return channels_; }
  const OnlineAveragerOptions options() const noexcept { return {offset_, normalise_}; }
  /// Samples that a prediction must have at least.
  Index least_size() const noexcept { return size_ + offset_; }

  // As a function.

  Averages get_initial_state() const {
    Averages state{Tensor2(channels_, keep()), 0};
    state.sums.setZero();
    return state;
  }
  /// The samples that these predictions complete, and the state for the next ones.
  std::tuple<Tensor2, Averages> operator()(const Tensor3& predictions, const Averages& state) const {
    const Index size = predictions.dimension(1);
    check(predictions.dimension(0) == channels_ && predictions.dimension(2) == batch_ && size >= least_size(),
          "OnlineAverager: predictions (", predictions.dimension(0), ",", size, ",", predictions.dimension(2),
          "), expected (", channels_, ",", least_size(), " or more,", batch_, ")");
    StateBlock block = block_of(state, size);
    Tensor2 y(channels_, batch_ * update_);
    steps(block.ref(), Frames<const T>(predictions.data(), {.channels = channels_ * size}, batch_), y);
    Averages after{Tensor2(channels_, keep()), state.blocks + batch_};
    std::copy_n(open(block.ref()), after.sums.size(), after.sums.data());
    return {std::move(y), std::move(after)};
  }
  std::tuple<Tensor2, Averages> operator()(const Tensor3& predictions) const {
    return (*this)(predictions, get_initial_state());
  }
  /// The (N-1)*U samples that still wait for predictions when there are no more.
  Tensor2 flush(const Averages& state) const {
    StateBlock block = block_of(state, least_size());
    Tensor2 y(channels_, state.blocks > 0 ? keep() : 0);
    flush(block.ref(), Frames<T>(y));
    return y;
  }

  // As a layer.

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const {
    const Index numbers = in.channels * in.width;
    check(in.height == 1 && numbers % channels_ == 0 && numbers / channels_ >= least_size() &&
              (in.width == 1 || in.channels == channels_),
          "OnlineAverager: predictions of ", in.channels * in.width * in.height, " numbers, expected ", channels_,
          " channels of ", least_size(), " samples or more");
    return {.out = sums(in),
            .state_bytes = this->state_bytes(in),
            .max_flush = keep(),
            .macs = static_cast<double>(channels_ * size_ * in.batch)};
  }
  Timing timing() const {
    return TimingStage{.kind = TimingStage::Kind::scatter, .reach = size_, .stride = update_};
  }
  Index max_outputs(Index n) const noexcept { return n * update_; }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    const FrameShape shape = sums(x.shape());
    const Index numbers = x.channels * x.width;                      // of a prediction
    const Index ignored = numbers - channels_ * (size_ + offset_);  // the oldest samples
    for (Index k = 0; k < x.count; ++k) {
      const Time block = windows(state);
      T* done = y.frame(k * update_);
      this->advance(state, x.frame(k) + ignored, numbers, 0, done,
                    [&](const T* prediction, Index, const T* so_far, T* to, Index n) { add(prediction, so_far, to, n); });
      if (normalise_ && block < updates_ - 1) make_mean(done, update_ * shape.size(), block + 1);
    }
    return x.count * update_;
  }
  Index flush(StateRef state, Frames<T> y) const noexcept {
    const FrameShape shape = sums(state.shape);
    const Time predictions = windows(state);
    const Index n = update_ * shape.size();
    Index written = 0;
    if (predictions > 0) {
      std::copy_n(open(state), keep() * shape.size(), y.data);
      for (Index i = 0; i < updates_ - 1; ++i)  // block predictions + i has what reached so far ahead
        make_mean(y.frame(i * update_), n, std::min<Time>(predictions, updates_ - 1 - i));
      written = keep();
    }
    this->reset(state);
    return written;
  }

 private:
  // A stream of this layer that is where the function's state says.
  StateBlock block_of(const Averages& state, Index size) const {
    check(state.sums.dimension(0) == channels_ && state.sums.dimension(1) == keep() && state.blocks >= 0,
          "OnlineAverager: a state (", state.sums.dimension(0), ",", state.sums.dimension(1), ") after ", state.blocks,
          " blocks, expected (", channels_, ",", keep(), ")");
    StateBlock block = make_state(*this, {.channels = channels_ * size});
    windows(block.ref()) = state.blocks;
    std::copy_n(state.sums.data(), state.sums.size(), open(block.ref()));
    return block;
  }
  // x / num_updates, and what was added there before.
  void add(const T* x, const T* so_far, T* to, Index n) const noexcept {
    using P = simd::Packet<T, simd::max_lanes<T>>;
    const P count = P::broadcast(static_cast<T>(updates_)), zero = P::broadcast(T(0));
    if (so_far != nullptr) return kernel::map_two(so_far, x, to, n, [&](P sum, P value) { return sum + value / count; });
    kernel::map_pointwise(x, to, n, [&](P value) { return zero + value / count; });
  }
  // Divides by `have` what was divided by num_updates.
  void make_mean(T* y, Index n, Index have) const noexcept {
    const T scale = static_cast<T>(updates_) / static_cast<T>(have);
    kernel::map_pointwise(y, y, n, [&](auto v) { return v * decltype(v)::broadcast(scale); });
  }

  Index update_, batch_, updates_, offset_;
  bool normalise_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<OnlineAverager<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_ONLINE_AVERAGER_HPP
