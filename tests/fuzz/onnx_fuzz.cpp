// Any bytes as an ONNX file, behind three that say the options; what it makes of them is built and run.
#include "eigenstream/import/onnx.hpp"

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  fuzz::es::OnnxOptions options{.hop = data[0] % 32,
                                .stream = data[1] % 2 != 0,
                                .time_axis = data[1] / 2 % 5 - 1,
                                .channels_axis = data[2] % 5 - 1};
  if (data[2] >= 128) options.shapes["x"] = {1, data[2] % 16 + 1, 4};
  fuzz::allow_errors(
      [&] { fuzz::build_and_run(fuzz::es::import_onnx(fuzz::bytes_of(data + 3, size - 3), options, "file: ")); });
  return 0;
}
