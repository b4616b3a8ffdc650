// SPDX-License-Identifier: Apache-2.0
// The samples' harness counts tiles on the emulated device. A build for a GPU does not link that device: it
// counts nothing.
#include <flashlight/emulator/emulator.h>

namespace flashlight::emulator {

long long counter(std::string_view) { return 0; }
void reset_counters() {}

}  // namespace flashlight::emulator
