#ifndef EIGENSTREAM_TOOLS_STREAMER_SCORING_HPP
#define EIGENSTREAM_TOOLS_STREAMER_SCORING_HPP

#include <algorithm>   // sort
#include <filesystem>  // path
#include <string>      // names
#include <utility>     // pair
#include <vector>      // rows

#include "eigenstream/streamer/hierarchy.hpp"
#include "eigenstream/streamer/score.hpp"
#include "streamer/run_settings.hpp"

namespace tool::streamer {

namespace fs = std::filesystem;

/// Two folders: what bears the same name in both. Two files: these.
inline std::vector<std::pair<fs::path, fs::path>> pairs_of(const ScoreOptions& options) {
  const bool folders = fs::is_directory(options.hierarchy);
  es::check(folders == fs::is_directory(options.annotations), in_quotes(options.hierarchy.string()), " and ",
            in_quotes(options.annotations.string()), ": a file and a folder do not go together");
  if (!folders) return {{options.hierarchy, options.annotations}};
  std::vector<std::pair<fs::path, fs::path>> pairs;
  for (const fs::directory_entry& each : fs::directory_iterator(options.hierarchy)) {
    const fs::path other = options.annotations / each.path().filename();
    if (each.path().extension() == ".json" && fs::is_regular_file(other)) pairs.emplace_back(each.path(), other);
  }
  es::check(!pairs.empty(), in_quotes(options.hierarchy.string()), " and ", in_quotes(options.annotations.string()),
            ": no .json file is in both");
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

struct ScoreRow {
  std::string file;
  Index truth;  // layer of the annotations
  st::Score score;
};

inline std::vector<ScoreRow> rows_of(const fs::path& found, const fs::path& annotations, const ScoreOptions& options) {
  const st::Hierarchy hierarchy = st::read_hierarchy(found), truth = st::read_hierarchy(annotations);
  st::ScoreOptions how{.fps = options.fps, .merge = options.merge, .best_layer = options.best_layer};
  if (how.fps == 0) how.fps = st::fps_of_name(fs::path(hierarchy.file).filename().string());
  // Annotations in several layers are a hierarchy, too, which has to be one.
  about(annotations,
        [&] { return st::hierarchical_level_reduction(truth.layers, {}, hierarchy.duration, {.fps = how.fps}); });
  std::vector<ScoreRow> rows;
  for (std::size_t k = 0; k < truth.layers.size(); ++k)
    if (!truth.layers[k].empty())
      rows.push_back({found.filename().string(), static_cast<Index>(k), about(found, [&] {
                        return st::hierarchical_level_reduction(hierarchy.layers, truth.layers[k], hierarchy.duration,
                                                                how);
                      })});
  es::check(!rows.empty(), in_quotes(annotations.string()), ": holds no events");
  return rows;
}

/// Hierarchies against what is true.
inline void score_files(const ScoreOptions& options) {
  std::vector<ScoreRow> rows;
  for (const auto& [found, annotations] : pairs_of(options))
    for (ScoreRow& row : rows_of(found, annotations, options)) rows.push_back(std::move(row));
  double iou = 0, mof = 0;
  for (const ScoreRow& row : rows) iou += row.score.iou, mof += row.score.mof;
  const auto n = static_cast<double>(rows.size());
  if (options.json) {
    json all = json::array();
    for (const ScoreRow& row : rows) {
      json kept = json::array();
      for (const auto& [event, truth] : row.score.kept)
        kept.push_back({{"start", event.start}, {"end", event.end}, {"action", truth.action}});
      all.push_back({{"file", row.file},
                     {"truth_layer", row.truth},
                     {"iou", row.score.iou},
                     {"mof", row.score.mof},
                     {"events", kept}});
    }
    say(json{{"iou", iou / n}, {"mof", mof / n}, {"scores", all}}.dump(1, ' ', false, json::error_handler_t::replace) +
        "\n");
    return;
  }
  Table table({{"hierarchy"}, {"truth", true}, {"events", true}, {"IoU", true}, {"MoF", true}});
  const auto add = [&](const std::string& name, const std::string& truth, const std::string& events, double a,
                       double b) {
    table.add({name, truth, events, fixed(a, 4), fixed(b, 4)});
  };
  for (const ScoreRow& row : rows)
    add(row.file, text("layer ", row.truth), text(row.score.kept.size()), row.score.iou, row.score.mof);
  if (rows.size() > 1) add("mean", "", "", iou / n, mof / n);
  say(table.print());
}

}  // namespace tool::streamer

#endif  // EIGENSTREAM_TOOLS_STREAMER_SCORING_HPP
