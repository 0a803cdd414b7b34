#include "eigenstream/streamer/arguments.hpp"

#include <functional>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace streamer = eigenstream::streamer;
using streamer::StreamerModelArguments;

TEST_CASE("streamer: the defaults of the class and of the command line", "[streamer]") {
  const StreamerModelArguments model;
  CHECK(model.evolve_every == 50000);
  CHECK(model.loss_threshold == 0.25);
  CHECK(model.distance_mode == streamer::DistanceMode::distance);
  CHECK(model.force_base_dist);
  StreamerModelArguments other = streamer::command_line_arguments();
  CHECK(other.evolve_every == 100000);
  CHECK(other.loss_threshold == 0.1);
  CHECK(other.distance_mode == streamer::DistanceMode::similarity);
  CHECK(!other.force_base_dist);
  other.evolve_every = 50000, other.loss_threshold = 0.25, other.force_base_dist = true;
  other.distance_mode = streamer::DistanceMode::distance;
  CHECK(other == model);
  CHECK(support::error_of([&] { check_arguments(model); }).empty());
}

TEST_CASE("streamer: modes by name", "[streamer][error]") {
  CHECK(name_of(streamer::demarcation_mode("accum")) == "accum");
  CHECK(streamer::distance_mode("distance") == streamer::DistanceMode::distance);
  CHECK(streamer::modifier_type("add") == streamer::ModifierType::add);
  CHECK(support::error_of([] { streamer::demarcation_mode("mean"); }) ==
        "streamer: demarcation_mode is \"mean\", not average, fixed or accum");
  CHECK(support::error_of([] { streamer::modifier_type(""); }) ==
        "streamer: modifier_type is \"\", not multiply or add");
}

TEST_CASE("streamer: a layer's own mode", "[streamer]") {
  using streamer::DistanceMode;
  CHECK(streamer::mode_of_layer(DistanceMode::similarity, true, 0) == DistanceMode::distance);
  CHECK(streamer::mode_of_layer(DistanceMode::similarity, true, 1) == DistanceMode::similarity);
  CHECK(streamer::mode_of_layer(DistanceMode::similarity, false, 0) == DistanceMode::similarity);
}

TEST_CASE("streamer: impossible arguments", "[streamer][error]") {
  const auto error = [](const std::function<void(StreamerModelArguments&)>& change) {
    StreamerModelArguments args;
    change(args);
    return support::error_of([&] { check_arguments(args); });
  };
  CHECK(error([](auto& args) { args.max_layers = 0; }) == "streamer: max_layers is 0, less than 1");
  CHECK(error([](auto& args) { args.feature_dim = 12; }) ==
        "streamer: feature_dim is 12, not a multiple of the 8 attention heads");
  CHECK(error([](auto& args) { args.buffer_size = 0; }) == "streamer: buffer_size is 0, less than 1");
  CHECK(error([](auto& args) { args.init_layers = 4; }) == "streamer: init_layers is 4, max_layers only 3");
  CHECK(error([](auto& args) { args.lr = -1; }) == "streamer: lr is -1");
  CHECK(error([](auto& args) { args.snippet_size = 0; }) == "streamer: snippet_size is 0");
  CHECK(error([](auto& args) { args.modality = "text"; }) == "streamer: modality is \"text\", not audio or video");
  CHECK(error([](auto& args) { args.modality = "video", args.height = 100; }) ==
        "streamer: images of height 100 and width 128, not multiples of 16");
  const auto accum = [](auto& args) { args.demarcation_mode = streamer::DemarcationMode::accum; };
  const auto similar = [&](auto& args) { accum(args), args.distance_mode = streamer::DistanceMode::similarity; };
  CHECK(error(accum).empty());
  CHECK(error(similar) == "streamer: demarcation_mode accum adds up distances; distance_mode is similarity");
  CHECK(error([&](auto& args) { similar(args), args.max_layers = 1; }).empty());
}
