#ifndef EIGENSTREAM_CORE_DESCRIPTION_HPP
#define EIGENSTREAM_CORE_DESCRIPTION_HPP

#include <cstdint>  // int64_t
#include <map>      // fields
#include <string>   // names
#include <variant>  // field values
#include <vector>   // children

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The description of one module of a network, as a model file has it: its type, where it sits in the network it came
/// from, its options, and the modules inside it. Weights are apart, under path + "." + name.
struct ModuleSpec {
  using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<std::string>>;

  std::string type;
  std::string path;
  std::map<std::string, Value> fields;
  std::map<std::string, std::vector<ModuleSpec>> children;  ///< "layers" of a Sequential, "net" of a Residual
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_DESCRIPTION_HPP
