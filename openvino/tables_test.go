// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
)

func TestParseRelease(t *testing.T) {
	for version, want := range map[string]int{
		"2024.6.0-17404-4c0f47d2335-releases/2024/6": 1,
		"2025.0.0-17942-1f68be9f594-releases/2025/0": 1,
		"2025.1.0-18503-6fec06580ab-releases/2025/1": 0,
		"2025.2.0-000--": 0,
		"2026.4.1-22982-e213a147257-releases/2026/4": 0,
		"2027.0.0-1-abc-releases/2027/0":             0,
		"2031.12":                                    0,
	} {
		got, err := parseRelease(version)
		require.NoError(t, err, version)
		require.Equal(t, want, got.firstType(), version)
	}
	for _, version := range []string{"2024.5.0-17288-7975fa5da0c-refs/pull/3856/head", "2023.3.0", "2022.1", "2.1", "", "custom_master_abc", "-2026.4"} {
		_, err := parseRelease(version)
		require.ErrorIs(t, err, common.ErrVersion, version)
	}
}

func TestElementTypes(t *testing.T) {
	for _, r := range []release{{2024, 6}, {2025, 0}, {2025, 1}, {2026, 4}} {
		seen := map[common.DType]bool{}
		for code := range uint32(len(elementTypes)) + 3 {
			dt, name := r.dtype(code)
			require.NotEmpty(t, name)
			if dt != 0 {
				require.False(t, seen[dt], "%v twice", dt)
				seen[dt] = true
				require.EqualValues(t, code, r.code(dt))
			}
		}
		for dt := common.Bool; dt < common.String; dt++ {
			require.True(t, seen[dt], "%v is missing", dt)
		}
	}
	for code, want := range map[uint32]common.DType{1: common.Bool, 4: common.Float32, 10: common.Int64, 16: common.Uint8, 23: 0} {
		current, _ := release{2025, 1}.dtype(code)
		old, _ := release{2025, 0}.dtype(code + 1)
		require.Equal(t, want, current)
		require.Equal(t, want, old)
	}
	require.Equal(t, common.BFloat16, precision("bf16"))
	require.Zero(t, precision("dynamic"))
	require.Zero(t, precision(""))
	require.Equal(t, "f16", precisionName(common.Float16))
}

func TestShorten(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		"Exception from src/inference/src/cpp/core.cpp:84:\nCheck 'translate_map.count(x)' failed at src/frontends/tensorflow_lite/src/frontend.cpp:221:\n" +
			"FrontEnd API failed with OpConversionFailure:\nNo translator found for TFLite_Detection_PostProcess node.\n\n\n": "FrontEnd API failed with OpConversionFailure: No translator found for TFLite_Detection_PostProcess node.",
		"Check 'a > b' failed at x.cpp:1:\n": "Check 'a > b' failed at x.cpp:1:",
		"plain":                              "plain",
	} {
		require.Equal(t, want, shorten(text))
	}
	long := shorten(string(make([]byte, 10000)) + "é")
	require.LessOrEqual(t, len(long), maxErrorText+3)
}

func TestClassifyError(t *testing.T) {
	require.Equal(t, common.ErrOption, classifyError("NotFound: Unsupported property FOO by CPU plugin.", "CPU"))
	require.Equal(t, common.ErrDevice, classifyError(`Device with "XYZ" name is not registered`, "CPU"))
	require.Equal(t, common.ErrModel, classifyError("Can't infer shape of Add", "CPU"))
}
