#include "eigenstream/network/builtin_registry.hpp"

#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;
using support::error_of;

namespace {

using Fields = std::map<std::string, es::ModuleSpec::Value>;

// The value of a field's default, in a module with these fields; none where it is required or absent.
std::optional<es::ModuleSpec::Value> value_of(const es::ModuleField::Default& otherwise, const Fields& fields) {
  if (const auto* truth = std::get_if<bool>(&otherwise)) return *truth;
  if (const auto* whole = std::get_if<Index>(&otherwise)) return std::int64_t{*whole};
  if (const auto* real = std::get_if<double>(&otherwise)) return *real;
  const auto* text = std::get_if<std::string_view>(&otherwise);
  if (text == nullptr) return std::nullopt;
  const auto same = fields.find(std::string(*text));  // as that of another field
  return same == fields.end() ? es::ModuleSpec::Value(std::string(*text)) : same->second;
}

// What a module of a type must have, and no more.
Fields least_fields(const es::ModuleType& type) {
  Fields fields;
  for (const es::ModuleField& field : type.fields) {
    if (!field.is_required()) continue;
    if (field.kind == es::FieldKind::number) fields[std::string(field.name)] = 0.5;
    if (field.kind == es::FieldKind::integers && field.axes == 0) fields[std::string(field.name)] = std::vector<std::int64_t>{0, 1};
    if (field.kind == es::FieldKind::integers && field.axes > 0)
      fields[std::string(field.name)] = std::int64_t{field.name == "output_size" ? 1 : 2};
    if (field.kind == es::FieldKind::text) fields[std::string(field.name)] = std::string(field.choices.front());
    if (field.kind == es::FieldKind::integer) fields[std::string(field.name)] = std::int64_t{field.name == "stride_size" || field.name == "hop_length" ? 1 : 2};
  }
  return fields;
}

// Its tensors, by the shapes that its description has.
es::WeightMap tensors_of(const es::ModuleType& type, const Fields& fields) {
  es::WeightMap weights;
  const auto integer = [&](std::string_view name) -> Index {
    const std::string_view own = es::FieldAxis(name).field;
    const auto given = fields.find(std::string(own));
    return given != fields.end() ? static_cast<Index>(std::get<std::int64_t>(given->second))
                                 : std::get<Index>(type.field(own)->otherwise);
  };
  for (const es::ModuleTensor& tensor : type.tensors) {
    if (!tensor.when.empty()) {
      const bool* usual = std::get_if<bool>(&type.field(tensor.when)->otherwise);
      if (usual == nullptr || !*usual) continue;
    }
    es::Weights<float> values;
    Index size = 1;
    for (const std::string_view extent : tensor.extents()) {
      values.shape.push_back(es::evaluate(extent, integer));
      size *= values.shape.back();
    }
    values.values.assign(static_cast<std::size_t>(size), 0.5f);
    std::string name(tensor.name);
    if (name.find('<') != name.npos) name.replace(name.find('<'), name.npos, "0");
    weights["x." + name] = std::move(values);
  }
  return weights;
}

bool holds_modules(const es::ModuleType& type) {
  return std::any_of(type.fields.begin(), type.fields.end(), [](const es::ModuleField& field) {
    return field.kind == es::FieldKind::node || field.kind == es::FieldKind::nodes;
  });
}

}  // namespace

TEST_CASE("builtin_registry: every type is described, and its description fits together", "[network]") {
  const es::Registry registry = es::builtin_registry();
  CHECK(registry.types().size() > 60);
  std::set<std::string> names;
  for (const es::ModuleType& type : registry.types()) {
    INFO(type.name);
    CHECK(names.insert(type.name).second);
    CHECK((type.described() && !type.group.empty() && type.build != nullptr));
    CHECK(type.summary.find('\n') == std::string_view::npos);
    std::set<std::string_view> fields;
    for (const es::ModuleField& field : type.fields) {
      INFO(field.name);
      CHECK(fields.insert(field.name).second);
      CHECK((field.name != "type" && field.name != "path" && field.name != "from"));
      CHECK((!field.meaning.empty() && field.lowest <= field.highest));
      const auto* text = std::get_if<std::string_view>(&field.otherwise);
      if (field.kind == es::FieldKind::text) {
        CHECK(!field.choices.empty());
        if (text != nullptr) CHECK(std::find(field.choices.begin(), field.choices.end(), *text) != field.choices.end());
      } else if (text != nullptr) {
        CHECK((field.kind == es::FieldKind::integer || field.axes > 0));
        CHECK(type.field(*text) != nullptr);
      }
    }
    for (const es::ModuleTensor& tensor : type.tensors) {
      INFO(tensor.name);
      CHECK((tensor.when.empty() || type.field(tensor.when) != nullptr));
      for (const std::string_view extent : tensor.extents()) {
        const Index one = es::evaluate(extent, [&](std::string_view name) {
          INFO(name);
          const es::FieldAxis own(name);
          const es::ModuleField* field = type.field(own.field);
          REQUIRE(field != nullptr);
          CHECK((own.axis < 0 ? field->axes == 0 : own.axis < field->axes));
          return Index{1};
        });
        CHECK(one >= 1);
      }
    }
  }
}

