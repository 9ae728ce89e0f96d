// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/anyinfer/anyinfer/common"
)

// Main is the TestMain of a package with examples that need the engine's SDK.
// An example cannot skip itself, so where the SDK is missing, but in CI, they
// are all left out.
func Main(m *testing.M, engine string) {
	if os.Getenv("CI") == "" && os.Getenv(jobVariable) == "" {
		e, err := common.Open(engine, nil)
		if errors.Is(err, common.ErrNotAvailable) {
			fmt.Fprintln(os.Stderr, "examples are skipped:", err)
			flag.Parse()
			pattern := "^Example"
			if given := flag.Lookup("test.skip").Value.String(); given != "" {
				pattern = given + "|" + pattern
			}
			flag.Set("test.skip", pattern)
		}
		e.Close()
	}
	os.Exit(m.Run())
}
