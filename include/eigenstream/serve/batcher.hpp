#ifndef EIGENSTREAM_SERVE_BATCHER_HPP
#define EIGENSTREAM_SERVE_BATCHER_HPP

#include <algorithm>  // clamp, max, min
#include <cstring>    // memcpy
#include <memory>     // shared_ptr
#include <span>       // jobs
#include <type_traits>  // has_unique_object_representations
#include <vector>     // groups

#include "eigenstream/core/scratch.hpp"
#include "eigenstream/serve/stream_pool.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Frames for one stream, and where its outputs go.
template <class T>
struct BatchJob {
  StreamHandle stream;
  Frames<const T> x;
  Frames<T> y;
  Index written = 0;  ///< frames of y, from process()
};

struct BatcherOptions {
  Index columns = 32;  ///< streams in a group, which step as one
  Index groups = 8;    ///< as many times `columns` streams are in batches at most; the others run one by one
  Index frames = 16;   ///< that are gathered at a time; a longer chunk goes in pieces
};

/// Streams of a pool that step together. Those that have frames at the same time, and equally many, are columns of one call: the
/// weights are read once for all of them. What each gives is bit for bit what it gives alone.
///   es::Batcher batcher(pool);                     one for each thread; the streams of a call are one batcher's
///   batcher.join(call);                            from now on the pool leaves the stream to the batcher
///   std::vector<es::BatchJob<float>> jobs;         whoever has frames: {stream, x, y}
///   batcher.process(jobs);                         jobs[i].written frames are in jobs[i].y
///   batcher.with(call, [&](auto& stream) { ... }); one by itself: flush, reset, save, load, knobs
/// A stream that steps with its group again and again lives in a column of the group's batch, where nothing is moved for it but
/// its frames. One that has none while the others do does not advance: it goes back to its place in the pool, and into a column
/// when it comes again, which copies its state once each. A group that has no frames at all is not touched. So streams that come
/// in turns find themselves in groups of their own after a call or two, if there are enough groups. Where fewer than a quarter of
/// the columns would be used, streams run one by one, as StreamPool runs them; two groups that fit into one become one.
/// Streams of a group go on alike: they stand at the same place of every stride, and are over what is special at the start of a
/// signal, or at the same frame of it. Attention with rotary positions knows how many frames came, so that only streams that
/// began together fit. A network that has a Conditional decides stream by stream, and is refused.
/// Shapes   x, y: those of a Stream of batch 1. Of a network of several outputs, y is the main one
/// Errors   Error if a stream is not the batcher's, or there twice, and those of Stream::process for each job; nothing has
///          changed then. process() allocates and locks nothing
template <Layer Net>
class Batcher {
 public:
  using Scalar = typename Net::Scalar;
  using T = Scalar;
  using Job = BatchJob<T>;

  /// The pool must outlive the batcher.
  explicit Batcher(StreamPool<Net>& pool, BatcherOptions options = {})
      : pool_(pool), options_(options), worker_(pool.worker()), map_(pool.map_) {
    check(options.columns >= 2 && options.columns <= most_columns, "Batcher: ", options.columns, " columns, must be from 2 to ",
          most_columns);
    check(options.groups >= 1 && options.groups <= most_columns, "Batcher: ", options.groups, " groups, must be from 1 to ",
          most_columns);
    check(options.frames >= 1 && options.frames <= most_columns, "Batcher: ", options.frames,
          " frames at a time, must be from 1 to ", most_columns);
    check(pool.fresh_.inputs() == 1, "Batcher: a network of ", pool.fresh_.inputs(), " inputs; StreamPool::with can run it");
    least_ = std::max<Index>(2, options.columns / 4);
    in_ = pool.in_shape(), out_ = pool.out_shape();
    const FrameShape in = pool.in_shape().with_batch(options.columns);
    const auto scratch = std::make_shared<Scratch>();
    const Stream<Net> fresh(pool.fresh_.share(), {.channels = in.channels, .batch = in.batch, .width = in.width,
                                                  .height = in.height, .scratch = scratch});
    map_ = StreamPool<Net>::map_of(fresh);
    check(map_.separable() && map_.packed_bytes() == pool.map_.packed_bytes(),
          "Batcher: a layer's state cannot be told apart by streams, or decides by what their frames hold (Conditional); run "
          "them one by one, by the pool");
    groups_.assign(static_cast<std::size_t>(options.groups), Group{fresh});
    columns_.resize(static_cast<std::size_t>(options.groups * options.columns));
    x_.resize(static_cast<std::size_t>(options.frames * in.size()));
    room_ = pool.max_outputs(options.frames);
    y_.resize(static_cast<std::size_t>(room_ * out_.size() * options.columns));
    scratch_bytes_ = scratch->bytes();
  }
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;
  /// Its streams are the pool's again.
  ~Batcher() {
    for (Index i = 0; i < pool_.capacity(); ++i)
      if (Slot& slot = pool_.slot_at(static_cast<std::uint32_t>(i)); is_ours(slot)) release(slot);
  }

