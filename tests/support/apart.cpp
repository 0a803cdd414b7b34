#include "support/apart.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"

namespace support {
namespace {

using es::FrameShape;
using es::StateMap;

/// A stream by hand: a block, and what its frames gave.
template <class T>
class Runner {
 public:
  Runner(const es::AnyLayer<T>& net, const FrameShape& in) : net_(&net), in_(in), facts_(net.facts(in)), block_(es::make_state(net, in)) {}

  StateMap map() {
    StateMap map(in_.batch);
    es::StateCodec mapper = es::StateCodec::mapper(map, data());
    net_->exchange(block_.ref(), mapper);
    map.finish();
    return map;
  }
  std::vector<std::byte> saved(es::Time seen) {
    es::StateCodec count;
    net_->exchange(block_.ref(), count);
    std::vector<std::byte> bytes(count.position());
    es::StateCodec writer = es::StateCodec::writer(bytes, seen);
    net_->exchange(block_.ref(), writer);
    if (!writer.good()) FAIL("a layer counts other frames than came");
    return bytes;
  }
  std::byte* data() const { return block_.ref().data; }
  /// Frames from ... from + n - 1 of x, of which `some` come at a time.
  std::vector<T> feed(const std::vector<T>& x, Index from, Index n, Index some) {
    std::vector<T> all;
    for (Index at = 0; at < n; at += some) {
      const Index count = std::min(some, n - at), room = net_->max_outputs(count);
      std::vector<T> y(static_cast<std::size_t>(room * facts_.out.size()));
      const Index written = net_->steps(block_.ref(), es::Frames<const T>(x.data() + (from + at) * in_.size(), in_, count),
                                        es::Frames<T>(y.data(), facts_.out, room));
      all.insert(all.end(), y.begin(), y.begin() + static_cast<std::ptrdiff_t>(written * facts_.out.size()));
    }
    return all;
  }

