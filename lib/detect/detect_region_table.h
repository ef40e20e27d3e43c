/* SPDX-License-Identifier: Apache-2.0 */
/* The linear model of the kinds of defect; made by tests/golden/make_region_looks.py. */
#ifndef PHYSAD__DETECT_REGION_TABLE_H
#define PHYSAD__DETECT_REGION_TABLE_H

static const double LOOK_MEAN[PHYSAD__LOOKS] = { 0.6637, 0.5130, 0.1252, 0.1362,  -0.0423, 0.0978,
                                                 0.0719, 0.2963, 0.2383, -0.3460, -2.0508, -0.0383 };
static const double LOOK_SPREAD[PHYSAD__LOOKS] = { 0.5594, 0.7116, 0.2517, 0.2541, 0.1178, 0.0781,
                                                   0.0781, 0.4397, 0.4564, 0.4325, 0.5630, 0.5021 };
static const double LOOK_BIAS[PHYSAD_DEFECTS] = { 0.0222, -0.3639, 0.1990, 0.1427 };
static const double LOOK_WEIGHT[PHYSAD_DEFECTS][PHYSAD__LOOKS] = {
    { -0.7488, -0.0774, 0.3558, -0.0858, 0.0083, 0.1214, -0.1060, 0.8147, -0.4304, -0.6601, 0.5776, 0.5285 },
    { 1.0084, 0.0796, -0.5125, 0.1489, 0.1931, -0.1804, 0.0555, 0.6121, -0.0609, 0.5469, -0.1022, -0.8356 },
    { -0.0860, -0.0805, 0.6657, -0.2631, -0.2087, -0.1610, -0.5077, -0.3830, -0.2171, -0.4302, -0.1167, 0.9503 },
    { -0.1735, 0.0783, -0.5090, 0.2000, 0.0074, 0.2200, 0.5583, -1.0438, 0.7084, 0.5434, -0.3588, -0.6432 },
};

#endif
