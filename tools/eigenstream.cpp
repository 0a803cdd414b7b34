// The command-line tool: looks at model files, draws and runs them, and resamples audio. Everything it does goes
// through the public headers.
#include <fcntl.h>  // open

#include <CLI/CLI.hpp>
#include <algorithm>    // max_element
#include <charconv>     // from_chars
#include <csignal>      // signal
#include <cstdint>      // uint64_t
#include <limits>       // largest seed
#include <new>          // bad_alloc
#include <stdexcept>    // length_error
#include <string>       // string
#include <string_view>  // command
#include <vector>       // lists

#include "bench.hpp"
#include "deps.hpp"
#include "eigenstream/version.hpp"
#include "import.hpp"
#include "info.hpp"
#include "law.hpp"
#include "resample.hpp"
#include "run.hpp"
#ifdef EIGENSTREAM_TOOL_STREAMER
#include "streamer/command.hpp"
#endif
#include "text.hpp"
#include "types.hpp"

namespace {

using tool::Index;
using tool::text;
using tool::UsageError;

#ifdef EIGENSTREAM_TOOL_STREAMER
constexpr const char* commands = "info, run, check, bench, deps, import, resample, types or streamer";
#else
constexpr const char* commands = "info, run, check, bench, deps, import, resample or types";
#endif

constexpr Index longest_block = Index{1} << 24;

// "7,13,1" as numbers from `least` on.
std::vector<Index> parse_list(const char* option, const std::string& written, Index least, Index most = longest_block) {
  std::vector<Index> list;
  const char *at = written.data(), *const end = at + written.size();
  for (;;) {
    Index value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error == std::errc::invalid_argument || (stop != end && *stop != ','))
      throw UsageError(text(option, ": ", tool::in_quotes(written), " is not a list of numbers such as 7,13,1"));
    if (error != std::errc() || value < least || value > most)
      throw UsageError(text(option, ": ", std::string(at, stop), " is not from ", least, " to ", most));
    list.push_back(value);
    if (stop == end) return list;
    at = stop + 1;
  }
}

Index parse_number(const char* option, const std::string& written, Index least, Index most = longest_block) {
  if (written.empty() || written.find_first_not_of("-0123456789") != written.npos)
    throw UsageError(text(option, ": ", tool::in_quotes(written), " is not a whole number"));
  return parse_list(option, written, least, most).front();
}

double parse_share(const char* option, const std::string& written) {
  double value = -1;
  const auto [stop, error] = std::from_chars(written.data(), written.data() + written.size(), value);
  if (error != std::errc() || stop != written.data() + written.size() || !(value >= 0 && value <= 1))
    throw UsageError(text(option, ": ", tool::in_quotes(written), " is not a number from 0 to 1"));
  return value;
}

// NAME=REST, with something on both sides.
std::pair<std::string, std::string> parse_pair(const char* option, const std::string& written) {
  const std::size_t at = written.find('=');
  if (at == 0 || at == std::string::npos || at + 1 == written.size())
    throw UsageError(text(option, ": ", tool::in_quotes(written), " is not a name, \"=\" and what belongs to it"));
  return {written.substr(0, at), written.substr(at + 1)};
}
tool::es::OnnxOptions parse_onnx(const std::vector<std::string>& states, const std::vector<std::string>& constants,
                                 const std::vector<std::string>& shapes) {
  tool::es::OnnxOptions options;
  for (const std::string& written : states) options.states.push_back(parse_pair("--state", written));
  for (const std::string& written : constants) {
    const auto [name, number] = parse_pair("--set", written);
    double value = 0;
    const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || stop != number.data() + number.size() || !std::isfinite(value))
      throw UsageError(text("--set: ", tool::in_quotes(number), " is not a number"));
    options.constants[name] = value;
  }
  for (const std::string& written : shapes) {
    const auto [name, list] = parse_pair("--shape", written);
    options.shapes[name] = parse_list("--shape", list, 1);
  }
  return options;
}

