#include "eigenstream/audio/resample.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/io/safetensors.hpp"
#include "nlohmann/json.hpp"
#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/facts.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Index;
using es::Resample;
using es::ResampleMethod;
using es::ResampleOptions;
using es::ResampleQuality;
using support::Calls;

namespace {

constexpr Index rates_hz[] = {8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000};

ResampleOptions filter(ResampleMethod method, Index width, double rolloff = 0.99, double beta = 14.769656459379492) {
  return {.method = method, .lowpass_filter_width = width, .rolloff = rolloff, .beta = beta};
}
ResampleOptions hann(Index width, double rolloff = 0.99) { return filter(ResampleMethod::hann, width, rolloff); }
ResampleOptions kaiser(Index width, double rolloff = 0.99, double beta = 14.769656459379492) {
  return filter(ResampleMethod::kaiser, width, rolloff, beta);
}
ResampleOptions low_delay(ResampleOptions options) {
  options.low_delay = true;
  return options;
}

// The definition, phase by phase and tap by tap, in double precision.
class Definition {
 public:
  Definition(Index source, Index target, const ResampleOptions& options) {
    const Index common = std::gcd(source, target);
    s_ = source / common, u_ = target / common;
    const double s = static_cast<double>(s_), u = static_cast<double>(u_);
    const double base = std::min(s, u) * options.rolloff, z = static_cast<double>(options.lowpass_filter_width);
    w_ = static_cast<Index>(std::ceil(z * s / base));
    for (Index p = 0; p < u_; ++p)
      for (Index i = 0; i < 2 * w_ + s_; ++i) {
        const double t = std::clamp(base * (static_cast<double>(i - w_) / s - static_cast<double>(p) / u), -z, z);
        const double angle = std::numbers::pi * t;
        const double window = options.method == ResampleMethod::hann
                                  ? std::pow(std::cos(angle / z / 2), 2)
                                  : std::cyl_bessel_i(0.0, options.beta * std::sqrt(1 - t / z * t / z)) /
                                        std::cyl_bessel_i(0.0, options.beta);
        kernel_.push_back(base / s * window * (t == 0 ? 1 : std::sin(angle) / angle));
      }
  }
  Index left() const { return w_; }
  const double* phase(Index p) const { return kernel_.data() + p * (2 * w_ + s_); }
  template <class T>
  std::vector<double> operator()(const std::vector<T>& x) const {
    const Index n = static_cast<Index>(x.size());
    std::vector<double> y;
    for (Index j = 0; j < (u_ * n + s_ - 1) / s_; ++j) {
      const double* k = phase(j % u_);
      const Index begin = j / u_ * s_ - w_;
      double sum = 0;
      for (Index i = std::max<Index>(0, -begin); i < 2 * w_ + s_ && begin + i < n; ++i)
        sum += k[i] * static_cast<double>(x[static_cast<std::size_t>(begin + i)]);
      y.push_back(sum);
    }
    return y;
  }

 private:
  Index s_, u_, w_;
  std::vector<double> kernel_;
};

template <class T>
std::vector<T> whole(const Resample<T>& resample, const std::vector<T>& x) {
  es::Stream stream(resample, {.channels = 1});
  const Eigen::Tensor<T, 2> y =
      stream(Eigen::TensorMap<const Eigen::Tensor<T, 2>>(x.data(), 1, static_cast<Index>(x.size())), es::final);
  return {y.data(), y.data() + y.size()};
}
template <class T>
std::vector<T> in_chunks(const Resample<T>& resample, const std::vector<T>& x, std::initializer_list<Index> sizes) {
  es::Stream stream(resample, {.channels = 1});
  std::vector<T> all;
  const Index n = static_cast<Index>(x.size());
  for (Index at = 0, i = 0; at < n; ++i) {
    const Index some = std::min(n - at, sizes.begin()[i % static_cast<Index>(sizes.size())]);
    const Eigen::TensorMap<const Eigen::Tensor<T, 2>> part(x.data() + at, 1, some);
    const Eigen::Tensor<T, 2> y = at + some == n ? stream(part, es::final) : stream(part);
    all.insert(all.end(), y.data(), y.data() + y.size());
    at += some;
  }
  return all;
}
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), sizeof(T) * a.size()) == 0);
}
template <class T>
double distance(const std::vector<T>& y, const std::vector<double>& expected) {
  if (y.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double most = 0;
  for (std::size_t i = 0; i < y.size(); ++i) most = std::max(most, std::abs(static_cast<double>(y[i]) - expected[i]));
  return most;
}

}  // namespace

