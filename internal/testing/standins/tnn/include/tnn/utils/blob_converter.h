/* SPDX-License-Identifier: Apache-2.0 */
/* Of the stand-in for TNN: all is in one header. */
#include <tnn/core/tnn.h>
