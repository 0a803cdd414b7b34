#ifndef EIGENSTREAM_STREAM_STREAM_HPP
#define EIGENSTREAM_STREAM_STREAM_HPP

#include <initializer_list>  // knobs
#include <limits>   // numeric_limits
#include <memory>   // shared_ptr
#include <span>     // inputs, outputs
#include <string>   // names
#include <string_view>  // names
#include <utility>  // forward
#include <vector>   // frames to warm up with

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/network_input.hpp"
#include "eigenstream/core/scratch.hpp"
#include "eigenstream/core/state.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Says that a chunk is the last of its signal: stream(x, es::final).
struct Final {
  explicit Final() = default;
};
inline constexpr Final final{};

struct StreamOptions {
  Index channels = Dynamic;  ///< of the input; needed only if the network takes any number
  Index batch = 1;           ///< independent signals in step with each other
  Index width = Dynamic;     ///< space axes of the input's frames; 1 if the network does not say either
  Index height = Dynamic;
  std::shared_ptr<Scratch> scratch = {};  ///< shared with other streams of the same thread; without it, one of its own
};

namespace detail {
/// What the calls with tensors do; their header has the definitions, so that a stream by itself needs no Eigen.
template <class Stream, class X>
struct TensorCalls {
  static_assert(!std::is_same_v<X, X>,
                "eigenstream: calls with tensors need <eigenstream/stream/tensor_calls.hpp> (<eigenstream.hpp> has it), and "
                "chunks that are Eigen tensors, maps, matrices or Frames");
};

/// For those who keep the states of streams elsewhere (serve/): the memory of a stream, and the frames that it has seen.
struct StreamMemory {
  template <class Stream>
  static StateRef state(const Stream& stream) noexcept {
    return stream.state();
  }
  template <class Stream>
  static Time& seen(Stream& stream) noexcept {
    return stream.seen_;
  }
};
}  // namespace detail

/// A network at work on one signal (or a batch of signals in step): shared weights, a state of its own.
/// Give it chunks of any length, empty ones too; the outputs of all chunks and of the final one, put together, are bit
/// for bit the output of one call on the whole signal.
///   stream(x)                 frames that are ready, as a tensor
///   stream(x, es::final)      the same and the rest; the stream is fresh again
///   process(x, y)             into the caller's memory; no allocation, no lock, no system call. x: frames of the input, or a
///                             span of frames of each input
///   process(x, y, written)    the same for every output of a network that has several: y and written are spans. All other
///                             calls give its main output
///   forward_step, forward_steps  frame by frame, with optional end padding and without touching the state
///   forward(x)                the whole signal at once; the stream is not touched
/// Shapes   (C,T), or (C,B,T) with a batch; column-major, channel first; frames with space have these axes behind the
///          channels. (T) for a network from one channel to one
/// Errors   Error when the shape differs from the stream's, a count of frames is negative or there is too little
///          room, before anything changes
/// For one pointer per channel, as audio hosts hand buffers over, see PlanarStream; for as many frames out of each call as go
/// in, BlockAdapter.
/// A stream may be copied (a fork that goes on by itself) and moved; two threads need two streams.
template <Layer Net>
class Stream {
 public:
  using Scalar = typename Net::Scalar;
  using T = Scalar;

  explicit Stream(Net net, StreamOptions options = {})
      : Stream(std::make_shared<const Net>(std::move(net)), options) {}
  explicit Stream(std::shared_ptr<const Net> net, StreamOptions options = {})
      : net_(std::move(net)), scratch_(std::move(options.scratch)) {
    check(net_ != nullptr, "Stream: no network");
    static_assert(detail::runs_over_streams<Net>);
    check(space_of(*net_) != Space::needed, "Stream: the network needs whole windows, so it cannot run over a stream; run ",
          "it over windows: Windowed(net, size, stride)");
    const FrameShape wanted = net_->wanted();
    check(options.channels != Dynamic || wanted.channels != 0,
          "Stream: this network takes any number of channels; say how many: Stream(net, {.channels = 2})");
    const auto extent = [](Index asked, Index own, const char* name) {
      const Index n = asked != Dynamic ? asked : own != 0 ? own : 1;
      check(n >= 1 && n <= most_extent, "Stream: ", n, " ", name, ", must be from 1 to ", most_extent);
      return n;
    };
    check(options.batch >= 1 && options.batch <= most_extent, "Stream: batch of ", options.batch, ", must be at least 1");
    in_ = FrameShape{extent(options.channels, wanted.channels, "channels"), extent(options.width, wanted.width, "columns of width"),
           extent(options.height, wanted.height, "rows of height"), options.batch};
    several_ = inputs_of(*net_) > 1;
    facts_ = net_->facts(in_);
    out_ = facts_.out;
    timing_ = net_->timing();
    if (!all_outputs().empty()) {
      for (const FrameShape& shape : out_shapes(*net_, in_)) outs_.push_back(shape);
    }
    block_ = fresh_block();
    StateCodec count;
    net_->exchange(state(), count);
    state_bytes_ = static_cast<Index>(count.position());
  }