TEMPLATE_TEST_CASE("Resample: any chunking gives the offline output", "[audio][property]", float, double) {
  const auto [source, target] = GENERATE(table<Index, Index>({{2, 1}, {1, 2}, {3, 2}, {3, 1}, {5, 7}, {4, 4}}));
  const Index batch = GENERATE(1, 2);
  for (const ResampleOptions& options : {hann(2), kaiser(4, 0.9), low_delay(hann(3))})
    for (const Index channels : {1, 2})
      support::check_contract(Resample<TestType>(source, target, options), batch,
                              {.channels = channels, .exact = source == target});
}

TEST_CASE("Resample: the law for longer blocks and more channels", "[audio][property]") {
  const auto [source, target] = GENERATE(table<Index, Index>(
      {{48, 16}, {16, 48}, {44100, 48000}, {48, 44}, {147, 32}, {1, 17}, {33, 1}, {16, 15}}));
  for (const ResampleOptions& options : {hann(6), low_delay(hann(6)), low_delay(kaiser(9, 0.8, 6))})
    for (const Index channels : {1, 3, 9})
      support::check_contract(Resample<float>(source, target, options), channels == 3 ? 2 : 1,
                              {.channels = channels, .exact = false, .light = true});
}

TEST_CASE("Resample: the declared windows are those that perturbing frames shows", "[audio][property]") {
  // Filters whose outermost taps are not too close to zero to be seen.
  for (const auto& [source, target] : {std::pair<Index, Index>(2, 1), {1, 2}, {2, 3}, {3, 2}, {3, 1}, {1, 5}})
    for (const bool soon : {false, true}) {
      ResampleOptions options = kaiser(2, 0.83, 1.5);
      options.low_delay = soon;
      support::check_contract(Resample<double>(source, target, options), 1, {.channels = 1});
    }
}

TEST_CASE("Resample: within a network", "[audio][property]") {
  const auto conv = support::random_conv<es::Conv1d<float>>(2, 3, 3, {.stride = 2, .padding = {1, 1}});
  for (const bool soon : {false, true})
    support::check_contract(es::sequential(Resample<float>(3, 2, {.low_delay = soon}), conv,
                                           Resample<float>(1, 3, {.lowpass_filter_width = 2, .low_delay = soon})),
                            1, {.channels = 2, .exact = false});
}

TEST_CASE("Resample: worked tables", "[audio]") {
  const auto close = [](const Calls& a, const Calls& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i].size() != b[i].size()) return false;
      for (std::size_t k = 0; k < a[i].size(); ++k)
        if (std::abs(a[i][k] - b[i][k]) > 1e-5f) return false;
    }
    return true;
  };
  struct Row {
    Index source, target;
    ResampleOptions options;
    Calls calls;
  };
  const Row rows[] = {
      {2, 1, hann(2), {{}, {0.98204f}, {3.03699f, 5.06164f, 7.08630f, 9.11098f, 11.33243f}}},
      {3, 2, {}, {{}, {}, {0.92829f, 2.53432f, 3.98808f, 5.50870f, 6.96649f, 8.60139f, 9.75412f, 12.08986f}}},
  };
  for (const Row& row : rows) {
    es::Stream stream(Resample<float>(row.source, row.target, row.options), {.channels = 1});
    for (int signal = 0; signal < 2; ++signal) {
      CHECK(close(support::calls(stream, support::count_to(12), {4, 4, 4}), row.calls));
    }
  }
  // 1 to 2, in chunks of 4: 2, 8 and 14 outputs.
  es::Stream stream(Resample<float>(1, 2, hann(2)), {.channels = 1});
  const Calls calls = support::calls(stream, support::count_to(12), {4, 4, 4});
  CHECK(close({calls[0], calls[1]},
              {{1.00015f, 1.53676f},
               {2.00030f, 2.56127f, 3.00045f, 3.58578f, 4.00060f, 4.61028f, 5.00075f, 5.63479f}}));
  REQUIRE(calls[2].size() == 14);
  CHECK(std::abs(calls[2].front() - 6.00090f) < 1e-5f);
  CHECK(std::abs(calls[2][12] - 11.93583f) < 1e-4f);
  CHECK(std::abs(calls[2][13] - 6.17987f) < 1e-4f);
}

