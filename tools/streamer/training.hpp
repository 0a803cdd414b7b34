#ifndef EIGENSTREAM_TOOLS_STREAMER_TRAINING_HPP
#define EIGENSTREAM_TOOLS_STREAMER_TRAINING_HPP

#include <fcntl.h>   // open
#include <unistd.h>  // fsync

#include <chrono>      // time left
#include <csignal>     // Ctrl-C
#include <cstdio>      // lines
#include <cstdlib>     // strtoll
#include <filesystem>  // path
#include <fstream>     // curves
#include <iomanip>     // setprecision
#include <memory>      // unique_ptr
#include <set>         // names
#include <span>        // bytes
#include <string>      // names
#include <vector>      // videos

#include "eigenstream/streamer/checkpoint.hpp"
#include "eigenstream/streamer/hierarchy.hpp"
#include "output_file.hpp"
#include "streamer/data.hpp"
#include "streamer/processes.hpp"
#include "streamer/run_settings.hpp"

namespace tool::streamer {

namespace fs = std::filesystem;

/// Not gone with the power either: the bytes are on the disk before the name is.
inline void write_durably(const fs::path& path, std::span<const std::byte> bytes) {
  es::detail::OutputFile file(path);
  file.write(bytes);
  check_system(fsync(fileno(file.stream())) == 0, file.name(), ": cannot be written: ");
  file.keep();
  const int folder =
      open(path.has_parent_path() ? path.parent_path().c_str() : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) (void)fsync(folder), (void)close(folder);
}

/// The signal that asks to stop, if one came. What the caller asked to ignore (nohup) stays ignored.
inline volatile std::sig_atomic_t stopped_by = 0;
inline void stop_at_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int signal) { stopped_by = signal; };
  action.sa_flags = SA_RESTART;  // what is being read or written is not cut short
  for (const int each : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction old = {};
    if (sigaction(each, nullptr, &old) == 0 && old.sa_handler != SIG_IGN) sigaction(each, &action, nullptr);
  }
}

