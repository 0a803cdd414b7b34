#ifndef EIGENSTREAM_WINDOW_WINDOW_NET_HPP
#define EIGENSTREAM_WINDOW_WINDOW_NET_HPP

#include <algorithm>         // min, max, fill
#include <initializer_list>  // layers in a row
#include <vector>            // nodes

#include "eigenstream/kernel/reduce.hpp"
#include "eigenstream/window/window_layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// The shape of a join, operand by operand: what `so_far` ({0,0} at first) and one more give together; without channels
/// if they do not fit.
constexpr WindowShape joined_window(Reduce op, WindowShape so_far, WindowShape own) noexcept {
  const Index channels = joined_channels(op, so_far.channels, own.channels);
  if (so_far.frames <= 1) return {channels, own.frames};
  return {channels, own.frames > 1 ? std::min(so_far.frames, own.frames) : so_far.frames};
}

/// A network over whole windows: streaming layers and those that need the whole window, in a row or with branches.
///   es::WindowNet<float> net{conv, es::GroupNorm<float>(4, weight, bias), es::Relu<float>{},
///                            es::WindowNet<float>::residual({conv2, es::Relu<float>{}}),
///                            es::AdaptiveAvgPool1d<float>(1), linear};
/// or value by value, where a later layer may take what any earlier one gave:
///   es::WindowNet<float> net;
///   const auto x = net.add(conv, net.input());
///   net.reduce(es::Reduce::product, {x, net.add(gate, x)});
/// Where branches join, windows of a single frame serve for all frames, and those of one channel for all channels; a
/// window that is longer than the shortest by q frames loses the first floor(q/2) and the last ceil(q/2).
/// The value made last is the output; an empty network gives back its input.
/// Shapes   window (C,T) -> (C',T'), as the layers say
/// Timing   a window in, a window out
/// Errors   Error from each call that cannot be done; what depends on the window's shape when a Plan is made
/// Source   torch: a module's own forward, over whole signals
template <class T>
class WindowNet {
 public:
  using Scalar = T;
  /// What a layer gives, or takes.
  struct Value {
    Index number = 0;
  };

  WindowNet() = default;
  /// One layer.
  template <class L>
    requires(!std::is_same_v<std::remove_cvref_t<L>, WindowNet> &&
             std::is_same_v<typename std::remove_cvref_t<L>::Scalar, T>)
  WindowNet(L&& layer) {
    nodes_.push_back({.layer = 0, .operands = {0}});
    layers_.emplace_back(std::forward<L>(layer));
  }
  /// One after the other.
  WindowNet(std::initializer_list<WindowNet> parts) {
    Value last = input();
    for (const WindowNet& part : parts) last = add(part, last);
  }
  /// The same input to several networks, whose outputs become one.
  static WindowNet parallel(Reduce op, std::initializer_list<WindowNet> branches) {
    WindowNet net;
    std::vector<Value> outputs;
    for (const WindowNet& branch : branches) outputs.push_back(net.add(branch, net.input()));
    net.reduce(op, outputs);
    return net;
  }
  /// A network plus its own input.
  static WindowNet residual(const WindowNet& net) { return parallel(Reduce::sum, {net, WindowNet()}); }

  Value input() const noexcept { return {0}; }
  /// What a layer, or a whole network, gives for a value.
  Value add(const WindowNet& net, Value from) {
    check_value(from);
    if (net.nodes_.empty()) return from;
    const Index values = static_cast<Index>(nodes_.size()), layers = static_cast<Index>(layers_.size());
    const std::vector<Node> nodes = net.nodes_;  // it may be this one
    const std::vector<AnyWindowLayer<T>> others = net.layers_;
    for (Node node : nodes) {
      for (Index& operand : node.operands) operand = operand == 0 ? from.number : operand + values;
      if (node.layer >= 0) node.layer += layers;
      nodes_.push_back(std::move(node));
    }
    layers_.insert(layers_.end(), others.begin(), others.end());
    return output();
  }
  /// Errors   Error if there are no values to join
  Value reduce(Reduce op, const std::vector<Value>& from) {
    check(!from.empty(), "WindowNet: nothing to join");
    Node node{.op = op};
    for (const Value value : from) {
      check_value(value);
      node.operands.push_back(value.number);
    }
    nodes_.push_back(std::move(node));
    return output();
  }
  Value output() const noexcept { return {static_cast<Index>(nodes_.size())}; }

