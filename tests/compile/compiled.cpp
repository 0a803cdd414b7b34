// Loads a model file through the compiled library and streams zeros through it.
#include <cstdio>
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
  return written == expected && expected > 0 ? 0 : 1;
}