  const Net& net() const noexcept { return *net_; }
  std::shared_ptr<const Net> share() const noexcept { return net_; }

  // Shape and timing.

  FrameShape in_shape() const noexcept { return in_; }
  /// How many signals the network takes, the shape of the frames of each, and how many frames of one must come together with
  /// the next n of input 0, by whose frames time is counted.
  Index inputs() const noexcept { return 1 + static_cast<Index>(more_inputs().size()); }
  FrameShape in_shape(Index input) const noexcept {
    if (input == 0) return in_;
    return more_input(input).shape.with_batch(in_.batch);
  }
  Index frames_with(Index input, Index n) const noexcept {
    if (input == 0) return n;
    return static_cast<Index>(more_input(input).frames_for(seen_ + n) - more_input(input).frames_for(seen_));
  }
  FrameShape out_shape() const noexcept { return out_; }
  /// How many signals the network gives, what they are called, and the shape of the frames of each. Output 0 is the main one,
  /// which is meant wherever no other is named.
  /// Errors   here and below: Error if there is no such output
  Index outputs() const noexcept { return std::max<Index>(1, static_cast<Index>(outs_.size())); }
  std::string output_name(Index output) const {
    check_output_number(output);
    return outs_.empty() ? "0" : output_of(output).name;
  }
  FrameShape out_shape(Index output) const {
    check_output_number(output);
    return outs_.empty() ? FrameShape(out_) : FrameShape(outs_[static_cast<std::size_t>(output)]);
  }
  const Timing& timing(Index output) const {
    check_output_number(output);
    return outs_.empty() ? timing_ : output_of(output).timing;
  }
  Time receptive_field(Index output) const { return timing(output).receptive_field(); }
  Time delay(Index output) const { return timing(output).delay(); }
  Time stride(Index output) const { return timing(output).stride(); }
  Time padding(Index output) const { return timing(output).padding(); }
  Rate rate(Index output) const { return timing(output).rate(); }
  Index max_outputs(Index n, Index output) const {
    check_output_number(output);
    return outs_.empty() ? max_outputs(n) : output_of(output).max_outputs(n);
  }
  Index max_flush(Index output) const {
    check_output_number(output);
    return outs_.empty() ? max_flush() : output_of(output).max_flush;
  }
  /// What the network says of itself for this shape: parameters, multiply-adds and so on.
  const Facts& facts() const noexcept { return facts_; }
  const Timing& timing() const noexcept { return timing_; }
  Time receptive_field() const noexcept { return timing_.receptive_field(); }
  Time delay() const noexcept { return timing_.delay(); }
  Time stride() const noexcept { return timing_.stride(); }
  Time padding() const noexcept { return timing_.padding(); }
  Rate rate() const noexcept { return timing_.rate(); }
  /// Outputs of the first n frames of a signal; of a signal of n frames if it has ended. Of a negative n, none.
  Time outputs_after(Time n, bool ended = false) const noexcept { return timing_.outputs_after(n, ended); }
  /// Frames given since the signal began.
  Time frames_seen() const noexcept { return seen_; }
  /// Room that is enough for any call with n frames, and for any flush.
  Index max_outputs(Index n) const noexcept { return net_->max_outputs(n); }
  Index max_flush() const noexcept { return facts_.max_flush; }

  // Into the caller's memory.