inline std::string time_text(double seconds) {
  const auto whole = static_cast<long long>(seconds + 0.5);
  char written[64];
  if (whole < 3600)
    std::snprintf(written, sizeof written, "%lld:%02lld", whole / 60, whole % 60);
  else
    std::snprintf(written, sizeof written, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  return written;
}

/// What happened since the last line, layer by layer.
struct Curve {
  std::vector<double> sum;
  std::vector<Index> signals, events;

  explicit Curve(Index layers)
      : sum(static_cast<std::size_t>(layers)),
        signals(static_cast<std::size_t>(layers)),
        events(static_cast<std::size_t>(layers)) {}
};

/// A table that grows by a line now and then, and is never longer than what the checkpoint knows of after a resume.
class CurveFile {
 public:
  CurveFile(const fs::path& path, const std::string& header, Index inputs) : name_(in_quotes(path.string())) {
    std::string kept = header + "\n";
    std::ifstream old(path);
    std::string line;
    if (inputs > 0 && std::getline(old, line)) {
      es::check(line == header, name_, ": is no table of this run");
      while (std::getline(old, line) && std::strtoll(line.c_str(), nullptr, 10) <= inputs) kept += line + "\n";
    }
    old.close();
    es::detail::write_atomically(path, std::as_bytes(std::span(kept)));
    file_.open(path, std::ios::app);
  }
  void add(const std::string& line) {
    file_ << line << std::endl;
    es::check(file_.good(), name_, ": cannot be written");
  }

 private:
  std::string name_;
  std::ofstream file_;
};

/// A run of streamer train: from the first input, or from where a checkpoint was written.
class Training {
 public:
  explicit Training(TrainOptions options) : options_(std::move(options)), processes_(make_processes()) {
    const es::Safetensors checkpoint = options_.resume ? es::read_safetensors(options_.output) : es::Safetensors{};
    json run;
    if (options_.resume) {
      run = read_run(checkpoint);
    } else {
      settle(options_.data.front(), options_.given.contains("--feature-dim"), options_.model, options_.input);
    }
    options_.model.main = processes_.rank == 0;
    if (options_.resume) {
      about(options_.output, [&] {
        model_ = st::load_model<float>(checkpoint);
        optimizer_ =
            std::make_unique<st::StreamerOptimizer<float>>(*model_, options_.optimizer, processes_.communicator.get());
        st::resume(checkpoint, *model_, *optimizer_);
      });
      // Of several processes only the first's place was saved; the others begin their videos' rest anew.
      if (processes_.rank != 0) model_->reset_model();
      options_.model = model_->arguments();
    } else {
      st::check_arguments(options_.model);
    }

    const int size = processes_.communicator->world_size();
    es::check(static_cast<int>(options_.data.size()) >= size, size, " processes learn from as many videos; there are ",
              options_.data.size());
    for (std::size_t i = 0; i < options_.data.size(); ++i) {
      const auto video = open_video(options_.data[i], options_.model, options_.input);
      if (options_.resume)
        about(options_.output, [&] {
          const json& lengths = run.at("videos");
          es::check(lengths.size() == options_.data.size(), "it learns from ", lengths.size(), " videos, not ",
                    options_.data.size());
          es::check(lengths[i] == video->inputs(), "its video ", i, " has ", lengths[i].dump(), " inputs, ",
                    video->name(), " has ", video->inputs());
        });
      lengths_.push_back(video->inputs());
      if (static_cast<int>(i) % size == processes_.rank) own_.push_back(i), inputs_of_epoch_ += video->inputs();
    }
    total_ = processes_.communicator->least(options_.epochs * inputs_of_epoch_);

    if (!options_.resume) {
      model_ = st::open_model<float>(options_.model);
      options_.model = model_->arguments();
      optimizer_ =
          std::make_unique<st::StreamerOptimizer<float>>(*model_, options_.optimizer, processes_.communicator.get());
    }
    x_.resize(static_cast<std::size_t>(model_->input_size()));
    const Index layers = options_.model.max_layers;
    curve_ = std::make_unique<Curve>(layers);
    if (options_.resume) {
      about(options_.output, [&] {
        done_ = saved_ = run.at("inputs").get<Index>();
        run.at("curve").at("sum").get_to(curve_->sum), run.at("curve").at("signals").get_to(curve_->signals);
        run.at("curve").at("events").get_to(curve_->events);
        const auto n = static_cast<std::size_t>(layers);
        es::check(done_ >= 0 && curve_->sum.size() == n && curve_->signals.size() == n && curve_->events.size() == n,
                  "its description of the run is damaged");
        es::check(done_ <= total_, "it has learned from ", done_, " inputs, more than the ", total_, " there are");
      });
    }
    model_->logger = [this](const st::StreamerEvent<float>& event) {
      const auto k = static_cast<std::size_t>(event.layer);
      curve_->sum[k] += event.signal, ++curve_->signals[k], curve_->events[k] += event.boundary ? 1 : 0;
    };
    if (processes_.rank != 0) return;
    check_outputs();
    { const es::detail::OutputFile writable(options_.output); }  // better now than after hours
    for (const fs::path& folder : {options_.ckpt_dir, options_.hierarchies})
      es::check(folder.empty() || fs::is_directory(folder), in_quotes(folder.string()), ": there is no such directory");
    if (options_.curves.empty()) return;
    std::string header = "input,layers,steps";
    for (const char* const what : {",signal_", ",events_"})
      for (Index k = 0; k < layers; ++k) header += text(what, k);
    curves_ = std::make_unique<CurveFile>(options_.curves, header, done_);
  }

  int run() {
    stop_at_signals();
    const bool first = processes_.rank == 0;
    Progress progress(total_, first);
    const Index begun_at = done_;
    const auto begun = std::chrono::steady_clock::now();
    const auto left = [&] {
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
      return time_text(seconds / static_cast<double>(done_ - begun_at) * static_cast<double>(total_ - done_)) + " left";
    };
    while (done_ < total_) {
      if (const int signal = stop_signal(); signal != 0) {
        progress.clear();
        if (first) save();
        if (first)
          complain(text("stopped after ", done_, " of ", total_, " inputs, which are in ",
                        in_quotes(options_.output.string()), "; --resume goes on"));
        return 128 + signal;
      }
      learn();
      if (!first) continue;
      if (done_ % options_.log_base_every == 0) {
        progress.clear();
        std::fprintf(stderr, "%s\n", line(left()).c_str());
      }
      if (done_ % options_.save_every == 0) save();
      progress.reached(done_, left());
    }
    progress.clear();
    if (first && (saved_ != done_ || !fs::exists(options_.output))) save();
    if (first)
      say(text(in_quotes(options_.output.string()), ": ", model_->get_num_layers(), " layers learned from ", done_,
               " inputs in ", steps(), " steps\n"));
    return 0;
  }

 private:
  // None is one of the recordings, and none is written twice.
  void check_outputs() const {
    std::set<fs::path> names;
    for (const std::string& data : options_.data) {
      check_not_the_same(options_.output, data, "data");
      if (!options_.curves.empty()) check_not_the_same(options_.curves, data, "data");
      es::check(options_.hierarchies.empty() || names.insert(hierarchy_name(data)).second,
                in_quotes(hierarchy_name(data).string()), ": two of the recordings would be written there");
    }
    if (!options_.curves.empty()) check_not_the_same(options_.curves, options_.output, "output");
  }
  fs::path hierarchy_name(const fs::path& data) const {
    fs::path name = data.filename().empty() ? data.parent_path().filename() : data.filename();
    return options_.hierarchies / name.replace_extension(".json");
  }

  json read_run(const es::Safetensors& checkpoint) {
    return about(options_.output, [&] {
      const auto found = checkpoint.metadata.find(run_key);
      es::check(found != checkpoint.metadata.end(), "it is no checkpoint of eigenstream streamer train");
      json run = json::parse(found->second);
      es::check(run.at("version") == 1, "its description of the run is not of version 1");
      const json was = run.at("settings"), is = settings_json(options_);
      for (const auto& [name, value] : is.items())
        es::check(!options_.given.contains("--" + name) || was.at(name) == value, "--", name, " was ",
                  was.at(name).dump(), " when it began, not ", value.dump());
      read_settings(was, options_);
      return run;
    });
  }

  // All processes stop together, so all ask.
  int stop_signal() {
    const Index own = stopped_by;
    return static_cast<int>(processes_.communicator->most(own));
  }

  void learn() {
    try {
      if (video_ == nullptr) {
        Index at = done_ % inputs_of_epoch_;
        std::size_t i = 0;
        for (; at >= lengths_[own_[i]]; ++i) at -= lengths_[own_[i]];
        video_ = open_video(options_.data[own_[i]], options_.model, options_.input);
        path_ = options_.data[own_[i]];
        video_->go_to(at), left_in_video_ = lengths_[own_[i]] - at;
        es::check(video_->inputs() == lengths_[own_[i]], video_->name(), ": has changed");
      }
      video_->next(x_);
      model_->forward(x_);
    } catch (const es::Error& error) {
      // The model is as it was before this input, and what it learned is not lost.
      if (processes_.rank != 0 || saved_ == done_) throw;
      save();
      es::fail(error.what(), "; the ", done_, " inputs before are in ", in_quotes(options_.output.string()));
    }
    optimizer_->step();
    ++done_;
    if (--left_in_video_ > 0 && done_ < total_) return;
    if (!options_.hierarchies.empty()) {
      st::write_hierarchy(hierarchy_name(path_),
                          st::make_hierarchy(model_->extract_rep(), path_.string(), video_->duration_seconds()));
    }
    model_->reset_model();
    video_.reset();
  }

  std::int64_t steps() const { return model_->layer(0).f.adam.steps; }

  std::string line(const std::string& left) {
    const Index n = model_->get_num_layers();
    std::string signals, events, row = text(done_, ",", n, ",", steps());
    for (const bool wants_signals : {true, false})
      for (Index k = 0; k < options_.model.max_layers; ++k) {
        const auto i = static_cast<std::size_t>(k);
        const double mean = curve_->sum[i] / static_cast<double>(curve_->signals[i]);
        row += ",";
        if (curve_->signals[i] > 0) row += wants_signals ? text(std::setprecision(9), mean) : text(curve_->events[i]);
        if (k < n && wants_signals) signals += " " + (curve_->signals[i] > 0 ? fixed(mean, 3) : std::string("-"));
        if (k < n && !wants_signals) events += text(" ", curve_->events[i]);
      }
    if (curves_ != nullptr) curves_->add(row);
    *curve_ = Curve(options_.model.max_layers);
    return text(done_, " of ", total_, " inputs  ", left, "  layers ", n, "  steps ", steps(), "  ", "signals", signals,
                "  events", events);
  }

  void save() {
    saved_ = done_;
    fs::path numbered;  // counted before the rest is gathered: a resumed run counts on
    if (!options_.ckpt_dir.empty()) numbered = options_.ckpt_dir / st::next_checkpoint(*model_).filename();
    es::Safetensors contents = st::make_checkpoint(*model_, optimizer_.get());
    contents.metadata[run_key] =
        json{{"version", 1},
             {"inputs", done_},
             {"videos", lengths_},
             {"settings", settings_json(options_)},
             {"curve", {{"sum", curve_->sum}, {"signals", curve_->signals}, {"events", curve_->events}}}}
            .dump();
    const std::vector<std::byte> bytes = es::serialise_safetensors(contents);
    if (!numbered.empty()) write_durably(numbered, bytes);
    write_durably(options_.output, bytes);
  }

  TrainOptions options_;
  Processes processes_;
  std::unique_ptr<st::StreamerModel<float>> model_;
  std::unique_ptr<st::StreamerOptimizer<float>> optimizer_;
  std::vector<Index> lengths_;    // inputs of each video
  std::vector<std::size_t> own_;  // the videos of this process
  Index inputs_of_epoch_ = 0, total_ = 0, done_ = 0, saved_ = 0;
  std::unique_ptr<Video> video_;  // none: the next one begins
  fs::path path_;
  Index left_in_video_ = 0;
  std::vector<float> x_;
  std::unique_ptr<Curve> curve_;
  std::unique_ptr<CurveFile> curves_;
};

}  // namespace tool::streamer

#endif  // EIGENSTREAM_TOOLS_STREAMER_TRAINING_HPP
