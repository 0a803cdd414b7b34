#ifndef EIGENSTREAM_ANALYSIS_CALLABLE_HPP
#define EIGENSTREAM_ANALYSIS_CALLABLE_HPP

#include <unsupported/Eigen/CXX11/Tensor>  // Tensor, what most models take

#include <algorithm>   // copy_n
#include <functional>  // function, whose guides know what a callable takes
#include <optional>    // what a streaming callable may give
#include <type_traits>  // decay_t

#include "eigenstream/core/frames.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// How long a signal is, and the shape of its frames.
struct SignalShape {
  Index channels = 1;
  Index batch = 1;
  Index frames = 0;
  Index width = 1;   ///< space axes of the frames
  Index height = 1;

  constexpr FrameShape frame() const noexcept { return {channels, width, height, batch}; }
  /// Errors   Error if there is nothing in it
  void check_positive(const char* who) const {
    check(channels >= 1 && batch >= 1 && frames >= 1 && width >= 1 && height >= 1, who, ": a signal of ", channels, " channels, a batch of ", batch,
          " and ", frames, " frames; none may be below 1");
  }
};

namespace detail {

/// What knows its timing: layers, networks and streams, as opposed to a callable that is all a user has.
template <class X>
concept Timed = requires(const std::remove_cvref_t<X>& x) { x.timing(); };

// What a user's callable takes: the type of its first parameter, or Tensor<float, 3> if it takes anything (a generic
// lambda, an overloaded operator()).
template <class F>
struct FirstParameter {
  using type = Eigen::Tensor<float, 3>;
};
template <class R, class X, class... Rest>
struct FirstParameter<std::function<R(X, Rest...)>> {
  using type = std::remove_cvref_t<X>;
};
template <class F>
  requires requires(F f) { std::function(f); }
struct FirstParameter<F> : FirstParameter<decltype(std::function(std::declval<F>()))> {};

/// Given, unless it is void; then what the callable says.
template <class Given, class F>
using SignalOf = typename std::conditional_t<std::is_void_v<Given>, FirstParameter<std::decay_t<F>>,
                                             std::type_identity<Given>>::type;

template <class X>
struct ScalarOf {
  using type = typename X::Scalar;
};
template <class T>
struct ScalarOf<Frames<T>> {
  using type = std::remove_const_t<T>;
};

/// Frames as the type that a callable takes: a copy, or if that is Frames<const T> themselves.
/// Errors   Error if the type has no room for a batch, or for channels
template <class X, class T>
auto as_signal(Frames<const T> x) {
  if constexpr (std::is_same_v<X, Frames<const T>>) {
    return x;
  } else if constexpr (TensorLike<X>) {
    static_assert(static_cast<int>(X::Layout) == static_cast<int>(Eigen::ColMajor) && X::NumDimensions >= 1 &&
                      X::NumDimensions <= 3,
                  "eigenstream: a model takes column-major tensors (T), (C,T) or (C,B,T)");
    X y;
    if constexpr (X::NumDimensions == 1) {
      check(x.frame_size() == 1, "a model of tensors (T) cannot take ", x.channels, " channels and a batch of ",
            x.batch);
      y = X(x.count);
    } else if constexpr (X::NumDimensions == 2) {
      check(x.batch == 1, "a model of tensors (C,T) cannot take a batch of ", x.batch);
      y = X(Index{x.channels}, x.count);
    } else {
      y = X(Index{x.channels}, Index{x.batch}, x.count);
    }
    std::copy_n(x.data, x.scalars(), y.data());
    return y;
  } else {
    static_assert(MatrixLike<X>, "eigenstream: a model takes a tensor, a matrix (C,T) or Frames<const T>");
    check(x.batch == 1, "a model of matrices (C,T) cannot take a batch of ", x.batch);
    typename X::PlainObject y(Index{x.channels}, x.count);
    std::copy_n(x.data, x.scalars(), y.data());
    return y;
  }
}

template <class Y>
inline constexpr bool is_optional = false;
template <class Y>
inline constexpr bool is_optional<std::optional<Y>> = true;

/// What a callable gave, as frames; none if it is an optional without a value.
template <class Y>
auto as_frames(const Y& y) {
  if constexpr (is_optional<Y>) {
    using T = typename ScalarOf<typename Y::value_type>::type;
    return y.has_value() ? Frames<const T>(as_frames(*y)) : Frames<const T>();
  } else {
    static_assert(TensorLike<const Y> || MatrixLike<const Y> || requires { y.frame_size(); },
                  "eigenstream: a model gives a tensor, a matrix (C,T) or Frames, not an unevaluated expression");
    using T = typename ScalarOf<Y>::type;
    if constexpr (requires { requires TensorLike<const Y> && Y::NumDimensions == 1; })
      return Frames<const T>(y.data(), FrameShape(), y.dimension(0));
    else
      return Frames<const T>(y);
  }
}

/// What as_signal makes, and the type of the numbers in what a callable gives.
template <class X>
using AsSignal = decltype(as_signal<X>(Frames<const typename ScalarOf<X>::type>()));
template <class Y>
using GivenScalar = std::remove_cvref_t<decltype(*as_frames(std::declval<const std::remove_cvref_t<Y>&>()).data)>;

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_ANALYSIS_CALLABLE_HPP
