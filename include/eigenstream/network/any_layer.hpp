#ifndef EIGENSTREAM_NETWORK_ANY_LAYER_HPP
#define EIGENSTREAM_NETWORK_ANY_LAYER_HPP

#include <memory>  // shared_ptr
#include <span>    // inputs
#include <string>  // names
#include <vector>  // stages

#include "eigenstream/compose/chain.hpp"
#include "eigenstream/compose/operations.hpp"
#include "eigenstream/compose/stages.hpp"
#include "eigenstream/core/layer.hpp"
#include "eigenstream/core/network_input.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A layer of any type behind one indirect call for each tile of frames: what networks built at run time are made of.
/// Copies share the layer, which never changes.
template <class T>
class AnyLayer {
 public:
  using Scalar = T;

  // Not constrained by Layer itself: a container of AnyLayers is a Layer if it can be copied, and whether it can be
  // copied must not depend on whether it is a Layer.
  template <class L>
    requires(!std::is_same_v<std::remove_cvref_t<L>, AnyLayer> &&
             std::is_same_v<typename std::remove_cvref_t<L>::Scalar, T>)
  AnyLayer(L&& layer)
      : layer_(std::make_shared<const Model<std::remove_cvref_t<L>>>(std::forward<L>(layer))),
        in_place_(layer_->in_place()),
        steady_(is_steady(*layer_)) {
    static_assert(Layer<std::remove_cvref_t<L>> || JoinLayer<std::remove_cvref_t<L>>);
  }

  /// The layer itself if it is an L, else null.
  template <class L>
  const L* as() const noexcept {
    const auto* model = dynamic_cast_to<L>();
    return model == nullptr ? nullptr : &model->layer;
  }

  /// The same layer without padding in time; shared if it has none.
  AnyLayer without_padding() const {
    std::shared_ptr<const Base> without = layer_->without_padding();
    if (without == nullptr) return *this;
    AnyLayer layer(std::move(without));
    layer.name_ = name_;
    return layer;
  }

  /// What reports call it; empty unless it was given a name.
  const std::string& name() const noexcept {
    static const std::string none;
    return name_ == nullptr ? none : *name_;
  }
  AnyLayer named(std::string name) const {
    AnyLayer layer = *this;
    layer.name_ = std::make_shared<const std::string>(std::move(name));
    return layer;
  }

