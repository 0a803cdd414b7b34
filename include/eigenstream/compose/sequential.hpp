#ifndef EIGENSTREAM_COMPOSE_SEQUENTIAL_HPP
#define EIGENSTREAM_COMPOSE_SEQUENTIAL_HPP

#include "eigenstream/compose/chain.hpp"
#include "eigenstream/compose/stages.hpp"
#include "eigenstream/core/layer.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Layers one after another, of types known at compile time.
/// Shapes   x of the first layer's input -> y of the last layer's output
/// Timing   that of the layers, composed; a chunk is processed depth-first, a tile of frames at a time
/// Source   torch.nn.Sequential
/// Errors   constructor: Error if a layer cannot take the channels of the one before
template <class First, class... Rest>
class Sequential : public Chain<typename First::Scalar, detail::TupleStages<First, Rest...>> {
 public:
  static constexpr Space space_of_type = [] {
    Space all = eigenstream::space_of_type<First>;
    ((all = space_behind(all, eigenstream::space_of_type<Rest>)), ...);
    return all;
  }();
  static_assert((std::is_same_v<typename First::Scalar, typename Rest::Scalar> && ...),
                "eigenstream: the layers of a sequence have one scalar type");
  explicit Sequential(First first, Rest... rest)
      : Chain<typename First::Scalar, detail::TupleStages<First, Rest...>>(
            {std::tuple<First, Rest...>(std::move(first), std::move(rest)...)}) {}

  /// The same layers without padding.
  auto without_padding() const {
    return std::apply([](const auto&... layer) { return Sequential(eigenstream::without_padding(layer)...); }, this->stages().layers);
  }

  /// Layer number I.
  template <std::size_t I>
  const auto& layer() const noexcept {
    return std::get<I>(this->stages().layers);
  }
};

/// Layers one after another: sequential(a, b, c).
template <class... Layers>
Sequential<std::remove_cvref_t<Layers>...> sequential(Layers&&... layers) {
  return Sequential<std::remove_cvref_t<Layers>...>(std::forward<Layers>(layers)...);
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_SEQUENTIAL_HPP
