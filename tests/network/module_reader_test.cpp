#include "eigenstream/network/module_reader.hpp"

#include <functional>
#include <string>

#include "eigenstream/layer/identity.hpp"
#include "eigenstream/network/registry.hpp"
#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using es::ModuleReader;

namespace {

// The error of a factory that reads a module with these fields; empty if there is none.
std::string reads(std::map<std::string, es::ModuleSpec::Value> fields, const std::function<void(ModuleReader&)>& read,
                  const es::WeightMap& weights = {}) {
  es::Registry registry;
  registry.add("Own", [&](ModuleReader& r, const es::FrameShape&) {
    read(r);
    return es::Built(es::Identity<float>());
  });
  return support::error_of([&] { registry.create({"Own", "own", std::move(fields), {}}, weights); });
}

}  // namespace

TEST_CASE("ModuleReader: fields with their defaults and ranges", "[network]") {
  CHECK(reads({{"n", std::int64_t{5}}, {"x", 0.5}, {"t", std::string("a")}, {"b", true}, {"v", std::vector<std::int64_t>{2, 0}}},
              [](ModuleReader& r) {
                CHECK(r.integer("n") == 5);
                CHECK(r.integer("m", 7) == 7);
                CHECK(r.number("x") == 0.5f);
                CHECK(r.text("t", "") == "a");
                CHECK(r.boolean("b", false));
                CHECK(r.padding("v").left == 2);
                CHECK(r.values("v") == std::vector<Index>{2, 0});
                CHECK(r.padding_mode("mode", es::PaddingMode::replicate) == es::PaddingMode::replicate);
              })
            .empty());
}

TEST_CASE("ModuleReader: what is wrong with a field is said, with the module's name", "[network][error]") {
  const auto integer = [](ModuleReader& r) { static_cast<void>(r.integer("n", {}, 1, 9)); };
  CHECK(reads({}, integer) == "module \"own\" (Own): field \"n\" is missing");
  CHECK(reads({{"n", std::int64_t{10}}}, integer) == "module \"own\" (Own): n = 10, must be from 1 to 9");
  CHECK(reads({{"n", 2.5}}, integer) == "module \"own\" (Own): n is not an integer");
  CHECK(reads({{"n", std::int64_t{3}}, {"m", true}}, integer) == "module \"own\" (Own): unknown field \"m\"");
  CHECK(reads({{"x", 1e300}}, [](ModuleReader& r) { static_cast<void>(r.number("x")); }) ==
        "module \"own\" (Own): x is not a finite number");
  CHECK(reads({{"mode", std::string("reflect")}},
              [](ModuleReader& r) { static_cast<void>(r.padding_mode("mode", es::PaddingMode::zeros)); }) ==
        "module \"own\" (Own): mode = \"reflect\", must be \"zeros\", \"replicate\" or \"constant\"");
}

TEST_CASE("ModuleReader: tensors have their shape, and each is used once", "[network][error]") {
  const es::WeightMap weights{{"own.w", es::Weights<float>({2, 3}, {1, 2, 3, 4, 5, 6})}};
  const auto shape = [](Index n, Index m) {
    return [=](ModuleReader& r) { static_cast<void>(r.weight("w", {n, m})); };
  };
  CHECK(reads({}, shape(2, 3), weights).empty());
  CHECK(reads({}, shape(3, 2), weights) == "module \"own\" (Own): tensor \"own.w\" has shape (2,3), expected (3,2)");
  CHECK(reads({}, shape(2, 3)) == "module \"own\" (Own): tensor \"own.w\" is missing, expected shape (2,3)");
  CHECK(reads({}, [](ModuleReader&) {}, weights) == "tensor \"own.w\" (2,3) belongs to no module");
}

TEST_CASE("ModuleReader: a factory reads nothing that its type's description does not have", "[network][error]") {
  const auto reads_described = [](const std::function<void(ModuleReader&)>& read) {
    es::Registry registry;
    registry.add({.name = "Own",
                  .summary = "a test's",
                  .fields = {es::ModuleField::integer("n", 1, "")},
                  .tensors = {{"w", "n", ""}},
                  .build = [&](ModuleReader& r, const es::FrameShape&) {
                    read(r);
                    return es::Built(es::Identity<float>());
                  }});
    return support::error_of([&] { registry.create({"Own", "own", {}, {}}, {}); });
  };
  const std::string begin = "module \"own\" (Own): its type's description has no ";
  CHECK(reads_described([](ModuleReader& r) { CHECK(r.integer("n") == 1); }).empty());
  CHECK(reads_described([](ModuleReader& r) { static_cast<void>(r.integer("m")); }) == begin + "field \"m\"");
  CHECK(reads_described([](ModuleReader& r) { static_cast<void>(r.integer("m", 3)); }) == begin + "field \"m\"");
  CHECK(reads_described([](ModuleReader& r) { static_cast<void>(r.children("m", {})); }) == begin + "field \"m\"");
  CHECK(reads_described([](ModuleReader& r) { static_cast<void>(r.boolean("n")); }) == begin + "boolean n");
  CHECK(reads_described([](ModuleReader& r) { static_cast<void>(r.weight("v")); }) == begin + "tensor \"v\"");
  CHECK(reads_described([](ModuleReader& r) { static_cast<void>(r.weight("v", {1})); }) == begin + "tensor \"v\"");
  CHECK(reads({}, [](ModuleReader& r) { static_cast<void>(r.weight("w")); }) ==
        "module \"own\" (Own): the type has no description that gives w its shape");
}
