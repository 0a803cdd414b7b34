#include "eigenstream/compose/operations.hpp"

#include <vector>

#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/join.hpp"
#include "eigenstream/layer/pointwise.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace es = eigenstream;
using es::Index;

TEST_CASE("Operations: what a layer has is called, and what it lacks is null", "[compose]") {
  const auto conv = support::random_conv<es::Conv1d<float>>(2, 3, 1);
  const auto of_conv = es::detail::operations_of(conv);
  CHECK(of_conv.layer == &conv);
  CHECK(of_conv.map == nullptr);
  CHECK(of_conv.input_room != nullptr);
  CHECK_FALSE(of_conv.is_sum);
  const std::vector<float> x{1, -2, 0.5f, 3};
  std::vector<float> plain(6), added(6, 1.0f);
  const es::FrameLayout shape(es::FrameShape{2});
  REQUIRE(of_conv.add_steps != nullptr);
  CHECK(of_conv.add_steps(&conv, {nullptr, shape}, x.data(), 2, nullptr, plain.data()) == 2);
  CHECK(of_conv.add_steps(&conv, {nullptr, shape}, x.data(), 2, added.data(), added.data()) == 2);
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(added[i] == plain[i] + 1.0f);

  const es::Tanh<float> tanh;
  const auto of_tanh = es::detail::operations_of(tanh);
  CHECK(of_tanh.add_steps == nullptr);
  REQUIRE(of_tanh.map != nullptr);
  std::vector<float> y(4);
  of_tanh.map(&tanh, x.data(), y.data(), 4);
  CHECK(y[0] == Approx(std::tanh(1.0)));

  CHECK(es::detail::operations_of(es::Join<float>(es::Reduce::sum, 2)).is_sum);
  CHECK_FALSE(es::detail::operations_of(es::Join<float>(es::Reduce::sum, 3)).is_sum);
  CHECK_FALSE(es::detail::operations_of(es::Join<float>(es::Reduce::product, 2)).is_sum);
  CHECK(es::detail::operations_of(es::sequential(tanh, tanh)).map == nullptr);
}
