#ifndef EIGENSTREAM_IMPORT_NAM_WAVENET_HPP
#define EIGENSTREAM_IMPORT_NAM_WAVENET_HPP

// Needs nlohmann-json, as safetensors.hpp does.

#include <array>     // modulations
#include <optional>  // what need not be there
#include <string>    // names
#include <vector>    // a setting for each layer

#include "eigenstream/import/nam_part.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// The WaveNet of a .nam file, all of its options: stacks of dilated causal convolutions, each conditioned by the input or by
/// another model, with an activation, gated or blended, a residual path and a sum of skips.
/// What nothing depends on, above all the residual path behind the last layer, is read and left out.
/// Source   https://github.com/sdatkinson/NeuralAmpModelerCore (the file format and what it means)
class NamWaveNet {
 public:
  using Value = GraphDescription::Value;

  /// `append(model, prefix, input, channels)` adds a whole model, for condition_dsp.
  template <class Append>
  static NamPart append(NamContext& context, const JsonNode& config, NamWeights& weights, const std::string& prefix, Value input,
                        Index channels, Append&& append_model) {
    config.expect_only({"layers", "head", "head_scale", "in_channels", "condition_dsp"});
    const Index own = config.integer_or("in_channels", 1, 1, max_nam_extent);
    config.check(own == channels, "in_channels is ", own, ", but ", channels, " come");
    NamWaveNet net(context, weights, prefix);
    net.condition_ = input, net.condition_channels_ = channels;
    net.part_.prewarm_frames = 1;
    if (const auto condition = config.find("condition_dsp")) {
      const NamPart part = append_model(*condition, prefix + "condition_dsp.", input, channels);
      net.condition_ = part.output, net.condition_channels_ = part.channels;
      net.part_.prewarm_frames = part.prewarm_frames;
    }
    net.y_ = input, net.y_channels_ = channels;
    const JsonNode stacks = config["layers"];
    stacks.check(stacks.size() > 0, "is empty");
    for (std::size_t k = 0; k < stacks.size(); ++k) {
      context.count_layer(stacks);
      net.add_stack(stacks[k], prefix + "layers." + std::to_string(k) + ".", k + 1 == stacks.size());
    }
    const auto head = config.find("head");
    return net.finish(config, head);
  }

 private:
  enum class Gating { none, gated, blended };
  enum Place { before_conv, after_conv, before_mixin, after_mixin, before_activation, after_activation, after_layer1x1, after_head1x1 };
  static constexpr std::array<const char*, 8> places{
      "conv_pre_film",       "conv_post_film",       "input_mixin_pre_film", "input_mixin_post_film",
      "activation_pre_film", "activation_post_film", "layer1x1_post_film",   "head1x1_post_film"};
  struct Film {
    bool active = false, shift = true;
    Index groups = 1;
  };
  // The weights of a modulation, read before it is known whether anything depends on it.
  struct FilmWeights {
    Weights<float> scale, scale_bias, shift, shift_bias;
  };
  struct Product {
    bool active = false;
    Index out = 0, groups = 1;
  };

  NamWaveNet(NamContext& context, NamWeights& weights, const std::string& prefix)
      : context_(context), graph_(context.graph), weights_(weights), prefix_(prefix) {}

