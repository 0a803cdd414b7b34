#ifndef EIGENSTREAM_IMPORT_ONNX_MOVE_HPP
#define EIGENSTREAM_IMPORT_ONNX_MOVE_HPP

#include <algorithm>    // clamp, count
#include <numeric>      // iota
#include <string_view>  // operations
#include <vector>       // extents

#include "eigenstream/import/onnx_node.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx::detail {

inline std::vector<Index> reshaped_dims(const NodeReader& r) {
  const Array& x = r.input(0);
  std::vector<Index> dims = r.listed("shape", 1);
  Index open = -1;
  double others = 1;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] == 0 && r.integer("allowzero", 0) == 0) {
      check(axis < x.dims.size(), "copies the extent of an axis that there is not");
      dims[axis] = x.dims[axis];
    }
    check(dims[axis] >= -1, "an extent of ", dims[axis]);
    if (dims[axis] >= 0) {
      others *= static_cast<double>(dims[axis]);
      continue;
    }
    check(open < 0, "leaves two extents open");
    open = static_cast<Index>(axis);
  }
  if (open >= 0 && others > 0)
    dims[static_cast<std::size_t>(open)] = static_cast<Index>(static_cast<double>(x.size()) / others);
  check(size_of(dims) == static_cast<double>(x.size()), "makes ", text_of(dims), " of ", x.size(), " numbers");
  return dims;
}

inline Array transposed(const NodeReader& r) {
  const Array& x = r.input(0);
  std::vector<Index> order(x.dims.size());
  for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<Index>(order.size() - 1 - k);
  order = r.axes(r.integers("perm", order), x.rank());
  check(order.size() == x.dims.size(), "orders ", order.size(), " of ", x.rank(), " axes");
  std::vector<Index> dims;
  for (std::size_t k = 0; k < order.size(); ++k) {
    check(std::count(order.begin(), order.end(), static_cast<Index>(k)) == 1, "names an axis twice");
    dims.push_back(x.dims[static_cast<std::size_t>(order[k])]);
  }
  const std::vector<Index> strides = strides_of(x.dims);
  return rearranged(x, dims, [&](std::span<const Index> where) {
    Index k = 0;
    for (std::size_t axis = 0; axis < order.size(); ++axis)
      k += where[axis] * strides[static_cast<std::size_t>(order[axis])];
    return k;
  });
}

// Along each axis: the first number, how many, and the step from one to the next.
struct Cut {
  Index first = 0, count = 0, step = 1;
};
inline Array cut(const Array& x, const std::vector<Cut>& cuts) {
  std::vector<Index> dims;
  for (const Cut& each : cuts) dims.push_back(each.count);
  const std::vector<Index> strides = strides_of(x.dims);
  return rearranged(x, dims, [&](std::span<const Index> where) {
    Index k = 0;
    for (std::size_t axis = 0; axis < cuts.size(); ++axis)
      k += (cuts[axis].first + where[axis] * cuts[axis].step) * strides[axis];
    return k;
  });
}
inline std::vector<Cut> whole_of(const Array& x) {
  std::vector<Cut> cuts;
  for (const Index extent : x.dims) cuts.push_back({0, extent, 1});
  return cuts;
}

inline Array sliced(const NodeReader& r) {
  const Array& x = r.input(0);
  const std::vector<Index> starts = r.listed("starts", 1), ends = r.listed("ends", 2);
  std::vector<Index> every(starts.size());
  std::iota(every.begin(), every.end(), Index{0});
  const std::vector<Index> axes = r.axes(r.listed("axes", 3, every), x.rank());
  const std::vector<Index> steps = r.listed("steps", 4, std::vector<Index>(starts.size(), 1));
  check(ends.size() == starts.size() && axes.size() == starts.size() && steps.size() == starts.size(), "names ",
        starts.size(), " beginnings, ", ends.size(), " ends, ", axes.size(), " axes and ", steps.size(), " steps");
  std::vector<Cut> cuts = whole_of(x);
  for (std::size_t k = 0; k < starts.size(); ++k) {
    const Index extent = x.dims[static_cast<std::size_t>(axes[k])], step = steps[k];
    check(step != 0, "a step of 0");
    const auto within = [&](Index at) {
      if (at < 0) at += extent;
      return step > 0 ? std::clamp<Index>(at, 0, extent) : std::clamp<Index>(at, -1, extent - 1);
    };
    const Index first = within(starts[k]), last = within(ends[k]);
    const Index span = step > 0 ? last - first : first - last, stride = step > 0 ? step : -step;
    check(span > 0, "takes nothing of axis ", axes[k], " of ", text_of(x.dims));
    cuts[static_cast<std::size_t>(axes[k])] = {first, (span - 1) / stride + 1, step};
  }
  return cut(x, cuts);
}

