// SPDX-License-Identifier: Apache-2.0
// A header of the consumer's own, in an include folder of the target.
#pragma once
inline double temperature() { return TEMPERATURE; }
