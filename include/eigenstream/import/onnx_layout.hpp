#ifndef EIGENSTREAM_IMPORT_ONNX_LAYOUT_HPP
#define EIGENSTREAM_IMPORT_ONNX_LAYOUT_HPP

#include <algorithm>  // find, sort, unique
#include <compare>    // places in order
#include <cstdint>    // int64_t
#include <map>        // what was put together already
#include <set>        // paths
#include <string>     // paths
#include <tuple>      // keys
#include <utility>    // pair
#include <vector>     // places

#include "eigenstream/core/frame_shape.hpp"
#include "eigenstream/import/graph_description.hpp"
#include "eigenstream/import/onnx_trace.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx {

/// Where a number stands in the network that is made: in the frames of a value of its graph, so many frames ago.
struct Place {
  static constexpr Index constant = -1;
  Index value = constant;
  std::int64_t lag = 0, position = 0;
  double number = 0;  ///< of a constant
  auto operator<=>(const Place&) const = default;
};

/// The graph of layers that is made, with the shape of each value's frames, and the layers that do nothing but move
/// numbers about.
class Layout {
 public:
  /// `length`: frames of the whole signal, if it is one that is followed; 0: it is not known how many.
  explicit Layout(const FrameShape& input, Index length = 0)
      : graph_(input.channels), shapes_{input}, lengths_{length} {}

  const FrameShape& shape(Index value) const { return shapes_[static_cast<std::size_t>(value)]; }
  /// Frames of a value, of the whole signal; 0 if that is not known.
  Index length(Index value) const { return lengths_[static_cast<std::size_t>(value)]; }
  void set_length(Index value, Index frames) { lengths_[static_cast<std::size_t>(value)] = frames; }
  /// What is gathered from now on is `rows` frames of values, every so manieth. 0: all that there are.
  void set_moment(Index rows, Index step) {
    if (rows != rows_ || step != step_) gathered_.clear();
    rows_ = rows, step_ = step;
  }
  eigenstream::detail::GraphDescription& graph() noexcept { return graph_; }

  /// A name that no module has yet.
  std::string path(const std::string& wanted) {
    std::string name = wanted.empty() ? "layer" : wanted;
    for (char& each : name)
      if (each == '.' || static_cast<unsigned char>(each) < 0x20) each = '_';
    std::string own = name;
    for (int k = 2; !paths_.insert(own).second; ++k) own = name + "_" + std::to_string(k);
    return own;
  }
  Index add(ModuleSpec node, const std::vector<Index>& from, const FrameShape& shape) {
    Index length = this->length(from.front());
    for (const Index each : from) length = std::min(length, this->length(each));
    shapes_.push_back(shape), lengths_.push_back(length);
    return graph_.add(std::move(node), from);
  }
  Index add(const char* type, const std::string& name, std::map<std::string, ModuleSpec::Value> fields, Index from,
            const FrameShape& shape) {
    return add(ModuleSpec{type, path(name), std::move(fields), {}}, {from}, shape);
  }
  Index join(const char* op, const std::string& name, const std::vector<Index>& from, const FrameShape& shape) {
    ModuleSpec spec{"Reduce", path(name), {{"op", std::string(op)}}, {}};
    if (has_early_) spec.fields["align"] = std::string("lagging");  // what is without its first frames ends sooner
    return add(std::move(spec), from, shape);
  }

