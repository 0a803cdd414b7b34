#ifndef EIGENSTREAM_TOOLS_STREAMER_PROCESSES_HPP
#define EIGENSTREAM_TOOLS_STREAMER_PROCESSES_HPP

#include <cstdlib>  // getenv, atoi
#include <memory>   // unique_ptr
#include <utility>  // move

#include "eigenstream/streamer/optimizer.hpp"
#ifdef EIGENSTREAM_TOOL_MPI
#include "eigenstream/streamer/mpi_communicator.hpp"
#endif
#include "streamer/options.hpp"

namespace tool::streamer {

/// The processes that learn together, and which of them this one is: number 0 writes the files and says how far it is.
struct Processes {
  std::unique_ptr<st::Communicator<float>> communicator;
  int rank = 0;
};

/// The one place where it is chosen how processes talk to each other. MPI is only started by who was started by it.
/// Errors   Error if this is one of several processes and the tool was built without MPI: each would learn alone
inline Processes make_processes() {
  int size = 1;
  for (const char* const name :
       {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})  // Open MPI's mpirun; MPICH's, Intel's and Slurm's
    if (const char* const value = std::getenv(name)) size = std::atoi(value);
  if (size <= 1) return {std::make_unique<st::Communicator<float>>(), 0};
#ifdef EIGENSTREAM_TOOL_MPI
  auto mpi = std::make_unique<st::MpiCommunicator<float>>();
  const int rank = mpi->rank();
  return {std::move(mpi), rank};
#else
  es::fail("streamer: one of ", size, " processes, but this eigenstream was built without MPI");
#endif
}

}  // namespace tool::streamer

#endif  // EIGENSTREAM_TOOLS_STREAMER_PROCESSES_HPP
