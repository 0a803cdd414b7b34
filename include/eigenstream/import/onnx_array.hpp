#ifndef EIGENSTREAM_IMPORT_ONNX_ARRAY_HPP
#define EIGENSTREAM_IMPORT_ONNX_ARRAY_HPP

#include <algorithm>  // all_of, min
#include <cstdint>    // int32_t
#include <span>       // extents
#include <string>     // messages
#include <vector>     // numbers

#include "eigenstream/core/check.hpp"
#include "eigenstream/import/onnx_file.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx {

/// Where one number of an array comes from: a constant, or a number of a value, so many frames ago.
struct Element {
  static constexpr std::int32_t constant = -1;
  std::int32_t value = constant;
  std::int32_t lag = 0;    ///< in frames
  std::int64_t index = 0;  ///< in the value, row-major
  double number = 0;       ///< of a constant
  bool operator==(const Element&) const = default;
};

/// Most numbers of an array that depends on the input, and of one that does not; and bytes of all arrays together.
inline constexpr double max_array = 1 << 22, max_constant = 1 << 24, max_bytes = 4294967296.0;

inline double size_of(std::span<const Index> dims) {
  double size = 1;
  for (const Index extent : dims) size *= static_cast<double>(extent);
  return size;
}
inline std::string text_of(std::span<const Index> dims) {
  std::string text = "(";
  for (const Index extent : dims) text += (text.size() > 1 ? "," : "") + std::to_string(extent);
  return text + ")";
}

/// A tensor of the graph while it is followed: numbers that are known, or where each of them comes from. What only
/// moves numbers about (transpose, slice, concatenate ...) is then the same for both, and leaves nothing to compute.
struct Array {
  std::vector<Index> dims = {};
  bool whole = false;
  std::vector<double> numbers = {};    ///< if it is constant
  std::vector<Element> elements = {};  ///< if it is not

  bool constant() const noexcept { return elements.empty(); }
  Index size() const noexcept { return static_cast<Index>(constant() ? numbers.size() : elements.size()); }
  Index rank() const noexcept { return static_cast<Index>(dims.size()); }
  Element at(Index k) const noexcept {
    if (!constant()) return elements[static_cast<std::size_t>(k)];
    return {.number = numbers[static_cast<std::size_t>(k)]};
  }
  /// The same with every number an Element.
  std::vector<Element> all_elements() const {
    if (!constant()) return elements;
    std::vector<Element> all;
    for (const double number : numbers) all.push_back({.number = number});
    return all;
  }
  static Array of(std::vector<Index> dims, std::vector<Element> elements) {
    Array array{.dims = std::move(dims)};
    const auto known = [](const Element& each) { return each.value == Element::constant; };
    if (!std::all_of(elements.begin(), elements.end(), known)) {
      array.elements = std::move(elements);
      return array;
    }
    for (const Element& each : elements) array.numbers.push_back(each.number);
    return array;
  }
};

/// Steps from one number to the next along each axis.
inline std::vector<Index> strides_of(std::span<const Index> dims) {
  std::vector<Index> strides(dims.size(), 1);
  for (std::size_t axis = dims.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * dims[axis];
  return strides;
}

/// visit(where) for each place of an array of these extents, row-major.
template <class Visit>
void for_each_place(std::span<const Index> dims, Visit&& visit) {
  std::vector<Index> where(dims.size(), 0);
  if (size_of(dims) == 0) return;
  for (;;) {
    visit(std::span<const Index>(where));
    std::size_t axis = dims.size();
    while (axis > 0 && ++where[axis - 1] == dims[axis - 1]) where[--axis] = 0;
    if (axis == 0) return;
  }
}

/// The places in `from` that each place of an array of `dims` takes its number from: source(where) is one, row-major,
/// or -1 for a constant of 0.
template <class Source>
Array rearranged(const Array& from, std::vector<Index> dims, Source&& source) {
  check(size_of(dims) <= (from.constant() ? max_constant : max_array), "an array of ", text_of(dims),
        " numbers is too large");
  Array to{.dims = std::move(dims), .whole = from.whole};
  for_each_place(to.dims, [&](std::span<const Index> where) {
    const Index k = source(where);
    if (from.constant())
      to.numbers.push_back(k < 0 ? 0.0 : from.numbers[static_cast<std::size_t>(k)]);
    else
      to.elements.push_back(k < 0 ? Element{} : from.elements[static_cast<std::size_t>(k)]);
  });
  return to;
}

/// The same numbers under other extents.
inline Array reshaped(Array from, std::vector<Index> dims) {
  from.dims = std::move(dims);
  return from;
}

/// What two arrays give together where an extent of 1 serves for all.
inline std::vector<Index> broadcast(std::span<const Index> a, std::span<const Index> b) {
  std::vector<Index> both(std::max(a.size(), b.size()), 1);
  for (std::size_t k = 0; k < both.size(); ++k) {
    const Index own = k < a.size() ? a[a.size() - 1 - k] : 1, other = k < b.size() ? b[b.size() - 1 - k] : 1;
    check(own == other || own == 1 || other == 1, "shapes ", text_of(a), " and ", text_of(b), " do not fit");
    both[both.size() - 1 - k] = own == 1 ? other : own;
  }
  return both;
}
/// The place in an array of extents `from` that serves for place k of one of extents `to`.
inline Index broadcast_place(std::span<const Index> from, std::span<const Index> to, Index k) {
  Index place = 0, stride = 1;
  for (std::size_t d = 0; d < from.size(); ++d) {
    const Index extent = from[from.size() - 1 - d], whole = to[to.size() - 1 - d];
    if (extent > 1) place += k % whole * stride;
    stride *= extent, k /= whole;
  }
  return place;
}
inline Array broadcast_to(const Array& from, const std::vector<Index>& dims) {
  if (from.dims == dims) return from;
  check(broadcast(from.dims, dims) == dims, "shape ", text_of(from.dims), " does not become ", text_of(dims));
  const std::vector<Index> strides = strides_of(from.dims);
  const std::size_t more = dims.size() - from.dims.size();
  return rearranged(from, dims, [&](std::span<const Index> where) {
    Index k = 0;
    for (std::size_t axis = 0; axis < from.dims.size(); ++axis)
      if (from.dims[axis] > 1) k += where[axis + more] * strides[axis];
    return k;
  });
}

}  // namespace onnx

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_ARRAY_HPP
