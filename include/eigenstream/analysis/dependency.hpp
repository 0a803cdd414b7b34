#ifndef EIGENSTREAM_ANALYSIS_DEPENDENCY_HPP
#define EIGENSTREAM_ANALYSIS_DEPENDENCY_HPP

#include <algorithm>    // generate, min, max
#include <bit>          // countr_zero
#include <cmath>        // isnan
#include <cstdint>      // words of bits, seed
#include <limits>       // NaN
#include <optional>     // an output may depend on nothing
#include <random>       // mt19937_64; its numbers are the same everywhere
#include <type_traits>  // is_floating_point
#include <utility>      // as_const
#include <vector>       // signals

#include "eigenstream/analysis/callable.hpp"
#include "eigenstream/analysis/compare.hpp"
#include "eigenstream/analysis/dependency_matrix.hpp"
#include "eigenstream/stream/stream.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Which frames the inputs of a matrix with in_stride k stand for: input i for frame i*k, or for all of
/// i*k ... i*k+k-1.
enum class InputGroups { first_frame, whole_group };

/// Which inputs each output of a network depends on, for a signal of `frames` frames that has ended: exactly, from the
/// structure alone. Neither weights nor values count: a tap reads its frame, whatever its weight is. Nor do channels: a
/// frame of a join depends on all its operands, even if a ChannelSlice leaves some of them out again.
/// Shapes   [ceil(frames/in_stride) inputs, outputs of such a signal]
/// Errors   Error if frames or in_stride is below 1, or the matrix would take more than 16 GiB
inline DependencyMatrix dependency_matrix(const Timing& timing, Index frames, Index in_stride = 1,
                                          InputGroups groups = InputGroups::first_frame) {
  check(frames >= 1, "dependency_matrix: a signal of ", frames, " frames, must be at least 1");
  check(in_stride >= 1, "dependency_matrix: in_stride = ", in_stride, ", must be at least 1");
  const Index inputs = ceil_div(frames, in_stride);
  std::vector<Time> counts, last_use(static_cast<std::size_t>(timing.size() + 1), 0);
  timing.count(frames, true, counts);
  for (Time value = 0; value <= timing.size(); ++value) {
    Time& count = counts[static_cast<std::size_t>(value)];
    count = std::max<Time>(0, count);
    check(static_cast<double>(inputs) * static_cast<double>(count) <= 0x1p37, "dependency_matrix: ", inputs,
          " inputs x ", count, " frames are more than 16 GiB; a greater in_stride makes it smaller");
    if (value > 0)
      for (const Timing::Operand& operand : timing.operands(value))
        last_use[static_cast<std::size_t>(operand.value)] = value;
  }

  // The inputs of every frame of every value, from the network's input on, as long as some value still needs them.
  std::vector<DependencyMatrix> values;
  DependencyMatrix& input = values.emplace_back(inputs, frames, in_stride);
  for (Index i = 0; i < frames; ++i)
    if (groups == InputGroups::whole_group || i % in_stride == 0) input.set(i / in_stride, i);
  for (Time value = 1; value <= timing.size(); ++value) {
    const TimingStage& stage = timing.stage(value);
    DependencyMatrix own(inputs, counts[static_cast<std::size_t>(value)], in_stride);
    Time joined = std::numeric_limits<Time>::max();  // frames that all operands have
    for (const Timing::Operand& operand : timing.operands(value))
      joined = std::min(joined, counts[static_cast<std::size_t>(operand.value)] - operand.skip);
    for (const Timing::Operand& operand : timing.operands(value)) {
      DependencyMatrix& from = values[static_cast<std::size_t>(operand.value)];
      for (Index j = 0; j < own.outputs(); ++j) {
        const std::span<std::uint64_t> to = own.of(j);
        stage.for_each_read(j, joined, [&](Time i) {
          const std::span<const std::uint64_t> read = std::as_const(from).of(i + operand.skip);
          for (std::size_t w = 0; w < to.size(); ++w) to[w] |= read[w];
        });
      }
    }
    for (const Timing::Operand& operand : timing.operands(value))
      if (last_use[static_cast<std::size_t>(operand.value)] == value)
        values[static_cast<std::size_t>(operand.value)] = DependencyMatrix(0, 0);
    values.push_back(std::move(own));
  }
  return std::move(values.back());
}
/// The same of a layer, network or stream.
template <detail::Timed L>
DependencyMatrix dependency_matrix(const L& layer, Index frames, Index in_stride = 1,
                                   InputGroups groups = InputGroups::first_frame) {
  return dependency_matrix(layer.timing(), frames, in_stride, groups);
}

