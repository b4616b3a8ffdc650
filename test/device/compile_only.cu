// SPDX-License-Identifier: Apache-2.0
// Instantiates every primitive at shapes that the tests run, so that nvcc compiles them; never linked.
#include "kernels.h"

namespace flashlight::test {

template FL_KERNEL(128) copy_kernel<bfloat16, 64, 64, 128>(FL_PARAMS(CopyParams<bfloat16>) p);
template FL_KERNEL(128) copy_kernel<float16, 64, 96, 128>(FL_PARAMS(CopyParams<float16>) p);
template FL_KERNEL(128) copy_kernel<float, 64, 96, 128>(FL_PARAMS(CopyParams<float>) p);
template FL_KERNEL(128) fill_kernel<bfloat16, 64, 32, 128>(FL_PARAMS(CopyParams<bfloat16>) p);
template FL_KERNEL(128) fill_kernel<float, 64, 32, 128>(FL_PARAMS(CopyParams<float>) p);

#define FL_PRODUCTS(T, MI, D)                                                             \
  template FL_KERNEL(64) transposed_kernel<T, MI, 64, 64, D>(FL_PARAMS(ProductParams) p); \
  template FL_KERNEL(64) register_kernel<T, MI, 64, D, D>(FL_PARAMS(ProductParams) p);    \
  template FL_KERNEL(64) tiles_kernel<T, MI, 64, D, D>(FL_PARAMS(ProductParams) p);
FL_PRODUCTS(bfloat16, 2, 32)
FL_PRODUCTS(bfloat16, 2, 64)
FL_PRODUCTS(bfloat16, 1, 96)
FL_PRODUCTS(bfloat16, 1, 128)
FL_PRODUCTS(bfloat16, 1, 192)
FL_PRODUCTS(bfloat16, 1, 256)
FL_PRODUCTS(float16, 2, 64)
FL_PRODUCTS(float, 2, 64)
FL_PRODUCTS(float, 1, 96)
FL_PRODUCTS(float, 1, 192)
template FL_KERNEL(64) transposed_kernel<bfloat16, 2, 24, 64, 64>(FL_PARAMS(ProductParams) p);
template FL_KERNEL(64) register_kernel<bfloat16, 2, 48, 128, 64>(FL_PARAMS(ProductParams) p);
template FL_KERNEL(64) register_kernel<float, 2, 24, 64, 32>(FL_PARAMS(ProductParams) p);
template FL_KERNEL(64) tiles_kernel<float16, 1, 16, 64, 40>(FL_PARAMS(ProductParams) p);

template FL_KERNEL(64) layout_kernel<2, 64>(FL_PARAMS(FragmentParams) p);
template FL_KERNEL(64) in_turn_kernel<2, 64>(FL_PARAMS(FragmentParams) p);
template FL_KERNEL(64) store_kernel<bfloat16, 2, 64>(FL_PARAMS(StoreParams<bfloat16>) p);
template FL_KERNEL(64) store_kernel<float16, 1, 40>(FL_PARAMS(StoreParams<float16>) p);
template FL_KERNEL(64) store_kernel<float, 1, 64>(FL_PARAMS(StoreParams<float>) p);

int use_the_rest(FragmentParams f, AuxParams a) {
  return launch(quad_kernel<64>, 1, 64, 0, nullptr, f) + launch(aux_kernel<32>, 1, 32, 0, nullptr, a);
}

}  // namespace flashlight::test
