// SPDX-License-Identifier: Apache-2.0
// Float64 results kept in files, so that a run on another machine is held against numbers it did not compute
// itself.
#pragma once

#include <flashlight/flashlight.h>

#include <string>

namespace sample {

class References {
 public:
  // save(): results are written to the folder, which exists; larger ones than kLargest numbers are left out.
  // expect(): results are compared with the folder's.
  void save(std::string folder) { save_ = std::move(folder); }
  void expect(std::string folder) { expected_ = std::move(folder); }
  void begin_case() { ++case_; }

  // Saves or compares the float64 result of the running case. `comparison` and `output` count from 0. Returns
  // what is wrong with r, nothing if it is as kept or none is kept. Throws flashlight::Error for files it
  // cannot read or write.
  std::string visit(const flashlight::Tensor& r, int comparison, int output);

  // True where expect() was called and not a single result was found: nothing has been compared then.
  bool found_none() const { return !expected_.empty() && compared_ == 0; }
  int compared() const { return compared_; }

 private:
  static constexpr std::int64_t kLargest = 12000;
  std::string save_, expected_;
  int case_ = -1, compared_ = 0;
};

}  // namespace sample
