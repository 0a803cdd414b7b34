#ifndef EIGENSTREAM_IMPORT_IMPORT_OPTIONS_HPP
#define EIGENSTREAM_IMPORT_IMPORT_OPTIONS_HPP

#include <cstdint>   // uint64_t
#include <optional>  // quality

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What a foreign file leaves open. An option that the file has no use for is an error.
struct ImportOptions {
  /// Which network of a container of several: from 0, the cheapest, to 1, the best; without it, the best.
  std::optional<double> quality = std::nullopt;
  /// Takes the rational functions instead of tanh, and of the sigmoid in recurrent cells, that most players of such files
  /// take: what they give, and somewhat faster.
  bool fast_tanh = false;
};

/// The longest foreign file that is read, and how much of JSON, which takes several times as much memory.
inline constexpr std::uint64_t max_imported_file_bytes = std::uint64_t{1} << 30;
inline constexpr std::uint64_t max_json_bytes = std::uint64_t{64} << 20;
/// Most layers of a network in a foreign file.
inline constexpr Index max_imported_layers = 1024;

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_IMPORT_OPTIONS_HPP
