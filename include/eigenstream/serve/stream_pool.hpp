#ifndef EIGENSTREAM_SERVE_STREAM_POOL_HPP
#define EIGENSTREAM_SERVE_STREAM_POOL_HPP

#include <atomic>       // free list
#include <cstdint>      // handles
#include <cstring>      // memcpy
#include <limits>       // numeric_limits
#include <memory>       // shared_ptr
#include <new>          // placement
#include <type_traits>  // is_void
#include <utility>      // forward
#include <vector>       // slabs

#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/state_map.hpp"
#include "eigenstream/stream/stream.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A stream of a pool. Of one that was closed, the handle stays invalid, also when its place is taken by another. One that was
/// not given by open() is no stream's.
struct StreamHandle {
  std::uint32_t number = 0, generation = 0;
  friend bool operator==(const StreamHandle&, const StreamHandle&) = default;
};

struct StreamPoolOptions {
  Index streams = 0;         ///< that there is room for from the start
  Index channels = Dynamic;  ///< of the input; needed only if the network takes any number
  Index width = Dynamic;     ///< space axes of the input's frames; 1 if the network does not say either
  Index height = Dynamic;
};

template <Layer Net>
class Batcher;

/// Many streams of one network, for programs that serve thousands: each of them is a place in a slab that holds what Stream would
/// save, and little more; whoever has frames for it unpacks it into a Worker, of which there is one for each thread.
///   es::StreamPool pool(net, {.streams = 1000});
///   auto worker = pool.worker();
///   const es::StreamHandle call = pool.open();
///   pool.process(worker, call, x, y);            as Stream::process, bit for bit
///   pool.with(worker, call, [&](auto& stream) { ... });   whatever a Stream can do
/// Unpacking and packing costs as much as copying the state twice. That is little beside a block of frames; where the state is
/// large and frames come one by one, a Batcher copies nothing, nor do Streams that share a Scratch.
/// Several threads may use a pool at a time: each a worker of its own and other streams than the others. open() and close() may
/// be called by any of them at any time; reserve() only while no other thread uses the pool.
/// Shapes   those of a Stream of batch 1
/// Errors   Error if a stream is not open (or was closed), if all are and one more is wanted, and those of Stream; nothing has
///          changed then. But for reserve() and what makes a State, nothing allocates or locks
template <Layer Net>
class StreamPool {
 public:
  using Scalar = typename Net::Scalar;
  using T = Scalar;

  /// The memory in which streams work, for one thread at a time.
  class Worker {
   public:
    /// Bytes that it occupies.
    Index bytes() const noexcept { return stream_.memory_bytes(); }

   private:
    friend class StreamPool;
    friend class Batcher<Net>;
    explicit Worker(const StreamPool& pool) : pool_(&pool), stream_(pool.fresh_) {}
    const StreamPool* pool_;
    Stream<Net> stream_;
  };

  explicit StreamPool(Net net, StreamPoolOptions options = {})
      : StreamPool(std::make_shared<const Net>(std::move(net)), options) {}
  explicit StreamPool(std::shared_ptr<const Net> net, StreamPoolOptions options = {})
      : fresh_(std::move(net), {.channels = options.channels, .width = options.width, .height = options.height}),
        map_(map_of(fresh_)) {
    check(map_.saved_bytes() == fresh_.state_bytes(), "StreamPool: a layer's exchange writes ", fresh_.state_bytes(),
          " bytes, but notes ", map_.saved_bytes());
    stride_ = aligned_bytes(static_cast<Index>(sizeof(Slot)) + map_.packed_bytes());
    initial_.resize(static_cast<std::size_t>(map_.packed_bytes()));
    map_.lift(block(fresh_), initial_.data());
    check(options.streams >= 0, "StreamPool: room for ", options.streams, " streams");
    reserve(options.streams);
  }
  StreamPool(const StreamPool&) = delete;
  StreamPool& operator=(const StreamPool&) = delete;

  // What is the same for all streams.

  /// A stream that nothing was given to: to ask for shapes, timing, rooms.
  const Stream<Net>& fresh() const noexcept { return fresh_; }
  FrameShape in_shape() const noexcept { return fresh_.in_shape(); }
  FrameShape out_shape() const noexcept { return fresh_.out_shape(); }
  Index max_outputs(Index n) const noexcept { return fresh_.max_outputs(n); }
  Index max_flush() const noexcept { return fresh_.max_flush(); }
  /// Bytes that a stream remembers, as Stream::state_bytes, and that it occupies in the pool.
  Index state_bytes() const noexcept { return fresh_.state_bytes(); }
  Index bytes_per_stream() const noexcept { return stride_; }
  /// Streams that there is room for, and that are open.
  Index capacity() const noexcept { return capacity_; }
  Index size() const noexcept { return open_.load(std::memory_order_relaxed); }

