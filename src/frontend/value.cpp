// SPDX-License-Identifier: Apache-2.0
// Copying and assigning values as C++ does.
#include "frontend/value.h"

namespace flashlight::frontend {

Cell make_fields(std::vector<Cell> cells, bool references) {
  return make_cell(Fields{std::move(cells), references});
}

Value copy_value(const Value& v) {
  if (auto* fields = std::get_if<Fields>(&v)) {
    Fields out;
    out.references = fields->references;
    for (const Cell& c : fields->cells) out.cells.push_back(fields->references ? c : copy_cell(c));
    return out;
  }
  if (auto* optional = std::get_if<OptionalValue>(&v))
    return OptionalValue{optional->content ? copy_cell(optional->content) : nullptr};
  return v;
}

bool assign_value(Slot& to, const Value& from) {
  if (to.readonly) return false;
  auto* target = std::get_if<Fields>(&to.value);
  auto* source = std::get_if<Fields>(&from);
  if (target && source && target->cells.size() == source->cells.size()) {
    // Read everything before writing: std::tie(a, b) = std::make_pair(b, a).
    std::vector<Value> values;
    for (const Cell& c : source->cells) values.push_back(c ? copy_value(c->value) : Value());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!source->cells[i]) target->cells[i] = nullptr;
      else if (!target->cells[i]) target->cells[i] = make_cell(values[i]);
      else if (!assign_value(*target->cells[i], values[i])) return false;
    }
    return true;
  }
  to.value = copy_value(from);
  return true;
}

const char* kind_of(const Value& v) {
  static constexpr const char* names[] = {"no value",   "a tensor",  "a number",    "a dtype",
                                          "a string",   "a list",    "an optional", "a lambda",
                                          "a function", "a pointer", "a dtype",     "a device"};
  return names[v.index()];
}

}  // namespace flashlight::frontend
