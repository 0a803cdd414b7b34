// What streamer learns from: sound, images and tensors as inputs one after another.
#include "streamer/data.hpp"

#include <algorithm>  // sort, min
#include <cctype>     // isdigit
#include <charconv>   // from_chars
#include <cmath>      // isfinite
#include <optional>   // numbering
#include <tuple>      // names in their order
#include <vector>     // files, samples

#include "audio_file.hpp"
#include "eigenstream/io/safetensors.hpp"
#include "streamer/image_file.hpp"
#include "streamer/log_mel.hpp"

namespace tool::streamer {

namespace {

namespace fs = std::filesystem;

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// The beginning of names like "frame%05d.png", what is behind the number, and how many digits it has at least.
struct Numbering {
  std::string before, behind;
  std::size_t digits = 1;
};
std::optional<Numbering> numbering_of(const std::string& name) {
  const std::size_t at = name.find('%');
  if (at == name.npos) return std::nullopt;
  std::size_t end = at + 1;
  while (end < name.size() && is_digit(name[end])) ++end;
  if (end == name.size() || name[end] != 'd' || end - at > 3) return std::nullopt;
  Numbering found{name.substr(0, at), name.substr(end + 1), 1};
  if (name[at + 1] == '0') std::from_chars(name.data() + at + 1, name.data() + end, found.digits);
  return found;
}

// "frame9.png" before "frame10.png".
bool before(const std::string& a, const std::string& b) {
  std::size_t i = 0, k = 0;
  while (i < a.size() && k < b.size()) {
    if (is_digit(a[i]) && is_digit(b[k])) {
      const auto digits = [](const std::string& name, std::size_t& at) {
        const std::size_t begin = at;
        while (at < name.size() && is_digit(name[at])) ++at;
        const std::size_t first = std::min(name.find_first_not_of('0', begin), at);
        return name.substr(first, at - first);
      };
      const std::string x = digits(a, i), y = digits(b, k);
      if (x != y) return std::tuple(x.size(), x) < std::tuple(y.size(), y);
    } else {
      if (a[i] != b[k]) return a[i] < b[k];
      ++i, ++k;
    }
  }
  return std::tuple(a.size() - i, a) < std::tuple(b.size() - k, b);
}

std::vector<fs::path> images_of(const fs::path& path) {
  const std::string name = in_quotes(path.string());
  const std::optional<Numbering> numbering = numbering_of(path.filename().string());
  const fs::path folder = !numbering ? path : path.has_parent_path() ? path.parent_path() : fs::path(".");
  es::check(fs::is_directory(folder), name, ": there is no directory ", in_quotes(folder.string()));
  std::vector<std::string> names;
  std::vector<Index> numbers;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    if (!numbering) {
      if (is_image_name(file)) names.push_back(file);
      continue;
    }
    const auto& [front, behind, digits] = *numbering;
    if (!file.starts_with(front) || !file.ends_with(behind) || file.size() < front.size() + behind.size() + digits)
      continue;
    Index number = 0;
    const char *const begin = file.data() + front.size(), *const end = file.data() + file.size() - behind.size();
    if (!is_digit(*begin) || std::from_chars(begin, end, number).ptr != end) continue;
    if (end - begin > static_cast<std::ptrdiff_t>(digits) && *begin == '0') continue;
    numbers.push_back(number), names.push_back(file);
  }
  es::check(!names.empty(), name, numbering ? ": there are no such files" : ": holds no .png or .jpg files");
  std::sort(names.begin(), names.end(), before);
  std::sort(numbers.begin(), numbers.end());
  for (std::size_t i = 1; i < numbers.size(); ++i)
    es::check(numbers[i] == numbers[i - 1] + 1, name, ": number ", numbers[i - 1] + 1, " is missing");
  std::vector<fs::path> files;
  for (const std::string& each : names) files.push_back(folder / each);
  return files;
}

bool is_tensor(const fs::path& path) { return path.extension() == ".safetensors"; }
bool is_images(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) || (is_image_name(path) && numbering_of(path.filename().string()));
}

