#ifndef EIGENSTREAM_TOOLS_IMPORT_HPP
#define EIGENSTREAM_TOOLS_IMPORT_HPP

#include <filesystem>  // path
#include <span>        // bytes
#include <string>      // report

#include "eigenstream/import/import_model.hpp"
#include "model.hpp"
#include "output_file.hpp"
#include "text.hpp"

namespace tool {

/// Writes what a file in another format holds as a model file; before that, it is built, so that nothing is written that
/// cannot be.
inline void import_file(const std::filesystem::path& input, const std::filesystem::path& output, const es::ImportOptions& options) {
  check_not_the_same(output, input, "input");
  es::ModelFile file = es::import_model(input, options);
  const es::Model model = es::build_model(file, in_quotes(input.string()) + ": ");
  const std::vector<std::byte> bytes = es::serialise_safetensors(es::make_model(file));
  OutputFile written(output);
  written.write(bytes);
  written.keep();
  const Net& layer = model.network.layer;
  const es::Facts facts = layer.facts({.channels = std::max<Index>(1, layer.wanted().channels)});
  say(text("wrote ", in_quotes(output.string()), ": ", facts.parameters, " parameters, ", bytes.size(), " bytes\n"));
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_IMPORT_HPP
