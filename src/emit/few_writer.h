// SPDX-License-Identifier: Apache-2.0
// The kernel for few queries, and the one that combines what its runs of keys leave. Both run the steps of
// the same program as any kernel: the first sweeps a run of keys and stores the sweep's states, the second
// joins them by the program's Combine, in the order of the runs, and stores the results. Where the keys are
// one run, the first stores those itself.
#pragma once
#include "emit/kernel_writer.h"

namespace flashlight::emit {

class FewWriter : public KernelWriter {
 public:
  FewWriter(const kernel::Program& program, const std::string& name, Parameters& parameters);

 protected:
  // The matrix of a state that the runs' memory holds: `text` of the run's number.
  std::string state_matrix(std::size_t state, const std::string& run);
  bool has_runs() const { return program_.combine.has_value(); }
  void write_batch(Writer& w, const std::string& cta);
  std::string batch_element() const;

 private:
  void write_kernel(const Writer& sweeps) override;
  void write_params() override;
  void write_bounds(CoverText& cover, Writer& w) override;
  void write_left(const kernel::Sweep& sweep, Writer& w) override;
};

class CombineWriter final : public FewWriter {
 public:
  CombineWriter(const kernel::Program& program, const std::string& name, Parameters& parameters);
  KernelText run();

 private:
  void load_states(const std::vector<kernel::State>& states, const std::string& run, Writer& w);
};

}  // namespace flashlight::emit