  /// The channels that the first layer which minds asks for; Dynamic if none does.
  Index in_channels() const {
    for (const Node& node : nodes_)
      if (node.layer >= 0 && node.operands.front() == 0 && layer(node).in_channels() != Dynamic)
        return layer(node).in_channels();
    return Dynamic;
  }
  Index parameters() const {
    Index all = 0;
    for (const AnyWindowLayer<T>& layer : layers_) all += layer.parameters();
    return all;
  }
  std::uint64_t fingerprint() const {
    Fingerprint all("WindowNet");
    for (const Node& node : nodes_) {
      all.add(std::span<const Index>(node.operands));
      if (node.layer >= 0)
        all.add(std::uint64_t{layer(node).fingerprint()});
      else
        all.add(static_cast<Index>(node.op));
    }
    return all;
  }

  /// The network for windows of one shape: where everything lies in a piece of scratch memory.
  class Plan;

 private:
  struct Node {
    Index layer = -1;  // in layers_; -1: a join
    Reduce op = Reduce::sum;
    std::vector<Index> operands = {};  // values: 0 is the input, k what node k-1 gives
  };
  void check_value(Value value) const {
    check(value.number >= 0 && value.number <= static_cast<Index>(nodes_.size()), "WindowNet: there is no value ",
          value.number);
  }
  const AnyWindowLayer<T>& layer(const Node& node) const { return layers_[static_cast<std::size_t>(node.layer)]; }

  std::vector<Node> nodes_;
  std::vector<AnyWindowLayer<T>> layers_;
};

template <class T>
class WindowNet<T>::Plan {
 public:
  /// Errors   Error if a layer cannot take what comes, if a window becomes empty, if channels do not fit, or if what a
  ///          layer gives is used by none
  Plan(WindowNet net, WindowShape in) : net_(std::move(net)) {
    const std::size_t values = net_.nodes_.size() + 1;
    std::vector<Index> last_use(values, 0);
    shapes_.assign(1, in);
    for (std::size_t v = 1; v < values; ++v) {
      const Node& node = net_.nodes_[v - 1];
      for (const Index operand : node.operands) last_use[static_cast<std::size_t>(operand)] = static_cast<Index>(v);
      shapes_.push_back(node.layer >= 0 ? shape_of_layer(node) : shape_of_join(node));
      macs_ += node.layer >= 0 ? net_.layer(node).macs(shapes_[static_cast<std::size_t>(node.operands.front())]) : 0;
    }
    for (std::size_t v = 1; v + 1 < values; ++v) check(last_use[v] > 0, "WindowNet: value ", v, " is used by none");
    last_use.back() = static_cast<Index>(values);
    place(last_use);
  }

  WindowShape in() const noexcept { return shapes_.front(); }
  WindowShape out() const noexcept { return shapes_.back(); }
  double macs() const noexcept { return macs_; }
  Index scratch_bytes() const noexcept { return scratch_bytes_; }
  const WindowNet& net() const noexcept { return net_; }

  /// Makes y of the window x. Neither allocates nor throws.
  void apply(const T* x, T* y, std::byte* scratch) const noexcept {
    const auto place = [&](Index value) {
      return reinterpret_cast<T*>(scratch + offsets_[static_cast<std::size_t>(value)]);
    };
    const auto read = [&](Index value) -> const T* { return value == 0 ? x : place(value); };
    const Index last = static_cast<Index>(net_.nodes_.size());
    if (last == 0) std::copy_n(x, in().size(), y);
    for (Index v = 1; v <= last; ++v) {
      const Node& node = net_.nodes_[static_cast<std::size_t>(v - 1)];
      T* to = v == last ? y : place(v);
      if (node.layer >= 0) {
        const Index from = node.operands.front();
        net_.layer(node).apply(shapes_[static_cast<std::size_t>(from)], read(from), to, scratch + layer_scratch_);
      } else {
        join(node, shapes_[static_cast<std::size_t>(v)], read, to);
      }
    }
  }

