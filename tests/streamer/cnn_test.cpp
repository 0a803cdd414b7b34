#include "eigenstream/streamer/cnn.hpp"

#include "eigenstream/learn/loss.hpp"
#include "learn/gradients.hpp"
#include "support/errors.hpp"

namespace learn = eigenstream::learn;
namespace streamer = eigenstream::streamer;
using eigenstream::Index;
using streamer::CNNDecoder;
using streamer::CNNEncoder;

namespace {

double fill(Index m, Index i) { return (static_cast<double>((37 * i + 101 * m) % 199) - 99) / 99; }

learn::RowVector<double> filled(Index m, Index size) {
  learn::RowVector<double> row(size);
  for (Index i = 0; i < size; ++i) row[i] = fill(m, i);
  return row;
}

learn::Parameters<double> fill_all(streamer::FrameNetwork<double>& network, Index m) {
  learn::Parameters<double> all;
  network.parameters("", all);
  for (const auto& [name, parameter] : all) {
    const double root = std::sqrt(static_cast<double>(parameter->value.cols()));
    for (Index i = 0; i < parameter->value.size(); ++i)
      parameter->value.data()[i] = fill(m, i) * (name.ends_with("bias") ? 0.1 : 2.5 / root);
    ++m;
  }
  return all;
}

double gradient_norm(const learn::Parameters<double>& all, const std::string& name) {
  for (const auto& each : all)
    if (each.name == name) return each.parameter->gradient.norm();
  return -1;
}

bool close(double value, double wanted) { return std::abs(value - wanted) < 1e-8 * std::max(1., std::abs(wanted)); }

}  // namespace

TEST_CASE("CNNEncoder: numbers of another implementation", "[streamer][gradient]") {
  learn::Random random;
  CNNEncoder<double> encoder(4, 32, 32, random);
  const auto all = fill_all(encoder, 500);
  CHECK(all[0].name == "conv1.weight");
  CHECK(all[9].name == "fc1.bias");
  CHECK(encoder.inputs() == 3 * 32 * 32);
  streamer::Tape<double> tape;
  const auto y = encoder.forward(filled(540, 3 * 32 * 32), tape);
  const double wanted[] = {0.017583054, -0.154268392, 0.528931339, -0.407778225};
  for (Index i = 0; i < 4; ++i) CHECK(close(y[i], wanted[i]));
  const auto dx = encoder.backward(learn::RowVector<double>::Ones(4), tape, true);
  CHECK(close(gradient_norm(all, "conv1.weight"), 10.4762495));
  CHECK(close(gradient_norm(all, "conv4.weight"), 23.6999811));
  CHECK(close(gradient_norm(all, "fc1.weight"), 23.1628068));
  CHECK(close(dx.norm(), 4.22374666));
}

TEST_CASE("CNNDecoder: numbers of another implementation", "[streamer][gradient]") {
  learn::Random random;
  CNNDecoder<double> decoder(4, 32, 32, random);
  const auto all = fill_all(decoder, 520);
  CHECK(all[0].name == "fc1.weight");
  CHECK(all[9].name == "conv4.bias");
  streamer::Tape<double> tape;
  const auto y = decoder.forward(filled(541, 4), tape);
  CHECK(close(y.sum(), 116.991457));
  CHECK(close(y.norm(), 4.09484296));
  const auto pixel = [&](Index channel, Index row, Index column) { return y[(channel * 32 + row) * 32 + column]; };
  const double corner[] = {0.001347362, 0.060143674, 0.069459972}, inside[] = {-0.021337027, 0.157119250, 0.092698045};
  for (Index c = 0; c < 3; ++c) {
    CHECK(close(pixel(c, 0, 0), corner[c]));
    CHECK(close(pixel(c, 17, 5), inside[c]));
  }
  const auto target = filled(542, 3 * 32 * 32);
  using View = Eigen::Map<const learn::Matrix<double>>;
  learn::Matrix<double> dy;
  CHECK(close(learn::cosine_similarity(View(y.data(), 3, 1024), View(target.data(), 3, 1024), &dy), -0.021413439));
  CHECK(close(learn::mean_squared_error(y, target), 0.343449520));
  dy *= -1;
  dy.resize(1, dy.size());
  const auto dx = decoder.backward(dy, tape, true);
  const double wanted[] = {-0.005705880, 0.004116682, -0.034755425, -0.014739917};
  for (Index i = 0; i < 4; ++i) CHECK(close(dx[i], wanted[i]));
  CHECK(close(gradient_norm(all, "fc1.weight"), 0.0639603208));
  CHECK(close(gradient_norm(all, "conv1.weight"), 6.23587423));
  CHECK(close(gradient_norm(all, "conv4.weight"), 0.541757011));
}

TEST_CASE("CNNEncoder, CNNDecoder: rectangles, and sizes that are no multiples of 16", "[streamer][error]") {
  learn::Random random;
  const CNNEncoder<double> encoder(4, 16, 32, random);
  const CNNDecoder<double> decoder(4, 16, 32, random);
  streamer::Tape<double> tape, other;
  const auto y = encoder.forward(filled(1, 3 * 16 * 32), tape);
  CHECK(decoder.forward(y, other).size() == 3 * 16 * 32);
  CHECK(support::error_of([&] { encoder.forward(filled(1, 3 * 32 * 32), tape); }) ==
        "CNNEncoder: 3072 numbers, not 1536");
  CHECK(support::error_of([&] { CNNEncoder<double>(4, 24, 32, random); }) ==
        "CNNEncoder: images of height 24 and width 32, not multiples of 16");
  CHECK(support::error_of([&] { CNNDecoder<double>(4, 0, 32, random); }) ==
        "CNNDecoder: images of height 0 and width 32, not multiples of 16");
}
