// SPDX-License-Identifier: Apache-2.0
// Reads golden cases from their text file.
#include "golden.h"

#include <deque>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace flashlight::golden {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  if (text == "-") return parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

Sizes sizes_of(const std::string& text) {
  Sizes sizes;
  for (const std::string& part : split(text, ':')) sizes.push_back(std::stoll(part));
  return sizes;
}

DType dtype_of(const std::string& text) {
  for (DType dtype : {kFloat16, kBFloat16, kFloat32, kFloat64, kInt8, kUInt8, kInt32, kInt64, kBool})
    if (text == name_of(dtype)) return dtype;
  throw std::runtime_error("dtype " + text);
}

// Memory of the recorded tensors, which lives as long as the process.
std::deque<std::vector<unsigned char>> storages;

Tensor tensor_of(std::istringstream& record) {
  std::string dtype, sizes, strides, hex;
  std::int64_t offset = 0;
  record >> dtype >> sizes >> strides >> offset >> hex;
  if (hex == "-") hex.clear();
  std::vector<unsigned char>& storage = storages.emplace_back(hex.size() / 2 + 1);
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    storage[i / 2] = static_cast<unsigned char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  const DType type = dtype_of(dtype);
  return Tensor::wrap(storage.data() + offset * static_cast<std::int64_t>(element_size(type)),
                      sizes_of(sizes), sizes_of(strides), type);
}

}  // namespace

Scalar Argument::scalar() const {
  if (text_[0] == 'b') return flag();
  if (text_[0] == 'i') return integer();
  return number();
}
Sizes Argument::list() const { return sizes_of(text_.substr(1)); }
DType Argument::dtype() const { return dtype_of(text_.substr(1)); }
std::string Argument::string() const {
  std::string text = text_.substr(1);
  for (char& c : text) c = c == '_' ? ' ' : c == ';' ? ',' : c;
  return text;
}

std::vector<Case> load_cases(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path);
  std::map<std::string, Tensor> tensors;
  std::vector<Case> cases;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    std::istringstream record(line);
    std::string kind, name, inputs, arguments, outputs;
    record >> kind >> name;
    if (kind == "tensor") {
      tensors[name] = tensor_of(record);
      continue;
    }
    Case one;
    one.op = name;
    one.line = number;
    record >> one.check >> inputs >> arguments >> outputs;
    for (const std::string& input : split(inputs, ',')) one.inputs.push_back(tensors.at(input));
    for (const std::string& argument : split(arguments, ',')) one.arguments.emplace_back(argument);
    for (const std::string& output : split(outputs, ',')) one.outputs.push_back(tensors.at(output));
    cases.push_back(one);
  }
  return cases;
}

}  // namespace flashlight::golden
