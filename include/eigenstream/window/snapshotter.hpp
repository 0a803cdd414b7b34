#ifndef EIGENSTREAM_WINDOW_SNAPSHOTTER_HPP
#define EIGENSTREAM_WINDOW_SNAPSHOTTER_HPP

#include <unsupported/Eigen/CXX11/Tensor>  // Tensor, at the edges of the API only

#include <array>    // channels per snapshot
#include <cstring>  // memcpy
#include <numeric>  // accumulate
#include <tuple>    // what a call gives

#include "eigenstream/core/layer.hpp"
#include "eigenstream/memory/sliding_window.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// Copies `count` columns of `channels` numbers, `step` numbers apart, to where they lie side by side.
template <class T>
void pack_columns(const T* x, Index step, Index channels, Index count, T* y) noexcept {
  if (step == channels) {
    copy_forward(x, count * channels * static_cast<Index>(sizeof(T)), y);
  } else if (channels == 1) {
    for (Index i = 0; i < count; ++i) y[i] = x[i * step];
  } else {
    for (Index i = 0; i < count; ++i)
      std::memcpy(y + i * channels, x + i * step, static_cast<std::size_t>(channels) * sizeof(T));
  }
}

}  // namespace detail

/// Overlapping windows of a multichannel series: the last snapshot_size samples, every stride_size samples. Before the
/// first sample there are zeros.
///   snapshot w covers the samples (w+1)*stride - size ... (w+1)*stride - 1
/// In a stream it is a layer: updates may have any length, and each snapshot is one output frame with a column for each
/// sample, so that n of them are a tensor (C,size,n). `Stream::visit` hands them
/// over where they lie in the ring buffer, without a copy. As a function,
///   auto [snapshots, state] = snapshotter(update, state);
/// it is what ml4gw's module is: the state is the caller's, and an update has batch_size * stride_size samples.
/// With `Groups` > 1 the channels are split, in order, into so many snapshots of channels_per_snapshot channels each:
/// the function gives as many tensors, `visit` as many views, and in a stream's frame, which then has no space, they
/// lie one after the other (a ChannelSlice takes one out).
/// Shapes   layer: x (C,T) or (C,B,T) -> y (C,size,T') or (C,size,B,T'), T' = floor(T / stride)
///          function: update (C,batch*stride), state (C,size-stride) -> snapshots (C,size,batch), state (C,size-stride)
/// Timing   receptive_field size, delay stride - 1, rate 1/stride; the end of a signal releases nothing
/// Errors   constructor: Error on any impossible size, naming it; the stride must be below the size (or there would be
///          no state). function: Error on a wrong length. steps/flush: noexcept, no allocation
/// Source   ml4gw.nn.streaming.Snapshotter
template <class T, std::size_t Groups = 1>
class Snapshotter {
 public:
  using Scalar = T;
  using Tensor2 = Eigen::Tensor<T, 2>;
  using Tensor3 = Eigen::Tensor<T, 3>;
  static constexpr Space space_of_type = Groups == 1 ? Space::made : Space::none;
  static_assert(Groups >= 1, "eigenstream: a snapshot has at least one group of channels");

  Snapshotter(Index num_channels, Index snapshot_size, Index stride_size, Index batch_size = 1)
    requires(Groups == 1)
      : Snapshotter(num_channels, snapshot_size, stride_size, batch_size, {num_channels}) {}
  Snapshotter(Index num_channels, Index snapshot_size, Index stride_size, Index batch_size,
              std::array<Index, Groups> channels_per_snapshot)
      : channels_(num_channels),
        size_(snapshot_size),
        stride_(stride_size),
        batch_(batch_size),
        groups_(channels_per_snapshot) {
    check(channels_ >= 1, "Snapshotter: num_channels = ", channels_, ", must be at least 1");
    check(stride_ >= 1, "Snapshotter: stride_size = ", stride_, ", must be at least 1");
    check(size_ > stride_, "Snapshotter: snapshot_size = ", size_, ", must be greater than stride_size = ", stride_);
    check(batch_ >= 1, "Snapshotter: batch_size = ", batch_, ", must be at least 1");
    for (const Index group : groups_)
      check(group >= 1, "Snapshotter: channels_per_snapshot holds ", group, ", must be at least 1");
    const Index all = std::accumulate(groups_.begin(), groups_.end(), Index{0});
    check(all == channels_, "Snapshotter: channels_per_snapshot add up to ", all,
          ", not to num_channels = ", channels_);
    start(size_ - stride_);
  }

  /// Only snapshots all of whose samples have come.
  Snapshotter without_padding() const {
    Snapshotter other = *this;
    other.start(0);
    return other;
  }

