#ifndef EIGENSTREAM_COMPOSE_STAGES_HPP
#define EIGENSTREAM_COMPOSE_STAGES_HPP

#include <tuple>        // layers of different types
#include <type_traits>  // integral_constant
#include <utility>      // integer_sequence
#include <vector>       // layers of one type

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace detail {

/// Layers whose types are known: everything between them can be inlined.
template <class... Layers>
struct TupleStages {
  std::tuple<Layers...> layers;

  static constexpr Index size() noexcept { return static_cast<Index>(sizeof...(Layers)); }
  static constexpr auto begin() noexcept { return std::integral_constant<Index, 0>(); }
  template <class I>
  static constexpr auto next(I) noexcept {
    return std::integral_constant<Index, I::value + 1>();
  }
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void for_each(F&& f) const {
    for_each_from(begin(), f);
  }
  template <class I, class F>
  EIGENSTREAM_ALWAYS_INLINE void for_each_from(I, F&& f) const {
    [&]<Index... J>(std::integer_sequence<Index, J...>) EIGENSTREAM_INLINE_LAMBDA {
      (f(std::integral_constant<Index, I::value + J>(), std::get<static_cast<std::size_t>(I::value + J)>(layers)), ...);
    }(std::make_integer_sequence<Index, size() - I::value>());
  }
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void first(F&& f) const {
    f(std::get<0>(layers));
  }
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void visit(Index i, F&& f) const {
    for_each([&](auto j, const auto& layer) EIGENSTREAM_INLINE_LAMBDA {
      if (i == j) f(layer);
    });
  }
  template <class I, class F>
  EIGENSTREAM_ALWAYS_INLINE void next_keeper(I, F&& f) const {
    if constexpr (I::value < size()) {
      const auto& layer = std::get<static_cast<std::size_t>(I::value)>(layers);
      if (layer.in_place())
        next_keeper(next(I()), f);
      else
        f(I::value, layer);
    }
  }
};

/// Layers that are known at run time only.
template <class L>
struct VectorStages {
  std::vector<L> layers;

  Index size() const noexcept { return static_cast<Index>(layers.size()); }
  static Index begin() noexcept { return 0; }
  static Index next(Index i) noexcept { return i + 1; }
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void for_each(F&& f) const {
    for_each_from(0, f);
  }
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void for_each_from(Index begin, F&& f) const {
    for (Index i = begin; i < size(); ++i) f(i, layers[static_cast<std::size_t>(i)]);
  }
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void first(F&& f) const {
    if (!layers.empty()) f(layers.front());
  }
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void visit(Index i, F&& f) const {
    f(layers[static_cast<std::size_t>(i)]);
  }
  template <class F>
  EIGENSTREAM_ALWAYS_INLINE void next_keeper(Index i, F&& f) const {
    for (; i < size(); ++i)
      if (!layers[static_cast<std::size_t>(i)].in_place()) return f(i, layers[static_cast<std::size_t>(i)]);
  }
};

}  // namespace detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_STAGES_HPP
