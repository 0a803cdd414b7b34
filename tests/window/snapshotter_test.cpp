#include "eigenstream/window/snapshotter.hpp"

#include <utility>

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/allocation.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::Snapshotter;
using support::error_of;

namespace {

template <class T>
using Tensor2 = Eigen::Tensor<T, 2>;

// The definition in absolute time: snapshot w covers the samples (w+1)*stride - size ... (w+1)*stride - 1.
template <class T>
T sample(const Tensor2<T>& x, Index c, Index t) {
  return t < 0 ? T(0) : x(c, t);
}

Tensor2<float> ramp(Index first, Index count) {
  Tensor2<float> x(1, count);
  for (Index i = 0; i < count; ++i) x(0, i) = static_cast<float>(first + i);
  return x;
}

}  // namespace

TEMPLATE_TEST_CASE("Snapshotter: any chunking gives the offline output", "[window][property]", float, double) {
  const auto sizes = GENERATE(table<Index, Index>({{2, 1}, {5, 2}, {7, 1}, {8, 7}, {64, 16}, {33, 12}, {200, 150}}));
  const Index size = std::get<0>(sizes), stride = std::get<1>(sizes);
  const Index channels = GENERATE(1, 2, 5), batch = GENERATE(1, 3);
  INFO("size " << size << ", stride " << stride << ", channels " << channels);
  support::check_contract(Snapshotter<TestType>(channels, size, stride), batch, {.light = size > 64});
  support::check_contract(Snapshotter<TestType>(channels, size, stride).without_padding(), batch, {.light = true});
  if (channels == 5) {
    support::check_contract(Snapshotter<TestType, 2>(5, size, stride, 1, {1, 4}), batch, {.light = true});
    support::check_contract(Snapshotter<TestType, 3>(5, size, stride, 1, {2, 1, 2}), batch, {.light = size > 8});
  }
}

TEST_CASE("Snapshotter: the worked example", "[window]") {
  const Snapshotter<float> snapshotter(1, 5, 2, 3);
  CHECK(snapshotter.incomplete() == 2);
  const auto [first, middle] = snapshotter(ramp(1, 6));
  const auto [second, last] = snapshotter(ramp(7, 6), middle);
  const float expected[2][15] = {{0, 0, 0, 1, 2, 0, 1, 2, 3, 4, 2, 3, 4, 5, 6},
                                 {4, 5, 6, 7, 8, 6, 7, 8, 9, 10, 8, 9, 10, 11, 12}};
  REQUIRE((first.size() == 15 && second.size() == 15 && middle.size() == 3 && last.size() == 3));
  CHECK(std::equal(first.data(), first.data() + 15, expected[0]));
  CHECK(std::equal(second.data(), second.data() + 15, expected[1]));
  CHECK((middle(0, 0) == 4 && middle(0, 2) == 6 && last(0, 0) == 10 && last(0, 2) == 12));
}

TEMPLATE_TEST_CASE("Snapshotter: as a function, in a stream and as views it gives the same windows", "[window]", float,
                   double) {
  using T = TestType;
  const auto sizes = GENERATE(
      table<Index, Index, Index>({{2, 1, 1}, {5, 2, 3}, {5, 4, 1}, {6, 2, 4}, {64, 16, 16}, {9, 8, 5}, {300, 7, 2}}));
  const Index size = std::get<0>(sizes), stride = std::get<1>(sizes), batch = std::get<2>(sizes);
  INFO("size " << size << ", stride " << stride << ", batch " << batch);
  constexpr Index channels = 6, updates = 7;
  const Snapshotter<T, 3> snapshotter(channels, size, stride, batch, {3, 1, 2});
  support::Random random(5);
  const auto x = support::random_tensor<T>(random, channels, updates * batch * stride);
  const es::Frames<const T> all(x);

  // As a function, update by update.
  std::vector<Eigen::Tensor<T, 3>> groups[3];
  auto state = snapshotter.get_initial_state();
  bool zeros = true;
  for (Index i = 0; i < state.size(); ++i) zeros = zeros && state.data()[i] == T(0);
  CHECK(zeros);
  for (Index u = 0; u < updates; ++u) {
    const auto update = all.slice(u * batch * stride, batch * stride);
    const auto [a, b, c, next] = snapshotter(update, state);
    groups[0].push_back(a), groups[1].push_back(b), groups[2].push_back(c);
    state = next;
  }
  // As a stream, in chunks of any length.
  es::Stream stream(snapshotter);
  const Tensor2<T> y = stream(all.first(all.count / 3));
  const Tensor2<T> z = stream(all.from(all.count / 3), es::final);
  REQUIRE(y.dimension(1) + z.dimension(1) == updates * batch);
  // As views.
  es::Stream viewing(snapshotter);
  Index seen = 0;
  bool same = true;
  const auto compare = [&](es::Frames<const T> a, es::Frames<const T> b, es::Frames<const T> c) {
    REQUIRE((a.count == size && b.count == size && c.count == size));
    Index first = 0, at = 0;
    const T* layer = seen < y.dimension(1) ? &y(0, seen) : &z(0, seen - y.dimension(1));
    for (const auto& [view, group] : {std::pair(a, 0), std::pair(b, 1), std::pair(c, 2)}) {
      const auto& function = groups[group][static_cast<std::size_t>(seen / batch)];
      for (Index l = 0; l < size; ++l)
        for (Index k = 0; k < view.channels; ++k) {
          const T expected = sample(x, first + k, (seen + 1) * stride - size + l);
          same = same && view.frame(l)[k] == expected && layer[at++] == expected &&
                 function(k, l, seen % batch) == expected;
        }
      first += view.channels;
    }
    ++seen;
  };
  Index told = viewing.visit(all.first(all.count / 4), compare);
  told += viewing.visit(all.from(all.count / 4), compare);
  CHECK(same);
  CHECK(seen == updates * batch);
  CHECK(told == seen);
  // The last state is the end of the series.
  bool end = true;
  for (Index t = 0; t < size - stride; ++t)
    for (Index c = 0; c < channels; ++c) end = end && state(c, t) == sample(x, c, all.count - (size - stride) + t);
  CHECK(end);
}

