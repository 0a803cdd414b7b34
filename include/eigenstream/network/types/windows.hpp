#ifndef EIGENSTREAM_NETWORK_TYPES_WINDOWS_HPP
#define EIGENSTREAM_NETWORK_TYPES_WINDOWS_HPP

#include "eigenstream/network/registry.hpp"
#include "eigenstream/window/online_averager.hpp"
#include "eigenstream/window/overlap_add.hpp"
#include "eigenstream/window/rearrange.hpp"
#include "eigenstream/window/snapshotter.hpp"
#include "eigenstream/window/windowed.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

// Windows are kept whole, several of them in all.
inline void check_window_size(const ModuleReader& r, Index channels, Index frames) {
  r.check(static_cast<double>(channels) * static_cast<double>(frames) <= static_cast<double>(max_window), "windows of ",
          channels, " channels and ", frames, " frames are more than can be kept");
}

inline Built build_snapshotter(ModuleReader& r, Index) {
  const Index channels = r.integer("num_channels"), size = r.integer("snapshot_size");
  check_window_size(r, channels, size);
  return Snapshotter<float>(channels, size, r.integer("stride_size"));
}

inline Built build_online_averager(ModuleReader& r, Index) {
  const Index update = r.integer("update_size"), updates = r.integer("num_updates"),
              channels = r.integer("num_channels");
  check_window_size(r, channels * updates, update);
  return OnlineAverager<float>(
      update, 1, updates, channels,
      {.offset = r.integer("offset", 0, 0), .normalise_start = r.boolean("normalise_start", false)});
}

inline Built build_overlap_add(ModuleReader& r, Index) {
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

inline Built build_windowed(ModuleReader& r, Index in) {
  const Index size = r.integer("size"), stride = r.integer("stride");
  WindowedOptions options{.padding = r.padding("padding"), .channels = r.integer("channels", Dynamic)};
  WindowModule net = r.window_child("net");
  if (options.channels == Dynamic) options.channels = net.net.in_channels() != Dynamic ? net.net.in_channels() : in;
  r.check(options.channels != Dynamic, "field \"channels\" is missing: nothing inside says how many it takes");
  check_window_size(r, options.channels, size);
  Windowed<float> layer(net.net, size, stride, options);
  return Built(std::move(layer), {}, {std::move(net)});
}

/// Cutting into windows, what needs a whole one, and putting them back: the types that model files may hold.
inline void add_windows_types(Registry& registry) {
  registry.add("Snapshotter", build_snapshotter);
  registry.add("Windowed", build_windowed);
  registry.add("OnlineAverager", build_online_averager);
  registry.add("OverlapAdd", build_overlap_add);
  registry.add_window("Transpose", plain_window_factory<Transpose<float>>());
  registry.add_window("Flatten", plain_window_factory<Flatten<float>>());
  registry.add_window("Reverse", plain_window_factory<Reverse<float>>());
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_WINDOWS_HPP
