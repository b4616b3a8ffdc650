// SPDX-License-Identifier: Apache-2.0
// The host side of emitted files: binding tensors to symbolic sizes, checking what a kernel was built on,
// making results.
#pragma once

#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include "flashlight/device/launch.h"
#include "flashlight/flashlight.h"
#include "flashlight/generated/order.h"
#include "flashlight/generated/product.h"
#include "flashlight/generated/tensor_arg.h"
#include "flashlight/runtime.h"

#if defined(__CUDACC__)
#include "flashlight/generated/cuda_device.h"
#else
#include "flashlight/emulator/emulator.h"
#endif

namespace flashlight::generated {

// An undefined tensor, as an empty optional hands it on, is on no device.
inline bool is_cuda(const Tensor& tensor) { return tensor.defined() && tensor.device() == Device::kCUDA; }

// What an axis of a parameter must measure: the value of size symbol `symbol`, or `constant` where symbol is
// -1. With `may_be_one`, an axis of size 1 is read with stride 0.
struct Axis {
  int symbol = -1;
  long long constant = 0;
  bool may_be_one = false;
};

// A storage type known at launch: the promotion of the parameters' types and a constant one (-1: none).
struct TypeRule {
  std::vector<int> parameters;
  int constant = -1;
};

// An operand of a contraction, and the types the program converts it to (none: it is used as it is stored).
struct OperandType {
  int parameter = -1;
  std::vector<TypeRule> conversions;
};

// One call of a fused function. Every member throws flashlight::Error whose text names the function and the
// argument.
class Launch {
 public:
  explicit Launch(const char* function) : function_(function) {}

  // Results go to these tensors instead of fresh ones; they are checked against the sizes and types they must
  // have.
  void into(const TensorList& results) { given_ = results; }

  // Intermediates lie in this device memory instead of fresh one.
  void workspace(void* memory, std::size_t bytes);
  // Nothing is to be computed: see measuring().
  void measure() { measuring_ = true; }
  bool measuring() const { return measuring_; }
  // What the intermediates declared so far take of a workspace.
  std::size_t workspace_bytes() const { return workspace_used_; }

  // Declares one of which nothing is read but these sizes, its last ones: it takes no part in the batch pack.
  void aside(const char* name, const Tensor& tensor, std::initializer_list<Axis> axes);

  // The tensor with leading axes of size 1 up to this rank, for one that takes its rank from others.
  static Tensor padded(const Tensor& tensor, int rank);

