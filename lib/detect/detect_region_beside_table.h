/* SPDX-License-Identifier: Apache-2.0 */
/* The linear model of the kinds of defect; made by tests/golden/make_region_looks.py. */
#ifndef PHYSAD__DETECT_REGION_BESIDE_TABLE_H
#define PHYSAD__DETECT_REGION_BESIDE_TABLE_H

static const double BESIDE_MEAN[PHYSAD__BESIDES] = { 0.5892, 0.4196, 0.4603,  0.0850,  0.4236, 0.4583,
                                                     0.5841, 0.3147, -0.1582, -0.9987, 0.4993 };
static const double BESIDE_SPREAD[PHYSAD__BESIDES] = { 0.4664, 0.3306, 0.3161, 0.0885, 0.4648, 0.4990,
                                                       0.6271, 0.3167, 0.4251, 0.8255, 0.2663 };
static const double BESIDE_BIAS[PHYSAD_DEFECTS] = { 0.4226, -0.3482, 0.3905, -0.4650 };
static const double BESIDE_WEIGHT[PHYSAD_DEFECTS][PHYSAD__BESIDES] = {
    { -0.6334, 0.5141, -0.9632, 0.3532, 0.3986, -0.5551, 0.9062, -0.9044, 0.3446, -0.6496, 0.1944 },
    { 0.8669, -0.8567, 1.2901, -0.1087, 0.0659, 1.2808, -0.7919, 0.4485, -0.1268, 0.4912, -0.7619 },
    { -0.1023, 1.0772, -0.8496, -0.2299, -0.3445, -0.0385, -0.1227, 0.6631, 0.1978, -1.9970, -0.3145 },
    { -0.1312, -0.7346, 0.5228, -0.0147, -0.1201, -0.6872, 0.0084, -0.2072, -0.4156, 2.1553, 0.8820 },
};

#endif
