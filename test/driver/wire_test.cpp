// SPDX-License-Identifier: Apache-2.0
// A Translation survives the way through bytes; anything else is refused.
#include <gtest/gtest.h>

#include "driver/translation.h"

namespace flashlight::driver {
namespace {

Translation sample() {
  Translation t;
  t.exit_code = 3;
  frontend::Diagnostic d;
  d.severity = frontend::Severity::Note;
  d.id = "some-id";
  d.where = {"a.cpp", 12, 34};
  d.text = std::string("a\0b", 3);
  d.hint = "hint";
  d.source_line = "line";
  t.diagnostics = {d, d};
  t.units = {"one", ""};
  t.dependencies = {{"x", "y"}, {}};
  t.report = "{}";
  t.printed = "printed";
  return t;
}

TEST(Wire, RoundTrip) {
  Translation in = sample(), out = from_bytes(to_bytes(in));
  EXPECT_EQ(to_bytes(out), to_bytes(in));
  EXPECT_EQ(out.exit_code, 3);
  ASSERT_EQ(out.diagnostics.size(), 2u);
  EXPECT_EQ(out.diagnostics[1].severity, frontend::Severity::Note);
  EXPECT_EQ(out.diagnostics[1].where.column, 34u);
  EXPECT_EQ(out.diagnostics[1].text, std::string("a\0b", 3));
  EXPECT_EQ(out.units, in.units);
  EXPECT_EQ(out.dependencies, in.dependencies);
  EXPECT_EQ(out.printed, "printed");
}

TEST(Wire, EveryTruncationIsRefused) {
  std::string bytes = to_bytes(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(from_bytes(bytes.substr(0, size)), std::runtime_error) << size;
  EXPECT_THROW(from_bytes(bytes + "x"), std::runtime_error);
}

TEST(Wire, LengthsBeyondTheEndAreRefused) {
  std::string bytes = to_bytes(sample());
  for (std::size_t at = 0; at + 8 <= bytes.size(); ++at) {
    std::string bad = bytes;
    bad.replace(at, 8, std::string(8, '\xff'));
    try {
      from_bytes(bad);
    } catch (const std::runtime_error&) {}
  }
}

}  // namespace
}  // namespace flashlight::driver