TEST_CASE("Resample: every pair of common rates, in chunks and against the definition", "[audio][property]") {
  const Index source = GENERATE(from_range(std::begin(rates_hz), std::end(rates_hz)));
  support::Random random(static_cast<std::uint64_t>(source));
  for (const Index target : rates_hz) {
    if (source == target) continue;
    INFO(source << " to " << target);
    for (const ResampleOptions& options : {ResampleOptions(), low_delay(kaiser(16, 0.9, 9))}) {
      const Resample<float> resample(source, target, options);
      const Resample<double> in_double(source, target, options);
      const Definition definition(source, target, options);
      const Index n = 2600;
      const std::vector<double> x = support::random_values<double>(n, random);
      const std::vector<float> rounded(x.begin(), x.end());
      const std::vector<float> y = whole(resample, rounded);
      CHECK(same_bits(in_chunks(resample, rounded, {512}), y));
      CHECK(same_bits(in_chunks(resample, rounded, {1, 64, 7, 0, 333, 160}), y));
      CHECK(distance(y, definition(rounded)) < 1e-6);
      const std::vector<double> exact = whole(in_double, x);
      CHECK(same_bits(in_chunks(in_double, x, {480, 1, 31}), exact));
      CHECK(distance(exact, definition(x)) < 1e-13);
    }
  }
}

TEST_CASE("Resample: what torchaudio gives", "[audio][golden]") {
  const es::Safetensors golden =
      es::read_safetensors(EIGENSTREAM_SOURCE_DIR "/tests/golden/audio/Resample.safetensors");
  int cases = 0;
  for (const auto& entry : nlohmann::json::parse(golden.metadata.at("cases"))) {
    const std::string name = entry.at("name");
    INFO("case " << name);
    ResampleOptions options{.method = es::resample_method(entry.at("resampling_method").get<std::string>()),
                            .lowpass_filter_width = entry.at("lowpass_filter_width"),
                            .rolloff = entry.at("rolloff")};
    if (entry.contains("beta")) options.beta = entry.at("beta");
    const es::Weights<float>&x = golden.tensors.at(name + "/x"), &y = golden.tensors.at(name + "/y");
    support::Signal<float> signal(x.shape[1], x.shape[0], x.shape[2]);
    support::Signal<double> expected(y.shape[1], y.shape[0], y.shape[2]);
    const auto transpose = [](const es::Weights<float>& from, auto& to) {  // (B,C,T), row-major, to (C,B,T)
      for (Index b = 0; b < from.shape[0]; ++b)
        for (Index c = 0; c < from.shape[1]; ++c)
          for (Index t = 0; t < from.shape[2]; ++t) to(c, b, t) = from(b, c, t);
    };
    transpose(x, signal);
    transpose(y, expected);
    for (const bool soon : {false, true}) {
      options.low_delay = soon;
      const Resample<float> resample(entry.at("source_hz"), entry.at("target_hz"), options);
      CHECK(support::difference(support::offline(resample, signal), expected) < 1e-6);
    }
    ++cases;
  }
  CHECK(cases >= 25);
}