inline std::vector<Array> split(const NodeReader& r) {
  const Array& x = r.input(0);
  const auto axis = static_cast<std::size_t>(r.axis(r.integer("axis", 0), x.rank()));
  const Index parts = static_cast<Index>(r.node().outputs.size()), extent = x.dims[axis];
  std::vector<Index> sizes = r.listed("split", 1);
  if (sizes.empty()) {
    check(parts >= 1, "gives nothing");
    const Index each = (extent + parts - 1) / parts;
    for (Index left = extent; left > 0 && static_cast<Index>(sizes.size()) < parts; left -= each)
      sizes.push_back(std::min(each, left));
  }
  std::vector<Array> all;
  Index first = 0;
  for (const Index size : sizes) {
    check(size > 0 && size <= extent - first, "parts of ", text_of(sizes), " are not those of ", extent);
    std::vector<Cut> cuts = whole_of(x);
    cuts[axis] = {first, size, 1};
    all.push_back(cut(x, cuts));
    first += size;
  }
  check(first == extent && static_cast<Index>(all.size()) == parts, "parts of ", text_of(sizes), " are not those of ",
        extent);
  return all;
}

inline Array concatenated(const NodeReader& r) {
  check(r.input_count() >= 1, "has no input");
  const Array& first = r.input(0);
  check(first.rank() >= 1, "of a single number");
  const auto axis = static_cast<std::size_t>(r.axis(r.integer("axis", 0), first.rank()));
  std::vector<Index> dims = first.dims;
  dims[axis] = 0;
  bool constant = true;
  for (Index k = 0; k < r.input_count(); ++k) {
    const Array& x = r.input(k);
    check(x.dims.size() == dims.size(), "shapes ", text_of(first.dims), " and ", text_of(x.dims), " do not fit");
    for (std::size_t d = 0; d < dims.size(); ++d)
      check(d == axis || x.dims[d] == dims[d], "shapes ", text_of(first.dims), " and ", text_of(x.dims), " do not fit");
    dims[axis] += x.dims[axis];
    constant = constant && x.constant();
  }
  check(size_of(dims) <= (constant ? max_constant : max_array), "an array of ", text_of(dims), " numbers is too large");
  Array all{.dims = dims, .whole = first.whole};
  std::vector<Element> elements;
  Index outer = 1;
  for (std::size_t d = 0; d < axis; ++d) outer *= dims[d];
  for (Index row = 0; row < outer; ++row)
    for (Index k = 0; k < r.input_count(); ++k) {
      const Array& x = r.input(k);
      const Index run = x.size() / outer;
      for (Index at = row * run; at < (row + 1) * run; ++at) {
        if (constant)
          all.numbers.push_back(x.numbers[static_cast<std::size_t>(at)]);
        else
          all.elements.push_back(x.at(at));
      }
    }
  return all;
}

inline Array gathered(const NodeReader& r) {
  const Array& x = r.input(0);
  const auto axis = static_cast<std::size_t>(r.axis(r.integer("axis", 0), x.rank()));
  std::vector<Index> indices = r.known(1);
  for (Index& each : indices) {
    check(each >= -x.dims[axis] && each < x.dims[axis], "takes number ", each, " of ", x.dims[axis]);
    if (each < 0) each += x.dims[axis];
  }
  const std::vector<Index>& own = r.input(1).dims;
  std::vector<Index> dims(x.dims.begin(), x.dims.begin() + static_cast<std::ptrdiff_t>(axis));
  dims.insert(dims.end(), own.begin(), own.end());
  dims.insert(dims.end(), x.dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.dims.end());
  const std::vector<Index> strides = strides_of(x.dims), inner = strides_of(own);
  return rearranged(x, dims, [&](std::span<const Index> where) {
    Index k = 0, number = 0;
    for (std::size_t d = 0; d < axis; ++d) k += where[d] * strides[d];
    for (std::size_t d = 0; d < own.size(); ++d) number += where[axis + d] * inner[d];
    for (std::size_t d = axis + own.size(); d < where.size(); ++d) k += where[d] * strides[d - own.size() + 1];
    return k + indices[static_cast<std::size_t>(number)] * strides[axis];
  });
}

