#ifndef EIGENSTREAM_COMPOSE_PARALLEL_HPP
#define EIGENSTREAM_COMPOSE_PARALLEL_HPP

#include "eigenstream/compose/wired.hpp"
#include "eigenstream/layer/identity.hpp"

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
class Parallel : public Wired<typename First::Scalar, detail::TupleStages<First, Rest...>> {
  using Base = Wired<typename First::Scalar, detail::TupleStages<First, Rest...>>;

 public:
  static constexpr Space space_of_type = [] {
    Space all = eigenstream::space_of_type<First>;
    ((all = space_beside(all, eigenstream::space_of_type<Rest>)), ...);
    return all;
  }();
  static_assert((std::is_same_v<typename First::Scalar, typename Rest::Scalar> && ...),
                "eigenstream: the branches have one scalar type");
  Parallel(Reduce op, First first, Rest... rest)
      : Parallel(std::tuple<First, Rest...>(std::move(first), std::move(rest)...), op) {}

  /// The same branches without padding.
  Parallel without_padding() const {
    return std::apply([&](const auto&... branch) { return Parallel(op_, eigenstream::without_padding(branch)...); },
                      this->stages().layers);
  }

  /// Branch number I.
  template <std::size_t I>
  const auto& branch() const noexcept {
    return std::get<I>(this->stages().layers);
  }

 private:
  Parallel(std::tuple<First, Rest...> branches, Reduce op) : Base({branches}, wire(branches, op)), op_(op) {}
  static Wiring wire(const std::tuple<First, Rest...>& branches, Reduce op) {
    Wiring wiring;
    std::vector<Index> outputs;
    std::apply([&](const auto&... branch) { (outputs.push_back(wiring.add_layer(branch.timing(), 0)), ...); }, branches);
    wiring.add_join(op, std::move(outputs));
    return wiring;
  }

  Reduce op_;
};

/// One input to several branches: parallel(Reduce::sum, a, b).
template <class... Branches>
Parallel<std::remove_cvref_t<Branches>...> parallel(Reduce op, Branches&&... branches) {
  return Parallel<std::remove_cvref_t<Branches>...>(op, std::forward<Branches>(branches)...);
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_COMPOSE_PARALLEL_HPP
