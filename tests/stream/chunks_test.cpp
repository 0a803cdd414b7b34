#include "eigenstream/stream/chunks.hpp"

#include <Eigen/Core>
#include <array>
#include <cmath>
#include <vector>

#include "eigenstream/layer/identity.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::chunks;
using es::Frames;
using es::Index;
using es::split_fixed_chunks;
using es::split_wav_lens;
using Catch::Matchers::Contains;

namespace {

template <int Rank>
Eigen::Tensor<float, Rank> counting(const std::array<Index, Rank>& sizes) {
  Eigen::Tensor<float, Rank> x(sizes);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i);
  return x;
}

// The parts side by side along a dimension are x again, and each is as long as it should be.
template <int Rank>
void check_parts(const Eigen::Tensor<float, Rank>& x, Index size, Index dim) {
  INFO("rank " << Rank << ", size " << size << ", dim " << dim);
  using Tensor = Eigen::Tensor<float, Rank>;
  const Index along = dim < 0 ? dim + Rank : dim, extent = x.dimension(static_cast<std::size_t>(along));
  const auto parts = split_fixed_chunks(x, size, dim);
  REQUIRE(static_cast<Index>(parts.size()) == std::max<Index>(1, (extent + size - 1) / size));
  Index begin = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Tensor part = parts[i];
    const Index n = part.dimension(static_cast<std::size_t>(along));
    REQUIRE(n == std::min(size, extent - begin));
    REQUIRE(parts[i].sizes()[along] == n);
    Eigen::DSizes<Index, Rank> first, sizes = x.dimensions();
    first.fill(0);
    first[along] = begin;
    sizes[along] = n;
    const Tensor expected = x.slice(first, sizes);
    REQUIRE(std::equal(part.data(), part.data() + part.size(), expected.data()));
    begin += n;
  }
  REQUIRE(begin == extent);
}

template <class X>
concept Cuttable = requires(X&& x) { chunks(std::forward<X>(x), 2); };
template <class X>
concept Splittable = requires(X&& x) { split_fixed_chunks(std::forward<X>(x), 2, 0); };

}  // namespace

TEST_CASE("chunks: every dimension of every rank", "[stream][property]") {
  const Index size = GENERATE(1, 2, 3, 5, 7, 100);
  for (const Index dim : {0, -1}) check_parts<1>(counting<1>({7}), size, dim);
  for (const Index dim : {0, 1, -1, -2}) check_parts<2>(counting<2>({2, 10}), size, dim);
  for (const Index dim : {0, 1, 2, -1, -2, -3}) check_parts<3>(counting<3>({2, 5, 7}), size, dim);
  for (const Index dim : {0, 1, 2, 3, 4, -1, -5}) check_parts<5>(counting<5>({2, 3, 4, 5, 6}), size, dim);
  for (const Index dim : {0, 1, 2}) check_parts<3>(counting<3>({2, 0, 3}), size, dim);
}

TEST_CASE("chunks: worked examples", "[stream]") {
  const Eigen::Tensor<float, 3> wide(16, 10000, 80);
  const auto parts = split_fixed_chunks(wide, 128, 1);
  CHECK(parts.size() == 79);
  CHECK(parts.front().sizes() == Eigen::DSizes<Index, 3>(16, 128, 80));
  CHECK(parts.back().sizes() == Eigen::DSizes<Index, 3>(16, 16, 80));
  const auto x = counting<3>({2, 5, 7});
  std::vector<Index> lengths;
  for (const auto& part : chunks(x, 3)) lengths.push_back(part.dimension(2));
  CHECK(lengths == std::vector<Index>{3, 3, 1});
}

TEST_CASE("chunks: along time each one is a block of memory that streams take", "[stream]") {
  auto x = counting<3>({2, 3, 10});
  es::Stream stream(es::Identity<float>(), {.channels = 2, .batch = 3});
  Index at = 0;
  for (auto chunk : chunks(x, 4)) {
    CHECK(chunk.data() == x.data() + at * 6);
    const Eigen::Tensor<float, 3> y = stream(chunk);
    CHECK(y.dimension(2) == std::min<Index>(4, 10 - at));
    CHECK(y(1, 2, 0) == x(1, 2, at));
    chunk.setConstant(-1);
    at += 4;
  }
  CHECK(x(0, 0, 0) == -1);
  CHECK(x(1, 2, 9) == -1);
  // Of a constant one, nothing can be written.
  const auto& fixed = x;
  static_assert(std::is_same_v<decltype(chunks(fixed, 2)[0].data()), const float*>);
  static_assert(std::is_same_v<decltype(chunks(x, 2)[0].data()), float*>);
}

