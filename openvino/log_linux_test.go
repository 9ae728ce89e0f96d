// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/openvino"
)

// lockedBuffer may be read while it is written.
type lockedBuffer struct {
	sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.Lock()
	defer b.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) has(text string) bool {
	b.Lock()
	defer b.Unlock()
	return strings.Contains(b.String(), text)
}

func openLogging(t *testing.T) (*common.Engine, *lockedBuffer) {
	open(t) // or skip
	out := new(lockedBuffer)
	e, err := common.Open("openvino", &common.Config{Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e, out
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
		require.Eventually(t, func() bool { return out.has(text) }, 10*time.Second, time.Millisecond, text)
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
	require.Eventually(t, func() bool { return out.has("level=ERROR") && out.has("engine=openvino") }, 5*time.Second, time.Millisecond)
}
