#ifndef EIGENSTREAM_TOOLS_IMPORT_HPP
#define EIGENSTREAM_TOOLS_IMPORT_HPP

#include <algorithm>   // max
#include <cmath>       // abs
#include <filesystem>  // path
#include <optional>    // test vectors
#include <span>        // bytes
#include <string>      // report
#include <vector>      // signals

#include "eigenstream/import/import_model.hpp"
#include "model.hpp"
#include "output_file.hpp"
#include "text.hpp"

namespace tool {

/// The largest difference between a network's output and the test vectors that its file carries.
inline double largest_difference(const es::ImportTest& test, const std::string& where) {
  const es::Model model = es::build_model(test.model, where);
  es::Stream<Net> stream(model.network.layer);
  const Index frames = static_cast<Index>(test.input.size());
  es::check(stream.in_shape().size() == 1 && stream.out_shape().size() == 1, where, "its test vectors are of one channel, the network is of ",
            stream.in_shape().size(), " to ", stream.out_shape().size());
  std::vector<float> y(test.input.size());
  stream.process(es::Frames<const float>(test.input.data(), stream.in_shape(), frames), es::Frames<float>(y.data(), stream.out_shape(), frames));
  double most = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double difference = std::abs(double{y[i]} - double{test.output[i]});
    most = std::isnan(difference) ? difference : std::max(most, difference);
    if (std::isnan(most)) break;
  }
  return most;
}

/// Writes what a file in another format holds as a model file; before that, it is built, so that nothing is written that
/// cannot be.
inline void import_file(const std::filesystem::path& input, const std::filesystem::path& output, const es::ImportOptions& options) {
  check_not_the_same(output, input, "input");
  es::ModelFile file = es::import_model(input, options);
  const es::Model model = es::build_model(file, in_quotes(input.string()) + ": ");
  const std::optional<es::ImportTest> test = es::import_test(input);
  std::string of_test;
  if (test) {
    const double most = largest_difference(*test, in_quotes(input.string()) + ": ");
    of_test = text("its own test vectors, ", test->input.size(), " frames: largest difference ", most, "\n");
    if (!(most <= 1e-3)) warn(text(in_quotes(input.string()), ": the network does not give what the file's own test vectors say"));
  }
  const std::vector<std::byte> bytes = es::serialise_safetensors(es::make_model(file));
  OutputFile written(output);
  written.write(bytes);
  written.keep();
  const Net& layer = model.network.layer;
  const es::Facts facts = layer.facts({.channels = std::max<Index>(1, layer.wanted().channels)});
  say(text("wrote ", in_quotes(output.string()), ": ", facts.parameters, " parameters, ", bytes.size(), " bytes\n"));
  say(of_test);
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_IMPORT_HPP
