#include "eigenstream/network/module_type.hpp"

#include <map>
#include <string>

#include "support/catch.hpp"

namespace es = eigenstream;
using es::Index;
using F = es::ModuleField;

TEST_CASE("ModuleField: a field is its kind, its default and its range", "[network]") {
  constexpr F stride = F::integer("stride", "kernel_size", "from pool to pool");
  static_assert(std::get<std::string_view>(stride.otherwise) == "kernel_size" && stride.lowest == 1 && !stride.is_required());
  static_assert(F::integer("frames", es::required, "", 0).is_required());
  static_assert(std::get<double>(F::number("alpha", 1, "").otherwise) == 1);  // though it is written as an integer
  static_assert(std::get<bool>(F::boolean("bias", true, "").otherwise));
  static_assert(F::integers("more", "").kind == es::FieldKind::integers && !F::integers("more", "").is_required());
  static_assert(F::nodes("layers", "").is_required() && F::padding("padding", "").lowest == 0);
  constexpr F taps = F::per_axis("kernel_size", 3, es::required, "");
  static_assert(taps.kind == es::FieldKind::integers && taps.axes == 3 && taps.is_required());
  static_assert(es::FieldAxis("kernel_size[2]").field == "kernel_size" && es::FieldAxis("kernel_size[2]").axis == 2);
  static_assert(es::FieldAxis("groups").field == "groups" && es::FieldAxis("groups").axis == -1);
  CHECK(es::field_kind_names[static_cast<int>(es::FieldKind::nodes)] == "nodes");
}

TEST_CASE("evaluate: products and quotients from left to right", "[network]") {
  const std::map<std::string_view, Index> fields{{"in", 12}, {"groups", 4}, {"taps", 3}};
  const auto value = [&](std::string_view formula) {
    return es::evaluate(formula, [&](std::string_view name) { return fields.at(name); });
  };
  CHECK(value("17") == 17);
  CHECK(value("in") == 12);
  CHECK(value("in / groups") == 3);
  CHECK(value("3 * in / groups * taps") == 27);
}

TEST_CASE("ModuleTensor: names and shapes", "[network]") {
  const es::ModuleTensor weight{"weight", "out, in / groups, taps", ""}, numbered{"weight_ih_l<k>", "rows", "bias"};
  CHECK(weight.extents() == std::vector<std::string_view>{"out", "in / groups", "taps"});
  CHECK(numbered.extents() == std::vector<std::string_view>{"rows"});
  CHECK((weight.names("weight") && !weight.names("weight_g") && !weight.names("w")));
  CHECK((numbered.names("weight_ih_l0") && numbered.names("weight_ih_l12_reverse") && !numbered.names("weight_hh_l0")));
}

TEST_CASE("ModuleType: finds its fields and tensors, and only a description makes it described", "[network]") {
  const es::ModuleType type{.name = "Own", .summary = "a test's", .fields = {F::integer("n", 1, "")}, .tensors = {{"w", "n", ""}}};
  CHECK((type.described() && type.field("n") != nullptr && type.field("m") == nullptr));
  CHECK((type.tensor("w") == &type.tensors[0] && type.tensor("n") == nullptr));
  CHECK(!es::ModuleType{.name = "Other"}.described());
}
