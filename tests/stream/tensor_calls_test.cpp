#include "eigenstream/stream/tensor_calls.hpp"

#include "eigenstream/compose/sequential.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"
#include "support/small_stream.hpp"

namespace es = eigenstream;
using es::Conv1d;
using es::Index;
using Signal = Eigen::Tensor<float, 2>;
using support::same;
using support::signal;
using support::small_net;

TEST_CASE("tensor calls: takes every Eigen object that is a run of frames", "[stream]") {
  es::Stream stream(small_net());
  const Signal x = signal(2, 40);
  const Signal expected = stream.forward(x);
  const Eigen::Map<const Eigen::MatrixXf> matrix(x.data(), 2, 40);
  const Eigen::TensorMap<const Signal> map(x.data(), 2, 40);
  CHECK(same(stream(map, es::final), expected));
  CHECK(same(stream(matrix, es::final), expected));
  CHECK(same(stream(Eigen::MatrixXf(matrix), es::final), expected));
  CHECK(same(stream(es::Frames<const float>(x), es::final), expected));
  const Signal first = stream(matrix.leftCols(15));
  const Signal rest = stream(matrix.rightCols(25), es::final);
  CHECK(first.dimension(1) + rest.dimension(1) == expected.dimension(1));
  CHECK(std::equal(first.data(), first.data() + first.size(), expected.data()));
  CHECK(std::equal(rest.data(), rest.data() + rest.size(), expected.data() + first.size()));
}

TEST_CASE("tensor calls: frame by frame, and steps that leave no trace", "[stream]") {
  es::Stream stream(small_net());
  const Signal x = signal(2, 21);
  const Signal expected = stream.forward(x);
  Index given = 0;
  for (Index t = 0; t < 21; ++t) {
    const Eigen::Map<const Eigen::VectorXf> frame(x.data() + 2 * t, 2);
    const es::State before = stream.get_state();
    const auto tried = stream.forward_step(frame, false);
    CHECK(stream.get_state() == before);
    const auto y = stream.forward_step(frame);
    REQUIRE(tried.has_value() == y.has_value());
    CHECK(y.has_value() == (t >= 2 && t % 2 == 0));
    if (!y) continue;
    CHECK(same(*tried, *y));
    REQUIRE(y->dimension(1) == 1);
    CHECK(std::equal(y->data(), y->data() + 3, expected.data() + 3 * given));
    ++given;
  }
  CHECK(given == stream.outputs_after(21));
}

TEST_CASE("tensor calls: end padding is worked out on a copy", "[stream]") {
  es::Stream stream(small_net());
  const Signal x = signal(2, 20), more = signal(2, 11, 2);
  const auto padded = stream.forward_steps(x, true);
  REQUIRE(padded.has_value());
  CHECK(same(*padded, stream.forward(x)));

  es::Stream plain(small_net());
  (void)plain(x);
  CHECK(stream.get_state() == plain.get_state());
  CHECK(same(stream(more), plain(more)));

  const es::State before = stream.get_state();
  CHECK(stream.forward_steps(more, true, false).has_value());
  CHECK(stream.get_state() == before);
  CHECK_FALSE(es::Stream(small_net()).forward_steps(signal(2, 0)).has_value());
}

