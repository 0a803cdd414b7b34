#ifndef EIGENSTREAM_TOOLS_RESULTS_HPP
#define EIGENSTREAM_TOOLS_RESULTS_HPP

#include <string>  // names
#include <vector>  // memory

#include "eigenstream/stream/stream.hpp"
#include "text.hpp"

namespace tool {

/// Room for what a call of a stream gives, of each output.
template <class Stream>
class Results {
 public:
  using T = typename Stream::Scalar;
  explicit Results(const Stream& stream)
      : written(static_cast<std::size_t>(stream.outputs())), stream_(stream), memory_(written.size()) {}

  /// room_of(k): for how many frames of output k.
  template <class RoomOf>
  void make_room(RoomOf&& room_of) {
    frames.clear();
    for (Index k = 0; k < stream_.outputs(); ++k) {
      std::vector<T>& memory = memory_[static_cast<std::size_t>(k)];
      const Index room = room_of(k);
      memory.resize(static_cast<std::size_t>(room * stream_.out_shape(k).size()));
      frames.emplace_back(memory.data(), stream_.out_shape(k), room);
    }
  }
  void append_to(std::vector<std::vector<T>>& all) const {
    all.resize(frames.size());
    for (std::size_t k = 0; k < frames.size(); ++k)
      all[k].insert(all[k].end(), frames[k].data, frames[k].data + written[k] * frames[k].frame_size());
  }
  /// How messages begin.
  std::string name(Index k) const { return stream_.outputs() == 1 ? "" : stream_.output_name(k) + ": "; }

  std::vector<es::Frames<T>> frames;
  std::vector<Index> written;

 private:
  const Stream& stream_;
  std::vector<std::vector<T>> memory_;
};

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_RESULTS_HPP
