#ifndef EIGENSTREAM_STREAMER_HIERARCHY_HPP
#define EIGENSTREAM_STREAMER_HIERARCHY_HPP

// Needs nlohmann-json: a hierarchy is written as JSON.

#include <cmath>        // isfinite
#include <filesystem>   // path
#include <span>         // bytes
#include <string>       // names
#include <string_view>  // text
#include <vector>       // layers

#include "eigenstream/io/file.hpp"
#include "eigenstream/io/strict_json.hpp"
#include "eigenstream/learn/parameter.hpp"  // Random: colours
#include "eigenstream/streamer/segment.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// The events of a video, layer by layer from the lowest up.
struct Hierarchy {
  std::string file;
  double duration = 0;
  std::vector<std::vector<Segment>> layers;
  bool operator==(const Hierarchy&) const = default;
};

/// From what StreamerModel::extract_rep gives: each event from one boundary to the next. What comes behind the last
/// boundary is no event, unless `close` makes it one that ends with the video.
/// Errors   Error if a layer's boundaries do not grow, or the duration is no number
inline Hierarchy make_hierarchy(const std::vector<std::vector<double>>& boundaries, std::string file, double duration,
                                bool close = false) {
  check(std::isfinite(duration) && duration >= 0, "hierarchy: the duration is ", duration);
  Hierarchy hierarchy{std::move(file), duration, {}};
  for (std::size_t k = 0; k < boundaries.size(); ++k) {
    std::vector<double> ends = boundaries[k];
    if (close && (ends.empty() || ends.back() < duration)) ends.push_back(duration);
    auto& segments = hierarchy.layers.emplace_back();
    for (std::size_t i = 1; i < ends.size(); ++i) {
      check(ends[i - 1] < ends[i], "hierarchy: layer ", k, " has a boundary at ", ends[i], " behind one at ",
            ends[i - 1]);
      segments.push_back({ends[i - 1], ends[i]});
    }
  }
  return hierarchy;
}

/// The JSON that annotation tools for video read. The colours are random, by the seed.
inline std::string to_json(const Hierarchy& hierarchy, std::uint64_t seed = 0) {
  using json = nlohmann::json;
  learn::Random random(seed);
  const auto from_to = [&](int least, int most) {
    return std::to_string(least + static_cast<int>((random.uniform(0.5) + 0.5) * (most - least + 1)));
  };
  json layers = json::array();
  for (std::size_t k = 0; k < hierarchy.layers.size(); ++k) {
    json segments = json::array();
    for (const Segment& each : hierarchy.layers[k]) {
      const int dark = static_cast<int>((random.uniform(0.5) + 0.5) * 3);
      std::string colour = "rgb(";
      for (int channel = 0; channel < 3; ++channel)
        colour += (channel > 0 ? ", " : "") + (channel == dark ? from_to(75, 100) : from_to(130, 250));
      segments.push_back({{"start", each.start},
                          {"end", each.end},
                          {"action", each.action},
                          {"colour", colour + ")"},
                          {"representation", "null"}});
    }
    layers.push_back({{"name", "layer " + std::to_string(k)}, {"order", k}, {"annots", segments}});
  }
  const json root = {
      {"file", hierarchy.file}, {"fileType", "video/mp4"}, {"cursor", 0}, {"duration", hierarchy.duration}, {"zoom", 1},
      {"layers", layers}};
  return root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

/// Errors   Error, beginning with `where`, if it is not such JSON: a field is missing, unknown or of another kind,
/// layers are not in
///          their order, or an event ends before it starts
inline Hierarchy parse_hierarchy(std::string_view text, const std::string& where = "hierarchy: ") {
  using ::eigenstream::detail::in_quotes;
  using json = nlohmann::json;
  const json root = ::eigenstream::detail::strict_json(text, 6, where, "the hierarchy");
  const auto only = [&](const json& node, const char* what, std::initializer_list<std::string_view> keys) {
    check(node.is_object(), where, what, " is not an object");
    for (const auto& item : node.items()) {
      bool known = false;
      for (const std::string_view key : keys) known = known || key == item.key();
      check(known, where, "unknown field ", in_quotes(item.key()), " in ", what);
    }
  };
  const auto number = [&](const json& node, const char* what, const char* key) {
    const auto found = node.find(key);
    check(found != node.end() && found->is_number(), where, what, " has no number \"", key, "\"");
    return found->get<double>();
  };
  only(root, "the hierarchy", {"file", "fileType", "cursor", "duration", "zoom", "layers"});
  Hierarchy hierarchy;
  if (const auto file = root.find("file"); file != root.end()) {
    check(file->is_string(), where, "\"file\" is no text");
    hierarchy.file = file->get<std::string>();
  }
  hierarchy.duration = number(root, "the hierarchy", "duration");
  const auto layers = root.find("layers");
  check(layers != root.end() && layers->is_array(), where, "there is no array \"layers\"");
  for (const json& layer : *layers) {
    const std::string name = "layer " + std::to_string(hierarchy.layers.size());
    only(layer, name.c_str(), {"name", "order", "annots"});
    if (layer.contains("order"))
      check(layer["order"] == hierarchy.layers.size(), where, name, " has the order ",
            in_quotes(layer["order"].dump()));
    const auto segments = layer.find("annots");
    check(segments != layer.end() && segments->is_array(), where, name, " has no array \"annots\"");
    auto& out = hierarchy.layers.emplace_back();
    for (const json& each : *segments) {
      const std::string event = name + ", event " + std::to_string(out.size());
      only(each, event.c_str(), {"start", "end", "action", "colour", "representation"});
      Segment segment{number(each, event.c_str(), "start"), number(each, event.c_str(), "end")};
      check(segment.start <= segment.end, where, event, " starts at ", segment.start, " and ends at ", segment.end);
      if (const auto action = each.find("action"); action != each.end()) {
        check(action->is_string(), where, event, " has an action that is no text");
        segment.action = action->get<std::string>();
      }
      out.push_back(std::move(segment));
    }
  }
  return hierarchy;
}

/// The longest file that is read, in bytes.
inline constexpr std::uint64_t max_hierarchy_bytes = std::uint64_t{256} << 20;

inline Hierarchy read_hierarchy(const std::filesystem::path& path) {
  const std::string where = "hierarchy file " + ::eigenstream::detail::path_in_quotes(path) + ": ";
  ::eigenstream::detail::InputFile file(path, where);
  check(file.bytes() <= max_hierarchy_bytes, where, file.bytes(), " bytes long, more than ", max_hierarchy_bytes);
  std::string text(static_cast<std::size_t>(file.bytes()), ' ');
  file.read(std::as_writable_bytes(std::span(text)));
  return parse_hierarchy(text, where);
}

/// All at once: readers see the old file or the new one.
inline void write_hierarchy(const std::filesystem::path& path, const Hierarchy& hierarchy, std::uint64_t seed = 0) {
  const std::string text = to_json(hierarchy, seed);
  ::eigenstream::detail::write_atomically(path, std::as_bytes(std::span(text)));
}

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_HIERARCHY_HPP