TEST_CASE("Snapshotter: as a layer, snapshots are a tensor without a copy", "[window]") {
  const Snapshotter<float> snapshotter(2, 3, 1);
  es::Stream stream(snapshotter);
  support::Random random(3);
  const auto x = support::random_tensor<float>(random, 2, 10);
  Tensor2<float> y = stream(x);
  const auto snapshots = snapshotter.snapshots(y);
  CHECK(snapshots.data() == y.data());
  REQUIRE((snapshots.dimension(0) == 2 && snapshots.dimension(1) == 3 && snapshots.dimension(2) == 10));
  CHECK(snapshots(1, 0, 7) == x(1, 5));
  CHECK(snapshots(0, 2, 9) == x(0, 9));
  const Tensor2<float>& constant = y;
  CHECK(snapshotter.snapshots(constant)(0, 1, 9) == x(0, 8));
  CHECK_THAT(error_of([&] {
               Tensor2<float> other(5, 2);
               return snapshotter.snapshots(other).size();
             }),
             Contains("frames of 5 channels"));
}

TEST_CASE("Snapshotter: views of a batch, and none of them allocates", "[window]") {
  const Snapshotter<float> snapshotter(2, 8, 3);
  es::Stream stream(snapshotter, {.batch = 2});
  support::Random random(3);
  const auto x = support::random_tensor<float>(random, 2, 2, 100);
  bool same = true;
  Index seen = 0;
  const auto look = [&](es::Frames<const float> view) {
    for (Index l = 0; l < 8; ++l) {
      const Index t = (seen + 1) * 3 - 8 + l;
      same = same && view.frame(l)[3] == (t < 0 ? 0.0f : x(1, 1, t));
    }
    ++seen;
  };
  const support::NoAllocation guard;
  for (const Index n : {1, 2, 3, 40, 54}) stream.visit(es::Frames<const float>(x).slice(stream.frames_seen(), n), look);
  CHECK(guard.count() == 0);
  CHECK(same);
  CHECK(seen == 33);
}

TEST_CASE("Snapshotter: what does not add up is an error that names it", "[window]") {
  using S = Snapshotter<float>;
  using S2 = Snapshotter<float, 2>;
  CHECK_THAT(error_of([] { S(0, 5, 2); }), Contains("num_channels = 0"));
  CHECK_THAT(error_of([] { S(1, 5, 0); }), Contains("stride_size = 0"));
  CHECK_THAT(error_of([] { S(1, 5, 5); }), Contains("snapshot_size = 5, must be greater than stride_size = 5"));
  CHECK_THAT(error_of([] { S(1, 5, 2, 0); }), Contains("batch_size = 0"));
  CHECK_THAT(error_of([] { S2(3, 5, 2, 1, {1, 1}); }), Contains("add up to 2, not to num_channels = 3"));
  CHECK_THAT(error_of([] { S2(3, 5, 2, 1, {3, 0}); }), Contains("channels_per_snapshot holds 0"));
  const S snapshotter(2, 5, 2, 3);
  const Tensor2<float> update(2, 6), state = snapshotter.get_initial_state();
  CHECK(error_of([&] { snapshotter(update, state); }).empty());
  CHECK_THAT(error_of([&] { snapshotter(Tensor2<float>(2, 5), state); }),
             Contains("an update of 2 channels and 5 samples, expected (2,6)"));
  CHECK_THAT(error_of([&] { snapshotter(Tensor2<float>(1, 6), state); }), Contains("an update of 1 channels"));
  CHECK_THAT(error_of([&] { snapshotter(update, Tensor2<float>(2, 4)); }),
             Contains("a state of 2 channels and 4 samples, expected (2,3)"));
  CHECK_THAT(error_of([&] { es::Stream(S(2, 5, 2), {.channels = 3}); }), Contains("takes 2 channels, not 3"));
}