tool::WavWriter::Format parse_format(const std::string& written) {
  if (written == "float32") return tool::WavWriter::Format::float32;
  if (written == "pcm16") return tool::WavWriter::Format::pcm16;
  throw UsageError(text("--format: ", tool::in_quotes(written), " is neither float32 nor pcm16"));
}

// What the library says of an option's value is a wrong usage here.
template <class F>
auto as_usage(F&& f) {
  try {
    return f();
  } catch (const tool::es::Error& error) {
    throw UsageError(error.what());
  }
}

void check_law(const tool::OpenedModel& model, tool::LawOptions options) {
  options.channels = model.channels();
  if (options.frames == 0) {
    // Long enough for every layer to be in full swing, and for several tiles.
    options.frames = model.layer().timing().recursive()
                         ? 6000  // what never forgets has no reach to go by
                         : std::clamp<Index>(3 * model.layer().timing().receptive_field(), 1500, 200000);
  }
  const tool::LawResult result = tool::try_law(std::make_shared<const tool::Net>(model.layer()), options);
  const std::string trial = text("; ", options.frames, " frames, seed ", options.seed);
  if (!result.broken.empty())
    tool::es::fail(tool::in_quotes(model.path.string()), ": the law is broken: ", result.broken, trial);
  tool::say(text("the law holds: ", result.trials, " chunkings in ", result.calls,
                 " calls, every output the same to the last bit as in one call", trial, "\n"));
}

