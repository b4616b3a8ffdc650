// SPDX-License-Identifier: Apache-2.0
// See flashlight/generated/launch.h.
#include "flashlight/generated/launch.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "runtime/borrowed.h"
#include "runtime/overlap.h"

namespace flashlight::generated {

namespace {

const char* const kNames[] = {"kFloat16", "kBFloat16", "kFloat32", "kFloat64", "kInt8",
                              "kUInt8",   "kInt32",    "kInt64",   "kBool"};

constexpr int kMostColumns = 256;  // of a head dim, in any kernel

// Category: 0 bool, 1 integer, 2 float.
int category(DType t) { return t == DType::kBool ? 0 : t <= DType::kFloat64 ? 2 : 1; }

std::string text_of(const Sizes& sizes) {
  std::string text;
  for (std::int64_t size : sizes) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (category(a) != category(b)) return category(a) > category(b) ? a : b;
  if (category(a) == 2) {
    if (a > DType::kBFloat16 || b > DType::kBFloat16) return std::max(a, b);
    return DType::kFloat32;  // float16 with bfloat16
  }
  auto width = [](DType t) { return t == DType::kInt64 ? 3 : t == DType::kInt32 ? 2 : 1; };
  if (width(a) == 1 && width(b) == 1) return DType::kInt32;  // int8 with uint8: the next that holds both
  return width(a) > width(b) ? a : b;
}

// Device memory as a tensor whose elements lie one behind the other.
Tensor contiguous(void* memory, const Sizes& sizes, DType dtype) {
  Sizes strides = sizes;
  std::int64_t stride = 1;
  for (std::size_t k = sizes.size(); k-- > 0;) {
    strides.data()[k] = stride;
    stride *= sizes[k];
  }
  return Tensor::wrap(memory, sizes, strides, dtype, Device::kCUDA);
}

}  // namespace

void Launch::fail(const std::string& text) const {
  throw Error((std::string(function_) + ": " + text).c_str());
}

const char* Launch::type_name(DType type) const { return kNames[static_cast<int>(type)]; }

void Launch::check_type(DType type, const char* what, std::initializer_list<DType> available) const {
  std::string list;
  for (DType known : available) {
    if (type == known) return;
    list += (list.empty()                      ? ""
             : known == *(available.end() - 1) ? " or "
                                               : ", ") +
            std::string(type_name(known));
  }
  fail(std::string(what) + " is " + type_name(type) + ", and this file has kernels for " + list +
       " only; translate with other --dtypes");
}

void Launch::check_head_dim(const char* what, long long size, int most) const {
  if (size <= most) return;
  fail(std::string(what) + " is " + std::to_string(size) + ", and this file has kernels for up to " +
       std::to_string(most) +
       (most < kMostColumns ? "; translate with larger --head-dims" : ", the most that kernels hold"));
}

void Launch::aside(const char* name, const Tensor& tensor, std::initializer_list<Axis> axes) {
  if (!tensor.defined()) fail("argument '" + std::string(name) + "' is an undefined tensor");
  if (static_cast<std::size_t>(tensor.dim()) < axes.size())
    fail("argument '" + std::string(name) + "' has " + std::to_string(tensor.dim()) +
         " axes where at least " + std::to_string(axes.size()) + " are expected");
  bound_.push_back({name, tensor, false, axes});
}

Tensor Launch::padded(const Tensor& tensor, int rank) {
  Tensor out = tensor;
  while (out.defined() && out.dim() < rank) out = out.unsqueeze(0);
  return out;
}

void Launch::tensor(const char* name, const Tensor& tensor, bool pack, std::initializer_list<Axis> axes) {
  const std::string prefix = "argument '" + std::string(name) + "' ";
  if (!tensor.defined()) fail(prefix + "is an undefined tensor");
  if (tensor.device() != Device::kCUDA) fail(prefix + "is on the CPU where others are CUDA tensors");
  const auto rank = static_cast<std::size_t>(tensor.dim());
  // A tensor that broadcasts may lack the pack's axes and leading ones behind it.
  std::size_t least = axes.size();
  for (auto axis = axes.begin(); pack && axis != axes.end() && axis->may_be_one; ++axis) --least;
  if (pack ? rank < least || rank > axes.size() + kPackAxes : rank != axes.size()) {
    fail(prefix + "has " + std::to_string(rank) + " axes where " + (pack ? "at least " : "") +
         std::to_string(least) + (pack ? " and at most " + std::to_string(axes.size() + kPackAxes) : "") +
         " are expected");
  }
  bound_.push_back({name, tensor, pack, axes});
}

std::int64_t Launch::Bound::position(std::size_t axis) const {
  return tensor.dim() - static_cast<std::int64_t>(axes.size()) + static_cast<std::int64_t>(axis);
}

long long Launch::Bound::size(std::size_t axis) const {
  const std::int64_t at = position(axis);
  return at < 0 ? 1 : tensor.size(at);
}

void Launch::bind_pack() {
  for (const Bound& b : bound_) {
    if (!b.pack) continue;
    const std::size_t rank = static_cast<std::size_t>(b.tensor.dim()),
                      leading = rank - std::min(rank, b.axes.size());
    if (leading > pack_sizes_.size())
      pack_sizes_.insert(pack_sizes_.begin(), leading - pack_sizes_.size(), 1);
    for (std::size_t k = 0; k < leading; ++k) {
      std::int64_t& common = pack_sizes_[pack_sizes_.size() - leading + k];
      const std::int64_t mine = b.tensor.size(static_cast<std::int64_t>(k));
      if (common == 1) common = mine;
      if (mine != common && mine != 1) {
        fail("argument '" + b.name + "' has size " + std::to_string(mine) + " in axis " + std::to_string(k) +
             ", other arguments have " + std::to_string(common));
      }
    }
  }
  for (std::size_t k = 0; k < pack_sizes_.size(); ++k)
    pack_.size[kPackAxes - pack_sizes_.size() + k] = narrow(pack_sizes_[k]);
}

void Launch::bind_size(const Bound& b, std::size_t axis) {
  const Axis& a = b.axes[axis];
  const long long mine = b.size(axis);
  long long expected = a.constant;
  if (a.symbol >= 0) {
    if (static_cast<std::size_t>(a.symbol) >= sizes_.size()) sizes_.resize(a.symbol + 1, -1);
    long long& common = sizes_[a.symbol];
    if (common < 0) common = mine;
    expected = common;
  }
  if (mine != expected && !(a.may_be_one && mine == 1)) {
    fail("argument '" + b.name + "' has size " + std::to_string(mine) + " in axis " +
         std::to_string(b.position(axis)) + " where " + std::to_string(expected) + " is expected");
  }
}

void Launch::bind() {
  bind_pack();
  // An axis that may be 1 does not settle its symbol unless no other does.
  for (const bool tentative : {false, true}) {
    for (const Bound& b : bound_) {
      for (std::size_t a = 0; a < b.axes.size(); ++a) {
        if (b.axes[a].symbol < 0) continue;
        const bool one = b.axes[a].may_be_one && b.size(a) == 1;
        if (one == tentative) bind_size(b, a);
      }
    }
  }
  for (const Bound& b : bound_) {
    for (std::size_t a = 0; a < b.axes.size(); ++a) bind_size(b, a);
  }
  check_apart();
}

// CTAs write while others still read: what is written has memory of its own.
void Launch::check_apart() const {
  std::vector<std::pair<std::string, Tensor>> written;
  for (const Tensor& given : given_)
    written.emplace_back("result " + std::to_string(written.size() + 1), given);
  if (workspace_ && workspace_size_ > 0) {
    const auto bytes = static_cast<std::int64_t>(workspace_size_);
    written.emplace_back("the workspace",
                         Tensor::wrap(workspace_, {bytes}, {1}, DType::kUInt8, Device::kCUDA));
  }
  for (auto w = written.begin(); w != written.end(); ++w) {
    for (const Bound& b : bound_)
      if (share_memory(w->second, b.tensor)) fail(w->first + " shares memory with argument '" + b.name + "'");
    for (auto other = written.begin(); other != w; ++other)
      if (share_memory(w->second, other->second)) fail(w->first + " shares memory with " + other->first);
  }
}

void Launch::workspace(void* memory, std::size_t bytes) {
  workspace_ = static_cast<char*>(memory);
  workspace_size_ = bytes;
}

void* Launch::reserve(std::size_t bytes) {
  constexpr std::size_t kAlignment = 256;
  const std::size_t at = workspace_used_;
  workspace_used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (measuring_ || bytes == 0) return nullptr;
  if (!workspace_) {
    reserved_.push_back(empty({static_cast<std::int64_t>(bytes)}, DType::kUInt8, Device::kCUDA));
    return const_cast<void*>(reserved_.back().raw());
  }
  if (workspace_used_ > workspace_size_) {
    fail("the workspace has " + std::to_string(workspace_size_) +
         " bytes, which are not enough; ask for them by the function's _workspace_size");
  }
  borrow(workspace_ + at, {static_cast<std::int64_t>(bytes)}, {1}, DType::kUInt8);
  return workspace_ + at;
}

void Launch::intermediate(const char* name, bool pack, std::initializer_list<long long> sizes, DType dtype) {
  Sizes all;
  if (pack) {
    for (std::int64_t size : pack_sizes_) all.push_back(size);
  }
  for (long long size : sizes) all.push_back(size);
  std::int64_t elements = 1;
  for (std::int64_t size : all) elements *= size;
  void* const memory = reserve(static_cast<std::size_t>(elements) * element_size(dtype));
  std::vector<Axis> axes;
  for (long long size : sizes) axes.push_back({-1, size});
  bound_.push_back({name, contiguous(memory, all, dtype), pack, std::move(axes)});
}

long long Launch::stride(int parameter, int axis) const {
  const Bound& b = bound_[static_cast<std::size_t>(parameter)];
  const auto at = static_cast<std::size_t>(axis);
  return b.size(at) != 1 ? b.tensor.stride(b.position(at)) : 0;
}

Product Launch::product(const Tensor& c, int c_axes, int a, long long a_start, int b, long long b_start,
                        std::initializer_list<ProductAxis> given) {
  const auto pack_strides = [&](int parameter) {
    return bound_[static_cast<std::size_t>(parameter)].pack ? arg<0>(parameter) : TensorArg<0>{};
  };
  const TensorArg<0> of_a = pack_strides(a), of_b = pack_strides(b);
  std::vector<ProductAxis> axes;
  for (std::int64_t axis = 0; axis < c.dim() - c_axes; ++axis) {
    const auto k = static_cast<std::size_t>(kPackAxes - (c.dim() - c_axes) + axis);
    axes.push_back({c.size(axis), c.stride(axis), of_a.pack[k], of_b.pack[k]});
  }
  axes.insert(axes.end(), given.begin(), given.end());
  const auto tensor = [](const Tensor& t, long long start) {
    char* const data = static_cast<char*>(const_cast<void*>(t.raw()));
    return ProductTensor{data + start * static_cast<long long>(element_size(t.dtype())), t.dtype()};
  };
  const auto reserve_for = [](void* launch, std::size_t bytes) {
    return static_cast<Launch*>(launch)->reserve(bytes);
  };
  try {
    return plan_product(std::move(axes), tensor(c, 0), tensor(tensor_of(a), a_start),
                        tensor(tensor_of(b), b_start), c.dtype(), reserve_for, this);
  } catch (const Error& error) { fail(error.what()); }
}

void Launch::conditions(std::initializer_list<int> parameters) const {
  for (int p : parameters)
    if (dtype(p) != DType::kBool)
      fail("argument '" + bound_[p].name + "' is " + type_name(dtype(p)) +
           " where the function takes kBool; compare it: x != 0");
}

void Launch::integers(std::initializer_list<int> parameters) const {
  for (int p : parameters)
    if (category(dtype(p)) == 2)
      fail("argument '" + bound_[p].name + "' is " + type_name(dtype(p)) +
           " where the kernel takes integers; convert it: x.to(kInt64)");
}

void Launch::check_width(const std::vector<int>& parameters, int constant, DType type) const {
  if (promoted(parameters, constant) != type) return;
  fail("argument '" + bound_[static_cast<std::size_t>(parameters.front())].name + "' is " +
       type_name(dtype(parameters.front())) +
       ", a type in which the function's integers may wrap around; convert it: x.to(kInt64)");
}

float* Launch::scratch(long long floats) {
  if (floats == 0) return nullptr;
  void* const memory = reserve(static_cast<std::size_t>(floats) * sizeof(float));
  return static_cast<float*>(memory);
}

// The kernel for few queries has tiles of kTileRows rows. It runs where
//  - those tiles are fewer than the heads that share their keys, each of which would load the keys for
//    itself; or where
//  - keys are split: there are at most kMostRows queries for each of them, the tiles' CTAs would fill less
//    than half of the device, at kCtasPerSm, and each run has kLeastKeys keys.
// Runs are as many as fill the device.
int Launch::runs_of(const Few& few, int multiprocessors) const {
  constexpr long long kTileRows = 16, kMostRows = 64, kCtasPerSm = 4, kLeastKeys = 256, kMostRuns = 128;
  const int asked = key_runs();
  if (asked == 0 || few.rows <= 0 || few.batch <= 0) return 0;
  if (asked > 0) return few.splits ? asked : 1;
  const long long tiles = (few.rows + kTileRows - 1) / kTileRows, ctas = tiles * few.batch,
                  room = kCtasPerSm * multiprocessors;
  long long runs = 1;
  const bool memory = given_.empty() || workspace_;
  if (few.splits && memory && few.rows <= kMostRows && 2 * ctas <= room)
    runs = std::clamp(std::min(room / ctas, few.keys / kLeastKeys), 1ll, kMostRuns);
  return runs > 1 || tiles < few.heads ? static_cast<int>(runs) : 0;
}

long long Launch::size(int symbol) const { return sizes_[symbol]; }

void Launch::check(bool condition, const char* text) const {
  if (!condition) fail(text);
}

int Launch::narrow(long long value) const {
  // Kernels add a few of these to positions, in 32 bits: no such sum may wrap around.
  constexpr long long kMost = 1ll << 29;
  if (value > kMost || value < -kMost) {
    fail("a size or scalar of " + std::to_string(value) +
         " does not fit the kernel's 32-bit indices; at most " + std::to_string(kMost));
  }
  return static_cast<int>(value);
}

long long Launch::threshold(long long value) const {
  // Beside it stand two sizes and a constant of a million at most, and against it two positions; all sums fit
  // narrow(). Close to the end of 64 bits the eager program's sums may wrap around.
  constexpr long long kMost = 1ll << 28, kLongest = 1ll << 24, kWraps = 1ll << 62;
  const bool short_enough =
      std::all_of(sizes_.begin(), sizes_.end(), [](long long size) { return size <= kLongest; });
  return short_enough && value <= kWraps && value >= -kWraps ? std::clamp(value, -kMost, kMost) : value;
}

int Launch::grid(long long ctas) const {
  if (ctas > std::numeric_limits<int>::max()) fail(std::to_string(ctas) + " CTAs are more than a grid holds");
  return static_cast<int>(ctas);
}

long long Launch::batch() const {
  long long result = 1;
  for (int size : pack_.size) result *= size;
  return result;
}

DType Launch::promoted(const std::vector<int>& parameters, int constant) const {
  bool any = false;
  DType result = DType::kFloat32;
  auto join = [&](DType t) {
    result = any ? promote(result, t) : t;
    any = true;
  };
  for (int p : parameters) join(dtype(p));
  if (constant >= 0) join(static_cast<DType>(constant));
  return result;
}

DType Launch::common_dtype(std::initializer_list<int> parameters) const {
  const DType first = dtype(*parameters.begin());
  for (int p : parameters) {
    if (dtype(p) == first) continue;
    fail("arguments '" + bound_[*parameters.begin()].name + "' and '" + bound_[p].name +
         "' have different types, " + kNames[static_cast<int>(first)] + " and " +
         kNames[static_cast<int>(dtype(p))] + "; convert one of them");
  }
  return first;
}

DType Launch::float_result(const std::vector<int>& parameters, int constant) const {
  const DType type = promoted(parameters, constant);
  if (category(type) != 2 || type == DType::kFloat64) {
    fail(std::string("the result would be ") + type_name(type) +
         ", which no kernel writes; convert the arguments");
  }
  return type;
}

DType Launch::operand_dtype(const std::vector<OperandType>& operands) const {
  std::vector<int> fixed;
  for (const OperandType& o : operands) {
    if (o.conversions.empty()) fixed.push_back(o.parameter);
  }
  auto converted = [&](const TypeRule& rule) { return promoted(rule.parameters, rule.constant); };
  auto is_small = [](DType t) { return t == DType::kInt8 || t == DType::kUInt8 || t == DType::kBool; };
  const DType stored = dtype(operands.front().parameter);
  DType type = converted(operands.front().conversions.empty() ? TypeRule{{operands.front().parameter}}
                                                              : operands.front().conversions.front());
  if (!fixed.empty()) type = dtype(fixed.front());
  else if (type == DType::kFloat32 && category(stored) == 2 && stored < type)
    type = stored;  // widening adds nothing
  for (const OperandType& o : operands) {
    const DType mine = dtype(o.parameter);
    if (mine == type || (is_small(mine) && !o.conversions.empty())) continue;
    const bool fits =
        !o.conversions.empty() && std::all_of(o.conversions.begin(), o.conversions.end(),
                                              [&](const TypeRule& rule) { return converted(rule) == type; });
    if (fits) continue;
    fail("argument '" + bound_[o.parameter].name + "' is " + type_name(mine) +
         " where the kernel's products are of " + type_name(type) + "; convert it to that type");
  }
  return type;
}

void Launch::fill(const Bound& b, int rank, void*& base, int& dtype, long long* pack,
                  long long* stride) const {
  base = const_cast<void*>(b.tensor.raw());
  dtype = static_cast<int>(b.tensor.dtype());
  const std::int64_t leading = b.tensor.dim() - static_cast<std::int64_t>(b.axes.size());
  for (int k = 0; k < kPackAxes; ++k) {
    const std::int64_t axis = leading - kPackAxes + k;
    pack[k] = axis >= 0 && b.tensor.size(axis) != 1 ? b.tensor.stride(axis) : 0;
  }
  for (int k = 0; k < rank; ++k)
    stride[k] = b.size(static_cast<std::size_t>(k)) != 1 ? b.tensor.stride(leading + k) : 0;
}

Launch::Stack Launch::stack(int parameter, std::initializer_list<long long> steps) const {
  constexpr long long kAny = 8,
                      kMost = std::numeric_limits<int>::max();  // a lone matrix: 16 bytes further is nothing
  const Bound& b = bound_[static_cast<std::size_t>(parameter)];
  const std::int64_t leading = b.tensor.dim() - static_cast<std::int64_t>(b.axes.size());
  long long unit = 0, last = 0;
  for (std::int64_t axis = 0; axis < b.tensor.dim(); ++axis) {
    const long long size = b.tensor.size(axis), stride = b.tensor.stride(axis);
    if (size <= 1) continue;
    if (stride < 0) return {0, 0};
    if (axis < leading) unit = std::gcd(unit, stride);
    last += (size - 1) * stride;
  }
  for (long long step : steps) {
    if (step < 0) return {0, 0};
    unit = std::gcd(unit, step);
  }
  if (unit == 0) return {kAny, 1};
  return {unit, last / unit < kMost ? last / unit + 1 : 0};
}

Tensor Launch::result(int number, bool pack, std::initializer_list<long long> sizes, DType dtype) const {
  Sizes all;
  if (pack) {
    for (std::int64_t size : pack_sizes_) all.push_back(size);
  }
  for (long long size : sizes) all.push_back(size);
  if (!given_.empty()) {
    const std::string name = "result " + std::to_string(number + 1);
    if (static_cast<std::size_t>(number) >= given_.size()) fail("no tensor is given for " + name);
    const Tensor& given = given_[static_cast<std::size_t>(number)];
    if (!(given.sizes() == all))
      fail(name + " has sizes " + text_of(given.sizes()) + " where the function returns " + text_of(all));
    if (given.dtype() != dtype)
      fail(name + " is " + type_name(given.dtype()) + " where the function returns " + type_name(dtype));
    return given;
  }
  return measuring_ ? contiguous(nullptr, all, dtype) : empty(all, dtype, Device::kCUDA);
}

Tensor Launch::merged(const Tensor& tensor, int count, int behind) const {
  const std::int64_t last = tensor.dim() - behind - 1, first = last - count + 1;
  Sizes sizes, strides;
  for (std::int64_t d = 0; d < tensor.dim(); ++d) {
    const bool inside = d > first && d <= last;
    if (!inside) {
      sizes.push_back(tensor.size(d));
      strides.push_back(tensor.stride(d));
      continue;
    }
    if (tensor.size(d) != 1 && sizes[first] != 1 && strides[first] != tensor.stride(d) * tensor.size(d)) {
      fail("a result's axes " + std::to_string(first) + " to " + std::to_string(last) +
           " must lie in memory as one");
    }
    if (tensor.size(d) != 1) strides.data()[first] = tensor.stride(d);
    sizes.data()[first] *= tensor.size(d);
  }
  return Tensor::wrap(const_cast<void*>(tensor.raw()), sizes, strides, tensor.dtype(), tensor.device());
}

void Launch::fill_result(const Tensor& tensor, bool pack, int rank, void*& base, int& dtype,
                         long long* pack_stride, long long* stride) const {
  base = const_cast<void*>(tensor.raw());
  dtype = static_cast<int>(tensor.dtype());
  const std::int64_t leading = pack ? tensor.dim() - rank : 0;
  for (int k = 0; k < kPackAxes; ++k) {
    const std::int64_t axis = leading - kPackAxes + k;
    pack_stride[k] = axis >= 0 ? tensor.stride(axis) : 0;
  }
  for (int k = 0; k < rank; ++k) stride[k] = tensor.stride(leading + k);
}

}  // namespace flashlight::generated
