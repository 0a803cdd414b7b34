#ifndef EIGENSTREAM_TOOLS_MODEL_HPP
#define EIGENSTREAM_TOOLS_MODEL_HPP

#include <charconv>    // from_chars
#include <cmath>       // isfinite
#include <filesystem>  // path
#include <map>         // metadata
#include <optional>    // sample rate
#include <string>      // string

#include "eigenstream/import/import_model.hpp"
#include "eigenstream/network/load_model.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "text.hpp"

namespace tool {

using Net = es::AnyLayer<float>;

/// A model file, opened: the description beside the network that was built from it.
struct OpenedModel {
  std::filesystem::path path;
  es::ModuleSpec spec;
  es::Module network;
  std::map<std::string, std::string> metadata;

  const Net& layer() const noexcept { return network.layer; }

  /// The sample rate of its input, if its metadata has one. Errors   Error if that is not a positive number
  std::optional<double> sample_rate_hz() const {
    const auto found = metadata.find("sample_rate_hz");
    if (found == metadata.end()) return std::nullopt;
    const std::string& written = found->second;
    double rate = 0;
    const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), rate);
    es::check(error == std::errc() && end == written.data() + written.size() && std::isfinite(rate) && rate > 0,
              in_quotes(path.string()), ": the metadata's sample_rate_hz is ", in_quotes(written),
              ", not a positive number");
    return rate;
  }

  /// The channels it takes; of a network that takes any number, the least that works.
  Index channels() const {
    if (const Index own = layer().wanted().channels; own != 0) return own;
    for (Index n = 1; n < 4096; ++n) {
      try {
        (void)layer().facts({n});
        return n;
      } catch (const es::Error&) {
      }
    }
    es::fail(in_quotes(path.string()), ": no number of channels below 4096 suits this network");
  }
};

/// Of any format that is known, see import_model.
inline OpenedModel open_model(const std::filesystem::path& path, const es::ImportOptions& options = {}) {
  es::Model model = es::build_model(es::import_model(path, options), in_quotes(path.string()) + ": ");
  return {path, std::move(model.description), std::move(model.network), std::move(model.metadata)};
}

/// The frames that a signal must have to give an output, if `most` are enough.
inline std::optional<Index> frames_for_an_output(const es::Timing& timing, Index most = Index{1} << 30) {
  const auto gives = [&](Index frames) { return timing.outputs_after(frames, true) > 0; };
  Index few = 0, enough = 1;
  for (; enough < most && !gives(enough); enough *= 2) few = enough;
  if (!gives(enough)) return std::nullopt;
  while (enough - few > 1) {
    const Index middle = few + (enough - few) / 2;
    (gives(middle) ? enough : few) = middle;
  }
  return enough;
}

/// Frames as text, with the time they take if the sample rate is known.
inline std::string frames_text(Index frames, std::optional<double> sample_rate_hz) {
  if (frames == es::unbounded) return "unbounded: all that has been before counts";
  std::string shown = text(frames, frames == 1 ? " frame" : " frames");
  if (sample_rate_hz) shown += " (" + fixed(1000 * static_cast<double>(frames) / *sample_rate_hz, 1) + " ms)";
  return shown;
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_MODEL_HPP