// The position that padding shows at `at` of n numbers, -1 for a constant.
inline Index padded_from(Index at, Index n, std::string_view mode) {
  if (at >= 0 && at < n) return at;
  if (mode == "constant") return -1;
  if (mode == "edge") return at < 0 ? 0 : n - 1;
  if (mode == "wrap") return ((at % n) + n) % n;
  const Index period = 2 * (n - 1), inside = ((at % period) + period) % period;
  return inside < n ? inside : period - inside;
}

inline Array padded(const NodeReader& r) {
  const Array& x = r.input(0);
  std::vector<Index> pads = r.listed("pads", 1), axes(x.dims.size());
  std::iota(axes.begin(), axes.end(), Index{0});
  if (r.has_input(3)) axes = r.axes(r.known(3), x.rank());
  check(pads.size() == 2 * axes.size(), "names ", pads.size(), " sizes for ", axes.size(), " axes");
  const std::string mode = r.text("mode", "constant");
  check(mode == "constant" || mode == "reflect" || mode == "edge" || mode == "wrap", "mode \"", mode, "\" is not read");
  double fill = r.number("value", 0);
  if (r.has_input(2)) {
    check(r.input(2).constant() && r.input(2).size() == 1, "its constant is not one known number");
    fill = r.input(2).numbers[0];
  }
  std::vector<Index> dims = x.dims, before(x.dims.size(), 0);
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const auto axis = static_cast<std::size_t>(axes[k]);
    const Index left = pads[k], right = pads[k + axes.size()], n = x.dims[axis];
    before[axis] = left;
    check(left > -n && right > -n && left < (1 << 24) && right < (1 << 24) && left + right + n > 0, "padding ", left,
          " and ", right, " around ", n);
    check(mode != "reflect" || (left == 0 && right == 0) || (left < n && right < n),
          "reflects more than there is: ", left, " and ", right, " around ", n);
    dims[axis] = n + left + right;
  }
  const std::vector<Index> strides = strides_of(x.dims);
  Array result = rearranged(x, dims, [&](std::span<const Index> where) {
    Index k = 0;
    for (std::size_t axis = 0; axis < where.size(); ++axis) {
      const Index from = padded_from(where[axis] - before[axis], x.dims[axis], mode);
      if (from < 0) return Index{-1};
      k += from * strides[axis];
    }
    return k;
  });
  if (fill != 0 && mode == "constant") {
    Index at = 0;
    for_each_place(result.dims, [&](std::span<const Index> where) {
      bool outside = false;
      for (std::size_t axis = 0; axis < where.size(); ++axis)
        outside = outside || where[axis] < before[axis] || where[axis] >= before[axis] + x.dims[axis];
      if (outside && result.constant()) result.numbers[static_cast<std::size_t>(at)] = fill;
      if (outside && !result.constant()) result.elements[static_cast<std::size_t>(at)].number = fill;
      ++at;
    });
  }
  return result;
}

// Some places of an array, replaced by those of another.
inline Array scattered(const NodeReader& r) {
  check(r.text("reduction", "none") == "none", "reduction \"", r.text("reduction", "none"), "\" is not read");
  const Array &x = r.input(0), &places = r.input(1), &updates = r.input(2);
  const std::vector<Index> indices = r.known(1), strides = strides_of(x.dims);
  check(places.rank() >= 1, "its indices are a single number");
  const Index depth = places.dims.back(), run = depth > x.rank() || depth < 1 ? 0 : x.size() / [&] {
    Index outer = 1;
    for (Index d = 0; d < depth; ++d) outer *= x.dims[static_cast<std::size_t>(d)];
    return outer;
  }();
  check(run > 0 && updates.size() == places.size() / depth * run, "indices ", text_of(places.dims), " and updates ",
        text_of(updates.dims), " do not fit ", text_of(x.dims));
  std::vector<Element> elements = x.all_elements();
  for (Index k = 0; k < places.size() / depth; ++k) {
    Index at = 0;
    for (Index d = 0; d < depth; ++d) {
      Index number = indices[static_cast<std::size_t>(k * depth + d)];
      const Index extent = x.dims[static_cast<std::size_t>(d)];
      check(number >= -extent && number < extent, "replaces number ", number, " of ", extent);
      at += (number < 0 ? number + extent : number) * strides[static_cast<std::size_t>(d)];
    }
    for (Index l = 0; l < run; ++l) elements[static_cast<std::size_t>(at + l)] = updates.at(k * run + l);
  }
  Array result = Array::of(x.dims, std::move(elements));
  result.whole = x.whole;
  return result;
}