  Index num_channels() const noexcept { return channels_; }
  Index snapshot_size() const noexcept { return size_; }
  Index stride_size() const noexcept { return stride_; }
  Index batch_size() const noexcept { return batch_; }
  const std::array<Index, Groups>& channels_per_snapshot() const noexcept { return groups_; }
  /// How many snapshots at the start of a signal hold zeros from before it.
  Index incomplete() const noexcept { return ceil_div(window_.left, stride_); }

  // As a function.

  /// The state before the first update: zeros (C,size-stride).
  Tensor2 get_initial_state() const {
    Tensor2 state(channels_, size_ - stride_);
    state.setZero();
    return state;
  }
  /// Snapshots of an update, one tensor for each group, and the state for the next one.
  auto operator()(Frames<const T> update, Frames<const T> state) const {
    check_shape("an update", update, batch_ * stride_);
    check_shape("a state", state, size_ - stride_);
    // Samples begin ... begin + count - 1 of the state followed by the update, of some channels.
    const auto copy = [&](Index begin, Index count, Index channel, Index channels, T* to) {
      const Index old = std::clamp<Index>(state.count - begin, 0, count);
      if (old > 0) detail::pack_columns(state.frame(begin) + channel, channels_, channels, old, to);
      if (old < count)
        detail::pack_columns(update.frame(begin + old - state.count) + channel, channels_, channels, count - old,
                             to + old * channels);
    };
    Index channel = 0;
    std::array<Tensor3, Groups> snapshots;
    for (std::size_t g = 0; g < Groups; channel += groups_[g++]) {
      snapshots[g] = Tensor3(groups_[g], size_, batch_);
      for (Index i = 0; i < batch_; ++i)
        copy(i * stride_, size_, channel, groups_[g], snapshots[g].data() + i * size_ * groups_[g]);
    }
    Tensor2 after(channels_, state.count);
    copy(update.count, state.count, 0, channels_, after.data());
    return std::apply([&](auto&... one) { return std::tuple(std::move(one)..., std::move(after)); }, snapshots);
  }
  auto operator()(Frames<const T> update) const { return (*this)(update, get_initial_state()); }

  // As a layer.

