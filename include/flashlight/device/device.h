// SPDX-License-Identifier: Apache-2.0
// All device primitives of the sm_80 family: what an emitted file includes.
#pragma once

#include "flashlight/device/aux.h"
#include "flashlight/device/base.h"
#include "flashlight/device/element.h"
#include "flashlight/device/exchange.h"
#include "flashlight/device/fragment.h"
#include "flashlight/device/launch.h"
#include "flashlight/device/math.h"
#include "flashlight/device/mma.h"
#include "flashlight/device/numeric.h"
#include "flashlight/device/rows.h"
#include "flashlight/device/span.h"
#include "flashlight/device/store.h"
#include "flashlight/device/tile.h"
