#ifndef EIGENSTREAM_LAYER_LAMBDA_HPP
#define EIGENSTREAM_LAYER_LAMBDA_HPP

#include <concepts>     // invocable
#include <string>       // names
#include <type_traits>  // decay_t
#include <utility>      // move

#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A function of the user's, of each frame by itself: of each of its numbers, y = f(x), or of the whole frame, f(x, y) with
/// views of one frame each, which do not overlap.
///   es::lambda<float>([](float v) { return v * v; }, "square")
///   es::lambda<float>([](es::Frames<const float> x, es::Frames<float> y) { ... }, "energies", [](const es::FrameShape& in) {
///     return in.with_channels(1);
///   })
/// Shapes   x (C,T), with space, a batch or neither -> y of the same, or as `out_of` says
/// Timing   none: a frame in, a frame out
/// Errors   none. The function must give the same for the same frame, and neither throw nor, where no call may, allocate
/// Source   continual.Lambda; of a function over several frames there is no streaming layer
/// Two functions of the same name count as one where a saved state is compared with a network.
template <class T, class F>
class Lambda : public StatelessLayer<T> {
  static constexpr bool of_numbers = std::is_invocable_r_v<T, const F&, T>;
  static_assert(of_numbers || std::invocable<const F&, Frames<const T>, Frames<T>>,
                "eigenstream: the function of a Lambda takes a number and gives one, or takes views of two frames, f(x, y)");

 public:
  using OutOf = FrameShape (*)(const FrameShape&);

  explicit Lambda(F f, std::string name = "", OutOf out_of = nullptr)
      : f_(std::move(f)), name_(std::move(name)), out_of_(out_of) {}

  FrameShape wanted() const noexcept { return FrameShape::any(); }
  Facts facts(const FrameShape& in) const { return {.out = out_of_ == nullptr ? in : out_of_(in)}; }
  std::uint64_t fingerprint() const {
    Fingerprint all("Lambda");
    all.bytes(name_.data(), name_.size());
    return all;
  }
  Index steps(StateRef, Frames<const T> x, Frames<T> y) const noexcept {
    if constexpr (of_numbers) {
      for (Index i = 0; i < x.scalars(); ++i) y.data[i] = f_(x.data[i]);
    } else {
      for (Index i = 0; i < x.count; ++i) f_(x.slice(i, 1), y.slice(i, 1));
    }
    return x.count;
  }
  static constexpr bool in_place() noexcept { return of_numbers; }
  bool keeps_channels() const noexcept { return out_of_ == nullptr; }

 private:
  F f_;
  std::string name_;
  OutOf out_of_;
};

/// A layer of a function: lambda<float>(f, "name").
template <class T, class F>
Lambda<T, std::decay_t<F>> lambda(F&& f, std::string name = "", FrameShape (*out_of)(const FrameShape&) = nullptr) {
  return Lambda<T, std::decay_t<F>>(std::forward<F>(f), std::move(name), out_of);
}

static_assert(Layer<Lambda<float, float (*)(float)>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_LAYER_LAMBDA_HPP
