// SPDX-License-Identifier: Apache-2.0

//go:build race || asan

package tfltest

const instrumented = true
