#ifndef EIGENSTREAM_TOOLS_STREAMER_PROCESSES_HPP
#define EIGENSTREAM_TOOLS_STREAMER_PROCESSES_HPP

#include <memory>  // unique_ptr

#include "eigenstream/streamer/optimizer.hpp"
#include "streamer/options.hpp"

namespace tool::streamer {

/// The processes that learn together, and which of them this one is: number 0 writes the files and says how far it is.
struct Processes {
  std::unique_ptr<st::Communicator<float>> communicator;
  int rank = 0;
};

/// The one place where it is chosen how processes talk to each other.
inline Processes make_processes() { return {std::make_unique<st::Communicator<float>>(), 0}; }

}  // namespace tool::streamer

#endif  // EIGENSTREAM_TOOLS_STREAMER_PROCESSES_HPP
