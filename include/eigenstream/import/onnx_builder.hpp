#ifndef EIGENSTREAM_IMPORT_ONNX_BUILDER_HPP
#define EIGENSTREAM_IMPORT_ONNX_BUILDER_HPP

#include <algorithm>  // sort, lower_bound
#include <limits>     // the greatest float
#include <numeric>    // iota
#include <string>     // names
#include <vector>     // places

#include "eigenstream/import/onnx_layout.hpp"
#include "eigenstream/import/onnx_patterns.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace onnx {

/// Makes layers of operations. What an operation gives has a home: frames of a value of the graph, and where each of
/// its numbers stands in them. Layers that treat every number by itself leave the numbers where they are; what needs
/// them in an order of its own (channels of a convolution, of a matrix) has them gathered.
class Builder {
 public:
  /// `length`: of a whole signal, 0 if what is followed is a frame or a window.
  Builder(const Program& program, const FrameShape& input, Index length = 0)
      : program_(program), layout_(input, length), homes_(program.values.size()) {}

  Layout& layout() noexcept { return layout_; }

  /// The value whose frames hold an array, its axes sorted to channels, width and height.
  Index arranged(const Array& array, const std::vector<std::vector<Index>>& axes) {
    std::vector<Place> wanted;
    const FrameShape to = shape_of(array.dims, axes);
    const std::vector<Place> all = places(array);
    for (const Index k : order_of(array.dims, axes)) wanted.push_back(all[static_cast<std::size_t>(k)]);
    return layout_.gather(wanted, to);
  }
  /// Whether an array lies so that arranged() moves nothing.
  bool lies(const Array& array, const std::vector<std::vector<Index>>& axes) const {
    const std::vector<Place> all = places(array);
    Index position = 0;
    for (const Index k : order_of(array.dims, axes)) {
      const Place &place = all[static_cast<std::size_t>(k)], &first = all.front();
      if (place.value == Place::constant || place.value != first.value || place.lag != first.lag ||
          place.position != position++)
        return false;
    }
    return layout_.shape(all.front().value) == shape_of(array.dims, axes);
  }
  /// Says that a value's numbers are in these frames, its axes sorted so.
  void settle(Index value, Index home, const std::vector<std::vector<Index>>& axes) {
    const std::vector<Index>& dims = program_.values[static_cast<std::size_t>(value)].dims;
    Home& own = homes_[static_cast<std::size_t>(value)];
    own.value = home;
    layout_.set_moment(layout_.length(home), 1);  // what else is made of it has all its frames
    own.positions.resize(static_cast<std::size_t>(size_of(dims)));
    std::int64_t position = 0;
    for (const Index k : order_of(dims, axes)) own.positions[static_cast<std::size_t>(k)] = position++;
  }
  void settle_places(Index value, Index home, std::vector<std::int64_t> positions) {
    homes_[static_cast<std::size_t>(value)] = {home, std::move(positions)};
    layout_.set_moment(layout_.length(home), 1);
  }
  /// Says that a value is all of an array, number by number.
  bool settle_like(Index value, const Array& array) {
    const Home* home = nullptr;
    std::vector<std::int64_t> positions;
    for (const Element& each : array.elements) {
      if (each.value == Element::constant || each.lag != 0) return false;
      const Home& own = homes_[static_cast<std::size_t>(each.value)];
      if (home != nullptr && own.value != home->value) return false;
      home = &own;
      positions.push_back(own.positions[static_cast<std::size_t>(each.index)]);
    }
    settle_places(value, home->value, std::move(positions));
    return true;
  }

  std::vector<Place> places(const Array& array) const {
    std::vector<Place> all;
    for (Index k = 0; k < array.size(); ++k) all.push_back(place(array.at(k)));
    return all;
  }