 private:
  WindowShape shape_of_layer(const Node& node) const {
    const WindowShape from = shapes_[static_cast<std::size_t>(node.operands.front())];
    const WindowShape out = net_.layer(node).out_window(from);
    constexpr double most = 4294967296.0;  // 2^32, so that no product runs over
    check(static_cast<double>(out.channels) * static_cast<double>(out.frames) <= most, "WindowNet: a window of ",
          out.channels, " channels and ", out.frames, " frames inside is more than can be kept");
    return out;
  }
  WindowShape shape_of_join(const Node& node) const {
    WindowShape all{0, 0};
    for (const Index operand : node.operands) {
      const WindowShape own = shapes_[static_cast<std::size_t>(operand)], both = joined_window(node.op, all, own);
      check(both.channels > 0, "WindowNet: ", name_of(node.op), " of windows with ", all.channels, " and ",
            own.channels, " channels");
      all = both;
    }
    return all;
  }

  // Gives each value that is not the output a place that is free from its last use on; the output of a layer that works
  // in place lies where its input did.
  void place(const std::vector<Index>& last_use) {
    struct Slot {
      Index bytes;
      Index until;  // the value that reads it last
    };
    std::vector<Slot> slots;
    std::vector<std::size_t> slot_of(shapes_.size(), 0);
    Index most_scratch = 0;
    for (std::size_t v = 1; v < shapes_.size(); ++v) {
      const Node& node = net_.nodes_[v - 1];
      const std::size_t from = static_cast<std::size_t>(node.operands.front());
      if (node.layer >= 0)
        most_scratch = std::max(most_scratch, aligned_bytes(net_.layer(node).scratch_bytes(shapes_[from])));
      if (v + 1 == shapes_.size()) break;  // written to the caller's memory
      // Packets may run over the end.
      const Index bytes = aligned_bytes(shapes_[v].size() * static_cast<Index>(sizeof(T))) + memory_alignment;
      std::size_t s = slots.size();
      if (node.layer >= 0 && net_.layer(node).in_place() && from > 0 && last_use[from] == static_cast<Index>(v)) {
        s = slot_of[from];
      } else {
        for (std::size_t k = 0; k < slots.size() && s == slots.size(); ++k)
          if (slots[k].until < static_cast<Index>(v)) s = k;
      }
      if (s == slots.size()) slots.push_back({});
      slots[s] = {std::max(slots[s].bytes, bytes), last_use[v]};
      slot_of[v] = s;
    }
    std::vector<Index> begin;
    for (const Slot& slot : slots) {
      begin.push_back(layer_scratch_);
      layer_scratch_ += slot.bytes;
    }
    offsets_.assign(shapes_.size(), 0);
    for (std::size_t v = 1; v + 1 < shapes_.size(); ++v) offsets_[v] = begin[slot_of[v]];
    scratch_bytes_ = layer_scratch_ + most_scratch;
  }

  template <class Read>
  void join(const Node& node, WindowShape out, const Read& read, T* y) const noexcept {
    Index channel = 0;
    for (std::size_t k = 0; k < node.operands.size(); ++k) {
      const WindowShape own = shapes_[static_cast<std::size_t>(node.operands[k])];
      const T* x = read(node.operands[k]);
      const bool one_frame = own.frames == 1 && out.frames > 1;
      if (!one_frame) x += (own.frames - out.frames) / 2 * own.channels;
      const auto each_frame = [&](auto&& f) {
        if (!one_frame) return f(x, y, out.frames);
        for (Index t = 0; t < out.frames; ++t) f(x, y + t * out.channels, Index{1});
      };
      if (node.op == Reduce::concat) {
        each_frame(
            [&](const T* from, T* to, Index n) { kernel::copy_columns(from, own.channels, to + channel, out.channels, n); });
        channel += own.channels;
      } else if (k == 0) {
        each_frame([&](const T* from, T* to, Index n) {
          if (own.channels == out.channels) return void(std::copy_n(from, n * out.channels, to));
          for (Index t = 0; t < n; ++t) std::fill_n(to + t * out.channels, out.channels, from[t]);
        });
      } else {
        each_frame([&](const T* from, T* to, Index n) {
          kernel::reduce_pair(node.op, static_cast<const T*>(to), out.channels, from, own.channels, to, out.channels, n);
        });
      }
    }
    if (node.op == Reduce::mean) kernel::divide_all(y, out.size(), static_cast<T>(node.operands.size()));
  }

  WindowNet net_;
  std::vector<WindowShape> shapes_;  // of each value
  std::vector<Index> offsets_;       // in the scratch memory; none for the input and the output
  Index layer_scratch_ = 0;          // where the layers' own begins
  Index scratch_bytes_ = 0;
  double macs_ = 0;
};

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_WINDOW_WINDOW_NET_HPP