void normalise_pixels(std::span<float> image) {
  const std::size_t pixels = image.size() / 3;
  for (std::size_t i = 0; i < pixels; ++i) {
    float square = 0;
    for (std::size_t c = 0; c < 3; ++c) square += image[c * pixels + i] * image[c * pixels + i];
    const float norm = std::max(1e-12f, std::sqrt(square));
    for (std::size_t c = 0; c < 3; ++c) image[c * pixels + i] /= norm;
  }
}

class TensorVideo : public Video {
 public:
  TensorVideo(const fs::path& path, bool normalise) : Video(in_quotes(path.string())), normalise_(normalise) {
    es::Safetensors contents = es::read_safetensors(path);
    es::check(contents.tensors.size() == 1 || contents.tensors.contains("x"), name(), ": holds ",
              contents.tensors.size(), " tensors, and none is called x");
    tensor_ = std::move(contents.tensors.size() == 1 ? contents.tensors.begin()->second : contents.tensors.at("x"));
    const std::vector<Index>& shape = tensor_.shape;
    es::check((shape.size() == 2 || (shape.size() == 4 && shape[1] == 3)) && tensor_.size() > 0, name(), ": a tensor ",
              tensor_.shape_text(), ", not (T,D) or (T,3,H,W)");
    for (Index i = 0; i < tensor_.size(); ++i)
      es::check(std::isfinite(tensor_(i)), name(), ": input ", i / size(), " holds ", tensor_(i), " at ", i % size());
  }
  const std::vector<Index>& shape() const { return tensor_.shape; }
  Index inputs() const override { return tensor_.shape[0]; }
  double duration_seconds() const override { return static_cast<double>(inputs()) * snippet_seconds; }

  double snippet_seconds = 0;

 private:
  Index size() const { return tensor_.size() / tensor_.shape[0]; }
  void read(Index input, std::span<float> to) override {
    const auto from = tensor_.span().subspan(static_cast<std::size_t>(input * size()), to.size());
    std::copy(from.begin(), from.end(), to.begin());
    if (normalise_ && tensor_.shape.size() == 4) normalise_pixels(to);
  }

  es::Weights<float> tensor_;
  bool normalise_;
};

class ImageVideo : public Video {
 public:
  ImageVideo(const fs::path& path, const st::StreamerModelArguments& model, const DataOptions& options)
      : Video(in_quotes(path.string())),
        files_(images_of(path)),
        height_(model.height),
        width_(model.width),
        normalise_(options.normalize_imgs),
        resizes_(!options.image_size.empty()),
        seconds_of_image_(options.fps > 0 ? 1 / options.fps : model.snippet_size) {
    if (options.fps > 0) step_ = options.fps * model.snippet_size;
    es::check(step_ >= 1, name(), ": at ", options.fps, " images per second, none is ", model.snippet_size,
              " seconds long");
  }
  Index inputs() const override {
    return static_cast<Index>(std::ceil(static_cast<double>(files_.size()) / step_ - 1e-9));
  }
  double duration_seconds() const override { return static_cast<double>(files_.size()) * seconds_of_image_; }

 private:
  void read(Index input, std::span<float> to) override {
    const fs::path& file = files_[static_cast<std::size_t>(static_cast<double>(input) * step_ + 1e-9)];
    const es::Image image = read_image(file);
    es::check(resizes_ || (image.height == height_ && image.width == width_), in_quotes(file.string()), ": height ",
              image.height, " and width ", image.width, ", where the model takes ", height_, " and ", width_,
              "; --image-size ", height_, "x", width_, " resizes");
    es::check(first_width_ == 0 || (image.height == first_height_ && image.width == first_width_),
              in_quotes(file.string()), ": height ", image.height, " and width ", image.width, ", of those before it ",
              first_height_, " and ", first_width_);
    first_height_ = image.height, first_width_ = image.width;
    to_planes(image, height_, width_, to.data());
    if (normalise_) normalise_pixels(to);
  }