  /// How many signals it takes. One that takes several is for a graph.
  Index inputs() const noexcept { return layer_->inputs(); }
  FrameShape wanted() const { return layer_->wanted(); }
  Facts facts(const FrameShape& in) const { return layer_->facts({&in, 1}); }
  Facts facts(std::span<const FrameShape> in) const { return layer_->facts(in); }
  Timing timing() const { return layer_->timing(); }
  Index max_outputs(Index n) const noexcept { return steady_ ? n : layer_->max_outputs(n); }
  std::uint64_t fingerprint() const { return layer_->fingerprint(); }
  void reset(StateRef state) const noexcept { layer_->reset(state); }
  Index steps(StateRef state, Frames<const T> x, Frames<T> y) const noexcept { return layer_->steps(state, &x, y); }
  Index steps(StateRef state, std::span<const Frames<const T>> x, Frames<T> y) const noexcept {
    return layer_->steps(state, x.data(), y);
  }
  Index flush(StateRef state, Frames<T> y) const noexcept { return layer_->flush(state, y); }
  void exchange(StateRef state, StateCodec& codec) const { layer_->exchange(state, codec); }
  T* input_room(StateRef state, Index n) const noexcept { return layer_->input_room(state, n); }
  bool in_place() const noexcept { return in_place_; }
  /// What a plan calls directly.
  detail::Operations<T> operations() const noexcept { return layer_->operations(); }
  /// Whether never more frames come out of a call than went in.
  bool is_steady() const noexcept { return steady_; }
  /// What a network with several outputs does besides, and what they are.
  const std::vector<NetworkOutput>& all_outputs() const noexcept { return layer_->all_outputs(); }
  std::vector<FrameShape> out_shapes(const FrameShape& in) const { return layer_->out_shapes(in); }
  void steps(StateRef state, std::span<const Frames<const T>> x, std::span<const Frames<T>> y,
             std::span<Index> written) const noexcept {
    layer_->steps(state, x, y, written);
  }
  void flush(StateRef state, std::span<const Frames<T>> y, std::span<Index> written) const noexcept {
    layer_->flush(state, y, written);
  }
  /// The knobs of a network that has some.
  const std::vector<NetworkControl>& controls() const noexcept { return layer_->controls(); }
  void set_control(StateRef state, Index k, const T* values, bool same) const noexcept {
    layer_->set_control(state, k, values, same);
  }
  const T* control(StateRef state, Index k) const noexcept { return layer_->control(state, k); }
  /// What its further inputs are, of a network that has several.
  const std::vector<NetworkInput>& more_inputs() const noexcept { return layer_->more_inputs(); }
  bool keeps_channels() const noexcept { return layer_->keeps_channels(); }
  Space space() const noexcept { return layer_->space(); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual const void* tag() const noexcept = 0;
    virtual std::shared_ptr<const Base> without_padding() const = 0;  // null: the layer itself
    virtual Index inputs() const noexcept = 0;
    virtual const std::vector<NetworkInput>& more_inputs() const noexcept = 0;
    virtual FrameShape wanted() const = 0;
    virtual Facts facts(std::span<const FrameShape>) const = 0;
    virtual Timing timing() const = 0;
    virtual Index max_outputs(Index) const noexcept = 0;
    virtual std::uint64_t fingerprint() const = 0;
    virtual void reset(StateRef) const noexcept = 0;
    virtual Index steps(const StateRef&, const Frames<const T>*, const Frames<T>&) const noexcept = 0;  // of each input
    virtual Index flush(StateRef, Frames<T>) const noexcept = 0;
    virtual void exchange(StateRef, StateCodec&) const = 0;
    virtual T* input_room(StateRef, Index) const noexcept = 0;
    virtual bool in_place() const noexcept = 0;
    virtual detail::Operations<T> operations() const noexcept = 0;
    virtual bool keeps_channels() const noexcept = 0;
    virtual Space space() const noexcept = 0;
    virtual const std::vector<NetworkOutput>& all_outputs() const noexcept = 0;
    virtual std::vector<FrameShape> out_shapes(const FrameShape&) const = 0;
    virtual void steps(StateRef, std::span<const Frames<const T>>, std::span<const Frames<T>>,
                       std::span<Index>) const noexcept = 0;
    virtual void flush(StateRef, std::span<const Frames<T>>, std::span<Index>) const noexcept = 0;
    virtual const std::vector<NetworkControl>& controls() const noexcept = 0;
    virtual void set_control(StateRef, Index, const T*, bool) const noexcept = 0;
    virtual const T* control(StateRef, Index) const noexcept = 0;
  };
  // One address for each type: tells layers apart without run-time type information.
  template <class L>
  static constexpr char tag_of = 0;