  FrameShape wanted() const noexcept { return {channels_, 1, 1, 0}; }
  Facts facts(const FrameShape& in) const {
    check_channels("Snapshotter", channels_, in);
    check(!in.has_space(), "Snapshotter: takes frames without space, not ", in);
    FrameShape out{channels_, size_, 1, in.batch};
    if (Groups > 1) out = {.channels = channels_ * size_, .batch = in.batch};
    return {.out = out, .state_bytes = group_offset(Groups, in.batch)};
  }
  Timing timing() const { return TimingStage{.reach = size_, .stride = stride_, .left = window_.left}; }
  Index max_outputs(Index n) const noexcept { return window_.max_windows(n); }
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  void reset(StateRef state) const noexcept {
    for (std::size_t g = 0; g < Groups; ++g) window_.reset(group_state(state, g), T(0));
  }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    if constexpr (Groups == 1) {
      if (x.count >= window_.keep() && x.data != window_.template history<T>(state).room(1))
        return long_steps(state, x, y);
    }
    return advance(state, x, [&](const std::array<const T*, Groups>& first, Index windows, Index done) {
      for (Index w = 0; w < windows; ++w) {
        T* to = y.frame(done + w);
        for (Index b = 0; b < x.batch; ++b) {
          for (std::size_t g = 0; g < Groups; ++g) {
            const Index channels = groups_[g], frame = channels * x.batch;
            detail::pack_columns(first[g] + w * stride_ * frame + b * channels, frame, channels, size_, to);
            to += channels * size_;
          }
        }
      }
    });
  }
  Index flush(StateRef state, Frames<T>) const noexcept {
    reset(state);
    return 0;
  }
  void exchange(StateRef state, StateCodec& codec) const {
    for (std::size_t g = 0; g < Groups; ++g) window_.template exchange<T>(group_state(state, g), codec);
  }
  T* input_room(StateRef state, Index n) const noexcept {
    if (Groups > 1) return nullptr;
    History<T> history = window_.template history<T>(state);
    return n <= history.max_frames() ? history.room(n) : nullptr;
  }
  static constexpr bool in_place() noexcept { return false; }

  /// Takes x like `steps` but hands each snapshot, as it becomes complete, to f(Frames<const T>...), one view for each
  /// group, into the ring buffer or x itself: valid until f returns. Returns how many there were. f must not throw.
  template <class F>
  Index visit(StateRef state, Frames<const T> x, F&& f) const noexcept {
    return advance(state, x, [&](const std::array<const T*, Groups>& first, Index windows, Index) {
      for (Index w = 0; w < windows; ++w)
        [&]<std::size_t... G>(std::index_sequence<G...>) {
          f(Frames<const T>(first[G] + w * stride_ * groups_[G] * x.batch, {.channels = groups_[G], .batch = x.batch}, size_)...);
        }(std::make_index_sequence<Groups>());
    });
  }

  /// What a stream gave, as a tensor (C,size,n); batch 1, one group.
  template <class Tensor>
  auto snapshots(Tensor& y) const {
    static_assert(Groups == 1, "eigenstream: snapshots of several groups lie one after the other; take a ChannelSlice");
    const Frames<const T> all(y);
    const bool in_a_row = all.channels == channels_ * size_ && all.columns() == 1;
    check(in_a_row || (all.channels == channels_ && all.columns() == size_), "Snapshotter: frames of ", all,
          " are not its snapshots");
    return Eigen::TensorMap<std::conditional_t<std::is_const_v<Tensor>, const Tensor3, Tensor3>>(y.data(), channels_,
                                                                                                 size_, all.count);
  }

 private:
  void start(Index left) {
    window_ = SlidingWindow(size_, stride_, left).roomy();
    fingerprint_ = Fingerprint("Snapshotter").add(channels_).add(size_).add(stride_).add(left);
    fingerprint_.add(std::span<const Index>(groups_));
  }
  void check_shape(const char* what, Frames<const T> given, Index count) const {
    check(given.channels == channels_ && given.batch == 1 && given.count == count, "Snapshotter: ", what, " of ",
          given.channels, " channels and ", given.count, " samples, expected (", channels_, ",", count, ")");
  }
  // Every group has a ring buffer of its own, so that its snapshots lie in one piece.
  Index group_offset(std::size_t g, Index batch) const noexcept {
    Index offset = 0;
    for (std::size_t i = 0; i < g; ++i)
      offset += aligned_bytes(window_.template state_bytes<T>({.channels = groups_[i], .batch = batch}));
    return offset;
  }
  SlidingWindow::At group_state(StateRef state, std::size_t g) const noexcept {
    return {state.data + group_offset(g, state.shape.batch), groups_[g] * state.shape.batch};
  }
  // Snapshots of an update that is longer than what is kept: part of each is what was kept, the rest lies in x.
  Index long_steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept {
    return window_.template advance_in_pieces<T>(state, x, [&](Index w, const T* kept, Index frames, const T* rest) {
      for (Index b = 0; b < x.batch; ++b) {
        T* to = y.frame(w) + b * channels_ * size_;
        detail::pack_columns(kept + b * channels_, x.frame_size(), channels_, frames, to);
        detail::pack_columns(rest + b * channels_, x.frame_size(), channels_, size_ - frames, to + frames * channels_);
      }
    });
  }
  // Calls emit(first snapshot of each group, snapshots, snapshots before) for runs of complete ones.
  template <class Emit>
  Index advance(StateRef state, Frames<const T> x, Emit&& emit) const noexcept {
    if constexpr (Groups == 1) {
      return window_.template advance<T>(
          state, x, nullptr,
          [&](const T* first, Index windows, Index done) { emit(std::array{first}, windows, done); }, true);
    } else {
      // As many samples at a time as every ring buffer has room for, so that all of them give equally many.
      Index most = x.count, done = 0;
      for (std::size_t g = 0; g < Groups; ++g)
        most = std::min(most, window_.template history<T>(group_state(state, g)).max_frames());
      for (Index at = 0; at < x.count; at += most) {
        const Index n = std::min(most, x.count - at);
        std::array<const T*, Groups> first{};
        Index windows = 0, channel = 0;
        for (std::size_t g = 0; g < Groups; channel += groups_[g++]) {
          const SlidingWindow::At own = group_state(state, g);
          T* room = window_.template history<T>(own).room(n);
          detail::pack_columns(x.frame(at) + channel, channels_, groups_[g], n * x.batch, room);
          windows = window_.template advance<T>(own, room, n, nullptr,
                                                [&](const T* place, Index, Index) { first[g] = place; });
        }
        if (windows > 0) emit(first, windows, done);
        done += windows;
      }
      return done;
    }
  }

  Index channels_, size_, stride_, batch_;
  std::array<Index, Groups> groups_;
  SlidingWindow window_;
  Fingerprint fingerprint_{""};
};

static_assert(Layer<Snapshotter<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_SNAPSHOTTER_HPP
