#ifndef EIGENSTREAM_NETWORK_TYPES_WINDOWS_HPP
#define EIGENSTREAM_NETWORK_TYPES_WINDOWS_HPP

#include "eigenstream/compose/each_frame.hpp"
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
  const bool merge = r.boolean("merge"), space = windows.facts(windows.wanted().with_batch(1)).out.has_space();
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
      {.offset = r.integer("offset"), .normalise_start = r.boolean("normalise_start")});
}

inline Built build_overlap_add(ModuleReader& r, const FrameShape&) {
  const Index channels = r.integer("channels"), size = r.integer("size"), stride = r.integer("stride");
  check_window_size(r, channels, size);
  const Padding padding = r.padding("padding");
  OverlapAddOptions options{.normalise = r.boolean("normalise"), .left = padding.left, .right = padding.right};
  const Weights<float> window = r.weight("window");
  options.window.assign(window.values.begin(), window.values.end());
  return OverlapAdd<float>(channels, size, stride, options);
}

inline Built build_windowed(ModuleReader& r, const FrameShape& in) {
  const Index size = r.integer("size"), stride = r.integer("stride");
  WindowedOptions options{.padding = r.padding("padding"), .channels = r.integer("channels")};
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

inline Built build_each_frame(ModuleReader& r, const FrameShape&) {
  const FrameShape frame{r.integer("channels"), r.integer("width"), 1, 1};
  check_window_size(r, frame.channels, frame.width);
  Module net = r.window_child("net", frame);
  AnyLayer<float> layer = net.layer;
  return {each_frame(std::move(layer)), {std::move(net)}};
}

/// Cutting into windows, what needs a whole one, and putting them back: the types that model files may hold.
inline void add_windows_types(Registry& registry) {
  using F = ModuleField;
  const auto add = [&](ModuleType type) {
    type.group = "Windows";
    registry.add(std::move(type));
  };
  const F size = F::integer("size", required, "frames of a window"),
          stride = F::integer("stride", required, "from window to window");
  const F merge = F::boolean("merge", true, "whether the frames of a window become one, its channels one after the other");
  add({.name = "Windowed",
       .summary = "A network over windows, each a signal of its own",
       .formula = "y[i C' + c, w] = net(x[., w stride - left ... w stride - left + size - 1])[c, i]\n"
                  "frames   floor((n + left + right - size) / stride) + 1",
       .notes =
           "What `net` makes of a window, `C'` channels of `n'` frames, is one output frame: without `merge`, it keeps its "
           "`n'` "
           "columns of `C'` channels, which what works over space takes. Inside, Sequential, Residual, Parallel and Graph hold "
           "any types, also those that need a whole window; where values join there, one of a single frame serves for all.",
       .fields = {size, stride, F::padding("padding", "zeros before and after the signal; less than `size`"),
                  F::integer("channels", absent, "of the input; without it, what `net` says"), F::node("net", "the network"),
                  merge},
       .build = build_windowed});
  add({.name = "EachFrame",
       .summary = "A network over the width of each frame, as over a window",
       .formula = "y[.,.,t] = net(x[.,.,t])",
       .notes = "What `net` is allowed to be inside a Windowed, it is here: a GRU in both directions over the bins of each spectrum, a "
                "GroupNorm of each frame.",
       .fields = {F::integer("channels", required, "channels of x"), F::integer("width", required, "columns of x"),
                  F::node("net", "the network")},
       .space = Space::used,
       .build = build_each_frame});
  add({.name = "Snapshotter",
       .summary = "Each window as one frame, with zeros before the signal",
       .notes = "A Windowed with `padding` [snapshot_size - stride_size, 0] and an empty Sequential.",
       .fields = {F::integer("num_channels", required, "channels of x"),
                  F::integer("snapshot_size", required, "frames of a window"),
                  F::integer("stride_size", required, "from window to window; less than the size"), merge},
       .build = build_snapshotter});
  add({.name = "OverlapAdd",
       .summary = "Windows put back onto one time line, and added where they overlap",
       .formula = "y[c,m] = sum over all w, p with w stride + p - left = m of window[p] x[p channels + c, w]\n"
                  "frames   (n - 1) stride + size - left - right",
       .notes = "Each input frame is a window of `size` frames. With `normalise`, the sum is divided by that of the factors "
                "`window[p]`.",
       .fields = {F::integer("channels", required, "channels of y"), size, F::integer("stride", required, "at most `size`"),
                  F::padding("padding", "frames to leave out at the ends; at most `size - stride`"),
                  F::boolean("normalise", false, "whether to divide by the factors"),
                  F::boolean("weighted", false, "whether there are any, else they are 1")},
       .tensors = {{"window", "size", "weighted"}},
       .build = build_overlap_add});
  add({.name = "OnlineAverager",
       .summary = "The mean of predictions that overlap, each shifted against the one before",
       .formula = "y[c,m] = 1/N sum over k = max(0, j - N + 1) ... min(j, n - 1) of x[(K - offset - N U + m - k U) C + c, k],  "
                  "j = floor(m / U)\n"
                  "frames   (n + N - 1) U",
       .notes = "Each input frame is a prediction of `K >= N U + offset` frames. The last `(N - 1) U` frames are divided by "
                "how many "
                "predictions there are and, with `normalise_start`, the first ones, too.",
       .fields = {F::integer("update_size", required, "`U`, frames from prediction to prediction"),
                  F::integer("num_updates", required, "`N`, predictions in a mean"),
                  F::integer("num_channels", required, "`C`"),
                  F::integer("offset", 0, "frames to leave out at the newest end", 0),
                  F::boolean("normalise_start", false, "whether the first frames are divided by fewer than `N`")},
       .build = build_online_averager});
  const auto rearrange = [&](const char* name, const char* torch, const char* summary, const char* formula,
                             ModuleType::Factory build) {
    registry.add({.name = name,
                  .torch = torch,
                  .group = "Layers over windows",
                  .summary = summary,
                  .formula = formula,
                  .space = Space::needed,
                  .build = std::move(build)});
  };
  rearrange("Transpose", "torch.transpose", "Frames as channels and channels as frames: (C, n) to (n, C)", "y[t,c] = x[c,t]",
            build_plain<Transpose<float>>);
  rearrange("Flatten", "torch.nn.Flatten", "All frames as one: (C, n) to (C n, 1)", "y[c n + t, 0] = x[c,t]",
            build_plain<Flatten<float>>);
  rearrange("Reverse", "torch.flip", "The window backwards", "y[c,t] = x[c, n - 1 - t]", build_plain<Reverse<float>>);
}

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_TYPES_WINDOWS_HPP
