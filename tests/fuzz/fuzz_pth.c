/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The kind is told by the first bytes: the legacy container, and zip archives as they are (checksums mostly wrong). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_tensors(data, size, 0);
    return 0;
}