  void add_stack(const JsonNode& stack, const std::string& path, bool last_stack) {
    stack.expect_only({"input_size", "condition_size", "channels", "bottleneck", "dilations", "kernel_size", "kernel_sizes",
                       "activation", "gating_mode", "gated", "secondary_activation", "head", "head_size", "head_bias", "layer1x1",
                       "head1x1", "groups_input", "groups_input_mixin", "slimmable", "conv_pre_film", "conv_post_film",
                       "input_mixin_pre_film", "input_mixin_post_film", "activation_pre_film", "activation_post_film",
                       "layer1x1_post_film", "head1x1_post_film"});
    const auto extent = [&](const char* key) { return stack[key].integer(1, max_nam_extent); };
    stack.check(extent("input_size") == y_channels_, "input_size is ", extent("input_size"), ", but ", y_channels_, " channels come");
    stack.check(extent("condition_size") == condition_channels_, "condition_size is ", extent("condition_size"), ", but ",
                condition_channels_, " channels come");
    const Index channels = extent("channels");
    const Index inside = stack.integer_or("bottleneck", channels, 1, max_nam_extent);
    const std::vector<Index> dilations = integers(stack["dilations"], stack["dilations"].size());
    stack["dilations"].check(!dilations.empty(), "is empty");
    stack.check(stack.find("kernel_size").has_value() != stack.find("kernel_sizes").has_value(),
                "must have either kernel_size or kernel_sizes");
    const std::vector<Index> taps = stack.find("kernel_sizes") ? integers(stack["kernel_sizes"], dilations.size())
                                                               : std::vector<Index>(dilations.size(), extent("kernel_size"));
    const Product head1x1 = product(stack.find("head1x1")), layer1x1 = layer_product(stack.find("layer1x1"), channels, inside);
    const Index groups = stack.integer_or("groups_input", 1, 1, max_nam_extent);
    const Index mixin_groups = stack.integer_or("groups_input_mixin", 1, 1, max_nam_extent);
    std::array<Film, 8> films;
    for (std::size_t k = 0; k < films.size(); ++k) films[k] = film(stack, places[k]);
    stack.check(!films[after_layer1x1].active || layer1x1.active, "layer1x1_post_film is active, but layer1x1 is not");
    stack.check(!films[after_head1x1].active || head1x1.active, "head1x1_post_film is active, but head1x1 is not");
    const Index skip_channels = head1x1.active ? head1x1.out : inside;
    stack.check(head_ < 0 || head_channels_ == skip_channels, "gives ", skip_channels, " channels to the head, the stack before it ",
                head_channels_);

    y_ = nam_conv(context_, weights_, stack, path + "rechannel", y_, y_channels_, channels, 1, false);
    for (std::size_t k = 0; k < dilations.size(); ++k) {
      context_.count_layer(stack);
      const std::string at = path + std::to_string(k) + ".";
      const Gating gating = gating_of(stack, k, dilations.size());
      const Index middle = gating == Gating::none ? inside : 2 * inside;
      const bool last = last_stack && k + 1 == dilations.size();

      // In the order of the file. Of what is read only to get past it, no node may remain.
      part_.prewarm_frames += (taps[k] - 1) * dilations[k];
      Weights<float> conv = read(stack, at + "conv.weight", channels, middle, taps[k], dilations[k], groups);
      Weights<float> conv_bias = weights_.take({middle}, at + "conv.bias");
      Weights<float> mixin = read(stack, at + "input_mixin.weight", condition_channels_, middle, 1, 1, mixin_groups);
      Weights<float> next, next_bias, skip, skip_bias;
      if (layer1x1.active) {
        next = read(stack, at + "layer1x1.weight", inside, channels, 1, 1, layer1x1.groups);
        next_bias = weights_.take({channels}, at + "layer1x1.bias");
      }
      if (head1x1.active) {
        skip = read(stack, at + "head1x1.weight", inside, head1x1.out, 1, 1, head1x1.groups);
        skip_bias = weights_.take({head1x1.out}, at + "head1x1.bias");
      }
      const std::array<Index, 8> sizes{channels, middle, condition_channels_, middle, middle, inside, channels, skip_channels};
      std::array<FilmWeights, 8> modulations;
      for (std::size_t place = 0; place < sizes.size(); ++place)
        if (films[place].active) modulations[place] = read_film(stack, at + places[place], films[place], sizes[place]);
      const auto modulate = [&](Value value, Place place) {
        return films[place].active ? add_film(value, at + places[place], std::move(modulations[place])) : value;
      };

      Value z = graph_.conv(at + "conv", modulate(y_, before_conv), std::move(conv), std::move(conv_bias), dilations[k], groups);
      z = modulate(z, after_conv);
      Value m = graph_.conv(at + "input_mixin", modulate(condition_, before_mixin), std::move(mixin), {}, 1, mixin_groups);
      m = modulate(m, after_mixin);
      z = modulate(graph_.join("sum", at + "sum", {z, m}), before_activation);
      z = activate(stack, k, dilations.size(), at, z, inside, gating);
      z = modulate(z, after_activation);
      Value s = z;
      if (head1x1.active) s = graph_.conv(at + "head1x1", z, std::move(skip), std::move(skip_bias), 1, head1x1.groups);
      s = modulate(s, after_head1x1);
      head_ = head_ < 0 ? s : graph_.join("sum", at + "skip", {head_, s});
      head_channels_ = skip_channels;
      if (!layer1x1.active || last) continue;
      Value step = graph_.conv(at + "layer1x1", z, std::move(next), std::move(next_bias), 1, layer1x1.groups);
      // As NeuralAmpModelerCore does: its weights are always there, but only blended layers use them.
      if (gating == Gating::blended) step = modulate(step, after_layer1x1);
      y_ = graph_.join("sum", at + "residual", {step, y_});
    }
    y_channels_ = channels;
    add_head(stack, path);
  }

