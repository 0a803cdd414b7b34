#ifndef EIGENSTREAM_IMPORT_IMPORT_OPTIONS_HPP
#define EIGENSTREAM_IMPORT_IMPORT_OPTIONS_HPP

#include <cstdint>     // uint64_t
#include <functional>  // less
#include <map>         // inputs by name
#include <optional>    // quality
#include <string>      // names
#include <utility>     // pair
#include <vector>      // shapes

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// What an ONNX file does not say of itself.
struct OnnxOptions {
  std::map<std::string, std::vector<Index>, std::less<>> shapes = {};  ///< of inputs whose extents the file leaves open
  std::map<std::string, double, std::less<>> constants = {};           ///< inputs that are the same number at every call
  /// Pairs of an input and the output that is its value at the next call. Without any, those of equal shape are paired, in
  /// their order, but for the first input and the first output.
  std::vector<std::pair<std::string, std::string>> states = {};
  Index hop = 0;             ///< with it, a call takes a window of frames, and the next one begins so many later
  bool stream = false;       ///< with `hop`: what windows have in common is worked out once, where the network allows it
  Index time_axis = -1;      ///< of the first input: which axis is the time, of a window; with no `hop`, of a whole signal
  Index channels_axis = -1;  ///< of the first input: which axis becomes the channels of a frame
  bool operator==(const OnnxOptions&) const = default;
};

/// What a foreign file leaves open. An option that the file has no use for is an error.
struct ImportOptions {
  /// Which network of a container of several: from 0, the cheapest, to 1, the best; without it, the best.
  std::optional<double> quality = std::nullopt;
  /// Takes the rational functions instead of tanh, and of the sigmoid in recurrent cells, that most players of such files
  /// take: what they give, and somewhat faster.
  bool fast_tanh = false;
  OnnxOptions onnx = {};
};

/// The longest foreign file that is read, and how much of JSON, which takes several times as much memory.
inline constexpr std::uint64_t max_imported_file_bytes = std::uint64_t{1} << 30;
inline constexpr std::uint64_t max_json_bytes = std::uint64_t{64} << 20;
/// Most layers of a network in a foreign file.
inline constexpr Index max_imported_layers = 1024;

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_IMPORT_OPTIONS_HPP