  std::vector<fs::path> files_;
  Index height_, width_, first_height_ = 0, first_width_ = 0;
  bool normalise_, resizes_;
  double seconds_of_image_, step_ = 1;  // images from one input to the next
};

class SoundVideo : public Video {
 public:
  SoundVideo(const fs::path& path, const st::StreamerModelArguments& model, const DataOptions& options)
      : Video(in_quotes(path.string())),
        reader_(path),
        mel_(options.mels, static_cast<double>(reader_.sample_rate_hz()), options.window_seconds),
        bands_(options.mels),
        samples_of_input_(model.snippet_size * static_cast<double>(reader_.sample_rate_hz())),
        hop_(std::max<Index>(1, std::lround(options.hop_seconds * static_cast<double>(reader_.sample_rate_hz())))) {
    es::check(reader_.sample_rate_hz() == options.sample_rate_hz, name(), ": its sample rate is ",
              reader_.sample_rate_hz(), " Hz, not ", options.sample_rate_hz,
              " as it was at first; eigenstream resample changes it");
    es::check(samples_of_input_ >= 1 && inputs() >= 1, name(), ": ", reader_.frames(),
              " frames are less than one input of ", model.snippet_size, " seconds");
  }
  Index inputs() const override {
    return static_cast<Index>(std::floor(static_cast<double>(reader_.frames()) / samples_of_input_ + 1e-9));
  }
  double duration_seconds() const override {
    return static_cast<double>(reader_.frames()) / static_cast<double>(reader_.sample_rate_hz());
  }

 private:
  // Each part of the input is the mean spectrum of the windows that begin in it.
  void read(Index input, std::span<float> to) override {
    const Index parts = static_cast<Index>(to.size()) / bands_;
    const auto begin_of = [&](Index part) {
      return std::llround(samples_of_input_ *
                          (static_cast<double>(input) + static_cast<double>(part) / static_cast<double>(parts)));
    };
    forget(begin_of(0));
    for (Index part = 0; part < parts; ++part) {
      const Index begin = begin_of(part), end = std::max<Index>(begin + 1, begin_of(part + 1));
      for (Index at = begin; at < end; at += hop_) mel_.add(window_at(at));
      mel_.finish(to.subspan(static_cast<std::size_t>(part * bands_), static_cast<std::size_t>(bands_)));
    }
    if (input + 1 == inputs()) warn(reader_.shortfall());
  }
  // As far as the file goes, and zeros behind it.
  std::span<const float> window_at(Index at) {
    const Index end = at + mel_.window();
    while (first_ + static_cast<Index>(samples_.size()) < end) more();
    return std::span<const float>(samples_).subspan(static_cast<std::size_t>(at - first_),
                                                    static_cast<std::size_t>(mel_.window()));
  }
  void more() {
    constexpr Index block = 4096;
    const Index channels = reader_.channels();
    frames_.resize(static_cast<std::size_t>(block * channels));
    const Index got = reader_.read(frames_.data(), block);
    for (Index i = 0; i < got; ++i) {
      float sum = 0;
      for (Index c = 0; c < channels; ++c) sum += frames_[static_cast<std::size_t>(i * channels + c)];
      es::check(std::isfinite(sum), name(), ": frame ", first_ + static_cast<Index>(samples_.size()), " is not finite");
      samples_.push_back(sum / static_cast<float>(channels));
    }
    if (got < block) samples_.resize(samples_.size() + static_cast<std::size_t>(block - got), 0);
  }
  void forget(Index before) {
    while (first_ + static_cast<Index>(samples_.size()) < before)
      first_ += static_cast<Index>(samples_.size()), samples_.clear(), more();
    samples_.erase(samples_.begin(), samples_.begin() + (before - first_));
    first_ = before;
  }

