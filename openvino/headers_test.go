// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/testing/headercheck"
)

// TestHeaders compares with the headers of each release that is installed.
func TestHeaders(t *testing.T) {
	for _, sdk := range headercheck.SDKs(t, engine) {
		t.Run(sdk.Version, func(t *testing.T) {
			r, err := parseRelease(sdk.Version)
			require.NoError(t, err)
			c := headercheck.Check{
				Dir: filepath.Join(sdk.Dir, "include"), Headers: []string{"openvino/c/openvino.h"}, Table: symbols,
				Values: map[string]int64{
					"OK": statusOK, "GENERAL_ERROR": generalError, "NOT_IMPLEMENTED": notImplemented, "REQUEST_BUSY": requestBusy,
					"INFER_CANCELLED": inferCancelled, "UNKNOW_EXCEPTION": unknownException,
				},
				Structs: []headercheck.Struct{
					{C: "ov_version_t", Go: cVersion{}, Members: "buildNumber description"},
					{C: "ov_available_devices_t", Go: cDevices{}, Members: "devices size"},
					{C: "ov_dimension_t", Go: cDimension{}, Members: "min max"},
					{C: "ov_shape_t", Go: cShape[uintptr]{}, Members: "rank dims"},
					{C: "ov_partial_shape_t", Go: cPartialShape[uintptr]{}, Members: "rank dims"},
					{C: "ov_property_t", Go: cProperty{}, Members: "key value"},
					{C: "ov_profiling_info_t", Go: cProfile{}, Members: "status real_time cpu_time node_name exec_type node_type"},
					{C: "ov_profiling_info_list_t", Go: cProfiles{}, Members: "profiling_infos size"},
				},
				Uncovered: map[string]string{},
			}
			for i, e := range elementTypes {
				name := strings.ToUpper(e.name)
				if name == "F8E5M2" {
					name = "F8E5M3" // as they write it
				}
				c.Values[name] = int64(r.firstType() + i)
			}
			for _, d := range symbols {
				if d.Since != "" && sdkdir.CompareVersions(sdk.Version, d.Since) < 0 {
					c.Uncovered[d.Name()] = "since " + d.Since
				}
			}
			if c.Uncovered[symbols[fnCompileProps].Name()] != "" {
				c.Uncovered["ov_property_t"] = "what that function takes"
			}
			headercheck.Run(t, c)
		})
	}
}
