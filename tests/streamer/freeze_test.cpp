#include "eigenstream/streamer/freeze.hpp"

#include "eigenstream/network/load_model.hpp"
#include "eigenstream/stream/stream.hpp"
#include "streamer/stack.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
namespace learn = eigenstream::learn;
namespace streamer = eigenstream::streamer;
using eigenstream::Index;
using support::MatrixD;

namespace {

// A frame in each column; those of images hold the channels of a pixel side by side.
using Frozen = Eigen::MatrixXf;

// What the network of a model file makes of a signal, read as any other, and streamed frame by frame.
Frozen frozen(const es::ModelFile& file, const Frozen& x) {
  const es::ModelFile read = es::parse_model(es::make_model(file));
  es::Stream stream(es::builtin_registry().create(read.network, read.weights).layer);
  Frozen y(stream.out_shape().size(), x.cols() + 1);
  Index written = 0;
  const auto rest = [&] {
    return es::Frames<float>(y.data() + written * y.rows(), stream.out_shape(), y.cols() - written);
  };
  for (Index t = 0; t < x.cols(); ++t)
    written += stream.process(es::Frames<const float>(x.data() + t * x.rows(), stream.in_shape(), 1), rest());
  written += stream.process(es::Frames<const float>(x.data(), stream.in_shape(), 0), rest(), es::final);
  return y.leftCols(written);
}

Frozen as_frame(const learn::RowVector<double>& row, Index channels) {
  return Eigen::Map<const MatrixD>(row.data(), channels, row.size() / channels).cast<float>().reshaped();
}

}  // namespace

TEST_CASE("freeze: CNNEncoder and CNNDecoder as ordinary networks over images", "[streamer]") {
  learn::Random random(3);
  streamer::CNNEncoder<double> encoder(8, 32, 16, random);
  streamer::CNNDecoder<double> decoder(8, 32, 16, random);
  const es::ModelFile frozen_encoder = streamer::freeze(encoder), frozen_decoder = streamer::freeze(decoder);
  Frozen images(3 * 32 * 16, 2), features(8, 2), restored = images;
  for (Index t = 0; t < 2; ++t) {
    streamer::Tape<double> tape;
    const auto image = support::filled<double>(540 + t, 3 * 32 * 16);
    const auto z = encoder.forward(image, tape);
    images.col(t) = as_frame(image, 3), features.col(t) = z.cast<float>().transpose();
    restored.col(t) = as_frame(decoder.forward(features.col(t).transpose().cast<double>(), tape), 3);
  }
  const Frozen y = frozen(frozen_encoder, images), back = frozen(frozen_decoder, features);
  REQUIRE(y.cols() == 2);
  REQUIRE(back.cols() == 2);
  CHECK((y - features).cwiseAbs().maxCoeff() < 1e-5f);
  CHECK((back - restored).cwiseAbs().maxCoeff() < 1e-5f);
  CHECK(features.cwiseAbs().maxCoeff() > 0.01f);
  CHECK(restored.cwiseAbs().maxCoeff() > 0.01f);
}

TEST_CASE("freeze: what a stack has learned, as ordinary networks", "[streamer]") {
  streamer::StreamerModel<double> model(support::small_arguments(), support::fill_built<double>);
  streamer::StreamerOptimizer<double> optimizer(model, {.optimize_every = 2});
  for (Index t = 0; t < 40; ++t) model.forward(support::scene<double>(t)), optimizer.step();
  REQUIRE(model.get_num_layers() == 3);
  const MatrixD inputs = support::random_matrix(6, 8);
  const Frozen x = inputs.transpose().cast<float>();
  for (Index k = 0; k < 3; ++k) {
    auto& layer = model.layer(k);
    for (const Index size : {1, 2, 3}) {  // of an event; of the stack
      CAPTURE(k, size);
      const MatrixD table = layer.f.pos_enc.weight.value;
      const Frozen z = frozen(streamer::freeze(layer.f, size), x);
      CHECK(table == layer.f.pos_enc.weight.value);
      REQUIRE(z.cols() == 6 / size);
      Frozen y;
      if (size > k) y = frozen(streamer::freeze(layer.p, size), x);
      for (Index i = 0; i < z.cols(); ++i) {
        streamer::TemporalEncoding<double>::Cache cache;
        streamer::HierarchicalPrediction<double>::Cache other;
        const MatrixD event = inputs.middleRows(i * size, size);
        CHECK((layer.f.forward(event, cache).cast<float>() - z.col(i).transpose()).cwiseAbs().maxCoeff() < 1e-5f);
        if (size <= k) continue;
        REQUIRE(y.cols() == z.cols());
        CHECK((layer.p.forward(event, other).cast<float>() - y.col(i).transpose()).cwiseAbs().maxCoeff() < 1e-5f);
      }
    }
  }
}

TEST_CASE("freeze: impossible sizes", "[streamer][error]") {
  streamer::StreamerModel<double> model(support::small_arguments());
  CHECK(support::error_of([&] { streamer::freeze(model.layer(0).f, 0); }) == "freeze: events of 0 inputs");
  CHECK(support::error_of([&] { streamer::freeze(model.layer(0).f, 4); }) == "Embedding: 4 rows of a table that has 3");
  CHECK(support::error_of([&] { streamer::freeze(model.layer(0).p, 0); }) ==
        "freeze: 0 summaries without that of layer 0");
}