  struct Home {
    Index value = -1;
    std::vector<std::int64_t> positions = {};
  };
  /// Frames that hold each number of an array once, near to how they lie already, and where each of its numbers is in
  /// them.
  Home native(const Array& array) {
    const std::vector<Place> all = places(array);
    std::vector<Place> held = all;
    std::sort(held.begin(), held.end());
    held.erase(std::unique(held.begin(), held.end()), held.end());
    FrameShape to{static_cast<Index>(held.size()), 1, 1, 1};
    bool sources_alike = held.front().value != Place::constant;
    for (const Place& each : held) sources_alike = sources_alike && each.value != Place::constant;
    if (sources_alike) {
      const FrameShape& first = layout_.shape(held.front().value);
      for (const Place& each : held) {
        const FrameShape& own = layout_.shape(each.value);
        sources_alike = sources_alike && own.width == first.width && own.height == first.height;
      }
      const Index columns = first.columns();
      if (sources_alike && columns > 1 && to.channels % columns == 0) {
        // Column by column, in each the channels of one value behind those of the other.
        std::vector<Place> by_column = held;
        std::stable_sort(by_column.begin(), by_column.end(), [&](const Place& a, const Place& b) {
          return a.position / layout_.shape(a.value).channels < b.position / layout_.shape(b.value).channels;
        });
        const Index channels = to.channels / columns;
        bool uniform = true;
        for (std::size_t k = 0; uniform && k < by_column.size(); ++k) {
          const Place &each = by_column[k], &model = by_column[k % static_cast<std::size_t>(channels)];
          const Index of = layout_.shape(each.value).channels;
          uniform = each.value == model.value && each.lag == model.lag && each.position % of == model.position % of &&
                    each.position / of == static_cast<Index>(k) / channels;
        }
        if (uniform) held = std::move(by_column), to = {channels, first.width, first.height, 1};
      }
    }
    Home home{layout_.gather(held, to)};
    std::vector<std::pair<Place, std::int64_t>> sorted;
    for (std::size_t k = 0; k < held.size(); ++k) sorted.emplace_back(held[k], static_cast<std::int64_t>(k));
    std::sort(sorted.begin(), sorted.end());
    for (const Place& each : all)
      home.positions.push_back(
          std::lower_bound(sorted.begin(), sorted.end(), std::pair{each, std::int64_t{-1}})->second);
    return home;
  }

  /// A layer that treats every number by itself.
  void pointwise(const char* type, const std::string& name, std::map<std::string, ModuleSpec::Value> fields,
                 const Array& x, Index value) {
    Home home = native(x);
    settle_places(value, layout_.add(type, name, std::move(fields), home.value, layout_.shape(home.value)),
                  std::move(home.positions));
  }

  /// x scale + offset, number by number.
  void affine(const std::string& name, const Array& x, const std::vector<double>& scale,
              const std::vector<double>& offset, Index value) {
    Spread own = spread(x, {scale, offset});
    const FrameShape shape = layout_.shape(own.home.value);
    Index made = own.home.value;
    if (own.period == 1) {
      made = layout_.add("Affine", name, {{"scale", own.numbers[0][0]}, {"offset", own.numbers[1][0]}}, made, shape);
    } else {
      const FrameShape wide = own.period == shape.channels ? shape : FrameShape{shape.size(), 1, 1, 1};
      const std::string path = layout_.path(name);
      set(path + ".weight", {own.period}, own.numbers[0]);
      set(path + ".bias", {own.period}, own.numbers[1]);
      made = layout_.add(ModuleSpec{"Affine", path, {{"channels", std::int64_t{own.period}}}, {}},
                         {layout_.reshaped(made, wide)}, wide);
      made = layout_.reshaped(made, shape);
    }
    settle_places(value, made, std::move(own.home.positions));
  }
  /// x where it is positive, else slope x.
  void prelu(const std::string& name, const Array& x, const std::vector<double>& slope, Index value) {
    Spread own = spread(x, {slope});
    const FrameShape shape = layout_.shape(own.home.value);
    const FrameShape wide = own.period == 1 || own.period == shape.channels ? shape : FrameShape{shape.size(), 1, 1, 1};
    const std::string path = layout_.path(name);
    set(path + ".weight", {own.period}, own.numbers[0]);
    const Index made = layout_.add(ModuleSpec{"PReLU", path, {{"num_parameters", std::int64_t{own.period}}}, {}},
                                   {layout_.reshaped(own.home.value, wide)}, wide);
    settle_places(value, layout_.reshaped(made, shape), std::move(own.home.positions));
  }