  /// Streams in columns at the moment.
  Index batched() const noexcept {
    Index all = 0;
    for (const Group& group : groups_) all += group.members;
    return all;
  }
  /// Groups that have streams: calls in which all of them step.
  Index groups() const noexcept {
    Index all = 0;
    for (const Group& group : groups_) all += group.members > 0;
    return all;
  }
  /// Bytes that it occupies, beside the streams in the pool.
  Index memory_bytes() const noexcept {
    const std::size_t bytes = (x_.size() + y_.size()) * sizeof(T) + columns_.size() * sizeof(Column);
    Index all = static_cast<Index>(bytes) + scratch_bytes_ + worker_.bytes();
    for (const Group& group : groups_) all += group.stream.memory_bytes();
    return all;
  }

  /// Takes a stream from the pool. Errors   Error if it is not open, or another batcher has it
  void join(StreamHandle handle) {
    Slot& slot = pool_.slot_of(handle);
    if (!is_ours(slot)) pool_.own_slot(handle).batcher.store(this, std::memory_order_relaxed);
  }
  /// Gives it back.
  void leave(StreamHandle handle) { release(slot_of(handle)); }
  bool has(StreamHandle handle) const noexcept { return pool_.is_open(handle) && is_ours(pool_.slot_at(handle.number)); }

  /// Calls f with one of the streams by itself, as StreamPool::with.
  template <class F>
  auto with(StreamHandle handle, F&& f) {
    Slot& slot = slot_of(handle);
    settle(slot);
    return pool_.seat(worker_, slot, std::forward<F>(f));
  }
  /// The rest of the signal of one of the streams, which starts anew.
  Index flush(StreamHandle handle, Frames<T> y) {
    return with(handle, [&](Stream<Net>& stream) { return stream.flush(y); });
  }
  void reset(StreamHandle handle) {
    Slot& slot = slot_of(handle);
    settle(slot);
    pool_.start(slot);
  }
  State get_state(StreamHandle handle) {
    return with(handle, [](const Stream<Net>& stream) { return stream.get_state(); });
  }
  void set_state(StreamHandle handle, const State& state) {
    with(handle, [&](Stream<Net>& stream) { stream.set_state(state); });
  }
  Time frames_seen(StreamHandle handle) const { return slot_of(handle).seen; }

  /// Each stream takes its x and writes what is ready to its y.
  void process(std::span<Job> jobs) {
    if (jobs.empty()) return;
    take(jobs);
    for (Group& group : groups_)
      if (group.wanted) decide(group);
    merge();
    if (waiting_ > 0) find_columns(jobs);
    for (Group& group : groups_)
      if (group.active) step(group);
    if (waiting_ > 0) run_others(jobs);
    noted_ = false;
  }

 private:
  using Slot = typename StreamPool<Net>::Slot;
  struct Group {
    Stream<Net> stream;
    Index members = 0;
    bool wanted = false;  // some member has frames in this call
    bool active = false;  // and the group steps
    Index count = 0;      // of frames, of each that steps
  };
  struct Column {
    Slot* slot = nullptr;  // of the stream that is there
    Job* job = nullptr;    // what it has in this call
  };
  static constexpr std::int32_t outside = StreamPool<Net>::outside;
  static constexpr Index most_columns = 4096;

