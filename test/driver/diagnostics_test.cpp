// SPDX-License-Identifier: Apache-2.0
// Diagnostics look as editors expect, and carry nothing that drives a terminal.
#include "driver/diagnostics.h"

#include <gtest/gtest.h>

namespace flashlight::driver {
namespace {

frontend::Diagnostic sample() {
  frontend::Diagnostic d;
  d.id = "inseparable-log";
  d.where = {"a.cpp", 7, 3};
  d.text = "log of a sum";
  d.hint = "move the log behind the sum";
  d.source_line = "\tx = log(y);";
  return d;
}

TEST(Diagnostics, PlaceTextIdCaretAndHint) {
  EXPECT_EQ(render(sample(), false),
            "a.cpp:7:3: error: log of a sum [inseparable-log]\n"
            "  \tx = log(y);\n"
            "  \t ^\n"
            "hint: move the log behind the sum\n");
}

TEST(Diagnostics, SeveritiesAndMissingParts) {
  frontend::Diagnostic d;
  d.severity = frontend::Severity::Remark;
  d.text = "text";
  EXPECT_EQ(render(d, false), "flashlight-translate: remark: text\n");
  d.where.file = "a.cpp";
  d.severity = frontend::Severity::Note;
  EXPECT_EQ(render(d, false), "a.cpp: note: text\n");
}

TEST(Diagnostics, ColoursWrapTheParts) {
  std::string text = render(sample(), true);
  EXPECT_NE(text.find("\033[1;31merror: \033[0m"), std::string::npos);
}

TEST(Diagnostics, TheCaretCountsCharactersNotBytes) {
  frontend::Diagnostic d = sample();
  d.source_line = "\xc3\xa4\xc3\xb6 = 1;";  // two letters of two bytes
  d.where.column = 6;
  EXPECT_NE(render(d, false).find("\n     ^\n"), std::string::npos) << render(d, false);
}

TEST(Diagnostics, LongLinesAreCutAroundTheCaret) {
  frontend::Diagnostic d = sample();
  d.source_line = std::string(5000, 'a') + "HERE" + std::string(5000, 'b');
  d.where.column = 5001;
  std::string text = render(d, false);
  EXPECT_LT(text.size(), 600u);
  EXPECT_NE(text.find("HERE"), std::string::npos);
}

TEST(Diagnostics, ColumnsBeyondTheLineDrawNoCaret) {
  frontend::Diagnostic d = sample();
  d.where.column = 4000;
  EXPECT_EQ(render(d, false).find('^'), std::string::npos);
}

TEST(Diagnostics, ControlCharactersAreReplaced) {
  frontend::Diagnostic d = sample();
  d.where.file = "a\033[2J.cpp";
  d.source_line = "x\033]0;title\007";
  d.text = "t\033";
  EXPECT_EQ(render(d, false).find('\033'), std::string::npos);
}

}  // namespace
}  // namespace flashlight::driver
