#ifndef EIGENSTREAM_NETWORK_LOAD_MODEL_HPP
#define EIGENSTREAM_NETWORK_LOAD_MODEL_HPP

// Needs nlohmann-json: link eigenstream::model. Against eigenstream::compiled, which has it inside, it needs nothing. Not part of
// eigenstream.hpp.

#include <filesystem>  // path
#include <map>         // metadata
#include <string>      // metadata

#include "eigenstream/network/builtin_registry.hpp"
#if EIGENSTREAM_DEFINITIONS
#include "eigenstream/io/model_file.hpp"
#endif

EIGENSTREAM_BEGIN_NAMESPACE

struct ModelFile;

/// A network read from a model file, ready to be streamed: es::Stream(model.network.layer).
struct Model {
  Module network;
  ModuleSpec description;  ///< what it was built from
  std::map<std::string, std::string> metadata;
};

/// Reads a model file and builds its network.
/// Errors   Error naming the file and the module; nothing is built from a file with a mistake
EIGENSTREAM_LINKAGE Model load_model(const std::filesystem::path& path, const Registry& registry = builtin_registry());

/// Builds the network of what was read already, or imported from another format. `where` begins every message.
/// Errors   Error naming the module
EIGENSTREAM_LINKAGE Model build_model(ModelFile file, const std::string& where = "", const Registry& registry = builtin_registry());

#if EIGENSTREAM_DEFINITIONS
EIGENSTREAM_LINKAGE Model build_model(ModelFile file, const std::string& where, const Registry& registry) {
#if EIGENSTREAM_EXCEPTIONS
  try {
#endif
    Module network = registry.create(file.network, file.weights);
    return {std::move(network), std::move(file.network), std::move(file.metadata)};
#if EIGENSTREAM_EXCEPTIONS
  } catch (const Error& error) {
    fail(where, error.what());
  }
#else
  static_cast<void>(where);
#endif
}
EIGENSTREAM_LINKAGE Model load_model(const std::filesystem::path& path, const Registry& registry) {
  return build_model(read_model(path), detail::in_quotes(path.string()) + ": ", registry);
}
#endif

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_LOAD_MODEL_HPP
