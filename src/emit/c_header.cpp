// SPDX-License-Identifier: Apache-2.0
// See c_header.h.
#include "emit/c_header.h"

#include "emit/text.h"

namespace flashlight::emit {

namespace {

std::string listed(const std::vector<std::string>& names) {
  return names.empty() ? "none" : join(names, ", ");
}

std::string declaration(const FusedFunction& f) {
  const CEntry& e = f.c_entry;
  const std::string& tag = f.source->template_tag;  // tells instantiations of a template
  return "\n/* " + f.source->qualified_name + (tag.empty() ? "" : " where " + tag) +
         ". in: " + listed(e.tensors) + "; out: " + std::to_string(e.results) +
         (e.results == 1 ? " tensor" : " tensors") + "; scalars: " + listed(e.scalars) + ". */\n" +  //
         "int " + e.symbol +
         "(const DLTensor* const* in, DLTensor* const* out, const double* scalars, void* workspace,\n" +
         std::string(e.symbol.size() + 5, ' ') + "size_t workspace_bytes, void* stream);\n" +  //
         "size_t " + e.symbol + "_workspace_size(const DLTensor* const* in, const double* scalars);\n";
}

}  // namespace

std::string render_c_header(const std::vector<const std::vector<FusedFunction>*>& units) {
  std::string text =
      "/* Written by flashlight-translate: the C entries of the emitted files.\n"
      "\n"
      "   Tensors are DLPack's, in the order of the function's parameters; results go to tensors that the "
      "caller made, of the\n"
      "   sizes and types that the function returns. A call starts work on `stream` (a cudaStream_t, or "
      "NULL) and returns 0,\n"
      "   or another number after an error; then nothing is written. `workspace` has at least the bytes that "
      "_workspace_size\n"
      "   asks for, or may be NULL: what is needed is then allocated, and keys are not split over CTAs. "
      "_workspace_size returns\n"
      "   (size_t)-1 after an error. */\n"
      "#pragma once\n\n#include <dlpack/dlpack.h>\n#include <stddef.h>\n\n"
      "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
      "/* What went wrong in this thread's last call; empty after a call that succeeded. */\n"
      "const char* flashlight_last_error(void);\n";
  for (const auto* functions : units) {
    for (const FusedFunction& f : *functions) {
      if (!f.c_entry.symbol.empty()) text += declaration(f);
    }
  }
  return text + "\n#ifdef __cplusplus\n}\n#endif\n";
}

}  // namespace flashlight::emit
