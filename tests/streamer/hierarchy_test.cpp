#include "eigenstream/streamer/hierarchy.hpp"

#include <fstream>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace streamer = eigenstream::streamer;
using streamer::Hierarchy;
using streamer::parse_hierarchy;

TEST_CASE("Hierarchy: from boundaries, to JSON and back", "[streamer]") {
  const std::vector<std::vector<double>> boundaries{{0, 0.5, 2}, {0, 2}, {0}};
  const Hierarchy open = streamer::make_hierarchy(boundaries, "a \"b\".mp4", 3);
  CHECK(open.layers == std::vector<std::vector<streamer::Segment>>{{{0, 0.5}, {0.5, 2}}, {{0, 2}}, {}});
  const Hierarchy closed = streamer::make_hierarchy(boundaries, "a", 3, true);
  CHECK(closed.layers[0].back() == streamer::Segment{2, 3});
  CHECK(closed.layers[2] == std::vector<streamer::Segment>{{0, 3}});

  const std::string text = to_json(open);
  CHECK(parse_hierarchy(text) == open);
  CHECK(text == to_json(open));
  CHECK(text != to_json(open, 1));
  const auto root = nlohmann::json::parse(text);
  CHECK(root["fileType"] == "video/mp4");
  CHECK(root["layers"][1]["name"] == "layer 1");
  CHECK(root["layers"][1]["annots"][0]["representation"] == "null");
  const std::string colour = root["layers"][1]["annots"][0]["colour"];
  int rgb[3], dark = 0, bright = 0;
  REQUIRE(std::sscanf(colour.c_str(), "rgb(%d, %d, %d)", &rgb[0], &rgb[1], &rgb[2]) == 3);
  for (const int each : rgb) dark += each >= 75 && each <= 100, bright += each >= 130 && each <= 250;
  CHECK(dark == 1);
  CHECK(bright == 2);
}

TEST_CASE("Hierarchy: files", "[streamer][error]") {
  const auto path = std::filesystem::temp_directory_path() / "eigenstream_hierarchy_test.json";
  const Hierarchy hierarchy = streamer::make_hierarchy({{0, 1}}, "video", 2);
  write_hierarchy(path, hierarchy);
  CHECK(streamer::read_hierarchy(path) == hierarchy);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  CHECK(support::error_of([&] { streamer::read_hierarchy(path); }).find("is not valid JSON") != std::string::npos);
  std::filesystem::remove(path);
  CHECK(support::error_of([&] { streamer::read_hierarchy(path); }).find("no such file") != std::string::npos);
}

TEST_CASE("Hierarchy: what is none", "[streamer][error]") {
  const auto error = [](const char* text) { return support::error_of([&] { parse_hierarchy(text); }); };
  CHECK(error(R"({"layers": []})") == "hierarchy: the hierarchy has no number \"duration\"");
  CHECK(error(R"({"duration": 1})") == "hierarchy: there is no array \"layers\"");
  CHECK(error(R"({"duration": 1, "layers": [], "x": 1})") == "hierarchy: unknown field \"x\" in the hierarchy");
  CHECK(error(R"({"duration": 1, "layers": [{"order": 1, "annots": []}]})") ==
        "hierarchy: layer 0 has the order \"1\"");
  CHECK(error(R"({"duration": 1, "layers": [{"annots": [{"start": 2, "end": 1}]}]})") ==
        "hierarchy: layer 0, event 0 starts at 2 and ends at 1");
  CHECK(error(R"({"duration": 1, "layers": [{"annots": [{"start": 2}]}]})") ==
        "hierarchy: layer 0, event 0 has no number \"end\"");
  CHECK(support::error_of([] {
          streamer::make_hierarchy({{0, 2, 2}}, "", 3);
        }) == "hierarchy: layer 0 has a boundary at 2 behind one at 2");
  CHECK(support::error_of([] { streamer::make_hierarchy({}, "", -1); }) == "hierarchy: the duration is -1");
}
