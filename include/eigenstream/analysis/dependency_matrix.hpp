#ifndef EIGENSTREAM_ANALYSIS_DEPENDENCY_MATRIX_HPP
#define EIGENSTREAM_ANALYSIS_DEPENDENCY_MATRIX_HPP

#include <cstdint>  // words of bits
#include <span>     // rows of bits
#include <vector>   // vector

#include "eigenstream/core/check.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Which input frames each output frame depends on: a boolean matrix, indexed [input, output].
/// With in_stride k, input i stands for the frames from i*k on (which of them were looked at, says whoever made it).
class DependencyMatrix {
 public:
  /// Without any dependency.
  /// Errors   Error if a size is negative or in_stride below 1
  DependencyMatrix(Index inputs, Index outputs, Index in_stride = 1)
      : inputs_(inputs), outputs_(outputs), in_stride_(in_stride) {
    check(inputs >= 0 && outputs >= 0, "DependencyMatrix: ", inputs, " x ", outputs, ", must not be negative");
    check(in_stride >= 1, "DependencyMatrix: in_stride = ", in_stride, ", must be at least 1");
    words_.resize(static_cast<std::size_t>(outputs * words()));
  }

  Index inputs() const noexcept { return inputs_; }
  Index outputs() const noexcept { return outputs_; }
  Index in_stride() const noexcept { return in_stride_; }

  /// Whether output `out` depends on input `in`.
  bool operator()(Index in, Index out) const noexcept {
    return (of(out)[static_cast<std::size_t>(in / 64)] >> (in % 64) & 1) != 0;
  }
  void set(Index in, Index out, bool depends = true) noexcept {
    const std::uint64_t bit = std::uint64_t{1} << (in % 64);
    std::uint64_t& word = of(out)[static_cast<std::size_t>(in / 64)];
    word = depends ? word | bit : word & ~bit;
  }

  /// The inputs of one output: bit i % 64 of word i / 64 is input i; bits beyond the last input are 0.
  std::span<std::uint64_t> of(Index out) noexcept { return std::span(words_).subspan(first_word(out), row()); }
  std::span<const std::uint64_t> of(Index out) const noexcept {
    return std::span(words_).subspan(first_word(out), row());
  }

  friend bool operator==(const DependencyMatrix&, const DependencyMatrix&) = default;

 private:
  Index words() const noexcept { return (inputs_ + 63) / 64; }
  std::size_t row() const noexcept { return static_cast<std::size_t>(words()); }
  std::size_t first_word(Index out) const noexcept { return static_cast<std::size_t>(out * words()); }

  Index inputs_, outputs_, in_stride_;
  std::vector<std::uint64_t> words_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_ANALYSIS_DEPENDENCY_MATRIX_HPP
