// SPDX-License-Identifier: Apache-2.0
// Clang and the interpreter recurse with the nesting of the text.
#pragma once
#include <functional>

namespace flashlight::frontend {

// Runs `work`, which must not throw, on a thread with a stack of 256 MB, and waits for it.
void on_large_stack(const std::function<void()>& work);

}  // namespace flashlight::frontend
