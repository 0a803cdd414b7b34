#include <cstring>

#include "eigenstream/layer/pointwise.hpp"
#include "eigenstream/names/continual.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"
#include "support/random.hpp"

// The laws that every module obeys, whatever it is made of.

namespace es = eigenstream;
namespace co = eigenstream::continual;
using co::TemporalFill;
using es::Index;

namespace {

using Tensor4 = Eigen::Tensor<float, 4>;
using Tensor5 = Eigen::Tensor<float, 5>;

struct Case {
  std::string text;
  co::Module net;
  bool whole = true;  // a signal as a whole is all steps and the end, put together
};

// Of frames of 2 channels, width 6, height 5.
std::vector<Case> cases() {
  support::Random random(1);
  const auto weights = [&](std::vector<Index> shape) { return support::random_weights<float>(std::move(shape), random, 6); };
  const auto conv = [&](Index taps, Index padding, Index stride = 1, TemporalFill fill = TemporalFill::zeros) {
    return co::Conv1d(weights({2, 2, taps}), weights({2}), {.stride = stride, .padding = padding}, fill);
  };
  const es::WeightMap gru{{"weight_ih_l0", weights({9, 2})}, {"weight_hh_l0", weights({9, 3})}, {"weight_ih_l1", weights({9, 3})},
                          {"weight_hh_l1", weights({9, 3})}, {"bias_ih_l1", weights({9})},      {"bias_hh_l1", weights({9})}};
  std::vector<Case> all;
  const auto add = [&](std::string text, co::Module net, bool whole = true) { all.push_back({std::move(text), std::move(net), whole}); };
  add("conv 5/2/3", conv(5, 2, 3));
  add("conv, groups and dilation", co::Conv1d(weights({4, 1, 3}), {}, {.padding = 2, .dilation = 2, .groups = 2}));
  add("conv replicate", conv(3, 1, 1, TemporalFill::replicate), false);
  add("conv 1/0/2", conv(1, 0, 2));
  add("conv2d", co::Conv2d(weights({3, 2, 3, 3}), weights({3}), {.stride = {2, 1}, .padding = {1, 1}}));
  add("conv3d replicate in space only", co::Conv3d(weights({3, 2, 2, 3, 3}), {}, {.padding = {1, 1, 1}, .padding_mode = es::PaddingMode::replicate}), false);
  add("conv3d replicate in time only", co::Conv3d(weights({3, 2, 3, 2, 2}), {}, {.padding = {1, 1, 0}}, TemporalFill::replicate), false);
  add("conv transpose 2d", co::ConvTranspose2d(weights({2, 3, 3, 2}), {}, {.stride = {1, 2}}));
  add("avg pool", co::AvgPool1d(4, {.stride = 2, .padding = 2, .count_include_pad = false}));
  add("avg pool ceil", co::AvgPool1d(4, {.stride = 3, .padding = 1, .ceil_mode = true}));
  add("avg pool dilated", co::AvgPool1d(3, {.stride = 1, .padding = 1, .dilation = 2}));
  add("avg pool 2d, divisor", co::AvgPool2d({3, 2}, {.padding = {1, 0}, .divisor_override = 5}));
  add("avg pool 3d replicate", co::AvgPool3d({3, 2, 2}, {.stride = {2, 2, 2}, .padding = {1, 1, 1}}, TemporalFill::replicate), false);
  add("max pool dilated", co::MaxPool1d(3, {.stride = 1, .dilation = 2}));
  add("max pool 2d of zeros", co::MaxPool2d({2, 2}, {.stride = 1, .padding = {1, 1}}, TemporalFill::zeros), false);
  add("max pool 3d", co::MaxPool3d({3, 2, 2}, {.padding = {1, 1, 0}}));
  add("adaptive pool 2d", co::AdaptiveAvgPool2d(3, 4), false);
  add("adaptive pool 3d", co::AdaptiveMaxPool3d({2, 0}, 3, {.padding = 1}), false);
  add("linear", co::Linear(weights({3, 2}), weights({3})));
  add("gru", co::GRU(gru));
  add("delay", co::Delay(3));
  add("delay centered", co::Delay(2, co::Shrink::centered));
  add("delay lagging", co::Delay(2, co::Shrink::lagging));
  add("skip", co::Skip(3));
  add("lambda", co::Lambda([](float v) { return 1 / (1 + v * v); }, "bell"));
  add("constants", co::Sequential({co::Add(2), co::Multiply(3), co::Identity(), co::One()}));
  add("group norm", co::GroupNorm(1, weights({2}), weights({2})));
  add("sequence", co::Sequential({conv(3, 1), co::MaxPool1d(2), conv(3, 1, 2), conv(3, 2, 3)}));
  add("branches", co::BroadcastReduce({conv(3, 1), conv(5, 2), conv(1, 0)}));
  add("branches with strides", co::BroadcastReduce({conv(3, 1, 2), conv(5, 2, 2), conv(1, 0, 2)}, "concat"));
  add("branches without padding", co::BroadcastReduce({conv(4, 0), conv(3, 2), co::Delay(1)}, "max"));
  add("branches as they come", co::BroadcastReduce({conv(3, 1), conv(5, 2), conv(1, 0)}, "mul", false), false);
  add("residual", co::Residual(co::Sequential({conv(3, 1), es::Relu<float>(), conv(5, 2)})));
  add("residual centered", co::Residual(conv(5, 1), "sum", co::Shrink::centered));
  add("residual lagging", co::Residual(conv(5, 1), "sum", co::Shrink::lagging));
  add("residual leading", co::Residual(conv(4, 1), "mul", co::Shrink::leading));
  add("squeeze and excitation", co::Residual(co::Sequential({co::AdaptiveAvgPool3d(1, 3), conv(1, 0), es::Sigmoid<float>()}), "mul"), false);
  add("dispatch", co::Sequential({co::Broadcast(3), co::Parallel({conv(3, 1), conv(1, 0), conv(5, 2)}), co::ParallelDispatch({1, {0, 2}, 0}),
                                  co::Parallel({conv(3, 1), co::Reduce("concat"), co::Delay(1)}), co::Reduce("concat")}));
  add("conditional", co::Conditional([](const co::Module&, const auto&) { return true; }, conv(5, 2), conv(3, 1)));
  add("conditional in a residual", co::Residual(co::Conditional([](const co::Module&, const auto&) { return false; }, conv(3, 1))));
  return all;
}

bool same(const float* a, const float* b, Index n) { return n == 0 || std::memcmp(a, b, sizeof(float) * static_cast<std::size_t>(n)) == 0; }
template <int Rank>
std::vector<float> values(const std::optional<Eigen::Tensor<float, Rank>>& y) {
  return y ? std::vector<float>(y->data(), y->data() + y->size()) : std::vector<float>();
}
void append(std::vector<float>& all, const std::vector<float>& some) { all.insert(all.end(), some.begin(), some.end()); }
bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && same(a.data(), b.data(), static_cast<Index>(a.size()));
}

}  // namespace

