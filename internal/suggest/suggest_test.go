// SPDX-License-Identifier: Apache-2.0

package suggest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChoices(t *testing.T) {
	names := []string{"openvino", "tflite", "mnn", "tnn", "a file.onnx"}
	for word, want := range map[string]string{
		"tfilte":      "; did you mean tflite?",
		"OpenV":       "; did you mean openvino?",
		"mmn":         "; did you mean mnn or tnn?",
		"a file.onxn": "; did you mean a file.onnx?",
		"caffe":       "; there are: openvino, tflite, mnn, tnn, a file.onnx",
		"":            "; there are: openvino, tflite, mnn, tnn, a file.onnx",
	} {
		require.Equal(t, want, Choices(word, names), word)
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ac", 1}, {"abc", "xbcd", 2}} {
		require.Equal(t, test.want, Distance(test.a, test.b), test)
		require.Equal(t, test.want, Distance(test.b, test.a), test)
	}
}