TEST_CASE("Resample: the qualities are what they are said to be", "[audio]") {
  struct Row {
    ResampleQuality quality;
    double flat, half, rejected_db;
    Index taps;
    double delay;  // of the filter itself
  };
  // rejected_db: from half the narrower rate on, in exact arithmetic.
  const Row rows[] = {{ResampleQuality::low, 0.7075, 0.7935, 106, 39, 19.4},
                      {ResampleQuality::medium, 0.839, 0.8865, 106, 71, 35.4},
                      {ResampleQuality::high, 0.901, 0.929, 126, 137, 68.2},
                      {ResampleQuality::very_high, 0.923, 0.943, 149.8, 203, 101.1}};
  for (const Row& row : rows) {
    INFO(es::name_of(row.quality));
    ResampleOptions options = es::resample_options(row.quality);
    options.low_delay = true;
    const Resample<float> up(1, 2, options);
    CHECK(up.taps() == row.taps);
    CHECK(up.delay() == static_cast<Index>(row.delay));
    const es::ResampleFilter kernel(2, 1, options);
    const auto reach = static_cast<Index>(kernel.reach());
    const auto gain_db = [&](double f) {  // a fraction of a quarter of the wider rate
      double sum = kernel(0);
      for (Index d = 1; d <= reach; ++d)
        sum += 2 * kernel(d) * std::cos(std::numbers::pi / 2 * f * static_cast<double>(d));
      return 20 * std::log10(std::abs(sum));
    };
    for (double f = 0; f < 0.6 * row.flat; f += 0.01) CHECK(std::abs(gain_db(f)) < 1e-4);
    for (double f = 0; f < row.flat - 0.001; f += 0.01) CHECK(std::abs(gain_db(f)) < 0.1);
    CHECK(gain_db(row.flat + 0.001) < -0.1);
    CHECK(gain_db(row.half - 0.001) > -3);
    CHECK(gain_db(row.half + 0.001) < -3);
    for (double f = 1; f <= 2; f += 0.0007) REQUIRE(gain_db(f) < -row.rejected_db);
  }
}

TEST_CASE("Resample: rates without a common divisor take little memory", "[audio]") {
  support::Random random(3);
  const std::vector<float> x = support::random_values<float>(100000, random);
  for (const bool soon : {false, true}) {
    const Resample<float> resample(44100, 44101, {.low_delay = soon});
    CHECK(resample.taps() <= 15);
    CHECK(resample.delay() == (soon ? 7 : 44106));
    const std::vector<float> y = whole(resample, x);
    CHECK(y.size() == 100003);
    CHECK(same_bits(in_chunks(resample, x, {1000, 1, 30000, 17}), y));
    // A slow sine, between its samples.
    std::vector<float> sine;
    for (int i = 0; i < 50000; ++i) sine.push_back(std::sin(0.01f * static_cast<float>(i)));
    const std::vector<float> moved = whole(resample, sine);
    float most = 0;
    for (std::size_t j = 100; j + 100 < moved.size(); ++j) {
      const double position = static_cast<double>(j) * 44100 / 44101;
      most = std::max(most, std::abs(moved[j] - static_cast<float>(std::sin(0.01 * position))));
    }
    CHECK(most < 2e-3f);
  }
}

TEST_CASE("Resample: equal rates are the identity", "[audio]") {
  const Resample<float> resample(48000, 48000);
  CHECK(resample.delay() == 0);
  CHECK(resample.taps() == 1);
  CHECK(resample.facts({2}).state_bytes == 0);
  CHECK(resample.in_place());
  support::Random random(1);
  const std::vector<float> x = support::random_values<float>(100, random);
  CHECK(same_bits(in_chunks(resample, x, {7, 0, 30}), x));
}