  // The sum of the skips becomes what the stack gives.
  void add_head(const JsonNode& stack, const std::string& path) {
    Index out = 0, taps = 1, dilation = 1;
    bool bias = false;
    if (const auto head = stack.find("head")) {
      head->expect_only({"out_channels", "kernel_size", "bias", "head_dilation"});
      stack.check(!stack.find("head_size") && !stack.find("head_bias"), "has both head and head_size or head_bias");
      out = (*head)["out_channels"].integer(1, max_nam_extent);
      taps = (*head)["kernel_size"].integer(1, max_nam_extent);
      dilation = head->integer_or("head_dilation", 1, 1, max_nam_extent);
      bias = (*head)["bias"].boolean();
    } else {
      out = stack["head_size"].integer(1, max_nam_extent);
      bias = stack["head_bias"].boolean();
    }
    head_ = nam_conv(context_, weights_, stack, path + "head", head_, head_channels_, out, taps, bias, dilation);
    head_channels_ = out;
    part_.prewarm_frames += (taps - 1) * dilation;
  }

  NamPart finish(const JsonNode& config, const std::optional<JsonNode>& head) {
    static_cast<void>(config["head_scale"].number());  // which the last weight overrides
    struct Layer {
      Weights<float> weight, bias;
    };
    std::vector<Layer> layers;
    if (head) {
      head->expect_only({"in_channels", "channels", "out_channels", "kernel_sizes", "activation"});
      const Index given = head->integer_or("in_channels", head_channels_, 1, max_nam_extent);
      head->check(given == head_channels_, "in_channels is ", given, ", but ", head_channels_, " channels come");
      const JsonNode list = (*head)["kernel_sizes"];
      const std::vector<Index> taps = integers(list, list.size());
      list.check(!taps.empty(), "is empty");
      for (std::size_t k = 0; k < taps.size(); ++k) {
        context_.count_layer(*head);
        const Index out = (*head)[k + 1 == taps.size() ? "out_channels" : "channels"].integer(1, max_nam_extent);
        const std::string path = prefix_ + "head." + std::to_string(k);
        layers.push_back({weights_.take({out, head_channels_, taps[k]}, path + ".weight"), weights_.take({out}, path + ".bias")});
        head_channels_ = out;
        part_.prewarm_frames += taps[k] - 1;
      }
    }
    const float scale = weights_.take_one(prefix_ + "head_scale");
    head_ = graph_.add("Affine", prefix_ + "head_scale", head_, {{"scale", double{scale}}, {"offset", 0.0}});
    for (std::size_t k = 0; k < layers.size(); ++k) {
      const std::string path = prefix_ + "head." + std::to_string(k);
      const Index in = layers[k].weight.shape[1];
      head_ = nam_activation(context_, (*head)["activation"], path + ".activation", head_, in);
      head_ = graph_.conv(path, head_, std::move(layers[k].weight), std::move(layers[k].bias));
    }
    part_.output = head_, part_.channels = head_channels_;
    return part_;
  }