int command_line(int argc, char** argv) {
  CLI::App app("Looks at streaming neural networks in model files, runs them over audio and tensors; resamples.");
  app.name("eigenstream");
  app.set_help_flag("-h,--help", "Print this and exit");
  app.set_version_flag(
      "--version",
      text("eigenstream ", EIGENSTREAM_VERSION_MAJOR, ".", EIGENSTREAM_VERSION_MINOR, ".", EIGENSTREAM_VERSION_PATCH),
      "Print the version and exit");
  app.get_formatter()->label("REQUIRED", "");
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("Positionals", "Arguments");
  app.get_formatter()->column_width(18);
  app.require_subcommand(0, 1);

  std::string model;
  const auto add_command = [&](const char* name, const char* description, const char* footer) {
    CLI::App* command = app.add_subcommand(name, description);
    command->group("Commands");
    command->add_option("model", model, "A model file (.safetensors), or what import takes")->required()->type_name("");
    command->footer(footer);
    return command;
  };

  bool json = false;
  CLI::App* info = add_command("info", "Show a model: its layers, cost, timing and memory",
                               "Examples:\n"
                               "  eigenstream info denoiser.safetensors\n"
                               "  eigenstream info denoiser.safetensors --plan\n"
                               "  eigenstream info denoiser.safetensors --json");
  info->add_flag("--json", json, "As JSON, with nothing left out");
  bool plan = false;
  info->add_flag("--plan", plan, "Also in which steps it runs: the layers that are fused");

  tool::RunOptions options;
  std::vector<std::string> also, outputs, controls;
  std::string input, output, load_state, save_state, block = "128", blocks, format = "float32";
  bool offline = false;
  CLI::App* run =
      add_command("run", "Run a model over a file, block by block",
                  "Audio: any format that libsndfile reads to a .wav file. A network of one channel runs over each\n"
                  "channel of the file by itself; otherwise both must have the same number. A file that ends before\n"
                  "its header says is taken as far as it goes, with a warning of what is missing.\n"
                  "Tensors: a .safetensors file with a tensor x of shape (C,T) or (B,C,T) to one with a tensor y.\n"
                  "The output does not depend on the blocks, and appears only when it is complete.\n"
                  "A network of several inputs takes a file for each: --also FILE, in their order, with as many frames\n"
                  "as belong to those of the input.\n"
                  "A network of several outputs writes a file for each: the main one to OUTPUT, any other where\n"
                  "--output NAME=FILE says, or beside OUTPUT with its name added: clean.wav and clean.mask.wav. Such\n"
                  "a file holds a tensor if its name ends in .safetensors. Tensors all go to OUTPUT, by name.\n"
                  "Knobs, numbers without a time, are what --control NAME=VALUE,.. says, else what info shows.\n"
                  "A long signal may come in parts: --save-state leaves a file from which --load-state goes on, also on\n"
                  "another day. The outputs of the parts, put together, are the output of the whole.\n"
                  "\n"
                  "Examples:\n"
                  "  eigenstream run denoiser.safetensors noisy.wav clean.wav\n"
                  "  eigenstream run denoiser.safetensors noisy.flac clean.wav --block 64 --format pcm16\n"
                  "  eigenstream run denoiser.safetensors x.safetensors y.safetensors --blocks 7,13,1 --trace\n"
                  "  eigenstream run vocoder.safetensors noise.wav voice.wav --also mel.wav\n"
                  "  eigenstream run denoiser.safetensors noisy.wav clean.wav --output mask=mask.safetensors\n"
                  "  eigenstream run denoiser.safetensors part1.wav clean1.wav --save-state call.state\n"
                  "  eigenstream run denoiser.safetensors part2.wav clean2.wav --load-state call.state");
  run->add_option("input", input, "Audio or tensors")->required()->type_name("");
  run->add_option("output", output, "A .wav file to write, or tensors")->required()->type_name("");
  run->add_option("--also", also, "What comes beside the input, for each further input of the network in turn")
      ->allow_extra_args(false)
      ->type_name("FILE");
  run->add_option("--output", outputs, "Where another output than the main one goes")
      ->allow_extra_args(false)
      ->type_name("NAME=FILE");
  run->add_option("--control", controls, "What a knob of the network is set to")
      ->allow_extra_args(false)
      ->type_name("NAME=VALUE,..");
  CLI::Option* one = run->add_option("--block", block, "Frames of each call (128)")->type_name("N");
  CLI::Option* many =
      run->add_option("--blocks", blocks, "Frames of call after call, over and over")->type_name("N,N,..");
  run->add_flag("--offline", offline, "Everything in one call");
  run->add_flag("--trace", options.trace, "Print the frames that go in and come out in each call");
  run->add_option("--format", format, "Samples of the .wav file: float32 (the default) or pcm16")->type_name("F");

  CLI::Option* load =
      run->add_option("--load-state", load_state, "Go on where the part before this one stopped")->type_name("FILE");
  CLI::Option* save = run->add_option("--save-state", save_state,
                                      "Leave a file to go on from: the signal does not end with this part")
                          ->type_name("FILE");

  tool::LawOptions law;
  std::string seed = "1", trials = "20", frames;
  CLI::App* check =
      add_command("check", "Try whether the output is the same however the input is cut",
                  "Cuts a random signal into single frames, primes, empty and random chunks, saves and loads the\n"
                  "stream on the way, and compares every bit with the output of one call. Exits with 1 and names the\n"
                  "first cut after which it differs, if there is one.\n"
                  "\n"
                  "Examples:\n"
                  "  eigenstream check denoiser.safetensors\n"
                  "  eigenstream check denoiser.safetensors --trials 500 --seed 7");
  check->add_option("--trials", trials, "Ways to cut the signal (20)")->type_name("N");
  check->add_option("--frames", frames, "Length of the signal (three receptive fields, at least 1500)")->type_name("N");
  check->add_option("--seed", seed, "Another seed, another signal and other cuts (1)")->type_name("N");

  std::string bench_blocks = "1,16,64,512";
  double seconds = 1;
  CLI::App* bench = add_command("bench", "Measure how fast a model runs",
                                "Examples:\n"
                                "  eigenstream bench denoiser.safetensors\n"
                                "  eigenstream bench denoiser.safetensors --block 1,128 --seconds 5");
  bench->add_option("--block", bench_blocks, "Frames of each call; one line for each (1,16,64,512)")
      ->type_name("N,N,..");
  bench->add_option("--seconds", seconds, "Time for each line (1)")->type_name("S");

  tool::DepsOptions dependencies;
  std::string picture, deps_frames, in_stride = "1";
  CLI::App* deps =
      add_command("deps", "Draw which outputs depend on which inputs",
                  "A picture with input frames to the right, output frames upwards, and red where the output depends\n"
                  "on the input. Receptive field, delay and rate are marked. What the file is called says what it is:\n"
                  "  .svg  for documents and browsers      .pgm  the cells alone, a square each\n"
                  "  .png  the same picture in pixels      .txt  a character for each cell\n"
                  "Without a file it is drawn in the terminal, thinned until it fits there.\n"
                  "\n"
                  "Examples:\n"
                  "  eigenstream deps denoiser.safetensors\n"
                  "  eigenstream deps denoiser.safetensors -o deps.svg\n"
                  "  eigenstream deps denoiser.safetensors -o deps.png --frames 2000 --in-stride 4");
  CLI::Option* of_picture =
      deps->add_option("-o,--output", picture, "A .svg, .png, .pgm or .txt file to write")->type_name("FILE");
  deps->add_option("--of", dependencies.of, "Which output, of a network that has several (the main one)")->type_name("NAME");
  deps->add_option("--frames", deps_frames, "Length of the signal (three receptive fields, from 16 to 2000)")
      ->type_name("N");
  deps->add_option("--in-stride", in_stride, "Show only every K-th input (1)")->type_name("K");

  std::string quality_of_model;
  tool::es::ImportOptions import_options;
  CLI::App* importing = app.add_subcommand("import", "Make a model file of a network in another format");
  importing->group("Commands");
  importing->footer(
      "What it is, the content tells:\n"
      "  .nam             Neural Amp Modeler: WaveNet with all its options (A1, A2), LSTM, ConvNet, Linear,\n"
      "                   containers of several\n"
      "  .json, .aidax    RTNeural (Keras' layers), AIDA-X with gains and skip, GuitarML (Proteus,\n"
      "                   NeuralPi); knobs become controls. Test vectors in the file are run, and the\n"
      "                   largest difference is printed\n"
      "  .onnx            networks that compute one frame at a call, with their states as inputs and\n"
      "                   outputs, and networks over windows or whole signals; options say what a file\n"
      "                   leaves open\n"
      "Loudness, sample rate and what else it says of itself is kept as metadata. What cannot be done\n"
      "exactly is refused. info, run, check, bench and deps take such files directly, too.\n"
      "\n"
      "Examples:\n"
      "  eigenstream import amp.nam amp.safetensors\n"
      "  eigenstream import amp.nam small.safetensors --quality 0\n"
      "  eigenstream import silero_vad.onnx vad.safetensors\n"
      "  eigenstream import net.onnx net.safetensors --shape x=1,640 --set rate=16000 --hop 320\n"
      "  eigenstream import tcn.onnx tcn.safetensors --time-axis 2");
  importing->add_option("input", input, "A network in another format")->required()->type_name("");
  importing->add_option("output", output, "A model file (.safetensors) to write")->required()->type_name("");
  CLI::Option* of_model_quality =
      importing->add_option("--quality", quality_of_model, "Of a container of several, from 0 (the cheapest) to 1 (the best)")->type_name("Q");
  importing->add_flag("--fast-tanh", import_options.fast_tanh, "Rational functions for tanh, as most players have");
  std::vector<std::string> onnx_states, onnx_constants, onnx_shapes;
  std::string hop, time_axis, channels_axis;
  bool over_stream = false;
  importing->add_option("--state", onnx_states, "ONNX: an input that is an output of the call before (those of equal shape)")
      ->allow_extra_args(false)
      ->type_name("INPUT=OUTPUT");
  importing->add_option("--set", onnx_constants, "ONNX: an input that is the same number at every call")
      ->allow_extra_args(false)
      ->type_name("INPUT=NUMBER");
  importing->add_option("--shape", onnx_shapes, "ONNX: the shape of an input at one call, if the file leaves it open")
      ->allow_extra_args(false)
      ->type_name("INPUT=N,N,...");
  importing->add_option("--hop", hop, "ONNX: a call takes a window of frames, the next one begins N later")->type_name("N");
  importing->add_flag("--stream", over_stream, "ONNX: with --hop, works out once what windows have in common");
  importing->add_option("--time-axis", time_axis, "ONNX: which axis is the time: of a window, without --hop of a whole signal")->type_name("N");
  importing->add_option("--channels-axis", channels_axis, "ONNX: which axis becomes the channels of a frame")->type_name("N");

  tool::ResampleFileOptions resampling;
  std::string rate, resample_block = "4096", quality = "high", method = "hann", width = "6";
  CLI::App* resample = app.add_subcommand("resample", "Change the sample rate of an audio file, block by block");
  resample->group("Commands");
  resample->footer(
      "Any format that libsndfile reads, with any number of channels, to a .wav file. The output does not\n"
      "depend on the blocks, is as long as the input to within a frame, and not shifted against it.\n"
      "A file that ends before its header says is taken as far as it goes, with a warning.\n"
      "\n"
      "Quality   pass band (-0.1 dB)   rejected above half the narrower rate\n"
      "  standard      74 %            as torchaudio does by default: fades out around that frequency\n"
      "  low           71 %            106 dB\n"
      "  medium        84 %            106 dB\n"
      "  high          90 %            126 dB\n"
      "  very_high     92 %            136 dB, as far as single precision goes\n"
      "Or a filter of your own: --method, --width, --rolloff and --beta mean what they mean in\n"
      "torchaudio.functional.resample, and have the same defaults.\n"
      "\n"
      "Examples:\n"
      "  eigenstream resample speech.flac speech16k.wav --rate 16000\n"
      "  eigenstream resample cd.wav dat.wav --rate 48000 --quality very_high --format pcm16\n"
      "  eigenstream resample in.wav out.wav --rate 16000 --method kaiser --width 64 --rolloff 0.9476");
  resample->add_option("input", input, "An audio file")->required()->type_name("");
  resample->add_option("output", output, "A .wav file to write")->required()->type_name("");
  resample->add_option("--rate", rate, "The sample rate to give it, in Hz")->required()->type_name("HZ");
  CLI::Option* of_quality = resample->add_option("--quality", quality, "Which filter (high)")->type_name("Q");
  CLI::Option* own_filter[] = {
      resample->add_option("--method", method, "Window: hann (the default) or kaiser")->type_name("M"),
      resample->add_option("--width", width, "Zero crossings on either side (6)")->type_name("N"),
      resample->add_option("--rolloff", resampling.filter.rolloff, "Cutoff, of half the narrower rate (0.99)")
          ->type_name("R"),
      resample->add_option("--beta", resampling.filter.beta, "Of the Kaiser window (14.77)")->type_name("B")};
  resample->add_option("--block", resample_block, "Frames of each call (4096)")->type_name("N");
  resample->add_option("--format", format, "Samples of the .wav file: float32 (the default) or pcm16")->type_name("F");

  std::string type_name;
  bool markdown = false;
  CLI::App* types = app.add_subcommand("types", "List what a model file may be made of");
  types->group("Commands");
  types->footer(
      "Every module type with its fields, their defaults and ranges, its tensors and what it computes:\n"
      "what model files are read by.\n"
      "\n"
      "Examples:\n"
      "  eigenstream types\n"
      "  eigenstream types Conv1d\n"
      "  eigenstream types --json");
  types->add_option("type", type_name, "One of them, in full")->type_name("");
  types->add_flag("--json", json, "As JSON, with nothing left out");
  types->add_flag("--markdown", markdown, "As the page docs/types.md");

#ifdef EIGENSTREAM_TOOL_STREAMER
  tool::streamer::Command streamer(app);
#endif

  app.footer(
      "Examples:\n"
      "  eigenstream info denoiser.safetensors\n"
      "  eigenstream run denoiser.safetensors noisy.wav clean.wav --block 128\n"
      "  eigenstream check denoiser.safetensors\n"
      "  eigenstream bench denoiser.safetensors --block 1,16,64,512\n"
      "  eigenstream deps denoiser.safetensors -o deps.svg\n"
      "  eigenstream import amp.nam amp.safetensors\n"
      "  eigenstream resample noisy.flac noisy16k.wav --rate 16000\n"
      "  eigenstream types Conv1d\n"
#ifdef EIGENSTREAM_TOOL_STREAMER
      "  eigenstream streamer train day1.wav day2.wav -o events.safetensors\n"
#endif
      "\n"
      "eigenstream COMMAND --help tells more. Exit codes: 0 done, 1 failed, 2 wrong usage.");

  try {
    if (argc < 2) throw UsageError(text("which command? ", commands));
    const auto is_meant = [&](CLI::App* command) { return command->get_name() == argv[1]; };
    if (*argv[1] != '-' && app.get_subcommands(is_meant).empty())
      throw UsageError(text("there is no command ", tool::in_quotes(argv[1])));
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const std::string said = error.what();
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr)
      throw UsageError(said.substr(0, said.find(':')) + " takes exactly one value");
    if (error.get_exit_code() != 0) throw UsageError(said);
    std::ostringstream out;
    app.exit(error, out, out);  // --help, --version
    tool::say(out.str());
    tool::finish_saying();
    return 0;
  }

  if (*types) {
    if (json && markdown) throw UsageError("--json and --markdown exclude each other");
    const tool::es::Registry registry = tool::es::builtin_registry();
    const tool::es::ModuleType* const type = registry.find(type_name);
    if (!type_name.empty() && type == nullptr) throw UsageError(text("there is no type ", tool::in_quotes(type_name)));
    const std::vector<tool::es::ModuleType> shown = type == nullptr ? registry.types() : std::vector{*type};
    tool::say(json               ? tool::types_json(shown)
              : markdown         ? tool::types_markdown(shown)
              : type == nullptr ? tool::types_text(shown)
                                 : tool::type_text(*type));
  } else if (*info) {
    const tool::OpenedModel opened = tool::open_model(model);
    tool::say(json   ? tool::info_json(opened)
              : plan ? tool::info_text(opened) + tool::plan_text(opened)
                     : tool::info_text(opened));
  } else if (*run) {
    if (one->count() + many->count() + (offline ? 1 : 0) > 1)
      throw UsageError("--block, --blocks and --offline exclude each other");
    if (many->count() > 0) {
      options.blocks = parse_list("--blocks", blocks, 0);
      if (*std::max_element(options.blocks.begin(), options.blocks.end()) == 0)
        throw UsageError("--blocks: at least one number must not be 0");
    } else if (!offline) {
      options.blocks = {parse_number("--block", block, 1)};
    }
    options.format = parse_format(format);
    if (load->count() > 0 && load_state.empty()) throw UsageError("--load-state: the name of the file is empty");
    if (save->count() > 0 && save_state.empty()) throw UsageError("--save-state: the name of the file is empty");
    options.load_state = load_state;
    options.save_state = save_state;
    options.model = model;
    options.input = input;
    options.also.assign(also.begin(), also.end());
    options.outputs = outputs;
    options.controls = controls;
    options.output = output;
    tool::run(options);
  } else if (*check) {
    law.trials = parse_number("--trials", trials, 1);
    law.frames = frames.empty() ? 0 : parse_number("--frames", frames, 1);
    law.seed = static_cast<std::uint64_t>(parse_number("--seed", seed, 0, std::numeric_limits<Index>::max()));
    check_law(tool::open_model(model), law);
  } else if (*bench) {
    const std::vector<Index> list = parse_list("--block", bench_blocks, 1);
    if (!(seconds > 0 && seconds <= 3600)) throw UsageError(text("--seconds: ", seconds, " is not from 0 to 3600"));
    tool::say(tool::bench_text(tool::open_model(model), list, seconds));
  } else if (*deps) {
    if (of_picture->count() > 0 && picture.empty()) throw UsageError("--output: the name of the file is empty");
    dependencies.model = model;
    dependencies.output = picture;
    if (!deps_frames.empty()) dependencies.frames = parse_number("--frames", deps_frames, 1);
    dependencies.in_stride = parse_number("--in-stride", in_stride, 1);
    tool::deps(dependencies);
  } else if (*importing) {
    if (of_model_quality->count() > 0) import_options.quality = parse_share("--quality", quality_of_model);
    import_options.onnx = parse_onnx(onnx_states, onnx_constants, onnx_shapes);
    import_options.onnx.stream = over_stream;
    if (!hop.empty()) import_options.onnx.hop = parse_number("--hop", hop, 1);
    if (!time_axis.empty()) import_options.onnx.time_axis = parse_number("--time-axis", time_axis, 0);
    if (!channels_axis.empty()) import_options.onnx.channels_axis = parse_number("--channels-axis", channels_axis, 0);
    tool::import_file(input, output, import_options);
  } else if (*resample) {
    resampling.rate_hz = parse_number("--rate", rate, 1, std::numeric_limits<int>::max());
    resampling.block = parse_number("--block", resample_block, 1);
    resampling.format = parse_format(format);
    bool own = false;
    for (const CLI::Option* option : own_filter) own = own || option->count() > 0;
    if (own && of_quality->count() > 0)
      throw UsageError("--quality is a filter; --method, --width, --rolloff and --beta are another");
    if (own) {
      resampling.filter.method = as_usage([&] { return tool::es::resample_method(method); });
      resampling.filter.lowpass_filter_width = parse_number("--width", width, 1);
      if (!(resampling.filter.rolloff > 0 && resampling.filter.rolloff <= 1))
        throw UsageError(text("--rolloff: ", resampling.filter.rolloff, " is not from 0 to 1"));
      if (!(resampling.filter.beta >= 0 && resampling.filter.beta <= 500))
        throw UsageError(text("--beta: ", resampling.filter.beta, " is not from 0 to 500"));
      if (own_filter[3]->count() > 0 && resampling.filter.method == tool::es::ResampleMethod::hann)
        throw UsageError("--beta is for --method kaiser");
      resampling.filter_name = text(tool::es::name_of(resampling.filter.method), ", width ", width);
    } else {
      resampling.filter = as_usage([&] { return resample_options(tool::es::resample_quality(quality)); });
      resampling.filter_name = quality;
    }
    resampling.input = input;
    resampling.output = output;
    tool::resample(resampling);
#ifdef EIGENSTREAM_TOOL_STREAMER
  } else if (streamer.chosen()) {
    const int code = streamer.run();
    tool::finish_saying();
    return code;
#endif
  } else {
    throw UsageError(text("which command? ", commands));
  }
  tool::finish_saying();
  return 0;
}