TEST_CASE("chunks: slices of a tensor write through", "[stream]") {
  auto x = counting<3>({2, 5, 7});
  const auto before = x;
  auto parts = split_fixed_chunks(x, 2, 1);
  parts[1] = parts[1].constant(99);
  for (Index b = 0; b < 5; ++b) CHECK(x(1, b, 6) == (b == 2 || b == 3 ? 99 : before(1, b, 6)));
  // A map may be a temporary; its memory is somewhere else.
  const auto of_map = split_fixed_chunks(Eigen::TensorMap<Eigen::Tensor<float, 3>>(x.data(), 2, 5, 7), 2, -2);
  const Eigen::Tensor<float, 3> copy = of_map[1];
  CHECK(copy(1, 1, 6) == 99);
}

TEST_CASE("chunks: frames", "[stream]") {
  std::vector<float> values(2 * 3 * 10);
  const Frames<float> x(values.data(), {.channels = 2, .batch = 3}, 10);
  std::vector<Index> counts;
  for (const Frames<float> chunk : chunks(x, 4)) {
    CHECK(chunk.shape() == x.shape());
    std::fill_n(chunk.data, chunk.scalars(), static_cast<float>(counts.size()));
    counts.push_back(chunk.count);
  }
  CHECK(counts == std::vector<Index>{4, 4, 2});
  CHECK(values[23] == 0);
  CHECK(values[24] == 1);
  CHECK(values[59] == 2);
  const auto none = split_fixed_chunks(Frames<const float>(x).first(0), 4);
  CHECK(none.size() == 1);
  CHECK(none[0].count == 0);
  CHECK(none[0].channels == 2);
}

TEST_CASE("chunks: matrices, blocks, maps and vectors", "[stream]") {
  Eigen::MatrixXf x = Eigen::MatrixXf::Random(5, 7);
  Index at = 0;
  for (auto chunk : chunks(x, 3)) {
    CHECK(chunk == x.middleCols(at, std::min<Index>(3, 7 - at)));
    CHECK(Frames<float>(chunk).frame(0) == x.col(at).data());
    at += 3;
  }
  CHECK(at == 9);
  auto rows = split_fixed_chunks(x, 2, 0);
  REQUIRE(rows.size() == 3);
  CHECK(rows[2] == x.bottomRows(1));
  rows[1].setZero();
  CHECK(x.middleRows(2, 2).isZero());
  CHECK(split_fixed_chunks(x, 2, -2).size() == 3);
  CHECK(split_fixed_chunks(x, 2, -1).size() == 4);
  CHECK(split_fixed_chunks(x, 2, 1)[3] == x.rightCols(1));

  const auto of_block = split_fixed_chunks(x.leftCols(4), 3);
  CHECK(of_block[1] == x.col(3));
  const Eigen::MatrixXf& fixed = x;
  CHECK(split_fixed_chunks(fixed, 3)[1] == x.middleCols(3, 3));
  CHECK(split_fixed_chunks(Eigen::Map<const Eigen::MatrixXf>(x.data(), 5, 7), 3)[1] == x.middleCols(3, 3));
  Eigen::VectorXd v = Eigen::VectorXd::LinSpaced(5, 0, 4);
  CHECK(split_fixed_chunks(v, 2).size() == 3);
  CHECK(split_fixed_chunks(v, 2, 0)[2](0) == 4);
  const Eigen::RowVectorXf row = Eigen::RowVectorXf::LinSpaced(5, 0, 4);
  CHECK(split_fixed_chunks(row, 3, -1)[1](1) == 4);
  const Eigen::MatrixXf empty(4, 0);
  CHECK(split_fixed_chunks(empty, 3).size() == 1);
  CHECK(split_fixed_chunks(empty, 3)[0].cols() == 0);
}