inline Array tiled(const NodeReader& r) {
  const Array& x = r.input(0);
  const std::vector<Index> repeats = r.known(1), strides = strides_of(x.dims);
  check(repeats.size() == x.dims.size(), "repeats ", repeats.size(), " of ", x.rank(), " axes");
  std::vector<Index> dims = x.dims;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    check(repeats[axis] >= 1 && repeats[axis] <= (1 << 20), "repeats ", repeats[axis], " times");
    dims[axis] *= repeats[axis];
  }
  return rearranged(x, dims, [&](std::span<const Index> where) {
    Index k = 0;
    for (std::size_t axis = 0; axis < where.size(); ++axis) k += where[axis] % x.dims[axis] * strides[axis];
    return k;
  });
}

inline std::vector<Index> without_axes(const NodeReader& r) {
  const Array& x = r.input(0);
  std::vector<Index> axes = r.axes(r.listed("axes", 1), x.rank()), dims;
  const bool all = axes.empty();
  for (Index axis = 0; axis < x.rank(); ++axis) {
    const Index extent = x.dims[static_cast<std::size_t>(axis)];
    const bool gone = all ? extent == 1 : holds(axes, axis);
    check(!gone || extent == 1, "leaves out axis ", axis, " of ", text_of(x.dims));
    if (!gone) dims.push_back(extent);
  }
  return dims;
}
inline std::vector<Index> with_axes(const NodeReader& r) {
  const Array& x = r.input(0);
  std::vector<Index> axes = r.listed("axes", 1);
  const Index rank = x.rank() + static_cast<Index>(axes.size());
  axes = r.axes(axes, rank);
  std::vector<Index> dims;
  std::size_t next = 0;
  for (Index axis = 0; axis < rank; ++axis) {
    const bool is_new = holds(axes, axis);
    check(is_new || next < x.dims.size(), "names an axis twice");
    dims.push_back(is_new ? 1 : x.dims[next++]);
  }
  return dims;
}
inline std::vector<Index> flattened_dims(const NodeReader& r) {
  const Array& x = r.input(0);
  const Index number = r.integer("axis", 1);
  const Index axis = number == x.rank() ? number : r.axis(number, x.rank());
  Index outer = 1;
  for (Index d = 0; d < axis; ++d) outer *= x.dims[static_cast<std::size_t>(d)];
  return {outer, outer == 0 ? 0 : x.size() / outer};
}

inline Array constant_of(const NodeReader& r) {
  using Kind = Attribute::Kind;
  for (const auto& [name, attribute] : r.node().attributes) switch (attribute.kind) {
      case Kind::tensor:
        return {attribute.tensor.dims, attribute.tensor.whole, attribute.tensor.numbers, {}};
      case Kind::number:
        return {{}, false, {attribute.number}, {}};
      case Kind::integer:
        return {{}, true, {static_cast<double>(attribute.integer)}, {}};
      case Kind::numbers:
        return {{static_cast<Index>(attribute.numbers.size())}, false, attribute.numbers, {}};
      case Kind::integers: {
        const std::vector<double> numbers(attribute.integers.begin(), attribute.integers.end());
        return {{static_cast<Index>(numbers.size())}, true, numbers, {}};
      }
      default:
        break;
    }
  fail("holds no numbers");
}
inline Array filled(const NodeReader& r) {
  const std::vector<Index> dims = r.known(0);
  for (const Index extent : dims) check(extent >= 0, "an extent of ", extent);
  check(size_of(dims) <= max_constant, "an array of ", text_of(dims), " numbers is too large");
  const Attribute* const value = r.attribute("value", Attribute::Kind::tensor);
  check(value == nullptr || value->tensor.numbers.size() == 1, "its value is not one number");
  return {
      dims,
      value != nullptr && value->tensor.whole,
      std::vector<double>(static_cast<std::size_t>(size_of(dims)), value == nullptr ? 0.0 : value->tensor.numbers[0]),
      {}};
}
inline Array counted(const NodeReader& r) {
  for (Index k = 0; k < 3; ++k)
    check(r.input(k).constant() && r.input(k).size() == 1, "its input ", k, " is not one known number");
  const double first = r.input(0).numbers[0], end = r.input(1).numbers[0], step = r.input(2).numbers[0];
  const double count = step == 0 ? -1 : std::max(0.0, std::ceil((end - first) / step));
  check(count >= 0 && count <= max_constant, "counts from ", first, " to ", end, " by ", step);
  Array array{.dims = {static_cast<Index>(count)}, .whole = r.input(0).whole};
  for (Index k = 0; k < static_cast<Index>(count); ++k) array.numbers.push_back(first + static_cast<double>(k) * step);
  return array;
}
inline Array cast(const NodeReader& r) {
  Array x = r.input(0);
  const Index to = r.integer("to", 1);
  const bool whole = to != 1 && to != 10 && to != 11 && to != 16;
  check(x.constant() || !whole, "rounds the signal to whole numbers, which no layer does");
  if (whole && !x.whole)
    for (double& each : x.numbers) each = to == 9 ? (each != 0 ? 1.0 : 0.0) : std::trunc(each);
  x.whole = whole;
  return x;
}
// Blocks of channels as blocks of space, or the other way about.
inline Array shuffled_space(const NodeReader& r, bool to_space) {
  const Array& x = r.input(0);
  const Index b = r.integer("blocksize", 0);
  check(x.rank() == 4 && b >= 1 && b <= 4096, "of shape ", text_of(x.dims), " with blocks of ", b);
  const std::vector<Index> d = x.dims, s = strides_of(x.dims);
  const bool by_columns = r.text("mode", "DCR") == "CRD";
  check(to_space ? d[1] % (b * b) == 0 : (d[2] % b == 0 && d[3] % b == 0), "of shape ", text_of(d), " with blocks of ",
        b);
  const std::vector<Index> dims = to_space ? std::vector<Index>{d[0], d[1] / (b * b), d[2] * b, d[3] * b}
                                           : std::vector<Index>{d[0], d[1] * b * b, d[2] / b, d[3] / b};
  return rearranged(x, dims, [&](std::span<const Index> at) {
    if (to_space) {
      const Index block = (at[2] % b) * b + at[3] % b;
      const Index channel = by_columns ? at[1] * b * b + block : block * dims[1] + at[1];
      return at[0] * s[0] + channel * s[1] + at[2] / b * s[2] + at[3] / b * s[3];
    }
    const Index block = at[1] / d[1];
    return at[0] * s[0] + at[1] % d[1] * s[1] + (at[2] * b + block / b) * s[2] + (at[3] * b + block % b) * s[3];
  });
}

