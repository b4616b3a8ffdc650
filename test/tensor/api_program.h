// SPDX-License-Identifier: Apache-2.0
// What api_program.cpp defines.
#pragma once

#include <flashlight/flashlight.h>

#include <string>

flashlight::Tensor causal_attention(const flashlight::Tensor& q, const flashlight::Tensor& k,
                                    const flashlight::Tensor& v);
flashlight::Tensor causal_flex(flashlight::Tensor q, flashlight::Tensor k, flashlight::Tensor v);
flashlight::Tensor causal_sdpa(flashlight::Tensor q, flashlight::Tensor k, flashlight::Tensor v);
flashlight::Tensor rotate(const flashlight::Tensor& x, const flashlight::Tensor& angle);
flashlight::Tensor with_bias(const flashlight::Tensor& x);
std::string containers(const flashlight::Tensor& x);
