#ifndef EIGENSTREAM_STREAMER_ARGUMENTS_HPP
#define EIGENSTREAM_STREAMER_ARGUMENTS_HPP

#include <array>        // names
#include <cmath>        // isfinite
#include <cstdint>      // uint64_t
#include <string>       // paths
#include <string_view>  // names

#include "eigenstream/core/check.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// STREAMER: segmentation of endless signals into events, and events of events, that learns while it runs. Each layer
/// predicts its next input; where it fails an event ends, and what the event was becomes an input of the layer above.
/// Source   Mounir, Vijayaraghavan, Sarkar: STREAMER: Streaming Representation Learning and Event Segmentation in a
/// Hierarchical
///          Manner, NeurIPS 2023
namespace streamer {

enum class DemarcationMode { average, fixed, accum };
enum class DistanceMode { similarity, distance };
enum class ModifierType { multiply, add };

inline constexpr std::array<std::string_view, 3> demarcation_mode_names{"average", "fixed", "accum"};
inline constexpr std::array<std::string_view, 2> distance_mode_names{"similarity", "distance"};
inline constexpr std::array<std::string_view, 2> modifier_type_names{"multiply", "add"};

constexpr std::string_view name_of(DemarcationMode mode) {
  return demarcation_mode_names[static_cast<std::size_t>(mode)];
}
constexpr std::string_view name_of(DistanceMode mode) { return distance_mode_names[static_cast<std::size_t>(mode)]; }
constexpr std::string_view name_of(ModifierType type) { return modifier_type_names[static_cast<std::size_t>(type)]; }

namespace detail {
template <class Enum, std::size_t n>
Enum by_name(const char* what, const std::array<std::string_view, n>& names, std::string_view name) {
  std::string known;
  for (std::size_t i = 0; i < n; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
    known.append(i == 0 ? "" : i + 1 < n ? ", " : " or ").append(names[i]);
  }
  fail("streamer: ", what, " is \"", name, "\", not ", known);
}
}  // namespace detail

/// Errors   Error if there is no such mode
inline DemarcationMode demarcation_mode(std::string_view name) {
  return detail::by_name<DemarcationMode>("demarcation_mode", demarcation_mode_names, name);
}
inline DistanceMode distance_mode(std::string_view name) {
  return detail::by_name<DistanceMode>("distance_mode", distance_mode_names, name);
}
inline ModifierType modifier_type(std::string_view name) {
  return detail::by_name<ModifierType>("modifier_type", modifier_type_names, name);
}

/// What a StreamerModel is made by, with the original's defaults for that class.
struct StreamerModelArguments {
  Index max_layers = 3;               ///< the stack grows no higher
  Index feature_dim = 1024;           ///< a multiple of 8
  std::int64_t evolve_every = 50000;  ///< inputs of a layer until it gets one above
  Index buffer_size = 10;             ///< inputs of an event that are kept
  double loss_threshold = 0.25;       ///< of fixed and accum
  double lr = 1e-4;                   ///< of every Adam
  double snippet_size = 0.5;          ///< seconds per input
  DemarcationMode demarcation_mode = DemarcationMode::average;
  DistanceMode distance_mode = DistanceMode::distance;
  bool force_base_dist = true;  ///< layer 0 goes by the squared error
  Index window_size = 50;       ///< signals that average remembers
  ModifierType modifier_type = ModifierType::multiply;
  double modifier = 1;
  bool force_fixed_buffer = false;  ///< a full buffer ends the event
  Index init_layers = 1;            ///< height to begin with
  std::string init_ckpt = "";       ///< a checkpoint that open_model begins with; its height counts
  std::string ckpt_dir = "";        ///< where save_model writes
  bool main = true;                 ///< of several processes, the one that saves
  std::string modality = "audio";   ///< audio: vectors; video: images, with CNNEncoder and CNNDecoder
  Index height = 128, width = 128;  ///< of video
  std::uint64_t seed = 0;

  bool operator==(const StreamerModelArguments&) const = default;
};

/// What a StreamerOptimizer is made by.
struct StreamerOptimizerArguments {
  double alpha = 3;                   ///< how much less a loss counts for each layer that it is away
  std::int64_t optimize_every = 100;  ///< losses of the top layer until a step
  std::int64_t average_every = 1000;  ///< inputs until processes average their parameters
  bool hgn_timescale = true;          ///< a loss counts with the inputs that it spans
  bool hgn_reach = true;              ///< false: it counts alike for all layers

  bool operator==(const StreamerOptimizerArguments&) const = default;
};

/// The defaults of the command line, which differ from those of the class.
inline StreamerModelArguments command_line_arguments() {
  StreamerModelArguments args;
  args.evolve_every = 100000;
  args.loss_threshold = 0.1;
  args.distance_mode = DistanceMode::similarity;
  args.force_base_dist = false;
  return args;
}

/// How layer k measures how wrong it was: this decides its loss, what its buffer keeps, and whether its summaries are
/// normalised.
inline DistanceMode mode_of_layer(DistanceMode mode, bool force_base_dist, Index layer) {
  return layer == 0 && force_base_dist ? DistanceMode::distance : mode;
}

/// Errors   Error, naming the argument, if one is impossible or two do not go together
inline void check_arguments(const StreamerModelArguments& args) {
  const auto at_least = [](const char* name, std::int64_t value, std::int64_t least) {
    check(value >= least, "streamer: ", name, " is ", value, ", less than ", least);
  };
  at_least("max_layers", args.max_layers, 1);
  at_least("feature_dim", args.feature_dim, 1);
  check(args.feature_dim % 8 == 0, "streamer: feature_dim is ", args.feature_dim,
        ", not a multiple of the 8 attention heads");
  at_least("evolve_every", args.evolve_every, 0);
  at_least("buffer_size", args.buffer_size, 1);
  at_least("window_size", args.window_size, 1);
  at_least("init_layers", args.init_layers, 1);
  check(args.init_layers <= args.max_layers, "streamer: init_layers is ", args.init_layers, ", max_layers only ",
        args.max_layers);
  check(std::isfinite(args.loss_threshold), "streamer: loss_threshold is ", args.loss_threshold);
  check(std::isfinite(args.modifier), "streamer: modifier is ", args.modifier);
  check(std::isfinite(args.lr) && args.lr >= 0, "streamer: lr is ", args.lr);
  check(std::isfinite(args.snippet_size) && args.snippet_size > 0, "streamer: snippet_size is ", args.snippet_size);
  // A stack of one layer that goes by the distance has no layer that does not.
  const bool similar =
      args.distance_mode == DistanceMode::similarity && !(args.force_base_dist && args.max_layers == 1);
  check(args.demarcation_mode != DemarcationMode::accum || !similar,
        "streamer: demarcation_mode accum adds up distances; distance_mode is similarity");
  check(args.modality == "audio" || args.modality == "video", "streamer: modality is \"", args.modality,
        "\", not audio or video");
  check(args.modality != "video" ||
            (args.height >= 16 && args.width >= 16 && args.height % 16 == 0 && args.width % 16 == 0),
        "streamer: images of height ", args.height, " and width ", args.width, ", not multiples of 16");
}

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_ARGUMENTS_HPP
