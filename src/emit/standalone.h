// SPDX-License-Identifier: Apache-2.0
// --standalone: the project's headers in place of their includes, so that an emitted file compiles without an
// include path.
#pragma once
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace flashlight::emit {

// The text of a header by the name it is included by ("flashlight/tensor.h", "dlpack/dlpack.h"). May throw.
using ReadHeader = std::function<std::string(const std::string& name)>;

class Inliner {
 public:
  explicit Inliner(ReadHeader read) : read_(std::move(read)) {}

  // The text with the headers that it and they include; each stands once, before its first use.
  std::string inlined(const std::string& text) { return inlined(text, false); }
  // The user's text, whose lines keep their numbers: its includes of these headers become empty lines. Their
  // names, to be inlined in front of it, are appended to `names`.
  static std::string without_includes(const std::string& text, std::vector<std::string>& names);

 private:
  std::string inlined(const std::string& text, bool conditional);
  std::string header(const std::string& name, bool conditional);

  ReadHeader read_;
  std::set<std::string> done_, open_;
};

}  // namespace flashlight::emit
