#include "eigenstream/analysis/callable.hpp"

#include <Eigen/Core>
#include <functional>
#include <optional>
#include <vector>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Frames;
using es::Index;
using es::detail::as_frames;
using es::detail::as_signal;
using es::detail::SignalOf;
using Tensor2 = Eigen::Tensor<double, 2>;
using Tensor3 = Eigen::Tensor<float, 3>;

namespace {
Tensor2 function(const Tensor2& x) { return x; }
struct Model {
  Eigen::MatrixXf operator()(Eigen::Ref<const Eigen::MatrixXf> x, bool) noexcept { return x; }
};
}  // namespace

TEST_CASE("A callable's parameter says what it takes", "[analysis]") {
  const auto lambda = [](const Tensor2& x) { return x; };
  const auto generic = [](const auto& x) { return x; };
  const std::function<Tensor2(Tensor2)> erased = lambda;
  STATIC_REQUIRE(std::is_same_v<SignalOf<void, decltype(lambda)>, Tensor2>);
  STATIC_REQUIRE(std::is_same_v<SignalOf<void, decltype(erased)&>, Tensor2>);
  STATIC_REQUIRE(std::is_same_v<SignalOf<void, decltype(function)&>, Tensor2>);
  STATIC_REQUIRE(std::is_same_v<SignalOf<void, decltype(&function)>, Tensor2>);
  STATIC_REQUIRE(std::is_same_v<SignalOf<void, Model&>, Eigen::Ref<const Eigen::MatrixXf>>);
  STATIC_REQUIRE(std::is_same_v<SignalOf<void, decltype(generic)>, Tensor3>);
  STATIC_REQUIRE(std::is_same_v<SignalOf<Tensor2, decltype(generic)>, Tensor2>);
}

TEST_CASE("Frames go into every type of signal, and come back", "[analysis]") {
  std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const Frames<const float> x(values.data(), {2}, 6), batched(values.data(), {.channels = 2, .batch = 3}, 2), mono(values.data(), es::FrameShape(), 12);
  const auto check_same = [&](const auto& signal, const Frames<const float>& wanted) {
    const Frames<const float> back = as_frames(signal);
    CHECK(back.shape() == wanted.shape());
    CHECK(back.count == wanted.count);
    CHECK(std::equal(back.data, back.data + back.scalars(), wanted.data));
  };
  check_same(as_signal<Eigen::Tensor<float, 1>>(mono), mono);
  check_same(as_signal<Eigen::Tensor<float, 2>>(x), x);
  check_same(as_signal<Tensor3>(batched), batched);
  check_same(as_signal<Eigen::MatrixXf>(x), x);
  check_same(as_signal<Eigen::Ref<const Eigen::MatrixXf>>(x), x);
  check_same(as_signal<Frames<const float>>(batched), batched);
  CHECK(as_signal<Frames<const float>>(batched).data == values.data());
  check_same(std::optional(as_signal<Tensor3>(batched)), batched);
  CHECK(as_frames(std::optional<Tensor3>()).count == 0);

  CHECK_THAT(support::error_of([&] { as_signal<Eigen::MatrixXf>(batched); }), Contains("cannot take a batch of 3"));
  CHECK_THAT(support::error_of([&] { as_signal<Eigen::Tensor<float, 2>>(batched); }), Contains("cannot take a batch of 3"));
  CHECK_THAT(support::error_of([&] { as_signal<Eigen::Tensor<float, 1>>(x); }), Contains("cannot take 2 channels"));
}

TEST_CASE("A signal of nothing is an error that says what is missing", "[analysis]") {
  for (const es::SignalShape& shape : {es::SignalShape{0, 1, 5}, {2, 0, 5}, {2, 1, 0}, {2, 1, -3}})
    CHECK_THAT(support::error_of([&] { shape.check_positive("who"); }), Contains("who: a signal of"));
  CHECK(support::error_of([] { es::SignalShape{1, 1, 1}.check_positive("who"); }) == "");
}