  /// Takes x, writes what is ready to y, returns how many frames that is.
  /// Errors   Error if x or y has the wrong shape, x a negative count, or y fewer frames than will come
  EIGENSTREAM_ALWAYS_INLINE Index process(Frames<const T> x, Frames<T> y) {
    check_input(x);
    check_output(y, x.count, false);
    return advance(x, y);
  }
  /// The same for the last chunk: also writes the rest, and starts anew.
  Index process(Frames<const T> x, Frames<T> y, Final) {
    check_input(x);
    check_output(y, x.count, true);
    const Index written = advance(x, y);
    return written + finish(y.from(written));
  }
  /// The same for a network of several inputs: frames of each, of the further ones as many as frames_with(input, n) says.
  /// Errors   Error if there are not as many signals as inputs, or another one has other frames than belong to the first's
  Index process(std::span<const Frames<const T>> x, Frames<T> y) {
    check_inputs(x);
    check_output(y, x.front().count, false);
    return advance(x, y);
  }
  Index process(std::span<const Frames<const T>> x, Frames<T> y, Final) {
    check_inputs(x);
    check_output(y, x.front().count, true);
    const Index written = advance(x, y);
    return written + finish(y.from(written));
  }
  /// The rest of the signal, as after an empty last chunk.
  Index flush(Frames<T> y) {
    check_output(y, 0, true);
    return finish(y);
  }
  /// The same for every output: what is ready goes to y[k], how many frames that is to written[k].
  /// Errors   Error if there are not as many of either as outputs, or y[k] has the wrong shape or too little room
  void process(Frames<const T> x, std::span<const Frames<T>> y, std::span<Index> written) {
    check_input(x);
    check_outputs(y, written, x.count, false);
    advance(std::span(&x, 1), y, written);
  }
  void process(Frames<const T> x, std::span<const Frames<T>> y, std::span<Index> written, Final) {
    check_input(x);
    check_outputs(y, written, x.count, true);
    advance(std::span(&x, 1), y, written);
    finish(y, written);
  }
  void process(std::span<const Frames<const T>> x, std::span<const Frames<T>> y, std::span<Index> written) {
    check_inputs(x);
    check_outputs(y, written, x.front().count, false);
    advance(x, y, written);
  }
  void process(std::span<const Frames<const T>> x, std::span<const Frames<T>> y, std::span<Index> written, Final) {
    check_inputs(x);
    check_outputs(y, written, x.front().count, true);
    advance(x, y, written);
    finish(y, written);
  }
  void flush(std::span<const Frames<T>> y, std::span<Index> written) {
    check_outputs(y, written, 0, true);
    for (Index& count : written) count = 0;
    finish(y, written);
  }

  /// Takes x and hands what becomes ready to f as views of the stream's own memory, without a copy, for networks that
  /// can (Snapshotter). Returns how often f was called. f must not throw.
  /// Errors   Error if x has the wrong shape, or a negative count
  template <class F>
    requires requires(const Net& net, StateRef state, Frames<const T> x, F& f) { net.visit(state, x, f); }
  Index visit(Frames<const T> x, F&& f) {
    check_input(x);
    seen_ += x.count;
    return net_->visit(state(), Frames<const T>(x.data, in_, x.count), f);
  }

  /// Error unless x can be given to the stream.
  EIGENSTREAM_ALWAYS_INLINE void check_input(Frames<const T> x) const {
    check_shape("input", x.shape(), in_);
    if (x.count < 0 || takes_several()) [[unlikely]]
      refuse_input(x.count);
  }

  // Knobs: numbers without a time, part of the state. A new signal, after flush, final or reset, begins with their defaults.

  Index controls() const noexcept { return static_cast<Index>(all_controls().size()); }
  /// Name, default and number of values of knob k.
  /// Errors   Error if there is no such knob
  const NetworkControl& control_info(Index k) const {
    check(k >= 0 && k < controls(), "Stream: no knob ", k, "; there are ", controls());
    return all_controls()[static_cast<std::size_t>(k)];
  }
  /// The knob of that name. Errors   Error if there is none
  Index control_number(std::string_view name) const {
    for (Index k = 0; k < controls(); ++k)
      if (all_controls()[static_cast<std::size_t>(k)].name == name) return k;
    fail("Stream: no knob is called \"", name, "\"");
  }
  /// Its values now: (channels), of every batch entry.
  std::span<const T> control(Index k) const {
    const Index channels = control_info(k).channels();
    if constexpr (has_controls) return {net_->control(state(), k), static_cast<std::size_t>(channels * in_.batch)};
    return {};
  }
  std::span<const T> control(std::string_view name) const { return control(control_number(name)); }
  /// Gives it other values, from the next frame on: (channels), the same for every batch entry, or of each one after the
  /// other. No allocation, no lock, no system call.
  /// Errors   Error if there is no such knob, or it has another number of values; nothing has changed
  void set_control(Index k, std::span<const T> values) {
    const Index channels = control_info(k).channels(), given = static_cast<Index>(values.size());
    check(given == channels || given == channels * in_.batch, "Stream: ", given, " values for the knob \"", control_info(k).name,
          "\" of ", channels);
    if constexpr (has_controls) net_->set_control(state(), k, values.data(), given == channels);
  }
  void set_control(Index k, std::initializer_list<T> values) { set_control(k, std::span<const T>(values.begin(), values.size())); }
  void set_control(std::string_view name, std::span<const T> values) { set_control(control_number(name), values); }
  void set_control(std::string_view name, std::initializer_list<T> values) {
    set_control(control_number(name), std::span<const T>(values.begin(), values.size()));
  }

