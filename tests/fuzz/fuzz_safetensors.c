/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The header's length is mended, so that the JSON behind it is reached: byte 0 says how far the data are from the end.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_tensors(data, size, 0);
    if (size <= 9)
        return 0;
    uint8_t *mended = malloc(size);
    if (mended == NULL)
        return 0;
    uint64_t n = size - 8;
    n -= data[0] < n ? data[0] : n;
    for (size_t i = 0; i < size; i++)
        mended[i] = i < 8 ? (uint8_t)(n >> (8 * i)) : data[i];
    fuzz_tensors(mended, size, 0);
    free(mended);
    return 0;
}
