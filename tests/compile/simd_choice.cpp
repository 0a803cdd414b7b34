// A program for a plain processor whose library chooses the width of SIMD registers when it runs: networks of all
// widths give the same numbers, take each other's states, and report errors that are caught here.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <eigenstream/network/load_model.hpp>
#include <eigenstream/network/simd_choice.hpp>
#include <eigenstream/stream/stream.hpp>
#include <string>
#include <vector>

#if !defined(EIGENSTREAM_COMPILED) || EIGENSTREAM_SIMD_BYTES != 16
#error "this test tests nothing"
#endif

namespace es = eigenstream;
using es::Index;

namespace {

int mistakes = 0;

void expect(bool right, const char* what, Index width) {
  if (right) return;
  std::printf("%td bytes: %s\n", width, what);
  ++mistakes;
}

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const es::Error& error) {
    return error.what();
  }
  return "";
}

constexpr Index frames = 1000, half = 400;

}  // namespace

// simd_choice <model file> [widest]: `widest` is what the processor is said to have.
int main(int count, char** arguments) {
  const Index widest = es::simd_bytes();
  std::printf("the processor has %td bytes\n", widest);
  expect(widest >= 16, "too narrow", widest);
  if (count > 2) expect(widest == std::atoi(arguments[2]), "not what the processor has", widest);
  std::vector<float> x(frames), first;
  for (Index k = 0; k < frames; ++k) x[static_cast<std::size_t>(k)] = std::sin(0.1f * static_cast<float>(k * k % 977));
  es::State middle;
  Index widths = 0;
  for (const Index width : {16, 32, 64}) {
    if (width > widest) {
      expect(error_of([&] { es::set_simd_bytes(width); }).find("none of " + std::to_string(width)) != std::string::npos,
             "is there", width);
      continue;
    }
    ++widths;
    es::set_simd_bytes(width);
    expect(es::simd_bytes() == width, "not taken", width);
    const es::Model model = es::load_model(arguments[1]);
    expect(error_of([&] { static_cast<void>(model.network.layer.facts({7})); }).find("takes 1 channels, not 7") !=
               std::string::npos,
           "no error caught", width);
    expect(!error_of([&] { es::load_model("nowhere.safetensors"); }).empty(), "reads what is not there", width);
    es::Stream stream(model.network.layer);
    std::vector<float> y(static_cast<std::size_t>(2 * frames));
    const auto room = [&](Index at) { return es::Frames<float>(y.data() + at, stream.out_shape(), 2 * frames - at); };
    Index given = stream.process(es::Frames<const float>(x.data(), stream.in_shape(), half), room(0));
    if (first.empty()) middle = stream.get_state();
    es::Stream other(model.network.layer);  // goes on where the narrowest one was
    other.set_state(middle);
    std::vector<float> z(y.size());
    const Index rest = other.process(es::Frames<const float>(x.data() + half, stream.in_shape(), frames - half),
                                     es::Frames<float>(z.data(), stream.out_shape(), 2 * frames), es::final);
    const Index before = given;
    given += stream.process(es::Frames<const float>(x.data() + half, stream.in_shape(), frames - half), room(given),
                            es::final);
    y.resize(static_cast<std::size_t>(given));
    expect(rest == given - before, "other frames", width);
    if (first.empty()) first = y;
    expect(first.size() == y.size(), "other frames", width);
    double apart = 0, largest = 0;
    for (std::size_t k = 0; k < y.size() && k < first.size(); ++k) {
      largest = std::max(largest, std::fabs(double{first[k]}));
      apart = std::max(apart, std::fabs(double{first[k]} - double{y[k]}));
      if (static_cast<Index>(k) >= before)
        apart = std::max(apart, std::fabs(double{first[k]} - double{z[k - static_cast<std::size_t>(before)]}));
    }
    expect(largest > 0.01 && apart < 1e-5, "other numbers", width);
    std::printf("%td bytes: %td frames, at most %.2g apart\n", width, given, apart);
  }
  std::printf("%td widths, %d mistakes\n", widths, mistakes);
  return mistakes == 0 ? 0 : 1;
}
