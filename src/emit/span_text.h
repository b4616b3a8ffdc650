// SPDX-License-Identifier: Apache-2.0
// Covers that intervals decide, as text: the mask evaluated on spans (flashlight/device/span.h).
#pragma once
#include "emit/point.h"
#include "kernel/cover.h"

namespace flashlight::emit {

class SpanText {
 public:
  SpanText(const kernel::CoverData& data, PointPrinter& points) : data_(data), points_(points) {}

  // Declares rows<k>, the spans over the rows of the tile that the cover reads.
  void write_rows(const kernel::Cover& cover, Writer& w);
  // Declares a function of type Kept: `name`(j) for one key where the cover reads values of keys, else `name`(col0) for a tile.
  void write_function(const std::string& name, const kernel::Cover& cover, Writer& w);
  // The captured integers that are uniform: data<k>.
  std::vector<Code> uniform() const;

 private:
  Code kept(const kernel::Cover& cover);
  Code compared(const kernel::Cover& cover);
  Code joined(const kernel::Cover& cover);
  Code value(const kernel::Interval& x);
  Code form(const kernel::Interval& x);
  std::string span(const kernel::Interval& x);
  Code point(const kernel::PointSum& sum);
  void collect(const kernel::Interval& x, std::set<int>& rows, std::set<int>& keys) const;
  void collect(const kernel::Cover& cover, std::set<int>& rows, std::set<int>& keys) const;
  bool is_key(const kernel::Interval& x) const;
  bool is_span(const kernel::Interval& x) const;
  bool is_real(const kernel::Interval& x) const;

  const kernel::CoverData& data_;
  PointPrinter& points_;
  std::set<int> declared_;
  bool by_key_ = false, uses_rows_ = false, uses_keys_ = false;
};

}  // namespace flashlight::emit