  // Declares the next tensor parameter. With `pack`, the axes before `axes` are the batch pack, which
  // broadcasts.
  void tensor(const char* name, const Tensor& tensor, bool pack, std::initializer_list<Axis> axes);
  // Settles every size, and sees that results lie apart from parameters; call it after the last tensor().
  void bind();
  // Declares, after bind(), the next tensor parameter: one that a kernel of this call writes and later ones
  // read.
  void intermediate(const char* name, bool pack, std::initializer_list<long long> sizes, DType dtype);
  // Declares, after the intermediates, a product of tensor parameters that goes to `c`, which has `c_axes`
  // axes behind the batch pack's. `axes` are those of the result, then the summed ones. `a_start` and
  // `b_start`: where the operands begin (elements). What has to be packed for it takes part of the workspace.
  Product product(const Tensor& c, int c_axes, int a, long long a_start, int b, long long b_start,
                  std::initializer_list<ProductAxis> axes);
  // Declares, after the intermediates, an order of a parameter's rows, which begin at `start` (elements).
  // `axes` are those of the rows behind the batch pack's, if they have those. `values` and `positions` may be
  // undefined. Rows that do not fit shared memory take part of the workspace.
  Ordering order(int source, long long start, const Tensor& values, const Tensor& positions, bool pack,
                 std::initializer_list<OrderAxis> axes, const OrderAxis& element, long long count,
                 bool descending, int multiprocessors);
  // Declares, after the intermediates, the running sums of a parameter's rows, described as those of an order
  // are.
  RunningSum running_sum(int source, long long start, const Tensor& sums, bool pack,
                         std::initializer_list<OrderAxis> axes, const OrderAxis& element,
                         int multiprocessors);
  // The distance in memory of the parameter's neighbours along an axis, counted behind the pack; 0 where it
  // broadcasts.
  long long stride(int parameter, int axis) const;
  // How the kernel for few queries is to run, if at all. `rows`: queries that share keys, in all groups of
  // `heads`; `batch`: how many such sets there are. `splits`: whether it can take its keys in several runs.
  struct Few {
    long long rows, heads, batch, keys;
    bool splits;
  };
  // 0: not at all. Else in how many runs: the rows' tiles and the keys of each run must be worth it, see
  // launch.cpp. With results given and no workspace there is one, as several need memory.
  int runs_of(const Few& few, int multiprocessors) const;
  // Memory of so many floats that kernels of this call hand on to each other.
  float* scratch(long long floats);
  Tensor& tensor_of(int parameter) { return bound_[static_cast<std::size_t>(parameter)].tensor; }
  // What the program does with these parameters' values: conditions are kBool, integers are not floats. What
  // the kernel would otherwise read is not what the eager program computes.
  void conditions(std::initializer_list<int> parameters) const;
  void integers(std::initializer_list<int> parameters) const;
  // Values of the storage type that promotion gives do not fit `type`: the eager program wraps them around.
  void check_width(const std::vector<int>& parameters, int constant, DType type) const;
  long long size(int symbol) const;
  void check(bool condition, const char* text) const;
  // A size or scalar as the kernels' 32-bit integer.
  int narrow(long long value) const;
  // A number that positions are only compared with: one beyond all of them stands for any other, also where
  // narrow() refuses it.
  long long threshold(long long value) const;
  int grid(long long ctas) const;

  const PackShape& pack() const { return pack_; }
  long long batch() const;  // number of elements of the pack
  DType dtype(int parameter) const { return bound_[parameter].tensor.dtype(); }
  // PyTorch's promotion of the parameters' storage types, and of `constant` where it is given (-1: not).
  DType promoted(const std::vector<int>& parameters, int constant) const;
  // The same for a result, which is of a floating type of at most 32 bits.
  DType float_result(const std::vector<int>& parameters, int constant) const;
  // All these parameters must have one storage type; returns it.
  DType common_dtype(std::initializer_list<int> parameters) const;
  // The type that a contraction's operands are stored in while the kernel works on them. Operands that the
  // program does not convert have it; others have it, or are converted to it, or hold 8-bit integers, which
  // every type holds exactly.
  DType operand_dtype(const std::vector<OperandType>& operands) const;
  [[noreturn]] void fail(const std::string& text) const;
  const char* type_name(DType type) const;
  // What the file was translated for: storage types (--dtypes) of `what`, and head dims up to `most`
  // (--head-dims).
  void check_type(DType type, const char* what, std::initializer_list<DType> available) const;
  void check_head_dim(const char* what, long long size, int most) const;

  template <int R> TensorArg<R> arg(int parameter) const {
    TensorArg<R> result;
    fill(bound_[parameter], R, result.base, result.dtype, result.pack, result.stride);
    return result;
  }

  // The parameter's tensor as matrices that begin `unit` elements apart: `count` of them hold all that start
  // at sums of the pack's strides and of `steps` (elements). A count of 0: some distance is negative, or
  // there are too many.
  struct Stack {
    long long unit, count;
  };
  Stack stack(int parameter, std::initializer_list<long long> steps) const;
  const void* base(int parameter) const { return bound_[parameter].tensor.raw(); }