  /// Makes room for that many streams in all; those that are open stay where they are.
  /// Errors   Error if they are more than 2^31
  void reserve(Index streams) {
    check(streams <= most_streams, "StreamPool: room for ", streams, " streams, at most ", most_streams);
    const Index more = streams - capacity_;
    if (more <= 0) return;
    check(more <= std::numeric_limits<Index>::max() / stride_, "StreamPool: ", more, " streams of ", stride_,
          " bytes are more than there can be memory");
    slabs_.push_back({StateBlock(more * stride_, FrameShape()), streams});
    for (Index i = 0; i < more; ++i) new (slabs_.back().memory.ref().data + i * stride_) Slot;
    capacity_ = streams;
    for (Index i = streams; i-- > streams - more;) give_back(static_cast<std::uint32_t>(i));
  }
  Worker worker() const { return Worker(*this); }

  // A stream's life.

  /// A new stream, at the start of its signal.
  /// Errors   Error if all that there is room for are open
  StreamHandle open() {
    const std::uint32_t number = take();
    check(number != none, "StreamPool: all ", capacity_, " streams are open; reserve() more");
    Slot& slot = slot_at(number);
    start(slot);
    open_.fetch_add(1, std::memory_order_relaxed);
    return {number, slot.generation.fetch_add(1, std::memory_order_release) + 1};
  }
  /// Another one that goes on from where this one is.
  StreamHandle fork(StreamHandle handle) {
    const Slot& from = own_slot(handle);
    const StreamHandle to = open();
    copy(from, slot_at(to.number));
    return to;
  }
  void close(StreamHandle handle) {
    Slot& slot = own_slot(handle);
    slot.generation.fetch_add(1, std::memory_order_release);
    open_.fetch_sub(1, std::memory_order_relaxed);
    give_back(handle.number);
  }
  bool is_open(StreamHandle handle) const noexcept { return find(handle) != nullptr; }
  /// Back to the start of a signal, without output.
  void reset(StreamHandle handle) { start(own_slot(handle)); }
  /// `to` goes on from where `from` is.
  void copy(StreamHandle from, StreamHandle to) { copy(own_slot(from), own_slot(to)); }
  Time frames_seen(StreamHandle handle) const { return slot_of(handle).seen; }

  // Its work.

  /// Calls f with the stream as a Stream of the worker's, and keeps what became of it, unless f throws: tensors, several inputs
  /// and outputs, knobs. Returns what f does.
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE auto with(Worker& worker, StreamHandle handle, F&& f) {
    if (worker.pool_ != this) [[unlikely]]
      fail("StreamPool: the worker is another pool's");
    return seat(worker, own_slot(handle), std::forward<F>(f));
  }
  /// As Stream::process: takes x, writes what is ready to y, returns how many frames that is.
  EIGENSTREAM_ALWAYS_INLINE Index process(Worker& worker, StreamHandle handle, Frames<const T> x, Frames<T> y) {
    return with(worker, handle, [&](Stream<Net>& stream) EIGENSTREAM_INLINE_LAMBDA { return stream.process(x, y); });
  }
  /// The same for the last chunk: also writes the rest, and starts anew.
  Index process(Worker& worker, StreamHandle handle, Frames<const T> x, Frames<T> y, Final) {
    return with(worker, handle, [&](Stream<Net>& stream) { return stream.process(x, y, final); });
  }
  /// The rest of the signal; the stream starts anew.
  Index flush(Worker& worker, StreamHandle handle, Frames<T> y) {
    return with(worker, handle, [&](Stream<Net>& stream) { return stream.flush(y); });
  }
  /// What Stream::get_state gives and Stream::set_state takes.
  State get_state(Worker& worker, StreamHandle handle) {
    return with(worker, handle, [](const Stream<Net>& stream) { return stream.get_state(); });
  }
  void set_state(Worker& worker, StreamHandle handle, const State& state) {
    with(worker, handle, [&](Stream<Net>& stream) { stream.set_state(state); });
  }

 private:
  friend class Batcher<Net>;

  static constexpr std::int32_t outside = -1;

  // In front of what a stream remembers.
  struct alignas(8) Slot {
    std::atomic<std::uint32_t> generation = 0;  // odd while it is open
    std::atomic<std::uint32_t> next = none;     // free one
    std::atomic<const void*> batcher = nullptr;  // which has it, and may have it in a column
    Time seen = 0;
    std::uint64_t call = 0;  // the batcher's last one in which it was
    std::int32_t group = outside, column = 0;  // of the batcher's

    std::byte* packed() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
    const std::byte* packed() const noexcept { return reinterpret_cast<const std::byte*>(this + 1); }
  };
  struct Slab {
    StateBlock memory;
    Index end;  // one past the number of its last slot
  };
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
  static constexpr Index most_streams = std::numeric_limits<std::int32_t>::max();
  static_assert(sizeof(Slot) <= 64);

