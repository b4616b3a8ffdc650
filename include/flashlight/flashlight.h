// SPDX-License-Identifier: Apache-2.0
// The DSL: the one header a program includes.
#pragma once

#include <flashlight/attention.h>
#include <flashlight/ops.h>
#include <flashlight/tensor.h>
#include <flashlight/types.h>
