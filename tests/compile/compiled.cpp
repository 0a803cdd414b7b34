// Loads a model file through the compiled library and streams zeros through it; and a convolution whose kernel is in there.
#include <algorithm>
#include <cstdio>
#include <eigenstream/layer/conv.hpp>
#include <eigenstream/network/load_model.hpp>
#include <eigenstream/stream/stream.hpp>
#include <vector>

#if defined(INCLUDE_NLOHMANN_JSON_HPP_) || !defined(EIGENSTREAM_COMPILED)
#error "this test tests nothing"
#endif

namespace es = eigenstream;

int main(int, char** arguments) {
  const es::Model model = es::load_model(arguments[1]);
  es::Stream stream(model.network.layer);
  const std::vector<float> x(4000, 0.0f);
  std::vector<float> y(5000, 1.0f);
  const es::Frames<float> room(y.data(), stream.out_shape(), 5000);
  const es::Index written = stream.process(es::Frames<const float>(x.data(), stream.in_shape(), 4000), room, es::final);
  const es::Index expected = model.network.layer.timing().outputs_after(4000, true);
  std::printf("%td of %td frames\n", written, expected);

  es::Stream sums(es::Conv1d<float>({{5, 2, 3}, std::vector<float>(30, 0.5f)}));
  const std::vector<float> ones(2 * 40, 1.0f);
  std::vector<float> z(5 * 40);
  const es::Index windows = sums.process(es::Frames<const float>(ones.data(), {2}, 40), es::Frames<float>(z.data(), {5}, 40));
  const bool right = windows == 38 && std::count(z.begin(), z.begin() + 5 * 38, 3.0f) == 5 * 38;
  std::printf("%td sums, %s\n", windows, right ? "right" : "wrong");
  return written == expected && expected > 0 && right ? 0 : 1;
}
