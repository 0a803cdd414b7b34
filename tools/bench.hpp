#ifndef EIGENSTREAM_TOOLS_BENCH_HPP
#define EIGENSTREAM_TOOLS_BENCH_HPP

#include <algorithm>  // nth_element
#include <chrono>     // steady_clock
#include <cstdint>    // the noise
#include <optional>   // sample rate
#include <string>     // string
#include <vector>     // frames

#include "eigenstream/kernel/flush_denormals.hpp"
#include "model.hpp"
#include "results.hpp"
#include "text.hpp"

namespace tool {

struct BenchRow {
  Index block = 0;
  double ns_per_frame = 0;     // the median of many runs of calls
  double slowest_call_ns = 0;  // what an audio thread feels
};

/// Calls with `block` frames of noise each, for about so many seconds.
inline BenchRow bench_block(const Net& net, Index channels, Index block, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const es::FlushDenormals guard;
  es::Stream<Net> stream(net, {.channels = channels});
  std::vector<float> x(static_cast<std::size_t>(block * stream.in_shape().size()));
  std::uint32_t noise = 1;
  for (float& value : x) {
    noise = noise * 1664525 + 1013904223;
    value = static_cast<float>(static_cast<double>(noise) * 0x1p-31 - 1);
  }
  const es::Frames<const float> in(x.data(), stream.in_shape(), block);
  Results results(stream);
  results.make_room([&](Index k) { return stream.max_outputs(block, k); });
  const auto call = [&] {
    if (stream.outputs() > 1)
      stream.process(in, results.frames, results.written);
    else
      stream.process(in, results.frames.front());
  };

  // Calls together take long enough that the clock itself does not count. The first ones, into cold caches, are
  // thrown away.
  Index calls = 1;
  for (;; calls *= 2) {
    const auto start = Clock::now();
    for (Index i = 0; i < calls; ++i) call();
    if (since(start) > std::min(50e-6, seconds / 10)) break;
  }
  BenchRow row;
  row.block = block;
  std::vector<double> runs;
  for (const auto begin = Clock::now(); runs.empty() || since(begin) < seconds / 2;) {
    const auto start = Clock::now();
    for (Index i = 0; i < calls; ++i) call();
    runs.push_back(since(start) * 1e9 / static_cast<double>(calls * block));
  }
  const auto middle = runs.begin() + static_cast<std::ptrdiff_t>(runs.size() / 2);
  std::nth_element(runs.begin(), middle, runs.end());
  row.ns_per_frame = *middle;
  for (const auto begin = Clock::now(); row.slowest_call_ns == 0 || since(begin) < seconds / 2;) {
    const auto start = Clock::now();
    call();
    row.slowest_call_ns = std::max(row.slowest_call_ns, since(start) * 1e9);
  }
  return row;
}

inline std::string bench_text(const OpenedModel& model, const std::vector<Index>& blocks, double seconds) {
  const std::optional<double> rate_hz = model.sample_rate_hz();
  const Index channels = model.channels();
  const double macs = es::Stream<Net>(model.layer(), {.channels = channels}).facts().macs;
  std::vector<Table::Column> columns{{"block", true}, {"ns/frame", true}, {"slowest call", true}, {"MACs/s", true}};
  if (rate_hz) {
    columns.push_back({"real-time factor", true});
    columns.push_back({"block lasts", true});
  }
  Table table(columns);
  Progress progress(static_cast<Index>(blocks.size()), true);
  Index done = 0;
  progress.reached(done);
  const auto us = [](double ns) { return fixed(ns / 1000, ns < 99950 ? 1 : 0) + " us"; };
  for (const Index block : blocks) {
    const BenchRow row = bench_block(model.layer(), channels, block, seconds);
    std::vector<std::string> cells{text(block), fixed(row.ns_per_frame, row.ns_per_frame < 99.5 ? 2 : 0),
                                   us(row.slowest_call_ns), short_number(macs / row.ns_per_frame * 1e9)};
    if (rate_hz) {
      cells.push_back(fixed(row.ns_per_frame * *rate_hz * 1e-9, 5));
      cells.push_back(us(static_cast<double>(block) / *rate_hz * 1e9));
    }
    table.add(cells);
    progress.reached(++done);
  }
  return table.print();
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_BENCH_HPP