  Value activate(const JsonNode& stack, std::size_t k, std::size_t layers, const std::string& at, Value z, Index inside,
                 Gating gating) {
    const JsonNode activation = each(stack["activation"], k, layers);
    if (gating == Gating::none) return nam_activation(context_, activation, at + "activation", z, inside);
    const auto slice = [&](const char* name, Index start) {
      return graph_.add("ChannelSlice", at + name, z, {{"start", std::int64_t{start}}, {"channels", std::int64_t{inside}}});
    };
    const Value plain = slice("signal", 0);
    const Value bent = nam_activation(context_, activation, at + "activation", plain, inside);
    const Value gate = nam_activation(context_, secondary(stack, k, layers), at + "secondary_activation", slice("gate", inside), inside);
    if (gating == Gating::gated) return graph_.join("product", at + "gated", {bent, gate});
    // gate * bent + (1 - gate) * plain
    const Value change = graph_.join("difference", at + "change", {bent, plain});
    return graph_.join("sum", at + "blended", {graph_.join("product", at + "blend", {gate, change}), plain});
  }
  static Gating gating_of(const JsonNode& stack, std::size_t k, std::size_t layers) {
    const auto mode = stack.find("gating_mode"), old = stack.find("gated");
    if (mode) {
      const JsonNode own = each(*mode, k, layers);
      const std::string text = own.text();
      own.check(text == "none" || text == "gated" || text == "blended", in_quotes(text), " is not none, gated or blended");
      return text == "none" ? Gating::none : text == "gated" ? Gating::gated : Gating::blended;
    }
    return old && old->boolean() ? Gating::gated : Gating::none;
  }
  static JsonNode secondary(const JsonNode& stack, std::size_t k, std::size_t layers) {
    static const json sigmoid = "Sigmoid";
    const JsonNode otherwise(sigmoid, stack.place() + ".secondary_activation");
    const auto given = stack.find("secondary_activation");
    if (!given) return otherwise;
    const JsonNode own = each(*given, k, layers);
    return own.value().is_null() || own.value() == "" ? otherwise : own;
  }
  // What a setting says of layer k: it is one for all, or a list.
  static JsonNode each(const JsonNode& setting, std::size_t k, std::size_t layers) {
    if (!setting.is_array()) return setting;
    setting.check(setting.size() == layers, "has ", setting.size(), " items for ", layers, " layers");
    return setting[k];
  }
  static std::vector<Index> integers(const JsonNode& list, std::size_t count) {
    list.check(list.size() == count && count <= static_cast<std::size_t>(max_imported_layers), "has ", list.size(), " items, expected ",
               count, ", and at most ", max_imported_layers);
    std::vector<Index> all;
    for (std::size_t k = 0; k < count; ++k) all.push_back(list[k].integer(1, max_nam_extent));
    return all;
  }
  static Product product(const std::optional<JsonNode>& node) {
    if (!node) return {};
    node->expect_only({"active", "out_channels", "groups"});
    Product own{(*node)["active"].boolean(), 0, 1};
    if (!own.active) return own;
    own.out = (*node)["out_channels"].integer(1, max_nam_extent);
    own.groups = node->integer_or("groups", 1, 1, max_nam_extent);
    return own;
  }
  static Product layer_product(const std::optional<JsonNode>& node, Index channels, Index inside) {
    Product own{true, channels, 1};
    if (node) {
      node->expect_only({"active", "groups"});
      own.active = (*node)["active"].boolean(), own.groups = node->integer_or("groups", 1, 1, max_nam_extent);
      node->check(own.active || channels == inside, "is not active, so that bottleneck must be channels");
    }
    return own;
  }
  static Film film(const JsonNode& stack, const char* key) {
    const auto node = stack.find(key);
    if (!node || (node->value().is_boolean() && !node->boolean())) return {};
    node->expect_only({"active", "shift", "groups"});
    return {node->boolean_or("active", true), node->boolean_or("shift", true), node->integer_or("groups", 1, 1, max_nam_extent)};
  }

  Weights<float> read(const JsonNode& where, const std::string& what, Index in, Index out, Index taps, Index dilation, Index groups) {
    return nam_conv_weight(weights_, where, what, in, out, taps, dilation, groups);
  }
  // One product gives scale and shift; here each has its own, with what its group does not see written out as zeros.
  FilmWeights read_film(const JsonNode& where, const std::string& what, const Film& film, Index channels) {
    const Index in = condition_channels_, out = film.shift ? 2 * channels : channels, own = in / film.groups;
    const Weights<float> weight = read(where, what + ".weight", in, out, 1, 1, film.groups);
    const Weights<float> bias = weights_.take({out}, what + ".bias");
    // Written out it is larger than the file says; real ones have a few thousand numbers.
    where.check(film.groups == 1 || channels <= (Index{1} << 16) / in, what, ": ", channels, " by ", in, " numbers in groups are more than 2^16");
    const auto part = [&](Index first) {
      Weights<float> dense({channels, in, 1}, std::vector<float>(static_cast<std::size_t>(channels * in)));
      for (Index o = 0; o < channels; ++o)
        for (Index i = 0; i < own; ++i) {
          const Index row = first + o, column = row / (out / film.groups) * own + i;
          dense.values[static_cast<std::size_t>(o * in + column)] = weight(row * own + i);
        }
      return dense;
    };
    const auto part_bias = [&](Index first) {
      return Weights<float>({channels}, {bias.values.begin() + first, bias.values.begin() + first + channels});
    };
    FilmWeights all{part(0), part_bias(0), {}, {}};
    if (film.shift) all.shift = part(channels), all.shift_bias = part_bias(channels);
    return all;
  }
  Value add_film(Value value, const std::string& path, FilmWeights weights) {
    const Value scale = graph_.conv(path + ".scale", condition_, std::move(weights.scale), std::move(weights.scale_bias));
    const Value scaled = graph_.join("product", path + ".scaled", {value, scale});
    if (weights.shift.empty()) return scaled;
    const Value shift = graph_.conv(path + ".shift", condition_, std::move(weights.shift), std::move(weights.shift_bias));
    return graph_.join("sum", path + ".shifted", {scaled, shift});
  }

  NamContext& context_;
  GraphDescription& graph_;
  NamWeights& weights_;
  const std::string& prefix_;
  Value condition_ = 0, y_ = 0, head_ = -1;
  Index condition_channels_ = 0, y_channels_ = 0, head_channels_ = 0;
  NamPart part_;
};

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_NAM_WAVENET_HPP
