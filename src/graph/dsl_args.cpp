// SPDX-License-Identifier: Apache-2.0
// Reads the arguments of a DSL op and names the op in every complaint about them.
#include "graph/dsl_args.h"

namespace flashlight::graph {

std::string describe(const TensorView& view) {
  std::string text = "[";
  for (std::size_t k = 0; k < view.shape.size(); ++k) {
    if (k) text += ", ";
    text += view.pack && k == 0 ? ".." : to_string(view.shape[k]);
  }
  return text + "]";
}

const Arg& Args::at(int i) const {
  static const Arg absent;
  return i < size() ? list_[i] : absent;
}

void Args::fail(std::string id, const std::string& text, std::string hint) const {
  throw LoweringError(std::move(id), op_ + ": " + text, std::move(hint));
}

const TensorView& Args::tensor(int i) const {
  if (auto* view = std::get_if<TensorView>(&at(i)); view && view->node >= 0) return *view;
  fail("type-mismatch", "argument " + std::to_string(i + 1) + " must be a tensor");
}

std::vector<TensorView> Args::tensors(int i) const {
  if (is_tensor(i)) return {tensor(i)};
  std::vector<TensorView> out;
  if (auto* list = std::get_if<ArgList>(&at(i))) {
    for (const Arg& item : *list) {
      auto* view = std::get_if<TensorView>(&item);
      if (!view) fail("type-mismatch", "argument " + std::to_string(i + 1) + " must be a list of tensors");
      out.push_back(*view);
    }
  }
  if (out.empty()) fail("shape-mismatch", "needs at least one tensor");
  return out;
}

const Sym& Args::sym(int i) const {
  if (auto* value = std::get_if<Sym>(&at(i))) return *value;
  fail("type-mismatch", "argument " + std::to_string(i + 1) + " must be a number");
}

std::int64_t Args::integer(int i) const {
  if (auto value = sym(i).as_integer()) return *value;
  fail("not-constant",
       "argument " + std::to_string(i + 1) + " must be known when translating, it is " + to_string(sym(i)));
}

bool Args::flag_or(int i, bool otherwise) const {
  if (!has(i)) return otherwise;
  const Sym& value = sym(i);
  if (!value.is_constant())
    fail("not-constant",
         "argument " + std::to_string(i + 1) + " must be known when translating, it is " + to_string(value));
  return value.real() != 0;
}

std::vector<Sym> Args::sizes(int i) const {
  if (!has(i)) return {};
  if (is_sym(i)) return {sym(i)};
  auto* list = std::get_if<ArgList>(&at(i));
  if (!list) fail("type-mismatch", "argument " + std::to_string(i + 1) + " must be a list of sizes");
  std::vector<Sym> out;
  for (const Arg& item : *list) {
    auto* value = std::get_if<Sym>(&item);
    if (!value) fail("type-mismatch", "argument " + std::to_string(i + 1) + " must be a list of sizes");
    out.push_back(*value);
  }
  return out;
}

std::vector<std::int64_t> Args::dims(int i) const {
  std::vector<std::int64_t> out;
  for (const Sym& value : sizes(i)) {
    auto dim = value.as_integer();
    if (!dim) fail("not-constant", "a dim must be known when translating, it is " + to_string(value));
    out.push_back(*dim);
  }
  return out;
}

}  // namespace flashlight::graph
