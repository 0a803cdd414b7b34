#include "eigenstream/network/any_layer.hpp"

#include "eigenstream/compose/residual.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Conv1d;
using es::Index;

TEST_CASE("AnyLayer: the same network as the one with known types", "[network][property]") {
  const auto conv = support::random_conv<Conv1d<float>>(3, 3, 3, {.padding = 1});
  const auto up = support::random_conv_transpose<float>(3, 2, 4, {.stride = 2, .padding = 1});
  const auto known = es::sequential(conv, es::Tanh<float>{}, es::residual(conv), up);
  const es::AnySequential<float> any(
      {conv, es::Tanh<float>{}, es::residual(es::AnyLayer<float>(conv)), es::AnyLayer<float>(up)});
  for (const Index batch : {1, 3}) support::check_equal(known, any, batch);
  CHECK(support::facts_of(any).parameters == support::facts_of(known).parameters);
  CHECK(any.facts({3}).macs == known.facts({3}).macs);
  CHECK(support::facts_of(any).max_flush == support::facts_of(known).max_flush);
  CHECK(es::make_state(any, {3}).bytes() == es::make_state(known, {3}).bytes());
}

TEST_CASE("AnyLayer: shares the layer, and gives it back by type", "[network]") {
  const es::AnyLayer<float> layer(es::Elu<float>(0.25f));
  const es::AnyLayer<float> copy = layer;
  REQUIRE(copy.as<es::Elu<float>>() != nullptr);
  CHECK(copy.as<es::Elu<float>>() == layer.as<es::Elu<float>>());
  CHECK(copy.as<es::Elu<float>>()->alpha == 0.25f);
  CHECK(copy.as<es::Relu<float>>() == nullptr);
  CHECK(copy.in_place());
}

TEST_CASE("AnySequential: an empty one is the identity", "[network][property]") {
  const es::AnySequential<float> identity;
  support::check_contract(identity, 1, {.channels = 3});
  support::check_contract(identity, 2, {.channels = 1});
  CHECK(identity.wanted().channels == 0);
  CHECK(identity.timing().receptive_field() == 1);
}

TEST_CASE("AnySequential: layers that do not fit are refused", "[network][error]") {
  CHECK(support::refuses(
      [] {
        es::AnySequential<float>({support::random_linear<float>(2, 3), es::AnyLayer<float>(es::Tanh<float>{}),
                                  support::random_linear<float>(5, 1)});
      },
      {"Linear", "takes 5 channels", "not 3"}));
}
