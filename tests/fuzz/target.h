/* What every fuzz target defines; libFuzzer or replay.c calls it. It must not crash, leak or hang on any
 * bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry point, named by it (llvm.org/docs/LibFuzzer.html); always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
