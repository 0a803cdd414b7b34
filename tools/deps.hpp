#ifndef EIGENSTREAM_TOOLS_DEPS_HPP
#define EIGENSTREAM_TOOLS_DEPS_HPP

#include <sys/ioctl.h>  // size of the terminal
#include <unistd.h>     // isatty

#include <algorithm>    // clamp, find_if
#include <charconv>     // from_chars
#include <cstdlib>      // getenv
#include <filesystem>   // path
#include <span>         // bytes
#include <string>       // string
#include <string_view>  // names of locales

#include "eigenstream/analysis/dependency.hpp"
#include "eigenstream/analysis/plot_png.hpp"
#include "model.hpp"
#include "output_file.hpp"
#include "run.hpp"
#include "text.hpp"

namespace tool {

struct DepsOptions {
  std::filesystem::path model;
  std::filesystem::path output;  ///< empty: the terminal
  Index frames = 0;              ///< 0: as many as show the pattern
  Index in_stride = 1;
  std::string of;  ///< the output's name; empty: the main one
};

/// Room for a picture of characters on standard output, and which characters it takes.
inline es::DependencyTextOptions terminal_options(Index lines_below) {
  const auto variable = [](const char* name) -> std::string_view {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  winsize size = {};
  if (terminal) (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);

  Index width = size.ws_col > 0 ? size.ws_col : 80;
  const std::string_view columns = variable("COLUMNS");
  Index wanted = 0;
  const auto [end, error] = std::from_chars(columns.data(), columns.data() + columns.size(), wanted);
  if (error == std::errc() && end == columns.data() + columns.size() && wanted > 0) width = wanted;

  std::string_view locale = variable("LC_ALL");
  if (locale.empty()) locale = variable("LC_CTYPE");
  if (locale.empty()) locale = variable("LANG");
  const bool utf8 = locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos;
  const bool plain = variable("TERM") == "dumb" || !variable("NO_COLOR").empty();
  return {.width = std::clamp<Index>(width, 24, 1000),
          .height = std::max<Index>(6, size.ws_row > 0 ? size.ws_row - lines_below : 50),
          .unicode = terminal && utf8,
          .colour = terminal && !plain};
}

inline void deps(const DepsOptions& options) {
  const std::string suffix = options.output.extension().string();
  if (!options.output.empty()) {
    if (suffix != ".svg" && suffix != ".png" && suffix != ".pgm" && suffix != ".txt")
      throw UsageError(text("--output: ", in_quotes(options.output.string()), " must end in .svg, .png, .pgm or .txt"));
    check_not_the_same(options.output, options.model, "model");
  }
  const OpenedModel model = open_model(options.model);
  es::Timing timing = model.layer().timing();
  if (!options.of.empty()) {
    const std::vector<es::NetworkOutput>& all = model.layer().all_outputs();
    const auto found = std::find_if(all.begin(), all.end(), [&](const es::NetworkOutput& each) { return each.name == options.of; });
    es::check(found != all.end(), in_quotes(options.model.string()), ": has no output ", in_quotes(options.of));
    timing = found->timing;
  }
  const es::Rate rate = timing.rate();
  Index frames = options.frames;
  if (frames == 0) {
    // Three receptive fields, and at least eight outputs, as far as a picture can show them.
    frames = std::clamp<Index>(std::max(timing.recursive() ? Index{0} : 3 * timing.receptive_field(), es::ceil_div(8 * rate.inputs, rate.outputs)), 16,
                               2000);
  }
  const Index outputs = timing.outputs_after(frames, true), inputs = es::ceil_div(frames, options.in_stride);
  if (outputs == 0) {
    const std::optional<Index> enough = frames_for_an_output(timing);
    es::fail(in_quotes(options.model.string()), ": a signal of ", frames, frames == 1 ? " frame" : " frames",
             " gives no output", enough ? text("; try --frames ", *enough) : std::string(", nor does any other"));
  }
  constexpr Index most = Index{1} << 28;
  es::check(outputs <= most / inputs, in_quotes(options.model.string()), ": ", frames, " frames give ", outputs,
            " outputs; a picture of ", inputs, " x ", outputs,
            " cells is too large (at most 2^28); use fewer --frames or a greater --in-stride");

  const es::DependencyPlot plot =
      es::plot_dependency_matrix(es::dependency_matrix(timing, frames, options.in_stride),
                                 {.title = options.model.filename().string() + (options.of.empty() ? "" : ": " + options.of),
                                  .marks = es::dependency_marks(timing)});

  const std::optional<double> rate_hz = model.sample_rate_hz();
  std::string facts;
  const auto fact = [&](const std::string& name, const std::string& value) {
    facts += name + std::string(17 - name.size(), ' ') + value + "\n";
  };
  fact("frames", text(frames, " in, ", outputs, " out"));
  fact("receptive field", frames_text(timing.receptive_field(), rate_hz));
  fact("delay", frames_text(timing.delay(), rate_hz));
  fact("padding", frames_text(timing.padding(), rate_hz));
  fact("rate", es::rate_text(rate));
  fact("causal", timing.delay() <= 0 ? "yes" : text("no, an output waits for ", frames_text(timing.delay(), rate_hz)));

  if (options.output.empty()) {
    say(plot.text(terminal_options(8)) + "\n" + facts);
    return;
  }
  std::string bytes;
  if (suffix == ".svg") bytes = plot.svg();
  if (suffix == ".png") bytes = es::png_of(plot);
  if (suffix == ".pgm") bytes = plot.pgm(std::max<Index>(1, 640 / std::max(inputs, outputs)));
  if (suffix == ".txt") bytes = plot.text() + "\n" + facts;
  OutputFile output(options.output);
  output.write(std::as_bytes(std::span(bytes)));
  say(facts);
  finish_saying();
  output.keep();
}

}  // namespace tool

#endif  // EIGENSTREAM_TOOLS_DEPS_HPP
