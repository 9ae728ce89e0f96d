// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/openvino"
)

func openLogging(t *testing.T) (*common.Engine, *enginetest.Log) {
	log := new(enginetest.Log)
	return enginetest.Open(t, "openvino", &common.Config{Logger: log.Logger()}), log
}

// TestLog: what the SDK logs, when it is told to, arrives with its level. The
// SDK calls back on threads of its own.
func TestLog(t *testing.T) {
	e, out := openLogging(t)
	if e.Info().Version < "2025.4" {
		t.Skip("OpenVINO has a callback for its log since 2025.4")
	}
	load(t, e, file("digits.xml"), &common.Options{
		Device: "AUTO:CPU", Native: openvino.Options{Properties: map[string]string{"LOG_LEVEL": "LOG_DEBUG"}},
	})
	for _, text := range []string{"level=DEBUG", "select device:CPU", "engine=openvino"} {
		out.Wait(t, text)
	}
}

// TestPrintedIsLogged: what a library below OpenVINO prints on a file that is
// no model arrives there, too, where OpenVINO has no callback for its log.
func TestPrintedIsLogged(t *testing.T) {
	e, out := openLogging(t)
	if e.Info().Version >= "2025.4" {
		t.Skip("C's stderr is left alone since 2025.4, which has a callback for its log")
	}
	name := t.TempDir() + "/model.pb"
	require.NoError(t, os.WriteFile(name, []byte("no model"), 0o600))
	_, err := e.Load(context.Background(), common.File(name), nil)
	require.ErrorIs(t, err, common.ErrModel)
	out.Wait(t, "level=ERROR")
	out.Wait(t, "engine=openvino")
}