TEST_CASE("Resample: counts, delay and timing", "[audio]") {
  const Resample<float> down(48000, 16000), up(44100, 48000);
  CHECK(down.source_hz() == 48000);
  CHECK(down.target_hz() == 16000);
  CHECK(down.timing().rate() == es::Rate{1, 3});
  CHECK(down.delay() == 19 + 3 - 1);
  CHECK(down.delay_seconds() == 21.0 / 48000);
  CHECK(up.timing().rate() == es::Rate{160, 147});
  CHECK(up.delay() == 7 + 147 - 1);
  CHECK(Resample<float>(44100, 48000, {.low_delay = true}).delay() == 7);
  for (const auto& [source, target] : {std::pair<Index, Index>(2, 1), {1, 2}, {147, 160}, {160, 147}, {3, 7}, {7, 3}})
    for (const bool soon : {false, true}) {
      const Resample<float> resample(source, target, {.low_delay = soon});
      CHECK(resample.timing().delay() == resample.delay());
      CHECK(resample.timing().receptive_field() == resample.taps());
      // max_outputs is reached, and max_flush.
      Index most = 0, flushed = 0;
      for (Index n = 0; n < 1000; ++n) {
        most = std::max(most, resample.timing().outputs_after(n + 5) - resample.timing().outputs_after(n));
        flushed = std::max(flushed, resample.timing().outputs_after(n, true) - resample.timing().outputs_after(n));
      }
      CHECK(resample.max_outputs(5) == most);
      CHECK(support::facts_of(resample).max_flush == flushed);
    }
  // The formula in whole numbers, where a quotient in single precision would be one less.
  CHECK(Resample<float>(44100, 16000).timing().outputs_after(180697, true) == 65560);
  CHECK(down.facts({2}).macs == 2 * 37.0 / 3);
  CHECK(support::facts_of(down).parameters == 0);
}

TEST_CASE("Resample: one output frame for each input frame of a constant", "[audio]") {
  // Every phase of a low-pass filter passes what does not change; a Hann window of 6 nearly so.
  for (const Index target : {16000, 44100, 96000}) {
    const std::vector<float> y = whole(Resample<float>(48000, target), std::vector<float>(2000, 1.0f));
    for (std::size_t j = 100; j + 100 < y.size(); ++j) REQUIRE(std::abs(y[j] - 1) < 2e-3f);
  }
}

TEMPLATE_TEST_CASE("Resample: what is not finite stays in its windows", "[audio]", float, double) {
  using T = TestType;
  support::Random random(2);
  for (const auto& [source, target] : {std::pair<Index, Index>(3, 1), {1, 3}, {147, 160}, {5, 7}})
    for (const T value : {std::numeric_limits<T>::quiet_NaN(), -std::numeric_limits<T>::infinity()}) {
      const Resample<T> resample(source, target, {.low_delay = true});
      const es::Timing timing = resample.timing();
      std::vector<T> x = support::random_values<T>(700, random);
      const std::vector<T> clean = whole(resample, x);
      x[300] = value;
      x[305] = -value;
      const std::vector<T> y = whole(resample, x);
      CHECK(same_bits(in_chunks(resample, x, {1, 2, 50, 3}), y));
      for (Index j = 0; j < static_cast<Index>(y.size()); ++j) {
        const bool touched = timing.first_input(j) <= 305 && timing.last_input(j) >= 300;
        if (touched)
          CHECK(!std::isfinite(y[static_cast<std::size_t>(j)]));
        else
          CHECK(y[static_cast<std::size_t>(j)] == clean[static_cast<std::size_t>(j)]);
      }
    }
}

TEST_CASE("Resample: denormals and zeros of both signs keep the law", "[audio][property]") {
  support::Random random(4);
  std::vector<float> x;
  for (int i = 0; i < 1000; ++i) {
    const double kind = random.real(0, 1), sign = random.chance(0.5) ? 1 : -1;
    x.push_back(static_cast<float>(sign * (kind < 0.4 ? 0.0 : kind < 0.8 ? 1.4e-45 : 1e-41)));
  }
  for (const auto& [source, target] : {std::pair<Index, Index>(3, 1), {1, 3}, {5, 7}})
    for (const bool soon : {false, true}) {
      const Resample<float> resample(source, target, {.low_delay = soon});
      CHECK(same_bits(in_chunks(resample, x, {1, 2, 5, 0, 40}), whole(resample, x)));
    }
}

