// What each sample-rate converter costs and what it is worth, beside each other, measured with sines.
//   resample_quality [name]     only converters whose name holds `name`
// For each pair of rates, with frequencies as fractions of half the narrower rate:
//   ns        per input sample, mono, blocks of 512 frames, the best of many
//   ripple    greatest deviation of the gain below 0.6 of the 0.1 dB edge, in dB
//   0.1 dB, 3 dB   where the gain has fallen by so much
//   in band   strongest thing that comes out where no such input was, in dB below a full sine: images of inputs that
//             are in the pass band, and aliases that fall into it. The pass band is what lies below the 0.1 dB edge
//   all       the same for every input: what is above half the target rate, or images of what is just below half the
//             source rate, where every filter that is not infinitely steep is weak
#include <algorithm>  // max, min
#include <chrono>     // cost
#include <cmath>      // sin, log10
#include <cstdio>     // the table
#include <numbers>    // pi
#include <string>     // names
#include <vector>     // signals

#include "audio/converters.hpp"

namespace {

using bench::ConverterKind;
using bench::Index;

constexpr Index block = 512;

std::vector<float> convert(const ConverterKind& kind, Index source_hz, Index target_hz, const std::vector<float>& x) {
  const auto converter = kind.make(source_hz, target_hz, 1);
  std::vector<float> y, some(static_cast<std::size_t>(8192 + 8 * block * target_hz / source_hz));
  for (std::size_t at = 0; at + block <= x.size(); at += block) {
    const Index n = (*converter)(x.data() + at, block, some.data(), static_cast<Index>(some.size()));
    y.insert(y.end(), some.begin(), some.begin() + n);
  }
  return y;
}

struct Response {
  double gain;  // of the sine itself
  double rest;  // everything else, as the amplitude of a sine of equal power
};

// A sine of frequency_hz in, and out: the part with the same frequency by least squares, and what is left.
Response measure(const ConverterKind& kind, Index source_hz, Index target_hz, double frequency_hz) {
  constexpr std::size_t frames = 24 * 1024;
  const double turn = 2 * std::numbers::pi, step_in = turn * frequency_hz / static_cast<double>(source_hz);
  std::vector<float> x;
  for (std::size_t i = 0; i < frames; ++i)
    x.push_back(static_cast<float>(std::sin(step_in * static_cast<double>(i))));
  const std::vector<float> y = convert(kind, source_hz, target_hz, x);
  const std::size_t begin = y.size() / 3, end = y.size() * 5 / 6;  // in full swing
  const double step = turn * frequency_hz / static_cast<double>(target_hz);
  const bool survives = 2 * frequency_hz < static_cast<double>(target_hz);
  double ss = 0, sc = 0, cc = 0, sy = 0, cy = 0, yy = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const double s = std::sin(step * static_cast<double>(i)), c = std::cos(step * static_cast<double>(i));
    const double value = static_cast<double>(y[i]);
    ss += s * s, sc += s * c, cc += c * c, sy += s * value, cy += c * value, yy += value * value;
  }
  const double n = static_cast<double>(end - begin);
  if (!survives) return {0, std::sqrt(2 * yy / n)};
  const double determinant = ss * cc - sc * sc;
  const double a = (sy * cc - cy * sc) / determinant, b = (cy * ss - sy * sc) / determinant;
  double rest = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const double left = static_cast<double>(y[i]) - a * std::sin(step * static_cast<double>(i)) -
                        b * std::cos(step * static_cast<double>(i));
    rest += left * left;
  }
  return {std::hypot(a, b), std::sqrt(2 * rest / n)};
}

double decibels(double ratio) { return 20 * std::log10(std::max(ratio, 1e-12)); }

double cost_ns(const ConverterKind& kind, Index source_hz, Index target_hz) {
  using Clock = std::chrono::steady_clock;
  const auto converter = kind.make(source_hz, target_hz, 1);
  std::vector<float> x(block), y(8192 + 8 * block);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i * i % 997));
  double best = 1e9;
  for (int pass = 0; pass < 40; ++pass) {
    constexpr int calls = 128;  // long enough that what comes once in several blocks counts
    const auto start = Clock::now();
    for (int call = 0; call < calls; ++call) (*converter)(x.data(), block, y.data(), static_cast<Index>(y.size()));
    const double ns = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    best = std::min(best, ns / (calls * static_cast<double>(block)));
  }
  return best;
}

void report(const ConverterKind& kind, Index source_hz, Index target_hz) {
  const double half = static_cast<double>(std::min(source_hz, target_hz)) / 2;
  const auto response = [&](double fraction) { return measure(kind, source_hz, target_hz, fraction * half); };
  const double reference = decibels(response(0.0123).gain);
  // From below, in steps, then by halving: where the gain leaves the given distance for good.
  const auto edge = [&](double fall) {
    double inside = 0.01, outside = 1;
    for (double f = 0.05; f < 1; f += 0.05) {
      if (std::abs(decibels(response(f).gain) - reference) > fall) {
        outside = f;
        break;
      }
      inside = f;
    }
    for (int k = 0; k < 9; ++k) {
      const double middle = (inside + outside) / 2;
      (std::abs(decibels(response(middle).gain) - reference) > fall ? outside : inside) = middle;
    }
    return inside;
  };
  const double flat = edge(0.1), half_power = edge(3);
  double ripple = 0, in_band = 0, all = 0;
  for (double f = 0.0123; f < 1; f += 0.0171) {
    const Response r = response(f);
    if (f < 0.6 * flat) ripple = std::max(ripple, std::abs(decibels(r.gain) - reference));
    if (f < flat) in_band = std::max(in_band, r.rest);
    all = std::max(all, r.rest);
  }
  // What the target rate cannot hold; it folds back at its half.
  const double top = static_cast<double>(source_hz) / 2 / half;
  for (double f = 1.001; f < top; f += 0.0171) {
    const double rest = response(f).rest, place = std::abs(f - 2 * std::round(f / 2));
    all = std::max(all, rest);
    if (place < flat) in_band = std::max(in_band, rest);
  }
  std::printf("%-20s %8.2f %9.4f %9.3f %8.3f %9.1f %8.1f\n", kind.name.c_str(), cost_ns(kind, source_hz, target_hz),
              ripple, flat, half_power, -decibels(in_band), -decibels(all));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  for (const auto& [source_hz, target_hz] : {std::pair<Index, Index>(48000, 16000), {44100, 48000}}) {
    std::printf("%td to %td Hz\n%-20s %8s %9s %9s %8s %9s %8s\n", source_hz, target_hz, "", "ns", "ripple", "0.1 dB",
                "3 dB", "in band", "all");
    for (const ConverterKind& kind : bench::converter_kinds())
      if (argc < 2 || kind.name.find(argv[1]) != std::string::npos) report(kind, source_hz, target_hz);
    std::printf("\n");
  }
}
