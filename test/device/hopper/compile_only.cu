// SPDX-License-Identifier: Apache-2.0
// Instantiates every primitive of Hopper, so that nvcc compiles them for sm_90a; never linked.
#include "kernels.h"

namespace flashlight::test {

// Every width, both layouts of b, the left operand in shared memory and in registers.
#define FL_PRODUCT(kind, ...) \
  template FL_KERNEL(kWarpgroupSize) kind<__VA_ARGS__>(FL_PARAMS(AsyncProductParams) p);
#define FL_WIDTH(T, N)                                                     \
  FL_PRODUCT(k_major_kernel, Left::kShared, T, N, 32)                      \
  FL_PRODUCT(k_major_kernel, Left::kRegisters, T, N, 32)                   \
  FL_PRODUCT(mn_major_kernel, Left::kShared, T, N, 32, (N + 63) / 64 * 64) \
  FL_PRODUCT(mn_major_kernel, Left::kRegisters, T, N, 32, (N + 63) / 64 * 64)
#define FL_WIDTHS(T, N) FL_WIDTH(T, N) FL_WIDTH(T, N + 8) FL_WIDTH(T, N + 16) FL_WIDTH(T, N + 24)
FL_WIDTHS(bfloat16, 8)
FL_WIDTHS(bfloat16, 40)
FL_WIDTHS(bfloat16, 72)
FL_WIDTHS(bfloat16, 104)
FL_WIDTHS(bfloat16, 136)
FL_WIDTHS(bfloat16, 168)
FL_WIDTHS(bfloat16, 200)
FL_WIDTHS(bfloat16, 232)
FL_WIDTH(float16, 8)
FL_WIDTH(float16, 104)
FL_WIDTH(float16, 256)
FL_PRODUCT(k_major_kernel, Left::kShared, bfloat16, 64, 128, 16, 1)
FL_PRODUCT(k_major_kernel, Left::kRegisters, bfloat16, 64, 48)
FL_PRODUCT(mn_major_kernel, Left::kShared, bfloat16, 64, 64, 128, 64)
FL_PRODUCT(mn_major_kernel, Left::kRegisters, bfloat16, 96, 48, 96)
template FL_KERNEL(kWarpgroupSize) overlap_kernel<bfloat16>(FL_PARAMS(AsyncProductParams) p);

template FL_KERNEL(kWarpgroupSize) box_load_kernel<bfloat16, 64, 128, 2>(FL_PARAMS(BoxParams<2>) p);
template FL_KERNEL(kWarpgroupSize) box_load_kernel<float16, 64, 96, 3>(FL_PARAMS(BoxParams<3>) p);
template FL_KERNEL(kWarpgroupSize) box_load_kernel<bfloat16, 16, 80, 4>(FL_PARAMS(BoxParams<4>) p);
template FL_KERNEL(kWarpgroupSize) box_load_kernel<bfloat16, 64, 64, 5>(FL_PARAMS(BoxParams<5>) p);
template FL_KERNEL(kWarpgroupSize) box_store_kernel<bfloat16, 64, 128, 2>(FL_PARAMS(BoxParams<2>) p);
template FL_KERNEL(kWarpgroupSize) box_store_kernel<float16, 64, 96, 3>(FL_PARAMS(BoxParams<3>) p);
template FL_KERNEL(kWarpgroupSize) box_store_kernel<bfloat16, 16, 80, 4>(FL_PARAMS(BoxParams<4>) p);
template FL_KERNEL(kWarpgroupSize) box_store_kernel<bfloat16, 64, 64, 5>(FL_PARAMS(BoxParams<5>) p);
template FL_KERNEL(kWarpgroupSize) part_store_kernel<bfloat16, 64, 128, 2, 192, 64>(FL_PARAMS(BoxParams<2>) p);
template FL_KERNEL(kWarpgroupSize) part_store_kernel<float16, 64, 96, 3, 192, 128>(FL_PARAMS(BoxParams<3>) p);

template FL_KERNEL(3 * kWarpgroupSize) note_kernel<4>(FL_PARAMS(NoteParams) p);
template FL_KERNEL(2 * kWarpgroupSize) ring_kernel<3>(FL_PARAMS(RingParams) p);
template FL_KERNEL(128) pass_kernel<128>(FL_PARAMS(PassParams) p);
template FL_KERNEL(384) warpgroup_kernel<384>(FL_PARAMS(WarpgroupParams) p);
template FL_KERNEL(256) turns_kernel<256>(FL_PARAMS(TurnsParams) p);
template FL_KERNEL(384) registers_kernel<384>(FL_PARAMS(WarpgroupParams) p);
template FL_KERNEL(kWarpgroupSize) matrices_kernel<bfloat16, 128>(FL_PARAMS(CopyParams<bfloat16>) p);
template FL_KERNEL(kWarpgroupSize) matrices_kernel<float16, 48>(FL_PARAMS(CopyParams<float16>) p);

// The host's part compiles too.
const char* use_the_host_side(TensorMap& map, const void* base, const TensorShape& shape) {
  return make_tensor_map<SharedTile<bfloat16, 64, 128>>(map, base, shape);
}

}  // namespace flashlight::test