TEST_CASE("Resample: channels and batch entries do not mix, and each is what it is alone", "[audio][property]") {
  support::Random random(5);
  for (const auto& [source, target] : {std::pair<Index, Index>(3, 1), {147, 160}})
    for (const Index channels : {2, 3, 7, 20}) {
      const Resample<float> resample(source, target);
      const auto x = support::random_tensor<float>(random, channels, Index{2}, Index{500});
      const support::Signal<float> y = support::offline(resample, x);
      for (Index c = 0; c < channels; ++c)
        for (Index b = 0; b < 2; ++b) {
          std::vector<float> alone, expected;
          for (Index t = 0; t < 500; ++t) alone.push_back(x(c, b, t));
          for (Index t = 0; t < y.dimension(2); ++t) expected.push_back(y(c, b, t));
          REQUIRE(same_bits(whole(resample, alone), expected));
        }
    }
}

TEST_CASE("Resample: fingerprints tell ratios and filters apart", "[audio]") {
  const auto print = [](Index source, Index target, ResampleOptions options = {}) {
    return Resample<float>(source, target, options).fingerprint();
  };
  CHECK(print(48000, 16000) == print(3, 1));
  CHECK(print(48000, 16000) != print(16000, 48000));
  for (const ResampleOptions& options : {hann(7), hann(6, 0.98), kaiser(6), kaiser(6, 0.99, 5), low_delay(hann(6))})
    CHECK(print(3, 1) != print(3, 1, options));
  CHECK(print(3, 1, kaiser(6)) != print(3, 1, kaiser(6, 0.99, 5)));
}

TEST_CASE("Resample: impossible rates and options are refused by name", "[audio][error]") {
  using support::refuses;
  const auto make = [](Index source, Index target, ResampleOptions options = {}) {
    return [=] { Resample<float>(source, target, options); };
  };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(refuses(make(0, 16000), {"Resample", "0 Hz", "at least 1"}));
  CHECK(refuses(make(16000, -1), {"Resample", "-1 Hz", "at least 1"}));
  CHECK(refuses(make(2, 1, hann(0)), {"Resample", "lowpass_filter_width = 0"}));
  CHECK(refuses(make(1, 1, hann(-3)), {"Resample", "lowpass_filter_width = -3"}));
  for (const double rolloff : {0.0, -0.5, 1.01, nan})
    CHECK(refuses(make(2, 1, hann(6, rolloff)), {"Resample", "rolloff"}));
  for (const double beta : {-1.0, 1e6, nan}) CHECK(refuses(make(2, 1, kaiser(6, 0.99, beta)), {"Resample", "beta"}));
  CHECK(refuses(make(2, 1, {.method = static_cast<ResampleMethod>(7)}), {"Resample", "method 7"}));
  // Sizes that no memory holds.
  const Index huge = std::numeric_limits<Index>::max();
  CHECK(refuses(make(huge, 1), {"Resample", "frames"}));
  CHECK(refuses(make(1, huge), {"Resample", "frames"}));
  CHECK(refuses(make(huge, huge - 1), {"Resample", "frames"}));
  CHECK(refuses(make(2, 1, hann(huge)), {"Resample", "frames"}));
  CHECK(refuses(make(2, 1, hann(6, 1e-300)), {"Resample", "frames"}));
  CHECK(refuses(make(16000001, 16000000), {"Resample", "table"}));
  CHECK(refuses(make(2, 1, hann(4000000)), {"Resample", "table"}));
  CHECK_NOTHROW(make(192000, 191999)());
}
