#ifndef EIGENSTREAM_TOOLS_STREAMER_SEGMENTING_HPP
#define EIGENSTREAM_TOOLS_STREAMER_SEGMENTING_HPP

#include <cmath>       // NaN
#include <filesystem>  // path
#include <memory>      // unique_ptr
#include <span>        // bytes
#include <string>      // names
#include <utility>     // move
#include <vector>      // signals

#include "eigenstream/analysis/plot_png.hpp"
#include "eigenstream/draw/timeline.hpp"
#include "eigenstream/streamer/checkpoint.hpp"
#include "eigenstream/streamer/hierarchy.hpp"
#include "output_file.hpp"
#include "streamer/data.hpp"
#include "streamer/run_settings.hpp"

namespace tool::streamer {

namespace fs = std::filesystem;

/// The layers from the highest down, their signals, and what is true beneath.
inline es::Timeline timeline_of(const st::Hierarchy& hierarchy, std::vector<es::TimelineSignal> signals,
                                const st::Hierarchy* truth) {
  const auto band = [](const char* name, Index k, const std::vector<st::Segment>& segments, es::Colour colour) {
    es::TimelineBand made{text(name, k), {}, colour};
    for (const st::Segment& each : segments)
      made.spans.push_back({each.start, each.end, each.action == "N/A" ? "" : each.action});
    return made;
  };
  es::Timeline timeline{fs::path(hierarchy.file).filename().string(), hierarchy.duration, {}};
  for (std::size_t k = hierarchy.layers.size(); k-- > 0;)
    timeline.rows.emplace_back(
        band("layer ", static_cast<Index>(k), hierarchy.layers[k], es::timeline_colour(static_cast<Index>(k))));
  for (std::size_t k = signals.size(); k-- > 0;)
    if (!signals[k].times.empty()) timeline.rows.emplace_back(std::move(signals[k]));
  if (truth != nullptr)
    for (std::size_t k = truth->layers.size(); k-- > 0;)
      timeline.rows.emplace_back(band("truth ", static_cast<Index>(k), truth->layers[k], es::Colour{96, 96, 96}));
  return timeline;
}

/// A recording becomes a hierarchy, and a picture of it.
inline void segment_recording(const SegmentOptions& options) {
  const std::string suffix = options.plot.extension().string();
  if (!options.plot.empty() && suffix != ".svg" && suffix != ".png")
    throw UsageError(text("--plot: ", in_quotes(options.plot.string()), " must end in .svg or .png"));
  if (!options.truth.empty() && options.plot.empty()) throw UsageError("--truth is drawn by --plot");
  for (const fs::path& output : {options.output, options.plot}) {
    if (output.empty()) continue;
    check_not_the_same(output, options.model, "model");
    check_not_the_same(output, options.data, "data");
    if (!options.truth.empty()) check_not_the_same(output, options.truth, "truth");
  }
  if (!options.plot.empty()) check_not_the_same(options.plot, options.output, "output");
  const es::Safetensors checkpoint = es::read_safetensors(options.model);
  TrainOptions trained;
  const auto model = about(options.model, [&] {
    if (const auto run = checkpoint.metadata.find(run_key); run != checkpoint.metadata.end())
      read_settings(json::parse(run->second).at("settings"), trained);
    return st::load_model<float>(checkpoint);
  });
  trained.model = model->arguments();
  if (trained.input.mels == 0 && trained.model.modality == "audio") {  // learned from tensors
    st::StreamerModelArguments as_it_is = trained.model;
    settle(options.data, true, as_it_is, trained.input);
  }
  if (trained.model.modality == "video")
    trained.input.image_size = text(trained.model.height, "x", trained.model.width);
  if (options.fps > 0) trained.input.fps = options.fps;
  const auto truth = options.truth.empty() ? st::Hierarchy{} : st::read_hierarchy(options.truth);
  const auto video = open_video(options.data, trained.model, trained.input);

  model->eval();
  const bool similarity = trained.model.distance_mode == st::DistanceMode::similarity;
  std::vector<es::TimelineSignal> signals(static_cast<std::size_t>(model->get_num_layers()));
  for (std::size_t k = 0; k < signals.size(); ++k)
    signals[k].name = text(similarity && !(k == 0 && trained.model.force_base_dist) ? "similarity " : "error ", k);
  if (!options.plot.empty())
    model->logger = [&](const st::StreamerEvent<float>& event) {
      es::TimelineSignal& signal = signals[static_cast<std::size_t>(event.layer)];
      const double now = static_cast<double>(model->base_counter) * trained.model.snippet_size;
      signal.times.push_back(now), signal.values.push_back(event.signal);
      signal.thresholds.push_back(event.threshold.value_or(std::nan("")));
      if (event.boundary) signal.boundaries.push_back(now);
    };
  std::vector<float> x(static_cast<std::size_t>(model->input_size()));
  {
    Progress progress(video->inputs(), true);
    for (Index i = 0; i < video->inputs(); ++i) {
      video->next(x);
      model->forward(x);
      progress.reached(i + 1);
    }
  }
  const st::Hierarchy hierarchy =
      st::make_hierarchy(model->extract_rep(), options.data.string(), video->duration_seconds(), options.close);
  const std::string written = st::to_json(hierarchy);
  OutputFile output(options.output);
  output.write(std::as_bytes(std::span(written)));
  std::unique_ptr<OutputFile> plot;
  if (!options.plot.empty()) {
    const es::Drawing drawing =
        es::plot_timeline(timeline_of(hierarchy, std::move(signals), options.truth.empty() ? nullptr : &truth));
    const std::string picture = suffix == ".svg" ? es::svg_of(drawing) : es::png_of(es::pixels_of(drawing));
    plot = std::make_unique<OutputFile>(options.plot);
    plot->write(std::as_bytes(std::span(picture)));
  }
  std::string facts = text(video->inputs(), " inputs, ", fixed(hierarchy.duration, 2), " seconds\n");
  for (std::size_t k = 0; k < hierarchy.layers.size(); ++k)
    facts += text("layer ", k, "  ", hierarchy.layers[k].size(), " events\n");
  say(facts);
  finish_saying();
  output.keep();
  if (plot != nullptr) plot->keep();
}

}  // namespace tool::streamer

#endif  // EIGENSTREAM_TOOLS_STREAMER_SEGMENTING_HPP