TEST_CASE("builtin_registry: a type needs no more than its description asks for, and its defaults are what they say", "[network]") {
  const es::Registry registry = es::builtin_registry();
  int built = 0;
  for (const es::ModuleType& type : registry.types()) {
    if (holds_modules(type) || type.name == "Reduce") continue;
    INFO(type.name);
    const Fields least = least_fields(type);
    const es::WeightMap weights = tensors_of(type, least);
    const auto module = [&](const Fields& fields) -> es::ModuleSpec {
      const es::ModuleSpec own{type.name, "x", fields, {}};
      const Fields frames{{"channels", std::int64_t{2}}, {"width", std::int64_t{4}}, {"height", std::int64_t{4}}};
      if (type.space == es::Space::used && type.name != "SpaceNorm" && type.name != "Istft") return {"Sequential", "", {}, {{"layers", {{"Input", "", frames, {}}, own}}}};
      if (type.space != es::Space::needed) return own;
      return {"Windowed", "", {{"size", std::int64_t{4}}, {"stride", std::int64_t{2}}, {"channels", std::int64_t{2}}}, {{"net", {own}}}};
    };
    const auto create = [&](const Fields& fields) { return registry.create(module(fields), weights).layer.fingerprint(); };
    REQUIRE(error_of([&] { create(least); }) == "");
    Fields all = least;
    for (const es::ModuleField& field : type.fields) {
      // What fills the padding is allowed only with the mode that asks for it.
      const auto value = value_of(field.otherwise, all);
      if (!value || (type.name.starts_with("Conv") && field.name == "padding_value")) continue;
      all[std::string(field.name)] = *value;
      INFO(field.name);
      if (field.kind == es::FieldKind::integer && field.lowest > -es::ModuleField::endless) {
        Fields wrong = least;
        wrong[std::string(field.name)] = static_cast<std::int64_t>(field.lowest) - 1;
        CHECK(error_of([&] { create(wrong); }).find(", must be from ") != std::string::npos);
        wrong[std::string(field.name)] = static_cast<std::int64_t>(field.highest) + 1;
        CHECK(error_of([&] { create(wrong); }).find(", must be from ") != std::string::npos);
      }
      Fields wrong = least;
      wrong[std::string(field.name)] = std::vector<std::int64_t>{1, 2, 3, 4, 5};
      CHECK(error_of([&] { create(wrong); }).find(std::string(field.name)) != std::string::npos);
    }
    CHECK(create(all) == create(least));
    for (const auto& [name, value] : least) {
      Fields missing = least;
      missing.erase(name);
      CHECK(error_of([&] { create(missing); }).find("field \"" + name + "\" is missing") != std::string::npos);
    }
    ++built;
  }
  CHECK(built > 50);
}

TEST_CASE("builtin_registry: a Reduce is a node of a Graph only", "[network][error]") {
  CHECK(error_of([] { es::builtin_registry().create({"Reduce", "r", {{"op", std::string("sum")}}, {}}, {}); }) ==
        "module \"r\" (Reduce): joins values of a Graph, and can only be one of its nodes");
}

TEST_CASE("builtin_registry: a type that nobody knows is named", "[network][error]") {
  CHECK(error_of([] { es::builtin_registry().create({"Conv7d", "a.b", {}, {}}, {}); }) ==
        "module \"a.b\" (Conv7d): unknown module type");
}