  /// Two arrays that both depend on the signal.
  void join(const char* op, const std::string& name, const Array& first, const Array& second, Index value) {
    const std::vector<Index>& dims = program_.values[static_cast<std::size_t>(value)].dims;
    const Array a = broadcast_to(first, dims), b = broadcast_to(second, dims);
    if (std::string_view(op) == "product" && detail::same_elements(a, b))
      return pointwise("Square", name, {}, a, value);
    const bool lead = first.size() >= second.size();
    Home home = native(lead ? a : b);
    if (layout_.shape(home.value).size() != a.size()) {  // both are spread
      home = {layout_.gather(places(lead ? a : b), {a.size(), 1, 1, 1})};
      home.positions.resize(static_cast<std::size_t>(a.size()));
      std::iota(home.positions.begin(), home.positions.end(), std::int64_t{0});
    }
    const FrameShape shape = layout_.shape(home.value);
    const std::vector<Place> others = places(lead ? b : a);
    std::vector<Place> wanted(others.size());
    for (std::size_t k = 0; k < others.size(); ++k) wanted[static_cast<std::size_t>(home.positions[k])] = others[k];
    const Index other = fewest(wanted, shape);
    const std::vector<Index> from = lead ? std::vector{home.value, other} : std::vector{other, home.value};
    settle_places(value, layout_.join(op, name, from, shape), std::move(home.positions));
  }

  void set(const std::string& name, std::vector<Index> shape, std::span<const double> numbers) {
    Weights<float> weights(std::move(shape), std::vector<float>(numbers.size()));
    for (std::size_t k = 0; k < numbers.size(); ++k) weights.values[k] = as_float(numbers[k]);
    layout_.graph().set_weight(name, std::move(weights));
  }
  static float as_float(double number) {
    check(std::fabs(number) <= static_cast<double>(std::numeric_limits<float>::max()), "the number ", number,
          " is not one of 32 bits");
    return static_cast<float>(number);
  }

  /// The extents of frames whose channels, width and height are these axes.
  static FrameShape shape_of(const std::vector<Index>& dims, const std::vector<std::vector<Index>>& axes) {
    Index extents[3] = {1, 1, 1};
    double all = 1;
    for (std::size_t k = 0; k < axes.size(); ++k)
      for (const Index axis : axes[k]) {
        extents[k] *= dims[static_cast<std::size_t>(axis)];
        all *= static_cast<double>(dims[static_cast<std::size_t>(axis)]);
      }
    check(all == size_of(dims), "of shape ", text_of(dims), " is of several signals at once");
    return {extents[0], extents[1], extents[2], 1};
  }

 private:
  Place place(const Element& element) const {
    if (element.value == Element::constant) return {.number = element.number};
    const Home& home = homes_[static_cast<std::size_t>(element.value)];
    check(home.value >= 0, "needs \"", program_.values[static_cast<std::size_t>(element.value)].name,
          "\" of an earlier call, which needs this: a feedback that no layer is known for");
    return {home.value, element.lag, home.positions[static_cast<std::size_t>(element.index)]};
  }