  AudioReader reader_;
  LogMel mel_;
  Index bands_;
  double samples_of_input_;
  Index hop_;
  Index first_ = 0;  // what the samples begin with
  std::vector<float> samples_, frames_;
};

}  // namespace

void Video::next(std::span<float> to) {
  read(at_, to);
  for (std::size_t i = 0; i < to.size(); ++i)
    es::check(std::isfinite(to[i]), name_, ": input ", at_, " holds ", to[i], " at ", i);
  ++at_;
}

void settle(const fs::path& data, bool feature_dim_given, st::StreamerModelArguments& model, DataOptions& options) {
  const std::string name = in_quotes(data.string());
  model.modality = "audio";
  Index height = 0, width = 0;
  if (is_tensor(data)) {
    const TensorVideo video(data, false);
    if (video.shape().size() == 2 && !feature_dim_given) {
      model.feature_dim = video.shape()[1];
      es::check(model.feature_dim % 8 == 0, name, ": inputs of ", model.feature_dim,
                " numbers, not a multiple of the 8 attention heads");
    }
    if (video.shape().size() == 4) height = video.shape()[2], width = video.shape()[3];
  } else if (is_images(data)) {
    const es::Image image = read_image(images_of(data).front());
    height = image.height, width = image.width;
  } else {
    const AudioReader reader(data);
    options.sample_rate_hz = reader.sample_rate_hz();
    if (options.mels == 0)
      for (options.mels = std::min<Index>(64, model.feature_dim); model.feature_dim % options.mels != 0;)
        --options.mels;
    es::check(model.feature_dim % options.mels == 0, "--mels ", options.mels, " does not divide the ",
              model.feature_dim, " numbers of an input");
  }
  if (height == 0) return;
  model.modality = "video";
  if (!options.image_size.empty()) {
    const char *const begin = options.image_size.data(), *const end = begin + options.image_size.size();
    const auto [cross, first] = std::from_chars(begin, end, height);
    const auto [stop, second] = std::from_chars(std::min(cross + 1, end), end, width);
    if (first != std::errc() || second != std::errc() || cross == end || *cross != 'x' || stop != end)
      throw UsageError(
          text("--image-size: ", in_quotes(options.image_size), " is not a height and a width such as 128x128"));
  }
  es::check(height >= 16 && width >= 16 && height % 16 == 0 && width % 16 == 0, name, ": height ", height,
            " and width ", width, ", not multiples of 16",
            options.image_size.empty() ? "; --image-size 128x128 resizes" : "");
  es::check(height <= longest_side && width <= longest_side, name, ": height ", height, " and width ", width,
            " are too much");
  model.height = height, model.width = width;
}

std::unique_ptr<Video> open_video(const fs::path& path, const st::StreamerModelArguments& model,
                                  const DataOptions& options) {
  const std::string name = in_quotes(path.string());
  const bool video = model.modality == "video";
  const std::string wanted =
      video ? text("images of ", model.height, " x ", model.width) : text(model.feature_dim, " numbers");
  if (is_tensor(path)) {
    auto tensor = std::make_unique<TensorVideo>(path, options.normalize_imgs);
    const std::vector<Index>& shape = tensor->shape();
    es::check(video ? shape.size() == 4 && shape[2] == model.height && shape[3] == model.width
                    : shape.size() == 2 && shape[1] == model.feature_dim,
              name, ": inputs of ", shape.size() == 4 ? text("3 x ", shape[2], " x ", shape[3]) : text(shape[1]),
              " numbers, where the model takes ", wanted);
    tensor->snippet_seconds = model.snippet_size;
    return tensor;
  }
  if (is_images(path)) {
    es::check(video, name, ": images, where the model takes ", wanted);
    return std::make_unique<ImageVideo>(path, model, options);
  }
  es::check(!video, name, ": no images, which the model takes");
  es::check(options.mels > 0, name, ": sound beside tensors");
  return std::make_unique<SoundVideo>(path, model, options);
}

}  // namespace tool::streamer
