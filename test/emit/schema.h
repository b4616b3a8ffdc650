// SPDX-License-Identifier: Apache-2.0
// Reports held against docs/report.schema.json.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

namespace flashlight::test {

using nlohmann::json;

// The keywords that the schema uses. Stricter than the standard in one point: what the schema does not
// describe is wrong.
class Validator {
 public:
  explicit Validator(json schema) : schema_(std::move(schema)) {}
  std::vector<std::string> errors(const json& value) {
    errors_.clear();
    check(schema_, value, "$");
    return errors_;
  }

 private:
  static bool is(const std::string& type, const json& v) {
    return type == "object"    ? v.is_object()
           : type == "array"   ? v.is_array()
           : type == "string"  ? v.is_string()
           : type == "integer" ? v.is_number_integer()
           : type == "boolean" ? v.is_boolean()
                               : type == "null" && v.is_null();
  }
  void wrong(const std::string& at, const std::string& what) { errors_.push_back(at + ": " + what); }
  void check_object(const json& s, const json& v, const std::string& at) {
    for (const auto& name : s.value("required", json::array()))
      if (!v.contains(name.get<std::string>())) wrong(at, "lacks " + name.get<std::string>());
    for (const auto& [name, field] : v.items()) {
      if (s["properties"].contains(name)) check(s["properties"][name], field, at + "." + name);
      else wrong(at, "'" + name + "' is not described");
    }
  }
  void check(const json& s, const json& v, const std::string& at) {
    static const std::vector<std::string> known = {"$schema",  "title",      "description", "$defs", "type",
                                                   "required", "properties", "items",       "$ref",  "const",
                                                   "enum",     "pattern",    "minimum"};
    for (const auto& [keyword, unused] : s.items())
      if (std::find(known.begin(), known.end(), keyword) == known.end())
        wrong(at, "the validator lacks the keyword " + keyword);
    if (s.contains("$ref"))
      return check(schema_.at(json::json_pointer(s["$ref"].get<std::string>().substr(1))), v, at);
    if (s.contains("const") && v != s["const"]) wrong(at, "is not " + s["const"].dump());
    if (s.contains("enum") && std::find(s["enum"].begin(), s["enum"].end(), v) == s["enum"].end())
      wrong(at, "is none of " + s["enum"].dump());
    if (s.contains("type")) {
      json types = s["type"].is_array() ? s["type"] : json::array({s["type"]});
      if (std::none_of(types.begin(), types.end(),
                       [&](const json& t) { return is(t.get<std::string>(), v); }))
        return wrong(at, "has the wrong type");
    }
    if (s.contains("pattern") &&
        !std::regex_search(v.get<std::string>(), std::regex(s["pattern"].get<std::string>())))
      wrong(at, "does not match");
    if (s.contains("minimum") && v < s["minimum"]) wrong(at, "is too small");
    if (v.is_object()) check_object(s, v, at);
    if (v.is_array())
      for (std::size_t i = 0; i < v.size(); ++i) check(s["items"], v[i], at + "[" + std::to_string(i) + "]");
  }
  json schema_;
  std::vector<std::string> errors_;
};

}  // namespace flashlight::test