int complain(const std::string& message, int code) {
  tool::complain(message);
  return code;
}

// A file that is opened must not take the place of a standard stream that the caller has closed: what is meant for the
// one would end up in the other. A closed one is replaced by one that refuses reading and writing as a closed one does.
void occupy_standard_streams() {
  for (int stream = 0; stream <= 2; ++stream)
    if (fcntl(stream, F_GETFD) < 0) (void)!open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_streams();
  // Both become errors of the call that met them, so that nothing is left half done.
  const auto at_closed_pipes = std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return command_line(argc, argv);
  } catch (const UsageError& error) {
    const std::string_view command = argc > 1 ? argv[1] : "";
    const bool known = command == "info" || command == "run" || command == "check" || command == "bench" ||
                       command == "deps" || command == "import" || command == "resample" || command == "types" || command == "streamer";
    const std::string_view part = command == "streamer" && argc > 2 ? argv[2] : "";
    const bool of_streamer = part == "train" || part == "segment" || part == "score";
    return complain(text(error.what(), " (see eigenstream ", known ? command : "", known ? " " : "", of_streamer ? part : "",
                         of_streamer ? " " : "", "--help)"),
                    2);
  } catch (const tool::NobodyReads&) {
    // Ends without a word as any other program in a pipe, unless the caller asked that such signals be ignored.
    if (at_closed_pipes == SIG_IGN) return complain("standard output: Broken pipe", 1);
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
    return 1;
  } catch (const std::bad_alloc&) {
    return complain("out of memory", 1);
  } catch (const std::length_error&) {
    return complain("out of memory", 1);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}
