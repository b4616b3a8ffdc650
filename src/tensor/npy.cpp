// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files. What is read is not trusted: every length is checked before it is used.
#include <flashlight/ops_create.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include "tensor/strided.h"

namespace flashlight {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

[[noreturn]] void fail_file(const char* op, const std::string& path, const std::string& why) {
  throw Error((std::string(op) + "(\"" + path + "\"): " + why).c_str());
}

constexpr std::string_view kMagic("\x93NUMPY", 6);

struct Descriptor {
  const char* text;
  DType dtype;
};
constexpr Descriptor kDescriptors[] = {{"<f2", kFloat16}, {"<V2", kBFloat16}, {"<f4", kFloat32},
                                       {"<f8", kFloat64}, {"|i1", kInt8},     {"|u1", kUInt8},
                                       {"<i4", kInt32},   {"<i8", kInt64},    {"|b1", kBool}};

struct Header {
  DType dtype = kFloat32;
  bool fortran_order = false;
  Sizes shape;
};

// Reads the header: a Python dict literal with exactly the keys descr, fortran_order and shape, in any order.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  Header parse() {
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      const std::string_view key = string();
      expect(':');
      const int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (which < 0 || seen[which]) fail("an unknown or repeated key");
      seen[which] = true;
      if (which == 0) header_.dtype = dtype();
      else if (which == 1) header_.fortran_order = boolean();
      else shape();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size() || !seen[0] || !seen[1] || !seen[2]) fail("an incomplete dict");
    return header_;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    fail_file("load_npy", path_, "malformed header: " + why + " at byte " + std::to_string(at_));
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string("expected '") + c + "'");
  }

  std::string_view string() {
    skip_space();
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) fail("a string without end");
    const std::string_view value = text_.substr(at_, end - at_);
    at_ = end + 1;
    return value;
  }

  DType dtype() {
    skip_space();
    if (at_ < text_.size() && text_[at_] == '[') fail("structured dtypes are not supported");
    const std::string_view value = string();
    for (const Descriptor& descriptor : kDescriptors) {
      const std::string_view known = descriptor.text;
      // NumPy writes '|' where byte order means nothing; accept any little-endian spelling of it.
      const bool little = !value.empty() && (value[0] == '<' || value[0] == '|' || value[0] == '=');
      if (little && value.substr(1) == known.substr(1)) return descriptor.dtype;
    }
    fail("dtype '" + std::string(value) + "' is not supported");
  }

  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return word == "True";
      }
    fail("expected True or False");
  }

  void shape() {
    expect('(');
    while (!accept(')')) {
      if (header_.shape.size() == kMaxRank) fail("more than " + std::to_string(kMaxRank) + " dims");
      header_.shape.push_back(size());
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
  }

  std::int64_t size() {
    skip_space();
    std::int64_t value = 0;
    const std::size_t start = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text_[at_] - '0', &value))
        fail("a size beyond 64 bits");
    if (at_ == start) fail("expected a size");
    return value;
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
  Header header_;
};

// The header and where the elements start.
Header read_header(std::FILE* file, const std::string& path, std::uint64_t file_size,
                   std::uint64_t& data_start) {
  unsigned char fixed[12] = {};
  if (std::fread(fixed, 1, 10, file) != 10 || std::memcmp(fixed, kMagic.data(), kMagic.size()) != 0)
    fail_file("load_npy", path, "not an .npy file");
  const int version = fixed[6];
  if (version < 1 || version > 3 || fixed[7] != 0)
    fail_file("load_npy", path,
              "version " + std::to_string(version) + "." + std::to_string(fixed[7]) +
                  " of the format is not supported (1.0, 2.0, 3.0 are)");
  std::uint64_t length = fixed[8] | std::uint64_t{fixed[9]} << 8;
  data_start = 10;
  if (version > 1) {
    if (std::fread(fixed + 10, 1, 2, file) != 2)
      fail_file("load_npy", path, "the file ends inside its header");
    length |= std::uint64_t{fixed[10]} << 16 | std::uint64_t{fixed[11]} << 24;
    data_start = 12;
  }
  if (length > file_size - data_start) fail_file("load_npy", path, "the file ends inside its header");
  if (length > 65535) fail_file("load_npy", path, "the header is implausibly long");
  std::string text(length, '\0');
  if (std::fread(text.data(), 1, length, file) != length)
    fail_file("load_npy", path, "the file ends inside its header");
  data_start += length;
  return HeaderParser(text, path).parse();
}

