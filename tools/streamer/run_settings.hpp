#ifndef EIGENSTREAM_TOOLS_STREAMER_RUN_SETTINGS_HPP
#define EIGENSTREAM_TOOLS_STREAMER_RUN_SETTINGS_HPP

#include <filesystem>         // path
#include <nlohmann/json.hpp>  // what a checkpoint says of its run
#include <string>             // messages
#include <type_traits>        // kinds of settings

#include "streamer/options.hpp"

namespace tool::streamer {

using nlohmann::json;

/// All that what is learned depends on, by the names of the options. A checkpoint holds it, so that a run goes on as it
/// began.
template <class Options, class Visit>
void each_setting(Options& o, Visit&& visit) {
  visit("max-layers", o.model.max_layers);
  visit("feature-dim", o.model.feature_dim);
  visit("evolve-every", o.model.evolve_every);
  visit("buffer-size", o.model.buffer_size);
  visit("loss-threshold", o.model.loss_threshold);
  visit("lr", o.model.lr);
  visit("snippet", o.model.snippet_size);
  visit("demarcation-mode", o.model.demarcation_mode);
  visit("distance-mode", o.model.distance_mode);
  visit("force-base-dist", o.model.force_base_dist);
  visit("window-size", o.model.window_size);
  visit("modifier-type", o.model.modifier_type);
  visit("modifier", o.model.modifier);
  visit("force-fixed-buffer", o.model.force_fixed_buffer);
  visit("seed", o.model.seed);
  visit("alpha", o.optimizer.alpha);
  visit("optimize-every", o.optimizer.optimize_every);
  visit("average-every", o.optimizer.average_every);
  visit("hgn-timescale", o.optimizer.hgn_timescale);
  visit("hgn-reach", o.optimizer.hgn_reach);
  visit("log-base-every", o.log_base_every);
  visit("mels", o.input.mels);
  visit("window", o.input.window_seconds);
  visit("hop", o.input.hop_seconds);
  visit("image-size", o.input.image_size);
  visit("normalize-imgs", o.input.normalize_imgs);
  visit("fps", o.input.fps);
  visit("sample-rate", o.input.sample_rate_hz);  // no option: the first file says it
}

inline json settings_json(const TrainOptions& options) {
  json all;
  each_setting(options, [&](const char* name, const auto& value) {
    if constexpr (std::is_enum_v<std::remove_cvref_t<decltype(value)>>)
      all[name] = st::name_of(value);
    else
      all[name] = value;
  });
  return all;
}

inline void read_settings(const json& all, TrainOptions& options) {
  each_setting(options, [&](const char* name, auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, st::DemarcationMode>)
      value = st::demarcation_mode(all.at(name).get<std::string>());
    else if constexpr (std::is_same_v<Value, st::DistanceMode>)
      value = st::distance_mode(all.at(name).get<std::string>());
    else if constexpr (std::is_same_v<Value, st::ModifierType>)
      value = st::modifier_type(all.at(name).get<std::string>());
    else
      all.at(name).get_to(value);
  });
  const DataOptions& input = options.input;
  es::check(options.log_base_every >= 1 && input.window_seconds > 0 && input.window_seconds <= 60 &&
                input.hop_seconds > 0 && input.hop_seconds <= 60 && input.fps >= 0 && input.sample_rate_hz >= 0 &&
                input.mels >= 0 && (input.mels == 0 || options.model.feature_dim % input.mels == 0),
            "its description of the run is damaged");
}

inline constexpr const char* run_key = "eigenstream_streamer_run";

/// f() with the file's name in front of what goes wrong.
template <class F>
auto about(const std::filesystem::path& path, F&& f) {
  try {
    return f();
  } catch (const es::Error& error) {
    const std::string said = error.what(), name = in_quotes(path.string());
    if (said.find(name) != said.npos) throw;
    es::fail(name, ": ", said);
  } catch (const json::exception&) {
    es::fail(in_quotes(path.string()), ": its description of the run is damaged");
  }
}

}  // namespace tool::streamer

#endif  // EIGENSTREAM_TOOLS_STREAMER_RUN_SETTINGS_HPP
