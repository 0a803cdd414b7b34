#ifndef EIGENSTREAM_CORE_WEIGHTS_HPP
#define EIGENSTREAM_CORE_WEIGHTS_HPP

#include <functional>        // less
#include <initializer_list>  // shapes
#include <map>               // WeightMap
#include <span>              // values
#include <string>            // messages
#include <type_traits>       // type_identity_t
#include <vector>            // owned values

#include "eigenstream/core/check.hpp"
#include "eigenstream/core/frames.hpp"  // TensorLike, MatrixLike

EIGENSTREAM_BEGIN_NAMESPACE

/// A parameter tensor with its shape, row-major as PyTorch keeps it: the last index is the fastest.
template <class T>
struct Weights {
  std::vector<Index> shape;
  std::vector<T> values;

  Weights() = default;
  Weights(std::vector<Index> shape_, std::vector<T> values_) : shape(std::move(shape_)), values(std::move(values_)) {
    Index size = 1;
    for (Index extent : shape) size *= extent;
    check(size == static_cast<Index>(values.size()), "weights: shape ", shape_text(), " does not hold ", values.size(),
          " values");
  }

  /// From an Eigen tensor, matrix or vector of any storage order, index by index (a tensor (O,I,K) stays (O,I,K)).
  template <detail::TensorLike X>
  Weights(const X& x) {
    constexpr int rank = X::NumDimensions;
    Index size = 1;
    for (int d = 0; d < rank; ++d) {
      shape.push_back(x.dimensions()[static_cast<std::size_t>(d)]);
      size *= shape.back();
    }
    values.resize(static_cast<std::size_t>(size));
    for (Index at = 0; at < size; ++at) {
      // Position of row-major element `at` in the tensor's own order.
      Index rest = at, stride = 1, position = 0;
      if constexpr (static_cast<int>(X::Layout) != detail::column_major) {
        position = at;
      } else {
        std::vector<Index> index(shape.size());
        for (int d = rank - 1; d >= 0; --d) {
          index[static_cast<std::size_t>(d)] = rest % shape[static_cast<std::size_t>(d)];
          rest /= shape[static_cast<std::size_t>(d)];
        }
        for (int d = 0; d < rank; ++d) {
          position += index[static_cast<std::size_t>(d)] * stride;
          stride *= shape[static_cast<std::size_t>(d)];
        }
      }
      values[static_cast<std::size_t>(at)] = static_cast<T>(x.data()[position]);
    }
  }
  template <class X>
    requires requires(const X& x) { x.derived().eval(), x.rows(), X::ColsAtCompileTime; }
  Weights(const X& x) {
    const auto plain = x.derived().eval();
    shape = X::ColsAtCompileTime == 1 ? std::vector<Index>{plain.rows()} : std::vector<Index>{plain.rows(), plain.cols()};
    for (Index r = 0; r < plain.rows(); ++r)
      for (Index c = 0; c < plain.cols(); ++c) values.push_back(static_cast<T>(plain(r, c)));
  }

  bool operator==(const Weights&) const = default;
  bool empty() const noexcept { return values.empty(); }
  Index size() const noexcept { return static_cast<Index>(values.size()); }
  std::span<const T> span() const noexcept { return values; }
  T operator()(Index i) const noexcept { return values[static_cast<std::size_t>(i)]; }
  T operator()(Index i, Index j) const noexcept { return (*this)(i * shape[1] + j); }
  T operator()(Index i, Index j, Index k) const noexcept { return (*this)((i * shape[1] + j) * shape[2] + k); }

  std::string shape_text() const {
    std::string text = "(";
    for (Index extent : shape) {
      if (text.size() > 1) text += ',';
      text += std::to_string(extent);
    }
    return text + ")";
  }

  /// Error unless the shape is the expected one; `name` is the parameter's, for the message.
  void expect(const char* layer, const char* name, std::initializer_list<Index> expected) const {
    if (shape == std::vector<Index>(expected)) return;
    Weights wanted;
    wanted.shape = expected;
    fail(layer, ": ", name, " has shape ", shape_text(), ", expected ", wanted.shape_text());
  }
};

/// Parameter tensors under their PyTorch state_dict names.
using WeightMap = std::map<std::string, Weights<float>, std::less<>>;

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_WEIGHTS_HPP
