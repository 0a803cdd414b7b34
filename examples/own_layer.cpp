// A layer that the library does not have: a one-pole filter. It satisfies the Layer concept, so it works in a
// Sequential, in a Stream, and, once its factory is registered, in a model file.
#include <algorithm>
#include <cstdio>
#include <eigenstream.hpp>
#include <eigenstream/names.hpp>
#include <eigenstream/io/safetensors.hpp>
#include <eigenstream/network/load_model.hpp>
#include <filesystem>
#include <string>
#include <vector>

namespace es = eigenstream;
using es::Index;

/// y[t] = x[t] + pole * (y[t-1] - x[t]), each channel by itself; y[-1] = 0.
/// Timing   one output per input, no delay. All past inputs count: Timing, which counts taps, says 1 for the frame at
/// hand
template <class T>
class OnePole : public es::StatelessLayer<T> {  // for timing and rooms: one frame out for each frame in
 public:
  explicit OnePole(T pole) : pole_(pole) { es::check(pole > -1 && pole < 1, "OnePole: pole = ", pole, ", unstable"); }

  es::FrameShape wanted() const noexcept { return es::FrameShape::any(); }
  // The state is the last output.
  es::Facts facts(const es::FrameShape& in) const noexcept {
    return {.out = in,
            .state_bytes = in.size() * static_cast<Index>(sizeof(T)),
            .parameters = 1,
            .macs = static_cast<double>(in.size())};
  }
  std::uint64_t fingerprint() const { return es::Fingerprint("OnePole").add(pole_); }
  static constexpr bool in_place() noexcept { return true; }

  void reset(es::StateRef state) const noexcept { std::fill_n(last(state), state.shape.size(), T(0)); }
  void exchange(es::StateRef state, es::StateCodec& codec) const { codec.values(last(state), state.shape.size()); }

  Index steps(es::StateRef state, es::Frames<const T> x, es::Frames<T> y) const noexcept {
    T* memory = last(state);
    for (Index t = 0; t < x.count; ++t)
      for (Index i = 0; i < x.frame_size(); ++i)
        y.frame(t)[i] = memory[i] = x.frame(t)[i] + pole_ * (memory[i] - x.frame(t)[i]);
    return x.count;
  }
  Index flush(es::StateRef state, es::Frames<T>) const noexcept {
    reset(state);  // nothing is waiting for the end; the next signal starts anew
    return 0;
  }

 private:
  static T* last(es::StateRef state) noexcept { return reinterpret_cast<T*>(state.data); }
  T pole_;
};

static_assert(es::Layer<OnePole<float>> && es::Layer<OnePole<double>>);

// True if the signal in one call and the signal in chunks of 7 give the same bits.
template <class Stream>
bool same_in_chunks(Stream stream, const Eigen::Tensor<float, 2>& x) {
  const Eigen::Tensor<float, 2> whole = stream.forward(x);
  const es::Frames<const float> signal(x);
  std::vector<float> y(static_cast<std::size_t>(whole.size()));
  es::Frames<float> rest(y.data(), stream.out_shape(), whole.dimension(1));
  for (Index at = 0; at < signal.count; at += 7)
    rest = rest.from(stream.process(signal.slice(at, std::min<Index>(7, signal.count - at)), rest));
  return stream.flush(rest) == rest.count && std::equal(y.begin(), y.end(), whole.data());
}

int main() {
  Eigen::Tensor<float, 2> x(3, 100);
  x.setRandom();

  // Beside the library's own layers.
  const Eigen::Tensor<float, 3> weight = Eigen::Tensor<float, 3>(3, 3, 2).setRandom();
  const auto net = es::sequential(OnePole<float>(0.9f), es::Conv1d<float>(weight), OnePole<float>(-0.5f));
  es::check(same_in_chunks(es::Stream(net), x), "the network differs in chunks");

  // In a model file: the type name there, the factory here. In Python, the exporter writes such files after
  //   register(OnePole, lambda module: ("OnePole", {"pole": module.pole}, {}))
  // where the three are the type's name, its fields, and its tensors (a factory gets those by reader.weight(name, shape)).
  es::Registry registry = es::builtin_registry();
  es::register_streamer(registry, "OnePole",
                        [](es::ModuleReader& reader, const es::FrameShape&) { return OnePole<float>(reader.number("pole", 0.5)); });
  es::Safetensors contents;
  contents.metadata["eigenstream"] = R"({"version": 1, "network": {"type": "Graph", "path": "", "nodes": [
      {"type": "OnePole", "path": "smooth", "pole": 0.9, "from": [0]},
      {"type": "Reduce", "path": "rest", "op": "difference", "from": [0, 1]},
      {"type": "ReLU", "path": "act", "from": [2]}]}})";
  const auto path = std::filesystem::temp_directory_path() / "eigenstream_own_layer.safetensors";
  es::write_safetensors(path, contents);
  const es::Model model = es::load_model(path, registry);
  std::filesystem::remove(path);
  es::check(same_in_chunks(es::Stream(model.network.layer, {.channels = 3}), x),
            "the loaded network differs in chunks");

  // A built-in type is replaced only if that is said.
  const auto leaky = [](es::ModuleReader&, const es::FrameShape&) { return es::LeakyRelu<float>(0.1f); };
  std::string message = "none";
  try {
    es::register_streamer(registry, "ReLU", leaky);
  } catch (const es::Error& error) {
    message = error.what();
  }
  std::printf("refused: %s\n", message.c_str());
  es::check(message.find("factory for ReLU already") != std::string::npos, "unexpected message");
  es::register_streamer(registry, "ReLU", leaky, es::replace);
  std::puts("a layer of one's own: in a network, in a stream, in a model file");
}
