#ifndef EIGENSTREAM_TOOLS_STREAMER_COMMAND_HPP
#define EIGENSTREAM_TOOLS_STREAMER_COMMAND_HPP

#include <CLI/CLI.hpp>
#include <string>  // text of options

#include "streamer/options.hpp"

namespace tool::streamer {

/// "eigenstream streamer ...".
class Command {
 public:
  explicit Command(CLI::App& app) {
    top_ = app.add_subcommand("streamer", "Learn to segment streams into events, and segment them");
    top_->group("Commands");
    top_->require_subcommand(0, 1);
    top_->get_formatter()->label("SUBCOMMAND", "COMMAND");
    top_->footer(
        "STREAMER learns without labels, while it runs, where events end, and events of events.\n"
        "\n"
        "Examples:\n"
        "  eigenstream streamer train day1.wav day2.wav -o model.safetensors --feature-dim 128\n"
        "  eigenstream streamer segment model.safetensors day3.wav -o day3.json --plot day3.svg\n"
        "  eigenstream streamer score day3.json annotations.json\n"
        "\n"
        "eigenstream streamer COMMAND --help tells more.");
    add_train();
    add_segment();
    add_score();
  }

  bool chosen() const { return top_->parsed(); }
  int run() {
    if (train_->parsed()) {
      for (const CLI::Option* option : train_->get_options())
        if (option->count() > 0) train_options_.given.insert(option->get_name());
      finish_train();
      return train(train_options_);
    }
    if (segment_->parsed()) {
      check_names({&segment_options_.model, &segment_options_.data, &segment_options_.output});
      at_least("--fps", segment_options_.fps, 0);
      segment(segment_options_);
    } else if (score_->parsed()) {
      at_least("--fps", score_options_.fps, 0);
      score(score_options_);
    } else {
      throw UsageError("which streamer command? train, segment or score");
    }
    return 0;
  }

 private:
  template <class Value>
  void add(CLI::App* command, const char* name, Value& value, const char* what, const char* type) {
    command->add_option(name, value, what)->type_name(type);
  }
  CLI::App* add_command(const char* name, const char* what, const char* footer) {
    CLI::App* command = top_->add_subcommand(name, what);
    command->group("Commands");
    command->footer(footer);
    return command;
  }

