#include "eigenstream/streamer/networks.hpp"

#include "learn/gradients.hpp"
#include "support/errors.hpp"

namespace learn = eigenstream::learn;
namespace streamer = eigenstream::streamer;
using eigenstream::Index;
using streamer::HierarchicalPrediction;
using streamer::TemporalEncoding;
using support::MatrixD;

namespace {
// Shorter than 1, so that finite differences do not meet the shortening.
void shorten(learn::Embedding<double>& table) { table.weight.value *= 0.1; }
}  // namespace

TEST_CASE("TemporalEncoding: gradients, and what it looked at", "[streamer][gradient]") {
  learn::Random random(4);
  TemporalEncoding<double> f(8, 5, 1e-3, random, 4, 2);
  shorten(f.cls_token), shorten(f.pos_enc);
  auto x = support::as_parameter(support::random_matrix(3, 8));
  TemporalEncoding<double>::Cache cache, other;
  const learn::RowVector<double> weights = support::random_matrix(1, 8, 2);
  f.forward(x.value, cache);
  x.gradient = f.backward(weights, cache);
  CHECK(f.pos_enc.weight.gradient.bottomRows(2).isZero(0));
  auto all = f.get_params();
  CHECK(all.size() == 26);
  all.push_back({"x", &x});
  support::check_gradients(
      all, [&] { return f.forward(x.value, other).dot(weights); }, 10);
  const auto seen = f.attention(cache);
  CHECK(seen.size() == 3);
  CHECK(seen.sum() == Approx(1.0));

  const auto before = f.network.layers[0].linear1.weight.value;
  f.step_params(), f.zero_params();
  CHECK((f.network.layers[0].linear1.weight.value - before).cwiseAbs().maxCoeff() == Approx(1e-3).epsilon(1e-3));
  CHECK(f.network.layers[0].linear1.weight.gradient.isZero(0));
}

TEST_CASE("HierarchicalPrediction: gradients", "[streamer][gradient]") {
  learn::Random random(4);
  HierarchicalPrediction<double> p(8, 4, 1e-3, 1, random);
  shorten(p.pos_enc);
  auto x = support::as_parameter(support::random_matrix(3, 8));
  HierarchicalPrediction<double>::Cache cache, other;
  const learn::RowVector<double> weights = support::random_matrix(1, 8, 2);
  p.forward(x.value, cache);
  x.gradient = p.backward(weights, cache);
  auto all = p.get_params();
  CHECK(all.size() == 25);
  all.push_back({"x", &x});
  support::check_gradients(
      all, [&] { return p.forward(x.value, other).dot(weights); }, 10);
  CHECK(p.attention(cache).sum() == Approx(1.0));
}

TEST_CASE("TemporalEncoding, HierarchicalPrediction: impossible sizes", "[streamer][error]") {
  learn::Random random;
  TemporalEncoding<double> f(8, 5, 1e-3, random);
  TemporalEncoding<double>::Cache cache;
  HierarchicalPrediction<double> p(8, 3, 1e-3, 1, random);
  HierarchicalPrediction<double>::Cache other;
  CHECK(support::error_of([&] { f.forward(MatrixD::Zero(6, 8), cache); }) ==
        "TemporalEncoding: 6 inputs, from 1 to 5 are possible");
  CHECK(support::error_of([&] { f.forward(MatrixD::Zero(2, 7), cache); }) == "TemporalEncoding: 7 features, not 8");
  CHECK(support::error_of([&] { p.forward(MatrixD::Zero(1, 8), other); }) ==
        "HierarchicalPrediction: 1 layers' summaries, from 2 to 3 are possible");
  CHECK(support::error_of([&] { HierarchicalPrediction<double>(8, 3, 1e-3, 3, random); }) ==
        "HierarchicalPrediction: layer 3 of 3");
}
