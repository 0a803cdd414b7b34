#ifndef EIGENSTREAM_COMPOSE_PARALLEL_HPP
#define EIGENSTREAM_COMPOSE_PARALLEL_HPP

#include "eigenstream/compose/wired.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/layer/join.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// One input to several branches, whose outputs become one: Broadcast, Parallel and Reduce in one. The branches are
/// aligned by themselves: what comes early waits; of a branch whose output is longer than the shortest by q frames, the
/// first floor(q/2) and the last ceil(q/2) are left out. Identity<T> is a branch, too.
///   y[m] = op(branch_1(x)[m + skip_1], branch_2(x)[m + skip_2], ...)
/// Shapes   x (C,T) or (C,B,T) -> y; the branches give equal numbers of channels (or one, which serves for all), except
///          for Reduce::concat, which puts them one after the other
/// Timing   frames of the branches count as in Timing::parallel
/// Errors   constructor: Error if the branches' outputs do not come equally often, with the rates and delays; if their
///          channels do not fit. steps/flush: noexcept, no allocation
/// Source   torch: op(a(x), b(x)) in a module's forward
template <class First, class... Rest>
class Parallel
    : public Wired<typename First::Scalar, detail::TupleStages<First, Rest..., Join<typename First::Scalar>>> {
  using T = typename First::Scalar;
  using Base = Wired<T, detail::TupleStages<First, Rest..., Join<T>>>;

 public:
  static constexpr Space space_of_type = [] {
    Space all = eigenstream::space_of_type<First>;
    ((all = space_beside(all, eigenstream::space_of_type<Rest>)), ...);
    return all;
  }();
  static_assert((std::is_same_v<typename First::Scalar, typename Rest::Scalar> && ...),
                "eigenstream: the branches have one scalar type");
  Parallel(Reduce op, First first, Rest... rest)
      : Parallel(std::tuple<First, Rest..., Join<T>>(std::move(first), std::move(rest)...,
                                                     Join<T>(op, 1 + static_cast<Index>(sizeof...(Rest))))) {}

  /// The same branches without padding.
  Parallel without_padding() const {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return Parallel(op(), eigenstream::without_padding(branch<I>())...);
    }(std::make_index_sequence<1 + sizeof...(Rest)>());
  }

  /// Branch number I.
  template <std::size_t I>
    requires(I <= sizeof...(Rest))
  const auto& branch() const noexcept {
    return std::get<I>(this->stages().layers);
  }
  Reduce op() const noexcept { return std::get<1 + sizeof...(Rest)>(this->stages().layers).op(); }

 private:
  using Layers = std::tuple<First, Rest..., Join<T>>;
  explicit Parallel(Layers layers) : Base({layers}, wire(layers)) {}
  static Wiring wire(const Layers& layers) {
    Wiring wiring;
    std::vector<Index> outputs;
    std::apply(
        [&](const auto&... layer) {
          const auto add = [&](const auto& one) {
            if (inputs_of(one) > 1)
              wiring.add(one.timing(), outputs);
            else
              outputs.push_back(wiring.add(one.timing(), {0}));
          };
          (add(layer), ...);
        },
        layers);
    return wiring;
  }
};

/// One input to several branches: parallel(Reduce::sum, a, b).
template <class... Branches>
Parallel<std::remove_cvref_t<Branches>...> parallel(Reduce op, Branches&&... branches) {
  return Parallel<std::remove_cvref_t<Branches>...>(op, std::forward<Branches>(branches)...);
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_PARALLEL_HPP
