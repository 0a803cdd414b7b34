#include "eigenstream/audio/fbank.hpp"

#include "support/catch.hpp"
#include "support/contract.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using Catch::Matchers::Contains;
using es::Fbank;
using es::FbankOptions;
using support::error_of;

namespace {

// Windows of 25 samples every 10.
FbankOptions small() { return {.sample_frequency = 1000, .num_mel_bins = 5}; }

}  // namespace

TEMPLATE_TEST_CASE("Fbank: any chunking gives the offline output", "[audio][property]", float, double) {
  const bool log = GENERATE(false, true), energy = GENERATE(false, true), raw = GENERATE(false, true);
  if (!energy && !raw) return;
  FbankOptions options = small();
  options.use_log_fbank = log, options.use_energy = energy, options.raw_energy = raw;
  options.htk_compat = !log, options.use_power = !raw, options.energy_floor = log ? 0 : 1;
  // A maximum lets no NaN through.
  support::check_contract(Fbank<TestType>(options), 1, {.channels = 1, .exact = false, .carries = !log, .columns = false});
  support::check_contract(Fbank<TestType>(options), 2,
                          {.channels = 3, .exact = false, .carries = !log, .light = true, .columns = false});
}

TEST_CASE("Fbank: sizes follow from milliseconds, rounded down", "[audio]") {
  const Fbank<float> usual;
  CHECK(usual.timing().receptive_field() == 400);
  CHECK(usual.timing().stride() == 160);
  CHECK(usual.facts({}).out == es::FrameShape{1, 23, 1, 1});
  const Fbank<float> other(
      {.sample_frequency = 11025, .frame_length_ms = 23.7, .frame_shift_ms = 9.1, .num_mel_bins = 40, .use_energy = true});
  CHECK(other.timing().receptive_field() == 261);
  CHECK(other.timing().stride() == 100);
  CHECK(other.facts({.channels = 2, .batch = 3}).out == es::FrameShape{2, 41, 1, 3});
}

TEST_CASE("Fbank: impossible options are refused", "[audio][errors]") {
  const auto made = [](auto&& change) {
    FbankOptions options = small();
    change(options);
    return error_of([&] { Fbank<float>{options}; });
  };
  CHECK_THAT(made([](FbankOptions& o) { o.sample_frequency = 0; }),
             Contains("at a sample_frequency of 0 Hz is not from 1 to 2^22 samples"));
  CHECK_THAT(made([](FbankOptions& o) { o.frame_shift_ms = 0.5; }), Contains("Fbank: frame_shift_ms = 0.5"));
  CHECK_THAT(made([](FbankOptions& o) { o.preemphasis_coefficient = 1.5; }),
             Contains("Fbank: preemphasis_coefficient = 1.5, must be from 0 to 1"));
  CHECK_THAT(made([](FbankOptions& o) { o.energy_floor = -1; }), Contains("Fbank: energy_floor = -1"));
  CHECK_THAT(made([](FbankOptions& o) { o.round_to_power_of_two = false; }),
             Contains("Fbank: windows of 25 samples; the transform must have an even length"));
  CHECK_THAT(made([](FbankOptions& o) { o.num_mel_bins = 0; }), Contains("Fbank: num_mel_bins = 0, must be from 1 to 4096"));
  CHECK_THAT(made([](FbankOptions& o) { o.low_freq = 600; }), Contains("Fbank: filters from 600 Hz to 500 Hz"));
  CHECK_THAT(error_of([] { Fbank<float>().facts({.channels = 1, .width = 2}); }), Contains("Fbank: takes a plain signal"));
}
