#include "eigenstream/window/online_averager.hpp"

#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Index;
using es::OnlineAverager;
using support::error_of;

namespace {

template <class T>
using Tensor2 = Eigen::Tensor<T, 2>;
template <class T>
using Tensor3 = Eigen::Tensor<T, 3>;

struct Sizes {
  Index update, batch, updates, channels, offset, extra;  // extra: samples of a prediction beyond the least
  Index prediction() const { return update * updates + offset + extra; }
};
std::ostream& operator<<(std::ostream& out, const Sizes& s) {
  return out << "U " << s.update << ", B " << s.batch << ", N " << s.updates << ", C " << s.channels << ", offset "
             << s.offset << ", extra " << s.extra;
}

// The definition, sample by sample, in the order in which the predictions come.
template <class T>
T mean_at(const Tensor3<T>& predictions, const Sizes& s, Index c, Index r, bool means) {
  const Index j = r / s.update, size = predictions.dimension(1), all = predictions.dimension(2);
  T sum = 0;
  Index count = 0;
  for (Index k = std::max<Index>(0, j - s.updates + 1); k <= std::min(j, all - 1); ++k, ++count)
    sum += predictions(c, size - s.offset - s.updates * s.update + r - k * s.update, k) / static_cast<T>(s.updates);
  return means && count < s.updates ? sum * (static_cast<T>(s.updates) / static_cast<T>(count)) : sum;
}

}  // namespace

TEMPLATE_TEST_CASE("OnlineAverager: any chunking gives the offline output", "[window][property]", float, double) {
  const Sizes s = GENERATE(Sizes{1, 1, 1, 1, 0, 0}, Sizes{2, 2, 3, 1, 0, 0}, Sizes{3, 1, 4, 2, 1, 2},
                           Sizes{1, 1, 16, 3, 5, 0}, Sizes{40, 1, 2, 1, 0, 7});
  CAPTURE(s);
  const Index batch = GENERATE(1, 3);
  const support::ContractOptions options{
      .channels = s.channels * s.prediction(), .light = batch > 1, .columns = false};
  support::check_contract(OnlineAverager<TestType>(s.update, 1, s.updates, s.channels, {.offset = s.offset}), batch,
                          options);
  support::check_contract(
      OnlineAverager<TestType>(s.update, 1, s.updates, s.channels, {.offset = s.offset, .normalise_start = true}),
      batch, options);
}

TEMPLATE_TEST_CASE("OnlineAverager: the function, the layer and the definition agree to the last bit", "[window]",
                   float, double) {
  using T = TestType;
  const Sizes s = GENERATE(Sizes{1, 1, 1, 1, 0, 0}, Sizes{2, 2, 3, 1, 0, 0}, Sizes{3, 4, 4, 2, 1, 2},
                           Sizes{1, 3, 16, 3, 5, 0}, Sizes{40, 2, 2, 1, 0, 7}, Sizes{5, 1, 7, 20, 2, 1});
  const bool means = GENERATE(false, true);
  CAPTURE(s, means);
  constexpr Index calls = 5;
  const Index all = calls * s.batch, size = s.prediction();
  const OnlineAverager<T> averager(s.update, s.batch, s.updates, s.channels,
                                   {.offset = s.offset, .normalise_start = means});
  support::Random random(8);
  const auto predictions = support::random_tensor<T>(random, s.channels, size, all);

  auto state = averager.get_initial_state();
  Tensor2<T> function(s.channels, (all + s.updates - 1) * s.update);
  Index written = 0;
  const auto keep = [&](const Tensor2<T>& y) {
    std::copy_n(y.data(), y.size(), function.data() + written * s.channels);
    written += y.dimension(1);
  };
  for (Index call = 0; call < calls; ++call) {
    Tensor3<T> some(s.channels, size, s.batch);
    std::copy_n(predictions.data() + call * some.size(), some.size(), some.data());
    auto [y, next] = averager(some, state);
    CHECK(y.dimension(1) == s.batch * s.update);
    keep(y);
    state = std::move(next);
    CHECK(state.blocks == (call + 1) * s.batch);
  }
  keep(averager.flush(state));
  REQUIRE(written == function.dimension(1));

  es::Stream stream(averager, {.channels = s.channels * size});
  const Tensor2<T> layer = stream(es::Frames<const T>(predictions.data(), {s.channels * size, 1}, all), es::final);
  REQUIRE(layer.dimension(1) == written);
  bool same = true;
  for (Index r = 0; r < written; ++r)
    for (Index c = 0; c < s.channels; ++c) {
      const T expected = mean_at(predictions, s, c, r, means || r >= all * s.update);
      same = same && function(c, r) == expected && layer(c, r) == expected;
    }
  CHECK(same);
}

