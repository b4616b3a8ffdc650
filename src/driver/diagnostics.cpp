// SPDX-License-Identifier: Apache-2.0
// Renders diagnostics.
#include "driver/diagnostics.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace flashlight::driver {

using frontend::Diagnostic;
using frontend::Severity;

namespace {

constexpr std::size_t kWindow = 160;  // bytes of a source line that are shown

struct Style {
  const char *word, *colour;
};

Style style_of(Severity s) {
  switch (s) {
    case Severity::Error: return {"error", "\033[1;31m"};
    case Severity::Warning: return {"warning", "\033[1;35m"};
    case Severity::Remark: return {"remark", "\033[1;34m"};
    case Severity::Note: return {"note", "\033[1;36m"};
  }
  return {"error", ""};
}

std::string printable(const std::string& text) {
  std::string out = text;
  for (char& c : out)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n') || c == 0x7f) c = '?';
  return out;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The part of a line around the caret, cut at character boundaries; `column` moves with it.
std::string window(const std::string& line, std::size_t& column) {
  if (line.size() <= kWindow) return line;
  std::size_t begin = column > kWindow / 2 ? column - kWindow / 2 : 0;
  while (begin > 0 && continues(line[begin])) --begin;
  std::size_t end = std::min(line.size(), begin + kWindow);
  while (end < line.size() && continues(line[end])) ++end;
  column -= begin;
  return line.substr(begin, end - begin);
}

std::string caret_line(const std::string& line, std::size_t column) {
  std::string out;
  for (std::size_t i = 0; i < column && i < line.size(); ++i) {
    if (line[i] == '\t') out += '\t';
    else if (!continues(line[i])) out += ' ';
  }
  return out + '^';
}

}  // namespace

std::string render(const Diagnostic& d, bool colours) {
  auto paint = [&](const char* code, const std::string& text) {
    return colours ? code + text + "\033[0m" : text;
  };
  std::string place = d.where.file.empty() ? "flashlight-translate" : printable(d.where.file);
  if (d.where.line > 0) place += ":" + std::to_string(d.where.line) + ":" + std::to_string(d.where.column);
  Style style = style_of(d.severity);
  std::string out = paint("\033[1m", place + ": ") + paint(style.colour, std::string(style.word) + ": ") +
                    paint("\033[1m", printable(d.text));
  if (!d.id.empty()) out += " [" + d.id + "]";
  out += "\n";
  if (!d.source_line.empty() && d.where.column > 0 && d.where.column <= d.source_line.size() + 1) {
    std::size_t column = d.where.column - 1;
    std::string line = window(d.source_line, column);
    out += "  " + printable(line) + "\n  " + paint("\033[1;32m", caret_line(line, column)) + "\n";
  }
  if (!d.hint.empty()) out += paint("\033[1;36m", "hint: ") + printable(d.hint) + "\n";
  return out;
}

bool wants_colours() {
  const char* no = std::getenv("NO_COLOR");
  return isatty(STDERR_FILENO) && (!no || !*no);
}

}  // namespace flashlight::driver
