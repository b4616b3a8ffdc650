// SPDX-License-Identifier: Apache-2.0
// Golden cases of ops: inputs and results computed by PyTorch, read from golden/ops.txt (format:
// make-golden-tensors.py).
#pragma once

#include <flashlight/flashlight.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace flashlight::golden {

// A positional argument of a case.
class Argument {
 public:
  explicit Argument(std::string text) : text_(std::move(text)) {}
  bool none() const { return text_ == "n"; }
  bool flag() const { return text_ == "b1"; }
  std::int64_t integer() const { return std::stoll(text_.substr(1)); }
  double number() const { return std::stod(text_.substr(1)); }
  Scalar scalar() const;
  Sizes list() const;
  std::string string() const;
  DType dtype() const;
  Optional<std::int64_t> maybe_integer() const { return none() ? Optional<std::int64_t>() : integer(); }
  Optional<double> maybe_number() const { return none() ? Optional<double>() : number(); }
  Optional<Scalar> maybe_scalar() const { return none() ? Optional<Scalar>() : scalar(); }

 private:
  std::string text_;
};

struct Case {
  std::string op, check;
  std::vector<Tensor> inputs, outputs;
  std::vector<Argument> arguments;
  int line = 0;
};

std::vector<Case> load_cases(const std::string& path);

// How to run each op of the file.
using Run = std::function<std::vector<Tensor>(const std::vector<Tensor>&, const std::vector<Argument>&)>;
const std::map<std::string, Run>& op_table();

}  // namespace flashlight::golden
