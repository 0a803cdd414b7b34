#ifndef EIGENSTREAM_CORE_SCRATCH_HPP
#define EIGENSTREAM_CORE_SCRATCH_HPP

#include "eigenstream/core/state_block.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Scratch memory for streams that never work at the same time: all those that one thread drives. What is in it is forgotten
/// between calls. It grows to what the greediest of its streams needs, when that stream is made.
///   const auto scratch = std::make_shared<es::Scratch>();
///   for (int i = 0; i < 1000; ++i) streams.emplace_back(net, es::StreamOptions{.scratch = scratch});
/// Shapes   none
/// Timing   none
/// Errors   none
/// Source   none
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// At least so many bytes; what was in it is lost.
  void reserve(Index bytes) {
    if (bytes > block_.bytes()) block_ = StateBlock(bytes, {});
  }
  std::byte* data() const noexcept { return block_.ref().data; }
  Index bytes() const noexcept { return block_.bytes(); }

 private:
  StateBlock block_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_SCRATCH_HPP