struct InferOptions {
  InputGroups groups = InputGroups::first_frame;  ///< what is replaced for each input
  Index trials = 1;        ///< each with a signal of its own: what one does not show, another may
  double amplitude = 1;    ///< values are from 0 to this
  bool symmetric = false;  ///< and of either sign: for units that are flat on one side
  bool nan = false;  ///< replaces frames by NaN, which goes through what hides a number (a maximum, a saturated unit):
                     ///< every frame that enters the arithmetic shows, also with a weight of zero
  double rtol = 1e-5, atol = 1e-8;  ///< |y - y0| <= atol + rtol*|y0| is no difference
  std::uint64_t seed = 1;           ///< the same seed, the same matrix
};

/// Which inputs each output of a model depends on, found by replacing frames: an output that changes depends on it.
///   model(x) -> y   any callable from the whole signal to the whole output, from a clean state on every call. It takes
///                   a tensor (T), (C,T) or (C,B,T), a matrix (C,T), or Frames<const T>, as its parameter says; a
///                   generic lambda Tensor<float,3>, or what is given:
///                   infer_dependency_matrix<Eigen::Tensor<double,2>>(model, shape). It gives one of these, evaluated.
///                   A layer or a Stream is a model, too
/// It is called 2 + ceil(frames/in_stride) times in each trial. What is below the tolerance is not seen, what a frame
/// does to the values may be hidden (a ReLU that is off, a maximum elsewhere): see the options. dependency_matrix knows
/// the structure of a layer; this knows nothing and looks.
/// Shapes   [ceil(frames/in_stride) inputs, outputs]
/// Errors   Error if the model is not deterministic, its output's shape or length changes or it has another batch; if
///          a number of the shape, in_stride or trials is below 1, or the amplitude or a tolerance makes no sense
/// Source   speechbrain.utils.streaming.infer_dependency_matrix, with a generator of its own
template <class Signal = void, class Model>
  requires(!detail::Timed<Model>)
DependencyMatrix infer_dependency_matrix(Model&& model, SignalShape shape, Index in_stride = 1,
                                         const InferOptions& options = {}) {
  using X = detail::SignalOf<Signal, Model>;
  using T = typename detail::ScalarOf<X>::type;
  static_assert(std::is_floating_point_v<T>, "eigenstream: a model takes float or double");
  const char* const who = "infer_dependency_matrix";
  shape.check_positive(who);
  check(in_stride >= 1, who, ": in_stride = ", in_stride, ", must be at least 1");
  check(options.trials >= 1, who, ": trials = ", options.trials, ", must be at least 1");
  check(options.amplitude > 0 && std::isfinite(options.amplitude), who, ": amplitude = ", options.amplitude,
        ", must be positive");
  check(options.rtol >= 0 && options.atol >= 0, who, ": rtol = ", options.rtol, ", atol = ", options.atol,
        ", must not be negative");

  std::mt19937_64 random(options.seed);
  const auto next = [&] {
    const double unit = static_cast<double>(random() >> 40) * 0x1p-24;  // exact in float, never 1
    return static_cast<T>(options.amplitude * (options.symmetric ? 2 * unit - 1 : unit));
  };
  const FrameShape frame = shape.frame();
  std::vector<T> x(static_cast<std::size_t>(shape.frames * frame.size()));
  const auto run = [&](auto&& use) {
    auto signal = detail::as_signal<X>(Frames<const T>(x.data(), frame, shape.frames));
    const auto given = model(signal);
    const auto y = detail::as_frames(given);
    check(y.batch == shape.batch || y.count == 0, who, ": the model gives a batch of ", y.batch, " for one of ",
          shape.batch);
    use(y);
  };
  using U = detail::GivenScalar<decltype(model(std::declval<detail::AsSignal<X>&>()))>;

  const Index inputs = ceil_div(shape.frames, in_stride);
  std::optional<DependencyMatrix> found;
  FrameShape out;  // of the outputs, the same in all calls, as their number is
  for (Index trial = 0; trial < options.trials; ++trial) {
    std::generate(x.begin(), x.end(), next);
    std::vector<U> y0;
    const auto check_shape = [&](Frames<const U> y) {
      check(y.shape() == out && y.count == found->outputs(), who, ": the model gives ", y.channels, " channels and ",
            y.count, " frames, in an earlier call ", out.channels, " and ", found->outputs());
    };
    run([&](Frames<const U> y) {
      if (!found) {
        out = y.shape();
        found.emplace(inputs, y.count, in_stride);
      }
      check_shape(y);
      y0.assign(y.data, y.data + y.scalars());
    });
    run([&](Frames<const U> y) {
      check_shape(y);
      for (Index i = 0; i < y.scalars(); ++i) {
        const U a = y.data[i], b = y0[static_cast<std::size_t>(i)];
        check(detail::same_bits(a, b) || (std::isnan(a) && std::isnan(b)), who,
              ": the model is not deterministic: called twice with the same signal it gives ", b, " and ", a,
              " in output frame ", i / y.frame_size(), ", channel ", i % y.channels);
      }
    });
    std::vector<T> kept;
    for (Index in = 0; in < inputs; ++in) {
      const Index first = in * in_stride;
      const Index n = options.groups == InputGroups::whole_group ? std::min(in_stride, shape.frames - first) : 1;
      const auto begin = x.begin() + first * frame.size(), end = begin + n * frame.size();
      kept.assign(begin, end);
      std::generate(begin, end, [&] { return options.nan ? std::numeric_limits<T>::quiet_NaN() : next(); });
      run([&](Frames<const U> y) {
        check_shape(y);
        for (Index i = 0; i < y.scalars(); ++i)
          if (!detail::is_close(y.data[i], y0[static_cast<std::size_t>(i)], {options.rtol, options.atol}))
            found->set(in, i / y.frame_size());
      });
      std::copy(kept.begin(), kept.end(), begin);
    }
  }
  return *std::move(found);
}
/// The same of a layer or network, each time on a fresh signal.
template <Layer L>
DependencyMatrix infer_dependency_matrix(const L& layer, SignalShape shape, Index in_stride = 1,
                                         const InferOptions& options = {}) {
  shape.check_positive("infer_dependency_matrix");
  Stream<L> stream(layer, {.channels = shape.channels, .batch = shape.batch, .width = shape.width, .height = shape.height});
  using Tensor = Eigen::Tensor<typename L::Scalar, 3>;
  return infer_dependency_matrix([&](const Tensor& x) { return stream(x, final); }, shape, in_stride, options);
}
/// The same of the network of a stream, which is not touched.
template <Layer L>
DependencyMatrix infer_dependency_matrix(const Stream<L>& stream, SignalShape shape, Index in_stride = 1,
                                         const InferOptions& options = {}) {
  return infer_dependency_matrix(stream.net(), shape, in_stride, options);
}

