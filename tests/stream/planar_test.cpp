#include "eigenstream/stream/planar.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "eigenstream/compose/sequential.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"
#include "support/reference.hpp"
#include "support/small_stream.hpp"

namespace es = eigenstream;
using es::Conv1d;
using es::Index;
using Signal = Eigen::Tensor<float, 2>;
using support::signal;
using support::small_net;

TEST_CASE("PlanarStream: planar buffers, as an audio host hands them over", "[stream]") {
  es::PlanarStream stream(small_net());
  const Signal x = signal(2, 700);
  const Signal expected = stream.forward(x);
  std::vector<float> in[2], out[3];
  for (Index t = 0; t < 700; ++t)
    for (Index c = 0; c < 2; ++c) in[c].push_back(x(c, t));
  for (auto& channel : out) channel.assign(400, -7.0f);
  const float* from[2] = {in[0].data(), in[1].data()};
  float* to[3] = {out[0].data(), out[1].data(), out[2].data()};
  Index written = stream.process_planar(from, 700, to, 400);
  for (auto& channel : to) channel += written;
  written += stream.flush_planar(to, 400 - written);
  REQUIRE(written == expected.dimension(1));
  for (Index c = 0; c < 3; ++c)
    for (Index t = 0; t < 400; ++t)
      CHECK(out[c][static_cast<std::size_t>(t)] == (t < written ? expected(c, t) : -7.0f));

  // In place, for a network with as many outputs as inputs.
  es::PlanarStream same_rate(es::Tanh<float>{}, {.channels = 2});
  float* both[2] = {in[0].data(), in[1].data()};
  CHECK(same_rate.process_planar(both, 700, both) == 700);
  CHECK(in[1][699] == Approx(std::tanh(x(1, 699))));
}

TEST_CASE("PlanarStream: planar calls know the room, and what in place would overwrite", "[stream]") {
  // 128 frames at a time: of blocks of 100, the second gives 128.
  const auto steps = es::sequential(support::random_conv<Conv1d<float>>(1, 2, 128, {.stride = 128}),
                                    support::random_conv_transpose<float>(2, 1, 128, {.stride = 128}));
  es::PlanarStream stream(steps);
  std::vector<float> x(1000, 1.0f), y(1000, -7.0f);
  float *in[] = {x.data()}, *out[] = {y.data()};
  CHECK(stream.process_planar(in, 100, in) == 0);
  const es::State before = stream.get_state();
  CHECK(support::refuses([&] { stream.process_planar(in, 100, in); }, {"room for 100 frames", "128 will come"}));
  CHECK(support::refuses([&] { stream.process_planar(in, 100, in, es::final); }, {"room for 100", "128 will come"}));
  CHECK(support::refuses([&] { stream.process_planar(in, -100, out, 500); }, {"-100 frames"}));
  CHECK(support::refuses([&] { stream.process_planar(in, -100, out, 500, es::final); }, {"-100 frames"}));
  // The first 256 of them give 256 outputs, which would lie where frames 256 to 263 are still to be read.
  float* behind[] = {x.data() + 8};
  CHECK(support::refuses([&] { stream.process_planar(in, 900, behind, 990); }, {"256 outputs", "not read yet"}));
  CHECK(stream.get_state() == before);
  CHECK(std::count(y.begin(), y.end(), -7.0f) == 1000);
  CHECK(stream.process_planar(in, 100, out, 128) == 128);
  CHECK(y[127] != -7.0f);
  CHECK(y[128] == -7.0f);
}

TEST_CASE("PlanarStream: goes on where a stream is, one signal at a time", "[stream]") {
  es::Stream stream(small_net());
  const Signal x = signal(2, 20);
  (void)stream(x);
  const es::State before = stream.get_state();
  const es::PlanarStream planar(stream);
  CHECK(planar.frames_seen() == 20);
  CHECK(planar.get_state() == before);
  CHECK(planar.memory_bytes() > stream.memory_bytes());
  CHECK(support::error_of([] { es::PlanarStream(small_net(), {.batch = 2}); }) ==
        "PlanarStream: planar buffers need a batch of 1, this stream has 2");
}
