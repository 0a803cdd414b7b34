#ifndef EIGENSTREAM_TESTS_SERVE_TRAFFIC_HPP
#define EIGENSTREAM_TESTS_SERVE_TRAFFIC_HPP

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "eigenstream/serve/batcher.hpp"
#include "support/allocation.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace support {

/// Streams of a pool beside Streams that are given the same: whatever happens to them, they give the same bits and have the same
/// states. Streams run one by one, or in a Batcher.
template <es::Layer Net>
class Traffic {
 public:
  using T = typename Net::Scalar;
  using Job = es::BatchJob<T>;

  Traffic(const Net& net, Index channels, Index streams, std::uint64_t seed, es::BatcherOptions options = {})
      : random_(seed),
        pool_(std::make_shared<const Net>(net), {.streams = streams, .channels = channels}),
        worker_(pool_.worker()),
        batcher_(pool_, options) {
    for (Index i = 0; i < streams; ++i) callers_.push_back({pool_.open(), pool_.fresh()});
  }

  /// Some rounds of frames for all, some, or one, with all kinds of things in between.
  void run(int rounds, bool batched) {
    batched_ = batched;
    for (Caller& caller : callers_)
      if (batched) batcher_.join(caller.handle);
    for (int round = 0; round < rounds; ++round) {
      INFO("round " << round);
      const int kind = static_cast<int>(random_.integer(0, 9));
      const Index n = kind == 0 ? random_.integer(0, 40) : random_.integer(1, 2);
      std::vector<std::size_t> who;
      for (std::size_t i = 0; i < callers_.size(); ++i)
        if (kind < 5 || (kind == 5 && i % 2 == static_cast<std::size_t>(round % 2)) || (kind > 5 && random_.chance(kind == 6 ? 0.1 : 0.8)))
          who.push_back(i);
      if (random_.chance(0.3)) std::reverse(who.begin(), who.end());
      give(who, n, random_.chance(0.2));
      if (random_.chance(0.5)) something();
      most_batched_ = std::max(most_batched_, batcher_.batched());
    }
    for (std::size_t i = 0; i < callers_.size(); ++i) check_state(i);
    for (Caller& caller : callers_) {
      if (batched) batcher_.leave(caller.handle);
      check_rest(caller, false);
    }
    if (batcher_.batched() != 0) FAIL("columns are taken after all have left");
  }
  /// Streams in columns at a time, so far.
  Index most_batched() const noexcept { return most_batched_; }

 private:
  struct Caller {
    es::StreamHandle handle;
    es::Stream<Net> alone;
  };

  template <class F>
  auto with(Caller& caller, F&& f) {
    return batched_ ? batcher_.with(caller.handle, f) : pool_.with(worker_, caller.handle, f);
  }
  static Index frames_due(const es::Stream<Net>& stream, Index n, bool ended) {
    return static_cast<Index>(stream.outputs_after(stream.frames_seen() + n, ended) - stream.outputs_after(stream.frames_seen()));
  }

