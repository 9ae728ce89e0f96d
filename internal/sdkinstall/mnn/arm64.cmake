# SPDX-License-Identifier: Apache-2.0
# What MNN's build for arm64 is told beside what the crate tells it. KleidiAI is
# off, as it would be fetched without being pinned.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(MNN_KLEIDIAI OFF CACHE BOOL "" FORCE)