  bool is_ours(const Slot& slot) const noexcept { return slot.batcher.load(std::memory_order_relaxed) == this; }
  EIGENSTREAM_ALWAYS_INLINE Slot& slot_of(StreamHandle handle) const {
    Slot& slot = pool_.slot_of(handle);
    if (!is_ours(slot)) [[unlikely]]
      fail("Batcher: stream ", handle.number, " has not joined");
    return slot;
  }
  Index number_of(const Group& group) const noexcept { return &group - groups_.data(); }
  std::span<Column> columns_of(const Group& group) noexcept {
    return std::span(columns_).subspan(static_cast<std::size_t>(number_of(group) * options_.columns),
                                       static_cast<std::size_t>(options_.columns));
  }
  Column& column_of(const Slot& slot) noexcept {
    return columns_[static_cast<std::size_t>(slot.group * options_.columns + slot.column)];
  }
  static std::byte* block(const Group& group) noexcept { return StreamPool<Net>::block(group.stream); }
  Slot& slot_of(const Job& job) const noexcept { return pool_.slot_at(job.stream.number); }
  // Not in a column, and not yet served: nothing was written, not even 0 frames.
  static constexpr Index not_yet = -1;

  // In one comparison.
  static EIGENSTREAM_ALWAYS_INLINE bool same(const FrameShape& a, const FrameShape& b) noexcept {
    static_assert(std::has_unique_object_representations_v<FrameShape>);
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
  // Checks all jobs, and notes which columns have frames.
  void take(std::span<Job> jobs) {
    // What was noted for the call before has been cleared away, unless that threw an Error.
    if (noted_)
      for (Column& column : columns_) column.job = nullptr;
    noted_ = true;
    for (Group& group : groups_) group.wanted = group.active = false;
    waiting_ = 0, ++call_;
    Index count = -1, most = 0;
    for (Job& job : jobs) {
      Slot& slot = slot_of(job.stream);
      if (slot.call == call_) [[unlikely]]
        fail("Batcher: stream ", job.stream.number, " is there twice");
      if (!same(job.x.shape(), in_) || !same(job.y.shape(), out_) || job.x.count < 0) [[unlikely]]
        refuse(job);
      if (job.x.count != count) count = job.x.count, most = pool_.max_outputs(count);
      if (job.y.count < most) check_exact_room(job, slot);
      slot.call = call_;
      job.written = 0;
      if (count == 0) continue;
      if (slot.group == outside) {
        job.written = not_yet, ++waiting_;
        continue;
      }
      column_of(slot).job = &job;
      groups_[static_cast<std::size_t>(slot.group)].wanted = true;
    }
  }
  EIGENSTREAM_NO_INLINE void refuse(const Job& job) const {
    const auto check_shape = [&](const char* what, const FrameShape& given, const FrameShape& wanted) {
      check(same_layout(given, wanted), "Batcher: ", what, " of ", given, " for stream ", job.stream.number, "; it has ", wanted);
    };
    check_shape("input", job.x.shape(), in_);
    check_shape("output", job.y.shape(), out_);
    check(job.x.count >= 0, "Batcher: input of ", job.x.count, " frames, must not be negative");
  }
  EIGENSTREAM_NO_INLINE void check_exact_room(const Job& job, const Slot& slot) const {
    const Timing& timing = pool_.fresh_.timing();
    const Time wanted = timing.outputs_after(slot.seen + job.x.count) - timing.outputs_after(slot.seen);
    check(job.y.count >= wanted, "Batcher: room for ", job.y.count, " frames of stream ", job.stream.number, " where ", wanted,
          " will come");
  }

  // Whether a group steps in this call, by as many frames as the first of its streams has; who does not step with it leaves its
  // column.
  void decide(Group& group) noexcept {
    const std::span<Column> columns = columns_of(group);
    const auto count_of = [](const Column& column) { return column.job != nullptr ? column.job->x.count : 0; };
    const Column* first = columns.data();
    while (first->job == nullptr) ++first;
    group.count = count_of(*first);
    Index stay = 0;
    for (const Column& column : columns) stay += count_of(column) == group.count;
    group.active = stay >= least_;
    if (group.active && stay == group.members) return;
    for (Column& column : columns) {
      if (column.slot == nullptr || (group.active ? count_of(column) == group.count : column.job == nullptr)) continue;
      if (column.job != nullptr)
        wait(column);
      else
        settle(*column.slot);
    }
  }
  // A group that is at most half full leaves its columns for those of another one, where there are enough: one in each call.
  void merge() noexcept {
    for (Group& group : groups_) {
      if (!group.active || 2 * group.members > options_.columns) continue;
      for (const Group& other : groups_) {
        if (&other == &group || !other.active || other.count != group.count ||
            other.members + group.members > options_.columns || !alike(group, other))
          continue;
        for (Column& column : columns_of(group))
          if (column.slot != nullptr) wait(column);
        group.active = false;
        return;
      }
    }
  }
  // The stream of a column that has a job leaves it, and looks for another one.
  void wait(Column& column) noexcept {
    column.job->written = not_yet, ++waiting_, column.job = nullptr;
    settle(*column.slot);
  }
  bool alike(const Group& group, const Group& other) const noexcept {
    for (const StateMap::Count& count : map_.counts())
      if (!count.alike(StateMap::get(count, block(group)), StateMap::get(count, block(other)))) return false;
    return true;
  }
  // Columns for those that have none: beside others that go on alike, or in a group of their own.
  void find_columns(std::span<Job> jobs) {
    for (Job& job : jobs) {
      if (job.written != not_yet) continue;
      for (Group& group : groups_)
        if (group.active && group.members < options_.columns && group.count == job.x.count && fits(slot_of(job), group)) {
          enter(job, group);
          break;
        }
    }
    // Each call looks at some only, and begins at another one, so that its time does not grow with the square of their number.
    Index tries = 4 * options_.groups;
    for (Group& group : groups_) {
      if (group.members > 0) continue;
      for (; waiting_ >= least_ && tries > 0; --tries) {
        Job& first = jobs[next_++ % jobs.size()];
        if (first.written != not_yet || alike(jobs, first) < least_) continue;
        group.active = true, group.count = first.x.count;
        enter(first, group);
        for (Job& job : jobs)
          if (group.members < options_.columns && job.written == not_yet && job.x.count == group.count && fits(slot_of(job), group))
            enter(job, group);
        break;
      }
    }
  }
  // How many of those that wait would step as one with this one; only as far as it matters.
  Index alike(std::span<const Job> jobs, const Job& first) const noexcept {
    const std::byte* own = slot_of(first).packed();
    Index all = 0;
    for (const Job& job : jobs) {
      if (all == least_) break;
      if (job.written != not_yet || job.x.count != first.x.count) continue;
      const std::byte* other = slot_of(job).packed();
      bool same = true;
      for (const StateMap::Count& count : map_.counts())
        same = same && count.alike(StateMap::get_packed(count, own), StateMap::get_packed(count, other));
      all += same;
    }
    return all;
  }
  bool fits(const Slot& slot, const Group& group) const noexcept {
    for (const StateMap::Count& count : map_.counts())
      if (!count.alike(StateMap::get_packed(count, slot.packed()), StateMap::get(count, block(group)))) return false;
    return true;
  }

  // A stream into a column. There, its place in the pool keeps by how much its counts are ahead of the group's.
  void enter(Job& job, Group& group) noexcept {
    Slot& slot = slot_of(job);
    std::span<Column> columns = columns_of(group);
    if (group.members == 0) {
      for (const StateMap::Count& count : map_.counts())
        StateMap::set(count, block(group), StateMap::get_packed(count, slot.packed()));
      detail::StreamMemory::seen(group.stream) = slot.seen;
    }
    Index at = 0;
    while (columns[static_cast<std::size_t>(at)].slot != nullptr) ++at;
    map_.put_entry(slot.packed(), block(group), at);
    for (const StateMap::Count& count : map_.counts())
      StateMap::set_packed(count, slot.packed(),
                           StateMap::get_packed(count, slot.packed()) - StateMap::get(count, block(group)));
    columns[static_cast<std::size_t>(at)] = {&slot, &job};
    slot.group = static_cast<std::int32_t>(number_of(group)), slot.column = static_cast<std::int32_t>(at);
    ++group.members;
    job.written = 0, --waiting_;
  }
  // And back to its place.
  void settle(Slot& slot) noexcept {
    if (slot.group == outside) return;
    Group& group = groups_[static_cast<std::size_t>(slot.group)];
    map_.lift_entry(block(group), slot.column, slot.packed());
    for (const StateMap::Count& count : map_.counts())
      StateMap::set_packed(count, slot.packed(),
                           StateMap::get_packed(count, slot.packed()) + StateMap::get(count, block(group)));
    column_of(slot).slot = nullptr;
    slot.group = outside;
    --group.members;
  }
  void release(Slot& slot) noexcept {
    settle(slot);
    slot.batcher.store(nullptr, std::memory_order_relaxed);
  }

  // All of a group that are in their columns, in one call for each piece of their chunks.
  void step(Group& group) noexcept {
    const std::span<Column> columns = columns_of(group);
    const Index in = in_.size(), out = out_.size(), batch = options_.columns;
    Index written = 0;
    for (Index at = 0; at < group.count; at += options_.frames) {
      const Index n = std::min(options_.frames, group.count - at);
      T* x = x_.data();
      for (const Column& column : columns) {
        if (column.job != nullptr) copy(column.job->x.data + at * in, n, in, in, x, batch * in);
        x += in;
      }
      const Index ready = group.stream.process(Frames<const T>(x_.data(), in_.with_batch(batch), n),
                                               Frames<T>(y_.data(), out_.with_batch(batch), room_));
      const bool last = at + n == group.count;
      const T* y = y_.data();
      for (Column& column : columns) {
        if (column.job != nullptr) {
          copy(y, ready, out, batch * out, column.job->y.data + written * out, out);
          if (last) {
            column.job->written = written + ready;
            column.slot->seen += group.count;
            column.job = nullptr;
          }
        }
        y += out;
      }
      written += ready;
    }
  }
  // n frames, from one to the next so far apart.
  static EIGENSTREAM_ALWAYS_INLINE void copy(const T* from, Index n, Index size, Index from_step, T* to, Index to_step) noexcept {
    for (; n > 0; --n, from += from_step, to += to_step)
      detail::copy_few(reinterpret_cast<const std::byte*>(from), size * static_cast<Index>(sizeof(T)), reinterpret_cast<std::byte*>(to));
  }
  // Those that found no column, one by one.
  void run_others(std::span<Job> jobs) {
    for (Job& job : jobs)
      if (job.written == not_yet)
        job.written = pool_.seat(worker_, slot_of(job), [&](Stream<Net>& stream) { return stream.process(job.x, job.y); });
  }

  StreamPool<Net>& pool_;
  BatcherOptions options_;
  typename StreamPool<Net>::Worker worker_;
  StateMap map_;
  FrameShape in_, out_;  // of one stream
  Index least_ = 2;       // streams that are worth a group's call
  Index room_ = 0, scratch_bytes_ = 0;
  std::vector<Group> groups_;
  std::vector<Column> columns_;  // of all groups
  std::vector<T> x_, y_;         // of a group
  std::uint64_t call_ = 0;
  std::size_t next_ = 0;  // job for which a group is looked for
  Index waiting_ = 0;     // jobs that are not in a column
  bool noted_ = false;    // that columns have jobs
};

template <Layer Net>
Batcher(StreamPool<Net>&, BatcherOptions) -> Batcher<Net>;

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_SERVE_BATCHER_HPP
