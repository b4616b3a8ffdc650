// SPDX-License-Identifier: Apache-2.0
// See instances.h.
#include "emit/instances.h"

#include <algorithm>
#include <set>

#include "fusion/roles.h"

namespace flashlight::emit {

namespace {

constexpr int kPaddedSizes[] = {32, 64, 96, 128, 192, 256, 384, 512};

struct StorageType {
  const char* option;
  const char* type;
  const char* dtype;
  int bytes;
};
constexpr StorageType kTypes[] = {{"bf16", "bfloat16", "kBFloat16", 2},
                                  {"fp16", "float16", "kFloat16", 2},
                                  {"fp32", "float", "kFloat32", 4}};

const StorageType& storage_type(const std::string& option) {
  for (const StorageType& t : kTypes) {
    if (option == t.option) return t;
  }
  throw fusion::Refused{{"unknown-dtype", "no storage type '" + option + "'", "use bf16, fp16 or fp32", {}}};
}

std::optional<int> pad(long long size) {
  for (int p : kPaddedSizes) {
    if (size <= p) return p;
  }
  return std::nullopt;
}

// Head dimensions that the caller leaves open are padded to `head`, others to what holds them.
std::map<int, int> padded_to(const PartText& v, int head) {
  std::map<int, int> result;
  for (const Dimension& d : v.kernel.dimensions) {
    const auto size = v.program->plan->loops[d.loop].size.as_integer();
    const auto padded = pad(size ? *size : head);
    if (!padded)
      throw fusion::Refused{{"no-tile",
                             "a head dimension of " + std::to_string(*size) + " is larger than 512",
                             "split it",
                             {}}};
    result[d.loop] = *padded;
  }
  return result;
}

bool has_open_dimension(const PartText& v) {
  return std::any_of(v.kernel.dimensions.begin(), v.kernel.dimensions.end(),
                     [&](const Dimension& d) { return !v.program->plan->loops[d.loop].size.as_integer(); });
}

// The recipe of sm_90a for the same dimensions, or why there is none.
void choose_hopper(const PartText& v, const StorageType& type, const EmitOptions& options,
                   Instance& instance) {
  if (!v.kernel.hopper) return;
  const KernelText& hopper = *v.kernel.hopper;
  const target::Demand demand = demand_for(hopper, type.bytes, instance.padded);
  instance.wgmma = target::choose_wgmma(demand, options.tiles);
  if (!hopper.obstacle.empty() && type.bytes == 2) instance.wgmma = {std::nullopt, hopper.obstacle};
  if (instance.wgmma.shape) instance.wgmma_shared_bytes = target::shared_bytes(demand, *instance.wgmma.shape);
}

// The shape of the kernel that combines runs, for the same dimensions; false where there is none.
bool choose_combining(const PartText& v, const StorageType& type, Instance& instance) {
  if (!v.kernel.few || !v.combine) return true;
  const auto shape = target::choose_combining(demand_for(*v.combine, type.bytes, instance.padded));
  if (!shape) return false;
  instance.combining = *shape;
  instance.combining_shared_bytes = v.combine->exchanges ? 4 * shape->m * shape->parts : 0;
  return true;
}

// The instance for `head`, or where no shape holds it for the next larger head dimension: 192 columns do not
// divide where 256 do.
std::optional<Instance> instance_of(const PartText& v, const StorageType& type, int head,
                                    const EmitOptions& options) {
  for (int size : kPaddedSizes) {
    if (size < head) continue;
    Instance instance;
    instance.type = type.type;
    instance.dtype = type.dtype;
    instance.padded = padded_to(v, size);
    const target::Demand demand = demand_for(v.kernel, type.bytes, instance.padded);
    if (const auto shape =
            v.kernel.few ? target::choose_few_tile(demand) : target::choose_tile(demand, options.tiles)) {
      instance.shape = *shape;
      instance.shared_bytes = target::shared_bytes(demand, *shape);
      choose_hopper(v, type, options, instance);
      if (!choose_combining(v, type, instance)) return std::nullopt;
      return instance;
    }
    if (!has_open_dimension(v)) break;
  }
  return std::nullopt;
}

}  // namespace

std::vector<Instance> instances_of(const PartText& v, const EmitOptions& options) {
  std::set<int> heads;
  for (int h : options.head_dims) {
    if (auto padded = pad(h)) heads.insert(*padded);
  }
  if (!has_open_dimension(v)) heads = {kPaddedSizes[0]};
  std::vector<Instance> result;
  std::string missing;
  // A tile's storage type is that of a product's operands. Without one the launcher asks for float.
  const std::vector<std::string> dtypes =
      v.kernel.contracted.empty() ? std::vector<std::string>{"fp32"} : options.dtypes;
  for (const std::string& option : dtypes) {
    for (int head : heads) {
      auto instance = instance_of(v, storage_type(option), head, options);
      if (!instance) {
        missing = "head dimension " + std::to_string(head) + " in " + option;
        if (has_open_dimension(v)) break;
        continue;  // of fixed sizes that one type is too wide for, the others remain
      }
      const bool known = std::any_of(result.begin(), result.end(), [&](const Instance& i) {
        return i.type == instance->type && i.padded == instance->padded;
      });
      if (!known) result.push_back(std::move(*instance));
    }
  }
  if (!missing.empty() && (result.empty() || has_open_dimension(v))) {
    throw fusion::Refused{{"no-tile",
                           "no tile shape holds the kernel's accumulators in registers at " + missing,
                           "translate with smaller --head-dims or fewer --dtypes",
                           {}}};
  }
  return result;
}

}  // namespace flashlight::emit