  // Numbers for each of an array's, where these lie: `period` of them are told apart, 1, as many as channels, or all of
  // a frame's.
  struct Spread {
    Home home;
    std::vector<std::vector<double>> numbers = {};
    Index period = 1;
  };
  Spread spread(const Array& x, const std::vector<std::vector<double>>& numbers) {
    Spread own{native(x)};
    for (const bool again : {false, true}) {
      const auto size = static_cast<std::size_t>(layout_.shape(own.home.value).size());
      own.numbers.assign(numbers.size(), std::vector<double>(size));
      std::vector<char> met(size);
      bool fits = true;
      for (std::size_t k = 0; k < own.home.positions.size(); ++k) {
        const auto at = static_cast<std::size_t>(own.home.positions[k]);
        for (std::size_t l = 0; l < numbers.size(); ++l) {
          fits = fits && (met[at] == 0 || own.numbers[l][at] == numbers[l][k]);
          own.numbers[l][at] = numbers[l][k];
        }
        met[at] = 1;
      }
      if (fits || again) break;
      own.home = {
          layout_.gather(places(x), {x.size(), 1, 1, 1})};  // one number meets several: each has its own place then
      own.home.positions.resize(static_cast<std::size_t>(x.size()));
      std::iota(own.home.positions.begin(), own.home.positions.end(), std::int64_t{0});
    }
    const Index channels = layout_.shape(own.home.value).channels, size = layout_.shape(own.home.value).size();
    for (const Index period : {Index{1}, channels, size}) {
      own.period = period;
      bool repeats = true;
      for (const std::vector<double>& each : own.numbers)
        for (auto k = static_cast<std::size_t>(period); repeats && k < each.size(); ++k)
          repeats = each[k] == each[k - static_cast<std::size_t>(period)];
      if (repeats) break;
    }
    for (std::vector<double>& each : own.numbers) each.resize(static_cast<std::size_t>(own.period));
    return own;
  }

  // The places of an array, row-major, in the order of memory of frames with these axes.
  static std::vector<Index> order_of(const std::vector<Index>& dims, const std::vector<std::vector<Index>>& axes) {
    const std::vector<Index> strides = strides_of(dims);
    std::vector<Index> order{0};
    for (std::size_t k = 0; k < 3 && k < axes.size(); ++k) {
      // Height outside, channels inside: each group in turn is put around what there is.
      std::vector<Index> offsets{0};
      for (const Index axis : axes[k]) {
        std::vector<Index> longer;
        for (const Index offset : offsets)
          for (Index at = 0; at < dims[static_cast<std::size_t>(axis)]; ++at)
            longer.push_back(offset + at * strides[static_cast<std::size_t>(axis)]);
        offsets = std::move(longer);
      }
      std::vector<Index> around;
      for (const Index offset : offsets)
        for (const Index inner : order) around.push_back(offset + inner);
      order = std::move(around);
    }
    return order;
  }

  // Frames for a join with frames of `shape`: an extent is 1 where all along it are the same.
  Index fewest(const std::vector<Place>& wanted, const FrameShape& shape) {
    const Index extents[3] = {shape.channels, shape.width, shape.height};
    Index own[3] = {extents[0], extents[1], extents[2]};
    Index step = 1;
    for (int axis = 0; axis < 3; step *= extents[axis], ++axis) {
      bool same = true;
      for (Index k = 0; same && k < static_cast<Index>(wanted.size()); ++k)
        same = wanted[static_cast<std::size_t>(k)] ==
               wanted[static_cast<std::size_t>(k - k / step % extents[axis] * step)];
      if (same) own[axis] = 1;
    }
    std::vector<Place> few;
    for (Index h = 0; h < own[2]; ++h)
      for (Index w = 0; w < own[1]; ++w)
        for (Index c = 0; c < own[0]; ++c)
          few.push_back(wanted[static_cast<std::size_t>(c + extents[0] * (w + extents[1] * h))]);
    return layout_.gather(few, {own[0], own[1], own[2], 1});
  }

  const Program& program_;
  Layout layout_;
  std::vector<Home> homes_;
};

}  // namespace onnx

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IMPORT_ONNX_BUILDER_HPP