  // As tensors: <eigenstream/stream/tensor_calls.hpp>.

  /// The frames that x makes ready; (C',0) if none is.
  template <class X>
  auto operator()(X&& x) {
    return tensors<X>::call(*this, x, false);
  }
  /// The frames that x makes ready and the rest of the signal; the stream is fresh again.
  template <class X>
  auto operator()(X&& x, Final) {
    return tensors<X>::call(*this, x, true);
  }
  /// The same for every output of the network: a vector of tensors.
  template <class X>
  auto all(X&& x) {
    return tensors<X>::call_all(*this, x, false);
  }
  template <class X>
  auto all(X&& x, Final) {
    return tensors<X>::call_all(*this, x, true);
  }
  /// One frame, (C) or (C,B), to the outputs it makes ready: nothing, or a tensor of one frame (several if the network
  /// raises the rate). With update_state = false the stream stays as it was.
  template <class X>
  auto forward_step(X&& frame, bool update_state = true) {
    return tensors<X>::step(*this, frame, update_state);
  }
  /// A run of frames to the outputs they make ready, or nothing. pad_end adds what the end of the signal would release,
  /// worked out on a copy: the stream goes on as if it had not been asked.
  template <class X>
  auto forward_steps(X&& x, bool pad_end = false, bool update_state = true) {
    return tensors<X>::steps(*this, x, pad_end, update_state);
  }
  /// The whole signal at once, as the offline layer does; any batch. Neither reads nor changes the stream.
  template <class X>
  auto forward(X&& x) const {
    return tensors<X>::whole(*this, x);
  }

  // State.

  /// Bytes that the stream remembers, as saved (without header), and that it occupies.
  Index state_bytes() const noexcept { return state_bytes_; }
  Index memory_bytes() const noexcept { return block_.bytes(); }
  /// Bytes of scratch memory that its calls need: part of memory_bytes, unless it is shared.
  Index scratch_bytes() const noexcept { return aligned_bytes(facts_.scratch_bytes); }
  State get_state() const {
    State saved;
    saved.assign(net_->fingerprint(), in_, seen_, static_cast<std::size_t>(state_bytes_),
                 [&](std::span<std::byte> out) {
                   StateCodec writer = StateCodec::writer(out, seen_);
                   net_->exchange(state(), writer);
                   check(writer.good(), "Stream: a layer counts other frames than follow from the ", seen_,
                         " that came and the layers' timing");
                 });
    return saved;
  }
  /// Errors   Error if the state is another network's, of another shape, or damaged; the stream is as it was
  void set_state(const State& saved) {
    check(saved.fingerprint() == net_->fingerprint(), "Stream: this state belongs to another network");
    check_shape("state", saved.shape(), in_);
    check(saved.payload().size() == static_cast<std::size_t>(state_bytes_), "Stream: the state has ",
          saved.payload().size(), " bytes, this stream's has ", state_bytes_);
    StateBlock fresh = fresh_block();
    const Time seen = saved.frames_seen();
    Time most = timing_.max_frames();
    for (const NetworkOutput& output : all_outputs()) most = std::min(most, output.timing.max_frames());
    check(seen >= 0 && seen <= most, "Stream: the state is damaged (it says that ", seen, " frames came, of at most ", most,
          ")");
    StateCodec reader = StateCodec::reader(saved.payload(), seen);
    net_->exchange(fresh.ref(), reader);
    check(reader.good(), "Stream: the state is damaged (a layer counts other frames than follow from the ", seen,
          " that came, or a number is out of its range)");
    block_ = std::move(fresh);
    seen_ = seen;
  }
  /// Back to the start of a signal, without output.
  void clean_state() noexcept {
    net_->reset(state());
    seen_ = 0;
  }
  void reset() noexcept { clean_state(); }
  /// Feeds zeros until the next frame yields an output: none if it does already.
  void warm_up() {
    std::vector<T> zeros(static_cast<std::size_t>(in_.size()), T(0));
    std::vector<T> out(static_cast<std::size_t>(std::max<Index>(1, max_outputs(1)) * out_.size()));
    while (timing_.outputs_after(seen_ + 1) == timing_.outputs_after(seen_))
      advance(Frames<const T>(zeros.data(), in_, 1), Frames<T>(out.data(), out_, max_outputs(1)));
  }

