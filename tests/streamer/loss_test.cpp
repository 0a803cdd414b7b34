#include "eigenstream/streamer/loss.hpp"

#include "learn/gradients.hpp"
#include "support/errors.hpp"

namespace learn = eigenstream::learn;
namespace streamer = eigenstream::streamer;
using streamer::DistanceMode;
using streamer::StreamerLoss;

TEST_CASE("StreamerLoss: of vectors and of images, colour by colour", "[streamer]") {
  learn::RowVector<double> y(6), x(6);
  y << 3, 1, 4, 0, 0, 2;  // two pixels: (3,4,0) and (1,0,2)
  x << 1, 0, 2, 0, 0, 1;  // (1,2,0) and (0,0,1)
  const double first = 11 / (5 * std::sqrt(5.)), second = 2 / std::sqrt(5.);
  CHECK(StreamerLoss<double>(DistanceMode::similarity, 3).forward(y, x) == Approx((first + second) / 2));
  CHECK(StreamerLoss<double>(DistanceMode::similarity).forward(y, x) == Approx(13 / std::sqrt(30. * 6)));
  CHECK(StreamerLoss<double>(DistanceMode::distance, 3).forward(y, x) == Approx((4 + 1 + 4 + 0 + 0 + 1) / 6.));
  CHECK(StreamerLoss<double>(DistanceMode::similarity).summarize_loss(.25) == -.25);
  CHECK(StreamerLoss<double>(DistanceMode::distance).summarize_loss(.25) == .25);
  CHECK(StreamerLoss<double>(DistanceMode::distance).get_params().empty());
}

TEST_CASE("StreamerLoss: gradients of what is made small", "[streamer][gradient]") {
  const auto mode = GENERATE(DistanceMode::similarity, DistanceMode::distance);
  const eigenstream::Index channels = GENERATE(0, 3);
  auto y = support::as_parameter(support::random_matrix(1, 12));
  const learn::RowVector<double> x = support::random_matrix(1, 12, 2);
  const StreamerLoss<double> loss(mode, channels);
  loss.forward(y.value, x, &y.gradient);
  CHECK(y.gradient.rows() == 1);
  support::check_gradients({{"y", &y}}, [&] { return loss.summarize_loss(loss.forward(y.value, x)); });
}

TEST_CASE("StreamerLoss: sizes that differ", "[streamer][error]") {
  const learn::RowVector<double> y = support::random_matrix(1, 3), x = support::random_matrix(1, 4);
  CHECK(support::error_of([&] { StreamerLoss<double>(DistanceMode::distance).forward(y, x); }) ==
        "StreamerLoss: 3 numbers against 4");
}