  /// The same numbers as frames of another shape.
  Index reshaped(Index value, const FrameShape& to) {
    if (shape(value) == to) return value;
    return once({value, to.channels, to.width, to.height}, [&] {
      return add("Reshape", "reshape",
                 {{"channels", Index{to.channels}}, {"width", Index{to.width}}, {"height", Index{to.height}}}, value,
                 to);
    });
  }
  /// The value so many frames ago, 0 before the first; or so many frames later, without the first ones. Of a signal
  /// whose length is followed, as many frames as were said, with 0 behind the last.
  Index late(Index value, std::int64_t frames) {
    const bool follows = rows_ > 0 && length(value) > 0;
    const std::int64_t right = follows ? (rows_ - 1) * step_ + 1 - length(value) - frames : frames > 0 ? -frames : 0;
    return every(padded(value, frames, right), step_);
  }
  /// More frames before the first and behind the last, or fewer.
  Index padded(Index value, std::int64_t left, std::int64_t right) {
    if (left == 0 && right == 0) return value;
    has_early_ = has_early_ || left < 0 || right < 0;
    return once({-2, value, left, right}, [&] {
      const Index made = add("Pad",
                             left > 0   ? "late"
                             : left < 0 ? "early"
                                        : "end",
                             {{"left", left}, {"right", right}}, value, shape(value));
      if (length(value) > 0) set_length(made, length(value) + left + right);
      return made;
    });
  }

  /// Every so manieth frame.
  Index every(Index value, Index frames) {
    if (frames == 1) return value;
    return once({-5, value, frames, 0}, [&] {
      const Index made = add("AvgPool1d", "every", {{"kernel_size", std::int64_t{1}}, {"stride", std::int64_t{frames}}},
                             value, shape(value));
      if (length(value) > 0) set_length(made, (length(value) - 1) / frames + 1);
      return made;
    });
  }

  /// A value whose frames of `to` hold the numbers of these places, in the order of memory: channels, width, height.
  Index gather(const std::vector<Place>& wanted, const FrameShape& to) {
    check(to.size() == static_cast<Index>(wanted.size()), "puts ", wanted.size(), " numbers into frames of ",
          to.size());
    const auto known = gathered_.find({wanted, {to.channels, to.width, to.height}});
    if (known != gathered_.end()) return known->second;
    const Index value = put_together(wanted, to);
    gathered_.emplace(std::pair{wanted, std::tuple{Index{to.channels}, Index{to.width}, Index{to.height}}}, value);
    return value;
  }

 private:
  struct Source {
    Index value;
    std::int64_t lag;
    bool operator==(const Source&) const = default;
  };

  template <class Make>
  Index once(const std::vector<Index>& key, Make&& make) {
    const auto found = made_.find(key);
    if (found != made_.end()) return found->second;
    const Index value = make();
    made_[key] = value;
    return value;
  }

