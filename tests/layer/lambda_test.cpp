#include "eigenstream/layer/lambda.hpp"

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Frames;
using es::FrameShape;
using es::Index;

namespace {

// The sum of the channels of each column.
void sums(Frames<const float> x, Frames<float> y) {
  for (Index column = 0; column < x.columns(); ++column) {
    float sum = 0;
    for (Index c = 0; c < x.channels; ++c) sum += x.data[column * x.channels + c];
    y.data[column] = sum;
  }
}
FrameShape one_channel(const FrameShape& in) { return in.with_channels(1); }

}  // namespace

TEST_CASE("Lambda: any chunking gives the function of each frame", "[layer][property]") {
  const Index batch = GENERATE(1, 3);
  const auto square = es::lambda<float>([](float v) { return v * v; }, "square");
  support::check_contract(square, batch, {.channels = 3});
  support::check_contract(es::lambda<float>(sums, "sums", one_channel), batch, {.channels = 3});
  support::Random random(1);
  const auto x = support::random_tensor<float>(random, 3, batch, 20);
  const auto y = support::offline(square, x);
  for (Index i = 0; i < y.size(); ++i) CHECK(y.data()[i] == x.data()[i] * x.data()[i]);
  const auto z = support::offline(es::lambda<float>(sums, "sums", one_channel), x);
  REQUIRE(z.dimension(0) == 1);
  for (Index t = 0; t < 20; ++t)
    for (Index b = 0; b < batch; ++b) CHECK(z(0, b, t) == x(0, b, t) + x(1, b, t) + x(2, b, t));
  CHECK(square.fingerprint() != es::lambda<float>([](float v) { return v; }, "same").fingerprint());
}
