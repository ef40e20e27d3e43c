/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * libphysad: tells whether a thing is defective by comparing it with how normal things look and behave.
 * This header includes all others.
 */
#ifndef PHYSAD_H
#define PHYSAD_H

#include <physad/bank.h>
#include <physad/base.h>
#include <physad/camera.h>
#include <physad/context.h>
#include <physad/evaluate.h>
#include <physad/features.h>
#include <physad/group.h>
#include <physad/locate.h>
#include <physad/scene.h>
#include <physad/splat.h>
#include <physad/synth.h>
#include <physad/tensors.h>
#include <physad/dataset.h>
#include <physad/detect.h>
#include <physad/region.h>
#include <physad/transform.h>
#include <physad/metrics.h>
#include <physad/image.h>
#include <physad/version.h>
#include <physad/video.h>
#include <physad/weights.h>

#endif
