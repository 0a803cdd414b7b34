#ifndef EIGENSTREAM_STREAMER_BUFFER_HPP
#define EIGENSTREAM_STREAMER_BUFFER_HPP

#include <algorithm>  // find, max_element
#include <cstdint>    // int64_t
#include <utility>    // move
#include <vector>     // slots

#include "eigenstream/streamer/arguments.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// The inputs of an event, or those of them that were predicted worst: when all slots are taken, a new input replaces
/// the best predicted one if it was predicted worse itself (similarity: the largest err by a smaller one; distance: the
/// smallest by a larger one; of several, that in the first slot).
/// Shapes   inputs of any kind
/// Errors   constructor: Error if buffer_size is below 1
/// Source   STREAMER
template <class Input>
class MemBuffer {
 public:
  struct Slot {
    Input input;
    double err = 0;
  };
  struct State {
    std::vector<Slot> slots;
    std::vector<std::size_t> order;  ///< the slots as their inputs came
    std::int64_t counter = 0;
  };

  explicit MemBuffer(Index buffer_size = 20, DistanceMode dist_mode = DistanceMode::similarity)
      : size_(static_cast<std::size_t>(buffer_size)), sign_(dist_mode == DistanceMode::similarity ? 1 : -1) {
    check(buffer_size >= 1, "MemBuffer: buffer_size is ", buffer_size, ", less than 1");
  }

  /// Whether it was kept.
  bool add(Input input, double err) {
    ++state.counter;
    if (state.slots.size() < size_) {
      state.order.push_back(state.slots.size());
      state.slots.push_back({std::move(input), err});
      return true;
    }
    std::size_t best = 0;
    for (std::size_t i = 1; i < size_; ++i)
      if (sign_ * state.slots[i].err > sign_ * state.slots[best].err) best = i;
    if (!(sign_ * err < sign_ * state.slots[best].err)) return false;
    state.slots[best] = {std::move(input), err};
    state.order.erase(std::find(state.order.begin(), state.order.end(), best));
    state.order.push_back(best);
    return true;
  }
  /// As they came.
  std::vector<Input> get_inputs() const {
    std::vector<Input> inputs;
    for (const std::size_t slot : state.order) inputs.push_back(state.slots[slot].input);
    return inputs;
  }
  Index size() const noexcept { return static_cast<Index>(state.slots.size()); }
  /// All that were added since reset, kept or not.
  std::int64_t counter() const noexcept { return state.counter; }
  void reset() { state = {}; }

  State state;

 private:
  std::size_t size_;
  double sign_;
};

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_BUFFER_HPP