Sizes reversed(const Sizes& sizes) {
  Sizes result;
  for (std::size_t i = sizes.size(); i-- > 0;) result.push_back(sizes[i]);
  return result;
}

}  // namespace

Tensor load_npy(TextView path_text) {
  const std::string path = path_text.c_str();
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) fail_file("load_npy", path, "no such regular file");
  const std::uint64_t file_size = std::filesystem::file_size(path, error);
  const File file(error ? nullptr : std::fopen(path.c_str(), "rb"));
  if (!file) fail_file("load_npy", path, "the file cannot be opened");
  std::uint64_t data_start = 0;
  const Header header = read_header(file.get(), path, file_size, data_start);

  // The product of the sizes must match the file before anything of that size is made.
  std::uint64_t bytes = element_size(header.dtype);
  bool any_zero = false, huge = false;
  for (std::int64_t size : header.shape) {
    any_zero |= size == 0;
    huge |= size != 0 && __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes);
  }
  if (any_zero) bytes = 0;
  if ((huge && !any_zero) || bytes != file_size - data_start)
    fail_file("load_npy", path,
              "the header's shape " + detail::shape_text(header.shape) + " of " + name_of(header.dtype) +
                  " does not fit the " + std::to_string(file_size - data_start) + " bytes of elements");
  const Sizes stored = header.fortran_order ? reversed(header.shape) : header.shape;
  const Tensor x = detail::make(stored, header.dtype);
  std::byte* data = detail::mutable_bytes_of(x);
  if (bytes > 0 && std::fread(data, 1, bytes, file.get()) != bytes)
    fail_file("load_npy", path, "the file ends inside its elements");
  if (header.dtype == kBool)
    for (std::uint64_t i = 0; i < bytes; ++i) data[i] = std::byte{data[i] != std::byte{0}};
  if (!header.fortran_order) return x;
  Sizes order;
  for (std::size_t i = stored.size(); i-- > 0;) order.push_back(static_cast<std::int64_t>(i));
  return x.permute(order).contiguous();
}

void save_npy(TextView path_text, const Tensor& x) {
  const std::string path = path_text.c_str();
  detail::require_defined("save_npy", {x});
  const Tensor elements = x.to(kCPU).contiguous();
  std::string dict = "{'descr': '";
  for (const Descriptor& descriptor : kDescriptors)
    if (descriptor.dtype == x.dtype()) dict += descriptor.text;
  dict += "', 'fortran_order': False, 'shape': (";
  for (std::int64_t size : x.sizes()) dict += std::to_string(size) + (x.dim() == 1 ? "," : ", ");
  if (x.dim() > 1) dict.resize(dict.size() - 2);
  dict += "), }";
  // The elements start at a multiple of 64 bytes; a newline ends the header.
  dict.resize((10 + dict.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  dict += '\n';
  std::string head(kMagic);
  head += {'\x01', '\x00', static_cast<char>(dict.size() & 0xff), static_cast<char>(dict.size() >> 8)};
  head += dict;

  File file(std::fopen(path.c_str(), "wb"));
  if (!file) fail_file("save_npy", path, "the file cannot be opened for writing");
  const std::size_t bytes = static_cast<std::size_t>(x.numel()) * element_size(x.dtype());
  bool written = std::fwrite(head.data(), 1, head.size(), file.get()) == head.size() &&
                 (bytes == 0 || std::fwrite(elements.raw(), 1, bytes, file.get()) == bytes);
  written = std::fclose(file.release()) == 0 && written;
  if (!written) fail_file("save_npy", path, "writing failed (disk full?)");
}

}  // namespace flashlight
