// SPDX-License-Identifier: Apache-2.0
// All device primitives of sm_90a: those of the sm_80 family, and Hopper's own.
#pragma once

#include "flashlight/device/device.h"
#include "flashlight/device/hopper/barrier.h"
#include "flashlight/device/hopper/matrix_store.h"
#include "flashlight/device/hopper/notes.h"
#include "flashlight/device/hopper/tensor_map.h"
#include "flashlight/device/hopper/tma.h"
#include "flashlight/device/hopper/warpgroup.h"
#include "flashlight/device/hopper/wgmma.h"
