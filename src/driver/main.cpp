// SPDX-License-Identifier: Apache-2.0
// flashlight-translate.
#include "driver/driver.h"

int main(int argc, char** argv) { return flashlight::driver::run(argc, argv); }
