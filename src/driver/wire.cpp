// SPDX-License-Identifier: Apache-2.0
// A Translation as bytes: numbers of eight bytes, strings and lists behind their length.
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "driver/translation.h"

namespace flashlight::driver {

using frontend::Diagnostic;

namespace {

constexpr std::uint64_t kMagic = 0x466c617368543031;  // also tells a truncated answer from none

class Writer {
 public:
  void operator()(const std::uint64_t& n) { out.append(reinterpret_cast<const char*>(&n), sizeof n); }
  void operator()(const std::string& s) {
    (*this)(std::uint64_t{s.size()});
    out += s;
  }
  std::string out;
};

class Reader {
 public:
  explicit Reader(const std::string& in) : in_(in) {}
  void operator()(std::uint64_t& n) { std::memcpy(&n, take(sizeof n), sizeof n); }
  void operator()(std::string& s) {
    std::uint64_t size;
    (*this)(size);
    s.assign(take(size), size);
  }
  bool at_end() const { return at_ == in_.size(); }

 private:
  const char* take(std::uint64_t size) {
    if (size > in_.size() - at_) throw std::runtime_error("the answer of the translation is cut short");
    const char* begin = in_.data() + at_;
    at_ += size;
    return begin;
  }
  const std::string& in_;
  std::size_t at_ = 0;
};

// One description of the format serves both directions.
template <class Wire, class Int>
void number(Wire& wire, Int& value) {
  std::uint64_t n = static_cast<std::uint64_t>(value);
  wire(n);
  if constexpr (!std::is_const_v<Int>) value = static_cast<Int>(n);
}

template <class Wire, class List, class Each>
void list(Wire& wire, List& values, Each each) {
  std::uint64_t size = values.size();
  wire(size);
  if constexpr (!std::is_const_v<List>)
    for (values.clear(); values.size() < size;) each(values.emplace_back());
  else
    for (const auto& v : values) each(v);
}

template <class Wire, class D>
void diagnostic(Wire& wire, D& d) {
  number(wire, d.severity);
  wire(d.id);
  wire(d.where.file);
  number(wire, d.where.line);
  number(wire, d.where.column);
  wire(d.text);
  wire(d.hint);
  wire(d.source_line);
}

template <class Wire, class T>
void translation(Wire& wire, T& t) {
  std::uint64_t magic = kMagic;
  wire(magic);
  if (magic != kMagic) throw std::runtime_error("the answer of the translation is not one");
  number(wire, t.exit_code);
  list(wire, t.diagnostics, [&](auto& d) { diagnostic(wire, d); });
  list(wire, t.units, [&](auto& s) { wire(s); });
  list(wire, t.dependencies, [&](auto& files) { list(wire, files, [&](auto& s) { wire(s); }); });
  wire(t.report);
  wire(t.c_header);
  wire(t.printed);
}

}  // namespace

std::string to_bytes(const Translation& t) {
  Writer wire;
  translation(wire, t);
  return std::move(wire.out);
}

Translation from_bytes(const std::string& bytes) {
  Reader wire(bytes);
  Translation t;
  translation(wire, t);
  if (!wire.at_end()) throw std::runtime_error("the answer of the translation has bytes left over");
  return t;
}

}  // namespace flashlight::driver
