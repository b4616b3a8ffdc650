// SPDX-License-Identifier: Apache-2.0
// The pointwise ops of detail/pointwise.def, as functions, operators and in-place operators.
#include "tensor/pointwise.h"

#include <cmath>
#include <string_view>

#include <flashlight/ops.h>

#include "tensor/integer.h"

namespace flashlight {
namespace {

using detail::fail;
using detail::Operand;

enum class Result { Same, Float, Bool };

template <class T> using Map = void (*)(T* result, const T* const* operands, std::int64_t count);

struct PointwiseOp {
  const char* name;
  Result result;
  Map<float> map_float;
  Map<double> map_double;
  Map<std::int64_t> map_int;  // null for Float: integers become kFloat32 first

  template <class T>
  Map<T> map() const {
    if constexpr (std::is_same_v<T, float>) return map_float;
    else if constexpr (std::is_same_v<T, double>) return map_double;
    else return map_int;
  }
};

// Where the integer form of an op comes from, by its result column: Bool uses the row's expression, Same the
// integer.h form.
#define INT_FORM_Same(name) name##_row::map_integer
#define INT_FORM_Bool(name) name##_row::map<std::int64_t>
#define INT_FORM_Float(name) nullptr
#define INT_CALL_Same(call) call
#define INT_CALL_Bool(call) 0
#define INT_CALL_Float(call) 0

#define FL_USE_STD                                                                             \
  using std::ceil, std::cos, std::erf, std::exp, std::exp2, std::expm1, std::fabs, std::floor; \
  using std::fmod, std::log, std::log1p, std::log2, std::pow, std::rint, std::sin, std::sqrt, std::tanh;

#define FL_UNARY(name, result_kind, lo, hi, weight, expression)                                         \
  struct name##_row {                                                                                   \
    template <class T>                                                                                  \
    static void map(T* result, const T* const* operands, std::int64_t count) {                          \
      FL_USE_STD                                                                                        \
      for (std::int64_t i = 0; i < count; ++i) {                                                        \
        const T x = operands[0][i];                                                                     \
        result[i] = static_cast<T>(expression);                                                         \
      }                                                                                                 \
    }                                                                                                   \
    [[maybe_unused]] static void map_integer(std::int64_t* result, const std::int64_t* const* operands, \
                                             std::int64_t count) {                                      \
      for (std::int64_t i = 0; i < count; ++i) {                                                        \
        [[maybe_unused]] const std::int64_t x = operands[0][i];                                         \
        result[i] = INT_CALL_##result_kind(detail::integer::name(x));                                   \
      }                                                                                                 \
    }                                                                                                   \
  };                                                                                                    \
  const PointwiseOp name##_op = {#name, Result::result_kind, name##_row::map<float>,                    \
                                 name##_row::map<double>, INT_FORM_##result_kind(name)};

#define FL_BINARY(name, result_kind, weight, expression)                                                \
  struct name##_row {                                                                                   \
    template <class T>                                                                                  \
    static void map(T* result, const T* const* operands, std::int64_t count) {                          \
      FL_USE_STD                                                                                        \
      for (std::int64_t i = 0; i < count; ++i) {                                                        \
        const T x = operands[0][i], y = operands[1][i];                                                 \
        result[i] = static_cast<T>(expression);                                                         \
      }                                                                                                 \
    }                                                                                                   \
    [[maybe_unused]] static void map_integer(std::int64_t* result, const std::int64_t* const* operands, \
                                             std::int64_t count) {                                      \
      for (std::int64_t i = 0; i < count; ++i) {                                                        \
        [[maybe_unused]] const std::int64_t x = operands[0][i], y = operands[1][i];                     \
        result[i] = INT_CALL_##result_kind(detail::integer::name(x, y));                                \
      }                                                                                                 \
    }                                                                                                   \
  };                                                                                                    \
  const PointwiseOp name##_op = {#name, Result::result_kind, name##_row::map<float>,                    \
                                 name##_row::map<double>, INT_FORM_##result_kind(name)};

#include <flashlight/detail/pointwise.def>
#undef FL_UNARY
#undef FL_BINARY

TensorList tensors_of(std::initializer_list<Operand> operands) {
  std::vector<Tensor> tensors;
  for (const Operand& operand : operands)
    if (!operand.is_scalar) tensors.push_back(operand.tensor);
  return tensors;
}

// The dtype the op computes in, by promotion. Refuses what has no meaning.
DType compute_dtype(const PointwiseOp& op, std::initializer_list<Operand> operands) {
  detail::Promotion promotion;
  for (const Operand& operand : operands)
    if (operand.is_scalar) promotion.add(operand.scalar);
    else promotion.add(operand.tensor);
  const DType dtype = promotion.result();
  const std::string_view name = op.name;
  if (dtype == kBool && (name == "neg" || name == "sub"))
    fail(op.name, tensors_of(operands), "bool has no subtraction; use ~, ^ or to(kInt32)");
  if (is_floating(dtype) && name.substr(0, 8) == "bitwise_")
    fail(op.name, tensors_of(operands), "& | ^ ~ take bool or integer tensors");
  return op.result == Result::Float && !is_floating(dtype) ? kFloat32 : dtype;
}