  template <class L>
  struct Model final : Base {
    explicit Model(L l) : layer(std::move(l)) {}
    const void* tag() const noexcept override { return &tag_of<L>; }
    std::shared_ptr<const Base> without_padding() const override {
      if constexpr (requires { layer.without_padding(); }) {
        using Without = std::remove_cvref_t<decltype(layer.without_padding())>;
        return std::make_shared<const Model<Without>>(layer.without_padding());
      } else {
        return nullptr;
      }
    }
    Index inputs() const noexcept override { return inputs_of(layer); }
    const std::vector<NetworkInput>& more_inputs() const noexcept override { return more_inputs_of(layer); }
    FrameShape wanted() const override { return layer.wanted(); }
    Facts facts(std::span<const FrameShape> in) const override {
      if constexpr (Layer<L>)
        if (in.size() == 1) return layer.facts(in.front());  // of a network, whose further inputs say what they are
      if constexpr (JoinLayer<L>)
        if (static_cast<Index>(in.size()) == layer.inputs()) return layer.facts(in);
      fail("a layer of ", inputs(), " inputs is given ", in.size());
    }
    Timing timing() const override { return layer.timing(); }
    Index max_outputs(Index n) const noexcept override { return layer.max_outputs(n); }
    std::uint64_t fingerprint() const override { return layer.fingerprint(); }
    void reset(StateRef state) const noexcept override { layer.reset(state); }
    Index steps(const StateRef& state, const Frames<const T>* x, const Frames<T>& y) const noexcept override {
      if constexpr (requires { layer.inputs(); })
        if (layer.inputs() > 1)
          return layer.steps(state, std::span(x, static_cast<std::size_t>(layer.inputs())), y);
      if constexpr (Layer<L>)
        return layer.steps(state, *x, y);
      else
        return 0;
    }
    Index flush(StateRef state, Frames<T> y) const noexcept override { return layer.flush(state, y); }
    void exchange(StateRef state, StateCodec& codec) const override { layer.exchange(state, codec); }
    T* input_room(StateRef state, Index n) const noexcept override {
      if constexpr (Layer<L>) return layer.input_room(state, n);
      return nullptr;
    }
    bool in_place() const noexcept override { return layer.in_place(); }
    detail::Operations<T> operations() const noexcept override { return detail::operations_of(layer); }
    bool keeps_channels() const noexcept override { return eigenstream::keeps_channels(layer); }
    Space space() const noexcept override { return space_of(layer); }
    const std::vector<NetworkOutput>& all_outputs() const noexcept override { return all_outputs_of(layer); }
    std::vector<FrameShape> out_shapes(const FrameShape& in) const override {
      if constexpr (requires { layer.out_shapes(in); })
        return layer.out_shapes(in);
      else
        return {};
    }
    void steps([[maybe_unused]] StateRef state, [[maybe_unused]] std::span<const Frames<const T>> x,
               [[maybe_unused]] std::span<const Frames<T>> y, [[maybe_unused]] std::span<Index> written) const noexcept override {
      if constexpr (requires { layer.all_outputs(); }) layer.steps(state, x, y, written);
    }
    void flush([[maybe_unused]] StateRef state, [[maybe_unused]] std::span<const Frames<T>> y,
               [[maybe_unused]] std::span<Index> written) const noexcept override {
      if constexpr (requires { layer.all_outputs(); }) layer.flush(state, y, written);
    }
    const std::vector<NetworkControl>& controls() const noexcept override { return controls_of(layer); }
    void set_control([[maybe_unused]] StateRef state, [[maybe_unused]] Index k,
                     [[maybe_unused]] const T* values, [[maybe_unused]] bool same) const noexcept override {
      if constexpr (requires { layer.controls(); }) layer.set_control(state, k, values, same);
    }
    const T* control([[maybe_unused]] StateRef state, [[maybe_unused]] Index k) const noexcept override {
      if constexpr (requires { layer.controls(); }) return layer.control(state, k);
      return nullptr;
    }
    L layer;
  };

  explicit AnyLayer(std::shared_ptr<const Base> layer) : layer_(std::move(layer)), in_place_(layer_->in_place()), steady_(is_steady(*layer_)) {}
  // At most one frame out for each that goes in.
  static bool is_steady(const Base& layer) noexcept { return layer.max_outputs(1) == 1 && layer.max_outputs(max_room) == max_room; }

  template <class L>
  const Model<L>* dynamic_cast_to() const noexcept {
    return layer_->tag() == &tag_of<L> ? static_cast<const Model<L>*>(layer_.get()) : nullptr;
  }

  std::shared_ptr<const Base> layer_;
  std::shared_ptr<const std::string> name_;
  bool in_place_, steady_;  // asked for with every tile
};

/// Layers one after another, chosen at run time; an empty one is the identity. Otherwise as Sequential.
template <class T>
class AnySequential : public Chain<T, detail::VectorStages<AnyLayer<T>>> {
 public:
  explicit AnySequential(std::vector<AnyLayer<T>> layers = {})
      : Chain<T, detail::VectorStages<AnyLayer<T>>>(detail::VectorStages<AnyLayer<T>>{std::move(layers)}) {}

  /// The same layers without padding.
  AnySequential without_padding() const {
    std::vector<AnyLayer<T>> layers;
    for (const AnyLayer<T>& layer : this->stages().layers) layers.push_back(layer.without_padding());
    return AnySequential(std::move(layers));
  }
};

static_assert(Layer<AnyLayer<float>> && Layer<AnySequential<float>>);

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_NETWORK_ANY_LAYER_HPP
