// SPDX-License-Identifier: Apache-2.0

// Package mnn runs MNN models.
package mnn