/// Whether a node only moves numbers about or makes known ones; then its outputs.
inline bool move_numbers(const NodeReader& r, std::vector<Array>& outputs) {
  const std::string_view op = r.op();
  const auto one = [&](Array array) {
    outputs.push_back(std::move(array));
    return true;
  };
  if (op == "Identity") return one(r.input(0));
  if (op == "Dropout") {
    check(r.node().outputs.size() < 2, "its mask is used");
    return one(r.input(0));
  }
  if (op == "Cast") return one(cast(r));
  if (op == "Constant") return one(constant_of(r));
  if (op == "ConstantOfShape") return one(filled(r));
  if (op == "Range") return one(counted(r));
  if (op == "Shape") {
    Array shape{.dims = {r.input(0).rank()}, .whole = true};
    for (const Index extent : r.input(0).dims) shape.numbers.push_back(static_cast<double>(extent));
    check(r.integer("start", 0) == 0 && !r.has("end"), "a part of the shape is not read");
    return one(std::move(shape));
  }
  if (op == "Size") return one({{}, true, {static_cast<double>(r.input(0).size())}, {}});
  if (op == "Reshape") return one(reshaped(r.input(0), reshaped_dims(r)));
  if (op == "Flatten") return one(reshaped(r.input(0), flattened_dims(r)));
  if (op == "Squeeze") return one(reshaped(r.input(0), without_axes(r)));
  if (op == "Unsqueeze") return one(reshaped(r.input(0), with_axes(r)));
  if (op == "Transpose") return one(transposed(r));
  if (op == "Slice") return one(sliced(r));
  if (op == "Concat") return one(concatenated(r));
  if (op == "Gather") return one(gathered(r));
  if (op == "Pad") return one(padded(r));
  if (op == "ScatterND") return one(scattered(r));
  if (op == "Tile") return one(tiled(r));
  if (op == "DepthToSpace") return one(shuffled_space(r, true));
  if (op == "SpaceToDepth") return one(shuffled_space(r, false));
  if (op == "Expand") {
    const std::vector<Index> wanted = r.known(1);
    for (const Index extent : wanted) check(extent >= 1, "an extent of ", extent);
    return one(broadcast_to(r.input(0), broadcast(r.input(0).dims, wanted)));
  }
  if (op == "Split") {
    outputs = split(r);
    return true;
  }
  return false;
}

}  // namespace onnx::detail

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_MOVE_HPP
