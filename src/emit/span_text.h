// SPDX-License-Identifier: Apache-2.0
// Covers that intervals decide, as text: the mask evaluated on spans (flashlight/device/span.h).
#pragma once
#include "emit/point.h"
#include "kernel/cover.h"

namespace flashlight::emit {

class SpanText {
 public:
  SpanText(const kernel::Program& program, const kernel::CoverData& data, PointPrinter& points)
      : graph_(program.function->graph), stream_(program.plan->stream), data_(data), points_(points) {}

  // Declares rows<k>, the spans over the rows of the tile that the cover reads.
  void write_rows(const kernel::Cover& cover, Writer& w);
  // Declares a function of type Kept: `name`(col0) for a tile, or where the cover reads values of keys
  // `name`(j, at) for one key and captured_by(name)(j), which loads what it reads first.
  void write_function(const std::string& name, const kernel::Cover& cover, Writer& w);
  static std::string captured_by(const std::string& name) {
    return "captured" + name.substr(std::string("kept").size());
  }
  // The captured integers that are uniform: data<k>.
  std::vector<Code> uniform() const;

 private:
  void find_loads(const fusion::Access& at, std::vector<fusion::Access>& loads) const;
  void write_captured(const std::string& name, const std::set<int>& keys, Writer& w);
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

  const graph::Graph& graph_;
  const int stream_;
  const kernel::CoverData& data_;
  PointPrinter& points_;
  std::set<int> declared_;
  bool by_key_ = false, uses_rows_ = false, uses_keys_ = false;
};

}  // namespace flashlight::emit
