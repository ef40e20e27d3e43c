/* SPDX-License-Identifier: Apache-2.0 */
/* cpu: which instructions this processor and this system allow. */
#ifndef PHYSAD__CPU_H
#define PHYSAD__CPU_H

#include <stdint.h>

/* PHYSAD_CPU_* flags of <physad/context.h>. Asks the processor each time; contexts keep the answer. */
uint32_t physad__cpu_detect(void);
/* Cores that this process may run on (its affinity mask), at least 1. */
int physad__cpu_count(void);

#endif