void run(const PointwiseOp& op, DType dtype, std::initializer_list<Operand> operands, const Tensor& target) {
  detail::with_compute_type(dtype, [&]<class T>(T) { detail::map_blocks<T>(target, operands, op.map<T>()); });
}

Tensor apply(const PointwiseOp& op, std::initializer_list<Operand> operands) {
  const TensorList tensors = tensors_of(operands);
  detail::require_cpu(op.name, tensors);
  const DType dtype = compute_dtype(op, operands);
  const Sizes sizes = detail::broadcast_sizes(op.name, tensors);
  const Tensor target = detail::make(sizes, op.result == Result::Bool ? kBool : dtype);
  run(op, dtype, operands, target);
  return target;
}

Tensor& apply_in_place(const PointwiseOp& op, Tensor& x, Operand y) {
  const TensorList tensors = tensors_of({x, y});
  detail::require_cpu(op.name, tensors);
  const DType dtype = compute_dtype(op, {x, y});
  const bool widens =
      (is_floating(dtype) && !is_floating(x.dtype())) || (dtype != kBool && x.dtype() == kBool);
  if (widens)
    fail(op.name, tensors,
         std::string("in place, a result of dtype ") + name_of(dtype) + " does not fit the tensor's dtype");
  if (!(detail::broadcast_sizes(op.name, tensors) == x.sizes()))
    fail(op.name, tensors, "in place, the result must have the sizes of the tensor written to");
  if (detail::overlaps_itself(x))
    fail(op.name, tensors,
         "in place, several indices of the tensor written to are one element (expanded?); clone it");
  // A different view of the same memory would be read after it was written.
  if (!y.is_scalar && detail::shares_storage(x, y.tensor)) y = Operand(y.tensor.clone());
  run(op, dtype, {x, y}, x);
  return x;
}

}  // namespace

#define FL_UNARY(name, result, lo, hi, weight, expression)       \
  Tensor name(const Tensor& x) { return apply(name##_op, {x}); } \
  Tensor Tensor::name() const { return apply(name##_op, {*this}); }
#define FL_BINARY(name, result, weight, expression)                                           \
  Tensor name(const Tensor& x, const Tensor& y) { return apply(name##_op, {x, y}); }          \
  Tensor name(const Tensor& x, Scalar y) { return apply(name##_op, {x, y}); }                 \
  Tensor name(Scalar x, const Tensor& y) { return apply(name##_op, {x, y}); }                 \
  Tensor Tensor::name(const Tensor& other) const { return apply(name##_op, {*this, other}); } \
  Tensor Tensor::name(Scalar other) const { return apply(name##_op, {*this, other}); }
#include <flashlight/detail/pointwise.def>
#undef FL_UNARY
#undef FL_BINARY

#define FL_OPERATOR(symbol, name)                                                               \
  Tensor operator symbol(const Tensor& x, const Tensor& y) { return apply(name##_op, {x, y}); } \
  Tensor operator symbol(const Tensor& x, Scalar y) { return apply(name##_op, {x, y}); }        \
  Tensor operator symbol(Scalar x, const Tensor& y) { return apply(name##_op, {x, y}); }
FL_OPERATOR(+, add)
FL_OPERATOR(-, sub)
FL_OPERATOR(*, mul)
FL_OPERATOR(/, div)
FL_OPERATOR(%, remainder)
FL_OPERATOR(<, lt)
FL_OPERATOR(<=, le)
FL_OPERATOR(>, gt)
FL_OPERATOR(>=, ge)
FL_OPERATOR(==, eq)
FL_OPERATOR(!=, ne)
FL_OPERATOR(&, bitwise_and)
FL_OPERATOR(|, bitwise_or)
FL_OPERATOR(^, bitwise_xor)

#define FL_IN_PLACE(symbol, name)                                                                           \
  Tensor& Tensor::operator symbol(const Tensor & other) { return apply_in_place(name##_op, *this, other); } \
  Tensor& Tensor::operator symbol(Scalar other) { return apply_in_place(name##_op, *this, other); }
FL_IN_PLACE(+=, add)
FL_IN_PLACE(-=, sub)
FL_IN_PLACE(*=, mul)
FL_IN_PLACE(/=, div)

Tensor operator-(const Tensor& x) { return apply(neg_op, {x}); }
Tensor operator~(const Tensor& x) { return bitwise_not(x); }

Tensor bitwise_not(const Tensor& x) {
  detail::require_cpu("bitwise_not", {x});
  if (is_floating(x.dtype())) fail("bitwise_not", {x}, "& | ^ ~ take bool or integer tensors");
  return x.dtype() == kBool ? apply(logical_not_op, {x}) : apply(bitwise_xor_op, {x, Scalar(-1)});
}

}  // namespace flashlight
