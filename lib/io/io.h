/* SPDX-License-Identifier: Apache-2.0 */
/* io: every parser of bytes that came from outside. The umbrella: other rooms include this one. */
#ifndef PHYSAD__IO_H
#define PHYSAD__IO_H

#include "io/io_csv.h"
#include "io/io_file.h"
#include "io/io_image.h"
#include "io/io_pose_rows.h"
#include "io/io_poses.h"
#include "io/io_spill.h"
#include "io/io_tensors.h"
#include "io/io_video.h"
#include "io/io_zip.h"

#endif