/// The first and the last frame that an output depends on, if any. With in_stride > 1, the first frame of its group.
inline std::optional<Index> first_input(const DependencyMatrix& matrix, Index out) {
  const std::span<const std::uint64_t> row = matrix.of(out);
  for (std::size_t w = 0; w < row.size(); ++w)
    if (row[w] != 0) return (static_cast<Index>(w) * 64 + std::countr_zero(row[w])) * matrix.in_stride();
  return std::nullopt;
}
inline std::optional<Index> last_input(const DependencyMatrix& matrix, Index out) {
  const std::span<const std::uint64_t> row = matrix.of(out);
  for (std::size_t w = row.size(); w-- > 0;)
    if (row[w] != 0) return (static_cast<Index>(w) * 64 + 63 - std::countl_zero(row[w])) * matrix.in_stride();
  return std::nullopt;
}

/// Most frames that an output looks ahead of the frame it belongs to, which is frame floor(o*inputs/outputs) for output
/// o at a rate of outputs/inputs. Negative if each one only depends on frames before its own; 0 without any dependency.
inline Index lookahead(const DependencyMatrix& matrix, Rate rate = {}) {
  std::optional<Index> most;
  for (Index o = 0; o < matrix.outputs(); ++o)
    if (const auto last = last_input(matrix, o)) {
      const Index ahead = *last - floor_div(o * rate.inputs, rate.outputs);
      most = std::max(most.value_or(ahead), ahead);
    }
  return most.value_or(0);
}
/// Most frames that an output looks back from the frame it belongs to. Negative if each one only depends on frames
/// after its own; 0 without any dependency.
inline Index max_history(const DependencyMatrix& matrix, Rate rate = {}) {
  std::optional<Index> most;
  for (Index o = 0; o < matrix.outputs(); ++o)
    if (const auto first = first_input(matrix, o)) {
      const Index back = floor_div(o * rate.inputs, rate.outputs) - *first;
      most = std::max(most.value_or(back), back);
    }
  return most.value_or(0);
}
/// Whether no output depends on a frame after the one it belongs to. With in_stride > 1, as far as the matrix shows.
inline bool is_causal(const DependencyMatrix& matrix, Rate rate = {}) { return lookahead(matrix, rate) <= 0; }

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_ANALYSIS_DEPENDENCY_HPP