TEST_CASE("continual: the laws of all modules", "[names][property]") {
  support::Random random(7);
  constexpr Index frames = 29;
  for (const Case& one : cases()) {
    CAPTURE(one.text);
    Tensor5 x = support::random_tensor<float>(random, 2, 6, 5, 2, frames);
    const auto part = [&](Index begin, Index n) -> Tensor5 {
      return x.slice(Eigen::array<Index, 5>{0, 0, 0, 0, begin}, Eigen::array<Index, 5>{2, 6, 5, 2, n});
    };
    // 1. Runs of steps are steps, however they are cut; 3. a look ahead gives the same and changes nothing.
    co::Module net = one.net;
    std::vector<float> steps;
    Index given = 0;
    for (Index t = 0; t < frames; ++t) {
      const Tensor4 frame = x.chip<4>(t);
      const auto before = net.get_state();
      const auto ahead = values<4>(net.forward_step(frame, false));
      CHECK(net.get_state() == before);
      const auto y = net.forward_step(frame);
      CHECK(same(values<4>(y), ahead));
      CHECK(y.has_value() == (t >= net.first_output() && (t - net.first_output()) % net.stride() == 0));
      given += y.has_value();
      append(steps, values<4>(y));
    }
    CHECK(given > 0);
    const auto state = net.get_state();
    for (int cut = 0; cut < 4; ++cut) {
      co::Module other = one.net;
      std::vector<float> all;
      for (Index at = 0, n = 0; at < frames; at += n) {
        n = std::min(frames - at, random.integer(0, 9));
        const auto before = other.get_state();
        const auto padded = values<5>(other.forward_steps(part(at, n), true, false));
        const auto ahead = values<5>(other.forward_steps(part(at, n), false, false));
        CHECK(other.get_state() == before);
        if (random.chance(0.5)) {
          append(all, values<5>(other.forward_steps(part(at, n))));
        } else {  // 5. The end is worked out on a copy.
          const auto with_end = values<5>(other.forward_steps(part(at, n), true));
          CHECK(same(with_end, padded));
          append(all, std::vector<float>(with_end.begin(), with_end.begin() + static_cast<std::ptrdiff_t>(ahead.size())));
        }
        if (random.chance(0.3)) {  // 4.
          const auto saved = other.get_state();
          other.forward_steps(part(0, 3));
          other.set_state(saved);
          CHECK(other.get_state() == saved);
        }
      }
      CHECK(same(all, steps));
      CHECK(other.get_state() == state);
    }
    // 2. The whole signal.
    co::Module fresh = one.net;
    const auto all = values<5>(fresh.forward_steps(x, true));
    const auto whole = values<5>(std::optional(fresh.forward(x)));
    if (one.whole)
      CHECK(same(all, whole));
    else
      CHECK(!same(all, whole));
    CHECK(same(all.data(), steps.data(), static_cast<Index>(steps.size())));
    CHECK(fresh.get_state() == state);
    // 6. Another shape.
    const Tensor5 narrow = x.slice(Eigen::array<Index, 5>{0, 0, 0, 0, 0}, Eigen::array<Index, 5>{2, 6, 5, 1, 4});
    CHECK(support::error_of([&] { fresh.forward_steps(narrow); }).find("clean_state") != std::string::npos);
    CHECK(fresh.get_state() == state);
    fresh.clean_state();
    CHECK(!fresh.get_state());
    fresh.warm_up({2, 6, 5, 1});
    CHECK(fresh.forward_steps(Tensor5(narrow.slice(Eigen::array<Index, 5>{0, 0, 0, 0, 0}, Eigen::array<Index, 5>{2, 6, 5, 1, 1}))));
  }
}

