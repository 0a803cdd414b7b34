#ifndef EIGENSTREAM_STREAMER_SCORE_HPP
#define EIGENSTREAM_STREAMER_SCORE_HPP

#include <algorithm>    // max, min
#include <cmath>        // isfinite
#include <string>       // actions
#include <string_view>  // names
#include <utility>      // pair
#include <vector>       // layers

#include "eigenstream/core/check.hpp"
#include "eigenstream/streamer/segment.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

struct ScoreOptions {
  double fps = 60;          ///< of the video, for frames
  bool merge = false;       ///< neighbouring truths with one action, "still " before it or not, are one
  bool best_layer = false;  ///< each layer by itself, and of each number the best
};

struct Score {
  double iou = 0;                                 ///< mean of what the top layer's events came to
  double mof = 0;                                 ///< part of the frames where both have an event, or neither
  std::vector<std::pair<Segment, Segment>> kept;  ///< events that were chosen, with their truths
};

/// How much two events overlap, of all that they cover.
inline double overlap(const Segment& a, const Segment& b) {
  const double both = std::min(a.end, b.end) - std::max(a.start, b.start);
  const double all = std::max(a.end, b.end) - std::min(a.start, b.start);
  return all > 0 ? std::max(0., both) / all : 0;
}

/// Frames per second by the name of a video of the EPIC-KITCHENS data set: its last part has two digits or three.
inline double fps_of_name(std::string_view name) {
  name = name.substr(0, name.size() - std::min<std::size_t>(4, name.size()));  // .mp4
  const std::size_t last = name.size() - (name.rfind('_') == name.npos ? 0 : name.rfind('_') + 1);
  return last == 2 ? 59.94 : last == 3 ? 50 : 60;
}

namespace detail {

/// An event, those of the layer below that it is made of, and the truths that are closest to it.
struct Node {
  Segment segment;
  std::vector<Node> children = {};
  std::vector<Segment> truths = {};
};

/// Each truth to the event that it overlaps most, and on to that one's children.
inline void assign(std::vector<Node>& nodes, const std::vector<Segment>& truths) {
  for (const Segment& truth : truths) {
    Node* best = nullptr;
    for (Node& node : nodes)
      if (overlap(node.segment, truth) > (best == nullptr ? 0 : overlap(best->segment, truth))) best = &node;
    if (best != nullptr) best->truths.push_back(truth);
  }
  for (Node& node : nodes) assign(node.children, node.truths);
}

/// What a node comes to: itself with the truth that suits it best, or what its children come to, if that is not worse.
inline double reduce(const Node& node, std::vector<std::pair<Segment, Segment>>& kept) {
  const Segment* best = &node.truths.front();
  for (const Segment& truth : node.truths)
    if (overlap(node.segment, truth) > overlap(node.segment, *best)) best = &truth;
  const double own = overlap(node.segment, *best);
  std::vector<std::pair<Segment, Segment>> below;
  double sum = 0, count = 0;
  if (node.truths.size() > 1)
    for (const Node& child : node.children)
      if (!child.truths.empty()) sum += reduce(child, below), ++count;
  if (count == 0 || own > sum / count) {
    kept.emplace_back(node.segment, *best);
    return own;
  }
  kept.insert(kept.end(), below.begin(), below.end());
  return sum / count;
}

inline std::vector<Segment> merged(const std::vector<Segment>& truths) {
  std::vector<Segment> all;
  for (const Segment& each : truths) {
    if (!all.empty() && (all.back().action == each.action || all.back().action == "still " + each.action))
      all.back().end = each.end, all.back().action = each.action;
    else
      all.push_back(each);
  }
  return all;
}

inline std::vector<bool> covered(const std::vector<Segment>& segments, double fps, std::size_t frames) {
  std::vector<bool> on(frames, false);
  for (const Segment& each : segments)
    for (double i = std::max(0., std::trunc(each.start * fps));
         i < std::trunc(each.end * fps) && i < static_cast<double>(frames); ++i)
      on[static_cast<std::size_t>(i)] = true;
  return on;
}

}  // namespace detail

/// Compares a hierarchy with a flat list of true events, by hierarchical level reduction: each part of the video is
/// taken from the layer that suits it best, from the top down.
/// Errors   Error if an event reaches over the end of the one above it, the duration or fps is out of range
/// Source   STREAMER
inline Score hierarchical_level_reduction(const std::vector<std::vector<Segment>>& all_layers,
                                          std::vector<Segment> truths, double duration,
                                          const ScoreOptions& options = {}) {
  check(std::isfinite(duration) && duration > 0, "score: the duration is ", duration);
  check(std::isfinite(options.fps) && options.fps > 0, "score: fps is ", options.fps);
  check(duration * options.fps < 1e9, "score: ", duration, " seconds are too many frames");
  if (options.merge) truths = detail::merged(truths);
  std::vector<std::vector<Segment>> layers;
  for (const auto& each : all_layers)
    if (!each.empty()) layers.push_back(each);

  if (options.best_layer) {
    Score best;
    for (const auto& each : layers) {
      ScoreOptions alone = options;
      alone.merge = alone.best_layer = false;
      const Score score = hierarchical_level_reduction({each}, truths, duration, alone);
      if (score.iou > best.iou || best.kept.empty()) best.kept = score.kept;
      best.iou = std::max(best.iou, score.iou), best.mof = std::max(best.mof, score.mof);
    }
    return best;
  }

  // From the lowest layer up, each event takes those that begin before its end.
  std::vector<detail::Node> nodes;
  for (std::size_t k = 0; k < layers.size(); ++k) {
    std::vector<detail::Node> below = std::move(nodes);
    std::size_t cursor = 0;
    nodes.clear();
    for (const Segment& each : layers[k]) {
      detail::Node& node = nodes.emplace_back(detail::Node{each});
      constexpr double rounding = 1e-9;
      for (; cursor < below.size() && below[cursor].segment.start < each.end - rounding; ++cursor) {
        const Segment& child = below[cursor].segment;
        check(child.start >= each.start - rounding && child.end <= each.end + rounding, "score: layer ", k - 1,
              " has an event from ", child.start, " to ", child.end, ", which is not within that from ", each.start,
              " to ", each.end, " above it");
        node.children.push_back(std::move(below[cursor]));
      }
    }
  }
  detail::assign(nodes, truths);
  Score score;
  double count = 0;
  for (const detail::Node& root : nodes)
    if (!root.truths.empty()) score.iou += detail::reduce(root, score.kept), ++count;
  if (count > 0) score.iou /= count;

  const auto frames = static_cast<std::size_t>(options.fps * duration);
  std::vector<Segment> chosen;
  for (const auto& each : score.kept) chosen.push_back(each.first);
  const auto predicted = detail::covered(chosen, options.fps, frames),
             wanted = detail::covered(truths, options.fps, frames);
  std::size_t equal = 0;
  for (std::size_t i = 0; i < frames; ++i) equal += predicted[i] == wanted[i];
  if (frames > 0 && !score.kept.empty()) score.mof = static_cast<double>(equal) / static_cast<double>(frames);
  return score;
}

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_SCORE_HPP