  void add_train() {
    train_ = add_command(
        "train", "Learn from recordings, in their order",
        "DATA is, for each recording, one of\n"
        "  a sound file    any that libsndfile reads. An input is --snippet seconds, cut into FEATURE_DIM / MELS "
        "parts\n"
        "                  of equal length; each is the mean of the spectra of windows that begin --hop seconds after\n"
        "                  one another, in HTK's mel bands, in decibels: full scale is 1, 100 dB below is -1\n"
        "  a folder        its .png and .jpg images by their names, or numbered ones: frames/%05d.png. Each is an\n"
        "                  input, or with --fps one every --snippet seconds; pixels from -1 to 1\n"
        "  .safetensors    a tensor (T,D) or (T,3,H,W), as it is\n"
        "\n"
        "The model is written every --save-every inputs, at the end, and at Ctrl-C, all at once each time, with all "
        "that\n"
        "a run needs to go on: --resume continues in the midst of a recording, bit for bit as if it had not stopped.\n"
        "A line tells every --log-base-every inputs how well each layer predicted and how many events it ended.\n"
        "\n"
        "Examples:\n"
        "  eigenstream streamer train day1.wav day2.wav -o model.safetensors --feature-dim 128 --evolve-every 5000\n"
        "  eigenstream streamer train frames1 frames2 -o model.safetensors --fps 30 --image-size 128x128\n"
        "  eigenstream streamer train day1.wav day2.wav -o model.safetensors --resume");
    TrainOptions& o = train_options_;
    CLI::App* const c = train_;
    c->add_option("data", o.data, "Recordings")->required()->type_name("");
    add_path(c, "-o,--output", o.output, "The model to write, a .safetensors file")->required();
    c->add_flag("--resume", o.resume, "Go on with the model as it was saved");
    add(c, "--epochs", o.epochs, "How often the recordings are gone through (1)", "N");
    add(c, "--save-every", o.save_every, "Inputs between checkpoints (1000)", "N");
    add(c, "--log-base-every", o.log_base_every, "Inputs between lines of the learning curve (1000)", "N");
    add_path(c, "--curves", o.curves, "The learning curve as a .csv file, line by line");
    add_path(c, "--ckpt-dir", o.ckpt_dir, "A folder for model_000.safetensors and so on, one for each checkpoint");
    add_path(c, "--hierarchies", o.hierarchies,
             "A folder for the events of each recording as they were while it learned");

    add(c, "--max-layers", o.model.max_layers, "The stack grows no higher (3)", "N");
    add(c, "--feature-dim", o.model.feature_dim, "Numbers of a summary, a multiple of 8 (1024, or D of tensors)", "D");
    add(c, "--evolve-every", o.model.evolve_every, "Inputs of a layer until it gets one above (100000)", "N");
    add(c, "--buffer-size", o.model.buffer_size, "Inputs of an event that are kept (10)", "N");
    add(c, "--loss-threshold", o.model.loss_threshold, "Of the modes fixed and accum (0.1)", "X");
    add(c, "--lr", o.model.lr, "Step of every Adam (0.0001)", "X");
    add(c, "--snippet", o.model.snippet_size, "Seconds of an input (0.5)", "S");
    add(c, "--demarcation-mode", demarcation_, "What ends an event: average (the default), fixed or accum", "M");
    add(c, "--distance-mode", distance_, "How predictions are compared: similarity (the default) or distance", "M");
    c->add_flag("--force-base-dist", o.model.force_base_dist, "The lowest layer goes by the distance in any case");
    add(c, "--window-size", o.model.window_size, "Signals that average remembers (50)", "N");
    add(c, "--modifier-type", modifier_, "What is done to their mean: multiply (the default) or add", "M");
    add(c, "--modifier", o.model.modifier, "By how much (1)", "X");
    c->add_flag("--force-fixed-buffer", o.model.force_fixed_buffer, "A full buffer ends the event");
    add(c, "--init-layers", o.model.init_layers, "Layers to begin with (1)", "N");
    add(c, "--init-ckpt", o.model.init_ckpt, "A model to begin with; its height counts", "FILE");
    add(c, "--seed", o.model.seed, "Another seed, other initial values (0)", "N");
    add(c, "--alpha", o.optimizer.alpha, "How much less a loss counts for each layer that it is away (3)", "X");
    add(c, "--optimize-every", o.optimizer.optimize_every, "Losses of the top layer until a step (100)", "N");
    add(c, "--average-every", o.optimizer.average_every, "Inputs until several processes average (1000)", "N");
    c->add_flag("--hgn-timescale,!--no-hgn-timescale", o.optimizer.hgn_timescale,
                "A loss counts with the time it spans (on)");
    c->add_flag("--hgn-reach,!--no-hgn-reach", o.optimizer.hgn_reach,
                "A loss counts less for layers further away (on)");

    add(c, "--mels", o.input.mels, "Mel bands (the largest divisor of FEATURE_DIM up to 64)", "N");
    add(c, "--window", o.input.window_seconds, "Seconds of a window (0.025)", "S");
    add(c, "--hop", o.input.hop_seconds, "Seconds from one window to the next (0.01)", "S");
    add(c, "--image-size", o.input.image_size, "Height and width that images are resized to (that of the first)",
        "HxW");
    c->add_flag("--normalize-imgs", o.input.normalize_imgs, "Divide each pixel by its norm over the channels");
    add(c, "--fps", o.input.fps, "Images per second (each image is an input)", "X");
  }
  void finish_train() {
    TrainOptions& o = train_options_;
    check_names({&o.output});
    for (const std::string& each : o.data)
      if (each.empty()) throw UsageError("data: the name of the file is empty");
    at_least("--epochs", static_cast<double>(o.epochs), 1);
    at_least("--save-every", static_cast<double>(o.save_every), 1);
    at_least("--log-base-every", static_cast<double>(o.log_base_every), 1);
    at_least("--fps", o.input.fps, 0);
    if (o.given.contains("--mels")) at_least("--mels", static_cast<double>(o.input.mels), 1);
    for (const auto& [name, seconds] :
         {std::pair("--window", o.input.window_seconds), std::pair("--hop", o.input.hop_seconds)})
      if (!(seconds > 0 && seconds <= 60)) throw UsageError(text(name, ": ", seconds, " is not from 0 to 60"));
    for (const char* const name : {"--init-ckpt", "--init-layers"})
      if (o.resume && o.given.contains(name)) throw UsageError(text("--resume and ", name, " exclude each other"));
    try {
      o.model.demarcation_mode = st::demarcation_mode(demarcation_);
      o.model.distance_mode = st::distance_mode(distance_);
      o.model.modifier_type = st::modifier_type(modifier_);
      st::check_arguments(o.model);
    } catch (const es::Error& error) {
      throw UsageError(error.what());
    }
  }