  // Result `number`: fresh on the parameters' device, or the one given. Its axes: the pack's (with `pack`),
  // then `sizes`.
  Tensor result(int number, bool pack, std::initializer_list<long long> sizes, DType dtype) const;
  // The tensor with `count` axes, those before the last `behind`, as one.
  Tensor merged(const Tensor& tensor, int count, int behind) const;
  template <int R> TensorArg<R> result_arg(const Tensor& tensor, bool pack) const {
    TensorArg<R> result;
    fill_result(tensor, pack, R, result.base, result.dtype, result.pack, result.stride);
    return result;
  }

 private:
  struct Bound {
    std::string name;
    Tensor tensor;
    bool pack;
    std::vector<Axis> axes;
    std::int64_t position(
        std::size_t axis) const;  // of axes[axis] in the tensor; negative where the tensor lacks it
    long long size(std::size_t axis) const;  // 1 where the tensor lacks it
  };
  // What an order and running sums have in common: the rows and their elements.
  Ordering rows_of(int source, long long start, const Tensor& values, const Tensor& positions, bool pack,
                   std::initializer_list<OrderAxis> axes, const OrderAxis& element, int multiprocessors);
  // The next piece of the workspace, or memory of its own.
  void* reserve(std::size_t bytes);
  void bind_pack();
  void check_apart() const;
  void bind_size(const Bound& bound, std::size_t axis);
  void fill(const Bound&, int rank, void*& base, int& dtype, long long* pack, long long* stride) const;
  void fill_result(const Tensor&, bool pack, int rank, void*& base, int& dtype, long long* pack_stride,
                   long long* stride) const;

  const char* function_;
  std::vector<Bound> bound_;
  TensorList given_;
  std::vector<Tensor> reserved_;
  char* workspace_ = nullptr;
  std::size_t workspace_size_ = 0, workspace_used_ = 0;
  bool measuring_ = false;
  std::vector<long long> sizes_;  // by symbol; -1: not seen
  std::vector<std::int64_t> pack_sizes_;
  PackShape pack_{{1, 1, 1, 1}};
};

// Of the memory that this thread's call of a C entry borrows, the tensor that holds the address; false where
// none does.
bool find_borrowed(const void* address, AllocationInfo* info);

#if !defined(__CUDACC__)
// The emulated device checks global accesses against the library's allocations and what C entries were given.
inline bool find_emulated_allocation(const void* address, emulator::Allocation* allocation) {
  AllocationInfo info;
  if (!find_allocation(address, &info) && !find_borrowed(address, &info)) return false;
  *allocation = {info.base, info.bytes};
  return true;
}
#endif

// What a CTA of an instantiation takes: `rows` of the queries, threads, dynamic shared memory.
struct Cta {
  int rows, threads, shared_bytes;
};

// Starts a kernel on `grid` CTAs. Throws flashlight::Error where the launch fails.
template <class P>
void start_grid(void (*kernel)(P), const Launch& launch,
                const std::remove_cv_t<std::remove_reference_t<P>>& p, int grid, const Cta& cta,
                const char* name) {
#if !defined(__CUDACC__)
  emulator::set_allocation_lookup(find_emulated_allocation);
#endif
  if (device::launch(kernel, grid, cta.threads, cta.shared_bytes, current_stream(), p, name) == 0) {
    if (const LaunchObserver observer = launch_observer(); observer && grid > 0) observer(name);
    return;
  }
  launch.fail(std::string(device::last_error_text()) + " (kernel " + name + ", " + std::to_string(grid) +
              " CTAs of " + std::to_string(cta.threads) + " threads and " + std::to_string(cta.shared_bytes) +
              " bytes of shared memory)");
}

// On all rows of all batch elements, a CTA for each tile of rows.
template <class P>
void start(void (*kernel)(P), const Launch& launch, std::remove_cv_t<std::remove_reference_t<P>>& p,
           long long batch, const Cta& cta, const char* name) {
  p.row_tiles = (p.n_row + cta.rows - 1) / cta.rows;
  start_grid(kernel, launch, p, launch.grid(batch * p.row_tiles), cta, name);
}

}  // namespace flashlight::generated