 protected:
  template <class X>
  using tensors = detail::TensorCalls<Stream, std::remove_cvref_t<X>>;

  // The checks of every call: a few comparisons, and everything else out of line.
  [[noreturn]] static EIGENSTREAM_NO_INLINE void refuse_count(Index n) {
    fail("Stream: input of ", n, " frames, must not be negative");
  }
  [[noreturn]] EIGENSTREAM_NO_INLINE void refuse_input(Index n) const {
    if (n < 0) refuse_count(n);
    fail("Stream: one signal for a network of ", inputs(), " inputs; process() takes frames of each");
  }
  void check_inputs(std::span<const Frames<const T>> x) const {
    check(static_cast<Index>(x.size()) == inputs(), "Stream: ", x.size(), " signals for a network of ", inputs(), " inputs");
    const Index n = x.front().count;
    for (Index k = 0; k < inputs(); ++k) {
      const Frames<const T>& own = x[static_cast<std::size_t>(k)];
      check(same_layout(own.shape(), in_shape(k)), "Stream: input ", k, " of ", own.shape(), ", this stream has ", in_shape(k));
      if (own.count < 0) refuse_count(own.count);
      check(own.count == frames_with(k, n), "Stream: input ", k, " of ", own.count, " frames, but ", frames_with(k, n),
            " belong to the next ", n, " of input 0");
    }
  }
  static EIGENSTREAM_ALWAYS_INLINE void check_shape(const char* what, const FrameShape& given,
                                                    const FrameShape& wanted) {
    if (!(given == wanted)) [[unlikely]]
      check_layout(what, given.channels, given.width, given.height, given.batch, wanted);
  }
  // A tensor does not say which axes its middle ones are, and may have the columns of a frame in one row.
  // Number by number, so that what is asked about stays in registers.
  static EIGENSTREAM_NO_INLINE void check_layout(const char* what, Index channels, Index width, Index height, Index batch,
                                                 const FrameShape& wanted) {
    const FrameShape given{channels, width, height, batch};
    const FrameShape row{.channels = wanted.channels * wanted.width * wanted.height, .batch = wanted.batch};
    check(same_layout(given, wanted) || same_layout(given, row), "Stream: ", what, " of ", given, ", this stream has ", wanted);
  }
  EIGENSTREAM_ALWAYS_INLINE void check_output(Frames<T> y, Index n, bool ended) const {
    check_shape("output", y.shape(), out_);
    check_room(y.count, n, ended);
  }
  EIGENSTREAM_ALWAYS_INLINE void check_room(Index room, Index n, bool ended) const {
    if (room < net_->max_outputs(n) + (ended ? facts_.max_flush : 0)) check_exact_room(room, n, ended);
  }
  EIGENSTREAM_OUTLINED void check_exact_room(Index room, Index n, bool ended) const {
    const Time wanted = timing_.outputs_after(seen_ + n, ended) - timing_.outputs_after(seen_);
    check(room >= wanted, "Stream: room for ", room, " frames where ", wanted, " will come");
  }
  void check_output_number(Index output) const {
    check(output >= 0 && output < outputs(), "Stream: no output ", output, "; there are ", outputs());
  }
  void check_outputs(std::span<const Frames<T>> y, std::span<Index> written, Index n, bool ended) const {
    check(static_cast<Index>(y.size()) == outputs() && written.size() == y.size(), "Stream: room for ", y.size(),
          " outputs and ", written.size(), " counts, for a network of ", outputs(), " outputs");
    if (outs_.empty()) return check_output(y.front(), n, ended);
    for (Index k = 0; k < outputs(); ++k) {
      const FrameShape& shape = y[static_cast<std::size_t>(k)].shape();
      const Index room = y[static_cast<std::size_t>(k)].count;
      check(same_layout(shape, out_shape(k)), "Stream: output ", k, " of ", shape, ", this stream has ", out_shape(k));
      const NetworkOutput& own = output_of(k);
      if (room >= own.max_outputs(n) + (ended ? own.max_flush : 0)) continue;
      const Time wanted = own.timing.outputs_after(seen_ + n, ended) - own.timing.outputs_after(seen_);
      check(room >= wanted, "Stream: room for ", room, " frames of output ", k, " where ", wanted, " will come");
    }
  }
  void advance(std::span<const Frames<const T>> x, std::span<const Frames<T>> y, std::span<Index> written) noexcept {
    if constexpr (gives_several)
      if (!outs_.empty()) {
        seen_ += x.front().count;
        return net_->steps(state(), x, y, written);
      }
    written.front() = advance(x, y.front());
  }
  // The rest, behind what was written.
  void finish(std::span<const Frames<T>> y, std::span<Index> written) {
    if constexpr (gives_several)
      if (!outs_.empty()) {
        seen_ = 0;
        return net_->flush(state(), y, written);
      }
    written.front() += finish(y.front().from(written.front()));
  }
  EIGENSTREAM_ALWAYS_INLINE Index advance(Frames<const T> x, Frames<T> y) noexcept {
    seen_ += x.count;
    return net_->steps(state(), Frames<const T>(x.data, in_, x.count), Frames<T>(y.data, out_, y.count));
  }
  Index advance(std::span<const Frames<const T>> x, Frames<T> y) noexcept {
    seen_ += x.front().count;
    const Frames<T> to(y.data, out_, y.count);
    if constexpr (requires { net_->inputs(); })
      if (takes_several()) return net_->steps(state(), x, to);
    return net_->steps(state(), Frames<const T>(x.front().data, in_, x.front().count), to);
  }
  Index finish(Frames<T> y) noexcept {
    seen_ = 0;
    return net_->flush(state(), Frames<T>(y.data, out_, y.count));
  }

