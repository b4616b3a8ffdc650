// SPDX-License-Identifier: Apache-2.0
// Naming and collecting findings.
#include "emulator/findings.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace flashlight::emulator {

const char* kind_name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kOutOfBoundsGlobal: return "out-of-bounds-global";
    case FindingKind::kOutOfBoundsShared: return "out-of-bounds-shared";
    case FindingKind::kMisaligned: return "misaligned";
    case FindingKind::kUninitialisedShared: return "uninitialised-shared";
    case FindingKind::kUninitialisedRegister: return "uninitialised-register";
    case FindingKind::kPendingCopy: return "pending-copy";
    case FindingKind::kRace: return "race";
    case FindingKind::kDivergence: return "divergence";
    case FindingKind::kInvalidOperand: return "invalid-operand";
    case FindingKind::kIndexOutOfRange: return "index-out-of-range";
    case FindingKind::kPendingRegister: return "pending-register";
    case FindingKind::kMissingFence: return "missing-fence";
    case FindingKind::kBarrier: return "barrier";
    case FindingKind::kRegisterCount: return "register-count";
    case FindingKind::kDeadlock: return "deadlock";
    case FindingKind::kException: return "exception";
  }
  return "unknown";
}

std::string to_string(const Finding& f) {
  return std::string(kind_name(f.kind)) + " in kernel " + f.kernel + ", block " + std::to_string(f.block) +
         ", thread " + std::to_string(f.thread) + ", " + f.file + ":" + std::to_string(f.line) + ": " +
         f.text;
}

Site Sites::number(const std::source_location& where) {
  const char* const file = where.file_name();
  const unsigned line = where.line();
  Recent& recent = recent_[(reinterpret_cast<std::uintptr_t>(file) + line * 31u) % std::size(recent_)];
  if (recent.file == file && recent.line == line) return recent.site;
  auto known = std::find_if(lines_.begin(), lines_.end(),
                            [&](const Line& l) { return l.line == line && std::strcmp(l.file, file) == 0; });
  if (known == lines_.end()) {
    if (lines_.size() > 0xffff) return 0;
    known = lines_.insert(lines_.end(), Line{file, line});
  }
  recent = {file, line, static_cast<Site>(known - lines_.begin())};
  return recent.site;
}

std::string to_string(const Sites::Line& line) {
  const char* const slash = std::strrchr(line.file, '/');
  return std::string(slash ? slash + 1 : line.file) + ":" + std::to_string(line.line);
}

std::string function_name(const char* pretty) {
  std::string name(pretty);
  const std::string unnamed =
      "(anonymous namespace)::";  // as Clang spells it; its parenthesis starts no parameter list
  for (std::size_t at; (at = name.find(unnamed)) != std::string::npos;) name.erase(at, unnamed.size());
  // The parameter list starts at the first '(' outside template arguments; the name ends there and starts
  // after a space or "::".
  int depth = 0;
  std::size_t end = name.size();
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<') ++depth;
    if (name[i] == '>') --depth;
    if (name[i] == '(' && depth == 0) {
      end = i;
      break;
    }
  }
  std::size_t begin = 0;
  depth = 0;
  for (std::size_t i = 0; i < end; ++i) {
    if (name[i] == '<') ++depth;
    if (name[i] == '>') --depth;
    if (depth == 0 && (name[i] == ' ' || name[i] == ':')) begin = i + 1;
  }
  return name.substr(begin, end - begin);
}

void FindingLog::add(Finding finding, std::size_t limit) {
  for (Finding& f : findings_) {
    if (f.kind == finding.kind && f.line == finding.line && f.kernel == finding.kernel &&
        f.file == finding.file) {
      ++f.count;
      return;
    }
  }
  if (findings_.size() < limit) findings_.push_back(std::move(finding));
}

std::vector<Finding> FindingLog::take() { return std::exchange(findings_, {}); }

}  // namespace flashlight::emulator