  void add_segment() {
    segment_ = add_command(
        "segment", "Find the events of a recording",
        "DATA is what the model has learned from: see eigenstream streamer train --help. Images are resized\n"
        "to what the model takes. The picture has the layers from the highest down, what each layer went by\n"
        "with its threshold, and the annotations beneath. Nothing is learned.\n"
        "\n"
        "Examples:\n"
        "  eigenstream streamer segment model.safetensors day3.wav -o day3.json\n"
        "  eigenstream streamer segment model.safetensors day3.wav -o day3.json --plot day3.svg --truth "
        "day3.truth.json");
    SegmentOptions& o = segment_options_;
    add_path(segment_, "model", o.model, "A model of eigenstream streamer train")->required()->type_name("");
    add_path(segment_, "data", o.data, "A recording")->required()->type_name("");
    add_path(segment_, "-o,--output", o.output, "The events to write, a .json file")->required();
    add_path(segment_, "--plot", o.plot, "A picture to write, .svg or .png");
    add_path(segment_, "--truth", o.truth, "Annotations for the picture, of the same form as the events");
    segment_->add_flag("--close", o.close, "What comes behind the last boundary is an event, too");
    add(segment_, "--fps", o.fps, "Images per second (as in training)", "X");
  }

  void add_score() {
    score_ = add_command(
        "score", "Compare events with annotations",
        "By hierarchical level reduction: each part of the recording is taken from the layer that suits it\n"
        "best. IoU is the mean overlap with the true events, MoF the part of the frames where both have an\n"
        "event, or neither. Annotations are of the same form as the events, with a score for each of their\n"
        "layers. Of two folders, files of the same name are compared.\n"
        "\n"
        "Examples:\n"
        "  eigenstream streamer score day3.json day3.truth.json\n"
        "  eigenstream streamer score found annotations --best-layer --json");
    ScoreOptions& o = score_options_;
    add_path(score_, "hierarchy", o.hierarchy, "Events of eigenstream streamer segment, or a folder")
        ->required()
        ->type_name("");
    add_path(score_, "annotations", o.annotations, "What is true, or a folder")->required()->type_name("");
    score_->add_flag("--best-layer", o.best_layer, "Each layer by itself, and the best of them");
    score_->add_flag("--merge", o.merge, "Neighbouring annotations of one action are one");
    score_->add_flag("--json", o.json, "As JSON, with the events that were chosen");
    add(score_, "--fps", o.fps, "Frames per second of MoF (by the file's name, as EPIC-KITCHENS has it, else 60)", "X");
  }

  CLI::Option* add_path(CLI::App* command, const char* name, std::filesystem::path& path, const char* what) {
    return command
        ->add_option_function<std::string>(
            name, [&path](const std::string& given) { path = given; }, what)
        ->type_name("FILE");
  }
  static void check_names(std::initializer_list<const std::filesystem::path*> paths) {
    for (const std::filesystem::path* each : paths)
      if (each->empty()) throw UsageError("the name of the file is empty");
  }
  static void at_least(const char* name, double value, double least) {
    if (!(value >= least && value <= 1e15)) throw UsageError(text(name, ": ", value, " is not from ", least, " on"));
  }

  CLI::App *top_, *train_ = nullptr, *segment_ = nullptr, *score_ = nullptr;
  TrainOptions train_options_;
  SegmentOptions segment_options_;
  ScoreOptions score_options_;
  std::string demarcation_ = "average", distance_ = "similarity", modifier_ = "multiply";
};

}  // namespace tool::streamer

#endif  // EIGENSTREAM_TOOLS_STREAMER_COMMAND_HPP
