#include "eigenstream/learn/transformer.hpp"

#include "learn/gradients.hpp"
#include "support/errors.hpp"

namespace learn = eigenstream::learn;
using eigenstream::Index;
using support::MatrixD;

TEST_CASE("SelfAttention: the formula, number by number", "[learn]") {
  learn::Random random(5);
  const learn::SelfAttention<double> attention(4, 2, random);
  learn::SelfAttention<double>::Cache cache;
  const MatrixD x = support::random_matrix(3, 4), y = attention.forward(x, 0, 3, cache);
  const auto project = [&](Index n, Index row) {
    return x.row(n).dot(attention.in_proj.weight.value.row(row)) + attention.in_proj.bias.value(0, row);
  };
  MatrixD heads(3, 4);
  for (Index head = 0; head < 2; ++head) {
    for (Index n = 0; n < 3; ++n) {
      double weight[3], sum = 0;
      for (Index m = 0; m < 3; ++m) {
        double score = 0;
        for (Index i = 2 * head; i < 2 * head + 2; ++i) score += project(n, i) * project(m, 4 + i);
        sum += weight[m] = std::exp(score / std::sqrt(2.));
      }
      for (Index i = 2 * head; i < 2 * head + 2; ++i) {
        heads(n, i) = 0;
        for (Index m = 0; m < 3; ++m) heads(n, i) += weight[m] / sum * project(m, 8 + i);
      }
    }
  }
  CHECK((y - attention.out_proj.forward(heads)).cwiseAbs().maxCoeff() < 1e-13);
}

TEST_CASE("TransformerBlock: some rows are those of all rows", "[learn]") {
  learn::Random random(5);
  const learn::TransformerBlock<double> block(8, 4, random);
  learn::TransformerBlock<double>::Cache cache;
  const MatrixD x = support::random_matrix(5, 8), all = block.forward(x, 0, 5, cache);
  for (const auto& [first, count] : {std::pair<Index, Index>(0, 1), {4, 1}, {1, 3}})
    CHECK((block.forward(x, first, count, cache) - all.middleRows(first, count)).cwiseAbs().maxCoeff() < 1e-13);
}

TEST_CASE("TransformerBlock: gradients", "[learn][gradient]") {
  const auto [first, count] = GENERATE(table<Index, Index>({{0, 5}, {2, 1}}));
  learn::Random random(6);
  learn::TransformerBlock<double> block(8, 2, random);
  learn::TransformerBlock<double>::Cache cache, other;
  block.norm1.weight.value += support::random_matrix(1, 8, 3),
      block.norm2.bias.value += support::random_matrix(1, 8, 4);
  auto x = support::as_parameter(support::random_matrix(5, 8));
  const MatrixD weights = support::random_matrix(count, 8, 2);
  block.forward(x.value, first, count, cache);
  x.gradient = block.backward(weights, cache);
  learn::Parameters<double> all{{"x", &x}};
  block.parameters("", all);
  CHECK(all.size() == 13);
  const Index from = first, rows = count;
  support::check_gradients(all, [&] { return block.forward(x.value, from, rows, other).cwiseProduct(weights).sum(); });
}

TEST_CASE("Transformer: gradients, copies to begin with, one row", "[learn][gradient]") {
  learn::Random random(6);
  learn::Transformer<double> network(8, 2, 2, random);
  CHECK(network.layers[0].linear1.weight.value == network.layers[1].linear1.weight.value);
  learn::Parameters<double> all;
  network.parameters("network.", all);
  CHECK(all.size() == 24);
  CHECK(all[12].name == "network.layers.1.self_attn.in_proj_weight");

  learn::Transformer<double>::Cache cache, other;
  auto x = support::as_parameter(support::random_matrix(5, 8));
  const MatrixD weights = support::random_matrix(1, 8, 2);
  const Index row = GENERATE(0, 3);
  const MatrixD y = network.forward(x.value, row, cache);
  CHECK(y.rows() == 1);
  CHECK(std::abs(y.mean()) < 1e-14);
  x.gradient = network.backward(weights, cache);
  all.push_back({"x", &x});
  support::check_gradients(
      all, [&] { return network.forward(x.value, row, other).cwiseProduct(weights).sum(); }, 20);

  const MatrixD seen = network.attention(cache);
  CHECK(seen.rows() == 1);
  CHECK(seen.cols() == 5);
  CHECK(seen.sum() == Approx(1.0));
  CHECK(seen.minCoeff() > 0);
}

TEST_CASE("Transformer: impossible sizes", "[learn][error]") {
  learn::Random random;
  CHECK(support::error_of([&] { learn::SelfAttention<double>(12, 8, random); }) ==
        "SelfAttention: 12 features cannot be shared among 8 heads");
  CHECK(support::error_of([&] { learn::Transformer<double>(8, 2, 0, random); }) == "Transformer: 0 blocks");
  const learn::Transformer<double> network(8, 2, 1, random);
  learn::Transformer<double>::Cache cache;
  CHECK(support::error_of([&] { network.forward(MatrixD::Zero(2, 8), 2, cache); }) == "Transformer: row 2 of 2");
}