 private:
  friend struct detail::StreamMemory;
  EIGENSTREAM_ALWAYS_INLINE bool takes_several() const noexcept {
    if constexpr (requires { net_->inputs(); }) return several_;
    return false;
  }
  EIGENSTREAM_ALWAYS_INLINE StateRef state() const noexcept { return block_.ref(); }
  StateBlock fresh_block() const {
    StateBlock block = scratch_ != nullptr
                           ? StateBlock(facts_.state_bytes, in_, scratch_->reserve(facts_.scratch_bytes))
                           : StateBlock(facts_.state_bytes, in_, facts_.scratch_bytes);
    net_->reset(block.ref());
    return block;
  }
  const std::vector<NetworkOutput>& all_outputs() const noexcept { return all_outputs_of(*net_); }
  const NetworkOutput& output_of(Index output) const noexcept { return all_outputs()[static_cast<std::size_t>(output)]; }
  static std::vector<FrameShape> out_shapes(const Net& net, const FrameShape& in) {
    if constexpr (gives_several) return net.out_shapes(in);
    return {};
  }
  const std::vector<NetworkInput>& more_inputs() const noexcept { return more_inputs_of(*net_); }
  const NetworkInput& more_input(Index input) const noexcept {
    return more_inputs()[static_cast<std::size_t>(input - 1)];
  }

  const std::vector<NetworkControl>& all_controls() const noexcept { return controls_of(*net_); }

  static constexpr bool has_controls = requires(const Net& net) { net.controls(); };
  static constexpr bool gives_several = requires(const Net& net) { net.all_outputs(); };
  static constexpr Index most_extent = std::numeric_limits<std::int32_t>::max();
  std::shared_ptr<const Net> net_;
  FrameLayout in_, out_;
  std::vector<FrameLayout> outs_;  // of each output, if the network says what they are
  Timing timing_;
  std::shared_ptr<Scratch> scratch_;  // null: behind the block
  StateBlock block_;
  Time seen_ = 0;
  Index state_bytes_ = 0;
  Facts facts_;
  bool several_ = false;  // inputs
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAM_STREAM_HPP