  Index put_together(const std::vector<Place>& wanted, const FrameShape& to) {
    std::vector<Source> sources;
    for (const Place& place : wanted) {
      const Source source{place.value, place.lag};
      if (place.value != Place::constant && std::find(sources.begin(), sources.end(), source) == sources.end())
        sources.push_back(source);
    }
    check(!sources.empty(), "needs numbers that do not depend on the signal");
    check(sources.size() <= 4096, "is put together of too many signals: ", sources.size());
    if (sources.size() == 1) {
      const Index only = late(sources[0].value, sources[0].lag);
      bool same = shape(only).size() == to.size();
      for (std::size_t k = 0; same && k < wanted.size(); ++k) same = wanted[k].position == static_cast<std::int64_t>(k);
      if (same) return reshaped(only, to);
      if (is_transposed(wanted, shape(only))) {
        const FrameShape from = shape(only);
        const Index turned = once({-3, only, 0, 0}, [&] {
          return add("Transpose", "transpose", {}, only, {from.width, from.channels, 1, 1});
        });
        return reshaped(turned, to);
      }
    }
    if (alike_in_columns(wanted, to)) return of_channels(wanted, sources, to, true);
    const FrameShape flat{to.size(), 1, 1, 1};
    return reshaped(of_channels(wanted, sources, flat, false), to);
  }
  // Whether all channels of a frame come for each column, in turn: the transpose of (C, W).
  static bool is_transposed(const std::vector<Place>& wanted, const FrameShape& from) {
    if (from.height != 1 || from.size() != static_cast<Index>(wanted.size())) return false;
    for (Index c = 0; c < from.channels; ++c)
      for (Index w = 0; w < from.width; ++w)
        if (wanted[static_cast<std::size_t>(c * from.width + w)].position != w * from.channels + c) return false;
    return true;
  }
  // Whether every column takes the same channels of the same column.
  bool alike_in_columns(const std::vector<Place>& wanted, const FrameShape& to) const {
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      const Place &place = wanted[k], &first = wanted[k % static_cast<std::size_t>(to.channels)];
      const Index column = static_cast<Index>(k) / to.channels;
      if (place.value != first.value || place.lag != first.lag || place.number != first.number) return false;
      if (place.value == Place::constant) continue;
      const FrameShape& own = shape(place.value);
      if (own.width != to.width || own.height != to.height) return false;
      if (first.position >= own.channels || place.position != first.position + column * own.channels) return false;
    }
    return true;
  }
  // Channels of several values side by side, in each column or of frames laid flat.
  Index of_channels(const std::vector<Place>& wanted, const std::vector<Source>& sources, const FrameShape& to,
                    bool in_columns) {
    struct Run {
      Index value;
      Index first, count;
    };
    const auto whole = [&](const Source& source) {
      const Index value = late(source.value, source.lag);
      return in_columns ? value : reshaped(value, {shape(value).size(), 1, 1, 1});
    };
    std::vector<Run> runs;
    std::map<double, Index> constants;
    for (Index c = 0; c < to.channels; ++c) {
      const Place& place = wanted[static_cast<std::size_t>(c)];
      Index value, channel;
      if (place.value == Place::constant) {
        value = constants.contains(place.number) ? constants[place.number]
                                                 : constant_channel(whole(sources.front()), place.number);
        constants[place.number] = value;
        channel = 0;
      } else {
        value = whole({place.value, place.lag});
        channel = place.position;
      }
      if (!runs.empty() && runs.back().value == value && runs.back().first + runs.back().count == channel)
        ++runs.back().count;
      else
        runs.push_back({value, channel, 1});
    }
    if (runs.size() <= 4) {
      std::vector<Index> parts;
      for (const Run& run : runs) parts.push_back(slice(run.value, run.first, run.count));
      return parts.size() == 1 ? parts.front() : join("concat", "concat", parts, to);
    }
    // All of each, and then the choice.
    std::vector<Index> parts, begins;
    Index size = 0;
    for (const Run& run : runs) {
      if (std::find(parts.begin(), parts.end(), run.value) != parts.end()) continue;
      parts.push_back(run.value), begins.push_back(size);
      size += shape(run.value).channels;
    }
    const Index all = parts.size() == 1 ? parts.front() : join("concat", "concat", parts, to.with_channels(size));
    std::vector<std::int64_t> channels;
    for (const Run& run : runs) {
      const auto part = static_cast<std::size_t>(std::find(parts.begin(), parts.end(), run.value) - parts.begin());
      for (Index k = 0; k < run.count; ++k) channels.push_back(begins[part] + run.first + k);
    }
    return add("ChannelSelect", "select", {{"indices", channels}}, all, to);
  }
  Index slice(Index value, Index first, Index count) {
    if (first == 0 && count == shape(value).channels) return value;
    return once({-4, value, first, count}, [&] {
      return add("ChannelSlice", "slice", {{"start", std::int64_t{first}}, {"channels", std::int64_t{count}}}, value,
                 shape(value).with_channels(count));
    });
  }
  Index constant_channel(Index like, double number) {
    return add("Constant", "constant", {{"value", number}}, slice(like, 0, 1), shape(like).with_channels(1));
  }

  eigenstream::detail::GraphDescription graph_;
  std::vector<FrameShape> shapes_;
  std::vector<Index> lengths_;  // of the whole signal
  Index rows_ = 0, step_ = 1;
  std::set<std::string> paths_;
  bool has_early_ = false;
  std::map<std::vector<Index>, Index> made_;
  std::map<std::pair<std::vector<Place>, std::tuple<Index, Index, Index>>, Index> gathered_;
};

}  // namespace onnx

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_LAYOUT_HPP