TEST_CASE("OnlineAverager: the worked example", "[window]") {
  Tensor3<float> ones(1, 6, 2);
  ones.setConstant(1);
  const auto close = [](const Tensor2<float>& y, std::initializer_list<double> expected) {
    REQUIRE(y.size() == static_cast<Index>(expected.size()));
    for (Index i = 0; i < y.size(); ++i) CHECK(std::abs(static_cast<double>(y.data()[i]) - expected.begin()[i]) < 1e-6);
  };
  const OnlineAverager<float> plain(2, 2, 3, 1), means(2, 2, 3, 1, {.normalise_start = true});
  auto [y0, s0] = plain(ones);
  close(y0, {1 / 3., 1 / 3., 2 / 3., 2 / 3.});
  close(s0.sums, {2 / 3., 2 / 3., 1 / 3., 1 / 3.});
  auto [y1, s1] = plain(ones, s0);
  close(y1, {1, 1, 1, 1});
  close(plain.flush(s1), {1, 1, 1, 1});
  auto [z0, t0] = means(ones);
  close(z0, {1, 1, 1, 1});
  auto [z1, t1] = means(ones, t0);
  close(z1, {1, 1, 1, 1});
  close(means.flush(t1), {1, 1, 1, 1});
  CHECK(plain.flush(plain.get_initial_state()).size() == 0);
}

TEST_CASE("OnlineAverager: what does not add up is an error that names it", "[window]") {
  using A = OnlineAverager<float>;
  CHECK_THAT(error_of([] { A(0, 1, 1, 1); }), Contains("update_size = 0"));
  CHECK_THAT(error_of([] { A(1, 0, 1, 1); }), Contains("batch_size = 0"));
  CHECK_THAT(error_of([] { A(1, 1, 0, 1); }), Contains("num_updates = 0"));
  CHECK_THAT(error_of([] { A(1, 1, 1, 0); }), Contains("num_channels = 0"));
  CHECK_THAT(error_of([] { A(1, 1, 1, 1, {.offset = -1}); }), Contains("offset = -1"));
  const A averager(2, 3, 4, 2, {.offset = 1});
  const auto state = averager.get_initial_state();
  CHECK(error_of([&] { averager(Tensor3<float>(2, 9, 3), state); }).empty());
  CHECK_THAT(error_of([&] { averager(Tensor3<float>(2, 8, 3), state); }),
             Contains("predictions (2,8,3), expected (2,9 or more,3)"));
  CHECK_THAT(error_of([&] { averager(Tensor3<float>(2, 9, 1), state); }), Contains("predictions (2,9,1)"));
  CHECK_THAT(error_of([&] { averager(Tensor3<float>(1, 9, 3), state); }), Contains("predictions (1,9,3)"));
  CHECK_THAT(error_of([&] {
               averager(Tensor3<float>(2, 9, 3), A::Averages{Tensor2<float>(2, 5), 0});
             }),
             Contains("a state (2,5)"));
  CHECK_THAT(error_of([&] { es::Stream(averager, {.channels = 17}); }), Contains("predictions of 17 numbers"));
}