  void give(const std::vector<std::size_t>& who, Index n, bool different) {
    const es::FrameShape in = pool_.in_shape(), out = pool_.out_shape();
    const std::size_t jobs = who.size();
    std::vector<std::vector<T>> x(jobs), y(jobs), expected(jobs);
    std::vector<Index> written(jobs);
    std::vector<Job> all(jobs);
    for (std::size_t j = 0; j < jobs; ++j) {
      Caller& caller = callers_[who[j]];
      const Index count = different && random_.chance(0.3) ? random_.integer(0, 5) : n;
      const Index room = random_.chance(0.5) ? frames_due(caller.alone, count, false) : pool_.max_outputs(count);
      x[j] = random_values<T>(count * in.size(), random_);
      y[j].assign(static_cast<std::size_t>(room * out.size() + guard), T(-77));
      expected[j] = y[j];
      const es::Frames<const T> from(x[j].data(), in, count);
      written[j] = caller.alone.process(from, es::Frames<T>(expected[j].data(), out, room));
      all[j] = {caller.handle, from, es::Frames<T>(y[j].data(), out, room)};
    }
    std::int64_t allocations = 0;
    {
      const NoAllocation none;
      if (batched_)
        batcher_.process(all);
      else
        for (Job& job : all) job.written = pool_.process(worker_, job.stream, job.x, job.y);
      allocations = none.count();
    }
    if (allocations != 0) FAIL("process allocates");
    for (std::size_t j = 0; j < jobs; ++j) {
      INFO("stream " << who[j] << " with " << all[j].x.count << " frames after " << callers_[who[j]].alone.frames_seen() - all[j].x.count);
      if (all[j].written != written[j]) FAIL("it gives " << all[j].written << " frames, alone " << written[j]);
      if (std::memcmp(y[j].data(), expected[j].data(), y[j].size() * sizeof(T)) != 0) FAIL("it gives something else than alone");
    }
  }
  void check_rest(Caller& caller, bool batched) {
    const es::FrameShape out = pool_.out_shape();
    const Index room = frames_due(caller.alone, 0, true);
    std::vector<T> y(static_cast<std::size_t>(room * out.size())), expected(y);
    const es::Frames<T> to(y.data(), out, room);
    std::int64_t allocations = 0;
    Index written = 0;
    {
      const NoAllocation none;
      written = batched ? batcher_.flush(caller.handle, to) : pool_.flush(worker_, caller.handle, to);
      allocations = none.count();
    }
    if (allocations != 0) FAIL("flush allocates");
    if (written != caller.alone.flush(es::Frames<T>(expected.data(), out, room))) FAIL("the flush gives another count than alone");
    if (written > 0 && std::memcmp(y.data(), expected.data(), y.size() * sizeof(T)) != 0) FAIL("the flush gives something else than alone");
  }
  void check_state(std::size_t i) {
    INFO("the state of stream " << i);
    Caller& caller = callers_[i];
    const Index seen = batched_ ? batcher_.frames_seen(caller.handle) : pool_.frames_seen(caller.handle);
    if (seen != caller.alone.frames_seen()) FAIL("it has seen other frames than alone");
    const es::State state = batched_ ? batcher_.get_state(caller.handle) : pool_.get_state(worker_, caller.handle);
    if (!(state == caller.alone.get_state())) FAIL("it differs from that of the stream alone");
  }

  // To one stream, while the others are in the middle of their signals.
  void something() {
    const std::size_t i = static_cast<std::size_t>(random_.integer(0, static_cast<Index>(callers_.size()) - 1));
    Caller& caller = callers_[i];
    Caller& other = callers_[(i + 1) % callers_.size()];
    switch (random_.integer(0, 6)) {
      case 0:
        check_state(i);
        break;
      case 1:
        check_rest(caller, batched_);
        break;
      case 2:
        caller.alone.reset();
        if (batched_)
          batcher_.reset(caller.handle);
        else
          pool_.reset(caller.handle);
        break;
      case 3: {  // from a stream that is alone
        const es::State state = other.alone.get_state();
        caller.alone.set_state(state);
        with(caller, [&](es::Stream<Net>& stream) { stream.set_state(state); });
        break;
      }
      case 4:  // another one in its place
        if (batched_) batcher_.leave(caller.handle);
        pool_.close(caller.handle);
        if (pool_.is_open(caller.handle)) FAIL("a stream that was closed is open");
        caller = {pool_.open(), pool_.fresh()};
        if (batched_) batcher_.join(caller.handle);
        break;
      case 5:  // a while alone, and a fork
        if (batched_) batcher_.leave(caller.handle), batcher_.leave(other.handle);
        pool_.copy(caller.handle, other.handle);
        other.alone = caller.alone;
        if (batched_) batcher_.join(caller.handle), batcher_.join(other.handle);
        break;
      default: {
        const Index n = random_.integer(0, 9);
        std::vector<T> x = random_values<T>(n * pool_.in_shape().size(), random_);
        std::vector<T> y(static_cast<std::size_t>((pool_.max_outputs(n) + pool_.max_flush()) * pool_.out_shape().size())), z(y);
        const es::Frames<const T> from(x.data(), pool_.in_shape(), n);
        const auto run = [&](es::Stream<Net>& stream, std::vector<T>& to) {
          return stream.process(from, es::Frames<T>(to.data(), pool_.out_shape(), pool_.max_outputs(n) + pool_.max_flush()), es::final);
        };
        if (with(caller, [&](es::Stream<Net>& stream) { return run(stream, y); }) != run(caller.alone, z) ||
            std::memcmp(y.data(), z.data(), y.size() * sizeof(T)) != 0)
          FAIL("the last chunk gives something else than alone");
      }
    }
  }

  static constexpr Index guard = 16;
  Random random_;
  es::StreamPool<Net> pool_;
  typename es::StreamPool<Net>::Worker worker_;
  es::Batcher<Net> batcher_;
  std::vector<Caller> callers_;
  bool batched_ = false;
  Index most_batched_ = 0;
};

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SERVE_TRAFFIC_HPP
