#include "eigenstream/layer/identity.hpp"

#include "support/catch.hpp"
#include "support/contract.hpp"

TEST_CASE("Identity: gives what it gets", "[layer][property]") {
  for (const eigenstream::Index batch : {1, 3}) {
    support::check_contract(eigenstream::Identity<float>(), batch, {.channels = 5});
    support::check_contract(eigenstream::Identity<double>(), batch, {.channels = 1});
  }
}