 private:
  const es::AnyLayer<T>* net_;
  FrameShape in_;
  es::Facts facts_;
  es::StateBlock block_;
};

/// What entry b of a batch has of these frames.
template <class T>
std::vector<T> entry_of(const std::vector<T>& all, Index b, Index batch, Index size) {
  std::vector<T> one;
  for (std::size_t at = static_cast<std::size_t>(b * size); at < all.size(); at += static_cast<std::size_t>(batch * size))
    one.insert(one.end(), all.begin() + static_cast<std::ptrdiff_t>(at), all.begin() + static_cast<std::ptrdiff_t>(at) + size);
  return one;
}
template <class T>
bool equal(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}
std::vector<std::byte> packed_room(const StateMap& map) {
  return std::vector<std::byte>(static_cast<std::size_t>(map.packed_bytes()));
}

constexpr Index length = 96;

template <class T>
void check_packed(const es::AnyLayer<T>& net, const FrameShape& one, Random& random) {
  const std::vector<T> x = random_values<T>(length * one.size(), random), other = random_values<T>(length * one.size(), random);
  for (const Index split : {0, 1, 7, 50}) {
    INFO("packed after " << split << " frames");
    Runner<T> stream(net, one), used(net, one);
    const StateMap map = stream.map();
    stream.feed(x, 0, split, 3);
    used.feed(other, 0, 41, 11);
    std::vector<std::byte> packed = packed_room(map), saved = stream.saved(split);
    map.lift(stream.data(), packed.data());
    if (static_cast<Index>(saved.size()) != map.saved_bytes() || !std::equal(saved.begin(), saved.end(), packed.begin()))
      FAIL("what is packed is not what is saved");
    map.put(packed.data(), used.data());
    if (used.saved(split) != saved) FAIL("what is unpacked is not what was packed");
    if (!equal(used.feed(x, split, length - split, 5), stream.feed(x, split, length - split, 5)))
      FAIL("a stream that was packed goes on otherwise");
  }
}

template <class T>
void check_entries(const es::AnyLayer<T>& net, const FrameShape& one, Index batch, Random& random) {
  const FrameShape in = one.with_batch(batch);
  const std::vector<T> x = random_values<T>(length * in.size(), random), other = random_values<T>(length * in.size(), random);
  const Index out = net.facts(one).out.size();
  for (const Index split : {0, 2, 37}) {
    Runner<T> together(net, in), elsewhere(net, in);
    const StateMap all = together.map();
    if (!all.separable()) return;
    together.feed(x, 0, split, 4);
    elsewhere.feed(other, 0, split, 9);
    std::vector<std::vector<T>> alone;
    for (Index b = 0; b < batch; ++b) {
      INFO("signal " << b << " of a batch of " << batch << " after " << split << " frames");
      const std::vector<T> own = entry_of(x, b, batch, one.size());
      Runner<T> stream(net, one);
      const StateMap single = stream.map();
      stream.feed(own, 0, split, split + 1);
      std::vector<std::byte> packed = packed_room(single), lifted = packed_room(all);
      if (packed.size() != lifted.size() || single.counts().size() != all.counts().size()) FAIL("a batch has other states");
      single.lift(stream.data(), packed.data());
      all.lift_entry(together.data(), b, lifted.data());
      for (const StateMap::Count& count : all.counts()) StateMap::set_packed(count, lifted.data(), StateMap::get(count, together.data()));
      if (packed != lifted) FAIL("it remembers something else than alone");
      all.put_entry(packed.data(), elsewhere.data(), batch - 1 - b);
      alone.push_back(stream.feed(own, split, length - split, 7));
    }
    // In the other batch they stand in the opposite order.
    std::vector<T> turned;
    for (Index t = 0; t < length; ++t)
      for (Index b = batch; b-- > 0;) {
        const auto from = x.begin() + static_cast<std::ptrdiff_t>((t * batch + b) * one.size());
        turned.insert(turned.end(), from, from + one.size());
      }
    const std::vector<T> y = elsewhere.feed(turned, split, length - split, 6);
    for (Index b = 0; b < batch; ++b) {
      INFO("signal " << b << " of a batch of " << batch << ", put into another one after " << split << " frames");
      if (!equal(entry_of(y, batch - 1 - b, batch, out), alone[static_cast<std::size_t>(b)])) FAIL("it goes on otherwise");
    }
  }
}

template <class T>
void check_counts(const es::AnyLayer<T>& net, const FrameShape& one, Random& random) {
  const Index far = 400, rest = 60;
  const std::vector<T> x = random_values<T>((far + rest) * one.size(), random);
  const StateMap map = Runner<T>(net, one).map();
  for (const Index early : {0, 1, 2, 5, 30, 150}) {
    Runner<T> stream(net, one);
    stream.feed(x, 0, early, 8);
    std::vector<std::byte> packed = packed_room(map);
    map.lift(stream.data(), packed.data());
    std::vector<T> expected;
    Runner<T> later(net, one);
    later.feed(x, 0, early, 8);
    int tried = 0;
    for (Index late = early + 1; late < far && tried < 3; ++late) {
      later.feed(x, late - 1, 1, 1);
      bool alike = true;
      for (const StateMap::Count& count : map.counts())
        alike = alike && count.alike(StateMap::get_packed(count, packed.data()), StateMap::get(count, later.data()));
      if (!alike) continue;
      INFO("a stream after " << early << " frames in the place of one after " << late);
      if (tried++ == 0) expected = stream.feed(x, early, rest, 4);
      Runner<T> place(net, one);
      place.feed(x, 0, late, 8);
      map.put_entry(packed.data(), place.data(), 0);
      if (!equal(place.feed(x, early, rest, 4), expected)) FAIL("it goes on otherwise");
    }
  }
}

}  // namespace

template <class T>
void check_apart(const es::AnyLayer<T>& net, const FrameShape& in, std::uint64_t seed) {
  Random random(seed);
  check_packed(net, in.one(), random);
  for (const Index batch : {Index{2}, Index{3}}) check_entries(net, in.one(), batch, random);
  check_counts(net, in.one(), random);
}

template void check_apart(const es::AnyLayer<float>&, const FrameShape&, std::uint64_t);
template void check_apart(const es::AnyLayer<double>&, const FrameShape&, std::uint64_t);

}  // namespace support
