#ifndef EIGENSTREAM_CORE_SCRATCH_HPP
#define EIGENSTREAM_CORE_SCRATCH_HPP

#include <vector>  // blocks

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

  /// Memory of at least so many bytes. What was given before stays where it is.
  std::byte* reserve(Index bytes) {
    if (blocks_.empty() || bytes > blocks_.back().bytes()) blocks_.emplace_back(bytes, FrameShape());
    return blocks_.back().ref().data;
  }
  /// Bytes of all that was given.
  Index bytes() const noexcept {
    Index all = 0;
    for (const StateBlock& block : blocks_) all += block.bytes();
    return all;
  }

 private:
  std::vector<StateBlock> blocks_;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_SCRATCH_HPP