namespace {

// A module of one channel, of any parts; of stride 1 if that is asked for.
co::Module random_module(support::Random& random, int depth, bool steady) {
  const Index stride = steady ? 1 : random.integer(1, 3), taps = random.integer(1, 5);
  const auto parts = [&](Index n, bool all_steady) {
    std::vector<co::Module> modules;
    for (Index i = 0; i < n; ++i) modules.push_back(random_module(random, depth - 1, all_steady));
    return modules;
  };
  switch (random.integer(0, depth > 0 ? 8 : 4)) {
    case 0:
    case 1:
      return co::Conv1d(support::random_weights<float>({1, 1, taps}, random), {},
                        {.stride = stride, .padding = random.integer(0, taps - 1)});
    case 2:
      return co::MaxPool1d(taps, {.stride = stride, .padding = std::min(taps - 1, random.integer(0, taps / 2))});
    case 3: {
      const Index dilation = random.integer(1, 3);
      return co::AvgPool1d(taps, {.stride = stride, .padding = std::min(taps - 1, random.integer(0, taps / 2)), .dilation = dilation});
    }
    case 4: {
      const Index n = random.integer(0, 3);
      if (random.chance(0.3)) return co::Skip(n);
      return co::Delay(n, random.chance(0.3) ? co::Shrink::centered : random.chance(0.3) ? co::Shrink::lagging : co::Shrink::none);
    }
    case 5:
    case 6:
      return co::Sequential(parts(random.integer(0, 3), steady));
    case 7:
      return co::BroadcastReduce(parts(random.integer(2, 3), true), random.chance(0.5) ? "sum" : "max");
    default: {
      co::Module inside = random_module(random, depth - 1, true);
      const es::Time shorter = inside.receptive_field() - 1 - 2 * inside.padding();
      if (shorter < 0) return inside;
      return co::Residual(inside, "sum",
                          random.chance(0.5)  ? co::Shrink::lagging
                          : shorter % 2 == 0 ? co::Shrink::centered
                                             : co::Shrink::leading);
    }
  }
}

}  // namespace

TEST_CASE("continual: random modules give their outputs when they say, and those of the whole", "[names][property]") {
  support::Random random(11);
  for (int round = 0; round < 400; ++round) {
    CAPTURE(round);
    co::Module net = random_module(random, 3, false);
    const co::Reach reach = net.reach();
    CAPTURE(reach.receptive_field, reach.stride, reach.padding, reach.delay, reach.first_output);
    const Index frames = 60 + static_cast<Index>(reach.receptive_field);
    const Eigen::Tensor<float, 2> x = support::random_tensor<float>(random, 1, frames);
    std::vector<float> all;
    bool as_said = true;
    for (Index t = 0; t < frames; ++t) {
      const Eigen::Tensor<float, 1> frame = x.chip<1>(t);
      const auto y = net.forward_step(frame);
      as_said = as_said && y.has_value() == (t >= reach.first_output && (t - reach.first_output) % reach.stride == 0);
      append(all, values<1>(y));
    }
    CHECK(as_said);
    CHECK(reach.delay == reach.receptive_field - 1 - reach.padding);
    append(all, values<2>(net.forward_steps(Eigen::Tensor<float, 2>(1, 0), true)));
    CHECK(same(all, values<2>(std::optional(net.forward(x)))));
  }
}
