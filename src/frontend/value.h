// SPDX-License-Identifier: Apache-2.0
// What an expression of the user's program yields while it is followed: tensors as graph values, host numbers
// as symbolic expressions, everything else as itself.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "graph/dsl.h"

namespace clang {
class CXXRecordDecl;
class FunctionDecl;
class ValueDecl;
}  // namespace clang

namespace flashlight::frontend {

struct Slot;
// A place in the program's memory. References, by-reference captures and pointers share it.
using Cell = std::shared_ptr<Slot>;

// The identity of a tensor's memory: every handle and view of it holds one reference, so that the count tells
// whether an in-place op could be seen through another name.
struct Storage {
  bool external = false;  // belongs to the caller (a parameter)
  std::shared_ptr<Storage>
      behind;  // of an expanded view, in which several elements are one: never written to
};

struct TensorValue {
  graph::TensorView view;
  std::shared_ptr<Storage> storage;
};

// Arrays, containers, pairs, tuples and structs (bases first, then fields in order of declaration). A null
// cell is a field of a parameter whose type has no place in a kernel.
struct Fields {
  std::vector<Cell> cells;
  bool references = false;  // std::tie and its kin: a copy shares the cells
};

struct OptionalValue {
  Cell content;  // null: absent
};

struct Closure {
  const clang::CXXRecordDecl* type = nullptr;
  std::map<const clang::ValueDecl*, Cell> captures;
  Cell self;  // captured `this`
};

struct FunctionRef {
  const clang::FunctionDecl* function = nullptr;
};

// Points at cells[at]; `cells` are the elements of the array it walks, or one cell.
struct Pointer {
  std::vector<Cell> cells;
  std::size_t at = 0;
};

// The storage type of a tensor where only the launch knows it; `view` stands for "as this tensor".
struct DTypeOf {
  graph::TensorView view;
};

// A kernel runs where its tensors live; the CPU takes the original function.
struct DeviceValue {
  bool cuda = true;
};

using Value = std::variant<std::monostate, TensorValue, graph::Sym, graph::DType, std::string, Fields,
                           OptionalValue, Closure, FunctionRef, Pointer, DTypeOf, DeviceValue>;

struct Slot {
  Value value;
  bool readonly = false;  // the caller's variable: writing to it would be lost in the fused function
};

inline Cell make_cell(Value v) { return std::make_shared<Slot>(Slot{std::move(v), false}); }
Cell make_fields(std::vector<Cell> cells, bool references = false);
inline Cell make_sym_cell(const graph::Sym& s) { return make_cell(s); }
inline Cell make_bool(bool b) { return make_cell(graph::Sym::boolean(b)); }

// C++ copy semantics: structs and containers deeply, tensors as handles to the same storage.
Value copy_value(const Value&);
inline Cell copy_cell(const Cell& c) { return c ? make_cell(copy_value(c->value)) : nullptr; }

// Assigns element by element, so that references into `to` stay valid; false where a readonly cell would
// change.
bool assign_value(Slot& to, const Value& from);

// For messages: "a tensor", "a number", ...
const char* kind_of(const Value&);

}  // namespace flashlight::frontend
