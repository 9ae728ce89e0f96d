/* SPDX-License-Identifier: Apache-2.0 */
#include <tnn/core/tnn.h>