  static std::byte* block(const Stream<Net>& stream) noexcept { return detail::StreamMemory::state(stream).data; }
  static StateMap map_of(const Stream<Net>& stream) {
    StateMap map(stream.in_shape().batch);
    StateCodec mapper = StateCodec::mapper(map, block(stream));
    stream.net().exchange(detail::StreamMemory::state(stream), mapper);
    map.finish();
    return map;
  }

  EIGENSTREAM_ALWAYS_INLINE Slot& slot_at(std::uint32_t number) const noexcept {
    const Slab* slab = slabs_.data();
    Index begin = 0;
    const Index at = static_cast<Index>(number);
    while (at >= slab->end) begin = slab++->end;
    return *reinterpret_cast<Slot*>(slab->memory.ref().data + (at - begin) * stride_);
  }
  EIGENSTREAM_ALWAYS_INLINE Slot* find(StreamHandle handle) const noexcept {
    if (Time{handle.number} >= capacity_ || handle.generation % 2 == 0) return nullptr;
    Slot& slot = slot_at(handle.number);
    return slot.generation.load(std::memory_order_acquire) == handle.generation ? &slot : nullptr;
  }
  EIGENSTREAM_ALWAYS_INLINE Slot& slot_of(StreamHandle handle) const {
    Slot* slot = find(handle);
    if (slot == nullptr) [[unlikely]]
      refuse(handle);
    return *slot;
  }
  // Of a stream that no batcher has.
  EIGENSTREAM_ALWAYS_INLINE Slot& own_slot(StreamHandle handle) const {
    Slot& slot = slot_of(handle);
    if (slot.batcher.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
      fail("StreamPool: stream ", handle.number, " is a Batcher's; ask that, or let the stream leave it");
    return slot;
  }
  [[noreturn]] EIGENSTREAM_NO_INLINE void refuse(StreamHandle handle) const {
    if (handle.generation % 2 == 0) fail("StreamPool: the handle is no stream's");
    if (Time{handle.number} >= capacity_)
      fail("StreamPool: there is no stream ", handle.number, "; there is room for ", capacity_);
    fail("StreamPool: stream ", handle.number, " was closed");
  }

  void start(Slot& slot) const noexcept {
    slot.seen = 0;
    if (!initial_.empty()) std::memcpy(slot.packed(), initial_.data(), initial_.size());
  }
  void copy(const Slot& from, Slot& to) const noexcept {
    if (&from == &to) return;
    to.seen = from.seen;
    if (!initial_.empty()) std::memcpy(to.packed(), from.packed(), initial_.size());
  }
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE auto seat(Worker& worker, Slot& slot, F&& f) const {
    Stream<Net>& stream = worker.stream_;
    map_.put(slot.packed(), block(stream));
    detail::StreamMemory::seen(stream) = slot.seen;
    const auto keep = [&]() EIGENSTREAM_INLINE_LAMBDA {
      map_.lift(block(stream), slot.packed());
      slot.seen = detail::StreamMemory::seen(stream);
    };
    if constexpr (std::is_void_v<std::invoke_result_t<F, Stream<Net>&>>) {
      f(stream);
      keep();
    } else {
      auto result = f(stream);
      keep();
      return result;
    }
  }

  // Free slots, one behind the other. The head has a number that grows with each change beside the first one's, so that a thread
  // that was overtaken meanwhile notices.
  void give_back(std::uint32_t number) noexcept {
    std::uint64_t head = free_.load(std::memory_order_relaxed);
    do slot_at(number).next.store(static_cast<std::uint32_t>(head), std::memory_order_relaxed);
    while (!free_.compare_exchange_weak(head, next_head(head, number), std::memory_order_release, std::memory_order_relaxed));
  }
  std::uint32_t take() noexcept {
    std::uint64_t head = free_.load(std::memory_order_acquire);
    for (;;) {
      const auto first = static_cast<std::uint32_t>(head);
      if (first == none) return none;
      const std::uint32_t next = slot_at(first).next.load(std::memory_order_relaxed);
      if (free_.compare_exchange_weak(head, next_head(head, next), std::memory_order_acquire, std::memory_order_acquire)) return first;
    }
  }
  static std::uint64_t next_head(std::uint64_t head, std::uint32_t first) noexcept {
    return (((head >> 32) + 1) << 32) | first;
  }

  Stream<Net> fresh_;
  StateMap map_;
  Index stride_ = 0, capacity_ = 0;
  std::vector<std::byte> initial_;  // packed
  std::vector<Slab> slabs_;
  std::atomic<std::uint64_t> free_ = none;
  std::atomic<Index> open_ = 0;
};

template <Layer Net>
StreamPool(Net, StreamPoolOptions) -> StreamPool<Net>;
template <Layer Net>
StreamPool(std::shared_ptr<const Net>, StreamPoolOptions) -> StreamPool<Net>;

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_SERVE_STREAM_POOL_HPP
