#ifndef EIGENSTREAM_STREAMER_MPI_COMMUNICATOR_HPP
#define EIGENSTREAM_STREAMER_MPI_COMMUNICATOR_HPP

// Needs MPI: link eigenstream::mpi. Not part of eigenstream.hpp.

#include <mpi.h>

#include <algorithm>    // min
#include <cstdint>      // int64_t
#include <exception>    // uncaught_exceptions
#include <span>         // tensors
#include <string>       // messages
#include <type_traits>  // is_same_v

#include "eigenstream/streamer/optimizer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// The processes of an MPI program, in lock step: each gives its model as many inputs, of videos of its own. Starts MPI
/// and ends it, unless the program has started it before. If one of them dies, all end; the last checkpoint is whole.
/// Shapes   none
/// Errors   constructor, least, most, sum: Error with MPI's text. Destructor: with an exception on its way, MPI is left
///          as it is, so that the program's end, behind its last words, ends the others, which would wait forever
/// Source   MPI_Allreduce
template <class T>
class MpiCommunicator : public Communicator<T> {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);

 public:
  MpiCommunicator() {
    int started = 0;
    check_mpi(MPI_Initialized(&started), "MPI_Initialized");
    if (started == 0) {
      check_mpi(MPI_Init(nullptr, nullptr), "MPI_Init");
      ends_ = true;
    }
    check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &all_), "MPI_Comm_dup");
    check_mpi(MPI_Comm_set_errhandler(all_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check_mpi(MPI_Comm_size(all_, &size_), "MPI_Comm_size");
    check_mpi(MPI_Comm_rank(all_, &rank_), "MPI_Comm_rank");
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;
  ~MpiCommunicator() override {
    if (std::uncaught_exceptions() > exceptions_ && size_ > 1) return;
    MPI_Comm_free(&all_);
    if (ends_) MPI_Finalize();
  }

  int world_size() const override { return size_; }
  int rank() const noexcept { return rank_; }
  Index least(Index own) override { return reduced(own, MPI_MIN); }
  Index most(Index own) override { return reduced(own, MPI_MAX); }
  void sum(std::span<T> values) override {
    constexpr std::size_t most_at_once = std::size_t{1} << 28;  // a count is an int
    while (!values.empty()) {
      const auto part = values.first(std::min(values.size(), most_at_once));
      check_mpi(MPI_Allreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()),
                              std::is_same_v<T, float> ? MPI_FLOAT : MPI_DOUBLE, MPI_SUM, all_),
                "MPI_Allreduce");
      values = values.subspan(part.size());
    }
  }

 private:
  std::int64_t reduced(std::int64_t own, MPI_Op by) {
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &own, 1, MPI_INT64_T, by, all_), "MPI_Allreduce");
    return own;
  }
  static void check_mpi(int result, const char* call) {
    if (result == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(result, text, &length);
    fail("streamer: ", call, ": ", std::string(text, static_cast<std::size_t>(length)));
  }

  MPI_Comm all_ = MPI_COMM_NULL;
  int size_ = 1, rank_ = 0;
  bool ends_ = false;
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_MPI_COMMUNICATOR_HPP