TEST_CASE("chunks: what would dangle does not compile", "[stream]") {
  using Tensor = Eigen::Tensor<float, 3>;
  using Map = Eigen::TensorMap<Tensor>;
  STATIC_REQUIRE(Cuttable<Tensor&>);
  STATIC_REQUIRE(Cuttable<const Tensor&>);
  STATIC_REQUIRE(!Cuttable<Tensor>);
  STATIC_REQUIRE(!Cuttable<const Tensor>);
  STATIC_REQUIRE(!Splittable<Tensor>);
  STATIC_REQUIRE(Splittable<Tensor&>);
  STATIC_REQUIRE(Cuttable<Map>);
  STATIC_REQUIRE(Splittable<Map>);
  STATIC_REQUIRE(Cuttable<Eigen::MatrixXf&>);
  STATIC_REQUIRE(!Cuttable<Eigen::MatrixXf>);
  STATIC_REQUIRE(!Splittable<Eigen::MatrixXf>);
  STATIC_REQUIRE(!Cuttable<Eigen::Ref<Eigen::MatrixXf>>);
  STATIC_REQUIRE(Cuttable<Eigen::Map<Eigen::MatrixXf>>);
  STATIC_REQUIRE(Cuttable<Eigen::Block<Eigen::MatrixXf>>);
  STATIC_REQUIRE(Cuttable<Frames<float>>);
}

TEST_CASE("chunks: the range is one", "[stream]") {
  const auto x = counting<2>({2, 10});
  const auto all = chunks(x, 4, 1);
  STATIC_REQUIRE(std::input_iterator<decltype(all.begin())>);
  CHECK(all.size() == 3);
  CHECK(std::distance(all.begin(), all.end()) == 3);
  auto at = all.begin();
  CHECK((*at++).sizes()[1] == 4);
  CHECK(at == ++all.begin());
}

TEST_CASE("chunks: errors", "[stream]") {
  const auto x = counting<3>({2, 5, 7});
  const Eigen::MatrixXf m(2, 3);
  const Eigen::VectorXf v(2);
  CHECK_THAT(support::error_of([&] { chunks(x, 0); }), Contains("chunks: size = 0, must be at least 1"));
  CHECK_THAT(support::error_of([&] { split_fixed_chunks(x, -3, 1); }), Contains("size = -3"));
  CHECK_THAT(support::error_of([&] { chunks(x, 2, 3); }), Contains("dim = 3, must be from -3 to 2"));
  CHECK_THAT(support::error_of([&] { chunks(x, 2, -4); }), Contains("dim = -4"));
  CHECK_THAT(support::error_of([&] { chunks(m, 2, 2); }), Contains("dim = 2, must be from -2 to 1"));
  CHECK_THAT(support::error_of([&] { chunks(v, 2, 1); }), Contains("dim = 1, must be from -1 to 0"));
  CHECK_THAT(support::error_of([&] { chunks(Frames<const float>(), 0); }), Contains("size = 0"));
}

TEST_CASE("split_wav_lens: worked table", "[stream]") {
  using Lens = std::vector<float>;
  const auto near = [](const Lens& a, const Lens& b) {
    bool same = a.size() == b.size();
    for (std::size_t i = 0; same && i < a.size(); ++i) same = std::abs(a[i] - b[i]) < 1e-6f;
    return same;
  };
  const std::vector<Lens> parts = split_wav_lens({8, 8, 4}, Lens{1, 0.65f, 0.85f});
  REQUIRE(parts.size() == 3);
  CHECK(near(parts[0], {1, 1, 1}));
  CHECK(near(parts[1], {1, 0.625f, 1}));
  CHECK(near(parts[2], {1, 0, 0.25f}));
  // A chunk of no length holds nothing, wherever it is; lengths beyond the signal are clamped.
  const std::vector<Lens> odd = split_wav_lens({0, 4, 0, 4, 0}, Lens{1.5f, 0.75f, -1, 0});
  REQUIRE(odd.size() == 5);
  for (const std::size_t i : {0u, 2u, 4u}) CHECK(odd[i] == Lens{0, 0, 0, 0});
  CHECK(odd[1] == Lens{1, 1, 0, 0});
  CHECK(odd[3] == Lens{1, 0.5f, 0, 0});
  CHECK(split_wav_lens({}, Lens{1}).empty());
  CHECK(split_wav_lens({2}, Lens{}).front().empty());
  // In the type of the lengths.
  CHECK(split_wav_lens({1, 2}, Eigen::VectorXd(Eigen::VectorXd::Constant(1, 0.7)))[1](0) == (0.7 * 3 - 1) / 2);
  Eigen::Tensor<float, 1> tensor(2);
  tensor.setValues({1, 0.25f});
  CHECK(split_wav_lens({2, 2}, tensor)[0](1) == 0.5f);
  CHECK_THAT(support::error_of([] { split_wav_lens({2, -1}, Lens{1}); }), Contains("split_wav_lens: a chunk of -1 frames"));
}
