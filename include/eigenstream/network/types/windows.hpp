#ifndef EIGENSTREAM_NETWORK_TYPES_WINDOWS_HPP
#define EIGENSTREAM_NETWORK_TYPES_WINDOWS_HPP

#include "eigenstream/layer/rearrange.hpp"
#include "eigenstream/network/registry.hpp"
#include "eigenstream/window/online_averager.hpp"
#include "eigenstream/window/overlap_add.hpp"
#include "eigenstream/window/snapshotter.hpp"
#include "eigenstream/window/windowed.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

// Windows are kept whole, several of them in all.
inline void check_window_size(const ModuleReader& r, Index channels, Index frames) {
  r.check(static_cast<double>(channels) * static_cast<double>(frames) <= static_cast<double>(max_window), "windows of ",
          channels, " channels and ", frames, " frames are more than can be kept");
}

// The windows as frames without space, as most of what model files put behind them wants them; with "merge": false as frames
// with a column for each of the window's.
inline Built merged(ModuleReader& r, AnyLayer<float> windows, std::vector<Module> children) {
  const bool merge = r.boolean("merge", true), space = windows.facts(windows.wanted().with_batch(1)).out.has_space();
  if (!merge || !space) return Built(std::move(windows), std::move(children));
  return Built(AnySequential<float>({std::move(windows), Merge<float>()}), std::move(children));
}

inline Built build_snapshotter(ModuleReader& r, const FrameShape&) {
  const Index channels = r.integer("num_channels"), size = r.integer("snapshot_size");
  check_window_size(r, channels, size);
  return merged(r, Snapshotter<float>(channels, size, r.integer("stride_size")), {});
}

inline Built build_online_averager(ModuleReader& r, const FrameShape&) {
  const Index update = r.integer("update_size"), updates = r.integer("num_updates"),
              channels = r.integer("num_channels");
  check_window_size(r, channels * updates, update);
  return OnlineAverager<float>(
      update, 1, updates, channels,
      {.offset = r.integer("offset", 0, 0), .normalise_start = r.boolean("normalise_start", false)});
}

inline Built build_overlap_add(ModuleReader& r, const FrameShape&) {
  const Index channels = r.integer("channels"), size = r.integer("size"), stride = r.integer("stride");
  check_window_size(r, channels, size);
  const Padding padding = r.padding("padding");
  OverlapAddOptions options{.normalise = r.boolean("normalise", false), .left = padding.left, .right = padding.right};
  if (r.boolean("weighted", false)) {
    const Weights<float> window = r.weight("window", {size});
    options.window.assign(window.values.begin(), window.values.end());
  }
  return OverlapAdd<float>(channels, size, stride, options);
}

inline Built build_windowed(ModuleReader& r, const FrameShape& in) {
  const Index size = r.integer("size"), stride = r.integer("stride");
  WindowedOptions options{.padding = r.padding("padding"), .channels = r.integer("channels", Dynamic)};
  FrameShape window{options.channels != Dynamic ? options.channels : Index{in.channels}, size, 1, 1};
  check_window_size(r, window.channels, size);
  Module net = r.window_child("net", window);
  if (window.channels == 0) window.channels = net.layer.wanted().channels;
  r.check(window.channels != 0, "field \"channels\" is missing: nothing inside says how many it takes");
  check_window_size(r, window.channels, size);
  options.channels = window.channels;
  AnyLayer<float> layer = net.layer;
  return merged(r, Windowed<AnyLayer<float>>(std::move(layer), size, stride, options), {std::move(net)});
}

/// Cutting into windows, what needs a whole one, and putting them back: the types that model files may hold.
inline void add_windows_types(Registry& registry) {
  registry.add("Snapshotter", build_snapshotter);
  registry.add("Windowed", build_windowed);
  registry.add("OnlineAverager", build_online_averager);
  registry.add("OverlapAdd", build_overlap_add);
  add_plain<Transpose<float>>(registry, "Transpose");
  add_plain<Flatten<float>>(registry, "Flatten");
  add_plain<Reverse<float>>(registry, "Reverse");
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_WINDOWS_HPP
